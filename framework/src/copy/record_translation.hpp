// What records of an app say of offsets, in the words of another log.
//
// Topics from outside are their writers' business: their records are left as they are. In those of
// an app: birth and epoch records, what a marker says has been taken in, and the headers that name
// another record's place ("orders[3]@812"). A place of a topic that is not copied, or not yet
// (apps that read each other's), stays as it is, and so does that of a source's row.
//
// Threading: one thread; blocks where it asks the log for its identity.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "copy/offset_map.hpp"
#include "kappa/core/error.hpp"
#include "kappa/log/event_log.hpp"
#include "kappa/task/epoch.hpp"

namespace kappa::detail {

/// Whether it is the topic in which a stage of its owner keeps birth and epoch records.
[[nodiscard]] bool is_epochs_topic(const topic_config& topic);

class record_translation {
 public:
  /// Of one partition, from its first record on. `maps` may grow meanwhile.
  record_translation(const topic_config& topic, partition which, const offset_maps& maps,
                     event_log& to);

  /// Valid as long as `r`, and until the next call. errc::corrupt names the record.
  [[nodiscard]] result<record_view> operator()(const record_view& r);

 private:
  [[nodiscard]] result<void> translate_epochs(record_view& r);
  [[nodiscard]] result<bytes> birth(birth_record b);
  [[nodiscard]] std::optional<bytes> epoch(epoch_record e) const;
  [[nodiscard]] std::optional<bytes> header(const header_view& h) const;
  [[nodiscard]] const offset_map* map_of(const std::string& topic) const;

  topic_partition where_;
  bool owned_;
  bool epochs_;
  const offset_maps& maps_;
  event_log& to_;
  std::optional<std::vector<std::string>> inputs_;  // of the stage, from its birth record
  bytes value_;
  bytes headers_;
};

}  // namespace kappa::detail
