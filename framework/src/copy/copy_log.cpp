#include "kappa/copy/copy_log.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include <fmt/format.h>

#include "copy/copy_plan.hpp"
#include "copy/partition_copy.hpp"
#include "copy/record_translation.hpp"
#include "kappa/copy/copy_note.hpp"
#include "kappa/core/failpoint.hpp"
#include "kappa/task/layout.hpp"

namespace kappa {
namespace detail {
namespace {

// The name under which a copy writes on Kafka: of two at a time the later one wins.
constexpr const char* writing_as = "copy";

class copier {
 public:
  copier(event_log& from, event_log& to, const copy_options& options)
      : from_{from}, to_{to}, options_{options} {}

  result<copy_report> run() {
    auto planned = plan_copy(from_, options_);
    if (!planned) return fail(planned.error());
    plan_ = std::move(*planned);
    for (const auto& [app, a] : plan_.apps) {
      if (auto whole = check_copy_complete(from_, app); !whole) return fail(whole.error());
      if (auto looked = look_at_target(app); !looked) return fail(looked.error());
    }
    for (const auto& app : report_.moved) {
      if (auto held = hold(app); !held) return fail(held.error());
    }
    if (auto again = look_again(); !again) return fail(again.error());
    for (const auto& app : report_.moved) {
      if (auto good = check_can_move(from_, plan_, app); !good) return fail(good.error());
    }
    for (const auto& app : report_.moved) {
      if (auto noted = note_begin(app); !noted) return fail(noted.error());
    }
    failpoint::hit("copy.noted");
    for (const auto& t : plan_.topics) {
      if (is_left_alone(t)) continue;
      if (auto copied = copy_topic(t); !copied) return fail(copied.error());
    }
    if (auto same = check_unchanged(); !same) return fail(same.error());
    failpoint::hit("copy.records_done");
    for (const auto& app : report_.moved) {
      if (auto moved = move_positions(app); !moved) return fail(moved.error());
      failpoint::hit("copy.moved");
    }
    if (auto kept = set_retention(); !kept) return fail(kept.error());
    return report_;
  }

 private:
  result<void> look_at_target(const std::string& app) {
    auto note = find_copy_note(to_, app);
    if (!note) return fail(note.error());
    if (*note) {
      if ((*note)->log_id != from_.id()) {
        return fail(errc::already_exists, "app " + app,
                    fmt::format("{} has a copy of it from another log, {} ({}), and not from {}",
                                to_.name(), (*note)->log, (*note)->log_id, from_.name()));
      }
      ((*note)->complete ? report_.complete : report_.moved).push_back(app);
      return {};
    }
    auto topics = to_.topics();
    if (!topics) return fail(topics.error());
    const auto own = std::find_if(topics->begin(), topics->end(),
                                  [&](const topic_config& t) { return t.owner == app; });
    if (own != topics->end()) {
      return fail(errc::already_exists, "app " + app,
                  fmt::format("{} has its topic {} already, and not from a copy: copy into a log "
                              "on which it has never run",
                              to_.name(), own->name));
    }
    auto positions = to_.positions(app);
    if (!positions) return fail(positions.error());
    if (!positions->empty()) {
      return fail(errc::already_exists, "app " + app,
                  fmt::format("{} has its position {} already, and not from a copy", to_.name(),
                              positions->front().key.text()));
    }
    report_.moved.push_back(app);
    return {};
  }

  // So that it neither runs nor starts meanwhile. On Kafka there is no lock that a tool could hold:
  // that nothing changed is looked at in the end.
  result<void> hold(const std::string& app) {
    const auto in = [&](const event_log& log, const error& e) {
      auto told = e;
      if (e.code == errc::owned) {
        told.message += fmt::format(" in {}: stop it first{}", log.name(),
                                    log.places_tasks() ? " (a process that has ended counts until "
                                                         "its session is over)"
                                                       : "");
      }
      return fail(std::move(told));
    };
    if (from_.places_tasks()) {
      auto holder = from_.holder(app);
      if (!holder) return fail(holder.error());
      if (*holder) return in(from_, {errc::owned, app, fmt::format("{} has it", **holder)});
    } else {
      auto writer = from_.open_writer({app, options_.instance});
      if (!writer) return in(from_, writer.error());
      held_.push_back(std::move(*writer));
    }
    auto writer = to_.open_writer({app, options_.instance, writing_as});
    if (!writer) return in(to_, writer.error());
    writers_[app] = std::move(*writer);
    return {};
  }

