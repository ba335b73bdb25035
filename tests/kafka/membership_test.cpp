// Which tasks a process is given, and that each task has an owner.
#include <condition_variable>
#include <mutex>
#include <set>

#include "kafka/client.hpp"
#include "kafka/instance.hpp"
#include "kafka/names.hpp"
#include "kappa/log/kafka_log.hpp"
#include "kappa/log/membership.hpp"
#include "log/log_fixtures.hpp"
#include "support/kafka_broker.hpp"

namespace {

using namespace log_contract;
using namespace std::chrono_literals;

constexpr std::int32_t tasks = 4;

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
  void given(const task_place&) override { all_.add(1); }
  void taken(const task_place&, bool, std::function<void()> done) override {
    all_.add(-1);
    done();
  }
  void failed(const error& e) override { BOOST_ERROR(e.text()); }

 private:
  ownership& all_;
  std::shared_ptr<event_log> log_;
  std::unique_ptr<membership> membership_;
};

/// A process under a static name that is killed when a rebalance wants tasks of it.
class killed_in_between {
 public:
  killed_in_between(const kafka_log_options& options, const stage_tasks& stage) {
    const auto group = kafka::group_of(stage.app, stage.stage, stage.generation);
    auto settings = must(kafka::config::create(options, "test"));
    for (const auto& [name, value] : std::map<std::string, std::string>{
             {"group.id", group},
             {"group.instance.id", must(kafka::instance::open(options.instance_folder)).id()},
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
  /// Until it has all tasks, or (`taken`) until some shall go.
  void serve(bool taken) {
    const kafka::queue events{rd_kafka_queue_get_consumer(consumer_)};
    const auto until = std::chrono::steady_clock::now() + 90s;
    while (std::chrono::steady_clock::now() < until) {
      const kafka::event e{rd_kafka_queue_poll(events.get(), 100)};
      if (!e || rd_kafka_event_type(e.get()) != RD_KAFKA_EVENT_REBALANCE) continue;
      auto* const list = rd_kafka_event_topic_partition_list(e.get());
      if (rd_kafka_event_error(e.get()) == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        const kafka::fault f{rd_kafka_incremental_assign(consumer_, list)};
        BOOST_REQUIRE(!f);
        if (!taken && list->cnt == tasks) return;
      } else if (taken) {
        BOOST_TEST(list->cnt > 0);
        return;
      }
    }
    BOOST_FAIL("the rebalance did not come");
  }
  ~killed_in_between() { rd_kafka_destroy_flags(consumer_, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE); }

 private:
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
  const stage_tasks stage{"between-rounds", "count", generation{1}, tasks};
  must(must(open_kafka_log(options))->make_room(stage));

  ownership all;
  auto first = std::make_optional<killed_in_between>(killed, stage);
  first->serve(false);
  process other{options, stage, all};
  first->serve(true);
  first.reset();
  process back{killed, stage, all};
  BOOST_TEST(all.wait_for(tasks), "some tasks have no owner");
}
