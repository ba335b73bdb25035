// One epoch of one task, done by the model: from the task as it was, the positions that the epoch
// moved to and its epoch record, to the task as it is and everything that had to be written.
//
// Threading: one thread.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sim/model.hpp"

namespace kappa::sim {

/// Texts of records, in order, by partition.
using written = std::map<topic_partition, std::vector<std::string>>;

[[nodiscard]] std::string text_of(const model_record& r);
/// Of a record of an epochs topic.
[[nodiscard]] std::string text_of_epochs_record(bytes_view value);

class epoch_execution {
 public:
  /// `record`: as the engine wrote it; `says_end`: it wrote an end marker.
  epoch_execution(model& m, const model::stage& s, std::int32_t task, const task_version& before,
                  std::vector<offset> to, const std::optional<epoch_record>& record, bool says_end);

  void run();
  [[nodiscard]] task_version& after() { return now_; }
  [[nodiscard]] const written& out() const { return out_; }

 private:
  struct step_fails {
    std::string op;
    errc code{};
    bool users = false;
    bool recorded = false;  // replay could not find it out again
  };
  struct element {
    item value;
    std::optional<bytes> key;
    timestamp time;
  };

  void declare();
  void run_source();
  void take_records();
  void fire_due(bool last);
  void fire(const model_timer& t);
  [[nodiscard]] std::optional<model_timer> due() const;
  void marker_taken(std::size_t input, const marker& m);
  void record_taken(std::size_t input, const model_record& r);
  void step(std::size_t input, const model_record& r);
  void with_state(const element& e);
  void behind_state(element e);
  void pass(const input_plan& in, std::size_t next_op, const element& e);
  void emit(const element& e);
  void write(const std::string& topic, const std::optional<bytes>& placed_by,
             const std::optional<bytes>& key, const std::optional<bytes>& value, timestamp time);
  void commit_step();
  void rollback_step();
  void dead_letter(const step_fails& f, const std::string& position,
                   const std::optional<bytes>& key, const std::optional<bytes>& value,
                   timestamp time, const std::optional<timestamp>& timer);
  void update_watermark();
  [[nodiscard]] bool all_ended() const;
  void write_marker();
  void write_epochs_topic();
  [[nodiscard]] const model_record* head(std::size_t input) const;
  [[noreturn]] void wrong(const std::string& what) const;

  model& m_;
  const model::stage& s_;
  std::int32_t task_;
  const task_version& before_;
  task_version now_;
  std::vector<offset> to_;
  const std::optional<epoch_record>& record_;
  bool says_end_;
  written out_;
  epoch_record expected_;
  std::optional<model_timer> last_fired_;
  bool anything_ = false;

  // of the step
  std::map<bytes, totals> table_before_;
  std::set<model_timer> timers_before_;
  std::uint64_t late_before_ = 0;
  written step_out_;
  const model_record* step_record_ = nullptr;
};

}  // namespace kappa::sim
