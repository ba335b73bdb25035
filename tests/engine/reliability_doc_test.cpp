// docs/reliability.md names a test for each rule: they exist.
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <string>

#include <boost/test/unit_test.hpp>

#include "kappa_paths.hpp"

BOOST_AUTO_TEST_SUITE(reliability_doc)

namespace {

std::string text_of(const std::filesystem::path& p) {
  std::ifstream f{p};
  return {std::istreambuf_iterator<char>{f}, {}};
}

// "suite/case" of an area.
std::set<std::string> cases_of(const std::filesystem::path& area) {
  std::set<std::string> all;
  const std::regex entry{R"(BOOST_(?:AUTO|FIXTURE)_TEST_(SUITE|CASE)\(\s*(\w+))"};
  for (const auto& f : std::filesystem::directory_iterator{area}) {
    if (f.path().extension() != ".cpp") continue;
    const auto text = text_of(f.path());
    std::string suite;
    for (std::sregex_iterator at{text.begin(), text.end(), entry}, end; at != end; ++at) {
      if ((*at)[1] == "SUITE") {
        suite = (*at)[2];
      } else {
        all.insert(suite + "/" + std::string{(*at)[2]});
      }
    }
  }
  return all;
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_test_that_it_names_exists) {
  const std::filesystem::path source = kappa::test_paths::source_dir;
  const auto text = text_of(source / "docs/reliability.md");
  const std::regex name{R"(`(\w+): (\w+/\w+)`)"};
  std::size_t found = 0;
  for (std::sregex_iterator at{text.begin(), text.end(), name}, end; at != end; ++at, ++found) {
    const auto area = std::string{(*at)[1]};
    if (area == "area") continue;
    const auto cases = cases_of(source / "tests" / area);
    BOOST_TEST(cases.contains((*at)[2]), "no such test: " << at->str());
  }
  BOOST_TEST(found > 60u);
}

BOOST_AUTO_TEST_SUITE_END()
