// For programs with CAF actors of their own: a host in the program's actor system, and aggregates
// as actors.
//
//   kappa::init_caf();                                 // before the system is made
//   caf::init_global_meta_objects<caf::id_block::my_types>();
//   caf::actor_system_config config;
//   config.set("caf.scheduler.max-throughput", kappa::messages_at_once);
//   caf::actor_system system{config};
//   kappa::host host{bank_app(), {.log = …, .actors = kappa::actors_in(system)}};
//
//   self->request(kappa::actor_of<account>(host, "acc-42"), 1s,
//                 kappa::command{withdraw{500}, {.id = id, .expected_version = 7}})
//       .then([](const kappa::ask_result& r) { … }, [](caf::error& e) { … });
//
// The only header that names CAF, and not included by kappa/kappa.hpp; to be found, CAF's headers
// need the CMake target kappa::caf. CAF 0.18.7.
//
// Threading: init_caf and actors_in on any thread; what actor_of gives may be sent to from any.
// Ownership: the system is the program's. It must outlive the stop of its hosts, not the hosts.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <typeinfo>
#include <utility>

#include <caf/actor_cast.hpp>
#include <caf/actor_system.hpp>
#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/result.hpp>
#include <caf/type_id.hpp>
#include <caf/typed_actor.hpp>
// Or the template above is left without what its own definition needs.
#include <caf/typed_event_based_actor.hpp>

#include "kappa/actors/ask.hpp"
#include "kappa/actors/host.hpp"
#include "kappa/aggregate/aggregate.hpp"
#include "kappa/core/bytes.hpp"
#include "kappa/core/codec.hpp"
#include "kappa/core/error.hpp"
#include "kappa/core/type_list.hpp"

namespace kappa {

/// Type ids of CAF that are Kappa's: all others are the program's. So a block of its own may begin
/// at caf::first_custom_type_id, as CAF's manual has it, and have 1,800 types; a longer one begins
/// behind Kappa's.
inline constexpr caf::type_id_t first_type_id = 2'000;
inline constexpr caf::type_id_t last_type_id = 2'099;

/// What a system that hosts run in should have as "caf.scheduler.max-throughput": so that a task
/// with much to do gives its thread to the others, and to queries. With more the host starts, and
/// logs a warning.
inline constexpr std::size_t messages_at_once = 8;

/// Makes CAF know Kappa's messages, and its own. Before the program's first actor_system is made:
/// CAF can be told of no more types after that. May be called again.
void init_caf();

/// For host_options::actors: the host's actors run in this system. Its settings are then the
/// program's business: "caf.scheduler.max-threads" (2 or more; host_options::worker_threads must be
/// 0), "caf.scheduler.max-throughput" (see messages_at_once), "caf.scheduler.policy" (not
/// "testing"). A host has besides, by CAF's `detached`, a thread for each commit lane, one for the
/// state, one for admin requests, one for every source, and one that asks the key store if there is
/// one.
[[nodiscard]] std::shared_ptr<detail::given_system> actors_in(caf::actor_system& system);

namespace detail {

/// What is known of a type of commands.
struct command_kind {
  const std::type_info* type;
  std::string (*name)();
  result<bytes> (*encoded)(const void* value, bytes_view key, key_ring* keys);
};
template <class C>
inline constexpr command_kind command_kind_of{
    &typeid(C), [] { return std::string{codec<C>::schema().name}; },
    [](const void* value, bytes_view key, key_ring* keys) {
      return encoded_sealed(*static_cast<const C*>(value), key, keys);
    }};

/// A command of any type, as it is on its way: the one message type of all commands.
class any_command {
 public:
  any_command() = default;  // for CAF; it is never sent

  [[nodiscard]] const command_kind* kind() const { return kind_; }
  [[nodiscard]] const void* value() const { return value_.get(); }
  [[nodiscard]] const ask_options& options() const { return options_; }

 protected:
  any_command(const command_kind& kind, std::shared_ptr<const void> value, ask_options options)
      : kind_{&kind}, value_{std::move(value)}, options_{std::move(options)} {}

