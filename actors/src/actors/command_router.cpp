#include "actors/command_router.hpp"

#include <future>
#include <memory>

#include "kappa/core/partitioner.hpp"

namespace kappa::detail {

result<std::string> command_router::stage_of(const aggregate_address& type) const {
  auto stage = topology_.find_aggregate(type.aggregate);
  if (!stage) return fail(stage.error());
  if ((*stage)->state_key_schema.fingerprint != type.key_fingerprint) {
    return fail(errc::invalid_argument, (*stage)->name,
                "its keys are of another type: " + (*stage)->state_key_schema.name);
  }
  return (*stage)->name;
}

void command_router::send(command_call call, const aggregate_address& type) const {
  const auto done = call.done;
  const auto stage = stage_of(type);
  if (!stage) {
    tell(done, stage.error());
    return;
  }
  const auto tasks = tasks_.of_stage(*stage);
  if (!tasks) {
    tell(done, tasks.error());
    return;
  }
  const auto p = partition_of(call.key, static_cast<std::int32_t>(tasks->size()));
  if (auto sent = tasks_.send((*tasks)[static_cast<std::size_t>(p.value)], std::move(call)); !sent)
    tell(done, sent.error());
}

ask_result command_router::ask(command_call call, const aggregate_address& type,
                               std::chrono::milliseconds timeout) const {
  auto answer = std::make_shared<std::promise<ask_result>>();
  auto came = answer->get_future();
  call.done = [answer](command_outcome o) { answer->set_value(result_of(std::move(o))); };
  send(std::move(call), type);
  if (came.wait_for(timeout) == std::future_status::ready) return came.get();
  return tl::unexpected{ask_refusal{error{errc::timed_out, topology_.app_name(),
                                          "no answer in time: the command may have happened"}}};
}

}  // namespace kappa::detail
