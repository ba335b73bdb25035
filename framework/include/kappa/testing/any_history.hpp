// A property test of an aggregate: whatever is asked of it, its invariants hold.
//
//   kappa::testing::any_history<account>([](kappa::testing::dice& d, const account& a) -> command {
//     if (!a.open || d.chance(0.1)) return open{};
//     if (d.chance(0.5)) return deposit{d.number(1, 1000)};
//     return withdraw{d.number(1, 2 * a.balance_cents + 1)};
//   })
//       .holds("no balance is negative", [](const account& a) { return a.balance_cents >= 0; })
//       .check();
//
// Each history is a scenario (given.hpp), with all that it checks unasked: serialization, and a
// state made anew from its events. Time goes on between the commands, and deadlines pass when they
// are due; event time goes on by the aggregate's events, and by others' as fast as the clock. A
// history that fails is cut down to a part that fails as well, and told with its seed.
//
// Threading: one thread. Errors: scenario_failed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>

#include "kappa/testing/clock.hpp"
#include "kappa/testing/dice.hpp"
#include "kappa/testing/given.hpp"

namespace kappa::testing {

/// Any command of the aggregate.
template <class A>
using any_command = typename commands_of<A>::template into<std::variant>;

struct history_options {
  std::size_t histories = 100;
  std::size_t commands = 30;  // of each
  std::uint64_t seed = 1;     // of the first; each has the next one
  /// Time between two commands: none at all up to this.
  milliseconds most_between = std::chrono::hours{1};
  /// When the first of them is asked, at the latest `most_between` later.
  timestamp begin = first_moment;
  std::string key = "key";
};

template <class A>
class any_history {
 public:
  using command = any_command<A>;

  /// What is asked next of what is there: of what can go well, go wrong, or make no sense.
  explicit any_history(std::function<command(dice&, const A&)> next, history_options options = {})
      : any_history{[next = std::move(next)](dice& d, const A& a, timestamp) { return next(d, a); },
                    std::move(options)} {}
  /// The same, for commands with times in them: it is told when it is asked.
  explicit any_history(std::function<command(dice&, const A&, timestamp)> next,
                       history_options options = {})
      : next_{std::move(next)}, options_{std::move(options)} {}

  /// An invariant, by its name.
  any_history& holds(std::string name, std::function<bool(const A&)> is_true) {
    invariants_.push_back({std::move(name), std::move(is_true)});
    return *this;
  }

  /// Throws scenario_failed for the first history that fails, and where nothing happens in any of
  /// them: then everything holds.
  void check() const {
    bool something_happens = false;
    for (std::size_t n = 0; n < options_.histories; ++n) {
      const auto seed = options_.seed + n;
      auto steps = drawn(seed, something_happens);
      if (!failure_of(steps)) continue;
      cut_down(steps);
      std::string all;
      for (const auto& s : steps)
        all += fmt::format("\n  {} ms later: {}", s.after.count(), shown(s));
      throw scenario_failed{fmt::format("{}\nseed {}; {} of its commands are enough:{}",
                                        *failure_of(steps), seed, steps.size(), all)};
    }
    if (!something_happens && options_.histories > 0) {
      throw scenario_failed{
          "in none of the histories an event has happened, so that they show nothing: draw "
          "commands "
          "that can go well (times in them from the one that `next` is told)"};
    }
  }

 private:
  struct step {
    milliseconds after;
    command what;
  };
  struct invariant {
    std::string name;
    std::function<bool(const A&)> good;
  };

  static std::string shown(const step& s) { return detail::shown(s.what); }

  /// Commands depend on the state, so they are drawn while the history goes on.
  std::vector<step> drawn(std::uint64_t seed, bool& something_happens) const {
    dice d{seed};
    std::vector<step> steps;
    std::exception_ptr of_next;  // a fault of the test's, and not of the aggregate
    timestamp now = options_.begin;
    (void)failure(options_.commands, [&](std::size_t, const scenario<A>& s) {
      milliseconds after{d.number(0, options_.most_between.count())};
      if (d.chance(0.25)) after = milliseconds{0};
      now += after;
      something_happens = something_happens || s.version() > 0;
      try {
        steps.push_back({after, next_(d, s.state(), now)});
      } catch (...) {
        of_next = std::current_exception();
        throw;
      }
      return steps.back();
    });
    if (of_next) std::rethrow_exception(of_next);
    return steps;
  }

  std::optional<std::string> failure_of(const std::vector<step>& steps) const {
    return failure(steps.size(), [&](std::size_t n, const scenario<A>&) { return steps[n]; });
  }

  template <class Step>
  std::optional<std::string> failure(std::size_t steps, const Step& nth) const {
    try {
      scenario<A> s;
      s.key(options_.key);
      timestamp now = options_.begin;
      if (auto broken = broken_in(s.state())) return broken;
      for (std::size_t n = 0; n < steps; ++n) {
        const step next = nth(n, s);
        now += next.after;
        s.at(now);
        if (s.event_time() > min_time) s.others_at(s.event_time() + next.after);
        if (auto broken = deadline_that_passed(s, now)) return broken;
        std::visit([&](const auto& c) { s.when(c); }, next.what);
        if (auto broken = broken_in(s.state())) return broken;
      }
    } catch (const std::exception& e) {
      return std::string{e.what()};
    }
    return std::nullopt;
  }

  std::optional<std::string> deadline_that_passed(scenario<A>& s, timestamp now) const {
    if constexpr (kappa::detail::has_deadline<A>) {
      const auto due = s.state().deadline();
      if (s.version() > 0 && due && *due <= now) {
        s.when_deadline();
        if (auto broken = broken_in(s.state())) return broken;
      }
    }
    if constexpr (kappa::detail::has_event_deadline<A>) {
      const auto due = s.state().event_deadline();
      if (s.version() > 0 && due && *due <= s.event_time()) {
        s.when_event_deadline();
        return broken_in(s.state());
      }
    }
    return std::nullopt;
  }

  std::optional<std::string> broken_in(const A& state) const {
    for (const auto& i : invariants_) {
      if (!i.good(state))
        return fmt::format("it does not hold that {}: {}", i.name, detail::shown(state));
    }
    return std::nullopt;
  }

  /// Takes away whatever is not needed to fail: halves, quarters, … down to single commands.
  void cut_down(std::vector<step>& steps) const {
    for (auto part = steps.size() / 2; part > 0; part /= 2) {
      for (std::size_t from = 0; from + part <= steps.size();) {
        auto fewer = steps;
        const auto at = fewer.begin() + static_cast<std::ptrdiff_t>(from);
        const auto end = at + static_cast<std::ptrdiff_t>(part);
        if (end != fewer.end()) {  // what stays is asked when it was
          for (auto gone = at; gone != end; ++gone) end->after += gone->after;
        }
        fewer.erase(at, end);
        if (failure_of(fewer)) {
          steps = std::move(fewer);
        } else {
          from += part;
        }
      }
    }
  }

  std::function<command(dice&, const A&, timestamp)> next_;
  history_options options_;
  std::vector<invariant> invariants_;
};

}  // namespace kappa::testing
