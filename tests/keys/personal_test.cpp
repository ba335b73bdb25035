// Personal fields: how they are sealed, opened, stored, and what reads as erased.
#include "kappa/keys/key_ring.hpp"
#include "kappa/keys/memory_key_store.hpp"
#include "kappa/serialization/dynamic.hpp"
#include "kappa/serialization/evolution.hpp"
#include "kappa/serialization/wire_writer.hpp"
#include "kappa/testing/given.hpp"
#include "keys/people.hpp"
#include "support/must.hpp"
#include "support/refused.hpp"

namespace personal_fields {

namespace {

using namespace people;
using namespace kappa;
using namespace std::chrono_literals;
using kappa::test::must;
using kappa::test::refused;

struct ring_of_memory {
  std::shared_ptr<memory_key_store> store = std::make_shared<memory_key_store>();
  key_ring ring{store};
};

contact some_contact() {
  contact c;
  c.name = "Ada Lovelace";
  c.photo = bytes{"\x00\xff", 2};
  c.addresses = {{"London", "UK"}, {"Porlock", "UK"}};
  c.which.emplace<contact::home>(address{"Ockham", "UK"});
  c.work.title = "Countess";
  return c;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(personal_values)

BOOST_AUTO_TEST_CASE(what_is_plain_has_no_stored_form) {
  BOOST_CHECK_THROW(encoded(registered{"Ada"}), unsealed_text);
  BOOST_CHECK_THROW(to_json(registered{"Ada"}), unsealed_text);
  BOOST_CHECK_THROW(encoded(note_added{{"ada", "likes music", {}}}), unsealed_text);
  BOOST_CHECK_NO_THROW(encoded(registered{}));
  BOOST_TEST(fmt::format("{}", registered{"Ada"}) == "registered{name=(personal)}");
}

BOOST_AUTO_TEST_CASE(every_field_at_every_depth_is_sealed_and_opens_again) {
  ring_of_memory r;
  auto c = some_contact();
  must(r.ring.seal(c, "ada"));
  const auto stored = encoded(c);
  for (const auto* text : {"Ada Lovelace", "London", "Porlock", "Ockham", "Countess"})
    BOOST_TEST(stored.find(text) == bytes::npos);
  BOOST_TEST(stored.find(bytes{"\x00\xff", 2} + bytes{}) == bytes::npos);
  BOOST_TEST(stored.find("UK") != bytes::npos);
  auto read = must(codec<contact>::decode(stored));
  BOOST_TEST((read.name.text() == nullptr));
  must(r.ring.open(read));
  BOOST_TEST((read == some_contact()));
  BOOST_TEST(encoded(read) == stored);  // an open field is stored as it was
  BOOST_TEST(*read.name.text() == "Ada Lovelace");
}

BOOST_AUTO_TEST_CASE(the_same_text_of_the_same_subject_has_the_same_bytes) {
  ring_of_memory r;
  const auto sealed = [&](const char* text, const char* subject) {
    registered v{text};
    must(r.ring.seal(v, subject));
    return encoded(v);
  };
  BOOST_TEST(sealed("Ada", "1") == sealed("Ada", "1"));
  BOOST_TEST(sealed("Ada", "1") != sealed("Ada", "2"));
  BOOST_TEST(sealed("Ada", "1") != sealed("Bob", "1"));
}

BOOST_AUTO_TEST_CASE(a_struct_may_say_whose_it_is) {
  ring_of_memory r;
  note_added v{{"bob", "likes music", some_contact()}};
  must(r.ring.seal(v, "ada"));
  BOOST_TEST((must(r.store->find("ada")).status == key_status::none));
  must(r.ring.erase("bob"));
  must(r.ring.open(v));
  BOOST_TEST(v.note.text.erased());
  BOOST_TEST(v.note.contact.addresses[1].city.erased());
  note_added nobodys{{"", "likes music", {}}};
  BOOST_TEST((refused(r.ring.seal(nobodys, ""), errc::invalid_argument, {})));
}

BOOST_AUTO_TEST_CASE(an_erased_field_has_no_text_and_stays_erased) {
  ring_of_memory r;
  registered v{"Ada"};
  must(r.ring.seal(v, "ada"));
  const auto stored = encoded(v);
  must(r.ring.open(v));
  BOOST_TEST((must(r.ring.erase("ada")) == erasure::done));
  auto again = must(codec<registered>::decode(stored));
  must(r.ring.open(again));
  BOOST_TEST(again.name.erased());
  BOOST_TEST((again.name.text() == nullptr));
  BOOST_TEST(again.name.text_or("-") == "-");
  BOOST_TEST(encoded(again) == stored);
  BOOST_TEST(to_json(again).find("sealed") != std::string::npos);
  must(r.ring.show(again));
  BOOST_TEST(to_json(again) == R"({"name":null})");
  registered more{"Ada"};
  BOOST_TEST((refused(r.ring.seal(more, "ada"), errc::erased, {})));
}

BOOST_AUTO_TEST_CASE(a_store_that_cannot_be_reached_says_nothing_of_keys) {
  ring_of_memory r;
  registered v{"Ada"};
  must(r.ring.seal(v, "ada"));
  r.store->reachable(false);
  key_ring cold{r.store};
  const auto failed = cold.open(v);
  BOOST_REQUIRE(!failed);
  BOOST_TEST((failed.error().code == errc::unavailable && failed.error().retriable));
  BOOST_TEST(!v.name.erased());
  BOOST_TEST((refused(cold.erase("ada"), errc::unavailable, {})));
  r.store->reachable(true);
  must(cold.open(v));
  BOOST_TEST(*v.name.text() == "Ada");
}

BOOST_AUTO_TEST_CASE(another_store_and_changed_bytes_are_errors_and_not_erasures) {
  ring_of_memory r;
  registered v{"Ada"};
  must(r.ring.seal(v, "ada"));
  ring_of_memory other;
  auto copy = v;
  BOOST_TEST((refused(other.ring.open(copy), errc::corrupt, {})));
  (void)must(other.store->find_or_create("ada"));
  BOOST_TEST((refused(other.ring.open(copy), errc::corrupt, {})));
  const auto& sealed = v.name.sealed();
  for (std::size_t at = 0; at < sealed.size(); ++at) {
    auto changed = sealed;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    if (!personal::is_stored_form(changed)) continue;  // its first bytes
    registered w{};
    w.name = personal::from_stored(changed);
    BOOST_TEST((refused(r.ring.open(w), errc::corrupt, {})), "byte " << at);
  }
}

BOOST_AUTO_TEST_CASE(what_is_not_sealed_is_not_read_as_personal) {
  struct plain_writer {
    static bytes of(const char* text) {  // as another program would write the field
      bytes out;
      kappa::wire::writer w{out};
      const auto root = w.allocate(1);
      const auto at = w.allocate(1);
      w.struct_pointer(root, at, {0, 1});
      w.byte_list(at, text, true);
      return out;
    }
  };
  const auto read = codec<registered>::decode(plain_writer::of("Ada"));
  BOOST_REQUIRE(!read);
  BOOST_TEST((read.error().code == errc::decode));
  BOOST_TEST(read.error().text().find("name") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_key_is_kept_for_a_while_and_dropped_by_an_erasure) {
  ring_of_memory r;
  registered v{"Ada"};
  must(r.ring.seal(v, "ada"));
  r.store->reachable(false);
  must(r.ring.open(v));  // from memory
  r.store->reachable(true);
  must(r.ring.erase("ada"));
  must(r.ring.seal(v, "ada"));  // it is sealed already
  must(r.ring.open(v));
  BOOST_TEST(v.name.erased());

  key_ring short_lived{r.store, {.life = 0ms}};
  registered w{"Bob"};
  must(short_lived.seal(w, "bob"));
  must(r.store->erase("bob"));  // by another process
  must(short_lived.open(w));
  BOOST_TEST(w.name.erased());
}

BOOST_AUTO_TEST_CASE(few_keys_are_kept_where_few_may_be) {
  auto store = std::make_shared<memory_key_store>();
  key_ring ring{store, {.max_keys = 2}};
  for (const auto* subject : {"a", "b", "c", "d"}) {
    registered v{"text"};
    must(ring.seal(v, subject));
    must(ring.open(v));
    BOOST_TEST(*v.name.text() == "text");
  }
}

BOOST_AUTO_TEST_CASE(json_that_is_stored_is_sealed_and_reads_back) {
  ring_of_memory r;
  auto c = some_contact();
  must(r.ring.seal(c, "ada"));
  const auto text = to_json(c);
  BOOST_TEST(text.find("London") == std::string::npos);
  BOOST_TEST((must(from_json<contact>(text)) == c));
  must(r.ring.show(c));
  BOOST_TEST(to_json(c).find(R"("city":"London")") != std::string::npos);
  BOOST_TEST(must(from_json<registered>(R"({"name":"Ada"})")).name.plain());
  BOOST_TEST((refused(from_json<registered>(R"({"name":{"sealed":"QWRh"}})"), errc::decode, {})));
  BOOST_TEST((refused(from_json<registered>(R"({"name":7})"), errc::decode, {})));
}

BOOST_AUTO_TEST_CASE(tools_without_keys_show_what_is_stored) {
  ring_of_memory r;
  auto c = some_contact();
  must(r.ring.seal(c, "ada"));
  const auto schema = codec<contact>::schema();
  const auto type = must(dynamic_type::parse(schema));
  BOOST_TEST(must(type.to_json(encoded(c))) == to_json(c));
}

BOOST_AUTO_TEST_CASE(a_field_that_becomes_personal_is_another_field) {
  auto was = codec<registered>::schema();
  auto& text = was.description;
  text.replace(text.find("PersonalText"), 12, "Text");
  const auto read = capnp_can_read(codec<registered>::schema(), was, read_as::events);
  BOOST_REQUIRE(!read);
  BOOST_TEST(read.error().text().find("'name'") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(personal_scenarios)

using kappa::testing::given;

BOOST_AUTO_TEST_CASE(decide_reads_what_apply_does_not) {
  given<person>(registered{"Ada"})
      .key(std::string{"ada"})
      .when(change_name{"Augusta"})
      .then(name_changed{"Augusta", "from Ada to Augusta"})
      .then_state([](const person& p) { return *p.name.text() == "Augusta"; });
}

BOOST_AUTO_TEST_CASE(replies_rejections_and_sent_commands_carry_it) {
  given<person>(registered{"Ada"})
      .when(greet{})
      .then_reply(greeting{"Ada"})
      .when(tell_other{"bob"})
      .then_sent("bob", hear{"Ada"})
      .when(forbid{"Nobody"})
      .then_rejected(forbidden_name{"Nobody"});
}
BOOST_AUTO_TEST_CASE(after_the_erasure_it_goes_on_without_the_text) {
  given<person>(registered{"Ada"})
      .erase_subject()
      .then_state([](const person& p) { return p.name.erased(); })
      .when(add_note{{"bob", "of another one", {}}})
      .then_state([](const person& p) {
        return p.name.erased() && *p.notes[0].text.text() == "of another one";
      });
}

BOOST_AUTO_TEST_CASE(a_wrong_text_is_a_failed_scenario) {
  BOOST_CHECK_THROW(given<person>(registered{"Ada"}).when(greet{}).then_reply(greeting{"Bob"}),
                    kappa::testing::scenario_failed);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace personal_fields
