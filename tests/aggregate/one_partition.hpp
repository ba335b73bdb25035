// A partition of an account over a log in memory, whose task the test drives step by step.
#pragma once

#include <optional>
#include <stdexcept>

#include "aggregate/bank.hpp"
#include "kappa/aggregate/event_header.hpp"
#include "kappa/log/envelope.hpp"
#include "kappa/log/memory_log.hpp"
#include "kappa/task/aggregate_task.hpp"
#include "kappa/task/commit_lane.hpp"
#include "support/must.hpp"
#include "support/refused.hpp"
#include "support/temporary_folder.hpp"

namespace aggregate_tests {

using namespace bank;
using namespace kappa;
using kappa::test::must;
using kappa::test::refused;
using kappa::test::temporary_folder;

inline const topic_partition events_of_accounts{"accounts", partition{0}};
inline const topic_partition outcomes_of_accounts{"bank.accounts.outcomes", partition{0}};
inline const topic_partition commands_of_accounts{"bank.accounts.commands", partition{0}};
inline const topic_partition replies_of_bank{"bank.replies", partition{0}};
inline const topic_partition dead_letters_of_bank{"bank.dead-letters", partition{0}};

/// Which counts its decisions, and cannot bear one amount.
struct watched_account : account {
  static inline int decisions = 0;
  using account::decide;
  auto decide(const deposit& c) const -> kappa::decision<deposited> {
    ++decisions;
    if (c.amount_cents == 13) throw std::runtime_error{"thirteen"};
    return account::decide(c);
  }
};

using pending_outcome = std::shared_ptr<std::optional<command_outcome>>;

struct one_partition {
  one_partition() { make_topics(); }
  void make_topics() {
    for (const auto& where : {events_of_accounts, outcomes_of_accounts, commands_of_accounts,
                              replies_of_bank, dead_letters_of_bank}) {
      topic_config c;
      c.name = where.topic;
      if (where != commands_of_accounts) c.owner = "bank";
      must(log->create_topic(c));
    }
  }

  [[nodiscard]] result<void> open() {
    lane.emplace(log, writer_options{"bank", "test"});
    if (auto opened = lane->open(); !opened) return opened;
    aggregate_task_options o;
    o.id = {"bank", "accounts", generation{1}, partition{0}};
    o.events_topic = events_of_accounts.topic;
    o.outcomes_topic = outcomes_of_accounts.topic;
    o.commands_topic = commands_of_accounts.topic;
    o.replies_topic = replies_of_bank.topic;
    o.dead_letters_topic = dead_letters_of_bank.topic;
    o.program = std::make_shared<kappa::detail::typed_program<watched_account>>();
    o.state_schema = codec<watched_account>::schema();
    o.log = log;
    o.state_folder = folder.path() / "state";
    o.commands = inbox;
    o.limits = limits;
    o.window = window;
    o.suspects = suspects;
    o.watcher = watcher;
    o.max_record_bytes = max_record_bytes;
    o.clock = [this] { return now; };
    auto opened = open_aggregate_task(std::move(o));
    if (!opened) return fail(opened.error());
    task = std::move(*opened);
    return {};
  }
  /// As a process that dies.
  void crash() {
    task.reset();
    lane.reset();
  }
  void restart() {
    crash();
    must(open());
    turn();
  }

  template <class C>
  pending_outcome ask(const std::string& key, std::size_t which, const C& command,
                      std::optional<std::uint64_t> expected = std::nullopt) {
    auto slot = std::make_shared<std::optional<command_outcome>>();
    must(inbox->put({key, which, encoded(command), std::nullopt, expected,
                     [slot](command_outcome o) { *slot = std::move(o); }}));
    return slot;
  }
  template <class C>
  pending_outcome ask_as(const std::string& id, const std::string& key, std::size_t which,
                         const C& command, std::optional<std::uint64_t> expected = std::nullopt) {
    auto slot = std::make_shared<std::optional<command_outcome>>();
    must(inbox->put({key, which, encoded(command), id, expected,
                     [slot](command_outcome o) { *slot = std::move(o); }}));
    return slot;
  }

  void run() {
    for (bool more = true; more;) more = must(task->run(64)).more;
  }
  /// The open epoch, closed when it asks for that.
  epoch_ptr close() { return task->should_close(now) ? must(task->close(now, false)) : nullptr; }
  [[nodiscard]] result<void> commit(const epoch_ptr& e) {
    const std::array<epoch_ptr, 1> one{e};
    auto bases = lane->commit(one);
    if (!bases) return fail(bases.error());
    task->committed(e->number, bases->front());
    return {};
  }
  void write_snapshot() {
    while (auto delta = task->snapshot_ready()) {
      must(task->store()->commit(*delta));
      task->snapshot_done();
    }
  }
  /// As a host's: all that waits is decided and durable.
  void turn() {
    for (;;) {
      const auto more = must(task->run(64)).more;
      const auto e = close();
      if (e) must(commit(e));
      write_snapshot();
      if (!more && !e && !task->should_close(now)) return;
    }
  }
  void snapshot() {
    turn();
    BOOST_TEST(!must(task->close(now, true)));
    write_snapshot();
  }

  template <class C>
  command_receipt accepted(const std::string& key, std::size_t which, const C& command) {
    const auto a = ask(key, which, command);
    turn();
    BOOST_REQUIRE(a->has_value());
    BOOST_REQUIRE(std::holds_alternative<command_receipt>(**a));
    return std::get<command_receipt>(**a);
  }
  /// Deposits of nothing, each with an id, until the first is refused, which it gives.
  pending_outcome fill_window(const std::string& key) {
    for (int i = 0;; ++i) {
      const auto last = ask_as(std::to_string(i), key, do_deposit, deposit{0});
      if (i % 500 == 0) snapshot();
      turn();
      if (!std::holds_alternative<command_receipt>(**last)) return last;
    }
  }
  [[nodiscard]] std::int64_t balance(const std::string& key,
                                     read_level level = read_level::committed) {
    const auto stored = must(task->table()->read(key, level));
    return stored ? must(codec<aggregate_entry<account>>::decode(*stored)).state.balance_cents : -1;
  }
  /// Valid until the next call.
  [[nodiscard]] std::vector<record_view> records(const topic_partition& where) {
    kept = must(must(log->open_reader(where))->read(must(log->bounds(where)).earliest, 1 << 20));
    return kept.records();
  }
  [[nodiscard]] std::vector<record_view> events() { return records(events_of_accounts); }
  [[nodiscard]] std::vector<record_view> outcomes() { return records(outcomes_of_accounts); }
  void lose_state() {
    crash();
    std::filesystem::remove_all(folder.path() / "state");
  }

  std::shared_ptr<memory_log> log = memory_log::create();
  temporary_folder folder;
  std::shared_ptr<command_inbox> inbox = std::make_shared<command_inbox>(1000);
  task_limits limits;
  command_window_options window;
  std::vector<crash_suspect> suspects;
  step_watcher* watcher = nullptr;
  std::size_t max_record_bytes = 1 << 20;
  timestamp now{std::chrono::hours{12}};
  std::optional<commit_lane> lane;
  std::unique_ptr<runnable_task> task;
  read_batch kept;
};

struct open_partition : one_partition {
  open_partition() { must(open()); }
};

inline error failure(const pending_outcome& a) {
  BOOST_REQUIRE(a->has_value());
  BOOST_REQUIRE(std::holds_alternative<error>(**a));
  return std::get<error>(**a);
}

}  // namespace aggregate_tests
