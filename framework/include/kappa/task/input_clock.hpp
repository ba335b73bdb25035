// Event time of one input of a task.
//
// A topic from outside is one channel, driven by its valid records. An internal topic has one
// channel for each upstream task, driven by its markers; the input's watermark is the minimum over
// the channels that are not idle, and one not yet seen counts as "before everything".
//
// Threading: the task's thread. Part of the snapshot (encode/decode).
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "kappa/core/bytes.hpp"
#include "kappa/core/error.hpp"
#include "kappa/core/time.hpp"
#include "kappa/task/marker.hpp"

namespace kappa {

/// A stage that writes an internal topic, and which origins its markers tell of.
struct upstream {
  std::string stage;
  std::int32_t tasks = 0;
  std::set<std::string> read{};          // by its task n their partition n
  std::set<std::string> through_hops{};  // by any task any partition
};

class input_clock {
 public:
  /// A topic from outside, or a source.
  [[nodiscard]] static input_clock outside();
  /// An internal topic.
  [[nodiscard]] static input_clock internal(const std::vector<upstream>& writers);

  /// A valid record (outside inputs: it drives the watermark; internal ones: only `largest`). True
  /// when the watermark may have moved.
  bool observe(timestamp event_time) {
    largest_ = std::max(largest_, event_time);
    return outside_ && observe_outside(event_time);
  }
  /// A marker of an upstream task. An unknown writer is an error that names it.
  [[nodiscard]] result<void> observe(const marker& m);
  /// Outside inputs: decided by the task, logged in its epoch record.
  void set_idle();
  void advance(timestamp t);
  void set_end();

  /// Largest event time of the valid records so far.
  [[nodiscard]] timestamp largest() const { return largest_; }
  /// Minimum over the channels that are neither idle nor ended; nothing when there is none.
  [[nodiscard]] std::optional<timestamp> watermark() const;
  /// All channels have ended.
  [[nodiscard]] bool ended() const;
  /// No channel holds event time back, and not all have ended.
  [[nodiscard]] bool idle() const;
  /// What has been taken in of each origin, as told by the channels (minimum where several tell):
  /// of those of which every channel has told that may carry them.
  [[nodiscard]] through_map through() const;
  /// Whether it may tell of that origin at all.
  [[nodiscard]] bool may_carry(const std::string& origin) const {
    return carriers_.contains(origin);
  }

  void encode(byte_writer& out) const;
  /// Reads what `encode` wrote into a clock with the same channels.
  [[nodiscard]] bool decode(byte_reader& in);

 private:
  bool observe_outside(timestamp event_time);
  enum class state : std::uint8_t { unseen, live, idle, ended };
  struct channel {
    std::string stage;
    kappa::partition task;
    input_clock::state state = input_clock::state::unseen;
    timestamp watermark = min_time;
    through_map through;
  };

  bool outside_ = true;
  std::vector<channel> channels_;
  std::map<std::string, std::size_t>
      carriers_;  // so many channels tell of a partition of the origin
  timestamp largest_ = min_time;
};

}  // namespace kappa
