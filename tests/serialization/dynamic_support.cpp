#include "serialization/dynamic_support.hpp"

#include <cmath>
#include <cstring>
#include <limits>

namespace kappa::test {
namespace {

std::uint64_t below(rng& random, std::uint64_t n) { return random() % n; }

/// Small numbers, extremes and anything: each about as often.
std::int64_t integer(rng& random, std::int64_t least, std::int64_t most) {
  switch (below(random, 5)) {
    case 0:
      return 0;
    case 1:
      return least;
    case 2:
      return most;
    case 3:
      return least < 0 ? static_cast<std::int64_t>(below(random, 7)) - 3 : 3;
    default:
      break;
  }
  const auto span = static_cast<std::uint64_t>(most) - static_cast<std::uint64_t>(least);
  const auto raw =
      span == std::numeric_limits<std::uint64_t>::max() ? random() : random() % (span + 1);
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(least) + raw);
}

std::string text(rng& random) {
  static constexpr const char* pieces[] = {"a", "ORD", " ", "\"", "\\", "\n",
                                           "ü", "€",   "𝄞", "\t", "{}"};
  std::string out;
  for (auto n = below(random, 12); n > 0; --n) out += pieces[below(random, std::size(pieces))];
  return out;
}

double real(rng& random) {
  switch (below(random, 6)) {
    case 0:
      return 0;
    case 1:
      return std::numeric_limits<double>::infinity();
    case 2:
      return -1.5;
    case 3:
      return 1e-310;  // a denormal
    case 4:
      return static_cast<double>(static_cast<std::int64_t>(random())) / 1e4;
    default:
      return std::ldexp(static_cast<double>(random()), static_cast<int>(below(random, 400)) - 200);
  }
}

void fill_field(capnp::DynamicStruct::Builder to, capnp::StructSchema::Field field, rng& random,
                int depth);

void fill_list(capnp::DynamicList::Builder to, capnp::Type element, rng& random, int depth) {
  for (unsigned i = 0; i < to.size(); ++i) {
    switch (element.which()) {
      case capnp::schema::Type::STRUCT:
        fill(to[i].as<capnp::DynamicStruct>(), random, depth - 1);
        break;
      case capnp::schema::Type::LIST: {
        if (below(random, 4) == 0) break;  // a null element
        const auto n = static_cast<unsigned>(below(random, 4));
        fill_list(to.init(i, n).as<capnp::DynamicList>(), element.asList().getElementType(), random,
                  depth - 1);
        break;
      }
      case capnp::schema::Type::TEXT:
        to.set(i, capnp::Text::Reader{text(random).c_str()});
        break;
      case capnp::schema::Type::DATA: {
        const auto v = text(random);
        to.set(i, capnp::Data::Reader{reinterpret_cast<const kj::byte*>(v.data()), v.size()});
        break;
      }
      case capnp::schema::Type::BOOL:
        to.set(i, below(random, 2) == 0);
        break;
      case capnp::schema::Type::INT8:
        to.set(i, integer(random, -128, 127));
        break;
      case capnp::schema::Type::INT16:
        to.set(i, integer(random, -32768, 32767));
        break;
      case capnp::schema::Type::INT32:
        to.set(i, integer(random, std::numeric_limits<std::int32_t>::min(),
                          std::numeric_limits<std::int32_t>::max()));
        break;
      case capnp::schema::Type::INT64:
        to.set(i, integer(random, std::numeric_limits<std::int64_t>::min(),
                          std::numeric_limits<std::int64_t>::max()));
        break;
      case capnp::schema::Type::UINT8:
        to.set(i, integer(random, 0, 255));
        break;
      case capnp::schema::Type::UINT16:
        to.set(i, integer(random, 0, 65535));
        break;
      case capnp::schema::Type::UINT32:
        to.set(i, integer(random, 0, 0xffffffff));
        break;
      case capnp::schema::Type::UINT64:
        to.set(i, random());
        break;
      case capnp::schema::Type::FLOAT32:
        to.set(i, static_cast<float>(real(random)));
        break;
      case capnp::schema::Type::FLOAT64:
        to.set(i, real(random));
        break;
      case capnp::schema::Type::ENUM: {
        const auto count = element.asEnum().getEnumerants().size();
        to.set(i, capnp::DynamicEnum{element.asEnum(),
                                     static_cast<std::uint16_t>(below(random, count))});
        break;
      }
      default:
        break;
    }
  }
}

void fill_field(capnp::DynamicStruct::Builder to, capnp::StructSchema::Field field, rng& random,
                int depth) {
  const auto type = field.getType();
  switch (type.which()) {
    case capnp::schema::Type::VOID:
      to.set(field, capnp::VOID);
      break;
    case capnp::schema::Type::BOOL:
      to.set(field, below(random, 2) == 0);
      break;
    case capnp::schema::Type::INT8:
      to.set(field, integer(random, -128, 127));
      break;
    case capnp::schema::Type::INT16:
      to.set(field, integer(random, -32768, 32767));
      break;
    case capnp::schema::Type::INT32:
      to.set(field, integer(random, std::numeric_limits<std::int32_t>::min(),
                            std::numeric_limits<std::int32_t>::max()));
      break;
    case capnp::schema::Type::INT64:
      to.set(field, integer(random, std::numeric_limits<std::int64_t>::min(),
                            std::numeric_limits<std::int64_t>::max()));
      break;
    case capnp::schema::Type::UINT8:
      to.set(field, integer(random, 0, 255));
      break;
    case capnp::schema::Type::UINT16:
      to.set(field, integer(random, 0, 65535));
      break;
    case capnp::schema::Type::UINT32:
      to.set(field, integer(random, 0, 0xffffffff));
      break;
    case capnp::schema::Type::UINT64:
      to.set(field, random());
      break;
    case capnp::schema::Type::FLOAT32:
      to.set(field, static_cast<float>(real(random)));
      break;
    case capnp::schema::Type::FLOAT64:
      to.set(field, real(random));
      break;
    case capnp::schema::Type::TEXT:
      to.set(field, capnp::Text::Reader{text(random).c_str()});
      break;
    case capnp::schema::Type::DATA: {
      auto v = text(random);
      if (below(random, 3) == 0) v.push_back('\0');
      to.set(field, capnp::Data::Reader{reinterpret_cast<const kj::byte*>(v.data()), v.size()});
      break;
    }
    case capnp::schema::Type::ENUM: {
      const auto count = type.asEnum().getEnumerants().size();
      to.set(field,
             capnp::DynamicEnum{type.asEnum(), static_cast<std::uint16_t>(below(random, count))});
      break;
    }
    case capnp::schema::Type::LIST: {
      const auto n = depth <= 0 ? 0U : static_cast<unsigned>(below(random, 5));
      fill_list(to.init(field, n).as<capnp::DynamicList>(), type.asList().getElementType(), random,
                depth - 1);
      break;
    }
    case capnp::schema::Type::STRUCT: {
      const auto inner = to.init(field).as<capnp::DynamicStruct>();
      if (field.getProto().isGroup() || depth > 0) fill(inner, random, depth - 1);
      break;
    }
    default:
      break;
  }
}

}  // namespace

