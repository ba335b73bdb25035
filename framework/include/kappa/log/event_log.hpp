// The log: one interface, three implementations (memory, embedded on LMDB, Kafka), one contract
// suite (tests/log/contract.hpp).
//
// Threading: an event_log may be used from any thread. A log_reader and a log_writer belong to one
// thread at a time. Every call that says "blocks" waits for a disk or a broker.
// Ownership: readers, writers and subscriptions must be destroyed before their log.
// Errors: `subject` names topic, partition and offset ("orders[3]@812").
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kappa/core/bytes.hpp"
#include "kappa/core/error.hpp"
#include "kappa/core/strong.hpp"
#include "kappa/core/time.hpp"
#include "kappa/log/membership.hpp"
#include "kappa/log/record.hpp"

namespace kappa {

/// Limits that hold on every log.
struct log_limits {
  static constexpr std::size_t max_topic_name_bytes = 249;  // Kafka's own limit
  // Of a position. Kafka takes 4 KiB of text for all inputs of a task together.
  static constexpr std::size_t max_metadata_bytes = 2048;
  static constexpr std::size_t default_max_record_bytes = 1 << 20;
  static constexpr std::size_t max_max_record_bytes = 64 << 20;
  static constexpr std::int32_t max_partitions = 1024;
};

/// Settings of a topic. Fixed at creation, except retention.
struct topic_config {
  std::string name;             // [a-zA-Z0-9._-]+, at most 249 characters
  std::int32_t partitions = 1;  // 1 … 1024; fixed: a change would remap keys
  /// The app that writes it (and nobody else); empty: written from outside, and if its name begins
  /// with that of an app and a dot, by that app too.
  std::string owner{};
  std::optional<milliseconds> retention_time{};    // none: kept for ever
  std::optional<std::uint64_t> retention_bytes{};  // per partition; none: no bound
  std::size_t max_record_bytes = log_limits::default_max_record_bytes;
  bool compacted = false;  // Kafka: cleanup.policy=compact; refused for events

  friend bool operator==(const topic_config&, const topic_config&) = default;
};

/// A stage, and how many tasks it has: so that the log has a place for their positions.
struct stage_tasks {
  std::string app;
  std::string stage;
  kappa::generation generation{1};
  std::int32_t tasks = 1;
  std::uint64_t fingerprint = 0;  // stage_spec's, by which two programs of one name are told apart
  std::vector<std::string> inputs{};  // whose positions a task's commit moves together
};

/// Whose position: (app, stage, generation, task, input).
struct position_key {
  std::string app;
  std::string stage;
  kappa::generation generation{1};
  partition task;
  std::string input;  // topic, or the name of a source

