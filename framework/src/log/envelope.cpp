#include "kappa/log/envelope.hpp"

#include <array>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <iterator>
#include <limits>
#include <span>

#include <fmt/format.h>

#include "kappa/core/parse_number.hpp"
#include "log/wire_header.hpp"

namespace kappa {
schema_reference reference_to(const schema_info& schema) {
  return {schema.id, schema.fingerprint, schema.name};
}

std::string record_address::text() const { return fmt::format("{}@{}", where.text(), offset); }

std::optional<record_address> record_address::parse(std::string_view text) {
  // From the back: a topic's name has neither '[' nor '@', but be sure.
  const auto at = text.rfind('@');
  if (at == std::string_view::npos || at == 0 || text[at - 1] != ']') return std::nullopt;
  const auto open = text.rfind('[', at);
  if (open == std::string_view::npos || open == 0) return std::nullopt;
  record_address out;
  out.where.topic = text.substr(0, open);
  if (!parse_number(text.substr(open + 1, at - open - 2), out.where.partition.value) ||
      out.where.partition.value < 0)
    return std::nullopt;
  if (!parse_number(text.substr(at + 1), out.offset.value) || out.offset.value < 0)
    return std::nullopt;
  return out;
}

void encode_envelope(bytes& out, const envelope& e) {
  std::array<header_view, 4> list;
  std::size_t n = 0;
  bytes schema;
  std::string cause;
  if (e.schema) {
    byte_writer{schema}.put(e.schema->id).put(e.schema->fingerprint).put_raw(e.schema->name);
    list[n++] = {envelope_header::schema, schema};
  }
  if (e.cause) {
    cause = e.cause->text();
    list[n++] = {envelope_header::cause, cause};
  }
  if (!e.id.empty()) list[n++] = {envelope_header::id, e.id};
  if (!e.correlation.empty()) list[n++] = {envelope_header::correlation, e.correlation};
  encode_headers(out, std::span{list}.first(n));
}

repeated_envelope::repeated_envelope(const std::optional<schema_reference>& schema) {
  encode_envelope(headers_, {.schema = schema});
  schema_bytes_ = headers_.size();
}

bytes_view repeated_envelope::of(const topic_partition& where, offset at) {
  // The header's value is where + "@" + offset: what changes are its last digits, and its size.
  using head = detail::wire_header_head;
  if (fixed_bytes_ == 0 || where != where_) {
    where_ = where;
    headers_.resize(schema_bytes_);
    const auto text = where.text() + "@";
    const header_view header{envelope_header::cause, text};
    encode_headers(headers_, std::span{&header, 1});
    fixed_bytes_ = headers_.size();
  }
  headers_.resize(fixed_bytes_);
  char digits[std::numeric_limits<std::int64_t>::digits10 + 2];
  const auto end = std::to_chars(digits, std::end(digits), at.value).ptr;
  headers_.append(digits, static_cast<std::size_t>(end - digits));
  const auto size = static_cast<decltype(head::value_size)>(
      headers_.size() - schema_bytes_ - sizeof(head) - envelope_header::cause.size());
  std::memcpy(headers_.data() + schema_bytes_ + offsetof(head, value_size), &size, sizeof size);
  return headers_;
}

result<schema_reference> decode_schema_reference(bytes_view header) {
  byte_reader in{header};
  schema_reference schema;
  schema.id = in.get<std::uint64_t>();
  schema.fingerprint = in.get<std::uint64_t>();
  if (!in.ok() || in.rest().empty()) {
    return fail(errc::decode, bytes{envelope_header::schema}, "the header is malformed");
  }
  schema.name = in.rest();
  return schema;
}

result<envelope> decode_envelope(const headers_view& headers) {
  envelope out;
  if (const auto raw = headers.find(envelope_header::schema)) {
    auto schema = decode_schema_reference(*raw);
    if (!schema) return fail(schema.error());
    out.schema = std::move(*schema);
  }
  if (const auto raw = headers.find(envelope_header::cause)) {
    out.cause = record_address::parse(*raw);
    if (!out.cause) {
      return fail(errc::decode, bytes{envelope_header::cause},
                  fmt::format("'{}' is not topic[partition]@offset", printable(*raw)));
    }
  }
  if (const auto raw = headers.find(envelope_header::id)) out.id = *raw;
  if (const auto raw = headers.find(envelope_header::correlation)) out.correlation = *raw;
  return out;
}

}  // namespace kappa
