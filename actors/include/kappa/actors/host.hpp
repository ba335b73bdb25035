// The host: places an app's tasks on actors and runs them in this process.
//
//   kappa::host host{flights_app(), {.log = "lmdb:data", .state = "state"}};
//   if (auto started = host.start(); !started) return fail(started.error());
//   auto ord = host.query<delay_stats>("hourly-delays", kappa::windowed_key{"ORD", hour});
//   host.stop();                                      // commits, snapshots
//
// Threads: CAF's workers (`worker_threads`, or those of the system that it was given) run the task
// actors; besides, one thread each for the commit lane (T1; of several on Kafka each), the state
// (T2 and opening), every source, admin requests, the watchdog, retention, and the log's own.
//
// Threading: start, stop and the destructor on any thread, one after the other; everything else
// from any thread. Ownership: owns tasks and state; the log may be shared.
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <typeindex>
#include <vector>

#include "kappa/actors/ask.hpp"
#include "kappa/aggregate/program.hpp"
#include "kappa/core/codec.hpp"
#include "kappa/core/error.hpp"
#include "kappa/core/logger.hpp"
#include "kappa/keys/key_ring.hpp"
#include "kappa/log/event_log.hpp"
#include "kappa/stream/app.hpp"
#include "kappa/stream/topology.hpp"
#include "kappa/stream/window.hpp"
#include "kappa/task/layout.hpp"
#include "kappa/task/runnable.hpp"
#include "kappa/task/task.hpp"

