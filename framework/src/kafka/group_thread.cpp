#include "kafka/group_thread.hpp"

#include <algorithm>
#include <chrono>

#include <fmt/format.h>

#include "kappa/core/failpoint.hpp"

namespace kappa::kafka {
namespace {

// librdkafka takes a member that does not look at its queue for dead.
constexpr std::chrono::milliseconds group_looks_every{200};
constexpr std::chrono::seconds looks_late_every{3};
constexpr std::chrono::seconds patience_with_leaving{5};
// The brokers fence a member whose request to join was lost on its way back and is repeated: with
// brokers that come and go more than once. Two of one name fence each other without end.
constexpr std::size_t most_fences = 5;
constexpr std::chrono::seconds within{60};
// By KIP-848 a name is not another's to take while the session of who has it lasts: 45 s if nobody
// has set it otherwise.
constexpr std::chrono::seconds patience_with_former_self{120};
constexpr std::chrono::seconds try_again{1};

}  // namespace

result<std::unique_ptr<group_thread>> group_thread::join(const kafka_log_options& options,
                                                         const std::string& instance_id,
                                                         const std::string& instance,
                                                         const std::vector<stage_tasks>& stages,
                                                         placement_listener& listener,
                                                         group_registry& registry) {
  auto t = std::make_unique<group_thread>();
  t->listener_ = &listener;
  // Who has no identity of its own on disk is known by what it calls itself.
  const bool named = !options.instance_folder.empty();
  const auto calls = named ? instance : fmt::format("{} {}", instance, instance_id);
  t->process_ = named ? instance_id : calls;
  for (const auto& stage : stages) {
    entry e;
    e.join = [&options, instance_id, calls, stage, &listener, &registry, b = t->bell_] {
      return group_member::join(options, instance_id, calls, stage, listener, registry,
                                [b] { b->ring(); });
    };
    auto member = e.join();
    if (!member) return fail(member.error());
    e.member = std::move(*member);
    t->members_.push_back(std::move(e));
  }
  t->thread_ = std::thread{[raw = t.get()] { raw->run(); }};
  return t;
}

group_thread::~group_thread() {
  leaving_ = true;
  bell_->ring();
  if (thread_.joinable()) thread_.join();
}

// True: somebody has this name, and may be this process before it was killed.
bool group_thread::waits_for_former_self(entry& e, const error& why) {
  if (why.code != errc::owned) return false;
  const auto now = std::chrono::steady_clock::now();
  if (now - e.last_owned > within) e.owned_since = now;
  e.last_owned = now;
  if (now - e.owned_since > patience_with_former_self) return false;
  e.join_at = now + try_again;
  return true;
}

void group_thread::look_at(entry& e) {
  const auto now = std::chrono::steady_clock::now();
  if (!e.member) {
    if (!e.join_at || now < *e.join_at) return;
    e.join_at.reset();
    auto joined = e.join();
    if (!joined) {
      listener_->failed(joined.error());
      return;
    }
    e.member = std::move(*joined);
  }
  e.member->serve();
  if (!e.member->fenced()) return;
  auto why = *e.member->fenced();
  e.member.reset();
  if (waits_for_former_self(e, why)) return;
  std::erase_if(e.fenced_at, [&](auto at) { return now - at > within; });
  e.fenced_at.push_back(now);
  if (e.fenced_at.size() < most_fences) {
    auto joined = e.join();
    if (joined) {
      e.member = std::move(*joined);
      return;
    }
    why = joined.error();
  }
  if (why.code == errc::fenced || why.code == errc::owned) {
    why.message +=
        "; another process has this one's identity: a copied state folder, or the same "
        "--instance twice";
  }
  listener_->failed(why);
}

// However late a member hears that its tasks are another's: what it does until then is refused. So
// tests make it late, and must find only what is not refused.
void group_thread::wait_for_news() {
  const bool late = failpoint::broken("late-notice") || failpoint::broken("no-fencing");
  const auto until =
      std::chrono::steady_clock::now() + (late ? looks_late_every : group_looks_every);
  do {
    (void)bell_->wait_until(until);
  } while (late && !leaving_ && std::chrono::steady_clock::now() < until);
}

void group_thread::run() {
  while (!leaving_) {
    for (auto& e : members_) look_at(e);
    wait_for_news();
  }
  for (const auto& e : members_) {
    if (e.member) e.member->leave();
  }
  const auto until = std::chrono::steady_clock::now() + patience_with_leaving;
  const auto out = [](const entry& e) { return !e.member || e.member->left(); };
  while (std::chrono::steady_clock::now() < until &&
         !std::all_of(members_.begin(), members_.end(), out)) {
    for (const auto& e : members_) {
      if (e.member) e.member->serve();
    }
    (void)bell_->wait_until(std::chrono::steady_clock::now() + group_looks_every);
  }
}

}  // namespace kappa::kafka
