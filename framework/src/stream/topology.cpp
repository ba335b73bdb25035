#include "kappa/stream/topology.hpp"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

namespace kappa {
namespace detail {

std::string_view name_of(op_kind kind) {
  switch (kind) {
    case op_kind::stream:
      return "stream";
    case op_kind::source:
      return "source";
    case op_kind::validate:
      return "validate";
    case op_kind::filter:
      return "filter";
    case op_kind::map:
      return "map";
    case op_kind::flat_map:
      return "flat_map";
    case op_kind::merge:
      return "merge";
    case op_kind::hop:
      return "key_by";
    case op_kind::already_keyed:
      return "already_keyed";
    case op_kind::fold:
      return "fold";
    case op_kind::window_fold:
      return "window fold";
    case op_kind::process:
      return "process";
    case op_kind::to:
      return "to";
    case op_kind::aggregate:
      return "aggregate";
    case op_kind::events:
      return "events";
    case op_kind::send:
      return "send";
  }
  return "operator";
}

namespace {

bool stateful(const op_node& n) { return n.state.has_value(); }
bool begins_stage(const op_node& n) {
  return n.kind == op_kind::stream || n.kind == op_kind::source || n.kind == op_kind::hop ||
         n.kind == op_kind::events;
}

// What stands at the end of a stage without a state.
bool is_output(const op_node& n) {
  return n.kind == op_kind::to || n.kind == op_kind::hop || n.kind == op_kind::send;
}

bool good_name(const std::string& name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  });
}

// Finds out which operators belong to which stage.
//
// A stage's operators are found from its stateful operator (or, without one, from its outputs):
// upwards to the hops, topics and sources that feed it, downwards to the next hop or output. An
// operator before the state may belong to several stages that read the same input; it is then
// made in each of them.
class cutter {
 public:
  explicit cutter(const graph& g) : g_{g}, below_(g.ops.size()) {
    for (op_id id = 0; id < g.ops.size(); ++id) {
      for (const auto in : g.ops[id].inputs) below_[in].push_back(id);
    }
  }

  struct cut {
    std::set<op_id> ops;     // without the operators that begin the stage
    std::set<op_id> begins;  // streams, sources, hops that feed it
    // (merge, input): the input comes out of another stage, through a topic between them
    std::set<std::pair<op_id, op_id>> edges;
    std::optional<op_id> state;
  };

  std::vector<cut> run(std::vector<std::string>& problems) {
    std::vector<cut> cuts;
    std::set<op_id> taken;
    for (op_id id = 0; id < g_.ops.size(); ++id) {
      if (!stateful(g_.ops[id])) continue;
      cut c;
      c.state = id;
      collect(id, c, problems);
      taken.insert(c.ops.begin(), c.ops.end());
      cuts.push_back(std::move(c));
    }
    // What no state covers: outputs and hops that hang on stateless operators. They join the
    // stage that already holds their input, or make a stage of their own for each input.
    for (op_id id = 0; id < g_.ops.size(); ++id) {
      if (!is_output(g_.ops[id]) || taken.contains(id)) continue;
      cut c;
      collect(id, c, problems);
      // What sends commands keeps to itself, so that no other output that comes or goes gives its
      // stage another name, and with it another beginning: all would be sent again. A source has
      // one stage.
      const auto sends = [&](op_id op) { return g_.ops[op].kind == op_kind::send; };
      const bool shares = reads_source(c);
      const auto same = std::find_if(cuts.begin(), cuts.end(), [&](const cut& other) {
        return other.begins == c.begins && other.edges == c.edges && !c.begins.empty() &&
               (shares || (!sends(id) && (other.state || std::none_of(other.ops.begin(),
                                                                      other.ops.end(), sends))));
      });
      if (same != cuts.end()) {
        same->ops.insert(c.ops.begin(), c.ops.end());
      } else {
        cuts.push_back(std::move(c));
      }
    }
    return cuts;
  }

 private:
  // Upwards from `id`, then down from all stateful or merged operators to the stage's outputs.
  void collect(op_id id, cut& c, std::vector<std::string>& problems) {
    c.ops.insert(id);
    up(id, c, problems);
    if (c.state) down(*c.state, c, problems);
  }

