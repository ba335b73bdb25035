#include "lmdb/file_snapshot.hpp"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace kappa::lmdb {

namespace {

constexpr int renew_attempts = 64;

bool follow_each_other(const meta_page& a, const meta_page& b) {
  if (a.transaction == b.transaction) return a.transaction == 0;  // nothing was ever written
  return a.transaction + 1 == b.transaction || b.transaction + 1 == a.transaction;
}

}  // namespace

result<std::unique_ptr<file_snapshot>> file_snapshot::open(const file_snapshot_options& options) {
  auto file = page_file::open(data_file(options.folder));
  if (!file) return fail(file.error());
  std::unique_ptr<file_snapshot> s{new file_snapshot{std::move(*file)}};
  s->options_ = options;
  auto metas = s->file_.metas();
  if (!metas[0].usable && !metas[1].usable) {
    return fail(errc::corrupt, s->file_.path().string(),
                fmt::format("neither of its first two pages can be used (page 0: {}; page 1: {})",
                            metas[0].fault, metas[1].fault));
  }
  const bool sound = metas[0].fault.empty() && metas[1].fault.empty();
  // Without a lock file nobody has it open; with one that may not be written LMDB will not read.
  const auto lock = options.folder / "lock.mdb";
  if (options.pin && sound && ::access(lock.c_str(), R_OK | W_OK) == 0) {
    environment_options env;
    env.folder = options.folder;
    env.read_only = true;
    auto opened = environment::open(env);
    if (opened) s->env_ = std::move(*opened);
  }
  if (s->env_) {
    if (auto r = s->pin(); !r) return fail(r.error());
  } else {
    s->choose(metas);
  }
  s->read_trees();
  return s;
}

page_number file_snapshot::last_page(const meta_page& m) const {
  const auto pages = file_.file_bytes() / file_.page_bytes();
  if (options_.lenient) return std::max(pages, page_number{2}) - 1;
  // An absurd number of pages is no reason to ask for absurd amounts of memory.
  return std::min(m.last_page, pages + (std::uint64_t{1} << 20));
}

std::uint64_t file_snapshot::last_freed(const meta_page& m) const {
  std::uint64_t last = 0;
  page_uses used{last_page(m)};
  tree_walk walk{file_, used,
                 [&](const tree_entry& e) {
                   if (!e.carved && e.key.size() == 8)
                     last = std::max(last, load<std::uint64_t>(e.key, 0));
                   return true;
                 },
                 [](const tree_fault&) {}};
  walk.run(m.free, {}, key_order::numbers);
  return last;
}

bool file_snapshot::walks_well(const tree_record& tree, page_number last, key_order order) const {
  bool well = true;
  page_uses used{last};
  tree_walk walk{file_, used, [](const tree_entry&) { return true; },
                 [&](const tree_fault&) { well = false; }};
  walk.run(tree, {}, order);
  return well;
}

// LMDB writes its transactions to the two pages in turn, so the better page tells what the other
// must be: the transaction before, or (the better one is the older) the one after.
void file_snapshot::choose(const std::array<meta_page, 2>& metas) {
  faults_.clear();
  lost_last_ = false;
  for (std::size_t i = 0; i < 2; ++i) {
    if (!metas[i].fault.empty()) faults_.push_back(fmt::format("page {}: {}", i, metas[i].fault));
  }
  const auto newer_by = [&](auto what) { return what(metas[1]) > what(metas[0]) ? 1U : 0U; };
  const auto by_number = newer_by([](const meta_page& m) { return m.transaction; });
  if (faults_.empty()) {
    if (follow_each_other(metas[0], metas[1])) {
      meta_ = metas[by_number];
      return;
    }
    faults_.push_back(fmt::format("pages 0 and 1: transactions {} and {} do not follow each other",
                                  metas[0].transaction, metas[1].transaction));
    meta_ = metas[newer_by([&](const meta_page& m) { return last_freed(m); })];
    return;
  }
  if (faults_.size() == 2) {
    if (metas[0].usable && metas[1].usable) {
      meta_ = metas[newer_by([&](const meta_page& m) { return last_freed(m); })];
    } else {
      meta_ = metas[metas[0].usable ? 0 : 1];
      lost_last_ = true;
    }
    return;
  }
  const auto& good = metas[metas[0].fault.empty() ? 0 : 1];
  const auto& bad = metas[metas[0].fault.empty() ? 1 : 0];
  meta_ = good;
  if (bad.transaction + 1 == good.transaction) return;
  const bool newer =
      bad.transaction == good.transaction + 1 || (bad.usable && last_freed(bad) > last_freed(good));
  // For repair a sound list of free pages is enough: what the roots do not lead to is found as
  // what is neither reached nor free.
  const bool good_enough =
      bad.usable && newer &&
      (walks_well(bad.main, last_page(bad), key_order::bytes) ||
       (options_.lenient && walks_well(bad.free, last_page(bad), key_order::numbers)));
  if (good_enough) {
    meta_ = bad;
  } else {
    lost_last_ = newer || !bad.usable;
  }
}

result<void> file_snapshot::pin() {
  for (int attempt = 0; attempt < renew_attempts; ++attempt) {
    if (pin_) {
      if (auto r = pin_.renew(); !r) return r;
    } else {
      auto txn = env_->begin_read();
      if (!txn) return fail(txn.error());
      pin_ = std::move(*txn);
    }
    const auto wanted = mdb_txn_id(pin_.raw());
    const auto metas = file_.metas();
    for (const auto& m : metas) {
      if (m.transaction != wanted || !m.usable) continue;
      // The other page may just be written: what is wrong with it is wrong only if it stays so.
      choose(metas);
      if (meta_.transaction == wanted || attempt + 1 == renew_attempts || faults_.empty()) {
        meta_ = m;
        return {};
      }
    }
  }
  // Commits come faster than two reads: take what is there.
  choose(file_.metas());
  return {};
}

