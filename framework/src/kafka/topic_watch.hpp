// Whether a topic that must be there is still the one that it was. (A group whose topic is deleted
// ends all its tasks and goes on with none, without a word.)
//
// Threading: one thread; never blocks.
#pragma once

#include <optional>
#include <string>

#include "kafka/absence.hpp"
#include "kafka/repeated_question.hpp"

namespace kappa::kafka {

/// Of an input, or of what a stage has noted down itself.
[[nodiscard]] error deleted_topic(const std::string& topic);

class topic_watch {
 public:
  /// `of` must outlive it.
  topic_watch(client& of, std::string topic)
      : client_{of}, topic_{std::move(topic)}, question_{of, RD_KAFKA_ADMIN_OP_DESCRIBETOPICS} {}

  /// An error: it was deleted, also if there is another of its name by now.
  [[nodiscard]] result<void> look();

 private:
  /// Empty: it is not there. Nothing: nobody knows.
  [[nodiscard]] std::optional<std::string> id_in(rd_kafka_event_t& answer) const;

  client& client_;
  std::string topic_;
  repeated_question question_;
  std::string id_;
  absence absence_;
};

}  // namespace kappa::kafka