  void up(op_id id, cut& c, std::vector<std::string>& problems) {
    for (const auto in : g_.ops[id].inputs) {
      const auto& above = g_.ops[in];
      if (begins_stage(above)) {
        c.begins.insert(in);
        continue;
      }
      if (g_.ops[id].kind == op_kind::merge && after_state(in)) {
        c.edges.insert({id, in});
        continue;
      }
      if (stateful(above) && c.state && *c.state != in) {
        problems.push_back(
            fmt::format("\"{}\" follows \"{}\" in one stage, and a stage has one keyed state: put "
                        "a key_by between "
                        "them",
                        g_.ops[*c.state].name, above.name));
        continue;
      }
      if (c.ops.insert(in).second) up(in, c, problems);
    }
  }

  void down(op_id id, cut& c, std::vector<std::string>& problems) {
    for (const auto next : below_[id]) {
      const auto& n = g_.ops[next];
      if (stateful(n)) continue;               // reported by `up`
      if (n.kind == op_kind::merge) continue;  // the edge is an output of this stage
      if (!c.ops.insert(next).second) continue;
      if (n.kind != op_kind::hop) down(next, c, problems);
    }
  }

  bool reads_source(const cut& c) const {
    return std::any_of(c.begins.begin(), c.begins.end(),
                       [&](op_id id) { return g_.ops[id].kind == op_kind::source; });
  }

  bool after_state(op_id id) const {
    const auto& n = g_.ops[id];
    if (stateful(n)) return true;
    if (begins_stage(n)) return false;
    if (n.kind == op_kind::merge) return false;
    return std::any_of(n.inputs.begin(), n.inputs.end(), [&](op_id in) { return after_state(in); });
  }

  const graph& g_;
  std::vector<std::vector<op_id>> below_;
};

std::string stage_name(const graph& g, const cutter::cut& c) {
  if (c.state) return g.ops[*c.state].name;
  for (const auto id : c.begins) {
    if (g.ops[id].kind == op_kind::source) return g.ops[id].name;
  }
  for (const auto kind : {op_kind::hop, op_kind::to, op_kind::send}) {
    for (const auto id : c.ops) {
      if (g.ops[id].kind == kind) return g.ops[id].name;
    }
  }
  return "";
}

}  // namespace
}  // namespace detail

using detail::op_id;
using detail::op_kind;

namespace {

// Null: no aggregate of the app publishes to it.
const port_spec* published_to(const std::vector<stage_spec>& stages, const std::string& topic) {
  for (const auto& s : stages) {
    if (!s.aggregate) continue;
    for (const auto& port : s.ports) {
      if (port.kind == port_kind::public_topic && port.topic == topic) return &port;
    }
  }
  return nullptr;
}

// A stage of a stream over what an aggregate of the app publishes reads it as what it is.
result<void> check_published(const port_spec& port, const detail::op_node& n) {
  const auto& is = port.schema;
  if (is.name == n.schema.name && is.fingerprint == n.schema.fingerprint) return {};
  return fail(errc::bad_config, fmt::format("stream \"{}\"", n.topic),
              fmt::format("it is read as {}, and an aggregate of this app publishes {} to it",
                          n.schema.name, is.name));
}

// Of this app's own aggregates; another app's are what they are.
result<void> check_events(const std::vector<stage_spec>& stages, const detail::op_node& n) {
  const bool own = std::any_of(stages.begin(), stages.end(), [&](const stage_spec& s) {
    return s.aggregate && s.name == n.topic;
  });
  for (const auto& s : stages) {
    if (s.aggregate && !own && s.aggregate->type() == *n.aggregate) {
      return fail(errc::bad_config, "events of \"" + n.topic + "\"",
                  "the app has that aggregate under the name \"" + s.name + "\"");
    }
    if (!s.aggregate || s.name != n.topic) continue;
    if (s.aggregate->type() != *n.aggregate) {
      return fail(errc::bad_config, "events of \"" + n.topic + "\"",
                  "the aggregate of that name is of another type: read the events of that one");
    }
    if (s.state_key_schema.fingerprint != n.key_schema->fingerprint) {
      return fail(errc::bad_config, "events of \"" + n.topic + "\"",
                  "its keys are of another type: " + s.state_key_schema.name);
    }
  }
  return {};
}

}  // namespace