  friend auto operator<=>(const position_key&, const position_key&) = default;
  friend bool operator==(const position_key&, const position_key&) = default;
  /// "flights/hourly-delays.g1[3]<-topic"
  [[nodiscard]] std::string text() const;
};

/// The next offset to read, and up to `max_metadata_bytes` of the owner's own.
struct committed_position {
  offset next;
  bytes metadata{};
  friend bool operator==(const committed_position&, const committed_position&) = default;
};

/// What one commit does: all of it or nothing. The positions of a task belong together: a
/// transaction that moves one of its inputs names all of them.
struct log_transaction {
  struct append {
    topic_partition to;
    std::shared_ptr<const record_batch> records;  // not empty
  };
  struct move {
    position_key key;
    committed_position value;
  };
  std::vector<append> appends;
  std::vector<move> moves;
};

struct commit_receipt {
  /// Offset of the first record of each append, in order.
  std::vector<offset> bases;
};

/// Stops the calls when destroyed; a call that is running has ended by then.
class subscription {
 public:
  virtual ~subscription() = default;
};

/// Reads one partition in batches. Never blocks for new records.
class log_reader {
 public:
  virtual ~log_reader() = default;
  /// Records from `from` on, about `max_bytes` of them (at least one frame when there is one).
  /// An empty batch: nothing at hand. A log on this machine has then given all it has; one that is
  /// read over a network may have more on the way, and calls the subscriptions when it is here
  /// (wait_and_read waits for it). Blocks only when it does not go on where the last read ended.
  /// errc::out_of_range: before the earliest or past the latest; errc::corrupt: a damaged frame,
  /// named, never returned as data.
  [[nodiscard]] virtual result<read_batch> read(offset from, std::size_t max_bytes) = 0;
  /// Has a log that is read over a network fetch from here on, so that subscriptions are called; a
  /// read does so too. Blocks.
  [[nodiscard]] virtual result<void> start(offset from) = 0;
  /// What lies between the last read (or start) and here can be read now, without waiting. Never
  /// blocks for a network.
  [[nodiscard]] virtual result<offset> at_hand() = 0;
  /// Where the partition ended when this reader last heard of it: for lag. Never blocks for a
  /// network.
  [[nodiscard]] virtual result<offset> end_seen() = 0;
  /// Calls `on_data` on a thread of the log when there may be more to read (appended by any
  /// process, or come over the network); may call without need, never misses. Subscribe before the
  /// read that finds nothing. `on_data` must not block, not call the log, and not end its own
  /// subscription, which must go before the reader.
  [[nodiscard]] virtual result<std::unique_ptr<subscription>> subscribe(
      std::function<void()> on_data) = 0;
  [[nodiscard]] virtual const topic_partition& where() const = 0;
};

/// The one writer of an app: its transactions are fenced.
class log_writer {
 public:
  virtual ~log_writer() = default;
  /// Blocks until the transaction is durable. errc::fenced: another owner took over, nothing was
  /// written. errc::indefinite: unknown; destroy this writer, open a new one, read the log's end.
  /// errc::too_large, not_found, invalid_argument, owned (a topic that is not this app's): nothing
  /// was written. A retriable error (no_space): nothing was written, the same transaction may be
  /// committed again.
  [[nodiscard]] virtual result<commit_receipt> commit(const log_transaction& tx) = 0;
  [[nodiscard]] virtual writer_term term() const = 0;
  /// Whether the task's position, as it is committed now, was moved by this process: by this writer
  /// or one before it. (Not by another one on a copy of its state.) Where an app has one writer
  /// that is so, or `term` tells. Blocks.
  [[nodiscard]] virtual result<bool> moved_last(const position_key& key) = 0;
};

struct writer_options {
  std::string app;
  /// Who holds it, for the error that the next one gets ("pid 4711").
  std::string instance{};
  /// Of a tool that writes for the app while it does not run ("copy"): on Kafka the next one of
  /// that name fences this one and ends what it left open. Empty: known by the process's own
  /// identity.
  std::string tool{};
  /// Where tasks are placed by the log: which of the app's `lanes` writers of this process, each of
  /// which has its own transactions. The first is opened before the others, and holds the app.
  int lane = 0;
  int lanes = 1;
};

/// Producer id + sequence of an outside append. A sequence that is not above the last one seen
/// for (id, partition) is a repetition: answered, not appended.
struct producer_sequence {
  std::string producer;
  std::uint64_t sequence = 0;
};

struct append_receipt {
  offset base;  // of the first record
  /// It had been appended before; `base` is known for the last sequence only, else it is -1.
  bool duplicate = false;
};

struct partition_bounds {
  offset earliest;  // first retained
  offset latest;    // next to be written
};

struct retention_report {
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;
  std::uint64_t partitions = 0;
};

class event_log {
 public:
  virtual ~event_log() = default;

  /// Made with the log, never changes: state knows by it which log it came from.
  [[nodiscard]] virtual const std::string& id() const = 0;
  /// What state that was made from these topics came from: `id`, and where a topic can be deleted
  /// and made anew (Kafka) the ids of the topics too. Blocks.
  [[nodiscard]] virtual result<std::string> identity(const std::vector<std::string>& topics) = 0;
  /// For messages: "lmdb:data", "memory".
  [[nodiscard]] virtual std::string name() const = 0;

