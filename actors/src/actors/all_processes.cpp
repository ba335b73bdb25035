#include "actors/all_processes.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "actors/conversation.hpp"
#include "kappa/actors/admin_client.hpp"
#include "kappa/actors/committed_status.hpp"

namespace kappa::detail {
namespace {

using time_point = conversation::time_point;

time_point now() { return std::chrono::steady_clock::now(); }

std::set<std::string> ids_of(const std::vector<app_process>& processes) {
  std::set<std::string> ids;
  for (const auto& p : processes) ids.insert(p.id);
  return ids;
}

// For people. What it says of itself is newer than what the brokers know.
std::string text_of(const app_process& p, const std::string& says = {}) {
  return fmt::format("{} on {}", says.empty() ? p.instance : says, p.host);
}

// A question, asked round by round until it is answered or the patience is over.
class inquiry {
 public:
  inquiry(event_log& log, const std::string& app, conversation& with, const clock_fn& clock,
          std::chrono::milliseconds patience)
      : log_{log}, app_{app}, with_{with}, clock_{clock}, until_{now() + patience} {}

  /// Who runs the app now; it is asked unless nobody does.
  result<void> ask(const admin_question& what) {
    auto found = log_.processes(app_);
    if (!found) return fail(found.error());
    processes_ = std::move(*found);
    silent_ = ids_of(processes_);
    round_until_ = std::min(until_, now() + one_round);
    if (processes_.empty()) return {};
    auto asked = with_.ask(what, clock_(),
                           std::chrono::duration_cast<std::chrono::milliseconds>(until_ - now()));
    if (!asked) return fail(asked.error());
    return {};
  }
  /// Nothing: the round is over.
  result<std::optional<admin::reply>> next() {
    auto reply = with_.next(round_until_);
    if (reply && *reply) silent_.erase((*reply)->process);
    return reply;
  }
  /// Tells `take` of the replies until all processes have answered, or (`to_the_end`) the round is
  /// over.
  template <class Take>
  result<void> each(bool to_the_end, Take take) {
    while (to_the_end || !silent_.empty()) {
      auto reply = next();
      if (!reply) return fail(reply.error());
      if (!*reply) break;
      take(**reply);
    }
    return {};
  }

  [[nodiscard]] const std::vector<app_process>& processes() const { return processes_; }
  /// Who has not answered in this round.
  [[nodiscard]] const std::set<std::string>& silent() const { return silent_; }
  [[nodiscard]] bool over() const { return now() >= until_; }

 private:
  event_log& log_;
  const std::string& app_;
  conversation& with_;
  const clock_fn& clock_;
  const time_point until_;
  time_point round_until_;
  std::vector<app_process> processes_;
  std::set<std::string> silent_;
};

// ── status ──

struct told {
  std::string process;
  admin::status status;
};

class status_of_all {
 public:
  void take(admin::reply& r) {
    std::erase_if(told_, [&](const told& t) { return t.process == r.process; });
    refused_.erase(r.process);
    if (auto* s = std::get_if<admin::status>(&r.which)) {
      told_.push_back({r.process, std::move(*s)});
    } else if (const auto* p = std::get_if<admin::problem>(&r.which)) {
      refused_[r.process] = error_of(*p);
    }
  }
  /// What all say that can say something: a wrong question.
  [[nodiscard]] std::optional<error> refusal() const {
    if (!told_.empty() || refused_.empty()) return std::nullopt;
    return refused_.begin()->second;
  }

  [[nodiscard]] admin::status together(const event_log& log, const std::string& app,
                                       const std::vector<app_process>& processes) const {
    admin::status out;
    out.app = app;
    out.log = log.name();
    out.log_id = log.id();
    for (const auto& p : processes) {
      auto& process = out.processes.emplace_back();
      process.id = p.id;
      process.instance = text_of(p);
      const auto at = std::find_if(told_.begin(), told_.end(),
                                   [&](const told& t) { return t.process == p.id; });
      if (at == told_.end()) continue;
      const auto& s = at->status;
      process.answers = true;
      process.instance = text_of(p, s.instance);
      process.started = s.started;
      process.failed = s.failed;
      process.failure = s.failure;
      if (processes.size() == 1) out.instance = s.instance;
      if (out.started == timestamp{} || s.started < out.started) out.started = s.started;
      if (s.failed && !std::exchange(out.failed, true)) out.failure = s.failure;
    }
    for (const auto& t : told_) {  // who answered last knows best
      const auto p = std::find_if(processes.begin(), processes.end(),
                                  [&](const app_process& each) { return each.id == t.process; });
      if (p == processes.end()) continue;
      for (const auto& stage : t.status.stages) add(out, stage, text_of(*p, t.status.instance));
    }
    return out;
  }

 private:
  static void add(admin::status& to, const admin::stage_status& stage,
                  const std::string& instance) {
    auto at = std::find_if(to.stages.begin(), to.stages.end(), [&](const auto& s) {
      return s.name == stage.name && s.generation == stage.generation;
    });
    if (at == to.stages.end()) at = to.stages.insert(at, stage);
    at->tasks.resize(std::max(at->tasks.size(), stage.tasks.size()));
    for (std::size_t i = 0; i < stage.tasks.size(); ++i) {
      if (stage.tasks[i].health == admin::health::elsewhere) continue;
      at->tasks[i] = stage.tasks[i];
      at->tasks[i].instance = instance;
    }
  }

