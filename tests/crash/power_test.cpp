// The power shim itself: what a loss of power leaves of a program's writes.
#include <csignal>
#include <filesystem>
#include <fstream>
#include <optional>
#include <set>

#include <unistd.h>

#include <fmt/format.h>
#include <boost/test/unit_test.hpp>

#include "crash/power/journal.hpp"
#include "crash/power/loss.hpp"
#include "crash/process.hpp"
#include "kappa_paths.hpp"

namespace {

using namespace kappa::crash;
using power::loss_mode;

constexpr std::uint64_t seeds = 60;

// A folder in which a program writes, and what is then left of it after a loss of power.
class desk {
 public:
  desk()
      : root_{std::filesystem::weakly_canonical(std::filesystem::temp_directory_path()) /
              fmt::format("kappa-power-{}", ::getpid())} {
    clean();
  }
  desk(const desk&) = delete;
  desk& operator=(const desk&) = delete;
  ~desk() { std::filesystem::remove_all(root_); }

  void clean() {
    std::filesystem::remove_all(root_);
    std::filesystem::create_directories(root_ / "on");
    supply_.emplace(root_ / "journal", std::vector{root_ / "on"});
  }

  [[nodiscard]] std::string at(const std::string& name) const {
    return (root_ / "on" / name).string();
  }

  // Files are named by "@name". Returns the exit code, or minus the signal.
  int run(const std::string& script, std::vector<std::string> environment = {}) {
    std::vector<std::string> command{
        (std::filesystem::path{kappa::test_paths::binary_dir} / "tests/crash/power_writer")
            .string()};
    for (std::size_t i = 0; i < script.size();) {
      const auto end = std::min(script.find(' ', i), script.size());
      const auto word = script.substr(i, end - i);
      i = end + 1;
      command.push_back(word.starts_with('@') ? at(word.substr(1)) : word);
    }
    for (const auto& e : supply_->environment()) environment.push_back(e);
    process p{command, environment, root_ / "output"};
    return p.wait(std::chrono::seconds{60}).value_or(-99);
  }
  [[nodiscard]] std::string said() const { return file_text(root_ / "output"); }

  power::loss_report lose(loss_mode mode, std::uint64_t seed = 1) {
    std::mt19937_64 rng{seed};
    return supply_->lose(mode, rng);
  }
  [[nodiscard]] std::uint64_t steps() const { return supply_->steps(); }
  [[nodiscard]] std::string text(const std::string& name) const { return file_text(at(name)); }
  [[nodiscard]] bool there(const std::string& name) const {
    return std::filesystem::exists(at(name));
  }
  // As if it had been there for long.
  void had(const std::string& name, const std::string& text) const {
    std::ofstream{at(name), std::ios::binary} << text;
  }

  /// What is seen of a file over all seeds, as one letter for each sector.
  std::set<std::string> outcomes(loss_mode mode, const std::string& before,
                                 const std::string& script) {
    std::set<std::string> seen;
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
      clean();
      had("f", before);
      BOOST_REQUIRE_EQUAL(run(script), 0);
      lose(mode, seed);
      std::string letters;
      const auto left = text("f");
      for (std::size_t i = 0; i < left.size(); i += power::sector_bytes) {
        const auto sector = left.substr(i, power::sector_bytes);
        BOOST_REQUIRE(sector.find_first_not_of(sector[0]) == std::string::npos);  // never torn
        letters += sector[0];
      }
      seen.insert(letters);
    }
    return seen;
  }

 private:
  std::filesystem::path root_;
  std::optional<power::power_supply> supply_;
};

std::string sectors(std::size_t n, char letter) { return std::string(n * 512, letter); }

}  // namespace

BOOST_AUTO_TEST_SUITE(power_loss)

BOOST_AUTO_TEST_CASE(what_was_synced_stays_and_what_was_written_later_is_gone) {
  for (const auto mode : power::all_loss_modes) {
    desk d;
    d.had("f", "old ");
    BOOST_TEST(d.run("write @f 0 first sync @f") == 0);
    d.lose(mode);
    BOOST_TEST(d.text("f") == "first");
  }
  desk d;
  d.had("f", "old");
  BOOST_TEST(d.run("write @f 0 first sync @f write @f 0 other write @f 5 -and-longer") == 0);
  BOOST_TEST(d.text("f") == "other-and-longer");
  const auto report = d.lose(loss_mode::all);
  BOOST_TEST(d.text("f") == "first");
  BOOST_TEST(report.writes == 3);
  BOOST_TEST(report.syncs == 1);
  BOOST_TEST(report.lost == 1);
}

