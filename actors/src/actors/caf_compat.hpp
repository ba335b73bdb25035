// Every call into CAF that differs between 0.18 and 1.x, in one place.
#pragma once

#include <chrono>
#include <exception>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/defaults.hpp>
#include <caf/detail/meta_object.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/init_global_meta_objects.hpp>
#include <caf/logger.hpp>
#include <caf/make_actor.hpp>
#include <caf/monitorable_actor.hpp>
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

[[nodiscard]] inline std::size_t messages_at_once_of(const caf::actor_system& system) {
  return caf::get_or(system.config(), "caf.scheduler.max-throughput",
                     caf::defaults::scheduler::max_throughput);
}

/// One that runs its actors only when a test says so.
[[nodiscard]] inline bool is_for_testing(const caf::actor_system& system) {
  return caf::get_or(system.config(), "caf.scheduler.policy", std::string{}) == "testing";
}

/// Whether all types of a block of ids are CAF's to send.
template <class Block>
[[nodiscard]] bool caf_knows() {
  return []<std::uint16_t... I>(std::integer_sequence<std::uint16_t, I...>) {
    return ((caf::query_type_name(Block::begin + I) ==
             caf::type_name_by_id_v<caf::type_id_t{Block::begin + I}>)&&...);
  }
  (std::make_integer_sequence<std::uint16_t, Block::end - Block::begin>{});
}

/// Each system keeps what CAF knows of types, and so does each thread of one. (One reference is
/// CAF's own, one the caller's here.)
[[nodiscard]] inline bool there_is_an_actor_system() {
  const auto known = caf::detail::global_meta_objects_guard();
  return known->get_reference_count() > 2;
}

/// The thread that makes a system keeps its logger, and the end of the system waits for that:
/// without this, a system that another thread ends would hang. So does one that makes an actor.
inline void let_go_of_system() { caf::logger::set_current_actor_system(nullptr); }

[[nodiscard]] inline bool has_logger_of(caf::actor_system& system) {
  return caf::logger::current_logger() == &system.logger();
}

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

// ── an actor that only passes on ──

/// Where the answer to a message goes, once. As caf::response_promise, but for any thread.
class answer_place {
 public:
  answer_place(caf::strong_actor_ptr answers, caf::mailbox_element& asked)
      : answers_{std::move(answers)},
        asker_{std::move(asked.sender)},
        id_{asked.mid},
        stages_{std::move(asked.stages)} {}

  /// False: nobody would hear it.
  [[nodiscard]] bool expected() const {
    return (asker_ || !stages_.empty()) && !id_.is_response() && !id_.is_answered();
  }
  template <class T>
  void deliver(T answer) const {
    if (!expected()) return;
    auto m = caf::make_message(std::move(answer));
    if (stages_.empty()) {
      asker_->enqueue(caf::make_mailbox_element(answers_, id_.response_id(), {}, std::move(m)),
                      nullptr);
    } else {  // the next one of several that were composed
      const std::vector<caf::strong_actor_ptr> others{stages_.begin(), stages_.end() - 1};
      stages_.back()->enqueue(caf::make_mailbox_element(asker_, id_, others, std::move(m)),
                              nullptr);
    }
  }

 private:
  caf::strong_actor_ptr answers_;
  caf::strong_actor_ptr asker_;
  caf::message_id id_;
  std::vector<caf::strong_actor_ptr> stages_;
};

/// An actor without thread and mailbox: whoever sends to it calls it. The system's end does not
/// wait for it.
class mailboxless_actor : public caf::monitorable_actor {
 public:
  explicit mailboxless_actor(caf::actor_config& config) : monitorable_actor{config} {}

  bool enqueue(caf::mailbox_element_ptr what, caf::execution_unit* on) final {
    if (handle_system_message(*what, on, false)) return true;
    if (getf(is_terminated_flag)) {
      bounce(what);
      return false;
    }
    const auto content = what->payload;
    const answer_place answer{ctrl(), *what};
    if (handle(content, answer)) return true;
    if (what->mid.is_request()) answer.deliver(caf::make_error(caf::sec::unexpected_message));
    return false;
  }
  void setup_metrics() {}  // it has none

 private:
  /// On any thread, also on several at once. False: no such message is taken.
  virtual bool handle(const caf::message& m, const answer_place& answer) = 0;
};

template <class A, class... Ts>
[[nodiscard]] caf::strong_actor_ptr make_mailboxless(caf::actor_system& system, Ts&&... args) {
  caf::actor_config config;
  return caf::make_actor<A, caf::strong_actor_ptr>(system.next_actor_id(), system.node(), &system,
                                                   config, std::forward<Ts>(args)...);
}

}  // namespace kappa::detail
