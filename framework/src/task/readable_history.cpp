#include "kappa/task/readable_history.hpp"

#include <algorithm>
#include <initializer_list>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "kappa/aggregate/program.hpp"
#include "kappa/core/type_key.hpp"
#include "kappa/log/envelope.hpp"
#include "kappa/log/for_each_record.hpp"
#include "kappa/task/stored_schemas.hpp"

namespace kappa {
namespace {

using types = std::vector<const schema_info*>;

// By type and fingerprint: why records of it cannot be read.
using unreadable = std::map<std::pair<detail::type_key, std::uint64_t>, std::string>;

struct kind_of_record {
  bool all_known;      // those of an unknown type cannot be read; else they are dead letters
  const char* misfit;  // the mend
};

const kind_of_record of_events{
    true,
    "Give the field (or the mark) its old form back and append one with the new form; or keep the "
    "old struct, with its id, as a $Kappa.formerEvent with an upcast, and give the new one an id "
    "of its own"};
const kind_of_record of_commands{
    false,
    "Run the version before this one until it has decided its commands; or give the field its old "
    "form back and append one with the new form"};

unreadable unreadable_of(const std::string& stage, const std::string& topic, const types& present,
                         const std::vector<stored_schema>& history, const kind_of_record& kind) {
  unreadable all;
  const auto prefix = name_of_type_in(topic, "");
  for (const auto& stored : history) {
    if (!stored.name.starts_with(prefix)) continue;
    const auto& was = stored.value;
    const auto key = detail::key_of_type(was);
    const auto is = std::find_if(present.begin(), present.end(), [&](const schema_info* p) {
      return detail::key_of_type(*p) == key;
    });
    if (is == present.end()) {
      if (kind.all_known) {
        all[{key, was.fingerprint}] =
            fmt::format("which this version of {} does not know: {}", stage, mend_of_unknown_event);
      }
    } else if (auto fits = check_readable(**is, was, read_as::events); !fits) {
      all[{key, was.fingerprint}] =
          fmt::format("of a schema that this version of {} cannot read: {}. {}", stage,
                      fits.error().message, kind.misfit);
    }
  }
  return all;
}

struct finding {
  record_address at;
  timestamp time;
  std::string type;
  std::string why;
};

// The first of the partition from `from` on.
result<std::optional<finding>> first_in(event_log& log, const topic_partition& where, offset from,
                                        const unreadable& all) {
  std::optional<finding> found;
  bytes fine;  // the last header that was: most are as the one before
  auto read = for_each_record(log, where, from, [&](const record_view& r) -> result<bool> {
    const auto schema = r.headers.find(envelope_header::schema);
    if (!schema || *schema == fine) return true;
    const auto type = decode_schema_reference(*schema);
    if (!type) return true;  // no aggregate wrote it, which whoever reads it says
    const auto bad = all.find({detail::key_of_type(*type), type->fingerprint});
    if (bad == all.end()) {
      fine = *schema;
      return true;
    }
    found = finding{{where, r.offset}, r.time, type->name, bad->second};
    return false;
  });
  if (!read) return fail(read.error());
  return found;
}

result<void> check_topic(const stage_spec& stage, event_log& log, const std::string& topic,
                         const types& present, const std::vector<stored_schema>& history,
                         const kind_of_record& kind) {
  const auto all = unreadable_of(stage.name, topic, present, history, kind);
  if (all.empty()) return {};
  const auto config = log.find_topic(topic);
  if (!config) return fail(config.error());
  std::optional<finding> first;
  for (std::int32_t p = 0; *config && p < (*config)->partitions; ++p) {
    const topic_partition where{topic, partition{p}};
    offset from;
    if (&kind == &of_commands) {  // those before it are decided
      auto position = log.position({stage.app, stage.name, stage.generation, partition{p}, topic});
      if (!position) return fail(position.error());
      if (*position) from = (*position)->next;
    }
    auto found = first_in(log, where, from, all);
    if (!found) return fail(found.error());
    if (*found && (!first || (*found)->time < first->time)) first = std::move(*found);
  }
  if (!first) return {};
  return fail(errc::refused_start, first->at.text(),
              fmt::format("it is a {}, {}", first->type, first->why));
}

types all_of(std::initializer_list<const std::vector<schema_info>*> lists) {
  types all;
  for (const auto* list : lists) {
    for (const auto& one : *list) all.push_back(&one);
  }
  return all;
}

}  // namespace

result<void> check_history_readable(const topology& t, event_log& log) {
  const auto is_one = [](const stage_spec& s) { return s.aggregate != nullptr; };
  if (std::none_of(t.stages().begin(), t.stages().end(), is_one)) return {};
  const auto history = read_schema_history(log, t.app_name());
  if (!history) return fail(history.error());
  for (const auto& stage : t.stages()) {
    if (!stage.aggregate) continue;
    const auto commands = all_of({&stage.aggregate->commands()});
    const auto events = all_of({&stage.aggregate->events(), &stage.aggregate->former_events()});
    auto good = check_topic(stage, log, stage.commands_topic(), commands, *history, of_commands);
    for (const auto& port : stage.ports) {
      if (!good) return good;
      if (port.kind == port_kind::events)
        good = check_topic(stage, log, port.topic, events, *history, of_events);
    }
    if (!good) return good;
  }
  return {};
}

}  // namespace kappa
