#include <boost/test/unit_test.hpp>

#include <iterator>
#include <map>
#include <random>

#include <fmt/format.h>

#include "kappa/log/check.hpp"
#include "kappa_paths.hpp"
#include "log/damage_support.hpp"
#include "support/child_process.hpp"

namespace {

using namespace log_contract;

struct damaged_log {
  damaged_log() { copy_log(rich_log(), path); }
  [[nodiscard]] std::filesystem::path data() const { return path / "data.mdb"; }
  [[nodiscard]] log_check_report check() const {
    log_check_options options;
    options.folder = path;
    return must(check_log(options));
  }

  temporary_folder folder;
  std::filesystem::path path = folder.path() / "log";
};

std::string all_of(const log_check_report& report) {
  std::string out;
  for (const auto& d : report.damages) out += d.text() + "\n";
  return out;
}

BOOST_AUTO_TEST_SUITE(checking_a_log)

BOOST_FIXTURE_TEST_CASE(a_healthy_log_is_called_so_with_counts, damaged_log) {
  const auto report = check();
  BOOST_TEST(report.healthy(), all_of(report));
  const auto content = read_content(path);
  std::size_t records = 0;
  for (const auto& [where, of] : content.records) records += of.size();
  BOOST_TEST(report.records == records);
  BOOST_TEST(report.log_id == content.id);
  BOOST_TEST(report.topics == content.topics.size());
  BOOST_TEST(report.partitions == content.bounds.size());
  BOOST_TEST((report.positions == content.positions));
  BOOST_TEST(report.producers == content.producers.size());
  BOOST_TEST(report.writers == content.writers.size());
  BOOST_TEST(report.frames > 0U);
  BOOST_TEST(report.free_pages > 0U);
  BOOST_TEST(!report.changed_meanwhile);
  BOOST_TEST(report.gaps.empty());
}

BOOST_FIXTURE_TEST_CASE(a_flipped_byte_is_found_or_changes_nothing, damaged_log) {
  const auto healthy = file_content(data());
  const auto content = read_content(rich_log());
  const auto pages = pages_by_kind(rich_log());
  std::map<std::string, int> found;
  std::map<std::string, int> flips;
  for (std::uint64_t seed = 0; seed < 1200; ++seed) {
    std::mt19937_64 random{seed};
    auto kind = pages.begin();
    std::advance(kind, seed % pages.size());
    const auto page = kind->second[random() % kind->second.size()];
    const auto where = used_place(healthy, kind->first, page, random);
    const auto bits = static_cast<unsigned char>(1 + random() % 255);
    flip(data(), where, bits);
    const auto report = check();
    ++flips[kind->first];
    if (report.healthy()) {
      const auto differs = difference(content, read_content(path));
      BOOST_TEST(differs.empty(), "seed " << seed << " (" << kind->first << " page " << where / 4096
                                          << " at " << where % 4096
                                          << ") is not found: " << differs);
    } else {
      ++found[kind->first];
    }
    overwrite(data(), 0, healthy);
  }
  for (const auto& [kind, n] : flips)
    BOOST_TEST_MESSAGE(kind << ": " << found[kind] << " of " << n);
  BOOST_TEST(found["free"] == 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
