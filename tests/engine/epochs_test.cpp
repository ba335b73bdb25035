// DESIGN §5 "Epochs" and "Snapshot", and what queries see, on one thread.
#include <csignal>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <boost/test/unit_test.hpp>

#include "engine/manual_host.hpp"

using namespace kappa;
using namespace engine_test;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(epochs)

using engine_test::reading;

namespace {

app sums_app() {
  app a{"shop"};
  a.stream<reading>("in")
      .already_keyed(&reading::place)
      .fold<totals>("sums",
                    [](totals& t, const reading& r) {
                      if (r.value == 13) throw std::runtime_error{"thirteen"};
                      t.add(r.value);
                    })
      .to("out");
  return a;
}

void send(manual_host& h, int from, int to) {
  for (int i = from; i < to; ++i) h.send("in", {"p", minute(i), i});
}

std::int64_t sum_of(runnable_task& t, read_level level, const bytes& key = "p") {
  const auto raw = must(t.table()->read(key, level));
  return raw ? must(codec<totals>::decode(*raw)).sum : -1;
}

}  // namespace

BOOST_AUTO_TEST_CASE(an_epoch_has_outputs_positions_and_records_of_the_same_steps) {
  manual_host h{sums_app()};
  h.open();
  send(h, 0, 5);
  auto& t = h.at("sums");
  h.run(t, 3);
  h.close(t);
  BOOST_REQUIRE_EQUAL(t.closed.size(), 1u);
  const auto& e = *t.closed.front();
  BOOST_TEST((e.number == epoch_number{1}));
  BOOST_REQUIRE_EQUAL(e.moves.size(), 1u);
  BOOST_TEST((e.moves[0].value.next == offset{3}));
  BOOST_TEST((decode_metadata(e.moves[0].value.metadata)->epoch == e.number));
  BOOST_REQUIRE_EQUAL(e.appends.size(), 2u);  // outputs, birth record
  BOOST_TEST(e.appends[0].records->count() == 3u);
  BOOST_TEST(h.lines("out").empty());  // buffered until T1
}

BOOST_AUTO_TEST_CASE(each_output_is_counted_once_over_many_epochs) {
  manual_host h{sums_app()};
  h.open();
  send(h, 0, 12);  // none of them thirteen
  h.settle(2);
  BOOST_TEST(h.lines("out").size() == 12u);
  BOOST_TEST(h.task("sums").progress().records_out == 12u);
}

BOOST_AUTO_TEST_CASE(processing_goes_on_while_commits_are_in_flight_up_to_the_bound) {
  manual_host h{sums_app()};
  h.limits.max_epochs_in_flight = 3;
  h.limits.max_epoch_bytes = 1;  // every record fills its epoch
  h.open();
  send(h, 0, 10);
  auto& t = h.at("sums");
  for (int i = 0; i < 3; ++i) {
    h.run(t, 1);
    BOOST_TEST(t.task->should_close(h.now));
    h.close(t);
  }
  BOOST_TEST(t.task->in_flight() == 3u);
  h.run(t, 1);
  BOOST_TEST(!t.task->should_close(h.now + 1h));
  const auto status = h.run(t, 100);
  BOOST_TEST(status.blocked);
  BOOST_TEST(status.steps == 0u);
  h.commit(t);
  BOOST_TEST(t.task->should_close(h.now));
  h.settle();
  BOOST_TEST(h.lines("out").size() == 10u);
}

