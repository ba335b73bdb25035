// What the processes of a job have written and not yet synced: the record that the power shim keeps
// and a power loss undoes.
//
// The writes themselves go to the files at once, so that all processes see them; the journal holds
// what was there before. It is a mapped file, so what a killed process put in is there. Each file
// that is looked after has a second name, `files/<inode>`, in the journal's folder: its contents
// can be put back whatever became of its own name, and no inode is used twice.
//
// Threading: any thread of any process that has it open. Ownership: unmapped by the destructor.
// Errors: failures end the process with a message, as a test that goes on would prove nothing.
#pragma once

#include <pthread.h>
#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace kappa::crash::power {

/// Smallest piece that a disk writes whole.
inline constexpr std::uint64_t sector_bytes = 512;

enum class kind : std::uint32_t {
  content,       // sectors from `offset` were overwritten; the payload is what was there
  mapped,        // the same: they may be overwritten at any time, unseen
  size,          // the file's size changed; `offset` is what it was
  synced,        // all of the file before `upto` is durable
  synced_range,  // of `length` bytes from `offset`: a write to an O_DSYNC descriptor
  created,       // the payload is the name, `file` what it names
  renamed,      // the payload is the old name, a zero byte, the new one; `offset`: what it replaced
  removed,      // the payload is the name, `file` what it named
  made_folder,  // the payload is the name
  removed_folder,
  renamed_folder,
  synced_folder,  // all names in the folder before `upto` are durable
};

/// One entry; its payload follows, padded to 8 bytes.
struct entry {
  std::uint32_t payload_bytes = 0;
  kind what{};
  std::uint64_t number = 0;  // grows
  std::uint64_t file = 0;    // inode
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  std::uint64_t upto = 0;
};

struct found_entry : entry {
  std::string_view payload;  // in the map
};

class journal {
 public:
  /// Opens or makes the one in `folder`, which must be on the file system of the files.
  explicit journal(const std::string& folder);
  journal(const journal&) = delete;
  journal& operator=(const journal&) = delete;
  ~journal();

  /// While it is held nothing is written by anybody; released by the death of the holder.
  void lock();
  void unlock();

  /// With the lock held. Returns its number.
  std::uint64_t add(entry e, std::string_view payload);
  [[nodiscard]] std::uint64_t last_number() const { return head_->entries; }
  /// Counts a step (a write, a sync, a change of names) of any process: the number of this one.
  std::uint64_t next_step() { return head_->steps.fetch_add(1) + 1; }
  [[nodiscard]] std::uint64_t steps() const { return head_->steps; }

  /// All entries, in order. Nobody may be adding.
  [[nodiscard]] std::vector<found_entry> entries() const;
  /// Forgets all: what is in the files now is durable.
  void clear();

  [[nodiscard]] std::string file_name(std::uint64_t file) const;

 private:
  struct head {
    pthread_mutex_t mutex;
    std::uint64_t made;  // the mutex is there
    std::atomic<std::uint64_t> used;
    std::atomic<std::uint64_t> entries;
    std::atomic<std::uint64_t> steps;
  };
  void make(int fd);

  std::string folder_;
  head* head_ = nullptr;
  char* data_ = nullptr;
};

/// Ends the process.
[[noreturn]] void die(const std::string& what);

}  // namespace kappa::crash::power
