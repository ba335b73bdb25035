// Queries of projections that wait until they show what the asker has been told.
#include <future>

#include <httplib.h>

#include <boost/test/unit_test.hpp>

#include <fmt/format.h>

#include "aggregate/bank_app.hpp"
#include "kappa/actors/host.hpp"
#include "kappa/actors/http_server.hpp"
#include "kappa/log/open_log.hpp"
#include "support/must.hpp"
#include "support/refused.hpp"
#include "support/temporary_folder.hpp"

namespace read_your_writes_tests {

namespace {

using namespace bank;
using namespace kappa;
using kappa::test::must;
using kappa::test::refused;
using kappa::test::temporary_folder;
using account_event = event_of<account>;

// Of each account how often something has happened; and of all, through two hops, of those events
// the money that came in.
app bank_with_projections() {
  auto a = bank_app();
  auto events = a.events<account>("accounts");
  events.already_keyed(&account_event::key)
      .fold<std::int64_t>("changes", [](std::int64_t& n, const account_event&) { ++n; });
  events
      .flat_map("deposits",
                [](const account_event& e) {
                  const auto* d = e.as<deposited>();
                  return d != nullptr ? std::vector<std::int64_t>{d->amount_cents}
                                      : std::vector<std::int64_t>{};
                })
      .key_by("amount", [](std::int64_t amount) { return amount; })
      .process<std::int64_t>("by-amount",
                             [](std::int64_t& n, std::int64_t amount) {
                               ++n;
                               return amount;
                             })
      .key_by("all", [](std::int64_t) { return std::string{"all"}; })
      .fold<std::int64_t>("money", [](std::int64_t& sum, std::int64_t by) { sum += by; });
  a.stream<std::string>("letters").map("same", [](const std::string& s) { return s; }).to("copies");
  return a;
}

/// Holds a stage back.
struct gate {
  std::promise<void> promise;
  std::shared_future<void> opened = promise.get_future().share();
};

// Two ways of the same events into one state, one of which is held back.
app bank_of_two_ways(const std::shared_future<void>& opened) {
  auto a = bank_app();
  const auto all = [](std::int64_t) { return std::string{"all"}; };
  auto ones = a.events<account>("accounts").map("one", [](const account_event&) {
    return std::int64_t{1};
  });
  auto slow = ones.key_by("to-slow", all)
                  .process<std::int64_t>("slow", [opened](std::int64_t&, std::int64_t by) {
                    opened.wait();
                    return by * 100;
                  });
  ones.key_by("fast", all)
      .merge("both", slow.key_by("from-slow", all))
      .fold<std::int64_t>("sum", [](std::int64_t& s, std::int64_t by) { s += by; });
  return a;
}

host_options in(const temporary_folder& folder) {
  host_options o;
  o.log = "lmdb:" + (folder.path() / "log").string();
  o.state = folder.path() / "state";
  o.partitions = 1;
  o.worker_threads = 4;
  o.limits.commit_interval = std::chrono::milliseconds{20};
  return o;
}

struct running_bank {
  running_bank() { start(); }
  void start() {
    auto o = in(folder);
    o.partitions = 3;
    auto log = must(open_log({.url = o.log}));
    must(log->create_topic({.name = "letters"}));
    o.shared_log = log;
    service.emplace(bank_with_projections(), o);
    must(service->start());
  }
  void restart() {
    must(service->stop());
    service.reset();
    start();
  }
  template <class C>
  void accepted(const std::string& key, const C& command) {
    const auto r = service->ask<account>(key, command);
    if (!r) throw std::runtime_error{r.error().text()};
  }
  query_options behind(const std::string& key) {
    return {.at_least = must(service->position_of<account>(key))};
  }
  std::int64_t changes(const std::string& key) {
    return must(service->query<std::int64_t>("changes", key, behind(key))).value.value_or(0);
  }
  std::int64_t money(const std::string& told) {
    return must(service->query<std::int64_t>("money", "all", behind(told))).value.value_or(0);
  }

