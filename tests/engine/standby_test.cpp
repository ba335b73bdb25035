// A standby follows a task that goes on elsewhere: whenever it has caught up, its state is the
// task's own as of a commit, and it has written nothing to the log.
#include <boost/test/unit_test.hpp>

#include "engine/story.hpp"
#include "kappa/kappa.hpp"
#include "kappa/task/standby.hpp"
#include "support/forwarding_log.hpp"
#include "support/temporary_folder.hpp"

using namespace kappa;
using namespace engine_test;

namespace {

/// Lets something happen at each question that tells where a task is.
class asked_log final : public kappa::test::forwarding_log {
 public:
  using forwarding_log::forwarding_log;
  std::function<void()> asked = [] {};

  result<std::string> identity(const std::vector<std::string>& topics) override {
    asked();
    return to().identity(topics);
  }
  result<std::optional<committed_position>> position(const position_key& key) override {
    asked();
    return to().position(key);
  }
  result<offset> settled_end(const topic_partition& tp) override {
    asked();
    return to().settled_end(tp);
  }
  result<partition_bounds> bounds(const topic_partition& tp) override {
    asked();
    return to().bounds(tp);
  }
};

/// One of every task of the shop, in folders of their own.
class standbys {
 public:
  explicit standbys(manual_host& h) : h_{h}, log_{std::make_shared<asked_log>(h.shared_log())} {
    for (const auto& t : h.tasks()) {
      auto o = h.options_of(t.task->id().stage, t.task->id().partition.value);
      o.state_folder = folder_.path() / o.stage / std::to_string(o.partition.value);
      o.log = log_;
      all_.push_back(std::make_unique<standby>(std::move(o)));
    }
  }

  [[nodiscard]] asked_log& log() { return *log_; }
  [[nodiscard]] std::size_t size() const { return all_.size(); }
  [[nodiscard]] standby& at(std::size_t i) { return *all_.at(i); }
  /// Those whose tasks have committed something.
  void catch_up() {
    for (auto& s : all_) {
      const auto done = s->catch_up();
      if (!done && done.error().code == errc::not_found) continue;
      BOOST_TEST_REQUIRE(must(done).whole);
    }
  }
  [[nodiscard]] bool has_states() const { return !std::filesystem::is_empty(folder_.path()); }
  /// The host's process is gone, and another one, which has these, gets the tasks.
  void take_over() {
    h_.delete_state();
    for (const auto& stage : h_.topology().stages()) {
      for (std::int32_t p = 0; p < story_partitions; ++p) {
        const auto from = folder_.path() / stage.name / std::to_string(p);
        const auto to = h_.folder_of(stage.name, p);
        std::filesystem::create_directories(to.parent_path());
        std::filesystem::rename(from, to);
      }
    }
    h_.open();
    for (const auto& t : h_.tasks()) {
      BOOST_TEST(t.task->progress().replay_total == 0U);
      (void)h_.run(h_.at(t.task->id().stage, t.task->id().partition.value), 1);
      BOOST_TEST(t.task->progress().replayed == 0U);
    }
  }

