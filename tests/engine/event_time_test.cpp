// DESIGN §4: event time moves only by logged facts.
#include <boost/test/unit_test.hpp>

#include <random>

#include "engine/list_source.hpp"
#include "engine/manual_host.hpp"

using namespace kappa;
using namespace engine_test;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(event_time)

using engine_test::reading;

namespace {

// in → place (hop) → sums (hourly) → again (hop) → best
app hops_app() {
  app a{"shop"};
  a.stream<reading>("in", {.idle_after = 1min})
      .key_by("place", &reading::place)
      .window(tumbling{1h}, {.lateness = 10min})
      .fold<totals>("sums", [](totals& t, const reading& r) { t.add(r.value); })
      .key_by("again", [](const auto& w) { return w.key; })
      .fold<totals>("best", [](totals& t, const auto& w) { t.add(w.value.sum); })
      .to("out");
  return a;
}

app merge_app() {
  app a{"shop"};
  a.stream<reading>("left", {.idle_after = 1min})
      .merge("both", a.stream<reading>("right", {.idle_after = 1min}))
      .already_keyed([](const reading&) { return std::string{"all"}; })
      .process<totals>("order",
                       [](totals& t, const reading& r) {
                         t.add(r.value);
                         return std::to_string(t.count) + ":" + r.place + std::to_string(r.value);
                       })
      .to("out");
  return a;
}

const std::string place_topic = "shop.place.g1.place";
const std::string again_topic = "shop.sums.g1.again";

}  // namespace

BOOST_AUTO_TEST_CASE(markers_go_to_every_partition_of_internal_topics_and_to_no_public_one) {
  manual_host h{hops_app(), 3};
  h.open();
  h.send("in", {"a", minute(5), 1});
  h.settle();
  for (int p = 0; p < 3; ++p) {
    const auto all = h.markers(place_topic, p);
    BOOST_REQUIRE_EQUAL(all.size(), 1u);
    BOOST_TEST(all[0].stage == "place");
    BOOST_TEST((all[0].task == partition{0}));
    BOOST_TEST((all[0].watermark == minute(5)));
    BOOST_TEST((all[0].through.at({"in", partition{0}}) == offset{1}));
    BOOST_TEST(h.markers("out", p).empty());
  }
}

BOOST_AUTO_TEST_CASE(a_marker_follows_its_data_in_the_same_transaction) {
  manual_host h{hops_app()};
  h.open();
  h.send("in", {"a", minute(5), 1});
  std::size_t with_both = 0;
  h.log().set_commit_fault([&](const log_transaction& tx) {
    for (const auto& a : tx.appends) {
      if (a.to.topic != place_topic) continue;
      std::vector<bool> is_marker;
      a.records->for_each([&](const record_view& r) {
        is_marker.push_back(r.headers.find(marker_header).has_value());
      });
      if (is_marker == std::vector<bool>{false, true}) ++with_both;
    }
    return commit_fault::none;
  });
  h.settle();
  BOOST_TEST(with_both == 1u);
}

BOOST_AUTO_TEST_CASE(nothing_closes_until_every_upstream_task_has_told_its_time) {
  manual_host h{hops_app(), 2};
  h.open();
  h.send("in", {"a", minute(5), 1}, 0);
  h.send("in", {"a", minute(300), 1}, 0);
  h.settle();
  BOOST_TEST(h.lines("out").empty());  // partition 1 has said nothing
  h.send("in", {"b", minute(80), 1}, 1);
  h.settle();
  BOOST_TEST(h.lines("out").size() == 1u);
}

BOOST_AUTO_TEST_CASE(the_last_markers_are_in_the_snapshot) {
  manual_host h{hops_app(), 2};
  h.open();
  h.send("in", {"a", minute(5), 1}, 0);
  h.send("in", {"a", minute(300), 1}, 0);
  h.settle();
  h.snapshot_all();
  // The marker of partition 0 is not read again after this start.
  h.open();
  for (auto& t : h.tasks()) BOOST_TEST(t.task->progress().replay_total == 0u);
  h.send("in", {"b", minute(80), 1}, 1);
  h.settle();
  BOOST_TEST(h.lines("out").size() == 1u);
}

