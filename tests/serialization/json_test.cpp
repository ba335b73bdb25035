// JSON of generated types, and topics that hold JSON.

#include <cmath>
#include <limits>

#include <boost/test/unit_test.hpp>

#include "everything.capnp.h"
#include "everything.kappa.hpp"
#include "flights.kappa.hpp"
#include "kappa/serialization/base64.hpp"
#include "kappa/serialization/json_codec.hpp"
#include "kappa/testing/round_trip.hpp"
#include "serialization/dynamic_support.hpp"

namespace {

using kappa::from_json;
using kappa::to_json;
using std::chrono_literals::operator""ms;

template <class T>
std::string problem_of(std::string_view text) {
  const auto v = from_json<T>(text);
  return v ? "read" : v.error().message;
}

}  // namespace

BOOST_AUTO_TEST_CASE(values_survive_the_way_through_json) {
  kappa::test::rng random{11};
  for (int i = 0; i < 300; ++i) {
    const auto raw = kappa::test::random_bytes(capnp::Schema::from<::Everything>(), random);
    const auto v = *kappa::codec<everything::everything>::decode(raw);
    const auto text = to_json(v);
    const auto back = from_json<everything::everything>(text);
    BOOST_REQUIRE_MESSAGE(back, kappa::test::why(back) << "\n" << text);
    BOOST_REQUIRE_MESSAGE(*back == v, text << "\n" << to_json(*back));
  }
}

BOOST_AUTO_TEST_CASE(json_reads_as_people_write_it) {
  const flight f{.scheduled = kappa::timestamp{978336600000ms},
                 .delay = -5,
                 .distance = 700,
                 .origin = "O\"R\nD",
                 .destination = "M\xc3\xbcnchen"};
  BOOST_TEST(to_json(f) ==
             "{\"scheduled\":\"2001-01-01T08:10:00Z\",\"delay\":-5,\"distance\":700,"
             "\"origin\":\"O\\\"R\\nD\",\"destination\":\"M\xc3\xbcnchen\"}");
  const auto v = from_json<flight>(
      R"( {"unknown": [1, {}], "origin": "ORD", "scheduled": 978336600000, "delay": "12", "distance": 7e2} )");
  BOOST_REQUIRE_MESSAGE(v, kappa::test::why(v));
  BOOST_TEST(*v == (flight{.scheduled = kappa::timestamp{978336600000ms},
                           .delay = 12,
                           .distance = 700,
                           .origin = "ORD"}));
}

BOOST_AUTO_TEST_CASE(special_values_have_their_json) {
  using everything::numbers;
  constexpr auto nan = std::numeric_limits<double>::quiet_NaN();
  constexpr auto infinite = std::numeric_limits<double>::infinity();
  const auto text = to_json(numbers{.i64 = std::numeric_limits<std::int64_t>::min(),
                                    .u64 = std::numeric_limits<std::uint64_t>::max(),
                                    .f32 = 0.1F,
                                    .f64 = -infinite});
  BOOST_TEST(text.find("\"i64\":-9223372036854775808") != std::string::npos);
  BOOST_TEST(text.find("\"u64\":18446744073709551615") != std::string::npos);
  BOOST_TEST(text.find("\"f32\":0.1,") != std::string::npos);
  BOOST_TEST(text.find("\"f64\":\"-Infinity\"") != std::string::npos);
  BOOST_TEST(std::isnan(from_json<numbers>(to_json(numbers{.f64 = nan}))->f64));

  everything::defaults v;
  v.data = std::string("\0\xff\n", 3);
  v.text = "not \xff UTF-8";
  v.opened = kappa::timestamp{kappa::milliseconds{std::numeric_limits<std::int64_t>::max()}};
  const auto odd = to_json(v);
  BOOST_TEST(odd.find("\"data\":\"AP8K\"") != std::string::npos);
  BOOST_TEST(odd.find("\"text\":\"not \ufffd UTF-8\"") != std::string::npos);
  BOOST_TEST(odd.find("\"opened\":9223372036854775807") != std::string::npos);
  BOOST_TEST((from_json<everything::defaults>(odd)->opened == v.opened));
}

