// Questions to an app that several processes run: each answers for the tasks that it has, and the
// answers are put together here. Tasks move meanwhile, so what nobody has is asked for again.
//
// Threading: one thread at a time; blocks. Ownership: shares the log.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "kappa/admin.kappa.hpp"
#include "kappa/core/error.hpp"
#include "kappa/core/time.hpp"
#include "kappa/log/event_log.hpp"

namespace kappa::detail {

class all_processes {
 public:
  all_processes(std::shared_ptr<event_log> log, std::string app, clock_fn clock)
      : log_{std::move(log)}, app_{std::move(app)}, clock_{std::move(clock)} {}

  /// As admin_client.
  [[nodiscard]] result<std::optional<admin::status>> status(const std::string& stage,
                                                            std::chrono::milliseconds patience);
  [[nodiscard]] result<std::optional<admin::found>> get(const admin::get_request& what,
                                                        std::chrono::milliseconds patience);

 private:
  std::shared_ptr<event_log> log_;
  std::string app_;
  clock_fn clock_;
};

}  // namespace kappa::detail
