#include "kafka/reader.hpp"

#include <algorithm>
#include <array>

#include "log/log_rules.hpp"

namespace kappa::kafka {
namespace {

constexpr std::size_t messages_at_once = 512;
// What waits here for a stage with several inputs, which must know how far it can go.
constexpr std::size_t at_hand_bytes = 1 << 20;

void on_not_empty(rd_kafka_t*, void* opaque) { static_cast<bells*>(opaque)->ring(); }

class bell_subscription final : public subscription {
 public:
  bell_subscription(std::shared_ptr<bells> all, std::function<void()> ring)
      : all_{std::move(all)}, mine_{all_->add(std::move(ring))} {}
  ~bell_subscription() override { all_->remove(mine_); }

 private:
  std::shared_ptr<bells> all_;
  bells::handle mine_;
};

}  // namespace

result<std::unique_ptr<reader>> reader::open(fetch_pool& pool, admin& ask,
                                             std::shared_ptr<detail::buffer_pool> buffers,
                                             const topic_partition& where) {
  auto lease = pool.take(where);
  if (!lease) return fail(lease.error());
  std::unique_ptr<reader> r{new reader{std::move(*lease), ask, std::move(buffers), where}};
  r->topic_.reset(rd_kafka_topic_new(r->lease_.of().get(), where.topic.c_str(), nullptr));
  if (!r->topic_) return fail(r->lease_.of().error_of(rd_kafka_last_error(), where.text()));
  return r;
}

reader::~reader() { stop(); }

void reader::stop() {
  waiting_.clear();
  waiting_bytes_ = 0;
  if (!queue_) return;
  rd_kafka_queue_cb_event_enable(queue_.get(), nullptr, nullptr);
  (void)rd_kafka_consume_stop(topic_.get(), where_.partition.value);
  queue_.reset();
}

result<void> reader::start(offset from) {
  if (queue_ && from == next_) return {};
  stop();
  auto bounds = ask_.bounds(where_);
  if (!bounds) return fail(bounds.error());
  if (auto inside = detail::check_bounds(where_, from, *bounds); !inside) return inside;
  end_at_start_ = bounds->latest;
  auto& of = lease_.of();
  queue made{rd_kafka_queue_new(of.get())};
  rd_kafka_queue_cb_event_enable(made.get(), on_not_empty, bells_.get());
  if (rd_kafka_consume_start_queue(topic_.get(), where_.partition.value, from.value, made.get()) !=
      0)
    return fail(of.error_of(rd_kafka_last_error(), where_.text()));
  queue_ = std::move(made);
  next_ = at_hand_ = from;
  return {};
}

// Takes messages out of librdkafka's queue until about max_bytes wait here. An error waits too:
// what came before it is read first.
result<void> reader::pull(std::size_t max_bytes) {
  std::array<rd_kafka_message_t*, messages_at_once> got{};
  while (waiting_bytes_ < max_bytes) {
    const auto n = rd_kafka_consume_batch_queue(queue_.get(), 0, got.data(), got.size());
    if (n < 0) return fail(lease_.of().error_of(rd_kafka_last_error(), where_.text()));
    if (n == 0) {
      if (!lease_.of().is_unknown(where_)) return {};
      stop();
      return fail(errc::unavailable, where_.text(),
                  "the brokers do not know it at the moment, or it was deleted", true);
    }
    for (std::size_t i = 0; i < static_cast<std::size_t>(n); ++i) {
      message m{got[i]};
      if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {  // over what is no record: markers, aborts
        at_hand_ = std::max(at_hand_, offset{m->offset});
        continue;
      }
      if (m->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        if (m->offset < at_hand_.value) continue;
        at_hand_ = offset{m->offset} + 1;
      } else if (error_of(m->err, {}, {}).retriable) {
        continue;  // the client tries again by itself
      }
      waiting_.emplace_back(std::move(m));
      waiting_bytes_ += waiting_.back().bytes;
    }
  }
  return {};
}

// What is next may be an error. The next read starts anew, and finds out whether it is still so.
result<void> reader::check_first(offset from) {
  if (waiting_.empty()) return {};
  const auto& first = *waiting_.front().of;
  if (first.err == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
  const auto e =
      lease_.of().error_of(first.err, fmt::format("{}@{}", where_.text(), from),
                           bytes_view{static_cast<const char*>(first.payload), first.len},
                           "Read on topic " + where_.topic);
  stop();
  return fail(e);
}

result<read_batch> reader::read(offset from, std::size_t max_bytes) {
  if (auto started = start(from); !started) return fail(started.error());
  if (auto pulled = pull(max_bytes); !pulled) return fail(pulled.error());
  if (auto good = check_first(from); !good) return fail(good.error());
  std::vector<const incoming*> taken;
  std::size_t bytes = 0;
  for (const auto& m : waiting_) {
    if (m.of->err != RD_KAFKA_RESP_ERR_NO_ERROR) break;
    if (!taken.empty() && bytes + m.bytes > max_bytes) break;
    taken.push_back(&m);
    bytes += m.bytes;
  }
  if (taken.empty()) {
    next_ = at_hand_;
    return read_batch{nullptr, {}, from, next_};
  }
  const bool all = taken.size() == waiting_.size();
  const auto next = all ? at_hand_ : offset{taken.back()->of->offset} + 1;
  auto batch = to_batch(taken, *buffers_, from, next);
  if (!batch) return fail(batch.error());
  waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(taken.size()));
  waiting_bytes_ -= bytes;
  next_ = next;
  return batch;
}

result<offset> reader::at_hand() {
  if (!queue_) return next_;
  if (auto pulled = pull(at_hand_bytes); !pulled) return fail(pulled.error());
  // Who reads only what is at hand would never hear of it.
  if (auto good = check_first(next_); !good) return fail(good.error());
  return at_hand_;
}

result<offset> reader::end_seen() {
  std::int64_t low = 0;
  std::int64_t high = -1;
  (void)rd_kafka_get_watermark_offsets(lease_.of().get(), where_.topic.c_str(),
                                       where_.partition.value, &low, &high);
  return std::max({offset{high}, at_hand_, end_at_start_});
}

result<std::unique_ptr<subscription>> reader::subscribe(std::function<void()> on_data) {
  return std::make_unique<bell_subscription>(bells_, std::move(on_data));
}

}  // namespace kappa::kafka
