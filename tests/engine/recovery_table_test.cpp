// One test for each row of the recovery table (DESIGN §5): as a pure function, and with real
// tasks on a memory log.
#include <boost/test/unit_test.hpp>

#include "engine/list_source.hpp"
#include "engine/manual_host.hpp"
#include "kappa/task/recovery.hpp"

using namespace kappa;
using namespace engine_test;

BOOST_AUTO_TEST_SUITE(recovery_table)

using engine_test::reading;

namespace {

recovery_facts facts(std::optional<int> in_state, std::optional<int> committed, int first,
                     int latest, bool birth = true) {
  recovery_facts f;
  f.task = {"shop", "orders", generation{1}, partition{3}};
  f.log_id = "log-a";
  const auto at = [](std::optional<int> n) { return n ? std::optional{offset{*n}} : std::nullopt; };
  if (in_state) f.state_log_id = "log-a";
  if (birth) f.birth = birth_record{0, "log-a", {offset{0}}, {"in"}};
  f.inputs.push_back({"in", at(in_state), at(committed), offset{first}, offset{latest}, {}});
  return f;
}

}  // namespace

BOOST_AUTO_TEST_CASE(another_logs_state_is_refused_naming_both) {
  auto f = facts(3, 5, 0, 9);
  f.state_log_id = "log-b";
  BOOST_TEST(
      refused(plan_recovery(f), errc::incompatible, {"log-a", "log-b", "shop/orders.g1[3]"}));
  f = facts(3, 5, 0, 9);
  f.birth->log_id = "log-c";
  BOOST_TEST(refused(plan_recovery(f), errc::incompatible, {"log-a", "log-c"}));
}

BOOST_AUTO_TEST_CASE(without_birth_record_the_first_start_is_at_the_earliest_retained) {
  for (const int first : {0, 4, 9}) {
    const auto plan = must(plan_recovery(facts({}, {}, first, 9, false)));
    BOOST_TEST(plan.first_start);
    BOOST_TEST((plan.inputs[0].replay_from == offset{first}));
    BOOST_TEST((plan.inputs[0].live_from == offset{first}));
  }
}

