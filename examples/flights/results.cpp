#include "results.hpp"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "flights_app.hpp"
#include "kappa/core/folders.hpp"
#include "whole_file.hpp"

namespace flights {
namespace {

using kappa::fail;
using kappa::result;

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& l : lines) text.append(l).push_back('\n');
  return text;
}

result<void> write_table(const std::filesystem::path& file, const std::string& header,
                         std::vector<std::string>& lines) {
  std::sort(lines.begin(), lines.end());  // origin, then hour: both are of fixed width
  return write_whole_file(file, fmt::format("{}\n{}", header, joined(lines)));
}

}  // namespace

result<written> write_results(kappa::event_log& log, const std::filesystem::path& folder) {
  if (auto made = kappa::make_folders(folder); !made) return fail(made.error());

  std::vector<std::string> hours;
  auto read = kappa::for_each_record(
      log, "hourly-delays", [&](const kappa::record_view& r) -> result<void> {
        const auto key = kappa::split_windowed_key(r.key.value_or(""));
        if (!key)
          return fail(kappa::errc::decode, "hourly-delays", "a record key without its hour");
        auto s = kappa::codec<hour_stats>::decode(r.value.value_or(""));
        if (!s) return fail(s.error());
        hours.push_back(fmt::format("{},{},{},{:.6f},{},{},{:.6f}", key->key,
                                    kappa::format_time(key->start), s->flights, s->mean(),
                                    s->min_delay, s->max_delay, s->share_delayed()));
        return {};
      });
  if (!read) return fail(read.error());

  std::vector<std::string> alerts;
  read =
      kappa::for_each_record(log, "delay-alerts", [&](const kappa::record_view& r) -> result<void> {
        auto a = kappa::codec<delay_alert>::decode(r.value.value_or(""));
        if (!a) return fail(a.error());
        alerts.push_back(fmt::format("{},{},{},{:.6f},{:.6f},{:.6f}", a->origin,
                                     kappa::format_time(a->hour), a->flights, a->mean_delay,
                                     a->history_mean, a->history_deviation));
        return {};
      });
  if (!read) return fail(read.error());

  const written w{hours.size(), alerts.size()};
  if (auto done =
          write_table(folder / "hourly-delays.csv",
                      "origin,hour,flights,mean_delay,min_delay,max_delay,share_delayed", hours);
      !done) {
    return fail(done.error());
  }
  if (auto done =
          write_table(folder / "delay-alerts.csv",
                      "origin,hour,flights,mean_delay,history_mean,history_deviation", alerts);
      !done) {
    return fail(done.error());
  }
  return w;
}

result<void> write_rejects(kappa::event_log& log, const std::string& dead_letters,
                           const std::filesystem::path& folder) {
  if (auto made = kappa::make_folders(folder); !made) return fail(made.error());

  std::vector<std::string> late;
  auto read = kappa::for_each_record(
      log, "flights.hourly-delays.late", [&](const kappa::record_view& r) -> result<void> {
        auto f = kappa::codec<flight>::decode(r.value.value_or(""));
        if (!f) return fail(f.error());
        late.push_back(fmt::format("{},{},{},{},{}", kappa::format_time(f->scheduled), f->delay,
                                   f->distance, f->origin, f->destination));
        return {};
      });
  if (!read) return read;
  if (auto done = write_table(folder / "late-rows.csv",
                              "scheduled,delay,distance,origin,destination", late);
      !done) {
    return done;
  }

  std::vector<std::string> rows;
  read =
      kappa::for_each_record(log, dead_letters, [&](const kappa::record_view& r) -> result<void> {
        const auto position = r.headers.find("kappa.position").value_or("");
        rows.emplace_back(position.substr(position.rfind(':') + 1));
        return {};
      });
  if (!read) return read;
  return write_whole_file(folder / "dead-letters.txt", joined(rows));
}

}  // namespace flights
