// Copies and starts that are refused, each with what to do about it.
#include <boost/test/unit_test.hpp>

#include "copy/copy_support.hpp"
#include "kappa/task/epoch.hpp"
#include "log/log_fixtures.hpp"

using namespace copy_test;

namespace {

std::shared_ptr<memory_log> played_log(const std::string& id = "old") {
  auto log = memory_log::create(id);
  manual_host h{shop(), partitions, log};
  h.open();
  play(h, 0, 6, false);
  return log;
}

void make(event_log& log, const std::string& name, std::int32_t n = partitions,
          const std::string& owner = {}) {
  topic_config c;
  c.name = name;
  c.partitions = n;
  c.owner = owner;
  must(log.create_topic(c));
}

void send(event_log& log, const std::string& topic, const std::string& value) {
  record_batch one;
  one.add(minute(0), "k", value);
  must(log.append({topic, partition{0}}, one));
}

void move(event_log& log, const position_key& key, committed_position to) {
  auto writer = must(log.open_writer({key.app, "by hand"}));
  must(writer->commit({{}, {{key, std::move(to)}}}));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(refused_copies)

BOOST_AUTO_TEST_CASE(a_running_app_is_refused_on_either_side) {
  const auto old = played_log();
  const auto there = memory_log::create("new");
  {
    const auto running = must(old->open_writer({"shop", "pid 4711"}));
    BOOST_TEST(refused(copy_log(*old, *there, {}), errc::owned, {"shop", "pid 4711", "stop it"}));
  }
  {
    const auto running = must(there->open_writer({"shop", "pid 4712"}));
    BOOST_TEST(refused(copy_log(*old, *there, {}), errc::owned, {"shop", "pid 4712", "stop it"}));
  }
  BOOST_TEST(must(there->topics()).empty());
  must(copy_log(*old, *there, {}));
}

BOOST_AUTO_TEST_CASE(no_app_starts_while_it_is_copied) {
  const auto old = played_log();
  const auto there = memory_log::create("new");
  int looked = 0;
  must(copy_log(*old, *there, {.progress = [&](const std::string&) {
    ++looked;
    for (auto* log : {old.get(), there.get()})
      BOOST_TEST(refused(log->open_writer({"shop", "x"}), errc::owned, {"kappa copy"}));
  }}));
  BOOST_TEST(looked > 0);
}

BOOST_AUTO_TEST_CASE(a_host_does_not_start_on_a_copy_that_is_not_complete) {
  const auto old = played_log();
  const auto there = memory_log::create("new");
  int commits = 0;
  there->set_commit_fault([&](const log_transaction&) {
    return ++commits == 3 ? commit_fault::abort : commit_fault::none;
  });
  BOOST_REQUIRE(!copy_log(*old, *there, {}));
  host_options o;
  o.shared_log = there;
  const log_contract::temporary_folder folder;
  o.state = folder.path() / "state";
  o.partitions = partitions;
  host h{shop(), o};
  BOOST_TEST(refused(h.start(), errc::refused_start, {"app shop", "memory", "kappa copy again"}));
  BOOST_TEST(!std::filesystem::exists(o.state));
}

BOOST_AUTO_TEST_CASE(what_is_not_complete_itself_is_not_copied_on) {
  const auto old = played_log();
  const auto there = memory_log::create("new");
  const auto further = memory_log::create("further");
  int commits = 0;
  there->set_commit_fault([&](const log_transaction&) {
    return ++commits == 3 ? commit_fault::abort : commit_fault::none;
  });
  BOOST_REQUIRE(!copy_log(*old, *there, {}));
  BOOST_TEST(refused(copy_log(*there, *further, {}), errc::refused_start,
                     {"app shop", "not complete", "kappa copy again"}));
  BOOST_TEST(must(further->topics()).empty());
  must(copy_log(*old, *there, {}));
  must(copy_log(*there, *further, {}));
}

BOOST_AUTO_TEST_CASE(a_topic_that_does_not_keep_records_as_they_are_given_is_refused) {
  const auto old = memory_log::create("old");
  make(*old, "in");
  send(*old, "in", "one");
  // As a topic of Kafka with LogAppendTime.
  class other_times final : public kappa::test::forwarding_log {
   public:
    using forwarding_log::forwarding_log;
    result<append_receipt> append(const topic_partition& where, const record_batch& records,
                                  const std::optional<producer_sequence>& sequence) override {
      record_batch others;
      records.for_each([&](const record_view& r) { others.add(minute(77), r.key, r.value); });
      return to().append(where, others, sequence);
    }
  } there{memory_log::create("new")};
  BOOST_TEST(refused(copy_log(*old, there, {}), errc::incompatible,
                     {"in[0]@0", "LogAppendTime", "another program"}));
}

BOOST_AUTO_TEST_CASE(a_record_of_another_writer_in_between_is_told) {
  const auto old = memory_log::create("old");
  make(*old, "in");
  send(*old, "in", "one");
  class written_by_others final : public kappa::test::forwarding_log {
   public:
    using forwarding_log::forwarding_log;
    result<append_receipt> append(const topic_partition& where, const record_batch& records,
                                  const std::optional<producer_sequence>& sequence) override {
      auto done = to().append(where, records, sequence);
      send(to(), where.topic, "of somebody else");
      return done;
    }
  } there{memory_log::create("new")};
  BOOST_TEST(
      refused(copy_log(*old, there, {}), errc::incompatible, {"in[0]@1", "another program"}));
}

BOOST_AUTO_TEST_CASE(one_log_is_not_copied_into_itself) {
  const auto log = played_log();
  BOOST_TEST(refused(copy_log(*log, *log, {}), errc::invalid_argument, {"the same log"}));
}

BOOST_AUTO_TEST_CASE(what_the_new_log_has_of_others_is_left_alone) {
  const auto old = played_log();
  {  // another record, one too many, other partitions, another owner
    const auto there = memory_log::create("new");
    make(*there, "in");
    send(*there, "in", "of somebody else");
    BOOST_TEST(refused(copy_log(*old, *there, {}), errc::already_exists,
                       {"in[0]@0", "not from this copy"}));
  }
  {
    const auto from = memory_log::create("from");
    const auto there = memory_log::create("new");
    for (auto* log : {from.get(), there.get()}) {
      make(*log, "in");
      send(*log, "in", "one");
    }
    send(*there, "in", "two");
    BOOST_TEST(
        refused(copy_log(*from, *there, {}), errc::already_exists, {"in[0]@1", "more records"}));
  }
  {
    const auto there = memory_log::create("new");
    make(*there, "in", 5);
    BOOST_TEST(
        refused(copy_log(*old, *there, {}), errc::already_exists, {"in", "partitions is 5"}));
  }
  {
    const auto there = memory_log::create("new");
    make(*there, "out", partitions, "bakery");
    BOOST_TEST(refused(copy_log(*old, *there, {}), errc::already_exists, {"out", "bakery"}));
  }
}

BOOST_AUTO_TEST_CASE(an_app_that_has_run_in_the_new_log_is_refused) {
  const auto old = played_log();
  const auto there = played_log("new");
  BOOST_TEST(refused(copy_log(*old, *there, {}), errc::already_exists,
                     {"app shop", "not from a copy", "never run"}));
}

BOOST_AUTO_TEST_CASE(a_copy_of_another_log_is_not_gone_on_with) {
  const auto there = memory_log::create("new");
  must(copy_log(*played_log("first"), *there, {}));
  BOOST_TEST(refused(copy_log(*played_log("second"), *there, {}), errc::already_exists,
                     {"app shop", "another log", "first"}));
}

BOOST_AUTO_TEST_CASE(a_complete_copy_is_left_as_it_is_also_when_the_app_has_gone_on) {
  const auto old = played_log();
  const auto there = memory_log::create("new");
  must(copy_log(*old, *there, {}));
  {
    manual_host h{shop(), partitions, there};
    h.open();
    play(h, 6, 12, false);
  }
  const auto before = look_of(*there, "shop");
  const auto again = must(copy_log(*old, *there, {}));
  BOOST_TEST(again.complete == std::vector<std::string>{"shop"});
  BOOST_TEST(again.moved.empty());
  BOOST_TEST(again.records == 0U);
  BOOST_TEST(look_of(*there, "shop") == before, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(an_app_moves_whole_or_not_at_all) {
  const auto old = played_log();
  const auto there = memory_log::create("new");
  BOOST_TEST(refused(copy_log(*old, *there, {.topics = {"out"}}), errc::invalid_argument,
                     {"app shop", "move together", "shop.sums.g1.epochs", "--app shop"}));
  BOOST_TEST(refused(copy_log(*old, *there, {.topics = {"inn"}}), errc::not_found,
                     {"inn", "did you mean in?"}));
  BOOST_TEST(refused(copy_log(*old, *there, {.app = "shopp"}), errc::not_found, {"app shopp"}));
  // A topic from outside alone: its records, and no positions.
  make(*old, "aside");
  send(*old, "aside", "x");
  const auto part = must(copy_log(*old, *there, {.topics = {"aside"}}));
  BOOST_TEST(part.records == 1U);
  BOOST_TEST(part.positions == 0U);
  BOOST_TEST(must(there->topics()).size() == 1U);
  const auto app = must(copy_log(*old, *there, {.app = "shop"}));
  BOOST_TEST(app.moved == std::vector<std::string>{"shop"});
  BOOST_TEST(app.positions > 0U);
}

BOOST_AUTO_TEST_CASE(an_app_whose_state_could_not_be_rebuilt_is_refused) {
  const auto old = played_log();
  old->truncate_before({"left", partition{1}}, offset{1});
  const auto there = memory_log::create("new");
  BOOST_TEST(refused(copy_log(*old, *there, {}), errc::refused_start,
                     {"shop.order.g1.epochs[1]", "left[1]", "began at 0", "begins at 1"}));
  BOOST_TEST(must(there->topics()).empty());
}

BOOST_AUTO_TEST_CASE(a_position_that_the_log_no_longer_has_is_refused) {
  const auto old = played_log();
  const auto key = [&] {
    manual_host h{shop(), partitions, old};
    return h.position_of("order");
  }();
  auto at = *must(old->position(key));
  at.next = offset{1000};
  auto other = *must(old->position({key.app, key.stage, key.generation, key.task, "right"}));
  {
    auto writer = must(old->open_writer({"shop", "by hand"}));
    must(writer->commit(
        {{}, {{key, at}, {{key.app, key.stage, key.generation, key.task, "right"}, other}}}));
  }
  BOOST_TEST(refused(copy_log(*old, *memory_log::create("new"), {}), errc::refused_start,
                     {"shop/order.g1[0]<-left", "at 1000"}));
}

BOOST_AUTO_TEST_CASE(a_replay_that_is_under_way_is_to_be_finished_first) {
  const auto old = played_log();
  const position_key admin{"shop", "kappa.admin", generation{1}, partition{0}, "shop.admin"};
  make(*old, "shop.admin", 1);
  move(*old, admin, {offset{0}, encode_metadata({epoch_number{1}, bytes("\1\1\0\0\0", 5), false})});
  const auto there = memory_log::create("new");
  BOOST_TEST(refused(copy_log(*old, *there, {}), errc::refused_start, {"app shop", "a replay"}));
  move(*old, admin, {offset{0}, encode_metadata({epoch_number{2}, bytes("\1\0\0\0\0", 5), false})});
  must(copy_log(*old, *there, {}));
  BOOST_TEST((*must(there->position(admin)) == *must(old->position(admin))));
}

BOOST_AUTO_TEST_CASE(a_topic_that_grows_meanwhile_is_told_and_the_next_call_takes_the_rest) {
  const auto old = played_log();
  const auto there = memory_log::create("new");
  bool sent = false;
  const copy_options while_written{.progress = [&](const std::string&) {
    if (!std::exchange(sent, true)) send(*old, "right", "late");
  }};
  BOOST_TEST(refused(copy_log(*old, *there, while_written), errc::refused_start,
                     {"right[0]", "has grown", "run the same again"}));
  BOOST_TEST(!check_copy_complete(*there, "shop"));
  const auto again = must(copy_log(*old, *there, {}));
  BOOST_TEST(again.records == 1U);
  must(check_copy_complete(*there, "shop"));
}

BOOST_AUTO_TEST_SUITE_END()
