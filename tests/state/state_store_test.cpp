// Claims about the state store on LMDB.

#include <fstream>
#include <functional>

#include <boost/test/unit_test.hpp>

#include "lmdb/lmdb.hpp"
#include "state/lmdb_store.hpp"
#include "state/state_support.hpp"
#include "state/stored_form.hpp"

using namespace kappa;
using namespace kappa::test;

namespace {

using listing = std::vector<std::pair<bytes, bytes>>;

std::optional<bytes> got(state_store& store, bytes_view key, std::size_t table = 0) {
  bytes out;
  if (!must(store.get(table, key, out))) return std::nullopt;
  return out;
}

listing scanned(state_store& store, bytes_view from = {}, bytes_view to = {}) {
  listing out;
  must(store.scan(0, from, to, [&](bytes_view k, bytes_view v) {
    out.emplace_back(k, v);
    return true;
  }));
  return out;
}

/// Changes what LMDB holds behind the store's back.
void tamper(const std::filesystem::path& folder, const std::string& table,
            const std::function<void(lmdb::write_txn&, lmdb::dbi)>& f) {
  auto env = must(lmdb::environment::open({.folder = folder}));
  const auto dbi = must(env->open_dbi(table));
  auto txn = must(env->begin_write());
  f(txn, dbi);
  must(txn.commit());
}

const auto any = [](bytes_view, bytes_view) { return true; };

}  // namespace

BOOST_AUTO_TEST_SUITE(state_store_claims)

BOOST_AUTO_TEST_CASE(a_commit_survives_reopening) {
  const temporary_folder folder;
  {
    auto store = opened(options_in(folder.path()));
    BOOST_TEST(!store->snapshot().has_value());
    BOOST_TEST(store->epoch().value == 0U);
    commit(*store, 7, {delta_of({{"a", "1"}, {"b", "2"}})});
    commit(*store, 8, {delta_of({{"a", std::nullopt}, {"absent", std::nullopt}, {"c", "3"}})});
  }
  auto store = opened(options_in(folder.path()));
  BOOST_TEST(*store->snapshot() == "snapshot 8");
  BOOST_TEST(store->epoch().value == 8U);
  BOOST_TEST((scanned(*store) == listing{{"b", "2"}, {"c", "3"}}));
  BOOST_TEST(!got(*store, "a").has_value());
  BOOST_TEST(must(store->stats()).entries == 2U);
}

BOOST_AUTO_TEST_CASE(an_owner_that_was_overtaken_writes_nothing_more) {
  const temporary_folder folder;
  auto first = opened(options_in(folder.path()));
  commit(*first, 1, {delta_of({{"a", "1"}})});
  auto second = opened(options_in(folder.path()));
  BOOST_TEST((second->epoch() == epoch_number{1}));
  state_delta late;
  late.epoch = epoch_number{2};
  late.snapshot = "snapshot 2";
  late.tables = {delta_of({{"a", "2"}})};
  const auto refusal = first->commit(late);
  BOOST_REQUIRE(refused(refusal, errc::fenced, {"another owner"}));
  BOOST_TEST(!refusal.error().retriable);
  BOOST_TEST((got(*second, "a") == bytes{"1"}));
  auto options = options_in(folder.path());
  options.read_only = true;  // a reader takes nothing
  BOOST_TEST((opened(options)->epoch() == epoch_number{1}));
  commit(*second, 2, {delta_of({{"a", "3"}})});
  BOOST_TEST((got(*second, "a") == bytes{"3"}));
}

BOOST_AUTO_TEST_CASE(a_snapshot_without_changes_moves_the_epoch_only) {
  const temporary_folder folder;
  auto store = opened(options_in(folder.path()));
  commit(*store, 1, {delta_of({{"a", "1"}})});
  commit(*store, 2, {nullptr});
  BOOST_TEST(*store->snapshot() == "snapshot 2");
  BOOST_TEST(*got(*store, "a") == "1");
}

BOOST_AUTO_TEST_CASE(any_bytes_are_a_key_the_empty_one_too) {
  const temporary_folder folder;
  auto store = opened(options_in(folder.path()));
  const bytes zero(1, '\0');
  const bytes longest(state_store::max_ordered_key_bytes, '\xff');
  commit(*store, 1,
         {delta_of({{"", "empty"}, {zero, "zero"}, {"\x01", ""}, {longest, "longest"}})});
  BOOST_TEST((scanned(*store) ==
              listing{{"", "empty"}, {zero, "zero"}, {"\x01", ""}, {longest, "longest"}}));
  BOOST_TEST((scanned(*store, zero, "\x02") == listing{{zero, "zero"}, {"\x01", ""}}));
  BOOST_TEST(*got(*store, "") == "empty");
}

