// What users notice when processes come and go, by the classic protocol of Kafka's groups and by
// the brokers' own (KIP-848).
//
//  - join: two processes have the tasks, a third one comes. How long are the tasks that stay
//    without an output at most, and how long were they before?
//  - failover: of the three one is killed. How long until the first output of an event that was
//    made after the kill, of the last of its partitions? Its parts: until another process was given
//    the task (the session time-out is the floor), until its state is there (replayed from the log,
//    or from where a standby had got to), until the first commit was seen.
//
// 6 partitions, a state of 1 M keys, 1000 events a second, session time-out 6 s, commits of 100 ms.
// Each round is an app of its own. The processes, producer and consumer share one core.
#include <numeric>

#include <fmt/format.h>

#include "events.hpp"
#include "kafka/benchmarks.hpp"
#include "kafka/output_watch.hpp"
#include "kafka/pinned_broker.hpp"
#include "kafka/worker_process.hpp"
#include "measure.hpp"

namespace bench::kafka {
namespace {

using namespace std::chrono_literals;

constexpr std::int32_t partitions = 6;

struct sizes {
  std::uint32_t keys;
  std::chrono::seconds settle;  // longer than between two snapshots
  std::chrono::seconds before;
};

struct findings {
  double gap_before_ms = 0;
  double gap_joining_ms = 0;
  double given_s = 0;  // each since the kill
  double live_s = 0;
  double first_output_s = 0;
};

double seconds_between(moment a, moment b) { return std::chrono::duration<double>{b - a}.count(); }

class round_of_placement {
 public:
  round_of_placement(const pinned_broker& broker, std::filesystem::path folder, std::string app,
                     std::string protocol, std::size_t standbys, sizes s)
      : broker_{broker}, folder_{std::move(folder)}, sizes_{s} {
    options_.log = broker.url();
    options_.app = std::move(app);
    options_.partitions = partitions;
    options_.protocol = std::move(protocol);
    options_.standbys = standbys;
  }

  findings run() {
    const auto log = broker_.open_log();
    must(log->create_topic({.name = input_of(options_.app), .partitions = partitions}));
    start_one();
    start_one();
    // The state is made where the tasks are: who gets one later has nothing of it.
    wait_until("two processes to have the tasks", [&] { return shared(); });
    std::vector<std::uint32_t> each_once(sizes_.keys);
    std::iota(each_once.begin(), each_once.end(), 0U);
    event_maker{each_once}.fill(*log, input_of(options_.app), partitions, sizes_.keys);
    watch_.emplace(broker_.address(), output_of(options_.app), partitions);
    wait_until("the state", [&] { return watch_->count() == sizes_.keys; });
    load_.emplace(broker_.address(),
                  paced_load::plan{input_of(options_.app), partitions, sizes_.keys, 1000});
    pass(sizes_.settle);
    join();
    pass(sizes_.settle);
    kill_first();
    return found_;
  }

 private:
  void start_one() {
    auto o = options_;
    o.state = folder_ / options_.app / std::to_string(workers_.size());
    workers_.push_back(std::make_unique<worker_process>(o));
  }

  void check() const {
    for (const auto& w : workers_) w->check();
    if (watch_) watch_->check();
    if (load_) load_->check();
  }
  template <class Condition>
  void wait_until(const char* what, Condition&& is_so) const {
    const auto until = std::chrono::steady_clock::now() + 180s;
    while (!is_so()) {
      check();
      if (std::chrono::steady_clock::now() > until)
        throw std::runtime_error{fmt::format("{}: waited in vain for {}", options_.app, what)};
      std::this_thread::sleep_for(5ms);
    }
  }
  void pass(std::chrono::seconds time) const {
    std::this_thread::sleep_for(time);
    check();
  }
  /// Every process has some of the tasks, and together they have all.
  [[nodiscard]] bool shared() const {
    std::size_t all = 0;
    for (const auto& w : workers_) {
      const auto n = w->live_tasks().size();
      if (n == 0) return false;
      all += n;
    }
    return all == std::size_t{partitions};
  }

