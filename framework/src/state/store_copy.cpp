#include "state/lmdb_store.hpp"
#include "state/state_meta.hpp"
#include "state/stored_form.hpp"

namespace kappa::detail {

result<bytes> lmdb_store::copy_to(const std::filesystem::path& folder) {
  if (!snapshot()) return fail(errc::not_found, text_of(identity_), "there was no snapshot yet");
  if (auto copied = env_->copy_to(state_file(folder)); !copied) return fail(copied.error());
  // Not what this store has as its last one: a T2 may have ended just before the copy.
  auto copy = lmdb::environment::open({.folder = folder, .read_only = true});
  if (!copy) return fail(copy.error());
  auto meta = (*copy)->find_dbi(state_names::meta_name);
  if (!meta) return fail(meta.error());
  auto view = (*copy)->begin_read();
  if (!view) return fail(view.error());
  if (*meta) {
    auto stored = view->get(**meta, state_names::snapshot_key);
    if (!stored) return fail(stored.error());
    if (*stored) {
      if (const auto value = read_value(meta_seed_, state_names::snapshot_key, **stored))
        return bytes{*value};
    }
  }
  return fail(errc::corrupt, text_of(identity_), "the copy of its state has no snapshot record");
}

}  // namespace kappa::detail
