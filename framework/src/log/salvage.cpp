#include "kappa/log/salvage.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "kappa/core/folders.hpp"
#include "lmdb/lmdb.hpp"
#include "log/app_lock.hpp"
#include "log/embedded_layout.hpp"
#include "log/frame.hpp"
#include "log/log_rules.hpp"
#include "log/salvage_source.hpp"

namespace kappa {

namespace {

using detail::partition_id;
using detail::partition_meta;
using detail::salvage_source;
namespace table = detail::table;

/// Of one transaction of the copy.
constexpr std::uint64_t transaction_bytes = std::uint64_t{64} << 20;

/// A new log that is being filled.
class log_copy {
 public:
  [[nodiscard]] static result<log_copy> make(const std::filesystem::path& folder) {
    lmdb::environment_options options;
    options.folder = folder;
    options.max_dbs = detail::embedded_max_dbs;
    options.map_bytes = std::uint64_t{64} << 30;
    auto env = lmdb::environment::open(options);
    if (!env) return fail(env.error());
    return log_copy{std::move(*env)};
  }

  [[nodiscard]] result<void> tables(const detail::log_tables& from, const std::string& id) {
    for (const auto& [name, topic] : from.topics) numbers_[topic.number] = 0;
    std::uint32_t last = 0;
    for (auto& [there, here] : numbers_) here = ++last;
    auto made = env_->write([&](lmdb::write_txn& txn) -> result<void> {
      for (const auto* const name : {table::meta, table::topics, table::partitions, table::times,
                                     table::positions, table::producers, table::apps}) {
        if (auto db = txn.create_dbi(name); !db) return fail(db.error());
      }
      for (const auto& [name, topic] : from.topics) {
        for (std::int32_t n = 0; n < topic.config.partitions; ++n) {
          auto db = txn.create_dbi(detail::frames_name(numbers_.at(topic.number), partition{n}));
          if (!db) return fail(db.error());
        }
      }
      return {};
    });
    if (!made) return made;
    return env_->write([&](lmdb::write_txn& txn) -> result<void> {
      bytes format;
      byte_writer{format}.put(detail::embedded_format);
      if (auto r = put_sealed(txn, detail::format_key, format); !r) return r;
      if (auto r = put_sealed(txn, detail::id_key, id); !r) return r;
      for (const auto& [name, topic] : from.topics) {
        auto renumbered = topic;
        renumbered.number = numbers_.at(topic.number);
        if (auto r = put(txn, table::topics, name, detail::encode(renumbered)); !r) return r;
      }
      for (const auto& [key, value] : from.positions) {
        const auto k = detail::encode_position_key(key);
        if (auto r = put(txn, table::positions, k, detail::encode(k, value)); !r) return r;
      }
      for (const auto& [key, value] : from.producers) {
        const auto here = id_here(key.first);
        if (!here) continue;  // of a topic that is lost
        const auto k = detail::producer_key(*here, key.second);
        if (auto r = put(txn, table::producers, k, detail::encode(k, value)); !r) return r;
      }
      for (const auto& [app, value] : from.apps) {
        if (auto r = put(txn, table::apps, app, detail::encode(app, value)); !r) return r;
      }
      return {};
    });
  }

  [[nodiscard]] lmdb::environment& env() { return *env_; }
  /// What a partition of the damaged log is here; nothing: its topic is lost.
  [[nodiscard]] std::optional<partition_id> id_here(partition_id there) const {
    const auto number = numbers_.find(static_cast<std::uint32_t>(there >> 32));
    if (number == numbers_.end()) return std::nullopt;
    return detail::make_partition_id(number->second,
                                     partition{static_cast<std::int32_t>(there & 0xffffffff)});
  }
  [[nodiscard]] result<void> put(lmdb::write_txn& txn, const char* name, bytes_view key,
                                 bytes_view value) {
    auto db = env_->find_dbi(name);
    if (!db) return fail(db.error());
    return txn.put(**db, key, value);
  }

 private:
  explicit log_copy(std::shared_ptr<lmdb::environment> env) : env_{std::move(env)} {}
  result<void> put_sealed(lmdb::write_txn& txn, bytes_view key, bytes_view content) {
    return put(txn, table::meta, key, detail::seal(table::meta, key, content));
  }
  std::shared_ptr<lmdb::environment> env_;
  /// Number of a topic in the damaged log → here. The count of topics is the last number: where one
  /// is lost, those behind it move up, or the next new topic would be laid over the last.
  std::map<std::uint32_t, std::uint32_t> numbers_;
};

class salvage {
 public:
  salvage(const salvage_options& options, salvage_source& source, log_copy& copy,
          salvage_report& report)
      : options_{options}, source_{source}, copy_{copy}, report_{report} {}

