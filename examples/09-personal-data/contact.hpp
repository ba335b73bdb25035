// A contact, with what may not be known of it for ever.
#pragma once

#include <string>

#include "contacts.kappa.hpp"
#include "kappa/kappa.hpp"

// [contact]
struct contact : contact_state {
  using protocol = contact_protocol;

  auto decide(const change_email& c) const -> kappa::decision<email_changed> {
    if (c.email == email) return kappa::nothing_to_do{};
    return email_changed{c.email, email.text_or("(none)") + " -> " + c.email.text_or("(none)")};
  }
  auto decide(const add_note& c) const -> kappa::decision<note_added> { return note_added{c.note}; }

  void apply(const email_changed& e) { email = e.email; }  // as it is: ciphertext
  void apply(const note_added& e) { notes.push_back(e.note); }
};
// [/contact]

inline kappa::app contacts_app() {
  kappa::app app{"contacts"};
  app.aggregate<contact>("contacts");
  return app;
}
