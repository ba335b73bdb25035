#include "kappa/task/layout.hpp"

#include <fmt/format.h>

#include "kappa/task/readable_history.hpp"

namespace kappa {
namespace {

result<topic_config> require_topic(event_log& log, const topic_config& wanted) {
  auto found = log.find_topic(wanted.name);
  if (!found) return fail(found.error());
  if (*found) {
    const auto& have = **found;
    if (have.owner != wanted.owner) {
      return fail(
          errc::bad_config, "topic " + wanted.name,
          have.owner.empty()
              ? fmt::format(
                    "it is written from outside, but stage output of app {} would go there; a "
                    "topic has writers inside one app or outside: choose another name",
                    wanted.owner)
              : fmt::format("it belongs to app {}; choose another name", have.owner));
    }
    if (have.partitions != wanted.partitions) {
      return fail(
          errc::bad_config, "topic " + wanted.name,
          fmt::format("it has {} partitions, the app wants {}: a change would remap keys; run with "
                      "--partitions {}, or use a new generation",
                      have.partitions, wanted.partitions, have.partitions));
    }
    if (have.compacted) {
      return fail(errc::bad_config, "topic " + wanted.name,
                  "it is compacted, which loses all but the last event of a key: set it to delete");
    }
    return have;
  }
  if (auto made = log.create_topic(wanted); !made) return fail(made.error());
  return wanted;
}

// An aggregate is what its events say.
result<void> require_kept(const topic_config& events) {
  if (!events.retention_time && !events.retention_bytes) return {};
  return fail(errc::bad_config, "topic " + events.name,
              "its retention would delete events of an aggregate: take it away (on Kafka "
              "retention.ms and retention.bytes are -1 then)");
}

// Twice, as an id may be of a time so far ahead.
milliseconds retention_of_outcomes(const command_window_options& window) {
  return 2 * window.span + std::chrono::hours{1};
}

result<void> require_window(const topic_config& outcomes, const command_window_options& window) {
  if (!outcomes.retention_bytes &&
      (!outcomes.retention_time || *outcomes.retention_time >= 2 * window.span))
    return {};
  return fail(errc::bad_config, "topic " + outcomes.name,
              fmt::format("its retention deletes outcomes of commands that are still to be "
                          "remembered: set retention.ms to {}, and no retention.bytes",
                          retention_of_outcomes(window).count()));
}

upstream upstream_of(const topology& t, const stage_spec& writer, std::int32_t tasks) {
  upstream u{writer.name, tasks};
  for (const auto& in : writer.inputs) {
    if (!in.internal) u.read.insert(in.topic);
    for (const auto& w : in.writers) u.through_hops.merge(t.origins_of(*t.find(w)));
  }
  return u;
}

// The topics that commands and their replies take through the log.
result<void> lay_out_commands(const topology& t, event_log& log, const stage_spec& stage,
                              stage_layout& l, command_routes& routes) {
  topic_config commands;
  commands.name = stage.commands_topic();
  commands.partitions = l.tasks;
  commands.retention_time = commands_retention;
  auto taken = require_topic(log, commands);
  if (!taken) return fail(taken.error());
  routes.add(stage, taken->partitions, taken->max_record_bytes);
  topic_config replies;
  replies.name = t.replies_topic();
  replies.partitions = l.tasks;
  replies.owner = t.app_name();
  replies.retention_time = replies_retention;
  auto config = require_topic(log, replies);
  if (!config) return fail(config.error());
  l.reply_partitions = config->partitions;
  return {};
}

// A stage has as many tasks as its inputs have partitions. Of the app's own topics the app is told
// which number it has to ask for; a topic from outside has changed.
result<void> check_tasks(event_log& log, const stage_spec& stage, const input_spec& in,
                         std::int32_t partitions) {
  if (in.internal || stage.source) return {};
  auto epochs = log.find_topic(stage.epochs_topic());
  if (!epochs) return fail(epochs.error());
  if (!*epochs || (*epochs)->partitions == partitions) return {};
  return fail(
      errc::bad_config, "topic " + in.topic,
      fmt::format("it has {} partitions, and stage {} has run with {}: keys would be in other "
                  "partitions than their state; give the records to a new topic of {} "
                  "partitions, or start an app of another name on this one",
                  partitions, stage.name, (*epochs)->partitions, (*epochs)->partitions));
}

}  // namespace

result<app_layout> lay_out(const topology& t, event_log& log, const layout_options& options) {
  if (options.partitions < 1 || options.partitions > log_limits::max_partitions) {
    return fail(errc::bad_config, "partitions",
                fmt::format("{} is not in 1 … {}", options.partitions, log_limits::max_partitions));
  }
  if (auto good = check_history_readable(t, log); !good) return fail(good.error());
  app_layout layout;
  const auto routes = std::make_shared<command_routes>();
  std::map<std::string, std::int32_t> partitions;  // of topics written by the app
  for (const auto& stage : t.stages()) {
    auto& l = layout[stage.name];
    if (stage.aggregate) l.tasks = options.partitions;
    for (const auto& in : stage.inputs) {
      if (stage.aggregate) break;  // they are made for it, with its tasks
      std::int32_t n = 1;
      if (stage.source) {
        n = 1;
      } else if (const auto own = partitions.find(in.topic); own != partitions.end()) {
        n = own->second;
      } else {
        auto found = log.find_topic(in.topic);
        if (!found) return fail(found.error());
        if (!*found && in.of_aggregate && !options.create_inputs) {
          return fail(
              errc::bad_config, fmt::format("stage {}", stage.name),
              fmt::format("there is no topic \"{}\" with the events of an aggregate: start the "
                          "app first that has it, which makes the topic",
                          in.topic));
        }
        if (!*found && !options.create_inputs) {
          return fail(
              errc::bad_config, fmt::format("stage {}", stage.name),
              fmt::format("its input topic \"{}\" does not exist: create it first", in.topic));
        }
        topic_config wanted;
        wanted.name = in.topic;
        wanted.partitions = *found ? (*found)->partitions : options.partitions;
        if (*found && !(*found)->owner.empty()) {
          // Another app's public topic is a topic from outside for this one.
          if ((*found)->owner == t.app_name()) {
            return fail(errc::bad_config, "topic " + in.topic,
                        "this app wrote it in another version");
          }
          wanted.owner = (*found)->owner;
        }
        auto config = require_topic(log, wanted);
        if (!config) return fail(config.error());
        n = config->partitions;
      }
      if (&in != &stage.inputs.front() && n != l.tasks) {
        return fail(
            errc::bad_config, fmt::format("stage {}", stage.name),
            fmt::format(
                "its inputs are not co-partitioned: \"{}\" has {} partitions, \"{}\" has {}; "
                "repartition one with key_by",
                stage.inputs.front().topic, l.tasks, in.topic, n));
      }
      l.tasks = n;
      if (auto same = check_tasks(log, stage, in, n); !same) return fail(same.error());
      l.writers.emplace_back();
      for (const auto& w : in.writers)
        l.writers.back().push_back(upstream_of(t, *t.find(w), layout.at(w).tasks));
    }
    for (const auto& port : stage.ports) {
      topic_config wanted;
      wanted.name = port.topic;
      wanted.partitions = options.partitions;
      wanted.owner = t.app_name();
      wanted.max_record_bytes = options.max_record_bytes;
      if (port.kind == port_kind::outcomes)
        wanted.retention_time = retention_of_outcomes(stage.command_window);
      auto config = require_topic(log, wanted);
      if (!config) return fail(config.error());
      if (port.kind == port_kind::events) {
        if (auto kept = require_kept(*config); !kept) return fail(kept.error());
      } else if (port.kind == port_kind::outcomes) {
        if (auto kept = require_window(*config, stage.command_window); !kept)
          return fail(kept.error());
      }
      partitions[port.topic] = config->partitions;
      l.ports.push_back({port, config->partitions, config->max_record_bytes});
    }
    l.routes = routes;
    if (stage.aggregate) {
      if (auto made = lay_out_commands(t, log, stage, l, *routes); !made) return fail(made.error());
    } else {
      topic_config epochs;
      epochs.name = stage.epochs_topic();
      epochs.partitions = l.tasks;
      epochs.owner = t.app_name();
      epochs.max_record_bytes = log_limits::max_max_record_bytes;
      if (auto made = require_topic(log, epochs); !made) return fail(made.error());
    }
    stage_tasks tasks{t.app_name(), stage.name, stage.generation, l.tasks, stage.fingerprint};
    for (const auto& in : stage.inputs) tasks.inputs.push_back(in.topic);
    if (auto made = log.make_room(tasks); !made) return fail(made.error());
  }
  topic_config dead;
  dead.name = t.dead_letters_topic();
  dead.owner = t.app_name();
  dead.max_record_bytes = log_limits::max_max_record_bytes;
  if (auto made = require_topic(log, dead); !made) return fail(made.error());
  return layout;
}

position_key admin_position(const std::string& app) {
  return {app, "kappa.admin", generation{1}, partition{0}, admin_topic(app)};
}

result<void> lay_out_admin(const topology& t, event_log& log) {
  topic_config requests;
  requests.name = t.admin_topic();
  requests.retention_time = admin_retention;
  if (auto made = require_topic(log, requests); !made) return fail(made.error());
  topic_config replies = requests;
  replies.name = t.admin_replies_topic();
  replies.owner = t.app_name();
  replies.max_record_bytes = log_limits::max_max_record_bytes;
  if (auto made = require_topic(log, replies); !made) return fail(made.error());
  const auto position = admin_position(t.app_name());
  return log.make_room({position.app, position.stage, position.generation, 1});
}

}  // namespace kappa
