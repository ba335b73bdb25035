#include "kappa/core/failpoint.hpp"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kappa/core/error.hpp"
#include "kappa/core/failpoints_compiled.hpp"

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
      // inside it, on Kafka
      "kafka.before_offsets",
      "kafka.before_commit",
      "kafka.after_commit",
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
      // a request to build a state anew, and what becomes of it
      "admin.accepted",
      "rebuild.before_erase",
      "rebuild.after_erase",
      "admin.rebuilt",
      // a copy to another log
      "copy.noted",
      "copy.topic_made",
      "copy.before_append",
      "copy.after_append",
      "copy.records_done",
      "copy.moved",
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
  int signal = SIGKILL;
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
    if (const char* other = std::getenv("KAPPA_FAILPOINT_SIGNAL")) p->signal = std::atoi(other);
    return p;
  }();
  return point;
}

// Null: nobody counts. The file is mapped, so that what a killed process counted is in it.
hit_count* counts() {
  static hit_count* const table = []() -> hit_count* {
    const char* file = std::getenv("KAPPA_FAILPOINT_COUNTS");
    if (file == nullptr || *file == '\0') return nullptr;
    const auto size = names().size() * sizeof(hit_count);
    const int fd = ::open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ::ftruncate(fd, static_cast<off_t>(size)) != 0)
      bug("KAPPA_FAILPOINT_COUNTS: no such file");
    void* const map = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ::close(fd);
    if (map == MAP_FAILED) bug("KAPPA_FAILPOINT_COUNTS: cannot be mapped");
    return static_cast<hit_count*>(map);
  }();
  return table;
}

void count(hit_count& c) {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  const auto ns = std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
  std::atomic_ref{c.hits}.fetch_add(1, std::memory_order_relaxed);
  std::int64_t none = 0;
  std::atomic_ref{c.first_ns}.compare_exchange_strong(none, ns, std::memory_order_relaxed);
  std::atomic_ref{c.last_ns}.store(ns, std::memory_order_relaxed);
}

// Set by a program of one thread, before anything can hit.
std::function<void(std::string_view)>& observer() {
  static std::function<void(std::string_view)> present;
  return present;
}

}  // namespace

void set_observer(std::function<void(std::string_view)> o) { observer() = std::move(o); }

bool broken(std::string_view name) {
  static const std::string which = [] {
    const char* spec = std::getenv("KAPPA_BREAK");
    return std::string{spec == nullptr ? "" : spec};
  }();
  return !which.empty() && which == name;
}

void hit(std::string_view name) {
  if (observer()) observer()(name);
  auto* const point = armed();
  auto* const table = counts();
  if (point == nullptr && table == nullptr) return;
  const auto& all = names();
  const auto it = std::find(all.begin(), all.end(), name);
  if (it == all.end()) bug("a failpoint is not in the list");
  if (table != nullptr) count(table[it - all.begin()]);
  if (point == nullptr || point->name != name || point->left.fetch_sub(1) != 1) return;
  // The marker file tells a crash test that this point, and no other cause, killed the process.
  if (const char* mark = std::getenv("KAPPA_FAILPOINT_MARK")) {
    if (auto* f = std::fopen(mark, "w")) {
      std::fwrite(name.data(), 1, name.size(), f);
      std::fclose(f);
    }
  }
  if (point->signal != 0) ::kill(::getpid(), point->signal);
  while (point->signal == SIGKILL || point->signal == 0) ::pause();
}

#else

void set_observer(std::function<void(std::string_view)>) {}
bool broken(std::string_view) { return false; }
void hit(std::string_view) {}

#endif

}  // namespace kappa::failpoint
