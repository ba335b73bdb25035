// Keeps a stream from reading records that say they are of another type.
//
// A record that names its schema (envelope.hpp) must name the reader's: by Cap'n Proto's type id
// where both have one, else by name. Another version of the same type passes, as Cap'n Proto's
// rules let old and new read each other. "bytes" says nothing of a type, so it passes on either
// side, and so do records without the header, which other programs write.
//
// Threading: one thread.
#pragma once

#include "kappa/core/schema_info.hpp"
#include "kappa/log/envelope.hpp"

namespace kappa::detail {

class schema_guard {
 public:
  explicit schema_guard(const schema_info& reader) : reader_{reference_to(reader)} {}

  /// Whether the record's schema is none, or that of the last record that passed: most are.
  [[nodiscard]] bool passes(const headers_view& headers) const {
    if (headers.empty()) return true;
    const auto named = headers.find(envelope_header::schema);
    return !named || *named == passed_;
  }
  /// errc::incompatible names both types; errc::decode: the header is malformed.
  [[nodiscard]] result<void> check(const headers_view& headers) {
    if (passes(headers)) return {};
    return check_other(*headers.find(envelope_header::schema));
  }

 private:
  [[nodiscard]] result<void> check_other(bytes_view named);

  schema_reference reader_;
  bytes passed_;  // the last header that passed: the next record's is the same, most often
};

}  // namespace kappa::detail
