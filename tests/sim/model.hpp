// What the engine must do, worked out a second time from DESIGN §4 and §5, as plainly as possible:
// std::map folds, no batches, no caches, no recovery.
//
// The model is driven by what became durable. It keeps a copy of every record of the log, and is
// told of every T1 when the log has applied it. From the positions in the T1 it knows which
// records an epoch has taken, and works out what that epoch had to write: outputs, markers, late
// records, dead letters, birth and epoch record, to the byte and in order, where no order is free.
// What is free, and believed when it is legal, is little:
//
//   - how far an epoch goes: its bounds (and so how the outputs of several tasks interleave)
//   - how many of the due timers it fires, as its epoch record says
//   - idle, ended and moved clocks, as the epoch record says, where the app or the host may do so
//   - that a source has ended, as the end marker says, once its last row was taken
//
// Everything else that differs is a finding. After each epoch the model keeps the task's whole
// state, so that snapshots and queries can be compared as of their epoch.
//
// Threading: one thread.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "kappa/log/event_log.hpp"
#include "kappa/task/epoch.hpp"
#include "kappa/task/marker.hpp"
#include "sim/plan.hpp"

namespace kappa::sim {

/// The engine did what it must not do.
class finding : public std::runtime_error {
 public:
  using runtime_error::runtime_error;
};

/// A record, as the model remembers it.
struct model_record {
  kappa::offset offset;
  timestamp time;
  std::optional<bytes> key;
  std::optional<bytes> value;
  std::map<bytes, bytes> headers;
};

using stage_and_partition = std::pair<std::string, std::int32_t>;

/// Event time of one input.
struct model_clock {
  enum class what { unseen, live, idle, ended };
  struct channel {
    what state = what::unseen;
    timestamp watermark = min_time;
    through_map through;
  };
  std::map<stage_and_partition, channel> channels;  // one, without name, of a topic from outside
  bool outside = true;

  [[nodiscard]] std::optional<timestamp> watermark() const;
  [[nodiscard]] bool ended() const;
  [[nodiscard]] bool idle() const { return !watermark() && !ended(); }
};

/// (time, operator, key, "after the closing ones"): the order of firing.
using model_timer = std::tuple<timestamp, std::uint16_t, bytes, bool>;

/// A task as of the end of an epoch.
struct task_version {
  epoch_number epoch;
  std::vector<offset> positions;
  std::vector<model_clock> clocks;
  std::vector<timestamp> order;  // largest record time, an input
  timestamp largest = min_time;  // event time: of a source
  timestamp watermark = min_time;
  std::map<bytes, totals> table;
  std::set<model_timer> timers;
  std::uint64_t late = 0;
  std::optional<marker> last_marker;
  bool timers_left = false;
};

class model {
 public:
  using end_of_fn = std::function<bool(const stage_and_partition&, const topic_partition&, offset)>;

  model(const plan& p, const topology& t, const app_layout& layout);

  /// Whether an input from outside may be declared ended at that position.
  void set_may_end(end_of_fn f) { may_end_ = std::move(f); }
  /// Event time was moved by hand.
  void may_advance(timestamp t) { advances_.insert(t); }

  void appended(const topic_partition& to, offset base, const record_batch& records);
  void row_added(bytes row) { rows_.push_back(std::move(row)); }
  void rows_ended() { rows_ended_ = true; }
  /// Retention before the first start: inputs begin there.
  void begins_at(const topic_partition& tp, offset first);
  /// A T1 was applied. Throws `finding`.
  void committed(const log_transaction& tx, const std::vector<offset>& bases);

  [[nodiscard]] const task_version& at(const stage_and_partition& task, epoch_number e) const;
  [[nodiscard]] const task_version& last(const stage_and_partition& task) const;
  [[nodiscard]] const std::map<stage_and_partition, std::vector<task_version>>& tasks() const {
    return tasks_;
  }
  [[nodiscard]] const std::map<topic_partition, std::vector<model_record>>& records() const {
    return log_;
  }
  [[nodiscard]] std::uint64_t epochs() const { return epochs_; }
  [[nodiscard]] std::uint64_t records_taken() const { return records_taken_; }
  [[nodiscard]] std::uint64_t timers_fired() const { return timers_fired_; }
  [[nodiscard]] std::uint64_t dead_letters() const { return dead_letters_; }
  [[nodiscard]] std::uint64_t late_records() const { return late_records_; }

  /// Of a stage: its topology, inputs in the order of the topology.
  struct stage {
    stage_plan of;
    stage_spec spec;
    std::vector<input_plan> inputs;
    std::vector<std::vector<upstream>> writers;
    std::int32_t tasks = 1;
  };
  /// Whether what the task writes may come of that partition of a topic from outside.
  [[nodiscard]] bool may_carry(const stage_and_partition& task,
                               const topic_partition& origin) const;
  [[nodiscard]] const stage& stage_of(const std::string& name) const { return stages_.at(name); }

 private:
  friend class epoch_execution;

  const plan& plan_;
  std::string dead_letters_topic_;
  std::map<std::string, stage> stages_;
  std::map<std::string, std::int32_t> partitions_;  // of topics
  std::map<topic_partition, std::vector<model_record>> log_;
  std::vector<bytes> rows_;
  bool rows_ended_ = false;
  end_of_fn may_end_;
  std::set<timestamp> advances_;
  std::map<stage_and_partition, std::vector<task_version>> tasks_;  // by epoch
  std::uint64_t epochs_ = 0;
  std::uint64_t records_taken_ = 0;
  std::uint64_t timers_fired_ = 0;
  std::uint64_t dead_letters_ = 0;
  std::uint64_t late_records_ = 0;
};

}  // namespace kappa::sim
