@0xf1c0d9a35b7e2846;
using Kappa = import "/kappa/kappa.capnp";

struct CartState {
  items @0 :List(Text);
  touchedAt @1 :Int64 $Kappa.timestamp;
}

struct AddItem $Kappa.command("cart") {
  item @0 :Text;
}
struct Discard $Kappa.command("cart") {}

# [events]
struct ItemAdded $Kappa.event("cart") {
  item @0 :Text;
}
# After these there is no cart any more.
struct Discarded $Kappa.event("cart") $Kappa.tombstone {}
struct Expired $Kappa.event("cart") $Kappa.tombstone {}
# [/events]
