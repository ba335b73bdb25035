// An LMDB file as of one transaction, seen through page_file: for checking and salvage.
//
// Where the folder allows it and another process may be writing, a reader's slot of LMDB's own
// keeps the pages of that transaction from being used again; `renew` moves on to a later one.
//
// Threading: one thread at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kappa/core/bytes.hpp"
#include "kappa/core/error.hpp"
#include "lmdb/lmdb.hpp"
#include "lmdb/page_file.hpp"
#include "lmdb/tree_walk.hpp"

namespace kappa::lmdb {

struct file_snapshot_options {
  std::filesystem::path folder;
  /// Take a reader's slot, where there is a lock file that may be written.
  bool pin = true;
  /// For repair: believe the file's size rather than the last page that a meta page names.
  bool lenient = false;
};

/// What becomes of each page: in a tree, free, or (which should not be) neither.
struct page_account {
  std::uint64_t used = 0;
  std::uint64_t free = 0;
  /// Pages that no tree reaches and that are not free. With a damaged list of free pages, free
  /// ones are among them.
  std::vector<page_number> orphans;
  /// The list of free pages can be believed.
  bool free_list_sound = true;
  std::vector<std::string> faults;
};

/// How often one that is not pinned is looked through anew, before it is given up: another process
/// uses its pages again.
inline constexpr int unpinned_attempts = 4;

class file_snapshot {
 public:
  /// Errors as of page_file::open.
  [[nodiscard]] static result<std::unique_ptr<file_snapshot>> open(
      const file_snapshot_options& options);

  [[nodiscard]] const page_file& file() const { return file_; }
  [[nodiscard]] const meta_page& meta() const { return meta_; }
  /// What is wrong with the first two pages and the file's size.
  [[nodiscard]] const std::vector<std::string>& faults() const { return faults_; }
  /// The newest meta page could not be used: what the last transaction wrote is not seen.
  [[nodiscard]] bool lost_last_transaction() const { return lost_last_; }

  /// The named trees, and what is wrong with the tree that lists them.
  [[nodiscard]] const std::map<std::string, tree_record>& trees() const { return trees_; }
  [[nodiscard]] const std::vector<tree_fault>& tree_faults() const { return tree_faults_; }
  /// Takes a tree that was found by its looks.
  void add_tree(const std::string& name, const tree_record& tree) { trees_.emplace(name, tree); }

  /// A walk, the one of that list included, has met something wrong.
  [[nodiscard]] bool walks_had_faults() const { return walk_faults_ != 0; }
  void walk(const tree_record& tree, bytes_view from, const tree_walk::entry_fn& on_entry,
            const tree_walk::fault_fn& on_fault);
  /// As walk, for a tree that was walked before: uses are not counted.
  void walk_again(const tree_record& tree, const tree_walk::entry_fn& on_entry,
                  const tree_walk::fault_fn& on_fault) const;
  /// Replaces `out` by the value, wherever it is; false when it cannot be read.
  [[nodiscard]] bool read_value(const tree_entry& e, bytes& out) const;

  /// A walk has met the page.
  [[nodiscard]] bool in_use(page_number page) const { return used_.of(page) != 0; }
  /// After all trees were walked: where the other pages are.
  [[nodiscard]] page_account account();

  /// Another process cannot use the pages of this snapshot again.
  [[nodiscard]] bool pinned() const { return env_ != nullptr; }
  /// The file has a later transaction than this snapshot's.
  [[nodiscard]] bool moved() const;
  /// Goes on with the file's last transaction; all walks begin anew.
  [[nodiscard]] result<void> renew();

 private:
  explicit file_snapshot(page_file file) : file_{std::move(file)} {}
  void choose(const std::array<meta_page, 2>& metas);
  [[nodiscard]] result<void> pin();
  void read_trees();
  [[nodiscard]] std::uint64_t last_freed(const meta_page& m) const;
  [[nodiscard]] bool walks_well(const tree_record& tree, page_number last, key_order order) const;
  [[nodiscard]] page_number last_page(const meta_page& m) const;

  page_file file_;
  file_snapshot_options options_;
  std::shared_ptr<environment> env_;  // null: not pinned
  read_txn pin_;
  meta_page meta_;
  bool lost_last_ = false;
  std::vector<std::string> faults_;
  page_uses used_;
  std::uint64_t walk_faults_ = 0;
  std::map<std::string, tree_record> trees_;
  std::vector<tree_fault> tree_faults_;
};

}  // namespace kappa::lmdb
