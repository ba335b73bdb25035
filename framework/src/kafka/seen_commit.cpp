#include "kafka/seen_commit.hpp"

#include <algorithm>
#include <chrono>
#include <span>
#include <string_view>

#include "kafka/waiting_again.hpp"

namespace kappa::kafka {
namespace {

// A broker that is well is done within milliseconds. Given up too soon, the outcome is looked for
// in a longer way, and is the same.
constexpr std::chrono::seconds patience{3};

std::string_view metadata_of(const rd_kafka_topic_partition_t& p) {
  return {static_cast<const char*>(p.metadata), p.metadata_size};
}

std::span<const rd_kafka_topic_partition_t> elements_of(const group_commit& c) {
  return {c.offsets->elems, static_cast<std::size_t>(c.offsets->cnt)};
}

tl::unexpected<error> unknown(const std::string& where, const std::string& why) {
  return fail(errc::indefinite, where, "the brokers have answered a commit, " + why);
}

result<void> see_offsets(admin& ask, const group_commit& sent, waiting_again& wait) {
  const auto group = "group " + sent.group;
  for (;;) {
    auto found = look_at_offsets(ask, sent);
    if (!found) return unknown(group, "and it cannot be seen: " + found.error().text());
    if (*found == fate_of_offsets::came_true) return {};
    if (*found == fate_of_offsets::others_are_there)
      return unknown(group, "and its offsets are not there");
    if (!wait.once_more()) return unknown(group, "and its offsets stay unsettled");
  }
}

result<record_begins> see_records(admin& ask, record_begins begins, waiting_again& wait) {
  for (;;) {
    std::vector<topic_partition> where;
    for (const auto& [tp, first] : begins) where.push_back(tp);
    if (where.empty()) return begins;
    auto ends = ask.settled_ends(where);
    if (!ends)
      return unknown(where.front().text(), "and it cannot be seen: " + ends.error().text());
    const topic_partition* held = nullptr;
    for (std::size_t i = 0; i < where.size(); ++i) {
      const auto first = begins.at(where[i]);
      if ((*ends)[i] > first) begins.erase(where[i]);
      if ((*ends)[i] == first) held = &where[i];
    }
    if (held == nullptr) return begins;
    if (!wait.once_more()) return unknown(held->text(), "and its records stay unsettled");
  }
}

}  // namespace

std::vector<topic_partition> tasks_of(const group_commit& c) {
  std::vector<topic_partition> all;
  for (const auto& p : elements_of(c)) {
    if (p.metadata_size != 0) all.push_back({p.topic, partition{p.partition}});
  }
  return all;
}

result<fate_of_offsets> look_at_offsets(admin& ask, const group_commit& sent) {
  auto found = ask.offsets_as_they_are(sent.group, tasks_of(sent));
  if (!found) return fail(found.error());
  if (std::any_of(found->begin(), found->end(),
                  [](const group_offset& at) { return at.unsettled; }))
    return fate_of_offsets::unsettled;
  for (const auto& p : elements_of(sent)) {
    if (p.metadata_size == 0) continue;
    const bool there = std::any_of(found->begin(), found->end(), [&](const group_offset& at) {
      return at.where.topic == p.topic && at.where.partition.value == p.partition &&
             at.offset == p.offset && at.metadata == metadata_of(p);
    });
    if (!there) return fate_of_offsets::others_are_there;
  }
  return fate_of_offsets::came_true;
}

result<record_begins> see_commit(admin& ask, const sent_commit& sent) {
  waiting_again wait{patience};
  for (const auto& c : *sent.commits) {
    if (auto seen = see_offsets(ask, c, wait); !seen) return fail(seen.error());
  }
  return see_records(ask, sent.begins(), wait);
}

result<record_begins> see_records(admin& ask, record_begins begins) {
  waiting_again wait{patience};
  return see_records(ask, std::move(begins), wait);
}

}  // namespace kappa::kafka
