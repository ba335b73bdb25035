// Text that people and programs send: JSON, base64, times, numbers.

#include "everything.kappa.hpp"
#include "fuzz/fuzz.hpp"
#include "fuzz/written_again.hpp"
#include "kappa/serialization/base64.hpp"
#include "kappa/serialization/json.hpp"
#include "kappa/source/csv_row.hpp"

namespace kappa::fuzz {
namespace {

template <class T>
void from_text(bytes_view in) {
  const auto v = from_json<T>(in);
  if (!v) {
    expect(v.error().code == errc::decode && !v.error().message.empty(), "what is wrong is said");
    return;
  }
  survives_json(*v);
  const auto back = codec<T>::decode(encoded(*v));
  expect(back && to_json(*back) == to_json(*v), "a value from JSON survives encoding");
}

void texts(bytes_view in) {
  std::string text;
  append_json_text(text, in);
  json_document doc;
  expect(doc.parse(text), "any bytes become a JSON text");
  std::string coded;
  append_base64(coded, in);
  expect(from_base64(coded) == bytes{in}, "bytes survive base64");
  if (const auto raw = from_base64(in)) {
    std::string again;
    append_base64(again, *raw);
    expect(again == in, "base64 has one form");
  }
}

void numbers_and_times(bytes_view in) {
  if (const auto t = parse_time(in)) {
    expect(parse_time(format_time(*t)) == *t, "a time is read back as it was");
  }
  const csv_field field{"column", in};
  if (const auto n = parse_int64(field)) {
    const auto again = std::to_string(*n);
    const auto back = parse_int64({"column", again});
    expect(back && *back == *n, "a number is read back as it was");
    const auto small = parse_int32(field);
    expect(small.has_value() == (*n == static_cast<std::int32_t>(*n)), "a small number is one");
  }
  if (const auto t = parse_utc_time(field)) {
    expect(format_time(*t) == in, "a time of a row has one form");
  }
}

}  // namespace

void json(bytes_view in) {
  script s{in};
  switch (s.byte() % 5) {
    case 0:
      return from_text<everything::everything>(s.rest());
    case 1:
      return from_text<everything::shape>(s.rest());
    case 2:
      return from_text<everything::tree>(s.rest());
    case 3:
      return texts(s.rest());
    default:
      return numbers_and_times(s.rest());
  }
}

}  // namespace kappa::fuzz