BOOST_AUTO_TEST_CASE(an_aborted_commit_is_given_again_with_the_same_epochs_and_state_is_kept) {
  manual_host h{sums_app()};
  h.open();
  send(h, 0, 6);
  auto& t = h.at("sums");
  int aborts = 0;
  std::vector<std::size_t> sizes;
  h.log().set_commit_fault([&](const log_transaction& tx) {
    sizes.push_back(tx.appends.size());
    return ++aborts <= 2 ? commit_fault::abort : commit_fault::none;
  });
  h.run(t, 2);
  h.close(t);
  h.run(t, 2);
  h.close(t);
  const auto first = t.closed.front();
  BOOST_TEST(!h.try_commit(t));
  BOOST_TEST(h.lines("out").empty());
  BOOST_TEST((t.closed.front() == first));  // a value: nothing of it changed
  BOOST_TEST(sum_of(*t.task, read_level::latest) == 0 + 1 + 2 + 3);
  BOOST_TEST(sum_of(*t.task, read_level::committed) == -1);
  h.run(t, 2);  // goes on meanwhile
  h.commit(t);
  BOOST_TEST(sum_of(*t.task, read_level::committed) == 0 + 1 + 2 + 3);
  h.settle();
  BOOST_TEST(h.lines("out").size() == 6u);
  const std::vector<std::size_t> same{3, 3, 3, 1};
  BOOST_TEST(sizes == same, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(after_an_unknown_outcome_that_was_applied_nothing_is_written_again) {
  manual_host h{sums_app()};
  h.open();
  send(h, 10, 16);  // the fourth throws: an epoch record
  auto& t = h.at("sums");
  bool once = true;
  h.log().set_commit_fault([&](const log_transaction&) {
    return std::exchange(once, false) ? commit_fault::indefinite_applied : commit_fault::none;
  });
  h.run(t, 2);
  h.close(t);
  h.run(t, 3);
  h.close(t, true);  // with a snapshot of the second
  h.commit(t);
  h.snapshot(t);
  BOOST_TEST(h.lines("out").size() == 4u);
  BOOST_TEST(h.epoch_records("sums").size() == 1u);
  // The snapshot knows where in the epochs topic it is: what it covers is not replayed.
  const auto kept = decode_snapshot(*t.task->store()->snapshot());
  BOOST_TEST((kept->epoch == epoch_number{2}));
  BOOST_TEST((kept->epochs_next == offset{2}));
  h.settle();
  BOOST_TEST(h.lines("out").size() == 5u);
  const auto picture = h.picture();
  h.delete_state();
  h.open();
  h.settle();
  BOOST_TEST(same(picture, h.picture()));
}

BOOST_AUTO_TEST_CASE(after_an_unknown_outcome_that_was_lost_the_same_epochs_are_written_once) {
  manual_host h{sums_app()};
  h.open();
  send(h, 10, 16);
  auto& t = h.at("sums");
  bool once = true;
  h.log().set_commit_fault([&](const log_transaction&) {
    return std::exchange(once, false) ? commit_fault::indefinite_lost : commit_fault::none;
  });
  h.run(t, 4);
  h.close(t, true);
  const auto first = h.try_commit(t);
  BOOST_REQUIRE(!first);
  BOOST_TEST((first.error().code == errc::indefinite));
  BOOST_TEST(first.error().retriable);
  BOOST_TEST(h.lines("out").empty());
  h.commit(t);
  h.snapshot(t);
  BOOST_TEST((decode_snapshot(*t.task->store()->snapshot())->epochs_next == offset{2}));
  h.settle();
  BOOST_TEST(h.lines("out").size() == 5u);
}

BOOST_AUTO_TEST_CASE(a_second_epochs_record_after_an_unknown_outcome_is_found_in_its_place) {
  manual_host h{sums_app()};
  h.open();
  for (const int v : {13, 1, 13, 2}) h.send("in", {"p", minute(v), v});
  auto& t = h.at("sums");
  bool once = true;
  h.log().set_commit_fault([&](const log_transaction&) {
    return std::exchange(once, false) ? commit_fault::indefinite_applied : commit_fault::none;
  });
  h.run(t, 2);
  h.close(t, true);  // the snapshot is of the first of two epochs in one T1
  h.run(t, 2);
  h.close(t);
  h.commit(t);
  h.snapshot(t);
  const auto kept = decode_snapshot(*t.task->store()->snapshot());
  BOOST_TEST((kept->epoch == epoch_number{1}));
  BOOST_TEST((kept->epochs_next == offset{2}));  // birth and its own record, not the second's
  h.crash();
  h.open();
  h.settle();
  BOOST_TEST(h.dead_letters().size() == 2u);
  BOOST_TEST(sum_of(h.task("sums"), read_level::committed) == 3);
}

BOOST_AUTO_TEST_CASE(a_fenced_task_writes_nothing) {
  manual_host h{sums_app()};
  h.open();
  send(h, 0, 3);
  auto& t = h.at("sums");
  h.run(t, 3);
  h.close(t);
  h.log().lose_lock("shop");
  const auto other = must(h.log().open_writer({"shop", "another"}));
  const auto done = h.try_commit(t);
  BOOST_REQUIRE(!done);
  BOOST_TEST((done.error().code == errc::fenced));
  BOOST_TEST(!done.error().retriable);
  BOOST_TEST(h.lines("out").empty());
}

BOOST_AUTO_TEST_CASE(nothing_is_committed_when_nothing_is_due) {
  manual_host h{sums_app()};
  h.open();
  send(h, 0, 3);
  h.settle();
  int commits = 0;
  h.log().set_commit_fault([&](const log_transaction&) {
    ++commits;
    return commit_fault::none;
  });
  const auto end = h.log_end();
  h.now += 24h * 365;
  for (int i = 0; i < 3; ++i) {
    auto& t = h.at("sums");
    h.run(t, 100);
    h.close(t, true);
    h.commit(t);
    h.snapshot(t);
    BOOST_TEST(!t.task->should_close(h.now));
    h.open();
  }
  // One fact was due: the quiet partition is idle.
  BOOST_TEST(commits == 1);
  BOOST_TEST(h.log_end() == end + 1);
  h.settle();
  BOOST_TEST(commits == 1);
}

// A bug of a host must not become wrong data.
BOOST_AUTO_TEST_CASE(epochs_that_become_durable_out_of_order_abort_the_process) {
  manual_host h{sums_app()};
  h.open();
  send(h, 1, 5);
  auto& t = h.at("sums");
  for (int i = 0; i < 2; ++i) {
    h.run(t, 2);
    h.close(t);
  }
  const auto child = ::fork();
  if (child == 0) {
    std::signal(SIGABRT, SIG_DFL);
    const rlimit no_core{0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    t.task->committed(t.closed.back()->number, {});
    ::_exit(0);
  }
  int status = 0;
  BOOST_REQUIRE_EQUAL(::waitpid(child, &status, 0), child);
  BOOST_TEST((WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT));
}

// ── snapshots ─────────────────────────────────────────────────────────────────────────────────

BOOST_AUTO_TEST_CASE(a_snapshot_waits_for_its_commit_and_is_the_state_at_the_end_of_its_epoch) {
  manual_host h{sums_app()};
  h.open();
  send(h, 1, 9);
  auto& t = h.at("sums");
  h.run(t, 2);
  h.close(t, true);  // frozen: 1 + 2
  BOOST_TEST(t.task->snapshot_pending());
  BOOST_TEST(!t.task->snapshot_ready());
  h.run(t, 2);  // later epochs change the same key
  h.close(t);
  h.run(t, 2);
  BOOST_TEST(!t.task->snapshot_ready());
  h.commit(t);
  h.run(t, 1);
  auto delta = t.task->snapshot_ready();
  BOOST_REQUIRE(delta);
  BOOST_TEST((delta->epoch == epoch_number{1}));
  BOOST_TEST(!t.task->snapshot_ready());  // given once
  h.run(t, 1);
  must(t.task->store()->commit(*delta));
  t.task->snapshot_done();
  const auto record = decode_snapshot(*t.task->store()->snapshot());
  BOOST_TEST((record->positions.at(0) == offset{2}));
  BOOST_TEST((record->epoch == epoch_number{1}));
  const auto table = must(dump_table(*t.task->store(), 0));
  BOOST_REQUIRE_EQUAL(table.size(), 1u);
  BOOST_TEST(must(codec<totals>::decode(table[0].second)).sum == 3);
  h.settle();
  const auto picture = h.picture();
  h.delete_state();
  h.open();
  h.settle();
  BOOST_TEST(same(picture, h.picture()));
}

BOOST_AUTO_TEST_CASE(a_crash_before_the_snapshots_commit_loses_nothing) {
  manual_host h{sums_app()};
  h.open();
  send(h, 1, 5);
  auto& t = h.at("sums");
  h.run(t, 2);
  h.close(t, true);
  h.commit(t);
  (void)t.task->snapshot_ready();  // begun, never written
  h.open();
  h.settle();
  BOOST_TEST(sum_of(h.task("sums"), read_level::committed) == 10);
  BOOST_TEST(h.lines("out").size() == 4u);
}

BOOST_AUTO_TEST_CASE(queries_see_only_durable_epochs) {
  manual_host h{sums_app()};
  h.open();
  send(h, 1, 9);
  auto& t = h.at("sums");
  h.run(t, 1);
  h.close(t);
  h.commit(t);
  h.run(t, 2);
  h.close(t);
  h.run(t, 2);
  BOOST_TEST(sum_of(*t.task, read_level::committed) == 1);
  BOOST_TEST(sum_of(*t.task, read_level::latest) == 1 + 2 + 3 + 4 + 5);
  BOOST_TEST((t.task->read_at(read_level::committed).positions.at(0) == offset{1}));
  BOOST_TEST((t.task->read_at(read_level::latest).positions.at(0) == offset{5}));
  h.commit(t);
  BOOST_TEST(sum_of(*t.task, read_level::committed) == 1 + 2 + 3);
  BOOST_TEST((t.task->read_at(read_level::committed).positions.at(0) == offset{3}));
}

BOOST_AUTO_TEST_CASE(a_query_during_replay_is_marked_stale) {
  manual_host h{sums_app()};
  h.open();
  send(h, 1, 9);
  h.settle();
  h.open();
  auto& t = h.at("sums");
  h.run(t, 3);
  BOOST_TEST(t.task->read_at(read_level::committed).stale);
  BOOST_TEST((t.task->read_at(read_level::committed).positions.at(0) == offset{3}));
  BOOST_TEST(sum_of(*t.task, read_level::committed) == 6);
  h.settle();
  BOOST_TEST(!h.task("sums").read_at(read_level::committed).stale);
}

BOOST_AUTO_TEST_CASE(too_many_dirty_bytes_make_an_early_snapshot_then_block) {
  manual_host h{sums_app()};
  h.limits.max_dirty_bytes = 64 << 10;
  h.limits.snapshot_interval = 1h;
  h.open();
  for (int i = 0; i < 20'000; ++i) h.send("in", {"key-" + std::to_string(i), minute(i), 1});
  auto& t = h.at("sums");
  int runs = 0;
  while (!t.task->should_close(h.now) && ++runs < 100) h.run(t, 256);
  BOOST_TEST(t.task->progress().dirty_bytes >= h.limits.max_dirty_bytes);
  h.close(t);
  BOOST_TEST(t.task->snapshot_pending());  // long before its interval is over
  h.commit(t);
  auto delta = t.task->snapshot_ready();
  BOOST_REQUIRE(delta);
  run_status status;
  for (runs = 0; !status.blocked && runs < 1000; ++runs) {
    status = h.run(t, 64);
    if (t.task->should_close(h.now)) {
      h.close(t);
      h.commit(t);
    }
  }
  BOOST_TEST(status.blocked);
  BOOST_TEST(t.task->progress().dirty_bytes < 3 * h.limits.max_dirty_bytes);
  must(t.task->store()->commit(*delta));
  t.task->snapshot_done();
  h.settle();
  BOOST_TEST(h.lines("out").size() == 20'000u);
}

BOOST_AUTO_TEST_CASE(a_long_replay_takes_snapshots_on_its_way_and_goes_on_from_them) {
  manual_host h{sums_app()};
  h.open();
  for (int i = 0; i < 5'000; ++i) h.send("in", {"key-" + std::to_string(i % 2'500), minute(i), 1});
  h.settle();
  const auto picture = h.picture();
  h.delete_state();
  h.limits.max_dirty_bytes = 64 << 10;
  std::uint64_t replayed = 0;
  std::uint64_t snapshots = 0;
  for (int restart = 0; restart < 1000; ++restart) {
    h.open();
    auto& t = h.at("sums");
    for (int turn = 0; turn < 3 && t.task->progress().phase == task_phase::replaying; ++turn) {
      h.run(t, 256);
      if (t.task->should_close(h.now)) h.close(t);
      h.snapshot(t);
    }
    const auto p = t.task->progress();
    replayed += p.replayed;
    snapshots += p.snapshots;
    BOOST_TEST(p.dirty_bytes < 3 * h.limits.max_dirty_bytes);
    if (p.phase != task_phase::replaying) break;
  }
  BOOST_TEST(snapshots >= 3u);
  BOOST_TEST(replayed < 12'000u);
  h.settle();
  BOOST_TEST(same(picture, h.picture()));
}

BOOST_AUTO_TEST_SUITE_END()
