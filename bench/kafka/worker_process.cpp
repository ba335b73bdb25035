#include "kafka/worker_process.hpp"

#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace bench::kafka {

namespace {

std::vector<std::string> arguments_of(const worker_options& o) {
  // clang-format off
  return {"worker", "--log", o.log, "--state", o.state.string(), "--app", o.app,
          "--partitions", std::to_string(o.partitions), "--protocol", o.protocol,
          "--standbys", std::to_string(o.standbys)};
  // clang-format on
}

}  // namespace

worker_process::worker_process(const worker_options& o)
    : child_{std::filesystem::read_symlink("/proc/self/exe"), arguments_of(o)}, thread_{[this] {
        listen();
      }} {}

worker_process::~worker_process() {
  child_.end_input();
  thread_.join();
}

void worker_process::listen() {
  while (const auto line = child_.line()) {
    change c;
    moment::rep ticks = 0;
    std::istringstream in{*line};
    in >> ticks >> c.partition >> c.word;
    c.at = moment{moment::duration{ticks}};
    const std::lock_guard lock{mutex_};
    changes_.push_back(std::move(c));
  }
  const std::lock_guard lock{mutex_};
  ended_ = true;
}

void worker_process::check() const {
  const std::lock_guard lock{mutex_};
  if (ended_) throw std::runtime_error{"a worker has ended by itself"};
}

std::set<std::int32_t> worker_process::live_tasks() const {
  const std::lock_guard lock{mutex_};
  std::set<std::int32_t> all;
  for (const auto& c : changes_) {
    if (c.word == live) {
      all.insert(c.partition);
    } else {
      all.erase(c.partition);
    }
  }
  return all;
}

std::optional<moment> worker_process::touched(std::int32_t partition, moment from) const {
  const std::lock_guard lock{mutex_};
  for (const auto& c : changes_) {
    if (c.partition == partition && c.at > from) return c.at;
  }
  return std::nullopt;
}

std::optional<moment> worker_process::became_live(std::int32_t partition, moment from) const {
  const std::lock_guard lock{mutex_};
  for (const auto& c : changes_) {
    if (c.partition == partition && c.word == live && c.at > from) return c.at;
  }
  return std::nullopt;
}

}  // namespace bench::kafka
