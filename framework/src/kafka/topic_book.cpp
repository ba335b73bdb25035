#include "kafka/topic_book.hpp"

#include <algorithm>
#include <thread>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "kafka/names.hpp"
#include "kafka/topic_watch.hpp"
#include "kappa/core/parse_number.hpp"
#include "kappa/log/wait_and_read.hpp"
#include "log/log_rules.hpp"

namespace kappa::kafka {
namespace {

namespace json = boost::json;

// A batch of records carries this much besides, at most.
constexpr std::size_t batch_overhead_bytes = 512;
constexpr std::size_t usual_max_message_bytes = 1'048'588;  // Kafka's default
constexpr const char* for_ever = "-1";
constexpr std::chrono::seconds patience_with_new_topic{10};
constexpr std::chrono::seconds patience_with_maker{3};
constexpr std::chrono::milliseconds topics_look_every{20};

std::string number(std::int64_t n) { return std::to_string(n); }

std::map<std::string, std::string> retention_of(const topic_config& c) {
  return {{"retention.ms", c.retention_time ? number(c.retention_time->count()) : for_ever},
          {"retention.bytes",
           c.retention_bytes ? number(static_cast<std::int64_t>(*c.retention_bytes)) : for_ever}};
}

std::map<std::string, std::string> settings_of(const topic_config& c) {
  auto s = retention_of(c);
  s["cleanup.policy"] = c.compacted ? "compact" : "delete";
  // A limit of Kafka's is one on batches: the record's own is checked before it is sent.
  s["max.message.bytes"] =
      std::to_string(std::max(usual_max_message_bytes, c.max_record_bytes + batch_overhead_bytes));
  // Event time is what the events say, whenever they come.
  s["message.timestamp.type"] = "CreateTime";
  s["message.timestamp.after.max.ms"] = number(INT64_MAX);
  s["message.timestamp.before.max.ms"] = number(INT64_MAX);
  return s;
}

std::optional<std::int64_t> number_in(const std::map<std::string, std::string>& settings,
                                      const std::string& name) {
  const auto at = settings.find(name);
  std::int64_t n = 0;
  if (at == settings.end() || !parse_number(at->second, n)) return std::nullopt;
  return n;
}

topic_config config_of(const std::string& name, const topic_description& d) {
  topic_config c;
  c.name = name;
  c.partitions = d.partitions;
  if (const auto ms = number_in(d.settings, "retention.ms"); ms && *ms >= 0)
    c.retention_time = milliseconds{*ms};
  if (const auto b = number_in(d.settings, "retention.bytes"); b && *b >= 0)
    c.retention_bytes = static_cast<std::uint64_t>(*b);
  const auto most = number_in(d.settings, "max.message.bytes");
  c.max_record_bytes = most ? static_cast<std::size_t>(*most) : usual_max_message_bytes;
  const auto policy = d.settings.find("cleanup.policy");
  c.compacted = policy != d.settings.end() && policy->second.find("compact") != std::string::npos;
  return c;
}

struct topic_note {
  std::string id;
  std::string owner;
  std::size_t max_record_bytes = 0;
};

std::optional<topic_note> parse_note(const std::string& text) {
  boost::system::error_code bad;
  const auto value = json::parse(text, bad);
  const auto* members = bad ? nullptr : value.if_object();
  const auto* id = members != nullptr ? members->if_contains("id") : nullptr;
  const auto* owner = members != nullptr ? members->if_contains("owner") : nullptr;
  const auto* most = members != nullptr ? members->if_contains("max_record_bytes") : nullptr;
  if (id == nullptr || owner == nullptr || most == nullptr || !id->is_string() ||
      !owner->is_string() || !most->is_number())
    return std::nullopt;
  return topic_note{std::string{id->as_string()}, std::string{owner->as_string()},
                    most->to_number<std::size_t>(bad)};
}

std::string intention(const std::string& topic, const std::string& owner) {
  return topic + " " + owner;
}

}  // namespace

result<void> topic_book::make_notes_topic() {
  auto made = ask_.create_topic(topics_topic, 1, options_.replication,
                                {{"cleanup.policy", "compact"},
                                 {"retention.ms", for_ever},
                                 {"message.timestamp.type", "LogAppendTime"}});
  if (!made && made.error().code != errc::already_exists) return made;
  if (auto there = await(topics_topic); !there) return fail(there.error());
  return {};
}

// Reads the notes up to their end.
result<void> topic_book::catch_up() {
  const topic_partition where{topics_topic, partition{0}};
  if (reader_ && reader_->outdated()) reader_.reset();
  if (!reader_) {
    auto there = ask_.describe_topic(topics_topic);
    if (!there) return fail(there.error());
    if (!*there) return {};  // nobody has made it yet
  }
  auto bounds = ask_.bounds(where);
  if (!bounds) return fail(bounds.error());
  if (!reader_) {
    auto opened = reader::open(pool_, ask_, buffers_, where);
    if (!opened) return fail(opened.error());
    reader_ = std::move(*opened);
    next_ = bounds->earliest;
  }
  constexpr std::size_t read_bytes = 256 << 10;
  while (next_ < bounds->latest) {
    auto batch = wait_and_read(*reader_, next_, bounds->latest, read_bytes);
    if (!batch) {
      if (batch.error().code == errc::timed_out) pool_.retire();
      return fail(batch.error());
    }
    for (const auto& r : batch->records()) {
      if (r.key && r.value) notes_[std::string{*r.key}] = std::string{*r.value};
    }
    next_ = batch->next();
  }
  return {};
}

result<outside_producer::receipt> topic_book::put(const std::string& key,
                                                  const std::string& value) {
  record_batch one;
  one.add(timestamp{std::chrono::duration_cast<milliseconds>(
              std::chrono::system_clock::now().time_since_epoch())},
          key, value);
  if (!reader_) {  // nobody has noted anything yet
    if (auto made = make_notes_topic(); !made) return fail(made.error());
  }
  auto put = out_.append({topics_topic, partition{0}}, one);
  if (put) notes_[key] = value;
  return put;
}

std::optional<topic_config> topic_book::remembered(const std::string& name) {
  const std::lock_guard lock{known_mutex_};
  const auto k = known_.find(name);
  return k == known_.end() ? std::nullopt : std::optional{k->second};
}

void topic_book::remember(const topic_config& config) {
  const std::lock_guard lock{known_mutex_};
  known_[config.name] = config;
}

void topic_book::forget(const std::string& name) {
  const std::lock_guard lock{known_mutex_};
  known_.erase(name);
}

// The lock is held, and the notes are read.
result<std::optional<topic_config>> topic_book::look(const std::string& name) {
  topic_config named;
  named.name = name;
  if (!detail::check_topic(named)) return std::optional<topic_config>{};
  auto described = ask_.describe_topic(name);
  if (!described) return fail(described.error());
  if (!*described) {
    forget(name);
    return std::optional<topic_config>{};
  }
  if (auto settled = settle(name, (*described)->id); !settled) return fail(settled.error());
  auto config = with_note(name, **described);
  if (!config) return fail(config.error());
  return std::optional{std::move(*config)};
}

// A topic without a note that somebody meant to make is being made, or its maker died: in that case
// it is noted down for him.
result<void> topic_book::settle(const std::string& name, const std::string& id) {
  const auto until = std::chrono::steady_clock::now() + patience_with_maker;
  // Who makes it notes that down before: perhaps since the notes were read here.
  if (!notes_.contains(name)) {
    if (auto read = catch_up(); !read) return read;
  }
  for (;;) {
    if (notes_.contains(name)) return {};
    const auto meant = notes_.lower_bound(name + " ");
    if (meant == notes_.end() || !meant->first.starts_with(name + " ")) return {};
    if (std::chrono::steady_clock::now() >= until) {
      topic_config wanted;
      wanted.name = name;
      wanted.owner = meant->first.substr(name.size() + 1);
      boost::system::error_code bad;
      const auto value = json::parse(meant->second, bad);
      if (!bad && value.is_object() && value.as_object().contains("max_record_bytes"))
        wanted.max_record_bytes = value.at("max_record_bytes").to_number<std::size_t>(bad);
      return claim(wanted, id);
    }
    std::this_thread::sleep_for(topics_look_every);
    if (auto read = catch_up(); !read) return read;
  }
}

// The lock is held, and the notes are read.
result<topic_config> topic_book::with_note(const std::string& name, const topic_description& d) {
  auto config = config_of(name, d);
  if (const auto n = notes_.find(name); n != notes_.end()) {
    auto note = parse_note(n->second);
    if (!note) {
      return fail(errc::corrupt, fmt::format("{} key {}", topics_topic, name),
                  "malformed: a note of a topic's owner is a JSON object with id, owner and "
                  "max_record_bytes");
    }
    if (note->id == d.id) {
      config.owner = std::move(note->owner);
      config.max_record_bytes = note->max_record_bytes;
    }
  }
  remember(config);
  return config;
}

// What was just made is soon known to every broker.
result<topic_description> topic_book::await(const std::string& name) {
  const auto until = std::chrono::steady_clock::now() + patience_with_new_topic;
  for (;;) {
    auto described = ask_.describe_topic(name);
    if (!described) return fail(described.error());
    if (*described) return std::move(**described);
    if (std::chrono::steady_clock::now() >= until)
      return fail(errc::timed_out, name, "it was just made, and the brokers do not know it", true);
    std::this_thread::sleep_for(topics_look_every);
  }
}

result<void> topic_book::claim(const topic_config& wanted, const std::string& id) {
  auto noted =
      put(wanted.name,
          json::serialize(json::object{
              {"id", id}, {"owner", wanted.owner}, {"max_record_bytes", wanted.max_record_bytes}}));
  if (!noted) return fail(noted.error());
  return {};
}

result<std::optional<timestamp>> topic_book::brokers_time() {
  const std::lock_guard lock{mutex_};
  if (auto read = catch_up(); !read) return fail(read.error());
  auto noted = put("/clock", "{}");  // no topic has such a name
  if (!noted) return fail(noted.error());
  return noted->taken_at;
}

result<void> topic_book::create(const topic_config& config) {
  if (auto good = detail::check_topic(config); !good) return good;
  const std::lock_guard lock{mutex_};
  if (auto read = catch_up(); !read) return read;
  const auto intent = intention(config.name, config.owner);
  auto there = look(config.name);
  if (!there) return fail(there.error());
  bool made = false;
  if (!*there) {
    const auto meant = json::serialize(json::object{{"max_record_bytes", config.max_record_bytes}});
    if (auto noted = put(intent, meant); !noted) return fail(noted.error());
    auto created = ask_.create_topic(config.name, config.partitions, options_.replication,
                                     settings_of(config));
    made = created.has_value();
    if (!created && created.error().code != errc::already_exists) return created;
    if (!made) {  // somebody else was faster
      if (auto known = await(config.name); !known) return fail(known.error());
      if (auto read = catch_up(); !read) return read;
      there = look(config.name);
      if (!there) return fail(there.error());
    }
  }
  if (made) {
    auto described = await(config.name);
    if (!described) return fail(described.error());
    if (auto claimed = claim(config, described->id); !claimed) return claimed;
    there = look(config.name);
    if (!there) return fail(there.error());
  }
  if (!*there) return fail(errc::unavailable, config.name, "it is being made or deleted", true);
  if (auto same = detail::check_same_topic(**there, config); !same) return same;
  if ((*there)->retention_time != config.retention_time ||
      (*there)->retention_bytes != config.retention_bytes) {
    if (auto changed = ask_.change_topic(config.name, retention_of(config)); !changed)
      return changed;
    forget(config.name);
  }
  return {};
}

result<std::optional<topic_config>> topic_book::find(const std::string& name) {
  const std::lock_guard lock{mutex_};
  if (auto read = catch_up(); !read) return fail(read.error());
  return look(name);
}

result<std::optional<topic_config>> topic_book::known(const std::string& name) {
  if (auto k = remembered(name)) return k;
  const std::lock_guard lock{mutex_};
  if (auto read = catch_up(); !read) return fail(read.error());
  return look(name);
}

result<std::map<std::string, topic_description>> topic_book::describe(
    const std::vector<std::string>& names) {
  auto described = ask_.describe_topics(names);
  if (!described) return fail(described.error());
  const std::lock_guard lock{absences_mutex_};
  for (const auto& name : names) {
    if (described->contains(name)) {
      absences_.erase(name);
      continue;
    }
    if (absences_[name].lasts()) return fail(deleted_topic(name));
    return fail(errc::unavailable, name, "the brokers do not know it at the moment", true);
  }
  return described;
}

result<std::vector<topic_config>> topic_book::all() {
  const std::lock_guard lock{mutex_};
  if (auto read = catch_up(); !read) return fail(read.error());
  auto names = ask_.topics();
  if (!names) return fail(names.error());
  std::erase(*names, topics_topic);
  auto found = configs_of(*names);
  if (found) std::erase_if(*found, is_tasks_topic);
  return found;
}

// Of those that this user may know of. Does not ask how others are set: that he may not be allowed.
result<std::vector<topic_config>> topic_book::owned_by(const std::string& app) {
  auto found = written_by(app);
  if (found) std::erase_if(*found, [&](const topic_config& t) { return t.owner != app; });
  return found;
}

result<std::vector<topic_config>> topic_book::written_by(const std::string& app) {
  const std::lock_guard lock{mutex_};
  if (auto read = catch_up(); !read) return fail(read.error());
  auto names = ask_.topics();
  if (!names) return fail(names.error());
  std::erase_if(*names, [&](const std::string& name) {
    topic_config c;
    c.name = name;
    if (const auto noted = notes_.find(name); noted != notes_.end()) {
      auto note = parse_note(noted->second);
      if (!note) return false;  // whose a damaged one is nobody knows: an error
      c.owner = std::move(note->owner);
    }
    return !detail::may_write(c, app);
  });
  auto found = configs_of(*names);
  // Made anew meanwhile, it is another's.
  if (found)
    std::erase_if(*found, [&](const topic_config& t) { return !detail::may_write(t, app); });
  return found;
}

// The lock is held, and the notes are read.
result<std::vector<topic_config>> topic_book::configs_of(const std::vector<std::string>& names) {
  auto described = ask_.describe_topics(names);
  if (!described) return fail(described.error());
  std::vector<topic_config> out;
  for (const auto& [name, d] : *described) {
    auto found = with_note(name, d);
    if (!found) return fail(found.error());
    out.push_back(std::move(*found));
  }
  return out;
}

}  // namespace kappa::kafka
