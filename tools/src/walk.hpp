// The records of a topic's partitions in one order: each partition's own, and among the partitions
// by time.
//
// Ownership: the log must outlive the walk. Threading: one thread; it blocks on the disk.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kappa/core/error.hpp"
#include "kappa/log/event_log.hpp"

namespace kappa::tools {

class topic_walk {
 public:
  /// Offsets of one partition: [from, until).
  struct span {
    kappa::partition partition;
    offset from;
    offset until;
  };
  static constexpr offset no_end{INT64_MAX};

  [[nodiscard]] static result<topic_walk> open(event_log& log, const std::string& topic,
                                               const std::vector<span>& spans);
  ~topic_walk();
  topic_walk(topic_walk&&) noexcept;

  struct found {
    topic_partition where;
    record_view record;  // valid until the next call
  };
  /// Nothing at the end; a later call gives what was appended meanwhile. Where a span has an end,
  /// what lies before it is waited for.
  [[nodiscard]] result<std::optional<found>> next();

  [[nodiscard]] std::vector<log_reader*> readers() const;

 private:
  struct lane;
  topic_walk();
  std::vector<std::unique_ptr<lane>> lanes_;
};

}  // namespace kappa::tools