BOOST_AUTO_TEST_CASE(the_task_that_reads_a_quiet_partition_declares_it_idle_in_the_log) {
  manual_host h{hops_app(), 2};
  h.open();
  h.send("in", {"a", minute(5), 1}, 0);
  h.send("in", {"a", minute(300), 1}, 0);
  h.settle();
  h.now += 59s;
  h.send("in", {"a", minute(301), 1}, 0);
  h.settle();
  BOOST_TEST(h.epoch_records("place", 1).empty());
  h.now += 2s;  // partition 1 has been quiet for over a minute, partition 0 for two seconds
  h.settle();
  BOOST_TEST(h.epoch_records("place", 0).empty());
  const auto records = h.epoch_records("place", 1);
  BOOST_REQUIRE_EQUAL(records.size(), 1u);
  BOOST_TEST(records[0].idle == std::vector<std::uint32_t>{0}, boost::test_tools::per_element());
  BOOST_TEST((records[0].clock == h.now));
  BOOST_TEST((h.markers(place_topic).back().kind == marker_kind::idle));
  BOOST_TEST(h.lines("out").size() == 1u);  // it holds nothing back any more

  // A record ends the idleness; it is judged by the watermark before it.
  h.send("in", {"late", minute(10), 1}, 1);
  h.send("in", {"fits", minute(310), 1}, 1);
  h.settle();
  BOOST_TEST((h.markers(place_topic).back().kind == marker_kind::watermark));
  BOOST_TEST(h.records("shop.sums.late").size() == 1u);

  // All of it is in the log: rebuilt from there, whatever the clock says.
  rebuilds_the_same(h);
}

BOOST_AUTO_TEST_CASE(a_record_that_waits_keeps_its_input_from_being_declared_idle) {
  for (const bool several : {false, true}) {
    manual_host h{several ? merge_app() : hops_app()};
    h.open();
    const std::string topic = several ? "left" : "in";
    h.send(topic, {"a", minute(5), 1});
    if (several) h.send("right", {"a", minute(5), 1});
    h.settle();
    h.now += 50s;
    if (several) h.send("right", {"a", minute(50), 1});
    h.settle();
    h.now += 11s;  // quiet for 61 s, but here is a record
    h.send(topic, {"a", minute(6), 1});
    h.settle();
    for (const auto& r : h.epoch_records(several ? "order" : "place")) BOOST_TEST(r.idle.empty());
  }
}

BOOST_AUTO_TEST_CASE(end_of_input_goes_through_several_hops) {
  manual_host h{hops_app(), 2};
  h.until_end = true;
  for (int i = 0; i < 40; ++i) h.send("in", {"k" + std::to_string(i % 5), minute(i * 7), 1}, i % 2);
  h.open();
  h.settle();
  BOOST_TEST(h.finished());
  std::int64_t sum = 0;
  std::map<bytes, std::int64_t> last;
  for (const auto& r : h.records("out")) last[*r.key] = must(codec<totals>::decode(r.value)).sum;
  for (const auto& [key, n] : last) sum += n;
  BOOST_TEST(sum == 40);
  for (int p = 0; p < 2; ++p) {
    BOOST_TEST((h.markers(place_topic, p).back().kind == marker_kind::end));
    BOOST_TEST((h.markers(again_topic, p).back().kind == marker_kind::end));
  }
  // The end's marker has the last real watermark, less the stage's lateness.
  BOOST_TEST((h.markers(again_topic).back().watermark == minute(39 * 7 - 10)));

  // After the end with the state deleted: nothing is appended anywhere, and the state is the same.
  const auto picture = h.picture();
  const auto end = h.log_end();
  h.delete_state();
  h.open();
  h.settle();
  BOOST_TEST(h.finished());
  BOOST_TEST(h.log_end() == end);
  BOOST_TEST(same(picture, h.picture()));
}

BOOST_AUTO_TEST_CASE(a_topic_that_grew_after_its_declared_end_is_refused) {
  manual_host h{hops_app()};
  h.until_end = true;
  h.send("in", {"a", minute(5), 1});
  h.open();
  h.settle();
  h.snapshot_all();
  h.send("in", {"a", minute(6), 1});
  h.until_end = false;
  BOOST_TEST(refused(h.try_open(), errc::refused_start, {"in[0]", "grown", "--fresh"}));
}