 private:
  manual_host& h_;
  std::shared_ptr<asked_log> log_;
  kappa::test::temporary_folder folder_;
  std::vector<std::unique_ptr<standby>> all_;
};

/// One stage with windows and one input, one with two inputs.
app hours_and_pairs() {
  using std::chrono_literals::operator""h;
  app a{"shop"};
  a.stream<reading>("in")
      .already_keyed(&reading::place)
      .window(tumbling{1h})
      .fold<totals>("sums",
                    [](totals& t, const reading& r) {
                      if (r.value == 13) throw std::runtime_error{"thirteen"};
                      t.add(r.value);
                    })
      .to("hours");
  add_order(a);
  return a;
}

/// As ends of transactions do on Kafka.
void skip_offsets(manual_host& h, int i) {
  for (const auto& t : must(h.log().topics())) {
    if (i % 2 < t.partitions) h.log().skip_offsets({t.name, partition{i % 2}}, 1);
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(standbys_of_tasks)

BOOST_AUTO_TEST_CASE(who_takes_over_has_nothing_to_replay_and_goes_on_as_the_other_would) {
  for (const int at : {1, 7, 16, 33, story_steps}) {
    BOOST_TEST_CONTEXT("taken over after step " << at) {
      manual_host h{shop(), story_partitions};
      h.open();
      standbys others{h};
      for (int i = 0; i < at; ++i) {
        play(h, i, i + 1, false);
        const auto end = h.log_end();
        if (i % 3 == 0 || i + 1 == at) others.catch_up();
        BOOST_TEST(h.log_end() == end);
      }
      others.take_over();
      play(h, at, story_steps, false);
      end(h);
      BOOST_TEST(same(whole_story(), h.picture()));
    }
  }
}

// Between any two of its questions the task may commit, also what only the epochs topic tells: that
// event time was moved, that a step failed, that an epoch ended between two timers.
BOOST_AUTO_TEST_CASE(what_is_committed_while_it_looks_is_left_for_the_next_time) {
  for (int every = 1; every <= 4; ++every) {
    BOOST_TEST_CONTEXT("a commit at each " << every << ". question") {
      manual_host h{hours_and_pairs(), story_partitions};
      h.open();
      standbys others{h};
      int asked = 0;
      int meanwhile = 0;
      int step = 0;
      others.log().asked = [&] {
        if (++asked % every != 0) return;
        for (auto& t : h.tasks()) {
          for (int turns = 0; turns < 3; ++turns) {
            if (h.turn(t, 1, false)) ++meanwhile;
            t.task->advance_event_time(minute(step * 20 + 50 + turns * 10));
          }
        }
      };
      for (; step < story_steps; ++step) {
        for (int n = 0; n < 12; ++n) {
          const std::string place{static_cast<char>('a' + n % 3)};
          const reading r{place, minute(step * 20 + n), n + step};
          h.send("in", r, step % 2);
          h.send(n % 2 == 0 ? "left" : "right", r, step % 2);
        }
        skip_offsets(h, step);
        others.catch_up();
        h.settle(2);
      }
      BOOST_TEST(meanwhile > story_steps);
      others.log().asked = [] {};
      others.catch_up();
      const auto before = h.picture();
      others.take_over();
      BOOST_TEST(same(before, h.picture()));
    }
  }
}

BOOST_AUTO_TEST_CASE(one_that_is_stopped_goes_on_the_next_time) {
  manual_host h{shop(), story_partitions};
  h.open();
  play(h, 0, story_steps, false);
  standbys others{h};
  for (std::size_t i = 0; i < others.size(); ++i) {
    others.at(i).stop();
    BOOST_TEST(!must(others.at(i).catch_up()).whole);
  }
  others.catch_up();
  others.take_over();
  end(h);
  BOOST_TEST(same(whole_story(), h.picture()));
}

// The brokers may keep it waiting for long: by then the task may run here, and must not be fenced
// from its own state.
BOOST_AUTO_TEST_CASE(one_that_is_stopped_while_it_asks_the_log_leaves_the_state_alone) {
  manual_host h{shop(), story_partitions};
  h.open();
  play(h, 0, story_steps, false);
  standbys others{h};
  for (std::size_t i = 0; i < others.size(); ++i) {
    bool asked = false;
    others.log().asked = [&] {
      if (!std::exchange(asked, true)) others.at(i).stop();
    };
    BOOST_TEST(!must(others.at(i).catch_up()).whole);
  }
  BOOST_TEST(!others.has_states());
  others.log().asked = [] {};
  others.catch_up();
  BOOST_TEST(others.has_states());
}

BOOST_AUTO_TEST_CASE(a_task_that_has_committed_nothing_cannot_be_followed_yet) {
  manual_host h{shop(), story_partitions};
  h.open();
  standbys others{h};
  for (std::size_t i = 0; i < others.size(); ++i)
    BOOST_TEST(refused(others.at(i).catch_up(), errc::not_found, {"has committed nothing yet"}));
}

BOOST_AUTO_TEST_SUITE_END()
