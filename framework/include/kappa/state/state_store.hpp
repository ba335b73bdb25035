// The state of one state partition on disk: its own LMDB environment.
//
// The store keeps bytes: several ordered tables and the task's snapshot record, changed together
// in one transaction (T2). Above it, keyed_table and timer_table hold decoded values and the
// changes since the last snapshot.
//
// Threading: reads (get, scan) belong to one thread, the owner's; `commit` may run on another
// thread at the same time, one commit at a time. Queries of other threads open a view of their own.
// Ownership: tables refer to the store and must go first. Of several stores that were opened on one
// folder to write, in one process or in several, only the last one can: the others get
// errc::fenced.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "kappa/core/bytes.hpp"
#include "kappa/core/error.hpp"
#include "kappa/core/schema_info.hpp"
#include "kappa/core/strong.hpp"
#include "kappa/state/table_delta.hpp"

namespace kappa {

struct state_table_spec {
  std::string name;    // "hourly-delays", "timers"
  schema_info schema;  // of the values
};

/// Whose state this is. Checked at open, field by field, before anything is read.
struct state_identity {
  std::string app;
  std::string stage;
  kappa::generation generation{1};
  partition task;
  std::string log_id;             // the log that the state was made from
  std::uint64_t fingerprint = 0;  // of the stage's topology

  friend bool operator==(const state_identity&, const state_identity&) = default;
};

struct state_store_options {
  std::filesystem::path folder;  // made when missing
  state_identity identity;
  std::vector<state_table_spec> tables;
  /// Address space reserved for the map; grows when full.
  std::uint64_t map_bytes = std::uint64_t{16} << 30;
  bool read_only = false;
};

/// What one T2 writes: everything as of the end of one epoch.
struct state_delta {
  epoch_number epoch;
  bytes snapshot;                    // the task's record: positions, watermarks, …
  std::vector<frozen_delta> tables;  // as many as the store has tables
};

struct state_stats {
  std::uint64_t file_bytes = 0;
  std::uint64_t used_bytes = 0;
  std::uint64_t entries = 0;  // over all tables
};

class state_store {
 public:
  /// Longer keys are kept under a hash: found by get, seen by scan_all, refused by scan.
  static constexpr std::size_t max_ordered_key_bytes = 510;

  virtual ~state_store() = default;

  /// errc::incompatible: of another app, stage, generation, task, topology or log, of a newer
  /// format, or of a schema that cannot be read (each named, with both values).
  /// errc::corrupt: damaged. errc::not_found: read_only and nothing there.
  [[nodiscard]] static result<std::unique_ptr<state_store>> open(
      const state_store_options& options);

  /// The snapshot record and epoch of the last T2; nothing before the first. Any thread.
  [[nodiscard]] virtual std::optional<bytes> snapshot() const = 0;
  [[nodiscard]] virtual epoch_number epoch() const = 0;

  /// The value in the last snapshot. `out` is replaced. errc::corrupt: its checksum is wrong.
  [[nodiscard]] virtual result<bool> get(std::size_t table, bytes_view key, bytes& out) = 0;

  /// Calls f(key, value) in key order for keys in [from, to) (`to` empty: to the end) until it
  /// returns false. The value is 8-aligned; both are valid inside f only. f may call get, but not
  /// scan. A T2 that ends meanwhile may be seen by the rest of the scan, except when read_only.
  /// errc::invalid_argument when the table holds keys that are too long for LMDB (they are kept
  /// under a hash, so there is no order).
  using scan_fn = std::function<bool(bytes_view key, bytes_view value)>;
  [[nodiscard]] virtual result<void> scan(std::size_t table, bytes_view from, bytes_view to,
                                          const scan_fn& f) = 0;
  /// As scan, in no order, and long keys too.
  [[nodiscard]] virtual result<void> scan_all(std::size_t table, const scan_fn& f) = 0;

  /// T2: one durable transaction. Blocks (fsync). Begins, writes and commits on the calling
  /// thread. errc::no_space: nothing was written.
  [[nodiscard]] virtual result<void> commit(const state_delta& delta) = 0;

  [[nodiscard]] virtual result<state_stats> stats() = 0;

  /// Copies the state as of a T2, the last one or one that ends meanwhile, to state_file(folder),
  /// which must not exist; durable when it returns. Gives the snapshot record that the copy has.
  /// Any thread; blocks. errc::not_found: there was no T2 yet.
  [[nodiscard]] virtual result<bytes> copy_to(const std::filesystem::path& folder) = 0;

  /// Whose it is, as it was opened.
  [[nodiscard]] virtual const state_identity& identity() const = 0;
  /// Names a value in errors: "app/stage.g1[0] table key".
  [[nodiscard]] virtual std::string subject(std::size_t table, bytes_view key) const = 0;
};

/// The file that a state in `folder` is.
[[nodiscard]] std::filesystem::path state_file(const std::filesystem::path& folder);

/// Removes the state in `folder` (the environment's files, not the folder's other files).
[[nodiscard]] result<void> erase_state(const std::filesystem::path& folder);

/// The entries of a table sorted by key, long keys too: for tools and tests (holds them all).
[[nodiscard]] result<std::vector<std::pair<bytes, bytes>>> dump_table(state_store& store,
                                                                      std::size_t table);

}  // namespace kappa
