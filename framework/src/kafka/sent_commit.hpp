// What a transaction was made of, for whoever has to find out what became of it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "kafka/transactional_producer.hpp"

namespace kappa::kafka {

/// Where a transaction begins in each partition.
using record_begins = std::map<topic_partition, offset>;

struct sent_commit {
  std::vector<log_transaction::append> appends;
  std::vector<offset> bases;  // of `appends`
  std::shared_ptr<const std::vector<group_commit>> commits;
  bool answered = false;       // then it is decided: what of it is not there has to come
  bool aborted_since = false;  // by its producer, so that what hung of it may be gone

  [[nodiscard]] record_begins begins() const {
    record_begins all;
    for (std::size_t i = 0; i < appends.size(); ++i) {
      const auto [at, is_new] = all.emplace(appends[i].to, bases[i]);
      if (!is_new) at->second = std::min(at->second, bases[i]);
    }
    return all;
  }
  /// What is left to be seen when all but its records in these partitions is.
  [[nodiscard]] sent_commit only_in(const record_begins& where) const {
    sent_commit left;
    for (std::size_t i = 0; i < appends.size(); ++i) {
      if (!where.contains(appends[i].to)) continue;
      left.appends.push_back(appends[i]);
      left.bases.push_back(bases[i]);
    }
    left.commits = std::make_shared<const std::vector<group_commit>>();
    left.answered = true;  // by what was seen
    return left;
  }
};

/// Commits that were under way and are not seen yet, by transactional id: they outlive the producer
/// that sent them.
///
/// Threading: any thread.
class doubtful_commits {
 public:
  using number = std::uint64_t;
  /// In the order of sending.
  using of_one = std::map<number, std::shared_ptr<const sent_commit>>;

  number add(const std::string& id, sent_commit c) {
    const std::lock_guard lock{mutex_};
    all_[id][++last_] = std::make_shared<const sent_commit>(std::move(c));
    return last_;
  }
  void replace(const std::string& id, number which, sent_commit c) {
    const std::lock_guard lock{mutex_};
    all_[id][which] = std::make_shared<const sent_commit>(std::move(c));
  }
  void forget(const std::string& id, number which) {
    const std::lock_guard lock{mutex_};
    const auto at = all_.find(id);
    if (at == all_.end()) return;
    at->second.erase(which);
    if (at->second.empty()) all_.erase(at);
  }
  void forget(const std::string& id) {
    const std::lock_guard lock{mutex_};
    all_.erase(id);
  }
  [[nodiscard]] of_one of(const std::string& id) const {
    const std::lock_guard lock{mutex_};
    const auto at = all_.find(id);
    return at == all_.end() ? of_one{} : at->second;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, of_one> all_;
  number last_ = 0;
};

}  // namespace kappa::kafka
