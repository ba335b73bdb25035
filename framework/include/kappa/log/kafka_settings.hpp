// Settings of librdkafka, by its own names ("sasl.password"), from where a program finds them: its
// environment, its config file, its command line.
//
// Some are secrets. Errors name a setting and never have its value.
//
// Threading: plain functions.
#pragma once

#include <istream>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "kappa/core/error.hpp"

namespace kappa {

using kafka_settings = std::map<std::string, std::string>;

/// Whether its value must not be seen: a password, a private key, …
[[nodiscard]] bool is_secret_kafka_setting(std::string_view name);

/// Why a setting cannot be the user's, and what to do instead: the log rests on it. Empty: it can.
[[nodiscard]] std::string_view why_not_a_users_setting(std::string_view name);

/// Those of the environment, which is as `environ`: KAPPA_KAFKA_SASL_PASSWORD is sasl.password.
/// (KAPPA_KAFKA_VERSION is no setting: it tells tests which broker to start.)
[[nodiscard]] kafka_settings kafka_settings_of_environment(const char* const* environment);

/// "NAME=VALUE" of a command line. errc::bad_config: it is not that, or it is a secret, which has
/// no place where everybody on the machine can read it.
[[nodiscard]] result<void> set_from_command_line(kafka_settings& settings,
                                                 const std::string& name_and_value);

/// A config file of lines "name=value", apart: what begins with "kafka.", and the other lines, in
/// whose place nothing is. A value goes to the end of its line, less blanks around it; quotes
/// around all of it are taken off, and nothing else in it means anything.
struct kafka_config_lines {
  kafka_settings settings;
  std::string others;
};
/// errc::bad_config names a line without "=", or a setting that is there twice.
[[nodiscard]] result<kafka_config_lines> take_kafka_config_lines(std::istream& in);

/// The later ones win.
[[nodiscard]] kafka_settings merged(const std::vector<kafka_settings>& from_weak_to_strong);

}  // namespace kappa