  std::vector<told> told_;  // in the order of their answers
  std::map<std::string, error> refused_;
};

template <class F>
void each_unclaimed(admin::status& s, F f) {
  for (auto& stage : s.stages) {
    for (auto& task : stage.tasks) {
      if (task.health == admin::health::elsewhere) f(stage, task);
    }
  }
}

bool is_whole(admin::status& s) {
  bool whole = true;
  each_unclaimed(s, [&](const auto&, const auto&) { whole = false; });
  return whole;
}

// Of what nobody says that he has it: why, and what the log knows.
result<void> complete(admin::status& s, event_log& log, const std::string& stage,
                      const std::vector<app_process>& processes) {
  auto known = committed_status(log, s.app);
  if (!known) return fail(known.error());
  if (s.stages.empty()) {  // nobody has answered
    for (auto& each : known->stages) {
      if (!stage.empty() && each.name != stage) continue;
      if (!s.stages.empty() && s.stages.back().name == each.name) s.stages.pop_back();  // older
      s.stages.push_back(each);
      for (auto& task : s.stages.back().tasks) task.health = admin::health::elsewhere;
    }
    if (s.stages.empty()) {
      return fail(errc::not_found, "stage " + stage,
                  "no process answers, and the app has not run with such a stage");
    }
  }
  each_unclaimed(s, [&](admin::stage_status& in, admin::task_status& task) {
    task.health = admin::health::unowned;
    for (const auto& p : processes) {
      const bool has = std::find(p.tasks.begin(), p.tasks.end(),
                                 task_place{in.name, partition{task.partition}}) != p.tasks.end();
      const bool answers = std::any_of(s.processes.begin(), s.processes.end(),
                                       [&](const auto& a) { return a.id == p.id && a.answers; });
      if (!has || answers) continue;
      task.health = admin::health::unanswered;
      task.instance = text_of(p);
    }
    for (const auto& other : known->stages) {
      if (other.name != in.name || other.generation != in.generation) continue;
      for (const auto& t : other.tasks) {
        if (t.partition != task.partition) continue;
        task.inputs = t.inputs;
        task.lag = t.lag;
        task.epoch = t.epoch;
      }
    }
  });
  return {};
}

// ── get ──

bool asked_again(const error& e) {
  return e.code == errc::unavailable || e.code == errc::elsewhere || e.code == errc::stopped ||
         e.code == errc::timed_out;
}

// Nobody has the key's task, as it seems. `said`: by whom, in the last round.
error nobody_has_it(const admin::get_request& what, const inquiry& of,
                    const std::map<std::string, error>& said) {
  auto subject = what.stage;
  for (const auto& [process, e] : said) {
    if (e.code != errc::elsewhere) return e;  // the one that has it, or will
    subject = e.subject;
  }
  std::vector<std::string> silent;
  for (const auto& p : of.processes()) {
    if (of.silent().contains(p.id)) silent.push_back(text_of(p));
  }
  if (!silent.empty()) {
    return {errc::timed_out, subject,
            fmt::format("{} {} not answer, and no other process has the task of key {}",
                        fmt::join(silent, ", "), silent.size() == 1 ? "does" : "do", what.key)};
  }
  return {errc::unavailable, subject,
          fmt::format("no process has the task of key {} at the moment: tasks are being moved; ask "
                      "again",
                      what.key),
          true};
}

}  // namespace

result<std::optional<admin::status>> all_processes::status(const std::string& stage,
                                                           std::chrono::milliseconds patience) {
  auto with = conversation::open(log_, app_);
  if (!with) return fail(with.error());
  inquiry i{*log_, app_, **with, clock_, patience};
  status_of_all all;
  for (;;) {
    if (auto asked = i.ask(admin::status_request{.stage = stage}); !asked)
      return fail(asked.error());
    if (i.processes().empty()) return std::optional<admin::status>{};
    const auto take = [&](admin::reply& r) { all.take(r); };
    if (auto heard = i.each(false, take); !heard) return fail(heard.error());
    if (const auto refused = all.refusal()) return fail(*refused);
    auto s = all.together(*log_, app_, i.processes());
    if (i.silent().empty() && is_whole(s)) return std::optional{std::move(s)};
    if (i.over()) {
      if (auto done = complete(s, *log_, stage, i.processes()); !done) return fail(done.error());
      return std::optional{std::move(s)};
    }
    if (auto heard = i.each(true, take); !heard) return fail(heard.error());
  }
}

result<std::optional<admin::found>> all_processes::get(const admin::get_request& what,
                                                       std::chrono::milliseconds patience) {
  auto with = conversation::open(log_, app_);
  if (!with) return fail(with.error());
  inquiry i{*log_, app_, **with, clock_, patience};
  for (;;) {
    if (auto asked = i.ask(what); !asked) return fail(asked.error());
    if (i.processes().empty()) return std::optional<admin::found>{};
    std::map<std::string, error> said;
    for (bool round = true; round;) {
      auto reply = i.next();
      if (!reply) return fail(reply.error());
      if (!*reply) break;
      if (auto* found = std::get_if<admin::found>(&(*reply)->which))
        return std::optional{std::move(*found)};
      if (const auto* problem = std::get_if<admin::problem>(&(*reply)->which))
        said[(*reply)->process] = error_of(*problem);
      // A wrong question: it is so for all.
      round = !i.silent().empty() || std::any_of(said.begin(), said.end(), [](const auto& each) {
        return asked_again(each.second);
      });
    }
    for (const auto& [process, e] : said) {
      if (!asked_again(e)) return fail(e);
    }
    if (i.over()) return fail(nobody_has_it(what, i, said));
  }
}

}  // namespace kappa::detail
