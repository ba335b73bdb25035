@0xc86f0b7d21e94a35;
using Kappa = import "/kappa/kappa.capnp";
$Kappa.namespace("shop::wire");

# A kind of things, of which an order holds one.
struct ShelfState {
  left @0 :UInt32;
  held @1 :List(Text);  # by which orders
}
struct Stock $Kappa.command("shelf") {
  pieces @0 :UInt32;
}
struct Hold $Kappa.command("shelf") {
  order @0 :Text;
}
struct PutBack $Kappa.command("shelf") {
  order @0 :Text;
}
struct Stocked $Kappa.event("shelf") {
  pieces @0 :UInt32;
}
struct Held $Kappa.event("shelf") {
  order @0 :Text;
}
struct WasPutBack $Kappa.event("shelf") {
  order @0 :Text;
}

enum Stage {
  none @0;
  waiting @1;      # for the shelf to say that it holds one
  confirmed @2;
  refused @3;
  givingBack @4;   # it took too long
  cancelled @5;
}
struct OrderState {
  stage @0 :Stage;
  shelf @1 :Text;
  dueAt @2 :Int64 $Kappa.timestamp;
  heldLate @3 :UInt32;     # results that came after the time-out
  refusedLate @4 :UInt32;
  gaveBack @5 :Bool;
}
struct PlaceOrder $Kappa.command("order") {
  shelf @0 :Text;
}
struct OrderPlaced $Kappa.event("order") {
  shelf @0 :Text;
  dueAt @1 :Int64 $Kappa.timestamp;
}
struct OrderConfirmed $Kappa.event("order") {}
struct OrderRefused $Kappa.event("order") {}
struct OrderTimedOut $Kappa.event("order") {}
struct HoldCameLate $Kappa.event("order") {
  held @0 :Bool;
}
struct OrderCancelled $Kappa.event("order") {
  gaveBack @0 :Bool;
}
