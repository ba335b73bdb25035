#include "log/salvage_support.hpp"

#include <boost/test/unit_test.hpp>

#include <fmt/format.h>

#include "kappa/log/check.hpp"
#include "lmdb/file_snapshot.hpp"
#include "log/embedded_layout.hpp"
#include "log/log_tables.hpp"

namespace log_contract {

void salvage_case::find_places() {
  const auto snapshot = must(lmdb::file_snapshot::open({from, false, false}));
  std::vector<damage> none;
  const auto tables = detail::read_tables(*snapshot, none);
  for (const auto& [where, records] : content.records) {
    const auto number = tables.topics.at(where.topic).number;
    const auto tree = snapshot->trees().at(detail::frames_name(number, where.partition));
    std::vector<std::pair<std::int64_t, std::pair<std::uint64_t, std::uint64_t>>> frames;
    snapshot->walk_again(
        tree,
        [&](const lmdb::tree_entry& e) {
          const auto pages = e.own_pages ? snapshot->file().overflow_pages(e.value_bytes) : 1;
          frames.push_back({*read_ordered(e.key), {e.value_at / page_bytes, pages}});
          return true;
        },
        [](const lmdb::tree_fault& f) { BOOST_ERROR(f.what); });
    for (std::size_t i = 0; i < frames.size(); ++i) {
      const auto last =
          (i + 1 < frames.size() ? frames[i + 1].first : content.bounds.at(where).latest.value) - 1;
      const auto [page, pages] = frames[i].second;
      for (auto p = page; p < page + pages; ++p)
        places[p].push_back({where, frames[i].first, last});
    }
  }
}

bool listed(const salvage_report& report, const topic_partition& where, std::int64_t n) {
  for (const auto& m : report.missing) {
    if (m.range.topic == where.topic && m.range.partition == where.partition &&
        m.range.from.value <= n && (!m.range.to || n < m.range.to->value)) {
      return true;
    }
  }
  return false;
}

bool loss_names(const salvage_report& report, const std::string& name) {
  for (const auto& l : report.losses) {
    if (l.text().find(name) != std::string::npos) return true;
  }
  return false;
}

void salvage_case::verify(
    const salvage_report& report, const std::string& what,
    const std::function<bool(const topic_partition&, std::int64_t)>& may_lose) {
  const auto copy = read_content(to);
  BOOST_TEST(copy.id == content.id, what);
  std::uint64_t lost = 0;
  for (const auto& [where, records] : content.records) {
    const auto there = copy.records.find(where);
    BOOST_REQUIRE_MESSAGE(there != copy.records.end(), what << ": " << where.text() << " is gone");
    for (const auto& [n, text] : records) {
      const auto r = there->second.find(n);
      if (r == there->second.end()) {
        ++lost;
        BOOST_REQUIRE_MESSAGE(listed(report, where, n), what << ": " << where.text() << "@" << n
                                                             << " is missing, not listed");
        BOOST_REQUIRE_MESSAGE(may_lose(where, n),
                              what << ": " << where.text() << "@" << n << " need not be missing");
      } else {
        BOOST_REQUIRE_MESSAGE(r->second == text, what << ": " << where.text() << "@" << n);
        BOOST_REQUIRE_MESSAGE(!listed(report, where, n),
                              what << ": " << where.text() << "@" << n << " is listed, and there");
      }
    }
    for (const auto& [n, text] : there->second) {
      // Without the last transaction, what its retention had removed is there again.
      const bool undone = n < content.bounds.at(where).earliest.value;
      if (undone && loss_names(report, "last transaction")) continue;
      BOOST_REQUIRE_MESSAGE(records.contains(n), what << ": made up " << where.text() << "@" << n);
    }
  }
  if (lost == 0 && report.losses.empty()) BOOST_TEST(report.missing.empty(), what);
  for (const auto& [name, config] : content.topics) {
    const auto there = copy.topics.find(name);
    BOOST_REQUIRE_MESSAGE(there != copy.topics.end(), what << ": topic " << name);
    BOOST_TEST((there->second == config || loss_names(report, name)), what << ": topic " << name);
    BOOST_TEST(there->second.owner == config.owner, what << ": owner of " << name);
  }
  for (const auto& [key, position] : content.positions) {
    const auto there = copy.positions.find(key);
    if (there == copy.positions.end()) {
      BOOST_TEST((loss_names(report, key.text()) || loss_names(report, "log.positions")),
                 what << ": " << key.text() << " is missing, not listed");
    } else {
      BOOST_TEST((there->second == position), what << ": " << key.text());
    }
  }
  BOOST_TEST(copy.positions.size() <= content.positions.size(), what);
  for (const auto& [where, bounds] : copy.bounds) {
    BOOST_TEST(bounds.latest == content.bounds.at(where).latest,
               what << ": end of " << where.text());
  }
  for (const auto& [key, producer] : copy.producers) {
    const auto there = content.producers.find(key);
    BOOST_REQUIRE_MESSAGE(there != content.producers.end(), what << ": made up a producer");
    BOOST_TEST((there->second == producer), what << ": a producer");
  }
  BOOST_TEST((copy.producers.size() == content.producers.size() || loss_names(report, "producer")),
             what << ": producers");
  BOOST_TEST((copy.writers == content.writers || loss_names(report, "writer") ||
              loss_names(report, "log.apps")),
             what << ": writers");
  log_check_options options;
  options.folder = to;
  const auto checked = must(check_log(options));
  for (const auto& d : checked.damages) BOOST_ERROR(what << ": the copy: " << d.text());
  BOOST_TEST(checked.gaps.size() <= report.missing.size(), what);
}

}  // namespace log_contract
