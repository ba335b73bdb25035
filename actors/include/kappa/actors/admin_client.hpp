// Asks a running app: requests go into the topic `<app>.admin`, replies come from
// `<app>.admin.replies` (kappa/admin.capnp, docs/reference/admin.md).
//
//   kappa::admin_client client{log, "flights"};
//   auto status = client.status("", 5s);              // result<optional<status>>
//   auto call = client.send(kappa::admin::replay_request{.stage = "hourly-delays"});
//   while (auto reply = call->next(1s)) {             // result<optional<reply>>
//     if (!*reply) continue;                          // nothing within a second
//     …
//     if ((*reply)->last) break;
//   }
//
// A replay that is asked for while no host runs is carried out at the next start; on Kafka the app
// must run: `replay`.
//
// Threading: a client from any thread, a call by one thread at a time. Ownership: both share the
// log. Errors name the topic.
#pragma once

#include <chrono>
#include <functional>
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
  /// `problem` that the host answers is a reply, not an error: errors are of the log. Where several
  /// processes run the app (Kafka), each of them answers, and there is no last one.
  [[nodiscard]] result<std::optional<admin::reply>> next(std::chrono::milliseconds timeout);

 private:
  friend class admin_client;
  struct inside;
  explicit admin_call(std::unique_ptr<inside> in);
  std::unique_ptr<inside> in_;
};

/// As the host had it.
[[nodiscard]] error error_of(const admin::problem& p);

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

  /// Stages and tasks of the app (`stage` empty: all); nothing: nobody runs it. Blocks, at most
  /// about as long as `patience`. errc::timed_out: who has it does not answer. Where several
  /// processes run it (Kafka) all are asked, and `processes` tells which of them did not answer:
  /// of tasks that are `unanswered` or `unowned` there is what the log knows (committed_status).
  [[nodiscard]] result<std::optional<admin::status>> status(
      const std::string& stage, std::chrono::milliseconds patience) const;
  /// The state under a key, from the process that has its task; nothing: nobody runs the app.
  /// errc::timed_out: that process does not answer; errc::unavailable: it is not ready, or no
  /// process has the task, all the time. Blocks likewise.
  [[nodiscard]] result<std::optional<admin::found>> get(const admin::get_request& what,
                                                        std::chrono::milliseconds patience) const;
  /// Where several processes may run the app (Kafka): builds the state of a stage anew (of one
  /// partition, or -1: of all), wherever its tasks are and whoever gets them meanwhile. Blocks
  /// until it is done; `tell` hears of it now and then, and says whether to wait on. What was
  /// accepted is carried out also when nobody waits. Nothing: nobody runs the app.
  /// errc::refused_start: the log has no longer what it takes; errc::quarantined: a task keeps
  /// failing.
  [[nodiscard]] result<std::optional<admin::replay_progress>> replay(
      const std::string& stage, std::int32_t which,
      const std::function<bool(const admin::replay_progress&)>& tell) const;

 private:
  [[nodiscard]] result<std::optional<admin::reply>> ask(const admin_question& what,
                                                        std::chrono::milliseconds patience) const;
  template <class Answer>
  [[nodiscard]] result<std::optional<Answer>> answer_to(const admin_question& what,
                                                        std::chrono::milliseconds patience) const;

  std::shared_ptr<event_log> log_;
  std::string app_;
  clock_fn clock_;
};

}  // namespace kappa