// The host decides whether to refuse: a job killed between its end and the last result must be
// able to come to it although others go on writing to its input.
BOOST_AUTO_TEST_CASE(until_end_goes_on_to_what_was_declared_the_end_when_the_topic_grew) {
  manual_host h{hops_app()};
  h.until_end = true;
  h.limits.max_epoch_bytes = 1;
  for (int hour = 0; hour < 5; ++hour) h.send("in", {"a", minute(60 * hour), 1});
  h.open();
  const auto turn = [&](const std::string& stage) {
    auto& t = h.at(stage);
    h.run(t, 1);
    h.close(t);
    h.commit(t);
  };
  while (!h.task("place").finished()) turn("place");
  while (h.records(again_topic).size() < 2) turn("sums");  // two of five windows are closed
  h.send("in", {"a", minute(600), 7});
  h.open();
  h.settle();
  BOOST_TEST(h.task("place").progress().behind_end == 1u);
  BOOST_TEST(h.finished());
  BOOST_TEST(h.lines("out").size() == 5u);
  BOOST_TEST((must(h.log().position(h.position_of("place")))->next == offset{5}));
  const auto picture = h.picture();
  h.delete_state();
  h.open();
  h.settle();
  BOOST_TEST(same(picture, h.picture()));
}

BOOST_AUTO_TEST_CASE(the_watermark_that_an_idle_marker_carries_counts) {
  // The second stage reads the watermark and the idleness at once, or with an epoch between.
  for (const bool at_once : {false, true}) {
    manual_host h{hops_app()};
    h.open();
    auto& place = h.at("place");
    const auto turn = [&](hosted_task& t) {
      h.run(t, 100);
      h.close(t);
      h.commit(t);
    };
    h.send("in", {"a", minute(5), 1});
    h.send("in", {"a", minute(300), 1});
    turn(place);
    if (!at_once) h.settle();
    h.now += 61s;
    turn(place);
    BOOST_TEST((h.markers(place_topic).back().kind == marker_kind::idle));
    h.settle();
    BOOST_TEST((h.task("best").progress().watermark == minute(290)));  // less the lateness
    BOOST_TEST(h.lines("out").size() == 1u);
  }
}

BOOST_AUTO_TEST_CASE(a_task_with_due_timers_does_not_say_that_it_is_idle) {
  app a{"shop"};
  a.stream<reading>("left", {.idle_after = 1min})
      .merge("both", a.stream<reading>("right", {.idle_after = 1min}))
      .already_keyed(&reading::place)
      .window(tumbling{1h})
      .fold<totals>("sums", [](totals& t, const reading& r) { t.add(r.value); })
      .key_by("again", [](const auto& w) { return w.key; })
      .fold<totals>("best", [](totals& t, const auto& w) { t.add(w.value.sum); })
      .to("out");
  manual_host h{a};
  h.open();
  for (int i = 0; i < 8; ++i) h.send("left", {"p" + std::to_string(i), minute(5), 1});
  h.send("left", {"a", minute(300), 1});
  h.send("right", {"b", minute(300), 1});
  auto& sums = h.at("sums");
  const auto turn = [&](std::size_t steps) {
    h.run(sums, steps);
    h.close(sums);
    h.commit(sums);
  };
  turn(10);
  turn(1);
  BOOST_TEST(h.records(again_topic).size() < 8u);  // windows are due
  h.now += 61s;                                    // and nothing came meanwhile
  for (int i = 0; i < 20; ++i) {
    turn(1);
    const auto told = h.markers(again_topic);
    if (!told.empty() && told.back().kind == marker_kind::idle) {
      BOOST_TEST(h.records(again_topic).size() >= 8u);
    }
  }
  BOOST_TEST((h.markers(again_topic).back().kind == marker_kind::idle));
}

BOOST_AUTO_TEST_CASE(a_rebuild_over_more_epochs_than_are_kept_in_memory_is_the_same) {
  manual_host h{merge_app()};
  h.limits.max_epoch_records = 1;
  h.open();
  auto& t = h.at("order");
  for (int i = 0; i < 1300; ++i) {
    h.send("left", {"l", minute(i), i});
    h.send("right", {"r", minute(i), i});
    h.run(t, 10);
    h.close(t);
    h.run(t, 10);
    h.close(t);
    h.commit(t);
  }
  h.settle();
  BOOST_TEST(h.epoch_records("order").size() > 1200u);
  const auto picture = h.picture();
  const auto end = h.log_end();
  h.delete_state();
  h.open();
  h.settle();
  BOOST_TEST(same(picture, h.picture()));
  BOOST_TEST(h.log_end() == end);
  // With a snapshot on the way of another rebuild.
  h.delete_state();
  h.limits.snapshot_interval = milliseconds{0};
  h.open();
  h.run(h.at("order"), 1500);
  h.close(h.at("order"));
  h.snapshot(h.at("order"));
  h.open();
  h.settle();
  BOOST_TEST(same(picture, h.picture()));
  BOOST_TEST(h.log_end() == end);
}

