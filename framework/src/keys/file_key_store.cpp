#include "kappa/keys/file_key_store.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

#include "kappa/core/folders.hpp"

namespace kappa {
namespace {

// A header of one slot's size:  "kappakey", u32 version, u32 bytes of a slot, u64 checksum
//
// A slot, in two halves that are written apart:
//   u32 magic, 32 bytes hash of the subject, 64 bytes key, u64 checksum      live
//   u32 magic, 32 bytes hash of the subject, u64 checksum                    the mark of an erasure
// Checksums are seeded with the slot's number. The second half is what counts where both are there.
constexpr std::size_t slot_bytes = 512;
constexpr std::size_t half_bytes = slot_bytes / 2;
constexpr std::size_t hash_bytes = 32;
constexpr bytes_view header_magic = "kappakey";
constexpr std::uint32_t format_version = 1;
constexpr std::uint32_t live_magic = 0x314c534b;
constexpr std::uint32_t mark_magic = 0x31524b4b;

void pad(bytes& v, std::size_t size) { v.append(size - v.size(), '\0'); }

bytes header() {
  bytes h{header_magic};
  byte_writer{h}.put(format_version).put(static_cast<std::uint32_t>(slot_bytes));
  byte_writer{h}.put(checksum(h));
  pad(h, slot_bytes);
  return h;
}

bytes live_half(std::size_t slot, bytes_view hash, const subject_key& key) {
  bytes h;
  byte_writer{h}.put(live_magic);
  h.append(hash).append(key.view());
  byte_writer{h}.put(checksum(h, slot));
  pad(h, half_bytes);
  return h;
}

bytes mark_half(std::size_t slot, bytes_view hash) {
  bytes h;
  byte_writer{h}.put(mark_magic);
  h.append(hash);
  byte_writer{h}.put(checksum(h, slot));
  pad(h, half_bytes);
  return h;
}

bool is_zero(bytes_view v) { return v.find_first_not_of('\0') == bytes_view::npos; }

struct slot_content {
  enum class what { nothing, live, erased, erased_in_part, broken } is = what::nothing;
  bytes_view hash{};
  bytes_view key{};
};

slot_content content_of(bytes_view raw, std::size_t slot) {
  const auto good = [slot](bytes_view half, std::uint32_t magic, std::size_t size) {
    byte_reader in{half};
    if (in.get<std::uint32_t>() != magic) return false;
    (void)in.get_raw(size);
    return in.get<std::uint64_t>() == checksum(half.substr(0, 4 + size), slot) &&
           is_zero(in.rest());
  };
  using what = slot_content::what;
  const auto live = raw.substr(0, half_bytes);
  const auto mark = raw.substr(half_bytes);
  if (good(mark, mark_magic, hash_bytes))
    return {is_zero(live) ? what::erased : what::erased_in_part, mark.substr(4, hash_bytes), {}};
  if (good(live, live_magic, hash_bytes + subject_key::size)) {
    return {what::live, live.substr(4, hash_bytes), live.substr(4 + hash_bytes, subject_key::size)};
  }
  if (is_zero(raw)) return {};
  return {what::broken};
}

class file_key_store final : public key_store {
 public:
  explicit file_key_store(std::filesystem::path file) : file_{std::move(file)} {}
  ~file_key_store() override {
    if (fd_ >= 0) ::close(fd_);
  }
  file_key_store(const file_key_store&) = delete;
  file_key_store& operator=(const file_key_store&) = delete;

  std::string name() const override { return file_.string(); }
  std::optional<std::string> local_file() const override { return file_.string(); }

  result<void> open() {
    const auto folder = std::filesystem::absolute(file_).parent_path();
    if (auto made = make_folders(folder); !made) return made;
    fd_ = ::open(file_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd_ < 0) return system_failed("open it");
    if (::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK) return system_failed("lock it");
      return fail(errc::owned, name(), "another process has this key store");
    }
    struct ::stat st {};
    if (::fstat(fd_, &st) != 0) return system_failed("look at it");
    auto head = read(0, slot_bytes, true);
    if (!head) return fail(std::move(head.error()));
    if (static_cast<std::size_t>(st.st_size) <= slot_bytes && is_zero(*head)) {
      if (auto made = write(0, header()); !made) return made;
      return sync_folder(folder);
    }
    if (*head != header())
      return fail(errc::corrupt, name(), "it is no key store, or its header is damaged");
    return load(static_cast<std::size_t>(st.st_size));
  }

  result<void> check_reachable() override { return {}; }

  result<key_answer> find(bytes_view subject) override {
    const std::lock_guard lock{mutex_};
    return find_hash(hash_of_subject(subject));
  }

  result<key_answer> find_or_create(bytes_view subject) override {
    const auto hash = hash_of_subject(subject);
    const std::lock_guard lock{mutex_};
    auto found = find_hash(hash);
    if (!found || found->status != key_status::none) return found;
    auto key = subject_key::make();
    if (!key) return fail(std::move(key.error()));
    if (auto done = write(place_of(slots_), live_half(slots_, hash, *key)); !done)
      return fail(std::move(done.error()));
    by_hash_.emplace(hash, known{slots_++, false});
    return key_answer{key_status::present, *key};
  }

