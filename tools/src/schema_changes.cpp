#include "schema_changes.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <sstream>
#include <string_view>

#include <fmt/format.h>

namespace kappa::tools {
namespace {

std::string_view role_name(type_role role) {
  switch (role) {
    case type_role::command:
      return "a command";
    case type_role::event:
      return "an event";
    case type_role::former_event:
      return "a former event";
    case type_role::plain:
      break;
  }
  return "neither a command nor an event";
}

bool in_the_log(type_role role) {
  return role == type_role::event || role == type_role::former_event;
}

// What the old version says of a field that the new one has appended.
std::string seen_from_behind(std::string why) {
  const auto gone = why.find(" is gone: ");
  if (gone != std::string::npos)
    why.replace(gone, std::string::npos, " was appended, and it would lose it");
  return why;
}

template <class Is>
const schema_type* find_type(const std::vector<schema_type>& all, Is&& is) {
  const auto at = std::find_if(all.begin(), all.end(), is);
  return at == all.end() ? nullptr : &*at;
}

class schema_comparison {
 public:
  schema_comparison(const std::vector<schema_type>& was, const std::vector<schema_type>& is)
      : was_{was}, is_{is} {}

  schema_changes run() {
    for (const auto& old : was_) {
      const auto* now =
          find_type(is_, [&](const schema_type& t) { return t.schema.id == old.schema.id; });
      if (now == nullptr) {
        gone(old);
      } else {
        both(old, *now);
      }
    }
    for (const auto& now : is_) {
      if (find_type(was_, [&](const schema_type& t) { return t.schema.id == now.schema.id; }))
        continue;
      if (now.role == type_role::event) {
        one_way(now, "a new event: once one is written, the old version refuses to start");
      } else if (now.role == type_role::command) {
        one_way(now, "a new command: for the old version it is a dead letter");
      }
    }
    return std::move(changes_);
  }

 private:
  void breaking(const schema_type& t, std::string why) {
    changes_.breaking.push_back({t.schema.name, std::move(why)});
  }
  void one_way(const schema_type& t, std::string why) {
    changes_.one_way.push_back({t.schema.name, std::move(why)});
  }

  void gone(const schema_type& old) {
    const auto* same_name =
        find_type(is_, [&](const schema_type& t) { return t.name() == old.name(); });
    if (same_name != nullptr) {
      return breaking(old, fmt::format("its id was @0x{:016x} and is @0x{:016x}, which is another "
                                       "type: keep the file's id, or write the old one behind the "
                                       "struct's name",
                                       old.schema.id, same_name->schema.id));
    }
    const auto renamed = fmt::format(
        "if it was renamed, write its id behind the new name: struct "
        "… @0x{:016x}",
        old.schema.id);
    if (in_the_log(old.role)) {
      return breaking(old,
                      fmt::format("{} was removed, and is in the log for ever: keep the struct "
                                  "as a $Kappa.formerEvent(\"{}\") with an upcast; {}",
                                  role_name(old.role), old.protocol, renamed));
    }
    if (old.role == type_role::command) {
      return breaking(old,
                      "a command was removed: those in the log, and those that others still "
                      "send, become dead letters; " +
                          renamed);
    }
    if (old.is_a_part) return;  // whatever has it tells
    breaking(old, "it was removed: states, records, replies and rejections of it cannot be read; " +
                      renamed);
  }

  void both(const schema_type& old, const schema_type& now) {
    roles(old, now);
    // As state: a field that is gone would be passed over in an event, and its ordinal used again.
    if (auto reads = check_readable(now.schema, old.schema, read_as::state); !reads) {
      breaking(now, reads.error().message);
    } else if (auto back = check_readable(old.schema, now.schema, read_way_back(now)); !back) {
      one_way(now, "the old version cannot read it: " + seen_from_behind(back.error().message));
    }
    enums(old, now);
    annotation(old, now, "$Kappa.key", old.key, now.key, "records would have other keys");
    annotation(old, now, "$Kappa.eventTime", old.event_time, now.event_time,
               "records would have other times");
  }

