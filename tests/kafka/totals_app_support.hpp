// A small app on the brokers that all tests of the program share, and what it has written.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "actors/actors_support.hpp"
#include "support/child_process.hpp"

namespace kafka_test {

using namespace actors_test;

inline constexpr std::int32_t totals_partitions = 4;

/// Names of its own for each test: the brokers are shared.
[[nodiscard]] std::string fresh_name();
/// Sums by place, straight from a topic; and the totals by the first letter, behind a change of
/// key.
[[nodiscard]] app totals_app(const std::string& name);
void make_input(event_log& log, const std::string& name, std::int32_t count = totals_partitions);
void send(event_log& log, const std::string& name, int from, int count);
[[nodiscard]] host_options options_on(const std::string& log, const std::filesystem::path& state);

[[nodiscard]] std::string kafka_url();
[[nodiscard]] std::shared_ptr<event_log> log_on_kafka();

/// kafka_helper of that app, which says "started": a process to be killed. State and `flag_in` are
/// in the folder.
[[nodiscard]] std::unique_ptr<kappa::testing::child_process> start_helper(
    const std::string& name, const std::filesystem::path& folder,
    const std::vector<std::string>& environment = {});
[[nodiscard]] std::filesystem::path flag_in(const std::filesystem::path& folder);

/// key=value lines of a topic, partition by partition in order.
[[nodiscard]] std::vector<std::string> lines_of(event_log& log, const std::string& topic);
/// Waits until the app has taken in so many readings in all, in both stages.
[[nodiscard]] bool has_taken_in(event_log& log, const std::string& name, std::size_t readings);
/// The totals in that topic count 1, 2, 3 …, key by key, without a gap or a repetition.
void check_counts(event_log& log, const std::string& topic);
[[nodiscard]] std::size_t running(const host& h);

}  // namespace kafka_test
