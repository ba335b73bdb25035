// Claims about entry_index.

#include "kappa/state/detail/entry_index.hpp"

#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

namespace {

using kappa::bytes;
using kappa::detail::cached_entry;
using kappa::detail::entry_index;

std::unique_ptr<cached_entry> make(const bytes& key) {
  auto e = std::make_unique<cached_entry>();
  e->set_key(key);
  return e;
}

/// Keys of several lengths whose hashes `fits`.
template <class F>
std::vector<bytes> keys_with(std::size_t count, F&& fits) {
  std::vector<bytes> keys;
  for (std::size_t i = 0; keys.size() < count; ++i) {
    const auto key = std::string(i % 3 * 9, 'k') + std::to_string(i);
    if (fits(entry_index::hash_of(key))) keys.push_back(key);
  }
  return keys;
}

void compare_with_a_map(const std::vector<bytes>& keys) {
  std::mt19937_64 random{keys.size()};
  entry_index index;
  std::map<bytes, std::unique_ptr<cached_entry>> model;
  std::size_t found = 0;
  for (int step = 0; step < 20'000; ++step) {
    const auto& key = keys[random() % keys.size()];
    const auto at = model.find(key);
    auto* const e = index.find(key);
    BOOST_REQUIRE((e == nullptr) == (at == model.end()));
    if (at == model.end()) {
      auto& made = model[key] = make(key);
      index.insert(*made);
      continue;
    }
    ++found;
    BOOST_REQUIRE(e == at->second.get());
    BOOST_REQUIRE(index.guess(entry_index::hash_of(key)) != nullptr);
    if (random() % 2 == 0) {
      index.erase(*e);
      model.erase(at);
    }
  }
  BOOST_TEST(found > 5'000U);
  for (const auto& [key, e] : model) BOOST_REQUIRE(index.find(key) == e.get());
}

}  // namespace

BOOST_AUTO_TEST_SUITE(entry_index_test)

BOOST_AUTO_TEST_CASE(an_empty_index_finds_nothing) {
  const entry_index index;
  BOOST_TEST(index.find("a") == nullptr);
  BOOST_TEST(index.guess(entry_index::hash_of("a")) == nullptr);
}

BOOST_AUTO_TEST_CASE(it_finds_what_a_map_finds) {
  compare_with_a_map(keys_with(1'000, [](std::uint64_t) { return true; }));
}

// Most entries are away from their home, wrap around the end of the table, and move up when one
// before them goes.
BOOST_AUTO_TEST_CASE(it_finds_what_a_map_finds_where_the_homes_are_next_to_each_other) {
  compare_with_a_map(keys_with(300, [](std::uint64_t hash) { return (hash + 4) % 1024 < 8; }));
}

// The bits in a slot say nothing then: only the keys do.
BOOST_AUTO_TEST_CASE(it_finds_what_a_map_finds_where_the_bits_in_the_slots_are_the_same) {
  compare_with_a_map(keys_with(50, [](std::uint64_t hash) { return hash >> 51 == 77; }));
}

BOOST_AUTO_TEST_CASE(a_guess_is_the_entry_but_for_few) {
  entry_index index;
  std::vector<std::unique_ptr<cached_entry>> entries;
  for (const auto& key : keys_with(5'000, [](std::uint64_t) { return true; }))
    index.insert(*entries.emplace_back(make(key)));
  std::size_t right = 0;
  for (const auto& e : entries) {
    const auto hash = entry_index::hash_of(e->key());
    index.prefetch(hash);
    if (index.guess(hash) == e.get()) ++right;
  }
  BOOST_TEST(right > entries.size() * 99 / 100);
}

BOOST_AUTO_TEST_CASE(keys_are_compared_to_their_last_byte_at_each_length) {
  for (std::size_t length = 0; length <= 48; ++length) {
    const bytes key(length, 'x');
    const auto e = make(key);
    BOOST_TEST(e->has_key(key));
    BOOST_TEST(!e->has_key(key + "x"));
    for (std::size_t i = 0; i < length; ++i) {
      auto other = key;
      other[i] = 'y';
      BOOST_TEST(!e->has_key(other), length << " bytes, another at " << i);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
