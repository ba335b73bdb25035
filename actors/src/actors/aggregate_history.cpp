#include "actors/aggregate_history.hpp"

#include "actors/place_of_events.hpp"
#include "kappa/aggregate/event_header.hpp"
#include "kappa/core/type_key.hpp"
#include "kappa/log/envelope.hpp"
#include "kappa/log/for_each_record.hpp"
#include "kappa/serialization/dynamic.hpp"

namespace kappa::detail {
namespace {

// Of the answer, so that events of a megabyte each do not add up.
constexpr std::size_t most_bytes = 8 << 20;

// As it is in the log: a former event is not what it has become, so that versions have one each.
// One of a type that is not the aggregate's any more is shown as bytes.
result<std::string> json_of(const aggregate_program& program, const schema_reference& type,
                            bytes_view value, key_ring* keys) {
  const auto& forms = program.forms();
  for (const auto* all : {&forms.events, &forms.former_events}) {
    for (const auto& form : *all) {
      if (key_of_type(form.schema) != key_of_type(type)) continue;
      auto text = form.to_json(value, keys);
      if (text || text.error().retriable) return text;
    }
  }
  return json_of_unknown(value);
}

}  // namespace

result<aggregate_history> read_history(host& h, const history_question& q) {
  const auto until = std::chrono::steady_clock::now() + q.time;
  const auto where = place_of_events(h, *q.stage, q.key);
  if (!where) return fail(where.error());
  aggregate_history out;
  out.at_end = true;
  std::size_t bytes_read = 0;
  const auto take = [&](const record_view& r) -> result<bool> {
    if (r.key == bytes_view{q.key} && r.value) {
      const auto header = decode_event_header(r.headers);
      const auto envelope = decode_envelope(r.headers);
      if (header && envelope && envelope->schema) {
        auto text = json_of(*q.stage->aggregate, *envelope->schema, *r.value, h.keys());
        if (!text) return fail(std::move(text.error()));
        auto& e = out.events.emplace_back();
        e.version = header->version;
        e.time = r.time;
        e.type = envelope->schema->name;
        e.position = r.offset;
        e.json = std::move(*text);
        bytes_read += e.json.size();
      }
    }
    out.at_end = out.events.size() < q.limit && bytes_read < most_bytes &&
                 std::chrono::steady_clock::now() < until;
    return out.at_end;
  };
  auto next = for_each_record(h.log(), *where, q.from, take);
  if (!next) return fail(next.error());
  out.next = *next;
  return out;
}

}  // namespace kappa::detail
