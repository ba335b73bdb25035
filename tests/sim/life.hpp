// The life of one simulated app: a seeded scheduler that lets owners of the app run, close,
// commit, snapshot, fail, crash and fence each other, step by step, while records are appended and
// removed; the model looks on.
//
// Threading: one thread. Same seed, same life.
#pragma once

#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "kappa/stream/topology.hpp"
#include "kappa/task/commit_lane.hpp"
#include "kappa/task/layout.hpp"
#include "kappa/task/task.hpp"
#include "sim/faulty_log.hpp"
#include "sim/model.hpp"
#include "sim/plan.hpp"

namespace kappa::sim {

struct life_stats {
  std::uint64_t steps = 0;
  std::uint64_t epochs = 0;
  std::uint64_t snapshots = 0;
  std::uint64_t crashes = 0;  // whole processes
  std::uint64_t task_failures = 0;
  std::uint64_t fenced = 0;
  std::uint64_t refused_starts = 0;
  std::uint64_t unknown_outcomes = 0;
  std::uint64_t queries = 0;
  std::uint64_t records = 0;  // taken in, each stage counted
  std::uint64_t timers = 0;
  std::uint64_t dead_letters = 0;
  std::uint64_t late = 0;
};

class life {
 public:
  using trace_fn = std::function<void(const std::string&)>;
  /// State lies below `folder`, which is removed at the end.
  life(std::uint64_t seed, std::filesystem::path folder, trace_fn trace);
  ~life();
  life(const life&) = delete;
  life& operator=(const life&) = delete;

  /// Throws `finding`.
  void run();
  [[nodiscard]] const life_stats& stats() const { return stats_; }
  [[nodiscard]] const plan& what() const { return plan_; }

 private:
  struct sim_task {
    std::unique_ptr<runnable_task> task;
    stage_and_partition id;
    epoch_number told;                   // what it knows to be committed
    std::optional<state_delta> delta{};  // a T2 that was begun
    bool delta_written = false;
  };
  struct waiting_epoch {
    stage_and_partition of;
    epoch_ptr epoch;
  };
  /// A process that has, or had, the app.
  struct owner {
    int number = 0;
    std::unique_ptr<commit_lane> lane;
    std::map<stage_and_partition, sim_task> tasks;
    std::deque<waiting_epoch> waiting;  // closed, in the order of submission
    bool in_doubt = false;
    bool overtaken = false;  // another one has the app since
    // Of an overtaken one: tasks whose state the other has opened, and those where it has tried.
    std::set<stage_and_partition> lost;
    std::set<stage_and_partition> perhaps_lost;
  };
  struct faults {
    bool commits = false;
    bool reads = false;
    bool crashes = false;
    bool failpoints = false;
    bool state_loss = false;
    bool old_copies = false;
    bool second_owner = false;
    bool task_failures = false;
    bool gaps = false;
    bool retention = false;
    bool advance = false;
    bool clock_jumps = false;
    bool snapshot_failures = false;
    bool late_reads = false;
  };

  // life.cpp
  void draw_faults();
  void tell(const std::string& what);
  void begin();
  void step();
  void end();
  void append_some(int most);
  void append_one();
  void move_clock();
  void remove_old();
  void leave_gap();
  void copy_state();
  void lose_state();
  void overtake();
  [[nodiscard]] std::filesystem::path folder_of(const stage_and_partition& id) const;

  // owner.cpp: what a host does. An error of the engine becomes a crash or a failed task, when
  // a fault of the simulation explains it, else a finding.
  [[nodiscard]] bool open_owner();
  [[nodiscard]] result<void> open_task_of(owner& o, const stage_and_partition& id);
  void kill(std::unique_ptr<owner>& o);
  void run_task(owner& o, sim_task& t, std::size_t budget);
  void close_task(owner& o, sim_task& t, bool final);
  void flush(owner& o);
  void snapshot(owner& o, sim_task& t);
  void fail_task(owner& o, stage_and_partition id);
  void failed(owner& o, const std::optional<stage_and_partition>& id, const error& e);
  template <class F>
  bool survives(F f);
  void bury();
  [[nodiscard]] sim_task& any_task(owner& o);
  [[nodiscard]] bool refusal_is_right(const stage_and_partition& id) const;
  void restore_from_backup(const stage_and_partition& id);

  // checks.cpp
  void check_query(sim_task& t);
  void check_delta(const sim_task& t);
  void check_stored(sim_task& t);
  void check_end();
  void check_log() const;
  void settle();
  [[nodiscard]] std::int64_t log_end() const;
  [[noreturn]] void wrong(const std::string& what) const;

  dice late_dice_;  // of its own: how long a log takes decides nothing else
  dice dice_;
  plan plan_;
  std::filesystem::path folder_;
  trace_fn trace_;
  life_stats stats_;
  faults faults_;
  bool faults_on_ = true;
  std::shared_ptr<source_rows> rows_ = std::make_shared<source_rows>();
  std::shared_ptr<const topology> topology_;
  app_layout layout_;
  std::shared_ptr<faulty_log> log_;
  std::unique_ptr<model> model_;
  timestamp now_;
  bool until_end_ = false;

  std::unique_ptr<owner> owner_;      // null: nobody runs the app
  std::unique_ptr<owner> overtaken_;  // still thinks that it does
  // The new owner has written the state since: what the old one would read is not its own. It does
  // not step or answer any more, but closes, commits and snapshots what it has.
  bool state_moved_on_ = false;
  bool has_taken_app_ = false;  // the last one that was to start
  int owners_ = 0;

  // A crash inside the engine: at the n-th failpoint from now.
  int failpoint_in_ = 0;
  bool crashed_ = false;
  std::string crashed_at_;
  int read_fails_in_ = 0;
  bool fault_met_ = false;  // since the last look

  std::map<topic_partition, timestamp> event_clock_;
  std::int64_t next_id_ = 1;
  std::map<topic_partition, offset> removed_before_;
  // Positions of what lies in the state folders, and in their copies; none: no state.
  std::map<stage_and_partition, std::optional<std::vector<offset>>> stored_;
  std::map<stage_and_partition, std::optional<std::vector<offset>>> copied_;
  std::map<stage_and_partition, std::optional<std::vector<offset>>> backed_up_;
};

}  // namespace kappa::sim
