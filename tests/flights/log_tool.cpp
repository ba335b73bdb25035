// What the tests of the job ask of its log while no job runs.
//
//   flights_log_tool ends FOLDER             topic[partition] first next, one line for each
//   flights_log_tool positions FOLDER        app/stage.gN[task]<-input next
//   flights_log_tool forget FOLDER STAGE     forgets the positions of a stage; says which
#include <cstdio>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "kappa/kappa.hpp"
#include "kappa/log/open_log.hpp"

namespace {

using kappa::result;

result<void> ends(kappa::event_log& log) {
  const auto topics = log.topics();
  if (!topics) return kappa::fail(topics.error());
  for (const auto& t : *topics) {
    for (std::int32_t p = 0; p < t.partitions; ++p) {
      const kappa::topic_partition tp{t.name, kappa::partition{p}};
      const auto b = log.bounds(tp);
      if (!b) return kappa::fail(b.error());
      fmt::print("{} {} {}\n", tp.text(), b->earliest.value, b->latest.value);
    }
  }
  return {};
}

result<void> positions(kappa::event_log& log) {
  const auto all = log.positions("flights");
  if (!all) return kappa::fail(all.error());
  for (const auto& p : *all) fmt::print("{} {}\n", p.key.text(), p.value.next.value);
  return {};
}

result<void> forget(kappa::event_log& log, std::string_view stage) {
  const auto all = log.positions("flights");
  if (!all) return kappa::fail(all.error());
  for (const auto& p : *all) {
    if (p.key.stage != stage) continue;
    if (auto done = log.forget_position(p.key); !done) return done;
    fmt::print("{}\n", p.key.text());
  }
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view what = argc > 2 ? argv[1] : "";
  if (!((argc == 3 && (what == "ends" || what == "positions")) ||
        (argc == 4 && what == "forget"))) {
    fmt::print(stderr, "flights_log_tool ends|positions|forget FOLDER [STAGE]\n");
    return 2;
  }
  kappa::open_log_options options;
  options.url = fmt::format("lmdb:{}", argv[2]);
  auto log = kappa::open_log(options);
  if (!log) {
    fmt::print(stderr, "error: {}\n", log.error());
    return 1;
  }
  const auto done = what == "ends"        ? ends(**log)
                    : what == "positions" ? positions(**log)
                                          : forget(**log, argv[3]);
  if (!done) fmt::print(stderr, "error: {}\n", done.error());
  return done ? 0 : 1;
}
