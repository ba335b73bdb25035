#include "kafka/hanging_transactions.hpp"

#include <algorithm>

#include "kafka/names.hpp"
#include "kafka/waiting_again.hpp"

namespace kappa::kafka {
namespace {

// For those who also read what was aborted.
constexpr bytes_view key_of_nothing = "kappa.nothing";

std::shared_ptr<const record_batch> nothing() {
  auto batch = std::make_shared<record_batch>();
  batch->add(timestamp{}, key_of_nothing, std::nullopt);
  return batch;
}

bool is_open(const partition_end& e) { return e.settled < e.written; }

result<std::vector<topic_partition>> unsettled(admin& ask, const std::string& group,
                                               const std::vector<topic_partition>& where) {
  auto offsets = ask.offsets_as_they_are(group, where);
  if (!offsets) return fail(offsets.error());
  std::vector<topic_partition> all;
  for (const auto& o : *offsets) {
    if (o.unsettled) all.push_back(o.where);
  }
  return all;
}

}  // namespace

producer_reach reach_of(const std::vector<topic_config>& written) {
  producer_reach r;
  for (const auto& t : written) {
    auto all = partitions_of(t);
    if (is_tasks_topic(t)) {
      r.offsets[group_of_tasks(t.name)] = std::move(all);
    } else {
      r.partitions.insert(r.partitions.end(), all.begin(), all.end());
    }
  }
  return r;
}

result<hanging_transactions> find_open(admin& ask, const producer_reach& reach) {
  hanging_transactions h;
  auto ends = ask.ends(reach.partitions);
  if (!ends) return fail(ends.error());
  std::copy_if(ends->begin(), ends->end(), std::back_inserter(h.partitions), is_open);
  for (const auto& [group, where] : reach.offsets) {
    auto found = unsettled(ask, group, where);
    if (!found) return fail(found.error());
    if (!found->empty()) h.groups[group] = std::move(*found);
  }
  return h;
}

result<hanging_transactions> await_end(admin& ask, hanging_transactions open,
                                       std::chrono::milliseconds patience) {
  waiting_again wait{patience};
  while (!open.none() && wait.once_more()) {
    std::vector<topic_partition> where;
    for (const auto& e : open.partitions) where.push_back(e.where);
    auto settled = ask.settled_ends(where);
    if (!settled) return fail(settled.error());
    for (std::size_t i = 0; i < where.size(); ++i) open.partitions[i].settled = (*settled)[i];
    std::erase_if(open.partitions, [](const partition_end& e) { return !is_open(e); });
    // Each only until it is seen settled once: others go on to move theirs.
    for (auto& [group, open_there] : open.groups) {
      auto found = unsettled(ask, group, open_there);
      if (!found) return fail(found.error());
      open_there = std::move(*found);
    }
    std::erase_if(open.groups, [](const auto& g) { return g.second.empty(); });
  }
  return open;
}

group_commit touch(const std::string& group) {
  group_commit c;
  c.group = group;
  // Of no task: should this come true, nobody's position has moved.
  c.offsets = list_of({topics_topic, partition{0}}, 0);
  c.who.reset(rd_kafka_consumer_group_metadata_new(group.c_str()));
  return c;
}

result<void> abort_hanging(transactional_producer& producer, const hanging_transactions& hanging) {
  std::vector<log_transaction::append> appends;
  for (const auto& e : hanging.partitions) appends.push_back({e.where, nothing()});
  std::vector<group_commit> commits;
  for (const auto& [group, where] : hanging.groups) commits.push_back(touch(group));
  return producer.try_out(appends, commits);
}

}  // namespace kappa::kafka
