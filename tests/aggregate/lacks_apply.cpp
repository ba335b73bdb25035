// Must not compile: the test looks for what the compiler says.
#include "aggregate/bank.hpp"
#include "kappa/testing/given.hpp"

struct account : bank::wire::account_state {
  using protocol = bank::wire::account_protocol;
  template <class C>
  kappa::decision<bank::opened> decide(const C&) const;
  void apply(const bank::opened&);
  void apply(const bank::deposited&);
  void apply(const bank::withdrawn&);
  void apply(const bank::closed&);
};

static_assert(kappa::detail::check_aggregate<account>());
