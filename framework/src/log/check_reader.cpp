#include "log/check_reader.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "kappa/log/embedded_log.hpp"

extern char** environ;

namespace kappa {

namespace detail {

namespace {

// Lines of the second process.
constexpr std::string_view at_line = "at ";
constexpr std::string_view damage_line = "damaged ";
constexpr std::string_view end_line = "end";
/// It could not be opened for a reason that is no damage, such as a folder that may not be written.
constexpr std::string_view refused_line = "refused ";
constexpr std::chrono::milliseconds start_patience{60000};

/// A child with a pipe from its standard output; killed and waited for at the end.
class reader_process {
 public:
  ~reader_process() {
    if (pid_ > 0) (void)end(true);
    if (out_ >= 0) ::close(out_);
  }
  reader_process() = default;
  reader_process(const reader_process&) = delete;
  reader_process& operator=(const reader_process&) = delete;

  [[nodiscard]] result<void> start(const std::vector<std::string>& command) {
    int pipe[2];
    if (::pipe2(pipe, O_CLOEXEC) != 0) return fail(errc::io, command[0], std::strerror(errno));
    out_ = pipe[0];
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, pipe[1], STDOUT_FILENO);
    std::vector<char*> argv;
    for (const auto& a : command) argv.push_back(const_cast<char*>(a.c_str()));
    argv.push_back(nullptr);
    const int rc = ::posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(pipe[1]);
    if (rc == 0) return {};
    pid_ = -1;
    return fail(errc::io, command[0], std::string{"cannot be started: "} + std::strerror(rc));
  }

  enum class heard { line, end, silence };
  heard line(std::string& out, std::chrono::milliseconds patience) {
    for (;;) {
      if (const auto n = buffered_.find('\n'); n != std::string::npos) {
        out = buffered_.substr(0, n);
        buffered_.erase(0, n + 1);
        return heard::line;
      }
      pollfd p{out_, POLLIN, 0};
      const int ready = ::poll(&p, 1, static_cast<int>(patience.count()));
      if (ready < 0 && errno == EINTR) continue;
      if (ready == 0) return heard::silence;
      char chunk[4096];
      const auto n = ::read(out_, chunk, sizeof chunk);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return heard::end;
      buffered_.append(chunk, static_cast<std::size_t>(n));
    }
  }

  /// Waits for it; the status of waitpid.
  int end(bool kill) {
    if (kill) ::kill(pid_, SIGKILL);
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return status;
  }

 private:
  pid_t pid_ = -1;
  int out_ = -1;
  std::string buffered_;
};

}  // namespace

result<std::vector<damage>> read_in_second_process(const log_check_options& options) {
  auto command = options.reader;
  command.push_back(options.folder.string());
  reader_process child;
  if (auto ok = child.start(command); !ok) return fail(ok.error());
  std::vector<damage> found;
  std::string place = options.folder.string();
  std::string line;
  bool ended = false;
  bool spoke = false;
  for (;;) {
    // To start may take long on a machine that is busy.
    const auto patience =
        spoke ? options.reader_patience : std::max(options.reader_patience, start_patience);
    const auto heard = child.line(line, patience);
    spoke = true;
    if (heard == reader_process::heard::silence) {
      (void)child.end(true);
      found.push_back(
          {place, fmt::format("reading it through LMDB hangs: nothing was heard of it for {} ms",
                              patience.count())});
      return found;
    }
    if (heard == reader_process::heard::end) break;
    if (line.starts_with(at_line)) {
      place = line.substr(at_line.size());
      if (options.progress) options.progress(place);
    } else if (line.starts_with(damage_line)) {
      found.push_back({place, "read through LMDB: " + line.substr(damage_line.size())});
    } else if (line.starts_with(refused_line) || line == end_line) {
      ended = true;
    }
  }
  const int status = child.end(false);
  if (WIFSIGNALED(status)) {
    found.push_back(
        {place, fmt::format("reading it through LMDB ends the process by signal {} ({})",
                            WTERMSIG(status), ::strsignal(WTERMSIG(status)))});
  } else if (!ended) {
    found.push_back({place, fmt::format("reading it through LMDB ends the process with code {}",
                                        WEXITSTATUS(status))});
  }
  return found;
}

}  // namespace detail

namespace {

class spoken {
 public:
  explicit spoken(event_log& log) : log_{log} {}

  void all() {
    auto topics = log_.topics();
    if (!topics) return damaged(topics.error());
    for (const auto& config : *topics) {
      for (std::int32_t n = 0; n < config.partitions; ++n) one({config.name, partition{n}});
    }
  }

  static void say(std::string_view kind, std::string text) {
    for (auto& c : text) {
      if (c == '\n') c = ' ';
    }
    fmt::print("{}{}\n", kind, text);
    std::fflush(stdout);  // what it said last must be known when it dies
  }
  static void damaged(const error& e) { say(detail::damage_line, e.text()); }

 private:
  void one(const topic_partition& where) {
    constexpr std::size_t read_bytes = std::size_t{4} << 20;
    say(detail::at_line, where.text());
    auto bounds = log_.bounds(where);
    if (!bounds) return damaged(bounds.error());
    auto reader = log_.open_reader(where);
    if (!reader) return damaged(reader.error());
    for (auto at = bounds->earliest; at < bounds->latest;) {
      say(detail::at_line, fmt::format("{}@{}", where.text(), at));
      auto batch = (*reader)->read(at, read_bytes);
      if (!batch) {
        // Retention may have been faster.
        if (batch.error().code == errc::out_of_range) return;
        return damaged(batch.error());
      }
      if (batch->next() == at) break;
      at = batch->next();
    }
    if (auto first = log_.offset_for_time(where, timestamp{milliseconds{0}}); !first) {
      damaged(first.error());
    }
  }

  event_log& log_;
};

}  // namespace

int read_log_for_check(const std::filesystem::path& folder) {
  // Its crash is an answer, not a matter for a core file.
  const ::rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  embedded_log_options options;
  options.folder = folder;
  options.read_only = true;
  auto log = open_embedded_log(options);
  if (!log) {
    const bool damaged = log.error().code == errc::corrupt;
    spoken::say(damaged ? detail::damage_line : detail::refused_line, log.error().text());
    if (!damaged) return 0;
  } else {
    spoken{**log}.all();
  }
  spoken::say(detail::end_line, {});
  return 0;
}

}  // namespace kappa
