// One new idea: Kappa inside a service of your own. It counts page views: `main` appends them to a
// topic, the host counts, `main` asks the host.
//
//   ./embedding FOLDER page…
//
// Run it twice: what was counted is still there.
#include <chrono>
#include <string>
#include <thread>

#include <fmt/format.h>

#include "kappa/kappa.hpp"

namespace {

// Strings and integers need no schema.
kappa::app views_app() {
  kappa::app app{"views"};
  app.stream<std::string>("page-views")
      .key_by("page", [](const std::string& page) { return page; })
      .fold<std::int64_t>("count", [](std::int64_t& n, const std::string&) { ++n; });
  return app;
}

int complain(const kappa::error& e) {
  fmt::print(stderr, "error: {}\n", e);
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    fmt::print(stderr, "usage: {} FOLDER page…\n", argv[0]);
    return 2;
  }
  const std::string folder = argv[1];

  // [log]
  auto log = kappa::open_log({.url = "lmdb:" + folder + "/log"});
  if (!log) return complain(log.error());
  auto made = (*log)->create_topic({.name = "page-views", .partitions = 2});
  if (!made) return complain(made.error());
  // [/log]

  // [host]
  kappa::host host{views_app(), {.shared_log = *log, .state = folder + "/state"}};
  if (auto started = host.start(); !started) return complain(started.error());
  // [/host]

  for (int i = 2; i < argc; ++i) {
    const std::string page = argv[i];
    const auto before = host.query<std::int64_t>("count", page);
    if (!before) return complain(before.error());

    // [append]
    kappa::record_batch batch;
    batch.add(kappa::system_now(), page, page);
    auto appended = (*log)->append({"page-views", kappa::partition_of(page, 2)}, batch);
    if (!appended) return complain(appended.error());
    // [/append]

    // The record is safe now. The count follows: it is never wrong, but it may be behind.
    for (;;) {
      // [query]
      auto views = host.query<std::int64_t>("count", page);
      if (!views) return complain(views.error());
      // [/query]
      if (views->value > before->value) {
        fmt::print("{}: {} views\n", page, *views->value);
        break;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds{5});
    }
  }

  // [stop]
  if (auto stopped = host.stop(); !stopped) return complain(stopped.error());
  // [/stop]
  return 0;
}
