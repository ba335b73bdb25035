// Personal data of an app on Kafka: tasks move from process to process, the keys are in PostgreSQL,
// and a person whose key was deleted is gone for all of them.
#include <fstream>

#include "kafka/asking_support.hpp"
#include "kappa/keys/postgres_key_store.hpp"
#include "keys/people.hpp"
#include "keys/postgres_server_support.hpp"
#include "support/kafka_broker.hpp"

namespace erasures_on_kafka {

namespace {

using namespace kafka_test;
using people::person;

const std::vector<std::string> personal_texts{"zv4-name", "zv4-renamed", "zv4-note"};
const std::string public_text = "zv4-country";

/// A process of it, but in this one.
struct desk {
  desk(const kappa::testing::postgres_server& keys, const std::filesystem::path& state)
      : service{people::people_app(), options(keys, state)} {
    must(service.start());
  }
  static host_options options(const kappa::testing::postgres_server& keys,
                              const std::filesystem::path& state) {
    auto o = options_on(kafka_url(), state);
    o.keys = keys.url();
    return o;
  }
  template <class C>
  command_receipt accepted(const std::string& key, const C& command) {
    return accepted_by<person>(service, key, command);
  }
  person of(const std::string& key) {
    std::optional<person> found;
    BOOST_REQUIRE(eventually(
        [&] {
          const auto a = service.query<person>(key);
          if (a && a->value) found = a->value->state;
          return found.has_value();
        },
        120s));
    return *found;
  }

  host service;
};

/// Files below that hold these bytes; not the brokers' indices, which are large and have no
/// records.
std::size_t files_with(const std::filesystem::path& folder, bytes_view wanted) {
  std::size_t found = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator{folder}) {
    const auto kind = entry.path().extension();
    if (!entry.is_regular_file() || kind == ".index" || kind == ".timeindex") continue;
    std::string content(entry.file_size(), '\0');
    std::ifstream{entry.path(), std::ios::binary}.read(
        content.data(), static_cast<std::streamsize>(content.size()));
    found += content.find(wanted) != std::string::npos;
  }
  return found;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(erasures_on_kafka)

BOOST_AUTO_TEST_CASE(tasks_are_taken_over_before_and_after_a_key_is_deleted) {
  const auto& broker = kappa::testing::the_broker();
  const kappa::testing::postgres_server server;
  temporary_folder states;
  const auto state = [&](const char* name) { return states.path() / name; };

  auto first = std::make_unique<desk>(server, state("first"));
  first->accepted("ada", people::register_{"zv4-name"});
  people::contact c;
  c.addresses = {{"zv4-note", public_text}};
  first->accepted("ada", people::add_note{{"ada", "zv4-note", c}});
  first->accepted("bob", people::register_{"Bob"});
  const auto key = must(must(open_postgres_key_store(server.url()))->find("ada")).key;

  // Others go on where it was, and read what it sealed.
  must(first->service.stop());
  first.reset();
  auto second = std::make_unique<desk>(server, state("second"));
  second->accepted("ada", people::change_name{"zv4-renamed"});
  BOOST_TEST(second->of("ada").name.text_or("") == "zv4-renamed");
  BOOST_TEST(second->of("ada").notes.at(0).text.text_or("") == "zv4-note");

  const auto search = [&] {
    for (const auto& folder : {broker.folder(), states.path()}) {
      for (const auto& text : personal_texts)
        BOOST_TEST(files_with(folder, text) == 0U, text << " is below " << folder);
      BOOST_TEST(files_with(folder, key.view()) == 0U);
    }
  };
  search();
  BOOST_TEST(files_with(broker.folder(), public_text) > 0U);  // what is not personal is found

  BOOST_TEST((must(second->service.erase_subject("ada")) == erasure::done));
  BOOST_TEST(second->of("ada").name.erased());

  // One that has nothing yet, and one that has the state of before.
  must(second->service.stop());
  second.reset();
  for (const auto* name : {"third", "first"}) {
    desk next{server, state(name)};
    const auto ada = next.of("ada");
    BOOST_TEST(ada.name.erased());
    BOOST_TEST(ada.notes.at(0).text.erased());
    BOOST_TEST(ada.notes.at(0).contact.addresses.at(0).country == public_text);
    BOOST_TEST(ada.renames == 1U);
    BOOST_TEST(next.of("bob").name.text_or("") == "Bob");
    must(next.service.stop());
    search();
  }
  BOOST_TEST(server.ask("SELECT count(*) FROM kappa_subject_keys WHERE key IS NOT NULL") == "1");
}

// Others may have the tasks: a store of this machine alone would not be theirs.
BOOST_AUTO_TEST_CASE(a_host_with_a_store_of_its_own_machine_or_none_is_refused_by_name) {
  temporary_folder folder;
  const auto file = folder.path() / "keys" / "store";
  auto o = options_on(kafka_url(), folder.path() / "state");
  o.keys = "file:" + file.string();
  host of_a_file{people::people_app(), o};
  BOOST_TEST((kappa::test::refused(of_a_file.start(), errc::refused_start,
                                   {"key store", file.string(), kafka_url(), "postgresql://"})));
  o.keys.clear();
  host without{people::people_app(), o};
  BOOST_TEST((kappa::test::refused(without.start(), errc::refused_start,
                                   {"people.capnp:Register.name", "postgresql://"})));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace erasures_on_kafka
