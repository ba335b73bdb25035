#include "lmdb/tree_walk.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace kappa::lmdb {

namespace {

constexpr std::size_t node_head_bytes = 8;
constexpr std::size_t most_key_bytes = 511;
constexpr std::uint16_t own_pages_flag = 0x01;
constexpr std::uint16_t tree_flag = 0x02;
constexpr unsigned deepest = 32;
// A page that damage makes several parents point at is looked at this often at most.
constexpr unsigned most_visits = 3;

struct node {
  bytes_view key;
  bytes_view data;
  std::uint64_t size = 0;   // of the value, in a leaf
  page_number child = 0;    // in a branch
  std::uint16_t flags = 0;  // in a leaf
};

std::optional<node> node_at(bytes_view page, std::size_t at, bool in_leaf) {
  if (at < page_head::stored_bytes || at + node_head_bytes > page.size()) return std::nullopt;
  const auto low = load<std::uint16_t>(page, at);
  const auto high = load<std::uint16_t>(page, at + 2);
  const auto flags = load<std::uint16_t>(page, at + 4);
  const std::size_t key_bytes = load<std::uint16_t>(page, at + 6);
  if (key_bytes > most_key_bytes) return std::nullopt;
  auto rest = page.substr(at + node_head_bytes);
  if (rest.size() < key_bytes) return std::nullopt;
  node n;
  n.key = rest.substr(0, key_bytes);
  rest.remove_prefix(key_bytes);
  if (!in_leaf) {
    n.child = std::uint64_t{low} | std::uint64_t{high} << 16 | std::uint64_t{flags} << 32;
    return n;
  }
  n.flags = flags;
  n.size = std::uint64_t{low} | std::uint64_t{high} << 16;
  if (flags != 0 && flags != own_pages_flag && flags != tree_flag) return std::nullopt;
  const auto here = flags == own_pages_flag ? sizeof(page_number) : n.size;
  if (rest.size() < here) return std::nullopt;
  n.data = rest.substr(0, here);
  return n;
}

tree_entry entry_of(const page_file& file, bytes_view page, page_number number, const node& n) {
  tree_entry e;
  e.key = n.key;
  e.value_bytes = n.size;
  e.is_tree = n.flags == tree_flag;
  e.own_pages = n.flags == own_pages_flag;
  if (e.own_pages) {
    const auto first = load<page_number>(n.data, 0);
    e.value_at = first < (std::uint64_t{1} << 48)
                     ? first * file.page_bytes() + page_head::stored_bytes
                     : ~std::uint64_t{0} >> 1;
  } else {
    e.value = n.data;
    e.value_at =
        number * file.page_bytes() + static_cast<std::uint64_t>(n.data.data() - page.data());
  }
  return e;
}

}  // namespace

bool page_uses::add(page_number page) {
  if (page >= uses_.size()) return false;
  if (uses_[page] < 255) ++uses_[page];
  return uses_[page] == 1;
}

tree_walk::tree_walk(const page_file& file, page_uses& used, entry_fn on_entry, fault_fn on_fault)
    : file_{file}, used_{used}, on_entry_{std::move(on_entry)}, on_fault_{std::move(on_fault)} {}

void tree_walk::run(const tree_record& tree, bytes_view from, key_order order) {
  from_ = bytes{from};
  order_ = order;
  counts_ = {};
  faults_ = 0;
  ended_ = false;
  wanted_depth_ = tree.depth;
  if (tree.root != no_page) page(tree.root, {}, 1);
  if (from.empty() && !ended_ && faults_ == 0) compare(tree);
}

void tree_walk::compare(const tree_record& tree) {
  const auto note = [&](std::string_view what, std::uint64_t is, std::uint64_t wanted) {
    if (is == wanted) return;
    fault(tree.root, {}, fmt::format("the tree has {} {}, its record says {}", is, what, wanted));
  };
  note("levels", counts_.depth, tree.depth);
  note("branch pages", counts_.branch_pages, tree.branch_pages);
  note("leaf pages", counts_.leaf_pages, tree.leaf_pages);
  note("pages of values", counts_.overflow_pages, tree.overflow_pages);
  note("entries", counts_.entries, tree.entries);
}

