// Seals and opens personal fields, with the keys of a store. Keys that were used stay in memory for
// a while; an erasure by this ring drops the key at once.
//
// Threading: any thread. Ownership: shares the store. Blocks where the store is asked.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "kappa/core/bytes.hpp"
#include "kappa/core/error.hpp"
#include "kappa/keys/key_store.hpp"
#include "kappa/keys/personal.hpp"

namespace kappa {

struct key_ring_options {
  std::size_t max_keys = 10'000;  // in memory, ≥ 1
  /// As long as a key that was erased elsewhere may still be used here.
  std::chrono::milliseconds life{30'000};
};

class key_ring {
 public:
  using clock = std::chrono::steady_clock;

  explicit key_ring(std::shared_ptr<key_store> store, key_ring_options options = {})
      : store_{std::move(store)}, options_{options} {}

  /// Every plain field gets its sealed form, and no text is left in memory. `subject`: of fields
  /// for which the value says none. errc::erased: the subject's key was; errc::unavailable: the
  /// store cannot be reached; errc::invalid_argument: no subject.
  template <has_personal T>
  [[nodiscard]] result<void> seal(T& v, bytes_view subject) {
    return each(v, [this, subject](personal& field, bytes_view own) {
      return seal_field(field, own.empty() ? subject : own);
    });
  }
  /// Every sealed field can be read, or is erased. errc::unavailable: the store cannot be reached;
  /// errc::corrupt: a field is damaged, or the store is not the one that it was sealed with.
  template <has_personal T>
  [[nodiscard]] result<void> open(T& v) {
    return each(v, [this](personal& field, bytes_view) { return open_field(field); });
  }
  /// The same, for people: as JSON a field then is its text, or null.
  template <has_personal T>
  [[nodiscard]] result<void> show(T& v) {
    return each(v, [this](personal& field, bytes_view) {
      field.shown_ = true;
      return open_field(field);
    });
  }

  /// See key_store::erase.
  [[nodiscard]] result<erasure> erase(bytes_view subject);
  [[nodiscard]] key_store& store() const { return *store_; }

 private:
  struct kept {
    key_answer answer;
    clock::time_point until;
  };

  template <class T, class F>
  static result<void> each(T& v, F&& f) {
    struct visitor final : personal_visitor {
      explicit visitor(F& f_) : call{f_} {}
      void visit(personal& field, bytes_view subject) override {
        if (good) good = call(field, subject);
      }
      F& call;
      result<void> good;
    } visits{f};
    personal_traits<T>::visit(v, {}, visits);
    return std::move(visits.good);
  }

  result<void> seal_field(personal& field, bytes_view subject);
  result<void> open_field(personal& field);
  result<key_answer> key_of(bytes_view subject, bool create);

  std::shared_ptr<key_store> store_;
  const key_ring_options options_;
  std::mutex mutex_;
  std::unordered_map<bytes, kept> kept_;
  std::uint64_t erasures_ = 0;
};

}  // namespace kappa
