// Aggregates under a host, as a service uses them.
#include <atomic>
#include <future>
#include <thread>

#include "aggregate/bank_app.hpp"
#include "kappa/actors/host.hpp"
#include "kappa/aggregate/command_id.hpp"
#include "kappa/log/embedded_log.hpp"
#include "kappa/log/memory_log.hpp"
#include "kappa/task/local_runner.hpp"
#include "support/must.hpp"
#include "support/refused.hpp"
#include "support/temporary_folder.hpp"

namespace aggregate_hosts {

namespace {

using namespace bank;
using namespace kappa;
using kappa::test::must;
using kappa::test::refused;
using kappa::test::temporary_folder;

struct running_bank {
  running_bank() { start(); }
  void start() {
    host_options o;
    o.log = "lmdb:" + (folder.path() / "log").string();
    o.state = folder.path() / "state";
    o.partitions = 3;
    service.emplace(bank_app(), o);
    must(service->start());
  }
  void restart() {
    must(service->stop());
    service.reset();
    start();
  }
  template <class C>
  command_receipt accepted(const std::string& key, const C& command, ask_options o = {}) {
    auto r = service->ask<account>(key, command, o);
    if (!r) throw std::runtime_error{r.error().text()};
    return *r;
  }
  std::int64_t balance(const std::string& key) {
    for (;;) {
      const auto found = service->query<account>(key);
      if (found) return found->value ? found->value->state.balance_cents : -1;
      if (!found.error().retriable) throw std::runtime_error{found.error().text()};
      std::this_thread::yield();  // it replays
    }
  }

