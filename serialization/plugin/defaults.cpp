// Default values: as C++ text, and as text for the schema's description.

#include <cmath>
#include <limits>

#include <capnp/any.h>
#include <capnp/message.h>
#include <fmt/format.h>

#include "annotations.hpp"
#include "names.hpp"
#include "reading.hpp"

namespace kappa::plugin {

namespace schema = capnp::schema;

namespace {

std::string integer_literal(type_kind kind, std::int64_t v) {
  if (v == std::numeric_limits<std::int64_t>::min())
    return "std::numeric_limits<std::int64_t>::min()";
  return kind == type_kind::int64 ? fmt::format("std::int64_t{{{}}}", v) : fmt::format("{}", v);
}

template <class T>
std::string float_literal(T v, const char* type, const char* suffix) {
  if (std::isnan(v)) return fmt::format("std::numeric_limits<{}>::quiet_NaN()", type);
  if (std::isinf(v))
    return fmt::format("{}std::numeric_limits<{}>::infinity()", v < 0 ? "-" : "", type);
  auto text = fmt::format("{}", v);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text + suffix;
}

std::string bytes_literal(std::string_view v) {
  if (v.find('\0') == std::string_view::npos) return string_literal(v);
  return fmt::format("std::string({}, {})", string_literal(v), v.size());
}

/// FNV-1a: the description only has to tell that a default changed.
class digest {
 public:
  void add(const void* data, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) {
      value_ = (value_ ^ static_cast<const unsigned char*>(data)[i]) * 0x100000001b3;
    }
  }
  /// Structs in canonical form, so that fields appended to them change nothing.
  void add(capnp::AnyPointer::Reader v) {
    if (v.isNull()) return add("null", 4);
    if (v.isStruct()) {
      const auto words = v.getAs<capnp::AnyStruct>().canonicalize();
      return add(words.begin(), words.size() * 8);
    }
    auto list = v.getAs<capnp::AnyList>();
    const std::uint64_t size = list.size();
    add(&size, sizeof size);
    if (list.getElementSize() == capnp::ElementSize::INLINE_COMPOSITE) {
      for (auto e : list.as<capnp::List<capnp::AnyStruct>>()) {
        const auto words = e.canonicalize();
        add(words.begin(), words.size() * 8);
      }
    } else if (list.getElementSize() == capnp::ElementSize::POINTER) {
      for (const auto e : list.as<capnp::List<capnp::AnyPointer>>()) add(e);
    } else {
      const auto raw = list.getRawBytes();
      add(raw.begin(), raw.size());
    }
  }
  [[nodiscard]] std::string text() const { return fmt::format("#{:016x}", value_); }

 private:
  std::uint64_t value_ = 0xcbf29ce484222325;
};

/// A message of one segment whose root is what `set` puts there, in hexadecimal.
template <class Set>
std::string message_of(Set&& set) {
  capnp::MallocMessageBuilder scratch;
  set(scratch.getRoot<capnp::AnyPointer>());
  const auto words = scratch.getRoot<capnp::AnyPointer>().targetSize().wordCount + 1;
  capnp::MallocMessageBuilder message{static_cast<unsigned>(words)};  // room for all in one segment
  set(message.getRoot<capnp::AnyPointer>());
  std::string out;
  for (const auto segment : message.getSegmentsForOutput()) {
    for (const auto byte : segment.asBytes()) out += fmt::format("{:02x}", byte);
  }
  return out;
}

std::string told(const digest& d, const std::string& message) {
  return fmt::format("{}:{}", d.text(), message);
}

std::string default_of(capnp::AnyPointer::Reader v) {
  digest d;
  d.add(v);
  return told(d, message_of([&](capnp::AnyPointer::Builder root) { root.set(v); }));
}
std::string default_of(capnp::Text::Reader v) {
  digest d;
  d.add(v.begin(), v.size());
  return told(d, message_of([&](capnp::AnyPointer::Builder r) { r.setAs<capnp::Text>(v); }));
}
std::string default_of(capnp::Data::Reader v) {
  digest d;
  d.add(v.begin(), v.size());
  return told(d, message_of([&](capnp::AnyPointer::Builder r) { r.setAs<capnp::Data>(v); }));
}

}  // namespace

