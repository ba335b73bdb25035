// Clients of accounts that write down what they ask and what they are told, each with the time, for
// history.py to judge. A process of them has a host, starts again after a kill, and then asks again
// for what it was not told.
//
//   kappa_linear --log URL --state DIR --history FILE [--clients N] [--seed N]
//
// A line of the history: "i OP NS KIND KEY AMOUNT EXPECTED ID" when something is asked, "r OP NS
// RESULT…" when it is answered, "a OP NS RESULT…" when it was asked once more although it was
// answered. NS: of the machine's monotonic clock, which all processes share. A file is of one
// process, in all its lives.
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <deque>
#include <fstream>
#include <map>
#include <mutex>
#include <random>
#include <sstream>
#include <thread>

#include <fmt/format.h>

#include "aggregate/bank_app.hpp"
#include "kappa/actors/host.hpp"
#include "kappa/core/parse_number.hpp"

namespace {

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;
using bank::account;

constexpr auto life_of_a_key = 2s;  // so that a key's history can be searched
constexpr std::uint64_t keys_at_a_time = 6;
constexpr auto asked_for = 500ms;
constexpr int could_not_start = 3;

enum class kind { open, deposit, withdraw, read, exact };
constexpr std::array<std::string_view, 5> names{"open", "deposit", "withdraw", "read", "exact"};

struct question {
  std::string op;
  kind what = kind::open;
  std::string key;
  std::int64_t amount = 0;
  std::optional<std::uint64_t> expected{};  // version; of a read: at least
  std::string id{};
};

std::int64_t now_ns() { return steady::now().time_since_epoch() / 1ns; }

std::string text_of(const kappa::ask_result& r) {
  if (r) return fmt::format("ok {}", r->version);
  if (r.error().rejected() != nullptr) return "rejected";
  if (const auto* c = r.error().conflict()) return fmt::format("conflict {}", c->actual);
  return "failed";
}

class history {
 public:
  explicit history(const std::string& file) {
    std::ifstream past{file};
    for (std::string line; std::getline(past, line);) read(line);
    fd_ = ::open(file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd_ < 0) throw std::runtime_error{file + ": cannot be written"};
    life_ = past_lives_ + 1;
    write(fmt::format("life {}\n", life_));
  }
  ~history() { ::close(fd_); }
  history(const history&) = delete;
  history& operator=(const history&) = delete;

  [[nodiscard]] int life() const { return life_; }
  /// Commands of former lives that were not answered.
  [[nodiscard]] const std::map<std::string, question>& open() const { return open_; }

  void asked(const question& q) {
    write(fmt::format("i {} {} {} {} {} {} {}\n", q.op, now_ns(),
                      names[static_cast<std::size_t>(q.what)], q.key, q.amount,
                      q.expected ? std::to_string(*q.expected) : "-", q.id.empty() ? "-" : q.id));
  }
  void answered(const question& q, const std::string& result) { told('r', q, result); }
  void answered_again(const question& q, const std::string& result) { told('a', q, result); }

 private:
  void told(char how, const question& q, const std::string& result) {
    write(fmt::format("{} {} {} {}\n", how, q.op, now_ns(), result));
  }
  // At once, so that a kill leaves whole lines.
  void write(const std::string& line) {
    if (::write(fd_, line.data(), line.size()) != static_cast<ssize_t>(line.size()))
      throw std::runtime_error{"the history cannot be written"};
  }
  void read(const std::string& line) {
    std::istringstream in{line};
    std::string sign;
    question q;
    in >> sign >> q.op;
    if (sign == "life") ++past_lives_;
    if (sign == "r") open_.erase(q.op);
    if (sign != "i") return;
    std::int64_t ns = 0;
    std::string name;
    std::string expected;
    in >> ns >> name >> q.key >> q.amount >> expected >> q.id;
    for (std::size_t k = 0; k < names.size(); ++k) {
      if (names[k] == name) q.what = static_cast<kind>(k);
    }
    std::uint64_t version = 0;
    if (kappa::parse_number(expected, version)) q.expected = version;
    if (q.what != kind::read && q.what != kind::exact) open_[q.op] = q;
  }

