// What a state says of itself: format, identity, schemas. Written at its making, checked at open.
//
// Threading: plain functions.
#pragma once

#include <cstdint>
#include <string>

#include "kappa/core/bytes.hpp"
#include "kappa/core/error.hpp"
#include "kappa/core/schema_info.hpp"
#include "kappa/state/state_store.hpp"

namespace kappa::detail {

/// Of the layout in LMDB. Raise it when an older Kappa must not read what this one writes.
inline constexpr std::uint32_t state_format = 1;

/// Databases, and the keys of the one that tells of the state itself.
namespace state_names {
inline constexpr const char* meta_name = "kappa.state";
inline const std::string table_prefix = "t/";
inline constexpr bytes_view format_key = "format";
inline constexpr bytes_view identity_key = "identity";
inline constexpr bytes_view epoch_key = "epoch";
inline constexpr bytes_view snapshot_key = "snapshot";
inline constexpr bytes_view owner_key = "owner";
inline constexpr bytes_view schema_prefix = "schema/";
[[nodiscard]] inline bytes schema_key(bytes_view table) {
  return bytes{schema_prefix} + bytes{table};
}
}  // namespace state_names

/// "app/stage.g1[0]"
[[nodiscard]] std::string text_of(const state_identity& id);

[[nodiscard]] bytes encode_identity(const state_identity& id);
[[nodiscard]] result<state_identity> decode_identity(bytes_view in);
/// errc::incompatible names the first field that differs, both values, and the mend.
[[nodiscard]] result<void> check_identity(const state_identity& present,
                                          const state_identity& stored, const std::string& folder);

[[nodiscard]] bytes encode_schema(const schema_info& schema);
[[nodiscard]] result<schema_info> decode_schema(bytes_view in);
/// errc::incompatible names the table, both schemas, the reason and the mend.
[[nodiscard]] result<void> check_schema(const state_identity& id, const state_table_spec& present,
                                        const schema_info& stored);
[[nodiscard]] bool same_schema(const schema_info& a, const schema_info& b);

}  // namespace kappa::detail
