#include "kafka/hanging_transactions.hpp"

#include <algorithm>

#include "kafka/names.hpp"

namespace kappa::kafka {
namespace {

// For those who also read what was aborted.
constexpr bytes_view key_of_nothing = "kappa.nothing";

std::shared_ptr<const record_batch> nothing() {
  auto batch = std::make_shared<record_batch>();
  batch->add(timestamp{}, key_of_nothing, std::nullopt);
  return batch;
}

}  // namespace

result<void> end_hanging_transactions(admin& ask, transactional_producer& producer,
                                      const std::vector<topic_config>& owned) {
  std::vector<transactional_producer::group_commit> commits;
  std::vector<topic_partition> partitions;
  for (const auto& t : owned) {
    auto all = partitions_of(t);
    if (!is_tasks_topic(t)) {
      partitions.insert(partitions.end(), all.begin(), all.end());
      continue;
    }
    const auto group = group_of_tasks(t.name);
    auto offsets = ask.offsets_as_they_are(group, all);
    if (!offsets) return fail(offsets.error());
    // One stands for all that this producer has open in the group.
    const auto open = std::find_if(offsets->begin(), offsets->end(),
                                   [](const group_offset& o) { return o.unsettled; });
    if (open == offsets->end()) continue;
    const auto& at = open->where;
    auto& c = commits.emplace_back();
    c.group = group;
    c.offsets.reset(rd_kafka_topic_partition_list_new(1));
    rd_kafka_topic_partition_list_add(c.offsets.get(), at.topic.c_str(), at.partition.value)
        ->offset = 0;
    c.who.reset(rd_kafka_consumer_group_metadata_new(group.c_str()));
  }
  auto open = ask.with_open_transactions(partitions);
  if (!open) return fail(open.error());
  if (open->empty() && commits.empty()) return {};
  std::vector<log_transaction::append> appends;
  for (const auto& tp : *open) appends.push_back({tp, nothing()});
  return producer.try_out(appends, commits);
}

}  // namespace kappa::kafka