  temporary_folder folder;
  std::optional<host> service;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(asking)

BOOST_AUTO_TEST_CASE(a_service_asks_and_queries_what_it_was_told) {
  running_bank b;
  BOOST_TEST(b.accepted("acc-42", bank::open{}).version == 1U);
  BOOST_TEST(b.accepted("acc-42", deposit{700}).version == 2U);
  const auto found = must(b.service->query<account>("acc-42"));
  BOOST_REQUIRE(found.value.has_value());
  BOOST_TEST(found.value->version == 2U);
  BOOST_TEST(found.value->state.balance_cents == 700);

  const auto rejected = b.service->ask<account>("acc-42", withdraw{1000});
  BOOST_REQUIRE(!rejected);
  BOOST_REQUIRE(rejected.error().rejected());
  BOOST_TEST(rejected.error().text() == "rejected: insufficient funds");
  BOOST_TEST(
      (must(rejected.error().rejected()->as<insufficient_funds>()) == insufficient_funds{300}));

  const auto conflict = b.service->ask<account>("acc-42", withdraw{1}, {.expected_version = 1});
  BOOST_REQUIRE(!conflict);
  BOOST_REQUIRE(conflict.error().conflict());
  BOOST_TEST(conflict.error().text() == "conflict: version 1 was expected, it is at 2");
  BOOST_TEST(b.accepted("acc-42", withdraw{1}, {.expected_version = 2}).version == 3U);
}

BOOST_AUTO_TEST_CASE(a_command_with_an_id_happens_once_also_over_a_restart) {
  running_bank b;
  const auto id = new_command_id();
  b.accepted("acc-1", bank::open{});
  BOOST_TEST(b.accepted("acc-1", deposit{5}, {.id = id}).version == 2U);
  BOOST_TEST(b.accepted("acc-1", deposit{6}).version == 3U);
  b.restart();
  BOOST_TEST(b.accepted("acc-1", deposit{5}, {.id = id}).version == 2U);
  BOOST_TEST(b.balance("acc-1") == 11);
  const auto reused = b.service->ask<account>("acc-1", deposit{7}, {.id = id});
  BOOST_REQUIRE(!reused);
  BOOST_REQUIRE(reused.error().failed());
  BOOST_TEST((reused.error().failed()->code == errc::id_reused));
  std::uint64_t repeated = 0;  // since the restart; told a few times a second
  while (repeated == 0) {
    for (const auto& t : b.service->status()) repeated += t.progress.repeated_commands;
    std::this_thread::yield();
  }
  BOOST_TEST(repeated == 1U);
}

BOOST_AUTO_TEST_CASE(a_query_waits_for_the_version_that_was_told) {
  running_bank b;
  b.accepted("acc-1", bank::open{});
  const auto in_vain = b.service->query<account>(
      "acc-1", {.timeout = std::chrono::milliseconds{20}, .at_least_version = 2});
  BOOST_TEST(refused(in_vain, errc::timed_out, {"no answer to a query in time"}));
  auto waiting = std::async(std::launch::async, [&] {
    return b.service->query<account>("acc-1", {.at_least_version = 3});
  });
  auto of_nothing = std::async(std::launch::async, [&] {
    return b.service->query<account>("acc-9", {.at_least_version = 1});
  });
  b.accepted("acc-1", deposit{5});
  BOOST_TEST((waiting.wait_for(std::chrono::milliseconds{20}) == std::future_status::timeout));
  b.accepted("acc-1", deposit{6});
  BOOST_TEST(must(waiting.get()).value->state.balance_cents == 11);
  b.accepted("acc-9", bank::open{});
  BOOST_TEST(must(of_nothing.get()).value->version == 1U);
}

BOOST_AUTO_TEST_CASE(a_window_that_outcomes_are_not_kept_for_is_refused_at_the_start) {
  running_bank b;
  must(b.service->stop());
  app longer{"bank"};
  longer.aggregate<account>("accounts", {.command_window = {.span = std::chrono::hours{24}}});
  host_options o;
  o.log = "lmdb:" + (b.folder.path() / "log").string();
  o.state = b.folder.path() / "state";
  o.partitions = 3;
  BOOST_TEST(refused(host{longer, o}.start(), errc::bad_config,
                     {"topic bank.accounts.outcomes", "retention.ms to 176400000"}));
  app none{"bank"};
  none.aggregate<account>("accounts", {.command_window = {.span = std::chrono::milliseconds{1}}});
  BOOST_TEST(refused(host{none, o}.start(), errc::bad_config, {"accounts", "1 s … 30 d"}));
}

BOOST_AUTO_TEST_CASE(after_a_restart_everything_is_as_it_was_told) {
  running_bank b;
  for (int i = 0; i < 20; ++i) {
    const auto key = "acc-" + std::to_string(i);
    b.accepted(key, bank::open{});
    b.accepted(key, deposit{100 + i});
  }
  b.restart();
  for (int i = 0; i < 20; ++i) BOOST_TEST(b.balance("acc-" + std::to_string(i)) == 100 + i);
  BOOST_TEST(b.accepted("acc-7", deposit{1}).version == 3U);
  must(b.service->stop());
  b.service.reset();
  std::filesystem::remove_all(b.folder.path() / "state");
  b.start();  // from the events alone
  BOOST_TEST(b.balance("acc-7") == 108);
}

BOOST_AUTO_TEST_CASE(what_many_ask_at_the_same_time_is_decided_one_after_the_other) {
  constexpr int askers = 8;
  constexpr int each = 50;
  running_bank b;
  b.accepted("shared", bank::open{});
  std::vector<std::thread> threads;
  std::atomic<int> conflicts = 0;
  for (int t = 0; t < askers; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < each; ++i) {
        // Optimistic: looks, and asks again if somebody was faster.
        for (;;) {
          const auto seen = must(b.service->query<account>("shared")).value->version;
          const auto done =
              b.service->ask<account>("shared", deposit{1}, {.expected_version = seen});
          if (done) break;
          if (!done.error().conflict()) throw std::runtime_error{done.error().text()};
          ++conflicts;
        }
      }
    });
  }
  for (auto& t : threads) t.join();
  BOOST_TEST(b.balance("shared") == askers * each);
  BOOST_TEST_MESSAGE(conflicts << " conflicts");
}

BOOST_AUTO_TEST_CASE(an_answer_may_be_called_back_and_may_be_of_no_interest) {
  running_bank b;
  b.service->tell<account>(std::string{"acc-1"}, bank::open{});
  std::promise<ask_result> came;
  b.service->ask<account>(std::string{"acc-1"}, deposit{5}, {},
                          [&](ask_result r) { came.set_value(std::move(r)); });
  const auto r = came.get_future().get();
  BOOST_REQUIRE(r.has_value());
  BOOST_TEST(r->version == 2U);
  BOOST_TEST(b.balance("acc-1") == 5);
}

BOOST_AUTO_TEST_CASE(answers_may_be_waited_for_together) {
  running_bank b;
  b.accepted("acc-1", bank::open{});
  std::vector<std::future<ask_result>> all;
  for (int i = 0; i < 20; ++i) all.push_back(b.service->ask_async<account>("acc-1", deposit{i}));
  all.push_back(b.service->ask_async<account>("acc-2", deposit{1}));
  for (std::uint64_t i = 0; i < 20; ++i) BOOST_TEST(all[i].get()->version == 2 + i);
  const auto refused_one = all.back().get();
  BOOST_REQUIRE(!refused_one);
  BOOST_TEST(refused_one.error().rejected() != nullptr);
  BOOST_TEST(!refused_one.error().retry_after().has_value());
  must(b.service->stop());
  const auto later = b.service->ask_async<account>("acc-1", deposit{1}).get();
  BOOST_REQUIRE(!later);
  BOOST_TEST((later.error().retry_after() == pause_before_retry));
  BOOST_TEST(
      (ask_refusal{error{errc::indefinite, "", ""}}.retry_after() == std::chrono::milliseconds{0}));
}

