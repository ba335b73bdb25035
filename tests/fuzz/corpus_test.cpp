// Every input that is kept, the findings of earlier days among them, through its target.

#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "fuzz/fuzz.hpp"
#include "kappa_paths.hpp"

namespace kappa::fuzz {

std::ostream& operator<<(std::ostream& out, const target& t) { return out << t.name; }

}  // namespace kappa::fuzz

BOOST_DATA_TEST_CASE(a_target_holds_for_its_corpus,
                     boost::unit_test::data::make(kappa::fuzz::targets), one) {
  const auto folder =
      std::filesystem::path{kappa::test_paths::source_dir} / "tests/fuzz/corpus" / one.name;
  int inputs = 0;
  for (const auto& entry : std::filesystem::directory_iterator{folder}) {
    std::ifstream file{entry.path(), std::ios::binary};
    const kappa::bytes input{std::istreambuf_iterator<char>{file}, {}};
    BOOST_TEST_CONTEXT(entry.path().string()) { one.run(input); }
    ++inputs;
  }
  BOOST_TEST(inputs >= 5);
}
