#include "kafka/task_positions.hpp"

#include <array>
#include <string_view>

#include <fmt/format.h>

#include "kappa/core/parse_number.hpp"

namespace kappa::kafka {
namespace {

constexpr std::string_view version = "kappa1 ";
constexpr std::string_view digits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// RFC 4648, without padding.
std::string base64(bytes_view in) {
  std::string out;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : in) {
    bits = bits << 8 | static_cast<unsigned char>(c);
    for (count += 8; count >= 6; count -= 6) out += digits[bits >> (count - 6) & 63U];
  }
  if (count > 0) out += digits[bits << (6 - count) & 63U];
  return out;
}

std::optional<bytes> from_base64(std::string_view in) {
  bytes out;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : in) {
    const auto digit = digits.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(digit);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out += static_cast<char>(bits >> count & 255U);
  }
  return out;
}

// Up to `end`, which is taken off too.
std::optional<std::string_view> take(std::string_view& in, char end) {
  const auto at = in.find(end);
  if (at == std::string_view::npos) return std::nullopt;
  const auto part = in.substr(0, at);
  in.remove_prefix(at + 1);
  return part;
}

}  // namespace

std::string encode(const task_positions& p) {
  auto out = fmt::format("{}{} {}\n", version, p.app, p.life);
  for (const auto& [input, at] : p.inputs) {
    out += fmt::format("{} {} {}\n", at.next, at.metadata.empty() ? "-" : base64(at.metadata),
                       base64(input));
  }
  return out;
}

std::optional<task_positions> decode_task_positions(const std::string& metadata) {
  std::string_view in = metadata;
  if (!in.starts_with(version)) return std::nullopt;
  in.remove_prefix(version.size());
  task_positions p;
  const auto app = take(in, ' ');
  const auto life = app ? take(in, '\n') : std::nullopt;
  if (!life) return std::nullopt;
  p.app = std::string{*app};
  p.life = std::string{*life};
  while (!in.empty()) {
    const auto next = take(in, ' ');
    const auto meta = next ? take(in, ' ') : std::nullopt;
    const auto name = meta ? take(in, '\n') : std::nullopt;
    if (!name) return std::nullopt;
    committed_position at;
    if (!parse_number(*next, at.next.value)) return std::nullopt;
    if (*meta != "-") {
      auto decoded = from_base64(*meta);
      if (!decoded) return std::nullopt;
      at.metadata = std::move(*decoded);
    }
    auto input = from_base64(*name);
    if (!input) return std::nullopt;
    p.inputs.emplace(std::move(*input), std::move(at));
  }
  return p;
}

}  // namespace kappa::kafka
