// What former events become, in every form that an upcast may give.
#include <optional>
#include <tuple>
#include <variant>
#include <vector>

#include "kappa/aggregate/program.hpp"
#include "kappa/state/state_store.hpp"
#include "kappa/testing/given.hpp"
#include "parcels.kappa.hpp"
#include "support/must.hpp"
#include "support/refused.hpp"
#include "support/temporary_folder.hpp"
#include "versions.hpp"

namespace upcast_tests {

namespace {

using namespace kappa;
using namespace parcels;
using kappa::test::must;
using kappa::test::refused;
using kappa::test::temporary_folder;

struct parcel : parcel_state {
  using protocol = parcel_protocol;

  static auto upcast(const packed& e) -> std::tuple<weighed, labelled> {
    return {weighed{e.grams}, labelled{e.label}};
  }
  static auto upcast(const labelled_often& e) {
    std::vector<labelled> all;
    for (const auto& label : e.labels) all.push_back({label});
    return all;
  }
  static auto upcast(const photographed& /*e*/) -> std::tuple<> { return {}; }
  static auto upcast(const corrected& e) -> std::optional<weighed> {
    if (e.grams == 0) return std::nullopt;
    return weighed{e.grams};
  }
  static auto upcast(const noted& e, const apply_context& ctx) -> std::variant<weighed, labelled> {
    if (e.text == "heavy") return weighed{30'000};
    return labelled{e.text + "@" + std::to_string(ctx.version)};
  }
  static auto upcast(const wrapped& e) -> packed { return {e.kilograms * 1000, "wrapped"}; }
  static auto upcast(const promised_twice& e) -> std::vector<any_event<parcel>> {
    return {promised{e.first}, promised{e.second}};
  }

  static auto upcast(const lost& /*e*/) -> delivered { return {}; }
  static auto upcast(const returned& e) -> std::tuple<delivered, weighed> {
    return {delivered{}, weighed{e.grams}};
  }

  auto decide(const pack& /*c*/) const -> decision<weighed, labelled> {
    return {weighed{1}, labelled{"new"}};
  }
  auto decide(const deadline_passed& /*d*/) const -> decision<promised> { return promised{}; }
  auto deadline() const -> std::optional<timestamp> {
    if (due_at == timestamp{}) return std::nullopt;
    return due_at;
  }

  void apply(const weighed& e) { grams = e.grams; }
  void apply(const labelled& e) { labels.push_back(e.label); }
  void apply(const promised& e) { due_at = e.at; }
};

timestamp minute(int n) { return timestamp{std::chrono::minutes{n}}; }

/// A program over a state of its own, to which events are applied as in a replay.
struct replayed {
  replayed() {
    state_store_options o;
    o.folder = folder.path() / "state";
    o.identity = {"a", "parcels", generation{1}, partition{0}, "log", 1};
    o.tables = {{"parcels", codec<parcel>::schema()}};
    store = must(state_store::open(o));
    table = program.make_table(*store, 0, {});
  }
  template <class E>
  [[nodiscard]] result<kappa::detail::deadline_change> happens(std::uint64_t version, const E& e) {
    std::size_t kind = events_of<parcel>::size;
    kind += former_events_of<parcel>::place_of<E>;
    BOOST_REQUIRE(program.former_events().at(kind - program.events().size()).name ==
                  codec<E>::schema().name);
    kappa::detail::deadline_changes change;
    table->begin_step(epoch_number{1});
    auto done = program.apply(*table, "p", kind, encoded(e), version, minute(1), change);
    if (!done) {
      table->rollback_step();
      return fail(done.error());
    }
    table->commit_step();
    return change[kappa::detail::deadline_clock::machine];
  }
  [[nodiscard]] aggregate_entry<parcel> state() {
    return must(
        codec<aggregate_entry<parcel>>::decode(must(table->read("p", read_level::latest)).value()));
  }

