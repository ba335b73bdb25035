#include <filesystem>
#include <fstream>

#include <fmt/format.h>

#include "flights_app.hpp"
#include "results.hpp"

namespace {

// The state of both stages as text, sorted: for comparing runs.
kappa::result<void> dump_state(kappa::host& host, const std::string& file) {
  std::vector<std::string> lines;
  for (const auto* stage : {"hourly-delays", "delay-alerts"}) {
    auto all = host.query_all(stage, SIZE_MAX);
    if (!all) return kappa::fail(all.error());
    for (const auto& e : all->entries) {
      lines.push_back(fmt::format("{} {} = {}", stage, kappa::printable(e.key),
                                  kappa::printable(e.value, 1000)));
    }
  }
  std::sort(lines.begin(), lines.end());
  std::ofstream out{file, std::ios::binary | std::ios::trunc};
  for (const auto& l : lines) out << l << '\n';
  out.flush();
  if (!out) return kappa::fail(kappa::errc::io, file, "cannot be written");
  return {};
}

void print_summary(kappa::host& host, bool anew, const flights::written& w,
                   const std::string& out) {
  std::uint64_t rows = 0;
  std::uint64_t late = 0;
  for (const auto& t : host.status()) {
    if (t.source) rows += t.progress.records_in;
    late += t.progress.late_records;
  }
  // [dead-letters]
  std::size_t dead = 0;
  std::string some;
  const auto topic = host.topology().dead_letters_topic();
  auto read = kappa::for_each_record(
      host.log(), topic, [&](const kappa::record_view& r) -> kappa::result<void> {
        if (++dead > 3) return {};
        some += fmt::format("  {}: {}\n", r.headers.find("kappa.position").value_or("?"),
                            kappa::printable(r.headers.find("kappa.error").value_or("?")));
        return {};
      });
  // [/dead-letters]
  if (!read) some += fmt::format("  {}\n", read.error());
  if (!anew) fmt::print("Nothing to do: everything had been done before (--fresh starts over).\n");
  fmt::print("{} rows in this run; {} late rows and {} dead letters in all", rows, late, dead);
  fmt::print("{}\n{}{}", dead == 0 ? "." : fmt::format(" (topic {}):", topic), some,
             dead > 3 ? "  …\n" : "");
  fmt::print("{} hours in {}/hourly-delays.csv\n{} alerts in {}/delay-alerts.csv\n", w.hours, out,
             w.alerts, out);
}

}  // namespace

int main(int argc, char** argv) {
  flights::options o;
  o.input = "examples/flights/data/flights-2001-01.csv.zst";
  o.from = "2001-01-01";
  o.to = "2002-01-01";
  std::string out = "out/flights";
  std::string dump;
  std::string rejects;

  kappa::runner runner{"flights", "Hourly delays and alerts of US flights, from a CSV file"};
  runner.option("--input", o.input,
                "CSV file (plain or zstd): scheduled,delay,distance,origin,destination");
  runner.option("--from", o.from, "Earliest plausible time");
  runner.option("--to", o.to, "First time that is no longer plausible");
  runner.option("--out", out, "Folder for the two CSV files");
  runner.option("--dump-state", dump, "Write the state as sorted text to this file at the end");
  runner.flag("--disruptions", o.disruptions,
              "Keep disruptions of airports, too: aggregates, to be asked for over HTTP");
  runner.option("--rejects", rejects,
                "Write late rows and the numbers of refused rows to this folder at the end");

  kappa::runner::hooks hooks;
  hooks.check = [&]() -> kappa::result<void> {
    for (const auto& [flag, text] : {std::pair{"--from", o.from}, {"--to", o.to}}) {
      if (!kappa::parse_time(text))
        return kappa::fail(kappa::errc::bad_config, flag, "not a time: " + text);
    }
    if (*kappa::parse_time(o.from) >= *kappa::parse_time(o.to)) {
      return kappa::fail(kappa::errc::bad_config, "--from",
                         fmt::format("must be before --to, and {} is not before {}", o.from, o.to));
    }
    return {};
  };
  hooks.finished = [&](kappa::host& host, bool anew) -> kappa::result<void> {
    auto written = flights::write_results(host.log(), out);
    if (!written) return kappa::fail(written.error());
    print_summary(host, anew, *written, out);
    std::fflush(stdout);
    if (!rejects.empty()) {
      auto done = flights::write_rejects(host.log(), host.topology().dead_letters_topic(), rejects);
      if (!done) return done;
    }
    return dump.empty() ? kappa::result<void>{} : dump_state(host, dump);
  };
  return runner.run(
      argc, argv, [&] { return flights::flights_app(o); }, hooks);
}
