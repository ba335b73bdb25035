// A field of a schema that is marked `$Kappa.personal`: text (or bytes) of a person, stored only
// encrypted with that person's key (key_ring.hpp).
//
// It is one of
//   plain     made by user code, in memory only: it has no stored form, and encoding it throws
//             `unsealed_text`;
//   sealed    encrypted, as it is stored; its text cannot be read;
//   open      sealed, with its text beside: in `decide`, and in what a query gives;
//   erased    sealed, and the key was deleted: its text is gone for ever;
// or empty, which it is without any encryption.
//
// Threading: plain values.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>

#include "kappa/core/bytes.hpp"

namespace kappa {

/// Plain personal text was to be stored: a bug of whoever encodes it.
struct unsealed_text : std::logic_error {
  using std::logic_error::logic_error;
};

class personal {
 public:
  personal() = default;
  personal(std::string text)
      : text_{std::move(text)}, form_{text_.empty() ? form::empty : form::plain} {}
  personal(const char* text) : personal{std::string{text}} {}

  /// Null: it is erased, or sealed and nobody has opened it.
  [[nodiscard]] const std::string* text() const {
    return form_ == form::sealed || form_ == form::erased ? nullptr : &text_;
  }
  /// The text, or these words where it cannot be read.
  [[nodiscard]] std::string text_or(std::string otherwise) const {
    return text() != nullptr ? text_ : std::move(otherwise);
  }
  [[nodiscard]] bool empty() const { return form_ == form::empty; }
  [[nodiscard]] bool erased() const { return form_ == form::erased; }
  [[nodiscard]] bool plain() const { return form_ == form::plain; }

  /// As it is stored; empty: it is empty, or plain.
  [[nodiscard]] const bytes& sealed() const { return sealed_; }
  /// As it is stored, for codecs. Throws unsealed_text when it is plain.
  [[nodiscard]] const bytes& stored() const {
    if (form_ == form::plain) throw_unsealed();
    return sealed_;
  }
  /// Whether bytes can be a stored form.
  [[nodiscard]] static bool is_stored_form(bytes_view v);
  /// From its stored form, which must be one.
  [[nodiscard]] static personal from_stored(bytes_view v);

  /// Whether its text may be written as JSON: of what is shown to people.
  [[nodiscard]] bool shown() const { return shown_; }

  /// The same stored form; of what has none, or is open on both sides, the same text.
  friend bool operator==(const personal& a, const personal& b) {
    if (!a.sealed_.empty() && !b.sealed_.empty()) return a.sealed_ == b.sealed_;
    return a.text() != nullptr && b.text() != nullptr && a.text_ == b.text_;
  }

 private:
  friend class key_ring;
  enum class form : std::uint8_t { empty, plain, sealed, open, erased };

  [[noreturn]] static void throw_unsealed();

  bytes sealed_;      // as it is stored
  std::string text_;  // of plain and open
  form form_ = form::empty;
  bool shown_ = false;
};

/// Called for each personal field of a value.
class personal_visitor {
 public:
  virtual ~personal_visitor() = default;
  /// `subject`: whose it is, where the value itself says so.
  virtual void visit(personal& field, bytes_view subject) = 0;
};

/// The code generator specializes it for structs that hold personal fields, at whatever depth:
///   static constexpr const char* first_field     "people.capnp:Person.email"
///   static void visit(T& v, bytes_view subject, personal_visitor& f)
template <class T>
struct personal_traits {};

template <class T>
concept has_personal = requires {
  personal_traits<T>::first_field;
};

}  // namespace kappa