  result<erasure> erase(bytes_view subject) override {
    const auto hash = hash_of_subject(subject);
    const std::lock_guard lock{mutex_};
    const auto at = by_hash_.find(hash);
    if (at == by_hash_.end()) {
      if (auto done = write(place_of(slots_) + half_bytes, mark_half(slots_, hash)); !done)
        return fail(std::move(done.error()));
      by_hash_.emplace(hash, known{slots_++, true});
      return erasure::had_no_key;
    }
    const auto slot = at->second.slot;
    const bool before = at->second.erased;
    if (!before) {
      if (auto done = write(place_of(slot) + half_bytes, mark_half(slot, hash)); !done)
        return fail(std::move(done.error()));
      at->second.erased = true;
    }
    // Again also where it was marked before: that erasure may have ended here.
    if (auto done = write(place_of(slot), bytes(half_bytes, '\0')); !done)
      return fail(std::move(done.error()));
    return before ? erasure::was_before : erasure::done;
  }

 private:
  struct known {
    std::size_t slot = 0;
    bool erased = false;
  };

  static std::size_t place_of(std::size_t slot) { return (slot + 1) * slot_bytes; }

  result<key_answer> find_hash(const bytes& hash) {
    const auto at = by_hash_.find(hash);
    if (at == by_hash_.end()) return key_answer{};
    if (at->second.erased) return key_answer{key_status::erased, {}};
    const auto slot = at->second.slot;
    const auto raw = read(place_of(slot), slot_bytes, true);
    if (!raw) return fail(raw.error());
    const auto content = content_of(*raw, slot);
    if (content.is != slot_content::what::live || content.hash != bytes_view{hash})
      return fail(damaged(slot));
    return key_answer{key_status::present, subject_key{content.key}};
  }

  error damaged(std::size_t slot) const {
    return {errc::corrupt, fmt::format("{}, slot {}", name(), slot),
            "the slot is damaged, and whether it holds a key or an erasure cannot be told: bring "
            "the file back from its own backup, and repeat the erasures since"};
  }

  result<void> load(std::size_t size) {
    // The last slot may have been on its way when the process ended: it was told to nobody.
    const auto count = (size - 1) / slot_bytes;
    for (std::size_t slot = 0; slot < count; ++slot) {
      const auto raw = read(place_of(slot), slot_bytes, slot + 1 == count);
      if (!raw) return fail(raw.error());
      const auto content = content_of(*raw, slot);
      using what = slot_content::what;
      const bool last = slot + 1 == count;
      const bool whole_halves = !is_zero(bytes_view{*raw}.substr(0, half_bytes)) &&
                                !is_zero(bytes_view{*raw}.substr(half_bytes));
      switch (content.is) {
        case what::nothing:
          if (!last) return fail(damaged(slot));
          return {};
        case what::broken:
          if (!last || whole_halves) return fail(damaged(slot));
          return write(place_of(slot), bytes(slot_bytes, '\0'));
        case what::erased_in_part:
          if (auto done = write(place_of(slot), bytes(half_bytes, '\0')); !done) return done;
          [[fallthrough]];
        case what::erased:
        case what::live:
          by_hash_.emplace(content.hash, known{slot, content.is != what::live});
          slots_ = slot + 1;
      }
    }
    return {};
  }

  // What is missing at the end reads as zeros where that is fine.
  result<bytes> read(std::size_t at, std::size_t size, bool may_end) const {
    bytes out(size, '\0');
    std::size_t done = 0;
    while (done < size) {
      const auto n = ::pread(fd_, out.data() + done, size - done, static_cast<off_t>(at + done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return fail(system_failed("read it").value());
      if (n == 0) break;
      done += static_cast<std::size_t>(n);
    }
    if (done < size && !may_end) return fail(errc::corrupt, name(), "it ends inside of a slot");
    return out;
  }

  // It is on the disk when this returns.
  result<void> write(std::size_t at, const bytes& v) const {
    std::size_t done = 0;
    while (done < v.size()) {
      const auto n = ::pwrite(fd_, v.data() + done, v.size() - done, static_cast<off_t>(at + done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return system_failed("write to it");
      done += static_cast<std::size_t>(n);
    }
    if (::fsync(fd_) != 0) return system_failed("make it durable");
    return {};
  }

  tl::unexpected<error> system_failed(const char* what) const {
    const int e = errno;
    return fail(e == ENOSPC || e == EDQUOT ? errc::no_space : errc::io, name(),
                fmt::format("cannot {}: {}", what, std::strerror(e)));
  }

  const std::filesystem::path file_;
  int fd_ = -1;
  std::mutex mutex_;
  std::unordered_map<bytes, known> by_hash_;
  std::size_t slots_ = 0;
};

}  // namespace

result<std::shared_ptr<key_store>> open_file_key_store(const std::filesystem::path& file) {
  if (file.empty()) return fail(errc::bad_config, "key store", "expected file:PATH");
  auto store = std::make_shared<file_key_store>(file);
  if (auto opened = store->open(); !opened) return fail(std::move(opened.error()));
  return std::shared_ptr<key_store>{std::move(store)};
}

}  // namespace kappa
