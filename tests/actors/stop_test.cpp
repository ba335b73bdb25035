#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <future>
#include <mutex>

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
[[nodiscard]] std::uint64_t replayed_by_a_restart(const world& w, std::int64_t sum) {
  host h{sums_app(), w.options()};
  must(h.start());
  BOOST_REQUIRE(eventually([&] { return sum_of(h, "oslo") == sum; }));
  must(h.stop());
  return progress_of(h, "sum").replayed;
}

/// Holds T2 of the task "sum" back, as a slow disk would.
class snapshot_gate {
 public:
  explicit snapshot_gate(const world& w)
      : txn_{must(must(lmdb::environment::open({.folder = state_of_sum(w)}))->begin_write())} {}
  void open() { txn_.abort(); }

  static std::filesystem::path state_of_sum(const world& w) {
    return w.folder.path() / "state" / "sums" / "sum.g1" / "0";
  }

 private:
  lmdb::write_txn txn_;
};

/// Sends a reading whose T1 goes through and whose T2 waits at the gate.
void make_a_snapshot_wait(world& w, const host& h) {
  w.send({"oslo", ts("2001-01-01T08:00"), 1});
  BOOST_REQUIRE(eventually([&] {
    const auto p = progress_of(h, "sum");
    return p.epochs >= 2 && p.records_in == 2 && p.dirty_bytes == 0;
  }));
}

bool app_is_free(world& w) { return w.log->open_writer({"sums", "another"}).has_value(); }

bool is_ready(const std::future<result<void>>& f) {
  return f.wait_for(0s) == std::future_status::ready;
}

/// The descriptors that LMDB has open on a file.
std::vector<int> descriptors_of(const std::filesystem::path& file) {
  std::vector<int> found;
  for (const auto& entry : std::filesystem::directory_iterator{"/proc/self/fd"}) {
    std::error_code ec;
    if (std::filesystem::equivalent(entry.path(), file, ec) && !ec)
      found.push_back(std::stoi(entry.path().filename()));
  }
  return found;
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

BOOST_AUTO_TEST_CASE(a_stop_ends_at_once_when_its_last_commit_fails_for_good) {
  world w{1};
  commit_gate gate{*w.log};
  host h{sums_app(), w.options()};
  must(h.start());
  gate.hold();
  w.send({"oslo", ts("2001-01-01T08:00"), 7});
  BOOST_REQUIRE(gate.has_caught_one());
  auto stopped = std::async(std::launch::async, [&] { return h.stop(); });
  BOOST_TEST(!eventually([&] { return is_ready(stopped); }, 50ms));
  w.log->lose_lock("sums");
  const auto other = must(w.log->open_writer({"sums", "another"}));
  gate.open();
  BOOST_TEST(eventually([&] { return is_ready(stopped); }, 10s));
  BOOST_TEST(refused(stopped.get(), errc::fenced, {"sums"}));
}

BOOST_AUTO_TEST_CASE(the_app_stays_taken_while_the_snapshot_of_a_failed_task_is_written) {
  world w{1};
  auto o = w.options();
  o.on_failure = failure_policy::stop;
  host h{sums_app([](const reading& r) {
           if (r.value == 2) throw std::runtime_error{"two is too much"};
         }),
         o};
  must(h.start());
  w.send({"oslo", ts("2001-01-01T08:00"), 1});
  BOOST_REQUIRE(eventually([&] { return progress_of(h, "sum").snapshots > 0; }));
  snapshot_gate gate{w};
  make_a_snapshot_wait(w, h);
  w.send({"oslo", ts("2001-01-01T08:00"), 2});
  BOOST_REQUIRE(eventually([&] { return status_of(h, "sum").failures == 1; }));
  auto stopped = std::async(std::launch::async, [&] { return h.stop(); });
  BOOST_TEST(!eventually([&] { return app_is_free(w); }, 300ms));
  BOOST_TEST(!is_ready(stopped));
  gate.open();
  BOOST_TEST(refused(stopped.get(), errc::stopped, {"sums/sum.g1[0]", "two is too much"}));
  BOOST_TEST(app_is_free(w));
}

BOOST_AUTO_TEST_CASE(the_app_stays_taken_while_a_snapshot_is_written_though_the_host_failed) {
  world w{1};
  std::atomic<bool> broken{false};
  w.log->set_commit_fault([&](const log_transaction&) {
    if (broken) throw std::runtime_error{"the log is broken"};
    return commit_fault::none;
  });
  host h{sums_app(), w.options()};
  must(h.start());
  w.send({"oslo", ts("2001-01-01T08:00"), 1});
  BOOST_REQUIRE(eventually([&] { return progress_of(h, "sum").snapshots > 0; }));
  snapshot_gate gate{w};
  make_a_snapshot_wait(w, h);
  broken = true;
  w.send({"oslo", ts("2001-01-01T08:00"), 1});
  BOOST_REQUIRE(eventually([&] { return h.failure().has_value(); }));
  auto stopped = std::async(std::launch::async, [&] { return h.stop(); });
  BOOST_TEST(!eventually([&] { return app_is_free(w); }, 1500ms));
  gate.open();
  BOOST_TEST(refused(stopped.get(), errc::user_code, {"the log is broken"}));
  BOOST_TEST(app_is_free(w));
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

// The environment's descriptors are taken away, one and then the other: without the first no page
// can be written, without the second not the page that makes a commit, after which LMDB refuses
// everything until it is opened anew.
BOOST_AUTO_TEST_CASE(a_snapshot_that_its_environment_cannot_write_is_written_by_a_fresh_one) {
  for (const auto expected : {errc::io, errc::indefinite}) {
    world w{1};
    std::mutex mutex;
    std::string told;
    auto o = w.options();
    o.log_to = [&](log_level, std::string_view what,
                   const std::initializer_list<log_field>& fields) {
      if (what != "a task failed") return;
      const std::lock_guard lock{mutex};
      for (const auto& f : fields) told += fmt::format("{} ", f.value);
    };
    host h{sums_app(), o};
    must(h.start());
    w.send({"oslo", ts("2001-01-01T08:00"), 1});
    BOOST_REQUIRE(eventually([&] { return progress_of(h, "sum").snapshots > 0; }));
    const auto file = lmdb::data_file(snapshot_gate::state_of_sum(w));
    {
      const auto env = must(lmdb::environment::open({.folder = snapshot_gate::state_of_sum(w)}));
      int data = -1;
      BOOST_REQUIRE(mdb_env_get_fd(env->raw(), &data) == 0);
      const auto all = descriptors_of(file);
      BOOST_REQUIRE_EQUAL(all.size(), 2u);
      const int meta = all[0] == data ? all[1] : all[0];
      const int read_only = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
      BOOST_REQUIRE(::dup2(read_only, expected == errc::io ? data : meta) >= 0);
      ::close(read_only);
    }
    w.send({"oslo", ts("2001-01-01T08:00"), 1});
    BOOST_REQUIRE(eventually([&] {
      const std::lock_guard lock{mutex};
      return !told.empty();
    }));
    BOOST_TEST(told.find(name_of(expected)) != std::string::npos, told);
    w.send({"oslo", ts("2001-01-01T08:00"), 1});
    BOOST_TEST(eventually([&] {
      const auto s = status_of(h, "sum");
      return s.health == task_health::running && s.failures == 0 && s.progress.snapshots > 0;
    }));
    BOOST_TEST(eventually([&] { return sum_of(h, "oslo") == 3; }));
    must(h.stop());
    BOOST_TEST(replayed_by_a_restart(w, 3) == 0u);
    BOOST_TEST(w.read<totals>("sums").size() == 3u);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace actors_test
