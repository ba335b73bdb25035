#include "kafka/admin.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "kafka/absence.hpp"
#include "kafka/admin_ask.hpp"
#include "kafka/names.hpp"

namespace kappa::kafka {
namespace {

using resource =
    std::unique_ptr<rd_kafka_ConfigResource_t, destroyer<rd_kafka_ConfigResource_destroy>>;
using new_topic = std::unique_ptr<rd_kafka_NewTopic_t, destroyer<rd_kafka_NewTopic_destroy>>;

}  // namespace

result<std::string> topic_id(const std::string& topic, const rd_kafka_Uuid_t& id) {
  if (rd_kafka_Uuid_most_significant_bits(&id) != 0 ||
      rd_kafka_Uuid_least_significant_bits(&id) != 0)
    return std::string{rd_kafka_Uuid_base64str(&id)};
  return fail(errc::incompatible, topic,
              fmt::format("its broker gives topics no id, as brokers before 2.8 do, or with an "
                          "inter.broker.protocol.version before 2.8; {}",
                          needed_brokers));
}

// A consumer with a group, which it never joins: when a group's coordinator has moved while its
// offsets are asked for, librdkafka 2.14 tells the client's own group, and a client without one
// crashes.
result<std::unique_ptr<client>> open_admin_client(const kafka_log_options& options) {
  auto settings = config::create(options, "admin");
  if (!settings) return fail(settings.error());
  for (const auto& done :
       {settings->set("group.id", "kappa.admin"), settings->set("enable.auto.commit", "false")}) {
    if (!done) return fail(done.error());
  }
  return client::open(RD_KAFKA_CONSUMER, std::move(*settings), options.log);
}

result<std::string> admin::cluster_id() {
  auto id = answered_in_time(
      "kafka",
      [&](int slice_ms) {
        return std::unique_ptr<char, void (*)(char*)>{
            rd_kafka_clusterid(client_.get(), slice_ms),
            [](char* p) { rd_kafka_mem_free(nullptr, p); }};
      },
      true);
  if (!id) return fail(id.error());
  return std::string{id->get()};
}

// ── topics ──

result<void> admin::create_topic(const std::string& name, std::int32_t partitions, int replication,
                                 const std::map<std::string, std::string>& settings) {
  const auto needs = fmt::format("Create on topic {} (or on the cluster)", name);
  std::array<char, 256> why{};
  const new_topic wanted{rd_kafka_NewTopic_new(
      name.c_str(), partitions, replication == 0 ? -1 : replication, why.data(), why.size())};
  if (!wanted) return fail(errc::invalid_argument, name, std::string{why.data()});
  for (const auto& [key, value] : settings) {
    rd_kafka_NewTopic_set_config(wanted.get(), key.c_str(), value.c_str());
  }
  auto answer = ask(RD_KAFKA_ADMIN_OP_CREATETOPICS, name, needs, [&](auto* options, auto* answers) {
    auto* one = wanted.get();
    rd_kafka_CreateTopics(client_.get(), &one, 1, options, answers);
  });
  if (!answer) return fail(answer.error());
  std::size_t n = 0;
  const auto* const* results =
      rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(answer->get()), &n);
  for (std::size_t i = 0; i < n; ++i) {
    const auto code = rd_kafka_topic_result_error(results[i]);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    const auto* text = rd_kafka_topic_result_error_string(results[i]);
    return fail(client_.error_of(code, name, text == nullptr ? "" : text, needs));
  }
  return {};
}