  int fd_ = -1;
  int past_lives_ = 0;
  int life_ = 1;
  std::map<std::string, question> open_;
};

/// Ends the clients' work.
class bell {
 public:
  /// Waits, unless it has rung. Whether it has.
  bool wait(std::chrono::microseconds limit) {
    std::unique_lock lock{mutex_};
    return rings_.wait_for(lock, limit, [&] { return rung_; });
  }
  void ring() {
    const std::lock_guard lock{mutex_};
    rung_ = true;
    rings_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable rings_;
  bool rung_ = false;
};

/// Commands that were not answered in time, to be asked again by one who has it. Any thread.
class leftovers {
 public:
  void put(question q) {
    const std::lock_guard lock{mutex_};
    waiting_.push_back(std::move(q));
  }
  std::optional<question> take() {
    const std::lock_guard lock{mutex_};
    if (waiting_.empty()) return std::nullopt;
    auto q = std::move(waiting_.front());
    waiting_.pop_front();
    return q;
  }

 private:
  std::mutex mutex_;
  std::deque<question> waiting_;
};

class client {
 public:
  client(kappa::host& service, history& to, leftovers& left, std::string name, std::uint64_t seed)
      : service_{service}, to_{to}, left_{left}, name_{std::move(name)}, dice_{seed} {}

