#include "actors/running_tasks.hpp"

#include <algorithm>
#include <future>
#include <set>

#include "actors/caf_compat.hpp"
#include "kappa/task/epoch.hpp"

namespace kappa::detail {
namespace {

constexpr std::chrono::milliseconds glance{20};  // between two looks for a failure

result<void> how_it_stopped(std::future<result<void>>& done, const task_id& id) {
  try {
    return done.get();
  } catch (const std::future_error&) {
    return fail(errc::stopped, id.text(),
                "its actor had ended before; its last epochs will be replayed");
  }
}

error elsewhere(const task_id& id) {
  return {errc::elsewhere, id.text(), "it runs in another process", true};
}

}  // namespace

void running_tasks::add(task_actor_options options) {
  const std::unique_lock lock{mutex_};
  if (options.opener.commands)
    options.opener.commands->close(elsewhere(options.id));  // until it runs here
  all_.push_back({std::move(options), nullptr});
}

std::size_t running_tasks::size() const {
  const std::shared_lock lock{mutex_};
  return all_.size();
}

task_id running_tasks::id(std::size_t task) const {
  const std::shared_lock lock{mutex_};
  return all_.at(task).options.id;
}

caf::actor running_tasks::actor(std::size_t task) const {
  const std::shared_lock lock{mutex_};
  return all_.at(task).actor;
}

result<std::vector<std::size_t>> running_tasks::of_stage(const std::string& stage) const {
  const std::shared_lock lock{mutex_};
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < all_.size(); ++i) {
    if (all_[i].options.id.stage == stage) found.push_back(i);
  }
  if (!found.empty()) return found;
  return fail(errc::unavailable, stage, "this host replays other stages, and only them");
}

result<void> running_tasks::send(std::size_t task, read_ptr question) const {
  const std::shared_lock lock{mutex_};
  if (task >= all_.size()) return fail(errc::stopped, "the host", "it has stopped", true);
  const auto& e = all_[task];
  if (!e.actor) {
    return fail(elsewhere(e.options.id));
  }
  question->until = saturating_add(e.options.clock(), question->options.timeout);
  post(e.actor, std::move(question));
  return {};
}

result<state_entries> running_tasks::read(std::size_t task, bytes from, std::optional<bytes> to,
                                          std::size_t limit, const query_options& options) const {
  auto r = std::make_shared<read_request>();
  const auto what = printable(from);
  r->from = std::move(from);
  r->to = std::move(to);
  r->limit = limit;
  r->options = options;
  auto answer = r->answer.get_future();
  if (auto sent = send(task, std::move(r)); !sent) return fail(sent.error());
  if (answer.wait_for(options.timeout) != std::future_status::ready)
    return fail(errc::timed_out, what, "no answer to a query in time", true);
  try {
    return answer.get();
  } catch (const std::future_error&) {
    return fail(errc::stopped, what, "the task has stopped", true);
  }
}

result<void> running_tasks::send(std::size_t task, command_call& command) const {
  const std::shared_lock lock{mutex_};
  if (task >= all_.size()) return fail(errc::stopped, "the host", "it has stopped", true);
  const auto& o = all_[task].options;
  if (!o.opener.commands)
    return fail(errc::unavailable, o.id.text(), "this host replays, and decides nothing", true);
  if (board_->has_failed()) return fail(errc::stopped, o.id.text(), "the host has failed", true);
  return o.opener.commands->put(std::move(command));
}

void running_tasks::start(std::size_t task, task_ptr first) {
  const std::unique_lock lock{mutex_};
  auto& e = all_.at(task);
  if (e.options.opener.commands) e.options.opener.commands->open();
  auto options = e.options;
  options.first = std::move(first);
  e.actor = spawn_task(system_, std::move(options));
}

// ── what the log says ──

result<bool> running_tasks::all_ended(event_log& log, const topology& t) const {
  auto positions = log.positions(t.app_name());
  if (!positions) return fail(positions.error());
  std::set<task_place> ended;
  for (const auto& p : *positions) {
    const auto meta = decode_metadata(p.value.metadata);
    if (meta && meta->ended) ended.insert({p.key.stage, p.key.task});
  }
  const std::shared_lock lock{mutex_};
  return std::all_of(all_.begin(), all_.end(), [&](const entry& e) {
    return t.follows_aggregates(*t.find(e.options.id.stage)) ||
           ended.contains({e.options.id.stage, e.options.id.partition});
  });
}

std::size_t running_tasks::find(const task_place& task) const {
  const auto at = std::find_if(all_.begin(), all_.end(), [&](const entry& e) {
    return e.options.id.stage == task.stage && e.options.id.partition == task.task;
  });
  return static_cast<std::size_t>(at - all_.begin());
}

