#include "crash/raw_log.hpp"

#include <cstring>
#include <stdexcept>

#include <xxhash.h>

#include "crash/raw_environment.hpp"

namespace kappa::crash {
namespace {

[[noreturn]] void broken(const std::string& where, const std::string& what) {
  throw std::runtime_error{where + ": " + what};
}

// Little-endian numbers off the front of some bytes.
class taker {
 public:
  taker(std::string_view in, std::string where) : in_{in}, where_{std::move(where)} {}
  template <class T>
  T number() {
    T v{};
    std::memcpy(&v, take(sizeof v).data(), sizeof v);
    return v;
  }
  std::string_view take(std::size_t n) {
    if (in_.size() < n) broken(where_, "it is shorter than it says");
    const auto part = in_.substr(0, n);
    in_.remove_prefix(n);
    return part;
  }
  [[nodiscard]] std::string_view rest() const { return in_; }

 private:
  std::string_view in_;
  std::string where_;
};

std::int64_t ordered_number(std::string_view key, const std::string& where) {
  if (key.size() != 8) broken(where, "a frame's key is not an offset");
  std::uint64_t v = 0;
  for (const char c : key) v = v << 8 | static_cast<unsigned char>(c);
  return static_cast<std::int64_t>(v ^ std::uint64_t{1} << 63);
}

constexpr std::size_t frame_header_bytes = 64;
constexpr std::size_t summed_from = 16;  // magic, version, header size, checksum
constexpr std::size_t record_head_bytes = 32;

raw_record parse_record(std::string_view whole, std::int64_t base, const std::string& where) {
  taker in{whole, where};
  (void)in.number<std::uint32_t>();  // size
  raw_record r;
  r.offset = base + in.number<std::uint32_t>();
  r.time_ms = in.number<std::int64_t>();
  const auto value_size = in.number<std::int32_t>();
  const auto key_size = in.number<std::int32_t>();
  const auto headers_size = in.number<std::uint32_t>();
  (void)in.number<std::uint32_t>();
  if (value_size >= 0) {
    r.value = in.take(static_cast<std::size_t>(value_size));
    in.take((8 - static_cast<std::size_t>(value_size) % 8) % 8);
  }
  if (key_size >= 0) r.key = in.take(static_cast<std::size_t>(key_size));
  taker headers{in.take(headers_size), where};
  while (!headers.rest().empty()) {
    const auto name_size = headers.number<std::uint16_t>();
    (void)headers.number<std::uint16_t>();
    const auto size = headers.number<std::uint32_t>();
    std::string name{headers.take(name_size)};
    r.headers.emplace_back(std::move(name), headers.take(size));
  }
  if (in.rest().size() >= 8) broken(where, "bytes are left after its last header");
  return r;
}

void parse_frame(std::string_view key, std::string_view stored, const std::string& place,
                 raw_partition& out) {
  const auto first = ordered_number(key, place);
  const auto where = place + "@" + std::to_string(first);
  taker in{stored, where};
  if (in.number<std::uint32_t>() != 0x3146504b) broken(where, "no frame");
  if (in.number<std::uint16_t>() != 1) broken(where, "a frame of another version");
  if (in.number<std::uint16_t>() != frame_header_bytes)
    broken(where, "a frame with another header");
  const auto sum = in.number<std::uint64_t>();
  const auto seed = XXH3_64bits(place.data(), place.size());
  const auto summed = stored.substr(summed_from);
  if (XXH3_64bits_withSeed(summed.data(), summed.size(), seed) != sum)
    broken(where, "its checksum is wrong");
  const auto base = in.number<std::int64_t>();
  const auto said_first = in.number<std::int64_t>();
  const auto last = in.number<std::int64_t>();
  const auto max_time = in.number<std::int64_t>();
  const auto count = in.number<std::uint32_t>();
  const auto body_bytes = in.number<std::uint32_t>();
  (void)in.number<std::uint64_t>();
  if (said_first != first || body_bytes != in.rest().size()) broken(where, "its header is wrong");
  if (!out.empty() && out.back().offset + 1 != first)
    broken(where, "offsets are missing or double before it");
  std::int64_t largest = INT64_MIN;
  for (std::uint32_t i = 0; i < count; ++i) {
    std::uint32_t size = 0;
    if (in.rest().size() < record_head_bytes) broken(where, "records are missing");
    std::memcpy(&size, in.rest().data(), sizeof size);
    if (size < record_head_bytes || size % 8 != 0) broken(where, "a record's size is wrong");
    out.push_back(parse_record(in.take(size), base, where));
    if (out.back().offset != first + i) broken(where, "its records' offsets are wrong");
    largest = std::max(largest, out.back().time_ms);
  }
  if (!in.rest().empty() || count == 0 || out.back().offset != last || largest != max_time) {
    broken(where, "it is not as its header says");
  }
}

}  // namespace

const std::string* raw_record::header(const std::string& name) const {
  for (const auto& [n, v] : headers) {
    if (n == name) return &v;
  }
  return nullptr;
}

raw_log read_raw_log(const std::filesystem::path& folder) {
  raw_environment env{folder};
  raw_log log;
  env.each("log.meta", [&](std::string_view name, std::string_view stored) {
    if (name == "id" && stored.size() > 8) log.id = stored.substr(8);  // after its checksum
  });
  struct found_topic {
    std::string name;
    std::uint32_t number = 0;
    std::int32_t partitions = 0;
  };
  std::vector<found_topic> found;
  env.each("log.topics", [&](std::string_view name, std::string_view stored) {
    taker in{stored, std::string{name}};
    (void)in.number<std::uint64_t>();  // checksum
    found_topic t{std::string{name}, 0, 0};
    t.number = in.number<std::uint32_t>();
    t.partitions = in.number<std::int32_t>();
    found.push_back(std::move(t));
  });
  for (const auto& t : found) {
    auto& partitions = log.topics[t.name];
    for (std::int32_t p = 0; p < t.partitions; ++p) {
      raw_partition records;
      const auto place = t.name + "#" + std::to_string(p);
      env.each("f/" + std::to_string(t.number) + "/" + std::to_string(p),
               [&](std::string_view key, std::string_view stored) {
                 parse_frame(key, stored, place, records);
               });
      partitions.push_back(std::move(records));
    }
  }
  env.each("log.positions", [&](std::string_view key, std::string_view stored) {
    log.positions[std::string{key}] = std::string{stored};
  });
  return log;
}

}  // namespace kappa::crash
