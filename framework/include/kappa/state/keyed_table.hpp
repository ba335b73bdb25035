// Keyed state: decoded values in a bounded cache over the store.
//
// A value is read from the store and decoded when it is first asked for; changed ("dirty") values
// stay in memory until a snapshot wrote them; clean ones are evicted when the cache is over its
// budget. Each entry remembers its value as of the last durable epoch while later epochs change
// it, so a query sees only state whose T1 is durable.
//
// Threading: the owner's thread only.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "kappa/core/bytes.hpp"
#include "kappa/core/codec.hpp"
#include "kappa/core/error.hpp"
#include "kappa/state/table.hpp"

namespace kappa {

/// What a reader may see: state whose T1 is durable, or the newest (uncommitted) too.
enum class read_level { committed, latest };

struct keyed_table_options {
  /// Budget for decoded clean values, bytes (estimated by encoded size + overhead). ≥ 64 KiB.
  std::size_t cache_bytes = std::size_t{64} << 20;
};

/// The part that does not depend on the value type: what queries and tools use.
class keyed_table_base : public state_table {
 public:
  /// The encoded value at `level`; nothing when absent.
  [[nodiscard]] virtual result<std::optional<bytes>> read(bytes_view key, read_level level) = 0;
  /// Keys in [from, to) (`to` empty: to the end) in key order, at `level`, until f returns false.
  [[nodiscard]] virtual result<void> scan(bytes_view from, bytes_view to, read_level level,
                                          const state_store::scan_fn& f) = 0;
};

template <class V>
class keyed_table final : public keyed_table_base {
 public:
  keyed_table(state_store& store, std::size_t table, keyed_table_options options);

  /// The value, or null. Valid until the next call that changes or loads a key.
  [[nodiscard]] result<const V*> find(bytes_view key);
  /// The value to change, made with V{} when absent. Within a step only; the first edit of a key
  /// in a step keeps the old value for undo, the first in an epoch keeps it for queries.
  [[nodiscard]] result<V*> edit(bytes_view key);
  /// Removes the key. Within a step only.
  [[nodiscard]] result<void> erase(bytes_view key);
  // … and what state_table and keyed_table_base ask for
};

}  // namespace kappa
