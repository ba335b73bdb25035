#include "copy/copy_plan.hpp"

#include <algorithm>
#include <optional>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "copy/record_translation.hpp"
#include "kappa/copy/copy_note.hpp"
#include "kappa/core/suggest.hpp"
#include "kappa/stream/topology.hpp"
#include "kappa/task/epoch.hpp"
#include "kappa/task/layout.hpp"
#include "task/first_birth.hpp"

namespace kappa::detail {
namespace {

class planner {
 public:
  planner(event_log& from, const copy_options& options) : from_{from}, options_{options} {}

  result<copy_plan> run() {
    auto topics = from_.topics();
    if (!topics) return fail(topics.error());
    for (auto& t : *topics) all_.emplace(t.name, std::move(t));
    if (auto chosen = choose(); !chosen) return fail(chosen.error());
    order();
    return std::move(plan_);
  }

 private:
  // Only those that are chosen, and those they read: a shared log may have hundreds.
  result<void> look_at(const std::string& name) {
    const auto [found, first] = plan_.apps.try_emplace(name);
    auto& a = found->second;
    if (!first) return {};
    auto positions = from_.positions(name);
    if (!positions) return fail(positions.error());
    a.positions = std::move(*positions);
    for (const auto& p : a.positions) add_read(a, p.key.input);
    add_read(a, admin_topic(name));
    for (const auto& [topic, t] : all_) {
      if (t.owner != name || !is_epochs_topic(t)) continue;
      for (std::int32_t p = 0; p < t.partitions; ++p) {
        auto birth = first_birth(from_, {topic, partition{p}});
        if (!birth) return fail(birth.error());
        if (!*birth) continue;
        for (const auto& in : (*birth)->inputs) add_read(a, in);
      }
    }
    return {};
  }

  void add_read(copied_app& app, const std::string& input) {
    if (all_.contains(input)) app.reads.insert(input);  // else it is a source
  }

  result<void> choose() {
    if (!options_.app.empty()) return choose_app(options_.app);
    if (options_.topics.empty()) {
      for (const auto& [name, t] : all_) chosen_.insert(name);
    }
    for (const auto& name : options_.topics) {
      if (!all_.contains(name)) {
        std::vector<std::string> names;
        for (const auto& [n, t] : all_) names.push_back(n);
        const auto near = suggestion(name, names);
        return fail(errc::not_found, name,
                    fmt::format("there is no such topic in {}{}", from_.name(),
                                near.empty() ? "" : fmt::format("; did you mean {}?", near)));
      }
      chosen_.insert(name);
    }
    for (const auto& name : chosen_) {
      const auto& owner = all_.at(name).owner;
      if (owner.empty()) continue;
      if (auto looked = look_at(owner); !looked) return fail(looked.error());
    }
    for (const auto& [app, a] : plan_.apps) {
      std::vector<std::string> missing;
      for (const auto& name : needed_by(app)) {
        if (!chosen_.contains(name)) missing.push_back(name);
      }
      if (missing.empty()) continue;
      return fail(errc::invalid_argument, "app " + app,
                  fmt::format("its topics and positions move together: name also {}, or --app {} "
                              "and no topics",
                              fmt::join(missing, ", "), app));
    }
    return {};
  }

  // And the apps whose topics it reads, and so on.
  result<void> choose_app(const std::string& name) {
    if (std::none_of(all_.begin(), all_.end(),
                     [&](const auto& t) { return t.second.owner == name; })) {
      return fail(errc::not_found, "app " + name,
                  fmt::format("it has no topics in {}", from_.name()));
    }
    if (plan_.apps.contains(name)) return {};
    if (auto looked = look_at(name); !looked) return fail(looked.error());
    for (const auto& topic : needed_by(name)) {
      chosen_.insert(topic);
      const auto& owner = all_.at(topic).owner;
      if (owner.empty() || owner == name) continue;
      if (auto other = choose_app(owner); !other) return other;
    }
    return {};
  }

  std::set<std::string> needed_by(const std::string& app) const {
    auto names = plan_.apps.at(app).reads;
    for (const auto& [name, t] : all_) {
      if (t.owner == app) names.insert(name);
    }
    return names;
  }

