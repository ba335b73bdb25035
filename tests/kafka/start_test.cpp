// What is looked at when an app starts on Kafka: docs/how-to/kafka.md, "What is checked at the
// start".
#include "kafka/admin.hpp"
#include "kafka/raw_admin_support.hpp"
#include "kafka/totals_app_support.hpp"
#include "kappa/log/kafka_log.hpp"
#include "support/kafka_broker.hpp"

namespace {

using namespace kafka_test;
using kappa::testing::the_broker;

/// An app that has taken in 200 readings and has ended.
struct ended_app {
  ended_app() {
    make_input(*log, name);
    send(*log, name, 0, 200);
    host h{totals_app(name), options()};
    must(h.start());
    BOOST_TEST_REQUIRE(eventually([&] {
      return lines_of(*log, name + "-sums").size() == 200U &&
             lines_of(*log, name + "-letters").size() == 200U;
    }));
    must(h.stop());
  }
  host_options options() const { return options_on(kafka_url(), folder.path()); }
  std::string input() const { return name + "-readings"; }

  /// At once, or when it is given its tasks.
  error refusal() const {
    host h{totals_app(name), options()};
    if (auto started = h.start(); !started) return started.error();
    BOOST_TEST_REQUIRE(eventually([&] { return h.failure().has_value(); }, 60s));
    auto e = *h.failure();
    (void)h.stop();
    return e;
  }

