// Aggregates whose tasks Kafka gives to one process and takes to another.
#include "aggregate/bank_app.hpp"
#include "kafka/asking_support.hpp"

namespace aggregates_on_kafka_tests {

namespace {

using namespace kafka_test;
using bank::account;
using bank::deposit;

constexpr int accounts = 12;

/// A process of it, but in this one.
struct teller {
  explicit teller(const std::string& name)
      : service{bank::bank_app(name, name + "-accounts"), options_on(kafka_url(), folder.path())} {
    must(service.start());
  }
  template <class C>
  command_receipt accepted(const std::string& key, const C& command) {
    return accepted_by<account>(service, key, command);
  }
  [[nodiscard]] bool has(const std::string& key) { return service.query<account>(key).has_value(); }

  temporary_folder folder;
  host service;
};

std::string account_name(int i) { return "acc-" + std::to_string(i); }

BOOST_AUTO_TEST_SUITE(aggregates_on_kafka)

BOOST_AUTO_TEST_CASE(accounts_move_with_their_tasks_and_whoever_is_asked_answers) {
  const auto name = fresh_name();
  auto first = std::make_unique<teller>(name);
  for (int i = 0; i < accounts; ++i) {
    BOOST_TEST(first->accepted(account_name(i), bank::open{}).version == 1U);
    BOOST_TEST(first->accepted(account_name(i), deposit{100 + i}).version == 2U);
  }
  teller second{name};
  // Some of the keys go over to it.
  const auto seconds_keys = [&] {
    int all = 0;
    for (int i = 0; i < accounts; ++i) all += second.has(account_name(i));
    return all;
  };
  BOOST_REQUIRE(eventually([&] { return seconds_keys() > 0; }, 60s));
  BOOST_TEST(seconds_keys() < accounts);
  // Each asks for all of them.
  for (int i = 0; i < accounts; ++i) {
    BOOST_TEST(first->accepted(account_name(i), deposit{1}).version == 3U);
    BOOST_TEST(second.accepted(account_name(i), deposit{1}).version == 4U);
  }
  must(first->service.stop());
  first.reset();
  for (int i = 0; i < accounts; ++i) {
    BOOST_TEST(second.accepted(account_name(i), deposit{1}).version == 5U);
    const auto found =
        must(second.service.query<account>(account_name(i), {.at_least_version = 5}));
    BOOST_REQUIRE(found.value.has_value());
    BOOST_TEST(found.value->state.balance_cents == 103 + i);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace

}  // namespace aggregates_on_kafka_tests