  /// Creates a topic, durably. Nothing to do when it exists with the same partitions, owner and
  /// compaction; errc::already_exists (naming both) otherwise. Retention is updated. Blocks.
  [[nodiscard]] virtual result<void> create_topic(const topic_config& config) = 0;
  [[nodiscard]] virtual result<std::optional<topic_config>> find_topic(const std::string& name) = 0;
  [[nodiscard]] virtual result<std::vector<topic_config>> topics() = 0;

  [[nodiscard]] virtual result<partition_bounds> bounds(const topic_partition& tp) = 0;
  /// Where the partition ends once every transaction that has begun by now is over, so that the
  /// caller's own commits are in front of it. A log on this machine has it at once; on Kafka a
  /// commit is visible a little later than it is durable. errc::timed_out (retriable): a
  /// transaction stays open. Blocks.
  [[nodiscard]] virtual result<offset> settled_end(const topic_partition& tp) = 0;
  /// First offset whose record has time >= t; `latest` when there is none.
  [[nodiscard]] virtual result<offset> offset_for_time(const topic_partition& tp, timestamp t) = 0;
  [[nodiscard]] virtual result<std::unique_ptr<log_reader>> open_reader(
      const topic_partition& tp) = 0;

  /// Makes room for the positions of a stage's tasks, before they are first moved; nothing to do on
  /// a log on this machine. errc::bad_config: there is room for another number of tasks;
  /// errc::too_large: for fewer inputs. Blocks.
  [[nodiscard]] virtual result<void> make_room(const stage_tasks& stage) = 0;
  /// True: several processes may run one app, each has the tasks that it was given (`join`). False:
  /// whoever has the app's writer has them all.
  [[nodiscard]] virtual bool places_tasks() const = 0;
  /// Takes part in running these stages of one app as `instance` (for people: "pid 4711"); each
  /// must have room. errc::invalid_argument where the log places no tasks; errc::refused_start
  /// while a process of another program runs one of them. Blocks shortly, or, if there is one, for
  /// as long as a session: it may have just ended. Tasks are given later. The listener must outlive
  /// the membership, which must go before the log.
  [[nodiscard]] virtual result<std::unique_ptr<membership>> join(
      const std::vector<stage_tasks>& stages, const std::string& instance,
      placement_listener& listener) = 0;
  /// Takes the app: errc::owned (naming the holder) while another process or writer has it. Blocks.
  [[nodiscard]] virtual result<std::unique_ptr<log_writer>> open_writer(
      const writer_options& options) = 0;
  /// Who has the app now, in words ("pid 4711"), maybe empty; nothing: nobody. Takes nothing and
  /// disturbs nobody, also when read-only.
  [[nodiscard]] virtual result<std::optional<std::string>> holder(const std::string& app) = 0;
  /// The processes that take part in running the app (`join`), and which tasks each has now; none:
  /// nobody runs it. One that has died is among them until its session is over. Blocks.
  /// errc::invalid_argument where the log places no tasks.
  [[nodiscard]] virtual result<std::vector<app_process>> processes(const std::string& app) = 0;
  /// An append from outside any app; errc::owned for topics that an app owns. Blocks until durable
  /// (group commit: concurrent appends share one fsync).
  [[nodiscard]] virtual result<append_receipt> append(
      const topic_partition& to, const record_batch& records,
      const std::optional<producer_sequence>& sequence = std::nullopt) = 0;

  [[nodiscard]] virtual result<std::optional<committed_position>> position(
      const position_key& key) = 0;
  /// All positions of an app, ordered by key.
  [[nodiscard]] virtual result<std::vector<log_transaction::move>> positions(
      const std::string& app) = 0;
  /// Forgets one position (on Kafka: with the others of its task). For repair tools and tests; the
  /// app must not run. Blocks.
  [[nodiscard]] virtual result<void> forget_position(const position_key& key) = 0;

  /// Deletes what retention no longer wants (Kafka's brokers do that themselves), in short
  /// transactions: whole frames from the head,
  /// while their latest record is older than retention_time, or while what remains would still be
  /// retention_bytes. Blocks; run it off the actors.
  [[nodiscard]] virtual result<retention_report> apply_retention(timestamp now) = 0;
};

}  // namespace kappa