  std::string name = fresh_name();
  temporary_folder folder;
  std::shared_ptr<event_log> log = log_on_kafka();
};

void says(const error& e, errc code, std::initializer_list<std::string> words) {
  BOOST_TEST(name_of(e.code) == name_of(code), e.text());
  for (const auto& word : words)
    BOOST_TEST(e.text().find(word) != std::string::npos, e.text() << " does not say " << word);
}

BOOST_AUTO_TEST_SUITE(starts_on_kafka)

// Kafka keeps 4 KiB of a task's positions: a commit of more would fail each time.
BOOST_AUTO_TEST_CASE(a_stage_of_more_inputs_than_kafka_keeps_positions_of_is_refused) {
  const auto log = log_on_kafka();
  stage_tasks stage{fresh_name(), "all", generation{1}, 1};
  const auto add = [&](int upto) {
    while (static_cast<int>(stage.inputs.size()) < upto)
      stage.inputs.push_back(fmt::format("{}-an-input-{:03}", stage.app, stage.inputs.size()));
  };
  add(30);
  must(log->make_room(stage));
  add(60);
  const auto refused = log->make_room(stage);
  BOOST_REQUIRE(!refused);
  says(refused.error(), errc::too_large, {"stage all", "60 inputs", "Kafka keeps 4096", "merge"});
}

BOOST_AUTO_TEST_CASE(a_missing_input_is_refused) {
  const temporary_folder folder;
  const auto name = fresh_name();
  host h{totals_app(name), options_on(kafka_url(), folder.path())};
  const auto started = h.start();
  BOOST_REQUIRE(!started);
  says(started.error(), errc::bad_config,
       {name + "-readings", "does not exist", "create it first"});
}

BOOST_AUTO_TEST_CASE(an_input_that_was_deleted_is_refused) {
  const ended_app a;
  raw_admin{}.delete_topic(a.input());
  BOOST_TEST_REQUIRE(eventually([&] { return !must(a.log->find_topic(a.input())); }));
  says(a.refusal(), errc::bad_config, {a.input(), "does not exist"});
}

BOOST_AUTO_TEST_CASE(an_input_that_was_made_anew_is_refused) {
  const ended_app a;
  raw_admin{}.delete_topic(a.input());
  BOOST_TEST_REQUIRE(eventually([&] { return !must(a.log->find_topic(a.input())); }));
  make_input(*a.log, a.name);
  says(a.refusal(), errc::incompatible, {"is of log", "this is log", "rebuild the state"});
}

BOOST_AUTO_TEST_CASE(an_input_that_has_more_partitions_now_is_refused) {
  const ended_app a;
  raw_admin{}.add_partitions(a.input(), totals_partitions + 1);
  BOOST_TEST_REQUIRE(eventually(
      [&] { return must(a.log->find_topic(a.input()))->partitions == totals_partitions + 1; }));
  says(a.refusal(), errc::bad_config, {"topic " + a.input(), "has 5 partitions", "has run with 4"});
}

BOOST_AUTO_TEST_CASE(inputs_of_one_stage_with_differing_partitions_are_refused) {
  const temporary_folder folder;
  const auto name = fresh_name();
  make_input(*log_on_kafka(), name, 2);
  make_input(*log_on_kafka(), name + "-more", 3);
  app a{name};
  a.stream<reading>(name + "-readings")
      .merge("both", a.stream<reading>(name + "-more-readings"))
      .already_keyed(&reading::place)
      .fold<totals>("sum", [](totals& t, const reading& r) { t.add(r.value); })
      .to(name + "-sums");
  host h{a, options_on(kafka_url(), folder.path())};
  const auto started = h.start();
  BOOST_REQUIRE(!started);
  says(started.error(), errc::bad_config,
       {"stage sum", "not co-partitioned", "has 2 partitions", "has 3", "key_by"});
}

BOOST_AUTO_TEST_CASE(a_topic_of_the_app_that_is_compacted_now_is_refused) {
  const ended_app a;
  const auto topic = a.name + "-sums";
  raw_admin{}.set(topic, "cleanup.policy", "compact,delete");
  BOOST_TEST_REQUIRE(eventually([&] { return must(a.log->find_topic(topic))->compacted; }));
  says(a.refusal(), errc::bad_config, {"topic " + topic, "compacted", "set it to delete"});
}

BOOST_AUTO_TEST_CASE(input_that_was_deleted_unprocessed_is_refused) {
  const ended_app a;
  send(*a.log, a.name, 200, 200);
  for (std::int32_t p = 0; p < totals_partitions; ++p) {
    const topic_partition tp{a.input(), partition{p}};
    raw_admin{}.delete_records(tp.topic, p, must(a.log->bounds(tp)).latest.value);
  }
  says(a.refusal(), errc::refused_start, {a.input(), "unprocessed input was deleted", "--fresh"});
}

BOOST_AUTO_TEST_CASE(a_state_that_retention_has_made_impossible_to_rebuild_is_refused) {
  const ended_app a;
  for (std::int32_t p = 0; p < totals_partitions; ++p) raw_admin{}.delete_records(a.input(), p, 1);
  {  // What is processed may go while there is a state.
    host h{totals_app(a.name), a.options()};
    must(h.start());
    BOOST_TEST_REQUIRE(eventually([&] { return running(h) == h.status().size(); }, 60s));
    must(h.stop());
  }
  for (const auto& slot : std::filesystem::directory_iterator{a.folder.path()})
    std::filesystem::remove_all(slot.path() / a.name);
  says(a.refusal(), errc::refused_start, {a.input(), "cannot be rebuilt", "begins at 1"});
}

BOOST_AUTO_TEST_CASE(a_state_that_is_ahead_of_the_log_is_refused) {
  const ended_app a;
  const position_key key{a.name, "sum", generation{1}, partition{0}, a.input()};
  const auto at = *must(a.log->position(key));
  BOOST_TEST_REQUIRE(at.next.value > 1);
  // The group's positions are set back, as an operator can.
  std::unique_ptr<log_writer> writer;
  BOOST_TEST_REQUIRE(eventually(
      [&] {
        auto opened = a.log->open_writer({a.name, "a test"});
        if (opened) writer = std::move(*opened);
        return writer != nullptr;
      },
      60s));
  must(writer->commit({{}, {{key, {offset{1}, at.metadata}}}}));
  writer.reset();
  says(a.refusal(), errc::refused_start, {a.input(), "ahead of the log's committed position 1"});
}

BOOST_AUTO_TEST_CASE(settings_that_are_kappas_own_are_refused_by_name) {
  for (const auto* name : {"auto.offset.reset", "isolation.level", "group.id", "transactional.id",
                           "enable.idempotence", "enable.auto.commit", "session.timeout.ms"}) {
    kafka_log_options options;
    options.brokers = the_broker().bootstrap();
    options.settings = {{name, "true"}};
    const auto log = open_kafka_log(options);
    BOOST_REQUIRE(!log);
    says(log.error(), errc::bad_config,
         {std::string{"kafka."} + name, "Kappa's own", "leave it out"});
  }
}

BOOST_AUTO_TEST_CASE(a_clock_that_is_far_from_the_brokers_is_refused) {
  const auto name = fresh_name();
  kafka_log_options options;
  options.brokers = the_broker().bootstrap();
  const auto off_by = [&](std::chrono::milliseconds off) {
    options.clock = [off] {
      return std::chrono::time_point_cast<milliseconds>(std::chrono::system_clock::now()) + off;
    };
    return must(open_kafka_log(options))->open_writer({name, "a test"});
  };
  BOOST_REQUIRE(off_by(0ms));
  BOOST_REQUIRE(off_by(4min));
  BOOST_REQUIRE(off_by(-4min));
  for (const auto& [off, word] : {std::pair{6min, "ahead of"}, {-6min, "behind"}}) {
    const auto writer = off_by(off);
    BOOST_REQUIRE(!writer);
    says(writer.error(), errc::refused_start, {"clock of this machine", word, "NTP"});
  }
}

// What librdkafka says when a broker lacks a request or a version of it, and what a broker
// before 2.8 gives for a topic's id.
BOOST_AUTO_TEST_CASE(old_brokers_are_refused_with_the_version_that_is_needed) {
  for (const auto code :
       {RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE, RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION})
    says(kafka::error_of(code, "orders", {}, {}), errc::incompatible,
         {"orders", "Apache Kafka 2.8 or later"});
  const auto id_of = [](std::int64_t most, std::int64_t least) {
    const std::unique_ptr<rd_kafka_Uuid_t, kafka::destroyer<rd_kafka_Uuid_destroy>> id{
        rd_kafka_Uuid_new(most, least)};
    return kafka::topic_id("orders", *id);
  };
  BOOST_TEST(must(id_of(0, 1)) != must(id_of(1, 0)));
  const auto none = id_of(0, 0);
  BOOST_REQUIRE(!none);
  says(none.error(), errc::incompatible, {"orders", "no id", "Apache Kafka 2.8 or later"});
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
