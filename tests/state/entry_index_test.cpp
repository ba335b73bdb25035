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

std::unique_ptr<cached_entry> make(const bytes& key, std::uint64_t hash) {
  auto e = std::make_unique<cached_entry>();
  e->set_key(key);
  e->hash = hash;
  return e;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(entry_index_test)

BOOST_AUTO_TEST_CASE(an_empty_index_finds_nothing) {
  const entry_index index;
  BOOST_TEST(index.find("a") == nullptr);
  BOOST_TEST(index.guess(entry_index::hash_of("a")) == nullptr);
}

// Few hashes, so that most entries are away from their home, share their bits with others, wrap
// around the end of the table and move up when one before them goes.
BOOST_AUTO_TEST_CASE(it_finds_what_a_map_finds_however_the_hashes_collide) {
  for (const std::uint64_t hashes : {1ULL, 3ULL, 40ULL, 1'000'000ULL}) {
    std::mt19937_64 random{hashes};
    // The first homes of any table are next to its last ones.
    const auto hash_of = [&](const bytes& key) {
      const auto h = entry_index::hash_of(key) % hashes;
      return (h % 2 == 0 ? h : ~h) ^ (h % 3) << 60;
    };
    entry_index index;
    std::map<bytes, std::unique_ptr<cached_entry>> model;
    std::size_t found = 0;
    for (int step = 0; step < 20'000; ++step) {
      const auto key = std::string(random() % 3 * 9, 'k') + std::to_string(random() % 500);
      const auto at = model.find(key);
      const auto* const e = index.find(key, hash_of(key));
      BOOST_REQUIRE((e == nullptr) == (at == model.end()));
      if (at == model.end()) {
        auto& made = model[key] = make(key, hash_of(key));
        index.insert(*made);
        continue;
      }
      ++found;
      BOOST_REQUIRE(e == at->second.get());
      BOOST_REQUIRE(index.guess(e->hash) != nullptr);
      if (random() % 2 == 0) {
        index.erase(*e);
        model.erase(at);
      }
    }
    BOOST_TEST(found > 5'000U);
    for (const auto& [key, e] : model) BOOST_REQUIRE(index.find(key, e->hash) == e.get());
  }
}

BOOST_AUTO_TEST_CASE(a_guess_is_the_entry_when_no_other_has_its_hash) {
  entry_index index;
  std::vector<std::unique_ptr<cached_entry>> entries;
  for (int i = 0; i < 5'000; ++i) {
    const auto key = "key " + std::to_string(i);
    index.insert(*entries.emplace_back(make(key, entry_index::hash_of(key))));
  }
  std::size_t right = 0;
  for (const auto& e : entries) {
    index.prefetch(e->hash);
    if (index.guess(e->hash) == e.get()) ++right;
  }
  BOOST_TEST(right > entries.size() * 99 / 100);
}

BOOST_AUTO_TEST_CASE(keys_are_compared_to_their_last_byte_at_each_length) {
  for (std::size_t length = 0; length <= 48; ++length) {
    const bytes key(length, 'x');
    const auto e = make(key, 7);
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
