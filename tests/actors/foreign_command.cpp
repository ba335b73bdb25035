// Must not compile: the test looks for what the compiler says.
#include <chrono>

#include <caf/event_based_actor.hpp>

#include "aggregate/bank.hpp"
#include "kappa/caf.hpp"

void ask(caf::event_based_actor* self, const kappa::host& host) {
#ifdef KAPPA_TEST_FOREIGN
  const bank::opened not_one_of_its_commands{};
#else
  const bank::open not_one_of_its_commands{};
#endif
  self->request(kappa::actor_of<bank::account>(host, "acc-42"), std::chrono::seconds{1},
                kappa::command{not_one_of_its_commands});
}
