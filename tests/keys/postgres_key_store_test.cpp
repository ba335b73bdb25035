// Keys in PostgreSQL, on a server of the test's own.
#include <thread>

#include "kappa/actors/host.hpp"
#include "kappa/keys/postgres_key_store.hpp"
#include "kappa/log/memory_log.hpp"
#include "keys/people.hpp"
#include "keys/postgres_server_support.hpp"
#include "support/must.hpp"
#include "support/refused.hpp"
#include "support/temporary_folder.hpp"

namespace postgres_keys {

namespace {

using namespace people;
using namespace kappa;
using kappa::test::must;
using kappa::test::refused;
using kappa::test::temporary_folder;

struct shared_server {
  kappa::testing::postgres_server server;
};

std::string hex(bytes_view v) {
  std::string out;
  for (const char c : v) out += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return out;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(postgres_key_store, shared_server)

BOOST_AUTO_TEST_CASE(keys_are_shared_by_processes_and_an_erasure_is_for_all_and_for_ever) {
  const auto one = must(open_postgres_key_store(server.url()));
  const auto other = must(open_key_store(server.url()));
  BOOST_TEST(!one->local_file().has_value());
  BOOST_TEST((must(one->find("ada")).status == key_status::none));
  const auto key = must(one->find_or_create("ada")).key;
  BOOST_TEST((must(other->find_or_create("ada")).key == key));
  BOOST_TEST((must(other->find("ada")).key == key));
  const auto rows = [&] {
    return server.ask("SELECT count(*) FROM kappa_subject_keys WHERE encode(key, 'hex') = '" +
                      hex(key.view()) + "'");
  };
  BOOST_TEST(rows() == "1");
  BOOST_TEST((must(other->erase("ada")) == erasure::done));
  BOOST_TEST(rows() == "0");
  BOOST_TEST((must(one->find("ada")).status == key_status::erased));
  BOOST_TEST((must(one->find_or_create("ada")).status == key_status::erased));
  BOOST_TEST((must(one->erase("ada")) == erasure::was_before));
  BOOST_TEST((must(one->erase("bob")) == erasure::had_no_key));
  BOOST_TEST((must(other->find_or_create("bob")).status == key_status::erased));
  // As the documents say.
  BOOST_TEST(server.ask("SELECT erased_at IS NOT NULL AND key IS NULL FROM kappa_subject_keys "
                        "WHERE subject = sha256('ada')") == "t");
}

BOOST_AUTO_TEST_CASE(of_many_who_make_a_key_at_once_all_get_the_same) {
  (void)must(open_postgres_key_store(server.url()));  // the table
  std::vector<subject_key> keys(8);
  std::vector<std::thread> threads;
  for (auto& key : keys) {
    threads.emplace_back([&] {
      const auto store = open_postgres_key_store(server.url());
      if (!store) return;
      if (const auto made = (*store)->find_or_create("ada")) key = made->key;
    });
  }
  for (auto& t : threads) t.join();
  for (const auto& key : keys) BOOST_TEST((key == keys[0] && key != subject_key{}));
}

BOOST_AUTO_TEST_CASE(a_server_that_is_not_there_is_no_answer_and_when_it_is_back_it_is_found) {
  const auto store = must(open_postgres_key_store(server.url()));
  const auto key = must(store->find_or_create("ada")).key;
  (void)must(store->erase("bob"));
  server.stop();
  for (int i = 0; i < 2; ++i) {
    const auto found = store->find("ada");
    BOOST_REQUIRE(!found);
    BOOST_TEST((found.error().code == errc::unavailable && found.error().retriable));
    BOOST_TEST((refused(store->find_or_create("carl"), errc::unavailable, {"PostgreSQL"})));
    BOOST_TEST((refused(store->erase("ada"), errc::unavailable, {"cannot be reached"})));
  }
  BOOST_TEST((refused(open_postgres_key_store(server.url()), errc::unavailable, {})));
  server.start();
  BOOST_TEST((must(store->find("ada")).key == key));
  BOOST_TEST((must(store->find("bob")).status == key_status::erased));
  BOOST_TEST((must(store->find("carl")).status == key_status::none));
  // A connection that was lost while nobody used it is no failure at all.
  server.stop();
  server.start();
  BOOST_TEST((must(store->find("ada")).key == key));
}

BOOST_AUTO_TEST_CASE(a_server_that_hangs_is_waited_for_a_few_seconds) {
  const auto store = must(open_postgres_key_store(server.url()));
  (void)must(store->find_or_create("ada"));
  const auto began = std::chrono::steady_clock::now();
  // Another session keeps the row.
  std::thread holder{[&] {
    (void)server.ask(
        "BEGIN; SELECT 1 FROM kappa_subject_keys FOR UPDATE; SELECT pg_sleep(12); "
        "COMMIT");
  }};
  for (;;) {
    if (server.ask("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(12)%' AND "
                   "wait_event = 'PgSleep'") == "1")
      break;
  }
  BOOST_TEST((refused(store->erase("ada"), errc::unavailable, {"no answer within 5 s"})));
  BOOST_TEST((must(store->find("ada")).status == key_status::present));
  holder.join();
  BOOST_TEST((std::chrono::steady_clock::now() - began < std::chrono::seconds{40}));
  server.pause();
  BOOST_TEST((refused(open_postgres_key_store(server.url()), errc::unavailable, {})));
  server.resume();
}

BOOST_AUTO_TEST_CASE(a_user_who_may_not_is_told_what_it_needs) {
  (void)must(open_postgres_key_store(server.url()));
  (void)server.ask("CREATE ROLE guest LOGIN");
  auto url = server.url();
  url.replace(url.find("kappa@"), 6, "guest@");
  const auto store = must(open_postgres_key_store(url));
  BOOST_TEST((refused(store->find("ada"), errc::denied, {"SELECT", "kappa_subject_keys"})));
}

BOOST_AUTO_TEST_CASE(what_is_no_connection_is_refused_and_its_password_not_told) {
  const auto r = open_key_store("postgresql://kappa:s3cret@host:port:port/x");
  BOOST_REQUIRE(!r);
  BOOST_TEST(r.error().text().find("s3cret") == std::string::npos);
  BOOST_TEST((refused(open_key_store("redis://x"), errc::bad_config, {"postgresql://"})));
}

// One app, whose task finds the store gone, and goes on when it is back.
BOOST_AUTO_TEST_CASE(a_task_waits_for_the_server_and_never_takes_its_absence_for_an_erasure) {
  temporary_folder folder;
  host_options o;
  o.shared_log = memory_log::create("log");
  o.state = folder.path();
  o.partitions = 1;
  o.keys = server.url();
  o.key_cache.life = std::chrono::milliseconds{0};
  o.last_backoff = std::chrono::milliseconds{200};
  host h{people_app(), o};
  must(h.start());
  BOOST_TEST((h.ask<person>("ada", register_{"Ada"}).has_value()));
  server.stop();
  const auto told = h.ask<person>("ada", greet{});
  BOOST_REQUIRE((!told && told.error().failed()));
  BOOST_TEST((told.error().failed()->code == errc::unavailable));
  BOOST_TEST((refused(h.query<person>("ada"), errc::unavailable, {})));
  BOOST_TEST(!h.failure().has_value());
  server.start();
  for (;;) {
    const auto again = h.ask<person>("ada", greet{});
    if (!again) {
      BOOST_REQUIRE(again.error().may_be_asked_again());
      continue;
    }
    auto reply = must(codec<greeting>::decode(again->reply.value()));
    must(h.open(reply));
    BOOST_TEST(*reply.name.text() == "Ada");
    break;
  }
  must(h.erase_subject("ada"));
  BOOST_TEST(must(h.query<person>("ada")).value->state.name.erased());
  must(h.stop());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace postgres_keys
