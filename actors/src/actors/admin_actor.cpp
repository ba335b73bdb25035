#include "actors/admin_actor.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include <caf/event_based_actor.hpp>

#include <fmt/format.h>

#include "actors/admin_record.hpp"
#include "actors/admin_status.hpp"
#include "actors/caf_compat.hpp"
#include "actors/messages.hpp"
#include "actors/pending_replay.hpp"
#include "actors/replay_progress.hpp"
#include "actors/task_orders.hpp"
#include "kappa/core/caught.hpp"
#include "kappa/core/failpoint.hpp"
#include "kappa/log/for_each_record.hpp"
#include "kappa/task/epoch.hpp"
#include "kappa/task/layout.hpp"

namespace kappa::detail {
namespace {

constexpr std::size_t enough_replies = 1 << 20;  // bytes in one transaction, about
constexpr std::size_t longest_id = 200;
constexpr std::size_t metadata_for_pending =
    log_limits::max_metadata_bytes - 256;  // the rest is the epoch's
constexpr std::chrono::milliseconds longest_question{5000};

// A replay that is under way here. What must survive a crash is in `noted`.
struct running_replay {
  pending_replay noted;
  std::vector<std::optional<error>> problems;  // of tasks that failed
  replay_progress progress;
};

// Who wants to know.
struct asked {
  std::string id;
  offset at;
  std::chrono::milliseconds patience;
};

// Where a new host goes on.
struct admin_place {
  offset next;
  epoch_number epoch;
  std::vector<pending_replay> pending;
};

result<admin_place> read_place(event_log& log, const std::string& app) {
  const auto key = admin_position(app);
  auto position = log.position(key);
  if (!position) return fail(position.error());
  auto bounds = log.bounds({admin_topic(app), partition{0}});
  if (!bounds) return fail(bounds.error());
  if (!*position) return admin_place{bounds->earliest, epoch_number{0}, {}};
  const auto malformed = [&] {
    return fail(errc::corrupt, key.text(), "the position's metadata is malformed");
  };
  const auto meta = decode_metadata((*position)->metadata);
  if (!meta || !meta->place) return malformed();
  auto pending = decode_pending(*meta->place);
  if (!pending) return malformed();
  return admin_place{(*position)->next, meta->epoch, std::move(*pending)};
}

class admin_actor final : public caf::event_based_actor {
 public:
  admin_actor(caf::actor_config& config, admin_options options, admin_place place)
      : event_based_actor{config},
        options_{std::move(options)},
        requests_{options_.topology->admin_topic(), partition{0}},
        replies_{options_.topology->admin_replies_topic(), partition{0}},
        next_{place.next},
        epoch_{place.epoch} {
    for (auto& p : place.pending) {
      running_replay r;
      r.problems.resize(p.steps.size());
      r.noted = std::move(p);
      running_.push_back(std::move(r));
    }
    when_it_throws(this, [this] { options_.board->fail(error_caught(requests_.topic)); });
  }

  caf::behavior make_behavior() override {
    take_up();
    if (auto listening = listen(); !listening) give_up(listening.error());
    post(caf::actor{this}, drain_atom_v);
    return {
        [this](drain_atom) { work(); },
        [this](tick_atom) {
          ticking_ = false;
          for (auto& r : running_) say_progress(r, admin::replay_state::replaying);
          tick_later();
          work();
        },
        [this](reopen_atom) {
          waiting_for_log_ = false;
          work();
        },
        [this](const committed_ptr&) {
          in_flight_ = false;
          auto next = std::move(when_durable_);
          when_durable_.clear();
          for (const auto& f : next) f();
          work();
        },
        [this](const rebuilt_ptr& r) {
          note(*r);
          work();
        },
    };
  }

  void on_exit() override {
    subscribed_.reset();
    reader_.reset();
    options_ = {};
  }

 private:
  // ── requests ──

  void work() {
    if (in_flight_) return;
    if (!given_up_) {
      auto took = take_requests();
      if (!took && took.error().retriable) {
        wait_for_log(took.error());
      } else if (!took) {
        give_up(took.error());
      }
    }
    if (changed_) submit();
    options_.board->hold(!given_up_ && (in_flight_ || !running_.empty()));
  }

  result<void> listen() {
    auto reader = options_.log->open_reader(requests_);
    if (!reader) return fail(reader.error());
    reader_ = std::move(*reader);
    auto subscribed = reader_->subscribe([me = caf::actor{this}] { post(me, drain_atom_v); });
    if (!subscribed) return fail(subscribed.error());
    subscribed_ = std::move(*subscribed);
    return {};
  }

