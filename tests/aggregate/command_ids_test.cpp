// Commands with an id: asked again they are answered as the first time, and nothing happens twice.
#include <map>
#include <random>

#include "aggregate/one_partition.hpp"
#include "kappa/aggregate/command_id.hpp"
#include "kappa/aggregate/remembered.hpp"

namespace command_ids_tests {

namespace {

using namespace aggregate_tests;
using namespace std::chrono_literals;

/// What whoever asked was told, put into words.
std::string told(const pending_outcome& a) {
  if (!a->has_value()) return "nothing yet";
  if (const auto* r = std::get_if<command_receipt>(&**a)) {
    return fmt::format("version {}, {} events, reply {}", r->version, r->events,
                       printable(r->reply.value_or("none")));
  }
  if (const auto* r = std::get_if<rejection>(&**a))
    return "rejected: " + r->reason + printable(r->value);
  if (std::holds_alternative<version_conflict>(**a)) return "conflict";
  return std::get<error>(**a).text();
}

struct bank_with_an_account : open_partition {
  bank_with_an_account() {
    accepted("acc-1", do_open, bank::open{});
    accepted("acc-1", do_deposit, deposit{100'000});
  }
  /// All kinds of what a command may come to, each with an id.
  std::vector<std::string> ask_all() {
    const std::vector<pending_outcome> all{
        ask_as("one event", "acc-1", do_deposit, deposit{7}),
        ask_as("two events and a reply", "acc-1", do_withdraw, withdraw{10'000}),
        ask_as("nothing to do", "acc-1", do_open, bank::open{}),
        ask_as("rejected by a value", "acc-1", do_withdraw, withdraw{1'000'000}),
        ask_as("rejected in words", "acc-2", do_deposit, deposit{1}),
    };
    turn();
    std::vector<std::string> words;
    for (const auto& a : all) words.push_back(told(a));
    return words;
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(command_ids)

BOOST_AUTO_TEST_CASE(a_command_that_is_asked_again_is_answered_as_before_and_decided_once) {
  bank_with_an_account p;
  const auto first = p.ask_all();
  BOOST_TEST(first[0] == "version 3, 1 events, reply none");
  BOOST_TEST(first[1].starts_with("version 5, 2 events, reply "));
  BOOST_TEST(first[2] == "version 5, 0 events, reply none");
  BOOST_TEST(first[3].starts_with("rejected: insufficient funds"));
  BOOST_TEST(first[4] == "rejected: account is not open");
  const auto events = p.events().size();
  const auto outcomes = p.outcomes().size();
  BOOST_TEST(outcomes == 3U);
  p.accepted("acc-1", do_withdraw, withdraw{80'000});  // now they would be decided otherwise
  p.accepted("acc-2", do_open, bank::open{});
  BOOST_TEST(p.ask_all() == first, boost::test_tools::per_element());
  BOOST_TEST(p.events().size() == events + 3);
  BOOST_TEST(p.outcomes().size() == outcomes);
  BOOST_TEST(p.task->progress().repeated_commands == 5U);
}

BOOST_AUTO_TEST_CASE(a_new_life_remembers_by_snapshot_by_log_and_by_both) {
  bank_with_an_account p;
  const auto first = p.ask_all();
  p.accepted("acc-1", do_withdraw, withdraw{80'000});
  const auto events = p.events().size();
  p.restart();  // by the log
  BOOST_TEST(p.ask_all() == first, boost::test_tools::per_element());
  p.snapshot();
  const auto later = p.ask_as("later", "acc-1", do_deposit, deposit{1});
  const auto no = p.ask_as("no", "acc-3", do_deposit, deposit{1});
  p.turn();
  p.restart();  // by both
  BOOST_TEST(p.task->progress().replay_total == 2U);
  BOOST_TEST(p.ask_all() == first, boost::test_tools::per_element());
  const auto again = p.ask_as("later", "acc-1", do_deposit, deposit{1});
  const auto still = p.ask_as("no", "acc-3", do_deposit, deposit{1});
  p.turn();
  BOOST_TEST(told(again) == told(later));
  BOOST_TEST(told(still) == told(no));
  p.snapshot();
  p.restart();
  BOOST_TEST(p.task->progress().replay_total == 0U);
  BOOST_TEST(p.ask_all() == first, boost::test_tools::per_element());
  p.lose_state();
  p.restart();
  BOOST_TEST(p.ask_all() == first, boost::test_tools::per_element());
  BOOST_TEST(p.events().size() == events + 1);
}

BOOST_AUTO_TEST_CASE(a_command_that_is_asked_again_on_its_way_waits_for_the_same_commit) {
  bank_with_an_account p;
  const auto first = p.ask_as("a", "acc-1", do_deposit, deposit{1});
  p.run();
  const auto again_in_the_epoch = p.ask_as("a", "acc-1", do_deposit, deposit{1});
  p.run();
  const auto e = p.close();
  BOOST_REQUIRE(e);
  const auto again_in_flight = p.ask_as("a", "acc-1", do_deposit, deposit{1});
  p.run();
  for (const auto& a : {first, again_in_the_epoch, again_in_flight}) BOOST_TEST(!a->has_value());
  must(p.commit(e));
  for (const auto& a : {first, again_in_the_epoch, again_in_flight})
    BOOST_TEST(told(a) == "version 3, 1 events, reply none");
  BOOST_TEST(p.balance("acc-1") == 100'001);
}

BOOST_AUTO_TEST_CASE(what_was_not_committed_is_not_remembered_and_happens_when_it_is_asked_again) {
  bank_with_an_account p;
  const auto lost = p.ask_as("a", "acc-1", do_deposit, deposit{1});
  const auto refused = p.ask_as("b", "acc-2", do_deposit, deposit{1});
  p.run();
  BOOST_REQUIRE(p.close());
  p.restart();
  BOOST_TEST((failure(lost).code == errc::indefinite));
  BOOST_TEST((failure(refused).code == errc::indefinite));
  p.accepted("acc-2", do_open, bank::open{});
  const auto again = p.ask_as("a", "acc-1", do_deposit, deposit{1});
  const auto now = p.ask_as("b", "acc-2", do_deposit, deposit{1});
  p.turn();
  BOOST_TEST(told(again) == "version 3, 1 events, reply none");
  BOOST_TEST(told(now) == "version 2, 1 events, reply none");
}

BOOST_AUTO_TEST_CASE(an_id_with_another_command_is_refused_and_does_not_happen) {
  bank_with_an_account p;
  const auto first = p.ask_as("a", "acc-1", do_deposit, deposit{1});
  p.turn();
  for (const auto& other : {p.ask_as("a", "acc-1", do_deposit, deposit{2}),
                            p.ask_as("a", "acc-1", do_withdraw, withdraw{1}),
                            p.ask_as("a", "acc-9", do_deposit, deposit{1})}) {
    p.turn();
    BOOST_TEST((failure(other).code == errc::id_reused));
    BOOST_TEST(failure(other).text().find("command a") != std::string::npos);
  }
  BOOST_TEST(p.balance("acc-1") == 100'001);
}

BOOST_AUTO_TEST_CASE(what_was_not_decided_may_be_asked_again_by_the_same_id) {
  bank_with_an_account p;
  const auto conflict = p.ask_as("a", "acc-1", do_deposit, deposit{1}, 7);
  const auto thrown = p.ask_as("b", "acc-1", do_deposit, deposit{13});
  p.turn();
  BOOST_TEST(told(conflict) == "conflict");
  BOOST_TEST((failure(thrown).code == errc::user_code));
  const auto right = p.ask_as("a", "acc-1", do_deposit, deposit{1}, 2);
  const auto other = p.ask_as("b", "acc-1", do_deposit, deposit{14});
  p.turn();
  BOOST_TEST(told(right) == "version 3, 1 events, reply none");
  BOOST_TEST(told(other) == "version 4, 1 events, reply none");
  // And a version that has passed since says nothing against what has happened.
  const auto again = p.ask_as("a", "acc-1", do_deposit, deposit{1}, 2);
  p.turn();
  BOOST_TEST(told(again) == told(right));
  BOOST_TEST(p.outcomes().empty());
}

BOOST_AUTO_TEST_CASE(an_id_is_remembered_for_the_span_and_one_that_tells_its_time_is_refused_then) {
  bank_with_an_account p;
  p.now = system_now();
  const auto timed = new_command_id(p.now);
  const auto first = p.ask_as(timed, "acc-1", do_deposit, deposit{1});
  const auto plain = p.ask_as("plain", "acc-1", do_deposit, deposit{2});
  p.turn();
  p.now += 15min;
  for (const auto& [id, cents, then] :
       {std::tuple{timed, 1, first}, std::tuple{std::string{"plain"}, 2, plain}}) {
    const auto again = p.ask_as(id, "acc-1", do_deposit, deposit{cents});
    p.turn();
    BOOST_TEST(told(again) == told(then));
  }
  p.now += 1min;
  p.accepted("acc-1", do_deposit, deposit{4});  // an epoch
  const auto late = p.ask_as(timed, "acc-1", do_deposit, deposit{1});
  const auto forgotten = p.ask_as("plain", "acc-1", do_deposit, deposit{2});
  const auto early = p.ask_as(new_command_id(p.now + 16min), "acc-1", do_deposit, deposit{8});
  p.turn();
  BOOST_TEST((failure(late).code == errc::too_old));
  BOOST_TEST((failure(early).code == errc::invalid_argument));
  BOOST_TEST(told(forgotten) == "version 6, 1 events, reply none");  // for a new one
  BOOST_TEST(p.balance("acc-1") == 100'009);
}

BOOST_AUTO_TEST_CASE(an_id_of_no_form_is_refused_and_a_window_that_is_full_refuses_ids_alone) {
  one_partition p;
  p.window.max_bytes = 1 << 20;
  must(p.open());
  p.accepted("acc-1", do_open, bank::open{});
  const auto none = p.ask_as("", "acc-1", do_deposit, deposit{1});
  const auto long_one = p.ask_as(std::string(200, 'x'), "acc-1", do_deposit, deposit{1});
  p.turn();
  BOOST_TEST((failure(none).code == errc::invalid_argument));
  BOOST_TEST((failure(long_one).code == errc::invalid_argument));
  const auto last = p.fill_window("acc-1");
  BOOST_TEST((failure(last).code == errc::unavailable));
  BOOST_TEST(failure(last).retriable);
  BOOST_TEST(failure(last).text().find("max_bytes") != std::string::npos);
  const auto known = p.ask_as("17", "acc-1", do_deposit, deposit{0});
  const auto without = p.ask("acc-1", do_deposit, deposit{1});
  p.turn();
  BOOST_TEST(std::holds_alternative<command_receipt>(**known));
  BOOST_TEST(std::holds_alternative<command_receipt>(**without));
  p.now += 20min;
  p.accepted("acc-1", do_deposit, deposit{1});
  const auto later = p.ask_as("later", "acc-1", do_deposit, deposit{1});
  p.turn();
  BOOST_TEST(std::holds_alternative<command_receipt>(**later));
}

BOOST_AUTO_TEST_CASE(the_id_is_in_the_log_with_what_the_command_came_to) {
  bank_with_an_account p;
  (void)p.ask_all();
  const auto events = p.events();
  BOOST_REQUIRE(events.size() == 5U);
  command_header h;
  BOOST_REQUIRE(must(decode_command_header(events[3].headers, h)));
  BOOST_TEST(h.id == "two events and a reply");
  BOOST_TEST(h.reply.has_value());
  BOOST_TEST(!must(decode_command_header(events[4].headers, h)));  // the second of them
  BOOST_TEST(!must(decode_command_header(events[0].headers, h)));  // it had no id
  const auto outcomes = p.outcomes();
  BOOST_REQUIRE(outcomes.size() == 3U);
  BOOST_TEST(*outcomes[2].key == "acc-2");
  BOOST_REQUIRE(must(decode_command_header(outcomes[2].headers, h)));
  BOOST_TEST(h.id == "rejected in words");
  BOOST_TEST(!h.reply.has_value());  // nothing of the one before is left
  const auto outcome = must(decode_outcome(*outcomes[2].value));
  BOOST_TEST(std::get<rejection>(outcome).reason == "account is not open");
}

BOOST_AUTO_TEST_CASE(
    outcomes_that_retention_has_deleted_are_not_missed_and_damaged_ones_are_named) {
  bank_with_an_account p;
  (void)p.ask_all();
  p.snapshot();
  const auto last = p.ask_as("last", "acc-5", do_deposit, deposit{1});
  p.turn();
  p.crash();
  p.log->truncate_before(outcomes_of_accounts, offset{4});
  p.restart();
  p.lose_state();
  p.restart();
  const auto other = p.ask_as("other", "acc-5", do_deposit, deposit{1});
  p.turn();
  BOOST_TEST(told(other) == told(last));
  p.crash();
  {
    const auto writer = must(p.log->open_writer({"bank", "other"}));
    auto batch = std::make_shared<record_batch>();
    batch->add(p.now, "acc-1", "x");
    must(writer->commit({{{outcomes_of_accounts, batch}}, {}}));
  }
  must(p.open());
  BOOST_TEST(refused(p.task->run(64), errc::corrupt, {"bank.accounts.outcomes[0]@5"}));
}

BOOST_AUTO_TEST_CASE(a_commit_in_doubt_that_came_true_leaves_both_topics_places_right) {
  bank_with_an_account p;
  auto left = 1;
  p.log->set_commit_fault([&](const log_transaction&) {
    return left-- > 0 ? commit_fault::indefinite_applied : commit_fault::none;
  });
  const auto yes = p.ask_as("yes", "acc-1", do_deposit, deposit{1});
  const auto no = p.ask_as("no", "acc-2", do_deposit, deposit{1});
  p.run();
  const auto e = p.close();
  BOOST_REQUIRE(e);
  while (!p.commit(e)) continue;
  p.snapshot();
  p.restart();
  BOOST_TEST(p.task->progress().replay_total == 1U);  // the last event, which it passes over
  const auto yes_again = p.ask_as("yes", "acc-1", do_deposit, deposit{1});
  const auto no_again = p.ask_as("no", "acc-2", do_deposit, deposit{1});
  p.turn();
  BOOST_TEST(told(yes_again) == told(yes));
  BOOST_TEST(told(no_again) == told(no));
  BOOST_TEST(p.events().size() == 3U);
  BOOST_TEST(p.outcomes().size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_full_window_opens_by_itself_when_its_ids_are_old) {
  one_partition p;
  p.window.max_bytes = 1 << 20;
  must(p.open());
  p.accepted("acc-1", do_open, bank::open{});
  const auto last = p.fill_window("acc-1");
  BOOST_TEST((failure(last).code == errc::unavailable));
  p.snapshot();
  p.now += 20min;
  const auto later = p.ask_as("later", "acc-1", do_deposit, deposit{1});
  p.turn();
  BOOST_REQUIRE(later->has_value());
  BOOST_TEST(std::holds_alternative<command_receipt>(**later));
}

// The log keeps outcomes for longer than they are remembered.
BOOST_AUTO_TEST_CASE(
    a_state_that_is_made_anew_remembers_the_newest_of_an_id_and_nothing_that_is_over) {
  bank_with_an_account p;
  const auto old = p.ask_as("old", "acc-9", do_deposit, deposit{1});  // rejected
  const auto reused = p.ask_as("reused", "acc-1", do_deposit, deposit{1});
  p.turn();
  p.now += 40min;
  p.accepted("acc-1", do_deposit, deposit{4});
  const auto again = p.ask_as("reused", "acc-9", do_deposit, deposit{1});  // rejected
  p.turn();
  BOOST_TEST(told(again) == "rejected: account is not open");
  p.lose_state();
  p.restart();
  BOOST_TEST(p.task->progress().remembered_bytes < 200U);
  const auto same = p.ask_as("reused", "acc-9", do_deposit, deposit{1});
  p.turn();
  BOOST_TEST(told(same) == told(again));
}

// Clients that ask until they are told, and a task that dies at any point: each id comes to one
// thing, whoever is told is told that, and it is in the log once.
BOOST_AUTO_TEST_CASE(whatever_dies_when_each_id_comes_to_one_thing) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    BOOST_TEST_CONTEXT("seed " << seed) {
      std::mt19937 random{seed};
      const auto one_of = [&](unsigned n) { return random() % n; };
      open_partition p;
      p.limits.max_epochs_in_flight = 3;
      std::map<std::string, std::string> came_to;
      std::vector<std::pair<std::string, pending_outcome>> asked;
      std::deque<epoch_ptr> in_flight;
      const auto hear = [&] {
        for (auto& [id, a] : asked) {
          if (!a->has_value() || std::holds_alternative<error>(**a)) continue;
          const auto [at, first] = came_to.emplace(id, told(a));
          BOOST_TEST(at->second == told(a), id << ": " << at->second << ", then " << told(a));
        }
        std::erase_if(asked, [](const auto& a) { return a.second->has_value(); });
      };
      for (int step = 0; step < 400; ++step) {
        switch (one_of(12)) {
          default: {
            const auto n = one_of(60);
            const auto id = "id-" + std::to_string(n);
            const auto key = "acc-" + std::to_string(n % 3);
            const auto cents = static_cast<std::int64_t>(n) * 10 + 1;
            if (n % 20 == 0) {
              asked.emplace_back(id, p.ask_as(id, key, do_open, bank::open{}));
            } else if (n % 2 == 0) {
              asked.emplace_back(id, p.ask_as(id, key, do_deposit, deposit{cents}));
            } else {
              asked.emplace_back(id, p.ask_as(id, key, do_withdraw, withdraw{cents}));
            }
            p.run();
            break;
          }
          case 6:
          case 7:
            if (auto e = p.close()) in_flight.push_back(e);
            break;
          case 8:
          case 9:
            if (!in_flight.empty()) {
              must(p.commit(in_flight.front()));
              in_flight.pop_front();
            }
            break;
          case 10:
            if (one_of(4) != 0) break;
            if (in_flight.empty() && !p.task->should_close(p.now)) {
              p.snapshot();
            } else {
              p.write_snapshot();
            }
            break;
          case 11:
            if (one_of(6) != 0) break;
            in_flight.clear();
            if (one_of(2) == 0) {
              p.lose_state();
            } else {
              p.crash();
            }
            must(p.open());
            while (p.task->progress().phase == task_phase::replaying) must(p.task->run(7));
            break;
        }
        hear();
      }
      while (!in_flight.empty()) {
        must(p.commit(in_flight.front()));
        in_flight.pop_front();
      }
      p.turn();
      hear();
      BOOST_TEST(came_to.size() > 20U);
      std::map<std::string, int> in_log;
      for (const auto& where : {events_of_accounts, outcomes_of_accounts}) {
        for (const auto& r : p.records(where)) {
          if (command_header h; must(decode_command_header(r.headers, h))) ++in_log[h.id];
        }
      }
      for (const auto& [id, what] : came_to) BOOST_TEST(in_log[id] == 1, id << " " << what);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace command_ids_tests
