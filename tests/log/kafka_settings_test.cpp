#include "kappa/log/kafka_settings.hpp"

#include <sstream>

#include <boost/test/unit_test.hpp>

#include "kappa/log/open_log.hpp"
#include "support/refused.hpp"

namespace {

using namespace kappa;  // NOLINT: tests
using test::refused;

kafka_config_lines taken(const std::string& text) {
  std::istringstream in{text};
  auto lines = take_kafka_config_lines(in);
  BOOST_REQUIRE(lines);
  return std::move(*lines);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(settings_of_kafka)

BOOST_AUTO_TEST_CASE(a_variable_is_the_setting_with_dots_for_underscores) {
  const char* environment[] = {"HOME=/root",
                               "KAPPA_KAFKA_SASL_PASSWORD=a=b c",
                               "KAPPA_KAFKA_SSL_CA_LOCATION=/ca.pem",
                               "KAPPA_KAFKA_VERSION=3.9.1",  // the tests'
                               "KAPPA_HTTP_TOKEN=t",
                               nullptr};
  const kafka_settings wanted{{"sasl.password", "a=b c"}, {"ssl.ca.location", "/ca.pem"}};
  BOOST_TEST((kafka_settings_of_environment(environment) == wanted));
}

BOOST_AUTO_TEST_CASE(a_command_line_sets_what_is_no_secret) {
  kafka_settings s;
  BOOST_TEST(set_from_command_line(s, "client.id=a=b").has_value());
  BOOST_TEST(set_from_command_line(s, "kafka.linger.ms=2").has_value());
  BOOST_TEST(set_from_command_line(s, "client.rack=").has_value());
  const kafka_settings wanted{{"client.id", "a=b"}, {"linger.ms", "2"}, {"client.rack", ""}};
  BOOST_TEST((s == wanted));
  for (const auto* wrong : {"", "=v", "client.id"})
    BOOST_TEST(refused(set_from_command_line(s, wrong), errc::bad_config, {"NAME=VALUE"}));
}

BOOST_AUTO_TEST_CASE(a_secret_on_the_command_line_is_refused_by_name_and_not_shown) {
  for (const std::string name :
       {"sasl.password", "ssl.key.password", "ssl.keystore.password", "ssl.key.pem",
        "sasl.oauthbearer.client.secret", "sasl.oauthbearer.config",
        "sasl.oauthbearer.assertion.private.key.passphrase",
        "sasl.oauthbearer.assertion.private.key.pem"}) {
    BOOST_TEST_CONTEXT(name) {
      kafka_settings s;
      const auto r = set_from_command_line(s, name + "=hush");
      BOOST_TEST(refused(r, errc::bad_config, {name, "KAPPA_KAFKA_S", "kafka." + name}));
      BOOST_TEST(r.error().text().find("hush") == std::string::npos);
      BOOST_TEST(s.empty());
    }
  }
  for (const auto* open : {"sasl.username", "ssl.ca.location", "ssl.key.location", "client.id"})
    BOOST_TEST(!is_secret_kafka_setting(open));
}

BOOST_AUTO_TEST_CASE(the_lines_of_a_config_file_are_told_apart_and_keep_their_places) {
  const auto lines = taken(
      "log=kafka://h:1\n"
      "  kafka.sasl.password =  p#a\"s'=s \r\n"
      "# kafka.linger.ms=9\n"
      "kafka.client.id=\" a b \"\n"
      "state=s");
  const kafka_settings wanted{{"sasl.password", "p#a\"s'=s"}, {"client.id", " a b "}};
  BOOST_TEST((lines.settings == wanted));
  BOOST_TEST(lines.others == "log=kafka://h:1\n\n# kafka.linger.ms=9\n\nstate=s\n");
}

BOOST_AUTO_TEST_CASE(a_line_that_sets_nothing_or_again_is_refused_without_its_value) {
  std::istringstream nothing{"\nkafka.sasl.password hush\n"};
  const auto r = take_kafka_config_lines(nothing);
  BOOST_TEST(refused(r, errc::bad_config, {"line 2"}));
  BOOST_TEST(r.error().text().find("hush") == std::string::npos);
  std::istringstream twice{"kafka.client.id=a\nkafka.client.id=b\n"};
  BOOST_TEST(
      refused(take_kafka_config_lines(twice), errc::bad_config, {"kafka.client.id", "line 2"}));
}

BOOST_AUTO_TEST_CASE(what_comes_later_wins) {
  const kafka_settings wanted{{"a", "2"}, {"b", "1"}};
  BOOST_TEST((merged({{{"a", "1"}, {"b", "1"}}, {{"a", "2"}}}) == wanted));
}

BOOST_AUTO_TEST_CASE(a_password_in_the_address_is_refused_and_not_shown) {
  const auto r = open_log({.url = "kafka://alice:hush@127.0.0.1:1"});
  BOOST_TEST(refused(r, errc::bad_config, {}));
  BOOST_TEST(r.error().text().find("hush") == std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
