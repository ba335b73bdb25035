// What tasks write of themselves: birth and epoch records, metadata of positions, snapshots,
// clocks, timers.

#include "fuzz/fuzz.hpp"
#include "kappa/task/epoch.hpp"
#include "kappa/task/input_clock.hpp"

namespace kappa::fuzz {
namespace {

// What was read is written in one form only.
template <class Decode, class Encode>
void written_again(bytes_view in, Decode decode, Encode encode) {
  const auto v = decode(in);
  if (!v) return;
  const auto once = encode(*v);
  const auto back = decode(once);
  expect(back && *back == *v, "what was written is read back as it was");
  expect(encode(*back) == once, "what is written has one form");
}

void clock(bytes_view in) {
  auto c = input_clock::internal({{"a", 2, {"in"}, {}}, {"b", 1, {}, {"in"}}});
  byte_reader r{in};
  if (!c.decode(r)) return;
  expect(c.ended() || c.idle() || c.watermark().has_value(), "a clock is in some state");
  bytes once;
  byte_writer w{once};
  c.encode(w);
  auto again = input_clock::internal({{"a", 2, {"in"}, {}}, {"b", 1, {}, {"in"}}});
  byte_reader back{once};
  expect(again.decode(back) && back.done(), "a clock that was written is read");
  expect(again.watermark() == c.watermark() && again.through() == c.through(),
         "a clock is read back as it was");
}

void timers(bytes_view in) {
  script s{in};
  const auto first = s.text(255);
  const auto a = decode_timer(first);
  const auto b = decode_timer(s.rest());
  if (!a || !b) return;
  expect(encode_timer(*a) == first, "a timer has one form");
  expect((encode_timer(*a) < encode_timer(*b)) == (*a < *b),
         "the bytes of timers have their order");
  expect(!timer_before(*a, *b) || !timer_before(*b, *a), "the order of timers is one");
}

}  // namespace

void epochs(bytes_view in) {
  script s{in};
  const auto kind = s.byte();
  const auto rest = s.rest();
  switch (kind % 6) {
    case 0:
      written_again(rest, decode_birth, encode_birth);
      break;
    case 1:
      written_again(rest, decode_epoch_record, encode_epoch_record);
      break;
    case 2:
      written_again(rest, decode_metadata, encode_metadata);
      break;
    case 3:
      written_again(rest, decode_snapshot, encode_snapshot);
      break;
    case 4:
      clock(rest);
      break;
    default:
      timers(rest);
  }
}

}  // namespace kappa::fuzz
