#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>

#include <stdexcept>
#include <string>

#include "support/kafka_broker.hpp"

using kappa::testing::kafka_broker;
using kappa::testing::kafka_broker_options;
using kappa::testing::the_broker;

namespace {

bool takes_connections(int port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool connected = ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  ::close(fd);
  return connected;
}

bool lives(pid_t pid) { return ::kill(pid, 0) == 0; }

std::string reason(const kafka_broker_options& options) {
  try {
    kafka_broker broker{options};
  } catch (const std::runtime_error& e) {
    return e.what();
  }
  return "it started";
}

}  // namespace

BOOST_AUTO_TEST_SUITE(broker)

BOOST_AUTO_TEST_CASE(the_shared_broker_is_one_and_can_be_reached) {
  auto& broker = the_broker();
  BOOST_TEST(&broker == &the_broker());
  BOOST_REQUIRE_EQUAL(broker.nodes().size(), 1U);
  const auto& node = broker.nodes().front();
  BOOST_TEST(broker.bootstrap() == "127.0.0.1:" + std::to_string(node.port));
  BOOST_TEST(takes_connections(node.port));
  BOOST_TEST(lives(node.pid));
  BOOST_TEST(std::filesystem::exists(node.log));
  BOOST_TEST(std::filesystem::exists(node.data / "meta.properties"));
}

BOOST_AUTO_TEST_CASE(a_node_is_killed_and_started_and_nothing_is_left_when_the_object_is_gone) {
  pid_t last = -1;
  std::filesystem::path folder;
  {
    kafka_broker broker{{.listeners = {"cuttable"}}};
    folder = broker.folder();
    BOOST_TEST(broker.bootstrap("cuttable") != broker.bootstrap());
    broker.cut_network(1);
    broker.drop_connections(1);
    broker.heal_network(1);
    const auto first = broker.nodes().front();
    broker.kill_node(first.id);
    BOOST_TEST(broker.nodes().front().pid == -1);
    BOOST_TEST(!lives(first.pid));
    BOOST_TEST(!takes_connections(first.port));
    broker.start_node(first.id);
    broker.wait_usable();
    last = broker.nodes().front().pid;
    BOOST_TEST(last != first.pid);
    BOOST_TEST(broker.nodes().front().port == first.port);
    BOOST_TEST(takes_connections(first.port));
  }
  BOOST_TEST(!lives(last));
  BOOST_TEST(!std::filesystem::exists(folder));
}

BOOST_AUTO_TEST_CASE(a_broker_that_cannot_start_says_why) {
  BOOST_TEST(reason({.version = "0.1.0"}).find("no Kafka version '0.1.0'") != std::string::npos);
  const auto why = reason({.settings = {"log.retention.ms=nonsense"}});
  BOOST_TEST(why.find("log.retention.ms") != std::string::npos, why);
}

BOOST_AUTO_TEST_CASE(what_a_broker_does_not_have_is_named) {
  BOOST_CHECK_EXCEPTION((void)the_broker().bootstrap("tls"), std::runtime_error, [](const auto& e) {
    return std::string{e.what()}.find("'tls'") != std::string::npos;
  });
  BOOST_CHECK_EXCEPTION(the_broker().kill_node(7), std::runtime_error, [](const auto& e) {
    return std::string{e.what()}.find("no such node in '7'") != std::string::npos;
  });
}

BOOST_AUTO_TEST_SUITE_END()