BOOST_AUTO_TEST_CASE(a_long_key_round_trips_and_refuses_range_scans) {
  const temporary_folder folder;
  auto store = opened(options_in(folder.path()));
  const bytes one(511, 'k');
  const bytes two(100'000, 'k');
  commit(*store, 1, {delta_of({{"short", "s"}, {one, "1"}, {two, "2"}})});
  BOOST_TEST(*got(*store, one) == "1");
  BOOST_TEST(*got(*store, two) == "2");
  BOOST_TEST(!got(*store, bytes(512, 'k')).has_value());
  BOOST_TEST(refused(store->scan(0, {}, {}, any), errc::invalid_argument,
                     {"flights/hourly-delays.g1[3] counts", "510"}));
  BOOST_TEST((must(dump_table(*store, 0)) == listing{{one, "1"}, {two, "2"}, {"short", "s"}}));
  commit(*store, 2, {delta_of({{one, std::nullopt}, {two, std::nullopt}})});
  BOOST_TEST((scanned(*store) == listing{{"short", "s"}}));
}

BOOST_AUTO_TEST_CASE(long_keys_with_one_hash_are_kept_apart) {
  const temporary_folder folder;
  const auto same = [](bytes_view) { return hash128{1, 2}; };
  const auto reopened = [&] {
    return must(detail::lmdb_store::open(options_in(folder.path()), same));
  };
  const auto key = [](char c) { return bytes(600, c); };
  auto store = reopened();
  commit(*store, 1, {delta_of({{key('a'), "1"}, {key('b'), "2"}, {key('c'), "3"}})});
  commit(*store, 2, {delta_of({{key('b'), std::nullopt}, {key('c'), "4"}, {key('d'), ""}})});
  store.reset();
  store = reopened();
  BOOST_TEST(*got(*store, key('a')) == "1");
  BOOST_TEST(!got(*store, key('b')).has_value());
  BOOST_TEST(*got(*store, key('c')) == "4");
  BOOST_TEST(*got(*store, key('d')) == "");
  commit(
      *store, 3,
      {delta_of({{key('a'), std::nullopt}, {key('c'), std::nullopt}, {key('d'), std::nullopt}})});
  BOOST_TEST(must(store->stats()).entries == 0U);
}

BOOST_AUTO_TEST_CASE(a_scan_of_many_entries_is_whole_and_ordered_while_commits_go_on) {
  const temporary_folder folder;
  auto store = opened(options_in(folder.path()));
  commit(*store, 1, {numbered(10000, 15000, "value")});
  int next = 10000;
  must(store->scan(0, {}, {}, [&](bytes_view k, bytes_view v) {
    BOOST_REQUIRE(k == std::to_string(next++));
    BOOST_REQUIRE(v == "value");
    BOOST_REQUIRE(reinterpret_cast<std::uintptr_t>(v.data()) % 8 == 0);
    BOOST_REQUIRE(*got(*store, "10007") == "value");  // a get inside a scan
    return true;
  }));
  BOOST_TEST(next == 15000);
}

// ---- Whose state is it ------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(state_of_another_app_is_refused_by_name) {
  const temporary_folder folder;
  const auto made = options_in(folder.path());
  commit(*opened(made), 1, {nullptr});
  const auto refuses = [&](auto change, std::initializer_list<std::string_view> words) {
    auto other = made;
    change(other.identity);
    return refused(state_store::open(other), errc::incompatible, words);
  };
  BOOST_TEST(refuses([](auto& id) { id.app = "ships"; }, {"app flights", "app ships", "folder"}));
  BOOST_TEST(refuses([](auto& id) { id.stage = "alerts"; },
                     {"stage hourly-delays", "stage alerts", "folder"}));
  BOOST_TEST(refuses([](auto& id) { id.generation = generation{2}; },
                     {"generation 1", "generation 2", "folder"}));
  BOOST_TEST(refuses([](auto& id) { id.task = partition{4}; }, {"task 3", "task 4", "folder"}));
  BOOST_TEST(refuses([](auto& id) { id.log_id = "log-b"; }, {"log log-a", "log log-b", "rebuild"}));
  BOOST_TEST(refuses([](auto& id) { id.fingerprint = 0xdcba; },
                     {"topology 000000000000abcd", "topology 000000000000dcba", "new generation"}));
  BOOST_TEST(*opened(made)->snapshot() == "snapshot 1");
}