result<void> admin::change_topic(const std::string& name,
                                 const std::map<std::string, std::string>& settings) {
  const auto needs = fmt::format("AlterConfigs on topic {}", name);
  const resource of{rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, name.c_str())};
  for (const auto& [key, value] : settings) {
    const fault f{rd_kafka_ConfigResource_add_incremental_config(
        of.get(), key.c_str(), RD_KAFKA_ALTER_CONFIG_OP_TYPE_SET, value.c_str())};
    if (f) return fail(client_.error_of(f.get(), name));
  }
  auto answer = ask(RD_KAFKA_ADMIN_OP_INCREMENTALALTERCONFIGS, name, needs,
                    [&](auto* options, auto* answers) {
                      auto* one = of.get();
                      rd_kafka_IncrementalAlterConfigs(client_.get(), &one, 1, options, answers);
                    });
  if (!answer) return fail(answer.error());
  std::size_t n = 0;
  const auto* const* results = rd_kafka_IncrementalAlterConfigs_result_resources(
      rd_kafka_event_IncrementalAlterConfigs_result(answer->get()), &n);
  for (std::size_t i = 0; i < n; ++i) {
    const auto code = rd_kafka_ConfigResource_error(results[i]);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    const auto* text = rd_kafka_ConfigResource_error_string(results[i]);
    return fail(client_.error_of(code, name, text == nullptr ? "" : text, needs));
  }
  return {};
}

result<std::map<std::string, topic_description>> admin::describe_topics(
    const std::vector<std::string>& names) {
  std::map<std::string, topic_description> out;
  if (names.empty()) return out;
  const auto subject = names.size() == 1 ? names.front() : std::string{"topics"};
  std::vector<const char*> raw;
  for (const auto& n : names) raw.push_back(n.c_str());
  const std::unique_ptr<rd_kafka_TopicCollection_t, destroyer<rd_kafka_TopicCollection_destroy>> of{
      rd_kafka_TopicCollection_of_topic_names(raw.data(), raw.size())};
  auto answer = ask(RD_KAFKA_ADMIN_OP_DESCRIBETOPICS, subject, "Describe on the topics",
                    [&](auto* options, auto* answers) {
                      rd_kafka_DescribeTopics(client_.get(), of.get(), options, answers);
                    });
  if (!answer) return fail(answer.error());
  std::size_t n = 0;
  const auto* const* topics = rd_kafka_DescribeTopics_result_topics(
      rd_kafka_event_DescribeTopics_result(answer->get()), &n);
  for (std::size_t i = 0; i < n; ++i) {
    const std::string name = rd_kafka_TopicDescription_name(topics[i]);
    if (const auto* e = rd_kafka_TopicDescription_error(topics[i])) {
      const auto code = rd_kafka_error_code(e);
      if (code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) continue;
      if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return fail(client_.error_of(e, name, "Describe on topic " + name));
    }
    auto id = topic_id(name, *rd_kafka_TopicDescription_topic_id(topics[i]));
    if (!id) return fail(id.error());
    auto& d = out[name];
    d.id = std::move(*id);
    std::size_t partitions = 0;
    (void)rd_kafka_TopicDescription_partitions(topics[i], &partitions);
    d.partitions = static_cast<std::int32_t>(partitions);
  }
  if (out.empty()) return out;

  std::vector<std::string> there;
  for (const auto& [name, d] : out) there.push_back(name);
  auto settings = settings_of(RD_KAFKA_RESOURCE_TOPIC, "topic", there);
  if (!settings) return fail(settings.error());
  for (auto& [name, all] : *settings) out[name].settings = std::move(all);
  std::erase_if(out,
                [&](const auto& d) { return !settings->contains(d.first); });  // gone meanwhile
  return out;
}

result<std::map<std::string, std::map<std::string, std::string>>> admin::settings_of(
    rd_kafka_ResourceType_t type, const char* kind, const std::vector<std::string>& names) {
  std::vector<resource> resources;
  std::vector<rd_kafka_ConfigResource_t*> raw;
  for (const auto& n : names) {
    resources.emplace_back(rd_kafka_ConfigResource_new(type, n.c_str()));
    raw.push_back(resources.back().get());
  }
  const auto subject = names.size() == 1 ? names.front() : fmt::format("{}s", kind);
  auto answer =
      ask(RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, subject,
          fmt::format("DescribeConfigs on the {}s", kind), [&](auto* options, auto* answers) {
            rd_kafka_DescribeConfigs(client_.get(), raw.data(), raw.size(), options, answers);
          });
  if (!answer) return fail(answer.error());
  std::size_t n = 0;
  const auto* const* found = rd_kafka_DescribeConfigs_result_resources(
      rd_kafka_event_DescribeConfigs_result(answer->get()), &n);
  std::map<std::string, std::map<std::string, std::string>> out;
  for (std::size_t i = 0; i < n; ++i) {
    const std::string name = rd_kafka_ConfigResource_name(found[i]);
    const auto code = rd_kafka_ConfigResource_error(found[i]);
    if (code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) continue;
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
      const auto* text = rd_kafka_ConfigResource_error_string(found[i]);
      return fail(client_.error_of(code, name, text == nullptr ? "" : text,
                                   fmt::format("DescribeConfigs on {} {}", kind, name)));
    }
    auto& settings = out[name];
    std::size_t entries = 0;
    const auto* const* all = rd_kafka_ConfigResource_configs(found[i], &entries);
    for (std::size_t e = 0; e < entries; ++e) {
      const auto* value = rd_kafka_ConfigEntry_value(all[e]);
      settings[rd_kafka_ConfigEntry_name(all[e])] = value == nullptr ? "" : value;
    }
  }
  return out;
}

