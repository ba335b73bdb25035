// The stream DSL. A stream is a handle on an operator of an app's graph; every call adds an
// operator and gives the next handle. Nothing runs here.
//
//   app.stream<flight>("flights").filter("delayed", …).key_by("origin", &flight::origin)
//      .window(tumbling{1h}, {.lateness = 10min}).fold<stats>("hourly", …).to("hourly");
//
// Names are mandatory wherever something is remembered or reported by it: validate, filter, map,
// flat_map, merge, key_by, fold, process, send. They must be stable over versions of the program.
//
// Threading: build a topology on one thread. User functions run on the task's thread, must be
// deterministic, and may throw: the record then goes to dead letters.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "kappa/core/codec.hpp"
#include "kappa/stream/graph.hpp"
#include "kappa/stream/operators.hpp"
#include "kappa/stream/window.hpp"

namespace kappa {

template <class T>
class stream;
template <class K, class T>
class keyed_stream;
template <class K, class T>
class window_stream;

namespace detail {

using graph_ptr = std::shared_ptr<graph>;

/// What `process` passes on, taken out of what its function returns.
template <class R>
struct passed_on {
  using type = R;
};
template <>
struct passed_on<void> {
  using type = bytes;  // nothing is passed on
};
template <class O>
struct passed_on<std::optional<O>> {
  using type = O;
};
template <class O>
struct passed_on<std::vector<O>> {
  using type = O;
};

template <class K, class S>
state_spec state_of() {
  static_assert(encodable<S>, "the state needs a kappa::codec");
  return {codec<S>::schema(),
          codec<K>::schema(),
          testing::check_stored<S>,
          json_of_bytes<S>,
          key_bytes_of_text<K>,
          [](state_store& store, std::size_t table, const keyed_table_options& options) {
            return std::make_unique<keyed_table<S>>(store, table, options);
          }};
}

}  // namespace detail

/// Elements of type T, in the order of their partition.
template <class T>
class stream {
 public:
  stream(detail::graph_ptr graph, detail::op_id op) : graph_{std::move(graph)}, op_{op} {}

  /// Elements for which `good` is false go to dead letters and do not move the watermark.
  /// `good`: (const T&) or (const T&, const event_clock&) → bool, or std::optional<std::string>,
  /// the reason.
  template <class F>
  stream<T> validate(std::string name, F good) const {
    return next<T>(detail::op_kind::validate, name,
                   [name, good](const detail::op_build& b, const detail::children& to) {
                     return std::make_shared<detail::validate_op<T, F>>(b.op, name, to, good);
                   });
  }

  /// Passes on elements for which `keep` is true.
  template <class F>
  stream<T> filter(std::string name, F keep) const {
    return next<T>(detail::op_kind::filter, std::move(name),
                   [keep](const detail::op_build& b, const detail::children& to) {
                     return std::make_shared<detail::filter_op<T, F>>(b.op, to, keep);
                   });
  }

  template <class F>
  auto map(std::string name, F f) const {
    using U = std::remove_cvref_t<std::invoke_result_t<const F&, const T&>>;
    return next<U>(detail::op_kind::map, std::move(name),
                   [f](const detail::op_build& b, const detail::children& to) {
                     return std::make_shared<detail::map_op<T, U, F>>(b.op, to, f);
                   });
  }

  /// `f` gives a range of elements.
  template <class F>
  auto flat_map(std::string name, F f) const {
    using range = std::remove_cvref_t<std::invoke_result_t<const F&, const T&>>;
    using U = std::remove_cvref_t<decltype(*std::begin(std::declval<const range&>()))>;
    return next<U>(detail::op_kind::flat_map, std::move(name),
                   [f](const detail::op_build& b, const detail::children& to) {
                     return std::make_shared<detail::flat_map_op<T, U, F>>(b.op, to, f);
                   });
  }