  void join() {
    const auto start_of_before = std::chrono::steady_clock::now();
    pass(sizes_.before);
    const auto joining = std::chrono::steady_clock::now();
    const auto old_ones = workers_.size();
    start_one();
    wait_until("the third process to have tasks", [&] { return shared(); });
    pass(2s);
    const auto end = std::chrono::steady_clock::now();
    std::size_t stayed = 0;
    for (std::size_t i = 0; i < old_ones; ++i) {
      for (const auto p : workers_[i]->live_tasks()) {
        if (workers_[i]->touched(p, start_of_before)) continue;
        ++stayed;
        found_.gap_before_ms =
            std::max(found_.gap_before_ms, watch_->longest_gap_ms(p, start_of_before, joining));
        found_.gap_joining_ms =
            std::max(found_.gap_joining_ms, watch_->longest_gap_ms(p, joining, end));
      }
    }
    if (stayed == 0) throw std::runtime_error{"no task has stayed where it was"};
  }

  void kill_first() {
    const auto its = workers_.front()->live_tasks();
    const auto killed = std::chrono::steady_clock::now();
    workers_.front()->kill();
    workers_.erase(workers_.begin());
    wait_until("outputs of the killed process's tasks", [&] {
      return std::all_of(its.begin(), its.end(),
                         [&](auto p) { return watch_->first_made_after(p, killed).has_value(); });
    });
    for (const auto p : its) {
      const auto first = seconds_between(killed, *watch_->first_made_after(p, killed));
      if (first < found_.first_output_s) continue;
      found_.first_output_s = first;
      for (const auto& w : workers_) {
        const auto given = w->touched(p, killed);
        const auto there = w->became_live(p, killed);
        if (!given || !there) continue;
        found_.given_s = seconds_between(killed, *given);
        found_.live_s = seconds_between(killed, *there);
      }
    }
  }

  const pinned_broker& broker_;
  std::filesystem::path folder_;
  sizes sizes_;
  worker_options options_;
  std::vector<std::unique_ptr<worker_process>> workers_;
  std::optional<output_watch> watch_;
  std::optional<paced_load> load_;
  findings found_;
};

void placement(context& ctx, const std::string& protocol, std::size_t standbys) {
  const auto s = ctx.quick ? sizes{2000, 1s, 1s} : sizes{1'000'000, 8s, 5s};
  const pinned_broker broker;
  if (protocol == "consumer" && !broker.has_own_protocol()) {
    fmt::print(stderr, "placement by the brokers: those of this version cannot; left out\n");
    return;
  }
  std::vector<double> before;
  std::vector<double> joining;
  std::vector<double> given;
  std::vector<double> replayed;
  std::vector<double> committed;
  std::vector<double> first;
  for (int round = 0; round < ctx.rounds(3); ++round) {
    const auto app = fmt::format("{}-{}", protocol, round);
    const auto f = round_of_placement{broker, ctx.folder, app, protocol, standbys, s}.run();
    std::filesystem::remove_all(ctx.folder / app);
    before.push_back(f.gap_before_ms);
    joining.push_back(f.gap_joining_ms);
    given.push_back(f.given_s);
    replayed.push_back(f.live_s - f.given_s);
    committed.push_back(f.first_output_s - f.live_s);
    first.push_back(f.first_output_s);
  }
  const auto how = fmt::format("{}, standbys: {}", protocol, standbys);
  const auto gap = spread_of(joining);
  ctx.out.add({"placement", fmt::format("longest pause of tasks that stay, one joins, {}", how),
               aim_kind::none, 0, gap.median, gap.least, gap.most, "ms",
               fmt::format("before: {:.0f} ms", spread_of(before).median)});
  const auto all = spread_of(first);
  ctx.out.add({"placement", fmt::format("first output after a kill, {}", how), aim_kind::none, 0,
               all.median, all.least, all.most, "s",
               fmt::format("given after {:.1f} s, replayed in {:.1f} s, first commit {:.1f} s",
                           spread_of(given).median, spread_of(replayed).median,
                           spread_of(committed).median)});
}

}  // namespace

std::vector<benchmark> placement_benchmarks() {
  std::vector<benchmark> all;
  const auto add = [&](const char* protocol, std::size_t standbys) {
    all.push_back({"placement", [=](context& c) { placement(c, protocol, standbys); }});
  };
  add("classic", 0);
  add("consumer", 0);
  add("classic", 1);
  add("classic", 2);  // with three processes: all
  return all;
}

}  // namespace bench::kafka
