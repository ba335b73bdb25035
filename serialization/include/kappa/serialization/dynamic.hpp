// Values as JSON without the program that wrote them: by the description that a schema carries.
//
//   auto type = kappa::dynamic_type::parse(stored_schema);
//   auto text = type->to_json(bytes);                  // {"scheduled":"2001-01-01T08:00:00Z", …}
//
// For tools. Known are the types that capnpc-kappa generates, whose JSON is the same as theirs, and
// what Kappa encodes itself: integers, times, bytes, JSON, and the keyed and windowed elements
// between stages. Not known are types with codecs of the user's own.
//
// Bytes and descriptions may be damaged: both are read with every bound checked, and what a value
// may grow to as JSON is limited (64 MiB).
//
// Threading: immutable once parsed; any thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "kappa/core/bytes.hpp"
#include "kappa/core/error.hpp"
#include "kappa/core/schema_info.hpp"
#include "kappa/serialization/json.hpp"

namespace kappa {

class dynamic_type {
 public:
  /// errc::incompatible: a type that is not known here, or a description of another version.
  [[nodiscard]] static result<dynamic_type> parse(const schema_info& schema);

  /// JSON on one line. Bytes that are no text: {"base64":"…"}. errc::decode names type and field.
  [[nodiscard]] result<std::string> to_json(bytes_view value) const;

  /// The bytes of a key as a person types it: a text, a number, a time. errc::invalid_argument: it
  /// is not one, or keys of this type cannot be typed.
  [[nodiscard]] result<bytes> from_text(std::string_view text) const;

  [[nodiscard]] const std::string& name() const;

  struct reader;

 private:
  explicit dynamic_type(std::shared_ptr<const reader> in) : in_{std::move(in)} {}
  std::shared_ptr<const reader> in_;
};

/// Bytes of which nothing is known: a text where they are one, else {"base64":"…"}.
[[nodiscard]] std::string json_of_unknown(bytes_view value);

}  // namespace kappa
