#include <algorithm>

#include <fmt/format.h>

#include "kappa/core/failpoint.hpp"
#include "kappa/task/epoch_builder.hpp"
#include "kappa/task/input_clock.hpp"
#include "kappa/task/recovery.hpp"
#include "kappa/task/task.hpp"
#include "task/first_birth.hpp"
#include "task/user_failure.hpp"

namespace kappa {
namespace detail {
namespace {

// What the position's metadata keeps of a source.
struct source_place {
  bytes place;  // the connector's
  timestamp watermark = min_time;
  input_clock clock = input_clock::outside();
};

bytes encode_place(const source_place& p) {
  bytes out;
  byte_writer w{out};
  w.put_bytes(p.place).put(std::int64_t{p.watermark.time_since_epoch().count()});
  p.clock.encode(w);
  return out;
}

bool decode_place(bytes_view in, source_place& p) {
  byte_reader r{in};
  p.place = bytes{r.get_bytes()};
  p.watermark = timestamp{milliseconds{r.get<std::int64_t>()}};
  return p.clock.decode(r) && r.done();
}

// A task that reads from a source outside the log. It keeps no state but its place, which is
// committed with the records.
class source_task final : public runnable_task {
 public:
  explicit source_task(source_task_options options)
      : options_{std::move(options)},
        stage_{options_.topology->find(options_.stage)},
        id_{stage_->app, stage_->name, stage_->generation, partition{0}},
        builder_{id_, options_.layout.ports, options_.topology->dead_letters_topic(),
                 options_.layout.routes} {}

  result<void> open() {
    return caught(name_, [&] { return read_place_and_open(); });
  }

  const task_id& id() const override { return id_; }

  result<run_status> run(std::size_t budget) override {
    return caught(name_, [&] { return read_rows(budget); });
  }

  result<epoch_ptr> close(timestamp now, bool /*final*/) override {
    return caught(name_, [&] { return close_epoch(now); });
  }

  result<void> read_place_and_open() {
    const topic_partition where{stage_->epochs_topic(), partition{0}};
    recovery_facts facts;
    facts.task = id_;
    facts.log_id = options_.log->id();
    auto birth = first_birth(*options_.log, where);
    if (!birth) return fail(birth.error());
    facts.birth = std::move(*birth);
    auto position = options_.log->position(position_of_source());
    if (!position) return fail(position.error());
    input_facts in;
    in.name = stage_->inputs.front().topic;
    in.latest = offset{INT64_MAX};  // a source keeps its own bounds
    source_place place;
    if (*position) {
      in.committed = (*position)->next;
      const auto meta = decode_metadata((*position)->metadata);
      if (!meta || !meta->place || !decode_place(*meta->place, place)) {
        return fail(errc::corrupt, id_.text(), "the source's committed place is malformed");
      }
      facts.committed_epoch = last_epoch_ = meta->epoch;
      rows_ = (*position)->next;
    }
    facts.inputs.push_back(in);
    auto plan = plan_recovery(facts);
    if (!plan) return fail(plan.error());
    failpoint::hit("recover.plan");
    source_ = (*stage_->source)();
    auto opened = source_->open(*position ? std::optional<bytes>{place.place} : std::nullopt);
    if (!opened) return opened;
    clock_ = std::move(place.clock);
    last_watermark_ = place.watermark;
    first_start_ = plan->first_start;
    program_ = options_.topology->make_program(*stage_, nullptr);
    ctx_.out = &builder_;
    if (!first_start_) last_marker_ = current_marker();
    started_at_ = options_.clock();
    failpoint::hit("recover.live");
    return {};
  }

  result<run_status> read_rows(std::size_t budget) {
    run_status status;
    if (clock_.ended()) return status;
    if (full_) {
      status.blocked = in_flight_.size() >= options_.limits.max_epochs_in_flight;
      status.more = !status.blocked;
      return status;
    }
    if (options_.rate > 0) {
      const std::chrono::duration<double> elapsed = options_.clock() - started_at_;
      const auto allowed = static_cast<std::uint64_t>(elapsed.count() * options_.rate) + 1;
      budget = std::min<std::size_t>(
          budget, allowed > counters_.records_in ? allowed - counters_.records_in : 0);
    }
    while (status.steps < budget && !full_) {
      failpoint::hit("ingest.read");
      auto row = source_->next();
      if (!row) return fail(row.error());
      if (!*row) {
        if (source_->at_end()) {
          open_epoch();
          watermark();
          clock_.set_end();
        }
        return status;
      }
      open_epoch();
      if (auto done = step(**row); !done) return fail(done.error());
      ++status.steps;
      if (builder_.size_bytes() >= options_.limits.max_epoch_bytes) full_ = true;
    }
    status.more = options_.rate <= 0;
    return status;
  }

