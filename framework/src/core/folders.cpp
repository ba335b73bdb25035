#include "kappa/core/folders.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <vector>

namespace kappa {

namespace fs = std::filesystem;

result<void> make_folders(const fs::path& folder) {
  std::error_code ec;
  const auto whole = fs::absolute(folder, ec);
  std::vector<fs::path> above;  // of what is missing
  for (auto p = whole; !fs::exists(p, ec) && p != p.parent_path(); p = p.parent_path())
    above.push_back(p.parent_path());
  fs::create_directories(whole, ec);
  if (ec) {
    return fail(ec == std::errc::no_space_on_device ? errc::no_space : errc::io, folder.string(),
                "cannot make the folder: " + ec.message());
  }
  for (const auto& a : above) {
    if (auto synced = sync_folder(a); !synced) return synced;
  }
  return {};
}

result<void> sync_folder(const fs::path& folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0 && errno == EACCES) return {};
  const int failed = fd < 0 || (::fsync(fd) != 0 && errno != EINVAL) ? errno : 0;
  if (fd >= 0) ::close(fd);
  if (failed == 0) return {};
  return fail(failed == ENOSPC || failed == EDQUOT ? errc::no_space : errc::io, folder.string(),
              std::string{"the names in it cannot be made durable: "} + std::strerror(failed));
}

}  // namespace kappa