result<std::optional<topic_description>> admin::describe_topic(const std::string& name) {
  auto found = describe_topics({name});
  if (!found) return fail(found.error());
  const auto at = found->find(name);
  if (at == found->end()) return std::optional<topic_description>{};
  return std::optional{std::move(at->second)};
}

result<std::vector<std::string>> admin::topics() {
  const rd_kafka_metadata_t* found = nullptr;
  const auto code = rd_kafka_metadata(client_.get(), 1, nullptr, &found, request_timeout_ms);
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return fail(client_.error_of(code, "topics"));
  const std::unique_ptr<const rd_kafka_metadata_t, void (*)(const rd_kafka_metadata_t*)> all{
      found, rd_kafka_metadata_destroy};
  std::vector<std::string> names;
  for (int i = 0; i < all->topic_cnt; ++i) {
    std::string name = all->topics[i].topic;
    if (!name.starts_with("__")) names.push_back(std::move(name));
  }
  return names;
}

// ── bounds ──

// librdkafka asks with the leader's epoch that it knows, and learns no other from a refusal: after
// a broker's restart it would be fenced (FENCED_LEADER_EPOCH) again and again. Of a topic that is
// not there it may say UNKNOWN_TOPIC_OR_PART, or that there is no leader, as it does while one is
// chosen.
result<std::vector<std::int64_t>> admin::list_offsets(const std::vector<topic_partition>& where,
                                                      std::int64_t which,
                                                      rd_kafka_IsolationLevel_t isolation) {
  absence missing;
  return patiently([&] {
    auto found = list_offsets_now(where, which, isolation);
    if (found || !found.error().retriable) return found;
    const auto there = topics();  // and who leads them
    const auto gone = std::find_if(where.begin(), where.end(), [&](const topic_partition& tp) {
      const bool listed = !tp.topic.starts_with("__");  // topics() has none of those
      return there && listed && std::find(there->begin(), there->end(), tp.topic) == there->end();
    });
    if (gone == where.end()) {
      missing.over();
    } else if (missing.lasts()) {
      found = fail(client_.error_of(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, gone->text()));
    }
    return found;
  });
}

