#include "actors/open_stores.hpp"

#include <algorithm>
#include <filesystem>
#include <string_view>

#include <fmt/format.h>

#include "kappa/log/open_log.hpp"

namespace kappa::detail {
namespace {

namespace fs = std::filesystem;

bool is_in(const fs::path& file, const fs::path& folder) {
  std::error_code ec;
  const auto whole = fs::weakly_canonical(fs::absolute(file, ec), ec);
  const auto around = fs::weakly_canonical(fs::absolute(folder, ec), ec);
  const auto end = std::mismatch(around.begin(), around.end(), whole.begin(), whole.end());
  return end.first == around.end();
}

result<void> check_place(const std::string& file, const host_options& options) {
  constexpr std::string_view embedded = "lmdb:";
  const auto apart = [&](const fs::path& folder, const char* what) -> result<void> {
    if (folder.empty() || !is_in(file, folder)) return {};
    return fail(
        errc::bad_config, "key store " + file,
        fmt::format("it is in the folder of the {}, and copies of that would have the keys: "
                    "put it elsewhere",
                    what));
  };
  fs::path log;
  if (!options.shared_log && options.log.starts_with(embedded))
    log = options.log.substr(embedded.size());
  if (auto good = apart(log, "log"); !good) return good;
  if (auto good = apart(options.state, "states"); !good) return good;
  return apart(options.savepoints, "savepoints");
}

}  // namespace

result<std::shared_ptr<event_log>> open_log_of(const host_options& options,
                                               const std::string& instance,
                                               std::optional<instance_slot>& slot) {
  if (options.shared_log) return options.shared_log;
  if (options.log.starts_with("kafka:")) {
    auto taken = instance_slot::take(options.state, instance, options.instance);
    if (!taken) return fail(taken.error());
    slot.emplace(std::move(*taken));
  }
  return open_log({.url = options.log,
                   .frame_bytes = options.frame_bytes,
                   .kafka_settings = options.kafka_settings,
                   .instance_folder = slot ? slot->folder() : fs::path{},
                   .session_timeout = options.session_timeout,
                   .replication = options.replication,
                   .log = options.log_to});
}

result<std::shared_ptr<key_ring>> open_keys(const host_options& options, const topology& of,
                                            const event_log& log) {
  auto store = options.shared_keys;
  constexpr std::string_view of_file = "file:";
  if (!store && options.keys.starts_with(of_file)) {  // before it is made there
    if (auto apart = check_place(options.keys.substr(of_file.size()), options); !apart)
      return fail(apart.error());
  }
  if (!store && !options.keys.empty()) {
    auto opened = open_key_store(options.keys);
    if (!opened) return fail(opened.error());
    store = std::move(*opened);
  }
  if (store) {
    if (log.places_tasks() && store->local_file()) {
      return fail(errc::refused_start, "key store " + store->name(),
                  "it is of this process alone, and on " + log.name() +
                      " others may have the app's tasks: use postgresql://…");
    }
    return std::make_shared<key_ring>(std::move(store), options.key_cache);
  }
  for (const auto& stage : of.stages()) {
    if (!stage.aggregate || stage.aggregate->personal_field() == nullptr) continue;
    return fail(errc::refused_start, stage.aggregate->personal_field(),
                fmt::format("it is personal, and {} has no key store: give one ({}postgresql://…)",
                            of.app_name(), log.places_tasks() ? "" : "file:PATH, or "));
  }
  return std::shared_ptr<key_ring>{};
}

}  // namespace kappa::detail
