// Generated structs against Cap'n Proto's library: what one writes the other reads.

#include <cstdint>
#include <limits>
#include <sstream>

#include <fmt/format.h>
#include <boost/test/unit_test.hpp>

#include "everything.capnp.h"
#include "everything.kappa.hpp"
#include "flights.kappa.hpp"
#include "kappa/core/codec.hpp"
#include "kappa/core/json_traits.hpp"
#include "kappa/testing/round_trip.hpp"
#include "serialization/dynamic_support.hpp"
#include "serialization/everything_pairs.hpp"

namespace {

using kappa::bytes;
using kappa::codec;
using kappa::encoded;
using kappa::test::library_message;
using kappa::test::pairs;

template <class Schema>
capnp::StructSchema schema_of() {
  return capnp::Schema::from<Schema>();
}

template <class T>
T decoded(std::string_view in) {
  auto v = codec<T>::decode(in);
  BOOST_REQUIRE_MESSAGE(v, kappa::test::why(v));
  return std::move(*v);
}

}  // namespace

BOOST_AUTO_TEST_CASE(values_of_every_kind_survive_the_way_from_the_library_and_back) {
  pairs::each([]<class Schema, class T>() {
    kappa::test::rng random{42};
    for (int i = 0; i < 300; ++i) {
      const auto theirs = kappa::test::random_bytes(schema_of<Schema>(), random);
      const auto value = decoded<T>(theirs);
      const auto ours = encoded(value);
      library_message before{theirs};
      library_message after{ours};
      BOOST_REQUIRE_MESSAGE(
          kappa::test::same(before.root(schema_of<Schema>()), after.root(schema_of<Schema>())),
          codec<T>::schema().name << " " << i << ": " << fmt::format("{}", value));
      const auto round = kappa::testing::check_round_trip(value);
      BOOST_REQUIRE_MESSAGE(round, kappa::test::why(round));
    }
  });
}

BOOST_AUTO_TEST_CASE(encoded_bytes_are_in_canonical_form) {
  pairs::each([]<class Schema, class T>() {
    constexpr bool has_lists_of_structs =
        !std::is_same_v<T, everything::numbers> && !std::is_same_v<T, everything::person>;
    kappa::test::rng random{7};
    int canonical = 0;
    for (int i = 0; i < 100; ++i) {
      const auto v = decoded<T>(kappa::test::random_bytes(schema_of<Schema>(), random));
      const auto ours = encoded(v);
      library_message message{ours};
      if (message.is_canonical()) {
        ++canonical;
        continue;
      }
      // The one departure: lists of structs that are all zero keep a word an element.
      BOOST_REQUIRE(has_lists_of_structs);
      capnp::AnyStruct::Reader root = message.root(schema_of<Schema>());
      BOOST_REQUIRE_LT(root.canonicalize().size() * 8, ours.size());
    }
    BOOST_TEST(canonical > 10);
  });
}

BOOST_AUTO_TEST_CASE(a_default_value_is_one_word) {
  BOOST_TEST(encoded(everything::everything{}).size() == 8U);
  BOOST_TEST(encoded(everything::defaults{}).size() == 8U);
  BOOST_TEST(
      (decoded<everything::defaults>(encoded(everything::defaults{})) == everything::defaults{}));
}

BOOST_AUTO_TEST_CASE(values_that_differ_from_a_fields_default_are_told_from_it) {
  everything::defaults v;
  v.flag = false;
  v.i64 = 0;
  v.endless = 0;
  v.text = "";
  v.data = "";
  v.list = {};
  v.texts = {""};
  v.point = {};
  v.shapes = {};
  v.options.title = "";
  BOOST_TEST(decoded<everything::defaults>(encoded(v)) == v);
}

BOOST_AUTO_TEST_CASE(equal_values_have_equal_bytes) {
  everything::numbers plus{.f32 = 0.0F, .f64 = 0.0};
  everything::numbers minus{.f32 = -0.0F, .f64 = -0.0};
  BOOST_TEST(plus == minus);
  BOOST_TEST(encoded(plus) == encoded(minus));
  const auto nan = std::numeric_limits<double>::quiet_NaN();
  BOOST_TEST(encoded(everything::numbers{.f64 = nan}) == encoded(everything::numbers{.f64 = -nan}));
  everything::everything floats;
  floats.f64s = {-0.0, nan};
  auto others = floats;
  others.f64s = {0.0, -nan};
  BOOST_TEST(encoded(floats) == encoded(others));

  // Built in another order, grown and shrunk: the bytes do not know.
  everything::everything a;
  a.texts = {"x", "y", "z"};
  a.texts.pop_back();
  everything::everything b;
  b.texts.reserve(100);
  b.texts = {"x", "y"};
  BOOST_TEST(encoded(a) == encoded(b));
}

BOOST_AUTO_TEST_CASE(input_need_not_be_aligned) {
  kappa::test::rng random{3};
  const auto raw = kappa::test::random_bytes(schema_of<::Everything>(), random);
  const auto v = decoded<everything::everything>(raw);
  for (std::size_t shift = 1; shift < 8; ++shift) {
    const auto shifted = std::string(shift, 'x') + raw;
    BOOST_TEST(decoded<everything::everything>(std::string_view{shifted}.substr(shift)) == v);
  }
}

BOOST_AUTO_TEST_CASE(an_event_is_as_small_as_canonical_form_makes_it) {
  const flight f{.scheduled = kappa::timestamp{kappa::milliseconds{978336600000}},
                 .delay = 60,
                 .distance = 700,
                 .origin = "ORD",
                 .destination = "LGA"};
  BOOST_TEST(encoded(f).size() == 56U);  // root, two words of data, two pointers, two texts
  BOOST_TEST(decoded<flight>(encoded(f)) == f);
}

