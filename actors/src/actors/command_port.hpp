// The way from the actors of a host's aggregates to the host, which may end before them.
//
// Threading: any thread; open, close and end_sealer as the host's start and stop. Ownership: shared
// by the host and those actors; it holds neither.
#pragma once

#include <memory>
#include <shared_mutex>
#include <string>

#include <caf/actor.hpp>

#include "actors/actor_home.hpp"
#include "actors/caf_compat.hpp"
#include "kappa/caf.hpp"

namespace kappa::detail {

/// A command of an actor, on its way to the host.
struct routed_command {
  router_target to;
  any_command what;
  answer_place answer;
};

class command_port : public std::enable_shared_from_this<command_port> {
 public:
  /// `given`: null: the host has a system of its own, and no actor knows this port.
  command_port(std::string app, std::shared_ptr<given_system> given)
      : app_{std::move(app)}, given_{std::move(given)} {}
  [[nodiscard]] static std::shared_ptr<command_port> of(const host& h);
  [[nodiscard]] const std::string& app() const { return app_; }
  [[nodiscard]] const std::shared_ptr<given_system>& given() const { return given_; }

  /// `keys`: null: there is no key store.
  void open(host& to, std::shared_ptr<key_ring> keys);
  /// Afterwards nothing goes to the host any more.
  void close();
  /// Of the thread that asks the key store, after close: what waits there is answered. False: it
  /// does not come back from there.
  [[nodiscard]] bool end_sealer();

  /// Answered at once where it can go nowhere. Does not block.
  void send(routed_command c);
  /// The same, but the key store is asked on this thread, which may block.
  void send_from_here(routed_command c);

 private:
  const std::string app_;
  const std::shared_ptr<given_system> given_;
  std::shared_mutex mutex_;
  host* host_ = nullptr;  // null: it does not run
  std::shared_ptr<key_ring> keys_;
  caf::actor sealer_;  // null: no key store is asked
};

/// To the thread that asks the key store.
struct seal_request {
  std::shared_ptr<command_port> port;
  routed_command command;
};

}  // namespace kappa::detail
