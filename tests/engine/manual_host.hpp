// A host by hand: opens the tasks of an app on a memory log, and leaves every turn to the test:
// when a task runs, closes, commits, snapshots, crashes.
#pragma once

#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "engine/small_types.hpp"
#include "kappa/log/memory_log.hpp"
#include "kappa/stream/topology.hpp"
#include "kappa/task/commit_lane.hpp"
#include "kappa/task/layout.hpp"
#include "kappa/task/task.hpp"
#include "support/must.hpp"
#include "support/refused.hpp"

namespace engine_test {

using namespace kappa;

using kappa::test::must;
using kappa::test::refused;

using picture = std::map<std::string, std::vector<std::string>>;

/// Equal, or the first difference of each part.
[[nodiscard]] boost::test_tools::predicate_result same(const picture& a, const picture& b);

/// 2001-01-01T00:00 and so many minutes.
[[nodiscard]] timestamp minute(std::int64_t n);

struct hosted_task {
  std::unique_ptr<runnable_task> task;
  std::deque<epoch_ptr> closed;                // not yet committed
  std::optional<state_delta> being_written{};  // a T2 that was begun
};

/// A record as it stands in the log.
struct logged {
  partition where;
  kappa::offset offset;
  std::optional<bytes> key;
  bytes value;
  timestamp time;
  std::map<std::string, bytes> headers;
};

class manual_host {
 public:
  explicit manual_host(const app& a, std::int32_t partitions = 1,
                       std::shared_ptr<memory_log> on = memory_log::create());
  ~manual_host();
  manual_host(const manual_host&) = delete;
  manual_host& operator=(const manual_host&) = delete;

  // Set before `open`.
  std::function<void(task_options&)> adjust = [](task_options&) {};
  task_limits limits{};
  failure_policy on_failure = failure_policy::dead_letter;
  bool until_end = false;
  std::function<void(source_task_options&)> adjust_source = [](source_task_options&) {};
  timestamp now = minute(0);

  [[nodiscard]] result<void> try_open();
  void open() { must(try_open()); }
  /// As `open` opens it.
  [[nodiscard]] task_options options_of(const std::string& stage, int p = 0);
  /// Nothing is closed, nothing is saved.
  void crash();
  void delete_state();

  std::vector<hosted_task>& tasks() { return tasks_; }
  hosted_task& at(const std::string& stage, int p = 0);
  runnable_task& task(const std::string& stage, int p = 0) { return *at(stage, p).task; }

  // Turns. Each throws what fails.
  run_status run(hosted_task& t, std::size_t budget);
  void close(hosted_task& t, bool final = false);
  /// T1 of all closed epochs of the task; retries what is retriable.
  void commit(hosted_task& t);
  [[nodiscard]] result<void> try_commit(hosted_task& t) { return try_commit({&t}); }
  /// One T1 of the closed epochs of several tasks.
  [[nodiscard]] result<void> try_commit(const std::vector<hosted_task*>& tasks);
  /// T2 of what is frozen and durable.
  void snapshot(hosted_task& t);
  /// run, close, T1, and T2 when asked for; false when there was nothing to do.
  bool turn(hosted_task& t, std::size_t budget, bool snapshots);
  /// Until nothing is left to do.
  void settle(std::size_t budget = 256, bool snapshots = false);
  void snapshot_all();
  [[nodiscard]] bool finished() const;

  // The log.
  void send(const std::string& topic, const reading& r, int p = 0);
  void send_bytes(const std::string& topic, std::optional<bytes> key, std::optional<bytes> value,
                  timestamp at, int p = 0);
  /// All records, markers left out.
  [[nodiscard]] std::vector<logged> records(const std::string& topic);
  /// "partition key value time" each, in order.
  [[nodiscard]] std::vector<std::string> lines(const std::string& topic);
  [[nodiscard]] std::vector<marker> markers(const std::string& topic, int p = 0);
  [[nodiscard]] std::vector<epoch_record> epoch_records(const std::string& stage, int p = 0);
  [[nodiscard]] std::vector<logged> dead_letters() { return records(dead_letters_topic()); }
  [[nodiscard]] std::string dead_letters_topic() const { return topology_->dead_letters_topic(); }
  /// The sum of all topics' ends: it grows with any append.
  [[nodiscard]] std::int64_t log_end();
  [[nodiscard]] position_key position_of(const std::string& stage, int p = 0, int input = 0) const;

  /// State, timers included, as sorted text; writes snapshots for it. Settle first.
  [[nodiscard]] std::vector<std::string> dump();
  /// Every topic that the app writes but the epochs topics, and `dump`.
  [[nodiscard]] engine_test::picture picture();

  [[nodiscard]] memory_log& log() { return *log_; }
  [[nodiscard]] const std::shared_ptr<memory_log>& shared_log() const { return log_; }
  [[nodiscard]] const kappa::topology& topology() const { return *topology_; }
  [[nodiscard]] std::filesystem::path folder_of(const std::string& stage, int p = 0) const;

 private:
  std::vector<logged> read_all(const topic_partition& tp);

  std::shared_ptr<const kappa::topology> topology_;
  std::int32_t partitions_;
  std::shared_ptr<memory_log> log_;
  std::filesystem::path folder_;
  app_layout layout_;
  std::unique_ptr<commit_lane> lane_;
  std::vector<hosted_task> tasks_;
};

/// Settles, deletes the state, and checks that a rebuild gives the same and appends nothing.
void rebuilds_the_same(manual_host& h);

}  // namespace engine_test
