// The operators, each a small class that gets an element and passes on what comes of it.
//
// Threading: the task's thread.
#pragma once

#include <concepts>
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>

#include <fmt/format.h>

#include "kappa/aggregate/outgoing_command.hpp"
#include "kappa/core/codec.hpp"
#include "kappa/stream/graph.hpp"
#include "kappa/stream/schema_guard.hpp"
#include "kappa/stream/window.hpp"

namespace kappa::detail {

/// Throws step_failure when `r` is an error; gives the value otherwise.
template <class T>
T value_or_fail(result<T> r) {
  if (!r) throw step_failure{std::move(r.error())};
  if constexpr (!std::is_void_v<T>) return std::move(*r);
}

/// As value_or_fail, for what the state says: state that cannot be read is never the fault of the
/// record that asks for it, so the task stops and no dead letter is written.
template <class T>
T state_or_fail(result<T> r) {
  if (!r && r.error().code == errc::decode) r.error().code = errc::corrupt;
  return value_or_fail(std::move(r));
}

template <class T>
timestamp event_time_of(const T& value, timestamp otherwise) {
  if constexpr (has_event_time<T>) {
    return event_traits<T>::time(value);
  } else {
    return otherwise;
  }
}

/// Reads a record of a topic from outside, or of a hop.
template <class T>
class topic_root final : public record_receiver {
 public:
  topic_root(op_index op, const children& to, std::function<timestamp(const T&)> time, bool outside)
      : op_{op}, out_{to}, time_{std::move(time)}, outside_{outside}, schema_{codec<T>::schema()} {}

  void receive(const record_view& record, step_context& ctx) override {
    ctx.op = op_;
    if (!schema_.passes(record.headers)) value_or_fail(schema_.check(record.headers));
    if (!record.value) throw step_failure{error{errc::decode, "", "the record's value is null"}};
    auto decoded = codec<T>::decode(*record.value);
    if (!decoded) throw step_failure{std::move(decoded.error())};
    const T& value = *decoded;
    ctx.key = record.key;
    ctx.time = record.time;
    if (outside_) ctx.time = time_ ? time_(value) : event_time_of(value, record.time);
    ctx.record_time = ctx.time;
    out_.push(value, ctx);
  }

 private:
  op_index op_;
  outlet<T> out_;
  std::function<timestamp(const T&)> time_;
  bool outside_;
  schema_guard schema_;
};

/// Reads a row of a source.
template <class T>
class source_root final : public record_receiver {
 public:
  source_root(op_index op, const children& to, std::function<result<T>(bytes_view)> parse)
      : op_{op}, out_{to}, parse_{std::move(parse)} {}

  void receive(const record_view& record, step_context& ctx) override {
    ctx.op = op_;
    auto parsed = parse_(record.value.value_or(bytes_view{}));
    if (!parsed) throw step_failure{std::move(parsed.error())};
    const T& value = *parsed;
    ctx.key.reset();
    bytes key;
    if constexpr (has_event_key<T>) {
      event_traits<T>::key(value, key);
      ctx.key = key;
    }
    ctx.time = event_time_of(value, record.time);
    ctx.record_time = ctx.time;
    out_.push(value, ctx);
  }

 private:
  op_index op_;
  outlet<T> out_;
  std::function<result<T>(bytes_view)> parse_;
};

/// A predicate's answer: a bool, or the reason (none: good).
inline std::optional<std::string> rejection(bool good) {
  return good ? std::nullopt : std::optional<std::string>{""};
}
inline std::optional<std::string> rejection(std::optional<std::string> reason) { return reason; }

template <class T, class F>
class validate_op final : public receiver<T> {
 public:
  validate_op(op_index op, std::string name, const children& to, F good)
      : op_{op}, name_{std::move(name)}, out_{to}, good_{std::move(good)} {}

  void receive(const T& value, step_context& ctx) override {
    ctx.op = op_;
    std::optional<std::string> reason;
    if constexpr (std::is_invocable_v<const F&, const T&, const event_clock&>) {
      reason = rejection(std::invoke(good_, value, ctx.clock));
    } else {
      reason = rejection(std::invoke(good_, value));
    }
    if (reason) {
      throw step_failure{error{errc::invalid_argument, "",
                               reason->empty()
                                   ? fmt::format("rejected by \"{}\"", name_)
                                   : fmt::format("rejected by \"{}\": {}", name_, *reason)}};
    }
    out_.push(value, ctx);
  }

 private:
  op_index op_;
  std::string name_;
  outlet<T> out_;
  F good_;
};

template <class T, class F>
class filter_op final : public receiver<T> {
 public:
  filter_op(op_index op, const children& to, F keep) : op_{op}, out_{to}, keep_{std::move(keep)} {}

  void receive(const T& value, step_context& ctx) override {
    ctx.op = op_;
    if (std::invoke(keep_, value)) out_.push(value, ctx);
  }