result<std::vector<std::int64_t>> admin::list_offsets_now(const std::vector<topic_partition>& where,
                                                          std::int64_t which,
                                                          rd_kafka_IsolationLevel_t isolation) {
  const partition_list list{rd_kafka_topic_partition_list_new(static_cast<int>(where.size()))};
  for (const auto& tp : where)
    rd_kafka_topic_partition_list_add(list.get(), tp.topic.c_str(), tp.partition.value)->offset =
        which;
  const auto needs = [](const std::string& topic) { return "Describe on topic " + topic; };
  auto answer =
      ask(RD_KAFKA_ADMIN_OP_LISTOFFSETS, where.front().text(), needs(where.front().topic),
          [&](auto* options, auto* answers) {
            const fault ignored{rd_kafka_AdminOptions_set_isolation_level(options, isolation)};
            rd_kafka_ListOffsets(client_.get(), list.get(), options, answers);
          });
  if (!answer) return fail(answer.error());
  std::size_t n = 0;
  const auto* const* found =
      rd_kafka_ListOffsets_result_infos(rd_kafka_event_ListOffsets_result(answer->get()), &n);
  std::map<topic_partition, std::int64_t> offsets;
  for (std::size_t i = 0; i < n; ++i) {
    const auto* at = rd_kafka_ListOffsetsResultInfo_topic_partition(found[i]);
    const topic_partition tp{at->topic, partition{at->partition}};
    if (at->err != RD_KAFKA_RESP_ERR_NO_ERROR)
      return fail(client_.error_of(at->err, tp.text(), {}, needs(tp.topic)));
    if (at->offset == RD_KAFKA_OFFSET_INVALID) {  // a broker that has just come up answers so
      return fail(errc::unavailable, tp.text(), "its leader does not know where it ends yet", true);
    }
    offsets[tp] = at->offset;
  }
  std::vector<std::int64_t> out;
  for (const auto& tp : where) {
    if (!offsets.contains(tp))
      return fail(errc::unavailable, tp.text(), "the broker gave no offset", true);
    out.push_back(offsets[tp]);
  }
  return out;
}

result<std::int64_t> admin::list_offset(const topic_partition& tp, std::int64_t which,
                                        rd_kafka_IsolationLevel_t isolation) {
  auto found = list_offsets({tp}, which, isolation);
  if (!found) return fail(found.error());
  return found->front();
}

result<partition_bounds> admin::bounds(const topic_partition& tp) {
  // In this order: what is deleted meanwhile cannot make the end lie before the beginning.
  auto earliest = list_offset(tp, RD_KAFKA_OFFSET_SPEC_EARLIEST);
  if (!earliest) return fail(earliest.error());
  auto latest = list_offset(tp, RD_KAFKA_OFFSET_SPEC_LATEST);
  if (!latest) return fail(latest.error());
  return partition_bounds{offset{*earliest}, offset{*latest}};
}

result<offset> admin::settled_end(const topic_partition& tp, std::chrono::milliseconds patience) {
  auto written =
      list_offset(tp, RD_KAFKA_OFFSET_SPEC_LATEST, RD_KAFKA_ISOLATION_LEVEL_READ_UNCOMMITTED);
  if (!written) return fail(written.error());
  waiting_again wait{patience};
  for (;;) {
    auto stable = list_offset(tp, RD_KAFKA_OFFSET_SPEC_LATEST);
    if (!stable) return fail(stable.error());
    if (*stable >= *written) return offset{*stable};
    if (!wait.once_more()) {
      return fail(errc::timed_out, fmt::format("{}@{}", tp.text(), *stable),
                  "a transaction of another producer stays open there", true);
    }
  }
}

result<std::vector<partition_end>> admin::ends(const std::vector<topic_partition>& where) {
  std::vector<partition_end> out;
  if (where.empty()) return out;
  auto written =
      list_offsets(where, RD_KAFKA_OFFSET_SPEC_LATEST, RD_KAFKA_ISOLATION_LEVEL_READ_UNCOMMITTED);
  if (!written) return fail(written.error());
  auto settled = settled_ends(where);
  if (!settled) return fail(settled.error());
  for (std::size_t i = 0; i < where.size(); ++i)
    out.push_back({where[i], (*settled)[i], offset{(*written)[i]}});
  return out;
}

result<std::vector<offset>> admin::settled_ends(const std::vector<topic_partition>& where) {
  std::vector<offset> out;
  if (where.empty()) return out;
  auto settled = list_offsets(where, RD_KAFKA_OFFSET_SPEC_LATEST);
  if (!settled) return fail(settled.error());
  for (const auto o : *settled) out.push_back(offset{o});
  return out;
}

result<offset> admin::offset_for_time(const topic_partition& tp, timestamp t) {
  const auto ms = std::max<std::int64_t>(t.time_since_epoch().count(), 0);
  auto found = list_offset(tp, ms);
  if (!found) return fail(found.error());
  if (*found >= 0) return offset{*found};
  auto end = list_offset(tp, RD_KAFKA_OFFSET_SPEC_LATEST);
  if (!end) return fail(end.error());
  return offset{*end};
}

}  // namespace kappa::kafka
