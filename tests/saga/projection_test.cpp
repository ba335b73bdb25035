// Streams over the events of aggregates, and what a test of an app with both reads like.
#include "bank_app.hpp"
#include "kappa/testing/driver.hpp"
#include "saga/running_app.hpp"
#include "support/refused.hpp"

namespace projection_tests {

namespace {

using namespace kappa;
using bank::account;
using account_event = event_of<account>;
using kappa::test::refused;
using testing::driver;

void note(std::string& all, const account_event& e) {
  all += fmt::format("{}: {}", e.key, e.version);
  if (const auto* o = e.as<bank::account_opened>()) all += fmt::format(" +{}", o->deposit_cents);
  if (const auto* d = e.as<bank::deposited>()) all += fmt::format(" +{}", d->amount_cents);
  if (const auto* w = e.as<bank::withdrawn>()) all += fmt::format(" -{}", w->amount_cents);
  all += "; ";
}

std::int64_t change(const account_event& e) {
  if (const auto* o = e.as<bank::account_opened>()) return o->deposit_cents;
  if (const auto* d = e.as<bank::deposited>()) return d->amount_cents;
  return -e.as<bank::withdrawn>()->amount_cents;
}

// Statements by account, and through a hop the money of the whole bank.
kappa::app bank_with_projections() {
  auto app = bank::bank_app();
  auto events = app.events<account>("accounts");
  events.already_keyed(&account_event::key).fold<std::string>("entries", note);
  events.map("change", change)
      .key_by("bank", [](std::int64_t) { return std::string{"all"}; })
      .fold<std::int64_t>("total", [](std::int64_t& sum, std::int64_t by) { sum += by; });
  return app;
}

std::string problems_of(const kappa::app& a) {
  const auto t = topology::compile(a);
  return t ? "none" : t.error().text();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(projections)

BOOST_AUTO_TEST_CASE(a_projection_sees_each_event_once_in_order) {
  driver d{bank_with_projections(), {.partitions = 3, .steps_per_epoch = 1}};
  d.ask<account>("ann", bank::open_account{100});
  d.ask<account>("bob", bank::open_account{10});
  BOOST_TEST(d.ask<account>("ann", bank::withdraw{40, "t"}).accepted() != nullptr);
  d.restart();
  BOOST_TEST(d.ask<account>("ann", bank::withdraw{100, "t"}).why_not() == "insufficient funds");
  d.ask<account>("bob", bank::deposit{40, "t"});
  BOOST_TEST(*d.get<std::string>("entries", std::string{"ann"}) == "ann: 1 +100; ann: 2 -40; ");
  BOOST_TEST(*d.get<std::string>("entries", std::string{"bob"}) == "bob: 1 +10; bob: 2 +40; ");
  BOOST_TEST(*d.get<std::int64_t>("total", std::string{"all"}) == 110);
}

BOOST_AUTO_TEST_CASE(a_driver_plays_a_saga_with_its_deadline) {
  driver d{bank_with_projections(), {.partitions = 2}};
  d.ask<account>("ann", bank::open_account{100});
  d.ask<account>("bob", bank::open_account{0});
  d.ask<bank::transfer>("t-1", bank::start_transfer{"ann", "bob", 30});
  BOOST_TEST((d.entry<bank::transfer>("t-1")->state.stage == bank::stage::completed));
  BOOST_TEST(d.entry<account>("bob")->state.balance_cents == 30);
  BOOST_TEST(*d.get<std::int64_t>("total", std::string{"all"}) == 100);
  d.advance_clock(std::chrono::hours{1});
  BOOST_TEST(!d.entry<bank::transfer>("t-1")->state.overdue);
  BOOST_TEST(!d.entry<account>("nobody").has_value());
}

BOOST_AUTO_TEST_CASE(a_driver_asks_with_ids_and_versions) {
  driver d{bank::bank_app()};
  BOOST_TEST(d.ask<account>("ann", bank::open_account{100}, "id-1").accepted()->version == 1U);
  BOOST_TEST(d.ask<account>("ann", bank::open_account{100}, "id-1").accepted()->events == 1U);
  BOOST_TEST(d.entry<account>("ann")->version == 1U);
  const auto late = d.ask<account>("ann", bank::deposit{1, ""}, {}, 7);
  BOOST_TEST((std::get<version_conflict>(late.outcome) == version_conflict{7, 1}));
}

BOOST_AUTO_TEST_CASE(another_app_reads_the_events_too_and_what_is_none_is_a_dead_letter) {
  saga_tests::running_app bank{bank::bank_app()};
  bank.ask("accounts", "ann", 0, bank::open_account{100});
  bank.quiet();

  kappa::app reader{"reader"};
  reader.events<account>("accounts")
      .already_keyed(&account_event::key)
      .fold<std::string>("entries", note);
  kappa::test::temporary_folder folder;
  local_runner_options o;
  o.topology = std::make_shared<const topology>(kappa::test::must(topology::compile(reader)));
  o.log = bank.log;
  o.state_folder = folder.path();
  local_runner runner{o};
  kappa::test::must(runner.open());
  kappa::test::must(runner.run_until_quiet({}));
  auto* const task = runner.find("entries", partition_of("ann", 2));
  BOOST_TEST(*kappa::test::must(task->table()->read("ann", read_level::committed)) ==
             "ann: 1 +100; ");

  driver d{reader};
  d.send_bytes("accounts", "no event", {}, "ann");
  d.send_bytes("accounts", "no event", {});
  const auto dead = d.dead_letters();
  BOOST_TEST(dead.size() == 2U);
  const auto why = [&](std::size_t n) {
    for (const auto& [name, value] : dead.at(n).headers)
      if (name == "kappa.error") return value;
    return bytes{};
  };
  BOOST_TEST(why(0).find("kappa.event") != std::string::npos, why(0));
  BOOST_TEST(why(1).find("has a key and a value") != std::string::npos, why(1));
}

BOOST_AUTO_TEST_CASE(a_projection_that_does_not_fit_the_aggregate_is_refused) {
  struct other : account {};
  auto wrong_type = bank::bank_app();
  wrong_type.events<other>("accounts").map("n", [](const auto&) { return std::string{}; }).to("x");
  BOOST_TEST(problems_of(wrong_type).find("the aggregate of that name is of another type") !=
             std::string::npos);

  auto wrong_key = bank::bank_app();
  wrong_key.events<account, std::int64_t>("accounts")
      .map("n", [](const auto&) { return std::string{}; })
      .to("x");
  BOOST_TEST(problems_of(wrong_key).find("its keys are of another type") != std::string::npos);

  auto as_topic = bank::bank_app();
  as_topic.stream<std::string>("accounts").to("x");
  BOOST_TEST(problems_of(as_topic).find("app.events<…>(\"accounts\")") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace projection_tests
