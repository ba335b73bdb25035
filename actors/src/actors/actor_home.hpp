// Where a host's actors run: in an actor system of its own, or in one that it was given.
//
// Threading: one thread at a time. Ownership: owns the system that it made; the given one must
// outlive it.
#pragma once

#include <memory>

#include <caf/actor_system.hpp>

#include "kappa/actors/host.hpp"
#include "kappa/core/error.hpp"

namespace kappa::detail {

class given_system {
 public:
  explicit given_system(caf::actor_system& s) : system{s} {}
  caf::actor_system& system;
};

class actor_home {
 public:
  /// Whether a host with these options can have one. errc::bad_config: CAF does not know Kappa's
  /// messages and can be told no more, or the given system does not suit.
  [[nodiscard]] static result<void> check(const host_options& options);

  /// What has been checked.
  explicit actor_home(const host_options& options);
  /// Of its own system waits until all actors have ended.
  ~actor_home();
  actor_home(const actor_home&) = delete;
  actor_home& operator=(const actor_home&) = delete;

  [[nodiscard]] caf::actor_system& system() { return *system_; }
  /// The process keeps what actors that never end may still use.
  void abandon();

 private:
  struct made;
  std::unique_ptr<made> made_;  // null: it was given one
  caf::actor_system* system_;
};

/// While a thread makes actors.
class system_visit {
 public:
  explicit system_visit(const given_system* given);
  ~system_visit();
  system_visit(const system_visit&) = delete;
  system_visit& operator=(const system_visit&) = delete;

 private:
  const bool belongs_;
};

}  // namespace kappa::detail
