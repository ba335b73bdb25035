#include "kafka/seen_commit.hpp"

#include <algorithm>
#include <chrono>
#include <string_view>
#include <thread>

namespace kappa::kafka {
namespace {

using clock = std::chrono::steady_clock;

// A broker that is well is done within milliseconds. Given up too soon, the outcome is looked for
// in a longer way, and is the same.
constexpr std::chrono::seconds patience{3};
constexpr std::chrono::milliseconds first_pause{1};
constexpr std::chrono::milliseconds last_pause{50};

std::string_view metadata_of(const rd_kafka_topic_partition_t& p) {
  return {static_cast<const char*>(p.metadata), p.metadata_size};
}

result<void> see(admin& ask, const transactional_producer::group_commit& c,
                 clock::time_point until) {
  // Those with metadata: the others are for lag tools, and go with their topic.
  std::vector<const rd_kafka_topic_partition_t*> wanted;
  std::vector<topic_partition> where;
  for (int i = 0; i < c.offsets->cnt; ++i) {
    const auto& p = c.offsets->elems[i];
    if (p.metadata_size == 0) continue;
    wanted.push_back(&p);
    where.push_back({p.topic, partition{p.partition}});
  }
  const auto unknown = [&](std::string why) {
    return fail(errc::indefinite, "group " + c.group,
                "the brokers have answered a commit, " + std::move(why));
  };
  for (auto pause = first_pause;; pause = std::min(2 * pause, last_pause)) {
    auto found = ask.offsets_as_they_are(c.group, where);
    if (!found) return unknown("and it cannot be seen: " + found.error().text());
    const bool settled = std::none_of(found->begin(), found->end(),
                                      [](const group_offset& at) { return at.unsettled; });
    if (settled) {
      const bool all =
          std::all_of(wanted.begin(), wanted.end(), [&](const rd_kafka_topic_partition_t* p) {
            return std::any_of(found->begin(), found->end(), [&](const group_offset& at) {
              return at.where.topic == p->topic && at.where.partition.value == p->partition &&
                     at.offset == p->offset && at.metadata == metadata_of(*p);
            });
          });
      if (all) return {};
      return unknown("and its offsets are not there");
    }
    if (clock::now() >= until) return unknown("and its offsets stay unsettled");
    std::this_thread::sleep_for(pause);
  }
}

}  // namespace

result<void> see_commit(admin& ask,
                        const std::vector<transactional_producer::group_commit>& commits) {
  const auto until = clock::now() + patience;
  for (const auto& c : commits) {
    if (auto seen = see(ask, c, until); !seen) return seen;
  }
  return {};
}

}  // namespace kappa::kafka
