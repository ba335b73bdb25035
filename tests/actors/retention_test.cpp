// The host's retention job, beside tasks that work.
#include <atomic>
#include <condition_variable>
#include <future>
#include <mutex>

#include "actors/actors_support.hpp"
#include "kappa/actors/admin_client.hpp"
#include "support/forwarding_log.hpp"

namespace actors_test {

BOOST_AUTO_TEST_SUITE(retention)

namespace {

const topic_partition first_partition{"readings", partition{0}};

/// Readings are kept for an hour by a clock that a test sets on.
struct kept_for_an_hour : world {
  explicit kept_for_an_hour(std::int32_t n) : world{n} {
    topic_config c;
    c.name = "readings";
    c.partitions = n;
    c.retention_time = 1h;
    must(log->create_topic(c));
  }
  [[nodiscard]] host_options options() const {
    auto o = world::options();
    o.retention_interval = 5ms;
    o.clock = [ahead = ahead] {
      static const auto began = system_now();
      return ts("2001-01-01T08:00") + (system_now() - began) + milliseconds{ahead->load()};
    };
    return o;
  }
  void set_clock_on(milliseconds by) const { *ahead += by.count(); }
  [[nodiscard]] std::int64_t earliest(std::int32_t p = 0) const {
    return must(log->bounds({"readings", partition{p}})).earliest.value;
  }

  std::shared_ptr<std::atomic<std::int64_t>> ahead = std::make_shared<std::atomic<std::int64_t>>(0);
};

/// A memory log whose retention begins a round, and goes on when it is told to.
class slow_retention_log final : public test::forwarding_log {
 public:
  using forwarding_log::forwarding_log;

  result<retention_report> apply_retention(timestamp now) override {
    std::unique_lock lock{mutex_};
    waiting_ = held_;
    changed_.wait(lock, [&] { return !held_; });
    waiting_ = false;
    return forwarding_log::apply_retention(now);
  }
  void hold() { set_held(true); }
  void let_go() { set_held(false); }
  [[nodiscard]] bool in_a_round() {
    const std::lock_guard lock{mutex_};
    return waiting_;
  }

 private:
  void set_held(bool held) {
    const std::lock_guard lock{mutex_};
    held_ = held;
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool held_ = false;
  bool waiting_ = false;
};

/// The task fails at the value 5, not the record.
app sums_that_fail_while(const std::atomic<bool>& broken) {
  return sums_app([&broken](const reading& r) {
    if (broken && r.value == 5) throw std::bad_alloc{};
  });
}

/// The last reply to a request for a replay, of those that come in about a minute.
admin::reply outcome_of_replay(admin_call& call) {
  for (int replies = 0; replies < 60; ++replies) {  // one a second while it goes on
    auto reply = must(call.next(30s));
    if (!reply) break;
    if (reply->last) return std::move(*reply);
  }
  BOOST_FAIL("the replay does not end");
  return {};
}

/// A memory log whose retention fails as often as it is told to.
class no_retention_log final : public test::forwarding_log {
 public:
  using forwarding_log::forwarding_log;

  result<retention_report> apply_retention(timestamp now) override {
    ++asked;
    const auto left = faults.load();
    if (left == 0) return forwarding_log::apply_retention(now);
    --faults;
    if (left % 2 == 0) throw std::runtime_error{"thrown: the disk is away"};
    return fail(errc::io, "readings", "returned: the disk is away");
  }

