#include "kappa/state/state_description.hpp"

#include <fmt/format.h>

#include "lmdb/lmdb.hpp"
#include "state/state_meta.hpp"
#include "state/stored_form.hpp"

namespace kappa {

using namespace detail;

result<state_description> describe_state(const std::filesystem::path& folder) {
  lmdb::environment_options options;
  options.folder = folder;
  options.max_dbs = 32;
  options.read_only = true;
  auto env = lmdb::environment::open(options);
  if (!env) return fail(env.error());
  auto meta = (*env)->find_dbi(state_names::meta_name);
  if (!meta) return fail(meta.error());
  if (!*meta) return fail(errc::not_found, folder.string(), "no state in it");
  auto txn = (*env)->begin_read();
  if (!txn) return fail(txn.error());

  const auto seed = table_seed(state_names::meta_name);
  const auto damaged = [&] {
    return fail(errc::corrupt, folder.string(),
                "what the state says of itself is damaged: remove it to rebuild the state from the "
                "log");
  };
  const auto value_of = [&](bytes_view key) -> result<bytes> {
    auto stored = txn->get(**meta, key);
    if (!stored) return fail(stored.error());
    if (!*stored) return damaged();
    const auto value = read_value(seed, key, **stored);
    if (!value) return damaged();
    return bytes{*value};
  };
  auto format = value_of(state_names::format_key);
  if (!format) return fail(format.error());
  const auto version = byte_reader{*format}.get<std::uint32_t>();
  if (version != state_format) {
    return fail(
        errc::incompatible, folder.string(),
        fmt::format("the state is of format {}, this Kappa reads {}", version, state_format));
  }
  state_description out;
  auto raw = value_of(state_names::identity_key);
  if (!raw) return fail(raw.error());
  auto identity = decode_identity(*raw);
  if (!identity) return fail(identity.error());
  out.identity = std::move(*identity);

  auto walk = lmdb::cursor::open(*txn, **meta);
  if (!walk) return fail(walk.error());
  for (auto more = walk->at_or_after(state_names::schema_prefix);; more = walk->next()) {
    if (!more) return fail(more.error());
    if (!*more || !walk->key().starts_with(state_names::schema_prefix)) break;
    const auto value = read_value(seed, walk->key(), walk->value());
    if (!value) return damaged();
    auto schema = decode_schema(*value);
    if (!schema) return fail(schema.error());
    out.tables.push_back(
        {std::string{walk->key().substr(state_names::schema_prefix.size())}, std::move(*schema)});
  }
  return out;
}

}  // namespace kappa
