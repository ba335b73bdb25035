#include "log/salvage_source.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "log/frame.hpp"
#include "log/log_file.hpp"
#include "log/log_rules.hpp"

namespace kappa::detail {

namespace {

/// A value in a leaf page is shorter than this on every page size; what claims more is no entry.
constexpr std::uint64_t most_table_bytes = std::uint64_t{64} << 10;

bool plausible(const lmdb::tree_record& tree, lmdb::page_number last) {
  return tree.flags == 0 && tree.depth <= 32 && tree.entries < (std::uint64_t{1} << 48) &&
         (tree.root == lmdb::no_page ? tree.entries == 0 : tree.root >= 2 && tree.root <= last);
}

bool is_tree_name(bytes_view name) {
  return parse_frames_name(name).has_value() || name == table::meta || name == table::topics ||
         name == table::partitions || name == table::times || name == table::positions ||
         name == table::producers || name == table::apps;
}

std::uint64_t size_of(const log_tables& t, std::string_view which) {
  if (which == table::topics) return t.topics.size();
  if (which == table::partitions) return t.partitions.size();
  if (which == table::positions) return t.positions.size();
  if (which == table::producers) return t.producers.size();
  if (which == table::apps) return t.apps.size();
  return (t.id.empty() ? 0 : 1) + (t.format ? 1 : 0);
}

}  // namespace

result<std::unique_ptr<salvage_source>> salvage_source::open(const salvage_options& options,
                                                             std::vector<damage>& losses) {
  lmdb::file_snapshot_options how;
  how.folder = options.from;
  how.pin = false;
  how.lenient = true;
  auto snapshot = open_log_file(how);
  if (!snapshot) return fail(snapshot.error());
  std::unique_ptr<salvage_source> source{new salvage_source{std::move(*snapshot)}};
  source->read_all(losses);
  return source;
}

void salvage_source::read_all(std::vector<damage>& losses) {
  std::vector<damage> found;  // told of below, as far as nothing mends it
  tables_ = read_tables(*snapshot_, found);
  const auto walk_new = [&] {
    for (const auto& [name, tree] : snapshot_->trees()) {
      if (parse_frames_name(name) && !walked_.contains(name)) walk_frames(name);
    }
  };
  walk_new();
  search_orphans();
  walk_new();
  tell_lost_entries(losses);
  name_topics(losses);
}

// Only so that it is known which pages no tree reaches; what is in them is read when it is copied.
void salvage_source::walk_frames(const std::string& name) {
  walked_.insert(name);
  snapshot_->walk(
      snapshot_->trees().at(name), {}, [](const lmdb::tree_entry&) { return true; },
      [](const lmdb::tree_fault&) {});
}

// Trees that the damaged list of trees does not lead to any more.
void salvage_source::find_trees() {
  bytes page;
  for (const auto number : snapshot_->account().orphans) {
    if (!snapshot_->file().read_page(number, page)) continue;
    lmdb::carve_entries(snapshot_->file(), page, number, [&](const lmdb::tree_entry& e) {
      const auto tree = e.is_tree ? lmdb::tree_record::read(e.value) : std::nullopt;
      const bool wanted = tree && is_tree_name(e.key) &&
                          plausible(*tree, snapshot_->meta().last_page) &&
                          !snapshot_->trees().contains(std::string{e.key});
      if (!wanted) return;
      snapshot_->add_tree(std::string{e.key}, *tree);
      carved_trees_.emplace(e.key);
    });
  }
  bytes value;
  for (const auto& name : carved_trees_) {
    if (parse_frames_name(name)) {
      walk_frames(name);
      continue;
    }
    snapshot_->walk(
        snapshot_->trees().at(name), {},
        [&](const lmdb::tree_entry& e) {
          if (snapshot_->read_value(e, value)) (void)tables_.take(name, e.key, value);
          return true;
        },
        [](const lmdb::tree_fault&) {});
  }
}

void salvage_source::search_orphans() {
  if (!snapshot_->tree_faults().empty()) find_trees();
  const auto account = snapshot_->account();
  // A damaged list of free pages leaves pages of the past among the orphans. Where the trees are
  // whole they are not needed.
  doubtful_ = !account.free_list_sound;
  if (doubtful_ && !snapshot_->walks_had_faults()) return;
  bytes page;
  lmdb::page_number behind = 0;
  for (const auto number : account.orphans) {
    if (number < behind || !snapshot_->file().read_page(number, page)) continue;
    const auto here =
        frame_at(number * snapshot_->file().page_bytes() + lmdb::page_head::stored_bytes);
    if (here) {
      orphans_.push_back(*here);
      // A page of the past may be followed by any other.
      if (!doubtful_) behind = number + snapshot_->file().overflow_pages(here->bytes);
      continue;
    }
    search_page(number, page);
    frames_in_page(number, orphans_);
  }
  take_found_entries();
}

bool salvage_source::is_whole(const char* which) const {
  const auto tree = snapshot_->trees().find(which);
  return tree != snapshot_->trees().end() && !carved_trees_.contains(which) &&
         size_of(tables_, which) >= tree->second.entries;
}

// A table that is whole needs none of them: one that was erased must not come back.
void salvage_source::take_found_entries() {
  std::map<std::string, bool> whole;
  for (const auto& [which, key, value] : found_) {
    const auto [known, fresh] = whole.try_emplace(which, false);
    if (fresh) known->second = is_whole(which);
    if (!known->second) (void)tables_.take(which, key, value);
  }
  found_.clear();
}

std::optional<salvage_source::candidate> salvage_source::frame_at(std::uint64_t at) const {
  bytes head(sizeof(frame_header), '\0');
  if (!snapshot_->file().read(at, head.size(), head.data())) return std::nullopt;
  frame_header h;
  std::memcpy(&h, head.data(), sizeof h);
  if (h.magic != frame_header::right_magic || h.version != frame_header::right_version) {
    return std::nullopt;
  }
  return candidate{offset{h.first}, at, sizeof h + std::uint64_t{h.body_bytes}};
}

// Entries of a damaged page may be malformed while the frames in it are whole.
void salvage_source::frames_in_page(lmdb::page_number number, std::vector<candidate>& out) const {
  bytes page;
  if (!snapshot_->file().read_page(number, page)) return;
  for (std::size_t at = lmdb::page_head::stored_bytes; at + sizeof(frame_header) <= page.size();
       at += 2) {
    if (lmdb::load<std::uint32_t>(page, at) != frame_header::right_magic) continue;
    if (auto c = frame_at(number * page.size() + at)) out.push_back(*c);
  }
}

void salvage_source::search_page(lmdb::page_number number, const bytes& page) {
  bytes value;
  lmdb::carve_entries(snapshot_->file(), page, number, [&](const lmdb::tree_entry& e) {
    if (e.is_tree) return;
    if (const auto first = read_ordered(e.key); first && e.key.size() == 8) {
      orphans_.push_back({offset{*first}, e.value_at, e.value_bytes});
    }
    if (e.value_bytes > most_table_bytes || !snapshot_->read_value(e, value)) return;
    if (const auto* const which = log_tables::table_of(e.key, value)) {
      found_.emplace_back(which, bytes{e.key}, value);
    }
  });
}

// A tree's record says how many entries it had.
void salvage_source::tell_lost_entries(std::vector<damage>& losses) const {
  for (const auto* const which : {table::meta, table::topics, table::partitions, table::positions,
                                  table::producers, table::apps}) {
    const auto tree = snapshot_->trees().find(which);
    const auto found = size_of(tables_, which);
    const bool whole = tree != snapshot_->trees().end() && found >= tree->second.entries &&
                       !(doubtful_ && carved_trees_.contains(which));
    if (whole) continue;
    // Topics and partitions are told of one by one, as far as they are missed.
    if (which == table::topics || which == table::partitions || which == table::meta) continue;
    const auto had = tree == snapshot_->trees().end() ? std::string{"an unknown number of"}
                                                      : fmt::format("{}", tree->second.entries);
    losses.push_back({which, fmt::format("{} of {} entries could be read", found, had)});
  }
  for (const auto& [which, key] : tables_.bad_entries) {
    // What is said of partitions is told of when they are copied; the time index is made anew.
    if (which == table::partitions || which == table::times || which == table::meta) continue;
    if (tables_.has(which, key)) continue;
    losses.push_back({tables_.subject(which, key), "is damaged, and left out"});
  }
}

std::optional<partition_meta> salvage_source::bounds(partition_id id) const {
  const auto found = tables_.partitions.find(id);
  if (found == tables_.partitions.end()) return std::nullopt;
  return found->second;
}

std::optional<found_frame> salvage_source::verified(const candidate& c, std::uint64_t seed,
                                                    const topic_partition& where) const {
  bytes frame;
  const auto end = snapshot_->file().file_bytes();
  if (c.bytes < sizeof(frame_header) || c.at > end || c.bytes > end - c.at) return std::nullopt;
  frame.resize(c.bytes);
  if (!snapshot_->file().read(c.at, c.bytes, frame.data())) return std::nullopt;
  const auto h = check_frame(frame, seed, where, c.first);
  if (!h) return std::nullopt;
  return found_frame{c.first, offset{h->last + 1}, c.at, c.bytes, h->checksum, h->is_gap(), false};
}

std::vector<found_frame> salvage_source::frames_of_tree(partition_id id, std::uint64_t seed,
                                                        const topic_partition& where) {
  std::vector<found_frame> all;
  const auto tree =
      snapshot_->trees().find(frames_name(static_cast<std::uint32_t>(id >> 32), where.partition));
  if (tree == snapshot_->trees().end()) return all;
  std::set<lmdb::page_number> faulty;
  snapshot_->walk_again(
      tree->second,
      [&](const lmdb::tree_entry& e) {
        const auto first = read_ordered(e.key);
        std::optional<found_frame> f;
        if (first) f = verified({offset{*first}, e.value_at, e.value_bytes}, seed, where);
        if (!f) {
          // Its key or its length may be what is wrong.
          if (const auto c = frame_at(e.value_at)) f = verified(*c, seed, where);
        }
        if (f) all.push_back(*f);
        return true;
      },
      [&](const lmdb::tree_fault& f) { faulty.insert(f.page); });
  std::vector<candidate> more;
  for (const auto page : faulty) frames_in_page(page, more);
  for (const auto& c : more) {
    if (auto f = verified(c, seed, where)) all.push_back(*f);
  }
  return all;
}

namespace {

void in_order(std::vector<found_frame>& frames) {
  std::sort(frames.begin(), frames.end(), [](const found_frame& a, const found_frame& b) {
    return std::tie(a.first, a.orphan, a.end) < std::tie(b.first, b.orphan, b.end);
  });
  const auto same = [](const found_frame& a, const found_frame& b) {
    return a.first == b.first && a.end == b.end && a.checksum == b.checksum;
  };
  frames.erase(std::unique(frames.begin(), frames.end(), same), frames.end());
}

/// Of two frames for one offset one was never committed, and it cannot be said which.
void drop_contradictions(std::vector<found_frame>& frames) {
  std::vector<bool> gone(frames.size());
  for (std::size_t i = 0, reach = 0; i < frames.size(); ++i) {
    if (i != 0 && frames[i].first < frames[reach].end) gone[i] = gone[reach] = true;
    if (frames[i].end > frames[reach].end || i == 0) reach = i;
  }
  std::vector<found_frame> kept;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    if (!gone[i] || !frames[i].orphan) kept.push_back(frames[i]);
  }
  frames = std::move(kept);
}

}  // namespace

