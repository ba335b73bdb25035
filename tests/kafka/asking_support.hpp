// Asking apps whose tasks move between processes.
#pragma once

#include <optional>
#include <stdexcept>

#include "kafka/totals_app_support.hpp"

namespace kafka_test {

/// Wherever the key's task is; asked until it is answered.
template <class A, class C>
command_receipt accepted_by(host& service, const std::string& key, const C& command) {
  const ask_options options{.id = new_command_id(), .timeout = std::chrono::seconds{20}};
  std::optional<ask_result> answer;
  BOOST_REQUIRE(eventually(
      [&] {
        answer = service.ask<A>(key, command, options);
        return *answer || !answer->error().may_be_asked_again();
      },
      std::chrono::seconds{120}));
  if (!*answer) throw std::runtime_error{answer->error().text()};
  return **answer;
}

}  // namespace kafka_test
