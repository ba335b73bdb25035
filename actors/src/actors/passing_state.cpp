#include "actors/passing_state.hpp"

#include <cerrno>
#include <cstdlib>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace kappa::detail {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view prefix = ".memory-";

std::string reason(int number) { return std::generic_category().message(number); }

// What runs left that were killed. A folder without its lock file is being made by another run.
void remove_left_over(const fs::path& in) {
  std::error_code ec;
  for (fs::directory_iterator at{in, ec}, end; !ec && at != end; at.increment(ec)) {
    if (!at->path().filename().string().starts_with(prefix)) continue;
    const int lock = ::open((at->path() / "lock").c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (lock < 0) continue;
    if (::flock(lock, LOCK_EX | LOCK_NB) == 0) {
      std::error_code kept;
      fs::remove_all(at->path(), kept);
    }
    ::close(lock);
  }
}

}  // namespace

result<passing_state> passing_state::make(const fs::path& in) {
  std::error_code ec;
  fs::create_directories(in, ec);
  if (ec) return fail(errc::io, in.string(), ec.message());
  remove_left_over(in);
  for (int attempt = 0; attempt < 100; ++attempt) {
    auto name = (in / (std::string{prefix} + "XXXXXX")).string();
    if (::mkdtemp(name.data()) == nullptr) return fail(errc::io, in.string(), reason(errno));
    const auto file = fs::path{name} / "lock";
    const int lock = ::open(file.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (lock < 0) return fail(errc::io, file.string(), reason(errno));
    // Another run may have taken it for a left-over before it was locked.
    struct ::stat now {};
    if (::flock(lock, LOCK_EX | LOCK_NB) == 0 && ::fstat(lock, &now) == 0 && now.st_nlink > 0)
      return passing_state{name, lock};
    ::close(lock);
  }
  return fail(errc::io, in.string(), "no folder for a run could be made in it");
}

passing_state::passing_state(passing_state&& other) noexcept
    : folder_{std::move(other.folder_)}, lock_{std::exchange(other.lock_, -1)} {}

passing_state::~passing_state() {
  if (lock_ < 0) return;
  std::error_code kept;  // the next run removes it
  fs::remove_all(folder_, kept);
  ::close(lock_);
}

}  // namespace kappa::detail
