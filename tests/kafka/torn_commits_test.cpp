// A broker has told some partitions of a commit and not the others.
#include <algorithm>
#include <array>

#include "kafka/raw_transaction_support.hpp"
#include "kafka/seen_commit.hpp"
#include "kafka/settled_producer.hpp"
#include "kappa/log/kafka_log.hpp"
#include "log/log_fixtures.hpp"
#include "support/kafka_broker.hpp"

namespace {

using namespace log_contract;

/// A commit of one record and one offset, under a transactional id of its own.
class one_commit {
 public:
  one_commit(const kafka_log_options& options, event_log& log, const std::string& name)
      : options_{options}, log_{log}, name_{name}, group_{name + ".count.g1"} {
    topic_config c;
    c.name = name;
    c.owner = name;
    must(log.create_topic(c));
    must(log.make_room({name, "count", generation{1}, 1}));
  }
  void open() { under_way_ = std::make_unique<kafka_test::raw_transaction>(options_, name_); }
  void open_behind_another() {
    in_front_ = std::make_unique<kafka_test::raw_transaction>(options_, name_ + "/in front");
    open();
  }
  /// All of it but the end.
  void begin() {
    if (in_front_) {
      in_front_->append(name_, "in front");
      base_ = offset{1};
    }
    record_ = under_way_->append(name_, "the record");
    under_way_->move(offsets());
  }
  void die() {
    under_way_.reset();
    in_front_.reset();
  }
  bool hangs(kafka::admin& ask) const {
    const auto ends = must(ask.ends({tp(name_)}));
    const auto found = must(kafka::look_at_offsets(ask, offsets()));
    return ends.front().settled == offset{0} && found == kafka::fate_of_offsets::unsettled;
  }
  void tell_of_the_record() {
    kafka_test::raw_transaction next{options_, name_};
    next.append(name_, "another");
    next.commit();
  }
  void tell_of_the_offset(kafka::admin& ask) {
    kafka_test::raw_transaction next{options_, name_};
    next.move(kafka::touch(group_));
    next.commit();
    (void)must(ask.group_offsets(group_, {task()}));  // waits until it is told
  }
  /// As a completion does before it sends the record again.
  void abort_the_record() {
    kafka_test::raw_transaction next{options_, name_};
    next.append(name_, "another");
    next.abort();
  }
  void end_what_is_in_front() {
    kafka_test::raw_transaction next{options_, name_ + "/in front"};
    next.append(name_, "another");
    next.abort();
  }
  /// Whoever sent it finds out.
  void settle(kafka::admin& ask) {
    must(open_its_producer(ask));
    BOOST_TEST(doubts_.of(name_).empty());
  }
  void cannot_be_settled(kafka::admin& ask) {
    options_.transaction_timeout = std::chrono::seconds{1};
    must_fail(open_its_producer(ask), errc::unavailable, name_);
    BOOST_TEST(doubts_.of(name_).size() == 1);
  }
  /// What can be seen of it is true. The next commits find out about the rest.
  void settle_behind_another(kafka::admin& ask) {
    const auto producer = must(open_its_producer(ask));
    const auto commit_elsewhere = [&] {
      must(producer->send({{tp("elsewhere"), batch_of({"a"})}}, false));
      must(producer->finish({}));
    };
    commit_elsewhere();
    BOOST_TEST(doubts_.of(name_).size() == 1);
    end_what_is_in_front();
    commit_elsewhere();  // sees that it hangs
    commit_elsewhere();
    BOOST_TEST(doubts_.of(name_).empty());
  }
  bool offset_is_there(kafka::admin& ask) const {
    return must(kafka::look_at_offsets(ask, offsets())) == kafka::fate_of_offsets::came_true;
  }
  std::vector<std::string> values() const { return values_of(log_, tp(name_)); }

 private:
  result<std::unique_ptr<kafka::settled_producer>> open_its_producer(kafka::admin& ask) {
    if (doubts_.of(name_).empty()) {
      std::vector<kafka::group_commit> commits;
      commits.push_back(offsets());
      doubts_.add(name_, {{{tp(name_), record_}},
                          {base_},
                          std::make_shared<const decltype(commits)>(std::move(commits))});
    }
    return kafka::settled_producer::open({options_, ask, doubts_, log_}, name_,
                                         {{tp(name_)}, {{group_, {task()}}}});
  }
  topic_partition task() const { return {group_ + ".tasks", partition{0}}; }
  kafka::group_commit offsets() const { return kafka_test::moving(group_, task(), "of " + name_); }
  kafka_log_options options_;
  event_log& log_;
  kafka::doubtful_commits doubts_;
  std::string name_;
  std::string group_;
  std::unique_ptr<kafka_test::raw_transaction> under_way_;
  std::unique_ptr<kafka_test::raw_transaction> in_front_;  // in the topic, of another producer
  offset base_{0};
  std::shared_ptr<const record_batch> record_;
};

struct own_broker {
  kappa::testing::kafka_broker broker;
  kafka_log_options options = [this] {
    kafka_log_options o;
    o.brokers = broker.bootstrap();
    return o;
  }();
  const std::shared_ptr<event_log> log = must(open_kafka_log(options));
  const std::unique_ptr<kafka::client> client = must(kafka::open_admin_client(options));
  kafka::admin ask{*client};
};

}  // namespace

BOOST_AUTO_TEST_SUITE(unsettled_transactions)

