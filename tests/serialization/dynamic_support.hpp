// Cap'n Proto's own library as the judge: random messages by reflection over a schema, and whether
// two messages hold the same values.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <string_view>

#include <capnp/dynamic.h>
#include <capnp/message.h>
#include <capnp/serialize.h>

namespace kappa::test {

using rng = std::mt19937_64;

/// An error's text, or nothing: Boost.Test works its messages out whether they are needed or not.
template <class R>
std::string why(const R& r) {
  return r ? std::string{} : r.error().text();
}

/// Fills every field at random, defaults and empty values included. `depth` bounds recursion.
void fill(capnp::DynamicStruct::Builder to, rng& random, int depth = 4);

/// Field by field, as a reader sees them: null and empty are the same, unknown fields are ignored.
bool same(capnp::DynamicValue::Reader a, capnp::DynamicValue::Reader b);

/// The message as one segment without a table, in the library's own layout.
std::string flat_bytes(capnp::MessageBuilder& message);
std::string random_bytes(capnp::StructSchema schema, rng& random);

/// Reads bytes with the library; keeps an aligned copy.
class library_message {
 public:
  explicit library_message(std::string_view bytes);
  capnp::DynamicStruct::Reader root(capnp::StructSchema schema) {
    return reader_.getRoot<capnp::DynamicStruct>(schema);
  }
  bool is_canonical() { return reader_.isCanonical(); }

 private:
  kj::Array<capnp::word> words_;
  kj::ArrayPtr<const capnp::word> segments_[1];
  capnp::SegmentArrayMessageReader reader_;
};

}  // namespace kappa::test
