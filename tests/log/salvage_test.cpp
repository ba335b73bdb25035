#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <functional>
#include <map>
#include <random>
#include <set>

#include <fmt/format.h>

#include "kappa/log/check.hpp"
#include "kappa/log/salvage.hpp"
#include "kappa_paths.hpp"
#include "lmdb/file_snapshot.hpp"
#include "lmdb/lmdb.hpp"
#include "log/damage_support.hpp"
#include "log/embedded_layout.hpp"
#include "log/log_tables.hpp"
#include "support/child_process.hpp"

namespace {

using namespace log_contract;

constexpr std::uint64_t page_bytes = 4096;

/// A copy of the rich log to spoil, its original content, and what lies in which page of it.
struct salvage_case {
  salvage_case()
      : content{read_content(rich_log())}, healthy{file_content(rich_log() / "data.mdb")} {
    copy_log(rich_log(), from);
    find_places();
  }

  [[nodiscard]] std::filesystem::path data() const { return from / "data.mdb"; }
  void heal() const {
    std::filesystem::resize_file(data(), healthy.size());
    overwrite(data(), 0, healthy);
  }
  result<salvage_report> salvage() {
    std::filesystem::remove_all(to);
    salvage_options options;
    options.from = from;
    options.to = to;
    options.log_id = content.id;
    return salvage_log(options);
  }

  /// Checks a salvage against the original; `what` names the damage. Records of `may_lose` alone
  /// may be gone.
  void verify(const salvage_report& report, const std::string& what,
              const std::function<bool(const topic_partition&, std::int64_t)>& may_lose);
  /// Only what lies in that page.
  [[nodiscard]] auto only_of_page(lmdb::page_number page) const {
    return [this, page](const topic_partition& where, std::int64_t n) {
      const auto frames = places.find(page);
      if (frames == places.end()) return false;
      for (const auto& [tp, first, last] : frames->second) {
        if (tp == where && first <= n && n <= last) return true;
      }
      return false;
    };
  }

  temporary_folder folder;
  std::filesystem::path from = folder.path() / "from";
  std::filesystem::path to = folder.path() / "to";
  log_content content;
  std::string healthy;
  std::map<lmdb::page_number, std::vector<std::tuple<topic_partition, std::int64_t, std::int64_t>>>
      places;

 private:
  void find_places();
};

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

BOOST_AUTO_TEST_SUITE(salvaging_a_log)

BOOST_FIXTURE_TEST_CASE(a_healthy_log_is_copied_whole, salvage_case) {
  const auto report = must(salvage());
  BOOST_TEST(report.complete());
  BOOST_TEST(difference(content, read_content(to)) == "");
  BOOST_TEST(file_content(data()) == healthy, "the source was changed");
}

BOOST_FIXTURE_TEST_CASE(a_flipped_byte_costs_what_it_lies_in_and_no_more, salvage_case) {
  auto pages = pages_by_kind(from);
  std::map<std::string, int> incomplete;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    std::mt19937_64 random{seed};
    auto kind = pages.begin();
    std::advance(kind, seed % pages.size());
    const auto page = kind->second[random() % kind->second.size()];
    const auto where = used_place(healthy, kind->first, page, random);
    flip(data(), where, static_cast<unsigned char>(1 + random() % 255));
    const auto what =
        fmt::format("seed {}, {} page {} at {}", seed, kind->first, page, where % page_bytes);
    const auto report = salvage();
    BOOST_REQUIRE_MESSAGE(report, what << ": " << (report ? "" : report.error().text()));
    verify(*report, what, only_of_page(page));
    if (!report->complete()) ++incomplete[kind->first];
    heal();
  }
  BOOST_TEST(incomplete["value"] > 0);
  BOOST_TEST(incomplete["leaf"] > 0);
  BOOST_TEST(incomplete["free"] == 0);
}

