#include "kappa/log/embedded_log.hpp"

#include <cstddef>
#include <utility>

#include <fmt/format.h>

#include "kappa/core/failpoint.hpp"
#include "log/app_lock.hpp"
#include "log/embedded_store.hpp"
#include "log/group_commit.hpp"
#include "log/log_rules.hpp"
#include "log/subscribers.hpp"
#include "log/wake_file.hpp"

namespace kappa {

namespace {

using detail::embedded_store;
using detail::open_partition;

/// What readers and writers share with the log, and keep alive.
struct shared_parts {
  std::unique_ptr<embedded_store> store;
  std::unique_ptr<detail::wake_file> wake;  // null: read-only, and nobody has made it yet
  std::unique_ptr<detail::group_commit> commits;

  [[nodiscard]] std::filesystem::path locks() const { return store->folder() / "apps"; }
  [[nodiscard]] std::filesystem::path wake_path() const { return store->folder() / "wake"; }
};

class embedded_reader final : public log_reader {
 public:
  /// `subscribers`: null when nobody can be told.
  embedded_reader(std::shared_ptr<shared_parts> parts, std::shared_ptr<const open_partition> where,
                  detail::subscribers* subscribers)
      : parts_{std::move(parts)}, where_{std::move(where)}, subscribers_{subscribers} {}
  result<read_batch> read(offset from, std::size_t max_bytes) override {
    return parts_->store->read(*where_, from, max_bytes);
  }
  result<void> start(offset) override { return {}; }
  result<offset> at_hand() override { return end_seen(); }
  result<offset> end_seen() override {
    auto bounds = parts_->store->bounds(*where_);
    if (!bounds) return fail(bounds.error());
    return bounds->latest;
  }
  result<std::unique_ptr<subscription>> subscribe(std::function<void()> on_data) override {
    if (subscribers_ != nullptr) return subscribers_->add(where_, std::move(on_data));
    return fail(errc::unavailable, "lmdb:" + parts_->store->folder().string(),
                "opened read-only before anything ever wrote to it", true);
  }
  const topic_partition& where() const override { return where_->where; }

 private:
  std::shared_ptr<shared_parts> parts_;
  std::shared_ptr<const open_partition> where_;
  detail::subscribers* subscribers_;
};

class embedded_writer final : public log_writer {
 public:
  embedded_writer(std::shared_ptr<shared_parts> parts, std::string app, writer_term term,
                  detail::app_lock lock)
      : parts_{std::move(parts)}, app_{std::move(app)}, term_{term}, lock_{std::move(lock)} {}

  result<commit_receipt> commit(const log_transaction& tx) override;
  writer_term term() const override { return term_; }
  result<bool> moved_last(const position_key&) override { return true; }

 private:
  std::shared_ptr<shared_parts> parts_;
  std::string app_;
  writer_term term_;
  detail::app_lock lock_;
  bool outcome_unknown_ = false;
};

result<commit_receipt> embedded_writer::commit(const log_transaction& tx) {
  if (outcome_unknown_) return detail::fenced(app_, term_);
  auto& store = *parts_->store;
  std::vector<std::shared_ptr<const open_partition>> targets;
  targets.reserve(tx.appends.size());
  for (const auto& a : tx.appends) {
    auto topic = store.open(a.to.topic);
    if (!topic) return fail(topic.error());
    const auto& config = (*topic)->config;
    if (auto r = detail::check_inside_writer(config, app_); !r) return fail(r.error());
    auto target = store.open(a.to);
    if (!target) return fail(target.error());
    if (auto r = detail::check_batch(config, a.to, a.records.get()); !r) return fail(r.error());
    targets.push_back(std::move(*target));
  }
  for (const auto& m : tx.moves) {
    if (auto r = detail::check_move(m, app_); !r) return fail(r.error());
  }

  commit_receipt receipt;
  detail::commit_work work;
  work.check = [&](detail::log_change& change) -> result<void> {
    auto now = store.term(change.txn(), app_);
    if (!now) return fail(now.error());
    if (*now != term_) return detail::fenced(app_, term_);
    for (const auto& target : targets) {
      if (auto r = change.prepare(*target); !r) return r;
    }
    return {};
  };
  work.apply = [&](detail::log_change& change) -> result<void> {
    receipt.bases.clear();
    for (std::size_t i = 0; i < targets.size(); ++i) {
      auto base = change.append(*targets[i], *tx.appends[i].records);
      if (!base) return fail(base.error());
      receipt.bases.push_back(*base);
    }
    failpoint::hit("log.after_frames");
    for (const auto& m : tx.moves) {
      if (auto r = change.move(m); !r) return r;
    }
    failpoint::hit("log.after_positions");
    return {};
  };
  if (auto r = parts_->commits->run(work); !r) {
    outcome_unknown_ = r.error().code == errc::indefinite;
    return fail(std::move(r.error()));
  }
  return receipt;
}

class embedded_log_impl final : public event_log {
 public:
  embedded_log_impl(std::shared_ptr<shared_parts> parts, const embedded_log_options& options)
      : parts_{std::move(parts)}, log_{options.log} {
    if (parts_->wake) {
      subscribers_ = std::make_unique<detail::subscribers>(*parts_->store, *parts_->wake,
                                                           parts_->wake_path(), options.log);
    }
  }

