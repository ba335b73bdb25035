// Asking aggregates: what a host of the app, and a client in another process, have in common; and
// how a command ended, for whoever asked.
//
// Threading: what is asked, from any thread; the rest are plain values.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <typeindex>
#include <utility>
#include <variant>

#include <tl/expected.hpp>

#include "kappa/aggregate/aggregate.hpp"
#include "kappa/aggregate/command.hpp"
#include "kappa/aggregate/command_id.hpp"
#include "kappa/aggregate/personal_data.hpp"
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

/// For whatever may go well another time: a task that starts takes about so long.
inline constexpr std::chrono::milliseconds pause_before_retry{1000};

/// Why a command was not accepted: the aggregate refused it, it was not at the version that was
/// expected, or something failed. Of what failed the code says whether it may have happened all the
/// same: errc::timed_out, errc::indefinite and errc::too_old yes, errc::erased where it was asked
/// before, any other no; `retriable`: ask
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
  /// How long to wait before that: nothing where it cannot be asked again, no time where it is only
  /// not known what it came to.
  [[nodiscard]] std::optional<std::chrono::milliseconds> retry_after() const;
  /// For people.
  [[nodiscard]] std::string text() const;

 private:
  std::variant<rejection, version_conflict, error> why_;
};

using ask_result = tl::expected<command_receipt, ask_refusal>;

/// What a task says to a command, as whoever asked is told.
[[nodiscard]] ask_result result_of(command_outcome outcome);

namespace detail {
/// Which aggregate is meant, and what its keys are.
struct aggregate_address {
  std::type_index aggregate;
  std::uint64_t key_fingerprint = 0;
};
template <class A, class K>
aggregate_address address_of() {
  static const auto keys = codec<K>::schema().fingerprint;
  return {typeid(A), keys};
}
[[nodiscard]] error no_answer_in_time(const std::string& app);
[[nodiscard]] error not_decided_in_time(const std::string& app);
}  // namespace detail

class aggregate_asker {
 public:
  virtual ~aggregate_asker() = default;

  /// Asks the app's aggregate A under this key. Its answer comes when what follows is durable, and
  /// what the command was decided on. Blocks.
  template <aggregate_type A, class C, encodable K>
  [[nodiscard]] ask_result ask(const K& key, const C& command, const ask_options& options = {}) {
    auto call = call_of<A>(encoded(key), command, options);
    if (!call) return tl::unexpected{ask_refusal{std::move(call.error())}};
    return ask_and_wait(std::move(*call), detail::address_of<A, K>(), options.timeout);
  }
  template <aggregate_type A, class C>
  [[nodiscard]] ask_result ask(const char* key, const C& command, const ask_options& options = {}) {
    return ask<A>(std::string{key}, command, options);
  }
  /// The same without waiting: `done` is called once, soon or later, on a thread of Kappa's or on
  /// this one. It must not block. (For what this process decides itself the time limit is the
  /// caller's own business here.)
  template <aggregate_type A, class C, encodable K>
  void ask(const K& key, const C& command, const ask_options& options,
           std::function<void(ask_result)> done) {
    auto call = call_of<A>(encoded(key), command, options);
    if (!call) {
      if (done) done(tl::unexpected{ask_refusal{std::move(call.error())}});
      return;
    }
    if (done)
      call->done = [done = std::move(done)](command_outcome o) { done(result_of(std::move(o))); };
    send(std::move(*call), detail::address_of<A, K>(), options.timeout);
  }
  template <aggregate_type A, class C>
  void ask(const char* key, const C& command, const ask_options& options,
           std::function<void(ask_result)> done) {
    ask<A>(std::string{key}, command, options, std::move(done));
  }
  /// The same as a future. It has no time limit of its own: wait_for has.
  template <aggregate_type A, class C, class K>
  [[nodiscard]] std::future<ask_result> ask_async(const K& key, const C& command,
                                                  const ask_options& options = {}) {
    auto answer = std::make_shared<std::promise<ask_result>>();
    auto comes = answer->get_future();
    ask<A>(key, command, options, [answer](ask_result r) { answer->set_value(std::move(r)); });
    return comes;
  }
  /// Without an answer. One that cannot be decided is a dead letter; of one that cannot be sent, or
  /// for which there is no room, nobody hears.
  template <aggregate_type A, class C, encodable K>
  void tell(const K& key, const C& command) {
    auto call = call_of<A>(encoded(key), command, {});
    if (call) send(std::move(*call), detail::address_of<A, K>(), {});
  }
  template <aggregate_type A, class C>
  void tell(const char* key, const C& command) {
    tell<A>(std::string{key}, command);
  }

  /// Makes the personal fields of what it was given readable: of a reply, of a rejection's value.
  /// Errors: as key_ring::open.
  template <has_personal T>
  [[nodiscard]] result<void> open(T& value) const {
    return detail::open_personal(value, keys());
  }

  /// For those who have the command encoded. Blocks.
  [[nodiscard]] ask_result ask_and_wait(command_call call, const detail::aggregate_address& type,
                                        std::chrono::milliseconds timeout);

 protected:
  aggregate_asker() = default;
  aggregate_asker(const aggregate_asker&) = default;
  aggregate_asker& operator=(const aggregate_asker&) = default;

  /// For personal fields; null: there is no key store.
  [[nodiscard]] virtual key_ring* keys() const { return nullptr; }
  /// Answered at once where it can go nowhere.
  virtual void send(command_call call, const detail::aggregate_address& type,
                    std::chrono::milliseconds timeout) = 0;

 private:
  /// Personal text is sealed here: what is on its way is ciphertext.
  template <class A, class C>
  result<command_call> call_of(bytes key, const C& command, const ask_options& options) const {
    static_assert(commands_of<A>::template contains<C>,
                  "this command is not of the aggregate's protocol");
    auto body = detail::encoded_sealed(command, key, keys());
    if (!body) return fail(std::move(body.error()));
    command_call call{std::move(key), commands_of<A>::template place_of<C>, std::move(*body)};
    if (!options.id.empty()) call.id = options.id;
    call.expected = options.expected_version;
    return call;
  }
};

}  // namespace kappa
