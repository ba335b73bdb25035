#include "kafka/raw_admin_support.hpp"

#include <chrono>
#include <set>

#include <boost/test/unit_test.hpp>

#include "support/kafka_broker.hpp"

namespace kafka_test {

namespace {

// The enumerator of that name.
template <class Enum>
Enum named(const std::string& name, Enum count, const char* (*name_of)(Enum)) {
  int i = 0;
  while (i < count && name != name_of(static_cast<Enum>(i))) ++i;
  BOOST_REQUIRE_MESSAGE(i < count, "there is no " << name);
  return static_cast<Enum>(i);
}

}  // namespace

raw_admin::raw_admin() : raw_admin{kappa::testing::the_broker().bootstrap()} {}
raw_admin::raw_admin(const std::string& brokers) {
  auto* conf = rd_kafka_conf_new();
  rd_kafka_conf_set(conf, "bootstrap.servers", brokers.c_str(), nullptr, 0);
  client_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf, nullptr, 0);
  BOOST_REQUIRE(client_ != nullptr);
}
raw_admin::~raw_admin() { rd_kafka_destroy(client_); }

template <class Send>
void raw_admin::ask(Send&& send) {
  ask(send, [](rd_kafka_event_t*) {});
}

template <class Send, class Look>
void raw_admin::ask(Send&& send, Look&& look) {
  auto* answers = rd_kafka_queue_new(client_);
  send(answers);
  auto* answer = rd_kafka_queue_poll(answers, 30'000);
  BOOST_REQUIRE(answer != nullptr);
  BOOST_TEST_REQUIRE(rd_kafka_event_error(answer) == RD_KAFKA_RESP_ERR_NO_ERROR,
                     rd_kafka_event_error_string(answer));
  look(answer);
  rd_kafka_event_destroy(answer);
  rd_kafka_queue_destroy(answers);
}

void raw_admin::delete_topic(const std::string& topic) {
  auto* one = rd_kafka_DeleteTopic_new(topic.c_str());
  ask([&](auto* answers) { rd_kafka_DeleteTopics(client_, &one, 1, nullptr, answers); });
  rd_kafka_DeleteTopic_destroy(one);
}

void raw_admin::add_partitions(const std::string& topic, std::int32_t total) {
  auto* one =
      rd_kafka_NewPartitions_new(topic.c_str(), static_cast<std::size_t>(total), nullptr, 0);
  ask([&](auto* answers) { rd_kafka_CreatePartitions(client_, &one, 1, nullptr, answers); });
  rd_kafka_NewPartitions_destroy(one);
}

void raw_admin::set(const std::string& topic, const std::string& setting,
                    const std::string& value) {
  auto* one = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.c_str());
  rd_kafka_error_destroy(rd_kafka_ConfigResource_add_incremental_config(
      one, setting.c_str(), RD_KAFKA_ALTER_CONFIG_OP_TYPE_SET, value.c_str()));
  ask([&](auto* answers) { rd_kafka_IncrementalAlterConfigs(client_, &one, 1, nullptr, answers); });
  rd_kafka_ConfigResource_destroy(one);
}

void raw_admin::delete_records(const std::string& topic, std::int32_t partition,
                               std::int64_t first) {
  auto* list = rd_kafka_topic_partition_list_new(1);
  rd_kafka_topic_partition_list_add(list, topic.c_str(), partition)->offset = first;
  auto* one = rd_kafka_DeleteRecords_new(list);
  ask([&](auto* answers) { rd_kafka_DeleteRecords(client_, &one, 1, nullptr, answers); });
  rd_kafka_DeleteRecords_destroy(one);
  rd_kafka_topic_partition_list_destroy(list);
}