  temporary_folder folder;
  std::unique_ptr<state_store> store;
  kappa::detail::typed_program<parcel> program;
  std::unique_ptr<keyed_table_base> table;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(upcasts)

BOOST_AUTO_TEST_CASE(an_event_of_the_log_is_one_version_whatever_it_becomes) {
  replayed r;
  (void)must(r.happens(1, photographed{}));
  BOOST_TEST(r.state().version == 1U);
  BOOST_TEST((r.state().state == parcel_state{}));
  (void)must(r.happens(2, packed{500, "fragile"}));
  (void)must(r.happens(3, labelled_often{{"a", "b"}}));
  (void)must(r.happens(4, corrected{0}));
  (void)must(r.happens(5, noted{"x"}));
  BOOST_TEST(r.state().version == 5U);
  BOOST_TEST((r.state().state == parcel_state{500, {"fragile", "a", "b", "x@5"}, {}}));
  (void)must(r.happens(6, noted{"heavy"}));
  BOOST_TEST(r.state().state.grams == 30'000);
  (void)must(r.happens(7, wrapped{2}));  // by way of another former event
  BOOST_TEST(r.state().state.grams == 2'000);
  BOOST_TEST(r.state().state.labels.back() == "wrapped");
  BOOST_TEST(refused(r.happens(9, photographed{}), errc::corrupt, {"one is missing"}));
}

BOOST_AUTO_TEST_CASE(a_deadline_moves_by_all_that_an_event_becomes) {
  replayed r;
  const auto first = must(r.happens(1, promised_twice{minute(10), minute(20)}));
  BOOST_TEST(!first.before.has_value());
  BOOST_TEST((first.after == minute(20)));
  const auto next = must(r.happens(2, promised_twice{minute(30), minute(40)}));
  BOOST_TEST((next.before == minute(20)));
  BOOST_TEST((next.after == minute(40)));
  const auto none = must(r.happens(3, photographed{}));
  BOOST_TEST((none.before == minute(40)));
  BOOST_TEST((none.after == minute(40)));
}

BOOST_AUTO_TEST_CASE(what_becomes_a_tombstone_ends_it_and_what_comes_behind_begins_anew) {
  replayed r;
  (void)must(r.happens(1, packed{500, "fragile"}));
  (void)must(r.happens(2, promised_twice{minute(10), minute(20)}));
  const auto gone = must(r.happens(3, lost{}));
  BOOST_TEST((gone.before == minute(20)));
  BOOST_TEST(!gone.after.has_value());
  BOOST_TEST(r.state().gone);
  BOOST_TEST(r.state().version == 3U);
  (void)must(r.happens(4, photographed{}));  // nothing becomes of it, so nothing comes back
  BOOST_TEST(r.state().gone);
  BOOST_TEST(r.state().version == 4U);
  (void)must(r.happens(5, labelled_often{{"a"}}));
  (void)must(r.happens(6, returned{70}));
  BOOST_TEST(!r.state().gone);
  BOOST_TEST((r.state().state == parcel_state{70, {}, {}}));
  testing::given<parcel>(packed{500, "fragile"}, lost{}).then_gone();
  BOOST_TEST(testing::given<parcel>(packed{500, "fragile"}, returned{70}).state().grams == 70);
}

BOOST_AUTO_TEST_CASE(a_scenario_takes_former_events_as_the_log_has_them) {
  const auto s = testing::given<parcel>(packed{500, "fragile"}, photographed{}, weighed{7});
  BOOST_TEST(s.version() == 3U);
  BOOST_TEST(s.state().grams == 7);
  auto other = testing::given<parcel>(photographed{}, wrapped{1});
  other.when(pack{}).then(weighed{1}, labelled{"new"});
  BOOST_TEST(other.version() == 4U);
  BOOST_TEST((other.state().labels == std::vector<std::string>{"wrapped", "new"}));
  testing::given<bank_second::account>(bank_second::account_opened{100},
                                       bank_second::withdrawn{30, "t", ""})
      .when(bank_second::withdraw{80, "u", ""})
      .then_rejected("insufficient funds");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace upcast_tests
