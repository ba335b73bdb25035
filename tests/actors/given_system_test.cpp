// Hosts in an actor system that is the program's.
#include <algorithm>
#include <atomic>
#include <future>
#include <mutex>
#include <optional>
#include <thread>

#include <caf/actor_registry.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/logger.hpp>
#include <caf/scoped_actor.hpp>

#include "actors/actors_support.hpp"
#include "kappa/caf.hpp"

namespace given_systems {

using namespace actors_test;

BOOST_AUTO_TEST_SUITE(in_a_system_of_the_program)

namespace {

struct program_config : caf::actor_system_config {
  program_config() {
    init_caf();
    set("caf.scheduler.max-threads", 2);
    set("caf.scheduler.max-throughput", messages_at_once);
  }
};

// A program with an actor of its own, which adds up what it is sent.
struct program {
  program() {
    adder = system->spawn([](caf::event_based_actor*) -> caf::behavior {
      return {[sum = 0](int n) mutable { return sum += n; }};
    });
  }
  ~program() {
    if (!system) return;
    caf::anon_send_exit(adder, caf::exit_reason::user_shutdown);
  }
  int ask_adder(int n) {
    int sum = -1;
    caf::scoped_actor self{*system, true};
    self->request(adder, 30s, n).receive([&](int s) { sum = s; }, [](const caf::error&) {});
    return sum;
  }
  /// Of all, also Kappa's.
  [[nodiscard]] std::size_t actors() { return system->registry().running(); }

  program_config config;
  std::optional<caf::actor_system> system{std::in_place, config};
  caf::actor adder;
};

host_options in(program& p, host_options o) {
  o.worker_threads = 0;
  o.actors = actors_in(*p.system);
  return o;
}

std::int64_t sum_of(host& h, const std::string& place) {
  const auto a = must(h.query<totals>("sum", place));
  return a.value ? a.value->sum : -1;
}

}  // namespace

BOOST_AUTO_TEST_CASE(hosts_come_and_go_and_leave_none_of_their_actors) {
  program p;
  world w{2};
  BOOST_REQUIRE_EQUAL(p.actors(), 1U);
  for (int life = 1; life <= 3; ++life) {
    host h{sums_app(), in(p, w.options())};
    must(h.start());
    BOOST_TEST(p.actors() >= 1U + 5U);  // two tasks, lane, state, admin
    w.send({"oslo", ts("2001-01-01T08:00"), 1});
    BOOST_REQUIRE(eventually([&] { return sum_of(h, "oslo") == life; }));
    must(h.stop());
    BOOST_TEST(p.actors() == 1U);
    must(h.stop());  // there is nothing to do
  }
  BOOST_TEST(p.ask_adder(3) == 3);
  BOOST_TEST(w.read<totals>("sums").size() == 3U);
}

BOOST_AUTO_TEST_CASE(two_apps_run_in_one_system_at_a_time) {
  program p;
  world w{1};
  host sums{sums_app(), in(p, w.options())};
  must(sums.start());
  {
    host hours{hourly_app(), in(p, w.options())};
    must(hours.start());
    w.send({"oslo", ts("2001-01-01T08:00"), 1});
    w.send({"oslo", ts("2001-01-01T09:11"), 2});  // the first hour is over
    BOOST_REQUIRE(eventually([&] { return sum_of(sums, "oslo") == 3; }));
    BOOST_REQUIRE(eventually([&] { return w.read<totals>("hourly-totals").size() == 1; }));
  }
  // The other goes on.
  w.send({"oslo", ts("2001-01-01T09:12"), 4});
  BOOST_REQUIRE(eventually([&] { return sum_of(sums, "oslo") == 7; }));
  must(sums.stop());
  BOOST_TEST(p.actors() == 1U);
}

BOOST_AUTO_TEST_CASE(a_host_that_is_dropped_lets_go_of_all_that_it_was_given) {
  program p;
  world w{2};
  auto logs = std::make_shared<std::atomic<int>>(0);
  {
    auto o = in(p, w.options());
    o.limits.snapshot_interval = 1h;  // for which a task leaves a message with the system's clock
    o.log_to = [logs](log_level, std::string_view, const auto&) { ++*logs; };
    host h{sums_app(), o};
    must(h.start());
    w.send({"oslo", ts("2001-01-01T08:00"), 1});
    BOOST_REQUIRE(processed(h, "sum", 1));
  }
  BOOST_TEST(*logs > 0);
  BOOST_TEST(logs.use_count() == 1);
  BOOST_TEST(w.log.use_count() == 1);
  BOOST_TEST(p.actors() == 1U);
  BOOST_TEST(p.ask_adder(1) == 1);
}

BOOST_AUTO_TEST_CASE(a_start_that_is_refused_leaves_nothing_in_the_system) {
  program p;
  world w{1};
  auto o = in(p, w.options());
  host first{sums_app(), o};
  must(first.start());
  const auto running = p.actors();
  o.state = w.folder.path() / "other";
  host second{sums_app(), o};
  BOOST_TEST(refused(second.start(), errc::owned, {"sums"}));
  BOOST_TEST(p.actors() == running);
}

BOOST_AUTO_TEST_CASE(a_system_ends_while_the_thread_that_started_a_host_in_it_lives) {
  program p;
  world w{1};
  std::promise<void> host_is_gone;
  std::promise<void> may_end;
  std::thread starts{[&] {
    {
      host h{sums_app(), in(p, w.options())};
      must(h.start());
    }
    host_is_gone.set_value();
    may_end.get_future().wait();
  }};
  host_is_gone.get_future().wait();
  caf::anon_send_exit(p.adder, caf::exit_reason::user_shutdown);
  caf::logger::set_current_actor_system(nullptr);  // of this thread, which has made it
  auto ended = std::async(std::launch::async, [&] { p.system.reset(); });
  BOOST_TEST((ended.wait_for(30s) == std::future_status::ready));
  may_end.set_value();
  starts.join();
}

BOOST_AUTO_TEST_CASE(settings_that_are_the_programs_are_refused_and_a_bad_one_is_told) {
  program p;
  world w{1};
  auto o = in(p, w.options());
  o.worker_threads = 2;
  host h{sums_app(), o};
  BOOST_TEST(refused(h.start(), errc::bad_config, {"worker_threads", "caf.scheduler.max-threads"}));

  std::mutex mutex;
  std::vector<std::string> told;
  const auto tell = [&](log_level level, std::string_view, const auto& fields) {
    const std::lock_guard lock{mutex};
    if (level != log_level::warning) return;
    for (const auto& f : fields) told.emplace_back(f.name);
  };
  const auto is_told = [&] {
    const std::lock_guard lock{mutex};
    return std::find(told.begin(), told.end(), "caf.scheduler.max-throughput") != told.end();
  };
  o.worker_threads = 0;
  o.log_to = tell;
  {
    host good{sums_app(), o};
    must(good.start());
  }
  BOOST_TEST(!is_told());

  struct careless : caf::actor_system_config {
  } defaults;
  caf::actor_system careless_system{defaults};
  o.actors = actors_in(careless_system);
  {
    host slow{sums_app(), o};
    must(slow.start());
  }
  BOOST_TEST(is_told());

  struct for_tests : caf::actor_system_config {
    for_tests() { set("caf.scheduler.policy", "testing"); }
  } testing;
  caf::actor_system test_system{testing};
  o.actors = actors_in(test_system);
  host never{sums_app(), o};
  BOOST_TEST(refused(never.start(), errc::bad_config, {"caf.scheduler.policy", "testing"}));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace given_systems
