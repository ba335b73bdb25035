// The other process in tests of the embedded log: log_helper COMMAND FOLDER ARGUMENT…
//
//   append TOPIC PARTITION COUNT PREFIX   appends records one by one, says "done"
//   ask TOPIC PARTITION PREFIX            appends one record for each line of its input, says
//                                         "appended OFFSET"
//   wait TOPIC PARTITION COUNT            says "ready", then each value, as it comes
//   own APP TOPIC                         takes the app, says "owned TERM"; commits one record for
//                                         each line of its input, says "committed"
//   read TOPIC PARTITION                  opens read-only, says each value and "end"
//   limited TOPIC BYTES                   may make its files BYTES longer: appends until it cannot,
//                                         says "full N CODE"; on a line of input lifts the limit
//                                         and appends again, says "appended OFFSET"
//   tiny                                  a log of its own on a tiny file system (root only, else
//                                         says "cannot …"): says "full N CODE", "kept N", then with
//                                         more room "appended OFFSET"
//
// An error is said as "error CODE: text", with exit code 1. KAPPA_TEST_MAP_BYTES: map_bytes.
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <mutex>
#include <string>
#include <vector>

#include "kappa/log/embedded_log.hpp"

namespace {

using namespace kappa;

void say(const std::string& line) { std::cout << line << std::endl; }

[[noreturn]] void die(const error& e) {
  say(fmt::format("error {}: {}", name_of(e.code), e.text()));
  std::exit(1);
}
template <class T>
T must(result<T> r) {
  if (!r) die(r.error());
  if constexpr (!std::is_void_v<T>) return std::move(*r);
}

record_batch one(const std::string& value) {
  record_batch b;
  b.add(timestamp{}, "k", value);
  return b;
}

void wait_for(event_log& log, const topic_partition& where, std::size_t count) {
  std::mutex mutex;
  std::condition_variable changed;
  bool news = false;
  const auto reader = must(log.open_reader(where));
  const auto waiting = must(reader->subscribe([&] {
    const std::lock_guard lock{mutex};
    news = true;
    changed.notify_all();
  }));
  auto from = must(log.bounds(where)).latest;
  say("ready");
  std::size_t seen = 0;
  while (seen < count) {
    const auto batch = must(reader->read(from, 1 << 20));
    for (const auto& r : batch.records()) {
      say(std::string{*r.value});
      ++seen;
    }
    from = batch.next();
    if (!batch.empty()) continue;
    std::unique_lock lock{mutex};
    changed.wait(lock, [&] { return news; });
    news = false;
  }
}

void read_all(event_log& log, const topic_partition& where) {
  const auto reader = must(log.open_reader(where));
  auto from = must(log.bounds(where)).earliest;
  for (;;) {
    const auto batch = must(reader->read(from, 1 << 20));
    if (batch.empty()) break;
    for (const auto& r : batch.records()) say(std::string{*r.value});
    from = batch.next();
  }
  say("end");
}

void own(event_log& log, const std::string& app, const std::string& topic) {
  const auto writer = must(log.open_writer({app, fmt::format("helper (pid {})", ::getpid())}));
  say(fmt::format("owned {}", writer->term().value));
  std::string line;
  while (std::getline(std::cin, line)) {
    auto records = std::make_shared<record_batch>(one(line));
    log_transaction tx;
    tx.appends = {{{topic, partition{0}}, records}};
    tx.moves = {{{app, "stage", generation{1}, partition{0}, "in"}, {offset{1}, line}}};
    must(writer->commit(tx));
    say("committed");
  }
}

std::size_t fill(event_log& log, const topic_partition& where) {
  for (std::size_t n = 0;; ++n) {
    const auto r = log.append(where, one(fmt::format("{}-", n) + std::string(100'000, 'x')));
    if (r) continue;
    say(fmt::format("full {} {}", n, name_of(r.error().code)));
    return n;
  }
}

/// Only this process sees the mount, and it is gone with it.
void tiny(const embedded_log_options& options) {
  if (::unshare(CLONE_NEWNS) != 0 ||
      ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      ::mount("none", options.folder.c_str(), "tmpfs", 0, "size=3m") != 0) {
    say(fmt::format("cannot mount: {}", std::strerror(errno)));
    return;
  }
  const auto log = must(open_embedded_log(options));
  const topic_partition where{"orders", partition{0}};
  topic_config c;
  c.name = where.topic;
  must(log->create_topic(c));
  fill(*log, where);
  say(fmt::format("kept {}", must(log->bounds(where)).latest.value));
  if (::mount(nullptr, options.folder.c_str(), nullptr, MS_REMOUNT, "size=30m") != 0) return;
  say(fmt::format("appended {}", must(log->append(where, one("after"))).base.value));
}

void limited(event_log& log, const topic_partition& where, const std::filesystem::path& file,
             std::uint64_t more) {
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit limit{};
  ::getrlimit(RLIMIT_FSIZE, &limit);
  const auto before = limit;
  limit.rlim_cur = std::filesystem::file_size(file) + more;
  ::setrlimit(RLIMIT_FSIZE, &limit);
  fill(log, where);
  std::string line;
  std::getline(std::cin, line);
  ::setrlimit(RLIMIT_FSIZE, &before);
  say(fmt::format("appended {}", must(log.append(where, one("after"))).base.value));
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> args{argv + 1, argv + argc};
  embedded_log_options options;
  options.folder = args.at(1);
  options.read_only = args[0] == "read";
  if (const char* bytes = std::getenv("KAPPA_TEST_MAP_BYTES"))
    options.map_bytes = std::stoull(bytes);
  if (args[0] == "tiny") {
    tiny(options);
    return 0;
  }
  const auto log = must(open_embedded_log(options));
  const auto where = [&] { return topic_partition{args.at(2), partition{std::stoi(args.at(3))}}; };
  if (args[0] == "append") {
    for (int i = 0; i < std::stoi(args.at(4)); ++i) {
      must(log->append(where(), one(args.at(5) + std::to_string(i))));
    }
    say("done");
  } else if (args[0] == "ask") {
    std::string line;
    while (std::getline(std::cin, line)) {
      say(fmt::format("appended {}", must(log->append(where(), one(line))).base.value));
    }
  } else if (args[0] == "wait") {
    wait_for(*log, where(), std::stoul(args.at(4)));
  } else if (args[0] == "own") {
    own(*log, args.at(2), args.at(3));
  } else if (args[0] == "read") {
    read_all(*log, where());
  } else if (args[0] == "limited") {
    limited(*log, {args.at(2), partition{0}}, options.folder / "data.mdb", std::stoull(args.at(3)));
  } else {
    return 2;
  }
  return 0;
}