BOOST_AUTO_TEST_CASE(the_bounds_of_until_end_are_fixed_at_the_start) {
  manual_host h{hops_app()};
  h.until_end = true;
  h.send("in", {"a", minute(5), 1});
  h.open();
  h.send("in", {"a", minute(6), 1});
  h.settle();
  BOOST_TEST(h.finished());
  BOOST_TEST((must(h.log().position(h.position_of("place")))->next == offset{1}));
}

BOOST_AUTO_TEST_CASE(an_end_behind_unused_offsets_is_replayed) {
  for (const bool snapshots : {false, true}) {
    app a{"shop"};
    a.stream<reading>("in")
        .already_keyed(&reading::place)
        .window(tumbling{1h}, {.lateness = 10min})
        .fold<totals>("sums", [](totals& t, const reading& r) { t.add(r.value); })
        .to("out");
    manual_host h{a};
    h.until_end = true;
    h.log().skip_offsets({"in", partition{0}}, 3);
    h.send("in", {"a", minute(5), 1});
    h.log().skip_offsets({"in", partition{0}}, 2);
    h.send("in", {"b", minute(6), 1});
    h.log().skip_offsets({"in", partition{0}}, 4);
    h.open();
    h.settle(1, snapshots);
    BOOST_TEST(h.finished());
    BOOST_TEST(h.lines("out").size() == 2u);
    offset at{0};
    for (const auto& r : h.epoch_records("sums")) {  // positions move in epochs only
      BOOST_TEST((r.inputs.front().from >= at));
      at = r.inputs.front().to;
    }
    BOOST_TEST((at == must(h.log().bounds({"in", partition{0}})).latest));
    const auto picture = h.picture();
    const auto end = h.log_end();
    for (const bool until_end : {true, false}) {
      h.until_end = until_end;
      h.delete_state();
      h.open();
      h.settle();
      BOOST_TEST(h.log_end() == end);
      BOOST_TEST(h.finished());
      BOOST_TEST(same(picture, h.picture()));
    }
  }
}

BOOST_AUTO_TEST_CASE(unused_offsets_at_the_committed_position_do_no_harm) {
  for (int gap_at = 0; gap_at <= 4; ++gap_at) {
    for (const bool merge : {false, true}) {
      manual_host h{merge ? merge_app() : hops_app()};
      const std::string topic = merge ? "left" : "in";
      h.open();
      for (int i = 0; i < 4; ++i) {
        if (i == gap_at) h.log().skip_offsets({topic, partition{0}}, 3);
        h.send(topic, {"a", minute(i * 100), i});
        if (merge) h.send("right", {"b", minute(i * 90), i});
        h.settle(1);
        h.open();  // killed after each
      }
      if (gap_at == 4) h.log().skip_offsets({topic, partition{0}}, 3);
      h.until_end = true;
      h.open();
      h.settle(1);
      const auto picture = h.picture();
      BOOST_TEST(h.finished());
      BOOST_TEST(h.lines("out").size() == (merge ? 8u : 4u));
      h.delete_state();
      h.open();
      h.settle();
      BOOST_TEST(same(picture, h.picture()));
    }
  }
}

BOOST_AUTO_TEST_CASE(event_time_of_a_source_that_is_moved_by_hand_is_in_its_epoch_record) {
  auto rows = std::make_shared<source_rows>();
  app a{"shop"};
  a.source<reading>("ingest", list_source(rows)).to("rows");
  manual_host h{a};
  h.open();
  h.task("ingest").advance_event_time(minute(30));
  h.settle();
  const auto records = h.epoch_records("ingest");
  BOOST_REQUIRE_EQUAL(records.size(), 1u);
  BOOST_TEST((records.front().advance == minute(30)));
}

BOOST_AUTO_TEST_CASE(a_source_logs_its_end_with_its_last_rows) {
  auto rows = std::make_shared<source_rows>();
  for (int i = 0; i < 3; ++i) rows->add({"a", minute(i * 100), i});
  app a{"shop"};
  a.source<reading>("ingest", list_source(rows))
      .key_by("place", &reading::place)
      .window(tumbling{1h})
      .fold<totals>("sums", [](totals& t, const reading& r) { t.add(r.value); })
      .to("out");
  manual_host h{a};
  h.open();
  h.settle();
  BOOST_TEST(h.lines("out").size() == 2u);
  rows->add({"a", minute(301), 3});
  rows->ended = true;
  std::vector<std::size_t> with_end;
  h.log().set_commit_fault([&](const log_transaction& tx) {
    for (const auto& app : tx.appends) {
      app.records->for_each([&](const record_view& r) {
        const auto raw = r.headers.find(marker_header);
        if (raw && decode_marker(*raw)->kind == marker_kind::end)
          with_end.push_back(app.records->count());
      });
    }
    return commit_fault::none;
  });
  h.settle();
  BOOST_TEST(with_end == std::vector<std::size_t>{2}, boost::test_tools::per_element());
  BOOST_TEST(h.finished());
  BOOST_TEST(h.lines("out").size() == 4u);
  const auto end = h.log_end();
  h.open();
  h.settle();
  BOOST_TEST(h.log_end() == end);
  BOOST_TEST(h.finished());
}

