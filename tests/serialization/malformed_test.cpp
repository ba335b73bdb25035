// Bytes that nobody wrote: decoding says errc::decode or gives a value, whatever comes.

#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "everything.capnp.h"
#include "everything.kappa.hpp"
#include "kappa/core/codec.hpp"
#include "kappa/serialization/zero_copy.hpp"
#include "kappa/testing/round_trip.hpp"
#include "serialization/dynamic_support.hpp"

namespace {

using kappa::bytes;
using kappa::codec;
using value = everything::everything;

bytes words(std::initializer_list<std::uint64_t> list) {
  bytes out;
  for (const auto w : list) kappa::byte_writer{out}.put(w);
  return out;
}

constexpr std::uint64_t struct_pointer(std::int32_t distance, unsigned data, unsigned pointers) {
  return (static_cast<std::uint64_t>(static_cast<std::uint32_t>(distance)) << 2 & 0xffffffffU) |
         std::uint64_t{data} << 32 | std::uint64_t{pointers} << 48;
}
constexpr std::uint64_t list_pointer(std::int32_t distance, unsigned size, std::uint64_t count) {
  return (static_cast<std::uint64_t>(static_cast<std::uint32_t>(distance)) << 2 & 0xffffffffU) |
         1U | std::uint64_t{size} << 32 | count << 35;
}

/// Both decoders; the struct's values are the judge of what is read in place.
void must_not_crash(const bytes& in) {
  auto v = codec<value>::decode(in);
  if (v) {
    const auto again = codec<value>::decode(kappa::encoded(*v));
    BOOST_REQUIRE(again);
  } else {
    BOOST_REQUIRE(v.error().code == kappa::errc::decode);
    BOOST_REQUIRE(!v.error().message.empty());
    BOOST_REQUIRE_EQUAL(v.error().subject, "everything.capnp:Everything");
  }
  // Stricter than the struct's codec: also about pointers that no field of ours is behind.
  const auto in_place = kappa::reader_of<::Everything>::over(in);
  if (!in_place) return;
  // Whatever the getters find, it is a value or an error.
  static_cast<void>(in_place->read([](::Everything::Reader r) { return kj::str(r).size(); }));
}

std::string problem_of(const bytes& in) {
  const auto v = codec<value>::decode(in);
  return v ? "read" : v.error().message;
}

}  // namespace

BOOST_AUTO_TEST_CASE(random_bytes_are_a_value_or_an_error) {
  kappa::test::rng random{1};
  for (int i = 0; i < 20'000; ++i) {
    bytes in(random() % 200 / 8 * 8, '\0');
    for (auto& c : in) c = static_cast<char>(random() % 4 == 0 ? random() : 0);
    must_not_crash(in);
  }
}

BOOST_AUTO_TEST_CASE(garbled_messages_are_a_value_or_an_error) {
  kappa::test::rng random{2};
  for (int i = 0; i < 60; ++i) {
    const auto good = kappa::test::random_bytes(capnp::Schema::from<::Everything>(), random);
    const auto packed = kappa::encoded(*codec<value>::decode(good));
    for (int j = 0; j < 100; ++j) {
      auto bad = j % 2 == 0 ? good : packed;
      for (auto n = random() % 4; n > 0; --n) {
        bad[random() % bad.size()] ^= static_cast<char>(1U << random() % 8);
      }
      if (random() % 8 == 0) bad.resize(random() % (bad.size() + 1));
      if (random() % 16 == 0) bad.append(random() % 32, '\x7f');
      must_not_crash(bad);
    }
  }
}

BOOST_AUTO_TEST_CASE(garbled_pointers_are_a_value_or_an_error) {
  // Bit flips seldom make a pointer that leads somewhere; these are made of such.
  kappa::test::rng random{3};
  for (int i = 0; i < 20'000; ++i) {
    bytes in;
    kappa::byte_writer out{in};
    out.put(struct_pointer(0, static_cast<unsigned>(random() % 12), 27));
    for (auto n = random() % 60; n > 0; --n) {
      const auto distance = static_cast<std::int32_t>(random() % 70) - 10;
      switch (random() % 4) {
        case 0:
          out.put(std::uint64_t{0});
          break;
        case 1:
          out.put(struct_pointer(distance, static_cast<unsigned>(random() % 4),
                                 static_cast<unsigned>(random() % 4)));
          break;
        case 2:
          out.put(list_pointer(distance, static_cast<unsigned>(random() % 8), random() % 20));
          break;
        default:
          out.put(random() >> random() % 64);
          break;
      }
    }
    must_not_crash(in);
  }
}

