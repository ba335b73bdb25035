// How far event time has come on one input, as its markers and records tell.
#include "kappa/task/input_clock.hpp"

#include <boost/test/unit_test.hpp>

#include "engine/manual_host.hpp"

using namespace kappa;
using namespace engine_test;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(input_clocks)

namespace {

marker from_task(const std::string& stage, int task, marker_kind kind, timestamp w) {
  marker m;
  m.stage = stage;
  m.task = partition{task};
  m.kind = kind;
  m.watermark = w;
  return m;
}

}  // namespace

BOOST_AUTO_TEST_CASE(an_upstream_task_not_yet_seen_counts_as_before_everything) {
  auto c = input_clock::internal({{"a", 2}, {"b", 1}});
  BOOST_TEST((c.watermark() == min_time));
  must(c.observe(from_task("a", 0, marker_kind::watermark, minute(5))));
  must(c.observe(from_task("b", 0, marker_kind::watermark, minute(7))));
  BOOST_TEST((c.watermark() == min_time));
  must(c.observe(from_task("a", 1, marker_kind::watermark, minute(9))));
  BOOST_TEST((c.watermark() == minute(5)));
  must(c.observe(from_task("a", 0, marker_kind::idle, minute(5))));
  BOOST_TEST((c.watermark() == minute(7)));
  must(c.observe(from_task("b", 0, marker_kind::end, minute(7))));
  BOOST_TEST((c.watermark() == minute(9)));
  must(c.observe(from_task("a", 1, marker_kind::idle, minute(9))));
  BOOST_TEST(!c.watermark());
  BOOST_TEST(c.idle());
  BOOST_TEST(!c.ended());
  must(c.observe(from_task("a", 0, marker_kind::end, minute(5))));
  must(c.observe(from_task("a", 1, marker_kind::end, minute(9))));
  BOOST_TEST(c.ended());
  BOOST_TEST(!c.idle());
}

BOOST_AUTO_TEST_CASE(what_has_been_taken_in_is_told_only_when_all_that_may_carry_it_have_told) {
  auto c = input_clock::internal({{"a", 2, {}, {"in"}}});
  const topic_partition origin{"in", partition{0}};
  auto m = from_task("a", 0, marker_kind::watermark, minute(5));
  m.through[origin] = offset{7};
  must(c.observe(m));
  BOOST_TEST(c.through().empty());
  m.task = partition{1};
  m.through[origin] = offset{3};
  must(c.observe(m));
  BOOST_TEST((c.through().at(origin) == offset{3}));
}

BOOST_AUTO_TEST_CASE(of_a_partition_only_the_task_that_reads_it_has_to_tell) {
  auto c = input_clock::internal({{"a", 2, {"in"}, {}}, {"b", 1, {"other"}, {}}});
  auto m = from_task("a", 0, marker_kind::watermark, minute(5));
  const topic_partition origin{"in", partition{0}};
  m.through[origin] = offset{7};
  must(c.observe(m));
  BOOST_TEST((c.through() == through_map{{origin, offset{7}}}));
}

BOOST_AUTO_TEST_CASE(a_task_that_has_told_but_not_of_an_origin_that_it_may_carry_holds_it_back) {
  auto c = input_clock::internal({{"a", 2, {}, {"in"}}});
  auto m = from_task("a", 0, marker_kind::watermark, minute(5));
  m.through[{"in", partition{0}}] = offset{7};
  must(c.observe(m));
  must(c.observe(from_task("a", 1, marker_kind::watermark, minute(5))));
  BOOST_TEST(c.through().empty());
}

BOOST_AUTO_TEST_CASE(a_marker_of_an_unknown_task_names_it) {
  auto c = input_clock::internal({{"a", 2}});
  BOOST_TEST(refused(c.observe(from_task("a", 2, marker_kind::watermark, minute(5))),
                     errc::incompatible, {"a[2]", "partition count"}));
}

BOOST_AUTO_TEST_CASE(a_clock_survives_its_encoding) {
  auto c = input_clock::internal({{"a", 2}});
  auto m = from_task("a", 0, marker_kind::idle, minute(5));
  m.through[{"in", partition{0}}] = offset{7};
  must(c.observe(m));
  c.observe(minute(6));
  bytes raw;
  byte_writer w{raw};
  c.encode(w);
  auto d = input_clock::internal({{"a", 2}});
  byte_reader r{raw};
  BOOST_TEST(d.decode(r));
  BOOST_TEST((d.largest() == minute(6)));
  BOOST_TEST((d.watermark() == c.watermark()));
  auto other = input_clock::internal({{"a", 3}});
  byte_reader again{raw};
  BOOST_TEST(!other.decode(again));
}

BOOST_AUTO_TEST_SUITE_END()
