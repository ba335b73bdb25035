#include "kappa/aggregate/event_header.hpp"

namespace kappa {

bytes encode_event_header(const event_header& h) {
  bytes out;
  byte_writer{out}.put(h.version).put(h.place).put(h.count);
  return out;
}

result<event_header> decode_event_header(const headers_view& headers) {
  const std::string name{event_header_name};
  const auto found = headers.find(event_header_name);
  if (!found) {
    return fail(errc::decode, name, "the record has no such header: no aggregate has written it");
  }
  byte_reader in{*found};
  event_header h;
  h.version = in.get<std::uint64_t>();
  h.place = in.get<std::uint32_t>();
  h.count = in.get<std::uint32_t>();
  if (!in.done() || h.version == 0 || h.place >= h.count)
    return fail(errc::decode, name, "it is malformed");
  return h;
}

}  // namespace kappa
