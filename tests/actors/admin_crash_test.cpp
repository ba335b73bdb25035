// A replay that was asked for, and a process that is killed at every step of it.
#include <csignal>

#include "actors/actors_support.hpp"
#include "kappa/actors/admin_client.hpp"
#include "kappa/log/embedded_log.hpp"
#include "kappa_paths.hpp"
#include "support/child_process.hpp"

namespace actors_test {
using kappa::testing::child_process;

BOOST_AUTO_TEST_SUITE(admin_crashes)

namespace {

constexpr int rows = 10;
const auto program = std::filesystem::path{test_paths::binary_dir} / "tests/actors/actors_helper";
const topic_partition outputs{"sums", partition{0}};

// The app "helper" in a process of its own, and its log seen from here.
struct killed_world {
  killed_world() {
    child_process feeder{program, {"feed", "lmdb:" + folder_of_log(), std::to_string(rows)}};
    BOOST_REQUIRE_EQUAL(feeder.wait(), 0);
    log = must(open_embedded_log({.folder = folder_of_log()}));
    child_process first{program, arguments()};
    BOOST_REQUIRE(has_outputs(rows));
    stop(first);
  }
  [[nodiscard]] std::string folder_of_log() const { return (folder.path() / "log").string(); }
  [[nodiscard]] std::vector<std::string> arguments() const {
    return {"--log",   "lmdb:" + folder_of_log(), "--state", (folder.path() / "state").string(),
            "--quiet", "--commit-interval",       "1ms",     "--snapshot-interval",
            "5ms"};
  }
  [[nodiscard]] bool has_outputs(std::int64_t n) const {
    return eventually([&] {
      if (!must(log->find_topic(outputs.topic))) return false;
      return must(log->bounds(outputs)).latest.value >= n;
    });
  }
  static void stop(child_process& helper) {
    helper.kill(SIGTERM);
    BOOST_TEST(helper.wait() == 0);
  }
  [[nodiscard]] std::vector<totals> all_outputs() const {
    std::vector<totals> all;
    must(for_each_record(*log, outputs.topic, [&](const record_view& r) -> result<void> {
      all.push_back(must(codec<totals>::decode(*r.value)));
      return {};
    }));
    return all;
  }

  temporary_folder folder;
  std::shared_ptr<event_log> log;
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_replay_that_is_killed_at_any_step_is_done_once_and_the_state_is_as_before) {
  for (const std::string point :
       {"t1.before_commit:1", "t1.after_commit:1", "admin.accepted", "rebuild.before_erase",
        "rebuild.after_erase", "recover.replay:5", "recover.live:2", "t1.before_commit:2",
        "t1.after_commit:2", "admin.rebuilt"}) {
    BOOST_TEST_CONTEXT(point) {
      killed_world w;
      auto call = must(admin_client{w.log, "helper"}.send(admin::replay_request{.stage = "sum"}));
      {
        child_process doomed{program, w.arguments(), {"KAPPA_FAILPOINT=" + point}};
        BOOST_TEST(doomed.wait() == -SIGKILL);
      }
      child_process helper{program, w.arguments()};
      int accepted = 0;
      int done = 0;
      for (bool last = false; !last;) {
        const auto reply = must(call.next(60s));
        BOOST_REQUIRE(reply.has_value());
        const auto* const progress = std::get_if<admin::replay_progress>(&reply->which);
        BOOST_REQUIRE(progress != nullptr);
        accepted += progress->state == admin::replay_state::accepted ? 1 : 0;
        done += progress->state == admin::replay_state::done ? 1 : 0;
        last = reply->last;
      }
      BOOST_TEST(accepted == 1);
      BOOST_TEST(done == 1);
      // What comes next is added to all that was before.
      record_batch batch;
      const reading r{"oslo", ts("2002-01-01T00:00"), 100};
      batch.add(r.at, bytes_view{r.place}, bytes_view{encoded(r)});
      must(w.log->append({"readings", partition{0}}, batch));
      BOOST_REQUIRE(w.has_outputs(rows + 1));
      w.stop(helper);
      const auto all = w.all_outputs();
      BOOST_REQUIRE(all.size() == rows + 1u);
      BOOST_TEST((all.back() == totals{rows + 1, 45 + 100}));
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace actors_test