int tree_walk::compare_keys(bytes_view a, bytes_view b) const {
  if (order_ == key_order::numbers && a.size() == 8 && b.size() == 8) {
    const auto x = load<std::uint64_t>(a, 0);
    const auto y = load<std::uint64_t>(b, 0);
    return x < y ? -1 : x > y ? 1 : 0;
  }
  return a.compare(b);
}

bool tree_walk::inside(bytes_view key, const range& keys) const {
  return (keys.low.empty() || compare_keys(key, keys.low) >= 0) &&
         (!keys.high || compare_keys(key, *keys.high) < 0);
}

void tree_walk::fault(page_number number, const range& keys, std::string what) {
  ++faults_;
  on_fault_({number, keys.low, keys.high, std::move(what)});
}

void tree_walk::page(page_number number, const range& keys, unsigned level) {
  if (number < 2 || number > used_.last()) {
    return fault(number, keys, fmt::format("page {} is not one of the file's", number));
  }
  if (level > deepest) return fault(number, keys, "the tree is too deep");
  if (!used_.add(number)) {
    fault(number, keys, fmt::format("page {} is used twice", number));
    if (used_.of(number) > most_visits) return;
  }
  bytes content;
  if (!file_.read_page(number, content)) {
    return fault(number, keys, fmt::format("page {} cannot be read", number));
  }
  const auto head = page_head::read(content);
  counts_.depth = std::max(counts_.depth, static_cast<std::uint16_t>(level));
  if (head.number != number) {
    fault(number, keys, fmt::format("page {} says that it is page {}", number, head.number));
  }
  if (head.flags == page_head::leaf) return leaf(content, number, keys);
  if (head.flags == page_head::branch) return branch(content, number, keys, level);
  fault(number, keys, fmt::format("page {} is of kind {:#x}", number, head.flags));
  if (level >= wanted_depth_) return leaf(content, number, keys);
  branch(content, number, keys, level);
}

void tree_walk::leaf(const bytes& page, page_number number, const range& keys) {
  ++counts_.leaf_pages;
  const auto head = page_head::read(page);
  std::string wrong;
  if (head.lower < page_head::stored_bytes || head.lower % 2 != 0 || head.lower > head.upper ||
      head.upper > page.size()) {
    wrong = "its bounds are wrong";
  }
  std::vector<tree_entry> entries;
  const std::size_t end =
      wrong.empty() ? head.lower : std::min<std::size_t>(page.size(), page_head::stored_bytes);
  std::size_t lowest = page.size();
  std::size_t node_bytes = 0;
  for (std::size_t p = page_head::stored_bytes; p < end; p += 2) {
    const std::size_t at = load<std::uint16_t>(page, p);
    const auto n = node_at(page, at, true);
    if (!n || at % 2 != 0 || at < head.upper || n->key.empty()) {
      wrong = fmt::format("entry {} is malformed", (p - page_head::stored_bytes) / 2);
      continue;
    }
    lowest = std::min(lowest, at);
    node_bytes += (node_head_bytes + n->key.size() + n->data.size() + 1) & ~std::size_t{1};
    if (!inside(n->key, keys)) {
      wrong = "it holds keys of another place";
    } else if (!entries.empty() && compare_keys(n->key, entries.back().key) <= 0) {
      wrong = "its keys are out of order";
    }
    entries.push_back(entry_of(file_, page, number, *n));
  }
  if (wrong.empty() && end == page_head::stored_bytes) wrong = "it holds nothing";
  // The nodes fill the page from `upper` to its end exactly.
  if (wrong.empty() && (lowest != head.upper || node_bytes != page.size() - head.upper)) {
    wrong = "its entries do not fill it";
  }
  if (!wrong.empty()) fault(number, keys, fmt::format("page {}: {}", number, wrong));
  for (auto& e : entries) {
    if (ended_) return;
    if (!from_.empty() && compare_keys(e.key, from_) < 0) continue;
    ++counts_.entries;
    if (e.own_pages) value_pages(e, number, keys);
    if (!on_entry_(e)) ended_ = true;
  }
  if (wrong.empty()) return;
  carve_entries(file_, page, number, [&](const tree_entry& e) {
    if (!ended_ && inside(e.key, keys)) ended_ = !on_entry_(e);
  });
}

