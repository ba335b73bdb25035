// Admin of an app that several processes run on Kafka: each answers for what it has.
#include <algorithm>
#include <set>
#include <thread>

#include "kafka/totals_app_support.hpp"
#include "kappa/actors/admin_client.hpp"
#include "kappa/core/partitioner.hpp"
#include "kappa/log/kafka_log.hpp"
#include "kappa/log/membership.hpp"
#include "kappa/log/open_log.hpp"
#include "support/kafka_broker.hpp"

namespace {

using namespace kafka_test;

constexpr auto a_reply = 90s;
constexpr int records = 500;

/// An app with its input, and two processes for it.
struct shared_app {
  shared_app() {
    make_input(*log, name);
    send(*log, name, 0, records);
  }
  [[nodiscard]] bool has_sums(std::size_t n) const {
    return eventually([&] { return lines_of(*log, name + "-sums").size() == n; }, 90s);
  }
  [[nodiscard]] std::vector<std::string> last_sums() const {
    std::map<std::string, std::string> last;
    for (const auto& l : lines_of(*log, name + "-sums")) last[l.substr(0, l.find(": "))] = l;
    std::vector<std::string> out;
    for (const auto& [key, line] : last) out.push_back(line);
    return out;
  }

  std::string name = fresh_name();
  temporary_folder folder;
  std::shared_ptr<event_log> log = log_on_kafka();
  admin_client client{log, name};
  host first{totals_app(name), options_on(kafka_url(), folder.path())};
  host second{totals_app(name), options_on(kafka_url(), folder.path())};
};

/// Both have tasks, and nobody else has.
bool shared(const host& one, const host& other) {
  const auto tasks = one.status().size();
  return eventually(
      [&] {
        return running(one) + running(other) == tasks && running(one) >= tasks / 3 &&
               running(other) >= tasks / 3;
      },
      90s);
}

const task_status& task_of(const std::vector<task_status>& all, const std::string& stage,
                           std::int32_t p) {
  return *std::find_if(all.begin(), all.end(), [&](const task_status& t) {
    return t.id.stage == stage && t.id.partition.value == p;
  });
}

/// Takes its share of the tasks of stage "sum", and does and says nothing.
class mute_process final : public placement_listener {
 public:
  mute_process(const std::string& app, const std::filesystem::path& folder) {
    kafka_log_options options;
    options.brokers = kappa::testing::the_broker().bootstrap();
    options.instance_folder = folder;
    options.session_timeout = 6s;
    log_ = must(open_kafka_log(options));
    membership_ = must(log_->join({{app, "sum", generation{1}, totals_partitions}}, "mute", *this));
  }
  void given(const task_place& task) override {
    const std::lock_guard lock{mutex_};
    has_.insert(task.task);
  }
  void taken(const task_place& task, bool, std::function<void()> done) override {
    {
      const std::lock_guard lock{mutex_};
      has_.erase(task.task);
    }
    done();
  }
  void failed(const error& e) override { BOOST_ERROR(e.text()); }
  [[nodiscard]] std::set<partition> has() const {
    const std::lock_guard lock{mutex_};
    return has_;
  }

