// Disks that are full or gone.
#include <mutex>

#include "kafka/totals_app_support.hpp"
#include "kappa/log/open_log.hpp"
#include "support/kafka_broker.hpp"

namespace {

using namespace kafka_test;

BOOST_AUTO_TEST_SUITE(lost_disks)

BOOST_AUTO_TEST_CASE(an_app_waits_for_a_broker_whose_disk_is_full_says_so_and_goes_on) {
  kappa::testing::kafka_broker broker;
  const auto url = "kafka://" + broker.bootstrap();
  const auto log = must(open_log({.url = url}));
  const auto name = fresh_name();
  const temporary_folder folder;
  make_input(*log, name);
  auto options = options_on(url, folder.path());
  std::mutex mutex;
  std::vector<std::string> complaints;
  options.log_to = [&](log_level level, std::string_view what,
                       const std::initializer_list<log_field>& fields) {
    if (level < log_level::warning) return;
    std::string line{what};
    for (const auto& f : fields) line += fmt::format(" {}={}", f.name, f.value);
    const std::lock_guard lock{mutex};
    complaints.push_back(std::move(line));
  };
  host h{totals_app(name), options};
  must(h.start());
  send(*log, name, 0, 200);
  BOOST_TEST_REQUIRE(has_taken_in(*log, name, 200));
  {
    const std::lock_guard lock{mutex};
    complaints.clear();
  }
  send(*log, name, 200, 20'000);  // so that it is in the middle of it
  BOOST_TEST_REQUIRE(eventually([&] { return lines_of(*log, name + "-sums").size() > 200U; }));
  broker.fill_disk(1);
  BOOST_TEST_REQUIRE(eventually([&] { return !broker.runs(1); }, 60s));
  BOOST_TEST(eventually([&] {
    const std::lock_guard lock{mutex};
    return std::any_of(complaints.begin(), complaints.end(), [&](const std::string& line) {
      return line.find(broker.bootstrap()) != std::string::npos;
    });
  }));
  BOOST_TEST(!h.failure());

  broker.start_node(1);
  broker.wait_usable();
  BOOST_TEST(has_taken_in(*log, name, 20'200));
  BOOST_TEST(!h.failure());
  must(h.stop());
  check_counts(*log, name + "-sums");
  check_counts(*log, name + "-letters");
}

BOOST_AUTO_TEST_CASE(a_state_folder_that_was_lost_while_its_process_was_away_is_built_anew) {
  const auto name = fresh_name();
  const temporary_folder folder;
  const auto log = log_on_kafka();
  make_input(*log, name);
  const auto options = options_on(kafka_url(), folder.path() / "state");
  for (const int from : {0, 200}) {
    send(*log, name, from, 200);
    host h{totals_app(name), options};
    must(h.start());
    BOOST_TEST_REQUIRE(has_taken_in(*log, name, static_cast<std::size_t>(from) + 200));
    must(h.stop());
    std::filesystem::remove_all(options.state);  // who it was as well
  }
  check_counts(*log, name + "-sums");
  check_counts(*log, name + "-letters");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