BOOST_AUTO_TEST_CASE(a_union_is_the_member_that_is_there) {
  using everything::shape;
  BOOST_TEST(to_json(shape{.id = 1, .which = shape::nothing{}}) == R"({"id":1,"nothing":null})");
  BOOST_TEST(to_json(shape{.which = shape::box{.width = 2}}) ==
             R"({"id":0,"box":{"width":2,"height":0}})");
  BOOST_TEST(
      (from_json<shape>(R"({"nothing": null})")->which == shape{.which = shape::nothing{}}.which));
  BOOST_TEST((*from_json<shape>(R"({"square": 2})") == shape{.which = shape::square{2}}));
  BOOST_TEST((*from_json<shape>("{}") == shape{}));
  BOOST_TEST(problem_of<shape>(R"({"square": 2, "circle": 1})") ==
             "more than one member of the union");
}

BOOST_AUTO_TEST_CASE(an_enum_is_its_name) {
  BOOST_TEST(from_json<everything::defaults>(R"({"colour": "green"})")->colour ==
             everything::colour::green);
  BOOST_TEST(from_json<everything::defaults>(R"({"colour": 77})")->colour ==
             everything::colour{77});
  BOOST_TEST(problem_of<everything::defaults>(R"({"colour": "pink"})") ==
             "colour: 'pink' is not one of the enum's names");
}

