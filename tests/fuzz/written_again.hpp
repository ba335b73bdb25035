// A generated type, whatever its bytes: an error that names it, or a value that survives encoding
// and JSON.
#pragma once

#include <string>

#include "fuzz/fuzz.hpp"
#include "kappa/core/codec.hpp"
#include "kappa/core/json_traits.hpp"

namespace kappa::fuzz {

template <class T>
void survives_json(const T& v) {
  const auto text = to_json(v);
  const auto back = from_json<T>(text);
  expect(back.has_value(), "JSON that was written is read");
  expect(to_json(*back) == text, "JSON is read back as it was");
}

template <class T>
void written_again(bytes_view in) {
  const bytes aligned{in};
  const auto v = codec<T>::decode(aligned);
  if (!v) {
    expect(
        v.error().code == errc::decode && !v.error().message.empty() && !v.error().subject.empty(),
        "what is wrong is said, and of which type");
    return;
  }
  const auto once = encoded(*v);
  const auto back = codec<T>::decode(once);
  expect(back.has_value(), "what was written is read");
  expect(encoded(*back) == once, "encoding has one form");
  expect(to_json(*back) == to_json(*v), "what was read back is the same");
  survives_json(*v);
}

}  // namespace kappa::fuzz