namespace kappa {

namespace detail {
class command_port;
class given_system;
}  // namespace detail

struct host_options {
  /// "lmdb:FOLDER", "memory:" or "kafka://HOST:PORT". Ignored when `shared_log` is given.
  std::string log = "lmdb:data";
  /// Of Kafka: settings of librdkafka by its own names. May hold secrets, which are never shown.
  std::map<std::string, std::string> kafka_settings{};
  std::shared_ptr<event_log> shared_log{};
  /// Where the state partitions are; the app makes a folder of its own in it. On Kafka each process
  /// has a slot of its own there (instance_slot.hpp).
  std::filesystem::path state = "state";
  /// On Kafka: how long a process may be silent before its tasks are given to others, and before
  /// its transactions are aborted. 1 s … 15 min; the brokers have bounds of their own.
  std::chrono::milliseconds session_timeout{10'000};
  /// On Kafka: copies of the topics that it creates. 0: default.replication.factor of the brokers,
  /// which is 1 if nobody has set it.
  int replication = 0;
  /// Where copies of the states are put now and then, and where a state comes from when there is
  /// none here and the log alone would take long, or no longer has what it takes. Empty, and no
  /// `savepoint_repository`: there are none.
  std::filesystem::path savepoints{};
  std::shared_ptr<kappa::savepoint_repository> savepoint_repository{};
  /// Of each state at most so often, after a snapshot.
  std::chrono::milliseconds savepoint_interval{60'000};
  /// The slot, by name; empty: the first that is free.
  std::string instance{};
  /// On Kafka: so many of the processes that do not have a task follow it, muted, so that whoever
  /// gets it and has followed it has only the last seconds to replay. Which process gets it is
  /// Kafka's choice.
  std::size_t standbys = 0;
  static constexpr std::size_t all_others = SIZE_MAX;
  /// On Kafka: commits that may be under way at the same time, each of the tasks of its lane. 0: as
  /// many as processors, but no more than 4.
  std::size_t lanes = 0;
  std::int32_t partitions = 4;     // of the topics that the app creates
  std::size_t worker_threads = 0;  // 0: as many as processors
  /// The actor system of a program that has one: kappa::actors_in(system), see kappa/caf.hpp. The
  /// host's actors run in it, and have ended when the host has stopped. Null: the host makes a
  /// system of its own.
  std::shared_ptr<detail::given_system> actors{};
  task_limits limits{};
  std::size_t frame_bytes = 64 << 10;
  failure_policy on_failure = failure_policy::dead_letter;
  /// Stages whose state is erased and built anew from the log at the start. Refused before anything
  /// is erased when the log has not what it takes.
  std::vector<std::string> replay{};
  /// Do that and nothing else: no other stage is opened, nothing new is processed, no admin request
  /// is answered. Those tasks then count as finished.
  bool replay_only = false;
  bool until_end = false;  // topics from outside end where they end at the start
  bool adopt_state_position = false;
  /// A task that is further ahead in event time than this of the slowest one of its stage (of
  /// those that have something to read) pauses, so that a backfill does not open windows without
  /// end. For stages that read topics from outside, or several inputs. Zero: off.
  milliseconds max_drift = std::chrono::hours{1};
  double source_rate = 0;  // rows a second of each source; 0: no bound
  /// A step, or one call of a source, that takes longer is reported, its task is quarantined, and
  /// the host fails. ≥ 100 ms.
  std::chrono::milliseconds handler_limit{30'000};
  /// A failed task starts again after this, doubled up to the second one, until
  /// `failures_until_quarantine` in a row without progress; not counting the times that it could
  /// not start because the log did not answer.
  std::chrono::milliseconds first_backoff{100};
  std::chrono::milliseconds last_backoff{10'000};
  int failures_until_quarantine = 5;
  /// How often retention is applied to the log; zero: never (another process does it).
  std::chrono::milliseconds retention_interval{60'000};
  /// Blame for deaths by signals is kept in the state folder and handled (crash_suspect).
  bool crash_ledger = true;
  /// Where the keys of personal fields are: "file:PATH" (not on Kafka) or "postgresql://…", which
  /// may hold a password and is never shown. Ignored when `shared_keys` is given.
  std::string keys{};
  std::shared_ptr<key_store> shared_keys{};
  key_ring_options key_cache{};
  clock_fn clock = steady_now;
  log_sink log_to = no_log;
};

/// The state of (key, window start).
template <class K>
struct windowed_key {
  K key;
  timestamp start;
};
template <class K>
windowed_key(K, timestamp) -> windowed_key<K>;
windowed_key(const char*, timestamp)->windowed_key<std::string>;

struct query_options {
  read_level level = read_level::committed;
  std::chrono::milliseconds timeout{5000};
  /// Refuse (errc::unavailable) instead of answering from a state that is still replaying.
  bool refuse_stale = false;
  /// Of an aggregate: wait until it is at this version, as a receipt says it, or later: so that
  /// whoever was told that a command was accepted sees what it did.
  std::optional<std::uint64_t> at_least_version{};
  /// Wait until everything in front of this record is in the answer, as far as it has to do with
  /// it: of a topic from outside, or of an aggregate's events (position_of), from which the stage's
  /// results come through whatever stages.
  std::optional<record_address> at_least{};
  /// Of an aggregate: see all that anybody was told before this call, by whichever process. Costs a
  /// commit (those that ask at once share it), in which the log is asked whether the task is still
  /// this process's. A plain query may be answered by a process that another has just taken the
  /// task from, as it was then.
  bool linearizable = false;
};

/// A value (none: absent) and as of where.
template <class V>
struct answer {
  std::optional<V> value;
  read_position as_of;
};

struct state_entry {
  bytes key;  // the state key: for windows see split_window_state_key
  bytes value;
};
/// Entries in key order within each partition, and as of where each partition is.
struct state_entries {
  std::vector<state_entry> entries;
  std::vector<read_position> as_of;
};

/// `elsewhere`: another process has it (Kafka).
enum class task_health {
  starting,
  running,
  backing_off,
  quarantined,
  finished,
  stopped,
  elsewhere
};
[[nodiscard]] std::string_view name_of(task_health h);

/// A state that is kept near to the task's own.
struct standby_status {
  epoch_number epoch;  // of the task, up to which it has followed
  timestamp at;        // when it had
};

struct task_status {
  task_id id;
  task_health health = task_health::starting;
  task_progress progress;
  std::optional<error> last_error;
  int failures = 0;
  bool source = false;
  bool rests = false;                     // it has no end of its own (topology::follows_aggregates)
  std::optional<standby_status> standby;  // of one that is elsewhere
};

class host final : public aggregate_asker {
 public:
  host(const app& a, host_options options);
  ~host() override;
  host(const host&) = delete;
  host& operator=(const host&) = delete;

  /// Opens the log, takes the app, opens every task. On Kafka it joins the app's groups, and opens
  /// the tasks that it is given, now and later; what would refuse the start then fails the host. An
  /// error (see DESIGN: wrong configuration, a refused recovery, an owner elsewhere) leaves nothing
  /// running. Blocks.
  [[nodiscard]] result<void> start();

  /// Orderly: every task commits (within about a second), then snapshots. Blocks. An error tells
  /// what could not be saved; it will be replayed.
  result<void> stop();

  /// Waits until every task has finished (true), or the host cannot go on (error), or `timeout`
  /// is over (false). Aggregates, and streams of their events, have when all other streams have and
  /// nothing is left in the log for them; in an app without other streams never.
  [[nodiscard]] result<bool> wait_finished(std::chrono::milliseconds timeout);

  /// The value of a key. K: a string, an integer, … (what key_by gave), or windowed_key.
  template <class S, class K>
    requires(!std::same_as<K, query_options>)
  [[nodiscard]] result<answer<S>> query(const std::string& stage, const K& key,
                                        query_options options = {}) {
    const bytes k = encoded(key);
    return decoded<S>(query_bytes(stage, k, k, options));
  }
  template <class S, class K>
  [[nodiscard]] result<answer<S>> query(const std::string& stage, const windowed_key<K>& key,
                                        query_options options = {}) {
    const bytes k = encoded(key.key);
    return decoded<S>(query_bytes(stage, k, window_state_key(k, key.start), options));
  }
  template <class S>
  [[nodiscard]] result<answer<S>> query(const std::string& stage, const char* key,
                                        query_options options = {}) {
    return query<S>(stage, std::string{key}, options);
  }

  /// What is under this key, and its version; nothing also of what was deleted. Never from a state
  /// that is still replaying: what is not there yet would look as if it had never been
  /// (errc::unavailable: ask again).
  template <aggregate_type A, encodable K>
  [[nodiscard]] result<answer<aggregate_entry<A>>> query(const K& key, query_options options = {}) {
    const bytes k = encoded(key);
    options.refuse_stale = true;
    auto stage = stage_of(detail::address_of<A, K>());
    if (!stage) return fail(stage.error());
    auto found = decoded<aggregate_entry<A>>(query_bytes(*stage, k, k, options));
    if (!found || !found->value) return found;
    if (auto opened = detail::open_personal(found->value->state, keys()); !opened)
      return fail(std::move(opened.error()));
    return found;
  }
  template <aggregate_type A>
  [[nodiscard]] result<answer<aggregate_entry<A>>> query(const char* key,
                                                         query_options options = {}) {
    return query<A>(std::string{key}, options);
  }

  /// Behind all events of the aggregates in this one's partition that are in the log by now: with
  /// query_options::at_least a projection of them shows what whoever was answered before this call
  /// was told. Blocks: it asks the log.
  template <aggregate_type A, encodable K>
  [[nodiscard]] result<record_address> position_of(const K& key) {
    return end_of_events(detail::address_of<A, K>(), encoded(key));
  }
  template <aggregate_type A>
  [[nodiscard]] result<record_address> position_of(const char* key) {
    return position_of<A>(std::string{key});
  }

  /// One state key of the partition that `placed_by` belongs to.
  [[nodiscard]] result<answer<bytes>> query_bytes(const std::string& stage, bytes_view placed_by,
                                                  bytes_view state_key, query_options options = {});
  /// State keys in [from, to) of that partition (`to` empty: to the end), at most `limit`.
  [[nodiscard]] result<state_entries> query_range(const std::string& stage, bytes_view placed_by,
                                                  bytes_view from, bytes_view to, std::size_t limit,
                                                  query_options options = {});
  /// All windows of a key.
  template <class K>
  [[nodiscard]] result<state_entries> query_windows(const std::string& stage, const K& key,
                                                    query_options options = {}) {
    const bytes k = encoded(key);
    bytes from;
    append_ordered(from, k);
    bytes to = from;  // the part ends with 0x00 0x01: everything that begins with it is below 0x02
    to.back() = '\x02';
    return query_range(stage, k, from, to, SIZE_MAX, options);
  }
  /// All partitions.
  [[nodiscard]] result<state_entries> query_all(const std::string& stage, std::size_t limit,
                                                query_options options = {});

  /// Deletes the subject's key: what is personal of it reads as erased from now on, wherever it is
  /// stored. K: as the aggregate's key, or the text of a `$Kappa.subject`. Here at once; in other
  /// processes after `key_cache.life` at most. It cannot be undone. Errors: as key_store; whether
  /// an erasure that failed is done is not known: erase again.
  template <encodable K>
  [[nodiscard]] result<erasure> erase_subject(const K& subject) {
    return erase_subject_bytes(encoded(subject));
  }
  [[nodiscard]] result<erasure> erase_subject(const char* subject) {
    return erase_subject_bytes(subject);
  }
  [[nodiscard]] result<erasure> erase_subject_bytes(bytes_view subject) {
    if (keys() != nullptr) return keys()->erase(subject);
    return fail(errc::bad_config, "the host", "it has no key store");
  }
  /// Null: it has no key store.
  [[nodiscard]] key_ring* keys() const override;

  [[nodiscard]] std::vector<task_status> status() const;
  /// Who this is, for others that want the app: "pid 4711".
  [[nodiscard]] const std::string& instance() const;
  [[nodiscard]] timestamp started_at() const;
  /// What keeps the host from going on, if anything.
  [[nodiscard]] std::optional<error> failure() const;
  [[nodiscard]] const kappa::topology& topology() const;
  [[nodiscard]] event_log& log();
  /// Prometheus text format.
  [[nodiscard]] std::string metrics() const;

 private:
  template <class S>
  static result<answer<S>> decoded(result<answer<bytes>> raw) {
    if (!raw) return fail(raw.error());
    answer<S> a;
    a.as_of = std::move(raw->as_of);
    if (raw->value) {
      auto v = codec<S>::decode(*raw->value);
      if (!v) return fail(v.error());
      a.value = std::move(*v);
    }
    return a;
  }

  [[nodiscard]] result<std::string> stage_of(const detail::aggregate_address& type) const;
  [[nodiscard]] result<record_address> end_of_events(const detail::aggregate_address& type,
                                                     bytes_view key);
  void send(command_call call, const detail::aggregate_address& type,
            std::chrono::milliseconds timeout) override;

  friend class detail::command_port;
  struct inside;
  std::unique_ptr<inside> in_;
};

}  // namespace kappa
