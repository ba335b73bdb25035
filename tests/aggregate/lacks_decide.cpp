// Must not compile: the test looks for what the compiler says.
#include "aggregate/bank.hpp"
#include "kappa/testing/given.hpp"

struct account : bank::wire::account_state {
  using protocol = bank::wire::account_protocol;
  kappa::decision<bank::opened> decide(const bank::open&) const;
  kappa::decision<bank::deposited> decide(const bank::deposit&) const;
  kappa::decision<bank::closed> decide(const bank::close&) const;
  template <class E>
  void apply(const E&);
};

static_assert(kappa::detail::check_aggregate<account>());
