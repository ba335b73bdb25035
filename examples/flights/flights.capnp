@0xe1d4c3b2a5968711;

using Kappa = import "/kappa/kappa.capnp";
$Kappa.namespace("flights");

# [flight]
struct Flight {
  scheduled @0 :Int64 $Kappa.eventTime;
  delay @1 :Int32;        # minutes; negative is early
  distance @2 :Int32;     # miles
  origin @3 :Text $Kappa.key;
  destination @4 :Text;
}
# [/flight]

# What is known of an origin's hour. Sums are integers, divided once when they are shown.
struct HourFields {
  flights @0 :Int64;
  delaySum @1 :Int64;
  minDelay @2 :Int32;
  maxDelay @3 :Int32;
  delayed @4 :Int64;      # flights with delay >= 15
}

# Mean and variance (Welford) of the hourly means of an origin's closed hours with enough flights.
struct HistoryFields {
  hours @0 :Int64;
  mean @1 :Float64;
  m2 @2 :Float64;
}

struct DelayAlert {
  origin @0 :Text;
  hour @1 :Int64 $Kappa.timestamp;
  flights @2 :Int64;
  meanDelay @3 :Float64;
  historyMean @4 :Float64;
  historyDeviation @5 :Float64;
}

# ── disruptions of airports: of hours that alarm, one after the other ──

# An origin's hours so far, and whether the last one alarmed.
struct WatchFields {
  history @0 :HistoryFields;
  alarming @1 :Bool;
}

# [disruption]
struct DisruptionState {
  open @0 :Bool;
  since @1 :Int64 $Kappa.timestamp;
  lastHour @2 :Int64 $Kappa.timestamp;
  worstDelay @3 :Float64;     # of the hours' means
  disruptions @4 :Int64;      # so far, this one included
}

struct ReportHour $Kappa.command("airport_disruption") {
  hour @0 :Int64 $Kappa.timestamp;
  meanDelay @1 :Float64;
  alarming @2 :Bool;
}

struct DisruptionOpened $Kappa.event("airport_disruption") {
  hour @0 :Int64 $Kappa.eventTime;
  meanDelay @1 :Float64;
}
struct DisruptionWentOn $Kappa.event("airport_disruption") {
  hour @0 :Int64 $Kappa.eventTime;
  meanDelay @1 :Float64;
}
struct DisruptionClosed $Kappa.event("airport_disruption") {
  hour @0 :Int64 $Kappa.eventTime;
}
# [/disruption]
