#include "kappa/actors/ask.hpp"

#include <type_traits>

#include <fmt/format.h>

namespace kappa {

bool ask_refusal::may_be_asked_again() const {
  const auto* e = failed();
  return e != nullptr &&
         (e->retriable || e->code == errc::timed_out || e->code == errc::indefinite);
}

std::string ask_refusal::text() const {
  if (const auto* r = rejected()) return "rejected: " + r->reason;
  if (const auto* c = conflict())
    return fmt::format("conflict: version {} was expected, it is at {}", c->expected, c->actual);
  return failed()->text();
}

ask_result result_of(command_outcome outcome) {
  return std::visit(
      [](auto&& o) -> ask_result {
        using outcome_type = std::remove_cvref_t<decltype(o)>;
        if constexpr (std::is_same_v<outcome_type, command_receipt>) {
          return std::move(o);
        } else {
          return tl::unexpected{ask_refusal{std::move(o)}};
        }
      },
      std::move(outcome));
}

}  // namespace kappa
