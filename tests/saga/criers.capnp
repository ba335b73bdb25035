@0xb84c2f6d10e9a735;
using Kappa = import "/kappa/kappa.capnp";
$Kappa.namespace("criers");

# A crier, who tells others what happens; `how` it goes wrong is in criers.hpp.
struct CrierState {
  cries @0 :UInt32;
  due @1 :Int64 $Kappa.timestamp;  # when it cries by itself, if it cries at all; 0: never
}
struct Cry $Kappa.command("crier") {
  how @0 :Text;
}
struct Confide $Kappa.command("crier") {
  text @0 :Text $Kappa.personal;
}
struct Cried $Kappa.event("crier") {
  due @0 :Int64 $Kappa.timestamp;
}

# What it publishes: with a time of its own, without one, and what is personal.
struct Rumour {
  at @0 :Int64 $Kappa.eventTime;
  what @1 :Text;
}
struct Whisper {
  what @0 :Text;
}
struct Secret {
  text @0 :Text $Kappa.personal;
}
