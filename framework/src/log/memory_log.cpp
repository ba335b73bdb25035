#include "kappa/log/memory_log.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "log/frame.hpp"
#include "log/log_rules.hpp"

namespace kappa {

namespace {

using detail::frame_header;

// As the embedded log's default, so that tests on this log see frames of the same size.
constexpr std::size_t frame_bytes = 64 << 10;

struct stored_frame {
  frame_header header;
  std::shared_ptr<const bytes> data;
};

struct partition_data {
  std::deque<stored_frame> frames;
  offset earliest;
  offset latest;
  std::uint64_t size_bytes = 0;
};

struct topic_data {
  topic_config config;
  std::vector<partition_data> partitions;
};

struct app_data {
  writer_term term;
  bool held = false;
  std::string holder;
};

struct producer_data {
  std::uint64_t sequence = 0;
  offset base;
};

struct subscriber {
  topic_partition where;
  std::function<void()> on_data;
  std::mutex mutex;  // held during a call, so that unsubscribing waits for it
  bool live = true;
};

class memory_log_impl;

class memory_reader final : public log_reader {
 public:
  memory_reader(std::shared_ptr<memory_log_impl> log, topic_partition tp)
      : log_{std::move(log)}, where_{std::move(tp)}, seed_{detail::frame_seed(where_)} {}
  result<read_batch> read(offset from, std::size_t max_bytes) override;
  result<void> start(offset) override { return {}; }
  result<offset> at_hand() override { return end_seen(); }
  result<offset> end_seen() override;
  result<std::unique_ptr<subscription>> subscribe(std::function<void()> on_data) override;
  const topic_partition& where() const override { return where_; }

 private:
  std::shared_ptr<memory_log_impl> log_;
  topic_partition where_;
  std::uint64_t seed_;
};

class memory_writer final : public log_writer {
 public:
  memory_writer(std::shared_ptr<memory_log_impl> log, std::string app, writer_term term)
      : log_{std::move(log)}, app_{std::move(app)}, term_{term} {}
  ~memory_writer() override;
  result<commit_receipt> commit(const log_transaction& tx) override;
  writer_term term() const override { return term_; }
  result<bool> moved_last(const position_key&) override { return true; }

 private:
  std::shared_ptr<memory_log_impl> log_;
  std::string app_;
  writer_term term_;
  bool outcome_unknown_ = false;
};

class memory_subscription final : public subscription {
 public:
  memory_subscription(std::shared_ptr<memory_log_impl> log, std::shared_ptr<subscriber> who)
      : log_{std::move(log)}, who_{std::move(who)} {}
  ~memory_subscription() override;

