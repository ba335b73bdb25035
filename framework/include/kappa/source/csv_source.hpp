// A CSV file as the source of a stream:
//
//   app.source("flights", kappa::csv_source("flights.csv.zst", {.columns = {"scheduled", …}},
//                                           parse_flight));
//
// Threading, errors: csv_file.hpp and csv_row.hpp.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "kappa/source/csv_file.hpp"
#include "kappa/source/csv_row.hpp"
#include "kappa/stream/app.hpp"

namespace kappa {

/// `parse`: `result<T>(csv_row&)`.
template <class Parse>
[[nodiscard]] auto csv_source(std::string path, csv_format format, Parse parse) {
  using element = typename std::invoke_result_t<const Parse&, csv_row&>::value_type;
  source_of<element> source;
  source.open = [path = std::move(path), format] {
    return std::make_unique<csv_file>(path, format);
  };
  source.parse = [format, parse = std::move(parse)](bytes_view text) -> result<element> {
    csv_row row{format, text};
    auto value = std::invoke(parse, row);
    // Also for a parse function that forgot `done`.
    if (value && row.failure()) return fail(*row.failure());
    return value;
  };
  return source;
}

}  // namespace kappa
