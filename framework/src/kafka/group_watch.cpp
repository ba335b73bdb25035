#include "kafka/group_watch.hpp"

#include <array>
#include <set>
#include <utility>

#include "kafka/names.hpp"
#include "kafka/strangers.hpp"

namespace kappa::kafka {
namespace {

constexpr std::chrono::seconds while_it_is_whole{10};
// Who was seen longer ago may have been away since.
constexpr std::chrono::seconds longest_between{15};

}  // namespace

group_watch::group_watch(client& of, stage_tasks stage, std::chrono::milliseconds lingering)
    : client_{of},
      stage_{std::move(stage)},
      group_{group_of(stage_.app, stage_.stage, stage_.generation)},
      topic_{tasks_topic(stage_.app, stage_.stage, stage_.generation)},
      lingering_{lingering},
      question_{of, RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS} {}

bool group_watch::is_mixed(const std::vector<member_description>& members) {
  const auto* const stranger = stranger_among(members, stage_);
  const auto now = std::chrono::steady_clock::now();
  if (stranger == nullptr) {
    stranger_.reset();
    return false;
  }
  if (!stranger_ || now - stranger_seen_ > longest_between) stranger_since_ = now;
  stranger_seen_ = now;
  stranger_ = two_programs(stage_, *stranger);
  return now - stranger_since_ > lingering_;
}

std::optional<group_watch::sight> group_watch::judge(
    const rd_kafka_ConsumerGroupDescription_t& group) {
  const auto code = rd_kafka_error_code(rd_kafka_ConsumerGroupDescription_error(&group));
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return std::nullopt;
  std::vector<member_description> members;
  std::set<std::string> ids;
  const auto count = rd_kafka_ConsumerGroupDescription_member_count(&group);
  for (std::size_t m = 0; m < count; ++m) {
    const auto* member = rd_kafka_ConsumerGroupDescription_member(&group, m);
    members.push_back(described(group_, *member));
    ids.insert(rd_kafka_MemberDescription_consumer_id(member));
  }
  if (is_mixed(members)) return sight::stranger;
  if (rd_kafka_ConsumerGroupDescription_state(&group) != RD_KAFKA_CONSUMER_GROUP_STATE_STABLE)
    return std::nullopt;
  std::set<partition> owned;
  for (const auto& m : members) {
    for (const auto& at : m.has) {
      if (at.topic == topic_) owned.insert(at.partition);
    }
  }
  if (owned.size() >= static_cast<std::size_t>(stage_.tasks)) return sight::whole;
  return !ids.empty() && *ids.begin() == client_.member_id() ? sight::gap : sight::nothing;
}

group_watch::sight group_watch::look() {
  const auto answer = question_.answer([this](auto* options, auto* answers) {
    std::array<const char*, 1> names{group_.c_str()};
    rd_kafka_DescribeConsumerGroups(client_.get(), names.data(), names.size(), options, answers);
  });
  if (!answer) return sight::nothing;
  std::optional<sight> seen;
  if (rd_kafka_event_error(answer.get()) == RD_KAFKA_RESP_ERR_NO_ERROR) {
    std::size_t n = 0;
    const auto* const* groups = rd_kafka_DescribeConsumerGroups_result_groups(
        rd_kafka_event_DescribeConsumerGroups_result(answer.get()), &n);
    if (n == 1) seen = judge(*groups[0]);
  }
  if (seen == sight::whole && !stranger_) question_.next_in(while_it_is_whole);
  const bool again = std::exchange(gap_seen_, seen == sight::gap);
  if (seen != sight::gap) return seen.value_or(sight::nothing);
  if (!again) return sight::nothing;
  gap_seen_ = false;
  return sight::gap;
}

}  // namespace kappa::kafka
