@0xe3b1d4f6a7c82950;
using Kappa = import "/kappa/kappa.capnp";

struct ShowState {
  seats @0 :Int32;
}

struct Announce $Kappa.command("show") {
  seats @0 :Int32;
}
struct Book $Kappa.command("show") {
  seats @0 :Int32;
}

struct Announced $Kappa.event("show") {
  seats @0 :Int32;
}
struct Booked $Kappa.event("show") {
  seats @0 :Int32;
}
