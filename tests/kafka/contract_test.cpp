#include "log/contract_records.hpp"
#include "log/contract_topics.hpp"
#include "log/contract_transactions.hpp"

#include <atomic>

#include "kafka/prefixed_log.hpp"
#include "kappa/log/kafka_log.hpp"
#include "log/log_fixtures.hpp"
#include "support/kafka_broker.hpp"

namespace {

using namespace log_contract;

/// On the brokers that all cases share, under names of its own.
class kafka_fixture final : public fixture {
 public:
  kafka_fixture() {
    static std::atomic<int> count = 0;
    prefix_ = "t" + std::to_string(++count) + "-";
    options_.brokers = kappa::testing::the_broker().bootstrap();
    options_.instance_folder = folder_.path() / "instance";
    reopen();
  }
  event_log& log() override { return *log_; }
  void reopen() override {
    log_.reset();
    log_ = std::make_unique<kappa::test::prefixed_log>(must(open_kafka_log(options_)), prefix_);
  }
  void lose_lock(const std::string& app) override {
    // The lock is on the file, not on its name.
    std::filesystem::remove(options_.instance_folder / (prefix_ + app + ".lock"));
  }
  std::int64_t commit_offsets() const override { return 1; }  // a marker

 private:
  temporary_folder folder_;
  std::string prefix_;
  kafka_log_options options_;
  std::unique_ptr<event_log> log_;
};

const bool kafka = add_suite("kafka", [] { return std::make_unique<kafka_fixture>(); });

}  // namespace
