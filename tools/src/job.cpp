#include "job.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "kappa/core/suggest.hpp"
#include "kappa/log/open_log.hpp"
#include "log_folder.hpp"

namespace kappa::tools {

std::string did_you_mean(const std::string& wrong, const std::vector<std::string>& words) {
  const auto near = detail::suggestion(wrong, words);
  return near.empty() ? "" : fmt::format("; did you mean {}?", near);
}

namespace {

// Whatever it is: what cannot be opened ends with exit code 3.
error not_opened(error e) {
  if (e.code == errc::corrupt || e.code == errc::not_found) e.code = errc::io;
  if (e.code == errc::timed_out) e.code = errc::unavailable;
  return e;
}

result<std::shared_ptr<event_log>> open_kafka(const common_options& common) {
  open_log_options options;
  options.url = common.log;
  options.kafka_settings = common.kafka_settings;
  auto log = open_log(options);
  if (!log) return fail(not_opened(log.error()));
  return log;
}

}  // namespace

result<std::shared_ptr<event_log>> open_log_of(const common_options& common, access how,
                                               const std::string& option) {
  if (common.log.starts_with("kafka:")) return open_kafka(common);
  auto folder = log_folder(common.log, option);
  if (!folder) return fail(folder.error());
  std::error_code ec;
  if (!std::filesystem::exists(*folder / "data.mdb", ec)) {
    return fail(errc::io, option,
                fmt::format("there is no log in {}: name its folder, as {}lmdb:FOLDER",
                            std::filesystem::absolute(*folder, ec).string(),
                            option.starts_with("--") ? option + " " : std::string{}));
  }
  open_log_options options;
  options.url = common.log;
  options.read_only = true;
  auto log = open_log(options);
  if (log && how == access::write) {  // what is there is a log: to write would make one of it
    log->reset();
    options.read_only = false;
    log = open_log(options);
  }
  if (log) return log;
  auto e = log.error();
  if (e.code == errc::corrupt) e.message += "; kappa check tells more";
  return fail(not_opened(std::move(e)));
}

result<void> check_partition(const std::string& name, std::int32_t partitions, std::int32_t asked) {
  if (asked >= 0 && asked < partitions) return {};
  return fail(asked < 0 ? errc::bad_config : errc::not_found, "--partition",
              fmt::format("{} has partitions 0 … {}, not {}", name, partitions - 1, asked));
}

result<std::vector<std::string>> apps_of(event_log& log) {
  auto topics = log.topics();
  if (!topics) return fail(topics.error());
  std::set<std::string> owners;
  for (const auto& t : *topics) {
    if (!t.owner.empty()) owners.insert(t.owner);
  }
  return std::vector<std::string>{owners.begin(), owners.end()};
}

result<std::string> app_of(event_log& log, const common_options& common) {
  auto apps = apps_of(log);
  if (!apps) return fail(apps.error());
  if (common.app.empty()) {
    if (apps->size() == 1) return apps->front();
    if (apps->empty()) {
      return fail(errc::not_found, log.name(), "no app has run on this log yet");
    }
    return fail(errc::bad_config, "--app",
                fmt::format("the log holds several apps, name one: {}", fmt::join(*apps, ", ")));
  }
  if (std::find(apps->begin(), apps->end(), common.app) != apps->end()) return common.app;
  return fail(errc::not_found, "app " + common.app,
              fmt::format("has no topics in {}, which holds {}{}", log.name(),
                          apps->empty() ? "no app's" : fmt::format("{}", fmt::join(*apps, ", ")),
                          did_you_mean(common.app, *apps)));
}

}  // namespace kappa::tools