std::string schema_reader::literal(const type_ref& type, capnp::DynamicValue::Reader v) const {
  switch (type.kind) {
    case type_kind::nothing:
      return "{}";
    case type_kind::boolean:
      return v.as<bool>() ? "true" : "false";
    case type_kind::int8:
    case type_kind::int16:
    case type_kind::int32:
    case type_kind::int64: {
      const auto text = integer_literal(type.kind, v.as<std::int64_t>());
      return type.time ? fmt::format("kappa::timestamp{{kappa::milliseconds{{{}}}}}", text) : text;
    }
    case type_kind::uint8:
    case type_kind::uint16:
    case type_kind::uint32:
      return fmt::format("{}U", v.as<std::uint64_t>());
    case type_kind::uint64:
      return fmt::format("std::uint64_t{{{}U}}", v.as<std::uint64_t>());
    case type_kind::float32:
      return float_literal(v.as<float>(), "float", "F");
    case type_kind::float64:
      return float_literal(v.as<double>(), "double", "");
    case type_kind::text: {
      const auto text = v.as<capnp::Text>();
      return bytes_literal({text.begin(), text.size()});
    }
    case type_kind::data: {
      const auto data = v.as<capnp::Data>();
      return bytes_literal({reinterpret_cast<const char*>(data.begin()), data.size()});
    }
    case type_kind::list: {
      std::string out = cpp_type_of(type) + "{";
      bool first = true;
      for (const auto e : v.as<capnp::DynamicList>()) {
        out += (first ? "" : ", ") + literal(*type.element, e);
        first = false;
      }
      return out + "}";
    }
    case type_kind::enumeration: {
      const auto raw = v.as<capnp::DynamicEnum>().getRaw();
      if (raw < type.enumeration->values.size()) {
        return type.enumeration->qualified + "::" + type.enumeration->values[raw].cpp_name;
      }
      return fmt::format("static_cast<{}>({})", type.enumeration->qualified, raw);
    }
    case type_kind::structure:
      return struct_literal(type.structure->record, v.as<capnp::DynamicStruct>());
  }
  return {};
}

std::string schema_reader::struct_literal(const record_type& record,
                                          capnp::DynamicStruct::Reader v) const {
  const auto fields = v.getSchema().getFields();
  std::string parts;
  const auto add = [&](const std::string& name, const std::string& text) {
    parts += fmt::format("{}.{} = {}", parts.empty() ? "" : ", ", name, text);
  };
  const auto value_of = [&](const member& m) {
    const auto value = v.get(fields[m.index]);
    return m.group ? struct_literal(*m.group, value.as<capnp::DynamicStruct>())
                   : literal(m.type, value);
  };
  for (const auto& m : record.members) {
    if (m->type.kind == type_kind::nothing && !m->group) continue;
    if (m->group || v.has(fields[m->index], capnp::HasMode::NON_DEFAULT))
      add(m->cpp_name, value_of(*m));
  }
  for (const auto& m : record.alternatives) {
    bool active = false;
    KJ_IF_MAYBE (field, v.which()) {
      active = field->getIndex() == m->index;
    }
    if (!active) continue;
    if (m->group || (!m->wrapped && m->type.kind == type_kind::structure)) {
      add("which", value_of(*m));
    } else if (m->wrapped) {
      add("which", fmt::format("{}{{.value = {}}}", m->alternative, value_of(*m)));
    } else {
      add("which", m->alternative + "{}");
    }
  }
  return record.qualified + "{" + parts + "}";
}

