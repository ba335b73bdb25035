// What is asked of the brokers besides records: topics and their settings, the bounds of
// partitions, groups and their committed offsets.
//
// Threading: any thread; every call blocks for a round trip or two, at most `request_timeout_ms`.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kafka/client.hpp"
#include "kappa/log/event_log.hpp"

namespace kappa::kafka {

struct topic_description {
  std::string id;  // Kafka's, new with each creation
  std::int32_t partitions = 0;
  std::map<std::string, std::string> settings;
};

/// A committed offset of a group.
struct group_offset {
  topic_partition where;
  std::int64_t offset = 0;
  std::string metadata;
  bool unsettled = false;  // a transaction that is not over is about to move it
};

/// Of one in which a transaction is not over, `settled` is where the earliest one begins.
struct partition_end {
  topic_partition where;
  kappa::offset settled;
  kappa::offset written;
};

struct member_description {
  std::string group;
  std::string name;   // its static one; without one what it calls itself
  std::string calls;  // what it calls itself; of one that came back under its static name: called
  std::string host;
  std::optional<std::uint64_t> fingerprint;  // of the stage as its program has it
  std::vector<topic_partition> has;
};
[[nodiscard]] member_description described(const std::string& group,
                                           const rd_kafka_MemberDescription_t& member);

/// As text. errc::incompatible: none, and states and births know their topics by it.
[[nodiscard]] result<std::string> topic_id(const std::string& topic, const rd_kafka_Uuid_t& id);

/// A client for `admin`.
[[nodiscard]] result<std::unique_ptr<client>> open_admin_client(const kafka_log_options& options);

class admin {
 public:
  /// `of` must outlive it.
  explicit admin(client& of) : client_{of} {}

  [[nodiscard]] result<std::string> cluster_id();

  [[nodiscard]] result<void> create_topic(const std::string& name, std::int32_t partitions,
                                          int replication,
                                          const std::map<std::string, std::string>& settings);
  [[nodiscard]] result<void> change_topic(const std::string& name,
                                          const std::map<std::string, std::string>& settings);
  /// Nothing: there is no such topic.
  [[nodiscard]] result<std::optional<topic_description>> describe_topic(const std::string& name);
  /// By name; without those that are not there.
  [[nodiscard]] result<std::map<std::string, topic_description>> describe_topics(
      const std::vector<std::string>& names);
  /// Of all topics but the brokers' own.
  [[nodiscard]] result<std::vector<std::string>> topics();

  /// `latest`: the end of what is committed.
  [[nodiscard]] result<partition_bounds> bounds(const topic_partition& tp);
  /// The end, once all transactions that have begun by now are over.
  [[nodiscard]] result<offset> settled_end(const topic_partition& tp,
                                           std::chrono::milliseconds patience);
  [[nodiscard]] result<std::vector<partition_end>> ends(const std::vector<topic_partition>& where);
  /// In the order of `where`: the first record of the earliest transaction that is not over, else
  /// the end.
  [[nodiscard]] result<std::vector<offset>> settled_ends(const std::vector<topic_partition>& where);
  /// The first whose time is at or after `t`, else the end.
  [[nodiscard]] result<offset> offset_for_time(const topic_partition& tp, timestamp t);

  /// What the group has committed on these partitions (empty: on all that it has). Waits for
  /// transactions that are about to move them.
  [[nodiscard]] result<std::vector<group_offset>> group_offsets(
      const std::string& group, const std::vector<topic_partition>& where);
  /// Without waiting: with those that are unsettled, also if nothing was ever committed there.
  [[nodiscard]] result<std::vector<group_offset>> offsets_as_they_are(
      const std::string& group, const std::vector<topic_partition>& where);
  [[nodiscard]] result<void> forget_group_offset(const std::string& group,
                                                 const topic_partition& where);
  /// What is in force for groups that the brokers place by their own protocol (KIP-848), set for
  /// them or not; without those whose brokers know no such setting.
  [[nodiscard]] result<std::map<std::string, std::string>> group_setting(
      const std::vector<std::string>& groups, const std::string& name);
  /// Who is in these groups now; of one that is not there nobody is.
  [[nodiscard]] result<std::vector<member_description>> members(
      const std::vector<std::string>& groups);

 private:
  template <class Send>
  result<event> ask(rd_kafka_admin_op_t op, const std::string& subject, const std::string& needs,
                    Send&& send, bool stable_offsets = false);
  template <class Look>
  auto answered_in_time(const std::string& subject, Look&& look, bool first_contact = false)
      -> result<decltype(look(0))>;
  result<std::vector<member_description>> members_now(const std::vector<std::string>& groups);
  result<std::vector<group_offset>> group_offsets_now(const std::string& group,
                                                      const std::vector<topic_partition>& where);
  /// By name; without topics that are not there. `kind`: "topic", "group".
  result<std::map<std::string, std::map<std::string, std::string>>> settings_of(
      rd_kafka_ResourceType_t type, const char* kind, const std::vector<std::string>& names);
  /// In the order of `where`, which must not be empty. `which`: milliseconds, or one of
  /// rd_kafka_OffsetSpec_t.
  result<std::vector<std::int64_t>> list_offsets(
      const std::vector<topic_partition>& where, std::int64_t which,
      rd_kafka_IsolationLevel_t isolation = RD_KAFKA_ISOLATION_LEVEL_READ_COMMITTED);
  result<std::vector<std::int64_t>> list_offsets_now(const std::vector<topic_partition>& where,
                                                     std::int64_t which,
                                                     rd_kafka_IsolationLevel_t isolation);
  result<std::int64_t> list_offset(
      const topic_partition& tp, std::int64_t which,
      rd_kafka_IsolationLevel_t isolation = RD_KAFKA_ISOLATION_LEVEL_READ_COMMITTED);

  client& client_;
};

}  // namespace kappa::kafka