BOOST_FIXTURE_TEST_CASE(a_page_of_zeros_or_of_noise_costs_what_it_held_and_no_more, salvage_case) {
  auto pages = pages_by_kind(from);
  pages.erase("meta");
  std::map<std::string, int> incomplete;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    std::mt19937_64 random{seed};
    auto kind = pages.begin();
    std::advance(kind, seed % pages.size());
    const auto page = kind->second[random() % kind->second.size()];
    std::string with(page_bytes, '\0');
    if (random() % 2 == 0) {
      for (auto& c : with) c = static_cast<char>(random());
    }
    overwrite(data(), page * page_bytes, with);
    const auto what = fmt::format("seed {}, {} page {}", seed, kind->first, page);
    const auto report = salvage();
    BOOST_REQUIRE_MESSAGE(report, what << ": " << (report ? "" : report.error().text()));
    verify(*report, what, only_of_page(page));
    if (!report->complete()) ++incomplete[kind->first];
    heal();
  }
  BOOST_TEST(incomplete["value"] > 0);
}

BOOST_FIXTURE_TEST_CASE(several_damaged_pages_cost_what_they_held_and_no_more, salvage_case) {
  const auto pages = pages_by_kind(from);
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    std::mt19937_64 random{seed};
    std::set<lmdb::page_number> spoilt;
    for (const auto* kind : {"branch", "leaf", "value"}) {
      const auto& of_kind = pages.at(kind);
      const auto page = of_kind[random() % of_kind.size()];
      std::string noise(page_bytes, '\0');
      for (auto& c : noise) c = static_cast<char>(random());
      overwrite(data(), page * page_bytes, noise);
      spoilt.insert(page);
    }
    const auto report = salvage();
    BOOST_REQUIRE_MESSAGE(report, "seed " << seed << ": " << (report ? "" : report.error().text()));
    verify(
        *report, fmt::format("seed {}", seed), [&](const topic_partition& where, std::int64_t n) {
          return std::any_of(spoilt.begin(), spoilt.end(),
                             [&](lmdb::page_number page) { return only_of_page(page)(where, n); });
        });
    heal();
  }
}

BOOST_FIXTURE_TEST_CASE(what_a_file_that_was_cut_short_still_has_is_brought_back, salvage_case) {
  const auto last = must(lmdb::file_snapshot::open({from, false, false}))->meta().last_page;
  for (const std::uint64_t tenths : {9, 7, 5}) {
    const auto kept = last * tenths / 10;
    std::filesystem::resize_file(data(), kept * page_bytes);
    const auto report = salvage();
    BOOST_REQUIRE_MESSAGE(report, (report ? "" : report.error().text()));
    BOOST_TEST(!report->complete());
    // A frame that is whole in what is left must be there, as long as its topic has a name.
    std::set<std::pair<topic_partition, std::int64_t>> cut;
    for (const auto& [page, frames] : places) {
      if (page < kept) continue;
      for (const auto& [where, first, end] : frames) {
        for (auto n = first; n <= end; ++n) cut.emplace(where, n);
      }
    }
    const auto copy = read_content(to);
    for (const auto& [where, records] : content.records) {
      for (const auto& [n, text] : records) {
        const auto there = copy.records.find(where);
        const bool has = there != copy.records.end() && there->second.contains(n);
        BOOST_TEST((has || cut.contains({where, n})),
                   tenths << " tenths: " << where.text() << "@" << n << " was whole");
        if (has) BOOST_TEST(there->second.at(n) == text);
      }
    }
    heal();
  }
}

template <class F>
void tamper(const std::filesystem::path& folder, const char* table, F&& f) {
  lmdb::environment_options options;
  options.folder = folder;
  options.max_dbs = detail::embedded_max_dbs;
  const auto env = must(lmdb::environment::open(options));
  const auto db = must(env->find_dbi(table));
  must(env->write([&](lmdb::write_txn& txn) { return f(txn, *db); }));
}

