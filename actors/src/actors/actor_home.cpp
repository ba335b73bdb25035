#include "actors/actor_home.hpp"

#include <algorithm>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "actors/caf_compat.hpp"
#include "actors/messages.hpp"
#include "kappa/caf.hpp"

namespace kappa {
namespace {

std::mutex types_of_caf;  // CAF has one table of them, and no lock

}  // namespace

void init_caf() {
  const std::lock_guard lock{types_of_caf};
  caf::core::init_global_meta_objects();
  caf::init_global_meta_objects<caf::id_block::kappa>();
  caf::init_global_meta_objects<caf::id_block::kappa_inside>();
}

std::shared_ptr<detail::given_system> actors_in(caf::actor_system& system) {
  return std::make_shared<detail::given_system>(system);
}

namespace detail {
namespace {

bool caf_knows_our_messages() {
  const std::lock_guard lock{types_of_caf};
  return caf_knows<caf::id_block::kappa>() && caf_knows<caf::id_block::kappa_inside>();
}

}  // namespace

struct actor_home::made {
  struct plain_config : caf::actor_system_config {};

  explicit made(std::size_t threads) {
    set_worker_threads(config, threads);
    set_messages_at_once(config, messages_at_once);
    system.emplace(config);
  }

  plain_config config;
  std::optional<caf::actor_system> system;
};

result<void> actor_home::check(const host_options& options) {
  if (!caf_knows_our_messages() && (options.actors || there_is_an_actor_system())) {
    return fail(errc::bad_config, "CAF",
                "it does not know Kappa's messages, and a program with an actor_system can tell it "
                "of no more: call kappa::init_caf() (kappa/caf.hpp) before the first one is made");
  }
  if (!options.actors) return {};
  if (options.worker_threads != 0) {
    return fail(errc::bad_config, "worker_threads",
                "the host runs in an actor_system that it was given: leave it 0, and set "
                "caf.scheduler.max-threads of the system");
  }
  if (is_for_testing(options.actors->system)) {
    return fail(errc::bad_config, "caf.scheduler.policy",
                "\"testing\": such a system runs no actor by itself, and a host waits for its own; "
                "take \"stealing\" or \"sharing\"");
  }
  return {};
}

actor_home::actor_home(const host_options& options) {
  if (!options.actors) {
    init_caf();
    made_ = std::make_unique<made>(options.worker_threads != 0
                                       ? options.worker_threads
                                       : std::max(2u, std::thread::hardware_concurrency()));
    system_ = &*made_->system;
    return;
  }
  system_ = &options.actors->system;
  if (const auto n = messages_at_once_of(*system_); n > messages_at_once) {
    options.log_to(log_level::warning, "a task with much to do holds up others, and queries",
                   {{"caf.scheduler.max-throughput", std::to_string(n)},
                    {"better", std::to_string(messages_at_once)}});
  }
}

actor_home::~actor_home() = default;

void actor_home::abandon() { (void)made_.release(); }

system_visit::system_visit(const given_system* given)
    : belongs_{given != nullptr && has_logger_of(given->system)} {}

system_visit::~system_visit() {
  if (!belongs_) let_go_of_system();
}

}  // namespace detail
}  // namespace kappa
