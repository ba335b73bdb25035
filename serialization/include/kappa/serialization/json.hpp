// JSON text from values and back, without a JSON library in sight of those who use it.
//
// 64-bit integers are numbers (read from strings too: other codecs write them so), bytes are
// base64, times are `2001-01-01T08:00:00Z` (read from numbers of milliseconds too), floats that
// JSON has no number for are "NaN", "Infinity", "-Infinity".
//
// Threading: plain values. Ownership: a json_view lives as long as its document.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "kappa/core/bytes.hpp"
#include "kappa/core/error.hpp"
#include "kappa/core/time.hpp"

namespace kappa {

/// Appends JSON to a string; puts the commas.
class json_writer {
 public:
  explicit json_writer(std::string& out) : out_{out} {}

  void begin_object() { open('{'); }
  void end_object() { close('}'); }
  void begin_array() { open('['); }
  void end_array() { close(']'); }
  /// `name` needs no escapes: it is an identifier of a schema.
  void member(std::string_view name);

  void null() { raw("null"); }
  void boolean(bool v) { raw(v ? "true" : "false"); }
  void integer(std::int64_t v);
  void integer(std::uint64_t v);
  void number(double v);
  void number(float v);
  /// Bytes that are not UTF-8 become U+FFFD.
  void text(std::string_view v);
  void base64(bytes_view v);
  void time(timestamp v);
  /// A value that is JSON already.
  void raw(std::string_view v);

 private:
  void open(char c);
  void close(char c);
  void separate();

  std::string& out_;
  bool first_ = true;
};

namespace detail {
struct json_tree;
}

/// One value of a parsed document. A getter that finds something else returns false and the
/// document keeps the first problem with its path ("legs[2].distance: expected an integer").
class json_view {
 public:
  [[nodiscard]] bool is_null() const;
  /// False when this is no object (a problem).
  [[nodiscard]] bool is_object() const;
  /// Calls read(json_view) with the member, if there is one that is not null; true when called.
  /// The view refers to this one: do not keep it.
  template <class F>
  bool member(const char* name, F&& read) const {
    const auto* node = find(name);
    if (!node) return false;
    read(json_view{*tree_, node, this, name, 0});
    return true;
  }
  /// True when the object has that member, be it null.
  [[nodiscard]] bool has(const char* name) const;
  /// Number of elements; false when this is no array.
  [[nodiscard]] bool array(std::size_t& size) const;
  [[nodiscard]] json_view element(std::size_t i) const;

  bool get(bool& v) const;
  template <class T>
    requires(std::is_integral_v<T> && !std::is_same_v<T, bool>)
  bool get(T& v) const {
    if constexpr (std::is_signed_v<T>) {
      std::int64_t wide = 0;
      if (!get_signed(wide, std::numeric_limits<T>::min(), std::numeric_limits<T>::max()))
        return false;
      v = static_cast<T>(wide);
    } else {
      std::uint64_t wide = 0;
      if (!get_unsigned(wide, std::numeric_limits<T>::max())) return false;
      v = static_cast<T>(wide);
    }
    return true;
  }
  bool get(float& v) const;
  bool get(double& v) const;
  bool get(std::string& v) const;
  bool get(timestamp& v) const;
  bool get_base64(bytes& v) const;
  /// A text, without a problem when this is none.
  [[nodiscard]] bool peek_text(std::string_view& v) const;

  /// Notes a problem here.
  bool fail(std::string_view problem) const;
  [[nodiscard]] bool ok() const;

 private:
  friend class json_document;
  friend std::optional<std::string> member_passed_over(std::string_view, std::string_view);
  json_view(detail::json_tree& tree, const void* node, const json_view* parent, const char* name,
            std::size_t index)
      : tree_{&tree}, node_{node}, parent_{parent}, name_{name}, index_{index} {}

  [[nodiscard]] const void* find(const char* name) const;
  bool get_signed(std::int64_t& v, std::int64_t least, std::int64_t most) const;
  bool get_unsigned(std::uint64_t& v, std::uint64_t most) const;
  void append_path(std::string& out) const;

  detail::json_tree* tree_;
  const void* node_;
  const json_view* parent_;
  const char* name_;
  std::size_t index_;
};

/// A parsed text.
class json_document {
 public:
  json_document();
  ~json_document();
  json_document(json_document&&) noexcept;
  json_document& operator=(json_document&&) noexcept;

  /// False when the text is not JSON (`problem` says where).
  [[nodiscard]] bool parse(std::string_view text);
  [[nodiscard]] json_view root() const;
  [[nodiscard]] const std::string& problem() const;

 private:
  std::unique_ptr<detail::json_tree> tree_;
};

/// A document's problem, or the message of an error that was made of it, taken apart.
struct json_problem {
  std::string_view path;  // "legs[2].distance"; empty: it is no JSON, or the value as a whole
  std::string_view what;
};
[[nodiscard]] json_problem split_json_problem(std::string_view problem);

/// What a type's reader passes over and a strict one refuses: the path of the first member that is
/// in `text` and not in `as_read`, the same value as its type writes it. Nothing: there is none.
/// Both must be JSON.
[[nodiscard]] std::optional<std::string> member_passed_over(std::string_view text,
                                                            std::string_view as_read);

}  // namespace kappa
