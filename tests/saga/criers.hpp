// A crier, who publishes what happens to him, in right and wrong ways.
#pragma once

#include <stdexcept>

#include "criers.kappa.hpp"
#include "kappa/stream/app.hpp"

namespace criers {

inline constexpr kappa::timestamp long_ago{std::chrono::hours{1}};
inline constexpr kappa::timestamp night{std::chrono::hours{13}};

struct crier : crier_state {
  using protocol = crier_protocol;

  auto decide(const cry& c) const -> kappa::decision<cried> {
    kappa::decision<cried> d{kappa::nothing_to_do{}};
    if (c.how == "rejected") {
      d = kappa::reject("not today");
      return d.publish("whispers", whisper{"of what was rejected"});
    }
    if (c.how != "silent") d.add(cried{c.how == "late" ? night : kappa::timestamp{}});
    if (c.how == "undeclared") return d.publish("gossip", whisper{"x"});
    if (c.how == "type") return d.publish("whispers", rumour{long_ago, "x"});
    if (c.how == "key") return d.publish("whispers", std::int64_t{7}, whisper{"x"});
    if (c.how == "own key") return d.publish("numbered", whisper{"x"});
    if (c.how == "large") return d.publish("whispers", whisper{std::string(2 << 20, 'x')});
    if (c.how == "half") {  // the first is good
      return d.publish("whispers", whisper{"x"})
          .publish("whispers", whisper{std::string(2 << 20, 'x')});
    }
    if (c.how == "throws") {
      d.publish("whispers", whisper{"x"});
      throw std::runtime_error{"he is hoarse"};
    }
    if (c.how == "plain") return d.publish("secrets", secret{"he sleeps"});
    if (c.how == "many") {
      return d.publish("rumours", rumour{long_ago, "first"})
          .publish("whispers", "elsewhere", whisper{"second"})
          .publish("numbered", std::int64_t{7}, whisper{"third"});
    }
    return d.publish("whispers", whisper{c.how});
  }
  auto decide(const confide& c) const -> kappa::decision<cried> {
    return kappa::decision<cried>{cried{}}.publish("secrets", secret{c.text});
  }
  auto deadline() const -> std::optional<kappa::timestamp> {
    return due > kappa::timestamp{} ? std::optional{due} : std::nullopt;
  }
  auto decide(const kappa::deadline_passed&) const -> kappa::decision<cried> {
    return kappa::decision<cried>{cried{}}.publish("whispers", whisper{"by himself"});
  }
  void apply(const cried& e) {
    ++cries;
    due = e.due;
  }
};

inline kappa::app criers_app() {
  kappa::app app{"town"};
  app.aggregate<crier>(
      "criers",
      {.publishes = {kappa::published<rumour>("rumours"), kappa::published<whisper>("whispers"),
                     kappa::published<secret>("secrets"),
                     kappa::published<whisper, std::int64_t>("numbered")}});
  return app;
}

}  // namespace criers
