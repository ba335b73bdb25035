// What a transaction was made of, for whoever has to find out what became of it.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "kafka/transactional_producer.hpp"

namespace kappa::kafka {

struct sent_commit {
  std::vector<log_transaction::append> appends;
  std::vector<offset> bases;  // of `appends`
  std::shared_ptr<const std::vector<group_commit>> commits;
  bool answered = false;  // then it is decided: what of it is not there has to come

  /// Where the transaction begins in each partition.
  [[nodiscard]] std::map<topic_partition, offset> begins() const {
    std::map<topic_partition, offset> all;
    for (std::size_t i = 0; i < appends.size(); ++i) {
      const auto [at, is_new] = all.emplace(appends[i].to, bases[i]);
      if (!is_new) at->second = std::min(at->second, bases[i]);
    }
    return all;
  }
};

/// Commits that were under way and are not seen yet, by transactional id: they outlive the producer
/// that sent them.
///
/// Threading: any thread.
class doubtful_commits {
 public:
  void put(const std::string& id, sent_commit c) {
    const std::lock_guard lock{mutex_};
    all_[id] = std::make_shared<const sent_commit>(std::move(c));
  }
  void forget(const std::string& id) {
    const std::lock_guard lock{mutex_};
    all_.erase(id);
  }
  /// Null: none.
  [[nodiscard]] std::shared_ptr<const sent_commit> find(const std::string& id) const {
    const std::lock_guard lock{mutex_};
    const auto at = all_.find(id);
    return at == all_.end() ? nullptr : at->second;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<const sent_commit>> all_;
};

}  // namespace kappa::kafka
