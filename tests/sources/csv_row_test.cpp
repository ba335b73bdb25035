#include "kappa/source/csv_row.hpp"

#include "csv_support.hpp"
#include "kappa/source/csv_source.hpp"

using namespace kappa;
using namespace kappa::csv_test;

namespace {

struct flight {
  timestamp scheduled;
  std::int32_t delay = 0;
  std::int32_t distance = 0;
  std::string origin;
  std::string destination;
};

const csv_format& flights() {
  static const csv_format format{
      .columns = {"scheduled", "delay", "distance", "origin", "destination"}};
  return format;
}

result<flight> parse_flight(csv_row& row) {
  return row.done(flight{.scheduled = row.time("scheduled"),
                         .delay = row.int32("delay"),
                         .distance = row.int32("distance"),
                         .origin = row.capitals("origin", 3),
                         .destination = row.capitals("destination", 3)});
}

result<flight> parse(bytes_view text) {
  csv_row row{flights(), text};
  return parse_flight(row);
}

void refused(bytes_view text, const std::string& part) {
  const auto f = parse(text);
  BOOST_REQUIRE_MESSAGE(!f, "taken: " << printable(text));
  check_error(f.error(), errc::decode, part);
}

std::vector<std::string> columns(bytes_view text) {
  static const csv_format format{.columns = {"a", "b", "c"}};
  csv_row row{format, text};
  const std::vector<std::string> out{std::string{row.text("a")}, std::string{row.text("b")},
                                     std::string{row.text("c")}};
  if (row.failure()) return {row.failure()->text()};
  return out;
}

using texts = std::vector<std::string>;

}  // namespace

BOOST_AUTO_TEST_SUITE(csv_rows)

BOOST_AUTO_TEST_CASE(a_good_row_becomes_a_flight) {
  const auto f = parse("2001-01-01T00:01:00Z,-13,2345,ANC,LAX");
  BOOST_REQUIRE(f);
  BOOST_TEST(format_time(f->scheduled) == "2001-01-01T00:01:00Z");
  BOOST_TEST(f->delay == -13);
  BOOST_TEST(f->distance == 2345);
  BOOST_TEST(f->origin == "ANC");
  BOOST_TEST(f->destination == "LAX");
}

BOOST_AUTO_TEST_CASE(the_error_names_column_text_and_what_is_expected) {
  const auto f = parse("2001-01-01T00:01:00Z,12x,2345,ANC,LAX");
  BOOST_REQUIRE(!f);
  BOOST_TEST(
      f.error().text() ==
      "delay: cannot decode: expected an integer from -2147483648 to 2147483647, found \"12x\"");
  refused("2001-01-01T00:01:00Z,1,2,ANC,La\x01",
          "destination: cannot decode: expected 3 capital "
          "letters, found \"La\\x01\"");
}

BOOST_AUTO_TEST_CASE(integers_are_an_optional_minus_and_digits_in_the_range_of_32_bits) {
  for (const auto* good : {"0", "-0", "007", "2147483647", "-2147483648", "00000000000000000001"}) {
    BOOST_TEST(parse_int32({"n", good}).has_value(), good);
  }
  BOOST_TEST(parse_int32({"n", "-2147483648"}).value() == std::numeric_limits<std::int32_t>::min());
  for (const bytes_view bad :
       {"", "-", "+1", " 1", "1 ", "1.0", "1e3", "0x1", "--1", "1-", "2147483648", "-2147483649",
        "99999999999999999999999", "\xd9\xa1", "NaN"}) {
    BOOST_TEST(!parse_int32({"n", bad}).has_value(), bad);
  }
  BOOST_TEST(!parse_int32({"n", bytes_view{"1\0", 2}}).has_value());
  BOOST_TEST(parse_int64({"n", "-9223372036854775808"}).has_value());
  BOOST_TEST(!parse_int64({"n", "9223372036854775808"}).has_value());
}

BOOST_AUTO_TEST_CASE(a_time_is_exactly_of_one_form_and_exists) {
  for (const auto* good :
       {"2000-02-29T23:59:59Z", "9999-12-31T00:00:00Z", "1969-12-31T23:59:59Z"}) {
    BOOST_TEST(parse_utc_time({"t", good}).has_value(), good);
  }
  for (const auto* bad : {"",
                          "2001-01-01",
                          "2001-01-01T00:01Z",
                          "2001-01-01T00:01:00",
                          "2001-01-01T00:01:00z",
                          "2001-01-01t00:01:00Z",
                          "2001-01-01 00:01:00Z",
                          "2001-01-01T00:01:00.000Z",
                          "2001-01-01T00:01:00+0",
                          "2001-02-29T00:00:00Z",
                          "2001-13-01T00:00:00Z",
                          "2001-00-01T00:00:00Z",
                          "2001-01-00T00:00:00Z",
                          "2001-01-01T24:00:00Z",
                          "2001-01-01T00:60:00Z",
                          "2001-01-01T00:00:60Z",
                          "2001-1-001T00:00:00Z",
                          "2001/01/01T00:00:00Z",
                          "2001-01-01T00-00-00Z",
                          "-001-01-01T00:00:00Z",
                          " 2001-01-01T00:01:00",
                          "20010-01-01T00:01:0Z"}) {
    BOOST_TEST(!parse_utc_time({"t", bad}).has_value(), bad);
  }
}

