#include "kappa/log/kafka_log.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <set>

#include <fmt/format.h>

#include "kafka/admin.hpp"
#include "kafka/fetch_pool.hpp"
#include "kafka/group_registry.hpp"
#include "kafka/group_thread.hpp"
#include "kafka/instance.hpp"
#include "kafka/names.hpp"
#include "kafka/outside_producer.hpp"
#include "kafka/reader.hpp"
#include "kafka/settled_producer.hpp"
#include "kafka/strangers.hpp"
#include "kafka/task_positions.hpp"
#include "kafka/topic_book.hpp"
#include "kafka/waiting_again.hpp"
#include "kafka/writer.hpp"
#include "kappa/core/parse_number.hpp"
#include "log/app_lock.hpp"
#include "log/log_rules.hpp"

namespace kappa {
namespace kafka {
namespace {

// "<app>.<stage>.g<generation>" of an app whose name is known.
std::optional<std::pair<std::string, generation>> stage_of_group(const std::string& group,
                                                                 const std::string& app) {
  if (!group.starts_with(app + ".")) return std::nullopt;
  const auto g = group.rfind(".g");
  if (g == std::string::npos || g <= app.size()) return std::nullopt;
  std::int32_t n = 0;
  if (!parse_number(std::string_view{group}.substr(g + 2), n)) return std::nullopt;
  return std::pair{group.substr(app.size() + 1, g - app.size() - 1), generation{n}};
}

std::vector<std::string> groups_of(const std::vector<stage_tasks>& stages) {
  std::vector<std::string> groups;
  for (const auto& stage : stages)
    groups.push_back(group_of(stage.app, stage.stage, stage.generation));
  return groups;
}

// How far this clock is ahead of another that was read meanwhile.
milliseconds clocks_apart(timestamp before, timestamp theirs, timestamp after) {
  if (theirs < before) return before - theirs;
  return std::min(after - theirs, milliseconds{0});
}

class kafka_log final : public event_log {
 public:
  kafka_log(kafka_log_options options, instance who, std::unique_ptr<client> of)
      : options_{std::move(options)}, instance_{std::move(who)}, client_{std::move(of)} {}

  result<void> look() {
    auto id = ask_.cluster_id();
    if (!id) return fail(id.error());
    id_ = "kafka-" + *id;
    return {};
  }

  const std::string& id() const override { return id_; }
  std::string name() const override { return "kafka://" + options_.brokers; }
  result<std::string> identity(const std::vector<std::string>& topics) override {
    auto described = topics_.describe(topics);
    if (!described) return fail(described.error());
    auto out = id_;
    for (const auto& [topic, d] : *described) out += fmt::format(" {}={}", topic, d.id);
    return out;
  }

  result<void> create_topic(const topic_config& config) override { return topics_.create(config); }
  result<std::optional<topic_config>> find_topic(const std::string& topic) override {
    return topics_.find(topic);
  }
  result<std::vector<topic_config>> topics() override { return topics_.all(); }

  result<partition_bounds> bounds(const topic_partition& tp) override {
    if (auto there = check(tp); !there) return fail(there.error());
    return ask_.bounds(tp);
  }
  result<offset> settled_end(const topic_partition& tp) override {
    if (auto there = check(tp); !there) return fail(there.error());
    return ask_.settled_end(tp, 2 * options_.transaction_timeout);
  }
  result<offset> offset_for_time(const topic_partition& tp, timestamp t) override {
    if (auto there = check(tp); !there) return fail(there.error());
    return ask_.offset_for_time(tp, t);
  }
  result<std::unique_ptr<log_reader>> open_reader(const topic_partition& tp) override {
    if (auto there = check(tp); !there) return fail(there.error());
    return reader::open(pool_, ask_, buffers_, tp);
  }