  const std::string& id() const override { return store().id(); }
  result<std::string> identity(const std::vector<std::string>&) override { return id(); }
  std::string name() const override { return "lmdb:" + store().folder().string(); }

  result<void> create_topic(const topic_config& config) override {
    return store().create_topic(config);
  }
  result<std::optional<topic_config>> find_topic(const std::string& name) override {
    return store().find_topic(name);
  }
  result<std::vector<topic_config>> topics() override { return store().topics(); }

  result<partition_bounds> bounds(const topic_partition& tp) override {
    auto p = store().open(tp);
    if (!p) return fail(p.error());
    return store().bounds(**p);
  }
  result<offset> settled_end(const topic_partition& tp) override {
    auto b = bounds(tp);
    if (!b) return fail(b.error());
    return b->latest;
  }
  result<offset> offset_for_time(const topic_partition& tp, timestamp t) override {
    auto p = store().open(tp);
    if (!p) return fail(p.error());
    return store().offset_for_time(**p, t);
  }
  result<std::unique_ptr<log_reader>> open_reader(const topic_partition& tp) override {
    auto p = store().open(tp);
    if (!p) return fail(p.error());
    return std::make_unique<embedded_reader>(parts_, std::move(*p), subscribers_.get());
  }

  result<void> make_room(const stage_tasks&) override { return {}; }
  bool places_tasks() const override { return false; }
  result<std::unique_ptr<membership>> join(const std::vector<stage_tasks>&, const std::string&,
                                           placement_listener&) override {
    return detail::one_process_has_all(name());
  }
  result<std::unique_ptr<log_writer>> open_writer(const writer_options& options) override;
  result<std::optional<std::string>> holder(const std::string& app) override {
    if (auto r = detail::check_app(app); !r) return fail(r.error());
    return detail::app_lock::holder(parts_->locks(), app);
  }
  result<std::vector<app_process>> processes(const std::string&) override {
    return detail::one_process_has_all(name());
  }
  result<append_receipt> append(const topic_partition& to, const record_batch& records,
                                const std::optional<producer_sequence>& sequence) override;

  result<std::optional<committed_position>> position(const position_key& key) override {
    return store().position(key);
  }
  result<std::vector<log_transaction::move>> positions(const std::string& app) override {
    return store().positions(app);
  }
  result<void> forget_position(const position_key& key) override {
    if (auto r = detail::check_app(key.app); !r) return r;
    if (auto r = writable(); !r) return r;
    auto lock = detail::app_lock::take(parts_->locks(), key.app, "a repair");
    if (!lock) return fail(lock.error());
    return store().forget_position(key);
  }

  result<retention_report> apply_retention(timestamp now) override;

 private:
  [[nodiscard]] embedded_store& store() const { return *parts_->store; }
  [[nodiscard]] result<void> writable() const {
    if (!store().env().read_only()) return {};
    return fail(errc::invalid_argument, name(), "it is open read-only");
  }
  /// One partition's part: short transactions until nothing is left to remove.
  [[nodiscard]] result<void> apply_retention(const open_partition& p, const topic_config& config,
                                             timestamp now, retention_report& report);

