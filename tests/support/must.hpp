// For a result that must be good where a test has nothing to say about its error.
#pragma once

#include <source_location>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include <fmt/format.h>

#include "kappa/core/error.hpp"

namespace kappa::test {

/// The value; throws, with the error and the caller's line, when there is none.
template <class T>
T must(result<T> r, std::source_location at = std::source_location::current()) {
  if (!r) {
    throw std::runtime_error{fmt::format("{}:{}: {}", at.file_name(), at.line(), r.error().text())};
  }
  if constexpr (!std::is_void_v<T>) return std::move(*r);
}

}  // namespace kappa::test
