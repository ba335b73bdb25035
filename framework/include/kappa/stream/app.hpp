// An app: a name and a topology, as a value. `main`, tests, tools and docs use the same one.
//
// Threading: build on one thread; copies share the finished graph.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <typeindex>
#include <utility>

#include "kappa/aggregate/aggregate_options.hpp"
#include "kappa/source/record_source.hpp"
#include "kappa/stream/aggregate_events.hpp"
#include "kappa/stream/stream.hpp"

namespace kappa {

template <class T>
struct stream_options {
  /// Event time of an element; absent: the type's `$kappa.eventTime`, else the record's time.
  std::function<timestamp(const T&)> event_time{};
  /// A partition without records for this long (wall clock) is declared idle, in the log, so that
  /// it does not hold back event time. Zero: never.
  milliseconds idle_after = std::chrono::minutes{1};
  start_at start = start_at::earliest;
};

struct events_options {
  /// As stream_options::idle_after.
  milliseconds idle_after = std::chrono::minutes{1};
  /// A reaction that comes to an app later is to begin with `latest`: else it sends commands for
  /// all that has ever happened.
  start_at start = start_at::earliest;
};

/// A source and how its rows become elements.
template <class T>
struct source_of {
  source_factory open;
  std::function<result<T>(bytes_view row)> parse;
};

class app {
 public:
  /// `name`: [a-z0-9-]+, part of the names of all internal topics.
  explicit app(std::string name) : graph_{std::make_shared<detail::graph>()} {
    graph_->app = std::move(name);
  }

  /// Elements of a topic that is written from outside, or that an aggregate of the app publishes
  /// to; the latter has no end of its own.
  template <class T>
  kappa::stream<T> stream(std::string topic, stream_options<T> options = {}) {
    static_assert(encodable<T>, "the element needs a kappa::codec");
    detail::op_node node;
    node.kind = detail::op_kind::stream;
    node.name = topic;
    node.topic = std::move(topic);
    node.schema = codec<T>::schema();
    if (options.idle_after.count() > 0) node.idle_after = options.idle_after;
    node.start = options.start;
    node.make_root = [time = std::move(options.event_time)](const detail::op_build& b,
                                                            const detail::children& to) {
      return std::make_shared<detail::topic_root<T>>(b.op, to, time, true);
    };
    return {graph_, graph_->add(std::move(node))};
  }

  /// Elements of a source (a file, a broker), read by a source task named `name`.
  template <class T>
  kappa::stream<T> source(std::string name, source_of<T> from) {
    detail::op_node node;
    node.kind = detail::op_kind::source;
    node.name = std::move(name);
    node.source = std::move(from.open);
    node.make_root = [parse = std::move(from.parse)](const detail::op_build& b,
                                                     const detail::children& to) {
      return std::make_shared<detail::source_root<T>>(b.op, to, parse);
    };
    return {graph_, graph_->add(std::move(node))};
  }

  /// An aggregate: a stage of its own, whose events are in the topic `name`, which belongs to the
  /// app and keeps all. A: see aggregate.hpp; K: the type of its keys.
  template <class A, class K = std::string>
  void aggregate(std::string name, const aggregate_options& settings = {}) {
    static_assert(encodable<K>, "the key needs a kappa::codec");
    detail::op_node node;
    node.kind = detail::op_kind::aggregate;
    node.name = name;
    node.topic = std::move(name);
    node.program = std::make_shared<detail::typed_program<A>>();
    if constexpr (detail::has_deadline<A>) node.parameters = "deadlines";
    if constexpr (detail::has_event_deadline<A>) node.parameters += " event deadlines";
    node.command_window = settings.command_window;
    node.publishes = settings.publishes;
    for (auto& p : node.publishes) {
      if (!p.key_schema) p.key_schema = codec<K>::schema();
    }
    node.state = detail::state_spec{codec<A>::schema(),
                                    codec<K>::schema(),
                                    &testing::check_stored<aggregate_entry<A>>,
                                    &detail::json_of_aggregate<A>,
                                    &detail::key_bytes_of_text<K>,
                                    [program = node.program](state_store& store, std::size_t table,
                                                             const keyed_table_options& options) {
                                      return program->make_table(store, table, options);
                                    }};
    (void)graph_->add(std::move(node));
  }

  /// What happens to the aggregates of type A whose events are in the topic `name`: of this app
  /// (which must say so by `aggregate`), or of another one. K: the type of their keys.
  template <class A, class K = std::string>
  kappa::stream<event_of<A, K>> events(std::string name, events_options options = {}) {
    static_assert(detail::check_aggregate<A>());
    static_assert(encodable<K>, "the key needs a kappa::codec");
    detail::op_node node;
    node.kind = detail::op_kind::events;
    node.name = name;
    node.topic = std::move(name);
    node.key_schema = codec<K>::schema();
    node.aggregate = typeid(A);
    if (options.idle_after.count() > 0) node.idle_after = options.idle_after;
    node.start = options.start;
    node.make_root = [](const detail::op_build& b, const detail::children& to) {
      return std::make_shared<detail::events_root<A, K>>(b.op, to);
    };
    return {graph_, graph_->add(std::move(node))};
  }

  [[nodiscard]] const std::string& name() const { return graph_->app; }
  [[nodiscard]] const detail::graph& graph() const { return *graph_; }

 private:
  std::shared_ptr<detail::graph> graph_;
};

}  // namespace kappa