// A restart leaves transactions open in about each second case (hanging_test.cpp). One that is open
// everywhere is then told of in part by the next one of its producer.
BOOST_FIXTURE_TEST_CASE(what_is_left_open_of_a_commit_that_came_true_in_part_comes_true,
                        own_broker) {
  constexpr int most_restarts = 12;
  topic_config elsewhere;
  elsewhere.name = "elsewhere";
  must(log->create_topic(elsewhere));
  bool torn_done = false;
  bool hidden_done = false;
  bool undecided_done = false;
  for (int restart = 0; !(torn_done && hidden_done && undecided_done); ++restart) {
    BOOST_TEST_REQUIRE(restart < most_restarts);
    one_commit record_told{options, *log, fmt::format("record-{}", restart)};
    one_commit offset_told{options, *log, fmt::format("offset-{}", restart)};
    one_commit record_gone{options, *log, fmt::format("gone-{}", restart)};
    one_commit none_told{options, *log, fmt::format("none-{}", restart)};
    one_commit hidden{options, *log, fmt::format("hidden-{}", restart)};
    one_commit undecided{options, *log, fmt::format("undecided-{}", restart)};
    const std::array all{&record_told, &offset_told, &record_gone, &none_told, &hidden, &undecided};
    for (auto* c : {&record_told, &offset_told, &record_gone, &none_told}) c->open();
    for (auto* c : {&hidden, &undecided}) c->open_behind_another();
    for (auto* c : all) c->begin();  // at once: each has a second until it times out
    broker.kill_node(1);
    for (auto* c : all) c->die();
    broker.start_node(1);
    broker.wait_usable();
    broker.wait_for_transactions();
    const auto hangs = [&](const auto* c) { return c->hangs(ask); };
    const bool torn = !torn_done && std::all_of(all.begin(), all.begin() + 4, hangs);
    const bool hides = !hidden_done && hangs(&hidden);
    const bool is_undecided = !undecided_done && hangs(&undecided);
    torn_done |= torn;
    hidden_done |= hides;
    undecided_done |= is_undecided;

    if (torn) {
      record_told.tell_of_the_record();
      BOOST_TEST(!record_told.offset_is_there(ask));
      record_told.settle(ask);
      BOOST_TEST(record_told.offset_is_there(ask));
      BOOST_TEST(record_told.values() == (std::vector<std::string>{"the record", "another"}),
                 boost::test_tools::per_element());

      offset_told.tell_of_the_offset(ask);
      BOOST_TEST(offset_told.offset_is_there(ask));
      BOOST_TEST(must(ask.settled_ends({tp("offset-" + std::to_string(restart))})).front() ==
                 offset{0});
      offset_told.settle(ask);
      BOOST_TEST(offset_told.offset_is_there(ask));
      BOOST_TEST(offset_told.values() == std::vector<std::string>{"the record"},
                 boost::test_tools::per_element());

      record_gone.tell_of_the_offset(ask);
      record_gone.abort_the_record();
      record_gone.settle(ask);
      BOOST_TEST(record_gone.offset_is_there(ask));
      BOOST_TEST(record_gone.values() == std::vector<std::string>{"the record"},
                 boost::test_tools::per_element());

      none_told.settle(ask);
      BOOST_TEST(!none_told.offset_is_there(ask));
      BOOST_TEST(none_told.values().empty());
    }

    if (hides) {
      hidden.tell_of_the_offset(ask);
      hidden.settle_behind_another(ask);
      BOOST_TEST(hidden.offset_is_there(ask));
      BOOST_TEST(hidden.values() == std::vector<std::string>{"the record"},
                 boost::test_tools::per_element());
    }

    if (is_undecided) {
      undecided.cannot_be_settled(ask);
      undecided.end_what_is_in_front();
      undecided.settle(ask);
      BOOST_TEST(!undecided.offset_is_there(ask));
      BOOST_TEST(undecided.values().empty());
    }
  }
}

// Whether it has come true cannot be seen, and is not waited for.
BOOST_FIXTURE_TEST_CASE(a_commit_behind_anothers_transaction_is_remembered_until_it_is_seen,
                        own_broker) {
  constexpr int most_commits = 100;
  for (const auto* name : {"free", "shared"}) {
    topic_config c;
    c.name = name;
    must(log->create_topic(c));
  }
  kafka::doubtful_commits doubts;
  const kafka::settled_producer::surroundings around{options, ask, doubts, *log};
  const auto ours = must(kafka::settled_producer::open(around, "ours", {}));
  const auto commit = [&] {
    must(ours->send({{tp("free"), batch_of({"a"})}, {tp("shared"), batch_of({"a"})}}, false));
    std::vector<kafka::group_commit> moved;
    moved.push_back(kafka_test::moving("g", {"shared", partition{0}}, "at"));
    must(ours->finish(std::move(moved)));
  };
  commit();
  BOOST_TEST(doubts.of("ours").empty());

  kafka_test::raw_transaction in_front{options, "another", std::chrono::seconds{60}};
  in_front.append("shared", "in front");
  commit();
  commit();
  const auto remembered = doubts.of("ours");
  BOOST_TEST_REQUIRE(remembered.size() == 2);
  for (const auto& [number, c] : remembered) {
    // What was seen of it is not looked for again: positions move on, retention takes records.
    BOOST_TEST_REQUIRE(c->appends.size() == 1);
    BOOST_TEST(c->appends.front().to.topic == "shared");
    BOOST_TEST(c->commits->empty());
    BOOST_TEST(c->answered);
  }

  in_front.commit();
  int commits = 0;
  while (!doubts.of("ours").empty() && commits < most_commits) {
    commit();
    ++commits;
  }
  BOOST_TEST(commits < most_commits);
}

BOOST_AUTO_TEST_SUITE_END()
