// TLS, SASL and the brokers' permissions, through the log itself.
#include <chrono>
#include <map>
#include <mutex>

#include "actors/actors_support.hpp"
#include "kafka/raw_admin_support.hpp"
#include "kappa/actors/admin_client.hpp"
#include "kappa/kappa.hpp"
#include "kappa/log/for_each_record.hpp"
#include "kappa/log/kafka_log.hpp"
#include "log/log_fixtures.hpp"
#include "support/kafka_broker.hpp"

namespace {

using namespace log_contract;
using kappa::testing::kafka_broker;
using settings = std::map<std::string, std::string>;

// One for all cases, with permissions: "admin" and whoever has no name may do all.
kafka_broker& guarded_broker() {
  static kafka_broker broker{
      {.listeners = {"tls", "mtls", "sasl_plain", "sasl_scram", "sasl_ssl"}, .acls = true}};
  return broker;
}

void grant(const std::string& principal, const std::string& kind, const std::string& name,
           const std::vector<std::string>& operations) {
  kafka_test::raw_admin{guarded_broker().bootstrap()}.grant(principal, kind, name, operations);
}

std::string file(const char* name) { return guarded_broker().file(name).string(); }

// All that the log says while it is used.
class lines {
 public:
  log_sink sink() {
    return
        [this](log_level, std::string_view what, const std::initializer_list<log_field>& fields) {
          const std::lock_guard lock{mutex_};
          text_ += what;
          for (const auto& f : fields) text_ += " " + std::string{f.name} + "=" + f.value;
          text_ += '\n';
        };
  }
  std::string text() const {
    const std::lock_guard lock{mutex_};
    return text_;
  }