  bool should_close(timestamp now) const override {
    return open_ && in_flight_.size() < options_.limits.max_epochs_in_flight &&
           (full_ || clock_.ended() || now >= opened_at_ + options_.limits.commit_interval);
  }

  std::optional<timestamp> next_deadline() const override {
    if (clock_.ended()) return open_ ? std::optional{opened_at_} : std::nullopt;
    if (options_.rate > 0) return options_.clock() + milliseconds{2};
    if (open_) return opened_at_ + options_.limits.commit_interval;
    return options_.clock() + options_.limits.commit_interval;  // look for new rows
  }

  result<epoch_ptr> close_epoch(timestamp now) {
    if (!open_) return epoch_ptr{};
    failpoint::hit("epoch.close");
    auto m = current_marker();
    if (!(last_marker_ && *last_marker_ == m)) builder_.add(m);
    last_marker_ = std::move(m);
    const auto number = last_epoch_ + 1;
    const auto place = encode_place({source_->place(), last_watermark_, clock_});
    if (first_start_) {
      birth_record birth{
          stage_->fingerprint, options_.log->id(), {offset{0}}, {stage_->inputs.front().topic}};
      builder_.add_to_epochs_topic(stage_->epochs_topic(), encode_birth(birth), now);
      first_start_ = false;
    }
    record_.inputs = {{from_, rows_}};
    record_.place = place;
    builder_.add_to_epochs_topic(stage_->epochs_topic(), encode_epoch_record(record_), now);
    counters_.records_out += builder_.records();
    auto e = builder_.close(number, {{position_of_source(),
                                      {rows_, encode_metadata({number, place, clock_.ended()})}}});
    in_flight_.push_back(number);
    last_epoch_ = number;
    open_ = full_ = false;
    return epoch_ptr{std::move(e)};
  }

  void committed(epoch_number e, const std::vector<offset>& /*bases*/) override {
    if (in_flight_.empty() || in_flight_.front() != e) bug("an epoch was committed out of order");
    in_flight_.erase(in_flight_.begin());
    ++counters_.epochs;
  }
  std::size_t in_flight() const override { return in_flight_.size(); }
  void advance_event_time(timestamp t) override {
    const auto now = clock_.watermark();
    if (clock_.ended() || (now && *now >= t)) return;
    open_epoch();
    clock_.advance(t);
    record_.advance = t;
  }

  std::optional<state_delta> snapshot_ready() override { return std::nullopt; }
  void snapshot_done() override { bug("a source has no snapshot"); }
  bool snapshot_pending() const override { return false; }
  state_store* store() override { return nullptr; }
  bool finished() const override { return clock_.ended() && !open_ && in_flight_.empty(); }

  task_progress progress() const override {
    auto p = counters_;
    p.phase = finished() ? task_phase::finished : task_phase::live;
    p.watermark = last_watermark_;
    const auto s = source_->progress();
    if (s.bytes_total > s.bytes_done) p.lag = s.bytes_total - s.bytes_done;
    p.epoch = epoch_number{last_epoch_.value - in_flight_.size()};
    p.inputs.push_back({stage_->inputs.front().topic, rows_, p.lag});
    return p;
  }

  result<std::vector<std::unique_ptr<subscription>>> subscribe(
      std::function<void()> /*on_data*/) override {
    return std::vector<std::unique_ptr<subscription>>{};
  }
  keyed_table_base* table() override { return nullptr; }
  read_position read_at(read_level /*level*/) const override {
    return {{stage_->inputs.front().topic}, {rows_}, false};
  }

 private:
  position_key position_of_source() const {
    return {id_.app, id_.stage, id_.generation, id_.partition, stage_->inputs.front().topic};
  }

  void open_epoch() {
    if (open_) return;
    open_ = true;
    opened_at_ = options_.clock();
    builder_.set_clock(opened_at_);
    from_ = rows_;
    record_ = {};
    record_.number = last_epoch_ + 1;
    record_.clock = opened_at_;
    record_.code_version = options_.code_version;
  }

