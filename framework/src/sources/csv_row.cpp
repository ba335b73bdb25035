#include "kappa/source/csv_row.hpp"

#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "kappa/core/parse_number.hpp"
#include "sources/csv_header.hpp"

namespace kappa {
namespace {

template <class T>
result<T> parse_integer(csv_field field) {
  T value{};
  if (!parse_number(field.text, value)) {
    return csv_mismatch(field,
                        fmt::format("an integer from {} to {}", std::numeric_limits<T>::min(),
                                    std::numeric_limits<T>::max()));
  }
  return value;
}

}  // namespace

tl::unexpected<error> csv_mismatch(csv_field field, std::string_view expected) {
  return fail(errc::decode, std::string{field.column},
              fmt::format("expected {}, found \"{}\"", expected, printable(field.text)));
}

result<std::int32_t> parse_int32(csv_field field) { return parse_integer<std::int32_t>(field); }
result<std::int64_t> parse_int64(csv_field field) { return parse_integer<std::int64_t>(field); }

result<timestamp> parse_utc_time(csv_field field) {
  // Of the forms that parse_time takes, this is the only one of 20 characters.
  if (field.text.size() == 20) {
    if (const auto time = parse_time(field.text)) return *time;
  }
  return csv_mismatch(field, "a time YYYY-MM-DDTHH:MM:SSZ");
}

result<std::string> parse_capitals(csv_field field, std::size_t n) {
  const auto capital = [](char c) { return c >= 'A' && c <= 'Z'; };
  if (field.text.size() == n && std::all_of(field.text.begin(), field.text.end(), capital)) {
    return std::string{field.text};
  }
  return csv_mismatch(field, fmt::format("{} capital letters", n));
}

csv_row::csv_row(const csv_format& format, bytes_view text) : format_{format} {
  if (text.size() > format.max_row_bytes) {
    failure_ = error{errc::too_large, "row",
                     fmt::format("longer than the limit of {} bytes", format.max_row_bytes)};
    return;
  }
  split(text);
  if (!failure_ && count_ != format.columns.size()) {
    failure_ = error{errc::decode, "row",
                     fmt::format("expected {} columns, found {}: \"{}\"", format.columns.size(),
                                 count_ > max_csv_columns ? fmt::format("over {}", max_csv_columns)
                                                          : fmt::to_string(count_),
                                 printable(text))};
  }
}

void csv_row::split(bytes_view text) {
  auto rest = text;
  while (true) {
    if (count_ == max_csv_columns) {
      ++count_;
      return;
    }
    if (!rest.empty() && rest.front() == '"') {
      const auto column = take_quoted(rest);
      if (!column) return;
      add(*column);
      if (rest.empty()) return;
    } else {
      const auto comma = rest.find(',');
      add(rest.substr(0, comma));
      if (comma == std::string_view::npos) return;
      rest.remove_prefix(comma);
    }
    rest.remove_prefix(1);  // the comma: a column follows, if only an empty one
  }
}

std::optional<std::string_view> csv_row::take_quoted(std::string_view& rest) {
  std::string* unquoted = nullptr;
  std::size_t from = 1;
  while (true) {
    const auto quote = rest.find('"', from);
    if (quote == std::string_view::npos) {
      failure_ = error{errc::decode, fmt::format("column {}", count_ + 1),
                       fmt::format("a quote that is not closed: \"{}\"", printable(rest))};
      return std::nullopt;
    }
    const auto part = rest.substr(from, quote - from);
    if (quote + 1 < rest.size() && rest[quote + 1] == '"') {
      if (unquoted == nullptr) unquoted = &unquoted_.emplace_front();
      unquoted->append(part).push_back('"');
      from = quote + 2;
      continue;
    }
    if (quote + 1 < rest.size() && rest[quote + 1] != ',') {
      failure_ =
          error{errc::decode, fmt::format("column {}", count_ + 1),
                fmt::format("expected a comma after the closing quote: \"{}\"", printable(rest))};
      return std::nullopt;
    }
    rest.remove_prefix(quote + 1);
    if (unquoted == nullptr) return part;
    unquoted->append(part);
    return *unquoted;
  }
}

csv_field csv_row::field(std::string_view column) {
  if (failure_) return {column, {}};
  const auto& names = format_.columns;
  auto at = next_;
  if (at >= names.size() || names[at] != column) {
    at = static_cast<std::size_t>(std::find(names.begin(), names.end(), column) - names.begin());
    if (at == names.size()) {
      failure_ = error{errc::bad_config, std::string{column},
                       fmt::format("the parse function reads this column, and the csv_format has "
                                   "none of this name; did you mean \"{}\"?",
                                   detail::nearest(column, names))};
      return {column, {}};
    }
  }
  next_ = at + 1;
  return {names[at], {columns_[at].data, columns_[at].size}};
}

}  // namespace kappa
