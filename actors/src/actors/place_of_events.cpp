#include "actors/place_of_events.hpp"

#include <algorithm>

#include "kappa/core/partitioner.hpp"
#include "kappa/log/for_each_record.hpp"

namespace kappa {
namespace detail {

result<topic_partition> place_of_events(host& h, const stage_spec& stage, bytes_view key) {
  const auto port = std::find_if(stage.ports.begin(), stage.ports.end(),
                                 [](const port_spec& p) { return p.kind == port_kind::events; });
  if (port == stage.ports.end()) bug("an aggregate without a topic of events");
  const auto config = h.log().find_topic(port->topic);
  if (!config) return fail(config.error());
  if (!*config) return fail(errc::unavailable, port->topic, "there is no such topic yet", true);
  return topic_partition{port->topic, partition_of(key, (*config)->partitions)};
}

result<record_address> end_of_events(host& h, const stage_spec& stage, bytes_view key) {
  auto where = place_of_events(h, stage, key);
  if (!where) return fail(where.error());
  auto end = end_of_records(h.log(), *where);
  if (!end) return fail(end.error());
  return record_address{std::move(*where), *end};
}

}  // namespace detail

result<record_address> host::end_of_events(const detail::aggregate_address& type, bytes_view key) {
  const auto stage = stage_of(type);
  if (!stage) return fail(stage.error());
  return detail::end_of_events(*this, *topology().find(*stage), key);
}

}  // namespace kappa
