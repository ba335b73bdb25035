#include "kafka/group_watch.hpp"

#include <algorithm>
#include <set>

namespace kappa::kafka {
namespace {

// Between two looks: while a gap may be, and for good.
constexpr std::chrono::seconds soon{1};
constexpr std::chrono::seconds later{10};

}  // namespace

void group_watch::ask() {
  const admin_options options{
      rd_kafka_AdminOptions_new(client_.get(), RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS)};
  const char* names[] = {group_.c_str()};
  answers_.reset(rd_kafka_queue_new(client_.get()));
  rd_kafka_DescribeConsumerGroups(client_.get(), names, 1, options.get(), answers_.get());
}

std::optional<group_watch::sight> group_watch::judge(
    const rd_kafka_ConsumerGroupDescription_t& group) const {
  if (rd_kafka_ConsumerGroupDescription_error(&group) != nullptr ||
      rd_kafka_ConsumerGroupDescription_state(&group) != RD_KAFKA_CONSUMER_GROUP_STATE_STABLE)
    return std::nullopt;
  std::set<std::int32_t> owned;
  std::set<std::string> members;
  const auto count = rd_kafka_ConsumerGroupDescription_member_count(&group);
  for (std::size_t m = 0; m < count; ++m) {
    const auto* member = rd_kafka_ConsumerGroupDescription_member(&group, m);
    members.insert(rd_kafka_MemberDescription_consumer_id(member));
    const auto* has = rd_kafka_MemberDescription_assignment(member);
    const auto* partitions = has == nullptr ? nullptr : rd_kafka_MemberAssignment_partitions(has);
    for (int i = 0; partitions != nullptr && i < partitions->cnt; ++i) {
      if (topic_ == partitions->elems[i].topic) owned.insert(partitions->elems[i].partition);
    }
  }
  if (owned.size() >= static_cast<std::size_t>(tasks_)) return sight::whole;
  return !members.empty() && *members.begin() == client_.member_id() ? sight::gap : sight::nothing;
}

group_watch::sight group_watch::look() {
  const auto now = std::chrono::steady_clock::now();
  if (!answers_) {
    if (now >= next_) ask();
    return sight::nothing;
  }
  const event answer{rd_kafka_queue_poll(answers_.get(), 0)};
  if (!answer) return sight::nothing;
  answers_.reset();
  next_ = now + soon;
  std::optional<sight> seen;
  if (rd_kafka_event_error(answer.get()) == RD_KAFKA_RESP_ERR_NO_ERROR) {
    std::size_t n = 0;
    const auto* const* groups = rd_kafka_DescribeConsumerGroups_result_groups(
        rd_kafka_event_DescribeConsumerGroups_result(answer.get()), &n);
    if (n == 1) seen = judge(*groups[0]);
  }
  if (seen == sight::whole) next_ = now + later;
  const bool again = std::exchange(gap_seen_, seen == sight::gap);
  if (seen != sight::gap) return seen.value_or(sight::nothing);
  if (!again) return sight::nothing;
  gap_seen_ = false;
  return sight::gap;
}

}  // namespace kappa::kafka
