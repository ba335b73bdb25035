// What a record says of itself beside its value: in headers, so that the value stays plain and any
// tool can read it. Event time is the record's timestamp.
//
//   kappa.schema       u64 type id, u64 fingerprint, name       (little-endian)
//   kappa.cause        "orders[3]@812": the record that this one was made from
//   kappa.id           the event's id, given by whoever made it
//   kappa.correlation  what ties the records of one request together
//
// Each is there only when it is known. Headers of other names are other people's.
//
// Threading: plain values.
#pragma once

#include <cstdint>
#include <optional>

#include "kappa/core/bytes.hpp"
#include "kappa/core/error.hpp"
#include "kappa/core/schema_info.hpp"
#include "kappa/core/strong.hpp"
#include "kappa/log/record.hpp"

namespace kappa {

namespace envelope_header {
inline constexpr bytes_view schema = "kappa.schema";
inline constexpr bytes_view cause = "kappa.cause";
inline constexpr bytes_view id = "kappa.id";
inline constexpr bytes_view correlation = "kappa.correlation";
}  // namespace envelope_header

/// The writer's schema of a value: which type, and which version of it.
struct schema_reference {
  std::uint64_t id = 0;
  std::uint64_t fingerprint = 0;
  std::string name;
  friend bool operator==(const schema_reference&, const schema_reference&) = default;
};
[[nodiscard]] schema_reference reference_to(const schema_info& schema);

/// One record of a log.
struct record_address {
  topic_partition where;
  kappa::offset offset;
  friend bool operator==(const record_address&, const record_address&) = default;
  /// "orders[3]@812"
  [[nodiscard]] std::string text() const;
  /// Reads it back; nothing when it is malformed.
  [[nodiscard]] static std::optional<record_address> parse(std::string_view text);
};

struct envelope {
  std::optional<schema_reference> schema{};
  std::optional<record_address> cause{};
  bytes id{};           // empty: none
  bytes correlation{};  // empty: none
  friend bool operator==(const envelope&, const envelope&) = default;
};

/// Appends its headers in wire form to `out`; nothing for what is not known.
void encode_envelope(bytes& out, const envelope& e);
/// Envelopes of many records that share their schema, and most often where their cause lies: what
/// stays the same is encoded once.
class repeated_envelope {
 public:
  explicit repeated_envelope(const std::optional<schema_reference>& schema);
  /// As encode_envelope with this cause. Valid until the next call.
  [[nodiscard]] bytes_view of(const topic_partition& where, offset at);

 private:
  std::size_t schema_bytes_ = 0;
  topic_partition where_;        // of the cause that headers_ names
  std::size_t fixed_bytes_ = 0;  // up to the cause's offset; 0: no cause yet
  bytes headers_;
};

/// errc::decode names the header that is malformed. Unknown headers are passed over; of a name that
/// is there twice the first counts.
[[nodiscard]] result<envelope> decode_envelope(const headers_view& headers);
/// The value of a `kappa.schema` header.
[[nodiscard]] result<schema_reference> decode_schema_reference(bytes_view header);

}  // namespace kappa
