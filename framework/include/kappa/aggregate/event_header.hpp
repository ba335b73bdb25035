// What an aggregate's event says of itself beside its schema, in the header `kappa.event`: which
// event of its aggregate it is, and which part of the decision that it came from.
//
//   u64 version, u32 place in the decision (from 0), u32 events of the decision   (little-endian)
//
// Threading: plain values.
#pragma once

#include <cstdint>

#include "kappa/core/bytes.hpp"
#include "kappa/core/error.hpp"
#include "kappa/log/record.hpp"

namespace kappa {

inline constexpr bytes_view event_header_name = "kappa.event";

struct event_header {
  std::uint64_t version = 0;  // the aggregate's, with this event: the first has 1
  std::uint32_t place = 0;
  std::uint32_t count = 1;
  friend bool operator==(const event_header&, const event_header&) = default;
};

[[nodiscard]] bytes encode_event_header(const event_header& h);
/// errc::decode: there is none, so that the record is another program's; or it is malformed.
[[nodiscard]] result<event_header> decode_event_header(const headers_view& headers);

}  // namespace kappa
