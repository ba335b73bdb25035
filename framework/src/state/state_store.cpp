#include "kappa/state/state_store.hpp"

#include <algorithm>
#include <system_error>

#include "state/lmdb_store.hpp"

namespace kappa {

result<std::unique_ptr<state_store>> state_store::open(const state_store_options& options) {
  auto store = detail::lmdb_store::open(options);
  if (!store) return fail(std::move(store.error()));
  return std::unique_ptr<state_store>{std::move(*store)};
}

std::filesystem::path state_file(const std::filesystem::path& folder) {
  return lmdb::data_file(folder);
}

result<void> erase_state(const std::filesystem::path& folder) {
  for (const auto* name : {"data.mdb", "lock.mdb"}) {
    std::error_code ec;
    std::filesystem::remove(folder / name, ec);
    if (ec) return fail(errc::io, (folder / name).string(), "cannot be removed: " + ec.message());
  }
  return {};
}

result<std::vector<std::pair<bytes, bytes>>> dump_table(state_store& store, std::size_t table) {
  std::vector<std::pair<bytes, bytes>> all;
  auto ok = store.scan_all(table, [&](bytes_view key, bytes_view value) {
    all.emplace_back(key, value);
    return true;
  });
  if (!ok) return fail(std::move(ok.error()));
  std::sort(all.begin(), all.end());
  return all;
}

}  // namespace kappa