std::int64_t raw_admin::committed(const std::string& group, const std::string& topic,
                                  std::int32_t partition) {
  auto* list = rd_kafka_topic_partition_list_new(1);
  rd_kafka_topic_partition_list_add(list, topic.c_str(), partition);
  auto* one = rd_kafka_ListConsumerGroupOffsets_new(group.c_str(), list);
  std::int64_t found = RD_KAFKA_OFFSET_INVALID;
  ask([&](auto* answers) { rd_kafka_ListConsumerGroupOffsets(client_, &one, 1, nullptr, answers); },
      [&](rd_kafka_event_t* answer) {
        std::size_t n = 0;
        const auto* const* groups = rd_kafka_ListConsumerGroupOffsets_result_groups(
            rd_kafka_event_ListConsumerGroupOffsets_result(answer), &n);
        BOOST_REQUIRE(n == 1U);
        const auto* partitions = rd_kafka_group_result_partitions(groups[0]);
        BOOST_REQUIRE(partitions != nullptr && partitions->cnt == 1);
        found = partitions->elems[0].offset;
      });
  rd_kafka_ListConsumerGroupOffsets_destroy(one);
  rd_kafka_topic_partition_list_destroy(list);
  return found;
}

void raw_admin::delete_committed(const std::string& group, const std::string& topic,
                                 std::int32_t partition) {
  auto* list = rd_kafka_topic_partition_list_new(1);
  rd_kafka_topic_partition_list_add(list, topic.c_str(), partition);
  auto* one = rd_kafka_DeleteConsumerGroupOffsets_new(group.c_str(), list);
  ask([&](auto* answers) {
    rd_kafka_DeleteConsumerGroupOffsets(client_, &one, 1, nullptr, answers);
  });
  rd_kafka_DeleteConsumerGroupOffsets_destroy(one);
  rd_kafka_topic_partition_list_destroy(list);
}

void raw_admin::grant(const std::string& principal, const std::string& kind,
                      const std::string& name, const std::vector<std::string>& operations) {
  const bool is_prefix = name.size() > 1 && name.ends_with('*');
  const auto what = is_prefix ? name.substr(0, name.size() - 1) : name;
  const auto resource = named(kind, RD_KAFKA_RESOURCE__CNT, rd_kafka_ResourceType_name);
  const auto pattern =
      is_prefix ? RD_KAFKA_RESOURCE_PATTERN_PREFIXED : RD_KAFKA_RESOURCE_PATTERN_LITERAL;
  std::vector<rd_kafka_AclBinding_t*> rights;
  for (const auto& o : operations) {
    rights.push_back(
        rd_kafka_AclBinding_new(resource, what.c_str(), pattern, principal.c_str(), "*",
                                named(o, RD_KAFKA_ACL_OPERATION__CNT, rd_kafka_AclOperation_name),
                                RD_KAFKA_ACL_PERMISSION_TYPE_ALLOW, nullptr, 0));
    BOOST_REQUIRE(rights.back() != nullptr);
  }
  ask([&](auto* answers) {
    rd_kafka_CreateAcls(client_, rights.data(), rights.size(), nullptr, answers);
  });
  rd_kafka_AclBinding_destroy_array(rights.data(), rights.size());

  // It is the controller that has answered: the broker hears of them later, and tells what it
  // knows.
  std::set<rd_kafka_AclOperation_t> known;
  auto* filter = rd_kafka_AclBindingFilter_new(resource, what.c_str(), pattern, principal.c_str(),
                                               nullptr, RD_KAFKA_ACL_OPERATION_ANY,
                                               RD_KAFKA_ACL_PERMISSION_TYPE_ALLOW, nullptr, 0);
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{60};
  while (known.size() < operations.size()) {
    BOOST_REQUIRE(std::chrono::steady_clock::now() < end);
    ask([&](auto* answers) { rd_kafka_DescribeAcls(client_, filter, nullptr, answers); },
        [&](rd_kafka_event_t* answer) {
          std::size_t n = 0;
          const auto* const* found =
              rd_kafka_DescribeAcls_result_acls(rd_kafka_event_DescribeAcls_result(answer), &n);
          for (std::size_t i = 0; i < n; ++i) known.insert(rd_kafka_AclBinding_operation(found[i]));
        });
  }
  rd_kafka_AclBinding_destroy(filter);
}

}  // namespace kafka_test
