// The types of Cap'n Proto's own generator and of Kappa's, for the same schema.
#pragma once

#include "everything.capnp.h"
#include "everything.kappa.hpp"

namespace kappa::test {

struct pairs {
  /// Calls f.operator()<theirs, ours>() for each.
  template <class F>
  static void each(F&& f) {
    f.template operator()<::Everything, everything::everything>();
    f.template operator()<::Numbers, everything::numbers>();
    f.template operator()<::Defaults, everything::defaults>();
    f.template operator()<::Shape, everything::shape>();
    f.template operator()<::Tree, everything::tree>();
    f.template operator()<::Person, everything::person>();
    f.template operator()<::Person::Place, everything::person_place>();
    f.template operator()<::Address, everything::address>();
    f.template operator()<::Empty, everything::empty>();
  }
};

}  // namespace kappa::test
