#include "kappa/state/check.hpp"

#include <algorithm>
#include <set>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "kappa/state/snapshot_record.hpp"
#include "lmdb/file_snapshot.hpp"
#include "state/kept_timer.hpp"
#include "state/state_meta.hpp"
#include "state/stored_form.hpp"

namespace kappa {

namespace {

/// Bytes between two looks at whether the state has moved on, and two calls of `progress`.
constexpr std::uint64_t look_bytes = std::uint64_t{64} << 20;
constexpr std::string_view mend = "remove the folder, it is rebuilt from the log";

namespace names = detail::state_names;

class state_check {
 public:
  state_check(const state_check_options& options, lmdb::file_snapshot& snapshot)
      : options_{options}, snapshot_{snapshot} {
    out_.folder = options.folder;
  }

  [[nodiscard]] result<state_check_report> run() {
    const auto path = snapshot_.file().path().string();
    for (const auto& f : snapshot_.faults()) report(path, f);
    for (const auto& f : snapshot_.tree_faults()) {
      report(path, fmt::format("the list of databases: {}", f.what));
    }
    if (snapshot_.lost_last_transaction()) {
      report(path, "what the last snapshot wrote cannot be found any more");
    }
    if (out_.healthy() && !snapshot_.trees().contains(names::meta_name)) {
      return fail(errc::incompatible, path, "holds something else than a state");
    }
    if (auto ok = check_meta(); !ok) return fail(ok.error());
    // A copy: the snapshot may be renewed on the way.
    const auto trees = snapshot_.trees();
    for (const auto& [name, tree] : trees) {
      if (name.starts_with(names::table_prefix)) {
        if (auto ok = check_table(name.substr(names::table_prefix.size())); !ok) {
          return fail(ok.error());
        }
      } else if (name != names::meta_name) {
        report(out_.name() + " " + printable(name), "a database that no state has");
      }
    }
    for (const auto& table : schemas_) {
      if (!out_.tables.contains(table)) {
        report(out_.name() + " " + table, "the table's database is missing");
      }
    }
    if (!out_.changed_meanwhile) {
      const auto account = snapshot_.account();
      out_.pages = account.used;
      for (const auto& f : account.faults) report(path, f);
    }
    return std::move(out_);
  }

 private:
  void report(std::string subject, std::string_view what) {
    out_.damages.push_back({std::move(subject), fmt::format("{}; {}", what, mend), {}});
  }
  [[nodiscard]] result<void> check_meta();
  [[nodiscard]] result<void> take_meta(bytes_view key, bytes_view value);
  [[nodiscard]] result<void> check_table(const std::string& table);
  void check_entry(const std::string& table, std::uint64_t seed, const lmdb::tree_entry& e);
  void check_timer(const std::string& table, bytes_view place, bytes_view rest);

