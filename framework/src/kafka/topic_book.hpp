// Which topics there are, and what Kafka cannot say of them: who owns one, and how large its
// records may be. That is noted in the compacted topic `kappa.topics`: key the topic's name, value
// one JSON object {"id": Kafka's topic id, "owner": …, "max_record_bytes": …}. A note of another id
// is of a topic that was deleted since, and counts for nothing.
//
// A topic is made first and noted down then; before, the intention is: key "<name> <owner>", value
// {"max_record_bytes": …}. A topic with an intention and no note is being made by another process,
// which is waited for, or its maker died: then whoever finds it notes it down.
//
// Threading: any thread; blocks.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "kafka/absence.hpp"
#include "kafka/admin.hpp"
#include "kafka/fetch_pool.hpp"
#include "kafka/outside_producer.hpp"
#include "kafka/reader.hpp"
#include "kappa/log/event_log.hpp"
#include "log/buffer_pool.hpp"

namespace kappa::kafka {

class topic_book {
 public:
  topic_book(const kafka_log_options& options, admin& ask, fetch_pool& pool, outside_producer& out,
             std::shared_ptr<detail::buffer_pool> buffers)
      : options_{options}, ask_{ask}, pool_{pool}, out_{out}, buffers_{std::move(buffers)} {}

  [[nodiscard]] result<void> create(const topic_config& config);
  /// As it is now. Without an owner there are no settings of ours: a topic from outside.
  [[nodiscard]] result<std::optional<topic_config>> find(const std::string& name);
  /// As it was when it was first seen: for what is asked often and does not change.
  [[nodiscard]] result<std::optional<topic_config>> known(const std::string& name);
  [[nodiscard]] result<std::vector<topic_config>> all();
  /// Of topics that must be there. errc::not_found: one was deleted; errc::unavailable: the brokers
  /// do not know it at the moment.
  [[nodiscard]] result<std::map<std::string, topic_description>> describe(
      const std::vector<std::string>& names);
  /// With its tasks topics, which `all` leaves out.
  [[nodiscard]] result<std::vector<topic_config>> owned_by(const std::string& app);
  /// And those that are written from outside for the app: all that it may have begun to write.
  [[nodiscard]] result<std::vector<topic_config>> written_by(const std::string& app);
  /// What time it is for the brokers, by a note that they put a time on. Nothing: the topic of the
  /// notes was made by somebody else, and keeps no such times.
  [[nodiscard]] result<std::optional<timestamp>> brokers_time();

 private:
  [[nodiscard]] result<std::vector<topic_config>> configs_of(const std::vector<std::string>& names);
  [[nodiscard]] result<void> catch_up();
  [[nodiscard]] std::optional<topic_config> remembered(const std::string& name);
  void remember(const topic_config& config);
  void forget(const std::string& name);
  [[nodiscard]] result<void> make_notes_topic();
  [[nodiscard]] result<outside_producer::receipt> put(const std::string& key,
                                                      const std::string& value);
  [[nodiscard]] result<std::optional<topic_config>> look(const std::string& name);
  [[nodiscard]] result<void> settle(const std::string& name, const std::string& id);
  [[nodiscard]] result<topic_config> with_note(const std::string& name, const topic_description& d);
  [[nodiscard]] result<topic_description> await(const std::string& name);
  [[nodiscard]] result<void> claim(const topic_config& wanted, const std::string& id);

  const kafka_log_options& options_;
  admin& ask_;
  fetch_pool& pool_;
  outside_producer& out_;
  std::shared_ptr<detail::buffer_pool> buffers_;
  std::mutex mutex_;
  std::map<std::string, std::string> notes_;  // by key
  // By itself, so that a commit, which asks for nothing else, never waits for others' questions.
  std::mutex known_mutex_;
  std::map<std::string, topic_config> known_;
  std::mutex absences_mutex_;
  std::map<std::string, absence> absences_;
  std::unique_ptr<reader> reader_;
  offset next_;
};

}  // namespace kappa::kafka
