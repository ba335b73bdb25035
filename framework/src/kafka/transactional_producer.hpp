// One transactional id of Kafka: records and committed offsets, all of it or nothing.
//
// What an error means (DESIGN §5):
// - a retriable one: nothing of it is there (it was aborted); the same may be committed again
// - errc::fenced: somebody else opened this id, or the group has gone on without us
// - errc::indefinite: unknown; destroy this object, open a new one under the same id (which ends
//   what was under way), read the log
// - others: nothing of it is there
//
// Threading: one thread at a time; everything blocks.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kafka/client.hpp"
#include "kappa/log/event_log.hpp"

namespace kappa::kafka {

class transactional_producer {
 public:
  /// Fences and ends whatever had this id before.
  [[nodiscard]] static result<std::unique_ptr<transactional_producer>> open(
      const kafka_log_options& options, const std::string& transactional_id);

  struct group_commit {
    std::string group;
    partition_list offsets;
    group_metadata who;
  };

  /// Sends the records, in this order for each partition; gives the base of each append once the
  /// brokers have them. Then `finish` or `abandon`.
  [[nodiscard]] result<std::vector<offset>> send(
      const std::vector<log_transaction::append>& appends, bool wait_for_bases);
  /// Moves the offsets and commits. `bases` are those of `send`, known now in any case.
  [[nodiscard]] result<std::vector<offset>> finish(const std::vector<group_commit>& commits);
  /// Aborts; gives `why`, or errc::indefinite when that could not be done.
  [[nodiscard]] error abandon(error why);

 private:
  transactional_producer(const kafka_log_options& options, std::string id)
      : options_{options}, id_{std::move(id)} {}
  static void delivered(rd_kafka_t*, const rd_kafka_message_t* m, void* opaque);
  [[nodiscard]] result<rd_kafka_topic_t*> topic(const std::string& name);
  [[nodiscard]] result<void> produce_all(const log_transaction::append& a, offset* base);
  template <class Call>
  [[nodiscard]] result<void> in_transaction(const char* what, const std::string& needs,
                                            Call&& call);
  [[nodiscard]] result<void> wait_for_deliveries();
  [[nodiscard]] error broken(error e);

  const kafka_log_options& options_;
  std::string id_;
  std::unique_ptr<client> client_;
  std::map<std::string, topic_handle> topics_;
  std::vector<offset> bases_;
  std::optional<error> delivery_error_;
  std::optional<error> broken_;  // no further use
  std::chrono::steady_clock::time_point began_;
};

}  // namespace kappa::kafka
