#include "kappa/log/for_each_record.hpp"

namespace kappa {

result<void> for_each_record(event_log& log, const std::string& topic,
                             const std::function<result<void>(const record_view&)>& f) {
  constexpr std::size_t read_bytes = 1 << 20;
  auto config = log.find_topic(topic);
  if (!config) return fail(config.error());
  if (!*config) return fail(errc::not_found, topic, "there is no such topic in " + log.name());
  for (std::int32_t p = 0; p < (*config)->partitions; ++p) {
    const topic_partition where{topic, partition{p}};
    auto bounds = log.bounds(where);
    if (!bounds) return fail(bounds.error());
    auto reader = log.open_reader(where);
    if (!reader) return fail(reader.error());
    for (auto at = bounds->earliest; at < bounds->latest;) {
      auto batch = (*reader)->read(at, read_bytes);
      if (!batch) return fail(batch.error());
      read_batch::cursor records{*batch};
      for (const auto* r = records.peek(); r != nullptr && r->offset < bounds->latest;
           r = records.peek()) {
        if (auto done = f(*r); !done) return done;
        records.pop();
      }
      if (batch->next() == at) break;
      at = batch->next();
    }
  }
  return {};
}

}  // namespace kappa
