// Asking aggregates from another process: here another log on the same folder.
#include <atomic>
#include <future>
#include <thread>

#include "aggregate/bank_app.hpp"
#include "kappa/actors/aggregate_client.hpp"
#include "kappa/actors/host.hpp"
#include "kappa/log/embedded_log.hpp"
#include "kappa/log/open_log.hpp"
#include "support/must.hpp"
#include "support/refused.hpp"
#include "support/temporary_folder.hpp"

namespace aggregate_clients {

namespace {

using namespace bank;
using namespace kappa;
using namespace std::chrono_literals;
using kappa::test::must;
using kappa::test::refused;
using kappa::test::temporary_folder;

struct bank_and_client {
  bank_and_client() { start(); }
  void start() {
    host_options o;
    o.log = url();
    o.state = folder.path() / "state";
    o.partitions = 3;
    service.emplace(bank_app(), o);
    must(service->start());
    if (!client) client = must(aggregate_client::open(other_log(), bank_app()));
  }
  void stop() {
    must(service->stop());
    service.reset();
  }
  [[nodiscard]] std::string url() const { return "lmdb:" + (folder.path() / "log").string(); }
  [[nodiscard]] std::shared_ptr<event_log> other_log() const {
    return must(open_log({.url = url()}));
  }
  template <class C>
  command_receipt accepted(const std::string& key, const C& command, ask_options o = {}) {
    o.timeout = 30s;
    auto r = client->ask<account>(key, command, o);
    if (!r) throw std::runtime_error{r.error().text()};
    return *r;
  }

  temporary_folder folder;
  std::optional<host> service;
  std::unique_ptr<aggregate_client> client;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(clients)

BOOST_AUTO_TEST_CASE(another_process_asks_and_is_told_what_a_host_would_tell) {
  bank_and_client b;
  BOOST_TEST(b.accepted("acc-1", bank::open{}).version == 1U);
  BOOST_TEST(b.accepted("acc-1", deposit{20'000}).version == 2U);
  const auto two = b.accepted("acc-1", withdraw{10'000});
  BOOST_TEST(two.version == 4U);
  BOOST_TEST(two.events == 2U);
  BOOST_TEST((two.reply == encoded(withdrawal_receipt{9'995})));
  const auto rejected = b.client->ask<account>("acc-1", withdraw{10'000});
  BOOST_REQUIRE(!rejected);
  BOOST_REQUIRE(rejected.error().rejected());
  BOOST_TEST(
      (must(rejected.error().rejected()->as<insufficient_funds>()) == insufficient_funds{10}));
  const auto conflict = b.client->ask<account>("acc-1", deposit{1}, {.expected_version = 1});
  BOOST_REQUIRE(!conflict);
  BOOST_REQUIRE(conflict.error().conflict());
  BOOST_TEST(conflict.error().conflict()->actual == 4U);
  BOOST_TEST(must(b.service->query<account>("acc-1")).value->state.balance_cents == 9'995);
  // And both ways lead to the same account.
  BOOST_TEST(b.service->ask<account>("acc-1", deposit{5})->version == 5U);
  BOOST_TEST(b.accepted("acc-1", deposit{5}).version == 6U);
}

BOOST_AUTO_TEST_CASE(what_is_asked_while_nobody_runs_the_app_happens_when_somebody_does) {
  bank_and_client b;
  b.accepted("acc-1", bank::open{});
  b.stop();
  const auto id = new_command_id();
  const auto late = b.client->ask<account>("acc-1", deposit{1}, {.id = id, .timeout = 50ms});
  BOOST_REQUIRE(!late);
  BOOST_REQUIRE(late.error().failed());
  BOOST_TEST((late.error().failed()->code == errc::timed_out));
  BOOST_TEST(late.error().may_be_asked_again());
  std::promise<ask_result> came;
  b.client->ask<account>("acc-1", deposit{2}, {.timeout = 60s},
                         [&](ask_result r) { came.set_value(std::move(r)); });
  b.client->tell<account>("acc-1", deposit{4});
  b.start();
  const auto first = came.get_future().get();
  BOOST_REQUIRE(first);
  BOOST_TEST(first->version == 3U);
  BOOST_TEST(b.accepted("acc-1", deposit{1}, {.id = id}).version == 2U);
  BOOST_TEST(b.accepted("acc-1", deposit{8}).version == 5U);
}

BOOST_AUTO_TEST_CASE(many_ask_at_once_and_each_is_told_its_own) {
  constexpr int askers = 6;
  constexpr int each = 200;
  bank_and_client b;
  for (int a = 0; a < askers; ++a) b.accepted("acc-" + std::to_string(a), bank::open{});
  std::atomic<int> right{0};
  std::atomic<int> left{askers * each};
  std::promise<void> all;
  std::vector<std::thread> threads;
  for (int a = 0; a < askers; ++a) {
    threads.emplace_back([&, a] {
      for (int i = 0; i < each; ++i) {
        b.client->ask<account>("acc-" + std::to_string(a), deposit{1}, {.timeout = 60s},
                               [&, i](const ask_result& r) {
                                 if (r && r->version == static_cast<std::uint64_t>(i) + 2) ++right;
                                 if (--left == 0) all.set_value();
                               });
      }
    });
  }
  for (auto& t : threads) t.join();
  all.get_future().get();
  BOOST_TEST(right == askers * each);
}

BOOST_AUTO_TEST_CASE(a_client_that_is_ended_tells_whoever_waits) {
  bank_and_client b;
  b.stop();
  std::promise<ask_result> came;
  std::promise<ask_result> came_again;
  auto& client = *b.client;
  client.ask<account>("acc-1", deposit{2}, {.timeout = 60s}, [&](ask_result r) {
    client.ask<account>("acc-1", deposit{2}, {},  // as one may who is told so
                        [&](ask_result again) { came_again.set_value(std::move(again)); });
    came.set_value(std::move(r));
  });
  client.tell<account>("acc-2", bank::open{});
  b.client.reset();
  const auto told = came.get_future().get();
  BOOST_REQUIRE(!told);
  BOOST_REQUIRE(told.error().failed());
  BOOST_TEST((told.error().failed()->code == errc::indefinite));
  BOOST_TEST((came_again.get_future().get().error().failed()->code == errc::stopped));
  b.start();  // what had been asked before is in the log
  BOOST_TEST(must(b.service->query<account>("acc-2", {.at_least_version = 1})).value->state.open);
}

BOOST_AUTO_TEST_CASE(what_can_go_nowhere_is_told_at_once) {
  bank_and_client b;
  const std::string huge(2 << 20, 'x');
  const auto large = b.client->ask<account>(huge, deposit{1});
  BOOST_REQUIRE(!large);
  BOOST_TEST((large.error().failed()->code == errc::too_large));
  const auto other_key = b.client->ask<account>(std::int64_t{7}, deposit{1});
  BOOST_REQUIRE(!other_key);
  BOOST_TEST((other_key.error().failed()->code == errc::invalid_argument));
  app other{"nobody"};
  other.aggregate<account>("accounts");
  BOOST_TEST(refused(aggregate_client::open(b.other_log(), other), errc::not_found,
                     {"nobody.accounts.commands", "start it first"}));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace aggregate_clients
