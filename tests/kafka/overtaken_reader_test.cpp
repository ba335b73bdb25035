// A reader whose records are removed before it has got them.
#include "kafka/raw_admin_support.hpp"
#include "kafka/totals_app_support.hpp"

namespace {

using namespace kafka_test;

}  // namespace

// A task of several inputs reads of each what is at hand: it would take the input for one where
// nothing comes any more.
BOOST_AUTO_TEST_CASE(who_waits_for_what_is_at_hand_hears_of_records_that_are_gone) {
  const auto log = log_on_kafka();
  topic_config c;
  c.name = fresh_name();
  must(log->create_topic(c));
  const topic_partition where{c.name, partition{0}};
  // Many more than are fetched before anybody reads.
  constexpr int batches = 60;
  constexpr int of_one = 1000;
  for (int i = 0; i < batches; ++i) {
    record_batch batch;
    for (int k = 0; k < of_one; ++k) batch.add(timestamp{}, bytes_view{"key"}, bytes_view{"value"});
    must(log->append(where, batch));
  }
  const auto reader = must(log->open_reader(where));
  must(reader->start(offset{0}));
  raw_admin{}.delete_records(c.name, 0, batches * of_one);
  offset next{0};
  std::optional<error> found;
  BOOST_TEST_REQUIRE(eventually([&] {
    const auto at_hand = reader->at_hand();
    if (!at_hand) found = at_hand.error();
    if (at_hand && *at_hand > next) next = must(reader->read(next, 1 << 20)).next();
    return found.has_value();
  }));
  BOOST_TEST((found->code == errc::out_of_range), found->text());
  BOOST_TEST(found->text().find(where.text()) != std::string::npos, found->text());
  BOOST_TEST(next.value < batches * of_one);
}
