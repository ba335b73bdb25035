// What aggregates publish, and reminders in event time, where a commit is a transaction of Kafka.
#include "aggregate/bank_app.hpp"
#include "kafka/asking_support.hpp"
#include "saga/alarms.hpp"

namespace effects_on_kafka_tests {

namespace {

using namespace kafka_test;
using alarms::report_reading;
using alarms::sensor;
using bank::deposit;

/// Tells others of its deposits.
struct telling_account : bank::account {
  using account::decide;
  auto decide(const deposit& c) const -> kappa::decision<bank::deposited> {
    return kappa::decision<bank::deposited>{bank::deposited{c.amount_cents}}.publish(
        "told-deposits", c);
  }
};

kappa::app telling_app() {
  kappa::app app{"telling"};
  app.aggregate<telling_account>("telling-accounts",
                                 {.publishes = {kappa::published<deposit>("told-deposits")}});
  return app;
}

std::vector<std::int64_t> told(event_log& log) {
  std::vector<std::int64_t> all;
  must(for_each_record(log, "told-deposits", [&](const record_view& r) -> result<void> {
    BOOST_TEST(r.key->starts_with("acc-"));
    all.push_back(must(codec<deposit>::decode(*r.value)).amount_cents);
    return {};
  }));
  std::sort(all.begin(), all.end());
  return all;
}

/// An app that is started again and again, each time without its states.
template <class App>
struct forgetful {
  explicit forgetful(App make) : make_{make} { again(); }
  void again() {
    if (service) must(service->stop());
    service.reset();
    std::filesystem::remove_all(folder.path() / "state");
    auto options = options_on(kafka_url(), folder.path() / "state");
    options.partitions = 1;
    service.emplace(make_(), options);
    must(service->start());
  }

  App make_;
  temporary_folder folder;
  std::optional<host> service;
};

BOOST_AUTO_TEST_SUITE(effects_on_kafka)

BOOST_AUTO_TEST_CASE(what_is_published_is_there_once_also_when_states_are_made_anew) {
  forgetful app{&telling_app};
  const auto log = log_on_kafka();
  std::vector<std::int64_t> expected;
  for (std::int64_t round = 0; round < 3; ++round) {
    for (std::int64_t i = 0; i < 20; ++i) {
      const auto name = fmt::format("acc-{}", i);
      if (round == 0) accepted_by<telling_account>(*app.service, name, bank::open{});
      const auto cents = 1 + 100 * round + i;
      const auto r = accepted_by<telling_account>(*app.service, name, deposit{cents});
      BOOST_TEST(r.version == 2U + static_cast<std::uint64_t>(round));
      expected.push_back(cents);
    }
    BOOST_TEST(told(*log) == expected, boost::test_tools::per_element());
    app.again();
  }
  BOOST_TEST(told(*log) == expected, boost::test_tools::per_element());
  must(app.service->stop());
}

BOOST_AUTO_TEST_CASE(a_reminder_in_event_time_comes_once_also_when_states_are_made_anew) {
  const timestamp long_ago{std::chrono::hours{24 * 365}};
  forgetful app{&alarms::alarms_app};
  const auto report = [&](const std::string& name, int minute) {
    accepted_by<sensor>(*app.service, name,
                        report_reading{long_ago + std::chrono::minutes{minute}, ""});
  };
  const auto quiet = [&](std::uint64_t version) {
    return must(app.service->query<sensor>("a", {.timeout = 60s, .at_least_version = version}))
        .value->state.quiet;
  };
  report("a", 0);
  app.again();
  report("b", 59);
  BOOST_TEST(quiet(1) == 0U);
  app.again();
  report("b", 60);
  BOOST_TEST(quiet(2) == 1U);
  app.again();
  report("b", 61);
  const auto now = must(app.service->query<sensor>("a", {.linearizable = true}));
  BOOST_TEST(now.value->version == 2U);
  must(app.service->stop());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace

}  // namespace effects_on_kafka_tests
