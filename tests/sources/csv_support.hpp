// Files for the tests of the CSV source.
#pragma once

#include <unistd.h>
#include <zstd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "kappa/source/csv_file.hpp"

namespace kappa::csv_test {

/// A folder that is gone after the test.
class folder {
 public:
  folder() {
    auto made = (std::filesystem::temp_directory_path() / "kappa-csv-XXXXXX").string();
    BOOST_REQUIRE(::mkdtemp(made.data()) != nullptr);
    path_ = made;
  }
  ~folder() { std::filesystem::remove_all(path_); }
  folder(const folder&) = delete;
  folder& operator=(const folder&) = delete;

  [[nodiscard]] std::string path(const std::string& name) const { return (path_ / name).string(); }
  /// Writes the file anew and gives its path.
  std::string write(const std::string& name, bytes_view content) const {
    std::ofstream out{path_ / name, std::ios::binary};
    out.write(content.data(), static_cast<std::streamsize>(content.size()));
    return path(name);
  }
  std::string append(const std::string& name, bytes_view content) const {
    std::ofstream out{path_ / name, std::ios::binary | std::ios::app};
    out.write(content.data(), static_cast<std::streamsize>(content.size()));
    return path(name);
  }

 private:
  std::filesystem::path path_;
};

inline bytes compressed(bytes_view content) {
  bytes out(ZSTD_compressBound(content.size()), '\0');
  const auto n = ZSTD_compress(out.data(), out.size(), content.data(), content.size(), 3);
  BOOST_REQUIRE(ZSTD_isError(n) == 0);
  out.resize(n);
  return out;
}

/// BOOST_REQUIRE_MESSAGE makes its message also when all is well.
template <class T>
std::string error_text(const result<T>& r) {
  return r ? "" : r.error().text();
}

inline csv_format two_columns() { return {.columns = {"a", "b"}}; }

struct row {
  bytes value;
  std::uint64_t number = 0;
  friend bool operator==(const row&, const row&) = default;
  friend std::ostream& operator<<(std::ostream& out, const row& r) {
    return out << r.number << ":\"" << printable(r.value) << '"';
  }
};

/// All rows from here to the end, which `at_end` must announce with the last one.
inline std::vector<row> rows_of(csv_file& file) {
  std::vector<row> rows;
  while (true) {
    const bool end = file.at_end();
    auto next = file.next();
    BOOST_REQUIRE_MESSAGE(next.has_value(), error_text(next));
    BOOST_REQUIRE(next->has_value() == !end);
    if (end) return rows;
    rows.push_back({bytes{(*next)->value}, (*next)->number});
  }
}

inline std::vector<row> rows_of(const std::string& path, const csv_format& format = two_columns()) {
  csv_file file{path, format};
  const auto opened = file.open({});
  BOOST_REQUIRE_MESSAGE(opened.has_value(), error_text(opened));
  return rows_of(file);
}

/// The error of opening, or, when it opens, of reading on to the end.
inline error error_of(csv_file& file, const std::optional<bytes>& place = {}) {
  if (auto opened = file.open(place); !opened) return opened.error();
  while (true) {
    auto next = file.next();
    if (!next) return next.error();
    if (!*next) return {errc{}, "", "no error"};
  }
}

inline error error_of(const std::string& path, const csv_format& format = two_columns(),
                      const std::optional<bytes>& place = {}) {
  csv_file file{path, format};
  return error_of(file, place);
}

inline void check_error(const error& e, errc code, const std::string& part) {
  BOOST_TEST(name_of(e.code) == name_of(code));
  BOOST_TEST(e.text().find(part) != std::string::npos,
             "\"" << part << "\" is not in: " << e.text());
}

}  // namespace kappa::csv_test
