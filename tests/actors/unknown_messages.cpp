// A process in which CAF has not been told of Kappa's messages: once it has it cannot forget them.
#include <cstdio>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/init_global_meta_objects.hpp>

#include <fmt/format.h>

#include "actors/actors_support.hpp"
#include "kappa/caf.hpp"

namespace unknown_messages {

using namespace actors_test;

BOOST_AUTO_TEST_CASE(a_host_says_what_to_call_before_the_first_system_is_made) {
  world w{1};
  auto in_a_given_one = w.options();
  in_a_given_one.worker_threads = 0;
  struct program_config : caf::actor_system_config {};
  caf::core::init_global_meta_objects();
  {
    program_config config;
    caf::actor_system system{config};
    in_a_given_one.actors = actors_in(system);
    host given{sums_app(), in_a_given_one};
    BOOST_TEST(refused(given.start(), errc::bad_config, {"CAF", "kappa::init_caf()"}));
    // A system of its own beside would take CAF's table away under the program's.
    host own{sums_app(), w.options()};
    BOOST_TEST(refused(own.start(), errc::bad_config, {"CAF", "kappa::init_caf()"}));
  }
  {
    host alone{sums_app(), w.options()};
    must(alone.start());
  }
  program_config config;
  caf::actor_system system{config};
  in_a_given_one.actors = actors_in(system);
  host given{sums_app(), in_a_given_one};
  must(given.start());
}

}  // namespace unknown_messages