  timestamp watermark() { return last_watermark_ = clock_.watermark().value_or(last_watermark_); }

  marker current_marker() {
    watermark();
    marker m;
    m.stage = id_.stage;
    m.generation = id_.generation;
    m.task = id_.partition;
    m.kind = clock_.ended() ? marker_kind::end : marker_kind::watermark;
    m.watermark = last_watermark_;
    m.through[where_] = rows_;
    return m;
  }

  result<void> step(const source_row& row) {
    const offset number{static_cast<std::int64_t>(row.number)};
    record_view r;
    r.offset = number;
    r.time = clock_.largest() == min_time ? timestamp{} : clock_.largest();
    r.value = row.value;
    bool near_suspect = false;
    bool deadly = false;
    for (const auto& s : options_.suspects) {
      if (s.input != stage_->inputs.front().topic || number > s.offset) continue;
      near_suspect = true;
      deadly = deadly || (number == s.offset && s.deaths >= deaths_until_dead_letter);
    }
    ++counters_.records_in;
    rows_ = rows_ + 1;
    std::optional<step_error> failed;
    if (deadly) {
      failed = step_error{
          {errc::user_code, "", "the process died at this row time and again"}, true, true};
    } else {
      const step_origin origin{&where_, number, &r};
      ctx_.clock = {clock_.largest(), watermark()};
      ctx_.record_time = r.time;
      ctx_.key.reset();
      if (options_.watcher != nullptr)
        options_.watcher->step_begins(name_, stage_->inputs.front().topic, number, &ctx_.op);
      builder_.begin_step(&origin);
      try {
        program_.roots.front()->receive(r, ctx_);
        builder_.commit_step();
      } catch (...) {
        failed = current_step_error();
        builder_.rollback_step();
      }
      if (options_.watcher != nullptr) options_.watcher->step_ended();
    }
    if (near_suspect) full_ = true;  // row by row up to the suspect
    failpoint::hit("ingest.emit");
    if (!failed) {
      clock_.observe(ctx_.record_time);
      return {};
    }
    const auto position = fmt::format("{}:{}", source_->name(), row.number);
    const auto& op = stage_->ops[ctx_.op].name;
    if (!failed->of_the_record || options_.on_failure == failure_policy::stop) {
      return fail(failed->reason.code, position,
                  fmt::format("operator \"{}\": {}", op, failed->reason.text()));
    }
    dead_letter d;
    d.reason = failed->reason;
    d.op = op;
    d.position = position;
    d.value = row.value;
    d.time = r.time;
    builder_.add(d);
    ++counters_.dead_letters;
    options_.log_to(log_level::warning, "dead letter",
                    {{"task", name_},
                     {"operator", op},
                     {"position", position},
                     {"error", failed->reason.text()}});
    return {};
  }

  source_task_options options_;
  const stage_spec* stage_;
  task_id id_;
  std::string name_ = id_.text();  // for the step watcher
  topic_partition where_{stage_->inputs.front().topic, partition{0}};
  epoch_builder builder_;
  step_context ctx_;
  stage_program program_;
  std::unique_ptr<record_source> source_;
  input_clock clock_ = input_clock::outside();
  std::optional<marker> last_marker_;
  timestamp last_watermark_ = min_time;  // stays when the source has ended
  offset rows_;                          // given by the source so far: the position
  offset from_;                          // at the opening of the epoch
  epoch_record record_;
  epoch_number last_epoch_;
  bool first_start_ = false;
  bool open_ = false;
  bool full_ = false;
  timestamp opened_at_ = min_time;
  timestamp started_at_ = min_time;
  std::vector<epoch_number> in_flight_;
  task_progress counters_;
};

}  // namespace
}  // namespace detail

result<std::unique_ptr<runnable_task>> open_source_task(source_task_options options) {
  const auto* stage = options.topology->find(options.stage);
  if (stage == nullptr || !stage->source)
    return fail(errc::not_found, options.stage, "no such source stage");
  auto t = std::make_unique<detail::source_task>(std::move(options));
  if (auto opened = t->open(); !opened) return fail(opened.error());
  return std::unique_ptr<runnable_task>{std::move(t)};
}

}  // namespace kappa