  result<void> make_room(const stage_tasks& stage) override;
  bool places_tasks() const override { return true; }
  result<std::unique_ptr<membership>> join(const std::vector<stage_tasks>& stages,
                                           const std::string& who_for_people,
                                           placement_listener& listener) override {
    if (auto alone = check_strangers(stages); !alone) return fail(alone.error());
    const auto session = text_of_sessions(stages);
    auto joined =
        group_thread::join(options_, instance_.id(), who_for_people, stages, listener, groups_);
    if (!joined) return fail(joined.error());
    options_.log(log_level::info, "the brokers place the tasks",
                 {{"process", (*joined)->process()}, {"session_timeout", session}});
    return joined;
  }
  result<std::unique_ptr<log_writer>> open_writer(const writer_options& options) override;
  result<std::optional<std::string>> holder(const std::string& app) override;
  result<std::vector<app_process>> processes(const std::string& app) override;

  result<append_receipt> append(const topic_partition& to, const record_batch& records,
                                const std::optional<producer_sequence>& sequence) override;

  result<std::optional<committed_position>> position(const position_key& key) override;
  result<std::vector<log_transaction::move>> positions(const std::string& app) override;
  result<void> forget_position(const position_key& key) override;

  result<retention_report> apply_retention(timestamp) override { return retention_report{}; }

 private:
  result<void> check(const topic_partition& tp) {
    auto topic = topics_.known(tp.topic);
    if (!topic) return fail(topic.error());
    return detail::check_partition(*topic, tp);
  }
  result<void> check_clock();
  result<void> check_strangers(const std::vector<stage_tasks>& stages);
  std::vector<std::optional<milliseconds>> sessions_in_force(
      const std::vector<stage_tasks>& stages);
  std::string text_of_sessions(const std::vector<stage_tasks>& stages);
  result<std::optional<detail::app_lock>> take(const writer_options& options);
  result<std::unique_ptr<settled_producer>> open_producer(const writer_options& options, int lane);
  result<void> end_former_lanes(const writer_options& options);
  result<std::optional<task_positions>> positions_of(const position_key& key);
  static result<task_positions> decoded(const group_offset& at);

