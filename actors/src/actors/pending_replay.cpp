#include "actors/pending_replay.hpp"

#include <algorithm>
#include <utility>

namespace kappa::detail {
namespace {

constexpr std::uint8_t format_version = 1;

}  // namespace

bool pending_replay::settled() const {
  return std::all_of(steps.begin(), steps.end(), [](rebuild_step s) {
    return s == rebuild_step::done || s == rebuild_step::failed;
  });
}

bytes encode_pending(const std::vector<pending_replay>& all) {
  bytes out;
  byte_writer w{out};
  w.put(format_version).put(static_cast<std::uint32_t>(all.size()));
  for (const auto& p : all) {
    w.put(p.at.value).put_bytes(p.id).put_bytes(p.stage).put(p.first);
    w.put_bytes(bytes_view{reinterpret_cast<const char*>(p.steps.data()), p.steps.size()});
  }
  return out;
}

std::optional<std::vector<pending_replay>> decode_pending(bytes_view in) {
  byte_reader r{in};
  if (r.get<std::uint8_t>() != format_version) return std::nullopt;
  std::vector<pending_replay> all;
  const auto n = r.get<std::uint32_t>();
  for (std::uint32_t i = 0; i < n && r.ok(); ++i) {
    pending_replay p;
    p.at = offset{r.get<std::int64_t>()};
    p.id = bytes{r.get_bytes()};
    p.stage = bytes{r.get_bytes()};
    p.first = r.get<std::int32_t>();
    for (const auto c : r.get_bytes()) {
      const auto step = static_cast<std::uint8_t>(c);
      if (step > static_cast<std::uint8_t>(rebuild_step::failed)) return std::nullopt;
      p.steps.push_back(static_cast<rebuild_step>(step));
    }
    all.push_back(std::move(p));
  }
  if (!r.done()) return std::nullopt;
  return all;
}

}  // namespace kappa::detail
