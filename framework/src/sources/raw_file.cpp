#include "sources/raw_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include <fmt/format.h>

namespace kappa::detail {
namespace {

constexpr std::size_t sample_bytes = 64 * 1024;

error io_error(const std::string& path, std::string_view doing) {
  const int number = errno;
  return {errc::io, path, fmt::format("{}: {}", doing, std::generic_category().message(number))};
}

std::int64_t modified_ns(const struct stat& s) {
  return std::int64_t{s.st_mtim.tv_sec} * 1'000'000'000 + s.st_mtim.tv_nsec;
}

}  // namespace

void file_descriptor::reset(int fd) {
  if (fd_ >= 0) ::close(fd_);
  fd_ = fd;
}

result<void> raw_file::open() {
  // Not blocking: a pipe without a writer would hang here, before it can be refused.
  file_.reset(::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file_.get() < 0) {
    if (errno == ENOENT) return fail(errc::not_found, path_, "no such file");
    return fail(io_error(path_, "cannot be opened"));
  }
  struct stat s {};
  if (::fstat(file_.get(), &s) != 0) return fail(io_error(path_, "cannot be examined"));
  if (!S_ISREG(s.st_mode)) {
    return fail(errc::bad_config, path_,
                "is not a regular file: a source must be one that can be read again");
  }
  if (s.st_size == 0) return fail(errc::bad_config, path_, "is empty: it needs a header line");
  ::posix_fadvise(file_.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
  identity_.size = static_cast<std::uint64_t>(s.st_size);
  identity_.modified_ns = modified_ns(s);
  const auto sample =
      static_cast<std::size_t>(std::min<std::uint64_t>(identity_.size, sample_bytes));
  auto first = hash_of(0, sample);
  if (!first) return fail(first.error());
  auto last = hash_of(identity_.size - sample, sample);
  if (!last) return fail(last.error());
  identity_.first = *first;
  identity_.last = *last;
  head_.resize(4);
  auto got = read_at(0, head_.data(), 4);
  if (!got) return fail(got.error());
  head_.resize(*got);
  at_ = 0;
  return {};
}

result<std::size_t> raw_file::read_at(std::uint64_t at, char* to, std::size_t room) const {
  const auto left = identity_.size - at;
  const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(left, room));
  std::size_t got = 0;
  while (got < wanted) {
    const auto n = ::pread(file_.get(), to + got, wanted - got, static_cast<off_t>(at + got));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(io_error(path_, "cannot be read"));
    if (n == 0) {
      return fail(errc::incompatible, path_,
                  fmt::format("was cut to {} bytes, from {}, while it was being read: put the "
                              "finished file there and start over with --fresh",
                              at + got, identity_.size));
    }
    got += static_cast<std::size_t>(n);
  }
  return got;
}

result<std::size_t> raw_file::read(char* to, std::size_t room) {
  auto got = read_at(at_, to, room);
  if (got) at_ += *got;
  return got;
}

result<std::uint64_t> raw_file::hash_of(std::uint64_t from, std::size_t n) const {
  bytes part(n, '\0');
  auto got = read_at(from, part.data(), n);
  if (!got) return fail(got.error());
  return checksum(part);
}

result<void> raw_file::check_unchanged() const {
  struct stat s {};
  if (::fstat(file_.get(), &s) != 0) return fail(io_error(path_, "cannot be examined"));
  const auto size = static_cast<std::uint64_t>(s.st_size);
  if (size == identity_.size && modified_ns(s) == identity_.modified_ns) return {};
  return fail(errc::incompatible, path_,
              fmt::format("was written to while it was being read ({} bytes at the start, {} now): "
                          "put the finished file there and start over with --fresh",
                          identity_.size, size));
}

}  // namespace kappa::detail