BOOST_AUTO_TEST_CASE(what_is_wrong_with_json_is_said_with_its_place) {
  using everything::everything;
  BOOST_TEST(problem_of<flight>("") == "not JSON at byte 0: incomplete JSON");
  BOOST_TEST(problem_of<flight>("{\"delay\": 1,}").starts_with("not JSON at byte 12: "));
  BOOST_TEST(problem_of<flight>("{} x").starts_with("not JSON at byte 3: "));
  BOOST_TEST(problem_of<flight>(R"({"delay":1,"origin":"BOS","delay":2})") ==
             R"(not understood at byte 35: "delay" is there twice)");
  BOOST_TEST(problem_of<flight>("[]") == "expected an object, found an array");
  BOOST_TEST(problem_of<flight>(R"({"delay": "soon"})") ==
             "delay: expected an integer, found a text");
  BOOST_TEST(problem_of<flight>(R"({"delay": 1.5})") ==
             "delay: expected an integer, found a fraction");
  BOOST_TEST(problem_of<flight>(R"({"delay": 3000000000})") ==
             "delay: the integer is out of the field's range");
  BOOST_TEST(problem_of<flight>(R"({"delay": true})") ==
             "delay: expected an integer, found a boolean");
  BOOST_TEST(problem_of<flight>(R"({"origin": 1})") == "origin: expected a text, found a number");
  BOOST_TEST(problem_of<flight>(R"({"scheduled": "yesterday"})") ==
             "scheduled: expected a time like 2001-01-01T08:00:00Z or milliseconds");
  BOOST_TEST(problem_of<everything>(R"({"points": [{}, {"x": 1}, {"x": []}]})") ==
             "points[2].x: expected an integer, found an array");
  BOOST_TEST(problem_of<everything>(R"({"grid": [[1], [2, "x"]]})") ==
             "grid[1][1]: expected an integer, found a text");
  BOOST_TEST(problem_of<everything>(R"({"place": {"inner": {"kind": {"some": 1}}}})") ==
             "place.inner.kind.some: expected a text, found a number");
  BOOST_TEST(problem_of<everything>(R"({"blob": "a"})") == "blob: the text is not base64");
  BOOST_TEST(problem_of<everything>(R"({"numbers": {"u8": -1}})") ==
             "numbers.u8: the integer is out of the field's range");
  BOOST_TEST(problem_of<everything>(R"({"numbers": {"f32": 1e300}})") ==
             "numbers.f32: the number is out of the field's range");
  BOOST_TEST(problem_of<flight>(std::string(100'000, '[')).starts_with("not JSON at byte "));
}

BOOST_AUTO_TEST_CASE(base64_is_strict) {
  for (const std::string v : {"", "f", "fo", "foo", "foob", "\xff\xfe"}) {
    std::string text;
    kappa::append_base64(text, v);
    BOOST_TEST(kappa::from_base64(text).value() == v);
  }
  for (const auto* bad : {"A", "AA", "AA=", "A===", "AB==", "AA=A", "A*==", "Zg==\n"}) {
    BOOST_TEST(!kappa::from_base64(bad), bad);
  }
}

// A type of the user's own whose topic holds JSON: two functions, and the codec in a line.
struct reading_of_sensor {
  std::string sensor;
  int value = 0;
  friend bool operator==(const reading_of_sensor&, const reading_of_sensor&) = default;
};
template <>
struct kappa::json_traits<reading_of_sensor> {
  static constexpr const char* name = "reading_of_sensor";
  static std::string to_json(const reading_of_sensor& v) {
    return R"({"sensor":)" + kappa::to_json(v.sensor) + R"(,"value":)" + std::to_string(v.value) +
           "}";
  }
  static result<reading_of_sensor> from_json(std::string_view text) {
    json_document document;
    reading_of_sensor out;
    if (document.parse(text)) {
      const auto root = document.root();
      root.member("sensor", [&](const json_view& m) { m.get(out.sensor); });
      root.member("value", [&](const json_view& m) { m.get(out.value); });
    }
    if (!document.problem().empty()) return fail(errc::decode, name, document.problem());
    return out;
  }
};
template <>
struct kappa::codec<reading_of_sensor> : kappa::json_codec<reading_of_sensor> {};

BOOST_AUTO_TEST_CASE(a_users_own_type_may_be_json_in_its_topic) {
  static_assert(kappa::encodable<reading_of_sensor>);
  const reading_of_sensor v{"t\"1", 21};
  BOOST_TEST(kappa::encoded(v) == R"({"sensor":"t\"1","value":21})");
  const auto round = kappa::testing::check_round_trip(v);
  BOOST_TEST(round.has_value());
  BOOST_TEST(kappa::codec<reading_of_sensor>::schema().name == "json:reading_of_sensor");
  BOOST_TEST((kappa::codec<reading_of_sensor>::decode("{").error().code == kappa::errc::decode));
}

BOOST_AUTO_TEST_CASE(a_generated_type_may_be_json_in_one_topic_and_binary_in_another) {
  using as_json = kappa::json<flight>;
  static_assert(kappa::encodable<as_json>);
  static_assert(kappa::has_event_time<as_json>);
  const as_json f{flight{.delay = 5, .origin = "ORD"}};
  BOOST_TEST(
      kappa::encoded(f) ==
      R"({"scheduled":"1970-01-01T00:00:00Z","delay":5,"distance":0,"origin":"ORD","destination":""})");
  const auto back = kappa::codec<as_json>::decode(kappa::encoded(f));
  BOOST_REQUIRE(back);
  BOOST_TEST(back->origin == "ORD");
  BOOST_TEST((*back == f));
  BOOST_TEST(kappa::codec<as_json>::schema().name == "json:flights.capnp:Flight");
}

BOOST_AUTO_TEST_CASE(a_problem_is_a_path_and_words_or_words_alone) {
  const auto is = [](std::string_view problem, std::string_view path, std::string_view what) {
    const auto parts = kappa::split_json_problem(problem);
    return parts.path == path && parts.what == what;
  };
  const auto nested = problem_of<everything::everything>(R"({"shapes":[{},{"circle":"x"}]})");
  BOOST_TEST(is(nested, "shapes[1].circle", "expected a number, found a text"), nested);
  BOOST_TEST(is(problem_of<flight>("[]"), "", "expected an object, found an array"));
  const auto broken = problem_of<flight>("{");
  BOOST_TEST(is(broken, "", broken));
}

BOOST_AUTO_TEST_CASE(a_member_that_a_reader_passes_over_is_found_wherever_it_is) {
  const auto passed_over = [](std::string_view text) {
    const auto v = from_json<everything::everything>(text);
    BOOST_REQUIRE_MESSAGE(v, text);
    return kappa::member_passed_over(text, to_json(*v)).value_or("none");
  };
  BOOST_TEST(passed_over("{}") == "none");
  BOOST_TEST(passed_over(R"({"flgs":true})") == "flgs");
  BOOST_TEST(passed_over(R"({"flgs":null})") == "flgs");
  BOOST_TEST(passed_over(R"({"place":{"inner":{"deep":1}}})") == "place.inner.deep");
  BOOST_TEST(passed_over(R"({"points":[{"x":1},{"x":1,"z":2}]})") == "points[1].z");
  BOOST_TEST(passed_over(R"({"shapes":[{"square":1}],"u64s":["5"],"defaults":null})") == "none");
  // Of two alternatives of a union one is not taken.
  BOOST_TEST(passed_over(R"({"shapes":[{"id":1,"square":2}]})") == "none");
  kappa::test::rng random{12};
  for (int i = 0; i < 100; ++i) {
    const auto raw = kappa::test::random_bytes(capnp::Schema::from<::Everything>(), random);
    const auto text = to_json(*kappa::codec<everything::everything>::decode(raw));
    BOOST_REQUIRE_EQUAL(passed_over(text), "none");
  }
}
