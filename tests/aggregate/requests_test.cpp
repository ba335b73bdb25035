// Commands that come through the log: each is decided once, whoever asked is told through the log,
// and what cannot be decided is not lost.
#include <map>

#include "aggregate/one_partition.hpp"
#include "kappa/aggregate/command_id.hpp"
#include "kappa/aggregate/command_record.hpp"

namespace requests_tests {

namespace {

using namespace aggregate_tests;

struct bank_in_the_log : one_partition {
  bank_in_the_log() { must(open()); }

  void append(bytes_view key, bytes_view value, bytes_view headers) {
    record_batch one;
    one.add(now, key, value, headers);
    must(log->append(commands_of_accounts, one));
  }
  template <class C>
  void request(const std::string& key, const C& command, const std::string& correlation,
               std::optional<bytes> id = std::nullopt,
               std::optional<std::uint64_t> expected = std::nullopt) {
    command_headers h;
    h.type = reference_to(codec<C>::schema());
    h.id = std::move(id);
    h.expected = expected;
    if (!correlation.empty()) h.reply_to = {partition{0}, correlation};
    bytes headers;
    encode_command_headers(h, headers);
    append(key, encoded(command), headers);
  }
  /// By correlation; twice in the log is a defect.
  std::map<std::string, command_outcome> replies() {
    std::map<std::string, command_outcome> all;
    for (const auto& r : records(replies_of_bank)) {
      const auto [at, first] = all.emplace(*r.key, must(decode_reply(*r.value)));
      BOOST_TEST(first, "a second reply to " << at->first);
    }
    return all;
  }
  std::size_t dead_letters() { return records(dead_letters_of_bank).size(); }
  [[nodiscard]] offset position() {
    const auto p = must(log->position(
        {"bank", "accounts", generation{1}, partition{0}, commands_of_accounts.topic}));
    return p ? p->next : offset{-1};
  }
};

std::string said(const std::map<std::string, command_outcome>& all, const std::string& to) {
  const auto found = all.find(to);
  if (found == all.end()) return "nothing";
  if (const auto* r = std::get_if<command_receipt>(&found->second))
    return fmt::format("version {}, {} events", r->version, r->events);
  if (const auto* r = std::get_if<rejection>(&found->second)) return "rejected: " + r->reason;
  if (const auto* c = std::get_if<version_conflict>(&found->second))
    return fmt::format("conflict: {} for {}", c->actual, c->expected);
  return std::string{name_of(std::get<error>(found->second).code)};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(requests)

BOOST_AUTO_TEST_CASE(a_command_in_the_log_is_decided_and_replied_to_in_one_transaction) {
  bank_in_the_log p;
  p.request("acc-1", bank::open{}, "a");
  p.request("acc-1", deposit{20'000}, "b");
  p.request("acc-1", withdraw{10'000}, "c");
  p.request("acc-1", withdraw{1'000'000}, "d");
  p.request("acc-1", deposit{1}, "e", std::nullopt, 7);
  p.request("acc-1", deposit{2}, "");
  p.run();
  BOOST_TEST(p.replies().empty());
  const auto e = p.close();
  BOOST_REQUIRE(e);
  BOOST_TEST((p.position() == offset{-1}));
  must(p.commit(e));
  const auto all = p.replies();
  BOOST_TEST(said(all, "a") == "version 1, 1 events");
  BOOST_TEST(said(all, "b") == "version 2, 1 events");
  BOOST_TEST(said(all, "c") == "version 4, 2 events");
  BOOST_TEST((std::get<command_receipt>(all.at("c")).reply == encoded(withdrawal_receipt{9'995})));
  BOOST_TEST(said(all, "d") == "rejected: insufficient funds");
  BOOST_TEST((std::get<rejection>(all.at("d")).as<insufficient_funds>().value() ==
              insufficient_funds{990'010}));
  BOOST_TEST(said(all, "e") == "conflict: 4 for 7");
  BOOST_TEST(all.size() == 5U);
  BOOST_TEST(p.balance("acc-1") == 9'997);
  BOOST_TEST((p.position() == offset{6}));
  BOOST_TEST(p.dead_letters() == 0U);
}

BOOST_AUTO_TEST_CASE(what_was_committed_is_not_decided_again_and_what_was_not_is) {
  bank_in_the_log p;
  p.request("acc-1", bank::open{}, "a");
  p.turn();
  p.request("acc-1", deposit{1}, "b");
  p.run();
  BOOST_REQUIRE(p.close());
  p.restart();  // it dies before the commit
  BOOST_TEST(p.balance("acc-1") == 1);
  p.request("acc-1", deposit{2}, "c");
  p.turn();
  p.lose_state();
  p.restart();
  BOOST_TEST(p.balance("acc-1") == 3);
  BOOST_TEST(p.events().size() == 3U);
  BOOST_TEST(p.replies().size() == 3U);
  BOOST_TEST((p.position() == offset{3}));
}

BOOST_AUTO_TEST_CASE(commands_wait_in_the_log_until_somebody_decides_them) {
  bank_in_the_log p;
  p.crash();
  p.request("acc-1", bank::open{}, "a");
  p.request("acc-1", deposit{5}, "b");
  must(p.open());
  p.turn();
  BOOST_TEST(p.replies().size() == 2U);
  BOOST_TEST(p.balance("acc-1") == 5);
}

BOOST_AUTO_TEST_CASE(an_id_is_the_same_whichever_way_the_command_comes) {
  bank_in_the_log p;
  p.accepted("acc-1", do_open, bank::open{});
  const auto direct = p.ask_as("one", "acc-1", do_deposit, deposit{1});
  p.turn();
  p.request("acc-1", deposit{1}, "a", "one");
  p.request("acc-1", deposit{2}, "b", "two");
  p.request("acc-1", deposit{2}, "c", "two");
  p.request("acc-1", deposit{3}, "d", "two");
  p.turn();
  const auto again = p.ask_as("two", "acc-1", do_deposit, deposit{2});
  p.turn();
  const auto all = p.replies();
  BOOST_TEST(said(all, "a") == "version 2, 1 events");
  BOOST_TEST(said(all, "b") == "version 3, 1 events");
  BOOST_TEST(said(all, "c") == "version 3, 1 events");
  BOOST_TEST(said(all, "d") == "id reused");
  BOOST_TEST(std::get<command_receipt>(**direct).version == 2U);
  BOOST_TEST(std::get<command_receipt>(**again).version == 3U);
  BOOST_TEST(p.balance("acc-1") == 3);
  BOOST_TEST(p.dead_letters() == 1U);  // the one whose id was another's
}

BOOST_AUTO_TEST_CASE(what_cannot_be_decided_is_a_dead_letter_and_whoever_asked_is_told) {
  bank_in_the_log p;
  p.request("acc-1", bank::open{}, "");
  p.request("acc-1", deposit{13}, "throws");
  bytes reply_alone;
  const std::initializer_list<header_view> to{{"kappa.reply-to", "0"},
                                              {"kappa.correlation", "untyped"}};
  encode_headers(reply_alone, to);
  p.append("acc-1", "x", reply_alone);
  p.request("acc-1", withdrawal_receipt{1}, "no command");
  {
    command_headers h;
    h.type = reference_to(codec<deposit>::schema());
    h.reply_to = {partition{0}, "unreadable"};
    bytes headers;
    encode_command_headers(h, headers);
    p.append("acc-1", "nonsense", headers);
    h.reply_to = {partition{9}, "nowhere"};  // replied to by nobody, but decided
    headers.clear();
    encode_command_headers(h, headers);
    p.append("acc-1", encoded(deposit{4}), headers);
  }
  p.append("acc-1", "x", {});
  p.request("acc-1", deposit{2}, "last", bytes(200, 'x'));  // an id that is too long
  p.request("acc-1", deposit{1}, "good");
  p.turn();
  const auto all = p.replies();
  BOOST_TEST(said(all, "throws") == "user code failed");
  BOOST_TEST(said(all, "untyped") == "cannot decode");
  BOOST_TEST(said(all, "no command") == "incompatible");
  BOOST_TEST(said(all, "unreadable") == "cannot decode");
  BOOST_TEST(said(all, "last") == "invalid argument");
  BOOST_TEST(said(all, "good") == "version 3, 1 events");
  BOOST_TEST(all.size() == 6U);
  BOOST_TEST(p.balance("acc-1") == 5);
  const auto dead = p.records(dead_letters_of_bank);
  BOOST_REQUIRE(dead.size() == 6U);
  BOOST_TEST(*dead[0].headers.find("kappa.position") == "bank.accounts.commands[0]@1");
  BOOST_TEST(*dead[0].headers.find("kappa.operator") == "bank.capnp:Deposit");
  BOOST_TEST(dead[0].headers.find("kappa.error")->find("thirteen") != std::string::npos);
  BOOST_TEST((must(codec<deposit>::decode(*dead[0].value)) == deposit{13}));
}

BOOST_AUTO_TEST_CASE(commands_of_the_log_and_of_the_process_do_not_keep_each_other_waiting) {
  bank_in_the_log p;
  p.accepted("acc-1", do_open, bank::open{});
  for (int i = 0; i < 200; ++i) p.request("acc-1", deposit{1}, "");
  for (int i = 0; i < 200; ++i) (void)p.ask("acc-1", do_deposit, deposit{1000});
  must(p.task->run(20));
  must(p.commit(p.close()));
  const auto cents = p.balance("acc-1");
  BOOST_TEST(cents == 10 * 1 + 10 * 1000);
  p.turn();
  BOOST_TEST(p.balance("acc-1") == 200 * 1001);
}

BOOST_AUTO_TEST_CASE(in_turns_of_one_command_each_kind_has_every_other_one) {
  bank_in_the_log p;
  p.accepted("acc-1", do_open, bank::open{});
  for (int i = 0; i < 20; ++i) p.request("acc-1", deposit{1}, "");
  for (int i = 0; i < 20; ++i) (void)p.ask("acc-1", do_deposit, deposit{1000});
  for (int i = 0; i < 10; ++i) BOOST_TEST(must(p.task->run(1)).steps == 1U);
  must(p.commit(p.close()));
  BOOST_TEST(p.balance("acc-1") == 5 * 1 + 5 * 1000);
}

BOOST_AUTO_TEST_CASE(a_full_window_keeps_commands_in_the_log_waiting_until_there_is_room) {
  bank_in_the_log p;
  p.crash();
  p.window.max_bytes = 1 << 20;
  must(p.open());
  p.accepted("acc-1", do_open, bank::open{});
  (void)p.fill_window("acc-1");
  p.request("acc-1", deposit{7}, "a", "new");
  p.request("acc-1", deposit{1}, "b");
  p.turn();
  BOOST_TEST(p.replies().empty());
  BOOST_TEST(p.dead_letters() == 0U);
  BOOST_REQUIRE(p.task->next_deadline().has_value());
  BOOST_TEST((*p.task->next_deadline() <= p.now + std::chrono::seconds{1}));
  p.now += std::chrono::minutes{20};
  p.turn();
  BOOST_TEST(p.replies().size() == 2U);
  BOOST_TEST((p.task->next_deadline().value_or(max_time) >= p.now));  // it waits for nothing more
  BOOST_TEST(p.balance("acc-1") == 8);
}

BOOST_AUTO_TEST_CASE(commands_that_are_not_kept_any_more_are_passed_over) {
  bank_in_the_log p;
  p.request("acc-1", bank::open{}, "a");
  p.turn();
  p.crash();
  p.request("acc-1", deposit{1}, "b");
  p.request("acc-1", deposit{2}, "c");
  p.log->truncate_before(commands_of_accounts, offset{2});
  must(p.open());
  p.turn();
  BOOST_TEST(p.balance("acc-1") == 2);
  BOOST_TEST((p.position() == offset{3}));
}

BOOST_AUTO_TEST_CASE(a_partition_whose_commands_gave_nothing_starts_again) {
  for (const bool dead : {true, false}) {
    bank_in_the_log p;
    if (dead) {
      p.append("acc-1", "x", {});
    } else {
      p.request("acc-1", deposit{1}, "");  // rejected
    }
    p.turn();
    p.now += p.limits.commit_interval;
    p.turn();
    BOOST_TEST((p.position() == offset{1}));
    p.restart();
    p.lose_state();
    p.restart();
    p.request("acc-1", bank::open{}, "b");
    p.turn();
    BOOST_TEST(said(p.replies(), "b") == "version 1, 1 events");
  }
}

BOOST_AUTO_TEST_CASE(a_turn_that_has_one_kind_of_commands_takes_as_many_as_it_may) {
  bank_in_the_log p;
  for (int i = 0; i < 50; ++i) p.request("acc-1", bank::open{}, "");
  BOOST_TEST(must(p.task->run(20)).steps == 20U);
  p.turn();
  for (int i = 0; i < 50; ++i) (void)p.ask("acc-1", do_deposit, deposit{1});
  BOOST_TEST(must(p.task->run(20)).steps == 20U);
}

BOOST_AUTO_TEST_CASE(a_command_that_has_killed_the_process_is_a_dead_letter_at_the_third_death) {
  struct watching final : step_watcher {
    void step_begins(const std::string& task, const std::string& input, offset at,
                     const volatile detail::op_index* /*op*/) override {
      seen.push_back(fmt::format("{} {}@{}", task, input, at));
    }
    void step_ended() override { ++ended; }
    std::vector<std::string> seen;
    std::size_t ended = 0;
  } watcher;
  bank_in_the_log p;
  p.request("acc-1", bank::open{}, "a");
  p.request("acc-1", deposit{1}, "b");
  p.request("acc-1", deposit{2}, "c");
  p.crash();
  p.watcher = &watcher;
  p.suspects = {{commands_of_accounts.topic, offset{1}, 3},
                {commands_of_accounts.topic, offset{2}, 2}};
  must(p.open());
  p.turn();
  BOOST_TEST(said(p.replies(), "b") == "user code failed");
  BOOST_TEST(said(p.replies(), "c") == "version 2, 1 events");
  BOOST_REQUIRE(p.dead_letters() == 1U);
  const std::vector<std::string> seen{"bank/accounts.g1[0] bank.accounts.commands@0",
                                      "bank/accounts.g1[0] bank.accounts.commands@2"};
  BOOST_TEST(watcher.seen == seen, boost::test_tools::per_element());
  BOOST_TEST(watcher.ended == 2U);
}

BOOST_AUTO_TEST_CASE(a_damaged_state_stops_the_task_and_the_command_waits) {
  bank_in_the_log p;
  p.accepted("acc-1", do_open, bank::open{});
  p.snapshot();
  auto broken = std::make_shared<table_delta>();
  broken->add("acc-1", "12345678nonsense");
  state_delta t2;
  t2.epoch = p.task->store()->epoch();
  t2.snapshot = *p.task->store()->snapshot();
  t2.tables = {broken, std::make_shared<table_delta>()};
  must(p.task->store()->commit(t2));
  p.restart();
  p.request("acc-1", deposit{1}, "a");
  BOOST_TEST(refused(p.task->run(64), errc::corrupt, {}));
  BOOST_TEST(p.dead_letters() == 0U);
  p.lose_state();
  p.restart();
  BOOST_TEST(said(p.replies(), "a") == "version 2, 1 events");
}

BOOST_AUTO_TEST_CASE(a_command_that_waited_for_longer_than_ids_are_remembered_is_a_dead_letter) {
  bank_in_the_log p;
  p.now = system_now();
  p.request("acc-1", bank::open{}, "a", new_command_id(p.now));
  p.request("acc-1", bank::open{}, "b");
  p.crash();
  p.now += std::chrono::hours{1};
  must(p.open());
  p.turn();
  BOOST_TEST(said(p.replies(), "a") == "too old");
  BOOST_TEST(said(p.replies(), "b") == "version 1, 1 events");
  BOOST_TEST(p.dead_letters() == 1U);
}

BOOST_AUTO_TEST_CASE(an_epoch_is_full_of_replies_too) {
  bank_in_the_log p;
  p.crash();
  p.limits.max_epoch_bytes = 2000;
  must(p.open());
  for (int i = 0; i < 200; ++i) p.request("acc-1", deposit{1}, "asker " + std::to_string(i));
  BOOST_TEST(must(p.task->run(1000)).steps < 100U);
  const auto e = p.close();
  BOOST_REQUIRE(e);
  BOOST_TEST(e->output_bytes >= 2000U);
  BOOST_TEST(e->output_bytes < 4000U);
  must(p.commit(e));
  p.turn();
  BOOST_TEST(p.replies().size() == 200U);
}

BOOST_AUTO_TEST_CASE(headers_and_replies_come_back_as_they_were) {
  const command_headers all{
      {7, 8, "bank.capnp:Deposit"}, "id", 12, reply_address{partition{3}, "c"}};
  bytes wire;
  encode_command_headers(all, wire);
  BOOST_TEST((must(decode_command_headers(headers_view{wire})) == all));
  bytes least;
  encode_command_headers({{7, 8, "x"}}, least);
  BOOST_TEST((must(decode_command_headers(headers_view{least})) == command_headers{{7, 8, "x"}}));
  for (const auto& [name, value] : {std::pair{"kappa.reply-to", "-1"},
                                    {"kappa.reply-to", "x"},
                                    {"kappa.expected-version", "-3"},
                                    {"kappa.expected-version", ""}}) {
    auto bad = least;
    const header_view one{name, value};
    encode_headers(bad, {&one, 1});
    BOOST_TEST(refused(decode_command_headers(headers_view{bad}), errc::decode, {name}));
  }
  auto long_one = all;
  long_one.reply_to->correlation = bytes(257, 'x');
  bytes too_long;
  encode_command_headers(long_one, too_long);
  BOOST_TEST(refused(decode_command_headers(headers_view{too_long}), errc::decode,
                     {"kappa.reply-to", "too long"}));
  const command_outcome outcomes[] = {
      command_receipt{3, 2, offset{-1}, "reply"}, command_receipt{0, 0, offset{-1}, std::nullopt},
      rejection{"why", "type", "value"}, rejection{"words"}, version_conflict{1, 2}};
  for (const auto& o : outcomes) {
    bytes value;
    encode_reply(o, value);
    const auto back = must(decode_reply(value));
    BOOST_REQUIRE(back.index() == o.index());
    bytes again;
    encode_reply(back, again);
    BOOST_TEST(again == value);
    BOOST_TEST(!decode_reply(bytes_view{value}.substr(0, 1)));
  }
  bytes value;
  encode_reply(error{errc::unavailable, "subject", "message", true}, value);
  const auto e = std::get<error>(must(decode_reply(value)));
  BOOST_TEST((e.code == errc::unavailable));
  BOOST_TEST(e.text() == (error{errc::unavailable, "subject", "message", true}.text()));
  BOOST_TEST(e.retriable);
  BOOST_TEST(!decode_reply(""));
  BOOST_TEST(!decode_reply("\x09"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace requests_tests
