#include "sim/faulty_log.hpp"

#include <set>
#include <utility>

namespace kappa::sim {
namespace {

tl::unexpected<error> injected(std::string what) {
  return fail(errc::injected, std::move(what), "a fault of the simulation", true);
}

class faulty_reader final : public log_reader {
 public:
  faulty_reader(std::shared_ptr<faulty_log> log, std::unique_ptr<log_reader> to)
      : log_{std::move(log)}, to_{std::move(to)} {}
  result<read_batch> read(offset from, std::size_t max_bytes) override {
    if (log_->fails("read of " + where().text())) return injected(where().text());
    if (auto shown = show(); !shown) return fail(shown.error());
    if (from >= shown_) {
      // Not twice in a row: who waits for a call would wait for ever, as nothing runs meanwhile.
      if (!std::exchange(was_late_, true)) return read_batch{nullptr, {}, from, from};
      was_late_ = false;
      auto end = to_->end_seen();
      if (!end) return fail(end.error());
      shown_ = *end;
    }
    return to_->read(from, max_bytes);
  }
  result<void> start(offset from) override { return to_->start(from); }
  result<offset> at_hand() override {
    if (auto shown = show(); !shown) return fail(shown.error());
    return shown_;
  }
  result<offset> end_seen() override { return to_->end_seen(); }
  result<std::unique_ptr<subscription>> subscribe(std::function<void()> on_data) override {
    return to_->subscribe(std::move(on_data));
  }
  const topic_partition& where() const override { return to_->where(); }

 private:
  // What has come by now.
  result<void> show() {
    if (log_->late()) return {};
    auto end = to_->end_seen();
    if (!end) return fail(end.error());
    shown_ = *end;
    return {};
  }

  offset shown_{0};  // what lies before has come
  bool was_late_ = false;
  std::shared_ptr<faulty_log> log_;
  std::unique_ptr<log_reader> to_;
};

}  // namespace

class faulty_writer final : public log_writer {
 public:
  faulty_writer(std::shared_ptr<faulty_log> log, std::unique_ptr<log_writer> to)
      : log_{std::move(log)}, to_{std::move(to)}, term_{to_->term()} {}

  result<commit_receipt> commit(const log_transaction& tx) override {
    const auto unknown = [] {
      return fail(errc::indefinite, "commit", "a fault of the simulation: the outcome is unknown");
    };
    if (unknown_ || !to_) return fail(errc::fenced, "commit", "this writer's outcome is unknown");
    switch (log_->fate_of_commit()) {
      case commit_fate::good:
        return log_->apply(*to_, tx);
      case commit_fate::aborted:
        return injected("commit");
      case commit_fate::no_space:
        return fail(errc::no_space, "commit", "a fault of the simulation: no room", true);
      case commit_fate::lost:
        break;
      case commit_fate::applied:
        if (auto applied = log_->apply(*to_, tx); !applied) return applied;
        break;
      case commit_fate::on_its_way:
        log_->writer_on_its_way_ = std::move(to_);
        log_->on_its_way_ = std::make_unique<log_transaction>(tx);
        break;
    }
    unknown_ = true;
    return unknown();
  }
  writer_term term() const override { return term_; }
  result<bool> moved_last(const position_key& key) override { return to_->moved_last(key); }

 private:
  std::shared_ptr<faulty_log> log_;
  std::unique_ptr<log_writer> to_;
  writer_term term_;
  bool unknown_ = false;
};

faulty_log::faulty_log(std::shared_ptr<memory_log> memory)
    : forwarding_log{memory}, memory_{std::move(memory)} {}

result<commit_receipt> faulty_log::apply(log_writer& writer, const log_transaction& tx) {
  auto receipt = writer.commit(tx);
  if (!receipt) {
    if (on_refusal) on_refusal(tx, receipt.error());
    return receipt;
  }
  if (on_commit) on_commit(tx, receipt->bases);
  std::set<topic_partition> grown;
  for (const auto& a : tx.appends) grown.insert(a.to);
  for (const auto& tp : grown) {
    if (gap_after_commit > 0) memory_->skip_offsets(tp, gap_after_commit);
  }
  return receipt;
}

result<partition_bounds> faulty_log::bounds(const topic_partition& tp) {
  if (fails("bounds of " + tp.text())) return injected(tp.text());
  return to().bounds(tp);
}

result<std::unique_ptr<log_reader>> faulty_log::open_reader(const topic_partition& tp) {
  auto reader = to().open_reader(tp);
  if (!reader) return reader;
  return std::make_unique<faulty_reader>(shared_from_this(), std::move(*reader));
}

result<std::unique_ptr<log_writer>> faulty_log::open_writer(const writer_options& o) {
  if (fails("opening of a writer")) return injected("writer");
  if (on_its_way_) {
    (void)apply(*writer_on_its_way_, *on_its_way_);
    on_its_way_.reset();
    writer_on_its_way_.reset();
  }
  auto writer = to().open_writer(o);
  if (!writer) return writer;
  return std::make_unique<faulty_writer>(shared_from_this(), std::move(*writer));
}

result<std::optional<committed_position>> faulty_log::position(const position_key& key) {
  if (fails("position of " + key.text())) return injected(key.text());
  return to().position(key);
}

}  // namespace kappa::sim
