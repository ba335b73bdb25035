#include "actors/replay_of_all.hpp"

#include <algorithm>
#include <thread>
#include <variant>

#include <fmt/format.h>

#include "actors/all_processes.hpp"
#include "actors/conversation.hpp"
#include "actors/task_orders.hpp"
#include "kappa/actors/admin_client.hpp"

namespace kappa::detail {
namespace {

constexpr std::chrono::milliseconds patience_with_status{5000};

// Also when it is asked again; brokers that are away come back.
bool stands(errc code) {
  return code == errc::refused_start || code == errc::incompatible || code == errc::not_found ||
         code == errc::invalid_argument || code == errc::corrupt;
}

}  // namespace

// For as long as a round takes: what comes is a refusal.
result<void> replay_of_all::ask_for_it(conversation& with) {
  const auto until = std::chrono::steady_clock::now() + one_round;
  auto asked =
      with.ask(admin::replay_request{.stage = stage_, .partition = partition_, .order = order_},
               clock_(), patience_with_status);
  if (!asked) return fail(asked.error());
  for (;;) {
    auto reply = with.next(until);
    if (!reply) return fail(reply.error());
    if (!*reply) return {};
    const auto* const p = std::get_if<admin::problem>(&(*reply)->which);
    if (p == nullptr) continue;
    if (auto e = error_of(*p); stands(e.code)) return fail(std::move(e));
  }
}

admin::replay_progress replay_of_all::progress_of(
    const admin::stage_status& stage, const std::map<partition, task_order>& tasks) const {
  admin::replay_progress p;
  p.stage = stage_;
  bool accepted = true;
  bool done = true;
  for (const auto& s : stage.tasks) {
    // One that has committed nothing yet has nothing to be built from.
    const auto at = tasks.find(partition{s.partition});
    if (!wanted(s.partition) || at == tasks.end()) continue;
    const auto of = at->second;
    auto& t = p.tasks.emplace_back();
    t.partition = s.partition;
    t.done = s.replayed;
    t.total = s.replay_total;
    t.state = of.done >= order_      ? admin::task_replay_state::done
              : of.ordered >= order_ ? admin::task_replay_state::replaying
                                     : admin::task_replay_state::waiting;
    if (t.state == admin::task_replay_state::waiting) t.done = t.total = 0;  // of its opening
    p.done += t.done;
    p.total += t.total;
    accepted = accepted && of.ordered >= order_;
    done = done && of.done >= order_;
  }
  p.state = done       ? admin::replay_state::done
            : accepted ? admin::replay_state::replaying
                       : admin::replay_state::asked;
  return p;
}

result<std::optional<admin::replay_progress>> replay_of_all::follow(
    const std::function<bool(const admin::replay_progress&)>& tell) {
  auto with = conversation::open(log_, app_);
  if (!with) return fail(with.error());
  all_processes ask{log_, app_, clock_};
  for (;;) {
    auto status = ask.status(stage_, patience_with_status);
    if (!status) return fail(status.error());
    if (!*status) {
      if (order_ == 0) return std::optional<admin::replay_progress>{};
      return fail(errc::unavailable, "app " + app_,
                  "has stopped: what was accepted of the replay goes on at its next start");
    }
    if ((*status)->stages.empty())
      return fail(errc::not_found, stage_, "the app has no such stage");
    const auto& stage = (*status)->stages.front();
    if (partition_ >= static_cast<std::int32_t>(stage.tasks.size())) {
      return fail(errc::not_found, fmt::format("{}[{}]", stage_, partition_),
                  fmt::format("no such partition; the stage has partitions 0 … {}",
                              static_cast<std::int32_t>(stage.tasks.size()) - 1));
    }
    auto tasks = task_orders(*log_, app_, stage_, generation{stage.generation});
    if (!tasks) return fail(tasks.error());
    std::erase_if(*tasks, [&](const auto& t) { return !wanted(t.first.value); });
    if (tasks->empty()) {
      return fail(errc::refused_start, stage_,
                  "it has committed nothing yet: there is nothing to rebuild the state from");
    }
    if (order_ == 0) {
      order_ = 1;
      for (const auto& [p, t] : *tasks) order_ = std::max({order_, t.ordered + 1, t.done + 1});
    }
    const auto progress = progress_of(stage, *tasks);
    if (progress.state == admin::replay_state::done) return std::optional{progress};
    for (const auto& t : stage.tasks) {
      if (!wanted(t.partition) || t.health != admin::health::quarantined) continue;
      return fail(errc::quarantined, fmt::format("{}[{}]", stage_, t.partition),
                  "it keeps failing, and is not built anew; kappa status tells why");
    }
    if (!tell(progress)) return std::optional{progress};
    if (progress.state == admin::replay_state::asked) {
      if (auto heard = ask_for_it(**with); !heard) return fail(heard.error());
    } else {
      std::this_thread::sleep_for(one_round / 4);
    }
  }
}

}  // namespace kappa::detail
