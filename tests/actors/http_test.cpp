#include <httplib.h>

#include <fstream>
#include <set>

#include "actors/actors_support.hpp"
#include "kappa/actors/http_server.hpp"
#include "kappa/core/partitioner.hpp"
#include "kappa_paths.hpp"

namespace actors_test {
using kappa::http_server;

BOOST_AUTO_TEST_SUITE(http)

namespace {

struct served {
  explicit served(const app& a, std::string token = "") : h{a, w.options()} {
    must(h.start());
    server = must(http_server::start(h, {"127.0.0.1:0", std::move(token)}));
    client = std::make_unique<httplib::Client>("127.0.0.1", server->port());
  }
  httplib::Result get(const std::string& path) { return client->Get(path.c_str()); }
  /// Status and body of a path.
  std::pair<int, std::string> answer(const std::string& path) {
    auto r = get(path);
    BOOST_REQUIRE(r);
    return {r->status, r->body};
  }
  bool answers(const std::string& path, int status, std::string_view words) {
    const auto [code, body] = answer(path);
    const bool good = code == status && body.find(words) != std::string::npos;
    if (!good) BOOST_TEST_MESSAGE(path << ": " << code << " " << body);
    return good;
  }

  world w{2};
  host h;
  std::unique_ptr<http_server> server;
  std::unique_ptr<httplib::Client> client;
};

}  // namespace

BOOST_AUTO_TEST_CASE(state_is_served_as_json_with_its_position) {
  served s{sums_app()};
  s.w.send({"oslo", ts("2001-01-01T08:00"), 5});
  BOOST_REQUIRE(eventually([&] { return s.get("/state/sum/oslo")->status == 200; }));
  const auto [code, body] = s.answer("/state/sum/oslo");
  const topic_partition where{"readings", partition_of("oslo", 2)};
  BOOST_TEST(body ==
             "{\"stage\":\"sum\",\"key\":\"oslo\",\"value\":{\"count\":1,\"sum\":5},"
             "\"stale\":false,\"as_of\":{\"" +
                 where.text() + "\":1}}\n");
  BOOST_TEST(s.get("/state/sum/oslo")->get_header_value("Content-Type") == "application/json");
  BOOST_TEST(s.answers("/state/sum/oslo?level=latest", 200, "\"sum\":5"));
}

BOOST_AUTO_TEST_CASE(windows_are_served_one_or_all) {
  served s{hourly_app()};
  s.w.send({"oslo", ts("2001-01-01T08:10"), 5});
  s.w.send({"oslo", ts("2001-01-01T09:10"), 6});
  BOOST_REQUIRE(eventually(
      [&] { return s.get("/state/hourly/oslo?window=2001-01-01T09:00:00Z")->status == 200; }));
  BOOST_TEST(s.answers("/state/hourly/oslo?window=2001-01-01T08:00:00Z", 200,
                       "\"window\":\"2001-01-01T08:00:00Z\",\"value\":{\"count\":1,\"sum\":5}"));
  BOOST_TEST(s.answers("/state/hourly/oslo", 200,
                       "\"windows\":[{\"window\":\"2001-01-01T08:00:00Z\",\"value\":{\"count\":1,"
                       "\"sum\":5}},{\"window\":\"2001-01-01T09:00:00Z\""));
  BOOST_TEST(s.answers("/state/hourly/oslo?window=2001-01-01T07:00:00Z", 404, "no state under"));
  BOOST_TEST(s.answers("/state/hourly/lima", 200, "\"windows\":[]"));
  BOOST_TEST(s.answers("/state/hourly/oslo?window=8", 400, "expected a time"));
}

BOOST_AUTO_TEST_CASE(what_is_not_there_or_not_understood_is_told_in_words) {
  served s{sums_app()};
  BOOST_TEST(s.answers("/state/sum/nobody", 404, "no state under this key"));
  BOOST_TEST(s.answers("/state/nothing/x", 404, "stages with state: sum"));
  BOOST_TEST(
      s.answers("/state/sum", 404, "/state/{stage}/{key}, /status, /metrics, /health, /ready"));
  BOOST_TEST(s.answers("/", 404, "no such path: /"));
  BOOST_TEST(s.answers("/state/sum/x?level=newest", 400, "committed or latest"));
  BOOST_TEST(s.answers("/state/sum/x?window=2001-01-01T08:00:00Z", 400, "no windows"));
  BOOST_TEST(s.answers("/state/sum/x?levle=latest", 400, "levle"));
}

BOOST_AUTO_TEST_CASE(keys_may_hold_any_character) {
  served s{sums_app()};
  const std::vector<std::pair<std::string, std::string>> keys{{"a/b", "a%2Fb"},
                                                              {"a b", "a%20b"},
                                                              {"\"quote\"", "%22quote%22"},
                                                              {"50%", "50%25"},
                                                              {"q?x=1", "q%3Fx%3D1"},
                                                              {"a+b", "a%2Bb"},
                                                              {"\xc3\xb8l", "%C3%B8l"},
                                                              {"two\nlines", "two%0Alines"},
                                                              {"back\\slash", "back%5Cslash"},
                                                              {"#1", "%231"}};
  for (const auto& [key, path] : keys) s.w.send({key, ts("2001-01-01T08:00"), 1});
  BOOST_REQUIRE(processed(s.h, "sum", keys.size()));
  for (const auto& [key, path] : keys) {
    BOOST_TEST(eventually([&] { return s.get("/state/sum/" + path)->status == 200; }, 2s), path);
    BOOST_TEST(s.answers("/state/sum/" + path, 200, "\"count\":1"));
  }
  BOOST_TEST(s.answers("/state/sum/%22quote%22", 200, R"("key":"\"quote\"")"));
  BOOST_TEST(s.answers("/state/sum/two%0Alines", 200, R"("key":"two\nlines")"));
}

BOOST_AUTO_TEST_CASE(health_is_503_with_the_error_while_a_task_is_in_quarantine) {
  served s{sums_app()};
  BOOST_TEST(s.answers("/health", 200, "\"status\":\"up\""));
  s.w.send({"oslo", ts("2001-01-01T08:00"), 1}, partition{0});
  BOOST_REQUIRE(processed(s.h, "sum", 1));
  s.server.reset();
  must(s.h.stop());
  s.w.send({"oslo", ts("2001-01-01T08:00"), 1}, partition{0});
  s.w.log->damage({"readings", partition{0}}, offset{1});
  auto o = s.w.options();
  o.failures_until_quarantine = 1;
  host h{sums_app(), o};
  must(h.start());
  const auto server = must(http_server::start(h, {"127.0.0.1:0", ""}));
  httplib::Client client{"127.0.0.1", server->port()};
  std::string body;
  BOOST_REQUIRE(eventually([&] {
    const auto answer = client.Get("/health");
    body = answer->body;
    return answer->status == 503 && body.find("\"health\":\"quarantined\"") != std::string::npos;
  }));
  BOOST_TEST(body.find("readings[0]@1") != std::string::npos, body);
}

BOOST_AUTO_TEST_CASE(metrics_have_each_name_with_app_stage_generation_and_task) {
  served s{sums_app([](const reading& r) {
    if (r.value == 13) throw std::runtime_error{"13"};
  })};
  s.w.send({"oslo", ts("2001-01-01T08:00"), 5}, partition{1});
  s.w.send({"oslo", ts("2001-01-01T08:00"), 13}, partition{1});
  BOOST_REQUIRE(processed(s.h, "sum", 2));
  BOOST_REQUIRE(eventually([&] { return progress_of(s.h, "sum").epochs > 0; }));
  const auto [code, text] = s.answer("/metrics");
  BOOST_TEST(code == 200);
  // As the reference documents them: rows of a table, "| `kappa_…` | …".
  std::ifstream reference{std::filesystem::path{test_paths::source_dir} /
                          "docs/reference/metrics.md"};
  std::set<std::string> names;
  for (std::string row; std::getline(reference, row);) {
    if (row.starts_with("| `kappa_")) names.insert(row.substr(3, row.find('`', 3) - 3));
  }
  BOOST_TEST(names.size() >= 14u);
  for (std::size_t at = 0; (at = text.find("# TYPE ", at)) != std::string::npos; ++at) {
    const auto name = text.substr(at + 7, text.find(' ', at + 7) - at - 7);
    BOOST_TEST(names.contains(name), name << " is not documented");
  }
  for (const auto& name : names) {
    const auto line =
        fmt::format("{}{{app=\"sums\",stage=\"sum\",generation=\"1\",task=\"1\"}} ", name);
    BOOST_TEST(text.find(line) != std::string::npos, line << " is not in\n" << text);
  }
  const std::string labels = R"({app="sums",stage="sum",generation="1",task="1"} )";
  BOOST_TEST(text.find("kappa_records_in_total" + labels + "2\n") != std::string::npos);
  BOOST_TEST(text.find("kappa_dead_letters_total" + labels + "1\n") != std::string::npos);
  BOOST_TEST(text.find("kappa_watermark_seconds" + labels + "978336000\n") != std::string::npos);
  BOOST_TEST(text.find("# TYPE kappa_records_in_total counter") != std::string::npos);
  BOOST_TEST(text.find("# TYPE kappa_lag gauge") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_token_is_mandatory_beyond_loopback_and_asked_for_when_there_is_one) {
  served s{sums_app(), "secret"};
  BOOST_TEST(s.answers("/health", 401, "Authorization: Bearer"));
  s.client->set_default_headers({{"Authorization", "Bearer wrong"}});
  BOOST_TEST(s.answers("/metrics", 401, "a token is needed"));
  s.client->set_default_headers({{"Authorization", "Bearer secret"}});
  BOOST_TEST(s.answers("/health", 200, "up"));
  for (const auto* address : {"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:0", "127.example.com:0"}) {
    BOOST_TEST(
        refused(http_server::start(s.h, {address, ""}), errc::bad_config, {"KAPPA_HTTP_TOKEN"}));
  }
  for (const auto* address : {"127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:70000", ""}) {
    BOOST_TEST(refused(http_server::start(s.h, {address, ""}), errc::bad_config, {"ADDRESS:PORT"}));
  }
  const auto taken = fmt::format("127.0.0.1:{}", s.server->port());
  BOOST_TEST(refused(http_server::start(s.h, {taken, ""}), errc::io, {taken, "taken"}));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace actors_test
