#include "keys/cipher.hpp"

#include <climits>
#include <memory>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "kappa/core/failpoint.hpp"
#include "kappa/keys/personal.hpp"

namespace kappa {
namespace detail {
namespace {

constexpr std::uint8_t version = 1;
constexpr std::size_t tag_bytes = 16;
constexpr std::size_t head_bytes = 3;

struct free_context {
  void operator()(EVP_CIPHER_CTX* c) const { EVP_CIPHER_CTX_free(c); }
};
using context = std::unique_ptr<EVP_CIPHER_CTX, free_context>;

// Looked up once: that takes longer than a short text.
const EVP_CIPHER* siv() {
  static EVP_CIPHER* const cipher = EVP_CIPHER_fetch(nullptr, "AES-256-SIV", nullptr);
  return cipher;
}

const unsigned char* of(bytes_view v) { return reinterpret_cast<const unsigned char*>(v.data()); }
unsigned char* of(bytes& v, std::size_t at) {
  return reinterpret_cast<unsigned char*>(v.data() + at);
}

tl::unexpected<error> library_failed(const char* what) {
  return fail(errc::io, "libcrypto", std::string{"it cannot "} + what + " (AES-256-SIV)");
}

}  // namespace

std::optional<bytes_view> subject_in(bytes_view sealed) {
  byte_reader in{sealed};
  const auto v = in.get<std::uint8_t>();
  const auto size = in.get<std::uint16_t>();
  if (!in.ok() || v != version || size == 0) return std::nullopt;
  // A sealed text is not empty.
  if (in.rest().size() <= std::size_t{size} + tag_bytes) return std::nullopt;
  return in.rest().substr(0, size);
}

result<bytes> seal(bytes_view text, bytes_view subject, const subject_key& key) {
  if (text.size() > INT_MAX / 2)
    return fail(errc::too_large, printable(subject), "a personal text of more than 1 GiB");
  bytes out;
  byte_writer{out}.put(version).put(static_cast<std::uint16_t>(subject.size()));
  out.append(subject);
  const auto head = out.size();
  out.resize(head + tag_bytes + text.size());
  if (failpoint::broken("no-seal")) {
    text.copy(out.data() + head + tag_bytes, text.size());
    return out;
  }
  const context c{EVP_CIPHER_CTX_new()};
  int n = 0;
  const bool done =
      c && siv() != nullptr &&
      EVP_EncryptInit_ex2(c.get(), siv(), of(key.view()), nullptr, nullptr) == 1 &&
      EVP_EncryptUpdate(c.get(), nullptr, &n, of(out, 0), static_cast<int>(head)) == 1 &&
      EVP_EncryptUpdate(c.get(), of(out, head + tag_bytes), &n, of(text),
                        static_cast<int>(text.size())) == 1 &&
      static_cast<std::size_t>(n) == text.size() &&
      EVP_EncryptFinal_ex(c.get(), of(out, out.size()), &n) == 1 &&
      EVP_CIPHER_CTX_ctrl(c.get(), EVP_CTRL_AEAD_GET_TAG, tag_bytes, of(out, head)) == 1;
  if (!done) return library_failed("encrypt");
  return out;
}

result<bytes> open(bytes_view sealed, const subject_key& key) {
  const auto subject = subject_in(sealed);
  if (!subject) return fail(errc::corrupt, "a personal field", "it is not sealed");
  const auto head = head_bytes + subject->size();
  auto tag = bytes{sealed.substr(head, tag_bytes)};
  const auto body = sealed.substr(head + tag_bytes);
  bytes out(body.size(), '\0');
  if (failpoint::broken("no-seal")) return bytes{body};
  const context c{EVP_CIPHER_CTX_new()};
  int n = 0;
  if (!c || siv() == nullptr ||
      EVP_DecryptInit_ex2(c.get(), siv(), of(key.view()), nullptr, nullptr) != 1 ||
      EVP_CIPHER_CTX_ctrl(c.get(), EVP_CTRL_AEAD_SET_TAG, tag_bytes, tag.data()) != 1 ||
      EVP_DecryptUpdate(c.get(), nullptr, &n, of(sealed), static_cast<int>(head)) != 1)
    return library_failed("decrypt");
  if (EVP_DecryptUpdate(c.get(), of(out, 0), &n, of(body), static_cast<int>(body.size())) != 1 ||
      static_cast<std::size_t>(n) != body.size() ||
      EVP_DecryptFinal_ex(c.get(), of(out, out.size()), &n) != 1) {
    return fail(
        errc::corrupt, "a personal field of " + printable(*subject),
        "it was changed, or sealed with another key than the key store has: is it the store "
        "of this log?");
  }
  return out;
}

}  // namespace detail

subject_key::subject_key(bytes_view v) {
  if (v.size() != size) bug("a key of another size");
  v.copy(reinterpret_cast<char*>(bytes_.data()), size);
}

subject_key::~subject_key() { OPENSSL_cleanse(bytes_.data(), bytes_.size()); }

result<subject_key> subject_key::make() {
  subject_key k;
  if (RAND_priv_bytes(k.bytes_.data(), static_cast<int>(size)) != 1)
    return fail(errc::io, "libcrypto", "it has no random bytes for a key");
  return k;
}

bytes hash_of_subject(bytes_view subject) {
  bytes out(32, '\0');
  unsigned n = 0;
  if (EVP_Digest(subject.data(), subject.size(), detail::of(out, 0), &n, EVP_sha256(), nullptr) !=
          1 ||
      n != out.size())
    bug("libcrypto has no SHA-256");
  return out;
}

bool personal::is_stored_form(bytes_view v) { return v.empty() || detail::subject_in(v); }

}  // namespace kappa
