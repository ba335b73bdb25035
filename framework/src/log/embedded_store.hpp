// The embedded log's data: topics, frames, positions in one LMDB environment. What to read and what
// to write, inside a transaction that somebody else began; who commits when is group_commit's.
//
// Threading: any thread; a `log_change` belongs to its transaction's thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "kappa/log/embedded_log.hpp"
#include "kappa/log/event_log.hpp"
#include "lmdb/lmdb.hpp"
#include "log/buffer_pool.hpp"
#include "log/embedded_layout.hpp"

namespace kappa::detail {

/// A partition as the code meets it: found once, then used without lookups.
struct open_partition {
  topic_partition where;
  partition_id id = 0;
  std::uint64_t seed = 0;
  lmdb::dbi frames;
};

struct open_topic {
  /// As of when it was opened: retention may have changed since.
  topic_config config;
  std::vector<open_partition> partitions;
};

class log_change;

class embedded_store {
 public:
  [[nodiscard]] static result<std::unique_ptr<embedded_store>> open(
      const embedded_log_options& options);

  [[nodiscard]] const std::string& id() const { return id_; }
  [[nodiscard]] lmdb::environment& env() { return *env_; }
  [[nodiscard]] const std::filesystem::path& folder() const { return env_->folder(); }

  [[nodiscard]] result<void> create_topic(const topic_config& config);
  [[nodiscard]] result<std::optional<topic_config>> find_topic(const std::string& name);
  [[nodiscard]] result<std::vector<topic_config>> topics();
  /// Topic and partition must exist.
  [[nodiscard]] result<std::shared_ptr<const open_topic>> open(const std::string& topic);
  [[nodiscard]] result<std::shared_ptr<const open_partition>> open(const topic_partition& tp);

  [[nodiscard]] result<partition_meta> meta(const lmdb::txn_base& txn,
                                            const open_partition& p) const;
  [[nodiscard]] result<partition_bounds> bounds(const open_partition& p);
  [[nodiscard]] result<offset> offset_for_time(const open_partition& p, timestamp t);
  [[nodiscard]] result<read_batch> read(const open_partition& p, offset from,
                                        std::size_t max_bytes);

  [[nodiscard]] result<std::optional<committed_position>> position(const position_key& key);
  [[nodiscard]] result<std::vector<log_transaction::move>> positions(const std::string& app);
  [[nodiscard]] result<void> forget_position(const position_key& key);

  [[nodiscard]] result<writer_term> next_term(const std::string& app, const std::string& instance);
  [[nodiscard]] result<writer_term> term(const lmdb::txn_base& txn, const std::string& app) const;

  /// What the head of a partition holds that retention no longer wants; at most retention_frames.
  struct expired {
    offset earliest;       // as of when it was looked at
    offset next_earliest;  // after the removal
    std::size_t frames = 0;
    std::uint64_t records = 0;
    std::uint64_t bytes = 0;
  };
  [[nodiscard]] result<expired> find_expired(const open_partition& p, const topic_config& config,
                                             timestamp now);

 private:
  friend class log_change;
  embedded_store(std::shared_ptr<lmdb::environment> env, std::size_t frame_bytes)
      : env_{std::move(env)}, frame_bytes_{frame_bytes}, buffers_{buffer_pool::create()} {}
  [[nodiscard]] result<void> open_databases();
  [[nodiscard]] result<void> make_databases();
  [[nodiscard]] result<std::optional<stored_topic>> load_topic(const lmdb::txn_base& txn,
                                                               const std::string& name) const;
  /// The cursor at the frame that holds `at`; errc::corrupt when there is none.
  [[nodiscard]] result<void> seek_frame(lmdb::cursor& c, const open_partition& p, offset at) const;

  std::shared_ptr<lmdb::environment> env_;
  std::size_t frame_bytes_;
  std::shared_ptr<buffer_pool> buffers_;
  std::string id_;
  lmdb::dbi topics_;
  lmdb::dbi partitions_;
  lmdb::dbi times_;
  lmdb::dbi positions_;
  lmdb::dbi producers_;
  lmdb::dbi apps_;

  std::shared_mutex open_mutex_;
  std::unordered_map<std::string, std::shared_ptr<const open_topic>> open_;
};

/// The changes of one transaction. Meta data of a partition is read at its first append and
/// written once, by `finish`.
class log_change {
 public:
  log_change(embedded_store& store, lmdb::write_txn& txn) : store_{store}, txn_{txn} {}

  /// Reads what an append to `p` needs, so that a damaged partition is met before any change.
  [[nodiscard]] result<void> prepare(const open_partition& p);
  [[nodiscard]] result<offset> append(const open_partition& p, const record_batch& records);
  [[nodiscard]] result<void> move(const log_transaction::move& m);
  [[nodiscard]] result<void> expire(const open_partition& p, const embedded_store::expired& what);

  [[nodiscard]] result<std::optional<stored_producer>> producer(const open_partition& p,
                                                                const std::string& id) const;
  [[nodiscard]] result<void> set_producer(const open_partition& p, const std::string& id,
                                          const stored_producer& value);

  [[nodiscard]] result<void> finish();
  [[nodiscard]] const lmdb::write_txn& txn() const { return txn_; }
  /// Records were appended: readers want to know.
  [[nodiscard]] bool appended() const { return appended_; }

 private:
  struct touched {
    partition_meta meta;
    bool changed = false;
  };
  [[nodiscard]] result<touched*> touch(const open_partition& p);

  embedded_store& store_;
  lmdb::write_txn& txn_;
  std::map<partition_id, touched> touched_;
  bool appended_ = false;
};

}  // namespace kappa::detail