  /// Elements of both. The stage then has several inputs, merged by event time, replayably.
  stream<T> merge(std::string name, const stream<T>& other) const {
    if (other.graph_ != graph_) {
      graph_->problems.push_back("merge \"" + name + "\": the two streams are of different apps");
      return *this;
    }
    detail::op_node node;
    node.kind = detail::op_kind::merge;
    node.name = std::move(name);
    node.inputs = {op_, other.op_};
    node.make = [](const detail::op_build&, const detail::children& to) {
      return std::make_shared<detail::merge_op<T>>(to);
    };
    return {graph_, graph_->add(std::move(node))};
  }

  /// Elements of the same key meet in the same task: a hop through a repartition topic of the
  /// log. `key_of`: (const T&) → K, or a pointer to a member.
  template <class F>
  auto key_by(std::string name, F key_of) const {
    using K = std::remove_cvref_t<std::invoke_result_t<const F&, const T&>>;
    static_assert(encodable<K>, "the key needs a kappa::codec");
    static_assert(encodable<T>, "the element needs a kappa::codec to pass through the log");
    detail::op_node node;
    node.kind = detail::op_kind::hop;
    node.name = std::move(name);
    node.inputs = {op_};
    node.schema = codec<T>::schema();
    node.key_schema = codec<K>::schema();
    node.check = testing::check_stored<T>;
    node.make = [key_of](const detail::op_build& b, const detail::children&) {
      return std::make_shared<detail::hop_op<K, T, F>>(b.op, b.port, key_of);
    };
    node.make_root = [](const detail::op_build& b, const detail::children& to) {
      return std::make_shared<detail::topic_root<T>>(b.op, to, nullptr, false);
    };
    return keyed_stream<K, T>{graph_, graph_->add(std::move(node))};
  }

  /// States that the topic is already partitioned by this key: no hop.
  template <class F>
  auto already_keyed(F key_of) const {
    using K = std::remove_cvref_t<std::invoke_result_t<const F&, const T&>>;
    static_assert(encodable<K>, "the key needs a kappa::codec");
    detail::op_node node;
    node.kind = detail::op_kind::already_keyed;
    node.name = "already-keyed";
    node.inputs = {op_};
    node.make = [key_of](const detail::op_build& b, const detail::children& to) {
      return std::make_shared<detail::already_keyed_op<K, T, F>>(b.op, to, key_of);
    };
    return keyed_stream<K, T>{graph_, graph_->add(std::move(node))};
  }

  /// Writes the elements to a public topic (no markers): readable by anyone.
  const stream& to(std::string topic) const {
    using value = std::remove_cvref_t<typename record_traits<T>::value_type>;
    static_assert(encodable<value>, "the value needs a kappa::codec");
    detail::op_node node;
    node.kind = detail::op_kind::to;
    node.name = topic;
    node.topic = std::move(topic);
    node.inputs = {op_};
    node.schema = codec<value>::schema();
    if constexpr (record_traits<T>::has_own_key) node.key_schema = record_traits<T>::key_schema();
    node.check = testing::check_stored<value>;
    node.make = [](const detail::op_build& b, const detail::children&) {
      return std::make_shared<detail::to_op<T>>(b.op, b.port);
    };
    graph_->add(std::move(node));
    return *this;
  }

  /// Sends commands to aggregates of the app. `f`: (const T&) → what kappa::command_to makes, an
  /// optional one, or a vector of them. Each is in the log with whatever else the step writes, or
  /// not at all, and has an id of its own that follows from what was read: it is decided once. What
  /// it comes to the stream is not told; `app::events` tells what happened.
  template <class F>
  const stream& send(std::string name, F f) const {
    detail::op_node node;
    node.kind = detail::op_kind::send;
    node.name = name;
    node.inputs = {op_};
    node.make = [name = std::move(name), f](const detail::op_build& b, const detail::children&) {
      return std::make_shared<detail::send_op<T, F>>(b.op, name, f);
    };
    graph_->add(std::move(node));
    return *this;
  }

  /// For the DSL's own use: the operator in the app's graph.
  [[nodiscard]] detail::op_id op() const { return op_; }

