#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <random>
#include <thread>

#include <fmt/format.h>

#include "kappa/log/check.hpp"
#include "kappa/log/open_log.hpp"
#include "kappa/log/salvage.hpp"
#include "kappa_paths.hpp"
#include "lmdb/file_snapshot.hpp"
#include "lmdb/lmdb.hpp"
#include "log/damage_support.hpp"
#include "log/embedded_layout.hpp"
#include "log/log_rules.hpp"
#include "log/log_tables.hpp"
#include "support/child_process.hpp"
#include "support/sanitizer.hpp"

namespace {

using namespace log_contract;

struct damaged_log {
  damaged_log() { copy_log(rich_log(), path); }
  [[nodiscard]] std::filesystem::path data() const { return path / "data.mdb"; }
  [[nodiscard]] log_check_report check() const {
    log_check_options options;
    options.folder = path;
    return must(check_log(options));
  }

  temporary_folder folder;
  std::filesystem::path path = folder.path() / "log";
};

std::string all_of(const log_check_report& report) {
  std::string out;
  for (const auto& d : report.damages) out += d.text() + "\n";
  return out;
}

BOOST_AUTO_TEST_SUITE(checking_a_log)

BOOST_FIXTURE_TEST_CASE(a_healthy_log_is_called_so_with_counts, damaged_log) {
  const auto report = check();
  BOOST_TEST(report.healthy(), all_of(report));
  const auto content = read_content(path);
  std::size_t records = 0;
  for (const auto& [where, of] : content.records) records += of.size();
  BOOST_TEST(report.records == records);
  BOOST_TEST(report.log_id == content.id);
  BOOST_TEST(report.topics == content.topics.size());
  BOOST_TEST(report.partitions == content.bounds.size());
  BOOST_TEST((report.positions == content.positions));
  BOOST_TEST(report.producers == content.producers.size());
  BOOST_TEST(report.writers == content.writers.size());
  BOOST_TEST(report.frames > 0U);
  BOOST_TEST(report.free_pages > 0U);
  BOOST_TEST(!report.changed_meanwhile);
  BOOST_TEST(report.gaps.empty());
}

BOOST_FIXTURE_TEST_CASE(a_flipped_byte_is_found_or_changes_nothing, damaged_log) {
  const auto healthy = file_content(data());
  const auto content = read_content(rich_log());
  const auto pages = pages_by_kind(rich_log());
  std::map<std::string, int> found;
  std::map<std::string, int> flips;
  for (std::uint64_t seed = 0; seed < kappa::test::repetitions(1200); ++seed) {
    std::mt19937_64 random{seed};
    auto kind = pages.begin();
    std::advance(kind, seed % pages.size());
    const auto page = kind->second[random() % kind->second.size()];
    const auto where = used_place(healthy, kind->first, page, random);
    const auto bits = static_cast<unsigned char>(1 + random() % 255);
    flip(data(), where, bits);
    const auto report = check();
    ++flips[kind->first];
    if (report.healthy()) {
      const auto differs = difference(content, read_content(path));
      BOOST_TEST(differs.empty(), "seed " << seed << " (" << kind->first << " page " << where / 4096
                                          << " at " << where % 4096
                                          << ") is not found: " << differs);
    } else {
      ++found[kind->first];
    }
    overwrite(data(), 0, healthy);
  }
  for (const auto& [kind, n] : flips)
    BOOST_TEST_MESSAGE(kind << ": " << found[kind] << " of " << n);
  BOOST_TEST(found["free"] == 0);
}

// ---- every kind of damage is named

/// Spoils the first value of a table, or that of `key`.
void spoil(const std::filesystem::path& folder, const std::string& table, bytes key = {}) {
  tamper(folder, table, [&](lmdb::write_txn& txn, lmdb::dbi db) -> result<void> {
    bytes value;
    {
      auto c = must(lmdb::cursor::open(txn, db));
      BOOST_REQUIRE(must(key.empty() ? c.first() : c.find(key)));
      key = c.key();
      value = c.value();
    }
    value.back() ^= 1;
    return txn.put(db, key, value);
  });
}

#define DAMAGE_IS_NAMED(report, words)                        \
  BOOST_TEST(all_of(report).find(words) != std::string::npos, \
             "'" << all_of(report) << "' does not name '" << words << "'")

std::string frames_of(const std::filesystem::path& folder, const topic_partition& where) {
  const auto snapshot = must(lmdb::file_snapshot::open({folder, false, false}));
  std::vector<damage> none;
  const auto tables = detail::read_tables(*snapshot, none);
  return detail::frames_name(tables.topics.at(where.topic).number, where.partition);
}

BOOST_FIXTURE_TEST_CASE(a_spoiled_frame_is_named_by_topic_partition_and_offset, damaged_log) {
  spoil(path, frames_of(path, tp("orders", 1)), detail::offset_key(offset{361}));
  const auto report = check();
  DAMAGE_IS_NAMED(report, "orders[1]@361: damaged frame: its checksum is wrong");
  BOOST_REQUIRE(report.damages.front().range.has_value());
  BOOST_TEST((*report.damages.front().range ==
              offset_range{"orders", partition{1}, offset{361}, offset{362}}));
}

BOOST_FIXTURE_TEST_CASE(a_frame_that_is_not_there_is_named_by_its_offsets, damaged_log) {
  tamper(path, frames_of(path, tp("orders", 1)), [](lmdb::write_txn& txn, lmdb::dbi db) {
    must(txn.erase(db, detail::offset_key(offset{363})));
    must(txn.erase(db, detail::offset_key(offset{364})));
    return result<void>{};
  });
  DAMAGE_IS_NAMED(check(), "orders[1]@363-364: these offsets are missing");
}

BOOST_FIXTURE_TEST_CASE(a_frame_of_another_partition_is_no_frame, damaged_log) {
  bytes other;
  tamper(path, frames_of(path, tp("orders", 0)), [&](lmdb::write_txn& txn, lmdb::dbi db) {
    other = must(txn.get(db, detail::offset_key(offset{0}))).value();
    return result<void>{};
  });
  tamper(path, frames_of(path, tp("orders", 2)), [&](lmdb::write_txn& txn, lmdb::dbi db) {
    return txn.put(db, detail::offset_key(offset{0}), other);
  });
  DAMAGE_IS_NAMED(check(), "orders[2]@0: damaged frame: its checksum is wrong");
}

BOOST_FIXTURE_TEST_CASE(a_value_at_another_key_is_no_value, damaged_log) {
  // Both are sound where they belong: only a checksum that covers the key can tell.
  tamper(path, detail::table::positions, [&](lmdb::write_txn& txn, lmdb::dbi db) -> result<void> {
    const auto from = detail::encode_position_key(key_of("shop", "stage-1", "wide", 1));
    const auto to = detail::encode_position_key(key_of("shop", "stage-2", "wide", 2));
    const bytes value{must(txn.get(db, from)).value()};
    return txn.put(db, to, value);
  });
  DAMAGE_IS_NAMED(check(), "the position shop/stage-2.g1[2]<-wide: its entry in log.positions");
}

BOOST_FIXTURE_TEST_CASE(each_small_table_is_verified_and_named, damaged_log) {
  spoil(path, detail::table::positions);
  spoil(path, detail::table::producers);
  spoil(path, detail::table::apps, "shop");
  spoil(path, detail::table::topics, "empty");
  spoil(path, detail::table::partitions);
  const auto report = check();
  DAMAGE_IS_NAMED(report, "the position depot/d-0.g1[0]<-wide: its entry in log.positions");
  DAMAGE_IS_NAMED(report, "orders[0] producer producer 0");
  DAMAGE_IS_NAMED(report, "the writer's term of app shop: its entry in log.apps");
  DAMAGE_IS_NAMED(report, "empty: its entry in log.topics");
  DAMAGE_IS_NAMED(report, "orders[0]: its entry in log.partitions");
}

BOOST_FIXTURE_TEST_CASE(positions_and_bounds_that_cannot_be_are_named, damaged_log) {
  const auto key = key_of("shop", "stage-0", "orders", 0);
  const auto bounds = read_content(path).bounds.at(tp("orders", 0));
  tamper(path, detail::table::positions, [&](lmdb::write_txn& txn, lmdb::dbi db) {
    const auto k = detail::encode_position_key(key);
    return txn.put(db, k, detail::encode(k, committed_position{bounds.latest + 5, {}}));
  });
  DAMAGE_IS_NAMED(check(), fmt::format("the position {}: is {}, but orders[0] ends at {}",
                                       key.text(), bounds.latest + 5, bounds.latest));
}

BOOST_FIXTURE_TEST_CASE(a_log_that_was_cut_short_is_found, damaged_log) {
  std::filesystem::resize_file(data(), std::filesystem::file_size(data()) / 8);
  DAMAGE_IS_NAMED(check(), "it was cut short");
}

BOOST_FIXTURE_TEST_CASE(what_cannot_be_opened_is_an_error, damaged_log) {
  log_check_options options;
  options.folder = folder.path() / "nowhere";
  must_fail(check_log(options), errc::not_found, "data.mdb");
  std::filesystem::create_directories(options.folder);
  std::ofstream{options.folder / "data.mdb"} << std::string(20000, 'x');
  must_fail(check_log(options), errc::corrupt, "no LMDB file");
  must_fail(check_log(options), errc::corrupt, "cannot help");
  options.folder = folder.path() / "other";
  {
    lmdb::environment_options env;
    env.folder = options.folder;
    must(must(lmdb::environment::open(env))->open_dbi("something"));
  }
  must_fail(check_log(options), errc::incompatible, "something else than a log");
}

BOOST_FIXTURE_TEST_CASE(a_damaged_first_page_is_refused_at_open, damaged_log) {
  embedded_log_options options;
  options.folder = path;
  for (const std::uint64_t page : {0, 1}) {
    const auto healthy = file_content(data());
    flip(data(), page * 4096 + 41, 0x40);  // the size of pages: LMDB would follow it
    must_fail(open_embedded_log(options), errc::corrupt, fmt::format("page {}", page));
    must_fail(open_embedded_log(options), errc::corrupt, "kappa salvage");
    overwrite(data(), 0, healthy);
  }
  must(open_embedded_log(options));
}

BOOST_FIXTURE_TEST_CASE(two_damaged_first_pages_are_beyond_salvage_and_it_is_said, damaged_log) {
  open_log_options options;
  options.url = "lmdb:" + path.string();
  log_check_options how;
  how.folder = path;
  // The roots of both point nowhere: LMDB would take them as they are.
  const auto roots = [&](std::uint64_t page) {
    overwrite(data(), page * 4096 + 136, std::string(8, '\xee'));
  };
  roots(0);
  must_fail(open_log(options), errc::corrupt, "`kappa salvage` copies");
  BOOST_TEST(!check().healthy());
  roots(1);
  for (const bool read_only : {true, false}) {
    options.read_only = read_only;
    must_fail(open_log(options), errc::corrupt, "`kappa salvage` cannot help");
  }
  must_fail(check_log(how), errc::corrupt, "`kappa salvage` cannot help");
  salvage_options copy;
  copy.from = path;
  copy.to = folder.path() / "to";
  must_fail(salvage_log(copy), errc::corrupt, "`kappa salvage` cannot help");
  BOOST_TEST(!std::filesystem::exists(path / "lock.mdb"));
}

BOOST_FIXTURE_TEST_CASE(a_look_at_what_is_no_log_leaves_nothing_behind, damaged_log) {
  open_log_options options;
  options.url = "lmdb:" + (folder.path() / "other").string();
  options.read_only = true;
  must_fail(open_log(options), errc::not_found, "there is none");
  const auto other = folder.path() / "other" / "data.mdb";
  {
    lmdb::environment_options env;
    env.folder = other.parent_path();
    must(must(lmdb::environment::open(env))->open_dbi("something"));
  }
  std::filesystem::remove(other.parent_path() / "lock.mdb");
  must_fail(open_log(options), errc::not_found, "there is no log in it");
  for (const auto* const content : {"", "this is no log"}) {
    std::ofstream{other, std::ios::trunc} << content;
    must_fail(open_log(options), errc::corrupt, "no LMDB file");
  }
  std::filesystem::directory_iterator left{other.parent_path()};
  BOOST_TEST(left->path() == other);
  BOOST_TEST((++left == std::filesystem::directory_iterator{}));
}

// ---- the second process

std::vector<std::string> reader(const std::string& what) {
  return {(std::filesystem::path{test_paths::binary_dir} / "tests/log/damage_helper").string(),
          what};
}

BOOST_FIXTURE_TEST_CASE(a_second_process_reads_a_healthy_log_and_finds_nothing, damaged_log) {
  log_check_options options;
  options.folder = path;
  options.reader = reader("read-for-check");
  std::vector<std::string> told;
  options.progress = [&](const std::string& s) { told.push_back(s); };
  const auto report = must(check_log(options));
  BOOST_TEST(report.healthy(), all_of(report));
  BOOST_TEST(std::count(told.begin(), told.end(), "orders[1]@0") == 1);
}

BOOST_FIXTURE_TEST_CASE(a_second_process_that_dies_is_damage_where_it_was, damaged_log) {
  log_check_options options;
  options.folder = path;
  options.reader = reader("dies");
  DAMAGE_IS_NAMED(must(check_log(options)),
                  "orders[1]@5: reading it through LMDB ends the process by signal 6");
}

BOOST_FIXTURE_TEST_CASE(a_second_process_that_hangs_is_damage_where_it_was, damaged_log) {
  log_check_options options;
  options.folder = path;
  options.reader = reader("hangs");
  options.reader_patience = std::chrono::milliseconds{500};
  DAMAGE_IS_NAMED(must(check_log(options)), "orders[1]@5: reading it through LMDB hangs");
}

BOOST_FIXTURE_TEST_CASE(a_damaged_tree_harms_the_second_process_only, damaged_log) {
  const auto healthy = file_content(data());
  const auto pages = pages_by_kind(rich_log());
  log_check_options options;
  options.folder = path;
  options.reader = reader("read-for-check");
  for (std::uint64_t seed = 0; seed < 24; ++seed) {
    std::mt19937_64 random{seed};
    const auto& kind = pages.at(seed % 2 == 0 ? "branch" : "leaf");
    std::string noise(4096, '\0');
    for (auto& c : noise) c = static_cast<char>(random());
    // A head that LMDB believes, half of the time.
    const auto page = kind[random() % kind.size()] * 4096;
    if (random() % 2 == 0) noise.replace(0, 16, healthy, page, 16);
    overwrite(data(), page, noise);
    BOOST_TEST(!must(check_log(options)).healthy(), "seed " << seed);
    overwrite(data(), 0, healthy);
  }
}

// ---- a log in use, a folder that may not be written

BOOST_FIXTURE_TEST_CASE(a_log_that_is_written_meanwhile_is_healthy, damaged_log) {
  embedded_log_options how;
  how.folder = path;
  how.frame_bytes = 4096;
  const auto log = must(open_embedded_log(how));
  topic_config c;
  c.name = "busy";
  c.retention_bytes = 20000;
  must(log->create_topic(c));
  std::atomic<bool> stop = false;
  std::optional<error> failed;
  std::thread writer{[&] {
    while (!stop && !failed) {
      const auto batch = batch_of({std::string(3000, 'a'), std::string(700, 'b'), "c"});
      if (auto r = log->append(tp("busy"), *batch); !r) failed = r.error();
      if (auto r = log->apply_retention(at(0)); !r) failed = r.error();
    }
  }};
  log_check_options options;
  options.folder = path;
  options.view_bytes = 1;
  int changed = 0;
  int rounds = 0;
  for (; rounds < 200 && (rounds < 10 || changed < 3); ++rounds) {
    const auto report = must(check_log(options));
    if (report.changed_meanwhile) ++changed;
    BOOST_TEST(report.healthy(), all_of(report));
    if (!report.healthy()) break;
  }
  stop = true;
  writer.join();
  BOOST_TEST(!failed.has_value(), (failed ? failed->text() : ""));
  BOOST_TEST(changed >= 3, "the log was not written while it was checked");
}

BOOST_FIXTURE_TEST_CASE(a_folder_that_may_not_be_written_is_checked_and_salvaged, damaged_log) {
  namespace fs = std::filesystem;
  const auto out = folder.path() / "out";
  fs::create_directories(out);
  fs::permissions(folder.path(),
                  fs::perms::owner_all | fs::perms::others_read | fs::perms::others_exec);
  fs::permissions(out, fs::perms::all);
  fs::permissions(data(), fs::perms::owner_read | fs::perms::others_read);
  fs::permissions(path, fs::perms::owner_read | fs::perms::owner_exec | fs::perms::others_read |
                            fs::perms::others_exec);
  kappa::testing::child_process child{reader("").front(),
                                      {"nobody", (out / "copy").string(), path.string()}};
  BOOST_TEST(child.line().value_or("") == "healthy");
  BOOST_TEST(child.line().value_or("") == fmt::format("copied {}", check().records));
  BOOST_TEST(child.wait() == 0);
  BOOST_TEST(std::distance(fs::directory_iterator{path}, {}) == 1, "a file was made");
  fs::permissions(path, fs::perms::owner_all);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
