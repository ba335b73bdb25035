// Where the framework says what it does. The host plugs in a real logger.
//
// Threading: a sink must be safe to call from any thread and must not block for long.
#pragma once

#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace kappa {

enum class log_level { debug, info, warning, error };

struct log_field {
  std::string_view name;
  std::string value;
};

/// One structured line: an event name in words, then fields. No secrets in fields.
using log_sink =
    std::function<void(log_level, std::string_view what, const std::initializer_list<log_field>&)>;

/// Drops everything: the default, so that a library user hears nothing unasked.
inline void no_log(log_level, std::string_view, const std::initializer_list<log_field>&) {}

}  // namespace kappa
