// Tasks that a log gives and takes, as Kafka's groups do, at moments of the test's choice.
#include <atomic>
#include <future>
#include <memory>
#include <thread>

#include "actors/actors_support.hpp"
#include "kappa/log/membership.hpp"
#include "support/forwarding_log.hpp"
#include "support/observed_failpoints.hpp"

namespace actors_test {

namespace {

class placed_log final : public kappa::test::forwarding_log {
 public:
  using forwarding_log::forwarding_log;

  bool places_tasks() const override { return true; }
  result<std::unique_ptr<membership>> join(const std::vector<stage_tasks>&, const std::string&,
                                           placement_listener& listener) override {
    listener_ = &listener;
    return std::make_unique<member>();
  }

  result<std::vector<log_transaction::move>> positions(const std::string& app) override {
    ++asked;
    return to().positions(app);
  }
  std::atomic<int> asked = 0;

  // By a thread of the log's own.
  void give(int task) {
    std::thread{[&] { listener_->given({"sum", partition{task}}); }}.join();
  }
  /// Ready when the task writes no more.
  std::future<void> take(int task, bool lost = false) {
    auto done = std::make_shared<std::promise<void>>();
    auto ended = done->get_future();
    std::thread{[&] {
      listener_->taken({"sum", partition{task}}, lost, [done] { done->set_value(); });
    }}.join();
    return ended;
  }

