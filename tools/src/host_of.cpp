#include "host_of.hpp"

#include <fmt/format.h>

#include "job.hpp"

namespace kappa::tools {
namespace {

constexpr std::chrono::milliseconds look_again{1000};

}  // namespace

result<app_at_hand> open_app(const common_options& common, bool write) {
  app_at_hand at;
  auto log = open_log_of(common, write ? access::write : access::read);
  if (!log) return fail(log.error());
  at.log = std::move(*log);
  auto app = app_of(*at.log, common);
  if (!app) return fail(app.error());
  at.app = std::move(*app);
  auto holder = at.log->holder(at.app);
  if (!holder) return fail(holder.error());
  at.holder = std::move(*holder);
  if (at.holder && !write) {
    at.log.reset();  // a process has a log open in one way
    auto writable = open_log_of(common, access::write);
    if (!writable) return fail(writable.error());
    at.log = std::move(*writable);
  }
  return at;
}

error error_of(const admin::problem& p) {
  return {static_cast<errc>(p.code), p.subject, p.message};
}

result<std::optional<admin::reply>> ask_or_find_it_gone(app_at_hand& at,
                                                        const admin_question& what) {
  const admin_client client{at.log, at.app};
  auto call = client.send(what, answer_patience);
  if (!call) return fail(call.error());
  const auto until = std::chrono::steady_clock::now() + answer_patience;
  auto reply = call->next(look_again);
  while (reply && !*reply && std::chrono::steady_clock::now() < until) {
    auto holder = client.holder();
    if (!holder) return fail(holder.error());
    if (!*holder) {
      at.holder.reset();
      return std::optional<admin::reply>{};
    }
    reply = call->next(look_again);
  }
  if (!reply) return fail(reply.error());
  if (!*reply) {
    return fail(errc::timed_out, "app " + at.app,
                fmt::format("{} has it and does not answer: it may be starting or hang; kappa tail "
                            "{}.admin.replies shows what was answered",
                            at.holder.value_or("nobody"), at.app));
  }
  if (const auto* p = std::get_if<admin::problem>(&(*reply)->which)) return fail(error_of(*p));
  return reply;
}

}  // namespace kappa::tools
