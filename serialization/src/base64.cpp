#include "kappa/serialization/base64.hpp"

#include <array>
#include <cstdint>

namespace kappa {
namespace {

constexpr std::string_view alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr auto values = [] {
  std::array<std::int8_t, 256> v{};
  v.fill(-1);
  for (std::size_t i = 0; i < alphabet.size(); ++i) {
    v[static_cast<unsigned char>(alphabet[i])] = static_cast<std::int8_t>(i);
  }
  return v;
}();

}  // namespace

void append_base64(std::string& out, bytes_view v) {
  out.reserve(out.size() + (v.size() + 2) / 3 * 4);
  const auto byte = [&](std::size_t i) {
    return i < v.size() ? std::uint32_t{static_cast<unsigned char>(v[i])} : 0U;
  };
  for (std::size_t i = 0; i < v.size(); i += 3) {
    const auto bits = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
    out.push_back(alphabet[bits >> 18]);
    out.push_back(alphabet[bits >> 12 & 63]);
    out.push_back(i + 1 < v.size() ? alphabet[bits >> 6 & 63] : '=');
    out.push_back(i + 2 < v.size() ? alphabet[bits & 63] : '=');
  }
}

std::optional<bytes> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::size_t padding = 0;
  while (padding < 2 && !text.empty() && text.back() == '=') {
    text.remove_suffix(1);
    ++padding;
  }
  bytes out;
  out.reserve(text.size() * 3 / 4);
  std::uint32_t bits = 0;
  int held = 0;
  for (const char c : text) {
    const auto v = values[static_cast<unsigned char>(c)];
    if (v < 0) return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(v);
    held += 6;
    if (held >= 8) {
      held -= 8;
      out.push_back(static_cast<char>(bits >> held & 0xff));
    }
  }
  // Bits that padding leaves over must be zero, else two texts would mean the same bytes.
  if ((bits & ((1U << held) - 1)) != 0) return std::nullopt;
  return out;
}

}  // namespace kappa
