// The log's own steps, in a program that appends from outside and removes what retention no longer
// wants.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <stdexcept>

#include <fmt/format.h>

#include "crash/lab.hpp"
#include "kappa/log/embedded_log.hpp"
#include "support/must.hpp"

namespace kappa::crash {
namespace {

using test::must;

constexpr std::int64_t batches = 300;
constexpr std::int64_t batch_records = 8;
constexpr std::int64_t again = 3;  // batches that are appended once more after a start
constexpr std::int64_t retention_every = 20;

std::string value_at(std::int64_t offset) {
  auto v = fmt::format("record {} ", offset);
  v.resize(150, static_cast<char>('a' + offset % 26));
  return v;
}

}  // namespace

std::vector<std::string> wrong_with_log_work(const std::filesystem::path& folder) {
  std::vector<std::string> out;
  try {
    const auto log = read_raw_log(folder);
    const auto& records = log.topics.at("events").at(0);
    for (const auto& r : records) {
      if (r.value != value_at(r.offset))
        out.push_back(fmt::format("events@{} has another record", r.offset));
    }
    if (records.empty() || records.back().offset + 1 != batches * batch_records)
      out.emplace_back("records are missing");
    if (!records.empty() && records.front().offset == 0)
      out.emplace_back("retention removed nothing");
  } catch (const std::exception& e) {
    out.emplace_back(e.what());
  }
  return out;
}

namespace {

// Batches that were acknowledged: written after each, into a file that no power shim looks after.
class receipts_file {
 public:
  explicit receipts_file(const std::filesystem::path& file)
      : fd_{file.empty() ? -1 : ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644)} {}
  receipts_file(const receipts_file&) = delete;
  receipts_file& operator=(const receipts_file&) = delete;
  ~receipts_file() { ::close(fd_); }

  [[nodiscard]] std::int64_t acknowledged() const {
    std::int64_t n = 0;
    return ::pread(fd_, &n, sizeof n, 0) == sizeof n ? n : 0;
  }
  void acknowledge(std::int64_t n) const {
    if (fd_ >= 0 && ::pwrite(fd_, &n, sizeof n, 0) != sizeof n)
      throw std::runtime_error{"the receipts cannot be written"};
  }

 private:
  int fd_;
};

}  // namespace

int log_work(const std::filesystem::path& folder, const std::filesystem::path& receipts) {
  const receipts_file given{receipts};
  embedded_log_options options;
  options.folder = folder;
  options.frame_bytes = embedded_log_options::min_frame_bytes;
  const auto log = must(open_embedded_log(options));
  topic_config topic;
  topic.name = "events";
  topic.retention_bytes = 30'000;
  must(log->create_topic(topic));
  const topic_partition where{"events", partition{0}};
  const auto there = must(log->bounds(where)).latest.value / batch_records;
  if (there < given.acknowledged())
    throw std::runtime_error{
        fmt::format("{} batches were acknowledged, {} are there", given.acknowledged(), there)};
  for (auto n = std::max<std::int64_t>(0, there - again); n < batches; ++n) {
    record_batch batch;
    for (std::int64_t i = 0; i < batch_records; ++i) {
      batch.add(timestamp{milliseconds{n}}, std::nullopt, value_at(n * batch_records + i));
    }
    const auto receipt = must(log->append(
        where, batch, producer_sequence{"crash test", static_cast<std::uint64_t>(n + 1)}));
    if (receipt.duplicate != (n < there))
      throw std::runtime_error{fmt::format("batch {}: doubled or passed over", n)};
    given.acknowledge(std::max(there, n + 1));
    if (n % retention_every == 0) (void)must(log->apply_retention(timestamp{milliseconds{n}}));
  }
  (void)must(log->apply_retention(timestamp{milliseconds{batches}}));
  return 0;
}

void log_trial(lab& l, std::string_view point) {
  const auto name = fmt::format("log-{}", point);
  auto rng = l.random(name);
  const auto folder = l.work() / name;
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  const auto mark = folder / "mark";
  const bool rare = point.starts_with("retention.");
  int kills = 0;
  std::vector<std::string> problems;
  std::optional<int> status;
  while (problems.empty() && status != 0) {
    std::vector<std::string> environment{"KAPPA_FAILPOINT_COUNTS=" + (folder / "counts").string()};
    if (kills < 3) {
      const auto n = rare ? pick(rng, 1, 4) : pick(rng, 30, 80);
      environment.push_back(fmt::format("KAPPA_FAILPOINT={}:{}", point, n));
      environment.push_back("KAPPA_FAILPOINT_MARK=" + mark.string());
    }
    std::filesystem::remove(mark);
    process p{{this_program().string(), "log-work", (folder / "log").string()},
              environment,
              folder / "output"};
    status = p.wait(std::chrono::seconds{60});
    if (status == -SIGKILL && file_text(mark) == point) {
      ++kills;
    } else if (status != 0) {
      problems.push_back(
          fmt::format("it ended with {}: {}", status.value_or(-1), file_text(folder / "output")));
    }
  }
  if (problems.empty() && kills == 0) problems.emplace_back("it was never hit");
  if (problems.empty()) problems = wrong_with_log_work(folder / "log");
  const auto c = hit_counts{folder / "counts"};
  if (l.report(fmt::format("{} (outside appends and retention): {} kills, {} commits", point, kills,
                           c.t1()),
               problems)) {
    std::filesystem::remove_all(folder);
  }
}

int log_kills(lab& l, const std::string& name, int most, std::mt19937_64& rng) {
  const auto folder = l.work() / name;
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  int kills = 0;
  std::vector<std::string> problems;
  for (std::optional<int> status; problems.empty() && status != 0;) {
    // The log lasts for 300 batches; retention is applied after every 20.
    const bool any_step = pick(rng, 0, 1) == 0;
    const auto* point = any_step ? "log.begin" : "retention.after_removal";
    std::vector<std::string> environment;
    if (kills < most)
      environment.push_back(
          fmt::format("KAPPA_FAILPOINT={}:{}", point, pick(rng, 1, any_step ? 60 : 3)));
    process p{{this_program().string(), "log-work", (folder / "log").string(),
               (folder / "receipts").string()},
              environment,
              folder / "output"};
    status = p.wait(std::chrono::seconds{120});
    if (status == -SIGKILL) {
      ++kills;
    } else if (status != 0) {
      problems.push_back(
          fmt::format("it ended with {}: {}", status.value_or(-1), file_text(folder / "output")));
    }
  }
  if (problems.empty()) problems = wrong_with_log_work(folder / "log");
  if (!l.report(fmt::format("{}: outside appends and retention: {} kills", name, kills), problems))
    return 0;
  std::filesystem::remove_all(folder);
  return kills;
}

}  // namespace kappa::crash
