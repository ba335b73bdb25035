// The records of one partition between two offsets, one by one; what is on its way is waited for.
//
// Ownership: the log must outlive it. Threading: one thread; blocks.
#pragma once

#include <memory>

#include "kappa/log/event_log.hpp"

namespace kappa::detail {

class partition_walk {
 public:
  /// [from, until) of the partition.
  partition_walk(event_log& log, topic_partition where, offset from, offset until)
      : log_{log}, where_{std::move(where)}, at_{from}, until_{until} {}
  partition_walk(const partition_walk&) = delete;
  partition_walk& operator=(const partition_walk&) = delete;

  /// Null at the end; valid until the next call.
  [[nodiscard]] result<const record_view*> next();

 private:
  event_log& log_;
  topic_partition where_;
  offset at_;
  offset until_;
  std::unique_ptr<log_reader> reader_;
  read_batch batch_;
  read_batch::cursor records_;
  bool given_ = false;
};

}  // namespace kappa::detail
