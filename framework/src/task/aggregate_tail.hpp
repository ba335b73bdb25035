// What a partition has from an offset on up to where it ended at the start: what an aggregate's
// task reads before it decides anything.
//
// Threading: the task's thread. Ownership: the log must outlive it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

#include "kappa/log/event_log.hpp"

namespace kappa::detail {

class aggregate_tail {
 public:
  aggregate_tail() = default;
  aggregate_tail(topic_partition where, offset from, offset end)
      : where_{std::move(where)}, next_{from}, read_next_{from}, end_{std::max(from, end)} {}

  [[nodiscard]] bool done() const { return next_ >= end_; }
  [[nodiscard]] const topic_partition& where() const { return where_; }
  /// Of the next record.
  [[nodiscard]] offset next() const { return next_; }
  [[nodiscard]] std::uint64_t left() const { return static_cast<std::uint64_t>(end_ - next_); }

  /// Must be called first, where there is something to read. Blocks.
  [[nodiscard]] result<void> open(event_log& log) {
    auto reader = log.open_reader(where_);
    if (!reader) return fail(reader.error());
    reader_ = std::move(*reader);
    return {};
  }
  void close() {
    subscription_.reset();
    batch_ = {};
    cursor_ = {};
    reader_.reset();
  }
  [[nodiscard]] result<void> subscribe(std::function<void()> on_data) {
    if (!reader_) return {};
    auto come = reader_->subscribe(std::move(on_data));
    if (!come) return fail(come.error());
    subscription_ = std::move(*come);
    return {};
  }

  /// The next record. Null: it is done, or the next one is on its way.
  [[nodiscard]] result<const record_view*> peek(std::size_t read_bytes) {
    for (;;) {
      if (done()) return nullptr;
      if (const auto* r = cursor_.peek()) {
        if (r->offset < end_) return r;
        next_ = end_;
        return nullptr;
      }
      next_ = std::min(read_next_, end_);  // over what is no record
      if (done()) return nullptr;
      auto batch = reader_->read(read_next_, read_bytes);
      if (!batch) return fail(batch.error());
      if (batch->next() == read_next_) return nullptr;
      read_next_ = batch->next();
      batch_ = std::move(*batch);
      cursor_ = read_batch::cursor{batch_};
    }
  }
  void pop() {
    next_ = cursor_.peek()->offset + 1;
    cursor_.pop();
  }

 private:
  topic_partition where_;
  offset next_;
  offset read_next_;  // what is in batch_ ends here
  offset end_;
  std::unique_ptr<log_reader> reader_;
  std::unique_ptr<subscription> subscription_;
  read_batch batch_;
  read_batch::cursor cursor_;
};

}  // namespace kappa::detail
