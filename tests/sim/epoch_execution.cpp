#include "sim/epoch_execution.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "kappa/core/partitioner.hpp"
#include "kappa/stream/topology.hpp"

namespace kappa::sim {
namespace {

std::string text_of_marker(const marker& m) {
  std::string through;
  for (const auto& [origin, next] : m.through)
    through += fmt::format(" {}<{}", origin.text(), next);
  return fmt::format("marker {}[{}] kind {} wm {} through{}", m.stage, m.task,
                     static_cast<int>(m.kind), m.watermark.time_since_epoch().count(), through);
}

std::string text_of_birth(const birth_record& b) {
  std::string out = "birth";
  for (std::size_t i = 0; i < b.inputs.size(); ++i)
    out += fmt::format(" {}@{}", b.inputs[i], b.starts.at(i));
  return out;
}

std::string text_of_timer(const fired_timer& t) {
  return fmt::format("{}{}/{}/{}", t.closing ? "" : "forget ",
                     t.timer.time.time_since_epoch().count(), t.timer.op,
                     printable(t.timer.key, 4096));
}

std::string text_of_epoch(const epoch_record& r) {
  auto out = fmt::format("epoch {}:", r.number);
  for (const auto& b : r.inputs) out += fmt::format(" [{},{})", b.from, b.to);
  for (const auto i : r.idle) out += fmt::format(" idle {}", i);
  for (const auto i : r.ended) out += fmt::format(" ended {}", i);
  if (r.advance) out += fmt::format(" advance {}", r.advance->time_since_epoch().count());
  for (const auto& f : r.failed_records)
    out += fmt::format(" failed {}@{} {}", f.input, f.offset, f.op);
  for (const auto& t : r.failed_timers) out += " failed timer " + text_of_timer(t);
  if (r.fired_up_to) out += " up to " + text_of_timer(*r.fired_up_to);
  return out;
}

std::string optional_text(const std::optional<bytes>& b) {
  return b ? "\"" + printable(*b, 4096) + "\"" : "null";
}

std::string text_of_dead_letter(const std::map<bytes, bytes>& h, const std::optional<bytes>& key,
                                const std::optional<bytes>& value, timestamp time) {
  const auto header = [&](const char* name) {
    const auto at = h.find(bytes{"kappa."} + name);
    return at == h.end() ? std::string{"-"} : at->second;
  };
  // The position of a timer is where the task was, which depends on when epochs close.
  const auto timer = header("timer");
  return fmt::format("dead {} {} op {} at {} timer {} key {} value {} time {}", header("task"),
                     header("code"), header("operator"), timer == "-" ? header("position") : "?",
                     timer, optional_text(key), optional_text(value),
                     time.time_since_epoch().count());
}

fired_timer as_fired(const model_timer& t) {
  const auto& [time, op, key, forgets] = t;
  return {!forgets, timer{time, op, key}};
}

model_timer as_model(const fired_timer& f) {
  return {f.timer.time, f.timer.op, f.timer.key, !f.closing};
}

}  // namespace

std::string text_of(const model_record& r) {
  if (const auto m = r.headers.find(bytes{marker_header}); m != r.headers.end())
    return text_of_marker(decode_marker(m->second).value());
  if (r.headers.contains("kappa.code"))
    return text_of_dead_letter(r.headers, r.key, r.value, r.time);
  return fmt::format("key {} value {} time {}", optional_text(r.key), optional_text(r.value),
                     r.time.time_since_epoch().count());
}

std::string text_of_epochs_record(bytes_view value) {
  if (is_birth(value)) return text_of_birth(decode_birth(value).value());
  return text_of_epoch(decode_epoch_record(value).value());
}

epoch_execution::epoch_execution(model& m, const model::stage& s, std::int32_t task,
                                 const task_version& before, std::vector<offset> to,
                                 const std::optional<epoch_record>& record, bool says_end)
    : m_{m},
      s_{s},
      task_{task},
      before_{before},
      now_{before},
      to_{std::move(to)},
      record_{record},
      says_end_{says_end} {}

void epoch_execution::wrong(const std::string& what) const {
  throw finding{fmt::format("{}[{}] epoch {}: {}", s_.spec.name, task_, now_.epoch, what)};
}

void epoch_execution::run() {
  now_.epoch = before_.epoch + 1;
  expected_.number = now_.epoch;
  for (std::size_t i = 0; i < to_.size(); ++i) {
    if (to_[i] < before_.positions[i])
      wrong(fmt::format("position of input {} goes back from {} to {}", i, before_.positions[i],
                        to_[i]));
    expected_.inputs.push_back({before_.positions[i], to_[i]});
    if (to_[i] > before_.positions[i]) anything_ = true;
  }
  if (s_.spec.source) {
    run_source();
  } else {
    declare();
    take_records();
    fire_due(true);
    now_.positions = to_;
  }
  write_marker();
  write_epochs_topic();
  if (!anything_) wrong("nothing was due, and something was written");
}

// ── event time ──

// What the epoch record declared at the opening, where that is legal.
void epoch_execution::declare() {
  if (!record_) return;
  const auto& r = *record_;
  for (const auto i : r.idle) {
    auto& c = now_.clocks.at(i);
    if (!c.outside || m_.plan_.idle_after.count() == 0 || c.ended())
      wrong(fmt::format("input {} must not be declared idle", i));
    c.channels.begin()->second.state = model_clock::what::idle;
    anything_ = true;
  }
  for (const auto i : r.ended) {
    auto& c = now_.clocks.at(i);
    const topic_partition where{s_.inputs[i].name, partition{task_}};
    if (!c.outside || !m_.may_end_ || !m_.may_end_({s_.spec.name, task_}, where, to_[i]))
      wrong(fmt::format("input {} must not be declared ended", i));
    c.channels.begin()->second.state = model_clock::what::ended;
    anything_ = true;
  }
  if (r.advance) {
    if (!m_.advances_.contains(*r.advance)) wrong("event time was moved, but not by hand");
    for (auto& c : now_.clocks) {
      auto& only = c.channels.begin()->second;
      if (!c.outside || only.state == model_clock::what::ended) continue;
      only.state = model_clock::what::live;
      only.watermark = std::max(only.watermark, *r.advance);
    }
    anything_ = true;
  }
  expected_.idle = r.idle;
  expected_.ended = r.ended;
  expected_.advance = r.advance;
  update_watermark();
}

bool epoch_execution::all_ended() const {
  return std::all_of(now_.clocks.begin(), now_.clocks.end(),
                     [](const model_clock& c) { return c.ended(); });
}

// The minimum over what is not idle; it never goes back.
void epoch_execution::update_watermark() {
  std::optional<timestamp> least;
  for (const auto& c : now_.clocks) {
    if (const auto w = c.watermark()) least = least ? std::min(*least, *w) : *w;
  }
  if (least) now_.watermark = std::max(now_.watermark, *least);
}

void epoch_execution::marker_taken(std::size_t input, const marker& m) {
  const auto at = now_.clocks[input].channels.find({m.stage, m.task.value});
  if (at == now_.clocks[input].channels.end()) wrong("a marker of a task that writes no input");
  auto& c = at->second;
  if (m.watermark < c.watermark) wrong("the watermark of a marker goes back");
  for (const auto& [origin, next] : c.through) {
    const auto now = m.through.find(origin);
    if (now == m.through.end() || now->second < next) wrong("`through` of a marker goes back");
  }
  c.watermark = m.watermark;
  c.through = m.through;
  c.state = model_clock::what::live;  // the watermark that it carries counts first
  update_watermark();
  if (m.kind == marker_kind::idle) c.state = model_clock::what::idle;
  if (m.kind == marker_kind::end) c.state = model_clock::what::ended;
  update_watermark();
}

// ── the order ──

const model_record* epoch_execution::head(std::size_t input) const {
  const topic_partition where{s_.spec.inputs[input].topic, partition{task_}};
  const auto log = m_.log_.find(where);
  if (log == m_.log_.end()) return nullptr;
  const auto& all = log->second;
  const auto at =
      std::lower_bound(all.begin(), all.end(), now_.positions[input],
                       [](const model_record& r, kappa::offset o) { return r.offset < o; });
  return at == all.end() || at->offset >= to_[input] ? nullptr : &*at;
}

// Head against head: the smallest (largest record time so far in that input, input) first; a
// marker counts as its predecessor.
void epoch_execution::take_records() {
  for (;;) {
    const model_record* best = nullptr;
    std::size_t best_input = 0;
    timestamp best_time = max_time;
    for (std::size_t i = 0; i < to_.size(); ++i) {
      const auto* r = head(i);
      if (r == nullptr) continue;
      const bool is_marker = r->headers.contains(bytes{marker_header});
      const auto time = is_marker ? now_.order[i] : std::max(now_.order[i], r->time);
      if (best == nullptr || time < best_time) {
        best = r;
        best_input = i;
        best_time = time;
      }
    }
    if (best == nullptr) return;
    fire_due(false);
    now_.positions[best_input] = best->offset + 1;
    if (const auto raw = best->headers.find(bytes{marker_header}); raw != best->headers.end()) {
      marker_taken(best_input, decode_marker(raw->second).value());
    } else {
      now_.order[best_input] = std::max(now_.order[best_input], best->time);
      record_taken(best_input, *best);
    }
  }
}

// ── timers ──

std::optional<model_timer> epoch_execution::due() const {
  const auto closing_limit = all_ended() ? max_time : now_.watermark;
  for (const auto& t : now_.timers) {
    const bool forgets = std::get<3>(t);
    if (std::get<0>(t) <= (forgets ? now_.watermark : closing_limit)) return t;
  }
  return std::nullopt;
}

// Everything that is due, in order. At the end of the epoch perhaps not all: as its record says.
void epoch_execution::fire_due(bool last) {
  while (const auto t = due()) {
    if (last && record_ && record_->fired_up_to && as_model(*record_->fired_up_to) < *t) {
      // It must say exactly what was fired last.
      expected_.fired_up_to =
          last_fired_ ? as_fired(*last_fired_) : fired_timer{true, timer{min_time, 0, ""}};
      now_.timers_left = true;
      return;
    }
    fire(*t);
    last_fired_ = t;
    anything_ = true;
    ++m_.timers_fired_;
  }
  if (last) now_.timers_left = false;
}

void epoch_execution::fire(const model_timer& t) {
  const auto& [time, op_index, key, forgets] = t;
  now_.timers.erase(t);
  if (forgets) {
    now_.table.erase(key);
    return;
  }
  const auto forget_later = [&, at = time, op = op_index, which = key] {
    if (s_.of.keep == forever) return;
    now_.timers.insert({saturating_add(at, s_.of.keep), op, which, true});
  };
  const auto parts = split_window_state_key(key);
  const auto state = now_.table.find(key);
  if (!parts || state == now_.table.end()) wrong("a window is to close that is not there");
  step_record_ = nullptr;
  table_before_ = now_.table;
  timers_before_ = now_.timers;
  late_before_ = now_.late;
  const auto end = parts->start + s_.of.size;
  try {
    behind_state({user::result_of(parts->key, parts->start, state->second), parts->key,
                  end - milliseconds{1}});
    commit_step();
  } catch (const step_fails& f) {
    rollback_step();
    expected_.failed_timers.push_back(as_fired(t));
    dead_letter(f, "?", key, encoded(now_.table.at(key)), time, time);
  }
  forget_later();
}

// ── steps ──

void epoch_execution::record_taken(std::size_t input, const model_record& r) {
  ++m_.records_taken_;
  step(input, r);
}

void epoch_execution::step(std::size_t input, const model_record& r) {
  step_record_ = &r;
  table_before_ = now_.table;
  timers_before_ = now_.timers;
  late_before_ = now_.late;
  const auto& in = s_.inputs[input];
  auto& clock = now_.clocks[input];
  try {
    auto value = r.value ? codec<item>::decode(*r.value) : result<item>{fail(errc::decode, "", "")};
    if (!value) throw step_fails{in.name, errc::decode};
    element e{std::move(*value), r.key, r.time};
    if (in.kind != input_kind::hop) e.time = e.value.at;
    if (in.kind == input_kind::source) e.key = e.value.key;
    const auto time = e.time;
    pass(in, 0, e);
    commit_step();
    if (clock.outside) {
      auto& only = clock.channels.begin()->second;
      now_.largest = std::max(now_.largest, time);
      if (only.state != model_clock::what::ended) {
        only.state = model_clock::what::live;
        only.watermark = std::max(only.watermark, time);
      }
      update_watermark();
    }
  } catch (const step_fails& f) {
    rollback_step();
    const auto position =
        in.kind == input_kind::source
            ? fmt::format("list:{}", r.offset)
            : fmt::format("{}@{}",
                          topic_partition{s_.spec.inputs[input].topic, partition{task_}}.text(),
                          r.offset);
    if (f.recorded && in.kind != input_kind::source)
      expected_.failed_records.push_back({static_cast<std::uint32_t>(input), r.offset, f.op});
    dead_letter(f, position, r.key, r.value, r.time, std::nullopt);
  }
}

void epoch_execution::pass(const input_plan& in, std::size_t next_op, const element& e) {
  if (next_op == in.ops.size()) {
    if (s_.of.state != state_kind::none) return with_state(e);
    return emit(e);
  }
  const auto o = in.ops[next_op];
  const auto name = name_of(o, in.name);
  switch (o) {
    case op::validate:
      if (!user::valid(e.value)) throw step_fails{name, errc::invalid_argument};
      return pass(in, next_op + 1, e);
    case op::filter:
      if (user::kept(e.value)) pass(in, next_op + 1, e);
      return;
    case op::map: {
      if (e.value.value == bad_for_map) throw step_fails{name, errc::user_code, true, true};
      return pass(in, next_op + 1, {user::mapped(e.value), e.key, e.time});
    }
    case op::flat_map:
      for (const auto& made : user::split(e.value)) pass(in, next_op + 1, {made, e.key, e.time});
  }
}

void epoch_execution::with_state(const element& e) {
  const bytes key = s_.inputs.front().kind == input_kind::hop && e.key ? *e.key : e.value.key;
  const step_fails state_fails{s_.spec.name, errc::user_code, true, true};
  if (s_.of.state == state_kind::window) {
    const auto start = tumbling{s_.of.size}.of(e.time).start;
    const auto closes = start + s_.of.size + s_.of.lateness;
    if (closes <= (all_ended() ? max_time : now_.watermark)) {
      ++now_.late;
      ++m_.late_records_;
      write(fmt::format("{}.{}.late", app_name, s_.spec.name), step_record_->key, step_record_->key,
            step_record_->value.value_or(bytes{}), step_record_->time);
      return;
    }
    const auto state_key = window_state_key(key, start);
    std::uint16_t op_index = 0;
    while (s_.spec.ops.at(op_index).kind != detail::op_kind::window_fold) ++op_index;
    if (!now_.table.contains(state_key)) now_.timers.insert({closes, op_index, state_key, false});
    if (e.value.value == bad_for_state) throw state_fails;
    user::add(now_.table[state_key], e.value);
    return;
  }
  if (e.value.value == bad_for_state) throw state_fails;
  auto& state = now_.table[key];
  if (s_.of.state == state_kind::fold) {
    user::add(state, e.value);
    return behind_state({user::result_of(key, timestamp{}, state), key, e.time});
  }
  if (auto made = user::processed(state, e.value)) behind_state({std::move(*made), key, e.time});
}

void epoch_execution::behind_state(element e) {
  if (s_.of.careful && e.value.value % 11 == 3)
    throw step_fails{"careful-" + s_.spec.name, errc::user_code, true, true};
  emit(e);
}

void epoch_execution::emit(const element& e) {
  const auto value = encoded(e.value);
  const auto check = [&](const std::string& name) {
    if (value.size() > max_record_bytes) throw step_fails{name, errc::too_large, false, true};
  };
  if (!s_.of.to.empty()) {
    check(s_.of.to);
    write(s_.of.to, e.key, e.key, value, e.time);
  }
  if (!s_.of.hop.empty()) {
    check(s_.of.hop);
    const auto key = s_.of.regroup ? user::group(e.value) : e.value.key;
    write(s_.spec.prefix() + s_.of.hop, key, key, value, e.time);
  }
}

void epoch_execution::write(const std::string& topic, const std::optional<bytes>& placed_by,
                            const std::optional<bytes>& key, const std::optional<bytes>& value,
                            timestamp time) {
  const auto n = m_.partitions_.at(topic);
  const auto to = placed_by ? partition_of(*placed_by, n) : partition{task_ % n};
  step_out_[{topic, to}].push_back(text_of({offset{0}, time, key, value, {}}));
}

void epoch_execution::commit_step() {
  for (auto& [to, lines] : step_out_) {
    auto& all = out_[to];
    all.insert(all.end(), lines.begin(), lines.end());
  }
  step_out_.clear();
}

void epoch_execution::rollback_step() {
  now_.table = std::move(table_before_);
  now_.timers = std::move(timers_before_);
  m_.late_records_ -= now_.late - late_before_;
  now_.late = late_before_;
  step_out_.clear();
}

void epoch_execution::dead_letter(const step_fails& f, const std::string& position,
                                  const std::optional<bytes>& key,
                                  const std::optional<bytes>& value, timestamp time,
                                  const std::optional<timestamp>& timer) {
  ++m_.dead_letters_;
  std::map<bytes, bytes> h;
  h["kappa.task"] = task_id{app_name, s_.spec.name, s_.spec.generation, partition{task_}}.text();
  h["kappa.code"] = bytes{name_of(f.code)};
  h["kappa.operator"] = f.op;
  h["kappa.position"] = position;
  if (timer) h["kappa.timer"] = format_time(*timer);
  out_[{m_.dead_letters_topic_, partition{0}}].push_back(text_of_dead_letter(h, key, value, time));
}

// ── a source ──

void epoch_execution::run_source() {
  auto& only = now_.clocks.front().channels.begin()->second;
  if (to_.front().value > static_cast<std::int64_t>(m_.rows_.size()))
    wrong("rows that are not there");
  for (auto i = before_.positions.front(); i < to_.front(); i = i + 1) {
    model_record r;
    r.offset = i + 1;
    r.time = now_.largest == min_time ? timestamp{} : now_.largest;
    r.value = m_.rows_[static_cast<std::size_t>(i.value)];
    record_taken(0, r);
  }
  if (record_ && record_->advance) {
    if (!m_.advances_.contains(*record_->advance)) wrong("event time was moved, but not by hand");
    only.watermark = std::max(only.watermark, *record_->advance);
    now_.watermark = std::max(now_.watermark, only.watermark);
    expected_.advance = record_->advance;
    only.state = model_clock::what::live;
    anything_ = true;
  }
  if (says_end_) {
    if (!m_.rows_ended_ || to_.front().value != static_cast<std::int64_t>(m_.rows_.size()))
      wrong("the source has not ended");
    if (only.state != model_clock::what::ended) anything_ = true;
    only.state = model_clock::what::ended;
  }
  now_.positions = to_;
}

// ── what an epoch says of itself ──

void epoch_execution::write_marker() {
  if (s_.of.hop.empty()) return;
  marker m;
  m.stage = s_.spec.name;
  m.generation = s_.spec.generation;
  m.task = partition{task_};
  m.watermark = now_.watermark;
  const auto left = due();
  if (left)  // not all that this watermark lets out is out
    m.watermark = std::min(m.watermark, saturating_add(std::get<0>(*left), milliseconds{-1}));
  if (s_.of.state == state_kind::window) m.watermark = saturating_add(m.watermark, -s_.of.lateness);
  if (before_.last_marker) m.watermark = std::max(m.watermark, before_.last_marker->watermark);
  const bool quiet = std::all_of(now_.clocks.begin(), now_.clocks.end(),
                                 [](const auto& c) { return c.idle() || c.ended(); });
  if (!left && all_ended())
    m.kind = marker_kind::end;
  else if (!left && quiet && !s_.spec.source)
    m.kind = marker_kind::idle;
  const auto least = [](through_map& into, const topic_partition& origin, offset next) {
    const auto [at, added] = into.try_emplace(origin, next);
    if (!added) at->second = std::min(at->second, next);
  };
  for (std::size_t i = 0; i < s_.inputs.size(); ++i) {
    if (s_.inputs[i].kind != input_kind::hop) {
      m.through[{s_.inputs[i].name, partition{task_}}] = now_.positions[i];
      continue;
    }
    const auto& channels = now_.clocks[i].channels;
    for (const auto& [who, c] : channels) {
      for (const auto& [origin, next] : c.through) {
        const bool all_told = std::all_of(channels.begin(), channels.end(), [&](const auto& other) {
          return other.second.through.contains(origin) || !m_.may_carry(other.first, origin);
        });
        if (all_told) least(m.through, origin, next);
      }
    }
  }
  if (before_.last_marker && *before_.last_marker == m) return;
  now_.last_marker = m;
  const auto topic = s_.spec.prefix() + s_.of.hop;
  for (std::int32_t p = 0; p < m_.partitions_.at(topic); ++p)
    out_[{topic, partition{p}}].push_back(text_of_marker(m));
}

void epoch_execution::write_epochs_topic() {
  const topic_partition epochs{s_.spec.epochs_topic(), partition{task_}};
  if (now_.epoch == epoch_number{1}) {
    birth_record b;
    for (std::size_t i = 0; i < to_.size(); ++i) {
      b.inputs.push_back(s_.spec.inputs[i].topic);
      b.starts.push_back(before_.positions[i]);
    }
    out_[epochs].push_back(text_of_birth(b));
  }
  const auto& e = expected_;
  const bool needed = s_.spec.source || to_.size() > 1 || !e.idle.empty() || !e.ended.empty() ||
                      e.advance || !e.failed_records.empty() || !e.failed_timers.empty() ||
                      before_.timers_left || now_.timers_left;
  if (needed) out_[epochs].push_back(text_of_epoch(e));
}

}  // namespace kappa::sim
