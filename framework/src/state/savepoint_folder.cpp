#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <random>
#include <vector>

#include <fmt/format.h>

#include "kappa/core/folders.hpp"
#include "kappa/state/savepoint_repository.hpp"

namespace kappa {
namespace {

namespace fs = std::filesystem;

constexpr std::uint8_t note_version = 1;
constexpr std::size_t copy_chunk_bytes = 1 << 20;
constexpr const char* note_suffix = ".savepoint";
constexpr const char* file_suffix = ".mdb";
constexpr const char* unfinished_suffix = ".part";

class open_file {
 public:
  open_file(const fs::path& path, int flags)
      : path_{path}, fd_{::open(path.c_str(), flags | O_CLOEXEC, 0644)} {}
  open_file(const open_file&) = delete;
  open_file& operator=(const open_file&) = delete;
  ~open_file() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] explicit operator bool() const { return fd_ >= 0; }
  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] tl::unexpected<error> failed(const char* what) const {
    const int e = errno;
    const auto code = e == ENOENT                  ? errc::not_found
                      : e == ENOSPC || e == EDQUOT ? errc::no_space
                                                   : errc::io;
    return fail(code, path_.string(), fmt::format("{}: {}", what, std::strerror(e)));
  }
  [[nodiscard]] result<void> write(bytes_view all) const {
    while (!all.empty()) {
      const auto n = ::write(fd_, all.data(), all.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return failed("write");
      all.remove_prefix(static_cast<std::size_t>(n));
    }
    return {};
  }

 private:
  fs::path path_;
  int fd_;
};

struct content {
  std::uint64_t checksum = 0;
  std::uint64_t bytes = 0;
};

/// Copies, durably; `to` is made.
result<content> copied(const fs::path& from, const fs::path& to) {
  const open_file in{from, O_RDONLY};
  if (!in) return in.failed("open");
  const open_file out{to, O_WRONLY | O_CREAT | O_EXCL};
  if (!out) return out.failed("make");
  content c;
  std::vector<char> chunk(copy_chunk_bytes);
  for (;;) {
    // Always a whole chunk but the last: the checksum is one of chunks.
    std::size_t have = 0;
    while (have < chunk.size()) {
      const auto n = ::read(in.fd(), chunk.data() + have, chunk.size() - have);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return in.failed("read");
      if (n == 0) break;
      have += static_cast<std::size_t>(n);
    }
    if (have == 0) break;
    const bytes_view part{chunk.data(), have};
    c.checksum = checksum(part, c.checksum);
    c.bytes += have;
    if (auto put = out.write(part); !put) return fail(put.error());
  }
  if (::fsync(out.fd()) != 0) return out.failed("sync");
  return c;
}

bytes encode_note(const savepoint& s) {
  bytes out;
  byte_writer{out}
      .put(note_version)
      .put(s.epoch.value)
      .put_bytes(s.log_id)
      .put_bytes(s.snapshot)
      .put(s.file_bytes);
  byte_writer{out}.put(checksum(out));
  return out;
}

std::optional<savepoint> decode_note(bytes_view in) {
  if (in.size() < sizeof(std::uint64_t)) return std::nullopt;
  const auto body = in.substr(0, in.size() - sizeof(std::uint64_t));
  byte_reader sum{in.substr(body.size())};
  if (sum.get<std::uint64_t>() != checksum(body)) return std::nullopt;
  byte_reader r{body};
  if (r.get<std::uint8_t>() != note_version) return std::nullopt;
  savepoint s;
  s.epoch = epoch_number{r.get<std::uint64_t>()};
  s.log_id = std::string{r.get_bytes()};
  s.snapshot = bytes{r.get_bytes()};
  s.file_bytes = r.get<std::uint64_t>();
  if (!r.done()) return std::nullopt;
  return s;
}

class savepoint_folder final : public savepoint_repository {
 public:
  explicit savepoint_folder(fs::path folder) : folder_{std::move(folder)} {}

