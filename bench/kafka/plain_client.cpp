#include "kafka/plain_client.hpp"

#include <stdexcept>

#include <fmt/format.h>

namespace bench::kafka {
namespace {

handle open(rd_kafka_type_t type, const settings& s) {
  std::array<char, 512> why{};
  std::unique_ptr<rd_kafka_conf_t, kappa::kafka::destroyer<rd_kafka_conf_destroy>> conf{
      rd_kafka_conf_new()};
  for (const auto& [name, value] : s) {
    if (rd_kafka_conf_set(conf.get(), name.c_str(), value.c_str(), why.data(), why.size()) !=
        RD_KAFKA_CONF_OK)
      throw std::runtime_error{why.data()};
  }
  handle made{rd_kafka_new(type, conf.get(), why.data(), why.size())};
  if (!made) throw std::runtime_error{why.data()};
  (void)conf.release();  // the handle has it
  return made;
}

}  // namespace

void expect_ok(rd_kafka_resp_err_t code, const char* what) {
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
    throw std::runtime_error{fmt::format("{}: {}", what, rd_kafka_err2str(code))};
}

void expect_ok(const fault& f, const char* what) {
  if (f) throw std::runtime_error{fmt::format("{}: {}", what, rd_kafka_error_string(f.get()))};
}

handle open_producer(settings s) { return open(RD_KAFKA_PRODUCER, s); }

topic_handle open_topic(const handle& of, const std::string& topic) {
  topic_handle made{rd_kafka_topic_new(of.get(), topic.c_str(), nullptr)};
  if (!made) expect_ok(rd_kafka_last_error(), topic.c_str());
  // The partitions are known before anything is produced to them: what rd_kafka_produce_batch of
  // librdkafka 2.14 takes earlier it adds to the transaction as partition -1, which brokers refuse.
  const rd_kafka_metadata_t* known = nullptr;
  expect_ok(rd_kafka_metadata(of.get(), 0, made.get(), &known, 30'000), topic.c_str());
  rd_kafka_metadata_destroy(known);
  return made;
}

plain_consumer::plain_consumer(handle consumer) : consumer_{std::move(consumer)} {
  expect_ok(rd_kafka_poll_set_consumer(consumer_.get()), "consumer queue");
  queue_.reset(rd_kafka_queue_get_consumer(consumer_.get()));
}

plain_consumer plain_consumer::of_group(settings s, const std::string& topic) {
  plain_consumer made{open(RD_KAFKA_CONSUMER, s)};
  const partition_list topics{rd_kafka_topic_partition_list_new(1)};
  rd_kafka_topic_partition_list_add(topics.get(), topic.c_str(), RD_KAFKA_PARTITION_UA);
  expect_ok(rd_kafka_subscribe(made.get(), topics.get()), "subscribe");
  return made;
}

plain_consumer plain_consumer::of_all(settings s, const std::string& topic, std::int32_t partitions,
                                      std::int64_t offset) {
  s.try_emplace("group.id", "none");
  plain_consumer made{open(RD_KAFKA_CONSUMER, s)};
  const partition_list all{rd_kafka_topic_partition_list_new(partitions)};
  for (std::int32_t p = 0; p < partitions; ++p)
    rd_kafka_topic_partition_list_add(all.get(), topic.c_str(), p)->offset = offset;
  expect_ok(rd_kafka_assign(made.get(), all.get()), "assign");
  return made;
}

}  // namespace bench::kafka
