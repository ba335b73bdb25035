// The engine's side: an app under a host, as a user's program runs it on Kafka.
//
// Threading: the calling thread; the host has its own.
#pragma once

#include <filesystem>

#include "kafka/pinned_broker.hpp"
#include "kappa/actors/host.hpp"
#include "measure.hpp"

namespace bench::kafka {

[[nodiscard]] kappa::host_options options_on(const pinned_broker& broker,
                                             const std::filesystem::path& state,
                                             std::int32_t partitions);

/// Processes `events` that are there, from the first one taken in to the last commit; CPU time of
/// all threads of the process.
[[nodiscard]] spent process_all(const kappa::app& a, kappa::host_options options,
                                std::int64_t events);

}  // namespace bench::kafka
