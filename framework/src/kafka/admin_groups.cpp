// admin: what is asked about groups.
#include <algorithm>
#include <tuple>

#include <fmt/format.h>

#include "kafka/admin_ask.hpp"
#include "kafka/names.hpp"

namespace kappa::kafka {

member_description described(const std::string& group, const rd_kafka_MemberDescription_t& m) {
  member_description out;
  out.group = group;
  const auto* own = rd_kafka_MemberDescription_group_instance_id(&m);
  const auto calls = parts_of_member_name(rd_kafka_MemberDescription_client_id(&m));
  const auto name = own != nullptr && *own != 0 ? parts_of_member_name(own) : calls;
  out.calls = calls.first;
  std::tie(out.name, out.fingerprint) = name;
  out.host = rd_kafka_MemberDescription_host(&m);
  if (out.host.starts_with('/')) out.host.erase(0, 1);  // as Java writes an address without a name
  const auto* assigned = rd_kafka_MemberDescription_assignment(&m);
  const auto* list = assigned == nullptr ? nullptr : rd_kafka_MemberAssignment_partitions(assigned);
  for (int i = 0; list != nullptr && i < list->cnt; ++i)
    out.has.push_back({list->elems[i].topic, partition{list->elems[i].partition}});
  return out;
}

result<std::vector<group_offset>> admin::group_offsets(const std::string& group,
                                                       const std::vector<topic_partition>& where) {
  return patiently([&]() -> result<std::vector<group_offset>> {
    auto found = group_offsets_now(group, where);
    if (!found) return found;
    const auto open = std::find_if(found->begin(), found->end(),
                                   [](const group_offset& at) { return at.unsettled; });
    if (open == found->end()) return found;
    return fail(client_.error_of(RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT,
                                 fmt::format("group {} on {}", group, open->where.text())));
  });
}

result<std::vector<group_offset>> admin::offsets_as_they_are(
    const std::string& group, const std::vector<topic_partition>& where) {
  return patiently([&] { return group_offsets_now(group, where); });
}

result<std::vector<group_offset>> admin::group_offsets_now(
    const std::string& group, const std::vector<topic_partition>& where) {
  const auto needs = "Describe on group " + group;
  partition_list list;
  if (!where.empty()) {
    list.reset(rd_kafka_topic_partition_list_new(static_cast<int>(where.size())));
    for (const auto& tp : where)
      rd_kafka_topic_partition_list_add(list.get(), tp.topic.c_str(), tp.partition.value);
  }
  const std::unique_ptr<rd_kafka_ListConsumerGroupOffsets_t,
                        destroyer<rd_kafka_ListConsumerGroupOffsets_destroy>>
      of{rd_kafka_ListConsumerGroupOffsets_new(group.c_str(), list.get())};
  auto answer = ask(
      RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS, "group " + group, needs,
      [&](auto* options, auto* answers) {
        auto* one = of.get();
        rd_kafka_ListConsumerGroupOffsets(client_.get(), &one, 1, options, answers);
      },
      true);
  if (!answer) return fail(answer.error());
  std::size_t n = 0;
  const auto* const* groups = rd_kafka_ListConsumerGroupOffsets_result_groups(
      rd_kafka_event_ListConsumerGroupOffsets_result(answer->get()), &n);
  std::vector<group_offset> out;
  for (std::size_t g = 0; g < n; ++g) {
    if (const auto* e = rd_kafka_group_result_error(groups[g])) {
      if (rd_kafka_error_code(e) == RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND) continue;
      return fail(client_.error_of(e, "group " + group, needs));
    }
    const auto* partitions = rd_kafka_group_result_partitions(groups[g]);
    for (int i = 0; i < partitions->cnt; ++i) {
      const auto& p = partitions->elems[i];
      const topic_partition tp{p.topic, partition{p.partition}};
      if (p.err == RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT) {
        out.push_back({tp, -1, {}, true});
        continue;
      }
      if (p.err != RD_KAFKA_RESP_ERR_NO_ERROR)
        return fail(client_.error_of(p.err, fmt::format("group {} on {}", group, tp.text()), {},
                                     "Describe on topic " + tp.topic));
      if (p.offset < 0) continue;  // nothing committed
      out.push_back(
          {tp, p.offset, std::string{static_cast<const char*>(p.metadata), p.metadata_size}});
    }
  }
  return out;
}

result<void> admin::forget_group_offset(const std::string& group, const topic_partition& where) {
  const auto needs = fmt::format("Delete on group {} and Read on topic {}", group, where.topic);
  const auto list = list_of(where);
  const std::unique_ptr<rd_kafka_DeleteConsumerGroupOffsets_t,
                        destroyer<rd_kafka_DeleteConsumerGroupOffsets_destroy>>
      of{rd_kafka_DeleteConsumerGroupOffsets_new(group.c_str(), list.get())};
  const auto subject = fmt::format("group {} on {}", group, where.text());
  auto answer = ask(RD_KAFKA_ADMIN_OP_DELETECONSUMERGROUPOFFSETS, subject, needs,
                    [&](auto* options, auto* answers) {
                      auto* one = of.get();
                      rd_kafka_DeleteConsumerGroupOffsets(client_.get(), &one, 1, options, answers);
                    });
  if (!answer) return fail(answer.error());
  std::size_t n = 0;
  const auto* const* results = rd_kafka_DeleteConsumerGroupOffsets_result_groups(
      rd_kafka_event_DeleteConsumerGroupOffsets_result(answer->get()), &n);
  for (std::size_t i = 0; i < n; ++i) {
    if (const auto* e = rd_kafka_group_result_error(results[i]))
      return fail(client_.error_of(e, subject, needs));
    const auto* partitions = rd_kafka_group_result_partitions(results[i]);
    for (int p = 0; p < partitions->cnt; ++p) {
      if (partitions->elems[p].err != RD_KAFKA_RESP_ERR_NO_ERROR)
        return fail(client_.error_of(partitions->elems[p].err, subject, {}, needs));
    }
  }
  return {};
}

result<std::vector<member_description>> admin::members(const std::vector<std::string>& groups) {
  if (groups.empty()) return std::vector<member_description>{};
  return patiently([&] { return members_now(groups); });
}

result<std::vector<member_description>> admin::members_now(const std::vector<std::string>& groups) {
  std::vector<const char*> names;
  for (const auto& g : groups) names.push_back(g.c_str());
  auto answer = ask(RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS, "group " + groups.front(),
                    "Describe on group " + groups.front(), [&](auto* options, auto* answers) {
                      rd_kafka_DescribeConsumerGroups(client_.get(), names.data(), names.size(),
                                                      options, answers);
                    });
  if (!answer) return fail(answer.error());
  std::size_t n = 0;
  const auto* const* found = rd_kafka_DescribeConsumerGroups_result_groups(
      rd_kafka_event_DescribeConsumerGroups_result(answer->get()), &n);
  std::vector<member_description> out;
  for (std::size_t g = 0; g < n; ++g) {
    const std::string group = rd_kafka_ConsumerGroupDescription_group_id(found[g]);
    if (const auto* e = rd_kafka_ConsumerGroupDescription_error(found[g])) {
      if (rd_kafka_error_code(e) == RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND) continue;
      return fail(client_.error_of(e, "group " + group, "Describe on group " + group));
    }
    const auto count = rd_kafka_ConsumerGroupDescription_member_count(found[g]);
    for (std::size_t m = 0; m < count; ++m)
      out.push_back(described(group, *rd_kafka_ConsumerGroupDescription_member(found[g], m)));
  }
  return out;
}

result<std::map<std::string, std::string>> admin::group_setting(
    const std::vector<std::string>& groups, const std::string& name) {
  auto settings = settings_of(RD_KAFKA_RESOURCE_GROUP, "group", groups);
  if (!settings) return fail(settings.error());
  std::map<std::string, std::string> out;
  for (const auto& [group, all] : *settings) {
    if (const auto at = all.find(name); at != all.end()) out[group] = at->second;
  }
  return out;
}

}  // namespace kappa::kafka
