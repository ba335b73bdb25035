// A log that gives the host its tasks and takes them away.
#include <atomic>
#include <future>
#include <memory>
#include <vector>

#include "actors/actors_support.hpp"
#include "support/forwarding_log.hpp"

namespace actors_test {

BOOST_AUTO_TEST_SUITE(placement)

namespace {

/// Gives all tasks to whoever joins; the test takes them away.
class placing_log final : public test::forwarding_log {
 public:
  using forwarding_log::forwarding_log;

  bool places_tasks() const override { return true; }
  result<std::unique_ptr<membership>> join(const std::vector<stage_tasks>& stages,
                                           const std::string& /*instance*/,
                                           placement_listener& listener) override {
    host_ = &listener;
    for (const auto& s : stages) {
      for (std::int32_t p = 0; p < s.tasks; ++p) listener.given({s.stage, partition{p}});
    }
    return std::make_unique<membership>();
  }
  [[nodiscard]] placement_listener& host() { return *host_; }

 private:
  placement_listener* host_ = nullptr;
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_host_that_fails_stops_though_a_lost_task_waits_for_a_commit) {
  world w{1};
  const auto log = std::make_shared<placing_log>(w.log);
  auto o = w.options();
  o.shared_log = log;
  host h{sums_app(), o};
  must(h.start());
  w.send({"oslo", ts("2001-01-01T08:00"), 1});
  BOOST_REQUIRE(eventually([&] { return processed(h, "sum", 1); }));

  std::promise<void> held;
  std::promise<void> gate;
  std::atomic<bool> holding{false};
  w.log->set_commit_fault([&, go_on = gate.get_future().share()](const log_transaction&) {
    if (!holding.exchange(true)) held.set_value();
    go_on.wait();
    return commit_fault::none;
  });
  w.send({"oslo", ts("2001-01-01T08:00"), 1});
  auto is_held = held.get_future();
  BOOST_REQUIRE((is_held.wait_for(30s) == std::future_status::ready));

  log->host().taken({"sum", partition{0}}, true, [] {});
  log->host().failed({errc::fenced, "group", "another has its identity"});
  auto stopped = std::async(std::launch::async, [&] { return h.stop(); });
  gate.set_value();
  BOOST_REQUIRE((stopped.wait_for(30s) == std::future_status::ready));
  BOOST_TEST(refused(stopped.get(), errc::fenced, {"another has its identity"}));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace actors_test
