#include "kappa/log/kafka_settings.hpp"

#include <algorithm>
#include <array>
#include <cctype>

#include <fmt/format.h>

#include "core/trimmed.hpp"

namespace kappa {
namespace {

constexpr std::string_view variable_prefix = "KAPPA_KAFKA_";
constexpr std::string_view tests_variable = "KAPPA_KAFKA_VERSION";
constexpr std::string_view key_prefix = "kafka.";

std::string_view without_quotes(std::string_view value) {
  if (value.size() < 2 || value.front() != value.back()) return value;
  if (value.front() != '"' && value.front() != '\'') return value;
  return value.substr(1, value.size() - 2);
}

std::string variable_of(std::string_view name) {
  std::string variable{variable_prefix};
  for (const char c : name)
    variable += c == '.' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return variable;
}

}  // namespace

bool is_secret_kafka_setting(std::string_view name) {
  // By their words, so that those of later versions of librdkafka are covered too.
  constexpr std::array words{"password", "passphrase",         "secret",
                             "key.pem",  "oauthbearer.config", "kinit.cmd"};
  return std::any_of(words.begin(), words.end(),
                     [&](const char* word) { return name.find(word) != std::string_view::npos; });
}

std::string_view why_not_a_users_setting(std::string_view name) {
  struct own_setting {
    std::string_view name;
    std::string_view why;
  };
  constexpr std::string_view positions =
      "where a task goes on is written in the log and is never guessed; --fresh starts over";
  constexpr std::string_view identity = "it is made from the app, the stage and the slot";
  constexpr std::string_view exactly_once = "exactly once rests on it";
  constexpr std::string_view time_out = "give --session-timeout";
  constexpr std::string_view address = "give the brokers in --log kafka://HOST:PORT";
  constexpr std::string_view limit = "a topic's own limit counts (max_record_bytes)";
  constexpr std::array all{
      own_setting{"allow.auto.create.topics", "topics are made with the settings they need"},
      own_setting{"auto.offset.reset", positions},
      own_setting{"bootstrap.servers", address},
      own_setting{"check.crcs", "damaged records are never read"},
      own_setting{"enable.auto.commit", positions},
      own_setting{"enable.auto.offset.store", positions},
      own_setting{"enable.idempotence", exactly_once},
      own_setting{"enable.partition.eof", "without it a task does not learn that it has caught up"},
      own_setting{"group.id", identity},
      own_setting{"group.instance.id", identity},
      own_setting{"isolation.level", exactly_once},
      own_setting{"max.in.flight", exactly_once},
      own_setting{"max.in.flight.requests.per.connection", exactly_once},
      own_setting{"message.max.bytes", limit},
      own_setting{"metadata.broker.list", address},
      own_setting{"partition.assignment.strategy", "tasks are to stay where they are"},
      own_setting{"session.timeout.ms", time_out},
      own_setting{"transaction.timeout.ms", time_out},
      own_setting{"transactional.id", identity},
  };
  const auto* const own =
      std::find_if(all.begin(), all.end(), [&](const auto& s) { return s.name == name; });
  return own == all.end() ? std::string_view{} : own->why;
}

kafka_settings kafka_settings_of_environment(const char* const* environment) {
  kafka_settings found;
  for (; *environment != nullptr; ++environment) {
    const std::string_view variable = *environment;
    const auto equals = variable.find('=');
    if (equals == std::string_view::npos || !variable.starts_with(variable_prefix)) continue;
    if (variable.substr(0, equals) == tests_variable) continue;
    std::string name;
    for (const char c : variable.substr(variable_prefix.size(), equals - variable_prefix.size()))
      name += c == '_' ? '.' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    found[name] = variable.substr(equals + 1);
  }
  return found;
}

result<void> set_from_command_line(kafka_settings& settings, const std::string& name_and_value) {
  const auto equals = name_and_value.find('=');
  if (equals == std::string::npos || equals == 0) {
    return fail(errc::bad_config, "--kafka-set", "expected NAME=VALUE, as client.id=shop");
  }
  auto name = name_and_value.substr(0, equals);
  if (name.starts_with(key_prefix)) name.erase(0, key_prefix.size());
  if (is_secret_kafka_setting(name)) {
    return fail(errc::bad_config, "--kafka-set " + name,
                fmt::format("everybody on this machine can read a command line: set it in the "
                            "environment ({}) or in the config file (kafka.{}=…)",
                            variable_of(name), name));
  }
  settings[name] = name_and_value.substr(equals + 1);
  return {};
}

result<kafka_config_lines> take_kafka_config_lines(std::istream& in) {
  kafka_config_lines lines;
  std::string line;
  for (int number = 1; std::getline(in, line); ++number) {
    const auto text = detail::trimmed(line);
    if (text.starts_with(key_prefix)) {
      const auto equals = text.find('=');
      if (equals == std::string_view::npos) {
        return fail(errc::bad_config, fmt::format("line {}", number),
                    "begins with kafka. and is not kafka.NAME=VALUE");
      }
      const auto name =
          std::string{detail::trimmed(text.substr(0, equals)).substr(key_prefix.size())};
      const auto value = without_quotes(detail::trimmed(text.substr(equals + 1)));
      if (!lines.settings.emplace(name, value).second) {
        return fail(errc::bad_config, "kafka." + name,
                    fmt::format("is there twice, again in line {}", number));
      }
    } else {
      lines.others += line;
    }
    lines.others += '\n';  // the numbers of the others stay what they are
  }
  return lines;
}

kafka_settings merged(const std::vector<kafka_settings>& from_weak_to_strong) {
  kafka_settings all;
  for (const auto& settings : from_weak_to_strong) {
    for (const auto& [name, value] : settings) all[name] = value;
  }
  return all;
}

}  // namespace kappa
