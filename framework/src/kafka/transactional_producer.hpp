// One transactional id of Kafka: records and committed offsets, all of it or nothing.
//
// What an error means (DESIGN §5):
// - a retriable one: nothing of it is there (it was aborted); the same may be committed again
// - errc::fenced: somebody else opened this id, or the group has gone on without us
// - errc::indefinite: unknown; destroy this object, open a new one under the same id (which ends
//   what was under way), read the log
// - others: nothing of it is there
//
// After an abort it takes nothing more either: the brokers may have left partitions untold of it,
// and what is committed next would make true what was aborted (settled_producer.hpp).
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

/// Offsets of a group that a transaction moves.
struct group_commit {
  std::string group;
  partition_list offsets;
  group_metadata who;
};

class transactional_producer {
 public:
  /// Fences and ends whatever had this id before.
  [[nodiscard]] static result<std::unique_ptr<transactional_producer>> open(
      const kafka_log_options& options, const std::string& transactional_id);

  /// Sends the records, in this order for each partition; gives the base of each append once the
  /// brokers have them. Then `prepare`.
  [[nodiscard]] result<std::vector<offset>> send(
      const std::vector<log_transaction::append>& appends, bool wait_for_bases);
  /// Moves the offsets. Gives the bases of `send`, which are known now in any case.
  [[nodiscard]] result<std::vector<offset>> prepare(const std::vector<group_commit>& commits);
  [[nodiscard]] result<void> commit();
  /// A transaction of these, undone. Once that is seen: `aborts_are_seen`.
  [[nodiscard]] result<void> try_out(const std::vector<log_transaction::append>& appends,
                                     const std::vector<group_commit>& commits);

  [[nodiscard]] bool usable() const { return !broken_ && !aborted_; }
  [[nodiscard]] bool is_in_doubt() const { return broken_ && broken_->code == errc::indefinite; }
  void aborts_are_seen() { aborted_ = false; }

 private:
  /// Aborts; gives `why`, or errc::indefinite when that could not be done.
  [[nodiscard]] error abandon(error why);
  transactional_producer(const kafka_log_options& options, std::string id)
      : options_{options}, id_{std::move(id)} {}
  static void delivered(rd_kafka_t*, const rd_kafka_message_t* m, void* opaque);
  [[nodiscard]] result<rd_kafka_topic_t*> topic(const std::string& name);
  [[nodiscard]] result<void> produce_all(const log_transaction::append& a, offset* base);
  template <class Call>
  [[nodiscard]] result<void> in_transaction(const char* what, const std::string& needs,
                                            Call&& call);
  [[nodiscard]] result<void> wait_for_deliveries();
  [[nodiscard]] result<void> move_offsets(const std::vector<group_commit>& commits);
  [[nodiscard]] result<void> abort();
  [[nodiscard]] error broken(error e);

  const kafka_log_options& options_;
  std::string id_;
  std::unique_ptr<client> client_;
  std::map<std::string, topic_handle> topics_;
  std::vector<offset> bases_;
  std::optional<error> delivery_error_;
  std::optional<error> broken_;  // no further use
  bool aborted_ = false;
  std::chrono::steady_clock::time_point began_;
};

}  // namespace kappa::kafka