void running_tasks::given(const task_place& task) {
  const std::unique_lock lock{mutex_};
  const auto i = find(task);
  if (stopping_ || i == all_.size()) return;
  log_to_(log_level::info, "task given", {{"task", all_[i].options.id.text()}});
  board_->update(i, [](task_status& s) {
    s.health = task_health::starting;
    s.standby.reset();
  });
  if (standbys_) standbys_->given(i);
  if (all_[i].options.opener.commands) all_[i].options.opener.commands->open();
  all_[i].actor = spawn_task(system_, all_[i].options);
}

void running_tasks::taken(const task_place& task, bool lost, std::function<void()> done) {
  caf::actor ending;
  std::shared_ptr<command_inbox> commands;
  task_id id;
  std::size_t i = 0;
  {
    const std::unique_lock lock{mutex_};
    i = find(task);
    if (i != all_.size()) {
      ending = std::exchange(all_[i].actor, nullptr);
      commands = all_[i].options.opener.commands;
      id = all_[i].options.id;
    }
    if (ending) {
      log_to_(lost ? log_level::warning : log_level::info, lost ? "task lost" : "task taken",
              {{"task", id.text()}});
    }
  }
  if (!ending) {
    done();
    return;
  }
  {
    const std::unique_lock lock{mutex_};
    std::erase_if(leaving_, [](const leaving& l) {
      return l.ended.wait_for(std::chrono::seconds{0}) == std::future_status::ready;
    });
    leaving_.push_back({ending, end_of(ending)});
  }
  when_it_ends(ending, [done = std::move(done), keeper = standbys_, i, id, commands] {
    if (keeper) keeper->gone(i);
    if (commands) commands->close(elsewhere(id));
    done();
  });
  auto s = std::make_shared<stop_request>();
  s->kind = lost ? stop_kind::lost : stop_kind::hand_over;
  post(ending, std::move(s));
}

void running_tasks::failed(const error& e) { board_->fail(e); }

// ── the end ──

result<void> running_tasks::stop(bool& stuck) {
  struct stopping_task {
    task_id id;
    caf::actor actor;
    std::future<result<void>> done;
    std::future<void> ended;
  };
  std::vector<stopping_task> waiting;
  {
    const std::unique_lock lock{mutex_};
    stopping_ = true;
    for (const auto& e : all_) {
      if (!e.actor) continue;
      auto s = std::make_shared<stop_request>();
      waiting.push_back({e.options.id, e.actor, s->done.get_future(), end_of(e.actor)});
      post(e.actor, s);
    }
  }
  auto until = std::chrono::steady_clock::now() + patience_with_stop;
  bool has_failed = false;
  const auto wait = [&](const auto& done) {
    for (;;) {
      const auto now = std::chrono::steady_clock::now();
      if (!has_failed && board_->failure()) {  // nothing commits any more
        has_failed = true;
        until = std::min(until, now + patience_after_failure);
      }
      if (done.wait_until(std::min(now + glance, until)) == std::future_status::ready) return true;
      if (now >= until) return false;
    }
  };
  result<void> outcome;
  std::vector<std::future<void>> stopped;
  std::vector<std::future<void>> ending;
  for (auto& w : waiting) {
    result<void> r;
    if (wait(w.done)) {
      r = how_it_stopped(w.done, w.id);
      stopped.push_back(std::move(w.ended));
    } else {
      r = fail(errc::timed_out, w.id.text(), "it did not stop in time");
      end_now(w.actor);
      ending.push_back(std::move(w.ended));
    }
    if (!r && outcome) outcome = r;
  }
  // What was taken away, perhaps while it stopped, waits for the commit that is in flight; after a
  // failure perhaps for ever.
  std::vector<leaving> gone;
  {
    const std::unique_lock lock{mutex_};
    gone = std::exchange(leaving_, {});
  }
  for (auto& g : gone) {
    if (wait(g.ended)) continue;
    end_now(g.actor);
    ending.push_back(std::move(g.ended));
  }
  const auto ended_until = std::chrono::steady_clock::now() + patience_after_failure;
  for (const auto& e : ending) {
    stuck = e.wait_until(ended_until) != std::future_status::ready || stuck;
  }
  // They have only their states to close; the system may be the program's, and outlive the host.
  for (const auto& e : stopped) {
    stuck = e.wait_for(patience_with_stop) != std::future_status::ready || stuck;
  }
  refuse_commands();
  if (const auto e = board_->failure()) return fail(*e);
  return outcome;
}

// Without the lock: whoever is told may ask again at once.
void running_tasks::refuse_commands() {
  std::vector<std::pair<task_id, std::shared_ptr<command_inbox>>> all;
  {
    const std::shared_lock lock{mutex_};
    for (const auto& e : all_) {
      if (e.options.opener.commands) all.emplace_back(e.options.id, e.options.opener.commands);
    }
  }
  for (const auto& [id, commands] : all)
    commands->close({errc::stopped, id.text(), "the host has stopped", true});
}

void running_tasks::clear() {
  const std::unique_lock lock{mutex_};
  all_.clear();
  leaving_.clear();  // taken after the stop, when they had ended
}

}  // namespace kappa::detail
