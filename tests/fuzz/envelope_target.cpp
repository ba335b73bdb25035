// What records carry beside their value: headers, envelope, schema, cause, marker.

#include "fuzz/fuzz.hpp"
#include "kappa/log/envelope.hpp"
#include "kappa/task/marker.hpp"

namespace kappa::fuzz {
namespace {

void headers(bytes_view in) {
  if (!headers_view::valid(in)) return;
  const headers_view h{in};
  bytes again;
  for (const auto one : h) {
    const header_view list[] = {one};
    encode_headers(again, list);
    const auto found = h.find(one.name);
    expect(found.has_value(), "a header that is there is found");
  }
  expect(headers_view::valid(again) && again.size() == in.size(),
         "headers are written as they were read");
  const auto e = decode_envelope(h);
  if (!e) {
    expect(e.error().code == errc::decode && !e.error().message.empty(), "what is wrong is said");
    return;
  }
  bytes written;
  encode_envelope(written, *e);
  expect(headers_view::valid(written), "an envelope is well-formed headers");
  const auto back = decode_envelope(headers_view{written});
  expect(back && *back == *e, "an envelope is read back as it was");
}

}  // namespace

void envelope(bytes_view in) {
  script s{in};
  switch (s.byte() % 4) {
    case 0:
      headers(s.rest());
      break;
    case 1:
      if (const auto r = decode_schema_reference(s.rest())) {
        kappa::envelope e;
        e.schema = *r;
        bytes written;
        encode_envelope(written, e);
        headers(written);
      }
      break;
    case 2:
      if (const auto a = record_address::parse(s.rest())) {
        const auto back = record_address::parse(a->text());
        expect(back && *back == *a, "an address is read back as it was");
      }
      break;
    default:
      if (const auto m = decode_marker(s.rest())) {
        const auto back = decode_marker(encode_marker(*m));
        expect(back && *back == *m, "a marker is read back as it was");
      }
  }
}

}  // namespace kappa::fuzz
