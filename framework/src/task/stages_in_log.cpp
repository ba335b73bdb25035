#include "kappa/task/stages_in_log.hpp"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "kappa/core/parse_number.hpp"
#include "kappa/task/stored_schemas.hpp"

namespace kappa {
namespace {

// "flights.hourly-delays.g1.epochs" → hourly-delays, 1
std::optional<std::pair<std::string, generation>> stage_of_topic(const std::string& app,
                                                                 std::string_view topic) {
  constexpr std::string_view suffix = ".epochs";
  const auto prefix = app + ".";
  if (!topic.starts_with(prefix) || !topic.ends_with(suffix)) return std::nullopt;
  topic.remove_prefix(prefix.size());
  if (topic.size() < suffix.size()) return std::nullopt;
  topic.remove_suffix(suffix.size());
  const auto g = topic.rfind(".g");
  if (g == std::string_view::npos) return std::nullopt;
  std::int32_t number = 0;
  if (!parse_number(topic.substr(g + 2), number)) return std::nullopt;
  return std::pair{std::string{topic.substr(0, g)}, generation{number}};
}

}  // namespace

result<std::vector<stage_in_log>> stages_in_log(event_log& log, const std::string& app) {
  auto topics = log.topics();
  if (!topics) return fail(topics.error());
  auto schemas = read_schemas(log, app);
  if (!schemas) return fail(schemas.error());
  std::vector<stage_in_log> all;
  for (const auto& t : *topics) {
    if (t.owner != app) continue;
    const auto stage = stage_of_topic(app, t.name);
    if (!stage) continue;
    const auto state = schemas->find(state_name_of(stage->first, stage->second));
    const bool keyed = state != schemas->end();
    all.push_back(
        {stage->first, stage->second, t.partitions, keyed, keyed && state->second.windowed});
  }
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
    return std::pair{a.name, a.generation} < std::pair{b.name, b.generation};
  });
  return all;
}

}  // namespace kappa