  temporary_folder folder;
  std::optional<host> service;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(read_your_writes)

BOOST_AUTO_TEST_CASE(a_projection_shows_each_command_to_whoever_was_answered) {
  running_bank b;
  for (std::int64_t n = 0; n < 50; ++n) {
    const auto key = "acc-" + std::to_string(n % 7);
    b.accepted(key, bank::open{});  // once an event, then none
    b.accepted(key, deposit{1});
    BOOST_TEST(b.changes(key) == 2 + n / 7);
  }
}

BOOST_AUTO_TEST_CASE(through_hops_too_and_of_partitions_in_which_nothing_ever_was) {
  running_bank b;
  BOOST_TEST(b.money("ann") == 0);  // there is nothing yet to be shown
  b.accepted("ann", bank::open{});
  for (std::int64_t n = 1; n <= 5; ++n) {
    b.accepted("ann", deposit{n});
    BOOST_TEST(b.money("ann") == n * (n + 1) / 2);
  }
}

BOOST_AUTO_TEST_CASE(after_a_restart_what_was_there_before_is_known) {
  running_bank b;
  b.accepted("ann", bank::open{});
  b.accepted("ann", deposit{7});
  b.restart();
  BOOST_TEST(b.money("ann") == 7);
  BOOST_TEST(b.changes("ann") == 2);
}

BOOST_AUTO_TEST_CASE(what_never_comes_is_waited_for_no_longer_than_asked) {
  running_bank b;
  b.accepted("ann", bank::open{});
  auto options = b.behind("ann");
  options.at_least->offset = options.at_least->offset + 100;
  options.timeout = std::chrono::milliseconds{100};
  BOOST_TEST(refused(b.service->query<std::int64_t>("changes", "ann", options), errc::timed_out,
                     {"no answer to a query in time"}));
  options.at_least->where.topic = "letters";
  BOOST_TEST(refused(b.service->query<std::int64_t>("changes", "ann", options),
                     errc::invalid_argument,
                     {"what it has does not come from \"letters\", but from: accounts"}));
  options.at_least->where.topic = "accounts";
  options.at_least->offset = offset{1};
  BOOST_TEST(must(b.service->query<account>("ann", options)).value->version == 1U);
}

BOOST_AUTO_TEST_CASE(where_two_ways_meet_the_slower_one_counts) {
  temporary_folder folder;
  gate g;
  host service{bank_of_two_ways(g.opened), in(folder)};
  must(service.start());
  BOOST_REQUIRE((service.ask<account>("ann", bank::open{}).has_value()));
  query_options options{.timeout = std::chrono::milliseconds{500},
                        .at_least = must(service.position_of<account>("ann"))};
  const auto early = service.query<std::int64_t>("sum", "all", options);
  g.promise.set_value();
  BOOST_TEST(refused(early, errc::timed_out, {"no answer to a query in time"}));
  options.timeout = std::chrono::seconds{20};
  BOOST_TEST(must(service.query<std::int64_t>("sum", "all", options)).value.value_or(0) == 101);
}

BOOST_AUTO_TEST_CASE(of_another_partition_nothing_has_to_come) {
  running_bank b;
  for (const auto* key : {"ann", "bob", "cid", "dee", "eve"}) {
    b.accepted(key, bank::open{});
    BOOST_TEST(must(b.service->query<account>("ann", b.behind(key))).value.has_value());
    BOOST_TEST(
        must(b.service->query<std::int64_t>("changes", "ann", b.behind(key))).value.has_value());
  }
}

BOOST_AUTO_TEST_CASE(a_run_to_the_end_leaves_a_projection_open_for_the_next_one) {
  temporary_folder folder;
  auto a = bank_app();
  a.events<account>("accounts")
      .already_keyed(&account_event::key)
      .fold<std::int64_t>("changes", [](std::int64_t& n, const account_event&) { ++n; });
  a.stream<std::string>("letters").send(
      "open", [](const std::string& who) { return command_to(who, bank::open{}); });
  auto o = in(folder);
  {
    auto log = must(open_log({.url = o.log}));
    must(log->create_topic({.name = "letters"}));
    record_batch letters;
    letters.add({}, "ann", "ann");
    must(log->append({"letters", partition{0}}, letters));
  }
  for (int run = 1; run < 4; ++run) {
    o.until_end = run % 2 == 1;
    host service{a, o};
    must(service.start());
    const auto name = "bob-" + std::to_string(run);
    BOOST_REQUIRE((service.ask<account>(name, bank::open{}).has_value()));
    if (o.until_end) BOOST_TEST(must(service.wait_finished(std::chrono::seconds{20})));
    const query_options behind{.at_least = must(service.position_of<account>(name))};
    BOOST_TEST(must(service.query<std::int64_t>("changes", name, behind)).value.value_or(0) == 1);
    BOOST_TEST(must(service.query<std::int64_t>("changes", "ann", behind)).value.value_or(0) == 1);
    must(service.stop());
  }
}

BOOST_AUTO_TEST_CASE(over_http_too) {
  running_bank b;
  const auto server = must(http_server::start(*b.service, {"127.0.0.1:0", ""}));
  httplib::Client client{"127.0.0.1", server->port()};
  const auto get = [&](const std::string& path) {
    const auto answer = client.Get(path);
    BOOST_REQUIRE(answer);
    return answer->body;
  };
  b.accepted("ann", bank::open{});
  for (int n = 1; n <= 5; ++n) {
    b.accepted("ann", deposit{1});
    const auto body = get("/state/changes/ann?after=accounts/ann");
    BOOST_TEST(body.find(fmt::format("\"value\":{},", n + 1)) != std::string::npos, body);
  }
  const auto expected = std::string{"expected an aggregate of the app, and its key"};
  for (const auto* wrong : {"ann", "changes/ann", "nothing/ann"})
    BOOST_TEST(get(std::string{"/state/changes/ann?after="} + wrong).find(expected) !=
               std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace read_your_writes_tests