  // Numbers are in the records, names are not: one that means another number now is misread.
  void enums(const schema_type& old, const schema_type& now) {
    const auto present = enums_of(now);
    for (const auto& [name, values] : enums_of(old)) {
      const auto at = present.find(name);
      if (at == present.end() || !told_.insert(name).second) continue;
      const auto& is = at->second;
      for (std::size_t i = 0; i < values.size(); ++i) {
        const auto found = std::find(is.begin(), is.end(), values[i]);
        const auto place = static_cast<std::size_t>(found - is.begin());
        if (found != is.end() && place != i) {
          breaking(now, fmt::format("'{}' of the enum {} was @{} and is @{}: values may not be "
                                    "renumbered",
                                    values[i], name, i, place));
        } else if (i >= is.size()) {
          breaking(now, fmt::format("'{}' (@{}) of the enum {} is gone: one that is not used any "
                                    "more stays in the schema",
                                    values[i], i, name));
        }
      }
    }
  }

  // By name, without the file's: "enum 0 flights.capnp:State planned flown" in the description.
  static std::map<std::string, std::vector<std::string>> enums_of(const schema_type& t) {
    std::map<std::string, std::vector<std::string>> all;
    std::istringstream lines{t.schema.description};
    for (std::string line; std::getline(lines, line);) {
      if (!line.starts_with("enum ")) continue;
      std::istringstream words{line.substr(5)};
      std::string number;
      std::string name;
      words >> number >> name;
      auto& values = all[name.substr(name.find(':') + 1)];
      for (std::string value; words >> value;) values.push_back(value);
    }
    return all;
  }

  static read_as read_way_back(const schema_type& now) {
    return now.role == type_role::plain ? read_as::state : read_as::events;
  }

  void roles(const schema_type& old, const schema_type& now) {
    if (old.role == type_role::event && now.role == type_role::former_event) {
      return one_way(now,
                     "an event is a former one now: what is written instead, the old version "
                     "cannot read");
    }
    if (in_the_log(old.role) && !in_the_log(now.role)) {
      return breaking(now, fmt::format("{} is {} now, and is in the log for ever: mark it as a "
                                       "$Kappa.formerEvent(\"{}\") and add an upcast",
                                       role_name(old.role), role_name(now.role), old.protocol));
    }
    if (old.role == type_role::command && now.role != type_role::command) {
      return breaking(now, fmt::format("a command is {} now: those in the log, and those that "
                                       "others still send, become dead letters",
                                       role_name(now.role)));
    }
    const auto still_there = [&](const schema_type& t) { return t.protocol == old.protocol; };
    if (!old.protocol.empty() && old.protocol != now.protocol && find_type(is_, still_there)) {
      breaking(now, fmt::format("it was of the protocol \"{}\" and is of \"{}\"", old.protocol,
                                now.protocol));
    }
  }

  void annotation(const schema_type& old, const schema_type& now, const char* name,
                  const std::string& was, const std::string& is, const char* otherwise) {
    // By place: a field may have another name now.
    if (was.empty() || ordinal_of(old, was) == ordinal_of(now, is)) return;
    breaking(now, fmt::format("{} was on field '{}' and is {}: {}", name, was,
                              is.empty() ? "nowhere" : fmt::format("on '{}'", is), otherwise));
  }

  // "@3" of the root's field, as the description has it.
  static std::string ordinal_of(const schema_type& t, const std::string& field) {
    if (field.empty()) return {};
    const std::string_view text = t.schema.description;
    const auto end = text.find(fmt::format(" {}\n", field));
    if (end == std::string_view::npos) return field;
    const auto line = text.rfind('\n', end) + 1;
    return std::string{text.substr(line, text.find(' ', line) - line)};
  }

  const std::vector<schema_type>& was_;
  const std::vector<schema_type>& is_;
  schema_changes changes_;
  std::set<std::string> told_;  // enums
};

}  // namespace

schema_changes compare_schemas(const std::vector<schema_type>& was,
                               const std::vector<schema_type>& is) {
  return schema_comparison{was, is}.run();
}

}  // namespace kappa::tools