  // The brokers may be away.
  void wait_for_log(const error& e) {
    if (std::exchange(waiting_for_log_, true)) return;
    options_.log_to(log_level::warning, "admin requests cannot be read, and are tried again",
                    {{"topic", requests_.topic}, {"error", e.text()}});
    post_later(this, options_.progress_interval, reopen_atom_v);
  }

  // Admin is no reason to stop what the app is for.
  void give_up(const error& e) {
    given_up_ = true;
    options_.board->hold(false);
    options_.log_to(log_level::error, "admin requests are not answered any more",
                    {{"topic", requests_.topic}, {"error", e.text()}});
  }

  result<void> take_requests() {
    auto bounds = options_.log->bounds(requests_);
    if (!bounds) return fail(bounds.error());
    if (next_ < bounds->earliest) {
      options_.log_to(log_level::warning, "admin requests were deleted before they were read",
                      {{"topic", requests_.topic},
                       {"from", std::to_string(next_.value)},
                       {"to", std::to_string(bounds->earliest.value)}});
      next_ = bounds->earliest;
      changed_ = true;
    }
    auto next =
        for_each_record(*options_.log, *reader_, next_, [&](const record_view& r) -> result<bool> {
          take(r);
          next_ = r.offset + 1;  // also when a later one cannot be read
          changed_ = true;
          return out_->size_bytes() < enough_replies;
        });
    if (!next) return fail(next.error());
    changed_ = changed_ || *next != next_;
    next_ = *next;
    return {};
  }

  void take(const record_view& r) {
    const auto where = fmt::format("{}@{}", requests_.text(), r.offset);
    auto request = codec<admin::request>::decode(r.value.value_or(bytes_view{}));
    std::string id{r.key.value_or(bytes_view{})};
    if (id.empty() && request) id = request->id;
    if (id.empty() || id.size() > longest_id) {
      options_.log_to(log_level::warning, "an admin request without a usable id was passed over",
                      {{"position", where}});
      return;
    }
    if (!request) {
      return refuse(id, {request.error().code, where,
                         "not a request that this host can read: " + request.error().text()});
    }
    // Several processes have several clocks. What they read was asked while they were there.
    const auto now = options_.among ? r.time : options_.clock();
    const bool expired = request->deadline != timestamp{} && request->deadline < now;
    const bool replay = std::holds_alternative<admin::replay_request>(request->which);
    if (expired && !replay) {  // nobody waits for it
      options_.log_to(log_level::debug, "an expired admin request was passed over",
                      {{"position", where}});
      return;
    }
    if (expired) {
      return refuse(id, {errc::timed_out, where,
                         "not done: its deadline had passed when a host read it; ask again"});
    }
    asked by{id, r.offset, longest_question};
    if (request->deadline != timestamp{})
      by.patience = std::min(by.patience, request->deadline - now);
    auto answered = caught(where, [&]() -> result<void> {
      std::visit([&](const auto& question) { answer(by, question); }, request->which);
      return {};
    });
    if (!answered) refuse(id, answered.error());
  }

  void answer(const asked& by, const admin::status_request& question) {
    auto status = options_.status(question.stage);
    if (!status) return refuse(by.id, status.error());
    reply(by.id, std::move(*status), true);
  }

  void answer(const asked& by, const admin::get_request& question) {
    state_question q;
    q.stage = question.stage;
    q.key = question.key;
    if (!question.window.empty()) q.window = question.window;
    if (question.level == admin::level::latest) q.options.level = read_level::latest;
    q.options.timeout = by.patience;
    auto found = options_.find(q);
    if (!found) return refuse(by.id, found.error());
    reply(by.id, std::move(*found), true);
  }

  void answer(const asked& by, const admin::replay_request& question) {
    if (options_.among) {
      if (auto given = give_order(question); !given) refuse(by.id, given.error());
      return;
    }
    auto accepted = accept(by.id, question, by.at);
    if (!accepted) return refuse(by.id, accepted.error());
    options_.log_to(log_level::info, "a replay was accepted",
                    {{"stage", question.stage}, {"request", by.id}});
    say_progress(running_.back(), admin::replay_state::accepted);
    when_durable_.push_back([this, at = by.at] {
      failpoint::hit("admin.accepted");
      begin(at);
    });
  }

  // ── replays ──

