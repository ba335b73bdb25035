// Contract: transactions, positions, and who may write.
#pragma once

#include <thread>

#include "log/contract.hpp"

namespace log_contract {

inline std::unique_ptr<log_writer> writer_of(fixture& f, const std::string& app,
                                             const std::string& instance = {}) {
  return must(f.log().open_writer({app, instance}));
}

LOG_CONTRACT(a_transaction_puts_records_and_positions_together) {
  f.make_room("app", "stage");
  const auto a = f.create("a", 2, "app");
  const auto b = f.create("b", 1, "app");
  const auto writer = writer_of(f, "app");
  const auto key = key_of("app", "stage", "in");
  log_transaction tx;
  tx.appends = {
      {tp(a, 0), batch_of({"1", "2"})}, {tp(a, 1), batch_of({"3"})}, {tp(b), batch_of({"4"})}};
  tx.moves = {{key, {offset{17}, "metadata"}}};
  const auto receipt = must(writer->commit(tx));
  BOOST_TEST((receipt.bases == std::vector<offset>{offset{0}, offset{0}, offset{0}}));
  const auto more = f.commit_offsets();
  BOOST_TEST((must(writer->commit(tx)).bases ==
              std::vector<offset>{offset{2 + more}, offset{1 + more}, offset{1 + more}}));
  BOOST_TEST((values_of(f.log(), tp(a, 0)) == std::vector<std::string>{"1", "2", "1", "2"}));
  BOOST_TEST((values_of(f.log(), tp(b)) == std::vector<std::string>{"4", "4"}));
  BOOST_TEST((must(f.log().position(key)) == committed_position{offset{17}, "metadata"}));
}

LOG_CONTRACT(several_appends_to_one_partition_keep_their_order) {
  const auto a = f.create("a", 1, "app");
  const auto writer = writer_of(f, "app");
  log_transaction tx;
  tx.appends = {{tp(a), batch_of({"1"})}, {tp(a), batch_of({"2", "3"})}, {tp(a), batch_of({"4"})}};
  BOOST_TEST(
      (must(writer->commit(tx)).bases == std::vector<offset>{offset{0}, offset{1}, offset{3}}));
  BOOST_TEST((values_of(f.log(), tp(a)) == std::vector<std::string>{"1", "2", "3", "4"}));
}

LOG_CONTRACT(a_transaction_may_move_positions_only_or_do_nothing) {
  f.make_room("app", "stage");
  const auto writer = writer_of(f, "app");
  log_transaction tx;
  must(writer->commit(tx));
  tx.moves = {{key_of("app", "stage", "in"), {offset{1}, {}}}};
  must(writer->commit(tx));
  BOOST_TEST((must(f.log().position(key_of("app", "stage", "in")))->next == offset{1}));
}

LOG_CONTRACT(an_aborted_transaction_leaves_no_trace) {
  f.make_room("app", "stage");
  const auto a = f.create("a", 2, "app");
  topic_config small;
  small.name = "small";
  small.owner = "app";
  small.max_record_bytes = 100;
  f.create(small);
  const auto writer = writer_of(f, "app");
  const auto key = key_of("app", "stage", "in");
  log_transaction good;
  good.appends = {{tp(a, 0), batch_of({"good"})}};
  good.moves = {{key, {offset{1}, {}}}};
  must(writer->commit(good));

  const auto refused = [&](log_transaction::append wrong, errc code) {
    log_transaction tx;
    tx.appends = {{tp(a, 0), batch_of({"bad"})}, {tp(a, 1), batch_of({"bad"})}, std::move(wrong)};
    tx.moves = {{key, {offset{2}, {}}}};
    must_fail(writer->commit(tx), code);
  };
  refused({tp("small"), batch_of({std::string(200, 'x')})}, errc::too_large);
  refused({tp("nowhere"), batch_of({"x"})}, errc::not_found);
  refused({tp(a, 2), batch_of({"x"})}, errc::not_found);
  refused({tp(a, 0), std::make_shared<record_batch>()}, errc::invalid_argument);

  BOOST_TEST((values_of(f.log(), tp(a, 0)) == std::vector<std::string>{"good"}));
  BOOST_TEST(must(f.log().bounds(tp(a, 1))).latest == offset{0});
  BOOST_TEST((must(f.log().position(key))->next == offset{1}));
  must(writer->commit(good));  // and the writer goes on
}

LOG_CONTRACT(two_stages_on_one_topic_never_see_each_others_positions) {
  const auto writer = writer_of(f, "app");
  f.make_room("app", "one", 2);
  f.make_room("app", "one", 1, 2);
  f.make_room("app", "two");
  const std::vector<position_key> keys{
      key_of("app", "one", "in", 0, 1), key_of("app", "one", "in", 0, 2),
      key_of("app", "one", "in", 1, 1), key_of("app", "two", "in", 0, 1)};
  for (std::size_t i = 0; i < keys.size(); ++i) {
    BOOST_TEST(!must(f.log().position(keys[i])));
    log_transaction tx;
    tx.moves = {{keys[i], {offset{std::int64_t(i) + 10}, std::to_string(i)}}};
    must(writer->commit(tx));
  }
  for (std::size_t i = 0; i < keys.size(); ++i) {
    BOOST_TEST((must(f.log().position(keys[i])) ==
                committed_position{offset{std::int64_t(i) + 10}, std::to_string(i)}));
  }
  BOOST_TEST(!must(f.log().position(key_of("app2", "one", "in"))));
}

LOG_CONTRACT(the_inputs_of_a_task_move_together_and_keep_their_own_positions) {
  const auto writer = writer_of(f, "app");
  f.make_room("app", "join");
  const auto left = key_of("app", "join", "left");
  const auto right = key_of("app", "join", "right and a \"file\" \n name");
  for (std::int64_t i = 1; i <= 3; ++i) {
    log_transaction tx;
    tx.moves = {{left, {offset{i}, "l"}}, {right, {offset{i * 100}, {}}}};
    must(writer->commit(tx));
    BOOST_TEST((must(f.log().position(left)) == committed_position{offset{i}, "l"}));
    BOOST_TEST((must(f.log().position(right)) == committed_position{offset{i * 100}, {}}));
  }
  BOOST_TEST(!must(f.log().position(key_of("app", "join", "neither"))));
}

LOG_CONTRACT(positions_of_an_app_are_listed_in_order) {
  f.make_room("app", "a", 11);
  f.make_room("app", "a", 1, 2);
  f.make_room("app", "ab");
  f.make_room("app2", "a");
  const auto writer = writer_of(f, "app");
  const auto other = writer_of(f, "app2");
  const std::vector<position_key> sorted{key_of("app", "a", "x", 0), key_of("app", "a", "x", 2),
                                         key_of("app", "a", "x", 10), key_of("app", "a", "x", 0, 2),
                                         key_of("app", "ab", "x", 0)};
  log_transaction tx;
  for (auto it = sorted.rbegin(); it != sorted.rend(); ++it)
    tx.moves.push_back({*it, {offset{3}, "m"}});
  must(writer->commit(tx));
  log_transaction tx2;
  tx2.moves = {{key_of("app2", "a", "x"), {offset{1}, {}}}};
  must(other->commit(tx2));

  const auto listed = must(f.log().positions("app"));
  BOOST_REQUIRE(listed.size() == sorted.size());
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    BOOST_TEST((listed[i].key == sorted[i]), listed[i].key.text());
    BOOST_TEST((listed[i].value == committed_position{offset{3}, "m"}));
  }
  BOOST_TEST(must(f.log().positions("app2")).size() == 1U);
  BOOST_TEST(must(f.log().positions("ap")).empty());
}

