# The events of the documentation, as a user would write them.
@0xc2b7d6a5e4f31203;

using Kappa = import "/kappa/kappa.capnp";

struct Flight {
  # One departure.
  scheduled @0 :Int64 $Kappa.eventTime;
  delay @1 :Int32;
  distance @2 :Int32;
  origin @3 :Text $Kappa.key;
  destination @4 :Text;
}

struct DelayStats $Kappa.name("delay_sums") {
  # What is kept of an hour; delay_stats adds the methods.
  flights @0 :Int64;
  sum @1 :Int64;
  delayed @2 :Int64;
}
