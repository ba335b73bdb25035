#include <atomic>
#include <condition_variable>
#include <future>
#include <mutex>

#include "actors/actors_support.hpp"
#include "support/forwarding_log.hpp"

namespace actors_test {

BOOST_AUTO_TEST_SUITE(supervision)

namespace {

const topic_partition first_partition{"readings", partition{0}};

/// Does not tell what became of one commit until its writer's successor is opened: as a broker that
/// still has the commit under way. Nobody is let in to ask until `answers`.
class doubtful_log final : public test::forwarding_log {
 public:
  using forwarding_log::forwarding_log;

  void doubt_next(bool lost) {
    lost_ = lost;
    answers = false;
    doubt_next_ = true;
  }
  [[nodiscard]] bool in_doubt() const { return in_doubt_; }
  std::atomic<bool> answers{true};

  result<std::unique_ptr<log_writer>> open_writer(const writer_options& o) override {
    if (!answers) return fail(errc::unavailable, "log", "not now", true);
    if (in_doubt_.exchange(false) && !lost_) must(writer_->commit(under_way_));
    writer_.reset();
    auto opened = forwarding_log::open_writer(o);
    if (!opened) return opened;
    writer_ = std::move(*opened);
    return std::make_unique<writer>(*this);
  }

 private:
  struct writer final : log_writer {
    explicit writer(doubtful_log& l) : log{l} {}
    result<commit_receipt> commit(const log_transaction& tx) override {
      if (!log.doubt_next_.exchange(false)) return log.writer_->commit(tx);
      log.under_way_ = tx;
      log.in_doubt_ = true;
      return fail(errc::indefinite, "log", "no answer");
    }
    writer_term term() const override { return log.writer_->term(); }
    result<bool> moved_last(const position_key& key) override {
      return log.writer_->moved_last(key);
    }
    doubtful_log& log;
  };

  std::unique_ptr<log_writer> writer_;
  log_transaction under_way_;
  bool lost_ = false;
  std::atomic<bool> doubt_next_{false};
  std::atomic<bool> in_doubt_{false};
};

/// Does not answer who wants to read, for a while.
class silent_log final : public test::forwarding_log {
 public:
  using forwarding_log::forwarding_log;

  std::atomic<bool> silent{false};