  [[nodiscard]] result<void> run(const std::string& id) {
    const auto& tables = source_.tables();
    if (auto r = copy_.tables(tables, id); !r) return r;
    report_.log_id = id;
    report_.topics = tables.topics.size();
    report_.positions = tables.positions.size();
    for (const auto& [name, topic] : tables.topics) {
      for (std::int32_t n = 0; n < topic.config.partitions; ++n) {
        const topic_partition where{name, partition{n}};
        if (auto r = add(where, detail::make_partition_id(topic.number, where.partition)); !r) {
          return r;
        }
      }
    }
    if (auto r = write_jobs(); !r) return r;
    for (const auto& [number, partitions] : source_.nameless()) {
      const auto name = fmt::format("(topic number {})", number);
      report_.losses.push_back(
          {name,
           partitions == 0
               ? "nothing is left of the topic, not even its name"
               : "the topic's name is lost, and with it what would show its frames to be sound"});
      for (std::int32_t n = 0; n < partitions; ++n) {
        report_.missing.push_back({{name, partition{n}, offset{0}, std::nullopt}, std::nullopt});
      }
    }
    return {};
  }

 private:
  /// A frame to write, or a gap to declare.
  struct piece {
    detail::found_frame frame;
    bool is_missing = false;
  };

  /// A partition on its way into the copy.
  struct job {
    topic_partition where;
    partition_id id = 0;  // in the copy
    std::uint64_t seed = 0;
    lmdb::dbi frames;
    std::vector<piece> pieces;
  };
  /// How far it is: what a transaction that is repeated begins with again.
  struct stand {
    std::size_t next = 0;
    partition_meta meta;
    timestamp newest = kappa::min_time;
    std::uint64_t records = 0;
    std::uint64_t frames = 0;
  };

  /// `id`: in the damaged log.
  [[nodiscard]] result<void> add(const topic_partition& where, partition_id id);
  [[nodiscard]] std::vector<piece> plan(const topic_partition& where, partition_id id,
                                        partition_meta& meta);
  [[nodiscard]] offset least_end(const topic_partition& where, partition_id id) const;
  [[nodiscard]] result<void> write_jobs();
  /// Writes on until the transaction has enough or the partition is complete.
  [[nodiscard]] result<void> write(lmdb::write_txn& txn, const job& j, stand& s,
                                   std::uint64_t& size);