BOOST_FIXTURE_TEST_CASE(settings_and_names_of_topics_are_rebuilt_from_what_is_sound, salvage_case) {
  tamper(from, detail::table::topics, [](lmdb::write_txn& txn, lmdb::dbi db) -> result<void> {
    bytes wide{must(txn.get(db, "wide")).value()};
    wide[wide.size() / 2] ^= 0x10;
    if (auto r = txn.put(db, "wide", wide); !r) return r;
    const bytes orders{must(txn.get(db, "orders")).value()};
    must(txn.erase(db, "orders"));
    return txn.put(db, "orderz", orders);
  });
  const auto report = must(salvage());
  BOOST_TEST(report.missing.empty());
  BOOST_TEST(loss_names(report, "wide"));
  BOOST_TEST(loss_names(report, "orders"));
  const auto copy = read_content(to);
  BOOST_TEST((copy.topics == content.topics));
  BOOST_TEST((copy.records == content.records));
}

BOOST_FIXTURE_TEST_CASE(the_topic_by_which_an_app_is_asked_is_given_to_nobody, salvage_case) {
  topic_config asked;
  asked.name = "shop.admin";
  topic_config own;
  own.name = "shop.late";
  own.owner = "shop";
  {
    const auto log = must(open_embedded_log({.folder = from}));
    for (const auto& config : {asked, own}) must(log->create_topic(config));
    auto record = std::make_shared<record_batch>();
    record->add(timestamp{}, "key", "value");
    must(log->append({asked.name, partition{0}}, *record));
    const auto writer = must(log->open_writer({"shop", "test"}));
    log_transaction tx;
    tx.appends.push_back({{own.name, partition{0}}, record});
    must(writer->commit(tx));
  }
  tamper(from, detail::table::topics, [](lmdb::write_txn& txn, lmdb::dbi db) -> result<void> {
    for (const auto* name : {"shop.admin", "shop.late"}) must(txn.put(db, name, "no settings"));
    return {};
  });
  (void)must(salvage());
  const auto copy = read_content(to);
  BOOST_TEST((copy.topics.at("shop.admin") == asked));
  BOOST_TEST((copy.topics.at("shop.late") == own));
}

BOOST_FIXTURE_TEST_CASE(a_log_that_lost_its_id_needs_to_be_told, salvage_case) {
  tamper(from, detail::table::meta, [](lmdb::write_txn& txn, lmdb::dbi db) {
    return txn.put(db, detail::id_key, "no longer an id");
  });
  salvage_options options;
  options.from = from;
  options.to = to;
  must_fail(salvage_log(options), errc::corrupt, "--log-id");
  for (const auto& wrong :
       {std::string{"nonsense"}, content.id + "0", "X" + content.id.substr(1)}) {
    options.log_id = wrong;
    must_fail(salvage_log(options), errc::invalid_argument, "not " + wrong);
  }
  BOOST_TEST(!std::filesystem::exists(to));
  const auto report = must(salvage());
  BOOST_TEST(loss_names(report, "id"));
  BOOST_TEST(difference(content, read_content(to)) == "");
}

BOOST_FIXTURE_TEST_CASE(bounds_that_were_lost_are_rebuilt_and_no_offset_is_used_twice,
                        salvage_case) {
  const auto where = tp("orders", 1);
  const auto bounds = content.bounds.at(where);
  const auto id = detail::make_partition_id(1, where.partition);
  const auto key = detail::partition_key(id);
  tamper(from, detail::table::partitions,
         [&](lmdb::write_txn& txn, lmdb::dbi db) { return txn.put(db, key, "no bounds"); });
  // The last frames are gone too: a producer's sequence still tells where they were.
  tamper(from, detail::frames_name(1, where.partition).c_str(),
         [&](lmdb::write_txn& txn, lmdb::dbi db) -> result<void> {
           must(txn.erase(db, detail::offset_key(bounds.latest - 1)));
           must(txn.erase(db, detail::offset_key(bounds.latest - 2)));
           return {};
         });
  const auto report = must(salvage());
  BOOST_TEST(loss_names(report, where.text()));
  BOOST_TEST(listed(report, where, bounds.latest.value - 1));
  BOOST_TEST(listed(report, where, bounds.latest.value - 2));
  BOOST_TEST(read_content(to).bounds.at(where).latest == bounds.latest);
}

