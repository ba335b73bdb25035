#include "whole_file.hpp"

#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "kappa/core/folders.hpp"

namespace flights {
namespace {

namespace fs = std::filesystem;
using kappa::fail;
using kappa::result;

// Of the call that has just failed.
auto refused(const fs::path& file) {
  const int number = errno;
  const bool full = number == ENOSPC || number == EDQUOT || number == EFBIG;
  return fail(full ? kappa::errc::no_space : kappa::errc::io, file.string(),
              "cannot be written: " + std::generic_category().message(number));
}

class descriptor {
 public:
  explicit descriptor(int number) : number_{number} {}
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;
  ~descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  [[nodiscard]] int number() const { return number_; }

 private:
  int number_;
};

result<void> write_and_sync(const fs::path& file, std::string_view text) {
  const descriptor out{::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666)};
  if (out.number() < 0) return refused(file);
  while (!text.empty()) {
    const auto n = ::write(out.number(), text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return refused(file);
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  if (::fsync(out.number()) != 0) return refused(file);
  return {};
}

}  // namespace

result<void> write_whole_file(const fs::path& file, std::string_view text) {
  const auto folder = file.has_parent_path() ? file.parent_path() : fs::path{"."};
  // Several processes with the same flags end at the same moment: one after the other.
  const descriptor place{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (place.number() < 0) return refused(folder);
  while (::flock(place.number(), LOCK_EX) != 0) {
    if (errno != EINTR) return refused(folder);
  }
  const auto temporary = fs::path{file}.concat(".tmp");
  if (::unlink(temporary.c_str()) != 0 && errno != ENOENT) return refused(temporary);
  auto done = write_and_sync(temporary, text);
  if (done && ::rename(temporary.c_str(), file.c_str()) != 0) done = refused(file);
  if (!done) {
    ::unlink(temporary.c_str());
    return done;
  }
  return kappa::sync_folder(folder);
}

}  // namespace flights
