#include "kafka/topic_watch.hpp"

#include <array>
#include <memory>

#include "kafka/admin.hpp"

namespace kappa::kafka {
namespace {

constexpr std::chrono::seconds while_it_is_there{10};

}  // namespace

error deleted_topic(const std::string& topic) {
  return {errc::not_found, topic,
          "it was deleted. What was made of it stands, but nothing can go on from there, also not "
          "with a topic of that name that is made anew: start over under another name "
          "(docs/how-to/kafka.md)"};
}

std::optional<std::string> topic_watch::id_in(rd_kafka_event_t& answer) const {
  if (rd_kafka_event_error(&answer) != RD_KAFKA_RESP_ERR_NO_ERROR) return std::nullopt;
  std::size_t n = 0;
  const auto* const* topics =
      rd_kafka_DescribeTopics_result_topics(rd_kafka_event_DescribeTopics_result(&answer), &n);
  if (n != 1) return std::nullopt;
  const auto code = rd_kafka_error_code(rd_kafka_TopicDescription_error(topics[0]));
  if (code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) return "";
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return std::nullopt;
  auto id = topic_id(topic_, *rd_kafka_TopicDescription_topic_id(topics[0]));
  return id ? std::optional{std::move(*id)} : std::nullopt;
}

result<void> topic_watch::look() {
  const auto answer = question_.answer([this](auto* options, auto* answers) {
    std::array<const char*, 1> names{topic_.c_str()};
    const std::unique_ptr<rd_kafka_TopicCollection_t, destroyer<rd_kafka_TopicCollection_destroy>>
        of{rd_kafka_TopicCollection_of_topic_names(names.data(), names.size())};
    rd_kafka_DescribeTopics(client_.get(), of.get(), options, answers);
  });
  if (!answer) return {};
  const auto id = id_in(*answer);
  if (!id || (id->empty() && id_.empty())) {  // nobody knows, or it is too new
    absence_.over();
    return {};
  }
  if (id->empty()) {
    if (absence_.lasts()) return fail(deleted_topic(topic_));
    return {};
  }
  absence_.over();
  question_.next_in(while_it_is_there);
  if (id_.empty()) id_ = *id;
  if (id_ != *id) return fail(deleted_topic(topic_));
  return {};
}

}  // namespace kappa::kafka
