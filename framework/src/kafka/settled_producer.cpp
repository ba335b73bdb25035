#include "kafka/settled_producer.hpp"

#include <set>
#include <utility>

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
  bool is_decided = true;
  std::set<topic_partition> there;
  std::set<topic_partition> held;  // by its records
  std::set<topic_partition> gone;  // with an abort
  record_begins hidden;            // behind others' transactions: nobody can tell yet
  std::vector<std::string> unsettled_groups;
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
  return {};
}

// Ends what is open, one way or the other. False: look again, with a new producer.
result<bool> settled_producer::settle() {
  auto open = find_open(around_.ask, touched_);
  if (open) open = await_end(around_.ask, std::move(*open), patience_with_others);
  if (!open) return fail(open.error());
  auto changed = settle_doubts();
  if (!changed) return fail(changed.error());
  if (*changed) return false;
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

// True: something was sent or aborted, so that another look is due.
//
// Newest first: nothing was aborted between those that are not marked so, so that what is there of
// one tells the same of those before it.
result<bool> settled_producer::settle_doubts() {
  std::set<topic_partition> there;
  std::optional<std::pair<doubtful_commits::number, fate>> torn;
  const auto all = around_.doubts.of(id_);
  for (auto at = all.rbegin(); at != all.rend(); ++at) {
    const auto& [which, c] = *at;
    auto f = wait_for_fate(*c, c->aborted_since ? std::set<topic_partition>{} : there);
    if (!f) return fail(f.error());
    if (!f->is_decided) {
      // Its records that can be seen are no help to find out, and may be what another one in the
      // same case waits for. Should it prove to be true, they are sent again.
      if (auto aborted = abort_in(f->held); !aborted) return fail(aborted.error());
      return true;
    }
    if (!c->aborted_since) there.insert(f->there.begin(), f->there.end());
    if (f->is_torn()) {
      auto left = *c;
      left.aborted_since = true;
      around_.doubts.replace(id_, which, std::move(left));
      torn.emplace(which, std::move(*f));
    } else {
      keep_hidden(which, *c, f->some_is_true ? f->hidden : record_begins{}, true);
    }
  }
  if (!torn) return false;
  const auto& [oldest, f] = *torn;
  if (auto done = complete(oldest, *around_.doubts.of(id_).at(oldest), f); !done)
    return fail(done.error());
  return true;
}

// What nobody can tell of is waited for, for as long as the brokers let another's transaction lie.
result<settled_producer::fate> settled_producer::wait_for_fate(
    const sent_commit& c, const std::set<topic_partition>& there) {
  waiting_again wait{2 * around_.options.transaction_timeout};
  for (;;) {
    auto f = fate_of(c, there);
    if (!f || f->is_decided || !f->held.empty()) return f;
    if (!wait.once_more()) {
      return fail(errc::unavailable, f->hidden.begin()->first.text(),
                  "another process's transaction lies open there, in front of a commit of which it "
                  "is not known whether it came true: nothing can be sent before it ends",
                  true);
    }
  }
}

// `there`: where it is known to be.
result<settled_producer::fate> settled_producer::fate_of(const sent_commit& c,
                                                         const std::set<topic_partition>& there) {
  fate f;
  f.some_is_true = c.answered;
  bool offsets_settled = !c.commits->empty();
  for (const auto& group : *c.commits) {
    auto found = look_at_offsets(around_.ask, group);
    if (!found) return fail(found.error());
    f.some_is_true |= *found == fate_of_offsets::came_true;
    if (*found != fate_of_offsets::unsettled) continue;
    f.unsettled_groups.push_back(group.group);
    offsets_settled = false;
  }
  const auto begins = c.begins();
  std::vector<topic_partition> where;
  for (const auto& [tp, first] : begins) {
    if (!there.contains(tp)) where.push_back(tp);
  }
  auto ends = around_.ask.ends(where);
  if (!ends) return fail(ends.error());
  for (const auto& end : *ends) {
    const auto first = begins.at(end.where);
    if (end.written <= first) {
      f.gone.insert(end.where);  // with a broker's disk
    } else if (end.settled < first) {
      f.hidden.emplace(end.where, first);
    } else if (end.settled == first) {
      f.held.insert(end.where);
    } else {
      auto bounds = around_.log.bounds(end.where);
      if (!bounds) return fail(bounds.error());
      if (bounds->earliest > first) continue;  // retention has taken what would have told
      auto found = has_record_at(around_.log, end.where, first, end.settled);
      if (!found) return fail(found.error());
      (*found ? f.there : f.gone).insert(end.where);
    }
  }
  f.some_is_true |= !f.there.empty();
  f.is_decided = f.some_is_true || offsets_settled || f.hidden.empty();
  return f;
}

result<void> settled_producer::abort_in(const std::set<topic_partition>& where) {
  producer_reach reach;
  reach.partitions.assign(where.begin(), where.end());
  auto open = find_open(around_.ask, reach);
  if (!open) return fail(open.error());
  if (open->none()) return {};
  if (auto aborted = abort_hanging(*producer_, *open); !aborted) return aborted;
  open = await_end(around_.ask, std::move(*open), patience_before_sending_again);
  if (!open) return fail(open.error());
  if (!open->none()) {
    return fail(errc::unavailable, open->text(), "what a broker has left open there does not end",
                true);
  }
  producer_->aborts_are_seen();
  return {};
}

// What is open of it becomes true.
result<void> settled_producer::complete(doubtful_commits::number which_commit, sent_commit c,
                                        const fate& f) {
  around_.options.log(log_level::warning,
                      "the brokers have told a part of a commit: the rest is made true",
                      {{"id", id_}});
  c.answered = true;  // decided, for whoever has to go on with it
  // A commit that touches a partition would need a record there, which nobody has sent. So the
  // records go, and come again. What is gone may have gone with a completion that broke off, and
  // that may hang in its turn.
  std::set<topic_partition> again_in = f.held;
  again_in.insert(f.gone.begin(), f.gone.end());
  if (auto aborted = abort_in(again_in); !aborted) return aborted;
  std::vector<std::size_t> which;
  std::vector<log_transaction::append> again;
  for (std::size_t i = 0; i < c.appends.size(); ++i) {
    if (!again_in.contains(c.appends[i].to)) continue;
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
  for (const auto& [tp, first] : f.hidden) hidden->emplace(tp, first);
  keep_hidden(which_commit, c, *hidden, true);
  return {};
}

void settled_producer::keep_hidden(doubtful_commits::number which, const sent_commit& c,
                                   const record_begins& hidden, bool aborted_since) {
  if (hidden.empty()) {
    around_.doubts.forget(id_, which);
    return;
  }
  auto left = c.only_in(hidden);
  left.aborted_since = aborted_since;
  around_.doubts.replace(id_, which, std::move(left));
}

// Those before this one. One that is hidden hides those after it too, as a rule.
void settled_producer::look_again_before(doubtful_commits::number newest) {
  for (const auto& [which, c] : around_.doubts.of(id_)) {
    if (which == newest) break;
    auto hidden = still_hidden(*c);
    if (!hidden) {
      // It hangs, though it was answered, or is gone: the next `send` makes it true.
      producer_.reset();
      return;
    }
    keep_hidden(which, *c, *hidden, c->aborted_since);
    if (!hidden->empty()) break;
  }
  if (const auto left = around_.doubts.of(id_); left.size() > most_hidden) {
    if (!std::exchange(said_too_many_, true)) {
      around_.options.log(
          log_level::warning,
          "commits lie behind another process's open transaction for too long to be remembered",
          {{"id", id_}, {"where", left.begin()->second->begins().begin()->first.text()}});
    }
    around_.doubts.forget(id_, left.begin()->first);
  }
}

result<record_begins> settled_producer::still_hidden(const sent_commit& c) {
  if (!c.aborted_since) return see_records(around_.ask, c.begins());
  auto f = fate_of(c, {});
  if (!f) return fail(f.error());
  if (f->is_torn()) return fail(errc::indefinite, id_, "a part of a commit is not there");
  return std::move(f->hidden);
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
  keep_hidden(which, sent, *hidden, false);
  look_again_before(which);
  return bases;
}

}  // namespace kappa::kafka
