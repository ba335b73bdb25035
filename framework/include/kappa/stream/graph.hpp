// The graph that the stream DSL builds: operators and what makes them. Cut into stages by
// `compile` (topology.hpp).
//
// Threading: built by one thread, read-only afterwards. Ownership: shared by the app and its
// streams.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <typeindex>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "kappa/aggregate/command_window.hpp"
#include "kappa/aggregate/program.hpp"
#include "kappa/aggregate/published.hpp"
#include "kappa/core/codec.hpp"
#include "kappa/core/json_of_bytes.hpp"
#include "kappa/core/json_traits.hpp"
#include "kappa/core/parse_number.hpp"
#include "kappa/core/schema_info.hpp"
#include "kappa/source/record_source.hpp"
#include "kappa/state/keyed_table.hpp"
#include "kappa/state/state_store.hpp"
#include "kappa/stream/step.hpp"
#include "kappa/testing/round_trip.hpp"

namespace kappa {

/// Where a stage begins to read a topic that it has never read: at the first record that is still
/// there, or behind the last one of the moment of its first start.
enum class start_at : std::uint8_t { earliest, latest };

}  // namespace kappa

namespace kappa::detail {

using op_id = std::uint32_t;

enum class op_kind {
  stream,  // reads a topic from outside
  source,  // reads a file, a broker, … as a source task
  validate,
  filter,
  map,
  flat_map,
  merge,
  hop,            // key_by: ends a stage, begins another
  already_keyed,  // names the key without a hop
  fold,           // keyed state
  window_fold,
  process,
  to,         // writes a public topic
  aggregate,  // decides commands; a stage of its own
  events,     // reads what has happened to aggregates
  send        // sends commands to aggregates
};

[[nodiscard]] std::string_view name_of(op_kind kind);

using children = std::vector<std::shared_ptr<receiver_base>>;

/// What an operator is made with, for one task.
struct op_build {
  op_index op = 0;                    // its own
  port_index port = 0;                // its own output (hop, to), or its late topic (window_fold)
  keyed_table_base* state = nullptr;  // the stage's, for stateful operators
  /// Operators with timers put themselves here.
  std::vector<timer_receiver*>* timers = nullptr;
};

/// Whether stored bytes decode, and encode to the same again (testing::check_stored). The test
/// driver applies it to everything that it sees.
using check_fn = result<void> (*)(bytes_view);

/// For tools and HTTP: bytes as JSON text, and a key as a person types it to its bytes.
using json_fn = result<std::string> (*)(bytes_view);
using key_from_text_fn = result<bytes> (*)(std::string_view);

/// {"version":4,"state":{…}}, or {"version":4,"gone":true}
template <class A>
result<std::string> json_of_aggregate(bytes_view in) {
  byte_reader reader{in};
  (void)reader.get<std::uint64_t>();
  if (!reader.ok()) return fail(errc::decode, codec<A>::schema().name, "its version is missing");
  const auto version = version_in(in);
  if (is_gone(in)) return fmt::format(R"({{"version":{},"gone":true}})", version);
  auto state = json_of_bytes<A>(reader.rest());
  if (!state) return state;
  return fmt::format(R"({{"version":{},"state":{}}})", version, *state);
}

template <class K>
result<bytes> key_bytes_of_text(std::string_view text) {
  if constexpr (std::is_same_v<K, std::string>) {
    return bytes{text};
  } else if constexpr (std::is_integral_v<K>) {
    K number{};
    if (!parse_number(text, number)) {
      return fail(errc::invalid_argument, std::string{text}, "the key must be an integer");
    }
    return encoded(number);
  } else if constexpr (has_json<K>) {
    auto key = from_json<K>(text);
    if (!key) return fail(key.error());
    return encoded(*key);
  } else {
    return fail(errc::invalid_argument, codec<K>::schema().name,
                "keys of this type cannot be typed");
  }
}

struct state_spec {
  schema_info schema;
  schema_info key_schema;
  check_fn check = nullptr;
  json_fn to_json = nullptr;
  key_from_text_fn key_from_text = nullptr;
  std::function<std::unique_ptr<keyed_table_base>(state_store&, std::size_t table,
                                                  const keyed_table_options&)>
      make_table;
};

struct op_node {
  op_kind kind{};
  std::string name;
  std::vector<op_id> inputs;
  /// Makes the operator as a receiver of what its inputs emit.
  std::function<std::shared_ptr<receiver_base>(const op_build&, const children&)> make;
  /// stream, source, hop: makes the first operator of the stage that reads.
  std::function<std::shared_ptr<record_receiver>(const op_build&, const children&)> make_root;
  std::optional<state_spec> state;
  std::string topic;   // stream, to, events; late topic of a window (may be empty)
  schema_info schema;  // of the values in the topic (stream, hop, to)
  std::optional<schema_info> key_schema;   // of its keys, where the operator makes them (hop, to)
  check_fn check = nullptr;                // of those values
  std::string parameters;                  // part of the fingerprint: window size, lateness, …
  milliseconds output_delay{0};            // how far results lag behind the watermark
  std::optional<milliseconds> idle_after;  // stream, events
  start_at start = start_at::earliest;     // stream, events
  source_factory source;                   // source
  std::shared_ptr<const aggregate_program> program;  // aggregate
  std::optional<std::type_index> aggregate;          // events: whose, where that is in the app
  command_window_options command_window;             // aggregate
  std::vector<published_topic> publishes;            // aggregate; all with the types of their keys
};

struct graph {
  std::string app;
  std::vector<op_node> ops;
  std::vector<std::string> problems;  // found while building, reported by compile

  op_id add(op_node node) {
    ops.push_back(std::move(node));
    return static_cast<op_id>(ops.size() - 1);
  }
};

/// Sends an element to all operators that follow.
template <class T>
class outlet {
 public:
  explicit outlet(const children& to) {
    to_.reserve(to.size());
    for (const auto& child : to) to_.push_back(std::static_pointer_cast<receiver<T>>(child));
  }
  void push(const T& value, step_context& ctx) const {
    for (const auto& r : to_) r->receive(value, ctx);
  }

 private:
  std::vector<std::shared_ptr<receiver<T>>> to_;
};

}  // namespace kappa::detail
