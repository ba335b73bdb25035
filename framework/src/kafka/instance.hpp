// Who a process is to Kafka: an id made at the first start and kept in a folder, so that it is the
// same one after a restart, and the count of the writers that it has opened.
//
// Threading: one thread at a time; a lock file in the folder keeps others out (app_lock).
#pragma once

#include <filesystem>
#include <string>

#include "kappa/core/error.hpp"
#include "kappa/core/strong.hpp"

namespace kappa::kafka {

class instance {
 public:
  /// An empty folder: a new id, kept nowhere.
  [[nodiscard]] static result<instance> open(const std::filesystem::path& folder);

  [[nodiscard]] const std::string& id() const { return id_; }
  /// One more than the last, also across restarts.
  [[nodiscard]] result<writer_term> next_term(const std::string& app);
  /// The last one that was given out.
  [[nodiscard]] result<writer_term> last_term(const std::string& app) const;

 private:
  instance(std::filesystem::path folder, std::string id)
      : folder_{std::move(folder)}, id_{std::move(id)} {}
  [[nodiscard]] std::filesystem::path term_file(const std::string& app) const;

  std::filesystem::path folder_;
  std::string id_;
  std::uint64_t term_ = 0;  // without a folder
};

}  // namespace kappa::kafka
