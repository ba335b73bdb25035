#include "kappa/keys/key_ring.hpp"

#include "keys/cipher.hpp"

namespace kappa {

result<void> key_ring::seal_field(personal& field, bytes_view subject) {
  field.shown_ = false;
  if (field.form_ == personal::form::plain) {
    if (auto good = check_subject(subject); !good) return good;
    auto found = key_of(subject, true);
    if (!found) return fail(std::move(found.error()));
    if (found->status != key_status::present) {
      return fail(errc::erased, printable(subject),
                  "its key was deleted: nothing personal of it can be stored any more");
    }
    auto sealed = detail::seal(field.text_, subject, found->key);
    if (!sealed) return fail(std::move(sealed.error()));
    field.sealed_ = std::move(*sealed);
  }
  if (field.form_ == personal::form::plain || field.form_ == personal::form::open) {
    field.form_ = personal::form::sealed;
    field.text_.clear();
  }
  return {};
}

result<void> key_ring::open_field(personal& field) {
  if (field.form_ != personal::form::sealed) return {};
  const auto subject = detail::subject_in(field.sealed_);
  if (!subject) return fail(errc::corrupt, "a personal field", "it is not sealed");
  auto found = key_of(*subject, false);
  if (!found) return fail(std::move(found.error()));
  if (found->status == key_status::erased) {
    field.form_ = personal::form::erased;
    return {};
  }
  if (found->status == key_status::none) {
    return fail(errc::corrupt, "a personal field of " + printable(*subject),
                store_->name() +
                    " has no key of it, and has never had one: it is not the key store "
                    "that it was sealed with");
  }
  auto text = detail::open(field.sealed_, found->key);
  if (!text) return fail(std::move(text.error()));
  field.text_ = std::move(*text);
  field.form_ = personal::form::open;
  return {};
}

result<key_answer> key_ring::key_of(bytes_view subject, bool create) {
  const auto now = clock::now();
  const bytes name{subject};
  std::uint64_t erasures = 0;
  {
    const std::lock_guard lock{mutex_};
    erasures = erasures_;
    const auto at = kept_.find(name);
    if (at != kept_.end()) {
      if (now < at->second.until) return at->second.answer;
      kept_.erase(at);
    }
  }
  auto found = create ? store_->find_or_create(subject) : store_->find(subject);
  if (!found || found->status == key_status::none) return found;
  const std::lock_guard lock{mutex_};
  if (erasures != erasures_) return found;  // it may be of before
  if (kept_.size() >= options_.max_keys)
    std::erase_if(kept_, [now](const auto& one) { return one.second.until <= now; });
  if (kept_.size() >= options_.max_keys) kept_.erase(kept_.begin());
  kept_.insert_or_assign(name, kept{*found, now + options_.life});
  return found;
}

result<erasure> key_ring::erase(bytes_view subject) {
  if (auto good = check_subject(subject); !good) return fail(std::move(good.error()));
  auto done = store_->erase(subject);
  const std::lock_guard lock{mutex_};
  ++erasures_;
  kept_.erase(bytes{subject});
  return done;
}

}  // namespace kappa
