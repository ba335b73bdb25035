// From the schema's names to C++'s.
#pragma once

#include <string>
#include <string_view>

namespace kappa::plugin {

/// "delayMinutes" → "delay_minutes", "HTTPServer" → "http_server"; a keyword gets a "_".
[[nodiscard]] std::string snake_case(std::string_view name);
/// Whether a name from an annotation can be an identifier.
[[nodiscard]] bool is_identifier(std::string_view name);
/// The same for "a::b".
[[nodiscard]] bool is_namespace(std::string_view name);
/// A C++ string literal, in pieces where the text has line feeds.
[[nodiscard]] std::string string_literal(std::string_view text);
/// "schemas/flights.capnp" → "flights"
[[nodiscard]] std::string stem_of(std::string_view path);

}  // namespace kappa::plugin
