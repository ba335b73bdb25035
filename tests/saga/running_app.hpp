// The tasks of an app with aggregates over a log in memory, in one thread, which the test drives.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kappa/aggregate/program.hpp"
#include "kappa/core/partitioner.hpp"
#include "kappa/log/for_each_record.hpp"
#include "kappa/log/memory_log.hpp"
#include "kappa/task/aggregate_task.hpp"
#include "kappa/task/local_runner.hpp"
#include "support/must.hpp"
#include "support/refused.hpp"
#include "support/temporary_folder.hpp"

namespace saga_tests {

using namespace kappa;
using kappa::test::must;
using kappa::test::temporary_folder;

using pending_outcome = std::shared_ptr<std::optional<command_outcome>>;

struct running_app {
  explicit running_app(const kappa::app& of,
                       std::size_t max_record_bytes = log_limits::default_max_record_bytes) {
    options.layout.max_record_bytes = max_record_bytes;
    options.topology = std::make_shared<const topology>(must(topology::compile(of)));
    options.log = log;
    options.state_folder = folder.path() / "state";
    options.layout.partitions = partitions;
    options.layout.create_inputs = true;
    options.clock = [this] { return now; };
    options.log_to = [this](log_level, std::string_view what,
                            const std::initializer_list<log_field>&) { logged.emplace_back(what); };
    start();
  }
  void start() {
    runner.emplace(options);
    must(runner->open());
  }
  void crash() {
    runner->crash();
    runner.reset();
  }
  void lose_states() { std::filesystem::remove_all(folder.path() / "state"); }
  void restart() {
    crash();
    start();
  }

  /// `which`: the command's place in the schema.
  template <class C>
  pending_outcome ask(const std::string& stage, const std::string& key, std::size_t which,
                      const C& command) {
    auto slot = std::make_shared<std::optional<command_outcome>>();
    must(runner->commands(stage, partition_of(key, partitions))
             ->put({key, which, encoded(command), std::nullopt, std::nullopt,
                    [slot](command_outcome o) { *slot = std::move(o); }}));
    return slot;
  }
  void quiet(bool snapshots = false) {
    must(runner->run_until_quiet({.budget = 4, .snapshots = snapshots}));
  }
  runnable_task& task_of(const std::string& stage, const std::string& key) {
    return *runner->find(stage, partition_of(key, partitions));
  }
  template <class A>
  aggregate_entry<A> at(const std::string& stage, const std::string& key) {
    const auto stored = must(task_of(stage, key).table()->read(key, read_level::committed));
    return stored ? must(codec<aggregate_entry<A>>::decode(*stored)) : aggregate_entry<A>{};
  }
  std::size_t records(const std::string& topic) {
    std::size_t n = 0;
    must(for_each_record(*log, topic, [&](const record_view&) -> result<void> {
      ++n;
      return {};
    }));
    return n;
  }

  static constexpr std::int32_t partitions = 2;
  std::shared_ptr<memory_log> log = memory_log::create();
  temporary_folder folder;
  timestamp now{std::chrono::hours{12}};
  std::vector<std::string> logged;
  std::shared_ptr<command_inbox> commands = std::make_shared<command_inbox>(1);  // for none
  local_runner_options options;
  std::optional<local_runner> runner;
};

}  // namespace saga_tests