 private:
  op_index op_;
  outlet<T> out_;
  F keep_;
};

template <class T, class U, class F>
class map_op final : public receiver<T> {
 public:
  map_op(op_index op, const children& to, F f) : op_{op}, out_{to}, f_{std::move(f)} {}

  void receive(const T& value, step_context& ctx) override {
    ctx.op = op_;
    const U made = std::invoke(f_, value);
    out_.push(made, ctx);
  }

 private:
  op_index op_;
  outlet<U> out_;
  F f_;
};

template <class T, class U, class F>
class flat_map_op final : public receiver<T> {
 public:
  flat_map_op(op_index op, const children& to, F f) : op_{op}, out_{to}, f_{std::move(f)} {}

  void receive(const T& value, step_context& ctx) override {
    ctx.op = op_;
    for (const U& made : std::invoke(f_, value)) out_.push(made, ctx);
  }

 private:
  op_index op_;
  outlet<U> out_;
  F f_;
};

template <class T>
class merge_op final : public receiver<T> {
 public:
  explicit merge_op(const children& to) : out_{to} {}
  void receive(const T& value, step_context& ctx) override { out_.push(value, ctx); }

 private:
  outlet<T> out_;
};

/// The end of a stage at key_by: the element goes to the repartition topic.
template <class K, class T, class F>
class hop_op final : public receiver<T> {
 public:
  hop_op(op_index op, port_index port, F key_of)
      : op_{op}, port_{port}, key_of_{std::move(key_of)} {}

  void receive(const T& value, step_context& ctx) override {
    ctx.op = op_;
    if (ctx.muted) return;
    key_.clear();
    codec<K>::encode(std::invoke(key_of_, value), key_);
    ctx.scratch.clear();
    codec<T>::encode(value, ctx.scratch);
    ctx.out->emit(port_, key_, key_, ctx.scratch, ctx.time);
  }

 private:
  op_index op_;
  port_index port_;
  F key_of_;
  bytes key_;
};

/// Names the key of an element without a hop.
template <class K, class T, class F>
class already_keyed_op final : public receiver<T> {
 public:
  already_keyed_op(op_index op, const children& to, F key_of)
      : op_{op}, out_{to}, key_of_{std::move(key_of)} {}

  void receive(const T& value, step_context& ctx) override {
    ctx.op = op_;
    const auto before = ctx.key;
    bytes key;
    codec<K>::encode(std::invoke(key_of_, value), key);
    ctx.key = key;
    out_.push(value, ctx);
    ctx.key = before;
  }

 private:
  op_index op_;
  outlet<T> out_;
  F key_of_;
};

/// Writes to a public topic.
template <class T>
class to_op final : public receiver<T> {
 public:
  to_op(op_index op, port_index port) : op_{op}, port_{port} {}

  void receive(const T& value, step_context& ctx) override {
    ctx.op = op_;
    if (ctx.muted) return;
    using traits = record_traits<T>;
    ctx.scratch.clear();
    codec<std::remove_cvref_t<typename traits::value_type>>::encode(traits::value(value),
                                                                    ctx.scratch);
    if constexpr (traits::has_own_key) {
      key_.clear();
      placed_by_.clear();
      traits::key(value, key_);
      traits::partition_key(value, placed_by_);
      ctx.out->emit(port_, placed_by_, key_, ctx.scratch, ctx.time);
    } else {
      ctx.out->emit(port_, ctx.key, ctx.key, ctx.scratch, ctx.time);
    }
  }

 private:
  op_index op_;
  port_index port_;
  bytes key_;
  bytes placed_by_;
};

/// Sends commands to aggregates: one, an optional one, or several.
template <class T, class F>
class send_op final : public receiver<T> {
 public:
  send_op(op_index op, std::string name, F f) : op_{op}, name_{std::move(name)}, f_{std::move(f)} {}

  void receive(const T& value, step_context& ctx) override {
    ctx.op = op_;
    if (ctx.muted) return;
    using returned = std::remove_cvref_t<std::invoke_result_t<const F&, const T&>>;
    if constexpr (std::same_as<returned, outgoing_command>) {
      ctx.out->send(name_, std::invoke(f_, value), ctx);
    } else if constexpr (std::same_as<returned, std::optional<outgoing_command>>) {
      if (const auto one = std::invoke(f_, value)) ctx.out->send(name_, *one, ctx);
    } else {
      for (const outgoing_command& one : std::invoke(f_, value)) ctx.out->send(name_, one, ctx);
    }
  }

 private:
  op_index op_;
  std::string name_;
  F f_;
};

inline bytes_view key_or_fail(const step_context& ctx) {
  if (!ctx.key) throw step_failure{error{errc::invalid_argument, "", "the record has no key"}};
  return *ctx.key;
}

template <class K>
K decoded_key(bytes_view key) {
  return value_or_fail(codec<K>::decode(key));
}

/// One value for each key, changed by each element; the new value is passed on.
template <class K, class T, class S, class F>
class fold_op final : public receiver<T> {
 public:
  fold_op(const op_build& build, const children& to, F f)
      : op_{build.op},
        table_{static_cast<keyed_table<S>*>(build.state)},
        silent_{to.empty()},
        out_{to},
        f_{std::move(f)} {}

