#include <boost/test/unit_test.hpp>

#include "log/log_fixtures.hpp"

namespace {

using namespace log_contract;

struct with_log {
  with_log() {
    topic_config c;
    c.name = "orders";
    c.owner = "app";
    must(log->create_topic(c));
    tx.appends = {{tp("orders"), batch_of({"a", "b"})}};
    tx.moves = {{key, {offset{1}, {}}}};
  }
  std::int64_t latest() { return must(log->bounds(tp("orders"))).latest.value; }

  std::shared_ptr<memory_log> log = memory_log::create();
  position_key key = key_of("app", "stage", "in");
  log_transaction tx;
};

BOOST_FIXTURE_TEST_SUITE(memory_log_faults, with_log)

BOOST_AUTO_TEST_CASE(a_refused_commit_writes_nothing_and_may_be_repeated) {
  const auto writer = must(log->open_writer({"app", {}}));
  int left = 1;
  log->set_commit_fault([&](const log_transaction&) {
    return left-- > 0 ? commit_fault::abort : commit_fault::none;
  });
  const auto r = writer->commit(tx);
  must_fail(r, errc::injected);
  BOOST_TEST(r.error().retriable);
  BOOST_TEST(latest() == 0);
  BOOST_TEST(!must(log->position(key)));
  must(writer->commit(tx));
  BOOST_TEST(latest() == 2);
}

BOOST_AUTO_TEST_CASE(an_unknown_outcome_ends_the_writer_whether_it_was_written_or_not) {
  for (const auto fault : {commit_fault::indefinite_lost, commit_fault::indefinite_applied}) {
    const auto before = latest();
    {
      const auto writer = must(log->open_writer({"app", {}}));
      log->set_commit_fault([&](const log_transaction&) { return fault; });
      must_fail(writer->commit(tx), errc::indefinite);
      must_fail(writer->commit(tx), errc::fenced);
    }
    BOOST_TEST(latest() - before == (fault == commit_fault::indefinite_applied ? 2 : 0));
    log->set_commit_fault(nullptr);
    must(must(log->open_writer({"app", {}}))->commit(tx));
  }
}

BOOST_AUTO_TEST_CASE(damage_is_reported_with_its_place) {
  const auto writer = must(log->open_writer({"app", {}}));
  for (int i = 0; i < 3; ++i) must(writer->commit(tx));
  log->damage(tp("orders"), offset{3});
  const auto reader = must(log->open_reader(tp("orders")));
  BOOST_TEST(must(reader->read(offset{0}, 1 << 20)).next() == offset{2});
  must_fail(reader->read(offset{3}, 1 << 20), errc::corrupt, "orders[0]@2");
  BOOST_TEST(must(reader->read(offset{4}, 1 << 20)).records().size() == 2U);
}

BOOST_AUTO_TEST_CASE(readers_step_over_gaps) {
  const auto writer = must(log->open_writer({"app", {}}));
  must(writer->commit(tx));
  log->skip_offsets(tp("orders"), 3);
  const auto reader = must(log->open_reader(tp("orders")));
  const auto before = must(reader->read(offset{0}, 1 << 20));
  BOOST_TEST(before.records().size() == 2U);
  BOOST_TEST(before.next() == offset{5});
  const auto in_gap = must(reader->read(offset{3}, 1 << 20));
  BOOST_TEST(in_gap.empty());
  BOOST_TEST(in_gap.next() == offset{5});
  BOOST_TEST(must(writer->commit(tx)).bases[0] == offset{5});
  BOOST_TEST(must(reader->read(offset{3}, 1 << 20)).records()[0].offset == offset{5});
}

BOOST_AUTO_TEST_CASE(truncation_moves_the_earliest_offset) {
  const auto writer = must(log->open_writer({"app", {}}));
  must(writer->commit(tx));
  must(writer->commit(tx));
  log->truncate_before(tp("orders"), offset{3});
  BOOST_TEST(must(log->bounds(tp("orders"))).earliest == offset{3});
  const auto reader = must(log->open_reader(tp("orders")));
  must_fail(reader->read(offset{2}, 100), errc::out_of_range);
  BOOST_TEST(must(reader->read(offset{3}, 100)).records()[0].offset == offset{3});
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
