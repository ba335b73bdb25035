// One input of a task: where it reads, what comes next, how far event time is.
#pragma once

#include <memory>
#include <optional>

#include "kappa/log/event_log.hpp"
#include "kappa/stream/topology.hpp"
#include "kappa/task/input_clock.hpp"

namespace kappa {

class task_input {
 public:
  static constexpr offset no_limit{INT64_MAX};

  task_input(const input_spec& spec, topic_partition where, std::unique_ptr<log_reader> reader,
             input_clock clock, std::size_t read_bytes)
      : spec_{&spec},
        where_{std::move(where)},
        reader_{std::move(reader)},
        clock_{std::move(clock)},
        read_bytes_{read_bytes} {}

  [[nodiscard]] const input_spec& spec() const { return *spec_; }
  [[nodiscard]] const topic_partition& where() const { return where_; }
  [[nodiscard]] log_reader& reader() const { return *reader_; }
  [[nodiscard]] input_clock& clock() { return clock_; }
  [[nodiscard]] const input_clock& clock() const { return clock_; }

  /// The position: all before it has been processed.
  [[nodiscard]] offset next() const { return next_; }
  void start_at(offset at) {
    next_ = fetch_ = at;
    batch_ = {};
    cursor_ = {};
  }

  /// The next record below `limit` if it is in memory, else null: ask `head`.
  [[nodiscard]] const record_view* ready(offset limit) {
    const auto* r = cursor_.peek();
    return r != nullptr && r->offset < limit ? r : nullptr;
  }
  /// A second cursor at the next record, over what is in memory.
  [[nodiscard]] read_batch::cursor ahead() const { return cursor_; }
  /// The next record below `limit`, read when needed; null when there is none (the position then
  /// moves over gaps), or when it `waits`. Valid until `pop`.
  [[nodiscard]] result<const record_view*> head(offset limit) {
    waits_ = false;
    for (;;) {
      if (const auto* r = cursor_.peek()) {
        if (r->offset < limit) return r;
        return nullptr;
      }
      if (fetch_ >= limit) return nullptr;
      auto batch = reader_->read(fetch_, read_bytes_);
      if (!batch) return fail(batch.error());
      const bool at_the_end = batch->next() == fetch_;
      fetch_ = batch->next();
      if (at_the_end) {
        waits_ = limit != no_limit;
        return nullptr;
      }
      if (batch->empty()) continue;  // a gap; what follows may be there already
      batch_ = std::move(*batch);
      cursor_ = read_batch::cursor{batch_};
    }
  }
  /// The last `head` found nothing at hand, although the log goes on up to its limit: it is still on
  /// its way, and nothing may be concluded from its absence.
  [[nodiscard]] bool waits() const { return waits_; }
  void look_anew() { waits_ = false; }
  void pop(offset at) {
    cursor_.pop();
    next_ = at + 1;
  }
  /// Everything below `to` was processed or is a gap.
  void skip_to(offset to) {
    if (to > next_) next_ = to;
  }

  // Fields of the task's algorithms.
  offset from;                          // of the open epoch
  offset bound = no_limit;              // of the open epoch, in a stage with several inputs
  timestamp order = min_time;           // largest record time so far: the head merge's key
  std::optional<offset> end_bound;      // --until-end
  bool had_record = false;              // since the last look at the clock
  timestamp last_record_at = min_time;  // wall clock
  bool drained = false;

 private:
  const input_spec* spec_;
  topic_partition where_;
  std::unique_ptr<log_reader> reader_;
  input_clock clock_;
  std::size_t read_bytes_;
  read_batch batch_;
  read_batch::cursor cursor_;
  offset next_;
  offset fetch_;
  bool waits_ = false;
};

}  // namespace kappa
