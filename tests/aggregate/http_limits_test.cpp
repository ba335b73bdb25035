// What an HTTP server bounds, and what it says while its host cannot answer.
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <latch>

#include "aggregate/served_bank.hpp"
#include "kappa/core/partitioner.hpp"

namespace http_limits_test {

namespace {

using namespace served_banks;

/// A connection on which anything may be sent.
class raw_connection {
 public:
  explicit raw_connection(int port) : socket_{::socket(AF_INET, SOCK_STREAM, 0)} {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<std::uint16_t>(port));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(socket_, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0)
      throw std::runtime_error{"cannot connect"};
  }
  ~raw_connection() { ::close(socket_); }
  raw_connection(const raw_connection&) = delete;
  raw_connection& operator=(const raw_connection&) = delete;

  void send(std::string_view text) const {
    if (!takes(text)) throw std::runtime_error{"cannot send"};
  }
  /// False: the other side has closed.
  [[nodiscard]] bool takes(std::string_view text) const {
    return ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(text.size());
  }
  [[nodiscard]] bool comes_within(std::chrono::milliseconds t) const {
    pollfd one{socket_, POLLIN, 0};
    return ::poll(&one, 1, static_cast<int>(t.count())) > 0;
  }
  /// All that comes until the other side closes.
  [[nodiscard]] std::string rest() const {
    std::string all;
    char some[4096];
    for (ssize_t n = 0; (n = ::recv(socket_, some, sizeof some, 0)) > 0;)
      all.append(some, static_cast<std::size_t>(n));
    return all;
  }

