// An app with personal data on the embedded log: what is on the disk, and what is left of a person
// whose key was deleted.
#include <httplib.h>

#include "actors/open_stores.hpp"
#include "kappa/actors/http_server.hpp"
#include "kappa/keys/memory_key_store.hpp"
#include "kappa/log/memory_log.hpp"
#include "keys/people_service.hpp"
#include "support/forwarding_log.hpp"

namespace erasures {

BOOST_AUTO_TEST_SUITE(shredding)

BOOST_AUTO_TEST_CASE(no_plain_text_is_on_the_disk_and_after_the_erasure_no_key) {
  service s;
  s.says_all_of_ada();
  BOOST_TEST(*s.of("ada").name.text() == "xq7-name-renamed");
  BOOST_TEST(*s.of("bob").notes.at(0).text.text() == "xq7-name-registered");
  s.wait_for_savepoints();
  const auto key = must(s.keys->find("ada")).key;
  const auto bobs = must(s.keys->find_or_create("bob")).key;
  const auto search = [&] {
    for (const auto& text : personal_texts) nothing_of(s.folder.path(), text, "plain text");
    nothing_of(s.folder.path() / "data", key.view(), "a key");
  };
  search();
  BOOST_TEST(files_with(s.folder.path(), key.view()).size() == 1U);
  s.restart();
  search();

  BOOST_TEST((must(s.runs->erase_subject("ada")) == erasure::done));
  for (int life = 0; life < 3; ++life) {
    search();
    nothing_of(s.folder.path(), key.view(), "a key");
    BOOST_TEST(files_with(s.folder.path(), bobs.view()).size() == 1U);
    if (life == 0) s.restart();
    if (life == 1) s.replay_from_nothing();
  }
}

BOOST_AUTO_TEST_CASE(after_the_erasure_all_of_it_reads_as_erased_and_life_goes_on) {
  service s;
  s.says_all_of_ada();
  const auto before = must(s.runs->query<person>("ada")).value->version;
  BOOST_TEST((must(s.runs->erase_subject("ada")) == erasure::done));
  for (int life = 0; life < 3; ++life) {
    const auto ada = s.of("ada");
    BOOST_TEST(ada.name.erased());
    BOOST_TEST(ada.notes.at(0).text.erased());
    BOOST_TEST(ada.notes.at(0).contact.photo.erased());
    BOOST_TEST(ada.notes.at(0).contact.addresses.at(0).city.erased());
    BOOST_TEST(ada.notes.at(0).contact.addresses.at(0).country == public_text);
    BOOST_TEST(s.of("bob").notes.at(0).text.erased());  // a copy, in another aggregate
    BOOST_TEST(must(s.runs->query<person>("ada")).value->version == before);

    // A repeated id has the answer of the first time, and its personal part is erased.
    const auto again = s.accepted("ada", greet{}, {.id = "greet"});
    auto reply = must(codec<greeting>::decode(again.reply.value()));
    must(s.runs->open(reply));
    BOOST_TEST(reply.name.erased());
    const auto nothing_more = s.runs->ask<person>("ada", register_{"xq7-new"});
    BOOST_REQUIRE((!nothing_more && nothing_more.error().failed()));
    BOOST_TEST((nothing_more.error().failed()->code == errc::erased));
    if (life == 0) s.restart();
    if (life == 1) s.replay_from_nothing();
  }
  // What has nothing new that is personal is decided.
  BOOST_TEST(s.accepted("ada", tell_other{"carl"}).version == before + 1);
  wait_until([&] { return must(s.runs->query<person>("carl")).value.has_value(); });
  BOOST_TEST(s.of("carl").notes.at(0).text.erased());
  const auto bob = s.accepted("bob", change_name{"Bob"});
  BOOST_TEST(*s.of("bob").name.text() == "Bob");
}

BOOST_AUTO_TEST_CASE(a_command_that_was_on_its_way_when_the_key_was_deleted_is_decided_without_it) {
  service s;
  s.accepted("ada", register_{"Ada"});
  auto client = must(aggregate_client::open(
      must(open_log({.url = "lmdb:" + s.data("log").string()})), people_app()));
  // Its ring still has the key: what it seals the app can no longer read.
  client->use_keys(std::make_shared<key_ring>(s.keys));
  BOOST_TEST(client->ask<person>("ada", register_{"Augusta"}, {.timeout = 30s}).has_value());
  must(s.runs->erase_subject("ada"));
  BOOST_TEST(client->ask<person>("ada", register_{"Augusta"}, {.timeout = 30s}).has_value());
  BOOST_TEST(s.of("ada").name.erased());
  // And what would have to be sealed anew is the command's failure, and not the task's.
  const auto refused = client->ask<person>("ada", change_name{"Augusta"}, {.timeout = 30s});
  BOOST_REQUIRE((!refused && refused.error().failed()));
  BOOST_TEST((refused.error().failed()->code == errc::erased));
  BOOST_TEST(s.accepted("bob", register_{"Bob"}).version > 0U);
}

BOOST_AUTO_TEST_CASE(a_repeated_id_with_the_same_text_is_the_same_command) {
  service s;
  const auto first = s.accepted("ada", register_{"Ada"}, {.id = "a"});
  s.restart();
  const auto again = s.accepted("ada", register_{"Ada"}, {.id = "a"});
  BOOST_TEST(again.version == first.version);
  BOOST_TEST(s.of("ada").name.text_or("") == "Ada");
  const auto other = s.runs->ask<person>("ada", register_{"Bob"}, {.id = "a"});
  BOOST_REQUIRE((!other && other.error().failed()));
  BOOST_TEST((other.error().failed()->code == errc::id_reused));
}

BOOST_AUTO_TEST_CASE(over_http_it_is_text_and_then_null) {
  service s;
  auto server = must(http_server::start(*s.runs, {.address = "127.0.0.1:0"}));
  httplib::Client http{"127.0.0.1", server->port()};
  http.set_read_timeout(30s);
  const auto get = [&](const char* path) {
    const auto r = http.Get(path);
    if (!r) throw std::runtime_error{"no answer"};
    return std::to_string(r->status) + " " + r->body;
  };
  const auto post = [&](const char* path, const char* body) {
    const auto r =
        http.Post(path, {{"Idempotency-Key", "k-" + std::string{path}}}, body, "application/json");
    if (!r) throw std::runtime_error{"no answer"};
    return std::to_string(r->status) + " " + r->body;
  };
  const auto has = [](const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
  };
  const auto registered = post("/aggregates/persons/ada/register", R"({"name":"xq7-http"})");
  BOOST_TEST(registered.starts_with("200"), registered);
  BOOST_TEST(has(get("/aggregates/persons/ada"), R"("name":"xq7-http")"));
  BOOST_TEST(has(get("/aggregates/persons/ada/history"), R"("name":"xq7-http")"));
  BOOST_TEST(has(post("/aggregates/persons/ada/greet", "{}"), R"("name":"xq7-http")"));
  const auto forbidden = post("/aggregates/persons/ada/forbid", R"({"name":"xq7-no"})");
  BOOST_TEST(has(forbidden, R"("reason_value":{"name":"xq7-no"})"), forbidden);
  must(s.runs->erase_subject("ada"));
  BOOST_TEST(has(get("/aggregates/persons/ada"), R"("name":null)"));
  BOOST_TEST(has(get("/aggregates/persons/ada/history"), R"("name":null)"));
  BOOST_TEST(has(post("/aggregates/persons/ada/greet", "{}"), R"("name":null)"));
  const auto gone = post("/aggregates/persons/ada/register", R"({"name":"xq7-more"})");
  BOOST_TEST(gone.starts_with("410"), gone);
  BOOST_TEST(has(gone, "subject-erased"), gone);
  server.reset();
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(key_stores_of_hosts)

BOOST_AUTO_TEST_CASE(a_store_that_cannot_be_reached_stops_the_task_until_it_can) {
  temporary_folder folder;
  const auto keys = std::make_shared<memory_key_store>();
  host_options o;
  o.shared_log = memory_log::create("log");
  o.state = folder.path();
  o.partitions = 1;
  o.shared_keys = keys;
  o.key_cache.life = 0ms;
  o.first_backoff = 1ms;
  o.last_backoff = 2ms;
  o.failures_until_quarantine = 2;
  host h{people_app(), o};
  must(h.start());
  BOOST_TEST((h.ask<person>("ada", register_{"Ada"}).has_value()));
  keys->reachable(false);
  // The asker's own sealing.
  const auto asked = h.ask<person>("ada", register_{"Ada"});
  BOOST_REQUIRE((!asked && asked.error().failed()));
  BOOST_TEST((asked.error().failed()->code == errc::unavailable));
  // The task, which needs the state's text; later commands wait for it to start again.
  for (int i = 0; i < 4; ++i) {
    const auto told = h.ask<person>("ada", greet{}, {.timeout = 200ms});
    BOOST_REQUIRE((!told && told.error().failed()));
    BOOST_TEST((i > 0 || told.error().failed()->code == errc::unavailable));
    BOOST_TEST(told.error().may_be_asked_again());
    wait_until([&] {
      const auto all = h.status();
      return all.at(0).last_error.has_value() &&
             all.at(0).last_error->text().find("key store") != std::string::npos;
    });
  }
  BOOST_TEST(!h.failure().has_value());
  const auto queried = h.query<person>("ada");
  BOOST_REQUIRE(!queried);
  BOOST_TEST((queried.error().retriable));
  keys->reachable(true);
  std::string last;
  std::optional<ask_result> told;
  const auto waiting = [&] { return last; };
  wait_until(
      [&] {
        told = h.ask<person>("ada", greet{});
        if (!*told) last = told->error().text();
        return told->has_value();
      },
      waiting);
  auto reply = must(codec<greeting>::decode((*told)->reply.value()));
  must(h.open(reply));
  BOOST_TEST(*reply.name.text() == "Ada");
  must(h.stop());
}

BOOST_AUTO_TEST_CASE(personal_fields_without_a_store_are_refused_at_the_start) {
  temporary_folder folder;
  host_options o;
  o.shared_log = memory_log::create("log");
  o.state = folder.path();
  host h{people_app(), o};
  BOOST_TEST(
      (refused(h.start(), errc::refused_start, {"people.capnp:Register.name", "file:PATH"})));
  BOOST_TEST((refused(h.erase_subject("ada"), errc::bad_config, {"key store"})));
}

BOOST_AUTO_TEST_CASE(a_store_in_a_folder_that_is_copied_is_refused_and_not_made) {
  temporary_folder folder;
  for (const auto* where : {"log", "state", "savepoints"}) {
    host_options o;
    o.log = "lmdb:" + (folder.path() / "log").string();
    o.state = folder.path() / "state";
    o.savepoints = folder.path() / "savepoints";
    const auto file = folder.path() / where / "keys";
    o.keys = "file:" + file.string();
    host h{people_app(), o};
    BOOST_TEST((refused(h.start(), errc::bad_config, {file.string(), "elsewhere"})));
    BOOST_TEST(!fs::exists(file));
  }
}

BOOST_AUTO_TEST_CASE(with_processes_that_share_tasks_a_store_of_one_machine_is_refused) {
  struct shared final : kappa::test::forwarding_log {
    using forwarding_log::forwarding_log;
    bool places_tasks() const override { return true; }
  };
  temporary_folder folder;
  const auto memory = memory_log::create("log");
  const shared log{memory};
  const auto topology = must(topology::compile(people_app()));
  host_options o;
  o.keys = "file:" + (folder.path() / "keys").string();
  BOOST_TEST(
      (refused(detail::open_keys(o, topology, log), errc::refused_start, {"postgresql://"})));
  o.keys.clear();
  BOOST_TEST(
      (refused(detail::open_keys(o, topology, log), errc::refused_start, {"postgresql://"})));
}

BOOST_AUTO_TEST_CASE(a_client_without_a_store_sends_nothing_personal) {
  service s;
  auto client = must(aggregate_client::open(
      must(open_log({.url = "lmdb:" + s.data("log").string()})), people_app()));
  const auto refused = client->ask<person>("ada", register_{"Ada"});
  BOOST_REQUIRE((!refused && refused.error().failed()));
  BOOST_TEST((refused.error().failed()->code == errc::bad_config));
  BOOST_TEST(refused.error().text().find("Register.name") != std::string::npos);
  BOOST_TEST((client->ask<person>("ada", greet{}, {.timeout = 30s}).has_value()));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace erasures
