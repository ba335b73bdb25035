// Aggregates that are gone: what is kept of them, what is shown, and how they begin anew.
#include "aggregate/one_partition.hpp"
#include "aggregate/program_states.hpp"
#include "aggregate/served_bank.hpp"
#include "kappa/stream/graph.hpp"
#include "kappa/testing/round_trip.hpp"

namespace tombstone_tests {

namespace {

using namespace bank;
using namespace kappa;
using aggregate_programs::states;
using aggregate_tests::one_partition;
using aggregate_tests::open_partition;
using aggregate_tests::pending_outcome;
using kappa::detail::json_of_aggregate;
using kappa::test::must;
using kappa::test::refused;

const std::string key = "acc-1";

/// One that is closed while there is money in it, and hears of it first.
struct heard_account : account {
  static inline std::int64_t last_balance = 0;
  using account::apply;
  using account::decide;
  auto decide(const bank::close&, const decide_context&) const -> decision<closed> {
    return closed{};
  }
  void apply(const closed&) { last_balance = balance_cents; }
};

/// One that is opened again at once.
struct reopened_account : account {
  using account::decide;
  auto decide(const bank::close&, const decide_context&) const
      -> decision<closed, opened, deposited> {
    return {closed{}, opened{}, deposited{3}};
  }
};

template <class A>
struct with_money : states<A> {
  with_money() {
    must(this->decide(key, do_open, bank::open{}));
    must(this->decide(key, do_deposit, deposit{700}));
  }
};

version_conflict conflict(const pending_outcome& a) {
  BOOST_REQUIRE(a->has_value());
  BOOST_REQUIRE(std::holds_alternative<version_conflict>(**a));
  return std::get<version_conflict>(**a);
}

bytes stored(one_partition& p) {
  return must(p.task->table()->read(key, read_level::committed)).value_or("none");
}

bool holds(one_partition& p, bytes_view part) {
  bool found = false;
  for (std::size_t table = 0; table < 2; ++table) {
    for (const auto& [k, value] : must(dump_table(*p.task->store(), table)))
      found = found || value.find(part) != bytes::npos;
  }
  return found;
}

template <class C>
std::uint64_t version_after(host& h, const std::string& name, const C& command,
                            ask_options o = {}) {
  const auto done = h.ask<served_banks::shown_account>(name, command, o);
  if (!done) throw std::runtime_error{done.error().text()};
  return done->version;
}

bytes entry_of(std::uint64_t version) {
  bytes out;
  byte_writer{out}.put(version);
  return out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(tombstones)

BOOST_AUTO_TEST_CASE(what_is_stored_of_one_that_is_gone_is_its_version) {
  with_money<heard_account> s;
  must(s.decide(key, do_close, bank::close{}));
  BOOST_TEST(heard_account::last_balance == 700);  // it is applied, and then the state is dropped
  const auto found = s.at(key);
  BOOST_TEST(found.gone);
  BOOST_TEST(found.version == 3U);
  BOOST_TEST((found.state == bank::wire::account_state{}));
  const auto kept = must(s.table->read(key, read_level::latest)).value();
  BOOST_TEST(kept == entry_of(3 | (std::uint64_t{1} << 63)));
  BOOST_TEST(kappa::detail::version_in(kept) == 3U);
  BOOST_TEST(kappa::detail::is_gone(kept));
  must(testing::check_stored<aggregate_entry<heard_account>>(kept));
  BOOST_TEST(must(json_of_aggregate<heard_account>(kept)) == R"({"version":3,"gone":true})");
  BOOST_TEST(refused(codec<aggregate_entry<account>>::decode(kept + "x"), errc::decode,
                     {"it is gone, and has a state"}));
}

BOOST_AUTO_TEST_CASE(what_was_stored_before_there_were_tombstones_is_read) {
  account a;
  a.open = true;
  a.balance_cents = 700;
  const auto old = entry_of(2) + encoded(a);
  BOOST_TEST(!kappa::detail::is_gone(old));
  const auto read = must(codec<aggregate_entry<account>>::decode(old));
  BOOST_TEST(!read.gone);
  BOOST_TEST(read.version == 2U);
  BOOST_TEST(read.state.balance_cents == 700);
  BOOST_TEST(encoded(read) == old);
  BOOST_TEST(must(json_of_aggregate<account>(old)).starts_with(R"({"version":2,"state":{"open":)"));
}

BOOST_AUTO_TEST_CASE(what_follows_on_a_tombstone_in_one_decision_begins_a_new_life) {
  with_money<reopened_account> live;
  must(live.decide(key, do_close, bank::close{}));
  BOOST_TEST(!live.at(key).gone);
  BOOST_TEST(live.at(key).version == 5U);
  BOOST_TEST(live.at(key).state.balance_cents == 3);
  // As a replay has it.
  states<reopened_account> replayed;
  must(replayed.apply(key, 0, opened{}, 1));
  must(replayed.apply(key, 1, deposited{700}, 2));
  must(replayed.apply(key, 4, closed{}, 3));
  BOOST_TEST(replayed.at(key).gone);
  BOOST_TEST(refused(replayed.apply(key, 0, opened{}, 3), errc::corrupt, {"another program"}));
  BOOST_TEST(refused(replayed.apply(key, 0, opened{}, 1), errc::corrupt, {"another program"}));
  must(replayed.apply(key, 0, opened{}, 4));
  must(replayed.apply(key, 1, deposited{3}, 5));
  BOOST_TEST((must(live.table->read(key, read_level::latest)) ==
              must(replayed.table->read(key, read_level::latest))));
}

BOOST_AUTO_TEST_CASE(a_decision_that_breaks_off_leaves_it_as_it_was) {
  with_money<heard_account> s;
  s.table->begin_step(epoch_number{1});
  must(s.program.decide(*s.table, key, do_close, encoded(bank::close{}), aggregate_programs::noon,
                        s.out, nullptr));
  s.table->rollback_step();
  BOOST_TEST(!s.at(key).gone);
  BOOST_TEST(s.at(key).state.balance_cents == 700);
}

BOOST_AUTO_TEST_CASE(its_version_goes_on_and_none_yet_is_met_again) {
  open_partition p;
  p.accepted(key, do_open, bank::open{});
  BOOST_TEST(p.accepted(key, do_close, bank::close{}).version == 2U);
  const auto as_if_new = p.ask(key, do_deposit, deposit{5}, 0);  // decided, on nothing
  const auto stale = p.ask(key, do_open, bank::open{}, 1);
  const auto ahead = p.ask(key, do_open, bank::open{}, 3);
  p.turn();
  BOOST_TEST(std::get<rejection>(**as_if_new).reason == "account is not open");
  BOOST_TEST((conflict(stale) == version_conflict{1, 2}));
  BOOST_TEST((conflict(ahead) == version_conflict{3, 2}));
  const auto none_yet = p.ask(key, do_open, bank::open{}, 0);
  p.turn();
  BOOST_REQUIRE(std::holds_alternative<command_receipt>(**none_yet));
  BOOST_TEST(std::get<command_receipt>(**none_yet).version == 3U);
  const auto not_now = p.ask(key, do_open, bank::open{}, 0);
  p.turn();
  BOOST_TEST((conflict(not_now) == version_conflict{0, 3}));
  p.accepted(key, do_close, bank::close{});
  const auto true_count = p.ask(key, do_open, bank::open{}, 4);
  p.turn();
  BOOST_REQUIRE(std::holds_alternative<command_receipt>(**true_count));
  BOOST_TEST(std::get<command_receipt>(**true_count).version == 5U);
}

BOOST_AUTO_TEST_CASE(a_new_life_of_the_task_has_it_gone_with_a_snapshot_and_without) {
  for (const bool snapshot : {true, false}) {
    for (const bool lose : {true, false}) {
      BOOST_TEST_CONTEXT("snapshot " << snapshot << ", state lost " << lose) {
        open_partition p;
        p.accepted(key, do_open, bank::open{});
        p.accepted(key, do_close, bank::close{});
        if (snapshot) p.snapshot();
        const auto before = stored(p);
        BOOST_TEST(before.size() == 8U);
        if (lose) p.lose_state();
        p.restart();
        BOOST_TEST(p.task->progress().replayed == (snapshot && !lose ? 0U : 2U));
        BOOST_TEST(stored(p) == before);
        BOOST_TEST(p.accepted(key, do_open, bank::open{}).version == 3U);
        p.accepted(key, do_deposit, deposit{5});
        const auto anew = stored(p);
        p.restart();
        BOOST_TEST(stored(p) == anew);
        BOOST_TEST(p.balance(key) == 5);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(no_snapshot_after_it_has_anything_of_its_state) {
  open_partition p;
  constexpr std::int64_t amount = 0x0123456789abcdef;
  bytes mark;
  byte_writer{mark}.put(amount);
  p.accepted(key, do_open, bank::open{});
  p.accepted(key, do_deposit, deposit{amount});
  p.accepted("acc-2", do_open, bank::open{});
  p.snapshot();
  BOOST_TEST(holds(p, mark));
  p.now += std::chrono::hours{24 * 366};
  p.accepted(key, do_close, bank::close{});
  p.snapshot();
  BOOST_TEST(!holds(p, mark));
  BOOST_TEST(must(dump_table(*p.task->store(), 0)).size() == 2U);
}

BOOST_AUTO_TEST_CASE(a_host_shows_none_and_can_be_asked_for_its_version) {
  served_banks::served_bank b;
  for (const auto* name : {"a", "b", "c"}) b.open(name, 0);
  auto& h = *b.service;
  using served_banks::shown_account;
  for (const auto* name : {"a", "b"}) BOOST_TEST(version_after(h, name, bank::close{}) == 3U);
  BOOST_TEST(!must(h.query<shown_account>("a")).value.has_value());
  BOOST_TEST(!must(h.query<shown_account>("a", {.at_least_version = 3})).value.has_value());
  BOOST_TEST(!must(h.query<shown_account>("a", {.linearizable = true})).value.has_value());
  auto waiting = std::async(std::launch::async,
                            [&] { return h.query<shown_account>("a", {.at_least_version = 4}); });
  BOOST_TEST((waiting.wait_for(std::chrono::milliseconds{20}) == std::future_status::timeout));
  BOOST_TEST(version_after(h, "a", bank::open{}, {.expected_version = 0}) == 4U);
  const auto found = must(waiting.get());
  BOOST_REQUIRE(found.value.has_value());
  BOOST_TEST(found.value->version == 4U);
  BOOST_TEST(!found.value->gone);
  BOOST_TEST(version_after(h, "a", bank::close{}) == 5U);
  // Nor among many, of which as many come as were asked for.
  BOOST_TEST(must(h.query_all("accounts", SIZE_MAX)).entries.size() == 1U);
  const auto one = must(h.query_all("accounts", 1)).entries;
  BOOST_TEST_REQUIRE(one.size() == 1U);
  BOOST_TEST(one.front().key == "c");
}

BOOST_AUTO_TEST_CASE(over_http_it_is_as_if_it_had_never_been_but_for_its_history) {
  using served_banks::is_problem;
  served_banks::served_bank b;
  b.open("acc-1", 0);
  const std::string path = "/aggregates/accounts/acc-1";
  const auto gone = b.post(path + "/close", "{}");
  BOOST_TEST(gone.etag == "\"3\"");
  for (const auto* how : {"", "?at_least_version=3", "?linearizable=true"}) {
    const auto answer = b.get(path + how, {{"If-None-Match", "\"3\""}});
    BOOST_TEST(is_problem(answer, 404, "not-found", {"accounts has nothing under this key"}));
    BOOST_TEST(answer.etag == "");
  }
  BOOST_TEST(b.get(path).body == b.get("/aggregates/accounts/never").body);
  const auto history = b.get(path + "/history");
  BOOST_TEST(history.status == 200);
  BOOST_TEST(history.body.find(R"("version":3)") != std::string::npos);
  BOOST_TEST(history.body.find(R"("type":"bank.capnp:Closed")") != std::string::npos);
  BOOST_TEST(is_problem(b.post(path + "/open", "{}", {{"If-Match", "\"2\""}}), 412,
                        "version-conflict", {R"("expected":2,"actual":3)"}));
  BOOST_TEST(b.post(path + "/open", "{}", {{"If-None-Match", "*"}}).etag == "\"4\"");
  BOOST_TEST(b.get(path + "?at_least_version=4").etag == "\"4\"");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tombstone_tests