  const kafka_log_options options_;
  instance instance_;
  std::mutex terms_mutex_;  // lanes open their writers again when they have to
  std::string id_;
  std::unique_ptr<client> client_;
  admin ask_{*client_};
  std::shared_ptr<detail::buffer_pool> buffers_ = detail::buffer_pool::create();
  fetch_pool pool_{options_};
  doubtful_commits doubts_;
  const settled_producer::surroundings around_producers_{options_, ask_, doubts_, *this};
  outside_producer out_{around_producers_};
  topic_book topics_{options_, ask_, pool_, out_, buffers_};
  group_registry groups_{[this] { pool_.retire(); }};
  std::atomic<bool> clock_is_right_ = false;
};

// A commit that does not fit would fail each time: better to be told at the start.
result<void> check_room(const stage_tasks& stage, const std::string& life) {
  constexpr std::size_t metadata_bytes = 32;  // a stage's own, of an input
  task_positions fullest{life, stage.app, {}};
  for (const auto& input : stage.inputs)
    fullest.inputs[input] = {offset{INT64_MAX}, bytes(metadata_bytes, '-')};
  const auto takes = encode(fullest).size();
  if (takes <= max_positions_bytes) return {};
  return fail(errc::too_large, "stage " + stage.stage,
              fmt::format("the positions of its {} inputs take up to {} bytes, and Kafka keeps {} "
                          "of a task: merge some of the inputs in a stage before",
                          stage.inputs.size(), takes, max_positions_bytes));
}

result<void> kafka_log::make_room(const stage_tasks& stage) {
  if (auto fits = check_room(stage, instance_.life()); !fits) return fits;
  topic_config c;
  c.name = tasks_topic(stage.app, stage.stage, stage.generation);
  c.partitions = stage.tasks;
  c.owner = stage.app;
  auto made = topics_.create(c);
  if (!made && made.error().code == errc::already_exists) {
    return fail(errc::bad_config, "stage " + stage.stage,
                fmt::format("{}: the stage had another number of tasks; a change would remap keys: "
                            "use a new generation",
                            made.error().text()));
  }
  return made;
}

// Deadlines of requests are by the wall clock, and brokers refuse records from too far ahead.
result<void> kafka_log::check_clock() {
  const auto now = [this] {
    if (options_.clock) return options_.clock();
    return std::chrono::time_point_cast<milliseconds>(std::chrono::system_clock::now());
  };
  const auto before = now();
  auto theirs = topics_.brokers_time();
  if (!theirs) return fail(theirs.error());
  const auto apart = *theirs ? clocks_apart(before, **theirs, now()) : milliseconds{0};
  if (std::chrono::abs(apart) <= options_.clock_tolerance) return {};
  return fail(
      errc::refused_start, "the clock of this machine",
      fmt::format(
          "it is {} s {} the brokers', more than the {} s that are allowed: set both "
          "by a time server (NTP)",
          std::chrono::duration_cast<std::chrono::seconds>(std::chrono::abs(apart)).count(),
          apart > milliseconds{0} ? "ahead of" : "behind",
          std::chrono::duration_cast<std::chrono::seconds>(options_.clock_tolerance).count()));
}

// One that has been stopped is a member until its session ends.
result<void> kafka_log::check_strangers(const std::vector<stage_tasks>& stages) {
  const auto groups = groups_of(stages);
  std::optional<waiting_again> wait;
  for (;;) {
    auto members = ask_.members(groups);
    if (!members) return fail(members.error());
    const auto mixed = std::find_if(stages.begin(), stages.end(), [&](const stage_tasks& stage) {
      return stranger_among(*members, stage) != nullptr;
    });
    if (mixed == stages.end()) return {};
    const auto& stranger = *stranger_among(*members, *mixed);
    if (!wait) {
      wait.emplace(lingering(sessions_in_force({*mixed}).front()));
      options_.log(log_level::info, "another program has this stage: waiting whether it is gone",
                   {{"stage", mixed->stage}, {"process", stranger.calls}});
    }
    if (!wait->once_more()) return fail(two_programs(*mixed, stranger));
  }
}

// In the order of the stages. By KIP-848 the brokers say it; nothing: this user may not ask for it.
std::vector<std::optional<milliseconds>> kafka_log::sessions_in_force(
    const std::vector<stage_tasks>& stages) {
  std::vector<std::optional<milliseconds>> out(stages.size(), options_.session_timeout);
  if (!brokers_place_tasks(options_)) return out;
  const auto groups = groups_of(stages);
  const auto found = ask_.group_setting(groups, "consumer.session.timeout.ms");
  for (std::size_t i = 0; i < groups.size(); ++i) {
    std::int64_t ms = 0;
    const bool told = found && found->contains(groups[i]) && parse_number(found->at(groups[i]), ms);
    out[i] = told ? std::optional{milliseconds{ms}} : std::nullopt;
  }
  return out;
}

std::string kafka_log::text_of_sessions(const std::vector<stage_tasks>& stages) {
  std::set<std::string> texts;
  for (const auto& session : sessions_in_force(stages)) {
    texts.insert(session ? fmt::format("{} ms", session->count())
                         : "the brokers' group.consumer.session.timeout.ms");
  }
  return fmt::format("{}", fmt::join(texts, "; "));
}

std::string text_of(const app_process& p) { return fmt::format("{} on {}", p.instance, p.host); }

// Nothing where there is no folder to hold: then the brokers say whether somebody has the app.
result<std::optional<detail::app_lock>> kafka_log::take(const writer_options& options) {
  if (!options_.instance_folder.empty()) {
    auto taken = detail::app_lock::take(options_.instance_folder, options.app, options.instance);
    if (!taken) return fail(taken.error());
    return std::optional{std::move(*taken)};
  }
  auto running = processes(options.app);
  if (!running) return fail(running.error());
  // This one may be among them: it opens its writer anew.
  std::erase_if(*running, [&](const app_process& p) { return p.id.ends_with(instance_.id()); });
  if (!running->empty()) return detail::owned(options.app, text_of(running->front()));
  return std::optional<detail::app_lock>{};
}

result<std::unique_ptr<settled_producer>> kafka_log::open_producer(const writer_options& options,
                                                                   int lane) {
  auto written = topics_.written_by(options.app);
  if (!written) return fail(written.error());
  return settled_producer::open(
      around_producers_,
      fmt::format("{}.{}.{}", options.app, options.tool.empty() ? instance_.id() : options.tool,
                  lane),
      reach_of(*written));
}

// What this process left open in lanes that it does not have any more nobody else would end.
result<void> kafka_log::end_former_lanes(const writer_options& options) {
  if (!options.tool.empty()) return {};
  auto former = instance_.former_lanes(options.app, options.lanes);
  // The last one first: they are found by counting.
  for (auto lane = former.rbegin(); lane != former.rend(); ++lane) {
    if (auto opened = open_producer(options, *lane); !opened) return fail(opened.error());
    if (auto forgotten = instance_.forget_lane(options.app, *lane); !forgotten) return forgotten;
  }
  return {};
}

result<std::unique_ptr<log_writer>> kafka_log::open_writer(const writer_options& options) {
  if (auto good = detail::check_app(options.app); !good) return fail(good.error());
  std::optional<detail::app_lock> lock;
  if (options.lane == 0) {
    auto taken = take(options);
    if (!taken) return fail(taken.error());
    if (*taken) lock.emplace(std::move(**taken));
    if (auto ended = end_former_lanes(options); !ended) return fail(ended.error());
  }
  auto producer = open_producer(options, options.lane);
  if (!producer) return fail(producer.error());
  if (!clock_is_right_) {  // looked at when the first one is opened
    if (auto good = check_clock(); !good) return fail(good.error());
    clock_is_right_ = true;
  }
  // Last: one that is taken and not used looks as if another owner had been there.
  const std::lock_guard lock_of_terms{terms_mutex_};
  auto term = instance_.next_term(options.app, options.lane);
  if (!term) return fail(term.error());
  return std::make_unique<writer>(options.app, instance_.life(), *term, std::move(*producer),
                                  std::move(lock), topics_, groups_, ask_);
}

result<std::optional<std::string>> kafka_log::holder(const std::string& app) {
  auto running = processes(app);
  if (!running) return fail(running.error());
  if (!running->empty()) return text_of(running->front());
  if (options_.instance_folder.empty()) return std::optional<std::string>{};
  return detail::app_lock::holder(options_.instance_folder, app);
}

result<std::vector<app_process>> kafka_log::processes(const std::string& app) {
  if (auto good = detail::check_app(app); !good) return fail(good.error());
  // By the topics, which say whose they are: names of apps and stages may hold dots.
  auto owned = topics_.owned_by(app);
  if (!owned) return fail(owned.error());
  std::map<std::string, std::string> stages;  // by tasks topic
  std::vector<std::string> groups;
  for (const auto& topic : *owned) {
    if (!is_tasks_topic(topic)) continue;
    const auto group = group_of_tasks(topic.name);
    const auto stage = stage_of_group(group, app);
    if (!stage) continue;
    stages[topic.name] = stage->first;
    groups.push_back(group);
  }
  auto members = ask_.members(groups);
  if (!members) return fail(members.error());
  std::map<std::string, app_process> all;
  for (const auto& m : *members) {
    auto& process = all[m.name];
    process.id = m.name;
    process.instance = m.calls;
    process.host = m.host;
    for (const auto& at : m.has) {
      if (const auto stage = stages.find(at.topic); stage != stages.end())
        process.tasks.push_back({stage->second, at.partition});
    }
  }
  std::vector<app_process> out;
  for (auto& [id, process] : all) out.push_back(std::move(process));
  return out;
}

result<append_receipt> kafka_log::append(const topic_partition& to, const record_batch& records,
                                         const std::optional<producer_sequence>& sequence) {
  auto topic = topics_.known(to.topic);
  if (!topic) return fail(topic.error());
  if (auto r = detail::check_partition(*topic, to); !r) return fail(r.error());
  if (auto r = detail::check_outside_writer(**topic); !r) return fail(r.error());
  if (auto r = detail::check_batch(**topic, to, &records); !r) return fail(r.error());
  if (!sequence) {
    auto base = out_.append(to, records);
    if (!base) return fail(base.error());
    return append_receipt{base->base, false};
  }
  if (auto r = detail::check_producer(*sequence); !r) return fail(r.error());
  return out_.append(to, records, *sequence);
}

result<task_positions> kafka_log::decoded(const group_offset& at) {
  auto positions = decode_task_positions(at.metadata);
  if (positions) return std::move(*positions);
  return fail(errc::corrupt, at.where.text(),
              "the metadata of its committed offset are not this task's positions: another program "
              "has committed under the stage's group");
}

result<std::optional<task_positions>> kafka_log::positions_of(const position_key& key) {
  const topic_partition task{tasks_topic(key.app, key.stage, key.generation), key.task};
  auto found = ask_.group_offsets(group_of(key.app, key.stage, key.generation), {task});
  if (!found) return fail(found.error());
  if (found->empty()) return std::optional<task_positions>{};
  auto positions = decoded(found->front());
  if (!positions) return fail(positions.error());
  return std::optional{std::move(*positions)};
}

result<std::optional<committed_position>> kafka_log::position(const position_key& key) {
  auto task = positions_of(key);
  if (!task) return fail(task.error());
  if (!*task) return std::optional<committed_position>{};
  const auto at = (*task)->inputs.find(key.input);
  if (at == (*task)->inputs.end()) return std::optional<committed_position>{};
  return std::optional{at->second};
}

result<std::vector<log_transaction::move>> kafka_log::positions(const std::string& app) {
  auto owned = topics_.owned_by(app);
  if (!owned) return fail(owned.error());
  std::vector<log_transaction::move> all;
  for (const auto& topic : *owned) {
    if (!is_tasks_topic(topic)) continue;
    // By name: a list of groups, or of all that a group has, lacks what is committed for the first
    // time and not settled yet.
    const auto group = group_of_tasks(topic.name);
    const auto stage = stage_of_group(group, app);
    if (!stage) continue;
    auto found = ask_.group_offsets(group, partitions_of(topic));
    if (!found) return fail(found.error());
    for (const auto& at : *found) {
      auto task = decoded(at);
      if (!task) return fail(task.error());
      if (task->app != app) break;  // one whose name goes on where this one's ends
      for (const auto& [input, position] : task->inputs)
        all.push_back({{app, stage->first, stage->second, at.where.partition, input}, position});
    }
  }
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.key < b.key; });
  return all;
}

result<void> kafka_log::forget_position(const position_key& key) {
  auto running = holder(key.app);
  if (!running) return fail(running.error());
  if (*running) return detail::owned(key.app, **running);
  auto there = position(key);
  if (!there) return fail(there.error());
  if (!*there) return fail(errc::not_found, key.text(), "no such position");
  return ask_.forget_group_offset(group_of(key.app, key.stage, key.generation),
                                  {tasks_topic(key.app, key.stage, key.generation), key.task});
}

}  // namespace
}  // namespace kafka

result<std::shared_ptr<event_log>> open_kafka_log(const kafka_log_options& options) {
  if (options.brokers.empty()) {
    return fail(errc::bad_config, "kafka://", "name a broker: kafka://HOST:PORT");
  }
  auto who = kafka::instance::open(options.instance_folder);
  if (!who) return fail(who.error());
  auto of = kafka::open_admin_client(options);
  if (!of) return fail(of.error());
  auto log = std::make_shared<kafka::kafka_log>(options, std::move(*who), std::move(*of));
  if (auto there = log->look(); !there) return fail(there.error());
  return std::shared_ptr<event_log>{std::move(log)};
}

}  // namespace kappa
