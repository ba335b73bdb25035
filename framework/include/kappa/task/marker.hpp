// Markers: the logged facts by which event time moves inside an app.
//
// A task appends one to every partition of each internal topic it writes, in the T1 in which its
// watermark or its `through` moved, after its data. On the wire: null key, empty value, header
// `kappa.marker`.
//
// Threading: plain values.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "kappa/core/bytes.hpp"
#include "kappa/core/strong.hpp"
#include "kappa/core/time.hpp"
#include "kappa/log/record.hpp"

namespace kappa {

inline constexpr bytes_view marker_header = "kappa.marker";

/// For each origin partition (a topic from outside, a source): the offset below which everything
/// has been taken in.
using through_map = std::map<topic_partition, offset>;

enum class marker_kind : std::uint8_t { watermark = 1, idle = 2, end = 3 };

struct marker {
  std::string stage;
  kappa::generation generation{1};
  kappa::partition task;
  marker_kind kind = marker_kind::watermark;
  /// The last real watermark, whatever the kind.
  timestamp watermark = min_time;
  through_map through;

  friend bool operator==(const marker&, const marker&) = default;
};

void encode(const through_map& through, byte_writer& out);
[[nodiscard]] through_map decode_through(byte_reader& in);

/// The header's value, and back (nothing when malformed).
[[nodiscard]] bytes encode_marker(const marker& m);
[[nodiscard]] std::optional<marker> decode_marker(bytes_view in);

}  // namespace kappa