BOOST_AUTO_TEST_CASE(all_see_what_is_not_synced_until_the_power_is_lost) {
  desk d;
  d.had("f", "old");
  BOOST_TEST(d.run("write @f 0 new die") == -SIGKILL);
  BOOST_TEST(d.run("cat @f") == 0);
  BOOST_TEST(d.said() == "new");
  d.lose(loss_mode::all);
  BOOST_TEST(d.text("f") == "old");
}

BOOST_AUTO_TEST_CASE(what_a_loss_has_left_is_durable) {
  desk d;
  d.had("f", "old");
  BOOST_TEST(d.run("write @f 0 one sync @f write @f 0 two") == 0);
  d.lose(loss_mode::all);
  BOOST_TEST(d.run("write @f 0 three") == 0);
  d.lose(loss_mode::all);
  BOOST_TEST(d.text("f") == "one");
}

BOOST_AUTO_TEST_CASE(a_later_write_may_stay_while_an_earlier_one_is_lost) {
  desk d;
  const auto seen =
      d.outcomes(loss_mode::sectors, sectors(2, '.'), "fill @f 0 512 a fill @f 512 512 b");
  const std::set<std::string> expected{"..", ".b", "a.", "ab"};
  BOOST_TEST(seen == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_disk_that_keeps_the_order_has_no_later_write_without_the_earlier) {
  desk d;
  const auto seen =
      d.outcomes(loss_mode::prefix, sectors(2, '.'), "fill @f 0 512 a fill @f 512 512 b");
  const std::set<std::string> expected{"..", "a.", "ab"};
  BOOST_TEST(seen == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_sector_that_was_written_often_is_as_after_any_of_the_writes) {
  desk d;
  const auto seen = d.outcomes(loss_mode::sectors, sectors(1, '.'),
                               "fill @f 0 512 a fill @f 0 512 b fill @f 0 512 c");
  const std::set<std::string> expected{".", "a", "b", "c"};
  BOOST_TEST(seen == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_page_is_torn_between_sectors_and_not_torn_where_pages_are_whole) {
  desk d;
  const auto torn = d.outcomes(loss_mode::sectors, sectors(8, '.'), "fill @f 0 4096 a");
  BOOST_TEST(torn.size() > 10U);
  const auto whole = d.outcomes(loss_mode::pages, sectors(8, '.'), "fill @f 0 4096 a");
  const std::set<std::string> expected{"........", "aaaaaaaa"};
  BOOST_TEST(whole == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(what_goes_to_a_dsync_descriptor_is_durable_and_the_rest_of_the_file_is_not) {
  desk d;
  d.had("f", sectors(3, '.'));
  BOOST_TEST(d.run("fill @f 0 512 a dsync @f 512 there fill @f 1024 512 c") == 0);
  d.lose(loss_mode::all);
  BOOST_TEST(d.text("f") ==
             sectors(1, '.') + "there" + std::string(512 - 5, '.') + sectors(1, '.'));
}

BOOST_AUTO_TEST_CASE(a_file_that_grew_or_was_cut_without_sync_has_its_old_size_and_contents) {
  desk d;
  d.had("f", "old contents");
  BOOST_TEST(d.run("truncate @f 3 truncate @f 100000 write @f 5000 end") == 0);
  d.lose(loss_mode::all);
  BOOST_TEST(d.text("f") == "old contents");
  BOOST_TEST(d.run("truncate @f 3 sync @f truncate @f 9") == 0);
  d.lose(loss_mode::all);
  BOOST_TEST(d.text("f") == "old");
}

BOOST_AUTO_TEST_CASE(what_was_written_to_a_mapping_is_lost_without_a_sync) {
  desk d;
  d.had("f", "old");
  BOOST_TEST(d.run("map @f 0 one cat @f sync @f map @f 0 two cat @f") == 0);
  BOOST_TEST(d.said() == "onetwo");
  d.lose(loss_mode::all);
  BOOST_TEST(d.text("f") == "one");
}

BOOST_AUTO_TEST_CASE(a_new_file_has_a_name_only_once_its_folder_is_synced) {
  desk d;
  BOOST_TEST(d.run("write @f 0 text sync @f folder @sub write @sub/g 0 text sync @sub/g") == 0);
  const auto report = d.lose(loss_mode::all);
  BOOST_TEST(!d.there("f"));
  BOOST_TEST(!d.there("sub"));
  BOOST_TEST(report.lost_names == 3);
  BOOST_TEST(d.run("write @f 0 text sync @f folder @sub write @sub/g 0 text sync @sub/g "
                   "sync-folder @. sync-folder @sub") == 0);
  d.lose(loss_mode::all);
  BOOST_TEST(d.text("f") == "text");
  BOOST_TEST(d.text("sub/g") == "text");
}

BOOST_AUTO_TEST_CASE(a_rename_or_removal_comes_undone_unless_the_folder_is_synced) {
  desk d;
  d.had("f", "old");
  d.had("gone", "still here");
  BOOST_TEST(d.run("write @f.tmp 0 new sync @f.tmp rename @f.tmp @f remove @gone") == 0);
  d.lose(loss_mode::all);
  BOOST_TEST(d.text("f") == "old");
  BOOST_TEST(!d.there("f.tmp"));
  BOOST_TEST(d.text("gone") == "still here");
  BOOST_TEST(d.run("write @f.tmp 0 new sync @f.tmp rename @f.tmp @f remove @gone "
                   "sync-folder @.") == 0);
  d.lose(loss_mode::all);
  BOOST_TEST(d.text("f") == "new");
  BOOST_TEST(!d.there("f.tmp"));
  BOOST_TEST(!d.there("gone"));
}

BOOST_AUTO_TEST_CASE(a_file_renamed_before_it_was_synced_may_have_its_name_and_not_its_contents) {
  std::set<std::string> seen;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    desk d;
    d.had("f", "old");
    BOOST_TEST(d.run("write @f.tmp 0 new rename @f.tmp @f sync-folder @.") == 0);
    d.lose(loss_mode::sectors, seed);
    seen.insert(d.text("f"));
  }
  BOOST_TEST(seen.contains("new"));
  BOOST_TEST(seen.contains(""));
}

BOOST_AUTO_TEST_CASE(a_removed_folder_comes_back_with_all_in_it) {
  desk d;
  BOOST_TEST(d.run("folder @sub write @sub/g 0 text sync @sub/g sync-folder @sub sync-folder @.") ==
             0);
  d.lose(loss_mode::all);
  BOOST_TEST(d.run("remove @sub") == 0);
  BOOST_TEST(!d.there("sub"));
  d.lose(loss_mode::all);
  BOOST_TEST(d.text("sub/g") == "text");
}

BOOST_AUTO_TEST_CASE(a_renamed_folder_has_its_old_name_again_unless_the_one_above_it_is_synced) {
  const std::string made = "folder @part write @part/g 0 text sync @part/g sync-folder @part ";
  desk d;
  BOOST_TEST(d.run(made + "sync-folder @. rename @part @whole write @whole/later 0 x") == 0);
  d.lose(loss_mode::all);
  BOOST_TEST(!d.there("whole"));
  BOOST_TEST(d.text("part/g") == "text");
  BOOST_TEST(!d.there("part/later"));
  BOOST_TEST(d.run("write @part/new 0 text sync @part/new rename @part @whole sync-folder @.") ==
             0);
  d.lose(loss_mode::all);
  BOOST_TEST(!d.there("part"));
  BOOST_TEST(d.text("whole/g") == "text");
  BOOST_TEST(!d.there("whole/new"));  // the folder itself was not synced
}

BOOST_AUTO_TEST_CASE(a_process_dies_before_the_step_it_is_told_to_die_at) {
  // Steps: created, written, synced (begun, done), written again.
  const std::string script = "write @f 0 one sync @f write @f 0 two";
  std::vector<std::string> seen;
  for (int n = 1; n <= 6; ++n) {
    desk d;
    const auto status = d.run(script, {fmt::format("KAPPA_POWER_CUT={}", n)});
    BOOST_TEST(status == (n == 6 ? 0 : -SIGKILL));
    BOOST_TEST(d.steps() == static_cast<std::uint64_t>(std::min(n, 5)));
    seen.push_back(d.text("f"));
  }
  const std::vector<std::string> expected{"", "", "one", "one", "one", "two"};
  BOOST_TEST(seen == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(where_syncs_are_ignored_only_dsync_writes_stay) {
  desk d;
  d.had("f", sectors(2, '.'));
  BOOST_TEST(d.run("fill @f 0 512 a sync @f dsync @f 512 b", {"KAPPA_POWER_IGNORE=syncs"}) == 0);
  d.lose(loss_mode::all);
  BOOST_TEST(d.text("f") == sectors(1, '.') + "b" + std::string(511, '.'));
}

BOOST_AUTO_TEST_CASE(a_process_keeps_its_file_locks) {
  desk d;
  BOOST_TEST(d.run("lock @l") == 0);
}

BOOST_AUTO_TEST_SUITE_END()