BOOST_AUTO_TEST_CASE(state_of_a_newer_format_is_refused_by_name) {
  const temporary_folder folder;
  (void)opened(options_in(folder.path()));
  tamper(folder.path(), "kappa.state", [](auto& txn, auto dbi) {
    bytes version;
    byte_writer{version}.put(std::uint32_t{99});
    bytes stored;
    detail::store_value(detail::table_seed("kappa.state"), "format", version, stored);
    must(txn.put(dbi, "format", stored));
  });
  BOOST_TEST(refused(state_store::open(options_in(folder.path())), errc::incompatible,
                     {"format 99", "up to 1", "newer Kappa"}));
}

BOOST_AUTO_TEST_CASE(an_environment_that_is_no_state_is_refused) {
  const temporary_folder folder;
  tamper(folder.path(), "something", [](auto& txn, auto dbi) { must(txn.put(dbi, "k", "v")); });
  BOOST_TEST(refused(state_store::open(options_in(folder.path())), errc::incompatible,
                     {"no state of Kappa"}));
}

namespace {

schema_info version_of(std::uint64_t version) {
  schema_info s{"flights.capnp:HourStats", 7, version, std::to_string(version), nullptr};
  s.can_read = [](const schema_info& present, const schema_info& stored, read_as) -> result<void> {
    if (stored.fingerprint <= present.fingerprint) return {};
    return fail(errc::incompatible, "field 'mean'", "was removed");
  };
  return s;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_snapshot_of_an_unreadable_schema_is_refused_by_name) {
  const temporary_folder folder;
  auto options = options_in(folder.path());
  options.tables[0].schema = version_of(2);
  commit(*opened(options), 1, {delta_of({{"a", "1"}})});
  options.tables[0].schema = version_of(1);
  BOOST_TEST(refused(state_store::open(options), errc::incompatible,
                     {"flights/hourly-delays.g1[3] counts", "flights.capnp:HourStats",
                      "0000000000000002", "0000000000000001", "field 'mean'", "new generation"}));
  options.tables[0].schema = codec<std::int64_t>::schema();
  BOOST_TEST(refused(state_store::open(options), errc::incompatible, {"HourStats", "int64"}));
}

BOOST_AUTO_TEST_CASE(an_older_readable_schema_is_accepted_and_replaced_by_the_next_commit) {
  const temporary_folder folder;
  auto options = options_in(folder.path());
  const auto with = [&](std::uint64_t version) {
    options.tables[0].schema = version_of(version);
    return state_store::open(options);
  };
  commit(**with(1), 1, {nullptr});
  (void)must(with(2));  // reads only: the stored one stays
  commit(*must(with(1)), 2, {nullptr});
  commit(*must(with(2)), 3, {nullptr});
  BOOST_TEST(refused(with(1), errc::incompatible, {"HourStats"}));
}

BOOST_AUTO_TEST_CASE(a_table_of_a_later_version_is_made_when_it_is_first_opened) {
  const temporary_folder folder;
  commit(*opened(options_in(folder.path())), 1, {delta_of({{"a", "1"}})});
  auto store = opened(options_in(folder.path(), true));
  BOOST_TEST(*got(*store, "a") == "1");
  commit(*store, 2, {nullptr, delta_of({{"t", "2"}})});
  BOOST_TEST(*got(*store, "t", 1) == "2");
}

// ---- Damage -----------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_flipped_bit_in_a_value_is_reported) {
  const temporary_folder folder;
  const bytes value = "a value to be found in the file";
  const bytes long_key(600, 'k');
  commit(*opened(options_in(folder.path())), 1,
         {delta_of({{"a", "sound"}, {"b", value}, {long_key, value}})});
  auto path = lmdb::data_file(folder.path());
  bytes file;
  {
    std::ifstream in{path, std::ios::binary};
    file.assign(std::istreambuf_iterator<char>{in}, {});
  }
  std::size_t flipped = 0;
  for (auto at = file.find(value); at != bytes::npos; at = file.find(value, at + 1)) {
    file[at + 3] ^= 0x10;
    ++flipped;
  }
  BOOST_REQUIRE(flipped >= 2U);
  std::ofstream{path, std::ios::binary | std::ios::trunc} << file;

