// Several writers of one process: transactions that go on beside each other.
#include <condition_variable>
#include <mutex>

#include "kafka/admin.hpp"
#include "kafka/instance.hpp"
#include "kafka/raw_transaction_support.hpp"
#include "kafka/totals_app_support.hpp"
#include "support/kafka_broker.hpp"
#include "support/observed_failpoints.hpp"

namespace {

using namespace kafka_test;

/// Keeps the thread that commits next in its commit, until it is let go of.
class held_commit {
 public:
  void hold_next() {
    const std::lock_guard lock{mutex_};
    armed_ = true;
  }
  bool caught() {
    const std::lock_guard lock{mutex_};
    return caught_;
  }
  void let_go() {
    {
      const std::lock_guard lock{mutex_};
      gone_ = true;
    }
    changed_.notify_all();
  }

 private:
  void passes(std::string_view at) {
    if (at != "kafka.before_commit") return;
    std::unique_lock lock{mutex_};
    if (!armed_ || std::exchange(caught_, true)) return;
    changed_.wait(lock, [&] { return gone_; });
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool armed_ = false;
  bool caught_ = false;
  bool gone_ = false;
  const kappa::testing::observed_failpoints observed_{[this](std::string_view at) { passes(at); }};
};

std::vector<offset> committed_ends(event_log& log, const std::string& topic) {
  std::vector<offset> all;
  for (std::int32_t p = 0; p < totals_partitions; ++p)
    all.push_back(must(log.bounds({topic, partition{p}})).latest);
  return all;
}

BOOST_AUTO_TEST_SUITE(lanes_on_kafka)

BOOST_AUTO_TEST_CASE(a_commit_that_takes_long_holds_up_the_tasks_of_its_lane_only) {
  const auto name = fresh_name();
  const temporary_folder folder;
  const auto log = log_on_kafka();
  make_input(*log, name);
  auto options = options_on(kafka_url(), folder.path());
  options.session_timeout = 60s;  // and so that of the transaction that is held up
  options.lanes = totals_partitions;
  held_commit held;
  host h{totals_app(name), options};
  const struct last_word {  // what fails here must not leave the host's thread waiting
    held_commit& of;
    ~last_word() { of.let_go(); }
  } at_the_end{held};
  must(h.start());
  BOOST_TEST_REQUIRE(eventually([&] { return running(h) == h.status().size(); }));
  held.hold_next();
  send(*log, name, 0, 200);
  BOOST_TEST_REQUIRE(eventually([&] { return held.caught(); }));
  const auto before = committed_ends(*log, name + "-sums");
  send(*log, name, 200, 200);
  BOOST_TEST(eventually([&] {
    const auto now = committed_ends(*log, name + "-sums");
    int grown = 0;
    for (std::size_t p = 0; p < now.size(); ++p) grown += now[p] > before[p] ? 1 : 0;
    return grown == totals_partitions - 1;
  }));
  held.let_go();
  BOOST_TEST_REQUIRE(has_taken_in(*log, name, 400));
  must(h.stop());
  check_counts(*log, name + "-sums");
  check_counts(*log, name + "-letters");
}

// A process that comes back with fewer processors: nobody else ends what a lane has left open that
// it does not have any more.
BOOST_AUTO_TEST_CASE(what_a_lane_left_open_is_ended_also_when_there_are_fewer_of_them_now) {
  const temporary_folder folder;
  kafka_log_options options;
  options.brokers = kappa::testing::the_broker().bootstrap();
  options.instance_folder = folder.path() / "instance";
  const auto name = fresh_name();
  const auto log = must(open_kafka_log(options));
  topic_config c;
  c.name = name;
  c.owner = name;
  must(log->create_topic(c));
  {
    const auto first = must(log->open_writer({name, "two lanes", {}, 0, 2}));
    const auto second = must(log->open_writer({name, "two lanes", {}, 1, 2}));
    log_transaction tx;
    tx.appends.push_back({{name, partition{0}}, log_contract::batch_of({"committed"})});
    must(second->commit(tx));
  }
  const auto instance = must(kafka::instance::open(options.instance_folder)).id();
  {
    raw_transaction dies{options, name + "." + instance + ".1", 60s};
    dies.append(name, "open");
  }
  const auto client = must(kafka::open_admin_client(options));
  kafka::admin ask{*client};
  const std::vector<topic_partition> where{{name, partition{0}}};
  const auto is_settled = [&] {
    const auto ends = must(ask.ends(where)).front();
    return ends.settled == ends.written;
  };
  BOOST_TEST(!is_settled());
  const auto alone = must(log->open_writer({name, "one lane", {}, 0, 1}));
  BOOST_TEST(is_settled());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