  const state_check_options& options_;
  lmdb::file_snapshot& snapshot_;
  state_check_report out_;
  std::set<std::string> schemas_;
  bytes value_;
};

result<void> state_check::check_meta() {
  const auto tree = snapshot_.trees().find(names::meta_name);
  if (tree == snapshot_.trees().end()) {
    report(out_.name(), "what the state says of itself is missing");
    return {};
  }
  const auto seed = detail::table_seed(names::meta_name);
  std::map<bytes, bytes> sound;
  std::vector<std::string> bad;
  snapshot_.walk(
      tree->second, {},
      [&](const lmdb::tree_entry& e) {
        if (e.carved) return true;
        const auto value = snapshot_.read_value(e, value_) ? detail::read_value(seed, e.key, value_)
                                                           : std::optional<bytes_view>{};
        if (value) {
          sound.emplace(bytes{e.key}, bytes{*value});
        } else {
          bad.push_back(printable(e.key));
        }
        return true;
      },
      [&](const lmdb::tree_fault& f) { report(out_.name(), f.what); });
  // The identity first: it names what is told of.
  if (const auto id = sound.find(bytes{names::identity_key}); id != sound.end()) {
    if (auto identity = detail::decode_identity(id->second)) out_.identity = std::move(*identity);
  }
  for (const auto& key : bad) report(out_.name() + " " + key, "its checksum is wrong");
  for (const auto& [key, value] : sound) {
    if (auto ok = take_meta(key, value); !ok) return ok;
  }
  if (!out_.identity) report(out_.name() + " identity", "is missing or malformed");
  if (!sound.contains(bytes{names::format_key})) {
    report(out_.name() + " format", "is missing");
  }
  if (sound.contains(bytes{names::epoch_key}) != sound.contains(bytes{names::snapshot_key})) {
    report(out_.name() + " snapshot", "epoch and snapshot record do not belong together");
  }
  return {};
}

result<void> state_check::take_meta(bytes_view key, bytes_view value) {
  byte_reader in{value};
  if (key == names::format_key) {
    const auto version = in.get<std::uint32_t>();
    if (version > detail::state_format) {
      return fail(errc::incompatible, options_.folder.string(),
                  fmt::format("a state of format {}; this Kappa reads up to {}", version,
                              detail::state_format));
    }
  } else if (key == names::epoch_key) {
    out_.epoch = epoch_number{in.get<std::uint64_t>()};
  } else if (key == names::snapshot_key) {
    // A store that no task has written may hold any record; a task's says where it was.
    const auto record = decode_snapshot(value);
    if (!record) {
      report(out_.name() + " snapshot", "is malformed");
      return {};
    }
    for (std::size_t i = 0; i < record->inputs.size(); ++i) {
      out_.positions.emplace_back(record->inputs[i], record->positions[i]);
    }
    if (out_.epoch && record->epoch != *out_.epoch) {
      report(out_.name() + " snapshot",
             fmt::format("is of epoch {}, the state of epoch {}", record->epoch, *out_.epoch));
    }
  } else if (key.starts_with(names::schema_prefix)) {
    const std::string table{key.substr(names::schema_prefix.size())};
    schemas_.insert(table);
    if (!detail::decode_schema(value)) {
      report(out_.name() + " " + table, "its schema is malformed");
    }
  }
  return {};
}

result<void> state_check::check_table(const std::string& table) {
  const auto name = names::table_prefix + table;
  const auto seed = detail::table_seed(table);
  const auto subject = out_.name() + " " + table;
  if (options_.progress) options_.progress(subject);
  bytes from;
  for (bool ended = false; !ended;) {
    const auto tree = snapshot_.trees().find(name);
    if (tree == snapshot_.trees().end()) break;
    ended = true;
    std::uint64_t since_look = 0;
    snapshot_.walk(
        tree->second, from,
        [&](const lmdb::tree_entry& e) {
          if (e.carved) return true;
          check_entry(table, seed, e);
          since_look += e.key.size() + e.value_bytes;
          if (since_look < look_bytes) return true;
          since_look = 0;
          if (options_.progress) options_.progress(subject + " " + printable(e.key.substr(1)));
          ended = !snapshot_.moved();
          if (!ended) from = bytes{e.key} + '\0';
          return ended;
        },
        [&](const lmdb::tree_fault& f) {
          const auto keys = f.low.empty() && !f.high
                                ? std::string{}
                                : fmt::format(" (keys from '{}' to '{}')",
                                              f.low.empty() ? "" : printable(f.low.substr(1)),
                                              f.high ? printable(f.high->substr(1)) : "the end");
          report(subject, f.what + keys);
        });
    if (ended) break;
    if (auto ok = snapshot_.renew(); !ok) return ok;
    out_.changed_meanwhile = true;
  }
  out_.tables.try_emplace(table, 0);
  if (!schemas_.contains(table)) report(subject, "its schema is missing");
  return {};
}

void state_check::check_entry(const std::string& table, std::uint64_t seed,
                              const lmdb::tree_entry& e) {
  const auto key = e.key.substr(1);
  const auto name = [&](bytes_view k) {
    return fmt::format("{} {} {}", out_.name(), table, printable(k));
  };
  if (!snapshot_.read_value(e, value_)) return report(name(key), "its value cannot be read");
  if (e.key.front() == detail::short_key_tag) {
    const auto value = detail::read_value(seed, key, value_);
    if (!value) return report(name(key), "its checksum is wrong");
    ++out_.tables[table];
    if (table.starts_with("timers")) check_timer(table, key, *value);
    return;
  }
  if (e.key.front() != detail::long_key_tag)
    return report(name(key), "its key is of no known form");
  bytes_view list{value_};
  while (!list.empty()) {
    const auto item = detail::take_item(list);
    if (!item) return report(name(key), "its list of long keys is malformed");
    bytes place;
    detail::store_long_key(checksum128(item->key), place);
    if (place != e.key) {
      report(name(item->key), "it is kept under another key's hash");
    } else if (item->checksum != detail::value_checksum(seed, item->key, item->value)) {
      report(name(item->key), "its checksum is wrong");
    } else {
      ++out_.tables[table];
    }
  }
}

void state_check::check_timer(const std::string& table, bytes_view place, bytes_view rest) {
  ++out_.timers;
  const auto t = detail::give_back(place, rest);
  if (t && detail::keep(*t).place == place) return;
  report(fmt::format("{} {} {}", out_.name(), table, printable(place)), "is no timer");
}

}  // namespace

std::string state_check_report::name() const {
  return identity ? detail::text_of(*identity) : folder.string();
}

result<state_check_report> check_state(const state_check_options& options) {
  for (int attempt = 1;; ++attempt) {
    lmdb::file_snapshot_options how;
    how.folder = options.folder;
    auto snapshot = lmdb::file_snapshot::open(how);
    if (!snapshot) return fail(snapshot.error());
    auto report = state_check{options, **snapshot}.run();
    if (!report || report->healthy() || (*snapshot)->pinned() || !(*snapshot)->moved()) {
      return report;
    }
    // Pages were used again while they were read: that may be all that is wrong.
    if (attempt < lmdb::unpinned_attempts) continue;
    return fail(errc::unavailable, options.folder.string(),
                "it is being written, and its lock file may not be written by this user: run as "
                "the user who writes it, or stop the app",
                true);
  }
}

std::vector<damage> compare(const state_check_report& state, const log_facts& log) {
  std::vector<damage> out;
  if (!state.identity) return out;
  const auto& id = *state.identity;
  // A log that has lost its id says so itself.
  if (!log.id.empty() && id.log_id != log.id) {
    out.push_back({state.name(), fmt::format("was made from log {}, this log is {}: name its own "
                                             "log, or remove the folder {}",
                                             id.log_id, log.id, state.folder.string())});
    return out;
  }
  // An aggregate's state is as of its events and outcomes, which are up to the topics' ends: of the
  // ones the position lags by a commit, of the others there is none.
  const auto outcomes = fmt::format("{}.{}.outcomes", id.app, id.stage);
  const bool aggregate = std::any_of(state.positions.begin(), state.positions.end(),
                                     [&](const auto& p) { return p.first == outcomes; });
  for (const auto& [input, position] : state.positions) {
    const position_key key{id.app, id.stage, id.generation, id.task, input};
    if (aggregate) {
      const auto topic = log.bounds.find({input, id.task});
      const auto end = topic == log.bounds.end() ? offset{} : topic->second.latest;
      if (position <= end) continue;
      out.push_back({key.text(),
                     fmt::format("the state is at {}, and the log ends at {}: the log is an older "
                                 "one, or was salvaged; remove the folder {}",
                                 position, end, state.folder.string())});
      continue;
    }
    const auto committed = log.positions.find(key);
    if (committed == log.positions.end()) {
      out.push_back({key.text(),
                     fmt::format("the state is at {}, the log has no position: start the app once "
                                 "with --adopt-state-position",
                                 position)});
    } else if (position > committed->second.next) {
      out.push_back(
          {key.text(), fmt::format("the state is at {}, ahead of the log's position {}: the log is "
                                   "an older one, or was salvaged; remove the folder {}",
                                   position, committed->second.next, state.folder.string())});
    }
  }
  return out;
}

result<std::vector<std::filesystem::path>> find_states(const std::filesystem::path& root) {
  std::error_code ec;
  std::vector<std::filesystem::path> out;
  if (!std::filesystem::is_directory(root, ec)) {
    return fail(errc::not_found, root.string(), "there is no such folder");
  }
  auto at = std::filesystem::recursive_directory_iterator{root, ec};
  for (; !ec && at != std::filesystem::recursive_directory_iterator{}; at.increment(ec)) {
    if (at->path().filename() == "data.mdb") out.push_back(at->path().parent_path());
  }
  if (ec) return fail(errc::io, root.string(), ec.message());
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace kappa
