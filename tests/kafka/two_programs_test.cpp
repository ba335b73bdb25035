// Two applications by mistake under one name.
#include "kafka/totals_app_support.hpp"
#include "support/kafka_broker.hpp"

namespace {

using namespace kafka_test;

/// Has a stage of the same name as totals_app, which does something else.
app another_app(const std::string& name) {
  app a{name};
  a.stream<reading>(name + "-readings")
      .filter("small", [](const reading& r) { return r.value < 3; })
      .already_keyed(&reading::place)
      .fold<totals>("sum", [](totals& t, const reading& r) { t.add(r.value); })
      .to(name + "-sums");
  return a;
}

void second_is_refused_until_the_first_is_gone(const std::string& protocol) {
  const auto name = fresh_name();
  const temporary_folder folder;
  const auto log = log_on_kafka();
  make_input(*log, name);
  send(*log, name, 0, 200);
  const auto options_of = [&](const char* process) {
    auto o = options_on(kafka_url(), folder.path() / process);
    o.kafka_settings["group.protocol"] = protocol;
    return o;
  };
  host first{totals_app(name), options_of("first")};
  must(first.start());
  BOOST_TEST_REQUIRE(has_taken_in(*log, name, 200));

  const auto options = options_of("second");
  {
    host second{another_app(name), options};
    const auto started = second.start();
    BOOST_REQUIRE(!started);
    BOOST_TEST(name_of(started.error().code) == name_of(errc::refused_start));
    for (const auto* word : {"stage sum", "under the name", "a name of its own"})
      BOOST_TEST(started.error().text().find(word) != std::string::npos, started.error().text());
  }
  send(*log, name, 200, 100);
  BOOST_TEST_REQUIRE(has_taken_in(*log, name, 300));  // as if it had not been there
  check_counts(*log, name + "-sums");
  must(first.stop());

  // The first is a member until its session ends.
  host second{another_app(name), options};
  must(second.start());
  BOOST_TEST(eventually([&] { return running(second) == totals_partitions; }, 60s));
  must(second.stop());
}

BOOST_AUTO_TEST_SUITE(two_programs)

BOOST_AUTO_TEST_CASE(the_second_is_refused_until_the_first_is_gone) {
  second_is_refused_until_the_first_is_gone("classic");
}

BOOST_AUTO_TEST_CASE(by_the_brokers_own_protocol_too) {
  if (!kappa::testing::the_broker().has_own_protocol()) {
    BOOST_TEST_MESSAGE("brokers before 4.0 do not have it");
    return;
  }
  second_is_refused_until_the_first_is_gone("consumer");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
