#include "state/kept_timer.hpp"

namespace kappa {

bytes encode_timer(const timer& t) {
  bytes out;
  append_ordered(out, std::int64_t{t.time.time_since_epoch().count()});
  out.push_back(static_cast<char>(t.op >> 8));
  out.push_back(static_cast<char>(t.op & 0xff));
  out.append(t.key);
  return out;
}

std::optional<timer> decode_timer(bytes_view in) {
  const auto time = read_ordered(in);
  if (!time || in.size() < 10) return std::nullopt;
  timer t;
  t.time = timestamp{milliseconds{*time}};
  t.op = static_cast<std::uint16_t>(static_cast<unsigned char>(in[8]) << 8 |
                                    static_cast<unsigned char>(in[9]));
  t.key = in.substr(10);
  return t;
}

namespace detail {
namespace {

constexpr std::size_t head_bytes = 10;
constexpr std::size_t longest_plain_key = 400;
constexpr std::size_t long_key_prefix = 384;

}  // namespace

kept_timer keep(const timer& t) {
  kept_timer k{encode_timer(t), {}};
  if (t.key.size() > longest_plain_key) {
    k.rest = t.key.substr(long_key_prefix);
    k.place.resize(head_bytes + long_key_prefix);
    const auto hash = checksum128(t.key);
    // The last byte makes it longer than any plain one: the two cannot be taken for each other.
    byte_writer{k.place}.put(hash.high).put(hash.low).put('\xff');
  }
  return k;
}

std::optional<timer> give_back(bytes_view place, bytes_view rest) {
  auto t = decode_timer(place);
  if (t && !rest.empty()) {
    if (t->key.size() < long_key_prefix) return std::nullopt;
    t->key.resize(long_key_prefix);
    t->key.append(rest);
  }
  return t;
}

}  // namespace detail

bool timer_before(const timer& a, const timer& b) {
  if (a.key.size() <= detail::longest_plain_key && b.key.size() <= detail::longest_plain_key)
    return a < b;
  return detail::keep(a) < detail::keep(b);
}

}  // namespace kappa
