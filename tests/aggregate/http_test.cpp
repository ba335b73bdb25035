// Aggregates over HTTP, by real requests to a server of this process.
#include "aggregate/served_bank.hpp"
#include "kappa/aggregate/command_id.hpp"
#include "kappa/serialization/json.hpp"

namespace http_aggregates_test {

using namespace served_banks;

BOOST_AUTO_TEST_SUITE(http)

BOOST_AUTO_TEST_CASE(a_command_is_answered_with_version_events_and_reply) {
  served_bank b;
  const auto opened = b.post("/aggregates/accounts/acc-42/open", "{}");
  BOOST_TEST(opened.status == 200);
  BOOST_TEST(opened.body == "{\"version\":1,\"events\":1}\n");
  BOOST_TEST(opened.etag == "\"1\"");
  BOOST_TEST(b.post("/aggregates/accounts/acc-42/open", "{}").body ==
             "{\"version\":1,\"events\":0}\n");
  BOOST_TEST(b.post("/aggregates/accounts/acc-42/deposit", R"({"amountCents":20000})").etag ==
             "\"2\"");
  const auto paid = b.post("/aggregates/accounts/acc-42/withdraw", R"({"amountCents":10000})");
  BOOST_TEST(paid.body == "{\"version\":4,\"events\":2,\"reply\":{\"balanceCents\":9995}}\n");
  BOOST_TEST(must(b.service->query<shown_account>("acc-42")).value->state.balance_cents == 9995);
}

BOOST_AUTO_TEST_CASE(a_state_is_shown_with_its_version_which_is_its_etag) {
  served_bank b;
  b.open("acc-1", 700);
  const auto found = b.get("/aggregates/accounts/acc-1");
  BOOST_TEST(found.status == 200);
  BOOST_TEST(found.etag == "\"2\"");
  BOOST_TEST(found.body.starts_with(
      R"({"type":"accounts","key":"acc-1","version":2,"state":{"open":true,"balanceCents":700,)"));
  const auto same = b.get("/aggregates/accounts/acc-1", {{"If-None-Match", "\"1\", W/\"2\""}});
  BOOST_TEST(same.status == 304);
  BOOST_TEST(same.etag == "\"2\"");
  BOOST_TEST(same.body.empty());
  BOOST_TEST(b.get("/aggregates/accounts/acc-1", {{"If-None-Match", "\"1\""}}).status == 200);
}

BOOST_AUTO_TEST_CASE(a_state_may_be_waited_for) {
  served_bank b;
  b.open("acc-1", 700);
  auto waiting = std::async(std::launch::async, [&] {
    httplib::Client other{"127.0.0.1", b.server->port()};
    return served_bank::told(other.Get("/aggregates/accounts/acc-1?at_least_version=3"));
  });
  BOOST_TEST((waiting.wait_for(20ms) == std::future_status::timeout));
  b.post("/aggregates/accounts/acc-1/deposit", R"({"amountCents":1})");
  const auto found = waiting.get();
  BOOST_TEST(found.status == 200);
  BOOST_TEST(found.etag == "\"3\"");
  BOOST_TEST(b.get("/aggregates/accounts/acc-1?linearizable=true").body == found.body);
  BOOST_TEST(b.get("/aggregates/accounts/acc-1?linearizable=false").body == found.body);

  b.serve({.answer_time = 20ms});
  BOOST_TEST(is_problem(b.get("/aggregates/accounts/acc-1?at_least_version=4"), 504, "timed-out",
                        {"no answer to a query in time"}));
}

BOOST_AUTO_TEST_CASE(a_command_with_an_idempotency_key_happens_once) {
  served_bank b;
  b.open("acc-1", 700);
  const std::string path = "/aggregates/accounts/acc-1/deposit";
  const httplib::Headers key{{"Idempotency-Key", "order-4711"}};
  const auto first = b.post(path, R"({"amountCents":5})", key);
  b.post(path, R"({"amountCents":6})");
  const auto again = b.post(path, R"({ "amountCents": 5 })", key);
  BOOST_TEST(again.status == 200);
  BOOST_TEST(again.body == first.body);
  BOOST_TEST(again.etag == "\"3\"");
  // As the IETF's draft writes it.
  BOOST_TEST(b.post(path, R"({"amountCents":5})", {{"Idempotency-Key", "\"order-4711\""}}).body ==
             first.body);
  BOOST_TEST(is_problem(b.post(path, R"({"amountCents":6})", key), 422, "id-reused", {}));
  BOOST_TEST(must(b.service->query<shown_account>("acc-1")).value->state.balance_cents == 711);

  const auto old = new_command_id(system_now() - std::chrono::hours{1});
  BOOST_TEST(is_problem(b.post(path, R"({"amountCents":1})", {{"Idempotency-Key", old}}), 410,
                        "id-too-old", {"\"may_have_happened\":true"}));
}

BOOST_AUTO_TEST_CASE(a_rejection_is_the_same_when_it_is_asked_for_again) {
  served_bank b;
  b.open("acc-1", 700);
  const httplib::Headers key{{"Idempotency-Key", "w-1"}};
  const std::string path = "/aggregates/accounts/acc-1/withdraw";
  const auto first = b.post(path, R"({"amountCents":1000})", key);
  b.post("/aggregates/accounts/acc-1/deposit", R"({"amountCents":1000})");
  const auto again = b.post(path, R"({"amountCents":1000})", key);
  BOOST_TEST(again.status == 409);
  BOOST_TEST(again.body == first.body);
}

BOOST_AUTO_TEST_CASE(a_command_for_a_version_is_refused_at_another_one) {
  served_bank b;
  const std::string path = "/aggregates/accounts/acc-1/";
  BOOST_TEST(b.post(path + "open", "{}", {{"If-None-Match", "*"}}).status == 200);
  BOOST_TEST(is_problem(b.post(path + "open", "{}", {{"If-None-Match", "*"}}), 412,
                        "version-conflict", {R"("expected":0,"actual":1)"}));
  BOOST_TEST(b.post(path + "deposit", R"({"amountCents":1})", {{"If-Match", "\"1\""}}).etag ==
             "\"2\"");
  BOOST_TEST(is_problem(b.post(path + "deposit", R"({"amountCents":1})", {{"If-Match", "\"1\""}}),
                        412, "version-conflict", {R"("expected":1,"actual":2)"}));
}

BOOST_AUTO_TEST_CASE(a_rejection_says_its_reason_in_words_and_as_a_value) {
  served_bank b;
  BOOST_TEST(is_problem(b.post("/aggregates/accounts/acc-1/deposit", R"({"amountCents":1})"), 409,
                        "rejected", {R"("reason":"account is not open")"}));
  b.open("acc-1", 700);
  b.open("acc-1", 700, "plain-accounts");
  const std::string body = R"({"amountCents":1000})";
  BOOST_TEST(is_problem(
      b.post("/aggregates/accounts/acc-1/withdraw", body), 409, "rejected",
      {R"("reason":"insufficient funds")", R"("reason_type":"bank.capnp:InsufficientFunds")",
       R"("reason_value":{"missingCents":300})"}));
  // Of a type that the aggregate does not list only bytes are known.
  BOOST_TEST(is_problem(b.post("/aggregates/plain-accounts/acc-1/withdraw", body), 409, "rejected",
                        {R"("reason_value":{"base64":")"}));
}

BOOST_AUTO_TEST_CASE(a_body_that_is_not_what_the_schema_says_is_refused_with_the_path) {
  served_bank b;
  b.open("acc-1", 700);
  struct wrong_body {
    const char* body;
    std::string_view path;
    std::string_view words;
  };
  for (const auto& w : std::initializer_list<wrong_body>{
           {"", "", "not JSON at byte 0"},
           {"{\"amountCents\":5", "", "not JSON at byte 16"},
           {"{\"amountCents\":5} x", "", "not JSON at byte 18"},
           {"[]", "", "expected an object, found an array"},
           {R"({"amountCents":"five"})", "amountCents", "expected an integer, found a text"},
           {R"({"amountCents":1.5})", "amountCents", "expected an integer, found a fraction"},
           {R"({"amountCents":9223372036854775808})", "amountCents", "out of the field's range"},
           {R"({"amountCents":[1]})", "amountCents", "expected an integer, found an array"},
           {R"({"amountCents":5,"amount":5})", "amount", "bank.capnp:Deposit has no such field"},
           {R"({"amount_cents":5})", "amount_cents", "has no such field"}}) {
    const auto a = b.post("/aggregates/accounts/acc-1/deposit", w.body);
    BOOST_TEST(is_problem(a, 400, "invalid-json", {w.words}), w.body);
    const auto path = w.path.empty() ? std::string{} : fmt::format(R"("path":"{}"}})", w.path);
    BOOST_TEST((a.body.find(R"("path":)") != std::string::npos) == !w.path.empty());
    BOOST_TEST(a.body.find(path) != std::string::npos, a.body);
  }
  for (const auto& w : std::initializer_list<wrong_body>{
           {R"({"at":"yesterday"})", "at", "expected a time"},
           {R"({"lines":[{"number":1},{"number":65536}]})", "lines[1].number",
            "out of the field's"},
           {R"({"lines":[{},{"numer":1}]})", "lines[1].numer", "has no such field"},
           {R"({"lines":[1]})", "lines[0]", "expected an object, found a number"}}) {
    const auto a = b.post("/aggregates/pages/p/note", w.body);
    BOOST_TEST(
        is_problem(a, 400, "invalid-json", {w.words, fmt::format(R"("path":"{}"}})", w.path)}),
        w.body);
  }
  BOOST_TEST(must(b.service->query<shown_account>("acc-1")).value->version == 2U);
}

BOOST_AUTO_TEST_CASE(what_is_not_there_is_404_and_says_what_there_is) {
  served_bank b;
  b.open("acc-1", 700);
  BOOST_TEST(is_problem(b.get("/aggregates/acounts/acc-1"), 404, "not-found",
                        {"no aggregate acounts", "accounts, plain-accounts, numbered, pages"}));
  BOOST_TEST(is_problem(b.post("/aggregates/acounts/acc-1/open", "{}"), 404, "not-found", {}));
  BOOST_TEST(is_problem(b.get("/aggregates/accounts/acc-2"), 404, "not-found",
                        {"nothing under this key"}));
  BOOST_TEST(is_problem(b.get("/aggregates/accounts/acc-2/history"), 404, "not-found",
                        {"no events under this key"}));
  BOOST_TEST(is_problem(b.post("/aggregates/accounts/acc-1/depositt", "{}"), 404, "not-found",
                        {"no command depositt", "open, deposit, withdraw, close"}));
  for (const auto* path : {"/aggregates", "/aggregates/", "/aggregates/accounts",
                           "/aggregates/accounts/acc-1/deposit/5", "/aggregates/accounts/acc-1/",
                           "/aggregate/accounts/acc-1"}) {
    BOOST_TEST(is_problem(b.get(path), 404, "not-found", {}), path);
    BOOST_TEST(is_problem(b.post(path, "{}"), 404, "not-found", {}), path);
  }
}

BOOST_AUTO_TEST_CASE(a_method_that_a_path_does_not_take_is_405_and_says_which_it_takes) {
  served_bank b;
  const auto allows = [](const answer_of& a, const std::string& method) {
    const auto allow = a.headers.find("Allow");
    return is_problem(a, 405, "method-not-allowed", {}) && allow != a.headers.end() &&
           allow->second == method;
  };
  const std::string at = "/aggregates/accounts/acc-1";
  BOOST_TEST(allows(b.get(at + "/deposit"), "POST"));
  BOOST_TEST(allows(b.post(at, "{}"), "GET"));
  BOOST_TEST(allows(b.post(at + "/history", "{}"), "GET"));
  BOOST_TEST(allows(b.post("/health", "{}"), "GET"));
  BOOST_TEST(allows(b.told(b.client->Put(at, "{}", "application/json")), "GET"));
  BOOST_TEST(allows(b.told(b.client->Put(at + "/deposit", "{}", "application/json")), "POST"));
  BOOST_TEST(allows(b.told(b.client->Patch(at, "{}", "application/json")), "GET"));
  BOOST_TEST(allows(b.told(b.client->Delete(at)), "GET"));
  BOOST_TEST(allows(b.told(b.client->Options(at)), "GET"));
  BOOST_TEST(is_problem(b.told(b.client->Delete("/nothing")), 404, "not-found", {}));
}

BOOST_AUTO_TEST_CASE(headers_and_parameters_that_are_not_understood_are_refused) {
  served_bank b;
  b.open("acc-1", 700);
  const std::string path = "/aggregates/accounts/acc-1";
  const std::string one_cent = R"({"amountCents":1})";
  const auto refuses = [&](const httplib::Headers& headers, std::string_view words) {
    return is_problem(b.post(path + "/deposit", one_cent, headers), 400, "invalid-request",
                      {words});
  };
  for (const auto* wrong :
       {"7", "\"x\"", "\"\"", "W/\"2\"", "\"1\", \"2\"", "*", "\"-1\"", "\"18446744073709551616\""})
    BOOST_TEST(refuses({{"If-Match", wrong}}, "If-Match"), wrong);
  BOOST_TEST(refuses({{"If-None-Match", "\"2\""}}, "If-None-Match"));
  BOOST_TEST(refuses({{"If-Match", "\"2\""}, {"If-None-Match", "*"}}, "exclude"));
  BOOST_TEST(refuses({{"Idempotency-Key", "\"\""}}, "Idempotency-Key"));
  BOOST_TEST(refuses({{"Idempotency-Key", std::string(129, 'x')}}, "128"));
  BOOST_TEST(refuses({{"Idempotency-Key", "a"}, {"Idempotency-Key", "b"}}, "more than once"));
  BOOST_TEST(refuses({{"Idempotency-Key", new_command_id(system_now() + std::chrono::hours{1})}},
                     "look at the clocks"));
  BOOST_TEST(is_problem(b.post(path + "/deposit?dry_run=1", one_cent), 400, "invalid-request",
                        {"dry_run"}));
  for (const auto* wrong :
       {"?at_least=3", "?at_least_version=x", "?at_least_version=-1",
        "?at_least_version=1&at_least_version=2", "?linearizable=yes",
        "?linearizable=true&linearizable=false", "/history?limit=0", "/history?limit=1001",
        "/history?from=x", "/history?from=9223372036854775808", "/history?to=3"})
    BOOST_TEST(is_problem(b.get(path + wrong), 400, "invalid-request", {"parameter"}), wrong);
  for (const auto* type : {"text/plain", "application/jsonx", "multipart/form-data; boundary=x",
                           "application/x-www-form-urlencoded"}) {
    BOOST_TEST(is_problem(b.told(b.client->Post(path + "/deposit", one_cent, type)), 415,
                          "unsupported-media-type", {"application/json"}),
               type);
  }
  BOOST_TEST(b.told(b.client->Post(path + "/deposit", one_cent, "Application/JSON; charset=utf-8"))
                 .status == 200);
  BOOST_TEST(b.get(path).etag == "\"3\"");  // of all these requests one was a deposit
}

BOOST_AUTO_TEST_CASE(keys_may_hold_any_character) {
  served_bank b;
  for (const auto* key : {"a%2Fb", "a%2Fhistory", "deposit", "a%20b", "50%25", "q%3Fx%3D1", "a+b",
                          "%C3%B8l", "two%0Alines", "%23", "..", "%2F"}) {
    b.open(key, 7);
    const auto found = b.get(std::string{"/aggregates/accounts/"} + key);
    BOOST_TEST(found.etag == "\"2\"", key);
  }
  BOOST_TEST(must(b.service->query<shown_account>("a/history")).value->version == 2U);
  BOOST_TEST(must(b.service->query<shown_account>("a+b")).value->version == 2U);
  b.open("17", 7, "numbered");
  BOOST_TEST(must(b.service->query<numbered_account>(std::int64_t{17})).value->version == 2U);
  BOOST_TEST(is_problem(b.post("/aggregates/numbered/x17/open", "{}"), 400, "invalid-request",
                        {"the key must be an integer"}));
  BOOST_TEST(is_problem(b.post("/aggregates/accounts//open", "{}"), 400, "invalid-request",
                        {"the key: it is empty"}));
  for (const auto* wrong : {"%", "a%2", "%zz"}) {
    BOOST_TEST(is_problem(b.get(std::string{"/aggregates/accounts/"} + wrong), 400,
                          "invalid-request", {"hexadecimal"}),
               wrong);
  }
}

BOOST_AUTO_TEST_CASE(the_openapi_document_has_every_path_and_all_that_it_refers_to) {
  served_bank b;
  const auto document = b.get("/openapi.json");
  BOOST_TEST(document.status == 200);
  const auto& text = document.body;
  json_document parsed;
  BOOST_TEST(parsed.parse(text), parsed.problem());
  const auto has = [&](std::string_view part) {
    const bool found = text.find(part) != std::string::npos;
    if (!found) BOOST_TEST_MESSAGE(part << " is not in " << text);
    return found;
  };
  BOOST_TEST(text.starts_with(R"({"openapi":"3.1.0","info":{"title":"bank","version":")"));
  for (const auto* type : {"accounts", "plain-accounts", "numbered"}) {
    for (const auto* path : {"", "/history", "/open", "/deposit", "/withdraw", "/close"})
      BOOST_TEST(has(fmt::format(R"("/aggregates/{}/{{key}}{}":{{)", type, path)));
  }
  BOOST_TEST(has(R"("bank.capnp.Deposit":{"type":"object","properties":{"amountCents":{)"));
  BOOST_TEST(has(R"("bank.capnp.InsufficientFunds":{)"));
  BOOST_TEST(has(R"("reply":{"$ref":"#/components/schemas/bank.capnp.WithdrawalReceipt"})"));
  constexpr std::string_view mark = R"("$ref":"#/components/schemas/)";
  std::size_t references = 0;
  for (auto at = text.find(mark); at != std::string::npos; at = text.find(mark, at + 1)) {
    const auto begin = at + mark.size();
    BOOST_TEST(
        has(text.substr(begin - 1, text.find('"', begin) - begin + 2).replace(0, 1, "\"") + ":{"));
    ++references;
  }
  BOOST_TEST(references > 20U);
  BOOST_TEST(text.find("securitySchemes") == std::string::npos);
  b.serve({.token = "secret"});
  b.client->set_default_headers({{"Authorization", "Bearer secret"}});
  const auto with_token = b.get("/openapi.json").body;
  BOOST_TEST(parsed.parse(with_token), with_token);
  BOOST_TEST(with_token.find(R"("security":[{"token":[]}])") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_command_that_throws_is_500_and_the_next_one_is_answered) {
  served_bank b;
  b.open("acc-1", 700);
  const std::string path = "/aggregates/accounts/acc-1/deposit";
  BOOST_TEST(is_problem(b.post(path, R"({"amountCents":13})"), 500, "failed", {"thirteen"}));
  BOOST_TEST(b.post(path, R"({"amountCents":1})").etag == "\"3\"");
}

BOOST_AUTO_TEST_CASE(a_command_that_is_not_answered_in_time_may_have_happened) {
  served_bank b{{.answer_time = 50ms}};
  b.open("acc-1", 700);
  const std::string path = "/aggregates/accounts/acc-1/deposit";
  const httplib::Headers key{{"Idempotency-Key", "late"}};
  {
    const held_commits held{*b.log};
    BOOST_TEST(is_problem(b.post(path, R"({"amountCents":1})", key), 504, "may-have-happened",
                          {"same Idempotency-Key", "\"may_have_happened\":true"}));
  }
  b.serve({});
  BOOST_TEST(b.post(path, R"({"amountCents":1})", key).etag == "\"3\"");
}

BOOST_AUTO_TEST_CASE(a_command_whose_commit_nobody_knows_the_end_of_may_have_happened) {
  served_bank b;
  b.open("acc-1", 700);
  std::atomic<commit_fault> fault{commit_fault::indefinite_applied};
  b.log->set_commit_fault(
      [&](const log_transaction&) { return fault.exchange(commit_fault::none); });
  const std::string path = "/aggregates/accounts/acc-1/deposit";
  const httplib::Headers key{{"Idempotency-Key", "unknown"}};
  const auto first = b.post(path, R"({"amountCents":1})", key);
  if (first.status != 200)  // it may also have been found out before the answer
    BOOST_TEST(is_problem(first, 504, "may-have-happened", {"same Idempotency-Key"}));
  BOOST_TEST(b.post(path, R"({"amountCents":1})", key).etag == "\"3\"");
}

BOOST_AUTO_TEST_CASE(a_history_is_the_key_s_events_in_order_and_says_where_to_go_on) {
  served_bank b;
  b.open("acc-1", 20000);
  for (int i = 0; i < 20; ++i) b.open("other-" + std::to_string(i), 1);
  b.post("/aggregates/accounts/acc-1/withdraw", R"({"amountCents":10000})");
  const std::string path = "/aggregates/accounts/acc-1/history";
  const auto all = b.get(path);
  BOOST_TEST(all.status == 200);
  BOOST_TEST(all.body.starts_with(R"({"type":"accounts","key":"acc-1","events":[{"version":1,)"));
  std::size_t at = 0;
  for (const auto* part :
       {R"("type":"bank.capnp:Opened","position":0,"event":{}})", R"({"version":2,"time":"20)",
        R"("type":"bank.capnp:Deposited")", R"("event":{"amountCents":20000}})", R"({"version":3,)",
        R"("event":{"amountCents":10000}})", R"({"version":4,)",
        R"("type":"bank.capnp:FeeCharged")", R"("event":{"feeCents":5}}])", R"("at_end":true)"}) {
    const auto found = all.body.find(part, at);
    BOOST_REQUIRE_MESSAGE(found != std::string::npos, part << " is not in " << all.body);
    at = found;
  }
  // Page by page it is the same.
  const auto next_of = [](const std::string& body) {
    const auto place = body.rfind(R"("next":)") + 7;
    return body.substr(place, body.find(',', place) - place);
  };
  std::string from = "0";
  for (int version = 1; version <= 4; ++version) {
    const auto page = b.get(path + "?limit=1&from=" + from).body;
    BOOST_TEST(page.find(fmt::format(R"("events":[{{"version":{},)", version)) !=
               std::string::npos);
    BOOST_TEST(page.find(R"("at_end":false)") != std::string::npos);
    from = next_of(page);
  }
  const auto last = b.get(path + "?limit=1&from=" + from);
  BOOST_TEST(last.status == 200);
  BOOST_TEST(last.body.find(R"("events":[],)") != std::string::npos);
  BOOST_TEST(last.body.find(R"("at_end":true)") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace http_aggregates_test
