// Which tasks a process is given, and that each task has an owner.
#include <condition_variable>
#include <future>
#include <mutex>
#include <set>

#include "kafka/client.hpp"
#include "kafka/group_member.hpp"
#include "kafka/instance.hpp"
#include "kafka/names.hpp"
#include "kappa/log/kafka_log.hpp"
#include "kappa/log/membership.hpp"
#include "log/log_fixtures.hpp"
#include "support/kafka_broker.hpp"

namespace {

using namespace log_contract;
using namespace std::chrono_literals;

constexpr std::int32_t task_count = 4;

/// The tasks that all listeners together have.
class ownership {
 public:
  void add(std::int32_t n) {
    const std::lock_guard lock{mutex_};
    count_ += n;
    changed_.notify_all();
  }
  bool wait_for(std::int32_t count) {
    std::unique_lock lock{mutex_};
    return changed_.wait_for(lock, 90s, [&] { return count_ == count; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::int32_t count_ = 0;
};

/// A process; gives up at once what is taken from it.
class process final : public placement_listener {
 public:
  process(const kafka_log_options& options, const stage_tasks& stage, ownership& all)
      : all_{all}, log_{must(open_kafka_log(options))} {
    must(log_->make_room(stage));
    membership_ = must(log_->join({stage}, "a test", *this));
  }
  event_log& log() { return *log_; }
  void leave() { membership_.reset(); }
  void given(const task_place&) override { all_.add(1); }
  void taken(const task_place&, bool, std::function<void()> done) override {
    all_.add(-1);
    done();
  }
  void failed(const error& e) override {
    const std::lock_guard lock{mutex_};
    failure_ = e.text();
    failed_.notify_all();
  }
  /// Empty: it has not failed in that time.
  std::string failure_within(std::chrono::seconds limit) {
    std::unique_lock lock{mutex_};
    (void)failed_.wait_for(lock, limit, [&] { return !failure_.empty(); });
    return failure_;
  }

 private:
  ownership& all_;
  std::mutex mutex_;
  std::condition_variable failed_;
  std::string failure_;
  std::shared_ptr<event_log> log_;
  std::unique_ptr<membership> membership_;
};

/// A member under a static name, which goes as one that is killed.
class bare_member {
 public:
  bare_member(const kafka_log_options& options, const stage_tasks& stage) {
    const auto group = kafka::group_of(stage.app, stage.stage, stage.generation);
    auto settings = must(kafka::config::create(options, "test"));
    for (const auto& [name, value] : std::map<std::string, std::string>{
             {"group.id", group},
             {"group.instance.id",
              kafka::member_name(must(kafka::instance::open(options.instance_folder)).id(),
                                 stage.fingerprint)},
             {"partition.assignment.strategy", "cooperative-sticky"},
             {"session.timeout.ms", std::to_string(options.session_timeout.count())},
             {"max.poll.interval.ms", std::to_string(options.session_timeout.count())},
             {"heartbeat.interval.ms", "500"}}) {
      must(settings.set(name, value));
    }
    rd_kafka_conf_set_events(settings.get(), RD_KAFKA_EVENT_REBALANCE | RD_KAFKA_EVENT_ERROR);
    consumer_ = rd_kafka_new(RD_KAFKA_CONSUMER, settings.release(), nullptr, 0);
    BOOST_REQUIRE(consumer_ != nullptr);
    rd_kafka_poll_set_consumer(consumer_);
    const kafka::partition_list topics{rd_kafka_topic_partition_list_new(1)};
    rd_kafka_topic_partition_list_add(
        topics.get(), kafka::tasks_topic(stage.app, stage.stage, stage.generation).c_str(),
        RD_KAFKA_PARTITION_UA);
    BOOST_REQUIRE(rd_kafka_subscribe(consumer_, topics.get()) == 0);
  }
  /// Until it was given so many tasks in all.
  void be_given(std::int32_t count) {
    until([&](rd_kafka_resp_err_t what, rd_kafka_topic_partition_list_t* list) {
      if (what != RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) return false;
      const kafka::fault f{rd_kafka_incremental_assign(consumer_, list)};
      BOOST_REQUIRE(!f);
      count -= list->cnt;
      return count <= 0;
    });
  }
  /// Until some shall go, which it does not answer any more.
  void be_asked_for_some() {
    until([](rd_kafka_resp_err_t what, rd_kafka_topic_partition_list_t* list) {
      return what != RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS && list->cnt > 0;
    });
  }
  ~bare_member() { rd_kafka_destroy_flags(consumer_, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE); }

 private:
  template <class Done>
  void until(Done&& done) {
    const kafka::queue events{rd_kafka_queue_get_consumer(consumer_)};
    const auto end = std::chrono::steady_clock::now() + 90s;
    while (std::chrono::steady_clock::now() < end) {
      const kafka::event e{rd_kafka_queue_poll(events.get(), 100)};
      if (!e || rd_kafka_event_type(e.get()) != RD_KAFKA_EVENT_REBALANCE) continue;
      if (done(rd_kafka_event_error(e.get()), rd_kafka_event_topic_partition_list(e.get()))) return;
    }
    BOOST_FAIL("the rebalance did not come");
  }

  rd_kafka_t* consumer_ = nullptr;
};

}  // namespace

// What it gave up waits for the round that it would have called; under its static name it comes
// back to what it kept, without a round.
BOOST_AUTO_TEST_CASE(tasks_of_one_that_was_killed_between_two_rounds_find_an_owner) {
  temporary_folder folder;
  kafka_log_options options;
  options.brokers = kappa::testing::the_broker().bootstrap();
  options.session_timeout = 15min;  // its end would help
  auto killed = options;
  killed.instance_folder = folder.path() / "killed";
  options.instance_folder = folder.path() / "other";
  const stage_tasks stage{"between-rounds", "count", generation{1}, task_count};
  must(must(open_kafka_log(options))->make_room(stage));

  ownership all;
  auto first = std::make_optional<bare_member>(killed, stage);
  first->be_given(task_count);
  process other{options, stage, all};
  first->be_asked_for_some();
  first.reset();
  process back{killed, stage, all};
  BOOST_TEST(all.wait_for(task_count), "some tasks have no owner");
  for (auto* p : {&other, &back}) BOOST_TEST(p->failure_within(0s) == "");
}

// Else a process whose last commit is in doubt would take that of a copy for it.
BOOST_AUTO_TEST_CASE(what_a_process_on_a_copied_folder_has_committed_is_not_the_other_s) {
  temporary_folder folder;
  kafka_log_options options;
  options.brokers = kappa::testing::the_broker().bootstrap();
  options.session_timeout = 6s;
  auto of_copy = options;
  options.instance_folder = folder.path() / "original";
  of_copy.instance_folder = folder.path() / "copy";
  const stage_tasks stage{"copied", "count", generation{1}, 1};
  const auto key = key_of(stage.app, stage.stage, "in");
  const auto commit = [&](process& p) {
    auto w = must(p.log().open_writer({stage.app, "a test", {}, 0, 1}));
    log_transaction tx;
    tx.moves = {{key, {offset{1}, {}}}};
    must(w->commit(tx));
    return w;
  };
  ownership all;
  process original{options, stage, all};
  BOOST_TEST_REQUIRE(all.wait_for(1));
  const auto of_original = commit(original);
  BOOST_TEST(must(of_original->moved_last(key)));
  original.leave();  // else they fence each other
  std::filesystem::copy(options.instance_folder, of_copy.instance_folder);
  ownership all_of_copy;
  process copy{of_copy, stage, all_of_copy};
  BOOST_TEST_REQUIRE(all_of_copy.wait_for(1));
  const auto of_the_copy = commit(copy);
  BOOST_TEST(must(of_the_copy->moved_last(key)));
  BOOST_TEST(!must(of_original->moved_last(key)));
}

// A client that is closing does not always answer questions: whoever asks then waits for ever.
BOOST_AUTO_TEST_CASE(a_member_that_leaves_while_it_is_given_tasks_has_left) {
  class nobody final : public placement_listener {
    void given(const task_place&) override { BOOST_ERROR("it was leaving"); }
    void taken(const task_place&, bool, std::function<void()>) override {}
    void failed(const error& e) override { BOOST_ERROR(e.text()); }
  };
  kafka_log_options options;
  options.brokers = kappa::testing::the_broker().bootstrap();
  options.session_timeout = 6s;
  const stage_tasks stage{"leaves-at-once", "count", generation{1}, task_count};
  must(must(open_kafka_log(options))->make_room(stage));
  for (int i = 0; i < 20; ++i) {
    nobody listener;
    kafka::group_registry registry{[] {}};
    std::promise<void> given;
    std::once_flag once;
    auto member = must(kafka::group_member::join(
        options, "id", fmt::format("round {}", i), stage, listener, registry,
        [&] { std::call_once(once, [&] { given.set_value(); }); }));
    BOOST_TEST_REQUIRE((given.get_future().wait_for(60s) == std::future_status::ready));
    member->leave();
    while (!member->left()) member->serve();
  }
}

BOOST_AUTO_TEST_CASE(without_a_folder_a_process_may_open_its_writer_anew_and_no_other_may) {
  kafka_log_options options;
  options.brokers = kappa::testing::the_broker().bootstrap();
  options.session_timeout = 6s;
  const stage_tasks stage{"no-folder", "count", generation{1}, 1};
  const writer_options of_app{stage.app, "a test", {}, 0, 1};
  ownership all;
  process one{options, stage, all};
  BOOST_TEST_REQUIRE(all.wait_for(1));
  for (int i = 0; i < 2; ++i) must(one.log().open_writer(of_app));
  const auto other = must(open_kafka_log(options));
  must_fail(other->open_writer(of_app), errc::owned, "no-folder");
}

// Who starts at the same time as another program has not seen it at the start.
BOOST_AUTO_TEST_CASE(a_member_whose_group_gets_one_of_another_program_fails) {
  temporary_folder folder;
  kafka_log_options options;
  options.brokers = kappa::testing::the_broker().bootstrap();
  options.session_timeout = 6s;
  options.instance_folder = folder.path() / "one";
  stage_tasks stage{"mixed", "count", generation{1}, task_count, 0x17};
  ownership all;
  process one{options, stage, all};
  BOOST_TEST_REQUIRE(all.wait_for(task_count));
  stage.fingerprint = 0x18;
  options.session_timeout = 15min;
  options.instance_folder = folder.path() / "another";
  bare_member another{options, stage};
  another.be_given(task_count / 2);
  const auto failure = one.failure_within(90s);
  for (const auto* word : {"stage count", "fingerprint 0000000000000018", "under the name 'mixed'"})
    BOOST_TEST(failure.find(word) != std::string::npos, failure);
}
