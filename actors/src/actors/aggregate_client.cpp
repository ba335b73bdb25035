#include "kappa/actors/aggregate_client.hpp"

#include <atomic>
#include <map>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "kappa/aggregate/command_record.hpp"
#include "kappa/core/bell.hpp"
#include "kappa/core/partitioner.hpp"
#include "kappa/log/for_each_record.hpp"

namespace kappa {
namespace {

using time_point = std::chrono::steady_clock::time_point;

constexpr std::size_t most_at_once_bytes = 1 << 20;
constexpr std::size_t most_queued = 64 << 10;
constexpr std::size_t most_queued_bytes = 64 << 20;
// After an error of the log.
constexpr std::chrono::milliseconds pause{500};
constexpr std::chrono::hours long_time{1};

std::string random_name() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}", random(), random());
}

}  // namespace

struct aggregate_client::inside {
  struct queued {
    topic_partition to;
    bytes key;
    bytes body;
    bytes headers;
    bytes correlation;  // empty: nobody waits
  };
  struct asker {
    std::function<void(command_outcome)> done;
    time_point until;
  };

  std::shared_ptr<event_log> log;
  std::shared_ptr<const kappa::topology> topology;
  std::map<std::string, topic_config> commands;  // by stage
  log_sink log_to;
  std::string self = random_name();
  std::atomic<std::uint64_t> next_number{0};

  std::unique_ptr<log_reader> replies;
  std::unique_ptr<subscription> more_replies;
  offset next;
  std::shared_ptr<bell> replies_or_time = std::make_shared<bell>();
  std::shared_ptr<bell> to_send = std::make_shared<bell>();

  std::mutex mutex;
  std::vector<queued> queue;
  std::size_t queued_bytes = 0;
  std::unordered_map<bytes, asker> waiting;  // by correlation
  time_point next_due = time_point::max();   // none of them is earlier
  bool ends = false;
  std::thread sender;
  std::thread hearer;

  result<topic_config> require_topic(const std::string& name) const {
    auto found = log->find_topic(name);
    if (!found) return fail(found.error());
    if (*found) return std::move(**found);
    return fail(errc::not_found, name,
                fmt::format("no such topic in {}: nobody has run app \"{}\" with this aggregate on "
                            "this log yet; start it first",
                            log->name(), topology->app_name()));
  }

  result<void> open() {
    for (const auto& stage : topology->stages()) {
      if (!stage.aggregate) continue;
      auto config = require_topic(stage.commands_topic());
      if (!config) return fail(config.error());
      commands.emplace(stage.name, std::move(*config));
    }
    auto config = require_topic(topology->replies_topic());
    if (!config) return fail(config.error());
    const topic_partition where{config->name, partition_of(self, config->partitions)};
    auto bounds = log->bounds(where);
    if (!bounds) return fail(bounds.error());
    next = bounds->latest;
    auto reader = log->open_reader(where);
    if (!reader) return fail(reader.error());
    replies = std::move(*reader);
    auto subscribed = replies->subscribe([r = replies_or_time] { r->ring(); });
    if (!subscribed) return fail(subscribed.error());
    more_replies = std::move(*subscribed);
    if (auto started = replies->start(next); !started) return started;
    sender = std::thread{[this] { send_all(); }};
    hearer = std::thread{[this] { hear_all(); }};
    return {};
  }

  /// Of the call only `done` is left.
  result<queued> record_of(command_call& call, const detail::aggregate_address& type) {
    auto stage = topology->find_aggregate(type.aggregate, type.key_fingerprint);
    if (!stage) return fail(stage.error());
    const auto& config = commands.at((*stage)->name);
    queued q;
    q.to = {config.name, partition_of(call.key, config.partitions)};
    q.key = std::move(call.key);
    q.body = std::move(call.body);
    command_headers h;
    h.type = reference_to((*stage)->aggregate->commands().at(call.command));
    h.id = std::move(call.id);
    h.expected = call.expected;
    if (call.done) {
      q.correlation = fmt::format("{}-{}", self, next_number++);
      h.reply_to = {replies->where().partition, q.correlation};
    }
    encode_command_headers(h, q.headers);
    const auto size = detail::record_bytes(q.key, q.body, q.headers.size());
    if (size <= config.max_record_bytes) return q;
    return fail(errc::too_large, printable(q.key),
                fmt::format("the command takes {} bytes, and a record of {} may have {}", size,
                            config.name, config.max_record_bytes));
  }

  /// Why it is not taken; then `done` is as it was.
  std::optional<error> enqueue(queued record, std::function<void(command_outcome)>& done,
                               std::chrono::milliseconds timeout) {
    const auto until = std::chrono::steady_clock::now() + timeout;
    const auto size = detail::record_bytes(record.key, record.body, record.headers.size());
    {
      const std::lock_guard lock{mutex};
      if (ends)
        return error{errc::stopped, topology->app_name(), "the client is being ended", true};
      if (queue.size() >= most_queued || queued_bytes >= most_queued_bytes) {
        return error{errc::unavailable, topology->app_name(),
                     "as many commands as may wait to be sent already do", true};
      }
      if (done) {
        waiting.emplace(record.correlation, asker{std::move(done), until});
        if (until < next_due) {
          next_due = until;
          replies_or_time->ring();
        }
      }
      queue.push_back(std::move(record));
      queued_bytes += size;
    }
    to_send->ring();
    return std::nullopt;
  }

