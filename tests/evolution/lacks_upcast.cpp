// Must not compile: the test looks for what the compiler says.
#include <tuple>

#include "kappa/testing/given.hpp"
#include "second/bank.kappa.hpp"

struct account : bank_second::account_state {
  using protocol = bank_second::account_protocol;
  static auto upcast(const bank_second::account_opened&) -> std::tuple<bank_second::opened>;
  template <class C>
  kappa::decision<bank_second::opened> decide(const C&) const;
  template <class E>
  void apply(const E&);
};

static_assert(kappa::detail::check_aggregate<account>());
