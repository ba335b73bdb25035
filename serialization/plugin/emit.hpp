// Prints a file's model as C++.
#pragma once

#include <string>

#include "model.hpp"

namespace kappa::plugin {

/// `<stem>.kappa.hpp`: plain structs, no vendor's types.
[[nodiscard]] std::string emit_header(const file_model& model);
/// `<stem>.kappa.cpp`: codecs, JSON, printing.
[[nodiscard]] std::string emit_source(const file_model& model);
/// The shape of a struct and all that it holds, as schema_info keeps it (format: evolution.hpp).
[[nodiscard]] std::string describe(const struct_decl& decl);

/// The definition of kappa::personal_traits for a struct that has personal fields.
[[nodiscard]] std::string emit_personal(const struct_decl& s);

/// "kappa::wire::list_kind<kappa::wire::text_kind>"
[[nodiscard]] std::string kind_of(const type_ref& type);

}  // namespace kappa::plugin
