// What commands are measured with: an aggregate, and a load of it.
//
// The load comes from the host's process: whoever is answered asks the next one, in the callback,
// for a key chosen at random; each command has an id of its own.
//
// Units: microseconds of a command's time, as far as two seconds; longer ones count as that.
//
// Threading: the calling thread; answers come on the host's.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "commands.kappa.hpp"
#include "kappa/actors/host.hpp"
#include "measure.hpp"

namespace bench {

struct purse : purse_state {
  using protocol = purse_protocol;
  auto decide(const put& c) const -> kappa::decision<was_put> {
    if (c.cents < 0) return kappa::reject("nothing can be taken");
    return was_put{c.cents};
  }
  void apply(const was_put& e) { cents += e.cents; }
};

[[nodiscard]] inline kappa::app purses_app(const std::string& name = "bench") {
  kappa::app a{name};
  a.aggregate<purse>(name == "bench" ? "purses" : name + "-purses");
  return a;
}

/// Keys by number, and ids that differ: UUIDs of version 7 in form, made without the system's help.
[[nodiscard]] std::string key_name(std::uint32_t n);
[[nodiscard]] std::string id_name(std::uint64_t n, std::int64_t now_ms);

/// Until one of both is reached.
struct load_size {
  std::uint64_t commands = UINT64_MAX;
  std::chrono::milliseconds time = std::chrono::hours{1};
};

class command_load {
 public:
  command_load(kappa::host& h, std::uint32_t keys, std::size_t in_flight, load_size size);

  /// Once. Throws when some failed.
  spent run();
  /// How many were answered.
  [[nodiscard]] std::uint64_t commands() const;
  /// Microseconds that this share of the commands took at most.
  [[nodiscard]] double took_us(double share) const;

 private:
  static constexpr std::size_t longest_us = 2'000'000;

  void ask_next();
  void answered(std::chrono::steady_clock::time_point began, bool good);

  kappa::host& host_;
  std::vector<std::string> keys_;
  const load_size size_;
  const std::int64_t now_ms_ = kappa::system_now().time_since_epoch().count();
  std::chrono::steady_clock::time_point until_;
  std::vector<std::atomic<std::uint32_t>> took_us_;  // how many took so long
  std::atomic<std::uint64_t> asked_{0};
  std::atomic<std::uint64_t> failed_{0};
  std::mutex mutex_;
  std::condition_variable over_;
  std::size_t askers_;  // who ask on when they are answered
};

/// Of several rounds.
class command_figures {
 public:
  /// Warms the host up, then measures for so long. Commands a second.
  double measure(kappa::host& h, std::uint32_t keys, std::size_t in_flight,
                 std::chrono::milliseconds time);
  /// Rate, CPU and times: medians; and how many snapshots ended meanwhile, of all tasks together.
  [[nodiscard]] std::string text() const;
  [[nodiscard]] const std::vector<double>& rates() const { return rates_; }
  /// Microseconds of the middle command, by round.
  [[nodiscard]] const std::vector<double>& p50_us() const { return p50_us_; }
  [[nodiscard]] const std::vector<double>& p99_us() const { return p99_us_; }

 private:
  std::vector<double> rates_;
  std::vector<double> cpu_us_;
  std::vector<double> p50_us_;
  std::vector<double> p99_us_;
  std::vector<double> p999_us_;
  std::vector<double> snapshots_;
};

/// Until every task that has one of these keys answers, and with all that the log has. One that
/// replays is asked once, and answers when it is live; one that is not here yet (Kafka) again after
/// a pause.
void wait_for(kappa::host& h, std::uint32_t keys);

/// All cores for as long as it lives: the load takes one of them.
class all_cores {
 public:
  all_cores();
  ~all_cores() { run_on(before_); }
  all_cores(const all_cores&) = delete;
  all_cores& operator=(const all_cores&) = delete;

 private:
  std::vector<int> before_ = cores();
};

}  // namespace bench
