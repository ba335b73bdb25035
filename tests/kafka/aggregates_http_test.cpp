// Aggregates over HTTP when Kafka has given their tasks to several processes.
#include <httplib.h>

#include "aggregate/bank_app.hpp"
#include "kafka/totals_app_support.hpp"
#include "kappa/actors/http_server.hpp"

namespace aggregates_http_on_kafka_tests {

namespace {

using namespace kafka_test;

constexpr int accounts = 12;

/// A process of it, but in this one.
struct served_teller {
  explicit served_teller(const std::string& name)
      : service{bank::bank_app(name, name + "-accounts"), options_on(kafka_url(), folder.path())} {
    must(service.start());
    server = must(http_server::start(service, {.address = "127.0.0.1:0", .answer_time = 20s}));
    client = std::make_unique<httplib::Client>("127.0.0.1", server->port());
    client->set_read_timeout(60s);
  }

  temporary_folder folder;
  host service;
  std::unique_ptr<http_server> server;
  std::unique_ptr<httplib::Client> client;
};

BOOST_AUTO_TEST_SUITE(aggregates_http_on_kafka)

BOOST_AUTO_TEST_CASE(
    commands_go_anywhere_states_where_their_tasks_are_and_histories_are_everywhere) {
  const auto name = fresh_name();
  served_teller first{name};
  served_teller second{name};
  const auto path_of = [&](int i) {
    return fmt::format("/aggregates/{}-accounts/acc-{}", name, i);
  };
  const auto status_of = [](const httplib::Result& r) { return r ? r->status : 0; };
  const auto status = [&](served_teller& of, int i) {
    return status_of(of.client->Get(path_of(i)));
  };
  // Asked until tasks are where they stay; by an id each happens once.
  for (int i = 0; i < accounts; ++i) {
    const httplib::Headers id{{"Idempotency-Key", "open-" + std::to_string(i)}};
    BOOST_REQUIRE(eventually(
        [&] {
          return status_of(second.client->Post(path_of(i) + "/open", id, "{}",
                                               "application/json")) == 200;
        },
        120s));
  }
  BOOST_REQUIRE(eventually(
      [&] {
        for (int i = 0; i < accounts; ++i) {
          if ((status(first, i) == 200) == (status(second, i) == 200)) return false;
        }
        return status(second, 0) != 0;
      },
      60s));
  int elsewhere = 0;
  for (auto* one : {&first, &second}) {
    for (int i = 0; i < accounts; ++i) {
      const auto found = one->client->Get(path_of(i));
      BOOST_REQUIRE(found);
      if (found->status == 503) {
        ++elsewhere;
        BOOST_TEST(found->body.find("urn:kappa:problem:elsewhere") != std::string::npos);
        BOOST_TEST(found->body.find("another process") != std::string::npos);
        BOOST_TEST(found->has_header("Retry-After"));
      }
      const auto history = one->client->Get(path_of(i) + "/history");
      BOOST_REQUIRE(history);
      BOOST_TEST(history->status == 200);
      BOOST_TEST(history->body.find("bank.capnp:Opened") != std::string::npos);
    }
  }
  BOOST_TEST(elsewhere == accounts);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace

}  // namespace aggregates_http_on_kafka_tests
