// A file in memory with a path, for what reads files.
//
// Threading: one thread. Ownership: the file goes with the object.
#pragma once

#include <string>

#include <sys/mman.h>
#include <unistd.h>

#include "fuzz/fuzz.hpp"

namespace kappa::fuzz {

class memory_file {
 public:
  explicit memory_file(bytes_view content) : fd_{::memfd_create("fuzz", MFD_CLOEXEC)} {
    expect(fd_ >= 0, "a file in memory can be made");
    expect(::write(fd_, content.data(), content.size()) == static_cast<ssize_t>(content.size()),
           "a file in memory can be written");
  }
  ~memory_file() { ::close(fd_); }
  memory_file(const memory_file&) = delete;
  memory_file& operator=(const memory_file&) = delete;

  [[nodiscard]] std::string path() const { return "/proc/self/fd/" + std::to_string(fd_); }

 private:
  int fd_;
};

}  // namespace kappa::fuzz
