@0xc6f0b1a83d5e4792;
using Kappa = import "/kappa/kappa.capnp";

struct OrderState {
  item @0 :Text;
  isPresent @1 :Bool;
  isGone @2 :Bool;
}

struct PlaceOrder $Kappa.command("order") {
  item @0 :Text;
  asPresent @1 :Bool;
}
struct ShipOrder $Kappa.command("order") {}

# [events]
struct Placed $Kappa.event("order") {
  item @0 :Text;
}
struct Wrapped $Kappa.event("order") {}
# It was called Sent, and keeps Sent's id: nothing else is needed.
struct Shipped @0xd4de8a7b0c3f9126 $Kappa.event("order") {
  carrier @0 :Text;  # appended: of older ones it is empty
}

# Written until version 2, when it became two.
struct Ordered $Kappa.formerEvent("order") {
  item @0 :Text;
  asPresent @1 :Bool;
}
# [/events]
