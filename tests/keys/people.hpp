// An aggregate with personal data, for tests.
#pragma once

#include <stdexcept>

#include "kappa/aggregate/aggregate.hpp"
#include "kappa/stream/app.hpp"
#include "people.kappa.hpp"

namespace people {

using namespace wire;

struct person : person_state {
  using protocol = person_protocol;
  using replies = kappa::type_list<kappa::reply_to<greet, greeting>>;
  using rejections = kappa::type_list<forbidden_name>;

  auto decide(const register_& c) const -> kappa::decision<registered> {
    if (c.name.empty()) return kappa::reject("no name");
    return registered{c.name};
  }
  // Reads both texts, and makes a new one of them.
  auto decide(const change_name& c) const -> kappa::decision<name_changed> {
    return name_changed{c.name,
                        "from " + name.text_or("(gone)") + " to " + c.name.text_or("(gone)")};
  }
  auto decide(const add_note& c) const -> kappa::decision<note_added> { return note_added{c.note}; }
  auto decide(const greet&) const -> kappa::decision<registered> {
    return kappa::decision<registered>{kappa::nothing_to_do{}}.reply(greeting{name});
  }
  auto decide(const forbid& c) const -> kappa::decision<registered> {
    return kappa::reject(forbidden_name{c.name}, "forbidden");
  }
  auto decide(const fail_at_it&) const -> kappa::decision<registered> {
    throw std::runtime_error{"it fails"};
  }
  auto decide(const tell_other& c) const -> kappa::decision<told> {
    kappa::decision<told> d{told{c.other}};
    return d.send(c.other, hear{name});
  }
  auto decide(const hear& c) const -> kappa::decision<heard> { return heard{c.name}; }

  void apply(const registered& e) { name = e.name; }
  void apply(const name_changed& e) {
    name = e.name;
    ++renames;
  }
  void apply(const note_added& e) { notes.push_back(e.note); }
  void apply(const told&) {}
  void apply(const heard& e) { notes.push_back({"", e.name, {}}); }
};

inline kappa::app people_app() {
  kappa::app app{"people"};
  app.aggregate<person>("persons");
  return app;
}

}  // namespace people
