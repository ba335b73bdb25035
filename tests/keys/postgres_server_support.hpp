// A PostgreSQL server of a test's own, on a socket in a folder of its own.
//
// Threading: one thread. Errors: throws. Ownership: it ends with the test.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "support/child_process.hpp"
#include "support/temporary_folder.hpp"

namespace kappa::testing {

class postgres_server {
 public:
  /// Makes a database cluster, and starts.
  postgres_server();
  ~postgres_server();
  postgres_server(const postgres_server&) = delete;
  postgres_server& operator=(const postgres_server&) = delete;

  /// Takes connections when it returns.
  void start();
  /// Is gone when it returns.
  void stop();
  /// Answers no new connection.
  void pause();
  void resume();
  /// As libpq wants it.
  [[nodiscard]] std::string url() const;
  /// The first field of the first row, by psql.
  [[nodiscard]] std::string ask(const std::string& statement) const;

 private:
  test::temporary_folder folder_;
  std::filesystem::path programs_;
  std::optional<child_process> server_;
};

}  // namespace kappa::testing