  // To those of the tasks that are here.
  result<void> give_order(const admin::replay_request& question) {
    auto keyed = options_.topology->find_keyed(question.stage);
    if (!keyed) return fail(keyed.error());
    if ((*keyed)->aggregate) {
      return fail(
          errc::invalid_argument, question.stage,
          "where several processes run the app an aggregate takes no order: stop a process, "
          "delete its state folder, and start it again");
    }
    if (question.order == 0) {
      return fail(errc::invalid_argument, question.stage,
                  "where several processes run the app a replay needs an order: ask with kappa "
                  "replay, or admin_client::replay");
    }
    const auto& app = options_.topology->app_name();
    auto orders = task_orders(*options_.log, app, question.stage,
                              options_.topology->find(question.stage)->generation);
    if (!orders) return fail(orders.error());
    bool there = false;
    std::vector<caf::actor> all;
    for (const auto& t : options_.tasks) {
      if (t.id.stage != question.stage) continue;
      if (question.partition >= 0 && t.id.partition.value != question.partition) continue;
      there = true;
      const auto has = orders->find(t.id.partition);  // none: it has committed nothing yet
      const auto actor = t.actor();
      if (!actor || has == orders->end() || has->second.ordered >= question.order) continue;
      if (auto can = t.check_rebuild(); !can) return can;
      all.push_back(actor);
    }
    if (!there) {
      return fail(errc::not_found, fmt::format("{}[{}]", question.stage, question.partition),
                  "no such partition");
    }
    // All of them, once none is refused.
    for (const auto& actor : all)
      post(actor, std::make_shared<order_rebuild>(order_rebuild{question.order}));
    return {};
  }

  result<void> accept(const std::string& id, const admin::replay_request& question, offset at) {
    if (auto keyed = options_.topology->find_keyed(question.stage); !keyed)
      return fail(keyed.error());
    for (const auto& r : running_) {
      if (r.noted.stage != question.stage) continue;
      return fail(errc::unavailable, question.stage,
                  "it is being replayed already, by request " + r.noted.id, true);
    }
    running_replay r;
    r.noted.at = at;
    r.noted.id = id;
    r.noted.stage = question.stage;
    r.noted.first = std::max(question.partition, 0);
    std::int32_t tasks = 0;
    for (const auto& t : options_.tasks) {
      if (t.id.stage != question.stage) continue;
      ++tasks;
      if (question.partition >= 0 && t.id.partition.value != question.partition) continue;
      if (auto can = t.check_rebuild(); !can) return can;
      r.noted.steps.push_back(rebuild_step::waiting);
    }
    if (r.noted.steps.empty()) {
      return fail(errc::not_found, fmt::format("{}[{}]", question.stage, question.partition),
                  fmt::format("no such partition; the stage has partitions 0 … {}", tasks - 1));
    }
    r.problems.resize(r.noted.steps.size());
    running_.push_back(std::move(r));
    if (encode_pending(noted()).size() > metadata_for_pending) {
      running_.pop_back();
      return fail(errc::unavailable, question.stage,
                  "too many replays are under way: wait until one is done", true);
    }
    return {};
  }

  // What an earlier host has accepted.
  void take_up() {
    std::vector<offset> all;
    for (const auto& r : running_) all.push_back(r.noted.at);
    for (const auto at : all) {
      const auto& r = find(at)->noted;
      bool there = true;
      for (std::size_t i = 0; i < r.steps.size(); ++i)
        there = there && task_of(r.stage, r.first + static_cast<std::int32_t>(i)) != nullptr;
      if (there) {
        options_.log_to(log_level::info, "a replay is taken up again",
                        {{"stage", r.stage}, {"request", r.id}});
        begin(at);
        continue;
      }
      refuse(r.id, {errc::not_found, r.stage,
                    "the app has no such stage or partition any more; it was not replayed"});
      forget(at);
    }
  }

  const admin_task* task_of(const std::string& stage, std::int32_t p) const {
    const auto at = std::find_if(options_.tasks.begin(), options_.tasks.end(), [&](const auto& t) {
      return t.id.stage == stage && t.id.partition.value == p;
    });
    return at == options_.tasks.end() ? nullptr : &*at;
  }

  running_replay* find(offset at) {
    const auto found = std::find_if(running_.begin(), running_.end(),
                                    [&](const auto& r) { return r.noted.at == at; });
    return found == running_.end() ? nullptr : &*found;
  }

  void begin(offset at) {
    auto* const r = find(at);
    if (r == nullptr) return;
    for (std::size_t i = 0; i < r->noted.steps.size(); ++i) {
      const auto step = r->noted.steps[i];
      if (step == rebuild_step::done || step == rebuild_step::failed) continue;
      auto m = std::make_shared<rebuild_state>();
      m->request = at;
      m->erase = step == rebuild_step::waiting;
      m->from = caf::actor{this};
      post(task_of(r->noted.stage, r->noted.first + static_cast<std::int32_t>(i))->actor(),
           std::move(m));
    }
    finish_if_settled(at);
    tick_later();
  }

