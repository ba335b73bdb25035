// One class for each kind of field: how it is put into a message, taken out, printed and turned to
// JSON. Generated .cpp files call these; so a line of a schema is a line of generated code.
//
//   present(v)          whether a pointer to it is needed (else it stays null)
//   put(w, slot, v)     writes it behind the pointer at `slot`; never leaves the pointer null
//   get(pointer, v)     reads it; `v` stays as it is when the pointer is null
//   put_list/get_list   a list of it
//   print, to_json, from_json
//
// Not for users' code.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "kappa/keys/personal.hpp"
#include "kappa/serialization/generated.hpp"
#include "kappa/serialization/json.hpp"
#include "kappa/serialization/wire_reader.hpp"
#include "kappa/serialization/wire_writer.hpp"

namespace kappa::wire {

void print_text(std::string& out, std::string_view v);
void print_data(std::string& out, bytes_view v);
void print_number(std::string& out, std::int64_t v);
void print_number(std::string& out, std::uint64_t v);
void print_number(std::string& out, double v);
void print_number(std::string& out, float v);
void print_time(std::string& out, timestamp v);
/// Never its text: what is printed goes into logs.
void print_personal(std::string& out, const personal& v);
/// Its text where it is to be shown (null when it is erased), else its stored form, so that what is
/// stored as JSON is sealed too: {"sealed": "base64"}.
void personal_to_json(json_writer& out, const personal& v, bool text);
/// Both; a text is plain then.
void personal_from_json(const json_view& in, personal& v, bool text);

/// A value as the schema declares it, for comparing pointer fields with their default.
template <class T>
[[nodiscard]] const T& defaults() {
  static const T v{};
  return v;
}

template <class T>
struct number_kind {
  using type = T;

  static void put_list(writer& w, std::size_t slot, const std::vector<T>& v) {
    constexpr auto size = sizeof(T) == 1   ? element_size::byte
                          : sizeof(T) == 2 ? element_size::two_bytes
                          : sizeof(T) == 4 ? element_size::four_bytes
                                           : element_size::eight_bytes;
    const auto at = w.allocate((v.size() * sizeof(T) + 7) / 8);
    if constexpr (std::is_floating_point_v<T>) {
      for (std::size_t i = 0; i < v.size(); ++i) {
        const auto raw = bits_of(v[i]);
        w.store(at + i * sizeof(T), &raw, sizeof raw);
      }
    } else {
      w.store(at, v.data(), v.size() * sizeof(T));
    }
    w.list_pointer(slot, at, size, v.size());
  }
  static void get_list(const list_view& in, std::vector<T>& v) {
    if (!in.of_numbers(sizeof(T))) return;
    v.resize(in.size());
    if (in.template contiguous<T>()) {
      if (!v.empty()) std::memcpy(v.data(), in.data(), v.size() * sizeof(T));
    } else {
      for (std::size_t i = 0; i < v.size(); ++i) v[i] = in.template number<T>(i);
    }
  }
  static void print(std::string& out, T v) {
    if constexpr (std::is_floating_point_v<T>) {
      print_number(out, v);
    } else if constexpr (std::is_signed_v<T>) {
      print_number(out, static_cast<std::int64_t>(v));
    } else {
      print_number(out, static_cast<std::uint64_t>(v));
    }
  }
  static void to_json(json_writer& out, T v) {
    if constexpr (std::is_floating_point_v<T>) {
      out.number(v);
    } else if constexpr (std::is_signed_v<T>) {
      out.integer(static_cast<std::int64_t>(v));
    } else {
      out.integer(static_cast<std::uint64_t>(v));
    }
  }
  static void from_json(const json_view& in, T& v) { in.get(v); }
};

struct bool_kind {
  using type = bool;

  static void put_list(writer& w, std::size_t slot, const std::vector<bool>& v) {
    const auto at = w.allocate((v.size() + 63) / 64);
    for (std::size_t i = 0; i < v.size(); i += 8) {
      unsigned char byte = 0;
      for (std::size_t j = i; j < v.size() && j < i + 8; ++j)
        byte |= static_cast<unsigned char>(v[j] << (j - i));
      w.store(at + i / 8, &byte, 1);
    }
    w.list_pointer(slot, at, element_size::bit, v.size());
  }
  static void get_list(const list_view& in, std::vector<bool>& v) {
    if (!in.of_bits()) return;
    v.resize(in.size());
    for (std::size_t i = 0; i < v.size(); ++i) v[i] = in.bit(i);
  }
  static void print(std::string& out, bool v) { out.append(v ? "true" : "false"); }
  static void to_json(json_writer& out, bool v) { out.boolean(v); }
  static void from_json(const json_view& in, bool& v) { in.get(v); }
};

/// An Int64 of the schema that is a timestamp in C++.
struct time_kind {
  using type = timestamp;
  static void print(std::string& out, timestamp v) { print_time(out, v); }
  static void to_json(json_writer& out, timestamp v) { out.time(v); }
  static void from_json(const json_view& in, timestamp& v) { in.get(v); }
};

template <class E>
struct enum_kind {
  using type = E;
  static_assert(sizeof(E) == 2);

