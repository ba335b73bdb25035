#include "kappa/keys/key_store.hpp"

#include "kappa/keys/file_key_store.hpp"
#include "kappa/keys/memory_key_store.hpp"
#include "kappa/keys/postgres_key_store.hpp"

namespace kappa {

result<void> check_subject(bytes_view subject) {
  constexpr std::size_t most = 1024;
  if (!subject.empty() && subject.size() <= most) return {};
  return fail(errc::invalid_argument, "a subject",
              subject.empty() ? "it is empty: personal text needs somebody whose it is"
                              : "it has more than 1,024 bytes");
}

result<std::shared_ptr<key_store>> open_key_store(const std::string& url) {
  constexpr std::string_view file = "file:";
  if (url.starts_with(file)) return open_file_key_store(url.substr(file.size()));
  if (url.starts_with("postgresql://") || url.starts_with("postgres://"))
    return open_postgres_key_store(url);
  return fail(errc::bad_config, "key store", "expected file:PATH or postgresql://HOST/DATABASE");
}

// ── in memory ──

result<void> memory_key_store::check_reachable() {
  if (reachable_) return {};
  return fail(errc::unavailable, name(), "the key store cannot be reached", true);
}

result<key_answer> memory_key_store::find(bytes_view subject) {
  if (auto can = check_reachable(); !can) return fail(std::move(can.error()));
  const std::lock_guard lock{mutex_};
  const auto at = keys_.find(subject);
  return at == keys_.end() ? key_answer{} : at->second;
}

result<key_answer> memory_key_store::find_or_create(bytes_view subject) {
  if (auto can = check_reachable(); !can) return fail(std::move(can.error()));
  auto made = subject_key::make();
  if (!made) return fail(std::move(made.error()));
  const std::lock_guard lock{mutex_};
  return keys_.try_emplace(bytes{subject}, key_answer{key_status::present, *made}).first->second;
}

result<erasure> memory_key_store::erase(bytes_view subject) {
  if (auto can = check_reachable(); !can) return fail(std::move(can.error()));
  const std::lock_guard lock{mutex_};
  auto& at = keys_[bytes{subject}];
  const auto before = at.status;
  at = {key_status::erased, {}};
  if (before == key_status::erased) return erasure::was_before;
  return before == key_status::present ? erasure::done : erasure::had_no_key;
}

}  // namespace kappa
