#include "kappa/aggregate/command_id.hpp"

#include <cstdint>
#include <random>

#include <fmt/format.h>

namespace kappa {
namespace {

constexpr std::size_t uuid_text_bytes = 36;

std::optional<unsigned> hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return std::nullopt;
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
  std::int64_t ms = 0;
  for (std::size_t i = 0; i < id.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash) {
      if (id[i] != '-') return std::nullopt;
      continue;
    }
    const auto digit = hex_digit(id[i]);
    if (!digit) return std::nullopt;
    if (i < 13) ms = ms << 4 | *digit;
  }
  return timestamp{milliseconds{ms}};
}

result<void> check_command_id(bytes_view id) {
  if (!id.empty() && id.size() <= max_command_id_bytes) return {};
  return fail(errc::invalid_argument, "the command's id " + printable(id, 40),
              fmt::format("it has {} bytes, and may have 1 … {}", id.size(), max_command_id_bytes));
}

}  // namespace kappa