BOOST_FIXTURE_TEST_CASE(apps_go_on_over_a_gap, salvage_case) {
  const auto where = tp("orders", 1);
  tamper(from, detail::frames_name(1, where.partition).c_str(),
         [](lmdb::write_txn& txn, lmdb::dbi db) -> result<void> {
           for (int n = 362; n < 366; ++n) must(txn.erase(db, detail::offset_key(offset{n})));
           return {};
         });
  const auto report = must(salvage());
  BOOST_REQUIRE(report.missing.size() == 1U);
  BOOST_TEST(report.missing[0].range.text() == "orders[1]@362-365");
  BOOST_TEST((report.missing[0].records == 4U));
  embedded_log_options options;
  options.folder = to;
  const auto log = must(open_embedded_log(options));
  const auto reader = must(log->open_reader(where));
  const auto inside = must(reader->read(offset{363}, 1));
  BOOST_TEST(inside.next() > offset{363});
  // One frame at a time: a batch of the gap alone is empty, and reading goes on behind it.
  std::vector<std::int64_t> seen;
  const auto end = must(log->bounds(where)).latest;
  for (auto at = offset{361}; at < end;) {
    const auto batch = must(reader->read(at, 1));
    for (const auto& r : batch.records()) seen.push_back(r.offset.value);
    BOOST_REQUIRE(batch.next() > at);
    at = batch.next();
  }
  BOOST_REQUIRE(seen.size() > 2U);
  BOOST_TEST(seen[0] == 361);
  BOOST_TEST(seen[1] == 366);
  BOOST_TEST((must(log->offset_for_time(where, kappa::min_time)) == offset{0}));
  BOOST_TEST(must(log->append(where, *batch_of({"after"}))).base == end);
  const auto writer = must(log->open_writer({"shop", "test"}));
  BOOST_TEST((writer->term() == writer_term{2}));
}

BOOST_FIXTURE_TEST_CASE(a_salvage_that_was_killed_is_begun_anew, salvage_case) {
  const auto helper = std::filesystem::path{test_paths::binary_dir} / "tests/log/damage_helper";
  for (const auto* kill_at : {"1", "40", "97"}) {
    kappa::testing::child_process child{helper, {"salvage", kill_at, to.string(), from.string()}};
    BOOST_TEST(child.wait() == -SIGKILL);
    BOOST_TEST(!std::filesystem::exists(to), "half a copy has the name of a whole one");
  }
  BOOST_TEST(must(salvage()).complete());
  BOOST_TEST(difference(content, read_content(to)) == "");
  BOOST_TEST(!std::filesystem::exists(to.string() + ".part"));
}

BOOST_FIXTURE_TEST_CASE(nothing_is_written_over_and_no_running_app_is_copied, salvage_case) {
  salvage_options options;
  options.from = from;
  options.to = to;
  std::filesystem::create_directories(to);
  std::ofstream{to / "mine"} << "mine";
  must_fail(salvage_log(options), errc::already_exists, to.string());
  std::filesystem::remove(to / "mine");
  std::filesystem::create_directories(to.string() + ".part");
  std::ofstream{to.string() + ".part/mine"} << "mine";
  must_fail(salvage_log(options), errc::already_exists, "mine");
  std::filesystem::remove(to.string() + ".part/mine");
  {
    embedded_log_options how;
    how.folder = from;
    const auto log = must(open_embedded_log(how));
    const auto writer = must(log->open_writer({"shop", "it"}));
    must_fail(salvage_log(options), errc::owned, "shop");
  }
  BOOST_TEST(must(salvage_log(options)).complete());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
