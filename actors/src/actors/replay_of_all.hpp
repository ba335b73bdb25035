// Has the state of a stage built anew where several processes run the app. An order is a number:
// the processes commit it with the positions of the tasks that they have, and once more when the
// state is built, so that whoever gets a task meanwhile knows, and everybody can see how far it is.
// Tasks that nobody had when they were asked are asked again.
//
// Threading: one thread; blocks. Ownership: shares the log.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "actors/task_orders.hpp"
#include "kappa/admin.kappa.hpp"
#include "kappa/core/error.hpp"
#include "kappa/core/time.hpp"
#include "kappa/log/event_log.hpp"

namespace kappa::detail {

class conversation;

class replay_of_all {
 public:
  replay_of_all(std::shared_ptr<event_log> log, std::string app, clock_fn clock, std::string stage,
                std::int32_t which)
      : log_{std::move(log)},
        app_{std::move(app)},
        clock_{std::move(clock)},
        stage_{std::move(stage)},
        partition_{which} {}

  /// As admin_client::replay.
  [[nodiscard]] result<std::optional<admin::replay_progress>> follow(
      const std::function<bool(const admin::replay_progress&)>& tell);

 private:
  [[nodiscard]] bool wanted(std::int32_t p) const { return partition_ < 0 || p == partition_; }
  [[nodiscard]] result<void> ask_for_it(conversation& with);
  [[nodiscard]] admin::replay_progress progress_of(
      const admin::stage_status& stage, const std::map<partition, task_order>& tasks) const;

  std::shared_ptr<event_log> log_;
  std::string app_;
  clock_fn clock_;
  std::string stage_;
  std::int32_t partition_;
  std::uint32_t order_ = 0;
};

}  // namespace kappa::detail
