#include "commands.hpp"

#include <unistd.h>

#include <algorithm>
#include <stdexcept>

#include <fmt/format.h>

#include "bench.hpp"

namespace bench {

std::string key_name(std::uint32_t n) { return fmt::format("purse-{:06}", n); }

std::string id_name(std::uint64_t n, std::int64_t now_ms) {
  const auto ms = static_cast<std::uint64_t>(now_ms);
  return fmt::format("{:08x}-{:04x}-7000-8000-{:012x}", ms >> 16, ms & 0xffff, n);
}

command_load::command_load(kappa::host& h, std::uint32_t keys, std::uint64_t commands,
                           std::size_t in_flight)
    : host_{h}, in_flight_{std::min<std::uint64_t>(in_flight, commands)}, took_us_(commands) {
  for (std::uint32_t i = 0; i < keys; ++i) keys_.push_back(key_name(i));
}

spent command_load::run() {
  return timed(
      [&] {
        for (std::size_t i = 0; i < in_flight_; ++i) ask_next();
        std::unique_lock lock{mutex_};
        over_.wait(lock, [&] { return answered_.load() == took_us_.size(); });
      },
      whose::process);
}

double command_load::took_us(double share) {
  std::sort(took_us_.begin(), took_us_.end());
  return took_us_[static_cast<std::size_t>(share * double(took_us_.size() - 1))];
}

void command_load::check() const {
  if (failed_ > 0) throw std::runtime_error{fmt::format("{} commands failed", failed_.load())};
}

void command_load::ask_next() {
  const auto n = asked_.fetch_add(1);
  if (n >= took_us_.size()) return;
  const auto began = std::chrono::steady_clock::now();
  const auto random = n * 0x9e3779b97f4a7c15ULL >> 32;
  kappa::ask_options options;
  options.id = id_name(n, now_ms_);
  host_.ask<purse>(keys_[random % keys_.size()], put{1}, options,
                   [this, n, began](const kappa::ask_result& r) { answered(n, began, bool(r)); });
}

void command_load::answered(std::uint64_t n, std::chrono::steady_clock::time_point began,
                            bool good) {
  took_us_[n] = static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::microseconds>(
                                               std::chrono::steady_clock::now() - began)
                                               .count());
  if (!good) ++failed_;
  ask_next();
  if (answered_.fetch_add(1) + 1 < took_us_.size()) return;
  const std::lock_guard lock{mutex_};
  over_.notify_all();
}

spent command_figures::measure(kappa::host& h, std::uint32_t keys, std::uint64_t commands,
                               std::size_t in_flight) {
  command_load warm{h, keys, std::min<std::uint64_t>(commands, keys), in_flight};
  warm.run();
  command_load l{h, keys, commands, in_flight};
  const auto s = l.run();
  l.check();
  rates_.push_back(double(commands) / s.wall_s);
  cpu_us_.push_back(1e6 * s.cpu_s / double(commands));
  p50_us_.push_back(l.took_us(0.5));
  p99_us_.push_back(l.took_us(0.99));
  p999_us_.push_back(l.took_us(0.999));
  return s;
}

std::string command_figures::text() const {
  return fmt::format(
      "{:.3g} k/s, {:.2f} µs of CPU each; p50 {:.2f} ms, p99 {:.2f} ms, p99.9 {:.2f} ms",
      spread_of(rates_).median / 1e3, spread_of(cpu_us_).median, spread_of(p50_us_).median / 1e3,
      spread_of(p99_us_).median / 1e3, spread_of(p999_us_).median / 1e3);
}

void wait_for(kappa::host& h, std::uint32_t keys) {
  for (std::uint32_t i = 0; i < keys; ++i) {
    auto found = h.query<purse>(key_name(i));
    while (!found && found.error().retriable) found = h.query<purse>(key_name(i));
    must(std::move(found));
  }
}

all_cores::all_cores() {
  std::vector<int> all;
  for (int core = 0; core < ::sysconf(_SC_NPROCESSORS_ONLN); ++core) all.push_back(core);
  run_on(all);
}

}  // namespace bench
