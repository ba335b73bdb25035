@0xe0f4f3a6d1c95b27;
using Kappa = import "/kappa/kappa.capnp";

struct PurseState {
  cents @0 :Int64;
}
struct Put $Kappa.command("purse") {
  cents @0 :Int64;
}
struct WasPut $Kappa.event("purse") {
  cents @0 :Int64;
}
