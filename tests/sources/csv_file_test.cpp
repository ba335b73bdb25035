#include "kappa/source/csv_file.hpp"

#include <sys/stat.h>

#include "csv_support.hpp"

using namespace kappa;
using namespace kappa::csv_test;

BOOST_AUTO_TEST_SUITE(csv_file_reading)

BOOST_AUTO_TEST_CASE(rows_come_as_they_stand_numbered_from_one) {
  const folder dir;
  const auto path = dir.write("f.csv", "a,b\n1,2\n3,4\n");
  const std::vector<row> expected{{"1,2", 1}, {"3,4", 2}};
  BOOST_TEST(rows_of(path) == expected);
  csv_file file{path, two_columns()};
  BOOST_TEST(file.name() == "f.csv");
}

BOOST_AUTO_TEST_CASE(a_compressed_file_gives_the_same_rows_whatever_its_name) {
  const folder dir;
  const std::vector<row> expected{{"1,2", 1}, {"3,4", 2}};
  BOOST_TEST(rows_of(dir.write("f", compressed("a,b\n1,2\n3,4\n"))) == expected);
  // Several frames, one of them to be skipped, one empty.
  const bytes skipped{"\x50\x2a\x4d\x18\x03\x00\x00\x00xyz", 11};
  BOOST_TEST(rows_of(dir.write("g", skipped + compressed("a,b\n1,") + compressed("") +
                                        compressed("2\n3,4\n"))) == expected);
}

BOOST_AUTO_TEST_CASE(lines_may_end_with_crlf_and_the_last_one_with_nothing) {
  const folder dir;
  const std::vector<row> expected{{"1,2", 1}, {"3,4", 2}};
  BOOST_TEST(rows_of(dir.write("f", "a,b\r\n1,2\r\n3,4\r\n")) == expected);
  BOOST_TEST(rows_of(dir.write("f", "a,b\n1,2\n3,4")) == expected);
  BOOST_TEST(rows_of(dir.write("f", compressed("a,b\r\n1,2\n3,4\r"))) == expected);
}

BOOST_AUTO_TEST_CASE(a_byte_order_mark_is_skipped) {
  const folder dir;
  const std::vector<row> expected{{"1,2", 1}};
  BOOST_TEST(rows_of(dir.write("f",
                               "\xef\xbb\xbf"
                               "a,b\n1,2\n")) == expected);
}

BOOST_AUTO_TEST_CASE(an_empty_line_is_a_row_so_that_nothing_is_lost_without_a_trace) {
  const folder dir;
  const std::vector<row> expected{{"", 1}, {"1,2", 2}, {"", 3}};
  BOOST_TEST(rows_of(dir.write("f", "a,b\n\n1,2\n\n")) == expected);
}

BOOST_AUTO_TEST_CASE(zero_bytes_and_other_garbage_come_through_unchanged) {
  const folder dir;
  const bytes garbage{"\0\xff\r\"\x01\0,", 7};
  const std::vector<row> expected{{garbage, 1}, {"1,2", 2}};
  BOOST_TEST(rows_of(dir.write("f", "a,b\n" + garbage + "\n1,2\n")) == expected);
}

BOOST_AUTO_TEST_CASE(a_stray_quote_damages_its_own_line_only) {
  const folder dir;
  const std::vector<row> expected{{"\"1,2", 1}, {"3,4", 2}};
  BOOST_TEST(rows_of(dir.write("f", "a,b\n\"1,2\n3,4\n")) == expected);
}

BOOST_AUTO_TEST_CASE(only_a_header_is_a_source_that_is_at_its_end) {
  const folder dir;
  for (const auto* text : {"a,b\n", "a,b", "a,b\r\n"}) {
    csv_file file{dir.write("f", text), two_columns()};
    BOOST_REQUIRE(file.open({}));
    BOOST_TEST(file.at_end());
    BOOST_TEST(rows_of(file).empty());
    // And again, from its place.
    const auto place = file.place();
    BOOST_REQUIRE(file.open(place));
    BOOST_TEST(file.at_end());
  }
}

