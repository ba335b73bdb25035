#include <boost/test/unit_test.hpp>

#include <fstream>
#include <iterator>
#include <random>

#include <fmt/format.h>

#include "kappa/state/check.hpp"
#include "kappa/task/epoch.hpp"
#include "lmdb/lmdb.hpp"
#include "state/state_support.hpp"
#include "support/sanitizer.hpp"

namespace {

using namespace kappa;        // NOLINT: tests
using namespace kappa::test;  // NOLINT: tests

/// A task's state, with long keys, timers and pages of all kinds.
struct state_to_spoil {
  state_to_spoil() {
    auto options = options_in(folder.path(), true);
    const auto store = opened(options);
    snapshot_record record;
    record.inputs = {"orders"};
    for (std::uint64_t epoch = 1; epoch <= 3; ++epoch) {
      record.epoch = epoch_number{epoch};
      record.positions = {offset{static_cast<std::int64_t>(epoch) * 100}};
      state_delta delta;
      delta.epoch = record.epoch;
      delta.snapshot = encode_snapshot(record);
      auto counts = std::make_shared<table_delta>();
      for (int i = 0; i < 2000; ++i) {
        counts->add(fmt::format("key {:05}", i), fmt::format("value {} of epoch {}", i, epoch));
      }
      counts->add(bytes(600, 'k'), "of a long key");
      counts->add("large", bytes(9000, 'l'));
      auto timers = std::make_shared<table_delta>();
      for (int i = 0; i < 50; ++i) {
        timers->add(encode_timer({timestamp{milliseconds{i * 1000}}, 1, "t"}), bytes_view{});
      }
      delta.tables = {std::move(counts), std::move(timers)};
      must(store->commit(delta));
    }
  }

  [[nodiscard]] state_check_report check() const {
    state_check_options options;
    options.folder = folder.path();
    return must(check_state(options));
  }
  [[nodiscard]] bytes file() const {
    std::ifstream in{lmdb::data_file(folder.path()), std::ios::binary};
    return {std::istreambuf_iterator<char>{in}, {}};
  }
  void write(std::uint64_t at, const bytes& with) const {
    std::fstream out{lmdb::data_file(folder.path()),
                     std::ios::binary | std::ios::in | std::ios::out};
    out.seekp(static_cast<std::streamoff>(at));
    out.write(with.data(), static_cast<std::streamsize>(with.size()));
  }

  temporary_folder folder;
};

std::string all_of(const state_check_report& report) {
  std::string out;
  for (const auto& d : report.damages) out += d.text() + "\n";
  return out;
}

/// All entries, or the first error.
result<std::vector<std::pair<bytes, bytes>>> content(const std::filesystem::path& folder) {
  auto store = state_store::open(options_in(folder, true));
  if (!store) return fail(store.error());
  auto all = dump_table(**store, 0);
  if (!all) return all;
  auto timers = dump_table(**store, 1);
  if (!timers) return timers;
  all->insert(all->end(), timers->begin(), timers->end());
  all->emplace_back("snapshot", (*store)->snapshot().value_or("none"));
  return all;
}

BOOST_AUTO_TEST_SUITE(checking_a_state)

BOOST_FIXTURE_TEST_CASE(a_healthy_state_is_called_so_with_counts, state_to_spoil) {
  const auto report = check();
  BOOST_TEST(report.healthy(), all_of(report));
  BOOST_TEST(report.name() == "flights/hourly-delays.g1[3]");
  BOOST_TEST((report.epoch == epoch_number{3}));
  BOOST_TEST(report.tables.at("counts") == 2002U);
  BOOST_TEST(report.timers == 50U);
  BOOST_REQUIRE(report.positions.size() == 1U);
  BOOST_TEST((report.positions[0].second == offset{300}));
}

BOOST_FIXTURE_TEST_CASE(a_damaged_value_is_named_by_stage_partition_table_and_key, state_to_spoil) {
  auto all = file();
  for (auto at = all.find("value 777 of epoch 3"); at != bytes::npos;
       at = all.find("value 777 of epoch 3", at + 1)) {
    write(at, "v");
    write(at + 1, "A");
  }
  const auto text = all_of(check());
  BOOST_TEST(text.find("flights/hourly-delays.g1[3] counts key 00777: its checksum is wrong") !=
                 bytes::npos,
             text);
  BOOST_TEST(text.find("key 00776") == bytes::npos, text);
}

BOOST_FIXTURE_TEST_CASE(a_flipped_byte_is_found_or_changes_nothing_of_a_state, state_to_spoil) {
  const auto healthy = file();
  const auto original = must(content(folder.path()));
  const auto restored = file();  // the owner's number has moved on
  int found = 0;
  for (std::uint64_t seed = 0; seed < kappa::test::repetitions(400); ++seed) {
    std::mt19937_64 random{seed};
    const auto at = random() % (seed % 4 == 0 ? 8192 : restored.size() / 2);
    write(at, bytes(1, static_cast<char>(restored[at] ^ (1 + random() % 255))));
    if (check().healthy()) {
      const auto now = content(folder.path());
      BOOST_TEST(now.has_value(), "seed " << seed << " at " << at << ": healthy, but "
                                          << (now ? "" : now.error().text()));
      if (now) BOOST_TEST((*now == original), "seed " << seed << " at " << at << " is not found");
    } else {
      ++found;
    }
    write(0, restored);
  }
  BOOST_TEST(found > (kappa::test::sanitized ? 2 : 20));
}

BOOST_FIXTURE_TEST_CASE(a_state_that_was_cut_short_is_found, state_to_spoil) {
  std::filesystem::resize_file(lmdb::data_file(folder.path()), 40 * 4096);
  const auto text = all_of(check());
  BOOST_TEST(text.find("cut short") != bytes::npos, text);
}

BOOST_FIXTURE_TEST_CASE(a_state_is_compared_with_its_log, state_to_spoil) {
  const auto report = check();
  const position_key key{"flights", "hourly-delays", generation{1}, partition{3}, "orders"};
  const auto says = [&](const log_facts& log) {
    std::string out;
    for (const auto& d : compare(report, log)) out += d.text();
    return out;
  };
  BOOST_TEST(says({"log-a", {{key, {offset{300}}}}}) == "");
  BOOST_TEST(says({"log-a", {{key, {offset{301}}}}}) == "");
  BOOST_TEST(says({"log-a", {{key, {offset{299}}}}}).find("300, ahead of the log's position 299") !=
             std::string::npos);
  BOOST_TEST(says({"log-a", {}}).find("--adopt-state-position") != std::string::npos);
  BOOST_TEST(says({"log-b", {{key, {offset{300}}}}}).find("was made from log log-a") !=
             std::string::npos);
  BOOST_TEST(says({"", {{key, {offset{300}}}}}) == "");  // the log has lost its id
  BOOST_TEST(says({"", {{key, {offset{299}}}}}).find("ahead of the log's position 299") !=
             std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(what_is_no_state_cannot_be_checked, state_to_spoil) {
  const temporary_folder other;
  state_check_options options;
  options.folder = other.path();
  BOOST_TEST(refused(check_state(options), errc::not_found, {"data.mdb"}));
  {
    lmdb::environment_options env;
    env.folder = other.path();
    must(must(lmdb::environment::open(env))->open_dbi("something"));
  }
  BOOST_TEST(refused(check_state(options), errc::incompatible, {"something else than a state"}));
  BOOST_TEST(must(find_states(folder.path())).size() == 1U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