 private:
  std::shared_ptr<memory_log_impl> log_;
  std::shared_ptr<subscriber> who_;
};

class memory_log_impl final : public memory_log,
                              public std::enable_shared_from_this<memory_log_impl> {
 public:
  explicit memory_log_impl(std::string id) : id_{std::move(id)} {}

  const std::string& id() const override { return id_; }
  result<std::string> identity(const std::vector<std::string>&) override { return id(); }
  std::string name() const override { return "memory"; }

  result<void> create_topic(const topic_config& config) override {
    if (auto r = detail::check_topic(config); !r) return r;
    const std::lock_guard lock{mutex_};
    const auto [it, made] = topics_.try_emplace(config.name);
    if (made) {
      it->second.config = config;
      it->second.partitions.resize(static_cast<std::size_t>(config.partitions));
      return {};
    }
    if (auto r = detail::check_same_topic(it->second.config, config); !r) return r;
    it->second.config.retention_time = config.retention_time;
    it->second.config.retention_bytes = config.retention_bytes;
    return {};
  }

  result<std::optional<topic_config>> find_topic(const std::string& name) override {
    const std::lock_guard lock{mutex_};
    return config_of(name);
  }

  result<std::vector<topic_config>> topics() override {
    const std::lock_guard lock{mutex_};
    std::vector<topic_config> out;
    for (const auto& [name, topic] : topics_) out.push_back(topic.config);
    return out;
  }

  result<partition_bounds> bounds(const topic_partition& tp) override {
    const std::lock_guard lock{mutex_};
    auto p = find(tp);
    if (!p) return fail(p.error());
    return partition_bounds{(*p)->earliest, (*p)->latest};
  }

  result<offset> settled_end(const topic_partition& tp) override {
    auto b = bounds(tp);
    if (!b) return fail(b.error());
    return b->latest;
  }
  result<offset> offset_for_time(const topic_partition& tp, timestamp t) override {
    const std::lock_guard lock{mutex_};
    auto p = find(tp);
    if (!p) return fail(p.error());
    const auto& part = **p;
    const auto seed = detail::frame_seed(tp);
    for (const auto& f : part.frames) {
      if (timestamp{milliseconds{f.header.max_time_ms}} < t) continue;
      const offset first{f.header.first};
      if (auto ok = detail::check_frame(*f.data, seed, tp, first); !ok) return fail(ok.error());
      const auto records = view({f}, std::max(first, part.earliest), part.latest).records();
      for (const auto& r : records) {
        if (r.time >= t) return r.offset;
      }
    }
    return part.latest;
  }

  result<std::unique_ptr<log_reader>> open_reader(const topic_partition& tp) override {
    const std::lock_guard lock{mutex_};
    if (auto p = find(tp); !p) return fail(p.error());
    return std::make_unique<memory_reader>(shared_from_this(), tp);
  }

  result<void> make_room(const stage_tasks&) override { return {}; }
  bool places_tasks() const override { return false; }
  result<std::unique_ptr<membership>> join(const std::vector<stage_tasks>&, const std::string&,
                                           placement_listener&) override {
    return detail::one_process_has_all(name());
  }
  result<std::vector<app_process>> processes(const std::string&) override {
    return detail::one_process_has_all(name());
  }
  result<std::unique_ptr<log_writer>> open_writer(const writer_options& options) override {
    if (auto r = detail::check_app(options.app); !r) return fail(r.error());
    const std::lock_guard lock{mutex_};
    auto& app = apps_[options.app];
    if (app.held) return detail::owned(options.app, app.holder);
    app.held = true;
    app.holder = options.instance;
    ++app.term;
    return std::make_unique<memory_writer>(shared_from_this(), options.app, app.term);
  }

  result<std::optional<std::string>> holder(const std::string& app) override {
    if (auto r = detail::check_app(app); !r) return fail(r.error());
    const std::lock_guard lock{mutex_};
    const auto it = apps_.find(app);
    if (it == apps_.end() || !it->second.held) return std::optional<std::string>{};
    return std::optional{it->second.holder};
  }

  result<append_receipt> append(const topic_partition& to, const record_batch& records,
                                const std::optional<producer_sequence>& sequence) override {
    append_receipt receipt;
    {
      const std::lock_guard lock{mutex_};
      auto p = find(to);
      if (!p) return fail(p.error());
      const auto& topic = topics_.find(to.topic)->second.config;
      if (auto r = detail::check_outside_writer(topic); !r) return fail(r.error());
      if (auto r = detail::check_batch(topic, to, &records); !r) return fail(r.error());
      if (sequence) {
        if (auto r = detail::check_producer(*sequence); !r) return fail(r.error());
        const auto [it, fresh] = producers_.try_emplace({sequence->producer, to});
        auto& last = it->second;
        if (!fresh && sequence->sequence <= last.sequence) {
          return append_receipt{sequence->sequence == last.sequence ? last.base : offset{-1}, true};
        }
        last = {sequence->sequence, (*p)->latest};
      }
      receipt.base = store(**p, to, records);
    }
    notify({to});
    return receipt;
  }

  result<std::optional<committed_position>> position(const position_key& key) override {
    const std::lock_guard lock{mutex_};
    const auto it = positions_.find(key);
    if (it == positions_.end()) return std::optional<committed_position>{};
    return std::optional{it->second};
  }

  result<std::vector<log_transaction::move>> positions(const std::string& app) override {
    const std::lock_guard lock{mutex_};
    std::vector<log_transaction::move> out;
    for (const auto& [key, value] : positions_) {
      if (key.app == app) out.push_back({key, value});
    }
    return out;
  }

  result<void> forget_position(const position_key& key) override {
    const std::lock_guard lock{mutex_};
    if (const auto it = apps_.find(key.app); it != apps_.end() && it->second.held) {
      return detail::owned(key.app, it->second.holder);
    }
    if (positions_.erase(key) == 0) return fail(errc::not_found, key.text(), "no such position");
    return {};
  }

  result<retention_report> apply_retention(timestamp now) override {
    const std::lock_guard lock{mutex_};
    retention_report report;
    for (auto& [name, topic] : topics_) {
      const auto& config = topic.config;
      for (auto& part : topic.partitions) {
        const auto before = part.frames.size();
        while (!part.frames.empty()) {
          const auto& front = part.frames.front();
          const timestamp newest{milliseconds{front.header.max_time_ms}};
          const bool old =
              config.retention_time && newest < saturating_add(now, -*config.retention_time);
          const bool too_much = config.retention_bytes &&
                                part.size_bytes - front.data->size() >= *config.retention_bytes;
          if (!old && !too_much) break;
          report.records += front.header.count;
          report.bytes += front.data->size();
          drop_front(part);
        }
        if (part.frames.size() == before) continue;
        ++report.partitions;
        part.earliest =
            part.frames.empty() ? part.latest : offset{part.frames.front().header.first};
      }
    }
    return report;
  }

  void set_commit_fault(fault_fn fault) override {
    const std::lock_guard lock{mutex_};
    fault_ = std::move(fault);
  }

  void damage(const topic_partition& tp, offset at) override {
    const std::lock_guard lock{mutex_};
    for (auto& f : must_find(tp).frames) {
      if (at.value < f.header.first || at.value > f.header.last) continue;
      auto changed = std::make_shared<bytes>(*f.data);
      (*changed)[sizeof(frame_header) + (changed->size() - sizeof(frame_header)) / 2] ^= 0x10;
      f.data = std::move(changed);
      return;
    }
    bug("memory_log::damage: no such record: " + tp.text());
  }

  void truncate_before(const topic_partition& tp, offset first) override {
    const std::lock_guard lock{mutex_};
    auto& part = must_find(tp);
    while (!part.frames.empty() && part.frames.front().header.last < first.value) drop_front(part);
    part.earliest = std::clamp(first, part.earliest, part.latest);
  }

  void lose_lock(const std::string& app) override {
    const std::lock_guard lock{mutex_};
    apps_[app].held = false;
  }

  void skip_offsets(const topic_partition& tp, std::int64_t gap) override {
    const std::lock_guard lock{mutex_};
    auto& part = must_find(tp);
    part.latest = part.latest + gap;
  }

 private:
  friend class memory_reader;
  friend class memory_writer;
  friend class memory_subscription;

  std::optional<topic_config> config_of(const std::string& name) const {
    const auto it = topics_.find(name);
    if (it == topics_.end()) return std::nullopt;
    return it->second.config;
  }

  result<partition_data*> find(const topic_partition& tp) {
    if (auto r = detail::check_partition(config_of(tp.topic), tp); !r) return fail(r.error());
    return &topics_.find(tp.topic)->second.partitions[static_cast<std::size_t>(tp.partition.value)];
  }

  partition_data& must_find(const topic_partition& tp) {
    auto p = find(tp);
    if (!p) bug(p.error().text());
    return **p;
  }

  static void drop_front(partition_data& part) {
    part.size_bytes -= part.frames.front().data->size();
    part.frames.pop_front();
  }

  /// The frames as a batch; they are shared, not copied, and never change.
  static read_batch view(std::vector<stored_frame> frames, offset from, offset next) {
    auto keep = std::make_shared<const std::vector<stored_frame>>(std::move(frames));
    std::vector<read_batch::frame> list;
    for (const auto& f : *keep) {
      list.push_back({f.data->data() + sizeof(frame_header), f.data->data() + f.data->size(),
                      offset{f.header.base}});
    }
    return read_batch{std::move(keep), std::move(list), from, next};
  }

  static offset store(partition_data& part, const topic_partition& tp,
                      const record_batch& records) {
    const auto base = part.latest;
    const auto seed = detail::frame_seed(tp);
    auto r = detail::split_batch(records, frame_bytes, [&](const detail::frame_part& piece) {
      auto data = std::make_shared<bytes>(piece.frame_bytes(), '\0');
      detail::write_frame(data->data(), piece, base, seed);
      part.size_bytes += data->size();
      const auto header = *detail::peek_frame(*data);
      part.frames.push_back({header, std::move(data)});
      return result<void>{};
    });
    if (!r) bug(r.error().text());
    part.latest = base + std::int64_t{records.count()};
    return base;
  }

  result<void> check(const log_transaction& tx, const std::string& app) {
    for (const auto& a : tx.appends) {
      if (auto p = find(a.to); !p) return fail(p.error());
      const auto& topic = topics_.find(a.to.topic)->second.config;
      if (auto r = detail::check_inside_writer(topic, app); !r) return r;
      if (auto r = detail::check_batch(topic, a.to, a.records.get()); !r) return r;
    }
    for (const auto& m : tx.moves) {
      if (auto r = detail::check_move(m, app); !r) return r;
    }
    return {};
  }

  /// Calls the subscribers of these partitions. No lock of the log is held.
  void notify(const std::set<topic_partition>& grown) {
    std::vector<std::shared_ptr<subscriber>> list;
    {
      const std::lock_guard lock{mutex_};
      for (const auto& s : subscribers_) {
        if (grown.contains(s->where)) list.push_back(s);
      }
    }
    for (const auto& s : list) {
      const std::lock_guard lock{s->mutex};
      if (s->live) s->on_data();
    }
  }

  const std::string id_;
  std::mutex mutex_;
  std::map<std::string, topic_data> topics_;
  std::map<std::string, app_data> apps_;
  std::map<position_key, committed_position> positions_;
  std::map<std::pair<std::string, topic_partition>, producer_data> producers_;
  std::vector<std::shared_ptr<subscriber>> subscribers_;
  fault_fn fault_;
};

result<read_batch> memory_reader::read(offset from, std::size_t max_bytes) {
  std::vector<stored_frame> frames;
  offset next;
  {
    const std::lock_guard lock{log_->mutex_};
    const auto& part = log_->must_find(where_);
    if (auto r = detail::check_bounds(where_, from, {part.earliest, part.latest}); !r) {
      return fail(r.error());
    }
    auto it =
        std::partition_point(part.frames.begin(), part.frames.end(),
                             [&](const stored_frame& f) { return f.header.last < from.value; });
    std::size_t taken = 0;
    for (; it != part.frames.end(); ++it) {
      if (!frames.empty() && taken + it->data->size() > max_bytes) break;
      taken += it->data->size();
      frames.push_back(*it);
    }
    next = it == part.frames.end() ? part.latest : offset{it->header.first};
  }
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const offset first{frames[i].header.first};
    auto ok = detail::check_frame(*frames[i].data, seed_, where_, first);
    if (ok) continue;
    if (i == 0) return fail(ok.error());
    // What comes before the damage is good; the next read meets it first.
    frames.resize(i);
    next = first;
  }
  return memory_log_impl::view(std::move(frames), from, next);
}

memory_writer::~memory_writer() {
  const std::lock_guard lock{log_->mutex_};
  auto& app = log_->apps_[app_];
  if (app.term == term_) app.held = false;
}

result<commit_receipt> memory_writer::commit(const log_transaction& tx) {
  if (outcome_unknown_) return detail::fenced(app_, term_);
  memory_log::fault_fn fault;
  {
    const std::lock_guard lock{log_->mutex_};
    fault = log_->fault_;
  }
  const auto fate = fault ? fault(tx) : commit_fault::none;
  if (fate == commit_fault::abort) {
    return fail(errc::injected, app_, "the commit was refused by a test", true);
  }
  const auto unknown = [&] {
    outcome_unknown_ = true;
    return fail(errc::indefinite, app_,
                "the outcome of the commit is unknown; open a new writer and read the log's end");
  };
  if (fate == commit_fault::indefinite_lost) return unknown();
  commit_receipt receipt;
  std::set<topic_partition> grown;
  {
    const std::lock_guard lock{log_->mutex_};
    if (log_->apps_[app_].term != term_) return detail::fenced(app_, term_);
    if (auto r = log_->check(tx, app_); !r) return fail(r.error());
    for (const auto& a : tx.appends) {
      receipt.bases.push_back(memory_log_impl::store(log_->must_find(a.to), a.to, *a.records));
      grown.insert(a.to);
    }
    for (const auto& m : tx.moves) log_->positions_.insert_or_assign(m.key, m.value);
  }
  log_->notify(grown);
  if (fate == commit_fault::indefinite_applied) return unknown();
  return receipt;
}

result<offset> memory_reader::end_seen() {
  const std::lock_guard lock{log_->mutex_};
  return log_->must_find(where_).latest;
}

result<std::unique_ptr<subscription>> memory_reader::subscribe(std::function<void()> on_data) {
  auto who = std::make_shared<subscriber>();
  who->where = where_;
  who->on_data = std::move(on_data);
  const std::lock_guard lock{log_->mutex_};
  log_->subscribers_.push_back(who);
  return std::make_unique<memory_subscription>(log_, std::move(who));
}

memory_subscription::~memory_subscription() {
  {
    const std::lock_guard lock{who_->mutex};
    who_->live = false;
  }
  const std::lock_guard lock{log_->mutex_};
  std::erase(log_->subscribers_, who_);
}

}  // namespace

std::shared_ptr<memory_log> memory_log::create(std::string id) {
  return std::make_shared<memory_log_impl>(std::move(id));
}

}  // namespace kappa