 private:
  class member final : public membership {
    const std::string& process() const override { return name_; }
    std::string name_ = "the only one";
  };
  placement_listener* listener_ = nullptr;
};

bool moves(const log_transaction& t, partition task) {
  return std::any_of(t.moves.begin(), t.moves.end(),
                     [&](const auto& m) { return m.key.task == task; });
}

/// A place whose readings come to that partition.
std::string place_in(int partition, int partitions) {
  for (int i = 0;; ++i) {
    auto place = fmt::format("place{}", i);
    if (partition_of(encoded(place), partitions).value == partition) return place;
  }
}

/// With one lane, so that all tasks of a process commit together.
struct placed_world : world {
  explicit placed_world(std::int32_t count = 1) : world{count} {}
  [[nodiscard]] host_options options() const {
    auto o = world::options();
    o.shared_log = places;
    o.lanes = 1;
    return o;
  }
  std::shared_ptr<placed_log> places = std::make_shared<placed_log>(log);
};

}  // namespace

BOOST_AUTO_TEST_SUITE(hand_over)

// Its commits cannot succeed when it is another's already (Kafka: its member is unknown), and hold
// up those of all tasks of its lane.
BOOST_AUTO_TEST_CASE(a_task_whose_commits_fail_is_let_go_and_the_others_go_on) {
  placed_world w{2};
  std::atomic<bool> failing = false;
  w.log->set_commit_fault([&](const log_transaction& t) {
    return failing && moves(t, partition{0}) ? commit_fault::abort : commit_fault::none;
  });
  auto o = w.options();
  host h{sums_app(), o};
  must(h.start());
  w.places->give(0);
  w.places->give(1);
  const auto here = place_in(0, 2);
  const auto there = place_in(1, 2);
  const auto sums = [&] { return w.read<totals>("sums").size(); };
  w.send({here, ts("2001-01-01T08:00"), 1});
  w.send({there, ts("2001-01-01T08:00"), 1});
  BOOST_TEST_REQUIRE(eventually([&] { return sums() == 2U; }));

  failing = true;
  w.send({here, ts("2001-01-01T08:01"), 1});
  BOOST_TEST_REQUIRE(eventually([&] { return progress_of(h, "sum").records_in >= 3; }));
  w.send({there, ts("2001-01-01T08:01"), 1});
  const auto ended = w.places->take(0);
  BOOST_TEST_REQUIRE((ended.wait_for(30s) == std::future_status::ready));
  BOOST_TEST(eventually([&] { return sums() == 3U; }));

  failing = false;
  w.places->give(0);
  BOOST_TEST(eventually([&] { return sums() == 4U; }));
  must(h.stop());
  for (const auto& t : w.read<totals>("sums")) BOOST_TEST(t.sum == t.count);
  BOOST_TEST(sums() == 4U);
}

// A rebalance while the process ends: who asked it to end is answered.
BOOST_AUTO_TEST_CASE(a_task_that_is_taken_while_it_stops_has_stopped_all_the_same) {
  for (const bool lost : {false, true}) {
    placed_world w{1};
    auto o = w.options();
    o.limits.commit_interval = 10min;  // only its stop closes an epoch
    host h{sums_app(), o};
    must(h.start());
    w.places->give(0);
    w.send({"oslo", ts("2001-01-01T08:00"), 1});
    BOOST_TEST_REQUIRE(eventually([&] { return progress_of(h, "sum").records_in == 1; }));

    commit_gate gate{*w.log};
    gate.hold();
    auto stopped = std::async(std::launch::async, [&] { return h.stop(); });
    BOOST_TEST_REQUIRE(gate.has_caught_one());
    const auto ended = w.places->take(0, lost);
    gate.open();
    const auto how = stopped.get();
    BOOST_TEST(how.has_value(), "lost: " << lost << ": " << (how ? "" : how.error().text()));
    BOOST_TEST((ended.wait_for(30s) == std::future_status::ready));
    BOOST_TEST(w.read<totals>("sums").size() == 1U);
  }
}

// A rebalance while a state is replayed: others wait for the task, so it does not replay to the
// end.
BOOST_AUTO_TEST_CASE(a_task_that_is_taken_while_its_state_is_built_anew_goes_at_once) {
  constexpr int before = 5000;  // more than one turn
  for (const bool lost : {false, true}) {
    placed_world w{1};
    auto o = w.options();
    const auto sums = [&] { return w.read<totals>("sums").size(); };
    record_batch batch;
    const reading r{"oslo", ts("2001-01-01T08:00"), 1};
    for (int i = 0; i < before; ++i) batch.add(r.at, bytes_view{r.place}, bytes_view{encoded(r)});
    must(w.log->append({"readings", partition{0}}, batch));
    {
      host h{sums_app(), o};
      must(h.start());
      w.places->give(0);
      BOOST_TEST_REQUIRE(eventually([&] { return sums() == before; }));
      must(h.stop());
    }
    std::filesystem::remove_all(o.state);

    std::atomic<int> replayed{0};
    std::promise<void> on;
    const auto gate = on.get_future().share();
    host h{sums_app([&](const reading&) {
             if (++replayed == 3) gate.wait();
           }),
           o};
    must(h.start());
    w.places->give(0);
    BOOST_TEST_REQUIRE(eventually([&] { return replayed == 3; }));
    const auto ended = w.places->take(0, lost);
    on.set_value();
    BOOST_TEST_REQUIRE((ended.wait_for(30s) == std::future_status::ready));
    BOOST_TEST(replayed < before, "lost: " << lost);

    w.places->give(0);
    BOOST_TEST_REQUIRE(
        eventually([&] { return status_of(h, "sum").progress.phase == task_phase::live; }));
    w.send({"oslo", ts("2001-01-01T08:01"), 1});
    BOOST_TEST_REQUIRE(eventually([&] { return sums() == before + 1U; }));
    must(h.stop());
    const auto all = w.read<totals>("sums");
    BOOST_TEST(all.size() == before + 1U);
    BOOST_TEST(all.back().count == before + 1);
  }
}

// Whoever is given the task next would not have what the lane is still committing.
BOOST_AUTO_TEST_CASE(a_task_whose_snapshot_fails_while_it_is_handed_over_waits_for_its_commits) {
  placed_world w{1};
  auto o = w.options();
  o.limits.snapshot_interval = 10ms;
  std::promise<void> writing;
  std::promise<void> fail;
  const kappa::testing::observed_failpoints observed{
      [&, first = true](std::string_view at) mutable {
        if (at != "state.before_commit" || !std::exchange(first, false)) return;
        writing.set_value();
        fail.get_future().wait();
        throw std::bad_alloc{};
      }};
  host h{sums_app(), o};
  must(h.start());
  w.places->give(0);
  w.send({"oslo", ts("2001-01-01T08:00"), 1});
  writing.get_future().wait();
  commit_gate gate{*w.log};
  gate.hold();
  w.send({"oslo", ts("2001-01-01T08:01"), 1});
  BOOST_TEST_REQUIRE(gate.has_caught_one());
  const auto ended = w.places->take(0);
  fail.set_value();
  BOOST_TEST((ended.wait_for(300ms) == std::future_status::timeout));
  gate.open();
  BOOST_TEST_REQUIRE((ended.wait_for(30s) == std::future_status::ready));
  BOOST_TEST(w.read<totals>("sums").size() == 2U);

  w.places->give(0);
  w.send({"oslo", ts("2001-01-01T08:02"), 1});
  BOOST_TEST_REQUIRE(eventually([&] { return w.read<totals>("sums").size() == 3U; }));
  must(h.stop());
  BOOST_TEST(w.read<totals>("sums").back().count == 3);
}

// Each opening may take long, where brokers do not answer.
BOOST_AUTO_TEST_CASE(a_stop_waits_for_the_task_that_is_being_opened_and_opens_no_other) {
  placed_world w{3};
  std::promise<void> opening;
  std::promise<void> go_on;
  std::atomic<int> openings = 0;
  const kappa::testing::observed_failpoints observed{[&](std::string_view at) {
    if (at != "recover.plan" || openings++ > 0) return;
    opening.set_value();
    go_on.get_future().wait();
  }};
  host h{sums_app(), w.options()};
  must(h.start());
  for (int task = 0; task < 3; ++task) w.places->give(task);
  opening.get_future().wait();
  auto stopped = std::async(std::launch::async, [&] { return h.stop(); });
  BOOST_TEST(eventually([&] {
    const auto all = h.status();
    return std::all_of(all.begin(), all.end(),
                       [](const auto& t) { return t.health == task_health::stopped; });
  }));
  go_on.set_value();
  must(stopped.get());
  BOOST_TEST(openings == 1);
}

// `run` looks twenty times a second.
BOOST_AUTO_TEST_CASE(who_has_no_task_asks_for_the_end_of_the_others_once_a_second) {
  placed_world w{1};
  auto o = w.options();
  host h{sums_app(), o};
  must(h.start());
  w.places->asked = 0;
  const auto since = std::chrono::steady_clock::now();
  for (int i = 0; i < 100; ++i) BOOST_TEST(!must(h.wait_finished(0ms)));
  const auto seconds = std::chrono::steady_clock::now() - since;
  BOOST_TEST(w.places->asked >= 1);
  BOOST_TEST(w.places->asked <=
             2 + std::chrono::duration_cast<std::chrono::seconds>(seconds).count());
  must(h.stop());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace actors_test
