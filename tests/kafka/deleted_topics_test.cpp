// Topics that somebody deletes while the app runs. What is refused at a start: start_test.cpp.
#include <atomic>

#include "kafka/absence.hpp"
#include "kafka/names.hpp"
#include "kafka/raw_admin_support.hpp"
#include "kafka/totals_app_support.hpp"

namespace {

using namespace kafka_test;

/// It has taken in 200 readings and runs on.
struct running_app {
  running_app() {
    make_input(*log, name);
    send(*log, name, 0, 200);
    // How long the client library waits for a topic that is new to be known everywhere: half a
    // minute.
    options.kafka_settings["topic.metadata.propagation.max.ms"] = "1000";
    options.last_backoff = 1s;
    options.log_to = [this](log_level level, std::string_view, const auto&) {
      if (level >= log_level::warning) ++complaints;
    };
    begin();
    BOOST_TEST_REQUIRE(has_taken_in(*log, name, 200));
  }
  void begin() {
    app.emplace(totals_app(name), options);
    must(app->start());
  }

  std::string name = fresh_name();
  temporary_folder folder;
  std::shared_ptr<event_log> log = log_on_kafka();
  host_options options = options_on(kafka_url(), folder.path());
  std::atomic<int> complaints = 0;
  std::optional<host> app;
};

void says(const error& e, std::initializer_list<std::string> words) {
  for (const auto& word : words)
    BOOST_TEST(e.text().find(word) != std::string::npos, e.text() << " does not say " << word);
}

BOOST_AUTO_TEST_SUITE(deleted_topics)

// A broker that has just come up may not know it yet.
BOOST_AUTO_TEST_CASE(a_topic_that_the_brokers_do_not_know_is_not_yet_one_that_was_deleted) {
  const auto log = log_on_kafka();
  const auto missing = log->identity({fresh_name()});
  BOOST_REQUIRE(!missing);
  BOOST_TEST(name_of(missing.error().code) == name_of(errc::unavailable));
  BOOST_TEST(missing.error().retriable);

  kafka::absence a;
  const kafka::absence::time_point start;
  BOOST_TEST(!a.lasts(start));
  BOOST_TEST(!a.lasts(start + kafka::absence::longest - 1s));
  BOOST_TEST(a.lasts(start + kafka::absence::longest));
  a.over();
  BOOST_TEST(!a.lasts(start + kafka::absence::longest));
  // Not asked in between, it may have been there.
  BOOST_TEST(!a.lasts(start + kafka::absence::longest + kafka::absence::apart + 1s));
}

// Once it has looked for the topic, the client library says that it has no leader, as it does of
// one that will have one in a moment.
BOOST_AUTO_TEST_CASE(whoever_asks_where_a_deleted_topic_ends_hears_that_it_is_not_there) {
  const auto log = log_on_kafka();
  const auto name = fresh_name();
  make_input(*log, name);
  const topic_partition where{name + "-readings", partition{0}};
  must(log->bounds(where));
  raw_admin{}.delete_topic(where.topic);
  BOOST_TEST_REQUIRE(eventually([&] { return !log->identity({where.topic}); }));
  const auto bounds = log->bounds(where);
  BOOST_REQUIRE(!bounds);
  BOOST_TEST(name_of(bounds.error().code) == name_of(errc::not_found));
}

BOOST_AUTO_TEST_CASE(tasks_whose_input_is_deleted_end_in_quarantine_and_name_it) {
  running_app a;
  const auto input = a.name + "-readings";
  const auto before = lines_of(*a.log, a.name + "-sums");
  raw_admin{}.delete_topic(input);
  const auto reads_it = [](const task_status& t) { return t.id.stage != "by-letter"; };
  BOOST_TEST_REQUIRE(eventually(
      [&] {
        const auto all = a.app->status();
        return std::all_of(all.begin(), all.end(), [&](const task_status& t) {
          return t.health == task_health::quarantined || !reads_it(t);
        });
      },
      120s));
  for (const auto& t : a.app->status()) {
    if (!reads_it(t)) {  // those that do not need it go on
      BOOST_TEST((t.health == task_health::running), t.id.text());
      continue;
    }
    BOOST_TEST_REQUIRE(t.last_error.has_value());
    says(*t.last_error, {input, "deleted", "start over under another name"});
  }
  const auto finished = a.app->wait_finished(1ms);  // with which a program ends
  BOOST_REQUIRE(!finished);
  says(finished.error(), {input, "deleted"});
  BOOST_TEST(a.complaints < 200);
  const auto totals_of_a = must(a.app->query<totals>("by-letter", "a"));
  BOOST_TEST_REQUIRE(totals_of_a.value.has_value());
  BOOST_TEST(totals_of_a.value->count == 29);  // every seventh of 200
  (void)a.app->stop();
  BOOST_TEST(lines_of(*a.log, a.name + "-sums") == before, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(an_app_whose_output_is_deleted_ends_and_started_again_goes_on) {
  running_app a;
  const auto output = a.name + "-sums";
  std::map<std::string, int> counts;
  for (const auto& l : lines_of(*a.log, output)) ++counts[l.substr(0, l.find(": "))];
  raw_admin{}.delete_topic(output);
  send(*a.log, a.name, 200, 100);
  BOOST_TEST_REQUIRE(eventually([&] { return a.app->failure().has_value(); }, 120s));
  BOOST_TEST(name_of(a.app->failure()->code) == name_of(errc::not_found));
  says(*a.app->failure(), {output, "deleted", "started again"});
  const auto finished = a.app->wait_finished(1ms);
  BOOST_REQUIRE(!finished);
  says(finished.error(), {output, "deleted"});
  BOOST_TEST(a.complaints < 200);
  (void)a.app->stop();

  a.begin();
  BOOST_TEST_REQUIRE(eventually([&] { return lines_of(*a.log, output).size() == 100U; }, 60s));
  BOOST_TEST(eventually([&] { return lines_of(*a.log, a.name + "-letters").size() == 300U; }));
  must(a.app->stop());
  for (const auto& l : lines_of(*a.log, output)) {  // the state was not lost
    const auto colon = l.find(": ");
    BOOST_TEST_REQUIRE(std::stoi(l.substr(colon + 2)) == ++counts[l.substr(0, colon)], l);
  }
  check_counts(*a.log, a.name + "-letters");
}

BOOST_AUTO_TEST_CASE(an_app_whose_tasks_topic_is_deleted_ends_and_names_it) {
  running_app a;
  const auto tasks = kafka::tasks_topic(a.name, "by-letter", generation{1});
  raw_admin{}.delete_topic(tasks);
  BOOST_TEST_REQUIRE(eventually([&] { return a.app->failure().has_value(); }, 120s));
  says(*a.app->failure(), {tasks, "deleted", "start over under another name"});
  const auto finished = a.app->wait_finished(1ms);
  BOOST_REQUIRE(!finished);
  says(finished.error(), {tasks, "deleted"});
  (void)a.app->stop();
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