 private:
  const command_kind* kind_ = nullptr;
  std::shared_ptr<const void> value_;
  ask_options options_;
};

/// One key of an aggregate, and what may be asked of it.
struct router_target {
  aggregate_address address;
  bytes key;
  std::string (*name)();
  std::optional<std::size_t> (*place_of)(const std::type_info&);  // of a command
  bool asks_key_store = false;  // to seal personal fields of its commands, which may block
};

template <class... C>
std::optional<std::size_t> place_among(type_list<C...>, const std::type_info& type) {
  std::size_t place = 0;
  const bool found = ((typeid(C) == type || (++place, false)) || ...);
  return found ? std::optional{place} : std::nullopt;
}
template <class... C>
constexpr bool any_personal(type_list<C...>) {
  return first_personal<C...>() != nullptr;
}

[[nodiscard]] caf::strong_actor_ptr make_router(const host& of, router_target target);

}  // namespace detail

/// A command as a message, to an actor of one of the aggregates whose protocol has it.
/// `options.timeout` bounds what goes to another process; how long the answer is waited for says
/// the request.
template <class C>
class command final : public detail::any_command {
 public:
  explicit command(C what, ask_options options = {})
      : any_command{detail::command_kind_of<C>, std::make_shared<const C>(std::move(what)),
                    std::move(options)} {}
};

namespace detail {
template <class... C>
using actor_that_takes = caf::typed_actor<caf::result<ask_result>(command<C>)...>;
}  // namespace detail

/// The aggregate's commands and nothing else can be sent to it: any other is an error of the
/// compiler, "receiver does not accept given message". The answer is an ask_result, once what
/// follows from the command is durable. caf::error is what CAF says: that the request's time is
/// over (then the command may have happened), or that the actor was ended by an exit message.
template <aggregate_type A>
using aggregate_actor = typename commands_of<A>::template into<detail::actor_that_takes>;

/// The aggregate of this key, as an actor. It has no thread, no mailbox and no state but this
/// address: what is sent to it goes to the task that owns the key, here or in another process, on
/// the sender's thread, without blocking. It holds neither host nor system: while the host does not
/// run, and when it is no more, the answer is errc::stopped (retriable). Each call makes a new
/// actor, for an allocation or two. It must not be used when the system has ended. Throws
/// std::logic_error where the host was given no system.
template <aggregate_type A, class K>
[[nodiscard]] aggregate_actor<A> actor_of(const host& of, const K& key) {
  return caf::actor_cast<aggregate_actor<A>>(detail::make_router(
      of, {detail::address_of<A, K>(), encoded(key),
           [] { return std::string{codec<A>::schema().name}; },
           [](const std::type_info& type) { return detail::place_among(commands_of<A>{}, type); },
           detail::any_personal(commands_of<A>{})}));
}
template <aggregate_type A>
[[nodiscard]] aggregate_actor<A> actor_of(const host& of, const char* key) {
  return actor_of<A>(of, std::string{key});
}

}  // namespace kappa

CAF_BEGIN_TYPE_ID_BLOCK(kappa, ::kappa::first_type_id)
CAF_ADD_TYPE_ID(kappa, (kappa::detail::any_command), "kappa::command")
CAF_ADD_TYPE_ID(kappa, (kappa::ask_result), "kappa::ask_result")
CAF_END_TYPE_ID_BLOCK(kappa)

// They stay in the process.
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kappa::detail::any_command)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kappa::ask_result)

// Of CAF's own templates (the same in 0.18 and 1.x): a command of any type is an any_command, of
// which it has nothing more, and goes by its id.
namespace caf {
template <class C>
struct type_id<kappa::command<C>> : type_id<kappa::detail::any_command> {
  static_assert(sizeof(kappa::command<C>) == sizeof(kappa::detail::any_command));
};
template <class C>
struct type_name<kappa::command<C>> : type_name<kappa::detail::any_command> {};
template <class C>
struct allowed_unsafe_message_type<kappa::command<C>> : std::true_type {};
}  // namespace caf
