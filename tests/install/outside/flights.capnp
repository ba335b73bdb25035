@0xb1a5c7d2e3f40911;

using Kappa = import "/kappa/kappa.capnp";

struct Flight {
  scheduled @0 :Int64 $Kappa.eventTime;
  delay @1 :Int32;
  distance @2 :Int32;
  origin @3 :Text $Kappa.key;
  destination @4 :Text;
}