  static void put_list(writer& w, std::size_t slot, const std::vector<E>& v) {
    const auto at = w.allocate((v.size() * 2 + 7) / 8);
    w.store(at, v.data(), v.size() * 2);
    w.list_pointer(slot, at, element_size::two_bytes, v.size());
  }
  static void get_list(const list_view& in, std::vector<E>& v) {
    if (!in.of_numbers(2)) return;
    v.resize(in.size());
    for (std::size_t i = 0; i < v.size(); ++i) v[i] = static_cast<E>(in.number<std::uint16_t>(i));
  }
  static void print(std::string& out, E v) { out.append(text_of(v)); }
  static void to_json(json_writer& out, E v) {
    const auto i = static_cast<std::uint16_t>(v);
    if (i < generated_enum<E>::count) {
      out.text(generated_enum<E>::names[i]);
    } else {
      out.integer(std::uint64_t{i});
    }
  }
  static void from_json(const json_view& in, E& v) {
    std::string_view name;
    if (in.peek_text(name)) {
      for (std::uint16_t i = 0; i < generated_enum<E>::count; ++i) {
        if (generated_enum<E>::names[i] == name) {
          v = static_cast<E>(i);
          return;
        }
      }
      in.fail("'" + std::string{name} + "' is not one of the enum's names");
      return;
    }
    std::uint16_t raw = 0;
    if (in.get(raw)) v = static_cast<E>(raw);
  }
};

/// Lists of anything that is behind a pointer of its own.
template <class K>
struct pointer_list {
  template <class T>
  static void put_list(writer& w, std::size_t slot, const std::vector<T>& v) {
    const auto at = w.allocate(v.size());
    w.list_pointer(slot, at, element_size::pointer, v.size());
    for (std::size_t i = 0; i < v.size(); ++i) {
      if (K::present(v[i])) K::put(w, at + i * 8, v[i]);
    }
  }
  template <class T>
  static void get_list(const list_view& in, std::vector<T>& v) {
    if (!in.of_pointers()) return;
    v.clear();
    v.resize(in.size());
    for (std::size_t i = 0; i < v.size() && in.ok(); ++i) K::get(in.pointer(i), v[i]);
  }
};

struct text_kind : pointer_list<text_kind> {
  using type = std::string;

  static bool present(const std::string& v) { return !v.empty(); }
  static void put(writer& w, std::size_t slot, const std::string& v) { w.byte_list(slot, v, true); }
  static void get(const pointer_view& in, std::string& v) {
    bytes_view found;
    if (in.bytes_of(found, true)) v.assign(found);
  }
  static void print(std::string& out, const std::string& v) { print_text(out, v); }
  static void to_json(json_writer& out, const std::string& v) { out.text(v); }
  static void from_json(const json_view& in, std::string& v) { in.get(v); }
};

struct data_kind : pointer_list<data_kind> {
  using type = bytes;

  static bool present(const bytes& v) { return !v.empty(); }
  static void put(writer& w, std::size_t slot, const bytes& v) { w.byte_list(slot, v, false); }
  static void get(const pointer_view& in, bytes& v) {
    bytes_view found;
    if (in.bytes_of(found, false)) v.assign(found);
  }
  static void print(std::string& out, const bytes& v) { print_data(out, v); }
  static void to_json(json_writer& out, const bytes& v) { out.base64(v); }
  static void from_json(const json_view& in, bytes& v) { in.get_base64(v); }
};

/// A Text or Data of the schema that is a kappa::personal: its stored form is in the field.
template <bool Text>
struct personal_kind {
  using type = personal;

