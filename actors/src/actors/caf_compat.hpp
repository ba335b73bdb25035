// Every call into CAF that differs between 0.18 and 1.x, in one place.
#pragma once

#include <chrono>
#include <exception>
#include <future>
#include <memory>
#include <utility>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/init_global_meta_objects.hpp>
#include <caf/logger.hpp>
#include <caf/sec.hpp>
#include <caf/send.hpp>
#include <caf/spawn_options.hpp>

namespace kappa::detail {

/// Sends without a sender, from any thread.
template <class... Ts>
void post(const caf::actor& to, Ts&&... parts) {
  caf::anon_send(to, std::forward<Ts>(parts)...);
}

template <class... Ts>
void post_later(caf::event_based_actor* self, std::chrono::milliseconds delay, Ts&&... parts) {
  self->delayed_send(caf::actor{self}, delay, std::forward<Ts>(parts)...);
}

inline void set_worker_threads(caf::actor_system_config& config, std::size_t n) {
  config.set("caf.scheduler.max-threads", n);
}

/// An actor gives its thread to others after `n` messages, also when there are more for it.
inline void set_messages_at_once(caf::actor_system_config& config, std::size_t n) {
  config.set("caf.scheduler.max-throughput", n);
}

/// The thread that makes a system keeps its logger, and the end of the system waits for that:
/// without this, a system that another thread ends would hang.
inline void let_go_of_system() { caf::logger::set_current_actor_system(nullptr); }

inline void end_now(const caf::actor& a) {
  caf::anon_send_exit(a, caf::exit_reason::user_shutdown);
}

/// Calls `f` when `a` has ended and handles nothing any more.
template <class F>
void when_it_ends(const caf::actor& a, F f) {
  a->attach_functor([f = std::move(f)](const caf::error&) { f(); });
}

/// Ready when `a` has ended and handles nothing any more.
[[nodiscard]] inline std::future<void> end_of(const caf::actor& a) {
  auto ended = std::make_shared<std::promise<void>>();
  auto when = ended->get_future();
  when_it_ends(a, [ended] { ended->set_value(); });
  return when;
}

/// An exception that leaves a handler ends its actor. `tell` is called within a catch block first.
template <class F>
void when_it_throws(caf::event_based_actor* self, F tell) {
  self->set_exception_handler([tell = std::move(tell)](std::exception_ptr& thrown) -> caf::error {
    try {
      std::rethrow_exception(thrown);
    } catch (...) {
      tell();
    }
    return caf::sec::runtime_error;
  });
}

}  // namespace kappa::detail
