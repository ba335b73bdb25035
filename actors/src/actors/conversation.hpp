// Requests to an app, and the replies to them.
//
// Threading: one thread at a time. Ownership: shares the log.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "kappa/actors/admin_client.hpp"
#include "kappa/admin.kappa.hpp"
#include "kappa/core/bell.hpp"
#include "kappa/core/time.hpp"
#include "kappa/log/event_log.hpp"

namespace kappa::detail {

/// What has not been answered by then is asked again.
inline constexpr std::chrono::milliseconds one_round{1000};

class conversation {
 public:
  using time_point = std::chrono::steady_clock::time_point;

  /// Sees replies from now on. errc::not_found: no host of the app has run on this log.
  [[nodiscard]] static result<std::unique_ptr<conversation>> open(std::shared_ptr<event_log> log,
                                                                  const std::string& app);
  conversation(const conversation&) = delete;
  conversation& operator=(const conversation&) = delete;

  /// Appends the request; gives its id. `now`, and `within` from then: its deadline.
  [[nodiscard]] result<std::string> ask(const admin_question& what, timestamp now,
                                        std::optional<std::chrono::milliseconds> within);
  /// The next reply to any of the requests; nothing by `until`. Blocks.
  [[nodiscard]] result<std::optional<admin::reply>> next(time_point until);

 private:
  conversation() = default;
  [[nodiscard]] result<std::optional<admin::reply>> look();

  std::shared_ptr<event_log> log_;
  topic_partition requests_;
  std::set<std::string, std::less<>> asked_;
  std::unique_ptr<log_reader> replies_;
  offset next_;
  std::shared_ptr<bell> more_ = std::make_shared<bell>();  // there may be more replies
  std::unique_ptr<subscription> subscribed_;
};

}  // namespace kappa::detail
