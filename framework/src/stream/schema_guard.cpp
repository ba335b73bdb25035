#include "kappa/stream/schema_guard.hpp"

#include <fmt/format.h>

#include "kappa/core/type_key.hpp"

namespace kappa::detail {
namespace {

constexpr std::string_view untyped = "bytes";

bool same_type(const schema_reference& a, const schema_reference& b) {
  if (a.name == untyped || b.name == untyped) return true;
  return key_of_type(a) == key_of_type(b);
}

std::string text(const schema_reference& s) {
  return s.id == 0 ? s.name : fmt::format("{} (@0x{:016x})", s.name, s.id);
}

}  // namespace

result<void> schema_guard::check_other(bytes_view named) {
  const auto writer = decode_schema_reference(named);
  if (!writer) return fail(writer.error());
  if (!same_type(*writer, reader_)) {
    return fail(
        errc::incompatible, bytes{envelope_header::schema},
        fmt::format("the record is a {}, this stream reads {}; give the stream the topic or "
                    "the type that belongs together",
                    text(*writer), text(reader_)));
  }
  passed_ = named;
  return {};
}

}  // namespace kappa::detail
