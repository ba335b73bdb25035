// A load of random transfers: asks for them, so many at a time, and asks again what was not
// answered, and now and then what was, by the same id: the answer must be the same.
//
// Threading: one thread calls; answers come on the asker's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "kappa/kappa.hpp"

namespace bank {

struct load_options {
  std::uint64_t accounts = 1'000;
  std::int64_t deposit_cents = 100'000;
  std::uint64_t transfers = 100'000;
  std::size_t in_flight = 1'024;
  std::uint64_t seed = 1;
};

struct load_result {
  std::vector<std::string> started;  // names of the transfers that were accepted
  std::uint64_t rejected = 0;
  std::uint64_t asked_again = 0;      // for want of an answer
  std::uint64_t repeated = 0;         // although there was one
  std::vector<std::string> findings;  // answers that were not the same, the first 20
};

/// Opens the accounts, then asks for the transfers, and comes back when all are answered.
/// `progress` is called now and then with how many are. An error: one of a command that cannot go
/// well.
[[nodiscard]] kappa::result<load_result> run_load(
    kappa::aggregate_asker& asker, const load_options& options,
    const std::function<void(std::uint64_t answered)>& progress = {});

}  // namespace bank
