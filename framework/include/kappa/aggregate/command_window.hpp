// The ids of the commands of the last while, with what they came to, of one task.
//
// They are in chunks, one behind the other, which a snapshot writes into a table of the task's
// state; in memory are the chunks that no snapshot has yet, and an index of 11 … 40 bytes an id. A
// chunk is forgotten when the youngest id in it is older than the span: an id is remembered for the
// span at least, and until the rest of its chunk is as old.
//
// Threading: the task's thread. Ownership: the store must outlive it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <utility>

#include "kappa/core/bytes.hpp"
#include "kappa/core/error.hpp"
#include "kappa/core/time.hpp"
#include "kappa/state/state_store.hpp"
#include "kappa/state/table_delta.hpp"

namespace kappa {

struct command_window_options {
  milliseconds span = std::chrono::minutes{15};      // 1 s … 30 d
  std::uint64_t max_bytes = std::uint64_t{1} << 30;  // of ids and outcomes; ≥ 1 MiB

  /// errc::bad_config.
  [[nodiscard]] result<void> check() const;
};

class command_window {
 public:
  command_window(state_store& store, std::size_t table, command_window_options options);
  ~command_window();
  command_window(const command_window&) = delete;
  command_window& operator=(const command_window&) = delete;

  /// What the state has of it. Once, before anything else. errc::corrupt.
  [[nodiscard]] result<void> load();

  /// So many ids may be about to be added: room is made at once, for some of them.
  void expect(std::uint64_t ids);

  struct entry {
    std::uint64_t fingerprint = 0;
    timestamp decided_at = min_time;
    bytes outcome;
  };
  /// The last one of that id.
  [[nodiscard]] result<std::optional<entry>> find(const hash128& id);
  /// `made`: when the id was made, where it tells that.
  void add(const hash128& id, std::uint64_t fingerprint, timestamp decided_at,
           std::optional<timestamp> made, bytes_view outcome);

  /// Forgets what is older than the span.
  void forget(timestamp now);
  /// No more may be added: they would have to take the place of ids that are still in the span.
  [[nodiscard]] bool full() const;
  /// What was decided then need not be remembered any more.
  [[nodiscard]] bool is_over(timestamp decided_at) const {
    return saturating_add(decided_at, options_.span) < latest_;
  }
  /// Whether an id that was made then may have been forgotten.
  [[nodiscard]] bool too_old(timestamp made, timestamp now) const;
  /// So that a wrong clock does not have ids remembered for ever: none of them is added.
  [[nodiscard]] bool too_young(timestamp made, timestamp now) const {
    return made > saturating_add(now, options_.span);
  }

  /// The changes since the last one, as a table's.
  [[nodiscard]] frozen_delta freeze();
  void thaw();

  [[nodiscard]] std::uint64_t size_bytes() const { return bytes_; }
  [[nodiscard]] std::size_t dirty_bytes() const { return dirty_bytes_; }
  [[nodiscard]] std::size_t memory_bytes() const;
  /// How long ago the oldest id that is remembered was decided; zero: there is none.
  [[nodiscard]] milliseconds span(timestamp now) const;
  [[nodiscard]] const command_window_options& options() const { return options_; }

 private:
  struct chunk {
    timestamp oldest = max_time;    // decided
    timestamp youngest = min_time;  // decided, or made
    std::uint32_t ids = 0;          // added in this life
    std::size_t size = 0;
    std::optional<bytes> content;  // nothing: only the store has it
    bool changed = false;          // since the last freeze
  };

  std::uint64_t end() const { return first_ + chunks_.size(); }
  chunk& open_chunk(timestamp now);
  result<bytes_view> content_of(std::uint64_t number);
  void drop_first();

  state_store& store_;
  const std::size_t table_;
  const command_window_options options_;
  class index;
  std::unique_ptr<index> index_;
  std::uint64_t first_ = 0;  // number of the first chunk
  std::deque<chunk> chunks_;
  std::uint64_t stored_from_ = 0;  // what is in the store, or will be with the frozen set,
  std::uint64_t stored_to_ = 0;    // is [from, to)
  std::optional<std::pair<std::uint64_t, std::uint64_t>> frozen_;  // chunks [from, to) that may be
  std::uint64_t bytes_ = 0;
  std::size_t dirty_bytes_ = 0;
  timestamp latest_ = min_time;        // the last decision that is known of, or later
  std::optional<std::uint64_t> read_;  // which chunk is in read_content_
  bytes read_content_;
};

}  // namespace kappa