// ── head merge ────────────────────────────────────────────────────────────────────────────────

BOOST_AUTO_TEST_CASE(heads_are_merged_by_the_largest_time_so_far_then_by_input) {
  manual_host h{merge_app()};
  h.open();
  for (const int m : {1, 5, 2, 9}) h.send("left", {"l", minute(m), m});
  for (const int m : {1, 3, 6, 9}) h.send("right", {"r", minute(m), m});
  h.settle();
  std::string order;
  for (const auto& r : h.records("out")) order += r.value.substr(r.value.find(':') + 1) + " ";
  // l2 comes after l5 and counts as it does; at equal times the first input goes first.
  BOOST_TEST(order == "l1 r1 r3 l5 l2 r6 l9 r9 ");
}

BOOST_AUTO_TEST_CASE(a_merge_is_replayed_as_it_was_whatever_came_when) {
  for (unsigned seed = 0; seed < 60; ++seed) {
    std::mt19937 random{seed};
    const auto upto = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
    manual_host h{merge_app()};
    h.limits.max_epoch_records = static_cast<std::size_t>(1 + upto(6));
    h.open();
    h.send("left", {"first", minute(0), 0});
    h.send("right", {"first", minute(0), 0});
    int sent = 2;
    for (int i = 0; i < 40; ++i) {
      switch (upto(9)) {
        case 0:
          h.settle(static_cast<std::size_t>(1 + upto(4)), upto(2) == 0);
          break;
        case 1:
          h.now += 61s;
          break;  // idle
        case 2:
          h.open();
          break;  // killed
        case 3:
          h.log().skip_offsets({upto(2) == 0 ? "left" : "right", partition{0}}, 2);
          break;
        case 4: {
          auto& t = h.at("order");
          h.run(t, static_cast<std::size_t>(1 + upto(5)));
          if (upto(2) == 0) h.close(t);
          break;
        }
        default:
          h.send(upto(2) == 0 ? "left" : "right", {"x", minute(i + upto(20) - 10), sent++});
      }
    }
    h.until_end = true;
    h.open();
    h.settle(3);
    BOOST_TEST_CONTEXT("seed " << seed) {
      BOOST_TEST(h.finished());
      BOOST_TEST(h.lines("out").size() == static_cast<std::size_t>(sent));
      const auto picture = h.picture();
      const auto end = h.log_end();
      h.delete_state();
      h.open();
      h.settle(2);
      BOOST_TEST(same(picture, h.picture()));
      BOOST_TEST(h.log_end() == end);
    }
  }
}

BOOST_AUTO_TEST_CASE(late_records_are_counted_and_on_the_late_topic_also_after_a_restart) {
  manual_host h{hops_app()};
  h.open();
  h.send("in", {"a", minute(5), 1});
  h.send("in", {"a", minute(69), 2});
  h.send("in", {"a", minute(6), 4});  // its window is open until minute 70
  h.send("in", {"a", minute(70), 8});
  h.settle();
  h.send("in", {"a", minute(7), 16});  // late
  h.send("in", {"a", minute(8), 32});  // late
  h.settle();
  const auto late = h.records("shop.sums.late");
  BOOST_REQUIRE_EQUAL(late.size(), 2u);
  BOOST_TEST(must(codec<reading>::decode(late[0].value)).value == 16);
  BOOST_TEST(h.task("sums").progress().late_records == 2u);
  h.open();
  h.settle();
  BOOST_TEST(h.task("sums").progress().late_records == 2u);
  h.snapshot_all();
  h.send("in", {"a", minute(9), 64});
  h.settle();
  h.open();
  h.settle();
  BOOST_TEST(h.task("sums").progress().late_records == 3u);
  BOOST_TEST(h.records("shop.sums.late").size() == 3u);
}

BOOST_AUTO_TEST_SUITE_END()