BOOST_AUTO_TEST_CASE(an_airport_is_three_capital_letters) {
  BOOST_TEST(parse_capitals({"o", "ORD"}, 3).value() == "ORD");
  for (const auto* bad : {"", "OR", "ORDX", "ord", "OrD", "OR1", "OR ",
                          "\xc3\x96"
                          "D"}) {
    BOOST_TEST(!parse_capitals({"o", bad}, 3).has_value(), bad);
  }
}

BOOST_AUTO_TEST_CASE(another_number_of_columns_is_an_error_that_shows_the_row) {
  refused("", "expected 5 columns, found 1: \"\"");
  refused("2001-01-01T00:01:00Z,1,2,ANC", "expected 5 columns, found 4");
  refused("2001-01-01T00:01:00Z,1,2,ANC,LAX,", "expected 5 columns, found 6");
  refused(bytes(1000, ','), "expected 5 columns, found over 256");
  refused(bytes_view{"\0\0", 2}, "\\x00\\x00");
}

BOOST_AUTO_TEST_CASE(quotes_may_hold_commas_and_doubled_quotes) {
  BOOST_TEST(columns("1,2,3") == (texts{"1", "2", "3"}));
  BOOST_TEST(columns(",,") == (texts{"", "", ""}));
  BOOST_TEST(columns("\"1\",\"2,\",\"\"") == (texts{"1", "2,", ""}));
  BOOST_TEST(columns("\"a\"\"b\",\"\"\"\",\"\"\"x\"\"\"") == (texts{"a\"b", "\"", "\"x\""}));
  BOOST_TEST(columns("1,a\"b,3\"") == (texts{"1", "a\"b", "3\""}));
  for (const auto* open : {"1,\"2,3", "1,2,\"", "1,2,\"\"\"", "\""}) {
    BOOST_TEST(columns(open).at(0).find("not closed") != std::string::npos, open);
  }
  for (const auto* after : {"\"1\"x,2,3", "1,2,\"3\" ", "\"a\"\"\" ,2,3"}) {
    BOOST_TEST(columns(after).at(0).find("after the closing quote") != std::string::npos, after);
  }
}

BOOST_AUTO_TEST_CASE(a_row_over_the_limit_is_an_error_even_if_its_columns_are_good) {
  const csv_format format{.columns = {"a"}, .max_row_bytes = 64};
  const bytes at_limit(64, 'x');
  BOOST_TEST(!csv_row(format, at_limit).failure().has_value());
  const auto over = at_limit + "x";
  csv_row row{format, over};
  check_error(row.done(0).error(), errc::too_large, "64 bytes");
}

BOOST_AUTO_TEST_CASE(columns_may_be_read_in_any_order_and_by_parsers_of_ones_own) {
  csv_row row{flights(), "2001-01-01T00:01:00Z,-13,2345,ANC,LAX"};
  BOOST_TEST(row.text("destination") == "LAX");
  BOOST_TEST(row.int64("delay") == -13);
  BOOST_TEST(row.int32("delay") == -13);
  const auto letters =
      row.read("origin", [](csv_field f) -> result<std::size_t> { return f.text.size(); });
  BOOST_TEST(letters == 3u);
  BOOST_TEST(!row.failure());
  const auto none = row.read(
      "origin", [](csv_field f) -> result<std::size_t> { return csv_mismatch(f, "a colour"); });
  BOOST_TEST(none == 0u);
  BOOST_TEST(row.int32("delay") == 0);  // the row has failed
  check_error(row.done(1).error(), errc::decode, "origin: cannot decode: expected a colour");
}

BOOST_AUTO_TEST_CASE(a_column_that_is_not_in_the_format_is_named_with_the_nearest_one) {
  csv_row row{flights(), "2001-01-01T00:01:00Z,-13,2345,ANC,LAX"};
  BOOST_TEST(row.int32("dely") == 0);
  check_error(row.done(1).error(), errc::bad_config, "did you mean \"delay\"?");
}

BOOST_AUTO_TEST_CASE(garbage_of_every_kind_never_becomes_a_row) {
  // Bytes by a fixed generator: no crash, no read outside (under ASan), no row.
  std::uint64_t seed = 1;
  for (int i = 0; i < 20'000; ++i) {
    bytes text;
    for (int n = i % 97; n > 0; --n) {
      seed = seed * 6364136223846793005u + 1442695040888963407u;
      text.push_back(static_cast<char>(",\"\n-Z0\xff"[(seed >> 60) % 8 % 8]));
    }
    BOOST_TEST_REQUIRE(!parse(text).has_value());
  }
}

BOOST_AUTO_TEST_CASE(a_source_of_flights_is_a_file_and_a_parse_function) {
  const folder dir;
  const auto path = dir.write("flights.csv",
                              "scheduled,delay,distance,origin,destination\n"
                              "2001-01-01T00:01:00Z,-13,2345,ANC,LAX\n");
  const auto source = csv_source(path, flights(), parse_flight);
  static_assert(std::is_same_v<decltype(source), const source_of<flight>>);
  const auto file = source.open();
  BOOST_REQUIRE(file->open({}));
  const auto row = file->next();
  BOOST_REQUIRE((row && *row));
  BOOST_TEST(source.parse((*row)->value).value().distance == 2345);
  BOOST_TEST(file->at_end());
  const auto careless =
      csv_source(path, flights(), [](csv_row& r) -> result<int> { return r.int32("delay"); });
  BOOST_TEST(careless.parse((*row)->value).value() == -13);
  check_error(careless.parse("1,2").error(), errc::decode, "columns");
}

BOOST_AUTO_TEST_SUITE_END()