  // How many apps stand between it and the topics from outside, along the longest way.
  std::size_t depth(const std::string& app, std::set<std::string> above) const {
    std::size_t most = 0;
    if (!above.insert(app).second) return most;  // they read each other's
    for (const auto& name : plan_.apps.at(app).reads) {
      const auto& owner = all_.at(name).owner;
      if (!owner.empty() && owner != app) most = std::max(most, 1 + depth(owner, above));
    }
    return most;
  }

  void order() {
    for (const auto& name : chosen_) plan_.topics.push_back(all_.at(name));
    std::map<std::string, std::size_t> depths;
    for (const auto& [app, a] : plan_.apps) depths[app] = depth(app, {});
    // Internal topics are the app's inputs as well, so that what is made from them comes behind.
    const auto place = [&](const topic_config& t) {
      if (t.owner.empty()) return std::tuple{0, std::size_t{0}, 0};
      const bool read = plan_.apps.at(t.owner).reads.contains(t.name);
      return std::tuple{is_epochs_topic(t) ? 2 : 1, depths.at(t.owner), read ? 0 : 1};
    };
    std::stable_sort(plan_.topics.begin(), plan_.topics.end(),
                     [&](const auto& a, const auto& b) { return place(a) < place(b); });
  }

  event_log& from_;
  const copy_options& options_;
  std::map<std::string, topic_config> all_;
  std::set<std::string> chosen_;
  copy_plan plan_;
};

// What the metadata of the app's position in its requests says: version and the list of replays
// that are under way.
bool has_work_under_way(bytes_view metadata) {
  const auto meta = decode_metadata(metadata);
  if (!meta || !meta->place) return false;
  return meta->place->find_first_not_of('\0', 1) != bytes::npos;
}

result<void> check_position(event_log& from, const log_transaction::move& m) {
  auto bounds = from.bounds({m.key.input, m.key.task});
  if (!bounds) return fail(bounds.error());
  if (m.value.next >= bounds->earliest && m.value.next <= bounds->latest) return {};
  return fail(errc::refused_start, m.key.text(),
              fmt::format("it is at {}, and the log has [{}, {}): the app cannot go on from there, "
                          "here or elsewhere",
                          m.value.next, bounds->earliest, bounds->latest));
}

}  // namespace

const topic_config* copy_plan::find(const std::string& topic) const {
  const auto found = std::find_if(topics.begin(), topics.end(),
                                  [&](const topic_config& t) { return t.name == topic; });
  return found == topics.end() ? nullptr : &*found;
}

result<copy_plan> plan_copy(event_log& from, const copy_options& options) {
  return planner{from, options}.run();
}

result<void> check_can_move(event_log& from, const copy_plan& plan, const std::string& app) {
  const auto admin = admin_position(app);
  for (const auto& m : plan.apps.at(app).positions) {
    if (m.key == copy_note_key(app)) continue;
    if (m.key == admin && has_work_under_way(m.value.metadata)) {
      return fail(errc::refused_start, "app " + app,
                  "a replay was asked for and is not done: start the app and let it finish first");
    }
    if (plan.find(m.key.input) == nullptr) continue;
    if (auto good = check_position(from, m); !good) return good;
  }
  for (const auto& t : plan.topics) {
    if (t.owner != app || !is_epochs_topic(t)) continue;
    for (std::int32_t p = 0; p < t.partitions; ++p) {
      const topic_partition where{t.name, partition{p}};
      auto birth = first_birth(from, where);
      if (!birth) return fail(birth.error());
      if (!*birth) continue;
      for (std::size_t i = 0; i < (*birth)->inputs.size(); ++i) {
        const topic_partition input{(*birth)->inputs[i], where.partition};
        if (plan.find(input.topic) == nullptr) continue;
        auto bounds = from.bounds(input);
        if (!bounds) return fail(bounds.error());
        const auto start = (*birth)->starts[i];
        if (start >= bounds->earliest) continue;
        return fail(errc::refused_start, fmt::format("{} input {}", where.text(), input.text()),
                    fmt::format("the stage began at {}, but the log begins at {}: after a copy its "
                                "state would have to be rebuilt from records that retention has "
                                "removed; a new start there (an app of another name, or a new "
                                "generation) is the way",
                                start, bounds->earliest));
      }
    }
  }
  return {};
}

}  // namespace kappa::detail