  std::atomic<int> asked{0};
  std::atomic<int> faults{0};
};

}  // namespace

BOOST_AUTO_TEST_CASE(old_records_go_while_the_host_runs_and_the_state_stays) {
  kept_for_an_hour w{1};
  for (int i = 0; i < 10; ++i) w.send({"oslo", ts("2001-01-01T08:00"), 1});
  auto o = w.options();
  std::atomic<int> told{0};
  o.log_to = [&](log_level, std::string_view what, const std::initializer_list<log_field>& fields) {
    if (what != "retention") return;
    for (const auto& f : fields) {
      if (f.name == "records") told += std::stoi(std::string{f.value});
    }
  };
  {
    host h{sums_app(), o};
    must(h.start());
    BOOST_REQUIRE(processed(h, "sum", 10));
    BOOST_REQUIRE(eventually([&] { return progress_of(h, "sum").snapshots > 0; }));
    BOOST_TEST(w.earliest() == 0);
    w.set_clock_on(2h);
    BOOST_REQUIRE(eventually([&] { return w.earliest() == 10; }));
    BOOST_TEST(eventually([&] { return told == 10; }));
    w.send({"oslo", ts("2001-01-01T10:00"), 5});
    BOOST_TEST(eventually([&] {
      const auto a = must(h.query<totals>("sum", "oslo"));
      return a.value && a.value->sum == 15;
    }));
    BOOST_TEST(w.earliest() == 10);
    must(h.stop());
  }
  host again{sums_app(), o};
  must(again.start());
  BOOST_TEST(must(again.query<totals>("sum", "oslo")).value->sum == 15);
  BOOST_TEST(w.read<totals>("sums").size() == 11u);
}

BOOST_AUTO_TEST_CASE(a_task_whose_input_went_unprocessed_is_refused_by_name_and_siblings_go_on) {
  kept_for_an_hour w{2};
  std::promise<void> go_on;
  auto may_go_on = go_on.get_future().share();
  std::atomic<bool> held{false};
  auto o = w.options();
  o.failures_until_quarantine = 3;
  o.max_drift = 0ms;
  host h{sums_app([&](const reading& r) {
           if (r.value != 2) return;
           held = true;
           may_go_on.wait();
         }),
         o};
  must(h.start());
  w.send({"oslo", ts("2001-01-01T08:00"), 1}, partition{0});
  BOOST_REQUIRE(eventually([&] { return status_of(h, "sum", 0).progress.epochs > 0; }));
  w.send({"oslo", ts("2001-01-01T08:00"), 2}, partition{0});
  BOOST_REQUIRE(eventually([&] { return held.load(); }));
  for (int i = 0; i < 10; ++i) w.send({"oslo", ts("2001-01-01T08:00"), 1}, partition{0});
  w.set_clock_on(2h);
  BOOST_REQUIRE(eventually([&] { return w.earliest() == 12; }));
  go_on.set_value();
  BOOST_REQUIRE(
      eventually([&] { return status_of(h, "sum", 0).health == task_health::quarantined; }));
  BOOST_TEST(refused(result<void>{fail(*status_of(h, "sum", 0).last_error)}, errc::refused_start,
                     {"readings", "unprocessed", "12"}));
  w.send({"rome", ts("2001-01-01T10:00"), 1}, partition{1});
  BOOST_TEST(eventually([&] { return status_of(h, "sum", 1).progress.records_in == 1; }));
  must(h.stop());
  // The epoch that came upon the gap was not committed.
  BOOST_TEST(w.read<totals>("sums").size() == 2u);
}

// Both look, and then act: the log had what the replay takes when it was asked for, and nothing was
// being built when retention began.
BOOST_AUTO_TEST_CASE(
    a_replay_waits_for_the_retention_under_way_and_erases_nothing_it_cannot_build) {
  kept_for_an_hour w{1};
  const auto log = std::make_shared<slow_retention_log>(w.log);
  auto o = w.options();
  o.shared_log = log;
  o.limits.read_bytes = 1;  // a record at a time
  o.failures_until_quarantine = 2;
  std::atomic<int> seen{0};
  std::promise<void> go_on;
  auto may_go_on = go_on.get_future().share();
  host h{sums_app([&](const reading&) {
           if (++seen == 11) may_go_on.wait();  // in the replay
         }),
         o};
  must(h.start());
  for (int i = 0; i < 10; ++i) w.send({"oslo", ts("2001-01-01T08:00"), 1});
  BOOST_REQUIRE(processed(h, "sum", 10));
  BOOST_REQUIRE(eventually([&] { return progress_of(h, "sum").snapshots > 0; }));
  log->hold();
  w.set_clock_on(2h);
  BOOST_REQUIRE(eventually([&] { return log->in_a_round(); }));
  auto call = must(admin_client{log, "sums"}.send(admin::replay_request{.stage = "sum"}));
  BOOST_TEST(!eventually([&] { return seen > 10; }, 400ms));
  log->let_go();
  BOOST_REQUIRE(eventually([&] { return w.earliest() == 10; }));
  go_on.set_value();
  const auto outcome = outcome_of_replay(call);
  const auto* const problem = std::get_if<admin::problem>(&outcome.which);
  BOOST_REQUIRE(problem != nullptr);
  BOOST_TEST(problem->message.find("the log begins at 10") != std::string::npos);
  BOOST_REQUIRE(eventually([&] { return status_of(h, "sum").health == task_health::running; }));
  const auto a = must(h.query<totals>("sum", "oslo"));
  BOOST_REQUIRE(a.value.has_value());
  BOOST_TEST(a.value->sum == 10);
  must(h.stop());
}

BOOST_AUTO_TEST_CASE(what_a_replay_needs_stays_also_while_it_waits_to_be_tried_again) {
  kept_for_an_hour w{1};
  auto o = w.options();
  o.limits.read_bytes = 1;  // a record at a time
  o.failures_until_quarantine = 1'000'000;
  o.first_backoff = 20ms;
  o.last_backoff = 20ms;
  std::atomic<bool> broken{false};
  host h{sums_that_fail_while(broken), o};
  must(h.start());
  for (int i = 0; i < 10; ++i) w.send({"oslo", ts("2001-01-01T08:00"), i});
  BOOST_REQUIRE(processed(h, "sum", 10));
  BOOST_REQUIRE(eventually([&] {
    const auto p = progress_of(h, "sum");
    return p.snapshots > 0 && p.dirty_bytes == 0;
  }));
  broken = true;
  auto call = must(admin_client{w.log, "sums"}.send(admin::replay_request{.stage = "sum"}));
  BOOST_REQUIRE(eventually([&] { return status_of(h, "sum").failures >= 2; }));
  w.set_clock_on(2h);
  const auto failures = status_of(h, "sum").failures;
  BOOST_REQUIRE(eventually([&] { return status_of(h, "sum").failures >= failures + 10; }));
  BOOST_TEST(w.earliest() == 0);
  broken = false;
  const auto outcome = outcome_of_replay(call);
  const auto* const progress = std::get_if<admin::replay_progress>(&outcome.which);
  BOOST_REQUIRE(progress != nullptr);
  BOOST_TEST((progress->state == admin::replay_state::done));
  BOOST_TEST(must(h.query<totals>("sum", "oslo")).value->sum == 45);
  BOOST_TEST(eventually([&] { return w.earliest() == 10; }));
  must(h.stop());
}

BOOST_AUTO_TEST_CASE(what_a_replay_needs_stays_in_quarantine_until_the_state_is_built) {
  kept_for_an_hour w{1};
  auto o = w.options();
  o.limits.read_bytes = 1;  // a record at a time
  o.failures_until_quarantine = 2;
  o.first_backoff = 1ms;
  std::atomic<bool> broken{false};
  host h{sums_that_fail_while(broken), o};
  must(h.start());
  for (int i = 0; i < 10; ++i) w.send({"oslo", ts("2001-01-01T08:00"), i});
  BOOST_REQUIRE(processed(h, "sum", 10));
  BOOST_REQUIRE(eventually([&] { return progress_of(h, "sum").snapshots > 0; }));
  broken = true;
  admin_client client{w.log, "sums"};
  auto first = must(client.send(admin::replay_request{.stage = "sum"}));
  BOOST_REQUIRE(std::holds_alternative<admin::problem>(outcome_of_replay(first).which));
  BOOST_REQUIRE(eventually([&] { return status_of(h, "sum").health == task_health::quarantined; }));
  w.set_clock_on(2h);
  BOOST_TEST(!eventually([&] { return w.earliest() > 0; }, 400ms));
  broken = false;
  auto again = must(client.send(admin::replay_request{.stage = "sum"}));
  const auto outcome = outcome_of_replay(again);
  BOOST_REQUIRE(std::holds_alternative<admin::replay_progress>(outcome.which));
  BOOST_TEST(must(h.query<totals>("sum", "oslo")).value->sum == 45);
  BOOST_TEST(eventually([&] { return w.earliest() == 10; }));
  must(h.stop());
}

// Live is not durable: until the first snapshot a crash leaves nothing but the log.
BOOST_AUTO_TEST_CASE(what_a_replay_needed_stays_until_the_state_has_a_snapshot) {
  kept_for_an_hour w{1};
  auto o = w.options();
  o.limits.snapshot_interval = 24h;
  {
    host h{sums_app(), o};
    must(h.start());
    for (int i = 0; i < 10; ++i) w.send({"oslo", ts("2001-01-01T08:00"), i});
    BOOST_REQUIRE(eventually([&] { return w.read<totals>("sums").size() == 10; }));
    auto call = must(admin_client{w.log, "sums"}.send(admin::replay_request{.stage = "sum"}));
    const auto outcome = outcome_of_replay(call);
    const auto* const problem = std::get_if<admin::problem>(&outcome.which);
    BOOST_TEST_REQUIRE(problem == nullptr, (problem != nullptr ? problem->message : ""));
    BOOST_REQUIRE(progress_of(h, "sum").snapshots == 0);
    w.set_clock_on(2h);
    BOOST_TEST(!eventually([&] { return w.earliest() > 0; }, 400ms));
    must(h.stop());  // with a snapshot
  }
  host again{sums_app(), o};
  must(again.start());
  BOOST_TEST(eventually([&] { return w.earliest() == 10; }));
  BOOST_TEST(must(again.query<totals>("sum", "oslo")).value->sum == 45);
}

BOOST_AUTO_TEST_CASE(a_retention_that_fails_is_logged_and_tried_again) {
  kept_for_an_hour w{1};
  const auto log = std::make_shared<no_retention_log>(w.log);
  log->faults = 4;
  auto o = w.options();
  o.shared_log = log;
  std::atomic<int> returned{0};
  std::atomic<int> thrown{0};
  o.log_to = [&](log_level level, std::string_view what,
                 const std::initializer_list<log_field>& fields) {
    if (what != "retention failed" || level != log_level::error) return;
    for (const auto& f : fields) {
      if (f.value.find("returned: the disk is away") != std::string_view::npos) ++returned;
      if (f.value.find("thrown: the disk is away") != std::string_view::npos) ++thrown;
    }
  };
  host h{sums_app(), o};
  must(h.start());
  for (int i = 0; i < 10; ++i) w.send({"oslo", ts("2001-01-01T08:00"), 1});
  BOOST_REQUIRE(processed(h, "sum", 10));
  w.set_clock_on(2h);
  BOOST_TEST(eventually([&] { return w.earliest() == 10; }));
  BOOST_TEST(returned == 2);
  BOOST_TEST(thrown == 2);
  BOOST_TEST(!h.failure().has_value());
  must(h.stop());
  BOOST_TEST(log->asked > 4);
}

BOOST_AUTO_TEST_CASE(without_an_interval_retention_is_never_applied) {
  kept_for_an_hour w{1};
  const auto log = std::make_shared<no_retention_log>(w.log);
  auto o = w.options();
  o.shared_log = log;
  o.retention_interval = 0ms;
  host h{sums_app(), o};
  must(h.start());
  w.send({"oslo", ts("2001-01-01T08:00"), 1});
  w.set_clock_on(2h);
  BOOST_REQUIRE(processed(h, "sum", 1));
  BOOST_TEST(!eventually([&] { return log->asked > 0; }, 50ms));
  must(h.stop());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace actors_test
