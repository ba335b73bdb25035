#include "actors/conversation.hpp"

#include <random>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include "actors/admin_record.hpp"
#include "kappa/log/for_each_record.hpp"
#include "kappa/stream/topology.hpp"

namespace kappa::detail {
namespace {

std::string new_id() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}{:08x}{:08x}", random(), random(), random(), random());
}

}  // namespace

result<std::unique_ptr<conversation>> conversation::open(std::shared_ptr<event_log> log,
                                                         const std::string& app) {
  std::unique_ptr<conversation> c{new conversation};
  c->log_ = std::move(log);
  c->requests_ = {admin_topic(app), partition{0}};
  const topic_partition replies{admin_replies_topic(app), partition{0}};
  for (const auto& topic : {c->requests_.topic, replies.topic}) {
    auto found = c->log_->find_topic(topic);
    if (!found) return fail(found.error());
    if (*found) continue;
    return fail(errc::not_found, topic,
                fmt::format("no such topic in {}: no host of app \"{}\" has run on this log yet; "
                            "start it first, or look at the name",
                            c->log_->name(), app));
  }
  auto bounds = c->log_->bounds(replies);
  if (!bounds) return fail(bounds.error());
  c->next_ = bounds->latest;
  auto reader = c->log_->open_reader(replies);
  if (!reader) return fail(reader.error());
  c->replies_ = std::move(*reader);
  auto subscribed = c->replies_->subscribe([more = c->more_] { more->ring(); });
  if (!subscribed) return fail(subscribed.error());
  c->subscribed_ = std::move(*subscribed);
  return c;
}

result<std::string> conversation::ask(const admin_question& what, timestamp now,
                                      std::optional<std::chrono::milliseconds> within) {
  admin::request request;
  request.id = new_id();
  if (within) request.deadline = now + *within;
  std::visit([&](const auto& question) { request.which = question; }, what);
  record_batch batch;
  add_admin_record(batch, request, now);
  if (auto sent = log_->append(requests_, batch); !sent) return fail(sent.error());
  asked_.insert(request.id);
  return request.id;
}

result<std::optional<admin::reply>> conversation::look() {
  std::optional<admin::reply> found;
  auto read = for_each_record(*log_, *replies_, next_, [&](const record_view& r) -> result<bool> {
    if (!r.key || asked_.find(*r.key) == asked_.end()) return true;
    auto reply = codec<admin::reply>::decode(r.value.value_or(bytes_view{}));
    if (!reply) {
      return fail(reply.error().code, fmt::format("{}@{}", replies_->where().text(), r.offset),
                  reply.error().text());
    }
    found = std::move(*reply);
    return false;
  });
  if (!read) return fail(read.error());
  next_ = *read;
  return found;
}

result<std::optional<admin::reply>> conversation::next(time_point until) {
  for (;;) {
    more_->hush();
    auto reply = look();
    if (!reply || *reply) return reply;
    if (!more_->wait_until(until)) return std::optional<admin::reply>{};
  }
}

}  // namespace kappa::detail
