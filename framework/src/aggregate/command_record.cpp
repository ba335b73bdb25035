#include "kappa/aggregate/command_record.hpp"

#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "kappa/aggregate/remembered.hpp"
#include "kappa/core/parse_number.hpp"

namespace kappa {
namespace {

constexpr bytes_view expected_header = "kappa.expected-version";
constexpr bytes_view reply_to_header = "kappa.reply-to";
constexpr bytes_view result_to_header = "kappa.result-to";
constexpr bytes_view result_key_header = "kappa.result-key";
constexpr bytes_view about_header = "kappa.about";

// After those of outcomes that are remembered.
enum class reply_kind : std::uint8_t { conflict = 2, error = 3 };

tl::unexpected<error> malformed(bytes_view header, bytes_view value) {
  return fail(
      errc::decode, std::string{header},
      fmt::format("\"{}\" is malformed, or what belongs to it is too long", printable(value, 40)));
}

}  // namespace

void encode_command_headers(const command_headers& h, bytes& out) {
  envelope e;
  e.schema = h.type;
  if (h.id) e.id = *h.id;
  if (h.reply_to) e.correlation = h.reply_to->correlation;
  encode_envelope(out, e);
  std::vector<header_view> more;
  std::string expected;
  std::string reply_to;
  if (h.expected) {
    expected = std::to_string(*h.expected);
    more.push_back({expected_header, expected});
  }
  if (h.reply_to) {
    reply_to = std::to_string(h.reply_to->to.value);
    more.push_back({reply_to_header, reply_to});
  }
  if (h.result_to) {
    more.push_back({result_to_header, h.result_to->aggregate});
    more.push_back({result_key_header, h.result_to->key});
    more.push_back({about_header, h.result_to->about});
  }
  encode_headers(out, more);
}

result<command_headers> decode_command_headers(const headers_view& headers) {
  auto e = decode_envelope(headers);
  if (!e) return fail(std::move(e.error()));
  if (!e->schema) {
    return fail(errc::decode, std::string{envelope_header::schema},
                "the record has no such header, so that nobody knows which command it is");
  }
  command_headers h;
  h.type = std::move(*e->schema);
  if (headers.find(envelope_header::id)) h.id = std::move(e->id);
  if (const auto text = headers.find(expected_header)) {
    if (!parse_number(*text, h.expected.emplace())) return malformed(expected_header, *text);
  }
  if (const auto text = headers.find(reply_to_header)) {
    h.reply_to = reply_address_in(headers);
    if (!h.reply_to) return malformed(reply_to_header, *text);
  }
  if (const auto to = headers.find(result_to_header)) {
    h.result_to = result_address_in(headers);
    if (!h.result_to) return malformed(result_to_header, *to);
  }
  return h;
}

std::optional<reply_address> reply_address_in(const headers_view& headers) {
  const auto text = headers.find(reply_to_header);
  reply_address to;
  if (!text || !parse_number(*text, to.to.value) || to.to.value < 0) return std::nullopt;
  to.correlation = headers.find(envelope_header::correlation).value_or(bytes_view{});
  if (to.correlation.size() > max_correlation_bytes) return std::nullopt;
  return to;
}

std::optional<result_address> result_address_in(const headers_view& headers) {
  const auto aggregate = headers.find(result_to_header);
  if (!aggregate) return std::nullopt;
  const auto text_of = [&](bytes_view name) {
    return std::string{headers.find(name).value_or(bytes_view{})};
  };
  result_address to{std::string{*aggregate}, text_of(result_key_header), text_of(about_header)};
  if (to.aggregate.empty() || to.about.size() > max_about_bytes) return std::nullopt;
  return to;
}

void encode_reply(const command_outcome& o, bytes& out) {
  byte_writer w{out};
  if (const auto* receipt = std::get_if<command_receipt>(&o)) {
    encode_outcome(*receipt, out);
  } else if (const auto* why = std::get_if<rejection>(&o)) {
    encode_outcome(*why, out);
  } else if (const auto* c = std::get_if<version_conflict>(&o)) {
    w.put(reply_kind::conflict).put(c->expected).put(c->actual);
  } else {
    const auto& e = std::get<error>(o);
    w.put(reply_kind::error).put(e.code).put(std::uint8_t{e.retriable});
    w.put_bytes(e.subject).put_bytes(e.message);
  }
}

result<command_outcome> decode_reply(bytes_view in) {
  byte_reader r{in};
  switch (r.get<reply_kind>()) {
    case reply_kind::conflict: {
      version_conflict c;
      c.expected = r.get<std::uint64_t>();
      c.actual = r.get<std::uint64_t>();
      if (r.done()) return command_outcome{c};
      break;
    }
    case reply_kind::error: {
      error e;
      e.code = r.get<errc>();
      e.retriable = r.get<std::uint8_t>() != 0;
      e.subject = r.get_bytes();
      e.message = r.get_bytes();
      if (r.done()) return command_outcome{std::move(e)};
      break;
    }
    default: {
      auto o = decode_outcome(in);
      if (!o) return fail(std::move(o.error()));
      if (auto* receipt = std::get_if<command_receipt>(&*o)) receipt->next = offset{-1};
      return std::visit([](auto& v) { return command_outcome{std::move(v)}; }, *o);
    }
  }
  return fail(errc::decode, "the reply to a command", "it is malformed");
}

}  // namespace kappa
