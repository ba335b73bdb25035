// One new idea: Kappa in a program that has CAF actors of its own. The host's actors run in the
// program's actor system, and a clerk, an actor of the program's, books seats by sending messages
// to shows, which are aggregates.
//
//   ./actors FOLDER SHOW SEATS…
//
// A show has ten seats. Run it twice: what was booked still is.
#include <chrono>
#include <cstdlib>
#include <string>

#include <fmt/format.h>
#include <caf/all.hpp>

#include "kappa/caf.hpp"
#include "show.hpp"

// [types]
struct order {
  std::string show;
  int seats = 0;
};
template <class Inspector>
bool inspect(Inspector& f, order& o) {
  return f.object(o).fields(f.field("show", o.show), f.field("seats", o.seats));
}

CAF_BEGIN_TYPE_ID_BLOCK(box_office, first_custom_type_id)  // Kappa's are elsewhere
CAF_ADD_TYPE_ID(box_office, (order))
CAF_END_TYPE_ID_BLOCK(box_office)
// [/types]

namespace {

using namespace std::chrono_literals;

// [clerk]
// Takes orders, and waits for none of them: many may be under way. It ends before the host.
caf::behavior clerk(caf::event_based_actor* self, const kappa::host* host) {
  return {[self, host](const order& o) {
    auto customer = self->make_response_promise<std::string>();
    self->request(kappa::actor_of<show>(*host, o.show), 10s,
                  kappa::command{book{o.seats}, {.id = kappa::new_command_id()}})
        .then(
            [customer](const kappa::ask_result& r) mutable {
              customer.deliver(r ? std::string{"booked"} : r.error().text());
            },
            [customer](caf::error& e) mutable { customer.deliver(std::move(e)); });
    return customer;
  }};
}
// [/clerk]

int complain(const std::string& why) {
  fmt::print(stderr, "error: {}\n", why);
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    fmt::print(stderr, "usage: {} FOLDER SHOW SEATS…\n", argv[0]);
    return 2;
  }
  const std::string folder = argv[1];
  const std::string name = argv[2];

  // [system]
  kappa::init_caf();  // both before the system is made
  caf::init_global_meta_objects<caf::id_block::box_office>();
  caf::actor_system_config config;
  config.set("caf.scheduler.max-throughput", kappa::messages_at_once);
  caf::actor_system system{config};

  kappa::host host{shows_app(),
                   {.log = "lmdb:" + folder + "/log",
                    .state = folder + "/state",
                    .actors = kappa::actors_in(system)}};
  if (auto started = host.start(); !started) return complain(started.error().text());
  // [/system]

  if (auto known = host.ask<show>(name, announce{10}); !known)
    return complain(known.error().text());

  // [orders]
  const auto takes_orders = system.spawn(clerk, &host);
  caf::scoped_actor customer{system};
  int failed = 0;
  for (int i = 3; i < argc; ++i) {
    customer->request(takes_orders, 20s, order{name, std::atoi(argv[i])})
        .receive([&](const std::string& said) { fmt::print("{} seats: {}\n", argv[i], said); },
                 [&](const caf::error& e) { failed = complain(caf::to_string(e)); });
  }
  // [/orders]

  // [stop]
  customer->send_exit(takes_orders, caf::exit_reason::user_shutdown);
  customer->wait_for(takes_orders);
  if (auto stopped = host.stop(); !stopped) return complain(stopped.error().text());
  // [/stop]
  return failed;
}
