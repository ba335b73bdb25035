#include "kappa/stream/window.hpp"

namespace kappa {

std::optional<windowed_record_key> split_windowed_key(bytes_view record_key) {
  if (record_key.size() < 8) return std::nullopt;
  const auto start = read_ordered(record_key.substr(record_key.size() - 8));
  return windowed_record_key{bytes{record_key.substr(0, record_key.size() - 8)},
                             timestamp{milliseconds{*start}}};
}

bytes window_state_key(bytes_view key, timestamp start) {
  bytes out;
  out.reserve(key.size() + 10);
  append_ordered(out, key);
  append_ordered(out, std::int64_t{start.time_since_epoch().count()});
  return out;
}

std::optional<windowed_record_key> split_window_state_key(bytes_view state_key) {
  auto key = take_ordered_part(state_key);
  const auto start = read_ordered(state_key);
  if (!key || !start || state_key.size() != 8) return std::nullopt;
  return windowed_record_key{std::move(*key), timestamp{milliseconds{*start}}};
}

namespace detail {
namespace {

// Records between stages are of one shape: equal or nothing.
result<void> can_read_wrapped(const schema_info& present, const schema_info& stored, read_as) {
  if (present.name != stored.name) {
    return fail(errc::incompatible, stored.name,
                fmt::format("the present type is {}", present.name));
  }
  if (present.description == stored.description) return {};
  return fail(errc::incompatible, stored.name,
              "its shape changed; records between stages are of one shape: use a new generation");
}

}  // namespace

schema_info wrapped_schema(const char* wrapper, const schema_info& key, const schema_info& value) {
  schema_info s;
  s.name = fmt::format("{}<{},{}>", wrapper, key.name, value.name);
  s.description = fmt::format("{} {}\n{}{}", wrapper, key.description.size(), key.description,
                              value.description);
  s.fingerprint = checksum(s.description, key.fingerprint ^ (value.fingerprint * 31));
  if (value.id != 0) s.id = checksum(wrapper, value.id);
  s.can_read = can_read_wrapped;
  return s;
}

schema_info window_key_schema(const schema_info& key) {
  schema_info s;
  s.name = fmt::format("window-key<{}>", key.name);
  s.description = fmt::format("window-key {}\n{}", key.description.size(), key.description);
  s.fingerprint = checksum(s.description);
  return s;
}

}  // namespace detail
}  // namespace kappa
