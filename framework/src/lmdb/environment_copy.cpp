#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "lmdb/lmdb.hpp"

namespace kappa::lmdb {

result<void> environment::copy_to(const std::filesystem::path& file) {
  const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (fd < 0) return fail(errc::io, file.string(), std::strerror(errno));
  enter();  // LMDB reads by a transaction of its own, which a growing map would take the map from
  const int rc = mdb_env_copyfd2(env_, fd, MDB_CP_COMPACT);
  leave();
  const int not_synced = rc == 0 && ::fsync(fd) != 0 ? errno : 0;
  ::close(fd);
  if (rc != 0) return fail(failed(rc, "copy to " + file.string()));
  if (not_synced != 0) return fail(errc::io, file.string(), std::strerror(not_synced));
  return {};
}

}  // namespace kappa::lmdb