  // The apps may have run until they were held.
  result<void> look_again() {
    auto planned = plan_copy(from_, options_);
    if (!planned) return fail(planned.error());
    plan_ = std::move(*planned);
    for (const auto& t : plan_.topics) {
      for (std::int32_t p = 0; p < t.partitions && !is_left_alone(t); ++p) {
        const topic_partition where{t.name, partition{p}};
        auto end = from_.settled_end(where);
        if (!end) return fail(end.error());
        ends_[where] = *end;
      }
    }
    return {};
  }

  result<void> note_begin(const std::string& app) {
    const auto key = copy_note_key(app);
    if (auto room = to_.make_room({app, key.stage, key.generation, 1}); !room) return room;
    return commit(app, {{}, {to_move(app, {false, from_.id(), from_.name()})}});
  }

  result<void> commit(const std::string& app, const log_transaction& tx) {
    auto done = writers_.at(app)->commit(tx);
    if (!done) return fail(done.error());
    return {};
  }

  // Of an app that goes on in the new log already, and what it reads.
  bool is_left_alone(const topic_config& t) const {
    if (!t.owner.empty()) return !is_moved(t.owner);
    bool read_there = false;
    for (const auto& [app, a] : plan_.apps) {
      if (!a.reads.contains(t.name)) continue;
      if (is_moved(app)) return false;
      read_there = true;
    }
    return read_there;
  }
  bool is_moved(const std::string& app) const {
    return std::find(report_.moved.begin(), report_.moved.end(), app) != report_.moved.end();
  }

  // Kept for ever while it is being filled, or what is there could not be compared.
  result<void> make_topic(const topic_config& wanted) {
    auto there = to_.find_topic(wanted.name);
    if (!there) return fail(there.error());
    auto config = wanted;
    config.retention_time.reset();
    config.retention_bytes.reset();
    config.max_record_bytes =
        std::min<std::size_t>(config.max_record_bytes, log_limits::max_max_record_bytes);
    if (*there) {  // its retention may be the user's
      config.retention_time = (*there)->retention_time;
      config.retention_bytes = (*there)->retention_bytes;
    }
    return to_.create_topic(config);
  }

  result<void> copy_topic(const topic_config& t) {
    if (auto made = make_topic(t); !made) return made;
    failpoint::hit("copy.topic_made");
    ++report_.topics;
    for (std::int32_t p = 0; p < t.partitions; ++p) {
      const topic_partition where{t.name, partition{p}};
      record_translation translate{t, where.partition, maps_, to_};
      const auto of = ends_.at(where);
      const partition_copy copy{
          from_,
          to_,
          where,
          of,
          options_.batch_bytes,
          translate,
          [&](std::shared_ptr<const record_batch> batch, std::uint64_t sequence) {
            return append(t, where, std::move(batch), sequence);
          },
          [&](std::uint64_t done) {
            if (options_.progress)
              options_.progress(fmt::format("{}, {} of {}", where.text(), done, of));
          }};
      auto copied = copy.run();
      if (!copied) return fail(copied.error());
      ++report_.partitions;
      report_.records += copied->appended;
      report_.found += copied->found;
      maps_.insert_or_assign(where, std::move(copied->map));
    }
    return {};
  }

  result<offset> append(const topic_config& t, const topic_partition& where,
                        std::shared_ptr<const record_batch> batch, std::uint64_t sequence) {
    if (!t.owner.empty()) {
      log_transaction tx;
      tx.appends.push_back({where, std::move(batch)});
      auto done = writers_.at(t.owner)->commit(tx);
      if (!done) return fail(done.error());
      return done->bases.front();
    }
    auto done = to_.append(where, *batch, producer_sequence{"kappa.copy." + from_.id(), sequence});
    if (!done) return fail(done.error());
    if (!done->duplicate) return done->base;
    return fail(errc::fenced, where.text(), "another copy from the same log has taken over");
  }

