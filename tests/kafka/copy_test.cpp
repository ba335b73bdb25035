// Copies to and from a real Kafka; the flights job is moved by tests/tools/copy_test.py.
#include <functional>

#include "kafka/totals_app_support.hpp"
#include "kappa/copy/copy_log.hpp"
#include "kappa/log/embedded_log.hpp"
#include "kappa/log/kafka_log.hpp"
#include "support/copy_that_ends.hpp"

namespace {

using namespace kafka_test;
using kappa::test::copy_ends_at;

/// The app on that log, until it has taken in so many readings in all; `at_last` while it still
/// runs.
void run_up_to(
    const std::string& name, std::shared_ptr<event_log> log, host_options options,
    std::size_t readings, const std::function<void()>& at_last = [] {}) {
  if (!log->places_tasks()) options.shared_log = log;
  host h{totals_app(name), options};
  must(h.start());
  BOOST_TEST_REQUIRE(eventually(
      [&] {
        return lines_of(*log, name + "-sums").size() == readings &&
               lines_of(*log, name + "-letters").size() == readings;
      },
      60s));
  at_last();
  must(h.stop());
}

BOOST_AUTO_TEST_SUITE(copies_on_kafka)

BOOST_AUTO_TEST_CASE(an_app_with_input_from_outside_moves_there_and_back) {
  const auto name = fresh_name();
  const temporary_folder folder;
  const auto embedded = [&](const char* which) {
    return must(open_embedded_log({.folder = folder.path() / which}));
  };
  const auto state = [&](const char* which) {
    return folder.path() / (std::string{which} + "-state");
  };

  const auto unmoved = embedded("unmoved");
  make_input(*unmoved, name);
  send(*unmoved, name, 0, 900);
  run_up_to(name, unmoved, options_on("lmdb:", state("unmoved")), 900);

  const auto old = embedded("old");
  make_input(*old, name);
  send(*old, name, 0, 300);
  run_up_to(name, old, options_on("lmdb:", state("old")), 300);

  const copy_options options{.app = name, .batch_bytes = 4000};
  const auto there = log_on_kafka();
  int ends = 0;
  for (int n = 1; copy_ends_at("copy.", n, *old, *there, options); ++n) ++ends;
  BOOST_TEST(ends > 8);
  BOOST_TEST(lines_of(*there, name + "-sums") == lines_of(*old, name + "-sums"),
             boost::test_tools::per_element());
  send(*there, name, 300, 300);
  const auto back = embedded("back");
  run_up_to(name, there, options_on(kafka_url(), state("kafka")), 600, [&] {
    const auto copied = copy_log(*there, *back, options);
    BOOST_REQUIRE(!copied);
    BOOST_TEST(name_of(copied.error().code) == name_of(errc::owned), copied.error().text());
  });

  // Its processes count until their sessions are over.
  BOOST_TEST_REQUIRE(eventually(
      [&] {
        const auto copied = copy_log(*there, *back, options);
        if (!copied) BOOST_TEST_REQUIRE(name_of(copied.error().code) == name_of(errc::owned));
        return copied.has_value();
      },
      60s));
  send(*back, name, 600, 300);
  run_up_to(name, back, options_on("lmdb:", state("back")), 900);
  BOOST_TEST(lines_of(*back, name + "-sums") == lines_of(*unmoved, name + "-sums"),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(of_two_copies_at_a_time_the_earlier_one_is_fenced) {
  const auto name = fresh_name();
  const auto first_log = log_on_kafka();
  const auto second_log = log_on_kafka();
  topic_config c;
  c.name = name + "-sums";
  c.owner = name;
  must(first_log->create_topic(c));
  const auto one = [&] {
    auto batch = std::make_shared<record_batch>();
    batch->add(ts("2001-01-01T00:00Z"), "k", "v");
    return log_transaction{{{{c.name, partition{0}}, batch}}, {}};
  };
  const auto first = must(first_log->open_writer({name, "a test", "copy"}));
  must(first->commit(one()));
  const auto second = must(second_log->open_writer({name, "a test", "copy"}));
  const auto late = first->commit(one());
  BOOST_REQUIRE(!late);
  BOOST_TEST(name_of(late.error().code) == name_of(errc::fenced), late.error().text());
  must(second->commit(one()));
  std::size_t records = 0;
  must(for_each_record(*second_log, c.name, [&](const record_view&) -> result<void> {
    ++records;
    return {};
  }));
  BOOST_TEST(records == 2U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
