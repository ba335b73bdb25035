// An environment's file is made beside its place, and gets its name when it is whole.
#include <boost/test/unit_test.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include <fmt/format.h>

#include "lmdb/lmdb.hpp"
#include "log/log_fixtures.hpp"

namespace {

using namespace log_contract;

std::filesystem::path unfinished(const temporary_folder& in, int process) {
  const auto made =
      lmdb::data_file(in.path()).string() + fmt::format(".new-{}-{:016x}", process, 7);
  std::filesystem::create_directories(made);
  std::ofstream{std::filesystem::path{made} / "data.mdb"} << "half";
  return made;
}

constexpr int nobody = 2'000'000'000;  // no process has such a number

}  // namespace

BOOST_AUTO_TEST_SUITE(new_environments)

// A process's number says nothing: after a restart, or in another container, it is another's.
BOOST_AUTO_TEST_CASE(what_was_left_half_made_goes_whoever_has_that_number_now) {
  temporary_folder folder;
  const auto of_a_dead_one = unfinished(folder, nobody);
  const auto of_a_number_in_use = unfinished(folder, ::getppid());
  (void)must(lmdb::environment::open({.folder = folder.path()}));
  BOOST_TEST(!std::filesystem::exists(of_a_dead_one));
  BOOST_TEST(!std::filesystem::exists(of_a_number_in_use));
}

BOOST_AUTO_TEST_CASE(what_another_is_making_stays_though_its_number_is_not_known_here) {
  temporary_folder folder;
  const auto of_another = unfinished(folder, nobody);
  const int held = ::open(of_another.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  BOOST_REQUIRE(held >= 0);
  BOOST_REQUIRE(::flock(held, LOCK_EX) == 0);
  (void)must(lmdb::environment::open({.folder = folder.path()}));
  BOOST_TEST(std::filesystem::exists(of_another / "data.mdb"));
  ::close(held);
}

BOOST_AUTO_TEST_SUITE_END()
