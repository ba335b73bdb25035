// Where the keys of subjects (people) are, apart from the log, states and their backups: deleting
// one there makes all that was sealed with it unreadable, everywhere and for ever.
//
// A store remembers what it has deleted: that a key was erased and that there is none are two
// answers. Subjects are remembered by their SHA-256.
//
// Threading: any thread. Calls block. Errors: errc::unavailable, retriable: it cannot be reached
// (which says nothing about keys); errc::corrupt: what is stored is damaged.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "kappa/core/bytes.hpp"
#include "kappa/core/error.hpp"

namespace kappa {

/// Of AES-256-SIV. Its bytes are wiped when it goes.
class subject_key {
 public:
  static constexpr std::size_t size = 64;

  subject_key() = default;
  /// `v` has `size` bytes.
  explicit subject_key(bytes_view v);
  /// Random.
  [[nodiscard]] static result<subject_key> make();
  ~subject_key();
  subject_key(const subject_key&) = default;
  subject_key& operator=(const subject_key&) = default;

  [[nodiscard]] bytes_view view() const {
    return {reinterpret_cast<const char*>(bytes_.data()), size};
  }
  friend bool operator==(const subject_key&, const subject_key&) = default;

 private:
  std::array<unsigned char, size> bytes_{};
};

enum class key_status { present, erased, none };

struct key_answer {
  key_status status = key_status::none;
  subject_key key{};  // when present
};

/// What an erasure found.
enum class erasure {
  done,        // there was a key
  was_before,  // it was erased already
  had_no_key,  // nothing was ever sealed for it, and nothing can be from now on
};

class key_store {
 public:
  virtual ~key_store() = default;

  /// For messages; without secrets.
  [[nodiscard]] virtual std::string name() const = 0;
  /// The file that it is in; nothing: processes on several machines can share it.
  [[nodiscard]] virtual std::optional<std::string> local_file() const = 0;

  /// Whether it answers now.
  [[nodiscard]] virtual result<void> check_reachable() = 0;
  [[nodiscard]] virtual result<key_answer> find(bytes_view subject) = 0;
  /// A new key where there is none; never where one was erased.
  [[nodiscard]] virtual result<key_answer> find_or_create(bytes_view subject) = 0;
  /// When it returns the key is gone, and that is durable.
  [[nodiscard]] virtual result<erasure> erase(bytes_view subject) = 0;

 protected:
  key_store() = default;
  key_store(const key_store&) = default;
  key_store& operator=(const key_store&) = default;
};

/// A text of 1 to 1,024 bytes. errc::invalid_argument.
[[nodiscard]] result<void> check_subject(bytes_view subject);
/// How stores know subjects.
[[nodiscard]] bytes hash_of_subject(bytes_view subject);

/// "file:PATH" or "postgresql://…" (libpq's form). errc::bad_config; what opening it says.
[[nodiscard]] result<std::shared_ptr<key_store>> open_key_store(const std::string& url);

}  // namespace kappa
