#include "kappa/actors/admin_client.hpp"

#include <utility>

#include <fmt/format.h>

#include "actors/all_processes.hpp"
#include "actors/conversation.hpp"
#include "actors/replay_of_all.hpp"

namespace kappa {
namespace {

constexpr std::chrono::milliseconds look_again{1000};

}  // namespace

struct admin_call::inside {
  std::unique_ptr<detail::conversation> with;
  std::string id;
  bool over = false;
};

admin_call::admin_call(std::unique_ptr<inside> in) : in_{std::move(in)} {}
admin_call::~admin_call() = default;
admin_call::admin_call(admin_call&&) noexcept = default;
admin_call& admin_call::operator=(admin_call&&) noexcept = default;

const std::string& admin_call::id() const { return in_->id; }

result<std::optional<admin::reply>> admin_call::next(std::chrono::milliseconds timeout) {
  if (in_->over) return std::optional<admin::reply>{};
  auto reply = in_->with->next(std::chrono::steady_clock::now() + timeout);
  in_->over = reply && *reply && (*reply)->last && (*reply)->process.empty();
  return reply;
}

error error_of(const admin::problem& p) {
  return {static_cast<errc>(p.code), p.subject, p.message};
}

admin_client::admin_client(std::shared_ptr<event_log> log, std::string app, clock_fn clock)
    : log_{std::move(log)}, app_{std::move(app)}, clock_{std::move(clock)} {}

result<std::optional<std::string>> admin_client::holder() const { return log_->holder(app_); }

result<admin_call> admin_client::send(const admin_question& what,
                                      std::optional<std::chrono::milliseconds> within) const {
  auto in = std::make_unique<admin_call::inside>();
  auto with = detail::conversation::open(log_, app_);
  if (!with) return fail(with.error());
  in->with = std::move(*with);
  auto asked = in->with->ask(what, clock_(), within);
  if (!asked) return fail(asked.error());
  in->id = std::move(*asked);
  return admin_call{std::move(in)};
}

// Of the one process that has the app.
result<std::optional<admin::reply>> admin_client::ask(const admin_question& what,
                                                      std::chrono::milliseconds patience) const {
  auto has_it = holder();
  if (!has_it) return fail(has_it.error());
  if (!*has_it) return std::optional<admin::reply>{};
  auto call = send(what, patience);
  if (!call) return fail(call.error());
  const auto until = std::chrono::steady_clock::now() + patience;
  for (;;) {
    auto reply = call->next(look_again);
    if (!reply) return reply;
    if (*reply) {
      if (const auto* p = std::get_if<admin::problem>(&(*reply)->which)) return fail(error_of(*p));
      return reply;
    }
    has_it = holder();
    if (!has_it) return fail(has_it.error());
    if (!*has_it) return std::optional<admin::reply>{};
    if (std::chrono::steady_clock::now() < until) continue;
    return fail(errc::timed_out, "app " + app_,
                fmt::format("{} has it and does not answer: it may be starting or hang; kappa tail "
                            "{}.admin.replies shows what was answered",
                            **has_it, app_));
  }
}

result<std::optional<admin::replay_progress>> admin_client::replay(
    const std::string& stage, std::int32_t which,
    const std::function<bool(const admin::replay_progress&)>& tell) const {
  return detail::replay_of_all{log_, app_, clock_, stage, which}.follow(tell);
}

template <class Answer>
result<std::optional<Answer>> admin_client::answer_to(const admin_question& what,
                                                      std::chrono::milliseconds patience) const {
  auto reply = ask(what, patience);
  if (!reply) return fail(reply.error());
  if (!*reply) return std::optional<Answer>{};
  if (auto* answer = std::get_if<Answer>(&(*reply)->which))
    return std::optional{std::move(*answer)};
  return fail(errc::decode, "app " + app_, "answered something else than was asked");
}

result<std::optional<admin::status>> admin_client::status(
    const std::string& stage, std::chrono::milliseconds patience) const {
  if (log_->places_tasks())
    return detail::all_processes{log_, app_, clock_}.status(stage, patience);
  return answer_to<admin::status>(admin::status_request{.stage = stage}, patience);
}

result<std::optional<admin::found>> admin_client::get(const admin::get_request& what,
                                                      std::chrono::milliseconds patience) const {
  if (log_->places_tasks()) return detail::all_processes{log_, app_, clock_}.get(what, patience);
  return answer_to<admin::found>(what, patience);
}

}  // namespace kappa
