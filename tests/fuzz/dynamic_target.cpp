// Values read by their schema's description alone, against the generated code; and descriptions
// that nobody wrote.

#include <variant>

#include "everything.kappa.hpp"
#include "fuzz/fuzz.hpp"
#include "kappa/core/codec.hpp"
#include "kappa/core/json_traits.hpp"
#include "kappa/serialization/dynamic.hpp"

namespace kappa::fuzz {
namespace {

template <class T>
void as_generated(bytes_view in) {
  static const auto type = dynamic_type::parse(codec<T>::schema());
  expect(type.has_value(), "a generated type's description is read");
  const bytes aligned{in};
  const auto v = codec<T>::decode(aligned);
  const auto text = type->to_json(aligned);
  if (!v) {
    expect(text.has_value() || !text.error().message.empty(), "what is wrong is said");
    return;
  }
  if (text) expect(*text == to_json(*v), "the JSON is the generated code's");
}

void described(script s) {
  schema_info schema;
  schema.name = s.text(40);
  schema.description = s.text(255);
  while (s.byte() % 2 != 0) schema.description += s.text(255);
  const auto type = dynamic_type::parse(schema);
  if (!type) {
    expect(!type.error().message.empty(), "why not is said");
    return;
  }
  const bytes value{s.rest()};
  const auto text = type->to_json(value);
  expect(text.has_value() || !text.error().message.empty(), "what is wrong is said");
  (void)type->from_text(value);
}

}  // namespace

void dynamic(bytes_view in) {
  script s{in};
  switch (s.byte() % 4) {
    case 0:
      return as_generated<everything::everything>(s.rest());
    case 1:
      return as_generated<everything::shape>(s.rest());
    case 2:
      return as_generated<everything::tree>(s.rest());
    default: {
      expect(!json_of_unknown(s.rest()).empty(), "unknown bytes have some JSON");
      described(s);
    }
  }
}

}  // namespace kappa::fuzz
