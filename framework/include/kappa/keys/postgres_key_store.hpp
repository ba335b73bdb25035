// Keys in a table of PostgreSQL: for Kafka, where several processes have an app's tasks.
//
//   CREATE TABLE kappa_subject_keys (
//     subject bytea PRIMARY KEY,            -- SHA-256 of the subject
//     key bytea,                            -- NULL: erased
//     created_at timestamptz NOT NULL DEFAULT now(),
//     erased_at timestamptz);
//
// is made where it is missing and the user may. One connection, made again when it is lost; no call
// waits longer than about 5 s for the server.
//
// Threading: any thread; calls go one after the other.
#pragma once

#include <memory>
#include <string>

#include "kappa/core/error.hpp"
#include "kappa/keys/key_store.hpp"

namespace kappa {

/// `connection`: in libpq's form, "postgresql://…" or "host=… dbname=…"; it may hold a password,
/// which is never shown. errc::unavailable: the server does not answer now; errc::denied: it does
/// not let the user in, or at the table; errc::bad_config. Blocks.
[[nodiscard]] result<std::shared_ptr<key_store>> open_postgres_key_store(
    const std::string& connection);

}  // namespace kappa
