#include "kafka/outside_producer.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <thread>

#include <fmt/format.h>

#include "kafka/messages.hpp"
#include "kafka/names.hpp"

namespace kappa::kafka {
namespace {

constexpr int event_poll_ms = 100;
// Producers with a transactional id cost threads each: the one that was not used for long goes.
constexpr std::size_t most_sequenced = 32;

}  // namespace

// One call of append, until all its records are delivered.
struct outside_producer::delivery {
  std::mutex mutex;
  std::condition_variable changed;
  std::size_t left = 0;
  std::optional<offset> base;
  std::optional<timestamp> taken_at;
  std::optional<error> failed;
};

// A producer of librdkafka's, which may come to an end by itself: whoever waits for a delivery
// keeps it until then.
struct outside_producer::line {
  explicit line(std::unique_ptr<client> c) : of{std::move(c)} {}
  ~line() {
    stopping = true;
    polling.join();
  }
  [[nodiscard]] bool broken() const {
    return rd_kafka_fatal_error(of->get(), nullptr, 0) != RD_KAFKA_RESP_ERR_NO_ERROR;
  }

  std::unique_ptr<client> of;
  std::map<std::string, topic_handle> topics;
  std::atomic<bool> stopping = false;
  std::thread polling{[this] {
    while (!stopping) rd_kafka_poll(of->get(), event_poll_ms);
  }};
};

outside_producer::outside_producer(settled_producer::surroundings around)
    : around_{std::move(around)} {}
outside_producer::~outside_producer() = default;

void outside_producer::delivered(rd_kafka_t*, const rd_kafka_message_t* m, void* opaque) {
  auto& d = *static_cast<delivery*>(m->_private);
  const std::lock_guard lock{d.mutex};
  auto at = delivered_at(client::of(opaque), *m);
  if (!at && !d.failed) d.failed = std::move(at.error());
  if (at && !d.base) d.base = *at;
  rd_kafka_timestamp_type_t type{};
  const auto time = rd_kafka_message_timestamp(m, &type);
  if (at && type == RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME) d.taken_at = timestamp{milliseconds{time}};
  if (--d.left == 0) d.changed.notify_all();
}

// The lock is held.
result<std::shared_ptr<outside_producer::line>> outside_producer::open() {
  if (line_ && !line_->broken()) return line_;
  auto c = config::create(around_.options, "outside");
  if (!c) return fail(c.error());
  for (const auto& done :
       {c->set("enable.idempotence", "true"), c->set("message.max.bytes", "100000000"),
        // A second request that is under way may be taken where the first was refused:
        // delivered_at.
        c->set("max.in.flight.requests.per.connection", "1"), c->prefer("linger.ms", "0"),
        c->prefer("message.timeout.ms", "60000")}) {
    if (!done) return fail(done.error());
  }
  rd_kafka_conf_set_dr_msg_cb(c->get(), delivered);
  auto opened = client::open(RD_KAFKA_PRODUCER, std::move(*c), around_.options.log);
  if (!opened) return fail(opened.error());
  return line_ = std::make_shared<line>(std::move(*opened));
}

result<outside_producer::receipt> outside_producer::append(const topic_partition& to,
                                                           const record_batch& records) {
  delivery d;
  d.left = records.count();
  std::shared_ptr<line> by;
  {
    const std::lock_guard lock{mutex_};  // so that the records of others do not come in between
    auto opened = open();
    if (!opened) return fail(opened.error());
    by = *opened;
    auto& topic = by->topics[to.topic];
    if (!topic) topic.reset(rd_kafka_topic_new(by->of->get(), to.topic.c_str(), nullptr));
    if (!topic) return fail(by->of->error_of(rd_kafka_last_error(), to.text()));
    std::size_t refused = 0;
    std::optional<error> why;
    records.for_each([&](const record_view& r) {
      for (;;) {
        if (why) break;
        const auto code = produce(by->of->get(), topic.get(), to.partition.value, r, &d);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return;
        if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
          std::this_thread::yield();  // the polling thread makes room
          continue;
        }
        why = by->of->error_of(code, to.text());
      }
      ++refused;
    });
    const std::lock_guard delivery_lock{d.mutex};
    d.left -= refused;
    if (why && !d.failed) d.failed = why;
  }
  std::unique_lock lock{d.mutex};
  d.changed.wait(lock, [&] { return d.left == 0; });
  if (d.failed) {
    // Part of it may be there, or all.
    auto e = *d.failed;
    if (e.retriable) e.code = errc::indefinite;
    e.retriable = false;
    return fail(std::move(e));
  }
  return receipt{*d.base, d.taken_at};
}

result<settled_producer*> outside_producer::producer(const sequenced_key& key) {
  auto found = sequenced_.find(key);
  if (found == sequenced_.end()) {
    const auto& [name, to] = key;
    const auto group = producer_group(name);
    if (sequenced_.size() >= most_sequenced) {
      sequenced_.erase(std::min_element(
          sequenced_.begin(), sequenced_.end(),
          [](const auto& a, const auto& b) { return a.second.used < b.second.used; }));
    }
    auto made = settled_producer::open(
        around_, fmt::format("{}/{}/{}", group, to.topic, to.partition), {{to}, {{group, {to}}}});
    if (!made) return fail(made.error());
    found = sequenced_.emplace(key, sequenced{std::move(*made)}).first;
  }
  found->second.used = ++uses_;
  return found->second.producer.get();
}

result<append_receipt> outside_producer::append(const topic_partition& to,
                                                const record_batch& records,
                                                const producer_sequence& sequence) {
  const std::lock_guard lock{sequences_mutex_};
  // Before the look, so that what a predecessor left open is ended by then.
  const sequenced_key key{sequence.producer, to};
  auto p = producer(key);
  if (!p) return fail(p.error());
  const auto group = producer_group(sequence.producer);
  auto seen = around_.ask.group_offsets(group, {to});
  if (!seen) {
    sequenced_.erase(key);  // a new one ends what is open there
    return fail(seen.error());
  }
  if (!seen->empty() && static_cast<std::int64_t>(sequence.sequence) <= seen->front().offset) {
    const bool last = static_cast<std::int64_t>(sequence.sequence) == seen->front().offset;
    return append_receipt{offset{last ? std::atoll(seen->front().metadata.c_str()) : -1}, true};
  }
  const std::vector<log_transaction::append> appends{
      {to, std::make_shared<const record_batch>(records)}};
  auto bases = (*p)->send(appends, true);
  if (bases) {
    std::vector<group_commit> commits(1);
    commits[0].group = group;
    commits[0].offsets = list_of(to, static_cast<std::int64_t>(sequence.sequence),
                                 std::to_string(bases->front().value));
    commits[0].who.reset(rd_kafka_consumer_group_metadata_new(group.c_str()));
    bases = (*p)->finish(std::move(commits));
  }
  if (!bases) {
    // Whoever is told so asks again with the same sequence, and finds out.
    sequenced_.erase(key);
    return fail(bases.error());
  }
  return append_receipt{bases->front(), false};
}

}  // namespace kappa::kafka
