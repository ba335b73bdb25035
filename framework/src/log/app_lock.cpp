#include "log/app_lock.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include <fmt/format.h>

#include "log/log_rules.hpp"

namespace kappa::detail {
namespace {

struct ::flock whole_file() {
  struct ::flock range {};
  range.l_type = F_WRLCK;
  range.l_whence = SEEK_SET;
  return range;
}

std::string text_in(int fd) {
  char text[256];
  const auto n = ::pread(fd, text, sizeof text, 0);
  std::string holder{text, n > 0 ? static_cast<std::size_t>(n) : 0};
  while (!holder.empty() && holder.back() == '\n') holder.pop_back();
  return holder;
}

}  // namespace

result<app_lock> app_lock::take(const std::filesystem::path& folder, const std::string& app,
                                const std::string& instance) {
  std::error_code ec;
  std::filesystem::create_directories(folder, ec);
  const auto path = folder / (app + ".lock");
  const auto failed = [&] { return fail(errc::io, path.string(), std::strerror(errno)); };
  if (ec) return fail(errc::io, folder.string(), "cannot make the folder: " + ec.message());
  for (;;) {
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) return failed();
    app_lock lock{fd};
    int rc = 0;
    do {
      auto range = whole_file();
      rc = ::fcntl(fd, F_OFD_SETLK, &range);
    } while (rc != 0 && errno == EINTR);
    if (rc != 0 && errno != EAGAIN && errno != EACCES) return failed();
    if (rc != 0) return owned(app, text_in(fd));
    // Somebody may have removed the file between open and lock: then this lock holds nobody off.
    struct ::stat mine {};
    struct ::stat there {};
    if (::fstat(fd, &mine) != 0) return failed();
    if (::stat(path.c_str(), &there) != 0 || mine.st_ino != there.st_ino) continue;
    const auto text = instance.empty() ? fmt::format("pid {}\n", ::getpid()) : instance + "\n";
    // For messages only: a disk too full for it must not keep the app from running.
    if (::ftruncate(fd, 0) == 0) {
      [[maybe_unused]] const auto n = ::pwrite(fd, text.data(), text.size(), 0);
    }
    return lock;
  }
}

result<std::optional<std::string>> app_lock::holder(const std::filesystem::path& folder,
                                                    const std::string& app) {
  const auto path = folder / (app + ".lock");
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT) return std::optional<std::string>{};
  const auto failed = [&] { return fail(errc::io, path.string(), std::strerror(errno)); };
  if (fd < 0) return failed();
  const app_lock closed_at_end{fd};
  auto range = whole_file();
  if (::fcntl(fd, F_OFD_GETLK, &range) != 0) return failed();
  if (range.l_type == F_UNLCK) return std::optional<std::string>{};
  return std::optional{text_in(fd)};
}

app_lock::~app_lock() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace kappa::detail
