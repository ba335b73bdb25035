// A file that is read once from front to back and must not change meanwhile.
//
// Threading: one thread at a time. Errors: errc::not_found, bad_config (not a file, empty), io,
// incompatible (somebody wrote to it).
#pragma once

#include <cstdint>
#include <string>

#include "kappa/core/bytes.hpp"
#include "kappa/core/error.hpp"

namespace kappa::detail {

struct file_identity {
  std::uint64_t size = 0;
  std::uint64_t first = 0;       // hash of the first 64 KiB
  std::uint64_t last = 0;        // hash of the last 64 KiB
  std::int64_t modified_ns = 0;  // says whether to check the rows read, not whether it is the file
};

class file_descriptor {
 public:
  file_descriptor() = default;
  ~file_descriptor() { reset(-1); }
  file_descriptor(const file_descriptor&) = delete;
  file_descriptor& operator=(const file_descriptor&) = delete;
  void reset(int fd);
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_ = -1;
};

/// The bytes of a file as they are, up to the size that it had when it was opened.
class raw_file {
 public:
  explicit raw_file(std::string path) : path_{std::move(path)} {}

  result<void> open();
  [[nodiscard]] const file_identity& identity() const { return identity_; }
  /// The next bytes, at most `room`; 0 at the end.
  result<std::size_t> read(char* to, std::size_t room);
  void seek(std::uint64_t at) { at_ = at; }
  [[nodiscard]] std::uint64_t at() const { return at_; }
  /// The first bytes of the file (up to 4), to tell its kind.
  [[nodiscard]] const bytes& head() const { return head_; }
  /// errc::incompatible when somebody wrote to the file.
  result<void> check_unchanged() const;

 private:
  result<std::size_t> read_at(std::uint64_t at, char* to, std::size_t room) const;
  result<std::uint64_t> hash_of(std::uint64_t from, std::size_t n) const;

  std::string path_;
  file_descriptor file_;
  file_identity identity_;
  bytes head_;
  std::uint64_t at_ = 0;
};

}  // namespace kappa::detail
