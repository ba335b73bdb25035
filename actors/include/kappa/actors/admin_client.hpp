// Asks a running host: requests go into the topic `<app>.admin`, replies come from
// `<app>.admin.replies` (kappa/admin.capnp, docs/reference/admin.md).
//
//   kappa::admin_client client{log, "flights"};
//   auto call = client.send(kappa::admin::replay_request{.stage = "hourly-delays"});
//   while (auto reply = call->next(1s)) {             // result<optional<reply>>
//     if (!*reply) continue;                          // nothing within a second
//     …
//     if ((*reply)->last) break;
//   }
//
// A replay that is asked for while no host runs is carried out at the next start.
//
// Threading: a client from any thread, a call by one thread at a time. Ownership: both share the
// log. Errors name the topic.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "kappa/admin.kappa.hpp"
#include "kappa/core/error.hpp"
#include "kappa/core/time.hpp"
#include "kappa/log/event_log.hpp"

namespace kappa {

using admin_question =
    std::variant<admin::status_request, admin::get_request, admin::replay_request>;

/// The replies to one request, in order.
class admin_call {
 public:
  ~admin_call();
  admin_call(admin_call&&) noexcept;
  admin_call& operator=(admin_call&&) noexcept;

  [[nodiscard]] const std::string& id() const;

  /// The next reply; nothing when `timeout` is over, or after one that was the last. Blocks. A
  /// `problem` that the host answers is a reply, not an error: errors are of the log.
  [[nodiscard]] result<std::optional<admin::reply>> next(std::chrono::milliseconds timeout);

 private:
  friend class admin_client;
  struct inside;
  explicit admin_call(std::unique_ptr<inside> in);
  std::unique_ptr<inside> in_;
};

class admin_client {
 public:
  /// `clock`: of the deadlines; hosts compare with theirs.
  admin_client(std::shared_ptr<event_log> log, std::string app, clock_fn clock = steady_now);

  /// Who runs the app now, in words ("pid 4711"); nothing: nobody does.
  [[nodiscard]] result<std::optional<std::string>> holder() const;

  /// Appends the request; durable when it returns. After `within` it is not begun any more; none: a
  /// replay waits for the next host. errc::not_found: no host of the app has run on this log.
  [[nodiscard]] result<admin_call> send(
      const admin_question& what,
      std::optional<std::chrono::milliseconds> within = std::nullopt) const;

 private:
  std::shared_ptr<event_log> log_;
  std::string app_;
  clock_fn clock_;
};

}  // namespace kappa