  static bool present(const personal& v) { return !v.stored().empty(); }
  static void put(writer& w, std::size_t slot, const personal& v) {
    w.byte_list(slot, v.stored(), Text);
  }
  static void get(const pointer_view& in, personal& v) {
    bytes_view found;
    if (!in.bytes_of(found, Text)) return;
    if (!personal::is_stored_form(found))
      return in.fail("it is personal, and what is here is not sealed");
    v = personal::from_stored(found);
  }
  static void print(std::string& out, const personal& v) { print_personal(out, v); }
  static void to_json(json_writer& out, const personal& v) { personal_to_json(out, v, Text); }
  static void from_json(const json_view& in, personal& v) { personal_from_json(in, v, Text); }
};

template <class T>
struct struct_kind {
  using type = T;
  using frame = typename generated<T>::frame;

  static bool present(const T& v) {
    frame f;
    generated<T>::fill(v, f);
    return !f.trimmed().empty();
  }
  static void put(writer& w, std::size_t slot, const T& v) {
    const writer::level deeper{w};
    frame f;
    generated<T>::fill(v, f);
    const auto s = f.trimmed();
    const auto at = w.allocate(s.words());
    w.struct_pointer(slot, at, s);
    put_body(w, at, v, f, s);
  }
  static void get(const pointer_view& in, T& v) {
    struct_view view;
    if (in.open(view)) generated<T>::read(view, v);
  }
  static void put_list(writer& w, std::size_t slot, const std::vector<T>& v) {
    shape room;
    for (const auto& e : v) {
      frame f;
      generated<T>::fill(e, f);
      const auto s = f.trimmed();
      room = {std::max(room.data, s.data), std::max(room.pointers, s.pointers)};
    }
    // A word for each element, see wire_writer.hpp.
    if (room.empty() && !v.empty()) {
      constexpr bool only_pointers = frame::data_words == 0 && frame::pointer_count > 0;
      room = only_pointers ? shape{0, 1} : shape{1, 0};
    }
    const auto tag = w.allocate(1 + v.size() * room.words());
    w.list_pointer(slot, tag, element_size::composite, v.size() * room.words());
    w.composite_tag(tag, v.size(), room);
    const writer::level deeper{w};
    auto at = tag + 8;
    for (const auto& e : v) {
      frame f;
      generated<T>::fill(e, f);
      put_body(w, at, e, f, room);
      at += std::size_t{room.words()} * 8;
    }
  }
  static void get_list(const list_view& in, std::vector<T>& v) {
    if (!in.of_structs()) return;
    v.clear();
    v.resize(in.size());
    struct_view view;
    for (std::size_t i = 0; i < v.size() && in.element(i, view); ++i) {
      generated<T>::read(view, v[i]);
      if (!in.ok()) return;
    }
  }
  static void print(std::string& out, const T& v) { generated<T>::print(out, v); }
  static void to_json(json_writer& out, const T& v) { generated<T>::write_json(out, v); }
  static void from_json(const json_view& in, T& v) { generated<T>::read_json(in, v); }

 private:
  static void put_body(writer& w, std::size_t at, const T& v, const frame& f, shape s) {
    // A struct without data words in its schema may stand in a list that keeps one: zeros.
    w.store(at, f.data, std::size_t{std::min(s.data, frame::data_words)} * 8);
    if (s.pointers > 0) generated<T>::targets(w, at + std::size_t{s.data} * 8, v);
  }
};

template <class K>
struct list_kind : pointer_list<list_kind<K>> {
  using type = std::vector<typename K::type>;

  static bool present(const type& v) { return !v.empty(); }
  static void put(writer& w, std::size_t slot, const type& v) {
    const writer::level deeper{w};
    K::put_list(w, slot, v);
  }
  static void get(const pointer_view& in, type& v) {
    list_view list;
    if (in.open(list)) K::get_list(list, v);
  }
  static void print(std::string& out, const type& v) {
    out.push_back('[');
    for (std::size_t i = 0; i < v.size(); ++i) {
      if (i > 0) out.append(", ");
      K::print(out, v[i]);
    }
    out.push_back(']');
  }
  static void to_json(json_writer& out, const type& v) {
    out.begin_array();
    for (std::size_t i = 0; i < v.size(); ++i) K::to_json(out, v[i]);
    out.end_array();
  }
  static void from_json(const json_view& in, type& v) {
    std::size_t size = 0;
    if (!in.array(size)) return;
    v.clear();
    v.reserve(size);
    for (std::size_t i = 0; i < size && in.ok(); ++i) {
      typename K::type e{};
      const auto element = in.element(i);
      if (!element.is_null()) K::from_json(element, e);
      v.push_back(std::move(e));
    }
  }
};

}  // namespace kappa::wire
