// Personal fields of what an aggregate takes and gives. Of values without any these do nothing.
//
// Threading, errors: as key_ring. Without a ring: errc::bad_config names the field.
#pragma once

#include <utility>

#include "kappa/core/bytes.hpp"
#include "kappa/core/codec.hpp"
#include "kappa/core/error.hpp"
#include "kappa/keys/key_ring.hpp"
#include "kappa/keys/personal.hpp"

namespace kappa::detail {

[[nodiscard]] inline tl::unexpected<error> no_key_store(const char* field) {
  return fail(errc::bad_config, field,
              "it is personal, and there is no key store: give one (file:PATH, or postgresql://…)");
}

template <class T>
[[nodiscard]] result<void> seal_personal(T& v, bytes_view subject, key_ring* keys) {
  if constexpr (has_personal<T>) {
    if (keys == nullptr) return no_key_store(personal_traits<T>::first_field);
    return keys->seal(v, subject);
  }
  return {};
}

template <class T>
[[nodiscard]] result<void> open_personal(T& v, key_ring* keys) {
  if constexpr (has_personal<T>) {
    if (keys == nullptr) return no_key_store(personal_traits<T>::first_field);
    return keys->open(v);
  }
  return {};
}

template <class T>
[[nodiscard]] result<void> show_personal(T& v, key_ring* keys) {
  if constexpr (has_personal<T>) {
    if (keys == nullptr) return no_key_store(personal_traits<T>::first_field);
    return keys->show(v);
  }
  return {};
}

/// The value encoded, its personal fields sealed.
template <class T>
[[nodiscard]] result<bytes> encoded_sealed(const T& v, bytes_view subject, key_ring* keys) {
  if constexpr (has_personal<T>) {
    T sealed = v;
    if (auto done = seal_personal(sealed, subject, keys); !done)
      return fail(std::move(done.error()));
    return encoded(sealed);
  } else {
    return encoded(v);
  }
}

/// The first personal field of these; null: there is none.
template <class... T>
[[nodiscard]] constexpr const char* first_personal() {
  const char* found = nullptr;
  const auto look = [&]<class One>(const One*) {
    if constexpr (has_personal<One>) {
      if (found == nullptr) found = personal_traits<One>::first_field;
    }
  };
  (look(static_cast<const T*>(nullptr)), ...);
  return found;
}

}  // namespace kappa::detail