void schema_reader::set_defaults(record_type& record, node n, const place& where) {
  const auto fields = n.getStruct().getFields();
  const auto set = [&](member& m) {
    if (m.group) {
      set_defaults(*m.group, nodes_.at(fields[m.index].getGroup().getTypeId()), where);
      return;
    }
    const auto slot = fields[m.index].getSlot();
    const auto v = slot.getDefaultValue();
    const auto number = [&](std::int64_t value) {
      if (value == 0) return;
      m.wire_default = integer_literal(m.type.kind, value);
      m.initializer =
          m.type.time ? fmt::format("kappa::timestamp{{kappa::milliseconds{{{}}}}}", m.wire_default)
                      : m.wire_default;
      m.default_text = fmt::format("{}", value);
    };
    const auto positive = [&](std::uint64_t value) {
      if (value == 0) return;
      m.wire_default = m.initializer = fmt::format("std::uint64_t{{{}U}}", value);
      if (m.type.kind != type_kind::uint64)
        m.wire_default = m.initializer = fmt::format("{}U", value);
      m.default_text = fmt::format("{}", value);
    };
    switch (m.type.kind) {
      case type_kind::nothing:
        break;
      case type_kind::boolean:
        if (v.getBool()) m.wire_default = m.initializer = m.default_text = "true";
        break;
      case type_kind::int8:
        number(v.getInt8());
        break;
      case type_kind::int16:
        number(v.getInt16());
        break;
      case type_kind::int32:
        number(v.getInt32());
        break;
      case type_kind::int64:
        number(v.getInt64());
        break;
      case type_kind::uint8:
        positive(v.getUint8());
        break;
      case type_kind::uint16:
        positive(v.getUint16());
        break;
      case type_kind::uint32:
        positive(v.getUint32());
        break;
      case type_kind::uint64:
        positive(v.getUint64());
        break;
      case type_kind::float32:
        if (v.getFloat32() != 0) {
          m.wire_default = m.initializer = float_literal(v.getFloat32(), "float", "F");
          m.default_text = fmt::format("{}", v.getFloat32());
        }
        break;
      case type_kind::float64:
        if (v.getFloat64() != 0) {
          m.wire_default = m.initializer = float_literal(v.getFloat64(), "double", "");
          m.default_text = fmt::format("{}", v.getFloat64());
        }
        break;
      case type_kind::enumeration:
        if (v.getEnum() != 0) {
          const auto& values = m.type.enumeration->values;
          m.wire_default = m.initializer =
              v.getEnum() < values.size()
                  ? m.type.enumeration->qualified + "::" + values[v.getEnum()].cpp_name
                  : fmt::format("static_cast<{}>({})", m.type.enumeration->qualified, v.getEnum());
          m.default_text = fmt::format("{}", v.getEnum());
        }
        break;
      case type_kind::text:
        if (v.hasText() && v.getText().size() > 0) {
          m.initializer = bytes_literal({v.getText().begin(), v.getText().size()});
          m.default_text = default_of(v.getText());
          m.pointer_default = true;
        }
        break;
      case type_kind::data:
        if (v.hasData() && v.getData().size() > 0) {
          m.initializer = bytes_literal(
              {reinterpret_cast<const char*>(v.getData().begin()), v.getData().size()});
          m.default_text = default_of(v.getData());
          m.pointer_default = true;
        }
        break;
      case type_kind::list:
      case type_kind::structure: {
        const auto pointer = v.isList() ? v.getList() : v.getStruct();
        if (pointer.isNull()) break;
        const auto field_type = loader_.get(n.getId()).asStruct().getFields()[m.index].getType();
        m.initializer =
            v.isList()
                ? literal(m.type, pointer.getAs<capnp::DynamicList>(field_type.asList()))
                : literal(m.type, pointer.getAs<capnp::DynamicStruct>(field_type.asStruct()));
        m.default_text = default_of(pointer);
        m.pointer_default = true;
        break;
      }
    }
  };
  for (const auto& m : record.members) set(*m);
  for (const auto& m : record.alternatives) set(*m);
}

}  // namespace kappa::plugin
