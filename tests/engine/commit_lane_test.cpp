// The lane when the log does not tell what became of a commit.
#include "kappa/task/commit_lane.hpp"

#include <boost/test/unit_test.hpp>

#include <set>

#include "engine/manual_host.hpp"
#include "support/forwarding_log.hpp"

using namespace kappa;
using namespace engine_test;

BOOST_AUTO_TEST_SUITE(the_commit_lane)

namespace {

// Refuses to say anything for a while; some tasks may be another process's by now, as on Kafka.
class mute_log final : public test::forwarding_log {
 public:
  using forwarding_log::forwarding_log;
  int writers_refused = 0;
  int positions_refused = 0;
  std::set<partition> moved;

  result<std::unique_ptr<log_writer>> open_writer(const writer_options& o) override {
    if (writers_refused > 0 && writers_refused-- > 0) return no();
    auto opened = forwarding_log::open_writer(o);
    if (!opened) return opened;
    return std::make_unique<group_writer>(*this, std::move(*opened));
  }
  result<std::optional<committed_position>> position(const position_key& key) override {
    if (positions_refused > 0 && positions_refused-- > 0) return no();
    if (moved.contains(key.task))
      return committed_position{offset{7}, encode_metadata({epoch_number{7}, std::nullopt, false})};
    return forwarding_log::position(key);
  }

 private:
  class group_writer final : public log_writer {
   public:
    group_writer(const mute_log& log, std::unique_ptr<log_writer> to)
        : log_{log}, to_{std::move(to)} {}
    result<commit_receipt> commit(const log_transaction& tx) override {
      for (const auto& m : tx.moves) {
        if (log_.moved.contains(m.key.task)) return no();
      }
      return to_->commit(tx);
    }
    writer_term term() const override { return to_->term(); }
    result<bool> moved_last(const position_key& key) override {
      return !log_.moved.contains(key.task);
    }

   private:
    const mute_log& log_;
    std::unique_ptr<log_writer> to_;
  };

  static tl::unexpected<error> no() { return fail(errc::unavailable, "log", "not now", true); }
};

struct lane_on_a_log {
  std::shared_ptr<memory_log> memory = memory_log::create();
  std::shared_ptr<mute_log> log = std::make_shared<mute_log>(memory);
  commit_lane lane{log, {"shop", "test"}};

