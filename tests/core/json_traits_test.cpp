#include "kappa/core/json_traits.hpp"

#include <cstdint>
#include <limits>

#include <boost/test/unit_test.hpp>

namespace {

using kappa::from_json;
using kappa::to_json;
using text = std::string;

}  // namespace

BOOST_AUTO_TEST_CASE(integers_and_booleans_are_json_as_they_are) {
  BOOST_TEST(to_json(std::int32_t{-5}) == "-5");
  BOOST_TEST(to_json(std::numeric_limits<std::uint64_t>::max()) == "18446744073709551615");
  BOOST_TEST(to_json(true) == "true");
  BOOST_TEST(from_json<std::int64_t>(" -9223372036854775808\n").value() ==
             std::numeric_limits<std::int64_t>::min());
  BOOST_TEST(from_json<std::uint64_t>("18446744073709551615").value() ==
             std::numeric_limits<std::uint64_t>::max());
  BOOST_TEST(from_json<bool>("false").value() == false);
  for (const auto* bad : {"", "x", "1.5", "1 2", "\"1\"", "9223372036854775808"}) {
    BOOST_TEST(!from_json<std::int64_t>(bad), bad);
  }
  BOOST_TEST(!from_json<std::uint8_t>("256"));
  BOOST_TEST(!from_json<std::uint8_t>("-1"));
  BOOST_TEST(!from_json<bool>("1"));
}

BOOST_AUTO_TEST_CASE(texts_are_escaped_and_come_back) {
  BOOST_TEST(to_json(text{"a\"b\\c\nd\x01\xc3\xbc"}) == "\"a\\\"b\\\\c\\nd\\u0001\xc3\xbc\"");
  for (const auto& v : {text{}, text{"plain"}, text{"\"\\/\b\f\n\r\t\x1f"}, text{"\0x", 2},
                        text{"\xe2\x82\xac \xf0\x9d\x84\x9e"}}) {
    BOOST_TEST(from_json<text>(to_json(v)).value() == v);
  }
  BOOST_TEST(from_json<text>(R"("\u20ac\ud834\udd1e\/")").value() ==
             "\xe2\x82\xac\xf0\x9d\x84\x9e/");
  BOOST_TEST(to_json(text{"\xff\xc0\xaf\xed\xa0\x80"}) ==
             "\"\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\"");
  for (const auto* bad : {"", "\"", "a", "\"a", "\"a\"b\"", "\"\\x\"", "\"\\u12\"", "\"\\ud834\"",
                          "\"\\udd1e\"", "\"\n\"", "\"\xff\"", "\"\\\""}) {
    BOOST_TEST(!from_json<text>(bad), bad);
  }
}

BOOST_AUTO_TEST_CASE(times_are_text_within_the_calendar_and_numbers_beyond) {
  using kappa::timestamp;
  const timestamp t{kappa::milliseconds{978336600123}};
  BOOST_TEST(to_json(t) == "\"2001-01-01T08:10:00.123Z\"");
  for (const auto v : {t, timestamp{}, kappa::min_time, kappa::max_time}) {
    BOOST_TEST((from_json<timestamp>(to_json(v)).value() == v));
  }
  BOOST_TEST((from_json<timestamp>("978336600123").value() == t));
  BOOST_TEST(!from_json<timestamp>("\"soon\""));
}
