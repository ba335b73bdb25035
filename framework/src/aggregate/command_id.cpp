#include "kappa/aggregate/command_id.hpp"

#include <cstdint>
#include <cstring>
#include <random>

#include <fmt/format.h>

namespace kappa {
namespace {

constexpr std::size_t uuid_text_bytes = 36;

// Asked for each command, so eight characters at a time. All are hexadecimal digits?
bool all_hex(std::uint64_t characters) {
  constexpr std::uint64_t each = 0x0101'0101'0101'0101;
  constexpr std::uint64_t top = 0x80 * each;
  // The top bit of each byte: it is from `low` on, and not beyond `high`. Below 0x80 nothing is
  // carried into the next byte.
  const auto between = [](std::uint64_t bytes, std::uint64_t low, std::uint64_t high) {
    return (bytes + (0x80 - low) * each) & ~(bytes + (0x7f - high) * each);
  };
  const auto good = between(characters, '0', '9') | between(characters | 0x20 * each, 'a', 'f');
  return (characters & top) == 0 && (good & top) == top;
}

template <class T>
std::uint64_t characters_at(const char* p) {
  T raw;
  std::memcpy(&raw, p, sizeof raw);
  return raw;
}

// Of eight hexadecimal digits, the first of them in the lowest byte.
std::uint64_t number_of(std::uint64_t digits) {
  auto n = (digits & 0x0f0f'0f0f'0f0f'0f0f) + 9 * (digits >> 6 & 0x0101'0101'0101'0101);
  n = __builtin_bswap64(n);
  n = (n | n >> 4) & 0x00ff'00ff'00ff'00ff;
  n = (n | n >> 8) & 0x0000'ffff'0000'ffff;
  return (n | n >> 16) & 0xffff'ffff;
}

}  // namespace

std::string new_command_id(timestamp now) {
  std::random_device random;
  const auto draw = [&] { return std::uint64_t{random()} << 32 | random(); };
  const auto ms = static_cast<std::uint64_t>(now.time_since_epoch().count()) & 0xffff'ffff'ffff;
  const auto a = draw();
  const auto b = draw();
  return fmt::format("{:08x}-{:04x}-7{:03x}-{:04x}-{:012x}", ms >> 16, ms & 0xffff, a & 0xfff,
                     0x8000 | (a >> 12 & 0x3fff), b & 0xffff'ffff'ffff);
}

std::optional<timestamp> time_of_command_id(bytes_view id) {
  if (id.size() != uuid_text_bytes || id[14] != '7') return std::nullopt;
  if (id[8] != '-' || id[13] != '-' || id[18] != '-' || id[23] != '-') return std::nullopt;
  const auto eight = [&](std::size_t at) { return characters_at<std::uint64_t>(id.data() + at); };
  const auto four = [&](std::size_t at) { return characters_at<std::uint32_t>(id.data() + at); };
  const bool good = all_hex(eight(0)) && all_hex(four(9) | four(14) << 32) &&
                    all_hex(four(19) | four(24) << 32) && all_hex(eight(28));
  if (!good) return std::nullopt;
  const auto ms = number_of(eight(0)) << 16 | number_of(four(9)) >> 16;
  return timestamp{milliseconds{static_cast<std::int64_t>(ms)}};
}

result<void> check_command_id(bytes_view id) {
  if (!id.empty() && id.size() <= max_command_id_bytes) return {};
  return fail(errc::invalid_argument, "the command's id " + printable(id, 40),
              fmt::format("it has {} bytes, and may have 1 … {}", id.size(), max_command_id_bytes));
}

bytes derived_command_id(bytes_view cause) {
  const auto h = checksum128(cause);
  return fmt::format("{:016x}{:016x}", h.high, h.low);
}

}  // namespace kappa