// Only for offsets that the tree does not give: there may be very many of them.
void salvage_source::add_orphans(std::vector<found_frame>& frames, std::uint64_t seed,
                                 const topic_partition& where,
                                 const std::optional<partition_meta>& meta) const {
  std::vector<found_frame> more;
  for (const auto& c : orphans_) {
    if (meta && (c.first < meta->earliest || c.first >= meta->latest)) continue;
    const auto behind =
        std::upper_bound(frames.begin(), frames.end(), c.first,
                         [](offset at, const found_frame& f) { return at < f.first; });
    if (behind != frames.begin() && c.first < std::prev(behind)->end) continue;
    if (auto f = verified(c, seed, where)) {
      f->orphan = true;
      more.push_back(*f);
    }
  }
  if (more.empty()) return;
  frames.insert(frames.end(), more.begin(), more.end());
  in_order(frames);
  if (doubtful_) drop_contradictions(frames);
}

std::vector<found_frame> salvage_source::frames(partition_id id, const topic_partition& where) {
  const auto seed = frame_seed(where);
  const auto meta = bounds(id);
  auto all = frames_of_tree(id, seed, where);
  in_order(all);
  add_orphans(all, seed, where, meta);
  std::vector<found_frame> out;
  for (const auto& f : all) {
    if (meta && (f.first < meta->earliest || f.end > meta->latest)) continue;
    if (!out.empty() && f.first < out.back().end) continue;
    out.push_back(f);
  }
  return out;
}

