#include "kappa/task/command_routes.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace kappa {
namespace {

std::string names_of(const std::vector<const command_route*>& all) {
  std::string out;
  for (const auto* r : all) out += (out.empty() ? "" : ", ") + r->aggregate;
  return out;
}

}  // namespace

void command_routes::add(const stage_spec& stage, std::int32_t partitions,
                         std::size_t max_record_bytes) {
  const auto [at, added] =
      all_.emplace(stage.name, command_route{stage.name, stage.commands_topic(), partitions,
                                             max_record_bytes, stage.state_key_schema.fingerprint});
  if (!added) bug("an aggregate has two ways for its commands");
  for (const auto& c : stage.aggregate->commands())
    by_command_[detail::key_of_type(c)].push_back(&at->second);
}

const command_route* command_routes::find(std::string_view aggregate) const {
  const auto found = all_.find(aggregate);
  return found == all_.end() ? nullptr : &found->second;
}

result<const command_route*> command_routes::find(const outgoing_command& c) const {
  const auto wrong = [&](std::string why) {
    return fail(errc::user_code, c.type->name, "it cannot be sent: " + std::move(why));
  };
  const auto found = by_command_.find(detail::key_of_type(*c.type));
  if (found == by_command_.end()) return wrong("no aggregate of the app has it in its protocol");
  const auto& all = found->second;
  const auto named = [&](const command_route* r) { return r->aggregate == c.options.aggregate; };
  auto to = all.begin();
  if (!c.options.aggregate.empty()) {
    to = std::find_if(all.begin(), all.end(), named);
    if (to == all.end()) {
      return wrong(
          fmt::format("\"{}\" does not take it; who does: {}", c.options.aggregate, names_of(all)));
    }
  } else if (all.size() > 1) {
    return wrong(
        fmt::format("several aggregates take it ({}): name one in send_options", names_of(all)));
  }
  if ((*to)->key_fingerprint != c.key_fingerprint)
    return wrong(fmt::format("the keys of \"{}\" are of another type", (*to)->aggregate));
  return *to;
}

}  // namespace kappa
