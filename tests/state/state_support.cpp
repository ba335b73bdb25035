#include "state/state_support.hpp"

#include <system_error>

#include <fmt/format.h>

namespace kappa::test {

result<bool> map_store::get(std::size_t table, bytes_view key, bytes& out) {
  ++gets;
  const auto it = tables_.at(table).find(key);
  if (it == tables_.at(table).end()) return false;
  out = it->second;
  return true;
}

result<void> map_store::scan(std::size_t table, bytes_view from, bytes_view to, const scan_fn& f) {
  const auto& entries = tables_.at(table);
  for (auto it = entries.lower_bound(from); it != entries.end(); ++it) {
    if (!to.empty() && it->first >= to) break;
    if (!f(it->first, it->second)) break;
  }
  return {};
}

result<void> map_store::scan_all(std::size_t table, const scan_fn& f) {
  return scan(table, {}, {}, f);
}

result<void> map_store::commit(const state_delta& delta) {
  for (std::size_t i = 0; i < tables_.size(); ++i) {
    if (delta.tables.at(i) == nullptr) continue;
    for (std::size_t n = 0; n < delta.tables[i]->size(); ++n) {
      const auto [key, value] = (*delta.tables[i])[n];
      if (value) {
        tables_[i].insert_or_assign(bytes{key}, bytes{*value});
      } else {
        tables_[i].erase(bytes{key});
      }
    }
  }
  snapshot_ = delta.snapshot;
  epoch_ = delta.epoch;
  return {};
}

result<state_stats> map_store::stats() {
  state_stats s;
  for (const auto& t : tables_) s.entries += t.size();
  return s;
}

result<bytes> map_store::copy_to(const std::filesystem::path&) {
  return fail(errc::invalid_argument, "map", "it is no file");
}

std::string map_store::subject(std::size_t table, bytes_view key) const {
  return fmt::format("map {} {}", table, printable(key));
}

state_store_options options_in(const std::filesystem::path& folder, bool with_timers) {
  state_store_options o;
  o.folder = folder;
  o.identity = {"flights", "hourly-delays", generation{1}, partition{3}, "log-a", 0xabcd};
  o.tables.push_back({"counts", codec<std::string>::schema()});
  if (with_timers) o.tables.push_back({"timers", codec<std::string>::schema()});
  o.map_bytes = std::uint64_t{1} << 30;
  return o;
}

std::unique_ptr<state_store> opened(const state_store_options& options) {
  return must(state_store::open(options));
}

void commit(state_store& store, std::uint64_t epoch, std::vector<frozen_delta> tables) {
  state_delta delta;
  delta.epoch = epoch_number{epoch};
  delta.snapshot = fmt::format("snapshot {}", epoch);
  delta.tables = std::move(tables);
  must(store.commit(delta));
}

frozen_delta delta_of(std::initializer_list<table_delta::change> changes) {
  return std::make_shared<const table_delta>(changes);
}

std::map<bytes, std::optional<bytes>> contents(const frozen_delta& delta) {
  std::map<bytes, std::optional<bytes>> out;
  for (std::size_t i = 0; i < delta->size(); ++i) {
    const auto [key, value] = (*delta)[i];
    out[bytes{key}] = value ? std::optional<bytes>{*value} : std::nullopt;
  }
  BOOST_REQUIRE(out.size() == delta->size());
  return out;
}

frozen_delta numbered(int from, int to, bytes_view value) {
  auto delta = std::make_shared<table_delta>();
  for (int i = from; i < to; ++i) delta->add(std::to_string(i), value);
  return delta;
}

}  // namespace kappa::test
