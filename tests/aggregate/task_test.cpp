// An aggregate's task over a log in memory: what is appended, who is answered when, and what a new
// life of the task knows.
#include "aggregate/one_partition.hpp"

namespace aggregate_task_tests {

namespace {

using namespace aggregate_tests;

}  // namespace

BOOST_AUTO_TEST_SUITE(aggregate_tasks)

BOOST_AUTO_TEST_CASE(events_are_plain_records_that_say_what_they_are) {
  open_partition p;
  p.accepted("acc-1", do_open, bank::open{});
  p.accepted("acc-1", do_deposit, deposit{20'000});
  const auto receipt = p.accepted("acc-1", do_withdraw, withdraw{10'000});
  BOOST_TEST(receipt.version == 4U);
  BOOST_TEST(receipt.events == 2U);
  BOOST_TEST((receipt.next == offset{4}));
  BOOST_TEST((receipt.reply == encoded(withdrawal_receipt{9'995})));
  const auto events = p.events();
  BOOST_TEST_REQUIRE(events.size() == 4U);
  const auto& last = events.back();
  BOOST_TEST(*last.key == "acc-1");
  BOOST_TEST((last.time == p.now));
  BOOST_TEST((must(codec<fee_charged>::decode(*last.value)) == fee_charged{5}));
  BOOST_TEST(
      (must(decode_envelope(last.headers)).schema == reference_to(codec<fee_charged>::schema())));
  BOOST_TEST((must(decode_event_header(last.headers)) == event_header{4, 1, 2}));
}

BOOST_AUTO_TEST_CASE(nobody_is_answered_before_the_events_are_durable) {
  open_partition p;
  const auto opened_it = p.ask("acc-1", do_open, bank::open{});
  const auto other = p.ask("acc-2", do_deposit, deposit{1});  // rejected, behind it
  p.run();
  const auto epoch = p.close();
  BOOST_REQUIRE(epoch);
  // It rests on what is not durable.
  const auto too_much = p.ask("acc-1", do_withdraw, withdraw{1});
  const auto conflict = p.ask("acc-1", do_deposit, deposit{1}, 7);
  const auto nothing = p.ask("acc-1", do_open, bank::open{});
  p.run();
  for (const auto& a : {opened_it, other, too_much, conflict, nothing}) BOOST_TEST(!a->has_value());
  BOOST_TEST(p.balance("acc-1") == -1);
  BOOST_TEST(p.balance("acc-1", read_level::latest) == 0);
  must(p.commit(epoch));
  BOOST_REQUIRE(opened_it->has_value());
  BOOST_TEST(std::get<command_receipt>(**opened_it).version == 1U);
  BOOST_REQUIRE(other->has_value());
  BOOST_TEST(std::get<rejection>(**other).reason == "account is not open");
  BOOST_REQUIRE(too_much->has_value());
  BOOST_TEST(
      (std::get<rejection>(**too_much).as<insufficient_funds>().value() == insufficient_funds{1}));
  BOOST_REQUIRE(conflict->has_value());
  BOOST_TEST((std::get<version_conflict>(**conflict) == version_conflict{7, 1}));
  BOOST_REQUIRE(nothing->has_value());
  BOOST_TEST(std::get<command_receipt>(**nothing).events == 0U);
  BOOST_TEST(std::get<command_receipt>(**nothing).version == 1U);
  BOOST_TEST(p.balance("acc-1") == 0);
}

BOOST_AUTO_TEST_CASE(where_nothing_is_on_its_way_a_rejection_is_told_at_once) {
  open_partition p;
  const auto rejected = p.ask("acc-1", do_deposit, deposit{1});
  p.run();
  BOOST_REQUIRE(rejected->has_value());
  BOOST_TEST(!p.task->should_close(p.now));
  BOOST_TEST(p.events().empty());
}

BOOST_AUTO_TEST_CASE(a_version_is_met_or_the_command_is_not_decided) {
  open_partition p;
  BOOST_TEST(std::get<command_receipt>(**[&] {
               auto a = p.ask("acc-1", do_open, bank::open{}, 0);
               p.turn();
               return a;
             }())
                 .version == 1U);
  const auto again = p.ask("acc-1", do_open, bank::open{}, 0);
  const auto right = p.ask("acc-1", do_deposit, deposit{5}, 1);
  const auto stale = p.ask("acc-1", do_deposit, deposit{6}, 1);
  p.turn();
  BOOST_TEST((std::get<version_conflict>(**again) == version_conflict{0, 1}));
  BOOST_TEST(std::get<command_receipt>(**right).version == 2U);
  BOOST_TEST((std::get<version_conflict>(**stale) == version_conflict{1, 2}));
  BOOST_TEST(p.balance("acc-1") == 5);
}

BOOST_AUTO_TEST_CASE(what_comes_while_a_commit_is_under_way_shares_the_next_one) {
  open_partition p;
  (void)p.ask("acc-1", do_open, bank::open{});
  p.run();
  const auto first = p.close();  // alone: at once
  BOOST_REQUIRE(first);
  std::vector<pending_outcome> all;
  for (int i = 0; i < 10; ++i) {
    all.push_back(p.ask("acc-1", do_deposit, deposit{1}));
    p.run();
    BOOST_TEST(!p.close());
  }
  must(p.commit(first));
  const auto second = p.close();
  BOOST_REQUIRE(second);
  BOOST_TEST(second->appends.front().records->count() == 10U);
  must(p.commit(second));
  for (const auto& a : all) BOOST_TEST(a->has_value());
  BOOST_TEST(p.balance("acc-1") == 10);
}

BOOST_AUTO_TEST_CASE(a_new_life_applies_the_events_and_decides_nothing) {
  open_partition p;
  p.accepted("acc-1", do_open, bank::open{});
  p.accepted("acc-1", do_deposit, deposit{700});
  p.snapshot();
  p.accepted("acc-1", do_deposit, deposit{50});
  const auto decisions = watched_account::decisions;
  p.restart();
  BOOST_TEST(p.task->progress().replayed == 1U);  // the snapshot has the others
  BOOST_TEST(p.balance("acc-1") == 750);
  p.lose_state();
  p.restart();
  BOOST_TEST(p.task->progress().replayed == 3U);
  BOOST_TEST(p.balance("acc-1") == 750);
  BOOST_TEST(watched_account::decisions == decisions);
  BOOST_TEST(p.accepted("acc-1", do_withdraw, withdraw{250}).version == 4U);
  p.restart();
  BOOST_TEST(p.balance("acc-1") == 500);
}

BOOST_AUTO_TEST_CASE(a_replay_writes_snapshots_on_its_way) {
  open_partition p;
  p.accepted("acc-1", do_open, bank::open{});
  for (int i = 0; i < 300; ++i) (void)p.ask("acc-1", do_deposit, deposit{1});
  p.turn();
  p.limits.max_dirty_bytes = 1;
  p.limits.read_bytes = 1;
  p.restart();
  BOOST_TEST(p.task->progress().snapshots > 0U);
  BOOST_TEST(p.balance("acc-1") == 300);
  p.limits = {};
  p.restart();
  BOOST_TEST(p.task->progress().replay_total < 301U);
  BOOST_TEST(p.balance("acc-1") == 300);
}

BOOST_AUTO_TEST_CASE(what_was_not_committed_has_not_happened_and_nobody_is_told_that_it_has) {
  open_partition p;
  p.accepted("acc-1", do_open, bank::open{});
  const auto closed_epoch = p.ask("acc-1", do_deposit, deposit{1});
  p.run();
  BOOST_REQUIRE(p.close());
  const auto open_epoch = p.ask("acc-1", do_deposit, deposit{2});
  p.run();
  const auto not_taken = p.ask("acc-1", do_deposit, deposit{4});
  p.crash();
  BOOST_TEST((failure(closed_epoch).code == errc::indefinite));
  BOOST_TEST((failure(open_epoch).code == errc::unavailable));  // it was never on its way
  BOOST_TEST(!not_taken->has_value());
  p.restart();  // where what has not been taken waits for it
  BOOST_REQUIRE(not_taken->has_value());
  BOOST_TEST(std::get<command_receipt>(**not_taken).version == 2U);
  BOOST_TEST(p.balance("acc-1") == 4);
}

BOOST_AUTO_TEST_CASE(a_commit_that_is_refused_for_now_is_made_again_and_nothing_is_decided_twice) {
  open_partition p;
  p.accepted("acc-1", do_open, bank::open{});
  const auto decisions = watched_account::decisions;
  auto left = 2;
  p.log->set_commit_fault([&](const log_transaction&) {
    return left-- > 0 ? commit_fault::abort : commit_fault::none;
  });
  const auto a = p.ask("acc-1", do_deposit, deposit{1});
  p.run();
  const auto e = p.close();
  BOOST_TEST(!p.commit(e));
  BOOST_TEST(!p.commit(e));
  BOOST_TEST(!a->has_value());
  must(p.commit(e));
  BOOST_TEST(std::get<command_receipt>(**a).version == 2U);
  BOOST_TEST(watched_account::decisions == decisions + 1);
}

BOOST_AUTO_TEST_CASE(a_command_that_fails_is_answered_and_leaves_nothing_behind) {
  open_partition p;
  p.accepted("acc-1", do_open, bank::open{});
  const auto before = p.ask("acc-1", do_deposit, deposit{1});
  const auto thrown = p.ask("acc-1", do_deposit, deposit{13});
  const auto unreadable = std::make_shared<std::optional<command_outcome>>();
  must(p.inbox->put({"acc-1", do_deposit, "nonsense", std::nullopt, std::nullopt,
                     [unreadable](command_outcome o) { *unreadable = std::move(o); }}));
  const auto after = p.ask("acc-1", do_deposit, deposit{2});
  p.turn();
  BOOST_TEST((failure(thrown).code == errc::user_code));
  BOOST_TEST(failure(thrown).text().find("thirteen") != std::string::npos);
  BOOST_TEST((failure(unreadable).code == errc::decode));
  BOOST_TEST(std::get<command_receipt>(**before).version == 2U);
  BOOST_TEST(std::get<command_receipt>(**after).version == 3U);
  BOOST_TEST(p.balance("acc-1") == 3);
}

BOOST_AUTO_TEST_CASE(a_snapshot_may_come_after_commands_that_gave_no_events) {
  open_partition p;
  p.accepted("acc-1", do_open, bank::open{});
  p.snapshot();
  for (const auto cents : {1'000'000, 13}) {  // rejected, thrown
    p.accepted("acc-1", do_deposit, deposit{2});
    (void)p.ask("acc-1", cents == 13 ? do_deposit : do_withdraw, withdraw{cents});
    p.snapshot();
    (void)p.ask("acc-1", do_open, bank::open{});  // nothing to do
    p.turn();
    p.accepted("acc-1", do_deposit, deposit{1});
  }
  p.restart();
  BOOST_TEST(p.balance("acc-1") == 6);
}

BOOST_AUTO_TEST_CASE(a_commit_that_came_true_although_nobody_said_so_leaves_a_snapshot_that_fits) {
  open_partition p;
  p.accepted("acc-1", do_open, bank::open{});
  p.accepted("acc-2", do_open, bank::open{});
  auto left = 1;
  p.log->set_commit_fault([&](const log_transaction&) {
    return left-- > 0 ? commit_fault::indefinite_applied : commit_fault::none;
  });
  const auto a = p.ask("acc-1", do_deposit, deposit{1});
  const auto b = p.ask("acc-2", do_deposit, deposit{2});
  p.run();
  const auto e = p.close();
  while (!p.commit(e)) continue;
  BOOST_TEST((std::get<command_receipt>(**a).next == offset{4}));
  BOOST_TEST(std::get<command_receipt>(**b).version == 2U);
  p.snapshot();
  p.restart();
  BOOST_TEST(p.task->progress().replayed == 0U);  // what the snapshot has is passed over
  BOOST_TEST(p.balance("acc-1") == 1);
  BOOST_TEST(p.balance("acc-2") == 2);
  BOOST_TEST(p.accepted("acc-1", do_deposit, deposit{1}).version == 3U);
}

// As after a commit in doubt whose task another process has moved on.
BOOST_AUTO_TEST_CASE(a_task_that_does_not_know_where_its_events_are_saves_nothing_and_starts_anew) {
  open_partition p;
  p.accepted("acc-1", do_open, bank::open{});
  const auto a = p.ask("acc-1", do_deposit, deposit{1});
  p.run();
  const auto e = p.close();
  p.task->committed(e->number, {offset{-1}});
  BOOST_TEST(std::get<command_receipt>(**a).version == 2U);
  BOOST_TEST(!must(p.task->close(p.now, true)));
  BOOST_TEST(!p.task->snapshot_ready().has_value());
  const auto again = p.task->run(64);
  BOOST_TEST(refused(again, errc::unavailable, {"starts anew"}));
  BOOST_TEST(again.error().retriable);
}

BOOST_AUTO_TEST_CASE(without_a_position_and_a_state_the_events_are_enough) {
  open_partition p;
  p.accepted("acc-1", do_open, bank::open{});
  p.accepted("acc-1", do_deposit, deposit{7});
  p.crash();
  must(p.log->forget_position({"bank", "accounts", generation{1}, partition{0}, "accounts"}));
  std::filesystem::remove_all(p.folder.path() / "state");
  p.restart();
  BOOST_TEST(p.balance("acc-1") == 7);
  BOOST_TEST(p.accepted("acc-1", do_deposit, deposit{1}).version == 3U);
}

BOOST_AUTO_TEST_CASE(whoever_is_answered_may_throw_and_the_others_are_answered) {
  open_partition p;
  p.accepted("acc-1", do_open, bank::open{});
  must(p.inbox->put({"acc-1", do_deposit, encoded(deposit{1}), std::nullopt, std::nullopt,
                     [](const command_outcome&) { throw std::runtime_error{"not mine"}; }}));
  BOOST_TEST(p.accepted("acc-1", do_deposit, deposit{2}).version == 3U);
}

BOOST_AUTO_TEST_CASE(an_event_that_the_topic_cannot_hold_is_refused_and_the_next_one_is_not) {
  one_partition p;
  p.max_record_bytes = 200;
  must(p.open());
  p.accepted("acc-1", do_open, bank::open{});
  const std::string long_key(500, 'k');
  const auto refused_one = p.ask(long_key, do_open, bank::open{});
  const auto next = p.ask("acc-1", do_deposit, deposit{1});
  p.turn();
  BOOST_TEST((failure(refused_one).code == errc::too_large));
  BOOST_TEST(std::get<command_receipt>(**next).version == 2U);
  BOOST_TEST(p.events().size() == 2U);
}

BOOST_AUTO_TEST_CASE(an_inbox_that_is_full_says_so) {
  one_partition p;
  p.inbox = std::make_shared<command_inbox>(2);
  must(p.inbox->put({"a", do_open, encoded(bank::open{})}));
  must(p.inbox->put({"b", do_open, encoded(bank::open{})}));
  const auto full = p.inbox->put({"c", do_open, encoded(bank::open{})});
  BOOST_TEST(refused(full, errc::unavailable, {"as many as may wait"}));
  BOOST_TEST(full.error().retriable);
  command_inbox small{1000, 100};
  must(small.put({std::string(100, 'k'), do_open, {}}));
  BOOST_TEST(refused(small.put({"k", do_open, {}}), errc::unavailable, {"as many as may wait"}));
}

BOOST_AUTO_TEST_CASE(a_record_of_another_program_stops_the_task_and_is_named) {
  struct foreign {
    const char* what;
    errc code;
    const char* says;
    bytes headers;
  };
  const auto headers = [](const schema_info& schema, const event_header& h) {
    bytes out;
    envelope e;
    e.schema = reference_to(schema);
    encode_envelope(out, e);
    const auto mine = encode_event_header(h);
    const header_view one{event_header_name, mine};
    encode_headers(out, {&one, 1});
    return out;
  };
  const auto plain = codec<deposited>::schema();
  for (const auto& f : {
           foreign{"no headers", errc::corrupt, "no aggregate has written it", {}},
           foreign{"a gap", errc::corrupt, "comes after event 1", headers(plain, {3, 0, 1})},
           foreign{"twice", errc::corrupt, "comes after event 1", headers(plain, {1, 0, 1})},
           foreign{"unknown", errc::incompatible, "bank.capnp:WithdrawalReceipt",
                   headers(codec<withdrawal_receipt>::schema(), {2, 0, 1})},
       }) {
    BOOST_TEST_CONTEXT(f.what) {
      open_partition p;
      p.accepted("acc-1", do_open, bank::open{});
      p.crash();
      {
        const auto writer = must(p.log->open_writer({"bank", "other"}));
        auto batch = std::make_shared<record_batch>();
        batch->add(p.now, "acc-1", encoded(deposited{1}), f.headers);
        must(writer->commit({{{events_of_accounts, batch}}, {}}));
      }
      must(p.open());
      const auto stopped = p.task->run(64);
      BOOST_TEST(refused(stopped, f.code, {"accounts[0]@1", f.says}));
    }
  }
}

BOOST_AUTO_TEST_CASE(events_that_are_not_in_the_log_any_more_are_refused) {
  open_partition p;
  p.accepted("acc-1", do_open, bank::open{});
  p.accepted("acc-1", do_deposit, deposit{700});
  p.snapshot();
  p.crash();
  p.log->truncate_before(events_of_accounts, offset{1});
  p.restart();  // the state has them
  BOOST_TEST(p.balance("acc-1") == 700);
  p.lose_state();
  BOOST_TEST(refused(p.open(), errc::refused_start,
                     {"accounts[0] begins at 1", "there is no state", "must never be deleted"}));
}

BOOST_AUTO_TEST_CASE(a_topic_that_was_emptied_behind_the_task_is_refused) {
  open_partition p;
  p.accepted("acc-1", do_open, bank::open{});
  p.lose_state();
  p.log->truncate_before(events_of_accounts, offset{1});
  BOOST_TEST(refused(p.open(), errc::refused_start, {"it has committed events", "accounts[0]"}));
}

BOOST_AUTO_TEST_CASE(a_state_that_is_ahead_of_the_log_is_refused) {
  open_partition p;
  p.accepted("acc-1", do_open, bank::open{});
  p.snapshot();
  p.crash();
  p.log = memory_log::create();  // a backup of the log, by the same id
  p.make_topics();
  BOOST_TEST(refused(p.open(), errc::refused_start, {"as of 1", "ends at 0"}));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace aggregate_task_tests