std::string stage_spec::prefix() const {
  return fmt::format("{}.{}.g{}.", app, name, generation.value);
}

const stage_spec* topology::find(const std::string& stage) const {
  const auto at = std::find_if(stages_.begin(), stages_.end(),
                               [&](const stage_spec& s) { return s.name == stage; });
  return at == stages_.end() ? nullptr : &*at;
}

std::set<std::string> topology::origins_of(const stage_spec& stage) const {
  if (stage.aggregate) return {stage.inputs.front().topic};
  std::set<std::string> all;
  for (const auto& in : stage.inputs) {
    if (!in.internal) all.insert(in.topic);
    for (const auto& writer : in.writers) all.merge(origins_of(*find(writer)));
  }
  return all;
}

bool topology::follows_aggregates(const stage_spec& stage) const {
  return stage.aggregate != nullptr ||
         std::any_of(stage.inputs.begin(), stage.inputs.end(), [&](const input_spec& in) {
           return in.of_aggregate ||
                  std::any_of(in.writers.begin(), in.writers.end(),
                              [&](const std::string& w) { return follows_aggregates(*find(w)); });
         });
}

result<const stage_spec*> topology::find_keyed(const std::string& stage) const {
  const auto* const found = find(stage);
  if (found != nullptr && found->state) return found;
  std::string all;
  for (const auto& s : stages_) {
    if (s.state) all += (all.empty() ? "" : ", ") + s.name;
  }
  if (found == nullptr)
    return fail(errc::not_found, stage, "no such stage; stages with state: " + all);
  return fail(errc::invalid_argument, stage, "it keeps no keyed state; stages with state: " + all);
}

result<const stage_spec*> topology::find_aggregate(std::type_index type,
                                                   std::uint64_t key_fingerprint) const {
  // Asked for each command: names are put together for an error alone.
  const auto is_it = [&](const stage_spec& s) {
    return s.aggregate && s.aggregate->type() == type;
  };
  const auto found = std::find_if(stages_.begin(), stages_.end(), is_it);
  const bool several =
      found != stages_.end() && std::any_of(std::next(found), stages_.end(), is_it);
  if (found != stages_.end() && !several) {
    if (found->state_key_schema.fingerprint == key_fingerprint) return &*found;
    return fail(errc::invalid_argument, found->name,
                "its keys are of another type: " + found->state_key_schema.name);
  }
  std::string all;
  for (const auto& s : stages_) {
    if (s.aggregate) all += (all.empty() ? "" : ", ") + s.name;
  }
  if (several) {
    return fail(errc::invalid_argument, app_name(),
                "several aggregates are of this type, and they are told apart by it: derive a type "
                "for each of " +
                    all);
  }
  return fail(errc::not_found, app_name(),
              "it has no aggregate of this type; there are: " + (all.empty() ? "none" : all));
}

