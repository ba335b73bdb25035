// Commands that streams send to aggregates.
#include <set>

#include "bank_app.hpp"
#include "engine/list_source.hpp"
#include "kappa/aggregate/command_record.hpp"
#include "kappa/testing/driver.hpp"
#include "saga/running_app.hpp"
#include "support/must.hpp"

namespace reaction_tests {

namespace {

using namespace kappa;
using namespace std::chrono_literals;
using bank::account;
using testing::driver;
using testing::ts;

std::optional<outgoing_command> pay(const std::string& who) {
  if (who == "nobody") return std::nullopt;
  return command_to(who, bank::deposit{5, "pay"});
}

// Whoever is named in the topic "wages" gets money; and a bonus, by two commands, for each minute
// with two wages or more.
kappa::app payroll() {
  auto app = bank::bank_app();
  auto wages = app.stream<std::string>("wages");
  wages.send("pay", pay);
  wages.key_by("who", [](const std::string& who) { return who; })
      .window(tumbling{1min})
      .fold<std::int64_t>("wages-by-minute", [](std::int64_t& n, const std::string&) { ++n; })
      .send("bonus", [](const windowed<std::string, std::int64_t>& w) {
        std::vector<outgoing_command> all;
        if (w.value < 2) return all;
        all.push_back(command_to(w.key, bank::deposit{100, "bonus"}));
        all.push_back(command_to(w.key, bank::withdraw{1, "tax"}));
        return all;
      });
  return app;
}

std::int64_t balance(driver& d, const std::string& who) {
  return d.entry<account>(who)->state.balance_cents;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(reactions)

// The driver's shadows die after each commit, with and without snapshots.
BOOST_AUTO_TEST_CASE(what_a_stream_sends_is_decided_once) {
  driver d{payroll(), {.partitions = 3, .steps_per_epoch = 1}};
  d.ask<account>("ann", bank::open_account{0});
  d.ask<account>("bob", bank::open_account{0});
  for (const auto* who : {"ann", "bob", "nobody", "ann"})
    d.send("wages", std::string{who}, ts("2024-01-01T00:00:10"));
  d.restart();
  BOOST_TEST(balance(d, "ann") == 10);
  BOOST_TEST(balance(d, "bob") == 5);
  d.advance_event_time(ts("2024-01-01T00:02"));
  BOOST_TEST(balance(d, "ann") == 109);
  BOOST_TEST(balance(d, "bob") == 5);
}

BOOST_AUTO_TEST_CASE(a_replay_sends_nothing) {
  saga_tests::running_app app{payroll()};
  app.ask("accounts", "ann", 0, bank::open_account{0});
  record_batch wages;
  for (int i = 0; i < 5; ++i) wages.add(ts("2024-01-01T00:00:10"), "ann", "ann");
  kappa::test::must(app.log->append({"wages", partition{0}}, wages));
  app.quiet();
  app.runner->advance_event_time(ts("2024-01-01T00:02"));
  app.quiet();
  const auto sent = app.records("bank.accounts.commands");
  BOOST_TEST(sent == 7U);
  app.crash();
  app.lose_states();
  app.start();
  app.quiet();
  BOOST_TEST(app.records("bank.accounts.commands") == sent);
  BOOST_TEST(app.at<account>("accounts", "ann").state.balance_cents == 5 * 5 + 99);
}

BOOST_AUTO_TEST_CASE(a_source_sends_too_once_for_each_row) {
  auto rows = std::make_shared<engine_test::source_rows>();
  auto app = bank::bank_app();
  app.source<engine_test::reading>("file", engine_test::list_source(rows))
      .send("pay", [](const engine_test::reading& r) {
        return command_to(r.place, bank::deposit{r.value, "file"});
      });
  saga_tests::running_app running{app};
  running.ask("accounts", "ann", 0, bank::open_account{0});
  for (int n = 1; n <= 3; ++n) rows->add({"ann", ts("2024-01-01"), n});
  running.quiet();
  running.restart();
  rows->add({"ann", ts("2024-01-01"), 4});
  running.quiet();
  BOOST_TEST(running.at<account>("accounts", "ann").state.balance_cents == 10);
  BOOST_TEST(running.records("bank.accounts.commands") == 4U);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_sent_is_a_dead_letter_and_nothing_of_the_step_remains) {
  auto app = bank::bank_app();
  const auto names =
      app.stream<std::string>("names")
          .already_keyed([](const std::string& n) { return n; })
          .process<std::int64_t>("counted", [](std::int64_t& n, const std::string& name) {
            ++n;
            return name;
          });
  names.to("copies");
  names.send("wrong", [](const std::string& n) {
    std::vector<outgoing_command> all{command_to(n, bank::deposit{1, ""})};
    if (n == "unknown") all.push_back(command_to(n, bank::deposited{1, ""}));
    if (n == "key") all.push_back(command_to(7, bank::deposit{1, ""}));
    if (n == "large") all.push_back(command_to(n, bank::deposit{1, std::string(2 << 20, 'x')}));
    if (n == "throws") throw std::runtime_error{"not today"};
    return all;
  });
  driver d{app};
  for (const auto* n : {"unknown", "key", "large", "throws"})
    d.send("names", std::string{n}, ts("2024-01-01"));
  std::string why;
  for (const auto& dead : d.dead_letters()) {
    for (const auto& [name, value] : dead.headers)
      if (name == "kappa.error") why += value + "\n";
  }
  for (const auto* text : {"no aggregate of the app has it in its protocol",
                           "the keys of \"accounts\" are of another type",
                           "a record of bank.accounts.commands may have 1048576", "not today"}) {
    BOOST_TEST(why.find(text) != std::string::npos, text << " is not in " << why);
  }
  BOOST_TEST(d.read<std::string>("copies").empty());
  BOOST_TEST(!d.get<std::int64_t>("counted", std::string{"throws"}).has_value());
  BOOST_TEST(d.read_records<bytes>("bank.accounts.commands").empty());
}

BOOST_AUTO_TEST_CASE(commands_tell_their_cause_and_have_ids_that_follow_from_it) {
  const auto ids = [] {
    driver d{payroll()};
    d.send("wages", std::string{"ann"}, ts("2024-01-01T00:00:10"));
    d.send("wages", std::string{"ann"}, ts("2024-01-01T00:00:20"));
    d.advance_event_time(ts("2024-01-01T00:02"));
    std::vector<bytes> all;
    for (const auto& r : d.read_records<bytes>("bank.accounts.commands")) {
      bytes cause;
      for (const auto& [name, value] : r.headers) {
        if (name == "kappa.id") all.push_back(value);
        if (name == "kappa.cause") cause = value;
      }
      BOOST_TEST(!cause.empty());
      BOOST_TEST((r.time < ts("2002-01-01")));  // the clock's: the topic keeps what is recent
    }
    return all;
  };
  const auto first = ids();
  BOOST_TEST(first.size() == 4U);  // two wages, and two of the bonus
  BOOST_TEST((std::set<bytes>{first.begin(), first.end()}.size() == 4U));
  BOOST_TEST((ids() == first));
}

// Stages have names by their outputs: none that comes to the stream takes the send to another one.
BOOST_AUTO_TEST_CASE(other_outputs_of_the_stream_come_and_go_and_nothing_is_sent_again) {
  const auto version = [](int n) {
    auto app = bank::bank_app();
    auto wages = app.stream<std::string>("wages");
    if (n == 4) wages.send("first", [](const std::string&) { return pay("nobody"); });
    wages.send("pay", pay);
    const auto who = [](const std::string& name) { return name; };
    const auto count = [](std::int64_t& so_far, const std::string&) { ++so_far; };
    if (n == 1) wages.to("audit");
    if (n == 2) wages.key_by("who", who).fold<std::int64_t>("n", count);
    if (n == 3) wages.already_keyed(who).fold<std::int64_t>("m", count);
    return app;
  };
  saga_tests::running_app app{version(0)};
  app.ask("accounts", "ann", 0, bank::open_account{0});
  record_batch wages;
  for (int i = 0; i < 5; ++i) wages.add(ts("2024-01-01"), "ann", "ann");
  kappa::test::must(app.log->append({"wages", partition{0}}, wages));
  app.quiet();
  for (const int n : {1, 2, 3, 4, 0}) {
    app.crash();
    app.options.topology =
        std::make_shared<const topology>(kappa::test::must(topology::compile(version(n))));
    app.start();
    app.quiet();
    BOOST_TEST(app.records("bank.accounts.commands") == 5U, "version " << n);
  }
}

BOOST_AUTO_TEST_CASE(a_reaction_that_comes_later_can_begin_with_what_comes_then) {
  auto later = bank::bank_app();
  later.events<account>("accounts", {.start = start_at::latest})
      .send("bonus", [](const event_of<account>& e) {
        const auto* opened = e.as<bank::account_opened>();
        return opened != nullptr ? std::optional{command_to(e.key, bank::deposit{1, "bonus"})}
                                 : std::nullopt;
      });
  saga_tests::running_app app{bank::bank_app()};
  app.ask("accounts", "ann", 0, bank::open_account{0});
  app.quiet();
  app.crash();
  app.options.topology =
      std::make_shared<const topology>(kappa::test::must(topology::compile(later)));
  app.start();
  app.quiet();  // it is born, and nothing has happened
  const auto become = [&](const kappa::app& version) {
    app.crash();
    app.options.topology =
        std::make_shared<const topology>(kappa::test::must(topology::compile(version)));
    app.start();
  };
  become(bank::bank_app());
  app.ask("accounts", "bob", 0, bank::open_account{0});  // while it is away
  app.quiet();
  become(later);
  app.quiet();
  app.ask("accounts", "cid", 0, bank::open_account{0});
  app.quiet();
  BOOST_TEST(app.at<account>("accounts", "ann").state.balance_cents == 0);
  BOOST_TEST(app.at<account>("accounts", "bob").state.balance_cents == 1);
  BOOST_TEST(app.at<account>("accounts", "cid").state.balance_cents == 1);
}

BOOST_AUTO_TEST_CASE(sends_have_names_of_their_own) {
  auto app = payroll();
  app.stream<std::string>("more").send("pay", pay);
  BOOST_TEST(topology::compile(app).error().text().find("two sends are named \"pay\"") !=
             std::string::npos);
}

BOOST_AUTO_TEST_CASE(an_app_without_aggregates_cannot_send) {
  kappa::app app{"a"};
  app.stream<std::string>("wages").send("pay", pay);
  const auto t = topology::compile(app);
  BOOST_TEST(!t);
  BOOST_TEST(t.error().text().find("send \"pay\": the app has no aggregate") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace reaction_tests
