@0xd3a07c5be91f4628;
using Kappa = import "/kappa/kappa.capnp";
$Kappa.namespace("poll");

struct VoterState {
  choice @0 :Text;
}
struct Vote $Kappa.command("voter") {
  choice @0 :Text;
}
struct Voted $Kappa.event("voter") {
  choice @0 :Text;
  insteadOf @1 :Text;   # empty: it is the voter's first vote
}

# What a vote does to the votes of a choice.
struct TallyChange {
  choice @0 :Text;
  by @1 :Int64;
}