result<topology> topology::compile(const app& a) {
  topology t;
  auto g = std::make_shared<detail::graph>(a.graph());
  t.graph_ = g;
  auto problems = g->problems;
  if (!detail::good_name(g->app)) {
    problems.push_back(
        fmt::format("the app's name \"{}\" may hold letters, digits, '-', '_' and '.'", g->app));
  }
  for (const auto& n : g->ops) {
    if (!detail::good_name(n.name)) {
      problems.push_back(fmt::format("{} \"{}\": a name may hold letters, digits, '-', '_' and '.'",
                                     detail::name_of(n.kind), n.name));
    }
  }

  auto cuts = detail::cutter{*g}.run(problems);

  // Every stage, with its outputs, before the inputs that refer to them.
  std::map<op_id, std::vector<std::string>> hop_writers;  // hop → stages that write it
  std::map<op_id, std::string> hop_topics;
  std::set<std::string> names;
  for (const auto& c : cuts) {
    stage_spec s;
    s.app = g->app;
    s.name = detail::stage_name(*g, c);
    if (!names.insert(s.name).second) {
      problems.push_back(fmt::format("two stages are named \"{}\": names must be unique", s.name));
    }
    for (const auto id : c.ops) {
      const auto& n = g->ops[id];
      s.ops.push_back({id, n.kind, n.name});
      if (n.kind == op_kind::hop) {
        hop_topics[id] = s.prefix() + n.name;
        hop_writers[id].push_back(s.name);
        s.ports.push_back({port_kind::internal, hop_topics[id], n.schema, n.key_schema, n.check});
      } else if (n.kind == op_kind::to) {
        s.ports.push_back({port_kind::public_topic, n.topic, n.schema, n.key_schema, n.check});
      } else if (n.kind == op_kind::aggregate) {
        s.aggregate = n.program;
        s.command_window = n.command_window;
        s.ports.push_back({port_kind::events, n.topic, {}, n.state->key_schema, nullptr});
        s.ports.push_back(
            {port_kind::outcomes, s.outcomes_topic(), {}, n.state->key_schema, nullptr});
        for (const auto& p : n.publishes) {
          if (!detail::good_name(p.topic)) {
            problems.push_back(fmt::format(
                "aggregate \"{}\" publishes to \"{}\": a name may hold letters, digits, "
                "'-', '_' and '.'",
                s.name, p.topic));
          }
          s.ports.push_back({port_kind::public_topic, p.topic, p.schema, p.key_schema, p.check});
        }
        if (auto good = n.command_window.check(); !good)
          problems.push_back(fmt::format("aggregate \"{}\": {}", s.name, good.error().text()));
      } else if (n.kind == op_kind::window_fold) {
        s.ports.push_back({port_kind::late,
                           n.topic.empty() ? fmt::format("{}.{}.late", g->app, n.name) : n.topic,
                           {"bytes", 0, 1, "bytes", nullptr},
                           std::nullopt,
                           nullptr});
      }
      s.output_delay = std::max(s.output_delay, n.output_delay);
    }
    if (c.state) {
      s.state = g->ops[*c.state].name;
      s.state_schema = g->ops[*c.state].state->schema;
      s.state_key_schema = g->ops[*c.state].state->key_schema;
      s.state_check = g->ops[*c.state].state->check;
      s.state_json = g->ops[*c.state].state->to_json;
      s.key_from_text = g->ops[*c.state].state->key_from_text;
      s.windowed = g->ops[*c.state].kind == op_kind::window_fold;
    }
    if (!c.edges.empty()) {
      problems.push_back(
          fmt::format("\"{}\" merges a stream that comes out of a keyed stage: call key_by on both "
                      "streams, then merge",
                      s.name));
    }
    t.stages_.push_back(std::move(s));
  }

  for (std::size_t i = 0; i < cuts.size(); ++i) {
    auto& s = t.stages_[i];
    for (const auto id : cuts[i].begins) {
      const auto& n = g->ops[id];
      input_spec in;
      in.root = id;
      in.schema = n.schema;
      in.key_schema = n.key_schema;
      if (n.kind == op_kind::source) {
        in.topic = n.name;
        s.source = n.source;
      } else if (n.kind == op_kind::stream) {
        in.topic = n.topic;
        in.idle_after = n.idle_after;
        in.start = n.start;
        if (const auto* port = published_to(t.stages_, n.topic)) {
          in.of_aggregate = true;
          if (auto good = check_published(*port, n); !good) problems.push_back(good.error().text());
        }
      } else if (n.kind == op_kind::events) {
        in.topic = n.topic;
        in.idle_after = n.idle_after;
        in.start = n.start;
        in.of_aggregate = true;
        if (auto good = check_events(t.stages_, n); !good) problems.push_back(good.error().text());
      } else {
        in.topic = hop_topics[id];
        in.internal = true;
        in.writers = hop_writers[id];
      }
      s.ops.push_back({id, n.kind, n.name});
      s.inputs.push_back(std::move(in));
    }
    if (s.aggregate) {
      input_spec in;
      in.topic = s.name;
      in.root = *cuts[i].state;
      s.inputs.push_back(in);
      in.topic = s.commands_topic();
      s.inputs.push_back(std::move(in));
    }
    if (s.inputs.empty()) {
      problems.push_back(fmt::format("stage \"{}\" has no input", s.name));
    }
    if (s.source && s.inputs.size() > 1) {
      problems.push_back(fmt::format(
          "stage \"{}\" merges a source with another input: put a key_by or a topic between",
          s.name));
    }
    if (s.source && s.state) {
      problems.push_back(fmt::format(
          "stage \"{}\" keeps keyed state behind a source: put a key_by between them", s.name));
    }
    // Public topics of this app have no markers, so reading them back would lose event time.
    for (const auto& in : s.inputs) {
      if (in.internal || in.of_aggregate || s.source || s.aggregate) continue;
      for (const auto& other : t.stages_) {
        for (const auto& port : other.ports) {
          if (port.topic == in.topic && port.kind == port_kind::events) {
            problems.push_back(
                fmt::format("stage \"{0}\" reads topic \"{1}\", which has the events "
                            "of an aggregate of this app: read them by "
                            "app.events<…>(\"{1}\")",
                            s.name, in.topic));
          } else if (port.topic == in.topic) {
            problems.push_back(
                fmt::format("stage \"{}\" reads topic \"{}\", which stage \"{}\" of this app "
                            "writes: continue from "
                            "the stream that you called .to(\"{}\") on",
                            s.name, in.topic, other.name, in.topic));
          }
        }
      }
    }
    std::string shape = s.name;
    for (const auto& in : s.inputs) shape += "|in " + in.topic;
    for (const auto& op : s.ops) {
      shape +=
          fmt::format("|{} {} {}", detail::name_of(op.kind), op.name, g->ops[op.id].parameters);
    }
    s.fingerprint = checksum(shape);
  }
  std::set<std::string> written;
  for (const auto& s : t.stages_) {
    for (const auto& port : s.ports) {
      if (port.topic == t.dead_letters_topic() || port.topic == t.admin_topic() ||
          port.topic == t.admin_replies_topic() || port.topic == t.replies_topic() ||
          port.topic == schemas_topic(t.app_name())) {
        problems.push_back(
            fmt::format("topic \"{}\" is Kappa's own: name another one in .to", port.topic));
      }
      if (!written.insert(port.topic).second) {
        problems.push_back(
            fmt::format("topic \"{}\" is written in two places: merge the streams before "
                        ".to, or name another topic",
                        port.topic));
      }
    }
  }
  std::set<std::string> sends;
  for (const auto& n : g->ops) {
    if (n.kind == op_kind::send && !sends.insert(n.name).second) {
      problems.push_back(fmt::format(
          "two sends are named \"{}\": names must be unique, as ids of commands come of them",
          n.name));
    }
  }
  const auto has = [&](auto&& what) {
    return std::any_of(t.stages_.begin(), t.stages_.end(), what);
  };
  if (!has([](const stage_spec& s) { return s.aggregate != nullptr; })) {
    for (const auto& n : g->ops) {
      if (n.kind == op_kind::send) {
        problems.push_back(
            fmt::format("send \"{}\": the app has no aggregate that could take its "
                        "commands: add app.aggregate<…>(…)",
                        n.name));
      }
    }
  }
  if (t.stages_.empty() && problems.empty()) {
    problems.push_back("the app has no stage: end its streams with .to, key_by or a keyed state");
  }
  if (!problems.empty()) {
    return fail(errc::bad_config, "app " + g->app, fmt::format("{}", fmt::join(problems, "\n  ")));
  }

  // Aggregates first: others read their events and send them commands. Then writers before readers;
  // the graph has no cycles because it grows by appending.
  std::stable_partition(t.stages_.begin(), t.stages_.end(),
                        [](const stage_spec& s) { return s.aggregate != nullptr; });
  std::vector<stage_spec> ordered;
  std::set<std::string> placed;
  while (ordered.size() < t.stages_.size()) {
    for (const auto& s : t.stages_) {
      if (placed.contains(s.name)) continue;
      const bool ready = std::all_of(s.inputs.begin(), s.inputs.end(), [&](const input_spec& in) {
        return std::all_of(in.writers.begin(), in.writers.end(),
                           [&](const std::string& w) { return placed.contains(w); });
      });
      if (!ready) continue;
      placed.insert(s.name);
      ordered.push_back(s);
    }
  }
  t.stages_ = std::move(ordered);
  return t;
}

}  // namespace kappa