 private:
  mutable std::mutex mutex_;
  std::set<partition> has_;
  std::shared_ptr<event_log> log_;
  std::unique_ptr<membership> membership_;
};

BOOST_AUTO_TEST_SUITE(admin_on_kafka)

BOOST_AUTO_TEST_CASE(status_tells_the_tasks_of_all_processes_and_who_has_which) {
  shared_app a;
  must(a.first.start());
  must(a.second.start());
  BOOST_TEST_REQUIRE(shared(a.first, a.second));
  BOOST_TEST_REQUIRE(a.has_sums(records));
  const auto s = must(a.client.status("", a_reply));
  BOOST_REQUIRE(s.has_value());
  BOOST_TEST(s->app == a.name);
  BOOST_TEST(s->log_id == a.log->id());
  BOOST_REQUIRE(s->processes.size() == 2u);
  for (const auto& p : s->processes) {
    BOOST_TEST(p.answers);
    BOOST_TEST(p.instance.starts_with(a.first.instance() + " on "), p.instance);
    BOOST_TEST(!p.failed);
  }
  const auto placed = must(a.log->processes(a.name));
  BOOST_REQUIRE(placed.size() == 2u);
  std::set<task_place> told;
  for (const auto& p : placed) told.insert(p.tasks.begin(), p.tasks.end());
  std::size_t tasks = 0;
  std::uint64_t records_in = 0;
  const auto of_first = a.first.status();
  const auto of_second = a.second.status();
  for (const auto& stage : s->stages) {
    for (const auto& t : stage.tasks) {
      ++tasks;
      BOOST_TEST_CONTEXT(stage.name << "[" << t.partition << "]") {
        BOOST_TEST(told.contains({stage.name, partition{t.partition}}));
        BOOST_TEST((t.health == admin::health::running));
        BOOST_TEST(!t.instance.empty());
        BOOST_TEST(!t.inputs.empty());
        const auto& one = task_of(of_first, stage.name, t.partition);
        const auto& other = task_of(of_second, stage.name, t.partition);
        BOOST_TEST((one.health == task_health::elsewhere) !=
                   (other.health == task_health::elsewhere));
        if (stage.name == "sum") records_in += t.records_in;
      }
    }
  }
  BOOST_TEST(tasks == of_first.size());
  BOOST_TEST(tasks == told.size());
  BOOST_TEST(records_in > 0u);
  const auto only = must(a.client.status("sum", a_reply));
  BOOST_REQUIRE(only.has_value());
  BOOST_REQUIRE(only->stages.size() == 1u);
  BOOST_TEST(only->stages[0].name == "sum");
  BOOST_TEST(refused(a.client.status("sun", a_reply), errc::not_found, {"no such stage", "sum"}));
  must(a.second.stop());
  must(a.first.stop());
}

BOOST_AUTO_TEST_CASE(many_ask_at_once_and_each_is_answered_by_the_process_that_has_its_key) {
  shared_app a;
  must(a.first.start());
  must(a.second.start());
  BOOST_TEST_REQUIRE(shared(a.first, a.second));
  BOOST_TEST_REQUIRE(a.has_sums(records));
  struct asker {
    std::string key;
    std::string value;
    partition task;
    std::optional<admin::found> found{};
    std::thread thread{};
  };
  std::vector<asker> askers;  // two keys of each task
  std::map<partition, int> of_task;
  for (const auto& line : a.last_sums()) {  // "a12: 10 60"
    const auto colon = line.find(": ");
    const auto space = line.rfind(' ');
    const auto p = partition_of(encoded(line.substr(0, colon)), totals_partitions);
    if (++of_task[p] > 2) continue;
    askers.push_back(
        {line.substr(0, colon),
         fmt::format(R"({{"count":{},"sum":{}}})", line.substr(colon + 2, space - colon - 2),
                     line.substr(space + 1)),
         p});
  }
  BOOST_TEST(askers.size() == 2u * totals_partitions);
  for (auto& each : askers) {
    each.thread = std::thread{[&] {  // as a tool of its own
      auto log = open_log({.url = kafka_url()});
      if (!log) return;
      const admin_client client{*log, a.name};
      auto told = client.get({.stage = "sum", .key = each.key}, a_reply);
      if (told) each.found = std::move(*told);
    }};
  }
  for (auto& each : askers) each.thread.join();
  for (const auto& each : askers) {
    BOOST_REQUIRE(each.found.has_value());
    BOOST_TEST(each.found->key == each.key);
    BOOST_REQUIRE(each.found->entries.size() == 1u);
    BOOST_TEST(each.found->entries[0].value == each.value);
    BOOST_REQUIRE(each.found->as_of.size() == 1u);
    BOOST_TEST(each.found->as_of[0].partition == each.task.value);
  }
  const auto absent = must(a.client.get({.stage = "sum", .key = "nowhere"}, a_reply));
  BOOST_REQUIRE(absent.has_value());
  BOOST_TEST(absent->entries.empty());
  BOOST_TEST(
      refused(a.client.get({.stage = "sun", .key = "a0"}, a_reply), errc::not_found, {"sum"}));
  BOOST_TEST(refused(a.client.get({.stage = "sum", .key = "a0", .window = "x"}, a_reply),
                     errc::invalid_argument, {"windows"}));
  must(a.second.stop());
  must(a.first.stop());
}

BOOST_AUTO_TEST_CASE(a_process_that_does_not_answer_is_named_and_its_tasks_are_told_from_the_log) {
  shared_app a;
  must(a.first.start());
  BOOST_TEST_REQUIRE(eventually([&] { return running(a.first) == a.first.status().size(); }, 90s));
  BOOST_TEST_REQUIRE(a.has_sums(records));
  const mute_process mute{a.name, a.folder.path() / "mute"};
  BOOST_TEST_REQUIRE(eventually([&] { return mute.has().size() == totals_partitions / 2; }, 90s));
  send(*a.log, a.name, records, records);
  std::optional<admin::status> s;
  BOOST_TEST_REQUIRE(eventually(
      [&] {  // while it joins, a task may have nobody
        s = must(a.client.status("sum", 3s));
        return s && s->stages.size() == 1u &&
               std::none_of(s->stages[0].tasks.begin(), s->stages[0].tasks.end(),
                            [](const auto& t) { return t.health == admin::health::unowned; });
      },
      90s));
  BOOST_REQUIRE(s->processes.size() == 2u);
  BOOST_TEST(std::count_if(s->processes.begin(), s->processes.end(), [](const auto& p) {
               return !p.answers && p.instance.starts_with("mute on ");
             }) == 1);
  const auto mutes = mute.has();
  std::int64_t committed = 0;
  for (const auto& t : s->stages[0].tasks) {
    const bool is_mutes = mutes.contains(partition{t.partition});
    BOOST_TEST((t.health == admin::health::unanswered) == is_mutes);
    BOOST_TEST(t.instance.starts_with("mute") == is_mutes, t.instance);
    if (!is_mutes) continue;
    BOOST_REQUIRE(t.inputs.size() == 1u);
    BOOST_TEST(t.inputs[0].topic == a.name + "-readings");
    const auto end = must(a.log->bounds({t.inputs[0].topic, partition{t.partition}})).latest;
    BOOST_TEST(t.inputs[0].next + static_cast<std::int64_t>(t.inputs[0].lag) == end.value);
    BOOST_TEST(t.lag > 0u);
    BOOST_TEST(t.epoch > 0u);
    committed += t.inputs[0].next;
  }
  BOOST_TEST(committed > 0);
  for (const auto& line : a.last_sums()) {
    const auto key = line.substr(0, line.find(": "));
    if (!mutes.contains(partition_of(encoded(key), totals_partitions))) continue;
    // On a busy machine the other one is late, too.
    const auto told = [&] {
      return refused(a.client.get({.stage = "sum", .key = key}, 5s), errc::timed_out,
                     {"mute on ", "does not answer"});
    };
    BOOST_TEST(eventually([&] { return static_cast<bool>(told()); }, 90s));
    break;
  }
  must(a.first.stop());
}

BOOST_AUTO_TEST_CASE(where_no_process_answers_all_is_told_from_the_log) {
  shared_app a;
  must(a.first.start());
  BOOST_TEST_REQUIRE(a.has_sums(records));
  must(a.first.stop());
  const mute_process mute{a.name, a.folder.path() / "mute"};
  BOOST_TEST_REQUIRE(eventually(
      [&] {
        return mute.has().size() == totals_partitions && must(a.log->processes(a.name)).size() == 1;
      },
      90s));
  const auto s = must(a.client.status("sum", 2s));
  BOOST_REQUIRE(s.has_value());
  BOOST_REQUIRE(s->processes.size() == 1u);
  BOOST_TEST(!s->processes[0].answers);
  BOOST_REQUIRE(s->stages.size() == 1u);
  BOOST_TEST(s->stages[0].keyed);
  for (const auto& t : s->stages[0].tasks) {
    BOOST_TEST((t.health == admin::health::unanswered));
    BOOST_TEST(t.inputs.size() == 1u);
  }
  BOOST_TEST(refused(a.client.status("sun", 1s), errc::not_found, {"sun"}));
}

BOOST_AUTO_TEST_CASE(a_key_whose_task_moves_is_asked_for_until_a_process_has_it) {
  shared_app a;
  must(a.first.start());
  must(a.second.start());
  BOOST_TEST_REQUIRE(shared(a.first, a.second));
  BOOST_TEST_REQUIRE(a.has_sums(records));
  const auto of_second = a.second.status();
  const auto lines = a.last_sums();
  const auto moves = std::find_if(lines.begin(), lines.end(), [&](const std::string& line) {
    const auto p = partition_of(encoded(line.substr(0, line.find(": "))), totals_partitions);
    return task_of(of_second, "sum", p.value).health == task_health::running;
  });
  BOOST_TEST_REQUIRE((moves != lines.end()));
  const auto key = moves->substr(0, moves->find(": "));
  must(a.second.stop());  // known by its slot, it keeps its tasks for the session time-out
  const auto found = must(a.client.get({.stage = "sum", .key = key}, a_reply));
  BOOST_REQUIRE(found.has_value());
  BOOST_TEST(found->entries.size() == 1u);
  const auto s = must(a.client.status("", a_reply));
  BOOST_REQUIRE(s.has_value());
  BOOST_TEST(s->processes.size() == 1u);
  BOOST_TEST(s->instance == a.first.instance());
  must(a.first.stop());
}

BOOST_AUTO_TEST_CASE(what_was_asked_while_no_process_ran_is_not_answered_by_the_next_one) {
  shared_app a;
  must(a.first.start());
  BOOST_TEST_REQUIRE(a.has_sums(records));
  must(a.first.stop());
  const auto gone = must(a.client.status("", a_reply));  // when its session is over
  BOOST_TEST(!gone.has_value());
  BOOST_TEST(!must(a.client.get({.stage = "sum", .key = "a0"}, a_reply)));
  auto status = must(a.client.send(admin::status_request{}));
  auto get = must(a.client.send(admin::get_request{.stage = "sum", .key = "a0"}, 1ms));
  auto replay = must(a.client.send(admin::replay_request{.stage = "sum"}));
  must(a.second.start());
  BOOST_TEST_REQUIRE(
      eventually([&] { return running(a.second) == a.second.status().size(); }, 90s));
  const auto s = must(a.client.status("", a_reply));  // answered behind those
  BOOST_REQUIRE(s.has_value());
  for (auto* call : {&status, &get, &replay}) BOOST_TEST(!must(call->next(0s)));
  must(a.second.stop());
}

BOOST_AUTO_TEST_CASE(a_replay_without_an_order_is_refused_and_nothing_is_touched) {
  shared_app a;
  must(a.first.start());
  BOOST_TEST_REQUIRE(a.has_sums(records));
  auto call = must(a.client.send(admin::replay_request{.stage = "sum"}));
  const auto reply = must(call.next(a_reply));
  BOOST_REQUIRE(reply.has_value());
  const auto* const problem = std::get_if<admin::problem>(&reply->which);
  BOOST_REQUIRE(problem != nullptr);
  BOOST_TEST(problem->code == static_cast<int>(errc::invalid_argument));
  send(*a.log, a.name, records, 10);
  BOOST_TEST_REQUIRE(a.has_sums(records + 10));
  for (const auto& t : a.first.status()) BOOST_TEST(t.progress.replayed == 0u);
  must(a.first.stop());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
