// A service that embeds Kappa in a main of its own, with an actor system, types and actors of its
// own. It checks what its actors are told of commands, and stops and starts the host while they
// live.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>

#include <caf/all.hpp>

#include <kappa/caf.hpp>
#include <kappa/kappa.hpp>

#include "stock.kappa.hpp"

// What its actors say to each other.
struct shipment {
  std::string article;
  int pieces = 0;
  std::string id;             // of the command; empty: none
  int expected_version = -1;  // -1: any
};
template <class Inspector>
bool inspect(Inspector& f, shipment& s) {
  return f.object(s).fields(f.field("article", s.article), f.field("pieces", s.pieces),
                            f.field("id", s.id), f.field("expected_version", s.expected_version));
}

CAF_BEGIN_TYPE_ID_BLOCK(warehouse, first_custom_type_id)
CAF_ADD_TYPE_ID(warehouse, (shipment))
CAF_ADD_ATOM(warehouse, count_atom)
CAF_END_TYPE_ID_BLOCK(warehouse)

namespace {

using namespace std::chrono_literals;

struct article : stock::article_state {
  using protocol = stock::article_protocol;

  auto decide(const stock::receive& c) const -> kappa::decision<stock::received> {
    return stock::received{c.pieces};
  }
  auto decide(const stock::ship& c) const -> kappa::decision<stock::shipped> {
    if (c.pieces > pieces)
      return kappa::reject(stock::out_of_stock{c.pieces - pieces}, "out of stock");
    return stock::shipped{c.pieces};
  }
  void apply(const stock::received& e) { pieces += e.pieces; }
  void apply(const stock::shipped& e) { pieces -= e.pieces; }
};

kappa::app stock_app() {
  kappa::app app{"stock"};
  app.aggregate<article>("articles");
  return app;
}

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "service: %s\n", why.c_str());
  std::exit(1);
}

void expect(const std::string& got, const std::string& wanted) {
  if (got != wanted) give_up("got \"" + got + "\", expected \"" + wanted + "\"");
}

// In words, each outcome another one.
std::string told(const kappa::ask_result& r) {
  if (r) return "version " + std::to_string(r->version);
  if (const auto* no = r.error().rejected()) {
    const auto why = no->as<stock::out_of_stock>();
    return no->reason + ", missing " + (why && *why ? std::to_string((*why)->missing) : "?");
  }
  if (const auto* c = r.error().conflict())
    return "conflict, it is at " + std::to_string(c->actual);
  const auto* e = r.error().failed();
  if (e->code == kappa::errc::stopped && e->retriable) return "stopped";
  return r.error().text();
}

// Lives longer than the hosts: of the one that runs it is given a handle for each article.
using articles = std::map<std::string, kappa::aggregate_actor<article>>;

struct clerk_state {
  articles known;
  int asked = 0;
};

caf::behavior clerk(caf::stateful_actor<clerk_state>* self, articles known) {
  self->state.known = std::move(known);
  return {
      [self](const shipment& s) {
        ++self->state.asked;
        kappa::ask_options options{.id = s.id};
        if (s.expected_version >= 0)
          options.expected_version = static_cast<std::uint64_t>(s.expected_version);
        auto asker = self->make_response_promise<std::string>();
        self->request(self->state.known.at(s.article), 30s,
                      kappa::command{stock::ship{s.pieces}, options})
            .then([asker](const kappa::ask_result& r) mutable { asker.deliver(told(r)); },
                  [asker](caf::error& e) mutable { asker.deliver(std::move(e)); });
        return asker;
      },
      [self](count_atom) { return self->state.asked; },
  };
}

template <class Answer, class... Ts>
Answer ask(caf::actor_system& system, const caf::actor& whom, const Ts&... message) {
  Answer answer{};
  caf::scoped_actor self{system};
  self->request(whom, 60s, message...)
      .receive([&](const Answer& a) { answer = a; },
               [](const caf::error& e) { give_up(caf::to_string(e)); });
  return answer;
}

struct running_host {
  running_host(caf::actor_system& system, const std::filesystem::path& place)
      : host{stock_app(),
             {.log = "lmdb:" + (place / "log").string(),
              .state = place / "state",
              .actors = kappa::actors_in(system)}} {
    if (auto started = host.start(); !started) give_up(started.error().text());
  }
  kappa::host host;
};

void run(caf::actor_system& system, const std::filesystem::path& place) {
  const auto running = [&] { return system.registry().running(); };
  caf::actor first_clerk;
  {
    running_host first{system, place};
    if (auto r = first.host.ask<article>("teapot", stock::receive{5}); !r)
      give_up(r.error().text());
    first_clerk =
        system.spawn(clerk, articles{{"teapot", kappa::actor_of<article>(first.host, "teapot")}});
    const auto ship = [&](const shipment& s) { return ask<std::string>(system, first_clerk, s); };
    expect(ship({"teapot", 2}), "version 2");
    expect(ship({"teapot", 9}), "out of stock, missing 6");
    expect(ship({"teapot", 1, "", 1}), "conflict, it is at 2");
    expect(ship({"teapot", 1, "order-7", 2}), "version 3");
    expect(ship({"teapot", 1, "order-7", 2}), "version 3");
    if (auto stopped = first.host.stop(); !stopped) give_up(stopped.error().text());
    if (running() != 1) give_up("a host has stopped, and left actors");
    expect(ship({"teapot", 1}), "stopped");
  }
  expect(ask<std::string>(system, first_clerk, shipment{"teapot", 1}), "stopped");
  {
    running_host second{system, place};
    const auto second_clerk =
        system.spawn(clerk, articles{{"teapot", kappa::actor_of<article>(second.host, "teapot")}});
    const auto ship = [&](const shipment& s) { return ask<std::string>(system, second_clerk, s); };
    expect(ship({"teapot", 1, "order-7", 2}), "version 3");  // it is remembered
    expect(ship({"teapot", 2}), "version 4");
    expect(ship({"teapot", 1}), "out of stock, missing 1");
    caf::anon_send_exit(second_clerk, caf::exit_reason::user_shutdown);
  }
  if (const int n = ask<int>(system, first_clerk, count_atom_v); n != 7)
    give_up("an actor of ours has been disturbed");
  caf::anon_send_exit(first_clerk, caf::exit_reason::user_shutdown);
}

}  // namespace

int main(int, char** argv) {
  const auto place = std::filesystem::absolute(argv[0]).parent_path() / "service-data";
  std::filesystem::remove_all(place);
  caf::init_global_meta_objects<caf::id_block::warehouse>();
  kappa::init_caf();
  {
    caf::actor_system_config config;
    config.set("caf.scheduler.max-throughput", kappa::messages_at_once);
    caf::actor_system system{config};
    run(system, place);
  }  // waits for all actors
  std::printf("service: all as it should be\n");
}
