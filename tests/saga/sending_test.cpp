// Commands that aggregates send: what goes wrong with them, and who is told.
#include "kappa/aggregate/command_record.hpp"
#include "saga/alarms.hpp"
#include "saga/running_app.hpp"

namespace sending_tests {

namespace {

using namespace saga_tests;
using alarms::pass_on;
using alarms::relay;

struct relays : running_app {
  explicit relays(const kappa::app& of = alarms::alarms_app(),
                  std::size_t max_record_bytes = log_limits::default_max_record_bytes)
      : running_app{of, max_record_bytes} {}

  pending_outcome pass(const std::string& name, const std::string& how) {
    return ask("relays", name, 0, pass_on{how});
  }
  std::string failure_of(const std::string& how) {
    const auto a = pass("r", how);
    quiet();
    BOOST_REQUIRE(a->has_value());
    const auto* e = std::get_if<error>(&**a);
    return e == nullptr ? "none" : e->text();
  }
  /// As whoever can write to the topic does.
  void append(const std::string& stage, const command_headers& h, bytes_view value) {
    bytes headers;
    encode_command_headers(h, headers);
    record_batch one;
    one.add(now, "r", value, headers);
    must(log->append({"alarms." + stage + ".commands", partition_of("r", partitions)}, one));
  }
  void clear_for(const result_address& sender) {
    command_headers h;
    h.type = reference_to(codec<alarms::clear_alarm>::schema());
    h.result_to = sender;
    append("alarms", h, encoded(alarms::clear_alarm{}));
  }
  std::vector<std::string> heard(const std::string& name) {
    return at<relay>("relays", name).state.results;
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(sending)

BOOST_AUTO_TEST_CASE(a_rejection_is_heard_as_well_as_a_success) {
  relays r;
  r.ask("alarms", "set", 0, alarms::set_alarm{r.now + std::chrono::hours{1}, ""});
  r.quiet();
  r.pass("set", "one");
  r.pass("unset", "two");
  r.quiet();
  BOOST_TEST((r.heard("set") == std::vector<std::string>{"one: done"}));
  BOOST_TEST((r.heard("unset") == std::vector<std::string>{"two: it is not set"}));
  // Once: also after all states were made anew.
  r.crash();
  r.lose_states();
  r.start();
  r.quiet();
  BOOST_TEST((r.heard("set") == std::vector<std::string>{"one: done"}));
  BOOST_TEST(r.records("alarms.relays.commands") == 2U);
  BOOST_TEST(r.records("alarms.alarms.commands") == 2U);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_sent_fails_the_decision_and_leaves_nothing) {
  relays r;
  const auto says = [&](const std::string& how, const std::string& what) {
    const auto e = r.failure_of(how);
    BOOST_TEST(e.find(what) != std::string::npos, how << ": " << e);
  };
  says("silent", "a decision that sends must have one");
  says("unknown", "no aggregate of the app has it in its protocol");
  says("key", "the keys of \"alarms\" are of another type");
  says("elsewhere", "\"clocks\" does not take it; who does: alarms");
  says("large", "and a record of alarms.alarms.commands may have 1048576");
  says("about", "what it says about a command has 257 bytes; 256 are allowed");
  BOOST_TEST(r.records("relays") == 0U);
  BOOST_TEST(r.records("alarms.alarms.commands") == 0U);
  BOOST_TEST(r.at<relay>("relays", "r").version == 0U);
}

BOOST_AUTO_TEST_CASE(of_several_that_take_a_command_one_must_be_named) {
  struct other_alarm : alarms::alarm {};
  auto two = alarms::alarms_app();
  two.aggregate<other_alarm>("clocks");
  relays r{two};
  BOOST_TEST(r.failure_of("x").find("several aggregates take it (alarms, clocks)") !=
             std::string::npos);
  BOOST_TEST(r.failure_of("elsewhere") == "none");
  r.quiet();
  BOOST_TEST((r.heard("r") == std::vector<std::string>{": it is not set"}));
}

BOOST_AUTO_TEST_CASE(a_command_whose_sender_the_app_no_longer_has_is_a_dead_letter) {
  relays r;
  r.clear_for({"gone", "r", ""});
  r.quiet();
  std::string why;
  must(for_each_record(*r.log, "alarms.dead-letters", [&](const record_view& d) -> result<void> {
    why += d.headers.find("kappa.error").value_or("");
    return {};
  }));
  BOOST_TEST(why.find("\"gone\" has sent it, and the app has no such aggregate") !=
             std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_result_that_is_too_large_for_a_record_keeps_its_kind) {
  relays r{alarms::alarms_app(), 4 << 20};  // of events; those of commands have 1 MiB
  r.pass("r", "loud");
  r.pass("s", "never");
  r.quiet();
  BOOST_TEST((r.heard("r") == std::vector<std::string>{"loud: done"}));
  BOOST_TEST((r.heard("s") == std::vector<std::string>{"never: " + std::string(1000, '?')}));
}

BOOST_AUTO_TEST_CASE(a_sender_that_is_spoiled_in_the_headers_is_a_dead_letter_and_stops_nobody) {
  relays r;
  for (const auto& [to, about] : {std::pair{"relays", std::string(1 << 19, 'x')}, {"", "x"}}) {
    r.clear_for({to, std::string(1 << 18, 'k'), about});
  }
  r.quiet();
  BOOST_TEST(r.records("alarms.dead-letters") == 2U);
  BOOST_TEST(r.records("alarms.relays.commands") == 0U);
}

// While a new version is rolled out, an old one may have the target.
BOOST_AUTO_TEST_CASE(a_sender_that_only_another_version_of_the_app_has_is_told) {
  kappa::app old{"alarms"};
  old.aggregate<alarms::alarm>("alarms");
  relays r{old};
  topic_config c;
  c.name = "alarms.clocks.commands";
  c.partitions = 3;
  must(r.log->create_topic(c));
  auto others = c;
  others.name = "alarms.others.commands";
  others.owner = "others";
  must(r.log->create_topic(others));
  r.clear_for({"clocks", "k", "x"});
  r.clear_for({"others", "k", "x"});
  r.quiet();
  BOOST_TEST(r.records("alarms.dead-letters") == 1U);
  BOOST_TEST(r.records("alarms.clocks.commands") == 1U);
  BOOST_TEST(r.records("alarms.others.commands") == 0U);
  BOOST_TEST((must(r.log->bounds({c.name, partition_of("k", 3)})).latest == offset{1}));
}

// Not by whoever can write to the topic alone: what is no result is refused.
BOOST_AUTO_TEST_CASE(a_malformed_result_is_a_dead_letter) {
  relays r;
  command_headers h;
  h.type = reference_to(codec<command_result>::schema());
  r.append("relays", h, "\x01");
  r.quiet();
  BOOST_TEST(r.records("alarms.dead-letters") == 1U);
  BOOST_TEST(r.heard("r").empty());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace sending_tests