LOG_CONTRACT(metadata_of_a_position_is_any_bytes_up_to_2_KiB) {
  f.make_room("app", "stage");
  const auto writer = writer_of(f, "app");
  const auto key = key_of("app", "stage", "in");
  std::string binary(2048, '\0');
  for (std::size_t i = 0; i < binary.size(); ++i) binary[i] = static_cast<char>(i * 7);
  log_transaction tx;
  tx.moves = {{key, {offset{1}, binary}}};
  must(writer->commit(tx));
  BOOST_TEST((must(f.log().position(key))->metadata == binary));
  tx.moves = {{key, {offset{2}, binary + "x"}}};
  must_fail(writer->commit(tx), errc::too_large, "2048");
  BOOST_TEST((must(f.log().position(key))->next == offset{1}));
}

LOG_CONTRACT(a_position_of_another_app_or_without_names_is_refused) {
  const auto writer = writer_of(f, "app");
  for (const auto& key : {key_of("other", "stage", "in"), key_of("app", "", "in"),
                          key_of("app", "stage", ""), key_of("app", "stage", "in", -1)}) {
    log_transaction tx;
    tx.moves = {{key, {offset{1}, {}}}};
    must_fail(writer->commit(tx), errc::invalid_argument);
  }
  log_transaction tx;
  tx.moves = {{key_of("app", std::string(300, 's'), std::string(249, 'i')), {offset{1}, {}}}};
  must_fail(writer->commit(tx), errc::too_large);
}

LOG_CONTRACT(a_position_is_forgotten_only_while_its_app_does_not_run) {
  f.make_room("app", "stage");
  const auto key = key_of("app", "stage", "in");
  {
    const auto writer = writer_of(f, "app", "the runner");
    log_transaction tx;
    tx.moves = {{key, {offset{1}, {}}}};
    must(writer->commit(tx));
    must_fail(f.log().forget_position(key), errc::owned, "the runner");
  }
  must(f.log().forget_position(key));
  BOOST_TEST(!must(f.log().position(key)));
  must_fail(f.log().forget_position(key), errc::not_found);
}

LOG_CONTRACT(positions_are_there_after_a_restart) {
  f.make_room("app", "stage");
  const auto key = key_of("app", "stage", "in");
  {
    const auto writer = writer_of(f, "app");
    log_transaction tx;
    tx.moves = {{key, {offset{5}, "m"}}};
    must(writer->commit(tx));
  }
  f.reopen();
  BOOST_TEST((must(f.log().position(key)) == committed_position{offset{5}, "m"}));
}

