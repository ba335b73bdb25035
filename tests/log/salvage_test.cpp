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
#include "log/embedded_layout.hpp"
#include "log/log_tables.hpp"
#include "log/salvage_support.hpp"
#include "support/child_process.hpp"
#include "support/sanitizer.hpp"

namespace {

using namespace log_contract;

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
  for (std::uint64_t seed = 0; seed < kappa::test::repetitions(200); ++seed) {
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
  for (std::uint64_t seed = 0; seed < kappa::test::repetitions(100); ++seed) {
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
  for (std::uint64_t seed = 0; seed < kappa::test::repetitions(40); ++seed) {
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
