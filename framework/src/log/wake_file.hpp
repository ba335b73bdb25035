// Waiting for a change across processes, without polling: a counter in a small mapped file, with a
// futex on it. Whoever changed the log bumps it; whoever waits sleeps until it moves.
//
// Threading: any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>

#include "kappa/core/error.hpp"

namespace kappa::detail {

class wake_file {
 public:
  /// Makes the file unless read_only. A read-only one can wait, not bump.
  [[nodiscard]] static result<std::unique_ptr<wake_file>> open(const std::filesystem::path& path,
                                                               bool read_only);
  ~wake_file();
  wake_file(const wake_file&) = delete;
  wake_file& operator=(const wake_file&) = delete;

  [[nodiscard]] std::uint32_t now() const;
  /// Moves the counter (if it is writable) and wakes everybody who waits, in all processes.
  void bump();
  [[nodiscard]] bool read_only() const { return read_only_; }
  /// Sleeps while the counter is `seen`. May return early.
  void wait(std::uint32_t seen) const;

 private:
  wake_file(void* map, bool read_only) : map_{map}, read_only_{read_only} {}
  [[nodiscard]] std::uint32_t* word() const { return static_cast<std::uint32_t*>(map_); }

  void* map_;
  bool read_only_;
};

}  // namespace kappa::detail
