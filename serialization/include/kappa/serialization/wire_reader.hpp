// Reads Cap'n Proto messages of one segment without a segment table. Written for bytes that nobody
// has checked: every pointer is held against the message's bounds, a traversal limit and a nesting
// limit; nothing throws. It needs no alignment, so keys are read where they lie.
//
// Smaller structs than expected read as defaults, larger ones are cut, lists of numbers, texts or
// lists read as lists of structs and the other way round: Cap'n Proto's rules of evolution.
//
// Ownership: views point into the message. Threading: a source belongs to one thread.
// Errors: the first one is kept in the source; reads after it give defaults.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>

#include "kappa/core/bytes.hpp"
#include "kappa/serialization/wire_writer.hpp"

namespace kappa::wire {

/// One message while it is read.
class source {
 public:
  explicit source(bytes_view message)
      : begin_{message.data()}, words_{message.size() / 8}, budget_{words_ * 4 + 64} {
    if (message.size() % 8 != 0) fail("the size is not a multiple of 8");
    if (message.empty()) fail("there are no bytes");
  }

  [[nodiscard]] bool ok() const { return problem_ == nullptr; }
  /// "origin: the text does not end with NUL"
  [[nodiscard]] std::string problem() const;
  void fail(const char* problem) {
    if (problem_) return;
    problem_ = problem;
    failed_field_ = field_;
  }
  /// The field that is read now, for messages.
  void at_field(const char* name) { field_ = name; }

  [[nodiscard]] const char* begin() const { return begin_; }
  [[nodiscard]] std::uint64_t words() const { return words_; }
  /// Counts `words` as read; false, and failed, when that is over the limit.
  [[nodiscard]] bool charge(std::uint64_t words) {
    if (words > budget_) {
      fail("it refers to more than it holds (traversal limit)");
      return false;
    }
    budget_ -= words;
    return true;
  }

 private:
  const char* begin_;
  std::uint64_t words_;
  std::uint64_t budget_;
  const char* problem_ = nullptr;
  const char* field_ = nullptr;
  const char* failed_field_ = nullptr;
};

class list_view;
class struct_view;

/// A place where a pointer is, or would be in a larger struct.
class pointer_view {
 public:
  pointer_view(source& in, const char* at, int nesting) : in_{&in}, at_{at}, nesting_{nesting} {}

  [[nodiscard]] bool null() const { return at_ == nullptr || load() == 0; }
  /// All of these: false when null or malformed (the source knows which).
  [[nodiscard]] bool open(struct_view& out) const;
  [[nodiscard]] bool open(list_view& out) const;
  [[nodiscard]] bool bytes_of(bytes_view& out, bool text) const;
  void fail(const char* problem) const { in_->fail(problem); }
  /// Follows the pointer and all below it, whatever they are; false when one is malformed.
  [[nodiscard]] bool walk() const;

 private:
  [[nodiscard]] std::uint64_t load() const {
    std::uint64_t v = 0;
    std::memcpy(&v, at_, 8);
    return v;
  }
  /// Where the pointer leads, `words` words being there; null when outside of the message.
  [[nodiscard]] const char* target(std::uint64_t pointer, std::uint64_t words) const;

  source* in_;
  const char* at_;
  int nesting_;
};

/// Whether every pointer of a message leads to what it says, inside of the message and of the
/// limits: then reading it without checks is safe. Says the problem otherwise.
[[nodiscard]] bool well_formed(bytes_view message, std::string& problem);

class struct_view {
 public:
  struct_view() = default;
  struct_view(source& in, const char* data, std::uint64_t data_bits, const char* pointers,
              std::uint32_t pointer_count, int nesting)
      : in_{&in},
        data_{data},
        data_bits_{data_bits},
        pointers_{pointers},
        pointer_count_{pointer_count},
        nesting_{nesting} {}

