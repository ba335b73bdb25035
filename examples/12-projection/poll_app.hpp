// A poll: each voter is an aggregate, and how many have chosen what is made of their events.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kappa/kappa.hpp"
#include "poll.kappa.hpp"

namespace poll {

struct voter : voter_state {
  using protocol = voter_protocol;

  auto decide(const vote& c) const -> kappa::decision<voted> {
    if (c.choice.empty()) return kappa::reject("a vote has a choice");
    if (c.choice == choice) return kappa::nothing_to_do{};
    return voted{c.choice, choice};
  }
  void apply(const voted& e) { choice = e.choice; }
};

// [app]
inline std::vector<tally_change> changes_by(const kappa::event_of<voter>& e) {
  const auto& v = *e.as<voted>();
  std::vector<tally_change> all{{v.choice, 1}};
  if (!v.instead_of.empty()) all.push_back({v.instead_of, -1});
  return all;
}

inline kappa::app poll_app() {
  kappa::app app{"poll"};
  app.aggregate<voter>("voters");
  app.events<voter>("voters")
      .flat_map("changes", changes_by)
      .key_by("choice", &tally_change::choice)
      .fold<std::int64_t>("tally", [](std::int64_t& n, const tally_change& c) { n += c.by; });
  return app;
}
// [/app]

}  // namespace poll
