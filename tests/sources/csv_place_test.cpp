// Where a file was left, and whether it is still that file.
#include <fcntl.h>

#include <chrono>

#include "csv_support.hpp"

using namespace kappa;
using namespace kappa::csv_test;
namespace fs = std::filesystem;

namespace {

/// Makes the file look as if it was written at another time, or at the same.
void touch(const std::string& path) {
  fs::last_write_time(path, fs::last_write_time(path) + std::chrono::seconds{10});
}

/// Changes the content and keeps the modification time, as `cp -p` or a coarse clock may do.
void write_unnoticed(const folder& dir, const std::string& name, bytes_view content) {
  const auto time = fs::last_write_time(dir.path(name));
  dir.write(name, content);
  fs::last_write_time(dir.path(name), time);
}

/// The place after `n` rows.
bytes place_after(const std::string& path, std::size_t n,
                  const csv_format& format = two_columns()) {
  csv_file file{path, format};
  BOOST_REQUIRE(file.open({}));
  for (std::size_t i = 0; i < n; ++i) BOOST_REQUIRE(file.next().value().has_value());
  return file.place();
}

bytes rows_text(int n, int factor = 7919) {
  bytes text = "a,b\n";
  for (int i = 0; i < n; ++i) text += fmt::format("{:06},{:03}\n", i, i * factor % 1000);
  return text;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(csv_file_place)

BOOST_AUTO_TEST_CASE(from_every_row_on_the_rest_is_the_same) {
  const folder dir;
  const csv_format format{.columns = {"a", "b"}, .max_row_bytes = 100};
  const bytes text = "a,b\r\n1,2\n\n" + bytes(100, 'x') + "\r\n" + bytes(5000, 'y') + "\n" +
                     bytes("\0\xff\r\r\n", 5) + "3,4\r\n\"5,6\n" + bytes(101, 'z') + "\n7,8";
  for (const bytes& content :
       {text, text + "\n", text + "\n\n", compressed(text), compressed(text + "\r\n"),
        compressed(text.substr(0, 3)) + compressed(text.substr(3))}) {
    const auto path = dir.write("f", content);
    const auto all = rows_of(path, format);
    for (const bool touched : {false, true}) {
      for (std::size_t n = 0; n <= all.size(); ++n) {
        const auto place = place_after(path, n, format);
        BOOST_TEST(place.size() <= 1024u);
        if (touched) touch(path);
        csv_file file{path, format};
        const auto opened = file.open(place);
        BOOST_REQUIRE_MESSAGE(opened.has_value(), error_text(opened));
        BOOST_TEST(file.place().substr(0, 25) == place.substr(0, 25));
        BOOST_TEST(file.progress().rows == n);
        BOOST_TEST(rows_of(file) ==
                   std::vector<row>(all.begin() + static_cast<long>(n), all.end()));
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(a_file_larger_than_the_buffer_goes_on_from_any_row) {
  const folder dir;
  const auto text = rows_text(100'000);
  for (const auto& content : {text, compressed(text)}) {
    const auto path = dir.write("f", content);
    const auto all = rows_of(path);
    BOOST_REQUIRE(all.size() == 100'000u);
    for (const std::size_t n : {1u, 29'789u, 29'790u, 29'791u, 50'000u, 99'999u, 100'000u}) {
      csv_file file{path, two_columns()};
      BOOST_REQUIRE(file.open(place_after(path, n)));
      BOOST_TEST(
          (rows_of(file) == std::vector<row>(all.begin() + static_cast<long>(n), all.end())));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_copy_of_the_file_elsewhere_is_the_same_file) {
  const folder dir;
  const auto path = dir.write("f", rows_text(1000));
  fs::copy_file(path, dir.path("copy"));
  touch(dir.path("copy"));
  csv_file file{dir.path("copy"), two_columns()};
  BOOST_REQUIRE(file.open(place_after(path, 500)));
  BOOST_TEST(rows_of(file).front().number == 501u);
}

BOOST_AUTO_TEST_CASE(a_file_that_grew_or_shrank_between_two_runs_is_refused) {
  const folder dir;
  for (const std::size_t n : {0u, 7u, 10u}) {
    const auto path = dir.write("f", rows_text(10));
    const auto place = place_after(path, n);
    dir.append("f", "1,2\n");
    const auto grown = error_of(path, two_columns(), place);
    check_error(grown, errc::incompatible, "it was 114 bytes long and is 118");
    check_error(grown, errc::incompatible, "--fresh");
    check_error(grown, errc::incompatible, n == 10 ? "10 rows, all of it," : "rows were");
    dir.write("f", rows_text(9));
    check_error(error_of(path, two_columns(), place), errc::incompatible, "is 103");
  }
}

BOOST_AUTO_TEST_CASE(a_compressed_file_that_grew_after_its_end_is_refused) {
  const folder dir;
  const auto path = dir.write("f", compressed(rows_text(10)));
  const auto place = place_after(path, 10);
  dir.append("f", compressed("1,2\n"));
  check_error(error_of(path, two_columns(), place), errc::incompatible, "--fresh");
}

BOOST_AUTO_TEST_CASE(a_change_at_either_end_is_refused_even_with_the_old_modification_time) {
  const folder dir;
  const auto text = rows_text(50'000);
  const auto path = dir.write("f", text);
  const auto place = place_after(path, 30'000);
  auto changed = text;
  changed[20] = '9';
  write_unnoticed(dir, "f", changed);
  check_error(error_of(path, two_columns(), place), errc::incompatible, "first 64 KiB");
  changed = text;
  changed[text.size() - 2] = 'x';
  write_unnoticed(dir, "f", changed);
  check_error(error_of(path, two_columns(), place), errc::incompatible, "last 64 KiB");
}

BOOST_AUTO_TEST_CASE(a_change_in_rows_that_were_read_is_refused) {
  const folder dir;
  const auto text = rows_text(50'000);
  auto changed = text;
  changed[200'000] = changed[200'000] == '1' ? '2' : '1';
  const auto path = dir.write("f", text);
  for (const std::size_t n : {30'000u, 50'000u}) {
    dir.write("f", text);
    const auto place = place_after(path, n);
    dir.write("f", changed);
    touch(path);
    check_error(error_of(path, two_columns(), place), errc::incompatible, "rows that were read");
  }
}

BOOST_AUTO_TEST_CASE(another_split_into_rows_is_refused) {
  const folder dir;
  const auto text = rows_text(50'000);
  auto changed = text;
  changed[200'000 - (200'000 - 4) % 11 + 10] = ' ';  // a line end
  const auto path = dir.write("f", text);
  const auto place = place_after(path, 30'000);
  dir.write("f", changed);
  touch(path);
  check_error(error_of(path, two_columns(), place), errc::incompatible, "rows that were read");
}

BOOST_AUTO_TEST_CASE(a_file_that_grows_while_it_is_read_is_refused_before_its_end) {
  const folder dir;
  for (const int rows : {10, 100'000}) {
    const auto text = rows_text(rows);
    for (const auto& content : {text, compressed(text)}) {
      const auto path = dir.write("f", content);
      csv_file file{path, two_columns()};
      BOOST_REQUIRE(file.open({}));
      const auto first = file.next();
      BOOST_REQUIRE((first && *first));
      dir.append("f", "1,2\n");
      std::size_t given = 1;
      while (true) {
        auto next = file.next();
        if (!next) {
          check_error(next.error(), errc::incompatible, "while it was being read");
          check_error(next.error(), errc::incompatible, "--fresh");
          break;
        }
        BOOST_REQUIRE(next->has_value());
        ++given;
      }
      BOOST_TEST(given < static_cast<std::size_t>(rows));
      BOOST_TEST(!file.at_end());
      check_error(file.next().error(), errc::incompatible, "while it was being read");
    }
  }
}

BOOST_AUTO_TEST_CASE(a_file_that_is_cut_or_overwritten_while_it_is_read_is_refused) {
  const folder dir;
  const auto text = rows_text(100'000);
  const auto path = dir.write("f", text);
  csv_file file{path, two_columns()};
  BOOST_REQUIRE(file.open({}));
  fs::resize_file(path, 400'000);
  BOOST_REQUIRE(file.next());
  error e;
  while (true) {
    auto next = file.next();
    if (!next) {
      e = next.error();
      break;
    }
    BOOST_REQUIRE(next->has_value());
  }
  check_error(e, errc::incompatible, "while it was being read");
  dir.write("f", text);
  BOOST_REQUIRE(file.open({}));
  dir.write("f", text);
  touch(path);
  e = {};
  while (true) {
    auto next = file.next();
    if (!next) {
      e = next.error();
      break;
    }
    BOOST_REQUIRE(next->has_value());
  }
  check_error(e, errc::incompatible, "while it was being read");
}

BOOST_AUTO_TEST_CASE(a_file_that_is_replaced_while_it_is_read_is_read_to_its_own_end) {
  const folder dir;
  const auto path = dir.write("f", rows_text(100'000));
  csv_file file{path, two_columns()};
  BOOST_REQUIRE(file.open({}));
  dir.write("new", "a,b\n");
  fs::rename(dir.path("new"), path);
  BOOST_TEST(rows_of(file).size() == 100'000u);
  check_error(error_of(path, two_columns(), file.place()), errc::incompatible, "--fresh");
}

BOOST_AUTO_TEST_CASE(a_damaged_place_is_refused_whatever_the_damage) {
  const folder dir;
  const auto path = dir.write("f", rows_text(10));
  const auto place = place_after(path, 5);
  for (std::size_t n = 0; n < place.size(); ++n) {
    check_error(error_of(path, two_columns(), place.substr(0, n)), errc::corrupt, "--fresh");
  }
  check_error(error_of(path, two_columns(), place + "x"), errc::corrupt, "place");
  for (std::size_t i = 1; i < place.size(); ++i) {
    auto damaged = place;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x10);
    check_error(error_of(path, two_columns(), damaged), errc::corrupt, "place");
  }
  auto newer = place;
  newer[0] = 2;
  check_error(error_of(path, two_columns(), newer), errc::incompatible, "newer version");
}

BOOST_AUTO_TEST_SUITE_END()
