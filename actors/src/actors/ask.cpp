#include "kappa/actors/ask.hpp"

#include <future>
#include <memory>
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

std::optional<std::chrono::milliseconds> ask_refusal::retry_after() const {
  if (!may_be_asked_again()) return std::nullopt;
  return failed()->retriable ? pause_before_retry : std::chrono::milliseconds{0};
}

error detail::not_decided_in_time(const std::string& app) {
  return {errc::unavailable, app,
          "its task did not come to the command in time (it starts, replays, or has much to do), "
          "and will not any more: nothing has happened",
          true};
}

error detail::no_answer_in_time(const std::string& app) {
  return {errc::timed_out, app, "no answer in time: the command may have happened"};
}

ask_result aggregate_asker::ask_and_wait(command_call call, const detail::aggregate_address& type,
                                         std::chrono::milliseconds timeout) {
  auto answer = std::make_shared<std::promise<ask_result>>();
  auto came = answer->get_future();
  call.done = [answer](command_outcome o) { answer->set_value(result_of(std::move(o))); };
  const auto claim = call.claim = std::make_shared<command_claim>();
  send(std::move(call), type, timeout);
  if (came.wait_for(timeout) == std::future_status::ready) return came.get();
  const bool nothing_happens = claim->give_up();
  return tl::unexpected{ask_refusal{nothing_happens ? detail::not_decided_in_time("the aggregate")
                                                    : detail::no_answer_in_time("the aggregate")}};
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
