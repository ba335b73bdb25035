// Walks a tree of an LMDB file page by page and verifies it on the way.
//
// A page that is not what it should be is told of, with the range of keys that it was to hold; the
// walk goes on beside it, and takes from the page itself what still looks like an entry. Who asks
// must verify each entry by its own checksum: with damage around, an entry may be out of order, of
// another tree, or come twice.
//
// Threading: one thread at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "kappa/core/bytes.hpp"
#include "lmdb/page_file.hpp"

namespace kappa::lmdb {

/// How often each page of the file is in use.
class page_uses {
 public:
  page_uses() = default;
  explicit page_uses(page_number last) : uses_(last + 1) {}
  [[nodiscard]] page_number last() const { return uses_.empty() ? 0 : uses_.size() - 1; }
  /// False when it was in use before, or is out of bounds.
  bool add(page_number page);
  [[nodiscard]] unsigned of(page_number page) const { return uses_[page]; }

 private:
  std::vector<std::uint8_t> uses_;
};

struct tree_entry {
  bytes_view key;
  /// In place, for the length of the call; empty when the value has pages of its own.
  bytes_view value;
  std::uint64_t value_at = 0;  // its place in the file
  std::uint64_t value_bytes = 0;
  bool own_pages = false;
  bool is_tree = false;  // the value is a tree_record
  /// Found by its looks in a damaged page.
  bool carved = false;
};

struct tree_fault {
  page_number page = 0;
  /// The keys that are affected: [low, high); no high: to the end.
  bytes low;
  std::optional<bytes> high;
  std::string what;
};

struct tree_counts {
  std::uint64_t branch_pages = 0;
  std::uint64_t leaf_pages = 0;
  std::uint64_t overflow_pages = 0;
  std::uint64_t entries = 0;
  std::uint16_t depth = 0;
};

/// Of keys: bytes, or (the tree of free pages) numbers.
enum class key_order { bytes, numbers };

class tree_walk {
 public:
  /// False ends the walk.
  using entry_fn = std::function<bool(const tree_entry&)>;
  using fault_fn = std::function<void(const tree_fault&)>;

  tree_walk(const page_file& file, page_uses& used, entry_fn on_entry, fault_fn on_fault);

  /// Walks the entries from `from` on. Whole walks (from the first entry, not ended) are compared
  /// with what the record says of the tree.
  void run(const tree_record& tree, bytes_view from = {}, key_order order = key_order::bytes);
  [[nodiscard]] const tree_counts& counts() const { return counts_; }

 private:
  struct range {
    bytes low;
    std::optional<bytes> high;
  };
  void page(page_number number, const range& keys, unsigned level);
  void leaf(const bytes& page, page_number number, const range& keys);
  void branch(const bytes& page, page_number number, const range& keys, unsigned level);
  void fault(page_number number, const range& keys, std::string what);
  void value_pages(tree_entry& e, page_number number, const range& keys);
  void compare(const tree_record& tree);
  [[nodiscard]] bool inside(bytes_view key, const range& keys) const;
  [[nodiscard]] int compare_keys(bytes_view a, bytes_view b) const;

  const page_file& file_;
  page_uses& used_;
  entry_fn on_entry_;
  fault_fn on_fault_;
  bytes from_;
  key_order order_ = key_order::bytes;
  tree_counts counts_;
  std::uint16_t wanted_depth_ = 0;
  std::uint64_t faults_ = 0;
  bool ended_ = false;
};

/// Calls `f` for the entries of a page that no tree led to: those of a sound leaf, else whatever
/// looks like one, wherever it lies.
void carve_entries(const page_file& file, bytes_view page, page_number number,
                   const std::function<void(const tree_entry&)>& f);

}  // namespace kappa::lmdb