  lane_on_a_log() {
    topic_config c;
    c.name = "out";
    c.owner = "shop";
    must(memory->create_topic(c));
    must(lane.open());
  }
  static epoch_ptr epoch(std::uint64_t number, int task = 0) {
    auto e = std::make_shared<closed_epoch>();
    e->task = {"shop", "sums", generation{1}, partition{task}};
    e->number = epoch_number{number};
    auto batch = std::make_shared<record_batch>();
    batch->add(minute(0), std::nullopt, std::to_string(number));
    e->appends.push_back({{"out", partition{0}}, batch});
    e->moves.push_back({{"shop", "sums", generation{1}, partition{task}, "in"},
                        {offset{static_cast<std::int64_t>(number)},
                         encode_metadata({epoch_number{number}, std::nullopt, false})}});
    return e;
  }
  offset in_log() { return must(memory->bounds({"out", partition{0}})).latest; }
  void next_commit(commit_fault fault) {
    memory->set_commit_fault([fault, once = std::make_shared<bool>(true)](const log_transaction&) {
      return std::exchange(*once, false) ? fault : commit_fault::none;
    });
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(epochs_in_doubt_are_not_committed_again_before_the_log_has_told) {
  for (const bool writer : {true, false}) {
    for (const auto fault : {commit_fault::indefinite_applied, commit_fault::indefinite_lost}) {
      lane_on_a_log l;
      const auto first = l.epoch(1);
      const auto second = l.epoch(1, 1);  // of another task, closed meanwhile
      l.next_commit(fault);
      (writer ? l.log->writers_refused : l.log->positions_refused) = 2;
      const std::vector<epoch_ptr> one{first};
      const std::vector<epoch_ptr> both{first, second};
      for (const auto& epochs : {one, both}) {
        const auto failed = l.lane.commit(epochs);
        BOOST_REQUIRE(refused(failed, errc::unavailable, {"not now"}));
        BOOST_TEST(failed.error().retriable);
      }
      auto bases = l.lane.commit(both);
      if (!bases && bases.error().retriable) bases = l.lane.commit(both);
      BOOST_REQUIRE(bases);
      BOOST_TEST(bases->size() == 2u);
      BOOST_TEST((l.in_log() == offset{2}));  // once each
    }
  }
}

BOOST_AUTO_TEST_CASE(what_was_found_committed_is_answered_also_when_the_rest_fails) {
  lane_on_a_log l;
  const auto first = l.epoch(1);
  const std::vector<epoch_ptr> one{first};
  const std::vector<epoch_ptr> both{first, l.epoch(1, 1)};
  l.next_commit(commit_fault::indefinite_applied);
  l.log->writers_refused = 1;
  BOOST_TEST(!l.lane.commit(one));
  l.next_commit(commit_fault::indefinite_lost);  // of the second
  BOOST_TEST(!l.lane.commit(both));
  BOOST_TEST((l.in_log() == offset{1}));
  const auto bases = l.lane.commit(both);
  BOOST_REQUIRE(bases);
  BOOST_TEST(bases->size() == 2u);
  BOOST_TEST((l.in_log() == offset{2}));
}

BOOST_AUTO_TEST_CASE(records_in_the_epochs_topic_are_found_over_unused_offsets) {
  lane_on_a_log l;
  topic_config c;
  c.name = "epochs";
  c.owner = "shop";
  must(l.memory->create_topic(c));
  std::vector<epoch_ptr> both;
  for (const std::uint64_t number : {1, 2}) {
    auto e = std::make_shared<closed_epoch>(*l.epoch(number));
    e->own_appends.push_back(e->appends.size());
    e->appends.push_back({{"epochs", partition{0}}, e->appends.front().records});
    both.push_back(std::move(e));
  }
  l.next_commit(commit_fault::indefinite_applied);
  l.log->writers_refused = 1;
  BOOST_TEST(!l.lane.commit(both));
  l.memory->skip_offsets({"epochs", partition{0}}, 3);  // as a transaction's own marker
  const auto bases = l.lane.commit(both);
  BOOST_REQUIRE(bases);
  BOOST_TEST((bases->at(0).at(1) == offset{0}));
  BOOST_TEST((bases->at(1).at(1) == offset{1}));
}

BOOST_AUTO_TEST_CASE(a_task_that_another_process_went_on_with_tells_nothing_of_a_commit_in_doubt) {
  for (const auto fault : {commit_fault::indefinite_applied, commit_fault::indefinite_lost}) {
    for (const bool all_moved : {false, true}) {
      lane_on_a_log l;
      const std::vector<epoch_ptr> both{l.epoch(1), l.epoch(1, 1)};
      l.next_commit(fault);
      l.log->writers_refused = 1;
      BOOST_TEST(!l.lane.commit(both));
      l.log->moved = all_moved ? std::set{partition{0}, partition{1}} : std::set{partition{1}};
      const auto before = l.in_log();
      const bool stands = fault == commit_fault::indefinite_applied && !all_moved;
      const auto found = l.lane.commit(both);
      BOOST_TEST(found.has_value() == stands);
      if (!found) BOOST_TEST(found.error().retriable);
      BOOST_TEST((l.in_log() == before));
      BOOST_TEST(!l.lane.in_doubt());
    }
  }
}

BOOST_AUTO_TEST_CASE(what_moves_no_position_goes_with_the_others_when_a_commit_is_in_doubt) {
  for (const auto fault : {commit_fault::indefinite_applied, commit_fault::indefinite_lost}) {
    for (const bool alone : {false, true}) {
      lane_on_a_log l;
      auto answers = std::make_shared<closed_epoch>(*l.epoch(1, 5));
      answers->moves.clear();
      std::vector<epoch_ptr> epochs{answers};
      if (!alone) epochs.push_back(l.epoch(1));
      l.next_commit(fault);
      auto done = l.lane.commit(epochs);
      if (!done) {
        BOOST_TEST(done.error().retriable);
        done = l.lane.commit(epochs);
      }
      BOOST_REQUIRE(done);
      BOOST_TEST(done->size() == epochs.size());
      // Alone it may be there twice: nothing tells that it was there already.
      const bool twice = alone && fault == commit_fault::indefinite_applied;
      BOOST_TEST((l.in_log() == offset{twice || !alone ? 2 : 1}));
    }
  }
}

BOOST_AUTO_TEST_CASE(an_owner_overtaken_while_in_doubt_does_not_take_the_app_back) {
  lane_on_a_log l;
  const std::vector<epoch_ptr> first{l.epoch(1)};
  l.next_commit(commit_fault::indefinite_lost);
  l.log->writers_refused = 1;
  BOOST_TEST(!l.lane.commit(first));
  {
    commit_lane other{l.log, {"shop", "other"}};
    l.memory->lose_lock("shop");
    must(other.open());
    BOOST_REQUIRE(other.commit(first));  // its own life of the same task, for what it matters
  }
  const std::vector<epoch_ptr> second{l.epoch(1)};
  const auto failed = l.lane.commit(second);
  BOOST_TEST(refused(failed, errc::fenced, {"another owner"}));
  BOOST_TEST(!failed.error().retriable);
  BOOST_TEST((l.in_log() == offset{1}));
}

BOOST_AUTO_TEST_SUITE_END()