 private:
  template <class U, class Make>
  stream<U> next(detail::op_kind kind, std::string name, Make make) const {
    detail::op_node node;
    node.kind = kind;
    node.name = std::move(name);
    node.inputs = {op_};
    node.make = std::move(make);
    return {graph_, graph_->add(std::move(node))};
  }

  detail::graph_ptr graph_;
  detail::op_id op_;
};

/// Elements that are together by key.
template <class K, class T>
class keyed_stream {
 public:
  keyed_stream(detail::graph_ptr graph, detail::op_id op) : graph_{std::move(graph)}, op_{op} {}

  /// Elements of both, which must be partitioned alike (equal partition counts, checked at start).
  keyed_stream<K, T> merge(std::string name, const keyed_stream<K, T>& other) const {
    const auto both =
        stream<T>{graph_, op_}.merge(std::move(name), stream<T>{other.graph_, other.op_});
    return {graph_, both.op()};
  }

  window_stream<K, T> window(tumbling windows, window_options options = {}) const {
    return {graph_, op_, windows, std::move(options)};
  }

  /// One S for each key, changed in place by `f(S&, const T&)`; each new value is passed on.
  template <class S, class F>
  stream<keyed<K, S>> fold(std::string name, F f) const {
    auto node = stateful<S>(detail::op_kind::fold, std::move(name));
    node.make = [f](const detail::op_build& b, const detail::children& to) {
      return std::make_shared<detail::fold_op<K, T, S, F>>(b, to, f);
    };
    return {graph_, graph_->add(std::move(node))};
  }

  /// As fold, but what `f(S&, const T&)` returns is passed on: an element, an optional one, a
  /// vector of them, or nothing (void).
  template <class S, class F>
  auto process(std::string name, F f) const {
    using O = typename detail::passed_on<std::invoke_result_t<const F&, S&, const T&>>::type;
    auto node = stateful<S>(detail::op_kind::process, std::move(name));
    node.make = [f](const detail::op_build& b, const detail::children& to) {
      return std::make_shared<detail::process_op<T, S, O, F>>(b, to, f);
    };
    return stream<O>{graph_, graph_->add(std::move(node))};
  }

 private:
  template <class S>
  detail::op_node stateful(detail::op_kind kind, std::string name) const {
    detail::op_node node;
    node.kind = kind;
    node.name = std::move(name);
    node.inputs = {op_};
    node.state = detail::state_of<K, S>();
    return node;
  }

  detail::graph_ptr graph_;
  detail::op_id op_;
};

/// Elements that are together by key and window.
template <class K, class T>
class window_stream {
 public:
  window_stream(detail::graph_ptr graph, detail::op_id op, tumbling windows, window_options options)
      : graph_{std::move(graph)}, op_{op}, windows_{windows}, options_{std::move(options)} {}

  /// One S for each key and window, changed in place by `f(S&, const T&)`; passed on once, when
  /// the window closes.
  template <class S, class F>
  stream<windowed<K, S>> fold(std::string name, F f) const {
    if (windows_.size.count() <= 0) {
      graph_->problems.push_back("window of \"" + name + "\": its size must be positive");
    }
    if (options_.lateness.count() < 0 || options_.keep.count() < 0) {
      graph_->problems.push_back("window of \"" + name +
                                 "\": lateness and keep must not be negative");
    }
    detail::op_node node;
    node.kind = detail::op_kind::window_fold;
    node.name = std::move(name);
    node.inputs = {op_};
    node.state = detail::state_of<K, S>();
    node.topic = options_.late_to;
    node.output_delay = options_.lateness;
    // `keep` may change without a new generation; the windows' size and lateness may not.
    node.parameters =
        fmt::format("tumbling {} lateness {}", windows_.size.count(), options_.lateness.count());
    node.make = [windows = windows_, options = options_, f](const detail::op_build& b,
                                                            const detail::children& to) {
      return std::make_shared<detail::window_fold_op<K, T, S, F>>(b, to, windows, options, f);
    };
    return {graph_, graph_->add(std::move(node))};
  }

 private:
  detail::graph_ptr graph_;
  detail::op_id op_;
  tumbling windows_;
  window_options options_;
};

}  // namespace kappa
