// Brokers that do not answer for a while.
#include <atomic>

#include "kafka/totals_app_support.hpp"
#include "support/forwarding_log.hpp"

namespace {

using namespace kafka_test;

/// Does not tell positions while it is silent.
class silent_log final : public kappa::test::forwarding_log {
 public:
  using forwarding_log::forwarding_log;
  result<std::vector<log_transaction::move>> positions(const std::string& app) override {
    if (silent) return fail(errc::timed_out, app, "no answer", true);
    return to().positions(app);
  }
  std::atomic<bool> silent = false;
};

BOOST_AUTO_TEST_SUITE(silent_brokers)

BOOST_AUTO_TEST_CASE(a_process_that_has_nothing_to_do_waits_for_them_to_tell_whether_others_have) {
  const auto name = fresh_name();
  const temporary_folder folder;
  const auto log = std::make_shared<silent_log>(log_on_kafka());
  make_input(*log, name);
  send(*log, name, 0, 100);
  auto options = options_on(kafka_url(), folder.path());
  options.shared_log = log;
  options.until_end = true;
  host h{totals_app(name), options};
  must(h.start());
  log->silent = true;
  BOOST_TEST_REQUIRE(eventually(
      [&] {
        const auto all = h.status();
        return std::all_of(all.begin(), all.end(),
                           [](const task_status& t) { return t.health == task_health::finished; });
      },
      60s));
  BOOST_TEST(!must(h.wait_finished(1ms)));
  log->silent = false;
  BOOST_TEST(must(h.wait_finished(60s)));
  must(h.stop());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
