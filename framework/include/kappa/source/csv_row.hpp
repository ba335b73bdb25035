// One row of a CSV file as typed columns, for the parse function of a source:
//
//   kappa::result<flight> parse_flight(kappa::csv_row& row) {
//     return row.done(flight{.scheduled = row.time("scheduled"),
//                            .delay = row.int32("delay"),
//                            .distance = row.int32("distance"),
//                            .origin = row.capitals("origin", 3),
//                            .destination = row.capitals("destination", 3)});
//   }
//
// The first column that is not what it should be makes the whole row an error, which names the
// column, its text and what is expected; the reads after it give empty values. Nothing is trimmed
// or guessed: " 5", "+5" and "5.0" are not integers.
//
// The dialect: a row is a line, columns are separated by commas. A column may stand in double
// quotes (RFC 4180), with "" for a quote inside. A line break inside quotes is not supported: one
// stray quote would take the rows after it along.
//
// Threading: plain values. Ownership: a row borrows its text and its format. No allocation, save
// for columns with doubled quotes and for errors.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <forward_list>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "kappa/core/bytes.hpp"
#include "kappa/core/error.hpp"
#include "kappa/core/time.hpp"

namespace kappa {

/// What the rows of a file must look like.
struct csv_format {
  /// The columns of the header line: these, in this order. 1 to 256, none twice.
  std::vector<std::string> columns;
  /// A longer row is an error (and with it a dead letter). 64 bytes to 16 MiB.
  std::size_t max_row_bytes = 64 * 1024;
};
inline constexpr std::size_t max_csv_columns = 256;

/// One column of one row.
struct csv_field {
  std::string_view column;
  std::string_view text;
};

/// Strict parsers of one column. errc::decode names the column, the text and what is expected.
///
/// An optional minus and digits, within the type's range.
[[nodiscard]] result<std::int32_t> parse_int32(csv_field field);
[[nodiscard]] result<std::int64_t> parse_int64(csv_field field);
/// Exactly `YYYY-MM-DDTHH:MM:SSZ`, and a time that exists.
[[nodiscard]] result<timestamp> parse_utc_time(csv_field field);
/// Exactly `n` letters A to Z: an airport, a currency.
[[nodiscard]] result<std::string> parse_capitals(csv_field field, std::size_t n);
/// The error of a parser of your own: `return csv_mismatch(field, "a colour");`
[[nodiscard]] tl::unexpected<error> csv_mismatch(csv_field field, std::string_view expected);

class csv_row {
 public:
  /// `format` and `text` must outlive the row.
  csv_row(const csv_format& format, bytes_view text);
  csv_row(const csv_row&) = delete;
  csv_row& operator=(const csv_row&) = delete;

  /// By a parser of your own: `result<T> parse(csv_field)`.
  template <class Parse>
  [[nodiscard]] auto read(std::string_view column, Parse parse) {
    using value_type = typename std::invoke_result_t<Parse&, csv_field>::value_type;
    const auto found = field(column);
    if (!failure_) {
      auto value = std::invoke(parse, found);
      if (value) return value_type(std::move(*value));
      failure_ = std::move(value.error());
    }
    return value_type{};
  }

  /// The typed value of a column; an empty one when the row has failed.
  [[nodiscard]] std::int32_t int32(std::string_view column) { return read(column, parse_int32); }
  [[nodiscard]] std::int64_t int64(std::string_view column) { return read(column, parse_int64); }
  [[nodiscard]] timestamp time(std::string_view column) { return read(column, parse_utc_time); }
  [[nodiscard]] std::string capitals(std::string_view column, std::size_t n) {
    return read(column, [n](csv_field field) { return parse_capitals(field, n); });
  }
  /// As it stands; valid as long as the row and its text.
  [[nodiscard]] std::string_view text(std::string_view column) { return field(column).text; }
  /// `value`, or the first thing that was wrong with the row.
  template <class T>
  [[nodiscard]] result<T> done(T value) {
    if (failure_) return fail(*failure_);
    return value;
  }
  [[nodiscard]] const std::optional<error>& failure() const { return failure_; }

 private:
  void split(bytes_view text);
  void add(std::string_view column) { columns_[count_++] = {column.data(), column.size()}; }
  /// Takes a column that begins with a quote off the front of `rest`.
  std::optional<std::string_view> take_quoted(std::string_view& rest);
  [[nodiscard]] csv_field field(std::string_view column);

  const csv_format& format_;
  // The first `count_` are set; string_views would be zeroed, all of them, for each row.
  struct piece {
    const char* data;
    std::size_t size;
  };
  std::array<piece, max_csv_columns> columns_;
  std::size_t count_ = 0;
  std::size_t next_ = 0;  // the column after the last one read: mostly the next to be read
  std::forward_list<std::string> unquoted_;
  std::optional<error> failure_;
};

}  // namespace kappa
