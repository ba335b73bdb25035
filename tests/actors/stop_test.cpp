#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <future>

#include "actors/actors_support.hpp"
#include "kappa/state/state_store.hpp"
#include "lmdb/lmdb.hpp"
#include "state/stored_form.hpp"

namespace actors_test {

BOOST_AUTO_TEST_SUITE(stopping_and_starting)

namespace {

std::int64_t sum_of(host& h, const std::string& place) {
  const auto a = must(h.query<totals>("sum", place));
  return a.value ? a.value->sum : -1;
}

/// Starts a host on what is there, and tells how much it replayed before it was at `sum` again.
std::uint64_t replayed_by_a_restart(const world& w, std::int64_t sum) {
  host h{sums_app(), w.options()};
  must(h.start());
  BOOST_REQUIRE(eventually([&] { return sum_of(h, "oslo") == sum; }));
  must(h.stop());
  return progress_of(h, "sum").replayed;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_stop_commits_and_snapshots_so_that_a_restart_replays_nothing) {
  world w{1};
  auto o = w.options();
  o.limits.commit_interval = 1h;  // nothing is committed but by the stop
  o.limits.snapshot_interval = 1h;
  for (int i = 0; i < 100; ++i) w.send({"oslo", ts("2001-01-01T08:00"), 1});
  {
    host h{sums_app(), o};
    must(h.start());
    BOOST_REQUIRE(eventually([&] {
      const auto a = must(h.query<totals>("sum", "oslo", {.level = read_level::latest}));
      return a.value && a.value->sum == 100;
    }));
    BOOST_TEST(w.read<totals>("sums").empty());
    must(h.stop());
  }
  BOOST_TEST(w.read<totals>("sums").size() == 100u);
  BOOST_TEST(replayed_by_a_restart(w, 100) == 0u);
  BOOST_TEST(w.read<totals>("sums").size() == 100u);
}

BOOST_AUTO_TEST_CASE(a_stop_while_a_commit_is_under_way_still_snapshots_what_it_commits) {
  world w{1};
  commit_gate gate{*w.log};
  auto o = w.options();
  o.limits.snapshot_interval = 1h;
  {
    host h{sums_app(), o};
    must(h.start());
    gate.hold();
    w.send({"oslo", ts("2001-01-01T08:00"), 7});
    BOOST_REQUIRE(gate.has_caught_one());  // no epoch is open now, one is in flight
    auto stopped = std::async(std::launch::async, [&] { return h.stop(); });
    BOOST_TEST(
        !eventually([&] { return stopped.wait_for(0s) == std::future_status::ready; }, 50ms));
    gate.open();
    must(stopped.get());
  }
  BOOST_TEST(replayed_by_a_restart(w, 7) == 0u);
}

BOOST_AUTO_TEST_CASE(a_host_that_is_dropped_without_a_stop_stops_in_order) {
  world w{1};
  for (int i = 0; i < 10; ++i) w.send({"oslo", ts("2001-01-01T08:00"), 1});
  {
    host h{sums_app(), w.options()};
    must(h.start());
    BOOST_REQUIRE(processed(h, "sum", 10));
  }
  BOOST_TEST(replayed_by_a_restart(w, 10) == 0u);
}

BOOST_AUTO_TEST_CASE(a_second_host_of_the_app_is_refused_and_told_the_holder) {
  world w{1};
  host first{sums_app(), w.options()};
  must(first.start());
  auto o = w.options();
  o.state = w.folder.path() / "other";
  host second{sums_app(), o};
  BOOST_TEST(refused(second.start(), errc::owned, {"sums", fmt::format("pid {}", ::getpid())}));
  must(first.stop());
  host third{sums_app(), o};
  must(third.start());
}

BOOST_AUTO_TEST_CASE(a_fenced_host_fails_and_does_not_take_the_app_back) {
  world w{1};
  host first{sums_app(), w.options()};
  must(first.start());
  w.log->lose_lock("sums");
  auto o = w.options();
  o.state = w.folder.path() / "other";
  host second{sums_app(), o};
  must(second.start());
  w.send({"oslo", ts("2001-01-01T08:00"), 1});
  BOOST_REQUIRE(eventually([&] { return first.failure().has_value(); }));
  BOOST_TEST((first.failure()->code == errc::fenced));
  BOOST_REQUIRE(eventually([&] { return sum_of(second, "oslo") == 1; }));
  BOOST_TEST(refused(first.stop(), errc::fenced, {"sums"}));
  must(second.stop());
  BOOST_TEST(w.read<totals>("sums").size() == 1u);
}

BOOST_AUTO_TEST_CASE(finished_means_that_everything_is_committed_and_snapshotted) {
  world w{2};
  for (int i = 0; i < 50; ++i) w.send({"p" + std::to_string(i), ts("2001-01-01T08:00"), 1});
  auto o = w.options();
  o.until_end = true;
  host h{hourly_app(), o};
  must(h.start());
  BOOST_REQUIRE(must(h.wait_finished(30s)));
  BOOST_TEST(w.read<totals>("hourly-totals").size() == 50u);
  for (const auto& t : h.status()) BOOST_TEST((t.health == task_health::finished));
  const auto before = w.read<totals>("hourly-totals").size();
  must(h.stop());
  host again{hourly_app(), o};
  must(again.start());
  BOOST_REQUIRE(must(again.wait_finished(30s)));
  BOOST_TEST(progress_of(again, "hourly").replayed == 0u);
  BOOST_TEST(progress_of(again, "hourly").epochs == 0u);
  BOOST_TEST(w.read<totals>("hourly-totals").size() == before);
}

BOOST_AUTO_TEST_CASE(a_state_folder_of_another_app_is_refused_by_name) {
  world w{1};
  {
    host h{sums_app(), w.options()};
    must(h.start());
    must(h.stop());
  }
  // Another app's state where this app's should be.
  const auto folder = w.folder.path() / "state" / "sums" / "sum.g1" / "0";
  std::filesystem::remove_all(folder);
  state_store_options so;
  so.folder = folder;
  so.identity = {"others-app", "sum", generation{1}, partition{0}, w.log->id(), 1};
  so.tables.push_back({"sum", codec<totals>::schema()});
  must(state_store::open(so)).reset();
  host h{sums_app(), w.options()};
  BOOST_TEST(refused(h.start(), errc::incompatible, {"others-app", "sums", folder.string()}));
}

BOOST_AUTO_TEST_CASE(a_state_folder_of_a_newer_version_is_refused_by_format) {
  world w{1};
  {
    host h{sums_app(), w.options()};
    must(h.start());
    must(h.stop());
  }
  const auto folder = w.folder.path() / "state" / "sums" / "sum.g1" / "0";
  {
    auto env = must(lmdb::environment::open({.folder = folder}));
    const auto dbi = must(env->open_dbi("kappa.state"));
    auto txn = must(env->begin_write());
    bytes version;
    byte_writer{version}.put(std::uint32_t{99});
    bytes stored;
    kappa::detail::store_value(kappa::detail::table_seed("kappa.state"), "format", version, stored);
    must(txn.put(dbi, "format", stored));
    must(txn.commit());
  }
  host h{sums_app(), w.options()};
  BOOST_TEST(
      refused(h.start(), errc::incompatible, {"sums/sum.g1[0]", "format 99", "newer Kappa"}));
}

BOOST_AUTO_TEST_CASE(a_missing_input_topic_is_refused_by_name) {
  temporary_folder folder;
  host_options o;
  o.shared_log = memory_log::create();
  o.state = folder.path();
  o.crash_ledger = false;
  host h{sums_app(), o};
  BOOST_TEST(refused(h.start(), errc::bad_config, {"readings", "create it"}));
}

BOOST_AUTO_TEST_CASE(a_snapshot_that_does_not_fit_on_the_disk_is_tried_again_and_nothing_is_lost) {
  world w{1};
  host h{sums_app(), w.options()};
  must(h.start());
  w.send({"oslo", ts("2001-01-01T08:00"), 1});
  BOOST_REQUIRE(eventually([&] { return progress_of(h, "sum").snapshots >= 1; }));

  std::signal(SIGXFSZ, SIG_IGN);
  rlimit whole{};
  BOOST_REQUIRE(::getrlimit(RLIMIT_FSIZE, &whole) == 0);
  rlimit none = whole;
  none.rlim_cur = 0;
  BOOST_REQUIRE(::setrlimit(RLIMIT_FSIZE, &none) == 0);
  for (int i = 0; i < 2000; ++i) {
    w.send({"place " + std::to_string(i) + std::string(200, '.'), ts("2001-01-01T08:00"), 1});
  }
  const bool reported = eventually([&] { return status_of(h, "sum").last_error.has_value(); });
  const bool still_answers = must(h.query<totals>("sum", "oslo")).value.has_value();
  BOOST_REQUIRE(::setrlimit(RLIMIT_FSIZE, &whole) == 0);
  BOOST_TEST(reported);
  BOOST_TEST(still_answers);
  w.send({"oslo", ts("2001-01-01T08:01"), 1});
  BOOST_REQUIRE(eventually([&] { return sum_of(h, "oslo") == 2; }));
  must(h.stop());
  BOOST_TEST(replayed_by_a_restart(w, 2) == 0u);
  BOOST_TEST(w.read<totals>("sums").size() == 2002u);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace actors_test
