// What a state partition keeps: values, lists under a hash, identity and schemas, keys of windows.

#include "fuzz/fuzz.hpp"
#include "kappa/stream/window.hpp"
#include "state/state_meta.hpp"
#include "state/stored_form.hpp"

namespace kappa::fuzz {
namespace {

void values(script s) {
  const auto seed = s.number();
  const auto key = s.text(64);
  (void)detail::read_value(seed, key, s.rest());
  bytes stored;
  detail::store_value(seed, key, s.rest(), stored);
  const auto read = detail::read_value(seed, key, stored);
  expect(read && *read == s.rest(), "a value is read back as it was");
  const auto bit = checksum(s.rest()) % (stored.size() * 8);
  stored[bit / 8] = static_cast<char>(stored[bit / 8] ^ 1 << bit % 8);
  expect(!detail::read_value(seed, key, stored), "a flipped bit is noticed");
}

void lists(script s) {
  const auto seed = s.number();
  const bytes key{s.text(40)};
  const bytes value{s.text(40)};
  const auto list = s.rest();
  bytes_view items = list;
  while (!items.empty() && detail::take_item(items)) {
  }
  bytes_view found;
  const auto before = detail::find_item(seed, list, key, found);
  bytes changed;
  if (!detail::change_item(seed, list, key, value, changed)) return;
  expect(before != detail::item_search::found || !list.empty(), "nothing is found in nothing");
  bytes_view after;
  expect(
      detail::find_item(seed, changed, key, after) == detail::item_search::found && after == value,
      "what was set in a list is found");
  bytes removed;
  expect(detail::change_item(seed, changed, key, std::nullopt, removed),
         "a list can be changed again");
  bytes_view none;
  expect(detail::find_item(seed, removed, key, none) != detail::item_search::found,
         "what was removed from a list is gone");
}

void meta(script s) {
  if (const auto id = detail::decode_identity(s.rest())) {
    const auto once = detail::encode_identity(*id);
    const auto back = detail::decode_identity(once);
    expect(back && *back == *id, "an identity is read back as it was");
    expect(detail::check_identity(*id, *back, "state").has_value(), "an identity is its own");
  }
  if (const auto schema = detail::decode_schema(s.rest())) {
    const auto back = detail::decode_schema(detail::encode_schema(*schema));
    expect(back && detail::same_schema(*schema, *back), "a schema is read back as it was");
  }
}

void keys(script s) {
  const auto key = s.text(64);
  const timestamp start{milliseconds{static_cast<std::int64_t>(s.number())}};
  const auto made = window_state_key(key, start);
  const auto parts = split_window_state_key(made);
  expect(parts && parts->key == key && parts->start == start, "a window's key is taken apart");
  if (const auto other = split_window_state_key(s.rest())) {
    expect(window_state_key(other->key, other->start) == s.rest(), "a window's key has one form");
    const auto before = std::pair{bytes{key}, start} < std::pair{other->key, other->start};
    expect((bytes_view{made} < s.rest()) == before,
           "keys of windows have the order of key and start");
  }
  if (const auto of_record = split_windowed_key(s.rest())) {
    bytes again = of_record->key;
    append_ordered(again, std::int64_t{of_record->start.time_since_epoch().count()});
    expect(again == s.rest(), "a windowed record's key has one form");
  }
}

template <class T>
void element(bytes_view in) {
  const auto v = codec<T>::decode(in);
  if (!v) return;
  expect(encoded(*v) == in, "an element has one form");
}

}  // namespace

void state(bytes_view in) {
  script s{in};
  switch (s.byte() % 6) {
    case 0:
      return values(s);
    case 1:
      return lists(s);
    case 2:
      return meta(s);
    case 3:
      return keys(s);
    case 4:
      return element<keyed<bytes, std::int64_t>>(s.rest());
    default:
      return element<windowed<std::int32_t, bytes>>(s.rest());
  }
}

}  // namespace kappa::fuzz
