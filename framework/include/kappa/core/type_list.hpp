// Types, listed.
#pragma once

#include <concepts>
#include <cstddef>

namespace kappa {

template <class... T>
struct type_list {
  static constexpr std::size_t size = sizeof...(T);
  template <class U>
  static constexpr bool contains = (std::same_as<U, T> || ...);
  /// Of one that it contains, from 0.
  template <class U>
  static constexpr std::size_t place_of = [] {
    constexpr bool is[] = {std::same_as<U, T>...};
    std::size_t place = 0;
    while (!is[place]) ++place;
    return place;
  }();
  /// `Template<T...>`
  template <template <class...> class Template>
  using into = Template<T...>;
};

}  // namespace kappa