  template <class T>
  [[nodiscard]] T get(unsigned index, T fallback = T{}) const {
    auto raw = bits_of(fallback);
    if ((std::uint64_t{index} + 1) * sizeof(T) * 8 <= data_bits_) {
      decltype(raw) stored{};
      std::memcpy(&stored, data_ + std::size_t{index} * sizeof(T), sizeof stored);
      raw ^= stored;
    }
    if constexpr (std::is_floating_point_v<T>) {
      return std::bit_cast<T>(raw);
    } else {
      return static_cast<T>(raw);
    }
  }
  [[nodiscard]] bool bit(unsigned index, bool fallback = false) const {
    if (index >= data_bits_) return fallback;
    const auto byte = static_cast<unsigned char>(data_[index / 8]);
    return ((byte >> (index % 8) & 1) != 0) != fallback;
  }
  [[nodiscard]] pointer_view pointer(unsigned index, const char* field) const {
    in_->at_field(field);
    const auto* at = index < pointer_count_ ? pointers_ + std::size_t{index} * 8 : nullptr;
    return {*in_, at, nesting_};
  }
  void fail(const char* field, const char* problem) const {
    in_->at_field(field);
    in_->fail(problem);
  }
  [[nodiscard]] bool ok() const { return in_->ok(); }
  [[nodiscard]] std::uint32_t pointer_count() const { return pointer_count_; }

 private:
  source* in_ = nullptr;
  const char* data_ = nullptr;
  std::uint64_t data_bits_ = 0;
  const char* pointers_ = nullptr;
  std::uint32_t pointer_count_ = 0;
  int nesting_ = 0;
};

class list_view {
 public:
  list_view() = default;

  [[nodiscard]] std::size_t size() const { return count_; }
  [[nodiscard]] bool ok() const { return in_->ok(); }

  /// False, and failed, when the elements do not hold numbers of `bytes` bytes.
  [[nodiscard]] bool of_numbers(unsigned bytes) const {
    if (kind_ == element_size::composite ? data_bits_ >= bytes * 8 : data_bits_ == bytes * 8)
      return true;
    return refuse("the list's elements are not numbers of the expected size");
  }
  [[nodiscard]] bool of_bits() const {
    return kind_ == element_size::bit || refuse("the list's elements are not bits");
  }
  [[nodiscard]] bool of_pointers() const {
    return pointer_count_ > 0 || refuse("the list's elements are not pointers");
  }
  [[nodiscard]] bool of_structs() const {
    return kind_ != element_size::bit || refuse("the list's elements are bits, not structs");
  }

  template <class T>
  [[nodiscard]] T number(std::size_t i) const {
    T v{};
    std::memcpy(&v, at_ + i * step_, sizeof v);
    return v;
  }
  [[nodiscard]] bool bit(std::size_t i) const {
    return (static_cast<unsigned char>(at_[i / 8]) >> (i % 8) & 1) != 0;
  }
  /// True when number<T>(i) lie side by side.
  template <class T>
  [[nodiscard]] bool contiguous() const {
    return step_ == sizeof(T);
  }
  [[nodiscard]] const char* data() const { return at_; }
  [[nodiscard]] pointer_view pointer(std::size_t i) const {
    return {*in_, at_ + i * step_ + data_bits_ / 8, nesting_};
  }
  [[nodiscard]] bool element(std::size_t i, struct_view& out) const {
    if (nesting_ <= 0) return refuse("it is nested too deeply");
    const auto* const at = at_ + i * step_;
    out = struct_view{*in_, at, data_bits_, at + data_bits_ / 8, pointer_count_, nesting_ - 1};
    return true;
  }

 private:
  friend class pointer_view;
  bool refuse(const char* problem) const {
    in_->fail(problem);
    return false;
  }

  source* in_ = nullptr;
  const char* at_ = nullptr;
  std::size_t count_ = 0;
  std::size_t step_ = 0;  // bytes from one element to the next; 0 for bits
  std::uint64_t data_bits_ = 0;
  std::uint32_t pointer_count_ = 0;
  element_size kind_ = element_size::nothing;
  int nesting_ = 0;
};

/// Calls read(struct_view) on the root. False when the message is malformed.
template <class F>
[[nodiscard]] bool read_root(source& in, F&& read) {
  if (!in.ok()) return false;
  const pointer_view root{in, in.begin(), max_nesting};
  struct_view view;
  if (root.open(view)) {
    read(view);
  } else if (in.ok()) {
    in.fail("the root is null");
  }
  return in.ok();
}

}  // namespace kappa::wire