  result<void> check_unchanged() {
    for (const auto& [where, end] : ends_) {
      auto now = from_.settled_end(where);
      if (!now) return fail(now.error());
      if (*now == end) continue;
      return fail(errc::refused_start, where.text(),
                  fmt::format("{} has grown while it was copied: stop what writes there, and run "
                              "the same again, it goes on where it was",
                              from_.name()));
    }
    for (const auto& app : report_.moved) {
      auto positions = from_.positions(app);
      if (!positions) return fail(positions.error());
      const auto& then = plan_.apps.at(app).positions;
      const bool same = std::equal(
          then.begin(), then.end(), positions->begin(), positions->end(),
          [](const auto& a, const auto& b) { return a.key == b.key && a.value == b.value; });
      if (same) continue;
      return fail(errc::refused_start, "app " + app,
                  fmt::format("it ran in {} while it was copied: stop it, and copy into a log "
                              "without its topics",
                              from_.name()));
    }
    return {};
  }

  // All of an app's in one transaction, with the note that it is complete.
  result<void> move_positions(const std::string& app) {
    log_transaction tx;
    std::map<std::pair<std::string, generation>, std::int32_t> stages;
    for (auto m : plan_.apps.at(app).positions) {
      if (m.key.stage == copy_note_key(app).stage) continue;
      auto& tasks = stages[{m.key.stage, m.key.generation}];
      tasks = std::max(tasks, m.key.task.value + 1);
      const auto map = maps_.find({m.key.input, m.key.task});
      if (map != maps_.end()) m.value.next = map->second.position(m.value.next);
      tx.moves.push_back(std::move(m));
    }
    for (const auto& [stage, tasks] : stages) {
      const auto* epochs =
          plan_.find(fmt::format("{}.{}.g{}.epochs", app, stage.first, stage.second));
      auto room = to_.make_room(
          {app, stage.first, stage.second, epochs != nullptr ? epochs->partitions : tasks});
      if (!room) return room;
    }
    report_.positions += tx.moves.size();
    tx.moves.push_back(to_move(app, {true, from_.id(), from_.name()}));
    return commit(app, tx);
  }

  result<void> set_retention() {
    for (const auto& t : plan_.topics) {
      if (!t.retention_time && !t.retention_bytes) continue;
      auto there = to_.find_topic(t.name);
      if (!there) return fail(there.error());
      if (!*there || (*there)->retention_time || (*there)->retention_bytes) continue;
      if (auto set = to_.create_topic(t); !set) return set;
    }
    return {};
  }

  event_log& from_;
  event_log& to_;
  const copy_options& options_;
  copy_plan plan_;
  copy_report report_;
  std::vector<std::unique_ptr<log_writer>> held_;
  std::map<std::string, std::unique_ptr<log_writer>> writers_;
  std::map<topic_partition, offset> ends_;
  offset_maps maps_;
};

}  // namespace
}  // namespace detail

result<copy_report> copy_log(event_log& from, event_log& to, const copy_options& options) {
  if (from.id() == to.id()) {
    return fail(errc::invalid_argument, to.name(),
                fmt::format("it is the same log as {}", from.name()));
  }
  if (!options.app.empty() && !options.topics.empty()) {
    return fail(errc::invalid_argument, "app " + options.app,
                "give an app or topics, not both: an app's topics move together");
  }
  if (options.batch_bytes < copy_options::min_batch_bytes ||
      options.batch_bytes > copy_options::max_batch_bytes) {
    return fail(errc::invalid_argument, "batch_bytes",
                fmt::format("{} is not in {} … {}", options.batch_bytes,
                            copy_options::min_batch_bytes, copy_options::max_batch_bytes));
  }
  return detail::copier{from, to, options}.run();
}

}  // namespace kappa
