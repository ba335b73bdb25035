#include "kappa/state/snapshot_record.hpp"

#include "core/read_list.hpp"

namespace kappa {
namespace {

constexpr std::uint8_t snapshot_version = 2;
constexpr std::uint8_t format_without_rebuild = 1;

}  // namespace

bytes encode_snapshot(const snapshot_record& s) {
  bytes out;
  byte_writer w{out};
  // As before where there is nothing new to tell: a version of before reads it too.
  w.put(s.rebuild != 0 ? snapshot_version : format_without_rebuild).put(s.epoch.value);
  w.put(static_cast<std::uint32_t>(s.inputs.size()));
  for (std::size_t i = 0; i < s.inputs.size(); ++i)
    w.put_bytes(s.inputs[i]).put(s.positions[i].value);
  w.put(s.epochs_next.value);
  w.put(std::int64_t{s.real_watermark.time_since_epoch().count()});
  w.put_bytes(s.clocks).put(s.late_records).put(std::uint8_t{s.replaying});
  if (s.rebuild != 0) w.put(s.rebuild);
  return out;
}

std::optional<snapshot_record> decode_snapshot(bytes_view in) {
  byte_reader r{in};
  const auto version = r.get<std::uint8_t>();
  if (version != snapshot_version && version != format_without_rebuild) return std::nullopt;
  snapshot_record s;
  s.epoch = epoch_number{r.get<std::uint64_t>()};
  detail::read_list(r, [&] {
    s.inputs.emplace_back(r.get_bytes());
    s.positions.emplace_back(r.get<std::int64_t>());
  });
  s.epochs_next = offset{r.get<std::int64_t>()};
  s.real_watermark = timestamp{milliseconds{r.get<std::int64_t>()}};
  s.clocks = bytes{r.get_bytes()};
  s.late_records = r.get<std::uint64_t>();
  s.replaying = r.get<std::uint8_t>() != 0;
  if (version == snapshot_version) s.rebuild = r.get<std::uint32_t>();
  if (!r.done()) return std::nullopt;
  return s;
}

}  // namespace kappa
