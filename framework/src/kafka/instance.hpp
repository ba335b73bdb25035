// Who a process is to Kafka: an id made at the first start and kept in a folder, so that it is the
// same one after a restart, the count of the writers that it has opened, and an id of this life of
// it, which tells it from one that runs on a copy of the folder.
//
// Threading: one thread at a time; a lock file in the folder keeps others out (app_lock).
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "kappa/core/error.hpp"
#include "kappa/core/strong.hpp"

namespace kappa::kafka {

class instance {
 public:
  /// An empty folder: a new id, kept nowhere.
  [[nodiscard]] static result<instance> open(const std::filesystem::path& folder);

  [[nodiscard]] const std::string& id() const { return id_; }
  [[nodiscard]] const std::string& life() const { return life_; }
  /// Of a writer: one more than the last, also across restarts.
  [[nodiscard]] result<writer_term> next_term(const std::string& app, int lane);
  /// Those from `lanes` on that a former life had.
  [[nodiscard]] std::vector<int> former_lanes(const std::string& app, int lanes) const;
  [[nodiscard]] result<void> forget_lane(const std::string& app, int lane);

 private:
  instance(std::filesystem::path folder, std::string id);
  [[nodiscard]] std::filesystem::path term_file(const std::string& app, int lane) const;

  std::filesystem::path folder_;
  std::string id_;
  std::string life_;
  std::map<std::filesystem::path, std::uint64_t> terms_;  // by their files; without a folder
};

}  // namespace kappa::kafka