// ---- ownership

LOG_CONTRACT(a_second_writer_of_an_app_is_refused_and_told_who_has_it) {
  const auto first = writer_of(f, "app", "the first one");
  must_fail(f.log().open_writer({"app", "the second one"}), errc::owned, "the first one");
  writer_of(f, "app2");  // another app is another matter
}

LOG_CONTRACT(who_has_an_app_can_be_asked_without_disturbing_it) {
  f.make_room("app", "stage");
  BOOST_TEST(!must(f.log().holder("app")));
  must_fail(f.log().holder("no app"), errc::invalid_argument);
  writer_term term;
  {
    const auto writer = writer_of(f, "app", "the first one");
    term = writer->term();
    const auto holder = must(f.log().holder("app"));
    BOOST_REQUIRE(holder.has_value());
    BOOST_TEST(holder->find("the first one") != std::string::npos);
    BOOST_TEST(!must(f.log().holder("app2")));
    must(writer->commit({{}, {{key_of("app", "stage", "in"), {offset{1}, {}}}}}));
  }
  BOOST_TEST(!must(f.log().holder("app")));
  f.reopen();
  BOOST_TEST(!must(f.log().holder("app")));
  BOOST_TEST((writer_of(f, "app")->term() == writer_term{term.value + 1}));
}

LOG_CONTRACT(a_new_writer_has_a_higher_term) {
  auto term = writer_of(f, "app")->term();
  for (int i = 0; i < 3; ++i) {
    if (i == 1) f.reopen();
    const auto next = writer_of(f, "app")->term();
    BOOST_TEST((next > term));
    term = next;
  }
}

LOG_CONTRACT(a_writer_whose_app_was_taken_over_writes_nothing) {
  f.make_room("app", "stage");
  const auto a = f.create("a", 1, "app");
  const auto old = writer_of(f, "app");
  log_transaction tx;
  tx.appends = {{tp(a), batch_of({"old"})}};
  tx.moves = {{key_of("app", "stage", "in"), {offset{1}, {}}}};
  must(old->commit(tx));
  f.lose_lock("app");
  const auto fresh = writer_of(f, "app");
  tx.appends = {{tp(a), batch_of({"zombie"})}};
  tx.moves = {{key_of("app", "stage", "in"), {offset{2}, {}}}};
  must_fail(old->commit(tx), errc::fenced, "app");
  tx.appends = {{tp(a), batch_of({"fresh"})}};
  must(fresh->commit(tx));
  BOOST_TEST((values_of(f.log(), tp(a)) == std::vector<std::string>{"old", "fresh"}));
}

LOG_CONTRACT(a_topic_has_writers_inside_one_app_or_outside_not_both) {
  const auto outside = f.create("outside");
  const auto mine = f.create("mine", 1, "app");
  const auto others = f.create("others", 1, "other");
  const auto writer = writer_of(f, "app");
  const auto commit_to = [&](const std::string& topic) {
    log_transaction tx;
    tx.appends = {{tp(topic), batch_of({"x"})}};
    return writer->commit(tx);
  };
  must(commit_to(mine));
  must_fail(commit_to(outside), errc::owned, "outside");
  must_fail(commit_to(others), errc::owned, "other");
  must(f.log().append(tp(outside), *batch_of({"x"})));
  must_fail(f.log().append(tp(mine), *batch_of({"x"})), errc::owned, "mine");
}

LOG_CONTRACT(an_app_needs_a_plain_name) {
  for (const auto* app : {"", "a/b", "..", "a b"}) {
    must_fail(f.log().open_writer({app, {}}), errc::invalid_argument);
  }
}

LOG_CONTRACT(writers_of_several_apps_and_outsiders_work_at_the_same_time) {
  const auto outside = f.create("outside");
  std::vector<std::thread> running;
  for (const std::string app : {"one", "two"}) {
    f.create(app + "-out", 1, app);
    f.make_room(app, "stage");
    running.emplace_back([&f, app, writer = writer_of(f, app)] {
      log_transaction tx;
      tx.appends = {{tp(app + "-out"), batch_of({"x"})}};
      for (std::int64_t i = 1; i <= 50; ++i) {
        tx.moves = {{key_of(app, "stage", "in"), {offset{i}, {}}}};
        (void)writer->commit(tx);
      }
    });
  }
  running.emplace_back([&] {
    for (int i = 0; i < 50; ++i) (void)f.log().append(tp(outside), *batch_of({"x"}));
  });
  for (auto& r : running) r.join();
  for (const std::string app : {"one", "two"}) {
    BOOST_TEST(values_of(f.log(), tp(app + "-out")).size() == 50U);
    BOOST_TEST((must(f.log().position(key_of(app, "stage", "in")))->next == offset{50}));
  }
  BOOST_TEST(must(f.log().bounds(tp(outside))).latest == offset{50});
}

}  // namespace log_contract
