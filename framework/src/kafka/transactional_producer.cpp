#include "kafka/transactional_producer.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "kafka/messages.hpp"
#include "kappa/core/failpoint.hpp"

namespace kappa::kafka {
namespace {

constexpr int delivery_poll_ms = 20;
constexpr std::chrono::seconds patience_at_opening{60};
constexpr int opening_slice_ms = 500;

// Of a call in a transaction. What comes later than the brokers wait for the transaction is of no
// use: by then they have ended it, and it takes a look at the log.
int patience_ms(const kafka_log_options& options) {
  return std::min(request_timeout_ms, static_cast<int>(options.transaction_timeout.count()));
}

}  // namespace

result<std::unique_ptr<transactional_producer>> transactional_producer::open(
    const kafka_log_options& options, const std::string& transactional_id) {
  auto c = config::create(options, "writer");
  if (!c) return fail(c.error());
  const auto timeout = std::to_string(options.transaction_timeout.count());
  for (const auto& done :
       {c->set("transactional.id", transactional_id), c->set("transaction.timeout.ms", timeout),
        // A large record is refused by our own limit, which names it.
        c->set("message.max.bytes", "100000000"), c->prefer("linger.ms", "1"),
        // A transaction that begins before the brokers have ended the last one is asked to wait,
        // for some milliseconds; the default would make it a tenth of a second each time.
        c->prefer("retry.backoff.ms", "5"), c->prefer("retry.backoff.max.ms", "1000"),
        c->prefer("queue.buffering.max.messages", "1000000")}) {
    if (!done) return fail(done.error());
  }
  rd_kafka_conf_set_dr_msg_cb(c->get(), delivered);
  std::unique_ptr<transactional_producer> p{new transactional_producer{options, transactional_id}};
  auto opened = client::open(RD_KAFKA_PRODUCER, std::move(*c), options.log);
  if (!opened) return fail(opened.error());
  p->client_ = std::move(*opened);
  p->client_->set_owner(p.get());
  const auto began = std::chrono::steady_clock::now();
  const auto until = began + patience_at_opening;
  for (;;) {
    const fault f{rd_kafka_init_transactions(p->client_->get(), opening_slice_ms)};
    if (!f) return p;
    if (auto refused = p->client_->refusal(transactional_id, began))
      return fail(std::move(*refused));
    // The broker may still be loading, or ending the predecessor's transaction.
    if (rd_kafka_error_is_retriable(f.get()) != 0 && std::chrono::steady_clock::now() < until)
      continue;
    return fail(p->client_->error_of(f.get(), transactional_id,
                                     "Write and Describe on transactional id " + transactional_id));
  }
}

// Called inside the calls of librdkafka that wait, on this object's thread.
void transactional_producer::delivered(rd_kafka_t*, const rd_kafka_message_t* m, void* opaque) {
  auto& self = *static_cast<transactional_producer*>(client::of(opaque).owner());
  // Of an abort only the cause is of interest, which came before.
  if (m->err == RD_KAFKA_RESP_ERR__PURGE_QUEUE || m->err == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT)
    return;
  auto at = delivered_at(*self.client_, *m);
  if (!at && !self.delivery_error_) {
    self.delivery_error_ = std::move(at.error());
    if (self.delivery_error_->code == errc::indefinite) {  // not once it was aborted
      self.delivery_error_->code = errc::unavailable;
      self.delivery_error_->retriable = true;
    }
  }
  if (at && m->_private != nullptr) *static_cast<offset*>(m->_private) = *at;
}

result<rd_kafka_topic_t*> transactional_producer::topic(const std::string& name) {
  auto& known = topics_[name];
  if (!known) known.reset(rd_kafka_topic_new(client_->get(), name.c_str(), nullptr));
  if (!known) return fail(client_->error_of(rd_kafka_last_error(), name));
  return known.get();
}

error transactional_producer::broken(error e) {
  broken_ = e;
  return e;
}

// One call of the transactional API, tried again while it says so.
template <class Call>
result<void> transactional_producer::in_transaction(const char* what, const std::string& needs,
                                                    Call&& call) {
  for (;;) {
    const fault f{call()};
    if (!f) return {};
    auto e = client_->error_of(f.get(), id_, needs);
    e.message = fmt::format("{}: {}", what, e.message);
    const auto took = std::chrono::steady_clock::now() - began_;
    if (rd_kafka_error_txn_requires_abort(f.get()) != 0) {
      e.retriable = true;
      if (e.code != errc::too_large && e.code != errc::denied && e.code != errc::not_found) {
        e.code = errc::unavailable;
      } else {
        e.retriable = false;
      }
      return fail(std::move(e));
    }
    if (rd_kafka_error_is_retriable(f.get()) != 0 && took < options_.transaction_timeout) continue;
    // The brokers abort what takes too long, and say then what they say to one that was fenced.
    const bool own_fault = took >= options_.transaction_timeout;
    if (e.code != errc::fenced || own_fault) e.code = errc::indefinite;
    e.retriable = false;
    return fail(broken(std::move(e)));
  }
}

result<void> transactional_producer::produce_all(const log_transaction::append& a, offset* base) {
  auto to = topic(a.to.topic);
  if (!to) return fail(to.error());
  result<void> outcome;
  bool first = true;
  a.records->for_each([&](const record_view& r) {
    if (!outcome) return;
    for (;;) {
      const auto code =
          produce(client_->get(), *to, a.to.partition.value, r, first ? base : nullptr);
      if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
        rd_kafka_poll(client_->get(), delivery_poll_ms);
        continue;
      }
      if (code != RD_KAFKA_RESP_ERR_NO_ERROR) outcome = fail(client_->error_of(code, a.to.text()));
      break;
    }
    first = false;
  });
  return outcome;
}