void fill(capnp::DynamicStruct::Builder to, rng& random, int depth) {
  for (const auto field : to.getSchema().getNonUnionFields()) {
    // Left alone a field has its default, as one that an older writer did not know.
    if (below(random, 4) != 0) fill_field(to, field, random, depth);
  }
  const auto alternatives = to.getSchema().getUnionFields();
  if (alternatives.size() > 0) {
    fill_field(to, alternatives[static_cast<unsigned>(below(random, alternatives.size()))], random,
               depth);
  }
}

bool same(capnp::DynamicValue::Reader a, capnp::DynamicValue::Reader b) {
  if (a.getType() != b.getType()) return false;
  switch (a.getType()) {
    case capnp::DynamicValue::VOID:
      return true;
    case capnp::DynamicValue::BOOL:
      return a.as<bool>() == b.as<bool>();
    case capnp::DynamicValue::INT:
      return a.as<std::int64_t>() == b.as<std::int64_t>();
    case capnp::DynamicValue::UINT:
      return a.as<std::uint64_t>() == b.as<std::uint64_t>();
    case capnp::DynamicValue::FLOAT:
      return a.as<double>() == b.as<double>();
    case capnp::DynamicValue::TEXT:
      return a.as<capnp::Text>() == b.as<capnp::Text>();
    case capnp::DynamicValue::DATA:
      return a.as<capnp::Data>() == b.as<capnp::Data>();
    case capnp::DynamicValue::ENUM:
      return a.as<capnp::DynamicEnum>().getRaw() == b.as<capnp::DynamicEnum>().getRaw();
    case capnp::DynamicValue::LIST: {
      const auto x = a.as<capnp::DynamicList>();
      const auto y = b.as<capnp::DynamicList>();
      if (x.size() != y.size()) return false;
      for (unsigned i = 0; i < x.size(); ++i) {
        if (!same(x[i], y[i])) return false;
      }
      return true;
    }
    case capnp::DynamicValue::STRUCT: {
      const auto x = a.as<capnp::DynamicStruct>();
      const auto y = b.as<capnp::DynamicStruct>();
      for (const auto field : x.getSchema().getNonUnionFields()) {
        if (!same(x.get(field), y.get(field))) return false;
      }
      if (x.getSchema().getUnionFields().size() == 0) return true;
      KJ_IF_MAYBE (active, x.which()) {
        KJ_IF_MAYBE (other, y.which()) {
          return *active == *other && same(x.get(*active), y.get(*other));
        }
      }
      return false;
    }
    default:
      return false;
  }
}

std::string flat_bytes(capnp::MessageBuilder& message) {
  const auto segments = message.getSegmentsForOutput();
  KJ_REQUIRE(segments.size() == 1, "the first segment was too small");
  const auto raw = segments[0].asBytes();
  return {reinterpret_cast<const char*>(raw.begin()), raw.size()};
}

std::string random_bytes(capnp::StructSchema schema, rng& random) {
  capnp::MallocMessageBuilder message{1 << 20};
  fill(message.initRoot<capnp::DynamicStruct>(schema), random);
  return flat_bytes(message);
}

library_message::library_message(std::string_view bytes)
    : words_{kj::heapArray<capnp::word>(bytes.size() / 8)},
      segments_{[&] {
        std::memcpy(words_.begin(), bytes.data(), words_.size() * 8);
        return kj::ArrayPtr<const capnp::word>{words_.begin(), words_.size()};
      }()},
      reader_{kj::arrayPtr(segments_, 1)} {}

}  // namespace kappa::test
