// Bodies of kappa::generated_calls, for generated .cpp files. Not for users' code.
#pragma once

#include "kappa/serialization/evolution.hpp"
#include "kappa/serialization/generated.hpp"
#include "kappa/serialization/json.hpp"
#include "kappa/serialization/kinds.hpp"
#include "kappa/serialization/wire_reader.hpp"
#include "kappa/serialization/wire_writer.hpp"

namespace kappa {

template <class T>
void generated_calls<T>::encode(const T& v, bytes& out) {
  wire::writer w{out};
  const auto root = w.allocate(1);
  wire::struct_kind<T>::put(w, root, v);
}

template <class T>
result<T> generated_calls<T>::decode(bytes_view in) {
  result<T> out{tl::in_place};
  wire::source source{in};
  if (!wire::read_root(source,
                       [&](const wire::struct_view& view) { generated<T>::read(view, *out); })) {
    out = fail(errc::decode, generated<T>::schema_name, source.problem());
  }
  return out;
}

template <class T>
schema_info generated_calls<T>::schema() {
  static const auto fingerprint = checksum(generated<T>::description);
  return {generated<T>::schema_name, generated<T>::schema_id, fingerprint,
          std::string{generated<T>::description}, &capnp_can_read};
}

template <class T>
std::string generated_calls<T>::text(const T& v) {
  std::string out;
  generated<T>::print(out, v);
  return out;
}

template <class T>
std::string generated_calls<T>::to_json(const T& v) {
  std::string out;
  json_writer w{out};
  generated<T>::write_json(w, v);
  return out;
}

template <class T>
result<T> generated_calls<T>::from_json(std::string_view text) {
  result<T> out{tl::in_place};
  json_document document;
  if (document.parse(text)) {
    const auto root = document.root();
    if (root.is_object()) generated<T>::read_json(root, *out);
  }
  if (!document.problem().empty())
    out = fail(errc::decode, generated<T>::schema_name, document.problem());
  return out;
}

}  // namespace kappa
