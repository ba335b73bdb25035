// librdkafka's C API with owners: a client handle, its configuration, what its errors mean here.
//
// Threading: a client may be used from any thread, as librdkafka's handles. Ownership: whatever was
// made from a client must go before it.
#pragma once

#include <librdkafka/rdkafka.h>

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "kappa/core/error.hpp"
#include "kappa/core/logger.hpp"
#include "kappa/log/kafka_log.hpp"
#include "kappa/log/record.hpp"

namespace kappa::kafka {

/// With topic ids, transactions that are fenced by a group's metadata, stable committed offsets.
inline constexpr std::string_view needed_brokers =
    "Kappa needs Apache Kafka 2.8 or later; 3.9 and 4.x are tested";

template <auto Destroy>
struct destroyer {
  template <class T>
  void operator()(T* p) const {
    Destroy(p);
  }
};
using partition_list = std::unique_ptr<rd_kafka_topic_partition_list_t,
                                       destroyer<rd_kafka_topic_partition_list_destroy>>;
using queue = std::unique_ptr<rd_kafka_queue_t, destroyer<rd_kafka_queue_destroy>>;
using event = std::unique_ptr<rd_kafka_event_t, destroyer<rd_kafka_event_destroy>>;
using admin_options =
    std::unique_ptr<rd_kafka_AdminOptions_t, destroyer<rd_kafka_AdminOptions_destroy>>;
using topic_handle = std::unique_ptr<rd_kafka_topic_t, destroyer<rd_kafka_topic_destroy>>;
using fault = std::unique_ptr<rd_kafka_error_t, destroyer<rd_kafka_error_destroy>>;
using group_metadata = std::unique_ptr<rd_kafka_consumer_group_metadata_t,
                                       destroyer<rd_kafka_consumer_group_metadata_destroy>>;

void add(rd_kafka_topic_partition_list_t& list, const topic_partition& tp, std::int64_t offset,
         const std::string& metadata = {});
[[nodiscard]] partition_list list_of(const topic_partition& tp,
                                     std::int64_t offset = RD_KAFKA_OFFSET_INVALID,
                                     const std::string& metadata = {});

/// How long a request to the brokers may take, all retries included.
inline constexpr int request_timeout_ms = 30'000;

/// What an error of librdkafka or of a broker means here, and whether to try again. `needs` is the
/// right that the call takes ("Write on topic orders"), for one that the brokers do not allow.
[[nodiscard]] error error_of(rd_kafka_resp_err_t code, std::string subject, std::string_view detail,
                             std::string_view needs = {});
[[nodiscard]] error error_of(const rd_kafka_error_t* e, std::string subject,
                             std::string_view needs = {});

/// The setting that chooses how groups are placed: "classic", or "consumer" for the brokers' own
/// way (KIP-848).
inline constexpr const char* group_protocol = "group.protocol";
[[nodiscard]] inline bool brokers_place_tasks(const kafka_log_options& options) {
  const auto chosen = options.settings.find(group_protocol);
  return chosen != options.settings.end() && chosen->second == "consumer";
}

/// A configuration in the making.
class config {
 public:
  /// The settings that all clients of this log have: the user's, and ours where he gave none.
  [[nodiscard]] static result<config> create(const kafka_log_options& options,
                                             std::string_view role);
  /// Ours, whatever the user says.
  [[nodiscard]] result<void> set(const std::string& name, const std::string& value);
  /// Ours, unless the user has given one.
  [[nodiscard]] result<void> prefer(const std::string& name, const std::string& value);
  /// What no line may show.
  [[nodiscard]] std::vector<std::string> secrets() const;
  [[nodiscard]] rd_kafka_conf_t* get() const { return conf_.get(); }
  [[nodiscard]] rd_kafka_conf_t* release() { return conf_.release(); }

 private:
  explicit config(const kafka_log_options& options) : options_{&options} {}
  const kafka_log_options* options_;
  std::unique_ptr<rd_kafka_conf_t, destroyer<rd_kafka_conf_destroy>> conf_{rd_kafka_conf_new()};
};

/// A broker that goes down or comes up may refuse whom it lets in otherwise, for a moment.
inline constexpr std::chrono::seconds patience_with_refusal{2};

class client {
 public:
  /// Connects in the background: errors of the brokers are found by the first request.
  [[nodiscard]] static result<std::unique_ptr<client>> open(rd_kafka_type_t type, config settings,
                                                            log_sink log);
  ~client();
  client(const client&) = delete;
  client& operator=(const client&) = delete;

  [[nodiscard]] rd_kafka_t* get() const { return handle_; }
  /// As kafka::error_of; a request that only timed out is told with what the connection last said
  /// ("Connection refused").
  [[nodiscard]] error error_of(rd_kafka_resp_err_t code, std::string subject,
                               std::string_view detail = {}, std::string_view needs = {}) const;
  [[nodiscard]] error error_of(const rd_kafka_error_t* e, std::string subject,
                               std::string_view needs = {}) const;

  /// What the group calls this consumer; empty: it is in none.
  [[nodiscard]] std::string member_id() const;

  using time_point = std::chrono::steady_clock::time_point;
  /// For one who waits for the brokers since then, asked now and then: they do not let this client
  /// in, or it does not trust them (a wrong password, a wrong authority), and longer waiting would
  /// not mend it. On the first contact also what only looks like that: they hang up. Serves the
  /// callbacks.
  [[nodiscard]] std::optional<error> refusal(const std::string& subject, time_point since,
                                             bool first_contact = false);
  /// They have answered.
  void answered();
  /// Whether they have said since the last call that they do not know this partition. It is told
  /// while the partition's queue is read, and in no message there.
  [[nodiscard]] bool is_unknown(const topic_partition& where);

  /// For the owner's use in the callbacks of librdkafka (`opaque`).
  void set_owner(void* owner) { owner_ = owner; }
  [[nodiscard]] void* owner() const { return owner_; }
  [[nodiscard]] static client& of(void* opaque) { return *static_cast<client*>(opaque); }

  /// Called by librdkafka.
  void connection_error(rd_kafka_resp_err_t code, std::string_view reason);
  void line(int level, std::string_view facility, std::string_view text);

 private:
  client(log_sink log, std::vector<std::string> secrets)
      : log_{std::move(log)}, secrets_{std::move(secrets)} {}
  [[nodiscard]] error with_reason(error e) const;
  /// True: it was not known already.
  [[nodiscard]] bool note_failure(rd_kafka_resp_err_t code, const std::string& reason);
  [[nodiscard]] std::string redacted(std::string_view text) const;

  log_sink log_;
  std::vector<std::string> secrets_;
  rd_kafka_t* handle_ = nullptr;
  void* owner_ = nullptr;
  mutable std::mutex mutex_;
  std::string last_failure_;
  std::optional<error> refusal_;
  bool refusal_guessed_ = false;
  time_point refused_at_;
  std::set<std::string> unknown_;  // partitions, as the library writes them: "orders [3]"
};

}  // namespace kappa::kafka
