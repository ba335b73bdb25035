#include "sim/model.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "sim/epoch_execution.hpp"

namespace kappa::sim {

std::optional<timestamp> model_clock::watermark() const {
  std::optional<timestamp> least;
  for (const auto& [who, c] : channels) {
    if (c.state == what::idle || c.state == what::ended) continue;
    const auto w = c.state == what::unseen ? min_time : c.watermark;
    least = least ? std::min(*least, w) : w;
  }
  return least;
}

bool model_clock::ended() const {
  return std::all_of(channels.begin(), channels.end(),
                     [](const auto& c) { return c.second.state == what::ended; });
}

model::model(const plan& p, const topology& t, const app_layout& layout)
    : plan_{p}, dead_letters_topic_{t.dead_letters_topic()} {
  partitions_[dead_letters_topic_] = 1;
  for (const auto& of : p.stages) {
    stage s;
    s.of = of;
    const auto* spec = t.find(of.name);
    if (spec == nullptr) throw finding{"no stage is named " + of.name};
    s.spec = *spec;
    const auto& where = layout.at(of.name);
    s.tasks = where.tasks;
    s.writers = where.writers;
    for (const auto& port : where.ports) partitions_[port.spec.topic] = port.partitions;
    if (spec->inputs.size() != of.inputs.size()) throw finding{of.name + " has other inputs"};
    task_version first;
    for (std::size_t i = 0; i < spec->inputs.size(); ++i) {
      const auto& in = spec->inputs[i];
      const auto at = std::find_if(of.inputs.begin(), of.inputs.end(), [&](const input_plan& plan) {
        return in.internal ? in.topic.ends_with(".g1." + plan.name) : plan.name == in.topic;
      });
      if (at == of.inputs.end()) throw finding{of.name + " has another input: " + in.topic};
      s.inputs.push_back(*at);
      model_clock c;
      c.outside = !in.internal;
      if (c.outside) c.channels[{"", 0}];
      for (const auto& writer : s.writers[i]) {
        for (std::int32_t n = 0; n < writer.tasks; ++n) c.channels[{writer.stage, n}];
      }
      first.clocks.push_back(std::move(c));
      first.positions.emplace_back(0);
      first.order.push_back(min_time);
    }
    for (std::int32_t n = 0; n < s.tasks; ++n) tasks_[{of.name, n}] = {first};
    stages_.emplace(of.name, std::move(s));
  }
}

bool model::may_carry(const stage_and_partition& task, const topic_partition& origin) const {
  const auto& s = stage_of(task.first);
  for (std::size_t i = 0; i < s.inputs.size(); ++i) {
    if (s.inputs[i].kind != input_kind::hop) {
      if (s.inputs[i].name == origin.topic && task.second == origin.partition.value) return true;
      continue;
    }
    for (const auto& writer : s.writers[i]) {
      for (std::int32_t n = 0; n < writer.tasks; ++n) {
        if (may_carry({writer.stage, n}, origin)) return true;
      }
    }
  }
  return false;
}

void model::appended(const topic_partition& to, offset base, const record_batch& records) {
  auto& all = log_[to];
  records.for_each(
      [&](const record_view& r) {
        model_record m{r.offset, r.time, {}, {}, {}};
        if (r.key) m.key = bytes{*r.key};
        if (r.value) m.value = bytes{*r.value};
        for (const auto& h : r.headers) m.headers.emplace(bytes{h.name}, bytes{h.value});
        if (!all.empty() && all.back().offset >= r.offset)
          throw finding{to.text() + ": an offset was given twice"};
        all.push_back(std::move(m));
      },
      base);
}

void model::begins_at(const topic_partition& tp, offset first) {
  for (auto& [name, s] : stages_) {
    for (std::size_t i = 0; i < s.spec.inputs.size(); ++i) {
      if (s.spec.inputs[i].topic == tp.topic)
        tasks_.at({name, tp.partition.value}).front().positions[i] = first;
    }
  }
}

const task_version& model::at(const stage_and_partition& task, epoch_number e) const {
  const auto& all = tasks_.at(task);
  if (e.value >= all.size())
    throw finding{fmt::format("{}[{}]: epoch {} was never committed", task.first, task.second, e)};
  return all[e.value];
}

const task_version& model::last(const stage_and_partition& task) const {
  return tasks_.at(task).back();
}

void model::committed(const log_transaction& tx, const std::vector<offset>& bases) {
  std::map<topic_partition, std::vector<model_record>> added;
  for (std::size_t i = 0; i < tx.appends.size(); ++i) {
    const auto& to = tx.appends[i].to;
    const auto before = log_[to].size();
    appended(to, bases.at(i), *tx.appends[i].records);
    auto& all = log_[to];
    auto& list = added[to];
    list.insert(list.end(), all.begin() + static_cast<std::ptrdiff_t>(before), all.end());
  }
  written expected;
  for (std::size_t i = 0; i < tx.moves.size();) {
    const auto& first = tx.moves[i];
    const auto& s = stages_.at(first.key.stage);
    const auto task = first.key.task.value;
    const auto meta = decode_metadata(first.value.metadata);
    if (!meta) throw finding{first.key.text() + ": malformed metadata"};
    std::vector<offset> to;
    for (const auto& in : s.spec.inputs) {
      if (i == tx.moves.size() || tx.moves[i].key.input != in.topic ||
          tx.moves[i].key.stage != first.key.stage || tx.moves[i].key.task != first.key.task)
        throw finding{first.key.text() + ": the epoch does not move all of its inputs"};
      to.push_back(tx.moves[i++].value.next);
    }
    auto& versions = tasks_.at({first.key.stage, task});
    if (meta->epoch != versions.back().epoch + 1)
      throw finding{fmt::format("{}: epoch {} was committed after epoch {}", first.key.text(),
                                meta->epoch, versions.back().epoch)};
    std::optional<epoch_record> record;
    for (const auto& r : added[{s.spec.epochs_topic(), partition{task}}]) {
      if (is_birth(*r.value)) continue;
      auto e = decode_epoch_record(*r.value);
      if (!e) throw finding{"malformed epoch record"};
      if (e->number == meta->epoch) record = std::move(*e);
    }
    bool says_end = false;
    // After the end there is no epoch: only the last one of the T1 may say so.
    const bool last_of_task =
        std::none_of(tx.moves.begin() + static_cast<std::ptrdiff_t>(i), tx.moves.end(),
                     [&](const auto& later) { return later.key == first.key; });
    if (s.spec.source && last_of_task) {
      for (const auto& r : added[{s.spec.prefix() + s.of.hop, partition{0}}]) {
        const auto raw = r.headers.find(bytes{marker_header});
        if (raw == r.headers.end()) continue;
        const auto m = decode_marker(raw->second).value();
        says_end = says_end || (m.kind == marker_kind::end && m.stage == s.spec.name &&
                                m.through.begin()->second == to.front());
      }
    }
    epoch_execution run{*this, s, task, versions.back(), std::move(to), record, says_end};
    run.run();
    for (const auto& [where, lines] : run.out()) {
      auto& all = expected[where];
      all.insert(all.end(), lines.begin(), lines.end());
    }
    versions.push_back(std::move(run.after()));
    ++epochs_;
  }
  for (const auto& [where, records] : added) {
    const bool epochs = where.topic.ends_with(".epochs");
    const auto& wanted = expected[where];
    for (std::size_t i = 0; i < std::max(records.size(), wanted.size()); ++i) {
      const auto found = i >= records.size() ? std::string{"nothing"}
                         : epochs            ? text_of_epochs_record(*records[i].value)
                                             : text_of(records[i]);
      const auto want = i < wanted.size() ? wanted[i] : std::string{"nothing"};
      if (found == want) continue;
      throw finding{fmt::format("{}: record {} of {} of a T1\n  is      {}\n  must be {}",
                                where.text(), i, records.size(), found, want)};
    }
  }
  for (const auto& [where, lines] : expected) {
    if (!lines.empty() && added[where].empty())
      throw finding{fmt::format("{}: a T1 lacks\n  {}", where.text(), lines.front())};
  }
}

}  // namespace kappa::sim
