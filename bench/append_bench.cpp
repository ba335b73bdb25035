// Durable append to the embedded log, against write + fdatasync of the same bytes.
//
// Both sides are given the same batches, encoded before the clock starts; an append ends when it is
// on disk. The ceiling appends the batches' bytes to a file of its own with write(2) and calls
// fdatasync after each: no frames, no checksums, no index, nothing that would find a record again,
// and one wait for the disk where LMDB has two (the pages, then the page that makes them count).
//
// With several appenders each thread of the ceiling has a file of its own; the log's appenders
// share a partition, and commits that wait at the same time share one transaction. All threads
// share one core.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <thread>

#include <fmt/format.h>

#include "bench.hpp"
#include "events.hpp"
#include "job.hpp"
#include "measure.hpp"

namespace bench {
namespace {

class synced_file {
 public:
  explicit synced_file(const std::filesystem::path& path)
      : fd_{::open(path.c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600)} {
    if (fd_ < 0) throw std::system_error{errno, std::generic_category(), path.string()};
  }
  ~synced_file() { ::close(fd_); }
  synced_file(const synced_file&) = delete;
  synced_file& operator=(const synced_file&) = delete;

  void append(kappa::bytes_view b) const {
    while (!b.empty()) {
      const auto n = ::write(fd_, b.data(), b.size());
      if (n < 0) throw std::system_error{errno, std::generic_category(), "write"};
      b.remove_prefix(static_cast<std::size_t>(n));
    }
    if (::fdatasync(fd_) != 0) throw std::system_error{errno, std::generic_category(), "fdatasync"};
  }

 private:
  int fd_;
};

/// Calls f(appender) on as many threads.
void on_threads(int appenders, const std::function<void(int)>& f) {
  if (appenders == 1) return f(0);
  std::vector<std::thread> threads;
  std::vector<std::exception_ptr> failed(static_cast<std::size_t>(appenders));
  for (int i = 0; i < appenders; ++i) {
    threads.emplace_back([&, i] {
      try {
        f(i);
      } catch (...) {
        failed[static_cast<std::size_t>(i)] = std::current_exception();
      }
    });
  }
  for (auto& t : threads) t.join();
  for (const auto& e : failed) {
    if (e) std::rethrow_exception(e);
  }
}

struct load {
  std::string name;
  std::int64_t batch_bytes;
  int appenders;
  int batches;  // of each appender, in a round
};

void append(context& ctx, const load& l) {
  constexpr std::int64_t record_bytes = 136;  // in wire form
  event_maker maker{accesses(distribution::uniform, 100'000, 1 << 16)};
  const auto batch = maker.next(std::max<std::int64_t>(1, l.batch_bytes / record_bytes));
  const int batches = ctx.quick ? 3 : l.batches;
  const auto log = open_log(ctx.folder / "log");
  must(log->create_topic({.name = "events"}));
  const auto engine = [&](int) {
    return timed(
        [&] {
          on_threads(l.appenders, [&](int) {
            for (int i = 0; i < batches; ++i)
              must(log->append({"events", kappa::partition{0}}, batch, std::nullopt));
          });
        },
        whose::process);
  };
  std::vector<std::unique_ptr<synced_file>> files;
  for (int i = 0; i < l.appenders; ++i)
    files.push_back(std::make_unique<synced_file>(ctx.folder / fmt::format("file-{}", i)));
  const auto ceiling = [&](int) {
    return timed(
        [&] {
          on_threads(l.appenders, [&](int appender) {
            for (int i = 0; i < batches; ++i)
              files[static_cast<std::size_t>(appender)]->append(batch.body());
          });
        },
        whose::process);
  };
  (void)engine(0);
  (void)ceiling(0);
  const auto c = compare(ctx.rounds(9), engine, ceiling);
  const auto mb = double(batch.size_bytes()) * batches * l.appenders / 1e6;
  ctx.out.add({"append", l.name, aim_kind::at_least, 60, c.percent.median, c.percent.least,
               c.percent.most, "%",
               fmt::format("{:.0f} MB/s of {:.0f} MB/s; {:.3g} ms a commit of {:.3g} ms",
                           mb / c.engine_s.median, mb / c.ceiling_s.median,
                           1e3 * c.engine_s.median / batches, 1e3 * c.ceiling_s.median / batches),
               c.percent_by_cpu.median});
}

}  // namespace

std::vector<benchmark> append_benchmarks() {
  const load loads[] = {{"transactions of 4 KB, 1 appender", 4 << 10, 1, 100},
                        {"transactions of 64 KB, 1 appender", 64 << 10, 1, 60},
                        {"transactions of 1 MB, 1 appender", 1 << 20, 1, 25},
                        {"transactions of 8 MB, 1 appender", 8 << 20, 1, 5},
                        {"transactions of 4 KB, 16 appenders", 4 << 10, 16, 30},
                        {"transactions of 64 KB, 16 appenders", 64 << 10, 16, 15}};
  std::vector<benchmark> all;
  for (const auto& l : loads) all.push_back({"append", [l](context& c) { append(c, l); }});
  return all;
}

}  // namespace bench
