// Where a command of the app's aggregates goes: which topic, of how many partitions.
//
// Threading: immutable when made.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "kappa/aggregate/outgoing_command.hpp"
#include "kappa/core/error.hpp"
#include "kappa/core/type_key.hpp"
#include "kappa/stream/topology.hpp"

namespace kappa {

struct command_route {
  std::string aggregate;
  std::string topic;
  std::int32_t partitions = 1;
  std::size_t max_record_bytes = 0;
  std::uint64_t key_fingerprint = 0;
};

class command_routes {
 public:
  void add(const stage_spec& stage, std::int32_t partitions, std::size_t max_record_bytes);

  /// errc::user_code: no aggregate takes it, or several do, or its keys are of another type. Valid
  /// as long as this.
  [[nodiscard]] result<const command_route*> find(const outgoing_command& c) const;
  /// Null: there is no such aggregate.
  [[nodiscard]] const command_route* find(std::string_view aggregate) const;

 private:
  std::map<std::string, command_route, std::less<>> all_;  // by aggregate
  std::map<detail::type_key, std::vector<const command_route*>> by_command_;
};

}  // namespace kappa
