// What can still be read of a damaged log: its tables as far as they are sound or can be rebuilt,
// and for each partition where its sound frames are.
//
// Threading: one thread at a time.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "kappa/log/salvage.hpp"
#include "lmdb/file_snapshot.hpp"
#include "log/log_tables.hpp"

namespace kappa::detail {

/// A sound frame, and where it is in the file.
struct found_frame {
  offset first;
  offset end;
  std::uint64_t at = 0;
  std::uint64_t bytes = 0;
  std::uint64_t checksum = 0;
  bool is_gap = false;
  /// No tree leads to it.
  bool orphan = false;
};

class salvage_source {
 public:
  [[nodiscard]] static result<std::unique_ptr<salvage_source>> open(const salvage_options& options,
                                                                    std::vector<damage>& losses);

  [[nodiscard]] const log_tables& tables() const { return tables_; }
  /// The partition's bounds, when they are sound.
  [[nodiscard]] std::optional<partition_meta> bounds(partition_id id) const;
  /// The partition's sound frames inside its bounds, in order, without overlaps.
  [[nodiscard]] std::vector<found_frame> frames(partition_id id, const topic_partition& where);
  /// Replaces `out` by a frame; false when it cannot be read any more.
  [[nodiscard]] bool read(const found_frame& frame, bytes& out) const;
  /// The newest meta page is lost: what the last transaction appended is not seen.
  [[nodiscard]] bool lost_last_transaction() const { return snapshot_->lost_last_transaction(); }
  /// Topics whose name is lost, by number: how many partitions they have; 0: that is lost too.
  [[nodiscard]] const std::map<std::uint32_t, std::int32_t>& nameless() const { return nameless_; }

 private:
  struct candidate {
    offset first;
    std::uint64_t at = 0;
    std::uint64_t bytes = 0;
  };

  explicit salvage_source(std::unique_ptr<lmdb::file_snapshot> snapshot)
      : snapshot_{std::move(snapshot)} {}
  void read_all(std::vector<damage>& losses);
  void walk_frames(const std::string& name);
  void search_orphans();
  void find_trees();
  void search_page(lmdb::page_number page, const bytes& content);
  void take_found_entries();
  [[nodiscard]] bool is_whole(const char* table) const;
  [[nodiscard]] std::vector<found_frame> frames_of_tree(partition_id id, std::uint64_t seed,
                                                        const topic_partition& where);
  void add_orphans(std::vector<found_frame>& frames, std::uint64_t seed,
                   const topic_partition& where, const std::optional<partition_meta>& meta) const;
  /// What looks like a frame at that place of the file.
  [[nodiscard]] std::optional<candidate> frame_at(std::uint64_t at) const;
  void frames_in_page(lmdb::page_number page, std::vector<candidate>& out) const;
  void tell_lost_entries(std::vector<damage>& losses) const;
  void name_topics(std::vector<damage>& losses);
  [[nodiscard]] std::optional<std::string> find_name(std::uint32_t number);
  [[nodiscard]] bool has_frame_of(const std::string& topic, std::uint32_t number);
  [[nodiscard]] std::optional<found_frame> verified(const candidate& c, std::uint64_t seed,
                                                    const topic_partition& where) const;

  std::unique_ptr<lmdb::file_snapshot> snapshot_;
  log_tables tables_;
  std::set<std::string> walked_;
  std::set<std::string> carved_trees_;
  /// Entries of tables in pages that no tree reaches: table, key, value.
  std::vector<std::tuple<const char*, bytes, bytes>> found_;
  /// Pages of the past may be among the orphans.
  bool doubtful_ = false;
  std::vector<candidate> orphans_;
  std::map<std::uint32_t, std::int32_t> nameless_;
};

}  // namespace kappa::detail
