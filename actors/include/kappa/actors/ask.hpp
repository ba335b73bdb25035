// How a command that was asked of an aggregate ended, for whoever asked.
//
// Threading: plain values.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <typeindex>
#include <utility>
#include <variant>

#include <tl/expected.hpp>

#include "kappa/aggregate/command.hpp"
#include "kappa/aggregate/command_id.hpp"
#include "kappa/core/error.hpp"

namespace kappa {

struct ask_options {
  /// Names the command (command_id.hpp): asked again with the same id it is answered as the first
  /// time, and nothing happens twice. Empty: it is not remembered, and one that timed out cannot be
  /// asked again without the risk that it happens twice.
  std::string id{};
  /// Only if the aggregate is at this version: so many events are behind what the asker has seen.
  /// 0: only if it has had none yet.
  std::optional<std::uint64_t> expected_version{};
  std::chrono::milliseconds timeout{5000};
};

/// Why a command was not accepted: the aggregate refused it, it was not at the version that was
/// expected, or something failed. Of what failed the code says whether it may have happened all the
/// same: errc::timed_out, errc::indefinite and errc::too_old yes, any other no; `retriable`: ask
/// again.
class ask_refusal {
 public:
  explicit ask_refusal(rejection r) : why_{std::move(r)} {}
  explicit ask_refusal(version_conflict c) : why_{c} {}
  explicit ask_refusal(error e) : why_{std::move(e)} {}

  /// Null: it is something else.
  [[nodiscard]] const rejection* rejected() const { return std::get_if<rejection>(&why_); }
  [[nodiscard]] const version_conflict* conflict() const {
    return std::get_if<version_conflict>(&why_);
  }
  [[nodiscard]] const error* failed() const { return std::get_if<error>(&why_); }
  /// Whether the same command, by the same id, may be answered another time: it has not been
  /// decided yet, or it is not known what it came to.
  [[nodiscard]] bool may_be_asked_again() const;
  /// For people.
  [[nodiscard]] std::string text() const;

 private:
  std::variant<rejection, version_conflict, error> why_;
};

using ask_result = tl::expected<command_receipt, ask_refusal>;

namespace detail {
/// Which aggregate is meant, and what its keys are.
struct aggregate_address {
  std::type_index aggregate;
  std::uint64_t key_fingerprint = 0;
};
}  // namespace detail

/// What a task says to a command, as whoever asked is told.
[[nodiscard]] ask_result result_of(command_outcome outcome);

}  // namespace kappa
