#include "commands.hpp"

#include <unistd.h>

#include <algorithm>
#include <numeric>
#include <set>
#include <stdexcept>
#include <thread>

#include <fmt/format.h>

#include "bench.hpp"
#include "kappa/core/partitioner.hpp"

namespace bench {

std::string key_name(std::uint32_t n) { return fmt::format("purse-{:06}", n); }

std::string id_name(std::uint64_t n, std::int64_t now_ms) {
  const auto ms = static_cast<std::uint64_t>(now_ms);
  return fmt::format("{:08x}-{:04x}-7000-8000-{:012x}", ms >> 16, ms & 0xffff, n);
}

command_load::command_load(kappa::host& h, std::uint32_t keys, std::size_t in_flight,
                           load_size size)
    : host_{h}, size_{size}, took_us_(longest_us + 1), askers_{in_flight} {
  for (std::uint32_t i = 0; i < keys; ++i) keys_.push_back(key_name(i));
}

spent command_load::run() {
  const auto s = timed(
      [&] {
        until_ = std::chrono::steady_clock::now() + size_.time;
        for (auto i = askers_; i > 0; --i) ask_next();
        std::unique_lock lock{mutex_};
        over_.wait(lock, [&] { return askers_ == 0; });
      },
      whose::process);
  if (failed_ > 0) throw std::runtime_error{fmt::format("{} commands failed", failed_.load())};
  return s;
}

std::uint64_t command_load::commands() const {
  return std::accumulate(took_us_.begin(), took_us_.end(), std::uint64_t{0},
                         [](std::uint64_t n, const auto& more) { return n + more.load(); });
}

double command_load::took_us(double share) const {
  auto left = static_cast<std::uint64_t>(share * double(commands() - 1));
  for (std::size_t us = 0; us < longest_us; ++us) {
    const std::uint64_t here = took_us_[us].load();
    if (left < here) return double(us);
    left -= here;
  }
  return double(longest_us);
}

void command_load::ask_next() {
  const auto n = asked_.fetch_add(1);
  const auto began = std::chrono::steady_clock::now();
  if (n >= size_.commands || began >= until_) {
    const std::lock_guard lock{mutex_};
    if (--askers_ == 0) over_.notify_all();
    return;
  }
  const auto random = n * 0x9e3779b97f4a7c15ULL >> 32;
  kappa::ask_options options;
  options.id = id_name(n, now_ms_);
  host_.ask<purse>(keys_[random % keys_.size()], put{1}, options,
                   [this, began](const kappa::ask_result& r) { answered(began, bool(r)); });
}

void command_load::answered(std::chrono::steady_clock::time_point began, bool good) {
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(
                      std::chrono::steady_clock::now() - began)
                      .count();
  ++took_us_[std::min(static_cast<std::size_t>(us), longest_us)];
  if (!good) ++failed_;
  ask_next();
}

namespace {

double snapshots_of(const kappa::host& h) {
  double all = 0;
  for (const auto& t : h.status()) all += double(t.progress.snapshots);
  return all;
}

}  // namespace

double command_figures::measure(kappa::host& h, std::uint32_t keys, std::size_t in_flight,
                                std::chrono::milliseconds time) {
  command_load{h, keys, 8192, {.commands = keys}}.run();
  command_load l{h, keys, in_flight, {.time = time}};
  const auto before = snapshots_of(h);
  const auto s = l.run();
  snapshots_.push_back(snapshots_of(h) - before);
  const auto commands = double(l.commands());
  rates_.push_back(commands / s.wall_s);
  cpu_us_.push_back(1e6 * s.cpu_s / commands);
  p50_us_.push_back(l.took_us(0.5));
  p99_us_.push_back(l.took_us(0.99));
  p999_us_.push_back(l.took_us(0.999));
  return rates_.back();
}

std::string command_figures::text() const {
  return fmt::format(
      "{:.3g} k/s, {:.2f} µs of CPU each; p50 {:.2f} ms, p99 {:.2f} ms, p99.9 {:.2f} ms; {} to {} "
      "snapshots",
      spread_of(rates_).median / 1e3, spread_of(cpu_us_).median, spread_of(p50_us_).median / 1e3,
      spread_of(p99_us_).median / 1e3, spread_of(p999_us_).median / 1e3,
      spread_of(snapshots_).least, spread_of(snapshots_).most);
}

void wait_for(kappa::host& h, std::uint32_t keys) {
  const auto tasks = h.status().size();
  std::set<std::int32_t> asked;
  for (std::uint32_t i = 0; i < keys && asked.size() < tasks; ++i) {
    const auto key = key_name(i);
    if (!asked.insert(kappa::partition_of(key, static_cast<std::int32_t>(tasks)).value).second)
      continue;
    kappa::query_options options;
    options.timeout = std::chrono::minutes{5};
    options.at_least = must(h.position_of<purse>(key));
    auto found = h.query<purse>(key, options);
    for (; !found && found.error().retriable; found = h.query<purse>(key, options))
      std::this_thread::sleep_for(std::chrono::milliseconds{5});
    must(std::move(found));
  }
}

all_cores::all_cores() {
  std::vector<int> all;
  for (int core = 0; core < ::sysconf(_SC_NPROCESSORS_ONLN); ++core) all.push_back(core);
  run_on(all);
}

}  // namespace bench