bool salvage_source::read(const found_frame& frame, bytes& out) const {
  out.resize(frame.bytes);
  return snapshot_->file().read(frame.at, frame.bytes, out.data());
}

// ---- topics whose settings are damaged

bool salvage_source::has_frame_of(const std::string& topic, std::uint32_t number) {
  for (const auto& [name, tree] : snapshot_->trees()) {
    const auto id = parse_frames_name(name);
    if (!id || static_cast<std::uint32_t>(*id >> 32) != number) continue;
    const topic_partition where{topic, partition{static_cast<std::int32_t>(*id & 0xffffffff)}};
    const auto seed = frame_seed(where);
    int looked_at = 0;
    bool found = false;
    snapshot_->walk_again(
        tree,
        [&](const lmdb::tree_entry& e) {
          const auto first = read_ordered(e.key);
          found = first && verified({offset{*first}, e.value_at, e.value_bytes}, seed, where);
          return !found && ++looked_at < 3;
        },
        [](const lmdb::tree_fault&) {});
    if (found) return true;
  }
  return false;
}

// A name is right when frames of the topic have checksums that are seeded by it.
std::optional<std::string> salvage_source::find_name(std::uint32_t number) {
  std::set<std::string> names;
  for (const auto& [name, stored] : tables_.doubtful_topics) names.insert(name);
  for (const auto& [key, position] : tables_.positions) names.insert(key.input);
  for (const auto& [name, topic] : tables_.topics) names.erase(name);
  for (const auto& name : names) {
    if (has_frame_of(name, number)) return name;
  }
  // A damaged name: most likely one byte of it is wrong.
  for (const auto& [name, stored] : tables_.doubtful_topics) {
    auto other = name;
    for (std::size_t i = 0; i < name.size(); ++i) {
      for (const char c :
           std::string_view{"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"}) {
        other[i] = c;
        if (other != name && has_frame_of(other, number)) return other;
      }
      other[i] = name[i];
    }
  }
  // Without any frame: what the damaged settings say themselves.
  for (const auto& [name, stored] : tables_.doubtful_topics) {
    const auto guess = guess_topic(name, stored);
    if (guess && guess->number == number && !tables_.topics.contains(name) &&
        check_topic(guess->config)) {
      return name;
    }
  }
  return std::nullopt;
}

