#include "kappa/actors/admin_client.hpp"

#include <algorithm>
#include <random>
#include <utility>

#include <fmt/format.h>

#include "actors/admin_record.hpp"
#include "kappa/core/bell.hpp"
#include "kappa/log/for_each_record.hpp"
#include "kappa/stream/topology.hpp"

namespace kappa {
namespace {

std::string new_id() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}{:08x}{:08x}", random(), random(), random(), random());
}

}  // namespace

struct admin_call::inside {
  std::shared_ptr<event_log> log;
  std::string id;
  std::unique_ptr<log_reader> replies;
  offset next;
  std::shared_ptr<bell> more = std::make_shared<bell>();  // there may be more replies
  std::unique_ptr<subscription> subscribed;
  bool over = false;

  // The first reply behind `next`; nothing: not there yet.
  result<std::optional<admin::reply>> look() {
    std::optional<admin::reply> found;
    auto read = for_each_record(*log, *replies, next, [&](const record_view& r) -> result<bool> {
      if (r.key != bytes_view{id}) return true;
      auto reply = codec<admin::reply>::decode(r.value.value_or(bytes_view{}));
      if (!reply) {
        return fail(reply.error().code, fmt::format("{}@{}", replies->where().text(), r.offset),
                    reply.error().text());
      }
      found = std::move(*reply);
      return false;
    });
    if (!read) return fail(read.error());
    next = *read;
    over = found && found->last;
    return found;
  }
};

admin_call::admin_call(std::unique_ptr<inside> in) : in_{std::move(in)} {}
admin_call::~admin_call() = default;
admin_call::admin_call(admin_call&&) noexcept = default;
admin_call& admin_call::operator=(admin_call&&) noexcept = default;

const std::string& admin_call::id() const { return in_->id; }

result<std::optional<admin::reply>> admin_call::next(std::chrono::milliseconds timeout) {
  const auto until = std::chrono::steady_clock::now() + timeout;
  while (!in_->over) {
    in_->more->hush();
    auto reply = in_->look();
    if (!reply || *reply) return reply;
    if (!in_->more->wait_until(until)) break;
  }
  return std::optional<admin::reply>{};
}

admin_client::admin_client(std::shared_ptr<event_log> log, std::string app, clock_fn clock)
    : log_{std::move(log)}, app_{std::move(app)}, clock_{std::move(clock)} {}

result<std::optional<std::string>> admin_client::holder() const { return log_->holder(app_); }

result<admin_call> admin_client::send(const admin_question& what,
                                      std::optional<std::chrono::milliseconds> within) const {
  const topic_partition requests{admin_topic(app_), partition{0}};
  for (const auto& topic : {requests.topic, admin_replies_topic(app_)}) {
    auto found = log_->find_topic(topic);
    if (!found) return fail(found.error());
    if (*found) continue;
    return fail(errc::not_found, topic,
                fmt::format("no such topic in {}: no host of app \"{}\" has run on this log yet; "
                            "start it first, or look at the name",
                            log_->name(), app_));
  }
  auto in = std::make_unique<admin_call::inside>();
  in->log = log_;
  in->id = new_id();
  const topic_partition replies{admin_replies_topic(app_), partition{0}};
  auto bounds = log_->bounds(replies);
  if (!bounds) return fail(bounds.error());
  in->next = bounds->latest;
  auto reader = log_->open_reader(replies);
  if (!reader) return fail(reader.error());
  in->replies = std::move(*reader);
  auto subscribed = in->replies->subscribe([more = in->more] { more->ring(); });
  if (!subscribed) return fail(subscribed.error());
  in->subscribed = std::move(*subscribed);

  admin::request request;
  request.id = in->id;
  const auto now = clock_();
  if (within) request.deadline = now + *within;
  std::visit([&](const auto& question) { request.which = question; }, what);
  record_batch batch;
  detail::add_admin_record(batch, request, now);
  if (auto sent = log_->append(requests, batch); !sent) return fail(sent.error());
  return admin_call{std::move(in)};
}

}  // namespace kappa
