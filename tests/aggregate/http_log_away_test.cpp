// What a service answers while its log says no.
#include "aggregate/served_bank.hpp"
#include "support/forwarding_log.hpp"

namespace http_log_away_tests {

namespace {

using namespace served_banks;

/// While it is away it commits nothing, and answers no question.
class absent_log : public kappa::test::forwarding_log {
 public:
  explicit absent_log(std::shared_ptr<memory_log> to) : forwarding_log{to}, commits_{*to} {}

  void leave(errc code) {
    code_ = code;
    commits_.set_commit_fault([](const log_transaction&) { return commit_fault::abort; });
  }
  void come_back() {
    code_ = std::nullopt;
    commits_.set_commit_fault([](const log_transaction&) { return commit_fault::none; });
  }

  result<partition_bounds> bounds(const topic_partition& tp) override {
    if (auto no = refusal()) return fail(*no);
    return forwarding_log::bounds(tp);
  }
  result<offset> settled_end(const topic_partition& tp) override {
    if (auto no = refusal()) return fail(*no);
    return forwarding_log::settled_end(tp);
  }
  result<std::unique_ptr<log_reader>> open_reader(const topic_partition& tp) override {
    if (auto no = refusal()) return fail(*no);
    return forwarding_log::open_reader(tp);
  }

 private:
  [[nodiscard]] std::optional<error> refusal() const {
    const auto code = code_.load();
    if (!code) return std::nullopt;
    return error{*code, "the log", "it is away", *code == errc::unavailable};
  }

  memory_log& commits_;
  std::atomic<std::optional<errc>> code_{std::nullopt};
};

struct bank_without_log : served_bank {
  bank_without_log() {
    open("acc-1", 700);
    must(service->stop());
    client.reset();
    server.reset();
    service.reset();
    start([&](host_options& h) { h.shared_log = away; });
    serve({.answer_time = 200ms});
    while (get("/ready").status != 200) continue;
    BOOST_REQUIRE_EQUAL(get(account).status, 200);
  }
  const std::string account = "/aggregates/accounts/acc-1";
  std::shared_ptr<absent_log> away = std::make_shared<absent_log>(log);
};

}  // namespace

BOOST_AUTO_TEST_SUITE(http_without_log)

BOOST_AUTO_TEST_CASE(a_command_that_cannot_be_committed_may_have_happened_and_happens_once) {
  bank_without_log b;
  b.away->leave(errc::unavailable);
  const httplib::Headers key{{"Idempotency-Key", "in the dark"}};
  const auto path = b.account + "/deposit";
  BOOST_TEST(is_problem(b.post(path, R"({"amountCents":1})", key), 504, "may-have-happened",
                        {"same Idempotency-Key"}));
  BOOST_TEST(b.get(b.account).etag == "\"2\"");  // what is not durable is shown to nobody
  b.away->come_back();
  b.serve({});
  BOOST_TEST(b.post(path, R"({"amountCents":1})", key).etag == "\"3\"");
  BOOST_TEST(b.post(path, R"({"amountCents":1})", key).etag == "\"3\"");
}

BOOST_AUTO_TEST_CASE(what_needs_the_log_is_503_and_what_does_not_is_answered) {
  for (const auto code : {errc::unavailable, errc::io}) {
    bank_without_log b;
    b.away->leave(code);
    BOOST_TEST(b.get(b.account).etag == "\"2\"");
    BOOST_TEST(is_problem(b.get(b.account + "/history"), 503, "unavailable", {"it is away"}));
    const auto exact = b.get(b.account + "?linearizable=true");
    BOOST_TEST(is_problem(exact, 504, "timed-out", {}));
    b.away->come_back();
    b.serve({});
    BOOST_TEST(b.get(b.account + "/history").status == 200);
    BOOST_TEST(b.get(b.account + "?linearizable=true").etag == "\"2\"");
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace http_log_away_tests
