// kappa tail: records as JSON lines.

#include <memory>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "commands.hpp"
#include "decoding.hpp"
#include "job.hpp"
#include "output.hpp"
#include "selection.hpp"

namespace kappa::tools {
namespace {

struct tail_options {
  selection what;
  bool markers = false;
  std::optional<std::string> key;
};

// A record's key: that which was typed, and of windowed results the window's start behind it.
bool has_key(const record_view& r, bytes_view key, bool windowed) {
  if (!r.key) return false;
  if (*r.key == key) return true;
  return windowed && r.key->size() == key.size() + 8 && r.key->starts_with(key);
}

int tail(const common_options& common, tail_options options) {
  auto log = open_log_of(common, access::read);
  if (!log) return complain(log.error());
  if (auto there = find_topic(**log, options.what.topic); !there) return complain(there.error());
  decoders decode{**log};
  bytes key;
  bool windowed = false;
  if (options.key) {
    auto how = decode.of(options.what.topic, common.app);
    if (!how) return complain(how.error());
    auto typed = (*how)->key ? (*how)->key->from_text(*options.key) : result<bytes>{*options.key};
    if (!typed) return complain(typed.error());
    key = std::move(*typed);
    windowed = (*how)->key && (*how)->key->name().starts_with("window-key<");
  }
  options.what.wanted = [&](const record_view& r) {
    if (!options.markers && is_marker(r)) return false;
    return !options.key || has_key(r, key, windowed);
  };
  return show_records(**log, options.what, [&](const topic_walk::found& f) -> result<bool> {
    auto line = decode.line(f.where, f.record);
    if (!line) return fail(line.error());
    return put(*line + "\n");
  });
}

}  // namespace

void add_tail(command_line& line) {
  auto o = std::make_shared<tail_options>();
  auto& cli = line.add("tail", "Records of a topic, decoded, as JSON lines",
                       [o](const common_options& common) { return tail(common, *o); });
  cli.add_option("TOPIC", o->what.topic, "See kappa topics")->required();
  cli.add_option("--from", o->what.from,
                 "earliest, latest, an offset, or a time; absent: the last records");
  cli.add_option("-n,--count", o->what.count,
                 "How many: the last ones (10), or with --from the first ones from there (all)")
      ->check(check_count);
  cli.add_flag("--follow", o->what.follow, "Go on with what comes, until Ctrl-C");
  cli.add_option("--partition", o->what.only, "Of this partition only");
  cli.add_option("--key", o->key, "With this key only");
  cli.add_flag("--markers", o->markers, "Show the markers of internal topics too");
}

}  // namespace kappa::tools