  void note(const state_rebuilt& m) {
    auto* const r = find(m.request);
    if (r == nullptr) return;
    const auto i = static_cast<std::size_t>(m.task.value - r->noted.first);
    r->noted.steps.at(i) = m.step;
    if (m.failed) {
      r->problems[i] = m.failed;
      options_.log_to(log_level::error, "a task could not be replayed",
                      {{"stage", r->noted.stage}, {"error", m.failed->text()}});
    }
    changed_ = true;
    finish_if_settled(m.request);
  }

  void finish_if_settled(offset at) {
    auto* const r = find(at);
    if (r == nullptr || !r->noted.settled()) return;
    std::string failures;
    for (std::size_t i = 0; i < r->noted.steps.size(); ++i) {
      if (r->noted.steps[i] != rebuild_step::failed) continue;
      failures += fmt::format(
          "{}[{}]: {}", failures.empty() ? "" : "; ", r->noted.first + static_cast<int>(i),
          r->problems[i] ? r->problems[i]->text() : "it failed before the host was started again");
    }
    if (failures.empty()) {
      failpoint::hit("admin.rebuilt");
      options_.log_to(log_level::info, "a replay is done",
                      {{"stage", r->noted.stage}, {"request", r->noted.id}});
      say_progress(*r, admin::replay_state::done);
    } else {
      refuse(r->noted.id, {errc::quarantined, r->noted.stage, "not all was replayed: " + failures});
    }
    forget(at);
  }

  void forget(offset at) {
    std::erase_if(running_, [&](const auto& r) { return r.noted.at == at; });
    changed_ = true;
  }

  void say_progress(running_replay& r, admin::replay_state state) {
    const auto tasks = options_.board->all();
    reply(r.noted.id, r.progress.now(r.noted, state, tasks, options_.clock()),
          state == admin::replay_state::done);
  }

  void tick_later() {
    if (ticking_ || running_.empty()) return;
    ticking_ = true;
    post_later(this, options_.progress_interval, tick_atom_v);
  }

  // ── replies ──

  void refuse(const std::string& id, const error& e) { reply(id, problem_of(e), true); }

  template <class What>
  void reply(const std::string& id, What what, bool last) {
    admin::reply r;
    r.id = id;
    r.instance = options_.instance;
    if (options_.among) r.process = options_.among->process;
    r.time = options_.clock();
    r.last = last;
    r.which = std::move(what);
    const auto before = out_->position();
    add_admin_record(*out_, r, r.time);
    if (out_->largest_bytes() > log_limits::max_max_record_bytes) {
      const auto size = out_->size_bytes() - before.bytes;
      out_->rewind(before);
      return refuse(id,
                    {errc::too_large, replies_.topic,
                     fmt::format("the answer has {} bytes, more than a record may have: ask for "
                                 "one window, or over HTTP",
                                 size)});
    }
    changed_ = true;
  }

  [[nodiscard]] std::vector<pending_replay> noted() const {
    std::vector<pending_replay> all;
    for (const auto& r : running_) all.push_back(r.noted);
    return all;
  }

  // The next T1 of the lane: replies, position and what is under way, all or nothing.
  void submit() {
    changed_ = false;
    if (options_.among && out_->empty()) return;
    auto e = std::make_shared<closed_epoch>();
    const auto key = admin_position(options_.topology->app_name());
    e->task = {key.app, key.stage, key.generation, key.task};
    e->number = ++epoch_;
    e->output_bytes = out_->size_bytes();
    if (!out_->empty()) e->appends.push_back({replies_, std::exchange(out_, new_batch())});
    if (!options_.among) {
      e->moves.push_back(
          {key, {next_, encode_metadata({e->number, encode_pending(noted()), false})}});
    }
    post(options_.lane,
         std::make_shared<submit_epoch>(submit_epoch{std::move(e), caf::actor{this}, 0}));
    in_flight_ = true;
  }

  static std::shared_ptr<record_batch> new_batch() { return std::make_shared<record_batch>(); }

  admin_options options_;
  topic_partition requests_;
  topic_partition replies_;
  offset next_;
  epoch_number epoch_;
  std::vector<running_replay> running_;
  std::unique_ptr<log_reader> reader_;  // of the requests
  std::unique_ptr<subscription> subscribed_;
  std::shared_ptr<record_batch> out_ = new_batch();
  bool changed_ = false;
  bool in_flight_ = false;
  bool given_up_ = false;
  bool waiting_for_log_ = false;
  bool ticking_ = false;
  std::vector<std::function<void()>> when_durable_;
};

}  // namespace

result<caf::actor> spawn_admin(caf::actor_system& system, admin_options options) {
  auto place = options.among ? admin_place{options.among->from, epoch_number{0}, {}}
                             : read_place(*options.log, options.topology->app_name());
  if (!place) return fail(place.error());
  return system.spawn<admin_actor, caf::detached>(std::move(options), std::move(*place));
}

}  // namespace kappa::detail
