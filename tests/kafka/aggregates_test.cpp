// Aggregates whose tasks Kafka gives to one process and takes to another.
#include "aggregate/bank.hpp"
#include "kafka/totals_app_support.hpp"

namespace aggregates_on_kafka_tests {

namespace {

using namespace kafka_test;
using bank::account;
using bank::deposit;

constexpr int accounts = 12;

app bank_app(const std::string& name) {
  app a{name};
  a.aggregate<account>(name + "-accounts");
  return a;
}

/// A process of it, but in this one.
struct teller {
  explicit teller(const std::string& name)
      : service{bank_app(name), options_on(kafka_url(), folder.path())} {
    must(service.start());
  }
  /// How often it is told that another one has the key is not the test's business.
  template <class C>
  std::optional<ask_result> ask(const std::string& key, const C& command) {
    auto answer = service.ask<account>(key, command);
    if (!answer && answer.error().failed() && answer.error().failed()->code == errc::elsewhere)
      return std::nullopt;
    return answer;
  }

  temporary_folder folder;
  host service;
};

/// Asks whoever has the key.
template <class C>
command_receipt accepted(const std::vector<teller*>& all, const std::string& key,
                         const C& command) {
  std::optional<ask_result> answer;
  BOOST_REQUIRE(eventually(
      [&] {
        for (auto* t : all) {
          answer = t->ask(key, command);
          if (answer) return true;
        }
        return false;
      },
      60s));
  if (!*answer) throw std::runtime_error{answer->error().text()};
  return **answer;
}

std::string account_name(int i) { return "acc-" + std::to_string(i); }

BOOST_AUTO_TEST_SUITE(aggregates_on_kafka)

BOOST_AUTO_TEST_CASE(accounts_move_with_their_tasks_and_nothing_of_them_is_lost) {
  const auto name = fresh_name();
  auto first = std::make_unique<teller>(name);
  for (int i = 0; i < accounts; ++i) {
    BOOST_TEST(accepted({first.get()}, account_name(i), bank::open{}).version == 1U);
    BOOST_TEST(accepted({first.get()}, account_name(i), deposit{100 + i}).version == 2U);
  }
  teller second{name};
  // Some of the keys go over to it.
  BOOST_REQUIRE(eventually(
      [&] {
        for (int i = 0; i < accounts; ++i) {
          if (second.service.query<account>(account_name(i))) return true;
        }
        return false;
      },
      60s));
  for (int i = 0; i < accounts; ++i) {
    BOOST_TEST(accepted({first.get(), &second}, account_name(i), deposit{1}).version == 3U);
  }
  must(first->service.stop());
  first.reset();
  for (int i = 0; i < accounts; ++i) {
    BOOST_TEST(accepted({&second}, account_name(i), deposit{1}).version == 4U);
    const auto found = must(second.service.query<account>(account_name(i)));
    BOOST_REQUIRE(found.value.has_value());
    BOOST_TEST(found.value->state.balance_cents == 102 + i);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace

}  // namespace aggregates_on_kafka_tests
