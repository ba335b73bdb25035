// One new idea: windows. The highest temperature of each station and hour, in event time.
#pragma once

#include <algorithm>
#include <string>

#include "kappa/kappa.hpp"
#include "weather.kappa.hpp"

struct hour : hour_fields {
  void add(const reading& r) {
    highest = readings == 0 ? r.celsius : std::max(highest, r.celsius);
    ++readings;
  }
};

void highest_by_hour(const kappa::stream<reading>& readings);

kappa::app weather_app(const std::string& file);