  result<std::unique_ptr<log_reader>> open_reader(const topic_partition& tp) override {
    if (silent) return fail(errc::unavailable, "log", "no answer", true);
    return forwarding_log::open_reader(tp);
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_record_that_fails_goes_to_dead_letters_and_the_rest_goes_on) {
  world w{1};
  for (int i = 0; i < 5; ++i) w.send({"oslo", ts("2001-01-01T08:00"), i});
  host h{sums_app([](const reading& r) {
           if (r.value == 3) throw std::runtime_error{"three is too much"};
         }),
         w.options()};
  must(h.start());
  BOOST_REQUIRE(eventually([&] {
    const auto a = must(h.query<totals>("sum", "oslo"));
    return a.value && a.value->count == 4;
  }));
  BOOST_TEST(w.dead_letters("sums", "kappa.position") == std::vector<std::string>{"readings[0]@3"});
  BOOST_TEST(w.dead_letters("sums", "kappa.operator") == std::vector<std::string>{"look"});
  BOOST_TEST(eventually([&] { return progress_of(h, "sum").dead_letters == 1; }));
}

BOOST_AUTO_TEST_CASE(bytes_that_are_no_record_go_to_dead_letters_as_they_are) {
  world w{1};
  record_batch garbage;
  garbage.add(ts("2001-01-01T08:00"), bytes_view{"k"}, bytes_view{"no reading"});
  must(w.log->append(first_partition, garbage));
  w.send({"oslo", ts("2001-01-01T08:00"), 1});
  host h{sums_app(), w.options()};
  must(h.start());
  BOOST_REQUIRE(eventually([&] { return must(h.query<totals>("sum", "oslo")).value.has_value(); }));
  std::vector<std::string> values;
  w.each("sums.dead-letters",
         [&](const record_view& r) { values.emplace_back(r.value.value_or("(none)")); });
  BOOST_TEST(values == std::vector<std::string>{"no reading"});
}

BOOST_AUTO_TEST_CASE(
    a_failing_task_starts_again_with_backoff_until_quarantine_while_siblings_go_on) {
  world w{2};
  auto o = w.options();
  o.failures_until_quarantine = 4;
  std::mutex mutex;
  std::vector<std::string> lines;
  o.log_to = [&](log_level, std::string_view what, const std::initializer_list<log_field>& fields) {
    const std::lock_guard lock{mutex};
    std::string line{what};
    for (const auto& f : fields) line += fmt::format(" {}={}", f.name, f.value);
    lines.push_back(line);
  };
  w.send({"oslo", ts("2001-01-01T08:00"), 1}, partition{0});
  w.log->damage(first_partition, offset{0});
  w.send({"rome", ts("2001-01-01T08:00"), 1}, partition{1});
  host h{sums_app(), o};
  must(h.start());
  BOOST_REQUIRE(
      eventually([&] { return status_of(h, "sum", 0).health == task_health::quarantined; }));
  const auto out = status_of(h, "sum", 0);
  BOOST_TEST(out.failures == 4);
  BOOST_REQUIRE(out.last_error.has_value());
  BOOST_TEST((out.last_error->code == errc::corrupt));
  BOOST_TEST(out.last_error->text().find("readings[0]@0") != std::string::npos);

  // The sibling works on; the host reports.
  w.send({"rome", ts("2001-01-01T08:01"), 1}, partition{1});
  BOOST_REQUIRE(eventually([&] { return status_of(h, "sum", 1).progress.records_in == 2; }));
  BOOST_TEST(refused(h.wait_finished(0ms), errc::quarantined, {"sums/sum.g1[0]", "readings[0]@0"}));
  BOOST_TEST(!h.failure().has_value());
  BOOST_TEST(refused(h.query_all("sum", 10), errc::unavailable, {"sums/sum.g1[0]", "quarantine"}));
  must(h.stop());

  int failed = 0;
  bool told = false;
  for (const auto& l : lines) {
    if (l.starts_with("a task failed")) ++failed;
    told = told || l == "a task is quarantined task=sums/sum.g1[0]";
  }
  BOOST_TEST(failed == 4);
  BOOST_TEST(told);
}

BOOST_AUTO_TEST_CASE(a_task_that_failed_for_a_while_goes_on_where_it_had_committed) {
  world w{1};
  std::atomic<bool> broken{false};
  auto o = w.options();
  o.on_failure = failure_policy::stop;
  o.failures_until_quarantine = 1000;
  for (int i = 0; i < 10; ++i) w.send({"oslo", ts("2001-01-01T08:00"), 1});
  host h{sums_app([&](const reading& r) {
           if (broken && r.value == 2) throw std::runtime_error{"not now"};
         }),
         o};
  must(h.start());
  BOOST_REQUIRE(processed(h, "sum", 10));
  broken = true;
  for (int i = 0; i < 10; ++i) w.send({"oslo", ts("2001-01-01T08:01"), i == 5 ? 2 : 1});
  BOOST_REQUIRE(eventually([&] { return status_of(h, "sum").failures >= 3; }));
  BOOST_TEST(refused(result<void>{fail(*status_of(h, "sum").last_error)}, errc::user_code,
                     {"readings[0]@15", "not now"}));
  broken = false;
  BOOST_REQUIRE(eventually([&] {
    const auto a = h.query<totals>("sum", "oslo");
    return a && a->value && a->value->count == 20;
  }));
  BOOST_REQUIRE(eventually([&] {
    const auto s = status_of(h, "sum");
    return s.health == task_health::running && s.failures == 0;
  }));
  BOOST_TEST(w.read<totals>("sums").size() == 20u);
  BOOST_TEST(w.dead_letters("sums", "kappa.position").empty());
}

// It would take a hand to let it out, after brokers that are well again.
BOOST_AUTO_TEST_CASE(a_task_that_opens_while_the_log_does_not_answer_is_not_quarantined) {
  world w{1};
  const auto log = std::make_shared<silent_log>(w.log);
  auto o = w.options();
  o.shared_log = log;
  o.on_failure = failure_policy::stop;
  o.first_backoff = o.last_backoff = 10ms;
  o.failures_until_quarantine = 2;
  std::atomic<bool> broken{true};
  host h{sums_app([&](const reading&) {
           if (!broken) return;
           log->silent = true;
           broken = false;
           throw std::runtime_error{"once"};
         }),
         o};
  must(h.start());
  w.send({"oslo", ts("2001-01-01T08:00"), 1});
  BOOST_REQUIRE(eventually([&] { return status_of(h, "sum").failures >= 5; }));
  BOOST_TEST((status_of(h, "sum").last_error->code == errc::unavailable));
  log->silent = false;
  BOOST_TEST(processed(h, "sum", 1));
  BOOST_TEST(eventually([&] { return status_of(h, "sum").failures == 0; }));
}

// The task fails while its last epoch waits for its T1, and ticks are still to come. What it did
// after its failure would reach the log beside what its next life does.
BOOST_AUTO_TEST_CASE(a_task_that_failed_does_nothing_until_its_commits_are_settled) {
  world w{1};
  commit_gate gate{*w.log};
  auto o = w.options();
  o.on_failure = failure_policy::stop;
  std::atomic<int> seen{0};
  std::atomic<bool> thrown{false};
  host h{sums_app([&](const reading& r) {
           ++seen;
           if (r.value == 2 && !thrown.exchange(true)) throw std::runtime_error{"not now"};
         }),
         o};
  must(h.start());
  w.send({"oslo", ts("2001-01-01T08:00"), 1});
  BOOST_REQUIRE(processed(h, "sum", 1));
  gate.hold();
  w.send({"oslo", ts("2001-01-01T08:00"), 1});
  BOOST_REQUIRE(gate.has_caught_one());
  record_batch batch;
  for (int i = 0; i < 30; ++i) {
    const reading r{"oslo", ts("2001-01-01T08:00"), i == 9 ? 2 : 1};
    batch.add(r.at, bytes_view{r.place}, bytes_view{encoded(r)});
  }
  must(w.log->append(first_partition, batch));
  BOOST_REQUIRE(eventually([&] { return thrown.load(); }));
  BOOST_TEST(!eventually([&] { return seen > 12; }, 400ms));
  gate.open();
  BOOST_REQUIRE(eventually([&] {
    const auto a = h.query<totals>("sum", "oslo");
    return a && a->value && a->value->count == 32;
  }));
  must(h.stop());
  const auto sums = w.read<totals>("sums");
  BOOST_REQUIRE_EQUAL(sums.size(), 32u);
  for (std::size_t i = 0; i < sums.size(); ++i) {
    BOOST_REQUIRE_EQUAL(sums[i].count, static_cast<std::int64_t>(i + 1));
  }
}

// The position in the log is not final then: what the task did again by it would be there twice.
BOOST_AUTO_TEST_CASE(a_task_that_failed_is_not_opened_while_the_outcome_of_its_commit_is_in_doubt) {
  for (const bool lost : {false, true}) {
    world w{1};
    const auto log = std::make_shared<doubtful_log>(w.log);
    auto o = w.options();
    o.shared_log = log;
    o.on_failure = failure_policy::stop;
    std::atomic<int> seen{0};
    std::atomic<bool> thrown{false};
    host h{sums_app([&](const reading& r) {
             ++seen;
             if (r.value == 2 && !thrown.exchange(true)) throw std::runtime_error{"not now"};
           }),
           o};
    must(h.start());
    w.send({"oslo", ts("2001-01-01T08:00"), 1});
    BOOST_REQUIRE(eventually([&] { return w.read<totals>("sums").size() == 1; }));
    log->doubt_next(lost);
    w.send({"oslo", ts("2001-01-01T08:00"), 1});
    BOOST_REQUIRE(eventually([&] { return log->in_doubt(); }));
    w.send({"oslo", ts("2001-01-01T08:00"), 2});
    BOOST_REQUIRE(eventually([&] { return thrown.load(); }));
    BOOST_TEST(!eventually([&] { return seen > 3; }, 400ms));
    log->answers = true;
    BOOST_REQUIRE(eventually([&] {
      const auto a = h.query<totals>("sum", "oslo");
      return a && a->value && a->value->count == 3;
    }));
    must(h.stop());
    const auto sums = w.read<totals>("sums");
    BOOST_REQUIRE_EQUAL(sums.size(), 3u);
    for (std::size_t i = 0; i < sums.size(); ++i)
      BOOST_TEST(sums[i].count == static_cast<std::int64_t>(i + 1));
  }
}

BOOST_AUTO_TEST_CASE(a_commit_that_is_held_back_stops_the_task_from_reading_on) {
  world w{1};
  commit_gate gate{*w.log};
  auto o = w.options();
  o.limits.commit_interval = 1ms;
  o.limits.max_epochs_in_flight = 2;
  o.limits.max_epoch_bytes = 4096;
  std::atomic<int> seen{0};
  host h{sums_app([&](const reading&) { ++seen; }), o};
  must(h.start());
  gate.hold();
  for (int i = 0; i < 5000; ++i) w.send({"oslo", ts("2001-01-01T08:00"), 1});
  BOOST_REQUIRE(gate.has_caught_one());
  // Two in flight and one open, each of at most 4 KiB of output and what one step adds.
  BOOST_REQUIRE(eventually([&] {
    const int before = seen;
    return !eventually([&] { return seen != before; }, 100ms);
  }));
  BOOST_TEST(seen < 300);
  BOOST_TEST(seen > 0);
  gate.open();
  BOOST_REQUIRE(eventually([&] { return seen == 5000; }));
  BOOST_REQUIRE(
      eventually([&] { return must(h.query<totals>("sum", "oslo")).value->count == 5000; }));
}

BOOST_AUTO_TEST_CASE(a_busy_task_gives_its_thread_to_a_sibling) {
  world w{2};
  auto o = w.options();
  o.worker_threads = 1;
  o.max_drift = 0ms;
  constexpr int many = 200'000;
  record_batch batch;
  for (int i = 0; i < many; ++i) {
    batch.add(ts("2001-01-01T08:00"), bytes_view{"a"},
              bytes_view{encoded(reading{"a", ts("2001-01-01T08:00"), 1})});
  }
  must(w.log->append({"readings", partition{0}}, batch));
  w.send({"b", ts("2001-01-01T08:00"), 2}, partition{1});
  std::atomic<int> busy{0};
  std::atomic<int> at_the_other{-1};
  host h{sums_app([&](const reading& r) {
           if (r.value == 1)
             ++busy;
           else
             at_the_other = busy.load();
         }),
         o};
  must(h.start());
  BOOST_REQUIRE(eventually([&] { return at_the_other >= 0; }));
  BOOST_TEST(at_the_other < many / 2);
}

BOOST_AUTO_TEST_CASE(slow_steps_do_not_hold_back_commits) {
  world w{1};
  std::mutex mutex;
  std::condition_variable never;
  for (int i = 0; i < 200; ++i) w.send({"oslo", ts("2001-01-01T08:00"), 1});
  std::atomic<int> seen{0};
  host h{sums_app([&](const reading&) {
           ++seen;
           std::unique_lock lock{mutex};
           never.wait_for(lock, 2ms);  // 400 ms in all
         }),
         w.options()};
  must(h.start());
  BOOST_REQUIRE(eventually([&] { return !w.read<totals>("sums").empty(); }));
  BOOST_TEST(seen < 200);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace actors_test