 private:
  mutable std::mutex mutex_;
  std::string text_;
};

result<std::shared_ptr<event_log>> open(const char* listener, settings with,
                                        lines* said = nullptr) {
  kafka_log_options options;
  options.brokers = guarded_broker().bootstrap(listener);
  options.settings = std::move(with);
  if (said != nullptr) options.log = said->sink();
  return open_kafka_log(options);
}

settings sasl(const char* protocol, const char* mechanism, const std::string& user,
              const std::string& password) {
  return {{"security.protocol", protocol},
          {"sasl.mechanism", mechanism},
          {"sasl.username", user},
          {"sasl.password", password}};
}

settings with_ca(settings s) {
  s["ssl.ca.location"] = file("ca");
  return s;
}

topic_config topic(const std::string& name, std::string owner = {}) {
  topic_config c;
  c.name = name;
  c.owner = std::move(owner);
  return c;
}

std::vector<std::string> values(event_log& log, const std::string& of) {
  std::vector<std::string> all;
  must(for_each_record(log, of, [&](const record_view& r) {
    all.emplace_back(r.value.value_or(""));
    return result<void>{};
  }));
  return all;
}

// Everything that an app and its neighbours do with a log.
void use(event_log& log, const std::string& name) {
  const auto app = "app-" + name;
  must(log.create_topic(topic(name + "-in")));
  must(log.create_topic(topic(name + "-out", app)));
  must(log.append(tp(name + "-in"), *batch_of({"a", "b"})));
  must(log.make_room({app, "stage", generation{1}, 1}));
  {
    const auto writer = must(log.open_writer({app, "a test"}));
    log_transaction tx;
    tx.appends = {{tp(name + "-out"), batch_of({"c"})}};
    tx.moves = {{{app, "stage", generation{1}, partition{0}, name + "-in"}, {offset{2}, {}}}};
    must(writer->commit(tx));
  }
  const std::vector<std::string> in{"a", "b"};
  const std::vector<std::string> out{"c"};
  BOOST_TEST(values(log, name + "-in") == in, boost::test_tools::per_element());
  BOOST_TEST(values(log, name + "-out") == out, boost::test_tools::per_element());
  BOOST_TEST(must(log.positions(app)).size() == 1U);
}

// Refused with these words, and not by a request that was waited for to its end.
void check_refused(const char* listener, const settings& with, errc code,
                   std::initializer_list<const char*> words) {
  lines said;
  const auto began = std::chrono::steady_clock::now();
  const auto log = open(listener, with, &said);
  BOOST_TEST((std::chrono::steady_clock::now() - began < std::chrono::seconds{25}));
  for (const auto* word : words) must_fail(log, code, word);
  for (const auto& [name, value] : with) {
    if (name != "sasl.password") continue;
    BOOST_TEST(said.text().find(value) == std::string::npos);
    BOOST_TEST(log.error().text().find(value) == std::string::npos);
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(security)

BOOST_AUTO_TEST_CASE(a_log_works_over_tls) {
  use(*must(open("tls", with_ca({{"security.protocol", "SSL"}}))), "tls");
}

BOOST_AUTO_TEST_CASE(a_log_works_over_tls_with_a_certificate_of_its_own) {
  for (const auto* kind : {"TOPIC", "GROUP", "TRANSACTIONAL_ID"})
    grant("User:CN=client", kind, "*", {"ALL"});
  const auto mutual = with_ca({{"security.protocol", "SSL"},
                               {"ssl.certificate.location", file("client_certificate")},
                               {"ssl.key.location", file("client_key")}});
  use(*must(open("mtls", mutual)), "mtls");
}

BOOST_AUTO_TEST_CASE(a_log_works_with_a_password_by_each_mechanism_with_and_without_tls) {
  use(*must(open("sasl_plain", sasl("SASL_PLAINTEXT", "PLAIN", "admin", "admin-secret"))), "plain");
  for (const auto* mechanism : {"SCRAM-SHA-256", "SCRAM-SHA-512"}) {
    use(*must(open("sasl_scram", sasl("SASL_PLAINTEXT", mechanism, "admin", "admin-secret"))),
        std::string{"scram-"} + (mechanism + 10));
  }
  for (const auto* mechanism : {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"}) {
    const auto with = with_ca(sasl("SASL_SSL", mechanism, "admin", "admin-secret"));
    use(*must(open("sasl_ssl", with)), std::string{"ssl-"} + mechanism);
  }
}

BOOST_AUTO_TEST_CASE(a_wrong_password_is_refused_soon_and_never_shown) {
  check_refused("sasl_plain", sasl("SASL_PLAINTEXT", "PLAIN", "alice", "wrong-PassWord"),
                errc::denied, {"kafka.sasl.password", "Authentication failed"});
  check_refused("sasl_scram", sasl("SASL_PLAINTEXT", "SCRAM-SHA-512", "alice", "wrong-PassWord"),
                errc::denied, {"kafka.sasl.password"});
  check_refused("sasl_ssl", with_ca(sasl("SASL_SSL", "PLAIN", "nobody", "wrong-PassWord")),
                errc::denied, {"kafka.sasl.username"});
  check_refused("sasl_plain", sasl("SASL_PLAINTEXT", "SCRAM-SHA-512", "alice", "wrong-PassWord"),
                errc::denied, {"kafka.sasl.mechanism"});
}

BOOST_AUTO_TEST_CASE(brokers_that_are_not_trusted_are_refused_soon) {
  auto wrong_ca = settings{{"security.protocol", "SSL"}, {"ssl.ca.location", file("other_ca")}};
  check_refused("tls", wrong_ca, errc::unavailable, {"kafka.ssl.ca.location"});
  check_refused("tls", {{"security.protocol", "SSL"}}, errc::unavailable,
                {"kafka.ssl.ca.location"});
}

BOOST_AUTO_TEST_CASE(another_protocol_than_the_listeners_is_named_soon) {
  check_refused("tls", {}, errc::unavailable, {"kafka.security.protocol"});
  check_refused("sasl_plain", {}, errc::unavailable, {"kafka.security.protocol"});
  check_refused("plaintext", with_ca({{"security.protocol", "SSL"}}), errc::unavailable,
                {"kafka.security.protocol"});
  check_refused("mtls", with_ca({{"security.protocol", "SSL"}}), errc::unavailable,
                {"kafka.ssl.certificate.location"});
}

BOOST_AUTO_TEST_CASE(a_wrong_setting_is_refused_by_name_and_without_its_value) {
  must_fail(open("plaintext", {{"sasl.pasword", "oh-so-secret"}}), errc::bad_config,
            "kafka.sasl.pasword");
  const auto bad =
      open("plaintext", {{"ssl.key.pem", "oh-so-secret"}, {"security.protocol", "SSL"}});
  must_fail(bad, errc::bad_config, "");
  BOOST_TEST(bad.error().text().find("oh-so-secret") == std::string::npos, bad.error().text());
  const auto worse = open("plaintext", {{"security.protocol", "oh-so-secret"}});
  must_fail(worse, errc::bad_config, "kafka.security.protocol");
  BOOST_TEST(worse.error().text().find("oh-so-secret") == std::string::npos, worse.error().text());
}

BOOST_AUTO_TEST_CASE(no_line_of_the_log_has_a_password_even_when_the_client_tells_everything) {
  lines said;
  auto with = sasl("SASL_PLAINTEXT", "SCRAM-SHA-256", "admin", "admin-secret");
  with["debug"] = "all";
  with["sasl.oauthbearer.config"] = "principal=hidden-principal";
  use(*must(open("sasl_scram", with, &said)), "talkative");
  BOOST_TEST(said.text().find("sasl.password") !=
             std::string::npos);  // its settings are among them
  BOOST_TEST(said.text().find("admin-secret") == std::string::npos);
  BOOST_TEST(said.text().find("hidden-principal") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_right_that_is_missing_is_named_with_its_operation_and_resource) {
  const auto allow = [&](const char* kind, const char* name, std::vector<std::string> operations) {
    grant("User:alice", kind, name, operations);
  };
  const auto everything =
      std::vector<std::string>{"DESCRIBE", "DESCRIBE_CONFIGS", "CREATE", "READ", "WRITE"};
  must(must(open("plaintext", {}))->create_topic(topic("vault")));

  const auto log =
      must(open("sasl_plain", sasl("SASL_PLAINTEXT", "PLAIN", "alice", "alice-secret")));
  must_fail(log->find_topic("vault"), errc::denied, "needs Describe on topic kappa.topics");
  allow("TOPIC", "kappa.topics", everything);
  must_fail(log->find_topic("vault"), errc::denied, "needs Describe on topic vault");
  allow("TOPIC", "vault", {"DESCRIBE"});
  must_fail(log->find_topic("vault"), errc::denied, "needs DescribeConfigs on topic vault");
  allow("TOPIC", "vault", {"DESCRIBE_CONFIGS"});
  BOOST_TEST(must(log->find_topic("vault")).has_value());

  must_fail(log->append(tp("vault"), *batch_of({"a"})), errc::denied, "needs Write on topic vault");
  allow("TOPIC", "vault", {"WRITE"});
  // Brokers may tell of a right before they go by it.
  BOOST_TEST_REQUIRE(actors_test::eventually(
      [&] { return log->append(tp("vault"), *batch_of({"a"})).has_value(); }));
  const auto ignore = [](const record_view&) { return result<void>{}; };
  must_fail(for_each_record(*log, "vault", ignore), errc::denied, "needs Read on topic vault");
  allow("TOPIC", "vault", {"READ"});
  BOOST_TEST_REQUIRE(actors_test::eventually([&] {
    int found = 0;
    const auto count = [&](const record_view&) {
      ++found;
      return result<void>{};
    };
    return for_each_record(*log, "vault", count).has_value() && found == 1;
  }));

  allow("TOPIC", "shop-new", {"DESCRIBE"});
  must_fail(log->create_topic(topic("shop-new", "shop")), errc::denied,
            "needs Create on topic shop-new");
  must_fail(log->open_writer({"shop", "a test"}), errc::denied,
            "Write and Describe on transactional id shop.");
  must_fail(log->position({"shop", "stage", generation{1}, partition{0}, "vault"}), errc::denied,
            "needs Describe on group shop.stage.g1");
}

// docs/how-to/kafka.md, "Rights"
BOOST_AUTO_TEST_CASE(the_rights_that_the_documentation_lists_are_enough_for_an_app) {
  const auto allow = [](const char* kind, const char* name, std::vector<std::string> operations) {
    grant("User:bob", kind, name, operations);
  };
  const std::vector<std::string> own{
      "DESCRIBE", "DESCRIBE_CONFIGS", "ALTER_CONFIGS", "CREATE", "READ", "WRITE"};
  allow("TOPIC", "kappa.topics", {"DESCRIBE", "DESCRIBE_CONFIGS", "CREATE", "READ", "WRITE"});
  allow("TOPIC", "letters.*", own);
  allow("TOPIC", "joined", own);
  allow("TOPIC", "lines", {"DESCRIBE", "DESCRIBE_CONFIGS", "READ"});
  allow("GROUP", "letters.*", {"DESCRIBE", "READ", "DELETE"});
  allow("TRANSACTIONAL_ID", "letters.*", {"DESCRIBE", "WRITE"});
  allow("TOPIC", "audit", {"WRITE"});  // what else he may do is no business of the app
  const auto all = must(open("plaintext", {}));
  must(all->create_topic(topic("audit")));
  must(all->create_topic(topic("lines")));
  must(all->append(tp("lines"), *batch_of({"a 1", "a 2", "b 3"})));

  app letters{"letters"};
  letters.stream<std::string>("lines")
      .key_by("letter", [](const std::string& line) { return line.substr(0, 1); })
      .fold<std::string>("joined", [](std::string& s, const std::string& line) { s += line[2]; })
      .to("joined");
  temporary_folder folder;
  host_options options;
  options.log = "kafka://" + guarded_broker().bootstrap("sasl_plain");
  options.kafka_settings = sasl("SASL_PLAINTEXT", "PLAIN", "bob", "bob-secret");
  options.state = folder.path();
  options.partitions = 1;
  options.until_end = true;
  host h{letters, options};
  must(h.start());
  bool finished = false;
  for (int i = 0; i < 120 && !finished; ++i)
    finished = must(h.wait_finished(std::chrono::seconds{1}));
  BOOST_TEST(finished);

  // And for who only looks at it.
  const auto allow_alice = [](const char* kind, const char* name,
                              std::vector<std::string> operations) {
    grant("User:alice", kind, name, operations);
  };
  allow_alice("TOPIC", "kappa.topics", {"DESCRIBE", "DESCRIBE_CONFIGS", "READ"});
  allow_alice("TOPIC", "letters.*", {"DESCRIBE", "DESCRIBE_CONFIGS"});
  allow_alice("TOPIC", "letters.admin", {"WRITE"});
  allow_alice("TOPIC", "letters.admin.replies", {"READ"});
  allow_alice("GROUP", "letters.*", {"DESCRIBE"});
  const admin_client looks{
      must(open("sasl_plain", sasl("SASL_PLAINTEXT", "PLAIN", "alice", "alice-secret"))),
      "letters"};
  const auto status = must(looks.status("", std::chrono::seconds{60}));
  BOOST_REQUIRE(status.has_value());
  BOOST_TEST(status->processes.size() == 1U);
  BOOST_TEST(status->stages.size() == 2U);
  const auto found = must(looks.get({.stage = "joined", .key = "a"}, std::chrono::seconds{60}));
  BOOST_REQUIRE(found.has_value());
  BOOST_REQUIRE(found->entries.size() == 1U);
  BOOST_TEST(found->entries[0].value == R"("12")");
  must(h.stop());
  const std::vector<std::string> wanted{"1", "12", "3"};
  BOOST_TEST(values(*all, "joined") == wanted, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()
