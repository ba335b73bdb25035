#include "kappa/aggregate/command_id.hpp"

#include <array>
#include <cstdint>
#include <random>

#include <fmt/format.h>

namespace kappa {
namespace {

constexpr std::size_t uuid_text_bytes = 36;

// Asked for each command.
constexpr std::array<std::int8_t, 256> hex_digits = [] {
  std::array<std::int8_t, 256> all{};
  all.fill(-1);
  for (std::int8_t i = 0; i < 10; ++i) all[static_cast<std::size_t>('0' + i)] = i;
  for (std::int8_t i = 0; i < 6; ++i) {
    all[static_cast<std::size_t>('a' + i)] = static_cast<std::int8_t>(10 + i);
    all[static_cast<std::size_t>('A' + i)] = static_cast<std::int8_t>(10 + i);
  }
  return all;
}();

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
  std::uint64_t ms = 0;
  int all = 0;  // negative once there is a character that is no digit
  const auto take = [&](std::size_t from, std::size_t to, std::uint64_t& value) {
    for (auto i = from; i < to; ++i) {
      const int digit = hex_digits[static_cast<unsigned char>(id[i])];
      all |= digit;
      value = value << 4 | static_cast<std::uint64_t>(digit);
    }
  };
  take(0, 8, ms);
  take(9, 13, ms);
  std::uint64_t rest = 0;
  take(14, 18, rest);
  take(19, 23, rest);
  rest = 0;
  take(24, 36, rest);
  if (all < 0) return std::nullopt;
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