  auto store = opened(options_in(folder.path()));
  bytes out;
  BOOST_TEST(*got(*store, "a") == "sound");
  BOOST_TEST(refused(store->get(0, "b", out), errc::corrupt,
                     {"flights/hourly-delays.g1[3] counts b", "checksum", "rebuild"}));
  BOOST_TEST(refused(store->get(0, long_key, out), errc::corrupt, {"counts kkkk"}));
  BOOST_TEST(refused(store->scan_all(0, any), errc::corrupt, {"counts b"}));
}

BOOST_AUTO_TEST_CASE(a_value_moved_to_another_key_or_table_is_reported) {
  const temporary_folder folder;
  const auto options = options_in(folder.path(), true);
  commit(*opened(options), 1, {delta_of({{"a", "1"}, {"b", "2"}}), delta_of({{"a", "1"}})});
  const bytes stored_a{detail::short_key_tag, 'a'};
  const bytes stored_b{detail::short_key_tag, 'b'};
  bytes moved;
  tamper(folder.path(), "t/counts", [&](auto& txn, auto dbi) {
    moved = must(txn.get(dbi, stored_a)).value();
    must(txn.put(dbi, stored_b, moved));
  });
  tamper(folder.path(), "t/timers",
         [&](auto& txn, auto dbi) { must(txn.put(dbi, stored_a, moved)); });
  auto store = opened(options);
  bytes out;
  BOOST_TEST(*got(*store, "a") == "1");
  BOOST_TEST(refused(store->get(0, "b", out), errc::corrupt, {"counts b"}));
  BOOST_TEST(refused(store->get(1, "a", out), errc::corrupt, {"timers a"}));
}

BOOST_AUTO_TEST_CASE(a_damaged_snapshot_record_is_refused) {
  const temporary_folder folder;
  commit(*opened(options_in(folder.path())), 1, {nullptr});
  tamper(folder.path(), "kappa.state",
         [](auto& txn, auto dbi) { must(txn.put(dbi, "snapshot", "12345678snapshot 2")); });
  BOOST_TEST(refused(state_store::open(options_in(folder.path())), errc::corrupt,
                     {"flights/hourly-delays.g1[3] snapshot", "rebuild"}));
}

BOOST_AUTO_TEST_CASE(a_truncated_file_is_refused) {
  const temporary_folder folder;
  commit(*opened(options_in(folder.path())), 1, {numbered(10000, 20000, bytes(100, 'v'))});
  const auto path = lmdb::data_file(folder.path());
  std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
  BOOST_TEST(refused(state_store::open(options_in(folder.path())), errc::corrupt,
                     {"data.mdb", "cut short"}));
}

// ---- Space, tools -----------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_map_that_is_full_grows) {
  const temporary_folder folder;
  auto options = options_in(folder.path());
  options.map_bytes = 256 << 10;
  auto store = opened(options);
  commit(*store, 1, {numbered(10000, 20000, bytes(100, 'v'))});
  BOOST_TEST(must(store->stats()).entries == 10000U);
  BOOST_TEST(*got(*store, "19999") == bytes(100, 'v'));
}

BOOST_AUTO_TEST_CASE(a_read_only_store_reads_what_is_there_and_makes_nothing) {
  const temporary_folder folder;
  auto options = options_in(folder.path());
  options.read_only = true;
  BOOST_TEST(refused(state_store::open(options), errc::not_found, {}));
  BOOST_TEST(!std::filesystem::exists(lmdb::data_file(folder.path())));
  commit(*opened(options_in(folder.path())), 1, {delta_of({{"a", "1"}})});
  auto store = opened(options);
  BOOST_TEST(*store->snapshot() == "snapshot 1");
  BOOST_TEST((scanned(*store) == listing{{"a", "1"}}));
  state_delta delta;
  delta.epoch = epoch_number{2};
  delta.tables = {nullptr};
  BOOST_TEST(refused(store->commit(delta), errc::invalid_argument, {"read-only"}));
}

BOOST_AUTO_TEST_CASE(erasing_a_state_leaves_other_files_of_the_folder) {
  const temporary_folder folder;
  commit(*opened(options_in(folder.path())), 1, {nullptr});
  std::ofstream{folder.path() / "slot"} << "x";
  must(erase_state(folder.path()));
  BOOST_TEST(std::filesystem::exists(folder.path() / "slot"));
  BOOST_TEST(!opened(options_in(folder.path()))->snapshot().has_value());
  must(erase_state(folder.path() / "nowhere"));
}

BOOST_AUTO_TEST_SUITE_END()
