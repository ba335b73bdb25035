// What streams keep and write of personal data: projections, topics, dead letters.
#include "kappa/testing/driver.hpp"
#include "keys/people_service.hpp"

namespace erasures_in_streams {

namespace {

using namespace erasures;

const std::string on_a_card = "card of ";

void keep(card& c, const event_of<person>& e) {
  ++c.changes;
  if (const auto* r = e.as<registered>()) c.name = r->name;
  if (const auto* n = e.as<name_changed>()) {
    c.name = n->name;
    c.greeting = n->greeting;
  }
  if (const auto* n = e.as<note_added>()) {
    c.note = n->note;
    // What is not readable here cannot be put anywhere as text.
    c.country = on_a_card + n->note.contact.addresses.at(0).country +
                n->note.text.text_or(", no text") + c.name.text_or(", no name");
  }
}

// Whoever hears of somebody fails at it: a dead letter.
std::vector<notice> notices_of(const event_of<person>& e) {
  if (e.as<heard>() != nullptr) throw std::runtime_error{"it does not want to hear of it"};
  if (const auto* n = e.as<name_changed>()) return {{"the gate", n->name}};
  return {};
}

app cards_app() {
  auto a = people_app();
  a.events<person>("persons")
      .already_keyed(&event_of<person>::key)
      .fold<card>("cards", keep)
      .to("public-cards");
  a.events<person>("persons")
      .flat_map("notices-of", notices_of)
      .key_by("place", &notice::at)
      .fold<notice>("last-notices", [](notice& last, const notice& n) { last = n; })
      .to("notices");
  return a;
}

struct service_with_cards : service {
  service_with_cards() : service{cards_app()} {
    says_all_of_ada();
    wait_until([&] { return !written<notice>("notices").empty(); });
    for (const auto* what : {"log", "state", "savepoints"})
      wait_until([&] { return !files_with(data(what), on_a_card + public_text).empty(); });
  }
  template <class S>
  S shown(const std::string& stage, const std::string& key) {
    const auto behind = must(runs->position_of<person>("ada"));
    for (;;) {
      auto found = runs->query<S>(stage, key, {.at_least = behind});
      if (found) {
        must(runs->open(found->value.value()));
        return *found->value;
      }
      if (!found.error().retriable) throw std::runtime_error{found.error().text()};
    }
  }
  /// Those of cards with a name.
  std::vector<card> public_cards() {
    auto all = written<card>("public-cards");
    std::erase_if(all, [](const card& c) { return c.name.empty(); });
    return all;
  }
  /// What the app has written to a topic, opened.
  template <class T>
  std::vector<T> written(const std::string& topic) {
    std::vector<T> all;
    must(for_each_record(runs->log(), topic, [&](const record_view& r) -> result<void> {
      auto v = must(codec<T>::decode(*r.value));
      must(runs->open(v));
      all.push_back(std::move(v));
      return {};
    }));
    return all;
  }
  /// The dead letter of what was in this topic, opened.
  template <class T>
  T dead_letter_of(const std::string& topic) {
    std::optional<T> found;
    must(for_each_record(
        runs->log(), "people.dead-letters", [&](const record_view& r) -> result<void> {
          if (!r.headers.find("kappa.position").value_or("").starts_with(topic + "[")) return {};
          BOOST_TEST(!found.has_value());
          found = must(codec<T>::decode(*r.value));
          return runs->open(*found);
        }));
    return found.value();
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(shredding_in_streams)

BOOST_AUTO_TEST_CASE(what_streams_keep_and_write_is_sealed_and_erased_with_the_key) {
  service_with_cards s;
  const auto card_now = s.shown<card>("cards", "ada");
  BOOST_TEST(*card_now.name.text() == "xq7-name-renamed");
  BOOST_TEST(*card_now.note.text.text() == "xq7-note-text");
  // Not for the stream itself.
  BOOST_TEST(card_now.country == on_a_card + public_text + ", no text, no name");
  BOOST_TEST(*s.shown<notice>("last-notices", "the gate").name.text() == "xq7-name-renamed");
  BOOST_TEST(*s.public_cards().at(0).name.text() == "xq7-name-registered");
  BOOST_TEST(*s.written<notice>("notices").at(0).name.text() == "xq7-name-renamed");
  BOOST_TEST(*s.dead_letter_of<fail_at_it>("people.persons.commands").name.text() ==
             "xq7-fails-in-log");
  BOOST_TEST(*s.dead_letter_of<heard>("persons").name.text() == "xq7-name-registered");
  const auto key = must(s.keys->find("ada")).key;
  const auto search = [&] {
    for (const auto& text : personal_texts) nothing_of(s.folder.path(), text, "plain text");
    nothing_of(s.data(""), key.view(), "a key");
  };
  search();

  BOOST_TEST((must(s.runs->erase_subject("ada")) == erasure::done));
  for (int life = 0; life < 3; ++life) {
    const auto left = s.shown<card>("cards", "ada");
    BOOST_TEST(left.name.erased());
    BOOST_TEST(left.greeting.erased());
    BOOST_TEST(left.note.text.erased());
    BOOST_TEST(left.note.contact.photo.erased());
    BOOST_TEST(left.country == card_now.country);
    BOOST_TEST(left.changes == card_now.changes);
    BOOST_TEST(s.shown<notice>("last-notices", "the gate").name.erased());
    const auto cards = s.public_cards();
    BOOST_TEST(cards.size() == 4U);
    for (const auto& c : cards) BOOST_TEST(c.name.erased());
    BOOST_TEST(s.written<notice>("notices").size() == 1U);
    BOOST_TEST(s.written<notice>("notices").at(0).name.erased());
    BOOST_TEST(s.dead_letter_of<fail_at_it>("people.persons.commands").name.erased());
    BOOST_TEST(s.dead_letter_of<heard>("persons").name.erased());
    search();
    if (life == 0) s.restart();
    if (life == 1) s.replay_from_nothing();
  }
}

// However often the value was changed before: that is not left to the next snapshot.
BOOST_AUTO_TEST_CASE(a_text_that_a_stream_makes_is_not_kept_and_its_event_is_a_dead_letter) {
  auto a = people_app();
  a.events<person>("persons")
      .already_keyed(&event_of<person>::key)
      .fold<card>("cards", [](card& c, const event_of<person>& e) {
        ++c.changes;
        if (e.as<name_changed>() != nullptr) c.name = "made here";
      });
  for (int before = 0; before < 6; ++before) {
    BOOST_TEST_CONTEXT(before << " events before") {
      kappa::testing::driver d{a};
      for (int i = 0; i < before; ++i) (void)d.ask<person>("ada", register_{"Ada"});
      (void)d.ask<person>("ada", change_name{"Augusta"});
      BOOST_TEST(d.dead_letters().size() == 1U);
      (void)d.ask<person>("ada", register_{"Ada"});
      BOOST_TEST(d.get<card>("cards", std::string{"ada"})->changes == before + 1);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_text_that_apply_makes_is_not_kept_and_its_command_fails) {
  struct careless : person {
    using person::apply;
    void apply(const name_changed&) { name = "made here"; }
  };
  app a{"people"};
  a.aggregate<careless>("persons");
  for (std::uint64_t before = 0; before < 6; ++before) {
    BOOST_TEST_CONTEXT(before << " events before") {
      kappa::testing::driver d{a};
      for (std::uint64_t i = 0; i < before; ++i) (void)d.ask<careless>("ada", register_{"Ada"});
      const auto failed = d.ask<careless>("ada", change_name{"Augusta"});
      BOOST_TEST((failed.failed() != nullptr && failed.failed()->code == errc::user_code));
      const auto next = d.ask<careless>("ada", register_{"Ada"});
      BOOST_REQUIRE(next.accepted() != nullptr);
      BOOST_TEST(next.accepted()->version == before + 1);
      BOOST_TEST(*d.entry<careless>("ada")->state.name.text() == "Ada");
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace erasures_in_streams