  // ── its threads ──

  // What was queued before the end is sent.
  void send_all() {
    for (;;) {
      to_send->hush();
      send_queued();
      {
        const std::lock_guard lock{mutex};
        if (!queue.empty()) continue;
        if (ends) return;
      }
      to_send->wait_until(std::chrono::steady_clock::now() + long_time);
    }
  }

  void hear_all() {
    for (;;) {
      replies_or_time->hush();
      const bool all_read = read_replies();
      const auto wake = expire();
      {
        const std::lock_guard lock{mutex};
        if (ends) return;
      }
      const auto now = std::chrono::steady_clock::now();
      replies_or_time->wait_until(all_read ? wake : std::min(wake, now + pause));
    }
  }

  void send_queued() {
    std::vector<queued> out;
    {
      const std::lock_guard lock{mutex};
      out.swap(queue);
      queued_bytes = 0;
    }
    std::map<topic_partition, std::vector<const queued*>> by_partition;
    for (const auto& q : out) by_partition[q.to].push_back(&q);
    for (const auto& [to, all] : by_partition) {
      record_batch batch;
      std::size_t first = 0;
      for (std::size_t i = 0; i < all.size(); ++i) {
        batch.add(system_now(), all[i]->key, all[i]->body, all[i]->headers);
        if (i + 1 < all.size() && batch.size_bytes() < most_at_once_bytes) continue;
        if (auto sent = log->append(to, batch); !sent) {
          for (auto j = first; j <= i; ++j) answer(all[j]->correlation, sent.error());
        }
        batch.clear();
        first = i + 1;
      }
    }
  }

  // False: it did not come to the end.
  bool read_replies() {
    auto read = for_each_record(*log, *replies, next, [&](const record_view& r) -> result<bool> {
      if (!r.key || !r.key->starts_with(self)) return true;
      auto outcome = decode_reply(r.value.value_or(bytes_view{}));
      answer(bytes{*r.key}, outcome ? std::move(*outcome) : command_outcome{outcome.error()});
      return true;
    });
    if (read) {
      next = *read;
      return true;
    }
    log_to(log_level::warning, "replies to commands cannot be read",
           {{"topic", replies->where().text()}, {"error", read.error().text()}});
    return false;
  }

  void answer(const bytes& correlation, command_outcome outcome) {
    std::function<void(command_outcome)> done;
    {
      const std::lock_guard lock{mutex};
      const auto found = waiting.find(correlation);
      if (found == waiting.end()) return;
      done = std::move(found->second.done);
      waiting.erase(found);
    }
    kappa::tell(done, std::move(outcome));
  }

  // Gives when the next one may be due.
  time_point expire() {
    const auto now = std::chrono::steady_clock::now();
    std::vector<bytes> due;
    {
      const std::lock_guard lock{mutex};
      if (now < next_due) return std::min(next_due, now + long_time);
      next_due = time_point::max();
      for (const auto& [correlation, a] : waiting) {
        if (a.until <= now) {
          due.push_back(correlation);
        } else {
          next_due = std::min(next_due, a.until);
        }
      }
    }
    for (const auto& correlation : due)
      answer(correlation, detail::no_answer_in_time(topology->app_name()));
    return expire();
  }

  void end() {
    {
      const std::lock_guard lock{mutex};
      ends = true;
    }
    to_send->ring();
    replies_or_time->ring();
    if (sender.joinable()) sender.join();
    if (hearer.joinable()) hearer.join();
    const error unknown{errc::indefinite, topology->app_name(),
                        "the client was ended before it was answered"};
    for (auto& [correlation, a] : std::exchange(waiting, {})) kappa::tell(a.done, unknown);
  }
};

aggregate_client::aggregate_client(std::unique_ptr<inside> in) : in_{std::move(in)} {}

aggregate_client::~aggregate_client() { in_->end(); }

result<std::unique_ptr<aggregate_client>> aggregate_client::open(std::shared_ptr<event_log> log,
                                                                 const app& app, log_sink log_to) {
  auto compiled = topology::compile(app);
  if (!compiled) return fail(compiled.error());
  return open(std::move(log), std::make_shared<const topology>(std::move(*compiled)),
              std::move(log_to));
}

result<std::unique_ptr<aggregate_client>> aggregate_client::open(std::shared_ptr<event_log> log,
                                                                 std::shared_ptr<const topology> of,
                                                                 log_sink log_to) {
  auto in = std::make_unique<inside>();
  in->log = std::move(log);
  in->topology = std::move(of);
  in->log_to = std::move(log_to);
  if (auto opened = in->open(); !opened) return fail(opened.error());
  return std::unique_ptr<aggregate_client>{new aggregate_client{std::move(in)}};
}

void aggregate_client::send(command_call call, const detail::aggregate_address& type,
                            std::chrono::milliseconds timeout) {
  auto record = in_->record_of(call, type);
  if (!record) {
    kappa::tell(call.done, record.error());
    return;
  }
  if (call.is_given_up()) return;
  if (const auto refused = in_->enqueue(std::move(*record), call.done, timeout))
    kappa::tell(call.done, *refused);
}

}  // namespace kappa
