// Keys in memory: for tests. All is gone with it.
//
// Threading: any thread.
#pragma once

#include <atomic>
#include <map>
#include <mutex>

#include "kappa/keys/key_store.hpp"

namespace kappa {

class memory_key_store final : public key_store {
 public:
  [[nodiscard]] std::string name() const override { return "memory"; }
  [[nodiscard]] std::optional<std::string> local_file() const override { return "memory"; }

  [[nodiscard]] result<void> check_reachable() override;
  [[nodiscard]] result<key_answer> find(bytes_view subject) override;
  [[nodiscard]] result<key_answer> find_or_create(bytes_view subject) override;
  [[nodiscard]] result<erasure> erase(bytes_view subject) override;

  /// Whether it can be reached.
  void reachable(bool is) { reachable_ = is; }

 private:
  std::atomic<bool> reachable_ = true;
  std::mutex mutex_;
  std::map<bytes, key_answer, std::less<>> keys_;  // by subject
};

}  // namespace kappa