void file_snapshot::read_trees() {
  const auto needed = (meta_.last_page + 1) * file_.page_bytes();
  if (meta_.transaction != 0 && file_.file_bytes() < needed) {
    faults_.push_back(
        fmt::format("the file has {} bytes, its last used page ends at {}: it was cut short",
                    file_.file_bytes(), needed));
  }
  used_ = page_uses{last_page(meta_)};
  walk_faults_ = 0;
  trees_.clear();
  tree_faults_.clear();
  walk(
      meta_.main, {},
      [&](const tree_entry& e) {
        const auto tree = e.is_tree ? tree_record::read(e.value) : std::nullopt;
        if (!tree) {
          if (!e.carved) {
            tree_faults_.push_back({0, bytes{e.key}, {}, "an entry that is no tree"});
          }
          return true;
        }
        if (tree->flags != 0 && !e.carved) {
          tree_faults_.push_back({0, bytes{e.key}, {}, "the flags of the tree are wrong"});
        }
        trees_.emplace(bytes{e.key}, *tree);
        return true;
      },
      [&](const tree_fault& f) { tree_faults_.push_back(f); });
}

void file_snapshot::walk(const tree_record& tree, bytes_view from,
                         const tree_walk::entry_fn& on_entry, const tree_walk::fault_fn& on_fault) {
  tree_walk w{file_, used_, on_entry, [&](const tree_fault& f) {
                ++walk_faults_;
                on_fault(f);
              }};
  w.run(tree, from);
}

void file_snapshot::walk_again(const tree_record& tree, const tree_walk::entry_fn& on_entry,
                               const tree_walk::fault_fn& on_fault) const {
  page_uses used{last_page(meta_)};
  tree_walk w{file_, used, on_entry, on_fault};
  w.run(tree);
}

bool file_snapshot::read_value(const tree_entry& e, bytes& out) const {
  if (!e.own_pages) {
    out.assign(e.value);
    return true;
  }
  // No longer than the file: a damaged length must not ask for gigabytes.
  const auto end = file_.file_bytes();
  if (e.value_at > end || e.value_bytes > end - e.value_at) return false;
  out.resize(e.value_bytes);
  return file_.read(e.value_at, e.value_bytes, out.data());
}

page_account file_snapshot::account() {
  page_account out;
  const auto last = used_.last();
  std::vector<bool> free(last + 1);
  const auto wrong = [&](std::string what) {
    out.free_list_sound = false;
    out.faults.push_back("the list of free pages: " + std::move(what));
  };
  bytes value;
  page_uses own{last};
  tree_walk w{file_, own,
              [&](const tree_entry& e) {
                if (e.carved) return true;
                if (e.key.size() != 8 || !read_value(e, value) || value.size() < 8 ||
                    value.size() % 8 != 0 || load<std::uint64_t>(value, 0) > value.size() / 8 - 1) {
                  wrong("an entry is malformed");
                  return true;
                }
                if (load<std::uint64_t>(e.key, 0) > meta_.transaction) {
                  wrong("an entry is of a later transaction");
                }
                const auto count = load<std::uint64_t>(value, 0);
                for (std::uint64_t i = 1; i <= count; ++i) {
                  const auto p = load<page_number>(value, i * 8);
                  if (p < 2 || p > last) {
                    wrong(fmt::format("page {} is not one of the file's", p));
                  } else if (free[p]) {
                    wrong(fmt::format("page {} is in it twice", p));
                  } else {
                    free[p] = true;
                    ++out.free;
                  }
                }
                return true;
              },
              [&](const tree_fault& f) { wrong(f.what); }};
  w.run(meta_.free, {}, key_order::numbers);
  for (page_number p = 2; p <= last; ++p) {
    if (used_.of(p) != 0 && own.of(p) != 0) wrong(fmt::format("page {} is used twice", p));
    const bool used = used_.of(p) != 0 || own.of(p) != 0;
    if (used) ++out.used;
    if (free[p] && used) {
      // A damaged tree may point anywhere: then it is not the list that is wrong.
      const bool sound = out.free_list_sound && walk_faults_ != 0;
      wrong(fmt::format("page {} is in use and in it: the next write would destroy it", p));
      out.free_list_sound = sound;
    }
  }
  for (page_number p = 2; p <= std::min(last, meta_.last_page); ++p) {
    const bool is_free = out.free_list_sound && free[p];
    if (!is_free && used_.of(p) == 0 && own.of(p) == 0) out.orphans.push_back(p);
  }
  if (!out.orphans.empty()) {
    out.faults.push_back(
        fmt::format("{} pages (the first is {}) are neither in use nor free: something is cut off",
                    out.orphans.size(), out.orphans.front()));
  }
  return out;
}

bool file_snapshot::moved() const {
  const auto metas = file_.metas();
  return std::max(metas[0].transaction, metas[1].transaction) > meta_.transaction &&
         metas[0].fault.empty() && metas[1].fault.empty();
}

result<void> file_snapshot::renew() {
  if (env_) {
    if (auto r = pin(); !r) return r;
  } else {
    choose(file_.metas());
  }
  read_trees();
  return {};
}

}  // namespace kappa::lmdb
