// The open epoch: collects what steps emit, undoes what a failed step emitted, and becomes a
// closed epoch.
//
// Threading: the task's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kappa/core/error.hpp"
#include "kappa/log/envelope.hpp"
#include "kappa/log/record.hpp"
#include "kappa/stream/step.hpp"
#include "kappa/stream/topology.hpp"
#include "kappa/task/command_routes.hpp"
#include "kappa/task/epoch.hpp"
#include "kappa/task/marker.hpp"

namespace kappa {

/// An output with what the log says of its topic.
struct port_layout {
  port_spec spec;
  std::int32_t partitions = 1;
  std::size_t max_record_bytes = log_limits::default_max_record_bytes;
};

/// What a step works on: the cause of its outputs.
struct step_origin {
  const topic_partition* where = nullptr;  // the input; lives as long as the task
  kappa::offset offset;
  const record_view* record = nullptr;  // null in timer steps
};

/// A record or timer that could not be processed.
struct dead_letter {
  error reason;
  std::string op;
  std::string position;
  std::optional<bytes_view> key;
  std::optional<bytes_view> value;
  bytes_view headers;  // of the original, wire form
  timestamp time = min_time;
  std::optional<timestamp> timer_time;
};

/// Of a record, whose bytes must outlive it.
[[nodiscard]] dead_letter dead_letter_of(error reason, std::string op, const topic_partition& where,
                                         const record_view& record);

class epoch_builder final : public detail::emitter {
 public:
  /// `routes`: for commands; null: nothing is sent.
  epoch_builder(task_id task, std::vector<port_layout> ports, std::string dead_letters_topic,
                std::shared_ptr<const command_routes> routes = nullptr);

  /// What time it is for the commands of the epoch.
  void set_clock(timestamp now) { now_ = now; }

  void begin_step(const step_origin* origin) {
    origin_ = origin;
    ++step_;
    touched_.clear();
    records_in_step_ = 0;
    sends_in_step_.clear();
    bytes_before_step_ = bytes_;
  }
  void commit_step() {
    records_ += records_in_step_;
    origin_ = nullptr;
  }
  void rollback_step();

  void emit(detail::port_index port, std::optional<bytes_view> placed_by,
            std::optional<bytes_view> key, bytes_view value, timestamp time) override;
  void emit_late(detail::port_index port) override;
  void send(const std::string& op, const outgoing_command& command,
            const detail::step_context& ctx) override;

  /// Outside of steps.
  void add(const dead_letter& d);
  void add(const marker& m);
  void add_to_epochs_topic(const std::string& topic, bytes_view value, timestamp now);

  [[nodiscard]] bool empty() const { return bytes_ == 0; }
  [[nodiscard]] std::size_t size_bytes() const { return bytes_; }
  [[nodiscard]] std::uint64_t records() const { return records_; }
  [[nodiscard]] std::uint64_t dead_letters() const { return dead_letters_; }
  [[nodiscard]] bool has_internal_ports() const;

  /// Takes everything out; the builder is empty again.
  [[nodiscard]] std::shared_ptr<closed_epoch> close(epoch_number number,
                                                    std::vector<log_transaction::move> moves);

 private:
  struct slot {  // one partition of one port
    std::shared_ptr<record_batch> batch;
    record_batch::mark before;
    std::uint64_t step = 0;
  };

  slot& slot_of(std::size_t port, partition p);
  record_batch& touched(slot& s);
  void emit_as(detail::port_index port, std::optional<bytes_view> placed_by,
               std::optional<bytes_view> key, bytes_view value, timestamp time, bytes_view headers);
  void add_in_step(slot& s, timestamp time, std::optional<bytes_view> key, bytes_view value,
                   bytes_view headers);
  bytes id_of_send(const std::string& op, const detail::step_context& ctx);

  task_id task_;
  std::vector<port_layout> ports_;
  std::string dead_letters_topic_;
  std::vector<std::vector<slot>> slots_;      // by port, by partition
  std::vector<repeated_envelope> envelopes_;  // by port
  std::shared_ptr<const command_routes> routes_;
  std::map<topic_partition, slot> commands_;
  timestamp now_ = min_time;
  bytes command_headers_;
  bytes late_headers_;
  std::shared_ptr<record_batch> dead_;
  std::shared_ptr<record_batch> epochs_;
  std::string epochs_topic_;

  const step_origin* origin_ = nullptr;
  std::uint64_t step_ = 0;
  std::vector<slot*> touched_;  // in this step
  std::uint64_t records_in_step_ = 0;
  std::vector<const std::string*> sends_in_step_;  // by their operators
  std::size_t bytes_ = 0;
  std::size_t bytes_before_step_ = 0;
  std::uint64_t records_ = 0;
  std::uint64_t dead_letters_ = 0;
};

}  // namespace kappa
