// Which offset of the new log a record of the old one has, in one partition.
//
// Kept as runs, in which both grow alike: one for each transaction of Kafka, one for a whole
// partition of the embedded log.
//
// Threading: plain value.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "kappa/core/strong.hpp"
#include "kappa/log/record.hpp"

namespace kappa::detail {

class offset_map {
 public:
  /// `first`: where the partition begins in the new log.
  explicit offset_map(offset first = offset{0}) : first_{first} {}

  /// Both must be above those of the call before.
  void add(offset old_offset, offset new_offset);

  /// Of a record; nothing: there is none at that offset.
  [[nodiscard]] std::optional<offset> record(offset old_offset) const;
  /// Of a position, the next offset to read: just behind the last record in front of it. So it does
  /// not depend on what comes later, and two positions between the same records become one.
  [[nodiscard]] offset position(offset old_position) const;

 private:
  struct run {
    offset from;
    offset until;
    offset to;
  };
  offset first_;
  std::vector<run> runs_;
};

using offset_maps = std::map<topic_partition, offset_map>;

}  // namespace kappa::detail