BOOST_AUTO_TEST_CASE(without_birth_record_the_first_start_is_at_start_from) {
  auto f = facts({}, {}, 2, 9, false);
  for (int start = 0; start <= 11; ++start) {
    f.inputs[0].start_from = offset{start};
    const auto plan = plan_recovery(f);
    if (start < 2 || start > 9) {
      BOOST_TEST(refused(plan, errc::refused_start, {"input in", "start position"}));
    } else {
      BOOST_TEST((must(plan).inputs[0].live_from == offset{start}));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_position_without_birth_record_is_refused) {
  BOOST_TEST(refused(plan_recovery(facts({}, 5, 0, 9, false)), errc::refused_start,
                     {"input in", "no birth record", "--fresh"}));
  BOOST_TEST(refused(plan_recovery(facts(5, {}, 0, 9, false)), errc::refused_start,
                     {"input in", "no birth record"}));
}

BOOST_AUTO_TEST_CASE(a_birth_record_without_state_and_position_is_refused) {
  BOOST_TEST(refused(plan_recovery(facts({}, {}, 0, 9)), errc::refused_start,
                     {"input in", "birth record", "--fresh"}));
}

// Every combination of small P_s, P_c, F with a birth record that starts at 0.
BOOST_AUTO_TEST_CASE(every_combination_of_positions_gives_what_the_table_says) {
  constexpr int latest = 5;
  for (int s = -1; s <= latest; ++s) {
    for (int c = -1; c <= latest; ++c) {
      for (int first = 0; first <= latest; ++first) {
        for (const bool rebuildable : {false, true}) {
          for (const bool adopt : {false, true}) {
            auto f = facts(s < 0 ? std::optional<int>{} : s, c < 0 ? std::optional<int>{} : c,
                           first, latest);
            f.rebuildable = rebuildable;
            f.adopt_state_position = adopt;
            const auto plan = plan_recovery(f);
            BOOST_TEST_CONTEXT("P_s " << s << " P_c " << c << " F " << first << " rebuildable "
                                      << rebuildable << " adopt " << adopt) {
              const int committed = c < 0 && adopt ? s : c;
              bool good = committed >= 0 && s <= committed && committed >= first;
              const int from = s < 0 ? 0 : s;
              bool empty = s < 0;
              if (from < first) {
                good = good && rebuildable;
                empty = true;
              }
              BOOST_TEST(plan.has_value() == good);
              if (!plan) {
                BOOST_TEST((plan.error().code == errc::refused_start));
                BOOST_TEST(plan.error().subject == "shop/orders.g1[3] input in");
                continue;
              }
              BOOST_TEST(!plan->first_start);
              BOOST_TEST(plan->from_empty_state == empty);
              BOOST_TEST(plan->inputs[0].live_from.value == committed);
              BOOST_TEST(plan->inputs[0].replay_from.value == std::max(from, first));
            }
          }
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(the_refusals_name_positions_and_mend) {
  BOOST_TEST(refused(plan_recovery(facts(6, 5, 0, 9)), errc::refused_start,
                     {"the state is at 6", "committed position 5", "delete the state folder"}));
  BOOST_TEST(refused(plan_recovery(facts(6, {}, 0, 9)), errc::refused_start,
                     {"the state is at 6", "no committed position", "--adopt-state-position"}));
  BOOST_TEST(
      refused(plan_recovery(facts(2, 3, 4, 9)), errc::refused_start,
              {"unprocessed input was deleted", "committed up to 3", "begins at 4", "--fresh"}));
  BOOST_TEST(refused(plan_recovery(facts(2, 5, 4, 9)), errc::refused_start,
                     {"the state is at 2", "begins at 4", "restore a snapshot", "rebuildable"}));
  BOOST_TEST(refused(plan_recovery(facts({}, 5, 4, 9)), errc::refused_start,
                     {"there is no state", "begins at 4", "restore a snapshot"}));
  BOOST_TEST(refused(plan_recovery(facts(2, 12, 0, 9)), errc::refused_start,
                     {"committed position 12", "log's end 9", "lost records"}));
}

BOOST_AUTO_TEST_CASE(a_state_of_a_later_epoch_is_refused_at_equal_positions_too) {
  auto f = facts(5, 5, 0, 9);
  f.state_epoch = epoch_number{8};
  f.committed_epoch = epoch_number{7};
  BOOST_TEST(refused(plan_recovery(f), errc::refused_start, {"epoch 8", "committed only 7"}));
}

BOOST_AUTO_TEST_CASE(one_input_to_replay_from_the_start_means_all) {
  auto f = facts(3, 5, 0, 9);
  f.birth = birth_record{0, "log-a", {offset{0}, offset{1}}, {"in", "other"}};
  f.inputs.push_back({"other", offset{2}, offset{4}, offset{3}, offset{9}, {}});
  BOOST_TEST(refused(plan_recovery(f), errc::refused_start, {"input other", "begins at 3"}));
  f.rebuildable = true;
  const auto plan = must(plan_recovery(f));
  BOOST_TEST(plan.from_empty_state);
  BOOST_TEST((plan.inputs[0].replay_from == offset{0}));
  BOOST_TEST((plan.inputs[1].replay_from == offset{3}));
}

BOOST_AUTO_TEST_CASE(a_state_of_before_an_order_to_build_it_anew_is_as_good_as_none) {
  for (const int in_state : {3, 5, 7}) {  // also ahead of what is committed
    auto f = facts(in_state, 5, 0, 9);
    f.rebuild_ordered = 2;
    f.state_rebuild = 1;
    const auto plan = must(plan_recovery(f));
    BOOST_TEST(plan.from_empty_state);
    BOOST_TEST((plan.inputs[0].replay_from == offset{0}));
    BOOST_TEST((plan.inputs[0].live_from == offset{5}));
  }
  auto f = facts(3, 5, 0, 9);
  f.rebuild_ordered = f.state_rebuild = 2;
  const auto plan = must(plan_recovery(f));
  BOOST_TEST(!plan.from_empty_state);
  BOOST_TEST((plan.inputs[0].replay_from == offset{3}));
  f = facts(3, 5, 1, 9);  // the start is gone
  f.rebuild_ordered = 1;
  BOOST_TEST(refused(plan_recovery(f), errc::refused_start, {"input in", "cannot be rebuilt"}));
}

BOOST_AUTO_TEST_CASE(other_inputs_than_at_birth_are_refused) {
  auto f = facts(3, 5, 0, 9);
  f.inputs[0].name = "renamed";
  BOOST_TEST(refused(plan_recovery(f), errc::refused_start, {"input renamed", "new generation"}));
}

// ── with real tasks ───────────────────────────────────────────────────────────────────────────

namespace {

app sums_app() {
  app a{"shop"};
  a.stream<reading>("in")
      .already_keyed(&reading::place)
      .fold<totals>("sums", [](totals& t, const reading& r) { t.add(r.value); })
      .to("out");
  return a;
}

void send(manual_host& h, int from, int to) {
  for (int i = from; i < to; ++i) h.send("in", {"p" + std::to_string(i % 3), minute(i), i});
}

// Ten records processed; a snapshot at the fifth.
void ten_records(manual_host& h) {
  h.open();
  send(h, 0, 5);
  h.settle(2);
  h.snapshot_all();
  send(h, 5, 10);
  h.settle(2);
  h.crash();
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_task_with_the_state_of_another_log_does_not_start) {
  manual_host h{sums_app()};
  ten_records(h);
  manual_host other{sums_app(), 1, memory_log::create("another-log")};
  other.adjust = [&](task_options& o) { o.state_folder = h.folder_of("sums"); };
  BOOST_TEST(refused(other.try_open(), errc::incompatible, {"another-log", "memory-log"}));
}

BOOST_AUTO_TEST_CASE(a_task_starts_at_start_from_and_writes_its_birth_record) {
  manual_host h{sums_app()};
  send(h, 0, 10);
  h.adjust = [](task_options& o) { o.start_from["in"] = offset{7}; };
  h.open();
  h.settle();
  BOOST_TEST(h.lines("out").size() == 3u);
  const auto birth = decode_birth(h.records("shop.sums.g1.epochs").at(0).value);
  BOOST_REQUIRE(birth);
  BOOST_TEST((birth->starts.at(0) == offset{7}));
  BOOST_TEST(birth->log_id == h.log().id());
  BOOST_TEST(birth->fingerprint == h.topology().find("sums")->fingerprint);
  // Once born, start_from has no say.
  h.adjust = [](task_options& o) { o.start_from["in"] = offset{0}; };
  const auto end = h.log_end();
  h.open();
  h.settle();
  BOOST_TEST(h.log_end() == end);
  BOOST_TEST(h.lines("out").size() == 3u);
}

BOOST_AUTO_TEST_CASE(a_task_starts_at_the_earliest_retained_when_it_never_ran) {
  manual_host h{sums_app()};
  send(h, 0, 10);
  h.log().truncate_before({"in", partition{0}}, offset{6});
  h.open();
  h.settle();
  BOOST_TEST(h.lines("out").size() == 4u);
}

BOOST_AUTO_TEST_CASE(a_task_whose_position_and_state_are_gone_does_not_start) {
  manual_host h{sums_app()};
  ten_records(h);
  h.delete_state();
  must(h.log().forget_position(h.position_of("sums")));
  BOOST_TEST(refused(h.try_open(), errc::refused_start, {"input in", "birth record", "--fresh"}));
}

BOOST_AUTO_TEST_CASE(a_task_with_state_and_gap_replays_it_muted_and_goes_on) {
  manual_host h{sums_app()};
  ten_records(h);
  manual_host undisturbed{sums_app()};
  undisturbed.open();
  send(undisturbed, 0, 12);
  undisturbed.settle();
  h.open();
  const auto end = h.log_end();
  h.settle();
  BOOST_TEST(h.log_end() == end);  // muted
  BOOST_TEST(h.task("sums").progress().replayed == 5u);
  send(h, 10, 12);
  h.settle();
  BOOST_TEST(same(undisturbed.picture(), h.picture()));
}

BOOST_AUTO_TEST_CASE(a_task_whose_state_is_ahead_of_the_log_does_not_start) {
  manual_host h{sums_app()};
  ten_records(h);
  // Another log under the same id: it was restored from a backup, and has less.
  manual_host restored{sums_app(), 1, memory_log::create()};
  restored.open();
  send(restored, 0, 10);
  restored.run(restored.at("sums"), 3);
  restored.close(restored.at("sums"));
  restored.commit(restored.at("sums"));
  restored.crash();
  restored.adjust = [&](task_options& o) { o.state_folder = h.folder_of("sums"); };
  BOOST_TEST(refused(restored.try_open(), errc::refused_start,
                     {"the state is at 5", "committed position 3", "not the one"}));
}

BOOST_AUTO_TEST_CASE(a_task_whose_committed_position_expired_starts_only_when_told_to_adopt) {
  manual_host h{sums_app()};
  ten_records(h);
  h.open();
  h.settle(2, true);
  h.crash();
  must(h.log().forget_position(h.position_of("sums")));
  BOOST_TEST(
      refused(h.try_open(), errc::refused_start, {"the state is at 10", "--adopt-state-position"}));
  h.adjust = [](task_options& o) { o.adopt_state_position = true; };
  h.open();
  send(h, 10, 12);
  h.settle();
  BOOST_TEST(h.lines("out").size() == 12u);
}

BOOST_AUTO_TEST_CASE(an_adopted_position_that_the_epochs_topic_contradicts_is_refused) {
  manual_host h{sums_app()};
  ten_records(h);
  h.open();
  h.settle();
  h.task("sums").advance_event_time(minute(90));  // writes an epoch record after the snapshot
  h.settle();
  h.crash();
  must(h.log().forget_position(h.position_of("sums")));
  h.adjust = [](task_options& o) { o.adopt_state_position = true; };
  BOOST_TEST(refused(h.try_open(), errc::refused_start, {"epoch"}));
}

BOOST_AUTO_TEST_CASE(a_task_whose_unprocessed_input_was_deleted_does_not_start) {
  manual_host h{sums_app()};
  ten_records(h);
  send(h, 10, 15);
  h.log().truncate_before({"in", partition{0}}, offset{12});
  BOOST_TEST(refused(h.try_open(), errc::refused_start,
                     {"input in", "unprocessed input was deleted", "10", "12"}));
}

BOOST_AUTO_TEST_CASE(a_state_older_than_what_is_retained_needs_a_snapshot_or_rebuildable) {
  manual_host h{sums_app()};
  ten_records(h);
  h.log().truncate_before({"in", partition{0}}, offset{8});
  BOOST_TEST(refused(h.try_open(), errc::refused_start,
                     {"the state is at 5", "begins at 8", "restore a snapshot", "rebuildable"}));
  h.adjust = [](task_options& o) { o.rebuildable = true; };
  h.open();
  h.settle();
  BOOST_TEST(h.lines("out").size() == 10u);  // nothing again
  BOOST_TEST(h.task("sums").progress().replayed == 2u);
}

BOOST_AUTO_TEST_CASE(no_state_and_a_start_that_was_deleted_needs_a_snapshot_or_rebuildable) {
  manual_host h{sums_app()};
  ten_records(h);
  h.delete_state();
  h.log().truncate_before({"in", partition{0}}, offset{8});
  BOOST_TEST(refused(h.try_open(), errc::refused_start,
                     {"there is no state", "begins at 8", "restore a snapshot", "rebuildable"}));
  h.adjust = [](task_options& o) { o.rebuildable = true; };
  h.open();
  h.settle();
  BOOST_TEST(h.lines("out").size() == 10u);
}

BOOST_AUTO_TEST_CASE(no_state_and_the_start_still_there_is_replayed_from_the_start) {
  manual_host h{sums_app()};
  ten_records(h);
  h.open();
  h.settle();
  const auto before = h.dump();
  h.delete_state();
  h.open();
  const auto end = h.log_end();
  h.settle();
  BOOST_TEST(h.log_end() == end);
  BOOST_TEST(h.task("sums").progress().replayed == 10u);
  BOOST_TEST(h.dump() == before, boost::test_tools::per_element());
}

// Also of several inputs, whose epochs are replayed by their records, and when all have ended.
BOOST_AUTO_TEST_CASE(an_ordered_task_says_so_builds_its_state_anew_and_says_that) {
  for (const bool several : {false, true}) {
    for (const bool ended : {false, true}) {
      app a{"shop"};
      auto in = a.stream<reading>("in");
      (several ? in.merge("both", a.stream<reading>("in-2")) : in)
          .already_keyed(&reading::place)
          .fold<totals>("sums", [](totals& t, const reading& r) { t.add(r.value); })
          .to("out");
      manual_host h{a};
      h.until_end = ended;
      h.open();
      send(h, 0, 10);
      h.crash();
      h.open();
      h.settle(2);
      h.snapshot_all();
      const auto before = h.dump();
      const auto outputs = h.lines("out");
      BOOST_TEST(outputs.size() == 10u);
      const auto told = [&] {
        const auto p = must(h.log().position(h.position_of("sums")));
        return *decode_metadata(p->metadata);
      };

      h.task("sums").order_rebuild(1);
      BOOST_TEST(!h.task("sums").outdated());  // not yet committed
      h.settle();
      BOOST_TEST(h.task("sums").outdated());
      BOOST_TEST(told().rebuild_ordered == 1u);
      BOOST_TEST(told().rebuild_done == 0u);
      h.snapshot_all();  // of the old state

      h.crash();
      h.open();
      BOOST_TEST(h.task("sums").progress().replay_total == 10u);
      h.settle();
      BOOST_TEST(h.task("sums").progress().replayed == 10u);
      BOOST_TEST(!h.task("sums").outdated());
      BOOST_TEST(told().rebuild_ordered == 1u);
      BOOST_TEST(told().rebuild_done == 1u);
      BOOST_TEST(h.dump() == before, boost::test_tools::per_element());
      BOOST_TEST(h.lines("out") == outputs, boost::test_tools::per_element());

      h.task("sums").order_rebuild(1);  // again
      h.settle();
      BOOST_TEST(!h.task("sums").outdated());
      h.snapshot_all();
      h.crash();
      h.open();
      BOOST_TEST(h.task("sums").progress().replay_total == 0u);
    }
  }
}

BOOST_AUTO_TEST_CASE(the_birth_record_is_written_once_with_the_first_commit) {
  manual_host h{sums_app()};
  h.open();
  h.settle();
  BOOST_TEST(h.records("shop.sums.g1.epochs").empty());
  ten_records(h);
  h.open();
  h.settle();
  const auto all = h.records("shop.sums.g1.epochs");
  BOOST_TEST(std::count_if(all.begin(), all.end(),
                           [](const logged& r) { return is_birth(r.value); }) == 1);
}

BOOST_AUTO_TEST_CASE(a_task_of_another_topology_is_refused) {
  manual_host h{sums_app()};
  ten_records(h);
  app changed{"shop"};
  changed.stream<reading>("in")
      .filter("some", [](const reading&) { return true; })
      .already_keyed(&reading::place)
      .fold<totals>("sums", [](totals& t, const reading& r) { t.add(r.value); })
      .to("out");
  manual_host other{changed, 1, h.shared_log()};
  other.adjust = [&](task_options& o) { o.state_folder = h.folder_of("sums"); };
  BOOST_TEST(refused(other.try_open(), errc::incompatible, {"sums"}));
}

// ── sources ───────────────────────────────────────────────────────────────────────────────────

namespace {

app ingest_app(std::shared_ptr<source_rows> rows) {
  app a{"shop"};
  a.source<reading>("ingest", list_source(std::move(rows))).to("rows");
  return a;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_source_whose_position_was_deleted_while_rows_are_in_the_log_is_refused) {
  auto rows = std::make_shared<source_rows>();
  for (int i = 0; i < 10; ++i) rows->add({"a", minute(i), i});
  manual_host h{ingest_app(rows)};
  h.open();
  h.run(h.at("ingest"), 4);
  h.close(h.at("ingest"));
  h.commit(h.at("ingest"));
  h.crash();
  must(h.log().forget_position(h.position_of("ingest")));
  BOOST_TEST(
      refused(h.try_open(), errc::refused_start, {"input ingest", "birth record", "--fresh"}));
  BOOST_TEST(h.lines("rows").size() == 4u);
}

BOOST_AUTO_TEST_CASE(a_killed_source_still_knows_the_largest_time_of_its_valid_rows) {
  auto rows = std::make_shared<source_rows>();
  app a{"shop"};
  a.source<reading>("ingest", list_source(rows))
      .validate("near",
                [](const reading& r, const event_clock& clock) {
                  return clock.largest == min_time || r.at <= clock.largest + std::chrono::hours{1};
                })
      .to("rows");
  manual_host h{a};
  rows->add({"a", minute(600), 1});
  rows->add({"a", minute(700), 2});  // too far ahead: does not count as the largest
  h.open();
  h.settle();
  h.crash();
  rows->add({"a", minute(720), 3});  // too far from 600, near enough to 700
  rows->add({"a", minute(650), 4});
  rows->add({"a", minute(100), 5});
  rows->ended = true;
  h.open();
  h.settle();
  std::vector<std::int64_t> taken;
  for (const auto& r : h.records("rows"))
    taken.push_back(must(codec<reading>::decode(r.value)).value);
  const std::vector<std::int64_t> expected{1, 4, 5};
  BOOST_TEST(taken == expected, boost::test_tools::per_element());
  BOOST_TEST(h.dead_letters().size() == 2u);
}

BOOST_AUTO_TEST_CASE(a_source_finds_its_birth_record_behind_unused_offsets) {
  auto rows = std::make_shared<source_rows>();
  for (int i = 0; i < 3; ++i) rows->add({"a", minute(i), i});
  manual_host h{ingest_app(rows)};
  h.log().skip_offsets({h.topology().find("ingest")->epochs_topic(), partition{0}}, 2);
  h.open();  // offsets, but no record yet
  h.run(h.at("ingest"), 2);
  h.close(h.at("ingest"));
  h.commit(h.at("ingest"));
  rows->ended = true;
  h.open();
  h.settle();
  BOOST_TEST(h.finished());
  BOOST_TEST(h.records("rows").size() == 3u);
}

BOOST_AUTO_TEST_CASE(a_killed_source_neither_skips_nor_repeats_a_row) {
  auto rows = std::make_shared<source_rows>();
  for (int i = 0; i < 10; ++i) rows->add({"a", minute(i), i});
  rows->ended = true;
  manual_host h{ingest_app(rows)};
  for (int kill = 0; kill < 12; ++kill) {
    h.open();
    auto& t = h.at("ingest");
    h.run(t, 1);
    h.close(t);
    h.commit(t);
    h.run(t, 1);  // lost
    h.close(t);
    h.crash();
  }
  h.open();
  h.settle();
  BOOST_TEST(h.finished());
  const auto all = h.records("rows");
  BOOST_REQUIRE_EQUAL(all.size(), 10u);
  for (int i = 0; i < 10; ++i)
    BOOST_TEST(codec<reading>::decode(all[static_cast<std::size_t>(i)].value)->value == i);
}

BOOST_AUTO_TEST_SUITE_END()