BOOST_AUTO_TEST_CASE(each_kind_of_damage_is_named) {
  BOOST_TEST(problem_of("") == "there are no bytes");
  BOOST_TEST(problem_of("1234567") == "the size is not a multiple of 8");
  BOOST_TEST(problem_of(words({0})) == "the root is null");
  BOOST_TEST(problem_of(words({struct_pointer(0, 2, 0), 1})) ==
             "a pointer leads out of the message");
  BOOST_TEST(problem_of(words({struct_pointer(-3, 1, 0), 1})) ==
             "a pointer leads out of the message");
  BOOST_TEST(problem_of(words({list_pointer(0, 5, 1), 1})) == "expected a struct, found a list");
  BOOST_TEST(problem_of(words({2, 0})) == "expected a struct, found a far pointer or capability");
  // Pointer 0 is `id`, a Text.
  BOOST_TEST(problem_of(words({struct_pointer(0, 0, 1), list_pointer(0, 2, 4), 0x636261})) ==
             "read");
  BOOST_TEST(problem_of(words({struct_pointer(0, 0, 1), list_pointer(0, 2, 3), 0x616161})) ==
             "id: the text does not end with NUL");
  BOOST_TEST(problem_of(words({struct_pointer(0, 0, 1), list_pointer(0, 5, 1), 0})) ==
             "id: expected a text");
  BOOST_TEST(problem_of(words({struct_pointer(0, 0, 1), list_pointer(0, 2, 300), 0})) ==
             "id: a pointer leads out of the message");
  // Pointer 5 is `i32s`.
  BOOST_TEST(
      problem_of(words({struct_pointer(0, 0, 6), 0, 0, 0, 0, 0, list_pointer(0, 3, 4), 1})) ==
      "i32s: the list's elements are not numbers of the expected size");
  // A union's discriminant: payload, at 16-bit place 8, the third data word.
  BOOST_TEST(
      problem_of(words({struct_pointer(0, 3, 0), 0, 0, 99})) ==
      "everything_payload: a union's alternative that this version of the schema does not know");
}

BOOST_AUTO_TEST_CASE(a_small_message_cannot_claim_to_be_a_large_value) {
  const auto points = [](std::uint64_t tag, std::uint64_t list_words) {
    // Pointer 13 is `points`.
    bytes in;
    kappa::byte_writer out{in};
    out.put(struct_pointer(0, 0, 14));
    for (int i = 0; i < 13; ++i) out.put(std::uint64_t{0});
    out.put(list_pointer(0, 7, list_words)).put(tag);
    return in;
  };
  // 2^28 structs of no words.
  BOOST_TEST(problem_of(points(std::uint64_t{1 << 28} << 2, 0)) ==
             "points: it refers to more than it holds (traversal limit)");
  // More structs than the list has words for.
  BOOST_TEST(problem_of(points(100 << 2 | std::uint64_t{2} << 32, 0)) ==
             "points: a list of structs is malformed");

  // A pointer list whose elements all lead to the same text.
  bytes aliases;
  kappa::byte_writer out{aliases};
  out.put(struct_pointer(0, 0, 11));
  for (int i = 0; i < 10; ++i) out.put(std::uint64_t{0});
  constexpr int count = 2'000;
  out.put(list_pointer(0, 6, count));
  for (int i = 0; i < count; ++i) out.put(list_pointer(count - 1 - i, 2, 8 * count));
  aliases.append(8 * count - 1, 'x').push_back('\0');
  BOOST_TEST(problem_of(aliases) == "texts: it refers to more than it holds (traversal limit)");
  must_not_crash(aliases);
}

BOOST_AUTO_TEST_CASE(pointers_that_go_round_end_at_the_nesting_limit) {
  // A tree whose only child is itself: struct of one pointer, a list of one struct, again.
  bytes in;
  kappa::byte_writer out{in};
  out.put(struct_pointer(0, 0, 1)).put(list_pointer(0, 7, 1));
  out.put(std::uint64_t{1} << 2 | std::uint64_t{1} << 48);  // tag: one struct of one pointer
  out.put(list_pointer(-2, 7, 1));                          // its pointer: the list again
  const auto v = codec<everything::tree>::decode(in);
  BOOST_REQUIRE(!v);
  BOOST_TEST((v.error().message == "children: it is nested too deeply" ||
              v.error().message == "children: it refers to more than it holds (traversal limit)"),
             v.error().message);
  BOOST_TEST(!kappa::reader_of<::Tree>::over(in));
}
