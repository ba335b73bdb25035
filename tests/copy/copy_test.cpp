// An app that is moved to another log goes on as if it had never moved.
#include <boost/test/unit_test.hpp>

#include "copy/copy_support.hpp"
#include "copy/offset_map.hpp"
#include "kappa/log/envelope.hpp"
#include "log/log_fixtures.hpp"
#include "support/copy_that_ends.hpp"

using namespace copy_test;
using kappa::test::copy_ends_at;

namespace {

constexpr int steps = 40;

std::shared_ptr<memory_log> new_log(const std::string& id) { return memory_log::create(id); }

/// The story without a move.
const picture& unmoved() {
  static const auto p = [] {
    manual_host h{shop(), partitions, new_log("unmoved")};
    h.open();
    play(h, 0, steps, false);
    end(h);
    return h.picture();
  }();
  return p;
}

/// The story up to `step`, then the process ends.
std::shared_ptr<memory_log> played_up_to(int step, bool gaps) {
  auto log = new_log("old");
  manual_host h{shop(), partitions, log};
  h.open();
  play(h, 0, step, gaps);
  h.crash();
  return log;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(copying_a_log)

BOOST_AUTO_TEST_CASE(an_offset_map_tells_records_and_positions) {
  detail::offset_map map{offset{3}};
  // old 2 4 5 9 → new 3 4 5 8
  for (const auto& [o, n] : {std::pair{2, 3}, {4, 4}, {5, 5}, {9, 8}})
    map.add(offset{o}, offset{n});
  const std::vector<int> records{-1, -1, 3, -1, 4, 5, -1, -1, -1, 8, -1};
  const std::vector<int> positions{3, 3, 3, 4, 4, 5, 6, 6, 6, 6, 9, 9};
  for (std::size_t i = 0; i < records.size(); ++i)
    BOOST_TEST(map.record(offset{static_cast<int>(i)}).value_or(offset{-1}).value == records[i]);
  for (std::size_t i = 0; i < positions.size(); ++i)
    BOOST_TEST(map.position(offset{static_cast<int>(i)}).value == positions[i]);
}

BOOST_AUTO_TEST_CASE(records_keep_partition_order_key_value_time_and_headers) {
  log_contract::embedded_fixture from;
  log_contract::embedded_fixture to;
  topic_config c;
  c.name = "any";
  c.partitions = 3;
  c.retention_time = std::chrono::hours{1};
  c.max_record_bytes = 5000;
  must(from.log().create_topic(c));
  for (int p = 0; p < 3; ++p) {
    for (int i = 0; i < 40; ++i) {
      record_batch one;
      const auto text = std::to_string(i);
      one.add(minute(i - 20'000'000),
              i % 3 == 0 ? std::nullopt : std::optional<bytes_view>{i % 3 == 1 ? "" : text},
              i % 5 == 0 ? std::nullopt : std::optional<bytes_view>{i % 5 == 1 ? "" : text},
              {{"kappa.cause", "any[0]@1"}, {"twice", text}, {"twice", ""}});
      must(from.log().append({"any", partition{p}}, one));
    }
  }
  const auto report = must(copy_log(from.log(), to.log(), {.batch_bytes = 300}));
  BOOST_TEST(report.records == 120U);
  BOOST_TEST(look_of(from.log(), "none") == look_of(to.log(), "none"),
             boost::test_tools::per_element());
  BOOST_TEST((*must(to.log().find_topic("any")) == *must(from.log().find_topic("any"))));
  // Again: nothing is doubled; what came since is added.
  record_batch more;
  more.add(minute(1), "more", "more");
  must(from.log().append({"any", partition{1}}, more));
  const auto again = must(copy_log(from.log(), to.log(), {}));
  BOOST_TEST(again.found == 120U);
  BOOST_TEST(again.records == 1U);
  BOOST_TEST(look_of(from.log(), "none") == look_of(to.log(), "none"),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(an_app_that_moves_there_and_back_gives_what_it_gives_without) {
  for (int first = 0; first <= steps; first += 8) {
    for (const bool gaps : {false, true}) {
      BOOST_TEST_CONTEXT("moved at step " << first << ", gaps " << gaps) {
        const auto old = played_up_to(first, gaps);
        const auto there = new_log("new");
        marking_log marking{there};
        const auto report = must(copy_log(*old, marking, {.batch_bytes = 100}));
        BOOST_TEST(report.moved == std::vector<std::string>{"shop"});
        const int second = std::min(steps, first + 12);
        {
          manual_host h{shop(), partitions, there};
          h.open();
          play(h, first, second, true);
          h.crash();
        }
        const auto back = new_log("back");
        must(copy_log(*there, *back, {}));
        manual_host h{shop(), partitions, back};
        h.open();
        play(h, second, steps, false);
        end(h);
        BOOST_TEST(h.finished());
        BOOST_TEST(same(unmoved(), h.picture()));
        rebuilds_the_same(h);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(what_records_say_of_others_is_true_in_the_new_log) {
  const auto old = played_up_to(steps, true);
  const auto there = new_log("new");
  marking_log marking{there};
  must(copy_log(*old, marking, {.batch_bytes = 100}));
  const auto at = [](event_log& log, const bytes& place) {
    const auto address = record_address::parse(place);
    BOOST_REQUIRE(address);
    std::optional<bytes> value;
    must(for_each_record(log, address->where, address->offset,
                         [&](const record_view& r) -> result<bool> {
                           if (r.offset == address->offset) value = bytes{*r.value};
                           return false;
                         }));
    BOOST_REQUIRE(value);
    return *value;
  };
  manual_host of_old{shop(), partitions, old};
  manual_host of_new{shop(), partitions, there};
  std::map<std::string, std::size_t> compared;
  bool other_places = false;
  for (const auto& [topic, header] : {std::pair{"hours", "kappa.cause"},
                                      {"out", "kappa.cause"},
                                      {"ordered", "kappa.cause"},
                                      {"shop.dead-letters", "kappa.position"}}) {
    const auto olds = of_old.records(topic);
    const auto news = of_new.records(topic);
    BOOST_REQUIRE(olds.size() == news.size());
    for (std::size_t i = 0; i < olds.size(); ++i) {
      const auto& said_then = olds[i].headers.at(header);
      const auto& says_now = news[i].headers.at(header);
      BOOST_TEST(at(*old, said_then) == at(*there, says_now));
      other_places = other_places || said_then != says_now;
      ++compared[topic];
    }
  }
  BOOST_TEST(compared.size() == 4U);
  BOOST_TEST(other_places);
  // Markers: what lies in front of a place that they name is the same.
  const auto before = [](event_log& log, const topic_partition& tp, offset end) {
    std::size_t n = 0;
    (void)must(for_each_record(log, tp, offset{0}, [&](const record_view& r) -> result<bool> {
      n += r.offset < end ? 1 : 0;
      return r.offset < end;
    }));
    return n;
  };
  std::size_t origins = 0;
  for (int p = 0; p < partitions; ++p) {
    const auto olds = of_old.markers("shop.place.g1.place", p);
    const auto news = of_new.markers("shop.place.g1.place", p);
    BOOST_REQUIRE(olds.size() == news.size());
    for (std::size_t i = 0; i < olds.size(); ++i) {
      for (const auto& [origin, next] : olds[i].through) {
        BOOST_TEST(before(*old, origin, next) ==
                   before(*there, origin, news[i].through.at(origin)));
        ++origins;
      }
    }
  }
  BOOST_TEST(origins > 0U);
}

BOOST_AUTO_TEST_CASE(a_copy_that_ends_at_any_step_goes_on_and_is_the_same) {
  const auto old = played_up_to(9, true);
  const copy_options options{.batch_bytes = 1};  // a transaction for each record
  const auto whole = new_log("new");
  marking_log undisturbed{whole};
  must(copy_log(*old, undisturbed, options));
  const auto expected = look_of(*whole, "shop");
  int n = 1;
  for (bool ended = true; ended; ++n) {
    const auto there = new_log("new");
    marking_log marking{there};
    ended = copy_ends_at("copy.", n, *old, marking, options);
    // Until it is complete no host starts there.
    const auto note = must(find_copy_note(*there, "shop"));
    BOOST_REQUIRE(note);
    BOOST_TEST(check_copy_complete(*there, "shop").has_value() == note->complete);
    must(copy_log(*old, marking, options));
    must(check_copy_complete(*there, "shop"));
    const auto look = look_of(*there, "shop");
    BOOST_REQUIRE_MESSAGE(look == expected, "differs after an end at step " << n);
  }
  BOOST_TEST(n > 200);
  // Ended again and again, two transactions further each time.
  const auto there = new_log("new");
  marking_log marking{there};
  int ends = 0;
  while (copy_ends_at("copy.after_append", 2, *old, marking, options)) ++ends;
  BOOST_TEST(ends > 20);
  BOOST_TEST(look_of(*there, "shop") == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_commit_whose_outcome_is_unknown_doubles_and_loses_nothing) {
  const auto old = played_up_to(5, true);
  const copy_options options{.batch_bytes = 200};
  const auto whole = new_log("new");
  must(copy_log(*old, *whole, options));
  const auto expected = look_of(*whole, "shop");
  for (const auto fault :
       {commit_fault::abort, commit_fault::indefinite_lost, commit_fault::indefinite_applied}) {
    bool met = true;
    for (int n = 1; met; ++n) {
      const auto there = new_log("new");
      int left = n;
      there->set_commit_fault(
          [&](const log_transaction&) { return --left == 0 ? fault : commit_fault::none; });
      const auto first = copy_log(*old, *there, options);
      met = left <= 0;
      BOOST_TEST(first.has_value() == !met);
      must(copy_log(*old, *there, options));
      BOOST_REQUIRE(look_of(*there, "shop") == expected);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
