// Handles of databases that many threads open at once are each of the database that was asked for.
#include <boost/test/unit_test.hpp>

#include <barrier>
#include <thread>

#include "lmdb/lmdb.hpp"
#include "support/must.hpp"
#include "support/temporary_folder.hpp"

namespace lmdb_handles_tests {

namespace {

using namespace kappa;
using kappa::test::must;

constexpr int readers = 3;
constexpr int databases = 12;
constexpr int rounds = 40;

std::string name_of(int n) { return "db-" + std::to_string(n); }

void put_its_name(lmdb::environment& env, const std::string& name) {
  must(env.write([&](lmdb::write_txn& txn) -> result<void> {
    auto db = txn.create_dbi(name);
    if (!db) return fail(db.error());
    return txn.put(*db, "name", name);
  }));
}

std::string name_in(lmdb::environment& env, const std::string& database) {
  const auto db = must(env.find_dbi(database));
  if (!db) return "none";
  const auto txn = must(env.begin_read());
  const auto value = must(txn.get(*db, "name"));
  return value ? std::string{*value} : "empty";
}

BOOST_AUTO_TEST_SUITE(lmdb_handles)

BOOST_AUTO_TEST_CASE(what_is_opened_at_once_by_readers_and_a_writer_is_what_was_asked_for) {
  test::temporary_folder folder;
  {
    const auto env = must(lmdb::environment::open({.folder = folder.path()}));
    for (int n = 0; n < databases; ++n) put_its_name(*env, name_of(n));
  }
  for (int round = 0; round < rounds; ++round) {
    const auto env = must(lmdb::environment::open({.folder = folder.path()}));
    std::barrier together{readers + 1};
    std::vector<std::string> wrong(readers);
    std::vector<std::thread> threads;
    for (int r = 0; r < readers; ++r) {
      threads.emplace_back([&, r] {
        together.arrive_and_wait();
        for (int i = 0; i < databases; ++i) {
          const auto name = name_of((i + r * databases / readers) % databases);
          if (const auto found = name_in(*env, name); found != name) wrong[r] = name + ": " + found;
        }
      });
    }
    together.arrive_and_wait();
    const auto made = name_of(databases + round);
    put_its_name(*env, made);
    for (auto& t : threads) t.join();
    for (const auto& w : wrong) BOOST_TEST(w == "");
    for (int n = 0; n <= databases + round; ++n)
      BOOST_TEST(name_in(*env, name_of(n)) == name_of(n));
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace

}  // namespace lmdb_handles_tests
