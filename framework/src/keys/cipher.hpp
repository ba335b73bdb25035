// AES-256-SIV, and how a sealed field looks:
//
//   u8 1, u16 size of the subject, subject, 16 bytes of tag, ciphertext
//
// The text is encrypted with the subject's key; all before the tag is associated data.
//
// Threading: plain functions.
#pragma once

#include <optional>

#include "kappa/core/bytes.hpp"
#include "kappa/core/error.hpp"
#include "kappa/keys/key_store.hpp"

namespace kappa::detail {

/// Of the subject in a sealed field; nothing: it is none.
[[nodiscard]] std::optional<bytes_view> subject_in(bytes_view sealed);

[[nodiscard]] result<bytes> seal(bytes_view text, bytes_view subject, const subject_key& key);
/// errc::corrupt: it is damaged, or was sealed with another key.
[[nodiscard]] result<bytes> open(bytes_view sealed, const subject_key& key);

}  // namespace kappa::detail
