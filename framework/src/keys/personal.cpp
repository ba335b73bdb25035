#include "kappa/keys/personal.hpp"

namespace kappa {

personal personal::from_stored(bytes_view v) {
  personal p;
  p.sealed_ = v;
  p.form_ = v.empty() ? form::empty : form::sealed;
  return p;
}

void personal::throw_unsealed() {
  throw unsealed_text{
      "personal text was to be stored as it is. What is asked, and the events of a decision, Kappa "
      "seals by itself; elsewhere use a field of the command or the state, or key_ring::seal"};
}

}  // namespace kappa
