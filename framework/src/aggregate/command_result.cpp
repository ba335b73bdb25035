#include "kappa/aggregate/command_result.hpp"

#include <utility>

#include <fmt/format.h>

#include "kappa/aggregate/command_record.hpp"

namespace kappa {

std::string command_result::why_not() const {
  if (const auto* r = rejected()) return r->reason;
  if (const auto* c = std::get_if<version_conflict>(&outcome))
    return fmt::format("version {} was expected, it is at {}", c->expected, c->actual);
  if (const auto* e = failed()) return e->text();
  return "";
}

void codec<command_result>::encode(const command_result& v, bytes& out) {
  byte_writer{out}.put_bytes(v.about).put_bytes(v.to);
  encode_reply(v.outcome, out);
}

result<command_result> codec<command_result>::decode(bytes_view in) {
  byte_reader r{in};
  command_result v;
  v.about = r.get_bytes();
  v.to = r.get_bytes();
  if (!r.ok()) return fail(errc::decode, "the result of a command", "it is cut off");
  auto outcome = decode_reply(r.rest());
  if (!outcome) return fail(std::move(outcome.error()));
  v.outcome = std::move(*outcome);
  return v;
}

schema_info codec<command_result>::schema() {
  return {"kappa:CommandResult", 0, 1, "kappa:CommandResult", nullptr};
}

}  // namespace kappa