void tree_walk::value_pages(tree_entry& e, page_number number, const range& keys) {
  const auto first = e.value_at / file_.page_bytes();
  const auto pages = file_.overflow_pages(e.value_bytes);
  counts_.overflow_pages += pages;
  // Affected is this entry alone: from its key to just behind it.
  range own{bytes{e.key}, bytes{e.key} + '\0'};
  if (order_ == key_order::numbers) own = keys;
  if (first < 2 || first > used_.last() || pages > used_.last() - first + 1) {
    return fault(number, own, fmt::format("a value's page {} is not one of the file's", first));
  }
  bool twice = false;
  for (page_number p = first; p < first + pages; ++p) twice |= !used_.add(p);
  if (twice) fault(first, own, fmt::format("page {} is used twice", first));
  char raw[page_head::stored_bytes];
  if (!file_.read(first * file_.page_bytes(), sizeof raw, raw)) {
    return fault(first, own, fmt::format("page {} cannot be read", first));
  }
  const auto head = page_head::read({raw, sizeof raw});
  if (head.number != first || head.flags != page_head::overflow || head.overflow_pages != pages) {
    fault(first, own, fmt::format("the head of page {} is wrong", first));
  }
}

void tree_walk::branch(const bytes& page, page_number number, const range& keys, unsigned level) {
  ++counts_.branch_pages;
  const auto head = page_head::read(page);
  if (head.lower < page_head::stored_bytes + 4 || head.lower % 2 != 0 || head.lower > head.upper ||
      head.upper > page.size()) {
    // What it led to belongs to nothing now, and is looked for there.
    return fault(number, keys, fmt::format("page {}: its bounds are wrong", number));
  }
  std::vector<node> nodes;
  std::string wrong;
  for (std::size_t p = page_head::stored_bytes; p < head.lower; p += 2) {
    const std::size_t at = load<std::uint16_t>(page, p);
    const auto n = node_at(page, at, false);
    if (!n || at % 2 != 0 || at < head.upper) {
      wrong = fmt::format("entry {} is malformed", (p - page_head::stored_bytes) / 2);
      continue;
    }
    // The first key stands for "whatever is less".
    if (p != page_head::stored_bytes) {
      if (n->key.empty() || !inside(n->key, keys)) {
        wrong = "it holds keys of another place";
      } else if (nodes.size() > 1 && compare_keys(n->key, nodes.back().key) <= 0) {
        wrong = "its keys are out of order";
      }
    }
    nodes.push_back(*n);
  }
  if (!wrong.empty()) fault(number, keys, fmt::format("page {}: {}", number, wrong));
  for (std::size_t i = 0; i < nodes.size() && !ended_; ++i) {
    // With a wrong key among them, what a child may hold is not known so well.
    range child = keys;
    if (wrong.empty()) {
      if (i != 0) child.low = bytes{nodes[i].key};
      if (i + 1 < nodes.size()) child.high = bytes{nodes[i + 1].key};
      if (!from_.empty() && child.high && compare_keys(*child.high, from_) <= 0) continue;
    }
    this->page(nodes[i].child, child, level + 1);
  }
}

namespace {

bool sound_leaf(bytes_view page, page_number number) {
  const auto head = page_head::read(page);
  if (head.number != number || head.flags != page_head::leaf ||
      head.lower < page_head::stored_bytes || head.lower % 2 != 0 || head.lower > head.upper ||
      head.upper > page.size()) {
    return false;
  }
  for (std::size_t p = page_head::stored_bytes; p < head.lower; p += 2) {
    const std::size_t at = load<std::uint16_t>(page, p);
    const auto n = node_at(page, at, true);
    if (!n || at < head.upper || n->key.empty()) return false;
  }
  return true;
}

}  // namespace

void carve_entries(const page_file& file, bytes_view page, page_number number,
                   const std::function<void(const tree_entry&)>& f) {
  const auto take = [&](std::size_t at) {
    const auto n = node_at(page, at, true);
    if (!n || n->key.empty()) return;
    auto e = entry_of(file, page, number, *n);
    e.carved = true;
    f(e);
  };
  if (sound_leaf(page, number)) {
    const auto head = page_head::read(page);
    for (std::size_t p = page_head::stored_bytes; p < head.lower; p += 2) {
      take(load<std::uint16_t>(page, p));
    }
    return;
  }
  for (std::size_t at = page_head::stored_bytes; at < page.size(); at += 2) take(at);
}

}  // namespace kappa::lmdb
