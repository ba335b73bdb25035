// Asks aggregates of an app that another process runs: commands go into the log, replies come from
// it.
//
//   auto client = kappa::aggregate_client::open(log, bank_app());
//   auto done = (*client)->ask<account>("acc-42", withdraw{500}, {.id = kappa::new_command_id()});
//
// A command that is in the log is decided once, also while nobody runs the app: by the next that
// does. So one that timed out may happen later; with an id it can be asked again.
// (One whose id tells a time that is too long ago by then becomes a dead letter.)
//
// A receipt has no position (`next` is -1): whoever writes the events does not know it yet when it
// writes the reply.
//
// Threads: two of its own, one appends what is asked, the other reads replies. Threading: any
// thread. Ownership: shares the log. What was asked before it is destroyed is sent; who is not
// answered by then is told so.
#pragma once

#include <chrono>
#include <memory>

#include "kappa/actors/ask.hpp"
#include "kappa/core/error.hpp"
#include "kappa/core/logger.hpp"
#include "kappa/keys/key_ring.hpp"
#include "kappa/log/event_log.hpp"
#include "kappa/stream/app.hpp"
#include "kappa/stream/topology.hpp"

namespace kappa {

class aggregate_client final : public aggregate_asker {
 public:
  /// `app`: as whoever runs it has it. errc::not_found: nobody has run the app on this log, or not
  /// with these aggregates. Blocks.
  [[nodiscard]] static result<std::unique_ptr<aggregate_client>> open(
      std::shared_ptr<event_log> log, const app& app, log_sink log_to = no_log);
  [[nodiscard]] static result<std::unique_ptr<aggregate_client>> open(
      std::shared_ptr<event_log> log, std::shared_ptr<const topology> of, log_sink log_to = no_log);
  /// For commands with personal fields: where their keys are, as the app's host has them.
  void use_keys(std::shared_ptr<key_ring> keys) { keys_ = std::move(keys); }
  ~aggregate_client() override;
  aggregate_client(const aggregate_client&) = delete;
  aggregate_client& operator=(const aggregate_client&) = delete;

  /// For those who have the command encoded.
  void send(command_call call, const detail::aggregate_address& type,
            std::chrono::milliseconds timeout) override;

 private:
  [[nodiscard]] key_ring* keys() const override { return keys_.get(); }

  std::shared_ptr<key_ring> keys_;  // null: none
  struct inside;
  explicit aggregate_client(std::unique_ptr<inside> in);
  std::unique_ptr<inside> in_;
};

}  // namespace kappa