  std::string name() const override { return folder_.string(); }

  result<void> put(savepoint what, const fs::path& file) override {
    const auto in = folder_ / what.state;
    if (auto made = make_folders(in); !made) return made;
    // Of several processes that put the same one, each has a file of its own until it is whole.
    const auto part = in / fmt::format("{}-{:08x}{}", what.epoch.value, std::random_device{}(),
                                       unfinished_suffix);
    const remover at_last{part};
    auto c = copied(file, part);
    if (!c) return fail(c.error());
    what.file_bytes = c->bytes;
    what.name = fmt::format("{:020}-{:016x}", what.epoch.value, c->checksum);
    if (auto done = rename(part, in / (what.name + file_suffix)); !done) return done;
    {
      const open_file note{part, O_WRONLY | O_CREAT | O_EXCL};
      if (!note) return note.failed("make");
      if (auto put = note.write(encode_note(what)); !put) return put;
      if (::fsync(note.fd()) != 0) return note.failed("sync");
    }
    if (auto done = rename(part, in / (what.name + note_suffix)); !done) return done;
    return sync_folder(in);
  }

  result<std::vector<savepoint>> list(const std::string& state) override {
    std::vector<savepoint> all;
    std::error_code ec;
    for (fs::directory_iterator at{folder_ / state, ec}, end; !ec && at != end; at.increment(ec)) {
      const auto path = at->path();
      if (path.extension() != note_suffix) continue;
      std::ifstream in{path, std::ios::binary};
      const std::string raw{std::istreambuf_iterator<char>{in}, {}};
      auto s = decode_note(raw);
      if (!s) continue;
      s->state = state;
      s->name = path.stem().string();
      all.push_back(std::move(*s));
    }
    if (ec && ec != std::errc::no_such_file_or_directory)
      return fail(errc::io, (folder_ / state).string(), "cannot be listed: " + ec.message());
    std::sort(all.begin(), all.end(),
              [](const auto& a, const auto& b) { return a.epoch > b.epoch; });
    return all;
  }

  result<void> get(const savepoint& what, const fs::path& to) override {
    const auto from = folder_ / what.state / (what.name + file_suffix);
    remover at_last{to};
    auto c = copied(from, to);
    if (!c) return fail(c.error());
    const auto sum = fmt::format("{:016x}", c->checksum);
    if (c->bytes != what.file_bytes || !what.name.ends_with(sum)) {
      return fail(errc::corrupt, from.string(),
                  "its checksum is wrong: remove it, and the one before it is used");
    }
    at_last.keep();
    return {};
  }

  result<void> remove(const savepoint& what) override {
    const auto in = folder_ / what.state;
    for (const auto* suffix :
         {note_suffix, file_suffix}) {  // the note first: it says that it is there
      std::error_code ec;
      fs::remove(in / (what.name + suffix), ec);
      if (ec) return fail(errc::io, (in / what.name).string(), "cannot remove: " + ec.message());
    }
    return {};
  }

 private:
  class remover {
   public:
    explicit remover(fs::path path) : path_{std::move(path)} {}
    remover(const remover&) = delete;
    remover& operator=(const remover&) = delete;
    ~remover() {
      std::error_code ignored;
      if (!path_.empty()) fs::remove(path_, ignored);
    }
    void keep() { path_.clear(); }

   private:
    fs::path path_;
  };

  static result<void> rename(const fs::path& from, const fs::path& to) {
    std::error_code ec;
    fs::rename(from, to, ec);
    if (ec) return fail(errc::io, to.string(), ec.message());
    return {};
  }

  fs::path folder_;
};

}  // namespace

result<std::shared_ptr<savepoint_repository>> open_savepoint_folder(const fs::path& folder) {
  if (auto made = make_folders(folder); !made) return fail(made.error());
  return std::make_shared<savepoint_folder>(folder);
}

}  // namespace kappa