BOOST_AUTO_TEST_CASE(who_asks_a_host_that_does_not_run_or_has_no_such_aggregate_is_told) {
  struct other : account {};
  running_bank b;
  const auto unknown = b.service->ask<other>("acc-1", bank::open{});
  BOOST_REQUIRE(!unknown);
  BOOST_REQUIRE(unknown.error().failed());
  BOOST_TEST((unknown.error().failed()->code == errc::not_found));
  BOOST_TEST(unknown.error().text().find("accounts") != std::string::npos);
  must(b.service->stop());
  const auto stopped = b.service->ask<account>("acc-1", bank::open{});
  BOOST_REQUIRE(!stopped);
  BOOST_REQUIRE(stopped.error().failed());
  BOOST_TEST((stopped.error().failed()->code == errc::stopped));
}

BOOST_AUTO_TEST_CASE(a_linearizable_query_commits_before_it_answers) {
  running_bank b;
  b.accepted("acc-1", bank::open{});
  b.accepted("acc-1", deposit{7});
  const auto commits = [&] {
    std::uint64_t all = 0;
    for (const auto& p : must(b.service->log().positions("bank")))
      all += decode_metadata(p.value.metadata).value().epoch.value;
    return all;
  };
  const auto before = commits();
  BOOST_TEST(must(b.service->query<account>("acc-1")).value.value().version == 2U);
  BOOST_TEST(commits() == before);
  const auto found =
      must(b.service->query<account>("acc-1", {.level = read_level::latest, .linearizable = true}));
  BOOST_TEST(found.value.value().version == 2U);
  BOOST_TEST(!found.as_of.stale);
  BOOST_TEST(commits() > before);
  const auto nothing = must(b.service->query<account>("acc-none", {.linearizable = true}));
  BOOST_TEST(!nothing.value.has_value());
  auto later = std::async(std::launch::async, [&] {
    return b.service->query<account>("acc-1", {.at_least_version = 3, .linearizable = true});
  });
  b.accepted("acc-1", deposit{1});
  BOOST_TEST(must(later.get()).value.value().version == 3U);
}

// As the test driver and tools run an app.
BOOST_AUTO_TEST_CASE(the_runner_without_threads_runs_aggregates_too) {
  temporary_folder folder;
  local_runner_options o;
  o.topology = std::make_shared<const topology>(must(topology::compile(bank_app())));
  o.log = memory_log::create();
  o.state_folder = folder.path();
  o.layout.partitions = 1;
  local_runner runner{o};
  std::optional<command_outcome> came;
  const auto ask = [&](std::size_t which, const bytes& body) {
    must(runner.commands("accounts", partition{0})
             ->put({"acc-1", which, body, std::nullopt, std::nullopt,
                    [&](command_outcome c) { came = c; }}));
  };
  must(runner.open());
  ask(do_open, encoded(bank::open{}));
  BOOST_TEST(must(runner.run_until_quiet({})));
  BOOST_TEST(std::get<command_receipt>(came.value()).version == 1U);
  runner.crash();
  ask(do_deposit, encoded(deposit{1}));
  must(runner.open());
  BOOST_TEST(must(runner.run_until_quiet({.snapshots = true})));
  BOOST_TEST(std::get<command_receipt>(came.value()).version == 2U);
}

BOOST_AUTO_TEST_CASE(a_topic_of_events_that_would_forget_some_is_refused) {
  temporary_folder folder;
  embedded_log_options lo;
  lo.folder = folder.path() / "log";
  {
    const auto log = must(open_embedded_log(lo));
    topic_config c;
    c.name = "accounts";
    c.owner = "bank";
    c.partitions = 4;
    c.retention_time = milliseconds{1000};
    must(log->create_topic(c));
  }
  host_options o;
  o.log = "lmdb:" + lo.folder.string();
  o.state = folder.path() / "state";
  host h{bank_app(), o};
  BOOST_TEST(refused(h.start(), errc::bad_config, {"topic accounts", "retention"}));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace aggregate_hosts