  void receive(const T& value, step_context& ctx) override {
    ctx.op = op_;
    const auto key = key_or_fail(ctx);
    S* const state = state_or_fail(table_->edit(key));
    std::invoke(f_, *state, value);
    if (silent_) return;
    out_.push(keyed<K, S>{decoded_key<K>(key), *state}, ctx);
  }

 private:
  op_index op_;
  keyed_table<S>* table_;
  bool silent_;
  outlet<keyed<K, S>> out_;
  F f_;
};

/// As fold, but what the function returns is passed on: one element, an optional, or several.
template <class T, class S, class O, class F>
class process_op final : public receiver<T> {
 public:
  process_op(const op_build& build, const children& to, F f)
      : op_{build.op},
        table_{static_cast<keyed_table<S>*>(build.state)},
        out_{to},
        f_{std::move(f)} {}

  void receive(const T& value, step_context& ctx) override {
    ctx.op = op_;
    S* const state = state_or_fail(table_->edit(key_or_fail(ctx)));
    using returned = std::invoke_result_t<const F&, S&, const T&>;
    if constexpr (std::is_void_v<returned>) {
      std::invoke(f_, *state, value);
    } else if constexpr (std::is_same_v<returned, O>) {
      const O made = std::invoke(f_, *state, value);
      out_.push(made, ctx);
    } else if constexpr (std::is_same_v<returned, std::optional<O>>) {
      const auto made = std::invoke(f_, *state, value);
      if (made) out_.push(*made, ctx);
    } else {
      for (const O& made : std::invoke(f_, *state, value)) out_.push(made, ctx);
    }
  }

 private:
  op_index op_;
  keyed_table<S>* table_;
  outlet<O> out_;
  F f_;
};

/// One value for each key and window; passed on once, when the window closes.
///
/// Two timers a window: one closes it (at end + lateness, by the effective watermark), one forgets
/// it (`keep` later, by the last real watermark: `end` must not wipe what queries read).
template <class K, class T, class S, class F>
class window_fold_op final : public receiver<T>, public timer_receiver {
 public:
  window_fold_op(const op_build& build, const children& to, tumbling windows,
                 window_options options, F f)
      : op_{build.op},
        late_port_{build.port},
        table_{static_cast<keyed_table<S>*>(build.state)},
        windows_{windows},
        options_{std::move(options)},
        out_{to},
        f_{std::move(f)} {
    build.timers->at(op_) = this;
  }

  void receive(const T& value, step_context& ctx) override {
    ctx.op = op_;
    const auto key = key_or_fail(ctx);
    const auto w = windows_.of(ctx.time);
    const auto closes = saturating_add(w.end, options_.lateness);
    if (closes <= ctx.effective_watermark) {
      ++ctx.late_records;
      if (!ctx.muted) ctx.out->emit_late(late_port_);
      return;
    }
    state_key_.clear();
    append_ordered(state_key_, key);
    append_ordered(state_key_, std::int64_t{w.start.time_since_epoch().count()});
    bool made = false;
    S* const state = state_or_fail(table_->edit(state_key_, &made));
    if (made) ctx.closing_timers->add(timer{closes, op_, state_key_});
    std::invoke(f_, *state, value);
  }

  void fire(const timer& t, bool closing, step_context& ctx) override {
    ctx.op = op_;
    if (!closing) {
      state_or_fail(table_->erase(t.key));
      return;
    }
    const auto parts = split_window_state_key(t.key);
    if (!parts) bug("a window timer's key is malformed");
    const auto w = windows_.of(parts->start);
    forget_later(t, ctx);
    const S* const state = state_or_fail(table_->find(t.key));
    if (state == nullptr) bug("a window timer fired without its window");
    ctx.key = parts->key;
    ctx.time = w.end - milliseconds{1};
    out_.push(windowed<K, S>{decoded_key<K>(parts->key), w, *state}, ctx);
  }

  /// A window that could not be emitted stays readable as long as the others.
  void give_up(const timer& t, bool closing, step_context& ctx) override {
    if (closing) forget_later(t, ctx);
  }

  bytes state_of(const timer& t) override {
    auto value = table_->read(t.key, read_level::latest);
    return value && *value ? **value : bytes{};
  }

 private:
  void forget_later(const timer& t, step_context& ctx) {
    if (options_.keep == forever) return;
    ctx.timers->add(timer{saturating_add(t.time, options_.keep), op_, t.key});
  }

  op_index op_;
  port_index late_port_;
  keyed_table<S>* table_;
  tumbling windows_;
  window_options options_;
  outlet<windowed<K, S>> out_;
  F f_;
  bytes state_key_;
};

}  // namespace kappa::detail
