#include "apps.hpp"

#include "events.hpp"

namespace bench {

kappa::app filter_app(const std::string& name, const std::string& from, const std::string& to) {
  kappa::app a{name};
  a.stream<event>(from).filter("large", is_large).to(to);
  return a;
}

kappa::app pass_app(const std::string& name, const std::string& from, const std::string& to) {
  kappa::app a{name};
  a.stream<event>(from).to(to);
  return a;
}

kappa::app count_app(const std::string& name, const std::string& from, const std::string& to) {
  kappa::app a{name};
  const auto counts = a.stream<event>(from)
                          .already_keyed(&event::customer)
                          .fold<std::int64_t>("count", [](std::int64_t& n, const event&) { ++n; });
  if (!to.empty()) counts.to(to);
  return a;
}

kappa::app latest_app(const std::string& name, const std::string& from, const std::string& to) {
  kappa::app a{name};
  a.stream<event>(from)
      .already_keyed(&event::customer)
      .fold<event>("latest", [](event& last, const event& e) { last = e; })
      .to(to);
  return a;
}

}  // namespace bench
