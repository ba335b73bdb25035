// Personal data in tests: given/when/then seals it with keys of its own.
#define BOOST_TEST_MODULE personal_data
#include <boost/test/unit_test.hpp>

#include "contact.hpp"
#include "kappa/testing/given.hpp"

using kappa::testing::given;

// [test]
BOOST_AUTO_TEST_CASE(a_change_tells_both) {
  given<contact>(email_changed{"ada@example.org"})
      .when(change_email{"augusta@example.org"})
      .then(email_changed{"augusta@example.org", "ada@example.org -> augusta@example.org"});
}

BOOST_AUTO_TEST_CASE(a_contact_that_was_erased_keeps_what_is_of_others) {
  given<contact>(email_changed{"ada@example.org"})
      .erase_subject()
      .when(add_note{{"bob", "knows her"}})
      .then_state([](const contact& c) {
        return c.email.erased() && c.notes[0].text.text_or("") == "knows her";
      });
}
// [/test]
