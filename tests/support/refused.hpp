// What a refusal must say.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include <boost/test/unit_test.hpp>

#include "kappa/core/error.hpp"

namespace kappa::test {

/// True when `r` failed with `code` and names each of `words`.
template <class T>
boost::test_tools::predicate_result refused(const result<T>& r, errc code,
                                            std::initializer_list<std::string_view> words) {
  boost::test_tools::predicate_result no{false};
  if (r) {
    no.message() << "was accepted";
    return no;
  }
  const auto text = r.error().text();
  if (r.error().code != code) {
    no.message() << "other code: " << text;
    return no;
  }
  for (const auto word : words) {
    if (text.find(word) == std::string::npos) {
      no.message() << "does not name '" << std::string{word} << "': " << text;
      return no;
    }
  }
  return true;
}

}  // namespace kappa::test