void salvage_source::name_topics(std::vector<damage>& losses) {
  const auto lost = find_lost_topics(tables_, *snapshot_);
  if (lost.more != 0) {
    losses.push_back({table::topics, text_of_more(lost)});
  }
  for (const auto& [number, count] : lost.numbers) {
    const auto name = find_name(number);
    if (!name) {
      nameless_[number] = count;
      continue;
    }
    stored_topic topic{number, {}};
    topic.config.name = *name;
    const auto doubtful = tables_.doubtful_topics.find(*name);
    if (doubtful != tables_.doubtful_topics.end()) {
      const auto guess = guess_topic(*name, doubtful->second);
      if (guess && check_topic(guess->config) && !guess->config.compacted) {
        topic.config = guess->config;
      }
    }
    if (count != 0) topic.config.partitions = count;
    auto& owner = topic.config.owner;
    if (owner.empty() || !tables_.apps.contains(owner)) {
      owner.clear();
      for (const auto& [app, writer] : tables_.apps) {
        // An app's own, but for the one by which it is asked (admin_topic in topology.hpp).
        if (name->starts_with(app + ".") && *name != app + ".admin") owner = app;
      }
    }
    losses.push_back(
        {*name, fmt::format("the topic's settings were damaged and are rebuilt: {} partitions, "
                            "{}; its retention may have been another",
                            topic.config.partitions,
                            owner.empty() ? "written from outside" : "owned by " + owner)});
    tables_.topics.emplace(*name, std::move(topic));
  }
}

}  // namespace kappa::detail
