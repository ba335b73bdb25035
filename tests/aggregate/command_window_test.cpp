// The ids of a task's commands: what is remembered, for how long, and by what a new life knows
// them.
#include <random>
#include <set>

#include "kappa/aggregate/command_id.hpp"
#include "kappa/aggregate/command_window.hpp"
#include "state/state_support.hpp"

namespace command_window_tests {

namespace {

using namespace kappa;
using namespace std::chrono_literals;
using kappa::test::map_store;
using kappa::test::must;
using kappa::test::refused;

constexpr timestamp noon{std::chrono::hours{12}};

hash128 id_of(std::uint64_t n) { return checksum128("id " + std::to_string(n)); }
bytes outcome_of(std::uint64_t n) { return "outcome " + std::to_string(n); }

struct window_in_a_store {
  window_in_a_store() { open(); }
  void open() {
    window.emplace(store, 0, options);
    must(window->load());
  }
  void add(std::uint64_t first, std::uint64_t last, timestamp at = noon) {
    for (auto n = first; n < last; ++n) window->add(id_of(n), n, at, std::nullopt, outcome_of(n));
  }
  /// One T2. Gives the number of chunks in it.
  std::size_t snapshot() {
    const auto delta = window->freeze();
    write(delta);
    window->thaw();
    return delta->size();
  }
  void write(const frozen_delta& delta) { test::commit(store, ++epoch, {delta}); }
  bool knows(std::uint64_t n) {
    const auto found = must(window->find(id_of(n)));
    if (!found) return false;
    BOOST_TEST(found->fingerprint == n);
    BOOST_TEST(found->outcome == outcome_of(n));
    return true;
  }
  std::uint64_t known(std::uint64_t first, std::uint64_t last) {
    std::uint64_t all = 0;
    for (auto n = first; n < last; ++n) all += knows(n);
    return all;
  }
  std::size_t stored() {
    std::size_t chunks = 0;
    must(store.scan_all(0, [&](bytes_view, bytes_view) {
      ++chunks;
      return true;
    }));
    return chunks;
  }

