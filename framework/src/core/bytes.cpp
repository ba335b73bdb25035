#include "kappa/core/bytes.hpp"

// Inline, because most of what is hashed is a short key, for which a call costs as much as the
// work.
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <fmt/format.h>

namespace kappa {

void append_ordered(bytes& out, std::int64_t v) {
  const auto flipped = static_cast<std::uint64_t>(v) ^ (std::uint64_t{1} << 63);
  const auto big = __builtin_bswap64(flipped);
  char raw[8];
  std::memcpy(raw, &big, 8);
  out.append(raw, 8);
}

std::optional<std::int64_t> read_ordered(bytes_view in) {
  if (in.size() < 8) return std::nullopt;
  std::uint64_t big = 0;
  std::memcpy(&big, in.data(), 8);
  return static_cast<std::int64_t>(__builtin_bswap64(big) ^ (std::uint64_t{1} << 63));
}

void append_ordered(bytes& out, bytes_view part) {
  for (const char c : part) {
    out.push_back(c);
    if (c == '\0') out.push_back('\xff');
  }
  out.push_back('\0');
  out.push_back('\x01');
}

std::optional<bytes> take_ordered_part(bytes_view& in) {
  bytes part;
  for (std::size_t i = 0; i < in.size(); ++i) {
    if (in[i] != '\0') {
      part.push_back(in[i]);
      continue;
    }
    if (i + 1 >= in.size()) return std::nullopt;
    if (in[i + 1] == '\x01') {
      in.remove_prefix(i + 2);
      return part;
    }
    if (in[i + 1] != '\xff') return std::nullopt;
    part.push_back('\0');
    ++i;
  }
  return std::nullopt;
}

std::string printable(bytes_view b, std::size_t limit) {
  std::string out;
  for (const char c : b.substr(0, limit)) {
    const auto u = static_cast<unsigned char>(c);
    if (u >= 0x20 && u != 0x7f && u != '\\') {
      out.push_back(c);
    } else {
      out += fmt::format("\\x{:02x}", u);
    }
  }
  if (b.size() > limit) out += fmt::format("… ({} bytes)", b.size());
  return out;
}

std::uint64_t checksum(bytes_view b, std::uint64_t seed) {
  return XXH3_64bits_withSeed(b.data(), b.size(), seed);
}

hash128 checksum128(bytes_view b) {
  const auto h = XXH3_128bits(b.data(), b.size());
  return {h.high64, h.low64};
}

}  // namespace kappa
