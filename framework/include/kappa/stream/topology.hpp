// The topology: an app's graph, cut into stages.
//
// A stage is what is deployed, replayed, paused and versioned: inputs → operators → at most one
// keyed state → outputs. Cuts are made at key hops and where two keyed states would meet. Stage
// names are stable: that of the keyed state, else of the source, else of the key hop, else of the
// first public topic.
//
// Threading: immutable after `compile`; `make_program` may be called from any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <typeindex>
#include <vector>

#include "kappa/core/error.hpp"
#include "kappa/stream/app.hpp"

namespace kappa {

/// What flows into a stage.
struct input_spec {
  std::string topic;      // for a source: its name
  bool internal = false;  // written by stages of this app, with markers
  /// Events, of this app's aggregate or of another's, or what one of this app publishes.
  bool of_aggregate = false;
  std::vector<std::string> writers;  // those stages
  schema_info schema;
  std::optional<schema_info> key_schema;   // where it is known: of hops
  std::optional<milliseconds> idle_after;  // outside topics
  start_at start = start_at::earliest;     // outside topics
  detail::op_id root = 0;
};

enum class port_kind {
  internal,  // a repartition topic or an edge between stages: gets markers
  public_topic,
  late,
  events,   // an aggregate's own, each of one of the types of its protocol
  outcomes  // of an aggregate's commands that no event came of: kept as long as they are remembered
};

/// What a stage writes.
struct port_spec {
  port_kind kind{};
  std::string topic;
  schema_info schema;
  std::optional<schema_info> key_schema;  // nothing: that of whatever the element was made from
  detail::check_fn check = nullptr;
};

struct op_spec {
  detail::op_id id = 0;
  detail::op_kind kind{};
  std::string name;
};

struct stage_spec {
  std::string app;
  std::string name;
  kappa::generation generation{1};
  std::vector<input_spec> inputs;
  std::optional<source_factory> source;  // a source stage: one input, one task
  /// An aggregate: its inputs are the topic of events, which it writes itself, and that of
  /// commands. Null: a stage of a stream.
  std::shared_ptr<const detail::aggregate_program> aggregate;
  command_window_options command_window;  // of an aggregate
  std::vector<op_spec> ops;               // in the order of op_index
  std::vector<port_spec> ports;
  std::optional<std::string> state;  // name of the keyed state
  schema_info state_schema;
  schema_info state_key_schema;  // without the window
  detail::check_fn state_check = nullptr;
  detail::json_fn state_json = nullptr;
  detail::key_from_text_fn key_from_text = nullptr;
  bool windowed = false;  // state keys are window_state_key(key, start)
  milliseconds output_delay{0};
  std::uint64_t fingerprint = 0;  // changes when the state or outputs would be others

  /// "flights.hourly-delays.g1."
  [[nodiscard]] std::string prefix() const;
  [[nodiscard]] std::string epochs_topic() const { return prefix() + "epochs"; }
  /// Of an aggregate.
  [[nodiscard]] std::string outcomes_topic() const { return app + "." + name + ".outcomes"; }
  [[nodiscard]] std::string commands_topic() const { return app + "." + name + ".commands"; }
};

/// A stage's operators, made for one task.
struct stage_program {
  std::vector<std::shared_ptr<detail::record_receiver>> roots;  // one an input
  std::vector<detail::timer_receiver*> timers;                  // by op_index; null: none
  std::vector<std::shared_ptr<detail::receiver_base>> ops;      // keeps them alive
};

/// For those who have no topology.
[[nodiscard]] inline std::string admin_topic(const std::string& app) { return app + ".admin"; }
[[nodiscard]] inline std::string admin_replies_topic(const std::string& app) {
  return app + ".admin.replies";
}
/// Replies to commands that came through the log.
[[nodiscard]] inline std::string replies_topic(const std::string& app) { return app + ".replies"; }
[[nodiscard]] inline std::string dead_letters_topic(const std::string& app) {
  return app + ".dead-letters";
}
/// What the app's topics and states hold (kappa/task/stored_schemas.hpp).
[[nodiscard]] inline std::string schemas_topic(const std::string& app) { return app + ".schemas"; }

class topology {
 public:
  /// errc::bad_config lists what is wrong, one problem a line, each with its mend.
  [[nodiscard]] static result<topology> compile(const app& a);

  [[nodiscard]] const std::string& app_name() const { return graph_->app; }
  /// In an order in which every stage comes after those that it reads from.
  [[nodiscard]] const std::vector<stage_spec>& stages() const { return stages_; }
  /// Null when there is no such stage.
  [[nodiscard]] const stage_spec* find(const std::string& stage) const;
  /// The topics from outside, and of aggregates' events, that the stage's results come from,
  /// through whatever stages of the app; of an aggregate its own events.
  [[nodiscard]] std::set<std::string> origins_of(const stage_spec& stage) const;
  /// An aggregate, or a stage to which something comes of one, through whatever stages: it has no
  /// end of its own, as somebody may ask.
  [[nodiscard]] bool follows_aggregates(const stage_spec& stage) const;
  /// The stage, which must keep a keyed state. errc::not_found: there is none of that name;
  /// errc::invalid_argument: it keeps none. Both name those that do.
  [[nodiscard]] result<const stage_spec*> find_keyed(const std::string& stage) const;
  /// The stage of that aggregate. errc::not_found: the app has none; errc::invalid_argument: it
  /// has several of that type, or its keys are of another one. They name those that there are.
  [[nodiscard]] result<const stage_spec*> find_aggregate(std::type_index type,
                                                         std::uint64_t key_fingerprint) const;
  [[nodiscard]] std::string dead_letters_topic() const {
    return kappa::dead_letters_topic(app_name());
  }
  [[nodiscard]] std::string replies_topic() const { return kappa::replies_topic(app_name()); }
  /// Requests from operators, from outside; and what hosts of the app reply.
  [[nodiscard]] std::string admin_topic() const { return kappa::admin_topic(app_name()); }
  [[nodiscard]] std::string admin_replies_topic() const {
    return kappa::admin_replies_topic(app_name());
  }

  [[nodiscard]] stage_program make_program(const stage_spec& stage, keyed_table_base* state) const;
  /// Makes the stage's keyed table over its store.
  [[nodiscard]] std::unique_ptr<keyed_table_base> make_table(
      const stage_spec& stage, state_store& store, std::size_t table,
      const keyed_table_options& options) const;

 private:
  std::shared_ptr<const detail::graph> graph_;
  std::vector<stage_spec> stages_;
};

}  // namespace kappa
