// A stage's operators, made for one task.
#include <algorithm>
#include <map>
#include <set>

#include "kappa/stream/topology.hpp"

namespace kappa {

using detail::op_id;
using detail::op_kind;

stage_program topology::make_program(const stage_spec& stage, keyed_table_base* state) const {
  stage_program program;
  program.timers.resize(stage.ops.size(), nullptr);

  std::map<op_id, detail::op_index> index;
  for (std::size_t i = 0; i < stage.ops.size(); ++i) {
    index[stage.ops[i].id] = static_cast<detail::op_index>(i);
  }
  // Ports were numbered in the order of the operators that own them.
  std::map<op_id, detail::port_index> ports;
  detail::port_index next_port = 0;
  for (const auto& op : stage.ops) {
    const bool owns =
        (op.kind == op_kind::hop || op.kind == op_kind::to || op.kind == op_kind::window_fold);
    const bool begins = std::any_of(stage.inputs.begin(), stage.inputs.end(),
                                    [&](const input_spec& in) { return in.root == op.id; });
    if (owns && !begins) ports[op.id] = next_port++;
  }

  std::map<op_id, std::shared_ptr<detail::receiver_base>> made;
  const auto build_of = [&](op_id id) {
    detail::op_build b;
    b.op = index.at(id);
    if (const auto p = ports.find(id); p != ports.end()) b.port = p->second;
    if (graph_->ops[id].state) b.state = state;
    b.timers = &program.timers;
    return b;
  };
  // Operators have higher numbers than their inputs: made from the last to the first, every
  // operator finds those that follow it.
  const auto children_of = [&](op_id id) {
    detail::children below;
    for (auto& [other, receiver] : made) {
      const auto& ins = graph_->ops[other].inputs;
      // A merge of a stream with itself gets each element twice.
      for (auto n = std::count(ins.begin(), ins.end(), id); n > 0; --n) below.push_back(receiver);
    }
    return below;
  };
  std::set<op_id> roots;
  for (const auto& in : stage.inputs) roots.insert(in.root);
  for (auto at = index.rbegin(); at != index.rend(); ++at) {
    const auto id = at->first;
    if (roots.contains(id)) continue;
    made[id] = graph_->ops[id].make(build_of(id), children_of(id));
  }
  for (const auto& in : stage.inputs) {
    program.roots.push_back(
        graph_->ops[in.root].make_root(build_of(in.root), children_of(in.root)));
  }
  for (auto& [id, receiver] : made) program.ops.push_back(std::move(receiver));
  return program;
}

std::unique_ptr<keyed_table_base> topology::make_table(const stage_spec& stage, state_store& store,
                                                       std::size_t table,
                                                       const keyed_table_options& options) const {
  for (const auto& op : stage.ops) {
    if (const auto& state = graph_->ops[op.id].state)
      return state->make_table(store, table, options);
  }
  return nullptr;
}

}  // namespace kappa
