#include "actors/command_port.hpp"

#include <stdexcept>
#include <utility>

#include "actors/messages.hpp"
#include "actors/running_tasks.hpp"
#include "kappa/core/caught.hpp"

namespace kappa::detail {
namespace {

ask_result refused(error why) { return tl::unexpected{ask_refusal{std::move(why)}}; }

ask_result does_not_run(const std::string& app) {
  return refused({errc::stopped, app, "the host does not run", true});
}

/// Without its answer.
result<command_call> call_of(const routed_command& c, key_ring* keys) {
  const auto& kind = *c.what.kind();
  const auto place = c.to.place_of(*kind.type);
  if (!place) {  // the compiler has let it through: the handle's type had been cast away
    return fail(errc::invalid_argument, c.to.name(),
                kind.name() + " is not a command of its protocol");
  }
  auto body = caught(c.to.name(), [&] { return kind.encoded(c.what.value(), c.to.key, keys); });
  if (!body) return fail(std::move(body.error()));
  command_call call{c.to.key, *place, std::move(*body)};
  const auto& options = c.what.options();
  if (!options.id.empty()) call.id = options.id;
  call.expected = options.expected_version;
  return call;
}

class sealing_actor final : public caf::event_based_actor {
 public:
  using event_based_actor::event_based_actor;

  caf::behavior make_behavior() override {
    return {[](const seal_ptr& s) { s->port->send_from_here(std::move(s->command)); }};
  }
};

class router final : public mailboxless_actor {
 public:
  router(caf::actor_config& config, std::shared_ptr<command_port> port, router_target target)
      : mailboxless_actor{config}, port_{std::move(port)}, target_{std::move(target)} {}

  const char* name() const override { return "kappa.aggregate"; }

 private:
  bool handle(const caf::message& m, const answer_place& answer) override {
    if (!m.match_elements<any_command>()) return false;
    port_->send({target_, m.get_as<any_command>(0), answer});
    return true;
  }

  const std::shared_ptr<command_port> port_;
  const router_target target_;
};

}  // namespace

void command_port::open(host& to, std::shared_ptr<key_ring> keys) {
  if (!given_) return;
  const std::lock_guard lock{mutex_};
  if (keys) sealer_ = given_->system.spawn<sealing_actor, caf::detached>();
  keys_ = std::move(keys);
  host_ = &to;
}

void command_port::close() {
  const std::lock_guard lock{mutex_};
  host_ = nullptr;
}

bool command_port::end_sealer() {
  caf::actor ending;
  {
    const std::lock_guard lock{mutex_};
    ending = std::exchange(sealer_, nullptr);
    keys_.reset();
  }
  if (!ending) return true;
  const auto ended = end_of(ending);
  end_now(ending);  // comes after all that was sent to it
  return ended.wait_for(patience_with_stop) == std::future_status::ready;
}

void command_port::send(routed_command c) {
  if (c.to.asks_key_store) {
    const std::shared_lock lock{mutex_};
    if (sealer_) {
      post(sealer_, std::make_shared<seal_request>(seal_request{shared_from_this(), std::move(c)}));
      return;
    }
  }
  send_from_here(std::move(c));
}

void command_port::send_from_here(routed_command c) {
  std::shared_ptr<key_ring> keys;
  {
    const std::shared_lock lock{mutex_};
    if (host_ == nullptr) return c.answer.deliver(does_not_run(app_));
    keys = keys_;
  }
  auto call = call_of(c, keys.get());
  if (!call) return c.answer.deliver(refused(std::move(call.error())));
  if (c.answer.expected()) {
    call->done = [answer = std::move(c.answer)](command_outcome o) {
      answer.deliver(result_of(std::move(o)));
    };
  }
  // Held meanwhile, which is not long: the host does not go away. What it refuses it answers in
  // here, but the actor that hears it does so later.
  const std::shared_lock lock{mutex_};
  if (host_ == nullptr) {
    kappa::tell(call->done, error{errc::stopped, app_, "the host does not run", true});
    return;
  }
  host_->send(std::move(*call), c.to.address, c.what.options().timeout);
}

caf::strong_actor_ptr make_router(const host& of, router_target target) {
  auto port = command_port::of(of);
  if (!port->given()) {
    throw std::logic_error{
        "kappa::actor_of: the host of app \"" + port->app() +
        "\" has an actor_system of its own: give it yours, host_options::actors"};
  }
  auto& system = port->given()->system;
  return make_mailboxless<router>(system, std::move(port), std::move(target));
}

}  // namespace kappa::detail
