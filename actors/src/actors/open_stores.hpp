// What a host opens before anything else: its log, and the keys of personal fields.
//
// Threading: called once, at the start. Blocks.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "kappa/actors/host.hpp"
#include "kappa/keys/key_ring.hpp"
#include "kappa/log/event_log.hpp"
#include "kappa/log/instance_slot.hpp"
#include "kappa/stream/topology.hpp"

namespace kappa::detail {

/// On Kafka it takes a slot in the state's folder first.
[[nodiscard]] result<std::shared_ptr<event_log>> open_log_of(const host_options& options,
                                                             const std::string& instance,
                                                             std::optional<instance_slot>& slot);

/// Null: there is no key store, and nothing needs one. errc::refused_start: a field needs one, or
/// the store is of this machine alone and the app's processes are not; errc::bad_config: it is in a
/// folder whose copies would have the keys.
[[nodiscard]] result<std::shared_ptr<key_ring>> open_keys(const host_options& options,
                                                          const topology& of, const event_log& log);

}  // namespace kappa::detail
