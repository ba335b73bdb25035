// An alarm, which has a deadline, a sensor, which has one in event time, and a relay, which sends
// commands, right and wrong ones.
#pragma once

#include <algorithm>
#include <stdexcept>

#include "alarms.kappa.hpp"
#include "kappa/stream/app.hpp"

namespace alarms {

struct alarm : alarm_state {
  using protocol = alarm_protocol;

  auto decide(const set_alarm& c) const -> kappa::decision<alarm_set> {
    kappa::decision<alarm_set> d{alarm_set{c.at, c.mood}};
    if (c.mood == "loud") d.reply(std::string(2 << 20, '!'));
    if (c.mood == "never") return kappa::reject(std::string(2 << 20, '?'));
    return d;
  }
  auto decide(const clear_alarm&) const -> kappa::decision<alarm_cleared> {
    if (!set) return kappa::reject("it is not set");
    return alarm_cleared{};
  }
  auto deadline() const -> std::optional<kappa::timestamp> {
    return set ? std::optional{at} : std::nullopt;
  }
  auto decide(const kappa::deadline_passed&) const
      -> kappa::decision<alarm_rang, alarm_stuck, alarm_broke> {
    if (mood == "lazy") return kappa::nothing_to_do{};
    if (mood == "wrong") throw std::runtime_error{"it does not ring"};
    if (mood == "stuck") return alarm_stuck{};
    if (mood == "last") return alarm_broke{};
    return alarm_rang{};
  }
  void apply(const alarm_set& e) {
    at = e.at;
    mood = e.mood;
    set = true;
  }
  void apply(const alarm_cleared&) { set = false; }
  void apply(const alarm_rang&) {
    set = false;
    ++rang;
  }
  void apply(const alarm_stuck&) { ++rang; }
};

struct relay : relay_state {
  using protocol = relay_protocol;

  auto decide(const pass_on& c, const kappa::decide_context& ctx) const
      -> kappa::decision<passed_on> {
    const std::string key{ctx.key};
    kappa::decision<passed_on> d{kappa::nothing_to_do{}};
    if (c.how != "silent") d.add(passed_on{});
    if (c.how == "unknown") return d.send(key, heard{});
    if (c.how == "key") return d.send(7, clear_alarm{});
    if (c.how == "large") return d.send(key, set_alarm{{}, std::string(2 << 20, 'x')});
    if (c.how == "about") return d.send(key, clear_alarm{}, {.about = std::string(257, 'x')});
    if (c.how == "loud" || c.how == "never")
      return d.send(key, set_alarm{kappa::max_time, c.how}, {.about = c.how});
    if (c.how == "elsewhere") return d.send(key, clear_alarm{}, {.aggregate = "clocks"});
    return d.send(key, clear_alarm{}, {.about = c.how});
  }
  auto decide(const kappa::command_result& r) const -> kappa::decision<heard> {
    return heard{r.about + ": " + (r.accepted() ? "done" : r.why_not())};
  }
  void apply(const passed_on&) { ++passed; }
  void apply(const heard& e) { results.push_back(e.what); }
};

struct sensor : sensor_state {
  using protocol = sensor_protocol;

  auto decide(const report_reading& c) const -> kappa::decision<reading_reported> {
    return reading_reported{c.at, c.mood};
  }
  auto decide(const remove_sensor&) const -> kappa::decision<sensor_removed> {
    return sensor_removed{};
  }
  // An hour without readings, as the readings of all sensors of the partition say it.
  auto event_deadline() const -> std::optional<kappa::timestamp> {
    return listens ? std::optional{until} : std::nullopt;
  }
  auto decide(const kappa::event_deadline_passed& d) const
      -> kappa::decision<went_quiet, sensor_stuck> {
    if (mood == "lazy") return kappa::nothing_to_do{};
    if (mood == "wrong") throw std::runtime_error{"it does not listen"};
    if (mood == "stuck" || mood == "both") return sensor_stuck{};
    return went_quiet{d.event_time};
  }
  // By the machine's clock only where a mood says so, and then in the past.
  auto deadline() const -> std::optional<kappa::timestamp> {
    return listens && mood == "both" ? std::optional{until} : std::nullopt;
  }
  auto decide(const kappa::deadline_passed&) const -> kappa::decision<sensor_stuck> {
    return sensor_stuck{};
  }
  void apply(const reading_reported& e) {
    ++readings;
    listens = true;
    constexpr std::chrono::hours hour{1};
    until = std::max(until, std::min(e.at, kappa::max_time - hour) + hour);
    mood = e.mood;
  }
  void apply(const went_quiet& e) {
    ++quiet;
    listens = false;
    told = e.told;
  }
  void apply(const sensor_stuck&) { ++quiet; }
};

inline kappa::app alarms_app() {
  kappa::app app{"alarms"};
  app.aggregate<sensor>("sensors");
  app.aggregate<alarm>("alarms");
  app.aggregate<relay>("relays");
  return app;
}

}  // namespace alarms
