// An order that has waited for too long gives back what it may hold: the result of its first step
// is on its way meanwhile, and comes late. Nothing is lost, and nothing is there twice.
#include "kappa/log/envelope.hpp"
#include "saga/running_app.hpp"
#include "saga/shop.hpp"

namespace timeout_tests {

namespace {

using namespace saga_tests;
using shop::order;
using shop::shelf;

constexpr auto pieces = 2;
const std::vector<std::string> names{"first", "second", "third"};  // one more than pieces

struct small_shop : running_app {
  small_shop() : running_app{shop::shop_app()} {
    ask("shelves", "cups", 0, shop::stock{pieces});
    quiet();
  }
  void place(const std::string& name) { ask("orders", name, 0, shop::place_order{"cups"}); }
  /// Until all are placed; the shelf has heard of none.
  void place_all(bool snapshots) {
    for (const auto& name : names) place(name);
    BOOST_TEST(
        !must(runner->run_until_quiet({.budget = 1, .snapshots = snapshots, .after_commit = [&] {
                                         return records("orders") < names.size();
                                       }})));
    BOOST_TEST(records("shelves") == 1U);
  }
  order of(const std::string& name) { return at<order>("orders", name).state; }
  shelf cups() { return at<shelf>("shelves", "cups").state; }
  /// The types of the events of a key, in order.
  std::vector<std::string> history(const std::string& topic, bytes_view key) {
    std::vector<std::string> all;
    must(for_each_record(*log, topic, [&](const record_view& r) -> result<void> {
      if (r.key != key) return {};
      const auto type = must(decode_envelope(r.headers)).schema.value().name;
      all.push_back(type.substr(type.rfind(':') + 1));
      return {};
    }));
    return all;
  }
  /// False: it was quiet before so many commits.
  bool stopped_after(int commits, bool snapshots) {
    if (commits == 0) return true;
    return !must(runner->run_until_quiet(
        {.budget = 1, .snapshots = snapshots, .after_commit = [&] { return --commits > 0; }}));
  }
  void holds_what_orders_have() {
    const auto shelf_now = cups();
    BOOST_TEST(shelf_now.left + shelf_now.held.size() == pieces);
    std::size_t confirmed = 0;
    for (const auto& name : names) {
      const auto o = of(name);
      const auto held = std::count(shelf_now.held.begin(), shelf_now.held.end(), name);
      BOOST_TEST((o.stage == shop::stage::confirmed || o.stage == shop::stage::refused ||
                  o.stage == shop::stage::cancelled));
      BOOST_TEST(held == (o.stage == shop::stage::confirmed ? 1 : 0));
      // It gave back what it held, and only that.
      BOOST_TEST(o.gave_back == (o.held_late == 1));
      BOOST_TEST(o.held_late + o.refused_late == (o.stage == shop::stage::cancelled ? 1U : 0U));
      confirmed += o.stage == shop::stage::confirmed ? 1 : 0;
    }
    BOOST_TEST(confirmed == shelf_now.held.size());
    BOOST_TEST(records("shop.dead-letters") == 0U);
  }
};

using types = std::vector<std::string>;

}  // namespace

BOOST_AUTO_TEST_SUITE(timeouts)

BOOST_AUTO_TEST_CASE(a_result_that_comes_after_the_time_out_finds_all_given_back_once) {
  for (const bool was_held : {true, false}) {
    small_shop s;
    s.place("first");
    // The shelf has held it, or was not asked yet, and the order does not know.
    int left = was_held ? 2 : 1;
    BOOST_TEST(s.stopped_after(left, false));
    BOOST_TEST(
        (s.history("shelves", "cups") == (was_held ? types{"Stocked", "Held"} : types{"Stocked"})));
    BOOST_TEST((s.of("first").stage == shop::stage::waiting));
    s.now += order::limit;
    s.quiet();
    BOOST_TEST((s.history("orders", "first") ==
                types{"OrderPlaced", "OrderTimedOut", "HoldCameLate", "OrderCancelled"}));
    BOOST_TEST((s.history("shelves", "cups") == types{"Stocked", "Held", "WasPutBack"}));
    BOOST_TEST(s.of("first").held_late == 1U);
    BOOST_TEST(s.of("first").gave_back);
    BOOST_TEST(s.cups().left == pieces);
    BOOST_TEST(s.records("shop.shelves.commands") == 2U);
    BOOST_TEST(s.records("shop.orders.commands") == 2U);
  }
}

BOOST_AUTO_TEST_CASE(a_result_that_comes_before_the_time_out_ends_it) {
  small_shop s;
  for (const auto& name : names) s.place(name);
  s.quiet();
  s.now += order::limit;
  s.quiet();
  s.holds_what_orders_have();
  BOOST_TEST(s.cups().left == 0U);
  BOOST_TEST(s.records("shop.shelves.commands") == names.size());
}

// The time passes after any number of commits, with a crash there, and there is another crash after
// any number more.
BOOST_AUTO_TEST_CASE(whatever_dies_around_the_time_out_each_piece_is_there_once) {
  for (const bool snapshots : {true, false}) {
    for (const bool lose : {true, false}) {
      int held_late = 0;
      int refused_late = 0;
      int confirmed = 0;
      bool before = true;
      for (int first = 0; before; ++first) {
        bool after = true;
        for (int then = 0; after; ++then) {
          BOOST_TEST_CONTEXT("snapshots " << snapshots << ", states lost " << lose
                                          << ", crashes after " << first << " and " << then) {
            small_shop s;
            s.place_all(snapshots);
            const auto again = [&] {
              s.crash();
              if (lose) s.lose_states();
              s.start();
            };
            before = s.stopped_after(first, snapshots);
            s.now += order::limit;
            again();
            after = s.stopped_after(then, snapshots);
            again();
            s.quiet(snapshots);
            s.holds_what_orders_have();
            for (const auto& name : names) {
              held_late += static_cast<int>(s.of(name).held_late);
              refused_late += static_cast<int>(s.of(name).refused_late);
              confirmed += s.of(name).stage == shop::stage::confirmed ? 1 : 0;
            }
          }
        }
      }
      BOOST_TEST(held_late > 0);
      BOOST_TEST(refused_late > 0);
      BOOST_TEST(confirmed > 0);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace timeout_tests
