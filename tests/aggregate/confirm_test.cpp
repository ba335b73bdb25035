// Linearizable queries: that no other process had the task is asked of the log, after the question.
#include <boost/test/unit_test.hpp>

#include "aggregate/one_partition.hpp"

namespace confirm_tests {

namespace {

using namespace aggregate_tests;

struct open_partition : one_partition {
  open_partition() {
    must(open());
    turn();
  }
};

using told = std::shared_ptr<std::optional<result<void>>>;

told confirm(runnable_task& t) {
  auto slot = std::make_shared<std::optional<result<void>>>();
  t.confirm([slot](result<void> how) { slot->emplace(std::move(how)); });
  return slot;
}

BOOST_AUTO_TEST_SUITE(confirming)

BOOST_AUTO_TEST_CASE(a_position_alone_is_committed_and_those_that_ask_at_once_share_it) {
  open_partition p;
  p.accepted("acc-1", do_open, bank::open{});
  const auto behind_the_event = confirm(*p.task);  // the position in the events lags by one commit
  p.turn();
  BOOST_TEST(behind_the_event->has_value());
  const auto first = confirm(*p.task);
  const auto second = confirm(*p.task);
  BOOST_REQUIRE(p.task->should_close(p.now));
  const auto e = p.close();
  BOOST_REQUIRE(e);
  BOOST_TEST(e->appends.empty());
  BOOST_REQUIRE(!e->moves.empty());
  const auto before = must(p.log->position(e->moves.at(0).key));
  BOOST_TEST(!first->has_value());
  must(p.commit(e));
  BOOST_REQUIRE(first->has_value());
  BOOST_TEST((*first)->has_value());
  BOOST_REQUIRE(second->has_value());
  BOOST_TEST((*second)->has_value());
  const auto after = must(p.log->position(e->moves.at(0).key));
  BOOST_TEST((after->next == before->next));
  BOOST_TEST(decode_metadata(after->metadata).value().epoch.value >
             decode_metadata(before->metadata).value().epoch.value);
  BOOST_TEST(p.accepted("acc-1", do_deposit, deposit{5}).version == 2U);
}

BOOST_AUTO_TEST_CASE(a_commit_that_was_under_way_before_the_question_does_not_answer_it) {
  open_partition p;
  p.accepted("acc-1", do_open, bank::open{});
  const auto deposited = p.ask("acc-1", do_deposit, deposit{5});
  p.run();
  const auto under_way = p.close();
  BOOST_REQUIRE(under_way);
  const auto asked = confirm(*p.task);
  must(p.commit(under_way));
  BOOST_REQUIRE(deposited->has_value());
  BOOST_TEST(!asked->has_value());
  const auto own = p.close();
  BOOST_REQUIRE(own);
  must(p.commit(own));
  BOOST_REQUIRE(asked->has_value());
  BOOST_TEST((*asked)->has_value());
}

BOOST_AUTO_TEST_CASE(it_goes_with_commands_that_are_to_be_committed_anyhow) {
  open_partition p;
  p.accepted("acc-1", do_open, bank::open{});
  const auto deposited = p.ask("acc-1", do_deposit, deposit{5});
  p.run();
  const auto asked = confirm(*p.task);
  const auto e = p.close();
  BOOST_REQUIRE(e);
  BOOST_TEST(e->appends.size() == 1U);
  must(p.commit(e));
  BOOST_REQUIRE(asked->has_value());
  BOOST_TEST((*asked)->has_value());
  BOOST_TEST(p.balance("acc-1") == 5);
}

// As when another process has the task: the log refuses the commit until the task is dropped.
BOOST_AUTO_TEST_CASE(a_task_that_ends_before_its_commit_answers_with_an_error) {
  open_partition p;
  p.accepted("acc-1", do_open, bank::open{});
  const auto in_flight = confirm(*p.task);
  BOOST_REQUIRE(p.close());
  const auto waiting = confirm(*p.task);
  p.crash();
  for (const auto& asked : {in_flight, waiting}) {
    BOOST_REQUIRE(asked->has_value());
    BOOST_TEST(refused(**asked, errc::unavailable, {"stopped"}));
    BOOST_TEST((*asked)->error().retriable);
  }
}

BOOST_AUTO_TEST_CASE(a_task_that_replays_is_not_asked) {
  one_partition p;
  must(p.open());
  p.turn();
  p.accepted("acc-1", do_open, bank::open{});
  p.crash();
  must(p.open());
  const auto asked = confirm(*p.task);
  BOOST_REQUIRE(asked->has_value());
  BOOST_TEST(refused(**asked, errc::unavailable, {"replaying"}));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace

}  // namespace confirm_tests
