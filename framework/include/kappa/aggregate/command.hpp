// A command on its way to the task that owns its key, and how it ended.
//
// Threading: plain values. `done` is called once, on a thread of the task's host; it must not
// block.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <variant>

#include "kappa/aggregate/decision.hpp"
#include "kappa/core/bytes.hpp"
#include "kappa/core/error.hpp"
#include "kappa/core/strong.hpp"

namespace kappa {

/// It was accepted, and what follows is durable.
struct command_receipt {
  std::uint64_t version = 0;     // of the aggregate, with the command's events
  std::size_t events = 0;        // of the command
  kappa::offset next;            // behind all events that were in front of this answer
  std::optional<bytes> reply{};  // what the aggregate has to say beside
};

/// The aggregate was not at the version that the command was meant for.
struct version_conflict {
  std::uint64_t expected = 0;
  std::uint64_t actual = 0;
  friend bool operator==(const version_conflict&, const version_conflict&) = default;
};

/// `error`: errc::indefinite: nobody knows whether it has happened; errc::too_old: nobody knows any
/// more. Any other: nothing has; a retriable one (unavailable, elsewhere, stopped) may go well
/// another time, one of the command's own (user_code, decode, too_large, id_reused) will not.
using command_outcome = std::variant<command_receipt, rejection, version_conflict, error>;

/// What `done` throws is its own loss: others wait for the thread that calls it.
inline void tell(const std::function<void(command_outcome)>& done,
                 command_outcome outcome) noexcept {
  if (!done) return;
  try {
    done(std::move(outcome));
  } catch (...) {
  }
}

/// Of a command that somebody waits for: either it is decided, or it was given up before, and then
/// nothing happens. Threading: any thread.
class command_claim {
 public:
  /// By whoever decides it, or passes it on to where nobody takes it back. False: it was given up.
  [[nodiscard]] bool take() { return settle(state::taken); }
  /// By whoever waits no longer. False: it is being decided, or has been.
  [[nodiscard]] bool give_up() { return settle(state::given_up); }

 private:
  enum class state : std::uint8_t { open, taken, given_up };
  bool settle(state to) {
    auto expected = state::open;
    return state_.compare_exchange_strong(expected, to);
  }
  std::atomic<state> state_ = state::open;
};

struct command_call {
  bytes key;                  // the aggregate's, encoded
  std::size_t command = 0;    // in aggregate_program::commands()
  bytes body;                 // encoded
  std::optional<bytes> id{};  // the asker's: see command_id.hpp
  /// Only if the aggregate is at this version; 0: only if it has had no event yet.
  std::optional<std::uint64_t> expected{};
  std::function<void(command_outcome)> done{};  // may be empty: nobody waits
  std::shared_ptr<command_claim> claim{};       // null: it is never given up
  [[nodiscard]] bool is_given_up() const { return claim && !claim->take(); }
};

}  // namespace kappa
