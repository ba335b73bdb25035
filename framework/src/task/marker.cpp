#include "kappa/task/marker.hpp"

namespace kappa {
namespace {
constexpr std::uint8_t marker_version = 1;
}

void encode(const through_map& through, byte_writer& out) {
  out.put(static_cast<std::uint32_t>(through.size()));
  for (const auto& [origin, next] : through) {
    out.put_bytes(origin.topic).put(origin.partition.value).put(next.value);
  }
}

through_map decode_through(byte_reader& in) {
  through_map through;
  const auto n = in.get<std::uint32_t>();
  for (std::uint32_t i = 0; i < n && in.ok(); ++i) {
    topic_partition origin{bytes{in.get_bytes()}, partition{in.get<std::int32_t>()}};
    through[std::move(origin)] = offset{in.get<std::int64_t>()};
  }
  return through;
}

bytes encode_marker(const marker& m) {
  bytes out;
  byte_writer w{out};
  w.put(marker_version)
      .put(m.kind)
      .put(m.generation.value)
      .put(m.task.value)
      .put(std::int64_t{m.watermark.time_since_epoch().count()})
      .put_bytes(m.stage);
  encode(m.through, w);
  return out;
}

std::optional<marker> decode_marker(bytes_view in) {
  byte_reader r{in};
  if (r.get<std::uint8_t>() != marker_version) return std::nullopt;
  marker m;
  m.kind = r.get<marker_kind>();
  if (m.kind < marker_kind::watermark || m.kind > marker_kind::end) return std::nullopt;
  m.generation = generation{r.get<std::int32_t>()};
  m.task = partition{r.get<std::int32_t>()};
  m.watermark = timestamp{milliseconds{r.get<std::int64_t>()}};
  m.stage = bytes{r.get_bytes()};
  m.through = decode_through(r);
  if (!r.done()) return std::nullopt;
  return m;
}

}  // namespace kappa
