#include "kappa/aggregate/remembered.hpp"

#include <string>

namespace kappa {
namespace {

enum class outcome_kind : std::uint8_t { accepted, rejected };

void put_optional(byte_writer& w, const std::optional<bytes>& b) {
  w.put(std::uint8_t{b.has_value()});
  if (b) w.put_raw(*b);
}

// The rest of what is read.
std::optional<bytes> take_optional(byte_reader& r) {
  const bool there = r.get<std::uint8_t>() != 0;
  const auto rest = r.get_raw(r.rest().size());
  if (!there && !rest.empty()) r.fail();
  return there ? std::optional{bytes{rest}} : std::nullopt;
}

}  // namespace

void encode_command_header(const command_header& h, bytes& out) {
  out.clear();
  byte_writer w{out};
  w.put(std::int64_t{h.decided_at.time_since_epoch().count()}).put(h.fingerprint).put_bytes(h.id);
  put_optional(w, h.reply);
}

result<bool> decode_command_header(const headers_view& headers, command_header& out) {
  const auto found = headers.find(command_header_name);
  if (!found) return false;
  byte_reader in{*found};
  out.decided_at = timestamp{milliseconds{in.get<std::int64_t>()}};
  out.fingerprint = in.get<std::uint64_t>();
  out.id = in.get_bytes();
  out.reply = take_optional(in);
  if (!in.done()) return fail(errc::decode, std::string{command_header_name}, "it is malformed");
  return true;
}

std::uint64_t command_fingerprint(std::uint64_t type_id, bytes_view key, bytes_view body) {
  return checksum(body, checksum(key, type_id));
}

void encode_outcome(const lasting_outcome& o, bytes& out) {
  byte_writer w{out};
  if (const auto* receipt = std::get_if<command_receipt>(&o)) {
    w.put(outcome_kind::accepted)
        .put(receipt->version)
        .put(static_cast<std::uint32_t>(receipt->events));
    put_optional(w, receipt->reply);
    return;
  }
  const auto& why = std::get<rejection>(o);
  w.put(outcome_kind::rejected).put_bytes(why.reason).put_bytes(why.type).put_raw(why.value);
}

result<lasting_outcome> decode_outcome(bytes_view in) {
  byte_reader r{in};
  switch (r.get<outcome_kind>()) {
    case outcome_kind::accepted: {
      command_receipt receipt;
      receipt.version = r.get<std::uint64_t>();
      receipt.events = r.get<std::uint32_t>();
      receipt.reply = take_optional(r);
      if (r.done()) return lasting_outcome{std::move(receipt)};
      break;
    }
    case outcome_kind::rejected: {
      rejection why;
      why.reason = r.get_bytes();
      why.type = r.get_bytes();
      why.value = r.get_raw(r.rest().size());
      if (r.done()) return lasting_outcome{std::move(why)};
      break;
    }
  }
  return fail(errc::decode, "a command's outcome", "it is malformed");
}

}  // namespace kappa
