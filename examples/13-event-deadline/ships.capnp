@0xd5a3c1f09b7e4682;
using Kappa = import "/kappa/kappa.capnp";

struct ShipState {
  lastSeen @0 :Int64 $Kappa.timestamp;
  silent @1 :Bool;
}

struct ReportPosition $Kappa.command("ship") {
  at @0 :Int64 $Kappa.timestamp;
}

# [events]
struct PositionReported $Kappa.event("ship") {
  at @0 :Int64 $Kappa.eventTime;
}
struct FellSilent $Kappa.event("ship") {}
# [/events]
