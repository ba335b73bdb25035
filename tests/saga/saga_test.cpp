// Aggregates that send each other commands, on a log in memory, in one thread: whatever dies when,
// and whatever becomes of a commit, each command is decided once, and its sender hears of it once.
#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "audit.hpp"
#include "bank_app.hpp"
#include "kappa/aggregate/command_record.hpp"
#include "saga/running_app.hpp"

namespace saga_tests {

namespace {

struct small_bank : running_app {
  small_bank() : running_app{bank::bank_app()} {}

  void open(const std::string& name, std::int64_t cents) {
    ask("accounts", name, 0, bank::open_account{cents});
  }
  pending_outcome transfer(const std::string& name, const std::string& from, const std::string& to,
                           std::int64_t cents) {
    return ask("transfers", name, 0, bank::start_transfer{from, to, cents});
  }
  std::int64_t balance(const std::string& name) {
    return at<bank::account>("accounts", name).state.balance_cents;
  }
  bank::stage stage_of(const std::string& name) {
    return at<bank::transfer>("transfers", name).state.stage;
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(saga)

BOOST_AUTO_TEST_CASE(a_transfer_moves_money_or_leaves_it_where_it_was) {
  small_bank b;
  b.open("ann", 100);
  b.open("bob", 0);
  b.transfer("good", "ann", "bob", 60);
  b.transfer("too-much", "bob", "ann", 1000);
  b.transfer("to-nobody", "ann", "nobody", 10);
  b.quiet();
  BOOST_TEST(b.balance("ann") == 40);
  BOOST_TEST(b.balance("bob") == 60);
  BOOST_TEST((b.stage_of("good") == bank::stage::completed));
  BOOST_TEST((b.stage_of("too-much") == bank::stage::failed));
  BOOST_TEST((b.stage_of("to-nobody") == bank::stage::failed));
  BOOST_TEST(b.records("bank.dead-letters") == 0U);
  bank::audit audit;
  must(audit.read(*b.log));
  BOOST_TEST(audit.open() == 0U);
  BOOST_TEST(audit.completed() == 1U);
  BOOST_TEST(audit.failed() == 2U);
  for (const auto& f : audit.findings(50, 1)) BOOST_ERROR(f);
}

BOOST_AUTO_TEST_CASE(a_sent_command_says_whose_it_is_and_the_result_what_it_came_to) {
  small_bank b;
  b.open("ann", 100);
  b.transfer("t", "ann", "nobody", 60);
  b.quiet();
  std::map<std::string, int> types;
  std::vector<std::string> ids;
  must(for_each_record(*b.log, "bank.accounts.commands", [&](const record_view& r) -> result<void> {
    const auto h = must(decode_command_headers(r.headers));
    ++types[h.type.name.substr(h.type.name.rfind(':') + 1)];
    BOOST_REQUIRE(h.result_to);
    BOOST_TEST(h.result_to->aggregate == "transfers");
    BOOST_TEST(h.result_to->key == "t");
    ids.push_back(h.id.value_or(""));
    return {};
  }));
  BOOST_TEST((types == std::map<std::string, int>{{"Withdraw", 1}, {"Deposit", 2}}));
  std::sort(ids.begin(), ids.end());
  BOOST_TEST((std::unique(ids.begin(), ids.end()) == ids.end()));
  std::multimap<std::string, std::string> results;
  must(
      for_each_record(*b.log, "bank.transfers.commands", [&](const record_view& r) -> result<void> {
        BOOST_TEST(*r.key == "t");
        const auto result = must(codec<command_result>::decode(*r.value));
        results.emplace(result.to, result.why_not());
        return {};
      }));
  BOOST_TEST((results == std::multimap<std::string, std::string>{
                             {"ann", ""}, {"ann", ""}, {"nobody", "there is no such account"}}));
}

// What was sent is in the log with the event that says so, and neither without the other.
BOOST_AUTO_TEST_CASE(whatever_dies_when_no_money_is_made_or_lost) {
  constexpr int transfers = 40;
  for (std::uint64_t seed = 1; seed <= 25; ++seed) {
    std::mt19937_64 dice{seed};
    const auto one_in = [&](std::uint64_t n) { return dice() % n == 0; };
    small_bank b;
    for (const auto* name : {"a", "b", "c", "d", "e"}) b.open(name, 500);
    b.quiet();
    b.log->set_commit_fault([&](const log_transaction&) {
      if (!one_in(8)) return commit_fault::none;
      return one_in(2)   ? commit_fault::abort
             : one_in(2) ? commit_fault::indefinite_lost
                         : commit_fault::indefinite_applied;
    });
    int lives = 1;
    int asked = 0;
    std::set<std::string> accepted;
    std::vector<std::pair<std::string, pending_outcome>> answers;
    while (asked < transfers || lives < 8) {
      for (int i = 0; i < 5 && asked < transfers; ++i, ++asked) {
        const auto name = fmt::format("t{}", asked);
        const std::string from{"abcde"[dice() % 5]};
        const std::string to{"abcdex"[dice() % 6]};
        answers.emplace_back(
            name, b.transfer(name, from, to, 1 + static_cast<std::int64_t>(dice() % 400)));
      }
      auto left = 1 + dice() % 12;
      // An error: a commit of which nobody knows what became of it.
      (void)b.runner->run_until_quiet({.budget = 1 + dice() % 3,
                                       .snapshots = one_in(2),
                                       .after_commit = [&] { return --left > 0; }});
      b.crash();
      if (one_in(4)) b.lose_states();
      ++lives;
      b.start();
    }
    b.log->set_commit_fault({});
    b.quiet();
    bank::audit audit;
    must(audit.read(*b.log));
    BOOST_TEST(audit.open() == 0U, "seed " << seed);
    for (const auto& f : audit.findings(10, seed)) BOOST_ERROR("seed " << seed << ": " << f);
    for (const auto& [name, answer] : answers) {
      if (*answer && std::holds_alternative<command_receipt>(**answer))
        BOOST_TEST(audit.has(name), "seed " << seed << ": " << name);
    }
    BOOST_TEST(b.records("bank.dead-letters") == 0U);
    std::int64_t all = 0;
    for (const auto* name : {"a", "b", "c", "d", "e"}) all += b.balance(name);
    BOOST_TEST(all == 2500, "seed " << seed);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace saga_tests