result<std::vector<offset>> transactional_producer::send(
    const std::vector<log_transaction::append>& appends, bool wait_for_bases) {
  if (broken_) return fail(*broken_);
  if (aborted_) return fail(errc::unavailable, id_, "it has aborted: open it anew", true);
  began_ = std::chrono::steady_clock::now();
  delivery_error_.reset();
  bases_.assign(appends.size(), offset{-1});
  auto begun =
      in_transaction("begin", {}, [&] { return rd_kafka_begin_transaction(client_->get()); });
  if (!begun) return fail(begun.error());
  for (std::size_t i = 0; i < appends.size(); ++i) {
    if (auto produced = produce_all(appends[i], &bases_[i]); !produced)
      return fail(abandon(produced.error()));
  }
  if (wait_for_bases) {
    if (auto all = wait_for_deliveries(); !all) return fail(abandon(all.error()));
  }
  return bases_;
}

result<void> transactional_producer::wait_for_deliveries() {
  const auto code =
      rd_kafka_flush(client_->get(), static_cast<int>(options_.transaction_timeout.count()));
  if (delivery_error_) return fail(*delivery_error_);
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return fail(client_->error_of(code, id_));
  return {};
}

result<void> transactional_producer::move_offsets(const std::vector<group_commit>& commits) {
  for (const auto& c : commits) {
    auto sent = in_transaction("moving positions", "Read on group " + c.group, [&] {
      return rd_kafka_send_offsets_to_transaction(client_->get(), c.offsets.get(), c.who.get(),
                                                  patience_ms(options_));
    });
    if (!sent) return sent;
  }
  return {};
}

result<std::vector<offset>> transactional_producer::prepare(
    const std::vector<group_commit>& commits) {
  failpoint::hit("kafka.before_offsets");
  if (auto moved = move_offsets(commits); !moved) return fail(abandon(moved.error()));
  // Not left to the commit: that has no ear for what a delivery report says of itself.
  if (auto all = wait_for_deliveries(); !all) return fail(abandon(all.error()));
  return bases_;
}

result<void> transactional_producer::commit() {
  failpoint::hit("kafka.before_commit");
  auto committed = in_transaction("commit", {}, [&] {
    return rd_kafka_commit_transaction(client_->get(), patience_ms(options_));
  });
  if (!committed) {
    if (broken_) return fail(committed.error());
    return fail(abandon(delivery_error_ ? *delivery_error_ : committed.error()));
  }
  failpoint::hit("kafka.after_commit");
  return {};
}

result<void> transactional_producer::try_out(const std::vector<log_transaction::append>& appends,
                                             const std::vector<group_commit>& commits) {
  if (auto sent = send(appends, true); !sent) return fail(sent.error());
  if (auto moved = move_offsets(commits); !moved) return fail(abandon(moved.error()));
  return abort();
}

result<void> transactional_producer::abort() {
  aborted_ = true;
  for (;;) {
    const fault f{rd_kafka_abort_transaction(client_->get(), patience_ms(options_))};
    if (!f) return {};
    if (rd_kafka_error_is_retriable(f.get()) != 0 &&
        std::chrono::steady_clock::now() - began_ < 2 * options_.transaction_timeout)
      continue;
    auto e = client_->error_of(f.get(), id_);
    const auto took = std::chrono::steady_clock::now() - began_;
    if (e.code != errc::fenced || took >= options_.transaction_timeout) e.code = errc::indefinite;
    e.message = "abort: " + e.message;
    e.retriable = false;
    return fail(broken(std::move(e)));
  }
}

error transactional_producer::abandon(error why) {
  if (broken_) return *broken_;
  auto aborted = abort();
  if (aborted) return why;
  aborted.error().message += ", after: " + why.text();
  return broken(aborted.error());
}

}  // namespace kappa::kafka
