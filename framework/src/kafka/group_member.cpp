#include "kafka/group_member.hpp"

#include <array>

#include <fmt/format.h>

#include "kafka/names.hpp"
#include "kafka/strangers.hpp"

namespace kappa::kafka {

namespace {

partition_list copy_of(const rd_kafka_topic_partition_list_t& list) {
  return partition_list{rd_kafka_topic_partition_list_copy(&list)};
}

// librdkafka says the same again after 30 s.
constexpr std::chrono::seconds refusals_belong_together{60};

void on_events(rd_kafka_t*, void* opaque) { (*static_cast<std::function<void()>*>(opaque))(); }

}  // namespace

group_member::group_member(const stage_tasks& stage, placement_listener& listener,
                           group_registry& registry, std::function<void()> wake)
    : stage_{stage},
      group_{group_of(stage.app, stage.stage, stage.generation)},
      topic_{tasks_topic(stage.app, stage.stage, stage.generation)},
      listener_{listener},
      registry_{registry},
      wake_{std::move(wake)} {}

result<std::unique_ptr<group_member>> group_member::join(
    const kafka_log_options& options, const std::string& instance_id, const std::string& instance,
    const stage_tasks& stage, placement_listener& listener, group_registry& registry,
    std::function<void()> wake) {
  std::unique_ptr<group_member> m{new group_member{stage, listener, registry, std::move(wake)}};
  auto c = config::create(options, "member");
  if (!c) return fail(c.error());
  const auto set = [&](const char* name, const std::string& value) { return c->set(name, value); };
  for (const auto& done :
       {set("group.id", m->group_), set("client.id", member_name(instance, stage.fingerprint)),
        set("enable.auto.commit", "false"), set("auto.offset.reset", "error"),
        set("allow.auto.create.topics", "false")}) {
    if (!done) return fail(done.error());
  }
  if (!options.instance_folder.empty()) {
    if (auto done = set("group.instance.id", member_name(instance_id, stage.fingerprint)); !done)
      return fail(done.error());
  }
  const auto protocol = options.settings.find(group_protocol);
  if (protocol != options.settings.end()) {
    if (auto done = set(group_protocol, protocol->second); !done) return fail(done.error());
  }
  // By their own protocol the brokers say how long a session is, and who assigns what.
  m->classic_ = !brokers_place_tasks(options);
  if (m->classic_) {
    const auto session = options.session_timeout.count();
    for (const auto& done :
         {set("partition.assignment.strategy", "cooperative-sticky"),
          set("session.timeout.ms", std::to_string(session)),
          // Not below it, and the default is 5 minutes.
          set("max.poll.interval.ms", std::to_string(std::max<std::int64_t>(session, 300'000))),
          // A member hears of a rebalance with a heartbeat.
          c->prefer("heartbeat.interval.ms",
                    std::to_string(std::min<std::int64_t>(session / 6, 500)))}) {
      if (!done) return fail(done.error());
    }
  }
  rd_kafka_conf_set_events(c->get(), RD_KAFKA_EVENT_REBALANCE | RD_KAFKA_EVENT_ERROR);
  auto opened = client::open(RD_KAFKA_CONSUMER, std::move(*c), options.log);
  if (!opened) return fail(opened.error());
  m->client_ = std::move(*opened);
  auto* const rk = m->client_->get();
  rd_kafka_poll_set_consumer(rk);
  m->events_.reset(rd_kafka_queue_get_consumer(rk));
  rd_kafka_queue_cb_event_enable(m->events_.get(), on_events, &m->wake_);
  if (auto done = m->subscribe(false); !done) return fail(done.error());
  m->watch_.emplace(
      *m->client_, stage,
      brokers_place_tasks(options) ? lingering({}) : lingering(options.session_timeout));
  m->topic_watch_.emplace(*m->client_, m->topic_);
  registry.joined(m->group_, *m->client_);
  return m;
}

group_member::~group_member() {
  registry_.left(group_);
  if (events_) rd_kafka_queue_cb_event_enable(events_.get(), nullptr, nullptr);
}

result<void> group_member::subscribe(bool otherwise) {
  const partition_list topics{rd_kafka_topic_partition_list_new(2)};
  rd_kafka_topic_partition_list_add(topics.get(), topic_.c_str(), RD_KAFKA_PARTITION_UA);
  // Any other topic that is there; what it gets of it is paused, and nobody's task.
  if (otherwise)
    rd_kafka_topic_partition_list_add(topics.get(), topics_topic, RD_KAFKA_PARTITION_UA);
  if (const auto code = rd_kafka_subscribe(client_->get(), topics.get());
      code != RD_KAFKA_RESP_ERR_NO_ERROR)
    return fail(client_->error_of(code, "group " + group_));
  subscribed_otherwise_ = otherwise;
  return {};
}

void group_member::watch() {
  if (leaving_) return;
  if (auto there = topic_watch_->look(); !there) failed(there.error());
  if (revoking_) return;
  const auto seen = watch_->look();
  if (seen == group_watch::sight::stranger) failed(watch_->stranger());
  if (!classic_) return;
  const bool call = seen == group_watch::sight::gap ||
                    (seen == group_watch::sight::whole && subscribed_otherwise_);
  if (!call) return;
  if (auto done = subscribe(!subscribed_otherwise_); !done) failed(done.error());
}

void group_member::serve() {
  finish_revocation();
  if (fenced_) return;
  watch();
  while (const event e{rd_kafka_queue_poll(events_.get(), 0)}) {
    switch (rd_kafka_event_type(e.get())) {
      case RD_KAFKA_EVENT_REBALANCE:
        rebalance(e.get());
        break;
      case RD_KAFKA_EVENT_ERROR:
        if (rd_kafka_event_error_is_fatal(e.get()) != 0) {
          std::array<char, 512> why{};
          const auto code = rd_kafka_fatal_error(client_->get(), why.data(), why.size());
          auto found = error_of(code, "group " + group_, why.data());
          if ((code == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID ||
               code == RD_KAFKA_RESP_ERR_UNRELEASED_INSTANCE_ID) &&
              !fenced_) {
            fence(std::move(found));
            return;
          }
          failed(found);
        } else {
          const auto code = rd_kafka_event_error(e.get());
          const auto found =
              error_of(code, "group " + group_, rd_kafka_event_error_string(e.get()));
          client_->connection_error(code, found.message);
          if (code == RD_KAFKA_RESP_ERR__AUTHENTICATION && !is_shut_out()) break;
          if (found.code == errc::denied || found.code == errc::bad_config) failed(found);
        }
        break;
      default:
        break;
    }
  }
  check_identity();
}

// Refused for so long that it does not pass by itself.
bool group_member::is_shut_out() {
  const auto now = std::chrono::steady_clock::now();
  if (now - refused_last_ > refusals_belong_together) refused_first_ = now;
  refused_last_ = now;
  return now - refused_first_ >= patience_with_refusal;
}

// A session that ends while a revocation is answered is told by nobody: librdkafka joins anew,
// under another id, and keeps what it had although others have been given it meanwhile.
void group_member::check_identity() {
  // A client that is closing may never answer who it is.
  if (leaving_ || here_.empty() || fenced_) return;
  const auto id = client_->member_id();
  if (id.empty() || id == has_them_as_) return;
  fence({errc::fenced, "group " + group_,
         "its session has ended while it gave tasks up, and the others may be another's"});
}

// All its tasks are lost.
void group_member::fence(error e) {
  fenced_ = std::move(e);
  partition_list here{rd_kafka_topic_partition_list_new(static_cast<int>(here_.size()))};
  for (const auto p : here_) {
    rd_kafka_topic_partition_list_add(here.get(), topic_.c_str(), p.value);
  }
  taken(*here, true);
}

const std::optional<error>& group_member::fenced() const {
  static const std::optional<error> no;
  return revoking_ ? no : fenced_;
}

void group_member::failed(const error& e) {
  if (failed_) return;
  failed_ = true;
  listener_.failed(e);
}

void group_member::rebalance(rd_kafka_event_t* e) {
  const auto* partitions = rd_kafka_event_topic_partition_list(e);
  if (rd_kafka_event_error(e) == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
    given(*partitions);
  } else {
    taken(*partitions, rd_kafka_assignment_lost(client_->get()) != 0);
  }
}

void group_member::given(const rd_kafka_topic_partition_list_t& partitions) {
  const auto list = copy_of(partitions);
  for (int i = 0; i < list->cnt; ++i) list->elems[i].offset = 0;  // there are no records
  const fault f{rd_kafka_incremental_assign(client_->get(), list.get())};
  if (f) {
    failed(client_->error_of(f.get(), "group " + group_));
    return;
  }
  if (leaving_) return;  // it is asked to give them up next
  (void)rd_kafka_pause_partitions(client_->get(), list.get());
  for (int i = 0; i < list->cnt; ++i) {
    if (topic_ != list->elems[i].topic) continue;
    const partition p{list->elems[i].partition};
    if (here_.empty()) has_tasks_as(client_->member_id());
    if (here_.insert(p).second) listener_.given({stage_.stage, p});
  }
}

void group_member::has_tasks_as(std::string id) {
  registry_.has_tasks_as(group_, id);
  has_them_as_ = std::move(id);
}

void group_member::taken(const rd_kafka_topic_partition_list_t& partitions, bool lost) {
  if (lost) registry_.lost();
  // What is still ending belongs to it: nothing is answered before.
  if (!revoking_) revoking_ = std::make_shared<revocation>();
  revoking_->partitions = copy_of(partitions);
  std::vector<partition> gone;
  for (int i = 0; i < partitions.cnt; ++i) {
    if (topic_ != partitions.elems[i].topic) continue;
    const partition p{partitions.elems[i].partition};
    if (here_.erase(p) > 0) gone.push_back(p);
  }
  {
    const std::lock_guard lock{revoking_->mutex};
    revoking_->open += gone.size();
  }
  for (const auto p : gone) {
    listener_.taken({stage_.stage, p}, lost, [all = revoking_, wake = wake_] {
      {
        const std::lock_guard lock{all->mutex};
        --all->open;
      }
      wake();
    });
  }
  finish_revocation();
}

void group_member::finish_revocation() {
  if (!revoking_) return;
  {
    const std::lock_guard lock{revoking_->mutex};
    if (revoking_->open > 0) return;
  }
  if (fenced_) {  // the client answers nothing any more
    revoking_.reset();
    return;
  }
  const fault f{rd_kafka_incremental_unassign(client_->get(), revoking_->partitions.get())};
  revoking_.reset();
  if (f) failed(client_->error_of(f.get(), "group " + group_));
}

void group_member::leave() {
  leaving_ = true;
  const fault ignored{rd_kafka_consumer_close_queue(client_->get(), events_.get())};
}

bool group_member::left() const { return rd_kafka_consumer_closed(client_->get()) != 0; }

}  // namespace kappa::kafka
