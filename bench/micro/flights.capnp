# The event of the main job, for codec_bench.cpp.
@0xc2b7d6a5e4f31220;

using Kappa = import "/kappa/kappa.capnp";
$Kappa.namespace("bench");

struct Flight {
  scheduled @0 :Int64 $Kappa.eventTime;
  delay @1 :Int32;
  distance @2 :Int32;
  origin @3 :Text $Kappa.key;
  destination @4 :Text;
}
