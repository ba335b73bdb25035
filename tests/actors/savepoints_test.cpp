// Savepoints under a host: taken while it runs, used where the state is gone.
#include "actors/actors_support.hpp"
#include "kappa/state/savepoint_repository.hpp"

namespace actors_test {

BOOST_AUTO_TEST_SUITE(savepoints_of_a_host)

namespace {

host_options with_savepoints(const world& w) {
  auto o = w.options();
  o.savepoints = w.folder.path() / "savepoints";
  o.savepoint_interval = std::chrono::milliseconds{1};
  o.limits.commit_interval = 5ms;
  o.limits.snapshot_interval = 10ms;
  return o;
}

std::size_t taken(const host_options& o) {
  const auto repository = must(open_savepoint_folder(o.savepoints));
  return must(repository->list("sums/sum.g1/0")).size();
}

void send_some(world& w, int from, int to) {
  for (int i = from; i < to; ++i) w.send({"p" + std::to_string(i % 7), ts("2001-01-01T08:00"), i});
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_state_that_is_gone_comes_from_the_repository) {
  world w{1};
  const auto options = with_savepoints(w);
  std::uint64_t sent = 0;
  {
    host h{sums_app(), options};
    must(h.start());
    const auto name = h.topology().app_name();
    BOOST_TEST_REQUIRE(name == "sums");
    BOOST_TEST_REQUIRE(eventually([&] {
      send_some(w, 0, 10);
      sent += 10;
      return taken(options) > 0;
    }));
    must(h.stop());
  }
  std::filesystem::remove_all(options.state);
  host h{sums_app(), options};
  must(h.start());
  BOOST_TEST(status_of(h, "sum").progress.replayed < sent);
  std::int64_t count = 0;
  BOOST_TEST_REQUIRE(eventually([&] {
    count = 0;
    for (int i = 0; i < 7; ++i) {
      const auto one = must(h.query<totals>("sum", "p" + std::to_string(i))).value;
      count += one ? one->count : 0;
    }
    return count == static_cast<std::int64_t>(sent);
  }));
  BOOST_TEST(progress_of(h, "sum").replayed < sent);
  must(h.stop());
}

BOOST_AUTO_TEST_CASE(a_replay_on_purpose_takes_none) {
  world w{1};
  auto options = with_savepoints(w);
  std::uint64_t sent = 0;
  {
    host h{sums_app(), options};
    must(h.start());
    BOOST_TEST_REQUIRE(eventually([&] {
      send_some(w, 0, 10);
      sent += 10;
      return taken(options) > 0;
    }));
    BOOST_TEST_REQUIRE(eventually([&] { return processed(h, "sum", sent); }));
    must(h.stop());
  }
  options.replay = {"sum"};
  options.savepoint_interval = std::chrono::hours{1};
  host h{sums_app(), options};
  must(h.start());
  BOOST_TEST_REQUIRE(
      eventually([&] { return status_of(h, "sum").progress.phase == task_phase::live; }));
  BOOST_TEST(progress_of(h, "sum").replayed == sent);
  BOOST_TEST(taken(options) == 0U);
  must(h.stop());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace actors_test
