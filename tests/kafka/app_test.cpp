// Apps on a real Kafka: the same results as on the other logs, tasks that move, starts that are
// refused.
#include <set>

#include "kafka/raw_admin_support.hpp"
#include "kafka/totals_app_support.hpp"
#include "kappa/log/open_log.hpp"
#include "support/kafka_broker.hpp"

namespace {

using namespace kafka_test;

BOOST_AUTO_TEST_SUITE(app_on_kafka)

BOOST_AUTO_TEST_CASE(an_app_gives_the_same_on_every_log) {
  const auto name = fresh_name();
  const temporary_folder folder;
  std::map<std::string, std::vector<std::string>> results;
  for (const auto& url :
       {std::string{"memory:"}, "lmdb:" + (folder.path() / "log").string(), kafka_url()}) {
    auto options = options_on(url, folder.path() / ("state-" + url.substr(0, 4)));
    const auto log = must(open_log({.url = url}));
    if (!url.starts_with("kafka")) options.shared_log = log;
    make_input(*log, name);
    send(*log, name, 0, 2000);
    options.until_end = true;
    host h{totals_app(name), options};
    must(h.start());
    BOOST_TEST_REQUIRE(must(h.wait_finished(60s)));
    must(h.stop());
    results[url] = lines_of(*log, name + "-sums");
    for (auto& l : lines_of(*log, name + "-letters")) results[url].push_back(std::move(l));
    // A change of key mixes partitions, so the order of its results is each key's own.
    std::stable_sort(results[url].begin() + 2000, results[url].end(),
                     [](const auto& a, const auto& b) { return a.front() < b.front(); });
    BOOST_TEST(results[url].size() == 4000U, url);
  }
  const auto& on_memory = results["memory:"];
  for (const auto& [url, lines] : results) {
    BOOST_TEST((std::vector<std::string>(lines.begin(), lines.begin() + 2000) ==
                std::vector<std::string>(on_memory.begin(), on_memory.begin() + 2000)),
               url << " differs from memory");
    // The last total of each letter is that of all its readings.
    std::map<std::string, std::string> last;
    std::map<std::string, std::string> expected;
    for (std::size_t i = 2000; i < lines.size(); ++i) last[lines[i].substr(0, 1)] = lines[i];
    for (std::size_t i = 2000; i < on_memory.size(); ++i)
      expected[on_memory[i].substr(0, 1)] = on_memory[i];
    BOOST_TEST((last == expected), url << " differs from memory");
  }
}

BOOST_AUTO_TEST_CASE(processes_share_the_tasks_and_each_record_counts_once) {
  const auto name = fresh_name();
  const temporary_folder folder;
  const auto log = log_on_kafka();
  make_input(*log, name);
  send(*log, name, 0, 500);
  const auto options = options_on(kafka_url(), folder.path());
  host first{totals_app(name), options};
  must(first.start());
  const std::size_t tasks = first.status().size();
  BOOST_TEST_REQUIRE(eventually([&] { return running(first) == tasks; }));
  {
    host second{totals_app(name), options};  // the same flags: it takes the next slot
    must(second.start());
    BOOST_TEST_REQUIRE(eventually(
        [&] { return running(first) + running(second) == tasks && running(second) >= tasks / 3; }));
    send(*log, name, 500, 500);
    BOOST_TEST_REQUIRE(eventually([&] { return lines_of(*log, name + "-sums").size() == 1000U; }));
    must(second.stop());
  }
  // It is known by its slot, so its tasks wait for it for the session time-out, then they move.
  send(*log, name, 1000, 500);
  BOOST_TEST_REQUIRE(eventually([&] { return running(first) == tasks; }, 60s));
  BOOST_TEST_REQUIRE(eventually([&] { return lines_of(*log, name + "-sums").size() == 1500U; }));
  BOOST_TEST_REQUIRE(eventually([&] { return lines_of(*log, name + "-letters").size() == 1500U; }));
  must(first.stop());
  std::map<std::string, int> counts;
  for (const auto& l : lines_of(*log, name + "-sums")) {
    // Each place's totals count 1, 2, 3 … without a gap or a repetition.
    const auto colon = l.find(": ");
    BOOST_REQUIRE(std::stoi(l.substr(colon + 2)) == ++counts[l.substr(0, colon)]);
  }
}

BOOST_AUTO_TEST_CASE(a_process_that_comes_back_finds_its_slot_and_goes_on) {
  const auto name = fresh_name();
  const temporary_folder folder;
  const auto log = log_on_kafka();
  make_input(*log, name);
  auto options = options_on(kafka_url(), folder.path());
  for (int round = 0; round < 3; ++round) {
    send(*log, name, round * 100, 100);
    host h{totals_app(name), options};
    must(h.start());
    const auto expected = static_cast<std::size_t>(round + 1) * 100;
    BOOST_TEST_REQUIRE(
        eventually([&] { return lines_of(*log, name + "-sums").size() == expected; }));
    must(h.stop());
  }
  std::size_t slots = 0;
  for (const auto& e : std::filesystem::directory_iterator{folder.path()})
    slots += e.path().filename().string().starts_with("slot-") ? 1 : 0;
  BOOST_TEST(slots == 1U);
}

BOOST_AUTO_TEST_CASE(a_slot_by_name_is_taken_once) {
  const auto name = fresh_name();
  const temporary_folder folder;
  make_input(*log_on_kafka(), name);
  auto options = options_on(kafka_url(), folder.path());
  options.instance = "east-1";
  host first{totals_app(name), options};
  must(first.start());
  host second{totals_app(name), options};
  const auto refused_start = second.start();
  BOOST_REQUIRE(!refused_start);
  BOOST_TEST(name_of(refused_start.error().code) == name_of(errc::owned));
  must(first.stop());
}

BOOST_AUTO_TEST_CASE(a_copied_state_folder_is_found_out_and_the_older_process_ends) {
  const auto name = fresh_name();
  const temporary_folder folder;
  const auto log = log_on_kafka();
  make_input(*log, name);
  const auto original = folder.path() / "original";
  const auto copy = folder.path() / "copy";
  host first{totals_app(name), options_on(kafka_url(), original)};
  must(first.start());
  BOOST_TEST_REQUIRE(eventually([&] { return running(first) == first.status().size(); }));
  std::filesystem::copy(original, copy, std::filesystem::copy_options::recursive);
  host second{totals_app(name), options_on(kafka_url(), copy)};
  must(second.start());
  BOOST_TEST_REQUIRE(eventually([&] {
    send(*log, name, 0, 1);  // what the older one would commit
    return first.failure().has_value();
  }));
  BOOST_TEST(name_of(first.failure()->code) == name_of(errc::fenced), first.failure()->text());
  (void)first.stop();
  BOOST_TEST_REQUIRE(eventually([&] { return running(second) == second.status().size(); }));
  must(second.stop());
  check_counts(*log, name + "-sums");
  check_counts(*log, name + "-letters");
}

// ── starts that are refused ──

BOOST_AUTO_TEST_CASE(another_number_of_partitions_is_refused) {
  const auto name = fresh_name();
  const temporary_folder folder;
  const auto log = log_on_kafka();
  make_input(*log, name);
  {
    host h{totals_app(name), options_on(kafka_url(), folder.path())};
    must(h.start());
    must(h.stop());
  }
  auto options = options_on(kafka_url(), folder.path());
  options.partitions = 6;
  host h{totals_app(name), options};
  const auto started = h.start();
  BOOST_REQUIRE(!started);
  BOOST_TEST(name_of(started.error().code) == name_of(errc::bad_config));
  BOOST_TEST(started.error().text().find("partitions") != std::string::npos,
             started.error().text());
}

BOOST_AUTO_TEST_CASE(a_compacted_input_is_refused) {
  const auto name = fresh_name();
  const temporary_folder folder;
  topic_config c;
  c.name = name + "-readings";
  c.partitions = totals_partitions;
  c.compacted = true;
  must(log_on_kafka()->create_topic(c));
  host h{totals_app(name), options_on(kafka_url(), folder.path())};
  const auto started = h.start();
  BOOST_REQUIRE(!started);
  BOOST_TEST(started.error().text().find("compacted") != std::string::npos, started.error().text());
}

BOOST_AUTO_TEST_CASE(positions_that_are_gone_are_not_taken_for_a_first_start) {
  const auto name = fresh_name();
  const temporary_folder folder;
  const auto log = log_on_kafka();
  make_input(*log, name);
  send(*log, name, 0, 200);
  {
    host h{totals_app(name), options_on(kafka_url(), folder.path())};
    must(h.start());
    BOOST_TEST_REQUIRE(eventually([&] { return lines_of(*log, name + "-sums").size() == 200U; }));
    must(h.stop());
  }
  // As if the group's offsets had expired. Its member is known for the session time-out.
  for (std::int32_t p = 0; p < totals_partitions; ++p) {
    const position_key key{name, "sum", generation{1}, partition{p}, name + "-readings"};
    BOOST_TEST_REQUIRE(eventually([&] { return log->forget_position(key).has_value(); }, 60s));
  }
  host h{totals_app(name), options_on(kafka_url(), folder.path())};
  must(h.start());
  BOOST_TEST_REQUIRE(eventually([&] { return h.failure().has_value(); }));
  BOOST_TEST(name_of(h.failure()->code) == name_of(errc::refused_start), h.failure()->text());
  (void)h.stop();
  BOOST_TEST(lines_of(*log, name + "-sums").size() == 200U);
}

// They are for Kafka's own tools: the tasks' positions are elsewhere.
BOOST_AUTO_TEST_CASE(offsets_of_the_inputs_that_are_deleted_under_a_running_app_change_nothing) {
  const auto name = fresh_name();
  const temporary_folder folder;
  const auto log = log_on_kafka();
  make_input(*log, name);
  send(*log, name, 0, 200);
  host h{totals_app(name), options_on(kafka_url(), folder.path())};
  must(h.start());
  BOOST_TEST_REQUIRE(has_taken_in(*log, name, 200));
  raw_admin tools;
  const auto group = name + ".sum.g1";
  const auto input = name + "-readings";
  const auto is_at_the_end = [&](std::int32_t p) {
    return tools.committed(group, input, p) ==
           must(log->bounds({input, partition{p}})).latest.value;
  };
  for (std::int32_t p = 0; p < totals_partitions; ++p) {
    BOOST_TEST_REQUIRE(eventually([&] { return is_at_the_end(p); }));
    tools.delete_committed(group, input, p);
    BOOST_TEST(tools.committed(group, input, p) == RD_KAFKA_OFFSET_INVALID);
  }
  send(*log, name, 200, 100);
  BOOST_TEST(has_taken_in(*log, name, 300));
  for (std::int32_t p = 0; p < totals_partitions; ++p)
    BOOST_TEST(eventually([&] { return is_at_the_end(p); }));
  must(h.stop());
  check_counts(*log, name + "-sums");
  check_counts(*log, name + "-letters");
}

BOOST_AUTO_TEST_CASE(a_session_time_out_that_the_brokers_do_not_take_is_refused) {
  const kappa::testing::kafka_broker broker{{.settings = {"group.min.session.timeout.ms=6000"}}};
  const auto url = "kafka://" + broker.bootstrap();
  const auto name = fresh_name();
  const temporary_folder folder;
  make_input(*must(open_log({.url = url})), name);
  auto options = options_on(url, folder.path());
  options.session_timeout = 2s;
  host h{totals_app(name), options};
  must(h.start());
  BOOST_TEST_REQUIRE(eventually([&] { return h.failure().has_value(); }));
  BOOST_TEST(name_of(h.failure()->code) == name_of(errc::bad_config), h.failure()->text());
  BOOST_TEST(h.failure()->text().find("group.min.session.timeout.ms") != std::string::npos,
             h.failure()->text());
  (void)h.stop();
}

BOOST_AUTO_TEST_CASE(a_wrong_address_is_told_by_what_the_connection_said) {
  const temporary_folder folder;
  auto options = options_on("kafka://127.0.0.1:1", folder.path());
  host h{totals_app("any"), options};
  const auto started = h.start();
  BOOST_REQUIRE(!started);
  BOOST_TEST(started.error().text().find("refused") != std::string::npos, started.error().text());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