 private:
  int socket_;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(http_limits)

BOOST_AUTO_TEST_CASE(a_key_as_long_as_a_path_may_be_is_taken_and_a_longer_one_is_414) {
  served_bank b;
  const std::string path = "/aggregates/accounts/";
  BOOST_TEST(b.post(path + std::string(8000, 'k') + "/open", "{}").status == 200);
  BOOST_TEST(b.get(path + std::string(8000, 'k')).etag == "\"1\"");
  BOOST_TEST(is_problem(b.get(path + std::string(8192, 'k')), 414, "uri-too-long", {"8192"}));
}

BOOST_AUTO_TEST_CASE(a_body_over_the_limit_is_413_and_the_connection_goes_on) {
  served_bank b{{.max_body_bytes = 100}};
  b.open("acc-1", 700);
  const std::string path = "/aggregates/accounts/acc-1/deposit";
  const auto padded = [](std::size_t size) {
    const std::string value = R"({"amountCents":1})";
    return value + std::string(size - value.size(), ' ');
  };
  BOOST_TEST(b.post(path, padded(100)).status == 200);
  for (const std::size_t size : {101UL, 5000UL, 1UL << 20})
    BOOST_TEST(is_problem(b.post(path, padded(size)), 413, "too-large", {R"("limit_bytes":100)"}));
  // A length that is not told beforehand is no way around it.
  std::size_t parts = 0;
  const auto in_parts = b.told(b.client->Post(
      path,
      [&](std::size_t, httplib::DataSink& to) {
        to.write(padded(50).data(), 50);
        if (++parts == 10) to.done();
        return true;
      },
      "application/json"));
  BOOST_TEST(is_problem(in_parts, 413, "too-large", {}));
  BOOST_TEST(b.post(path, padded(60)).etag == "\"4\"");
}

BOOST_AUTO_TEST_CASE(an_event_that_no_record_holds_is_413) {
  served_bank b{{.max_body_bytes = 4 << 20}};
  const auto of_size = [](std::size_t n) { return R"({"text":")" + std::string(n, 'x') + "\"}"; };
  BOOST_TEST(is_problem(b.post("/aggregates/pages/p/note", of_size(2 << 20)), 413, "too-large",
                        {"takes a record of"}));
  BOOST_TEST(b.post("/aggregates/pages/p/note", of_size(500'000)).etag == "\"1\"");
  const auto page = b.get("/aggregates/pages/p");
  BOOST_TEST(page.body.find(R"("state":{"bytes":500000})") != std::string::npos, page.body);
}

BOOST_AUTO_TEST_CASE(a_window_of_ids_that_is_full_is_503) {
  served_bank b;
  std::atomic<bool> full = false;
  for (int i = 0; !full && i < 100; ++i) {
    constexpr int at_once = 1000;
    std::latch answered{at_once};
    for (int j = 0; j < at_once; ++j) {
      b.service->ask<page>("p", notes::note{}, {.id = fmt::format("{}-{}", i, j)},
                           [&](const ask_result& r) {
                             if (!r) full = true;
                             answered.count_down();
                           });
    }
    answered.wait();
  }
  const auto last = b.post("/aggregates/pages/p/note", "{}", {{"Idempotency-Key", "one more"}});
  BOOST_TEST(is_problem(last, 503, "unavailable", {"as many as may be remembered"}));
  BOOST_TEST(b.post("/aggregates/pages/p/note", "{}").status == 200);
}

BOOST_AUTO_TEST_CASE(a_body_that_does_not_come_is_408_and_ends_the_connection) {
  served_bank b{{.io_time = 1s, .body_time = 1ms}};
  const raw_connection slow{b.server->port()};
  slow.send(
      "POST /aggregates/accounts/acc-1/open HTTP/1.1\r\nHost: x\r\n"
      "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{");
  const auto answer = slow.rest();
  BOOST_TEST(answer.starts_with("HTTP/1.1 408 "), answer);
  BOOST_TEST(answer.find("urn:kappa:problem:body-too-slow") != std::string::npos, answer);
  BOOST_TEST(answer.find("HTTP/1.1", 1) == std::string::npos, answer);  // one answer
}

BOOST_AUTO_TEST_CASE(headers_that_come_byte_by_byte_do_not_hold_the_connection) {
  served_bank b{{.io_time = 1s, .body_time = 1ms}};
  const raw_connection slow{b.server->port()};
  slow.send("GET /health HTTP/1.1\r\nX: ");
  const auto begun = std::chrono::steady_clock::now();
  // Until the other side has closed; each byte is soon enough by itself.
  while (slow.takes("x") && std::chrono::steady_clock::now() < begun + 20s)
    (void)slow.comes_within(100ms);
  BOOST_TEST((std::chrono::steady_clock::now() < begun + 10s));
}

BOOST_AUTO_TEST_CASE(a_server_that_ends_does_not_wait_for_idle_connections) {
  served_bank b;
  const raw_connection idle{b.server->port()};
  idle.send("GET /health HTTP/1.1\r\nHost: x\r\n\r\n");
  BOOST_TEST(idle.comes_within(10s));
  const auto begun = std::chrono::steady_clock::now();
  b.client.reset();
  b.server.reset();
  BOOST_TEST((std::chrono::steady_clock::now() < begun + 1500ms));  // idle ones are kept for 2 s
  BOOST_TEST(idle.rest().starts_with("HTTP/1.1 200 "));
}

BOOST_AUTO_TEST_CASE(requests_may_be_sent_before_the_ones_before_are_answered) {
  served_bank b;
  const raw_connection c{b.server->port()};
  const std::string open =
      "/open HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n";
  c.send("POST /aggregates/accounts/acc-1" + open + "\r\n{}POST /aggregates/accounts/acc-2" + open +
         "Connection: close\r\n\r\n{}");
  const auto both = c.rest();
  BOOST_TEST(both.starts_with("HTTP/1.1 200 "), both);
  BOOST_TEST(both.find("HTTP/1.1 200 ", 1) != std::string::npos, both);
  BOOST_TEST(must(b.service->query<shown_account>("acc-2")).value.has_value());
}

BOOST_AUTO_TEST_CASE(a_body_that_nobody_wants_is_not_taken_for_the_next_request) {
  served_bank b{{.token = "secret"}};
  const std::string token = "Authorization: Bearer secret\r\n";
  const std::string hidden = "POST /aggregates/accounts/acc-1/open HTTP/1.1\r\nHost: x\r\n" +
                             token +
                             "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
  const auto answered = [&](const std::string& request, std::string_view status) {
    const raw_connection c{b.server->port()};
    c.send(
        fmt::format("{}Host: x\r\nContent-Length: {}\r\n\r\n{}", request, hidden.size(), hidden));
    const auto answer = c.rest();
    BOOST_TEST_MESSAGE(answer);
    return answer.starts_with(status) && answer.find("HTTP/1.1", 1) == std::string::npos;
  };
  BOOST_TEST(answered("POST /aggregates/accounts/acc-1/deposit HTTP/1.1\r\n", "HTTP/1.1 401 "));
  BOOST_TEST(answered("PUT /health HTTP/1.1\r\n" + token, "HTTP/1.1 405 "));
  BOOST_TEST(answered("GET /health HTTP/1.1\r\n" + token, "HTTP/1.1 400 "));
  BOOST_TEST(!must(b.service->query<shown_account>("acc-1")).value.has_value());
}

BOOST_AUTO_TEST_CASE(so_many_connections_are_served_at_a_time_and_no_more) {
  served_bank b{{.connections = 1}};
  b.open("acc-1", 700);
  const auto port = b.server->port();
  b.client.reset();
  std::future<answer_of> first;
  std::future<answer_of> second;
  {
    const held_commits held{*b.log};
    const auto ask = [port](const std::string& cents) {
      httplib::Client c{"127.0.0.1", port};
      return served_bank::told(c.Post("/aggregates/accounts/acc-1/deposit",
                                      fmt::format(R"({{"amountCents":{}}})", cents),
                                      "application/json"));
    };
    first = std::async(std::launch::async, ask, "1");
    BOOST_TEST(held.has_caught_one());
    second = std::async(std::launch::async, [port] {
      httplib::Client c{"127.0.0.1", port};
      return served_bank::told(c.Get("/health"));
    });
    BOOST_TEST((second.wait_for(50ms) == std::future_status::timeout));
  }
  BOOST_TEST(first.get().status == 200);
  BOOST_TEST(second.get().status == 200);
}

BOOST_AUTO_TEST_CASE(a_server_that_has_only_just_been_started_can_be_ended) {
  served_bank b;
  for (int i = 0; i < 50; ++i) b.serve({});
  BOOST_TEST(b.get("/health").status == 200);
}

BOOST_AUTO_TEST_CASE(settings_out_of_bounds_are_refused) {
  served_bank b;
  const auto refuses = [&](http_options o, std::string_view name) {
    o.address = "127.0.0.1:0";
    return refused(http_server::start(*b.service, o), errc::bad_config, {name});
  };
  BOOST_TEST(refuses({.max_body_bytes = 0}, "max_body_bytes"));
  BOOST_TEST(refuses({.max_body_bytes = (64UL << 20) + 1}, "max_body_bytes"));
  BOOST_TEST(refuses({.io_time = 0s}, "io_time"));
  BOOST_TEST(refuses({.body_time = 0ms}, "body_time"));
  BOOST_TEST(refuses({.answer_time = 0ms}, "answer_time"));
  BOOST_TEST(refuses({.connections = 0}, "connections"));
  BOOST_TEST(refuses({.connections = 4097}, "connections"));
}

BOOST_AUTO_TEST_CASE(a_server_of_a_host_that_has_stopped_says_503) {
  served_bank b;
  b.open("acc-1", 700);
  must(b.service->stop());
  BOOST_TEST(is_problem(b.post("/aggregates/accounts/acc-1/open", "{}"), 503, "unavailable", {}));
  BOOST_TEST(is_problem(b.get("/aggregates/accounts/acc-1"), 503, "unavailable", {}));
}

BOOST_AUTO_TEST_CASE(a_partition_in_quarantine_is_503_and_the_host_not_ready) {
  served_bank b;
  b.open("acc-1", 700);
  BOOST_TEST(b.get("/ready").body == "{\"ready\":true,\"not_ready\":[]}\n");
  must(b.service->stop());
  b.client.reset();
  b.server.reset();
  b.service.reset();
  std::filesystem::remove_all(b.folder.path() / "state");
  const topic_partition where{"accounts", partition_of("acc-1", 2)};
  b.log->damage(where, offset{0});
  b.start([](host_options& o) { o.failures_until_quarantine = 1; });
  b.serve({});
  answer_of health;
  do {
    health = b.get("/health");
  } while (health.body.find("quarantined") == std::string::npos);
  BOOST_TEST(health.status == 503);
  BOOST_TEST(is_problem(b.post("/aggregates/accounts/acc-1/open", "{}"), 503, "unavailable",
                        {"quarantine"}));
  BOOST_TEST(is_problem(b.get("/aggregates/accounts/acc-1"), 503, "unavailable", {"quarantine"}));
  const auto ready = b.get("/ready");
  BOOST_TEST(ready.status == 503);
  BOOST_TEST(
      ready.body.find(fmt::format("accounts.g1[{}]", where.partition.value)) != std::string::npos,
      ready.body);
}

BOOST_AUTO_TEST_CASE(a_partition_that_cannot_be_opened_yet_is_503) {
  served_bank b;
  b.open("acc-1", 700);
  must(b.service->stop());
  b.client.reset();
  b.server.reset();
  b.service.reset();
  std::filesystem::remove_all(b.folder.path() / "state");
  b.log->damage({"accounts", partition_of("acc-1", 2)}, offset{0});
  b.start([](host_options& o) {
    o.failures_until_quarantine = 1000;
    o.first_backoff = o.last_backoff = 10s;
  });
  b.serve({.answer_time = 50ms});
  while (b.get("/ready").status == 200) continue;
  BOOST_TEST(is_problem(b.get("/aggregates/accounts/acc-1"), 503, "unavailable", {}));
  // It waits for the task, which may come, and is then taken back.
  BOOST_TEST(is_problem(b.post("/aggregates/accounts/acc-1/open", "{}"), 503, "unavailable",
                        {"nothing has happened"}));
}

BOOST_AUTO_TEST_CASE(nothing_is_done_without_the_token) {
  served_bank b{{.token = "secret"}};
  const std::string path = "/aggregates/accounts/acc-1";
  const auto refused_post = b.post(path + "/open", "{}");
  BOOST_TEST(is_problem(refused_post, 401, "unauthorized", {"Authorization: Bearer"}));
  BOOST_TEST(refused_post.headers.count("WWW-Authenticate") == 1U);
  BOOST_TEST(is_problem(b.get(path), 401, "unauthorized", {}));
  b.client->set_default_headers({{"Authorization", "Bearer secret"}});
  BOOST_TEST(is_problem(b.get(path), 404, "not-found", {}));
  BOOST_TEST(b.post(path + "/open", "{}").status == 200);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace http_limits_test
