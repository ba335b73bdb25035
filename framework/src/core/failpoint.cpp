#include "kappa/core/failpoint.hpp"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <string>

#include <unistd.h>

#include "kappa/core/error.hpp"

namespace kappa::failpoint {

const std::vector<std::string_view>& names() {
  static const std::vector<std::string_view> all{
      // ingest
      "ingest.read",
      "ingest.emit",
      // the epoch
      "epoch.close",
      // T1
      "t1.submit",
      "t1.before_commit",
      // inside it, on the embedded log
      "log.create_topic",
      "log.take_app",
      "log.begin",
      "log.after_frames",
      "log.after_positions",
      "log.before_commit",
      "log.after_commit",
      "log.after_wake",
      "t1.after_commit",
      // T2
      "t2.freeze",
      "t2.before_commit",
      "state.begin",
      "state.after_tables",
      "state.before_commit",
      "state.after_commit",
      "t2.after_commit",
      // retention
      "retention.after_removal",
      "retention.after_commit",
      // start
      "recover.plan",
      "recover.replay",
      "recover.live",
  };
  return all;
}

#if KAPPA_FAILPOINTS
namespace {

struct armed_point {
  std::string name;
  std::atomic<long> left{0};
};

// Read once from the environment; a test arms a process by starting it.
armed_point* armed() {
  static armed_point* const point = []() -> armed_point* {
    const char* spec = std::getenv("KAPPA_FAILPOINT");
    if (spec == nullptr || *spec == '\0') return nullptr;
    auto* p = new armed_point;  // lives as long as the process
    p->name = spec;
    p->left = 1;
    if (const auto colon = p->name.rfind(':'); colon != std::string::npos) {
      p->left = std::atol(p->name.c_str() + colon + 1);
      p->name.resize(colon);
    }
    return p;
  }();
  return point;
}

}  // namespace

bool broken(std::string_view name) {
  static const std::string which = [] {
    const char* spec = std::getenv("KAPPA_BREAK");
    return std::string{spec == nullptr ? "" : spec};
  }();
  return !which.empty() && which == name;
}

void hit(std::string_view name) {
  auto* const point = armed();
  if (point == nullptr) return;
  const auto& all = names();
  if (std::find(all.begin(), all.end(), name) == all.end()) bug("a failpoint is not in the list");
  if (point->name != name) return;
  if (point->left.fetch_sub(1) == 1) {
    // The marker file tells a crash test that this point, and no other cause, killed the process.
    if (const char* mark = std::getenv("KAPPA_FAILPOINT_MARK")) {
      if (auto* f = std::fopen(mark, "w")) {
        std::fwrite(name.data(), 1, name.size(), f);
        std::fclose(f);
      }
    }
    ::kill(::getpid(), SIGKILL);
    for (;;) ::pause();  // the signal is on its way
  }
}
#endif

}  // namespace kappa::failpoint
