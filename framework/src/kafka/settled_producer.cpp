#include "kafka/settled_producer.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "kafka/seen_commit.hpp"
#include "kafka/waiting_again.hpp"
#include "kappa/log/for_each_record.hpp"

namespace kappa::kafka {
namespace {

// As long as others' transactions take that are about to end.
constexpr std::chrono::milliseconds patience_with_others{200};
// For the brokers to tell the partitions of an abort. What stays open for longer is another
// process's, which may have died in the middle: the brokers end it some time, and it is not for us
// to wait. (Of ours, the broker would have died twice in the same millisecond.)
constexpr std::chrono::milliseconds patience_with_aborts{500};
// The same before what was taken away is sent again.
constexpr std::chrono::seconds patience_before_sending_again{3};
// Commits behind others' open transactions whose records are kept in memory. With one each 100 ms
// they are those of longer than the brokers let a transaction lie, by default.
constexpr std::size_t most_hidden = 256;

}  // namespace

struct settled_producer::fate {
  bool some_is_true = false;
  std::set<topic_partition> held;  // by its records
  std::set<topic_partition> gone;  // aborted, by a completion that did not come to its end
  std::vector<std::string> unsettled_groups;
  std::optional<topic_partition> hidden;  // there nobody can tell yet
  [[nodiscard]] bool is_torn() const {
    return some_is_true && !(held.empty() && gone.empty() && unsettled_groups.empty());
  }
};

result<std::unique_ptr<settled_producer>> settled_producer::open(const surroundings& around,
                                                                 std::string transactional_id,
                                                                 producer_reach reach) {
  std::unique_ptr<settled_producer> p{
      new settled_producer{around, std::move(transactional_id), std::move(reach)}};
  if (auto opened = p->open_anew(); !opened) return fail(opened.error());
  return p;
}

result<void> settled_producer::open_anew() {
  for (bool settled = false; !settled;) {
    producer_.reset();
    auto opened = transactional_producer::open(around_.options, id_);
    if (!opened) return fail(opened.error());
    producer_ = std::move(*opened);
    auto done = settle();
    if (!done) {
      producer_.reset();
      auto e = done.error();
      if (e.code == errc::indefinite) {  // of what was done here: nothing of the caller's was sent
        e.code = errc::unavailable;
        e.retriable = true;
      }
      return fail(std::move(e));
    }
    settled = *done;
  }
  producer_->aborts_are_seen();
  around_.doubts.forget(id_);
  return {};
}

// Ends what is open, one way or the other. False: look again, with a new producer.
result<bool> settled_producer::settle() {
  auto open = find_open(around_.ask, touched_);
  if (open) open = await_end(around_.ask, std::move(*open), patience_with_others);
  if (!open) return fail(open.error());
  for (const auto& [which, doubt] : around_.doubts.of(id_)) {
    auto f = wait_for_fate(*doubt);
    if (!f) return fail(f.error());
    if (f->is_torn()) {
      if (auto completed = complete(which, *doubt, *f); !completed) return fail(completed.error());
      return false;
    }
  }
  if (open->none()) return true;
  if (auto aborted = abort_hanging(*producer_, *open); !aborted) return fail(aborted.error());
  open = await_end(around_.ask, std::move(*open), patience_with_aborts);
  if (!open) return fail(open.error());
  if (!open->none()) {
    around_.options.log(log_level::info, "a transaction of another process is still open",
                        {{"where", open->text()}});
  }
  return true;
}

// What is hidden is so for as long as the brokers let another's transaction lie.
result<settled_producer::fate> settled_producer::wait_for_fate(const sent_commit& c) {
  waiting_again wait{around_.options.transaction_timeout};
  for (;;) {
    auto f = fate_of(c);
    if (!f || !f->hidden) return f;
    if (!wait.once_more()) {
      return fail(errc::unavailable, f->hidden->text(),
                  "another process's transaction lies open there, in front of a commit of which it "
                  "is not known whether it came true: nothing can be sent before it ends",
                  true);
    }
  }
}

result<settled_producer::fate> settled_producer::fate_of(const sent_commit& c) {
  fate f;
  f.some_is_true = c.answered;
  for (const auto& [tp, first] : c.begins()) {
    auto settled = around_.ask.settled_ends({tp});
    if (!settled) return fail(settled.error());
    if (settled->front() == first) f.held.insert(tp);
    if (settled->front() < first) f.hidden = tp;
    if (settled->front() <= first) continue;
    auto bounds = around_.log.bounds(tp);
    if (!bounds) return fail(bounds.error());
    if (bounds->earliest > first) continue;  // retention takes only what is over
    auto there = has_record_at(around_.log, tp, first, settled->front());
    if (!there) return fail(there.error());
    f.some_is_true |= *there;
    if (!*there) f.gone.insert(tp);
  }
  for (const auto& group : *c.commits) {
    auto found = look_at_offsets(around_.ask, group);
    if (!found) return fail(found.error());
    f.some_is_true |= *found == fate_of_offsets::came_true;
    if (*found == fate_of_offsets::unsettled) f.unsettled_groups.push_back(group.group);
  }
  return f;
}

// What is open of it becomes true.
result<void> settled_producer::complete(doubtful_commits::number which_commit, sent_commit c,
                                        const fate& f) {
  around_.options.log(log_level::warning,
                      "the brokers have told a part of a commit: the rest is made true",
                      {{"id", id_}});
  if (!f.held.empty()) {
    // A commit that touches a partition would need a record there, which nobody has sent. So the
    // records go, and come again.
    producer_reach reach;
    reach.partitions.assign(f.held.begin(), f.held.end());
    auto open = find_open(around_.ask, reach);
    if (!open) return fail(open.error());
    if (auto aborted = abort_hanging(*producer_, *open); !aborted) return aborted;
    open = await_end(around_.ask, std::move(*open), patience_before_sending_again);
    if (!open) return fail(open.error());
    if (!open->none()) {
      return fail(errc::unavailable, open->text(), "what a broker has left open there does not end",
                  true);
    }
    producer_->aborts_are_seen();
  }
  std::vector<std::size_t> which;
  std::vector<log_transaction::append> again;
  for (std::size_t i = 0; i < c.appends.size(); ++i) {
    if (!f.held.contains(c.appends[i].to) && !f.gone.contains(c.appends[i].to)) continue;
    which.push_back(i);
    again.push_back(c.appends[i]);
  }
  std::vector<group_commit> touched;
  for (const auto& group : f.unsettled_groups) touched.push_back(touch(group));
  if (auto sent = producer_->send(again, false); !sent) return fail(sent.error());
  auto bases = producer_->prepare(touched);
  if (!bases) return fail(bases.error());
  for (std::size_t i = 0; i < which.size(); ++i) c.bases[which[i]] = (*bases)[i];
  around_.doubts.replace(id_, which_commit, c);
  if (auto committed = producer_->commit(); !committed) return committed;
  auto hidden = see_commit(around_.ask, c);
  if (!hidden) return fail(hidden.error());
  keep_hidden(which_commit, c, *hidden);
  return {};
}

void settled_producer::keep_hidden(doubtful_commits::number which, const sent_commit& c,
                                   const record_begins& hidden) {
  if (hidden.empty()) {
    around_.doubts.forget(id_, which);
  } else {
    around_.doubts.replace(id_, which, c.only_in(hidden));
  }
}

// Those before this one. One that is hidden hides those after it too, as a rule.
void settled_producer::look_again_before(doubtful_commits::number newest) {
  const auto all = around_.doubts.of(id_);
  for (const auto& [which, c] : all) {
    if (which == newest) break;
    auto hidden = see_records(around_.ask, c->begins());
    if (!hidden) {
      // It hangs, though it was answered, and the next `send` makes it true.
      producer_.reset();
      return;
    }
    keep_hidden(which, *c, *hidden);
    if (!hidden->empty()) break;
  }
  if (all.size() > most_hidden) {
    around_.options.log(
        log_level::warning,
        "commits lie behind another process's open transaction for too long to be "
        "remembered",
        {{"id", id_}, {"where", all.begin()->second->begins().begin()->first.text()}});
    around_.doubts.forget(id_, all.begin()->first);
  }
}

result<std::vector<offset>> settled_producer::send(
    const std::vector<log_transaction::append>& appends, bool wait_for_bases) {
  if (!producer_ || !producer_->usable()) {
    if (auto opened = open_anew(); !opened) return fail(opened.error());
  }
  sent_ = appends;
  touched_ = {};
  std::set<topic_partition> where;
  for (const auto& a : appends) where.insert(a.to);
  touched_.partitions.assign(where.begin(), where.end());
  return producer_->send(appends, wait_for_bases);
}

result<std::vector<offset>> settled_producer::finish(std::vector<group_commit> commits) {
  for (const auto& c : commits) touched_.offsets[c.group] = tasks_of(c);
  auto bases = producer_->prepare(commits);
  if (!bases) return bases;
  sent_commit sent{std::move(sent_), *bases,
                   std::make_shared<const std::vector<group_commit>>(std::move(commits))};
  const auto which = around_.doubts.add(id_, sent);
  if (auto answered = producer_->commit(); !answered) {
    if (!producer_->is_in_doubt()) around_.doubts.forget(id_, which);
    return fail(answered.error());
  }
  sent.answered = true;
  around_.doubts.replace(id_, which, sent);
  auto hidden = see_commit(around_.ask, sent);
  if (!hidden) {
    producer_.reset();
    return fail(hidden.error());
  }
  keep_hidden(which, sent, *hidden);
  look_again_before(which);
  return bases;
}

}  // namespace kappa::kafka
