// How `admin` asks: with a limit, and again where that helps. For its own sources.
//
// Threading, ownership: as admin.
#pragma once

#include <array>
#include <chrono>
#include <string>
#include <utility>

#include "kafka/admin.hpp"
#include "kafka/waiting_again.hpp"

namespace kappa::kafka {

// A broker that has just become the leader or the coordinator of something may not know it yet, and
// what a transaction has moved is not settled before it is over. Longer than one request may take
// (request_timeout_ms): one that was lost with its broker is sent again, to another.
inline constexpr std::chrono::seconds patience_with_brokers{60};

/// What `look` gives, asked again while it says that this helps.
template <class Look>
auto patiently(Look&& look) {
  waiting_again wait{patience_with_brokers};
  for (;;) {
    auto found = look();
    if (found || !found.error().retriable || !wait.once_more()) return found;
  }
}

template <class Send>
result<event> admin::ask(rd_kafka_admin_op_t op, const std::string& subject,
                         const std::string& needs, Send&& send, bool stable_offsets) {
  const admin_options options{rd_kafka_AdminOptions_new(client_.get(), op)};
  std::array<char, 256> why{};
  rd_kafka_AdminOptions_set_request_timeout(options.get(), request_timeout_ms, why.data(),
                                            why.size());
  if (stable_offsets) {
    const fault f{rd_kafka_AdminOptions_set_require_stable_offsets(options.get(), 1)};
    if (f) return fail(client_.error_of(f.get(), subject));
  }
  const queue answers{rd_kafka_queue_new(client_.get())};
  send(options.get(), answers.get());
  auto answer = answered_in_time(
      subject, [&](int slice_ms) { return event{rd_kafka_queue_poll(answers.get(), slice_ms)}; });
  if (!answer) return answer;
  if (const auto code = rd_kafka_event_error(answer->get()); code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return fail(client_.error_of(code, subject, rd_kafka_event_error_string(answer->get()), needs));
  }
  return answer;
}

// What `look` gives within the time that a request may take, unless the brokers refuse this client.
template <class Look>
auto admin::answered_in_time(const std::string& subject, Look&& look, bool first_contact)
    -> result<decltype(look(0))> {
  constexpr int slice_ms = 100;
  const auto since = std::chrono::steady_clock::now();
  const auto until = since + std::chrono::milliseconds{request_timeout_ms};
  for (;;) {
    if (auto answer = look(slice_ms)) {
      client_.answered();
      return answer;
    }
    if (auto refused = client_.refusal(subject, since, first_contact))
      return fail(std::move(*refused));
    if (std::chrono::steady_clock::now() >= until)
      return fail(client_.error_of(RD_KAFKA_RESP_ERR__TIMED_OUT, subject,
                                   "no broker answers: look at the address, and whether it runs"));
  }
}

}  // namespace kappa::kafka
