// Records that aggregates publish: once, with the decision's events or not at all.
#include "kappa/aggregate/command_record.hpp"
#include "kappa/log/envelope.hpp"
#include "kappa/task/stored_schemas.hpp"
#include "kappa/testing/driver.hpp"
#include "kappa/testing/given.hpp"
#include "saga/criers.hpp"
#include "saga/running_app.hpp"

namespace publishing_tests {

namespace {

using namespace saga_tests;
using criers::crier;
using criers::cry;
using criers::rumour;
using criers::whisper;
using testing::driver;
using testing::given;
using testing::scenario_failed;

struct town : running_app {
  explicit town(const kappa::app& of = criers::criers_app()) : running_app{of} {}

  pending_outcome cries(const std::string& name, const std::string& how) {
    return ask("criers", name, 0, cry{how});
  }
  std::string failure_of(const std::string& how) {
    const auto a = cries("c", how);
    quiet();
    BOOST_REQUIRE(a->has_value());
    const auto* e = std::get_if<error>(&**a);
    return e == nullptr ? "none" : e->text();
  }
  std::vector<std::string> whispers() {
    std::vector<std::string> all;
    must(for_each_record(*log, "whispers", [&](const record_view& r) -> result<void> {
      all.push_back(std::string{*r.key} + ": " + must(codec<whisper>::decode(*r.value)).what);
      return {};
    }));
    return all;
  }
  std::uint64_t version(const std::string& name) { return at<crier>("criers", name).version; }
};

using texts = std::vector<std::string>;

}  // namespace

BOOST_AUTO_TEST_SUITE(publishing)

BOOST_AUTO_TEST_CASE(a_record_has_its_own_time_or_the_decisions_its_key_and_its_schema) {
  town t;
  t.cries("c", "many");
  t.quiet();
  struct seen {
    bytes key;
    timestamp time;
    std::optional<schema_reference> schema;
    partition where;
  };
  const auto only = [&](const std::string& topic) {
    std::vector<seen> all;
    for (std::int32_t p = 0; p < t.partitions; ++p) {
      must(for_each_record(*t.log, {topic, partition{p}}, offset{0},
                           [&](const record_view& r) -> result<bool> {
                             all.push_back({bytes{r.key.value_or("")}, r.time,
                                            must(decode_envelope(r.headers)).schema, partition{p}});
                             return true;
                           }));
    }
    BOOST_REQUIRE(all.size() == 1U);
    BOOST_TEST((all[0].where == partition_of(all[0].key, t.partitions)));
    return all[0];
  };
  const auto first = only("rumours");
  BOOST_TEST(first.key == "c");
  BOOST_TEST((first.time == criers::long_ago));
  BOOST_TEST((first.schema == reference_to(codec<rumour>::schema())));
  const auto second = only("whispers");
  BOOST_TEST(second.key == "elsewhere");
  BOOST_TEST((second.time == t.now));
  BOOST_TEST((second.schema == reference_to(codec<whisper>::schema())));
  BOOST_TEST(only("numbered").key == encoded(std::int64_t{7}));
}

BOOST_AUTO_TEST_CASE(the_topics_are_the_apps_and_their_schemas_are_known) {
  const auto t = must(topology::compile(criers::criers_app()));
  const auto all = schemas_of(t);
  const auto about = [&](const std::string& topic) {
    for (const auto& s : all)
      if (s.name == topic) return s.key->name + " " + s.value.name;
    return std::string{"nothing"};
  };
  BOOST_TEST(about("rumours") == "bytes " + codec<rumour>::schema().name);
  BOOST_TEST(about("numbered") == "int64 " + codec<whisper>::schema().name);
  town running;
  const auto config = must(running.log->find_topic("numbered"));
  BOOST_REQUIRE(config.has_value());
  BOOST_TEST(config->owner == "town");
  BOOST_TEST(config->partitions == running.partitions);
}

// A state of before the app declared a topic is as good as one of after it.
BOOST_AUTO_TEST_CASE(a_topic_is_declared_later_without_a_new_state) {
  const auto before = must(topology::compile([] {
    kappa::app app{"town"};
    app.aggregate<crier>("criers");
    return app;
  }()));
  const auto after = must(topology::compile(criers::criers_app()));
  BOOST_TEST(before.find("criers")->fingerprint == after.find("criers")->fingerprint);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_published_fails_the_decision_and_leaves_nothing) {
  town t;
  const auto says = [&](const std::string& how, const std::string& what) {
    const auto e = t.failure_of(how);
    BOOST_TEST(e.find(what) != std::string::npos, how << ": " << e);
  };
  says("silent", "a decision that publishes must have one");
  says("undeclared",
       "topic gossip: user code failed: \"criers\" publishes a criers.capnp:Whisper to it, and the "
       "app does not "
       "declare it: "
       "app.aggregate<…>(\"criers\", {.publishes = {kappa::published<…>(\"gossip\")}})");
  says("type",
       "topic whispers: user code failed: \"criers\" publishes a criers.capnp:Rumour to it, and "
       "the app declares "
       "that it "
       "holds criers.capnp:Whisper");
  says("key", "its key is of type int64, where the app declares keys of bytes");
  says("own key", "its key is of type bytes, where the app declares keys of int64");
  says("large", "and a record of whispers may have 1048576");
  says("half", "and a record of whispers may have 1048576");
  says("throws", "he is hoarse");
  t.cries("c", "rejected");
  t.quiet();
  for (const auto* topic : {"criers", "rumours", "whispers", "numbered"})
    BOOST_TEST(t.records(topic) == 0U, topic);
  BOOST_TEST(t.version("c") == 0U);
  BOOST_TEST(t.failure_of("still here") == "none");
  BOOST_TEST((t.whispers() == texts{"c: still here"}));
}

BOOST_AUTO_TEST_CASE(a_repeated_command_publishes_once) {
  town t;
  for (int i = 0; i < 2; ++i) {
    must(t.runner->commands("criers", partition_of("c", t.partitions))
             ->put({"c", 0, encoded(cry{"hear"}), "id-1", std::nullopt, {}}));
    t.quiet();
    t.restart();
  }
  BOOST_TEST((t.whispers() == texts{"c: hear"}));
}

BOOST_AUTO_TEST_CASE(a_replay_publishes_nothing) {
  town t;
  for (const auto* how : {"one", "two", "late"}) t.cries("c", how);
  t.quiet();
  t.now = criers::night;
  t.quiet();
  const texts all{"c: one", "c: two", "c: late", "c: by himself"};
  BOOST_TEST((t.whispers() == all));
  t.crash();
  t.lose_states();
  t.start();
  t.quiet();
  BOOST_TEST(t.version("c") == 4U);
  BOOST_TEST((t.whispers() == all));
}

// The driver's shadows die after each commit, with and without snapshots, and see the same topics.
BOOST_AUTO_TEST_CASE(what_is_published_is_there_once_after_a_crash_at_each_commit) {
  driver d{criers::criers_app(), {.partitions = 3, .steps_per_epoch = 1}};
  for (const auto* name : {"a", "b", "c", "a", "b", "c"}) d.ask<crier>(name, cry{"many"});
  d.ask<crier>("a", cry{"late"});
  d.advance_clock(std::chrono::hours{1});
  BOOST_TEST(d.read<rumour>("rumours").size() == 6U);
  BOOST_TEST(d.read<whisper>("whispers").size() == 8U);
  BOOST_TEST(d.verify() == "");
}

// Each of so many commands has its event and its record, or neither, whatever becomes of commits.
BOOST_AUTO_TEST_CASE(event_and_record_are_both_there_or_neither_through_faults_and_crashes) {
  for (const auto fault :
       {commit_fault::abort, commit_fault::indefinite_lost, commit_fault::indefinite_applied}) {
    for (int nth = 0; nth < 6; ++nth) {
      town t;
      int commits = 0;
      t.log->set_commit_fault(
          [&](const log_transaction&) { return commits++ == nth ? fault : commit_fault::none; });
      for (int i = 0; i < 6; ++i) {
        t.cries("c", "cry");
        const auto done = t.runner->run_until_quiet({.budget = 1, .snapshots = i % 2 == 0});
        if (!done || i % 3 == 2) t.restart();
      }
      t.log->set_commit_fault({});
      t.restart();
      t.quiet();
      BOOST_TEST(commits > nth);
      BOOST_TEST(t.version("c") >= 5U);
      BOOST_TEST(t.whispers().size() == t.version("c"));
      BOOST_TEST(t.records("criers") == t.version("c"));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_command_of_the_log_that_publishes_wrongly_is_a_dead_letter) {
  town t;
  command_headers h;
  h.type = reference_to(codec<cry>::schema());
  bytes headers;
  encode_command_headers(h, headers);
  record_batch both;
  both.add(t.now, "c", encoded(cry{"undeclared"}), headers);
  both.add(t.now, "c", encoded(cry{"hear"}), headers);
  must(t.log->append({"town.criers.commands", partition_of("c", t.partitions)}, both));
  t.quiet();
  BOOST_TEST(t.records("town.dead-letters") == 1U);
  BOOST_TEST((t.whispers() == texts{"c: hear"}));
}

BOOST_AUTO_TEST_CASE(personal_text_is_published_sealed_or_not_at_all) {
  driver d{criers::criers_app()};
  BOOST_TEST(d.ask<crier>("c", criers::confide{"he snores"}).accepted());
  const auto secrets = d.read<criers::secret>("secrets");
  BOOST_REQUIRE(secrets.size() == 1U);
  BOOST_TEST(!secrets[0].text.empty());
  BOOST_TEST(secrets[0].text.text() == nullptr);
  BOOST_TEST(d.ask<crier>("c", cry{"plain"}).why_not().find("personal") != std::string::npos);
  BOOST_TEST(d.read<criers::secret>("secrets").empty());
}

BOOST_AUTO_TEST_CASE(a_stream_of_the_app_reads_what_is_published) {
  auto app = criers::criers_app();
  app.stream<whisper>("whispers")
      .key_by("what", &whisper::what)
      .fold<std::int64_t>("heard", [](std::int64_t& n, const whisper&) { ++n; });
  driver d{app, {.partitions = 2, .steps_per_epoch = 1}};
  for (const auto* name : {"a", "b", "a"}) d.ask<crier>(name, cry{"hear"});
  d.restart();
  BOOST_TEST(d.get<std::int64_t>("heard", std::string{"hear"}).value_or(0) == 3);
  d.end_of_input();  // of what comes from outside
  d.ask<crier>("b", cry{"hear"});
  BOOST_TEST(d.get<std::int64_t>("heard", std::string{"hear"}).value_or(0) == 4);
}

BOOST_AUTO_TEST_CASE(what_does_not_fit_together_does_not_compile_into_a_topology) {
  const auto why = [](const kappa::app& a) {
    const auto t = topology::compile(a);
    return t ? std::string{"nothing"} : t.error().text();
  };
  const auto has = [](const std::string& text, const std::string& part) {
    BOOST_TEST(text.find(part) != std::string::npos, text << " lacks " << part);
  };
  auto other_type = criers::criers_app();
  other_type.stream<rumour>("whispers").to("copies");
  has(why(other_type),
      "it is read as criers.capnp:Rumour, and an aggregate of this app publishes "
      "criers.capnp:Whisper to it");
  auto twice = criers::criers_app();
  twice.stream<whisper>("outside").to("whispers");
  has(why(twice), "topic \"whispers\" is written in two places");
  kappa::app bad{"town"};
  bad.aggregate<crier>("criers", {.publishes = {kappa::published<whisper>("a topic")}});
  has(why(bad), "publishes to \"a topic\": a name may hold letters");
}

BOOST_AUTO_TEST_CASE(a_scenario_says_what_is_published) {
  given<crier>()
      .key(std::string{"c"})
      .when(cry{"many"})
      .then(criers::cried{})
      .then_published("rumours", rumour{criers::long_ago, "first"})
      .then_published("whispers", "elsewhere", whisper{"second"})
      .then_published("numbered", std::int64_t{7}, whisper{"third"})
      .then_published_nothing()
      .when(cry{"hear"})
      .then_published("whispers", "c", whisper{"hear"})
      .then_published_nothing()
      .when(cry{"rejected"})
      .then_rejected("not today");
}

BOOST_AUTO_TEST_CASE(a_scenario_fails_when_something_else_is_published) {
  const auto after = [](const std::string& how) {
    auto s = given<crier>();
    s.key(std::string{"c"}).when(cry{how});
    return s;
  };
  const auto fails = [](auto&& f) { BOOST_CHECK_THROW(f(), scenario_failed); };
  fails([&] { after("hear").then_published("whispers", whisper{"other"}); });
  fails([&] { after("hear").then_published("rumours", whisper{"hear"}); });
  fails([&] { after("hear").then_published("whispers", "d", whisper{"hear"}); });
  fails([&] { after("hear").then_published("whispers", rumour{criers::long_ago, "hear"}); });
  fails([&] { after("hear").then_published_nothing(); });
  fails([&] {
    after("hear")
        .then_published("whispers", whisper{"hear"})
        .then_published("whispers", whisper{"hear"});
  });
  fails([&] { after("silent"); });
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace publishing_tests
