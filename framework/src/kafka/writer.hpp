// The writer of an app on Kafka: T1 is one transaction of Kafka's, with the records, the committed
// offsets of the real inputs (for lag tools) and those of the tasks' partitions, whose metadata are
// the truth.
//
// Threading: as log_writer.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "kafka/group_registry.hpp"
#include "kafka/settled_producer.hpp"
#include "kafka/topic_book.hpp"
#include "log/app_lock.hpp"

namespace kappa::kafka {

class writer final : public log_writer {
 public:
  writer(std::string app, std::string life, writer_term term,
         std::unique_ptr<settled_producer> producer, std::optional<detail::app_lock> lock,
         topic_book& topics, const group_registry& groups, admin& ask)
      : app_{std::move(app)},
        life_{std::move(life)},
        term_{term},
        producer_{std::move(producer)},
        lock_{std::move(lock)},
        topics_{topics},
        groups_{groups},
        ask_{ask} {}

  result<commit_receipt> commit(const log_transaction& tx) override;
  writer_term term() const override { return term_; }
  result<bool> moved_last(const position_key& key) override;

 private:
  [[nodiscard]] result<void> check(const log_transaction& tx);
  [[nodiscard]] result<std::vector<group_commit>> commits_of(const log_transaction& tx);
  [[nodiscard]] error about_topics(const log_transaction& tx, error e);
  [[nodiscard]] result<bool> is_partition(const topic_partition& tp);

  std::string app_;
  std::string life_;  // of this process
  writer_term term_;
  std::unique_ptr<settled_producer> producer_;
  std::optional<detail::app_lock> lock_;
  topic_book& topics_;
  const group_registry& groups_;
  admin& ask_;
  std::map<topic_partition, bool> is_partition_;  // not an input of another kind (a file)
};

}  // namespace kappa::kafka
