// A lane: puts closed epochs into one log transaction each time, T1 after T1.
//
// Owns the app's writer. After an error whose outcome is unknown it does what DESIGN asks:
// destroys the writer, takes a new one, reads the log's end, and only then answers.
//
// Threading: one thread at a time; `commit` blocks.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "kappa/core/logger.hpp"
#include "kappa/log/event_log.hpp"
#include "kappa/task/epoch.hpp"

namespace kappa {

class commit_lane {
 public:
  commit_lane(std::shared_ptr<event_log> log, writer_options options, log_sink log_to = no_log);

  /// Takes the app. errc::owned names the holder; errc::fenced: another owner had it since this
  /// lane took it first.
  [[nodiscard]] result<void> open();

  /// Commits the epochs, all or none; gives the bases of each one's appends. A retriable error:
  /// the same epochs may be given again. Otherwise the app must stop.
  [[nodiscard]] result<std::vector<std::vector<offset>>> commit(std::span<const epoch_ptr> epochs);

  /// What became of the last commit is not known yet: the next one, also of no epochs, asks the log
  /// first. Until then no task may be opened by what the log says of its position.
  [[nodiscard]] bool in_doubt() const { return !in_doubt_.empty(); }

  /// Appends what belongs to no epoch, before the first one; nothing to do when there is none.
  /// After an error open again.
  [[nodiscard]] result<void> append(const topic_partition& to, record_batch records);

 private:
  using bases_of_epochs = std::vector<std::vector<offset>>;

  result<void> commit_now(const std::vector<epoch_ptr>& epochs);
  result<void> resolve();
  result<std::optional<bases_of_epochs>> find_out(std::span<const epoch_ptr> epochs);
  result<std::vector<offset>> last_records(const topic_partition& where, std::size_t count);

  std::shared_ptr<event_log> log_;
  writer_options options_;
  log_sink log_to_;
  std::unique_ptr<log_writer> writer_;
  std::optional<writer_term> term_;  // of the last writer
  // Of a commit whose outcome is unknown, until the log has told it. They must not be committed
  // again before.
  std::vector<epoch_ptr> in_doubt_;
  std::map<epoch_ptr, std::vector<offset>> settled_;  // committed, not yet answered
};

}  // namespace kappa
