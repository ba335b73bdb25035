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