  map_store store;
  command_window_options options;
  std::uint64_t epoch = 0;
  std::optional<command_window> window;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(command_windows)

BOOST_AUTO_TEST_CASE(what_was_added_is_found_before_and_after_a_snapshot_and_in_a_new_life) {
  window_in_a_store w;
  w.add(0, 3000);
  BOOST_TEST(w.known(0, 3000) == 3000U);
  BOOST_TEST(w.known(3000, 9000) == 0U);
  const auto frozen = w.window->freeze();
  w.add(3000, 3500);
  BOOST_TEST(w.known(0, 3500) == 3500U);  // the T2 is not there yet
  w.write(frozen);
  w.window->thaw();
  BOOST_TEST(w.known(0, 3500) == 3500U);
  w.snapshot();
  w.open();
  BOOST_TEST(w.known(0, 3500) == 3500U);
  BOOST_TEST(w.known(3500, 9000) == 0U);
  w.add(3500, 3600);
  w.snapshot();
  w.open();
  BOOST_TEST(w.known(0, 3600) == 3600U);
}

BOOST_AUTO_TEST_CASE(a_snapshot_writes_what_is_new_and_an_unknown_id_costs_no_look_at_the_store) {
  window_in_a_store w;
  w.add(0, 10'000);
  BOOST_TEST(w.snapshot() == 10U);
  BOOST_TEST(w.snapshot() == 0U);
  BOOST_TEST(w.window->dirty_bytes() == 0U);
  w.add(10'000, 10'001);
  BOOST_TEST(w.snapshot() == 1U);
  w.store.gets = 0;
  BOOST_TEST(w.known(20'000, 30'000) == 0U);
  BOOST_TEST(w.store.gets == 0U);
  BOOST_TEST(w.knows(1));
  BOOST_TEST(w.store.gets == 1U);
}

BOOST_AUTO_TEST_CASE(what_is_older_than_the_span_is_forgotten_and_erased_and_nothing_younger_is) {
  window_in_a_store w;
  w.options.span = 15min;
  w.open();
  for (int minute = 0; minute < 60; ++minute)
    w.add(static_cast<std::uint64_t>(minute) * 10, static_cast<std::uint64_t>(minute) * 10 + 10,
          noon + std::chrono::minutes{minute});
  w.snapshot();
  const auto all = w.stored();
  const auto now = noon + 60min;
  w.window->forget(now);
  BOOST_TEST(w.known(450, 600) == 150U);  // of the last 15 minutes
  BOOST_TEST(w.known(0, 420) == 0U);      // but for the rest of a chunk
  BOOST_TEST((w.window->span(now) >= 15min));
  BOOST_TEST((w.window->span(now) <= 18min));
  w.snapshot();
  BOOST_TEST(w.stored() < all);
  w.open();
  BOOST_TEST(w.known(450, 600) == 150U);
  BOOST_TEST(w.known(0, 420) == 0U);
  w.window->forget(now + 1h);
  BOOST_TEST(w.known(0, 600) == 0U);
  BOOST_TEST(w.window->size_bytes() == 0U);
  w.snapshot();
  BOOST_TEST(w.stored() == 0U);
  w.add(0, 10);  // also where nothing is left
  w.snapshot();
  w.open();
  BOOST_TEST(w.known(0, 600) == 10U);
}

BOOST_AUTO_TEST_CASE(of_an_id_that_came_again_after_a_while_the_last_one_counts) {
  window_in_a_store w;
  w.window->add(id_of(1), 1, noon, std::nullopt, "first");
  w.add(100, 5000);
  w.window->add(id_of(1), 2, noon, std::nullopt, "second");
  w.window->add(id_of(1), 3, noon, std::nullopt, "third");
  BOOST_TEST(must(w.window->find(id_of(1)))->outcome == "third");
  w.snapshot();
  w.open();
  BOOST_TEST(must(w.window->find(id_of(1)))->fingerprint == 3U);
}

BOOST_AUTO_TEST_CASE(numbers_of_chunks_go_on_where_the_index_begins_anew) {
  window_in_a_store w;
  w.add(0, 1);
  const auto first = w.window->freeze();
  bytes key;
  append_ordered(key, (1 << 24) - 3);
  w.write(test::delta_of({{key, (*first)[0].value}}));
  w.open();
  w.add(1, 6000);
  BOOST_TEST(w.known(0, 6000) == 6000U);
  w.snapshot();
  w.open();
  BOOST_TEST(w.known(0, 6000) == 6000U);
  BOOST_TEST(w.known(6000, 7000) == 0U);
}

// Ids that come and go by the million leave the index as large as what is there.
BOOST_AUTO_TEST_CASE(the_index_holds_no_more_than_is_remembered) {
  window_in_a_store w;
  w.options.span = 10s;
  w.open();
  for (std::uint64_t second = 0; second < 200; ++second) {
    w.add(second * 1000, second * 1000 + 1000, noon + std::chrono::seconds{second});
    w.window->forget(noon + std::chrono::seconds{second});
    if (second % 10 == 0) w.snapshot();
  }
  BOOST_TEST(w.known(190'000, 200'000) == 10'000U);
  BOOST_TEST(w.known(0, 180'000) == 0U);
  BOOST_TEST(w.window->memory_bytes() < 2'000'000U);
}

BOOST_AUTO_TEST_CASE(room_for_ids_that_may_come_is_made_at_once_within_bounds_and_loses_none) {
  window_in_a_store w;
  w.add(0, 2000);
  w.window->expect(100'000);
  BOOST_TEST(w.window->memory_bytes() > 2'000'000U);
  w.window->expect(UINT64_MAX);
  BOOST_TEST(w.window->memory_bytes() < 6'000'000U);
  w.add(2000, 30'000);
  BOOST_TEST(w.known(0, 30'000) == 30'000U);
  BOOST_TEST(!w.knows(30'000));
}

BOOST_AUTO_TEST_CASE(a_window_that_is_full_says_so_until_something_is_forgotten) {
  window_in_a_store w;
  w.options.max_bytes = 1 << 20;
  w.open();
  std::uint64_t n = 0;
  while (!w.window->full()) w.add(n, n + 1, noon), ++n;
  BOOST_TEST(n > 10'000U);
  BOOST_TEST(w.known(0, n) == n);
  w.window->forget(noon + 1h);
  BOOST_TEST(!w.window->full());
}

BOOST_AUTO_TEST_CASE(an_id_that_tells_its_time_is_too_old_when_it_may_have_been_forgotten) {
  window_in_a_store w;
  BOOST_TEST(!w.window->too_old(noon - 15min, noon));
  BOOST_TEST(w.window->too_old(noon - 15min - 1ms, noon));
  BOOST_TEST(!w.window->too_young(noon + 15min, noon));
  BOOST_TEST(w.window->too_young(noon + 15min + 1ms, noon));
  // Another machine, whose clock was ahead, may have forgotten more.
  w.add(0, 1, noon + 5min);
  BOOST_TEST(w.window->too_old(noon - 11min, noon));
  w.snapshot();
  w.open();
  BOOST_TEST(w.window->too_old(noon - 11min, noon));
}

BOOST_AUTO_TEST_CASE(an_id_of_a_fast_clock_is_remembered_longer_and_makes_no_other_too_old) {
  window_in_a_store w;
  w.window->add(id_of(1), 1, noon, noon + 14min, outcome_of(1));
  BOOST_TEST(!w.window->too_old(noon - 10min, noon));
  w.window->forget(noon + 20min);
  BOOST_TEST(w.knows(1));
  w.snapshot();
  w.open();
  BOOST_TEST(!w.window->too_old(noon - 10min, noon));
  w.window->forget(noon + 29min);
  BOOST_TEST(w.knows(1));
  w.window->forget(noon + 29min + 1ms);
  BOOST_TEST(!w.knows(1));
}

BOOST_AUTO_TEST_CASE(a_damaged_chunk_is_named) {
  window_in_a_store w;
  bytes key;
  append_ordered(key, 7);
  w.write(test::delta_of({{key, "nonsense"}}));
  w.window.emplace(w.store, 0, w.options);
  BOOST_TEST(refused(w.window->load(), errc::corrupt, {"no chunk of command ids"}));
}

BOOST_AUTO_TEST_CASE(a_new_id_is_a_uuid_that_tells_its_time_and_no_two_are_the_same) {
  std::set<std::string> all;
  for (int i = 0; i < 1000; ++i) {
    const auto id = new_command_id(noon);
    BOOST_TEST(id.size() == 36U);
    BOOST_TEST((time_of_command_id(id) == noon));
    BOOST_TEST((id[19] == '8' || id[19] == '9' || id[19] == 'a' || id[19] == 'b'));
    all.insert(id);
  }
  BOOST_TEST(all.size() == 1000U);
  // RFC 9562, appendix A.6
  BOOST_TEST((time_of_command_id("017F22E2-79B0-7CC3-98C4-DC0C0C07398F") ==
              timestamp{milliseconds{1'645'557'742'000}}));
  for (const auto* other :
       {"", "order-7", "c9b0c1d2-1111-4222-8333-444455556666",
        "017F22E2-79B0-7CC3-98C4-DC0C0C07398", "017F22E2-79B0-7CC3-98C4-DC0C0C07398G",
        "017F22E2+79B0-7CC3-98C4-DC0C0C07398F"})
    BOOST_TEST(!time_of_command_id(other).has_value());
  // Of every character that could stand at every place.
  const std::string good = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f";
  const std::string_view digits = "0123456789abcdefABCDEF";
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (int c = 0; c < 256; ++c) {
      auto id = good;
      id[at] = static_cast<char>(c);
      const bool allowed =
          good[at] == '-' || at == 14 ? id == good : digits.find(id[at]) != digits.npos;
      BOOST_REQUIRE_EQUAL(time_of_command_id(id).has_value(), allowed);
    }
  }
  BOOST_TEST(refused(check_command_id(""), errc::invalid_argument, {"1 … 128"}));
  BOOST_TEST(refused(check_command_id(std::string(129, 'x')), errc::invalid_argument, {"129"}));
  must(check_command_id(std::string(128, 'x')));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace command_window_tests