BOOST_AUTO_TEST_CASE(annotations_become_event_time_and_key) {
  static_assert(kappa::has_event_time<flight>);
  static_assert(kappa::has_event_key<flight>);
  static_assert(!kappa::has_event_time<everything::numbers>);
  const flight f{.scheduled = kappa::timestamp{kappa::milliseconds{5}}, .origin = "ORD"};
  BOOST_TEST(kappa::event_traits<flight>::time(f).time_since_epoch().count() == 5);
  bytes key;
  kappa::event_traits<flight>::key(f, key);
  BOOST_TEST(key == "ORD");
}

BOOST_AUTO_TEST_CASE(values_print_themselves) {
  const flight f{.scheduled = kappa::timestamp{kappa::milliseconds{978336600000}},
                 .delay = -5,
                 .origin = "O\"D"};
  const std::string text =
      "flight{scheduled=2001-01-01T08:10:00Z, delay=-5, distance=0, origin=\"O\"D\", "
      "destination=\"\"}";
  BOOST_TEST(fmt::format("{}", f) == text);
  std::ostringstream out;
  out << f << ' ' << everything::colour::dark_blue << ' ' << everything::colour{77};
  BOOST_TEST(out.str() == text + " darkBlue 77");
  const everything::shape box{.id = 3, .which = everything::shape::box{.width = 1}};
  BOOST_TEST(fmt::format("{}", box) == "shape{id=3, box={width=1, height=0}}");
}

namespace {

struct area_of {
  double operator()(const everything::shape::circle& c) const { return 3 * c.value * c.value; }
  double operator()(const everything::shape::square& q) const { return q.value * q.value; }
  double operator()(const everything::shape::box& b) const { return b.width * b.height; }
  double operator()(const common::point&) const { return 0; }  // a struct is its own alternative
  template <class Other>
  double operator()(const Other&) const {
    return -1;
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_unions_alternatives_are_types_that_a_visitor_tells_apart) {
  using everything::shape;
  const auto area = [](const shape& s) { return std::visit(area_of{}, s.which); };
  BOOST_TEST(area({.which = shape::circle{2}}) == 12);
  BOOST_TEST(area({.which = shape::square{2}}) == 4);
  BOOST_TEST(area({.which = shape::box{.width = 2, .height = 5}}) == 10);
  BOOST_TEST(area({.which = common::point{}}) == 0);
  BOOST_TEST(area({.which = shape::nothing{}}) == -1);
}

BOOST_AUTO_TEST_CASE(constants_of_the_schema_are_constants) {
  static_assert(everything::max_legs == 12);
  static_assert(everything::home_airport == "ORD");
  static_assert(everything::golden == 1.618);
}

// Methods on a generated struct: deriving is all there is to it.
struct delay_stats : delay_sums {
  void add(std::int32_t delay) {
    ++flights;
    sum += delay;
    delayed += delay >= 15;
  }
  [[nodiscard]] double mean() const {
    return static_cast<double>(sum) / static_cast<double>(flights);
  }
};

// The same for one that is not generated, with the line.
struct plain_base {
  std::string text;
};
struct with_methods : plain_base {
  [[nodiscard]] std::size_t size() const { return text.size(); }
};
template <>
struct kappa::codec<plain_base> {
  static void encode(const plain_base& v, bytes& out) { out.append(v.text); }
  static result<plain_base> decode(bytes_view in) { return plain_base{std::string{in}}; }
  static schema_info schema() { return {"plain_base", 0, 1, "text", nullptr}; }
};
template <>
struct kappa::codec<with_methods> : kappa::codec_of_base<with_methods, plain_base> {};

BOOST_AUTO_TEST_CASE(a_type_that_adds_methods_to_a_generated_one_has_its_codec) {
  static_assert(kappa::encodable<delay_stats>);
  static_assert(kappa::has_json<delay_stats>);
  delay_stats s;
  s.add(10);
  s.add(50);
  BOOST_TEST(s.mean() == 30);
  const auto back = decoded<delay_stats>(encoded(s));
  BOOST_TEST(back == s);
  BOOST_TEST(back.mean() == 30);
  BOOST_TEST(kappa::to_json(s) == R"({"flights":2,"sum":60,"delayed":1})");
  BOOST_TEST(fmt::format("{}", s) == "delay_sums{flights=2, sum=60, delayed=1}");
  BOOST_TEST(codec<delay_stats>::schema().name == "flights.capnp:DelayStats");
  BOOST_TEST(decoded<with_methods>(encoded(with_methods{{"abc"}})).size() == 3U);
}

BOOST_AUTO_TEST_CASE(a_derived_type_may_not_have_members_of_its_own) {
  struct small : delay_sums {
    char more{};
  };
  struct methods : delay_sums {
    void nothing() {}
  };
  static_assert(!kappa::detail::adds_no_members<small, delay_sums>);
  static_assert(kappa::detail::adds_no_members<methods, delay_sums>);
}

BOOST_AUTO_TEST_CASE(a_value_too_deep_for_the_format_is_refused_when_it_is_written) {
  everything::tree root;
  auto* at = &root;
  for (int i = 0; i < 31; ++i) at = &at->children.emplace_back();
  BOOST_TEST(decoded<everything::tree>(encoded(root)) == root);  // 31 lists and 32 structs
  at->children.emplace_back();
  BOOST_CHECK_THROW(encoded(root), std::length_error);
}

BOOST_AUTO_TEST_CASE(a_long_list_of_values_that_are_all_zero_comes_back) {
  everything::everything v;
  v.points.resize(100'000);
  v.empties.resize(100'000);
  v.shapes.resize(1'000);
  BOOST_TEST(decoded<everything::everything>(encoded(v)) == v);
}
