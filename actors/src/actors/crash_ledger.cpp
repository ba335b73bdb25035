#include "actors/crash_ledger.hpp"

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <fmt/format.h>

namespace kappa::detail {
namespace {

constexpr std::size_t text_bytes = 256;
constexpr std::size_t slots = 256;
constexpr std::uint64_t ledger_magic = 0x3147444c4150414b;  // "KAPALDG1"
constexpr std::array<int, 5> signals{SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};

struct death {
  char task[text_bytes];
  char input[text_bytes];
  std::int64_t offset;
  std::uint32_t op;
  std::uint32_t deaths;  // 0: a free slot
};
struct ledger_file {
  std::uint64_t magic;
  std::uint64_t next;  // slot to overwrite when all are taken
  death entries[slots];
};

// What the thread is doing now. Plain data: the handler reads it. The texts belong to the task.
struct running_step {
  const char* task = nullptr;
  const char* input = nullptr;
  std::int64_t offset = 0;
  const volatile op_index* op = nullptr;
  std::atomic<bool> active{false};
};

thread_local running_step step_of_thread;
thread_local bool stack_of_thread = false;
std::atomic<ledger_file*> installed{nullptr};
std::array<struct sigaction, 65> previous{};

bool same_place(const death& d, const running_step& step) {
  return d.deaths > 0 && d.offset == step.offset &&
         std::strncmp(d.task, step.task, text_bytes - 1) == 0 &&
         std::strncmp(d.input, step.input, text_bytes - 1) == 0;
}

// Async-signal-safe: compares and writes plain memory, then dies of the same signal.
void on_signal(int number, siginfo_t* /*info*/, void* /*context*/) {
  auto* const file = installed.load();
  auto& step = step_of_thread;
  if (file != nullptr && step.active.load(std::memory_order_relaxed)) {
    death* place = nullptr;
    for (auto& d : file->entries) {
      if (same_place(d, step)) {
        place = &d;
        break;
      }
      if (d.deaths == 0 && place == nullptr) place = &d;
    }
    if (place == nullptr) place = &file->entries[file->next++ % slots];
    if (!same_place(*place, step)) {
      std::strncpy(place->task, step.task, text_bytes - 1);
      std::strncpy(place->input, step.input, text_bytes - 1);
      place->offset = step.offset;
      place->deaths = 0;
    }
    place->op = step.op != nullptr ? *step.op : 0;
    ++place->deaths;
  }
  ::sigaction(number, &previous[static_cast<std::size_t>(number)], nullptr);
  ::raise(number);
}

// A handler for a stack overflow needs a stack of its own, in every thread.
void give_thread_a_signal_stack() {
  if (stack_of_thread) return;
  stack_of_thread = true;
  struct alternate {
    alternate() {
      stack_t s{};
      s.ss_sp = memory.data();
      s.ss_size = memory.size();
      stack_t old{};
      if (::sigaltstack(nullptr, &old) == 0 && (old.ss_flags & SS_DISABLE) != 0)
        mine = ::sigaltstack(&s, nullptr) == 0;
    }
    ~alternate() {
      if (!mine) return;
      stack_t s{};
      s.ss_flags = SS_DISABLE;
      ::sigaltstack(&s, nullptr);
    }
    std::array<char, 64 * 1024> memory{};
    bool mine = false;
  };
  thread_local alternate stack;
}

class ledger final : public crash_ledger {
 public:
  explicit ledger(ledger_file* file) : file_{file} {
    installed = file_;
    for (const int s : signals) {
      struct sigaction action {};
      action.sa_sigaction = on_signal;
      action.sa_flags = SA_SIGINFO | SA_ONSTACK;
      sigemptyset(&action.sa_mask);
      ::sigaction(s, &action, &previous[static_cast<std::size_t>(s)]);
    }
  }
  ~ledger() override {
    for (const int s : signals) ::sigaction(s, &previous[static_cast<std::size_t>(s)], nullptr);
    installed = nullptr;
    ::munmap(file_, sizeof *file_);
  }
  ledger(const ledger&) = delete;
  ledger& operator=(const ledger&) = delete;

  void step_begins(const std::string& task, const std::string& input, offset at,
                   const volatile op_index* op) override {
    give_thread_a_signal_stack();
    auto& step = step_of_thread;
    step.task = task.c_str();
    step.input = input.c_str();
    step.offset = at.value;
    step.op = op;
    step.active.store(true, std::memory_order_relaxed);
  }
  void step_ended() override { step_of_thread.active.store(false, std::memory_order_relaxed); }

  std::vector<crash_suspect> suspects(const task_id& id) const override {
    std::vector<crash_suspect> found;
    const auto name = id.text();
    for (const auto& d : file_->entries) {
      if (d.deaths == 0 || name.compare(0, text_bytes - 1, d.task) != 0) continue;
      found.push_back({d.input, offset{d.offset}, static_cast<int>(d.deaths)});
    }
    return found;
  }

 private:
  ledger_file* file_;
};

}  // namespace

result<std::unique_ptr<crash_ledger>> crash_ledger::open(const std::filesystem::path& file) {
  const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return fail(errc::io, file.string(), std::strerror(errno));
  if (::ftruncate(fd, sizeof(ledger_file)) != 0) {
    const int e = errno;
    ::close(fd);
    return fail(errc::io, file.string(), std::strerror(e));
  }
  void* const memory =
      ::mmap(nullptr, sizeof(ledger_file), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ::close(fd);
  if (memory == MAP_FAILED) return fail(errc::io, file.string(), std::strerror(errno));
  auto* const mapped = static_cast<ledger_file*>(memory);
  if (mapped->magic != ledger_magic) {
    std::memset(mapped, 0, sizeof *mapped);
    mapped->magic = ledger_magic;
  }
  for (auto& d : mapped->entries) {  // whatever was written while dying
    d.task[text_bytes - 1] = '\0';
    d.input[text_bytes - 1] = '\0';
  }
  return std::unique_ptr<crash_ledger>{std::make_unique<ledger>(mapped)};
}

}  // namespace kappa::detail