  const salvage_options& options_;
  salvage_source& source_;
  log_copy& copy_;
  salvage_report& report_;
  std::vector<job> jobs_;
  std::vector<stand> stands_;
  std::uint64_t waiting_bytes_ = 0;
};

/// Where a partition whose end is not known ends at least: what is said to have been read or
/// written was there, and an offset must not be used twice.
offset salvage::least_end(const topic_partition& where, partition_id id) const {
  offset end{0};
  for (const auto& [key, position] : source_.tables().positions) {
    if (key.input == where.topic && key.task == where.partition) end = std::max(end, position.next);
  }
  for (const auto& [key, producer] : source_.tables().producers) {
    if (key.first == id) end = std::max(end, producer.base + 1);
  }
  return end;
}

std::vector<salvage::piece> salvage::plan(const topic_partition& where, partition_id id,
                                          partition_meta& meta) {
  const auto frames = source_.frames(id, where);
  const auto known = source_.bounds(id);
  if (known) {
    meta = *known;
  } else {
    meta.earliest = frames.empty() ? offset{0} : frames.front().first;
    meta.latest = std::max(least_end(where, id), frames.empty() ? offset{0} : frames.back().end);
    report_.losses.push_back(
        {where.text(), fmt::format("its bounds were damaged: it is now {} to {}, and may have "
                                   "begun earlier and ended later",
                                   meta.earliest, meta.latest)});
    if (meta.earliest.value > 0) {
      report_.missing.push_back(
          {{where.topic, where.partition, offset{0}, meta.earliest}, std::nullopt});
    }
  }
  std::vector<piece> out;
  auto expected = meta.earliest;
  const auto gap_up_to = [&](offset end) {
    if (expected >= end) return;
    out.push_back({{expected, end, 0, 0, 0, true, false}, true});
    report_.missing.push_back({{where.topic, where.partition, expected, end},
                               static_cast<std::uint64_t>(end - expected)});
  };
  for (const auto& f : frames) {
    gap_up_to(f.first);
    out.push_back({f, false});
    expected = f.end;
  }
  gap_up_to(meta.latest);
  if (!known || source_.lost_last_transaction()) {
    report_.missing.push_back(
        {{where.topic, where.partition, meta.latest, std::nullopt}, std::nullopt});
  }
  return out;
}

result<void> salvage::add(const topic_partition& where, partition_id id) {
  if (options_.progress) options_.progress(where.text());
  const auto id_here = copy_.id_here(id);
  if (!id_here) bug("a topic of the copy has no number");
  stand s;
  job j{where, *id_here, detail::frame_seed(where), {}, {}};
  j.pieces = plan(where, id, s.meta);
  s.meta.size_bytes = s.meta.since_index_bytes = 0;
  auto frames = copy_.env().find_dbi(
      detail::frames_name(static_cast<std::uint32_t>(*id_here >> 32), where.partition));
  if (!frames) return fail(frames.error());
  if (!*frames) bug("a partition of the copy has no database");
  j.frames = **frames;
  ++report_.partitions;
  for (const auto& p : j.pieces) waiting_bytes_ += p.frame.bytes;
  jobs_.push_back(std::move(j));
  stands_.push_back(s);
  return waiting_bytes_ < transaction_bytes ? result<void>{} : write_jobs();
}

result<void> salvage::write_jobs() {
  for (std::size_t first = 0; first < jobs_.size();) {
    std::vector<stand> now;
    std::size_t last = first;
    auto ok = copy_.env().write([&](lmdb::write_txn& txn) -> result<void> {
      now = stands_;
      std::uint64_t size = 0;
      for (last = first; last < jobs_.size(); ++last) {
        if (auto r = write(txn, jobs_[last], now[last], size); !r) return r;
        if (now[last].next < jobs_[last].pieces.size()) break;
      }
      return {};
    });
    if (!ok) return ok;
    stands_ = std::move(now);
    first = last;
    if (options_.progress && first < jobs_.size()) {
      const auto& j = jobs_[first];
      options_.progress(
          fmt::format("{}@{}", j.where.text(), j.pieces[stands_[first].next].frame.first));
    }
  }
  for (const auto& s : stands_) {
    report_.records += s.records;
    report_.frames += s.frames;
  }
  jobs_.clear();
  stands_.clear();
  waiting_bytes_ = 0;
  return {};
}

result<void> salvage::write(lmdb::write_txn& txn, const job& j, stand& s, std::uint64_t& size) {
  bytes frame;
  for (; s.next < j.pieces.size() && size < transaction_bytes; ++s.next) {
    const auto& p = j.pieces[s.next];
    if (p.is_missing) {
      frame = detail::gap_frame(p.frame.first, p.frame.end, j.seed);
    } else if (!source_.read(p.frame, frame)) {
      return fail(errc::io, fmt::format("{}@{}", j.where.text(), p.frame.first),
                  "cannot be read any more");
    }
    const auto h = detail::check_frame(frame, j.seed, j.where, p.frame.first);
    if (!h) return fail(h.error());
    if (s.meta.since_index_bytes >= detail::time_index_bytes) {
      const auto key = detail::time_key(j.id, s.newest);
      auto put = copy_.put(txn, table::times, key, detail::encode_time(key, p.frame.first));
      if (!put) return put;
      s.meta.since_index_bytes = 0;
    }
    auto room = txn.reserve(j.frames, detail::offset_key(p.frame.first), frame.size(), MDB_APPEND);
    if (!room) return fail(room.error());
    std::memcpy(*room, frame.data(), frame.size());
    size += frame.size();
    s.meta.size_bytes += frame.size();
    s.meta.since_index_bytes += frame.size();
    if (h->is_gap()) continue;
    s.newest = std::max(s.newest, timestamp{milliseconds{h->max_time_ms}});
    s.records += h->count;
    ++s.frames;
  }
  s.meta.max_time = std::max(s.meta.max_time, s.newest);
  const auto key = detail::partition_key(j.id);
  return copy_.put(txn, table::partitions, key, detail::encode(key, s.meta));
}

result<void> refuse_a_log_in_use(const std::filesystem::path& folder) {
  std::error_code ec;
  for (const auto& file : std::filesystem::directory_iterator{folder / "apps", ec}) {
    if (file.path().extension() != ".lock") continue;
    const auto app = file.path().stem().string();
    auto holder = detail::app_lock::holder(folder / "apps", app);
    // A lock that may not be looked at is nobody's hindrance: nothing is written here.
    if (!holder || !*holder) continue;
    return fail(errc::owned, folder.string(),
                fmt::format("app {} runs on it ({}): stop it first", app, **holder));
  }
  return {};
}

bool is_empty_folder(const std::filesystem::path& path) {
  std::error_code ec;
  return std::filesystem::is_directory(path, ec) && std::filesystem::is_empty(path, ec);
}

/// Sixteen bytes in hexadecimal digits, as make_uuid writes them.
bool is_log_id(const std::string& id) {
  constexpr std::string_view form = "hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh";
  return std::equal(id.begin(), id.end(), form.begin(), form.end(), [](char c, char wanted) {
    return wanted == '-' ? c == '-' : (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
  });
}

/// The folder that the copy is made in, emptied of what an interrupted call has left.
result<detail::app_lock> take_part(const std::filesystem::path& part) {
  auto lock = detail::app_lock::take(part, "salvage", "kappa salvage");
  if (!lock) return fail(lock.error());
  std::error_code ec;
  for (const auto& entry : std::filesystem::directory_iterator{part, ec}) {
    const auto name = entry.path().filename().string();
    if (name == "data.mdb" || name == "lock.mdb" || name == "salvage.lock" ||
        name.starts_with("data.mdb.new-"))  // died while it was made
      continue;
    return fail(errc::already_exists, part.string(),
                fmt::format("holds {}, which no salvage has written: move it away", name));
  }
  for (const auto* const name : {"data.mdb", "lock.mdb"}) {
    std::filesystem::remove(part / name, ec);
    if (ec) return fail(errc::io, (part / name).string(), "cannot be removed: " + ec.message());
  }
  return lock;
}

result<void> give_name(const std::filesystem::path& part, const std::filesystem::path& to) {
  std::error_code ec;
  for (const auto* const name : {"lock.mdb", "salvage.lock"}) {
    std::filesystem::remove(part / name, ec);
  }
  if (auto synced = sync_folder(part); !synced) return synced;
  std::filesystem::rename(part, to, ec);  // over an empty folder, too
  if (ec) return fail(errc::io, to.string(), "cannot get its name: " + ec.message());
  const auto parent = std::filesystem::absolute(to, ec).parent_path();
  return sync_folder(parent);
}

}  // namespace

result<salvage_report> salvage_log(const salvage_options& options) {
  if (!options.log_id.empty() && !is_log_id(options.log_id)) {
    return fail(errc::invalid_argument, "--log-id",
                fmt::format("expected an id as `kappa check` shows it of log and states, like "
                            "0b5e7c1a-93d2-4f60-8a17-c2d94e6f3b58, not {}",
                            options.log_id));
  }
  std::error_code ec;
  if (std::filesystem::exists(options.to, ec) && !is_empty_folder(options.to)) {
    // Perhaps of a salvage that died before its name was on disk: who is told that it is there
    // goes on with it.
    const auto above = std::filesystem::absolute(options.to, ec).parent_path();
    if (auto synced = sync_folder(above); !synced) return fail(synced.error());
    return fail(errc::already_exists, options.to.string(),
                "is there already: name a folder that is not");
  }
  if (auto ok = refuse_a_log_in_use(options.from); !ok) return fail(ok.error());
  salvage_report report;
  auto source = salvage_source::open(options, report.losses);
  if (!source) return fail(source.error());
  const auto& tables = (*source)->tables();
  if (tables.format && *tables.format != detail::embedded_format) {
    return fail(errc::incompatible, options.from.string(),
                fmt::format("a log of format {}; this Kappa reads format {}", *tables.format,
                            detail::embedded_format));
  }
  if (tables.topics.empty() && tables.id.empty() && (*source)->nameless().empty()) {
    return fail(errc::corrupt, options.from.string(), "nothing of a log can be recognised in it");
  }
  const auto id = tables.id.empty() ? options.log_id : tables.id;
  if (id.empty()) {
    return fail(errc::corrupt, options.from.string(),
                "its id is damaged. Every state that was made from it knows the id (`kappa check` "
                "with --state names it): give it with --log-id");
  }
  if (tables.id.empty()) {
    report.losses.push_back({"id", "the log's id was damaged: it is the one that was given"});
  }
  if ((*source)->lost_last_transaction()) {
    report.losses.push_back(
        {options.from.string(),
         "what the last transaction wrote is lost. A state that has it is refused at the start as "
         "ahead of the log: remove that state's folder, it is rebuilt from the log"});
  }
  const std::filesystem::path part{options.to.string() + ".part"};
  auto lock = take_part(part);
  if (!lock) return fail(lock.error());
  {
    auto copy = log_copy::make(part);
    if (!copy) return fail(copy.error());
    if (auto ok = salvage{options, **source, *copy, report}.run(id); !ok) return fail(ok.error());
  }
  if (auto ok = give_name(part, options.to); !ok) return fail(ok.error());
  return report;
}

}  // namespace kappa
