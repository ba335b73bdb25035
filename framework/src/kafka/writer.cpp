#include "kafka/writer.hpp"

#include <set>

#include "kafka/names.hpp"
#include "kafka/task_positions.hpp"
#include "kappa/core/failpoint.hpp"
#include "log/log_rules.hpp"

namespace kappa::kafka {

result<void> writer::check(const log_transaction& tx) {
  for (const auto& a : tx.appends) {
    auto topic = topics_.known(a.to.topic);
    if (!topic) return fail(topic.error());
    if (auto r = detail::check_partition(*topic, a.to); !r) return r;
    if (auto r = detail::check_inside_writer(**topic, app_); !r) return r;
    if (auto r = detail::check_batch(**topic, a.to, a.records.get()); !r) return r;
  }
  for (const auto& m : tx.moves) {
    if (auto r = detail::check_move(m, app_); !r) return r;
  }
  return {};
}

result<bool> writer::is_partition(const topic_partition& tp) {
  const auto known = is_partition_.find(tp);
  if (known != is_partition_.end()) return known->second;
  auto topic = topics_.known(tp.topic);
  if (!topic) return fail(topic.error());
  const bool is = *topic && tp.partition.value < (*topic)->partitions;
  is_partition_[tp] = is;
  return is;
}

result<std::vector<group_commit>> writer::commits_of(const log_transaction& tx) {
  std::map<std::string, std::map<topic_partition, task_positions>> groups;
  std::map<std::string, std::map<topic_partition, offset>> inputs;
  for (const auto& m : tx.moves) {
    const auto group = group_of(m.key.app, m.key.stage, m.key.generation);
    const topic_partition task{tasks_topic(m.key.app, m.key.stage, m.key.generation), m.key.task};
    auto& positions = groups[group][task];
    positions.app = app_;
    positions.life = life_;
    positions.inputs[m.key.input] = m.value;
    const topic_partition input{m.key.input, m.key.task};
    auto real = is_partition(input);
    if (!real) return fail(real.error());
    if (*real) inputs[group][input] = m.value.next;
  }
  std::vector<group_commit> commits;
  for (const auto& [group, tasks] : groups) {
    auto& c = commits.emplace_back();
    c.group = group;
    c.offsets.reset(
        rd_kafka_topic_partition_list_new(static_cast<int>(tasks.size() + inputs[group].size())));
    for (const auto& [task, positions] : tasks) {
      const auto text = encode(positions);
      if (text.size() > max_positions_bytes) {
        return fail(errc::too_large, task.text(),
                    fmt::format("the positions of its inputs take {} bytes; Kafka keeps {}",
                                text.size(), max_positions_bytes));
      }
      // The tasks topic has no records, so that its lag is none.
      add(*c.offsets, task, 0, text);
    }
    for (const auto& [input, next] : inputs[group]) add(*c.offsets, input, next.value);
    c.who = groups_.metadata_of(group);
    if (failpoint::broken("no-fencing"))
      c.who.reset(rd_kafka_consumer_group_metadata_new(group.c_str()));
    if (!c.who) {
      return fail(errc::unavailable, "group " + group,
                  "this process is not in it at the moment: the task may be another's by now",
                  true);
    }
  }
  return commits;
}

result<bool> writer::moved_last(const position_key& key) {
  const topic_partition task{tasks_topic(key.app, key.stage, key.generation), key.task};
  auto found = ask_.group_offsets(group_of(key.app, key.stage, key.generation), {task});
  if (!found) return fail(found.error());
  if (found->empty()) return false;
  const auto positions = decode_task_positions(found->front().metadata);
  return positions && positions->life == life_;
}

error writer::about_topics(const log_transaction& tx, error e) {
  if (e.code != errc::not_found) return e;
  auto not_now = e;
  not_now.code = errc::unavailable;
  not_now.retriable = true;
  std::set<std::string> outputs;
  for (const auto& a : tx.appends) outputs.insert(a.to.topic);
  for (const auto& name : outputs) {
    auto there = topics_.describe({name});
    if (there) continue;
    if (there.error().code != errc::not_found) return not_now;
    return {errc::not_found, name,
            "it was deleted under the running app, with all that it held. Nothing of this commit "
            "is lost; started again, the app makes the topic anew and goes on "
            "(docs/how-to/kafka.md)"};
  }
  // What was processed of an input counts, also when it is gone: the next try leaves its offsets
  // out, which are for others, and who reads it is told.
  for (auto& [input, is] : is_partition_) {
    if (!is) continue;
    auto there = topics_.describe({input.topic});
    is = there || there.error().code != errc::not_found;
  }
  return not_now;
}

result<commit_receipt> writer::commit(const log_transaction& tx) {
  if (auto good = check(tx); !good) return fail(good.error());
  if (tx.appends.empty() && tx.moves.empty()) return commit_receipt{};
  auto commits = commits_of(tx);
  if (!commits) return fail(commits.error());
  if (auto sent = producer_->send(tx.appends, false); !sent)
    return fail(about_topics(tx, sent.error()));
  auto bases = producer_->finish(std::move(*commits));
  if (!bases) return fail(about_topics(tx, bases.error()));
  return commit_receipt{std::move(*bases)};
}

}  // namespace kappa::kafka