  void run(bell& over) {
    while (!over.wait(std::chrono::microseconds{dice_() % 4'000})) next();
  }
  void ask_for_what_is_left(bell& over) {
    while (!over.wait(10ms)) {
      if (auto q = left_.take()) (void)command(*q);
    }
  }

 private:
  void next() {
    question q;
    q.op = fmt::format("{}.{}", name_, ++asked_);
    const auto slot = steady::now().time_since_epoch() / life_of_a_key;
    q.key = fmt::format("k{}-{}", slot, dice_() % keys_at_a_time);
    if (q.key.substr(0, q.key.find('-')) != slot_) seen_.clear();
    slot_ = q.key.substr(0, q.key.find('-'));
    const auto seen = seen_.find(q.key);
    const auto what = dice_() % 100;
    if (what < 30) {
      q.what = kind::exact;
      query(q);
    } else if (what < 50) {
      q.what = kind::read;
      if (seen != seen_.end() && dice_() % 2 == 0) q.expected = seen->second;
      query(q);
    } else {
      const bool may_be_closed = seen == seen_.end() && dice_() % 2 == 0;
      q.what = may_be_closed || what < 55 ? kind::open : what < 80 ? kind::deposit : kind::withdraw;
      if (q.what != kind::open) q.amount = static_cast<std::int64_t>(1 + dice_() % 100);
      if (seen != seen_.end() && dice_() % 5 == 0) q.expected = seen->second;
      q.id = kappa::new_command_id();
      to_.asked(q);
      if (command(q) && dice_() % 10 == 0) ask_once_more(q);
    }
  }

  void query(const question& q) {
    to_.asked(q);
    kappa::query_options options{.timeout = asked_for};
    options.linearizable = q.what == kind::exact;
    options.at_least_version = q.expected;
    const auto found = service_.query<account>(q.key, options);
    if (!found) {
      to_.answered(q, "failed");
      return;
    }
    const auto at = found->value.value_or(kappa::aggregate_entry<account>{});
    to_.answered(q, fmt::format("value {} {}", at.version, at.state.balance_cents));
    saw(q.key, at.version);
  }

  kappa::ask_result ask(const question& q) {
    const kappa::ask_options options{
        .id = q.id, .expected_version = q.expected, .timeout = asked_for};
    if (q.what == kind::open) return service_.ask<account>(q.key, bank::open{}, options);
    if (q.what == kind::deposit)
      return service_.ask<account>(q.key, bank::deposit{q.amount}, options);
    return service_.ask<account>(q.key, bank::withdraw{q.amount}, options);
  }

  // Whether there is an answer, and one that is remembered.
  bool command(const question& q) {
    const auto r = ask(q);
    if (!r && r.error().may_be_asked_again()) {
      left_.put(q);
      return false;
    }
    // Of one that is too old, or alike, nobody says any more what became of it.
    if (r || r.error().failed() == nullptr) to_.answered(q, text_of(r));
    if (r) saw(q.key, r->version);
    return r || r.error().rejected() != nullptr;
  }
  void ask_once_more(const question& q) {
    const auto r = ask(q);
    if (r || !r.error().may_be_asked_again()) to_.answered_again(q, text_of(r));
  }

  void saw(const std::string& key, std::uint64_t version) {
    auto& at = seen_[key];
    at = std::max(at, version);
  }

  kappa::host& service_;
  history& to_;
  leftovers& left_;
  std::string name_;
  std::mt19937_64 dice_;
  std::uint64_t asked_ = 0;
  std::string slot_;
  std::map<std::string, std::uint64_t> seen_;  // version by key
};

struct settings {
  kappa::host_options host;
  std::string history;
  std::uint64_t clients = 3;
  std::uint64_t seed = 1;
};

bool read_option(std::string_view name, const std::string& value, settings& s) {
  if (name == "--log") s.host.log = value;
  if (name == "--state") s.host.state = value;
  if (name == "--history") s.history = value;
  if (name == "--clients") return kappa::parse_number(value, s.clients);
  if (name == "--seed") return kappa::parse_number(value, s.seed);
  if (name == "--session-seconds") {
    std::uint64_t seconds = 0;
    if (!kappa::parse_number(value, seconds)) return false;
    s.host.session_timeout = std::chrono::seconds{seconds};
  }
  return name.starts_with("--");
}

int serve(const settings& s, const sigset_t& stops) {
  history told{s.history};
  kappa::host service{bank::bank_app("linear", "accounts"), s.host};
  if (auto started = service.start(); !started) {
    fmt::print(stderr, "error: {}\n", started.error().text());
    return could_not_start;
  }
  bell over;
  leftovers left;
  for (const auto& [op, q] : told.open()) left.put(q);
  std::vector<std::jthread> threads;
  for (std::uint64_t n = 0; n < 2 * s.clients; ++n) {
    threads.emplace_back([&, n] {
      client c{service, told, left, fmt::format("{}.{}.{}", s.seed, told.life(), n),
               s.seed * 1'000'003 + static_cast<std::uint64_t>(told.life()) * 1009 + n};
      if (n < s.clients) {
        c.run(over);
      } else {
        c.ask_for_what_is_left(over);
      }
    });
  }
  const timespec glance{0, 100'000'000};
  while (::sigtimedwait(&stops, nullptr, &glance) < 0) {
    if (const auto failed = service.failure()) {
      fmt::print(stderr, "error: {}\n", failed->text());
      over.ring();
      return 1;
    }
  }
  over.ring();
  threads.clear();
  if (auto stopped = service.stop(); !stopped) {
    fmt::print(stderr, "error: {}\n", stopped.error().text());
    return 1;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  sigset_t stops;
  ::sigemptyset(&stops);
  ::sigaddset(&stops, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &stops, nullptr);
  settings s;
  s.host.partitions = 3;
  s.host.limits.snapshot_interval = 500ms;
  s.host.log_to = [](kappa::log_level, std::string_view what,
                     const std::initializer_list<kappa::log_field>& fields) {
    std::string line{what};
    for (const auto& f : fields) line += fmt::format(" {}={}", f.name, f.value);
    fmt::print(stderr, "{}\n", line);
  };
  for (int i = 1; i + 1 < argc; i += 2) {
    if (!read_option(argv[i], argv[i + 1], s)) {
      fmt::print(stderr, "error: {} {}: not understood\n", argv[i], argv[i + 1]);
      return 2;
    }
  }
  if (s.history.empty()) {
    fmt::print(stderr, "error: --history FILE is missing\n");
    return 2;
  }
  return serve(s, stops);
}