BOOST_AUTO_TEST_CASE(rows_of_all_lengths_around_the_limit_are_whole_or_cut_and_none_is_lost) {
  const folder dir;
  const csv_format format{.columns = {"a", "b"}, .max_row_bytes = 100};
  for (const std::string end : {"\n", "\r\n"}) {
    bytes text = "a,b" + end;
    for (std::size_t n = 97; n < 105; ++n) text += bytes(n, 'x') + end + "1,2" + end;
    const auto rows = rows_of(dir.write("f", text), format);
    BOOST_REQUIRE(rows.size() == 16u);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const auto length = i % 2 == 1 ? 3 : std::min<std::size_t>(97 + i / 2, 101);
      BOOST_TEST(rows[i].value.size() == length);
      BOOST_TEST(rows[i].number == i + 1);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_row_longer_than_every_buffer_is_cut_and_the_next_one_is_whole) {
  const folder dir;
  // Around the sizes of the buffer, whose edge a line must be able to end on.
  for (const std::size_t n : {65'535, 65'536, 65'537, 262'143, 262'144, 327'675, 327'676, 327'677,
                              327'678, 327'680, 1'000'000, 5'000'000}) {
    for (const std::string tail : {"", "1,2\n"}) {
      const auto text = "a,b\n" + bytes(n, 'x') + "\n" + tail;
      for (const auto& content : {text, compressed(text)}) {
        const auto rows = rows_of(dir.write("f", content));
        BOOST_REQUIRE(rows.size() == (tail.empty() ? 1u : 2u));
        BOOST_TEST(rows[0].value == bytes(std::min<std::size_t>(n, 64 * 1024 + 1), 'x'));
        if (!tail.empty()) BOOST_TEST(rows[1].value == "1,2");
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(the_progress_ends_at_the_size_of_the_file) {
  const folder dir;
  const bytes text = "a,b\n1,2\n3,4\n";
  for (const auto& content : {text, compressed(text)}) {
    csv_file file{dir.write("f", content), two_columns()};
    BOOST_TEST(file.progress().bytes_total == 0u);
    BOOST_REQUIRE(file.open({}));
    rows_of(file);
    BOOST_TEST(file.progress().rows == 2u);
    BOOST_TEST(file.progress().bytes_done == content.size());
    BOOST_TEST(file.progress().bytes_total == content.size());
  }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(csv_file_refusals)

BOOST_AUTO_TEST_CASE(what_is_no_file_is_refused_by_name) {
  const folder dir;
  check_error(error_of(dir.path("none.csv")), errc::not_found, "none.csv");
  check_error(error_of(dir.path("")), errc::bad_config, "not a regular file");
  BOOST_REQUIRE(::mkfifo(dir.path("pipe").c_str(), 0600) == 0);
  check_error(error_of(dir.path("pipe")), errc::bad_config, "not a regular file");
}

BOOST_AUTO_TEST_CASE(an_empty_file_is_refused_also_when_it_is_compressed) {
  const folder dir;
  check_error(error_of(dir.write("f", "")), errc::bad_config, "is empty");
  check_error(error_of(dir.write("f", compressed(""))), errc::bad_config, "is empty");
}

BOOST_AUTO_TEST_CASE(another_header_is_refused_with_the_nearest_mend) {
  const folder dir;
  const csv_format format{.columns = {"scheduled", "delay", "origin"}};
  const auto mend = [&](const std::string& header, const std::string& part) {
    const auto e = error_of(dir.write("f.csv", header + "\n"), format);
    check_error(e, errc::bad_config, "must be \"scheduled,delay,origin\"");
    check_error(e, errc::bad_config, "f.csv");
    check_error(e, errc::bad_config, part);
  };
  mend("scheduled,Delay,origin", "found \"scheduled,Delay,origin\"; rename \"Delay\" to \"delay\"");
  mend("scheduled,dely,origin", "rename \"dely\" to \"delay\"");
  mend("scheduled,origin", "add delay");
  mend("scheduled,delay,origin,destination", "remove destination");
  mend("delay,scheduled,origin", "order");
  mend("scheduled,delay,origin,origin", "twice");
  mend("scheduled;delay;origin", "semicolons");
  mend("scheduled\tdelay\torigin", "tabs");
  mend("2001-01-01T00:01:00Z,33,LAS", "looks like data");
  mend("", "add scheduled");
  mend(bytes("\0\xff\x7f,,", 5), "\\x00");
  mend(bytes(100'000, 'x'), "rename");
  BOOST_TEST(rows_of(dir.write("f", "\"scheduled\",\"delay\",origin\n"), format).empty());
}

BOOST_AUTO_TEST_CASE(a_format_that_cannot_be_is_refused) {
  const folder dir;
  const auto path = dir.write("f", "a,b\n");
  check_error(error_of(path, {}), errc::bad_config, "1 to 256");
  check_error(error_of(path, {.columns = {"a", "a"}}), errc::bad_config, "\"a\"");
  check_error(error_of(path, {.columns = {"a", ""}}), errc::bad_config, "empty");
  check_error(error_of(path, {.columns = {"a", "b"}, .max_row_bytes = 3}), errc::bad_config,
              "max_row_bytes");
}

BOOST_AUTO_TEST_CASE(damaged_and_foreign_compression_is_named) {
  const folder dir;
  bytes text = "a,b\n";
  for (int i = 0; i < 20'000; ++i) text += fmt::format("{},{}\n", i, i * 7919 % 1000);
  const auto whole = compressed(text);
  check_error(error_of(dir.write("f", whole.substr(0, whole.size() / 2))), errc::corrupt,
              "stops in the middle");
  check_error(error_of(dir.write("f", whole.substr(0, whole.size() - 1))), errc::corrupt,
              "stops in the middle");
  check_error(error_of(dir.write("f", whole + "x")), errc::corrupt, "zstd");
  check_error(error_of(dir.write("f", whole + "xyz12345")), errc::corrupt, "zstd");
  auto flipped = whole;
  for (std::size_t i = whole.size() / 2; i < whole.size() / 2 + 64; ++i) flipped[i] = '\x55';
  check_error(error_of(dir.write("f", flipped)), errc::corrupt, "zstd");
  check_error(error_of(dir.write("f", "\x1f\x8b\x08 gzip")), errc::bad_config, "gzip");
}

BOOST_AUTO_TEST_CASE(an_error_stays_and_next_before_open_is_one) {
  const folder dir;
  csv_file file{dir.path("none"), two_columns()};
  BOOST_TEST(!file.at_end());
  check_error(file.next().error(), errc::invalid_argument, "before open");
  BOOST_TEST(!file.open({}));
  check_error(file.next().error(), errc::not_found, "none");
  BOOST_TEST(!file.at_end());
  // The object may be used again once the cause is gone.
  dir.write("none", "a,b\n1,2\n");
  BOOST_REQUIRE(file.open({}));
  BOOST_TEST(rows_of(file).size() == 1u);
}

BOOST_AUTO_TEST_SUITE_END()