  std::shared_ptr<shared_parts> parts_;
  log_sink log_;
  std::unique_ptr<detail::subscribers> subscribers_;
};

result<std::unique_ptr<log_writer>> embedded_log_impl::open_writer(const writer_options& options) {
  if (auto r = detail::check_app(options.app); !r) return fail(r.error());
  if (auto r = writable(); !r) return fail(r.error());
  auto lock = detail::app_lock::take(parts_->locks(), options.app, options.instance);
  if (!lock) return fail(lock.error());
  store().env().clean_readers();
  auto term = store().next_term(options.app, options.instance);
  if (!term) return fail(term.error());
  return std::make_unique<embedded_writer>(parts_, options.app, *term, std::move(*lock));
}

result<append_receipt> embedded_log_impl::append(const topic_partition& to,
                                                 const record_batch& records,
                                                 const std::optional<producer_sequence>& sequence) {
  auto topic = store().open(to.topic);
  if (!topic) return fail(topic.error());
  const auto& config = (*topic)->config;
  if (auto r = detail::check_outside_writer(config); !r) return fail(r.error());
  auto target = store().open(to);
  if (!target) return fail(target.error());
  if (auto r = detail::check_batch(config, to, &records); !r) return fail(r.error());
  if (sequence) {
    if (auto r = detail::check_producer(*sequence); !r) return fail(r.error());
  }

  append_receipt receipt;
  detail::commit_work work;
  work.check = [&](detail::log_change& change) -> result<void> {
    receipt = {};
    if (auto r = change.prepare(**target); !r) return r;
    if (!sequence) return {};
    auto last = change.producer(**target, sequence->producer);
    if (!last) return fail(last.error());
    if (*last && sequence->sequence <= (*last)->sequence) {
      receipt.duplicate = true;
      receipt.base = sequence->sequence == (*last)->sequence ? (*last)->base : offset{-1};
    }
    return {};
  };
  work.apply = [&](detail::log_change& change) -> result<void> {
    if (receipt.duplicate) return {};
    auto base = change.append(**target, records);
    if (!base) return fail(base.error());
    receipt.base = *base;
    failpoint::hit("log.after_frames");
    if (!sequence) return {};
    return change.set_producer(**target, sequence->producer, {sequence->sequence, *base});
  };
  if (auto r = parts_->commits->run(work); !r) return fail(std::move(r.error()));
  return receipt;
}

result<retention_report> embedded_log_impl::apply_retention(timestamp now) {
  if (auto r = writable(); !r) return fail(r.error());
  retention_report report;
  store().env().clean_readers();
  auto all = store().topics();
  if (!all) return fail(all.error());
  std::optional<error> first_error;
  for (const auto& config : *all) {
    if (!config.retention_time && !config.retention_bytes) continue;
    auto topic = store().open(config.name);
    if (!topic) return fail(topic.error());
    for (const auto& p : (*topic)->partitions) {
      auto r = apply_retention(p, config, now, report);
      if (r) continue;
      if (r.error().code != errc::corrupt) return fail(r.error());
      // A damaged partition keeps what it has; it must not stop the others from shrinking.
      log_(log_level::error, "retention left out a damaged partition",
           {{"partition", p.where.text()}, {"error", r.error().text()}});
      if (!first_error) first_error = r.error();
    }
  }
  if (first_error) return fail(*first_error);
  return report;
}

result<void> embedded_log_impl::apply_retention(const open_partition& p, const topic_config& config,
                                                timestamp now, retention_report& report) {
  for (bool first = true;; first = false) {
    auto expired = store().find_expired(p, config, now);
    if (!expired) return fail(expired.error());
    if (expired->frames == 0) return {};
    detail::commit_work work;
    work.check = [&](detail::log_change& change) { return change.prepare(p); };
    work.apply = [&](detail::log_change& change) -> result<void> {
      auto r = change.expire(p, *expired);
      failpoint::hit("retention.after_removal");
      return r;
    };
    if (auto r = parts_->commits->run(work); !r) {
      if (r.error().code == errc::unavailable) continue;  // look again
      return r;
    }
    failpoint::hit("retention.after_commit");
    report.records += expired->records;
    report.bytes += expired->bytes;
    if (first) ++report.partitions;
  }
}

}  // namespace

result<std::shared_ptr<event_log>> open_embedded_log(const embedded_log_options& options) {
  const auto subject = options.folder.string();
  const auto in = [](auto v, auto low, auto high) { return v >= low && v <= high; };
  if (!in(options.frame_bytes, embedded_log_options::min_frame_bytes,
          embedded_log_options::max_frame_bytes)) {
    return fail(
        errc::bad_config, subject,
        fmt::format("frame_bytes is {}; {} to {} are possible", options.frame_bytes,
                    embedded_log_options::min_frame_bytes, embedded_log_options::max_frame_bytes));
  }
  if (!in(options.map_bytes, embedded_log_options::min_map_bytes,
          embedded_log_options::max_map_bytes)) {
    return fail(
        errc::bad_config, subject,
        fmt::format("map_bytes is {}; {} to {} are possible", options.map_bytes,
                    embedded_log_options::min_map_bytes, embedded_log_options::max_map_bytes));
  }
  auto parts = std::make_shared<shared_parts>();
  auto store = embedded_store::open(options);
  if (!store) return fail(store.error());
  parts->store = std::move(*store);
  auto wake = detail::wake_file::open(parts->wake_path(), options.read_only);
  if (!wake && !options.read_only) return fail(wake.error());
  if (wake) parts->wake = std::move(*wake);
  parts->commits = std::make_unique<detail::group_commit>(*parts->store, parts->wake.get());
  return std::make_shared<embedded_log_impl>(std::move(parts), options);
}

}  // namespace kappa
