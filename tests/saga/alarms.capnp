@0x9d1f7be0a4c36258;
using Kappa = import "/kappa/kappa.capnp";
$Kappa.namespace("alarms");

struct AlarmState {
  at @0 :Int64 $Kappa.timestamp;
  set @1 :Bool;
  rang @2 :UInt32;
  mood @3 :Text;
}
# Moods: "" rings; "lazy" decides nothing; "wrong" throws; "stuck" says so, and stays; "last" breaks.
struct SetAlarm $Kappa.command("alarm") {
  at @0 :Int64 $Kappa.timestamp;
  mood @1 :Text;
}
struct ClearAlarm $Kappa.command("alarm") {}
struct AlarmSet $Kappa.event("alarm") {
  at @0 :Int64 $Kappa.timestamp;
  mood @1 :Text;
}
struct AlarmCleared $Kappa.event("alarm") {}
struct AlarmRang $Kappa.event("alarm") {}
struct AlarmStuck $Kappa.event("alarm") {}
struct AlarmBroke $Kappa.event("alarm") $Kappa.tombstone {}

struct RelayState {
  passed @0 :UInt32;
  results @1 :List(Text);
}
# Passes a command on to the alarm of its own name; `how` it goes wrong: "silent", "unknown", "key", "large", "about".
struct PassOn $Kappa.command("relay") {
  how @0 :Text;
}
struct PassedOn $Kappa.event("relay") {}
struct Heard $Kappa.event("relay") {
  what @0 :Text;
}

# A sensor that goes quiet: an hour of event time after its last reading, as the readings of all sensors say it.
struct SensorState {
  readings @0 :UInt32;
  quiet @1 :UInt32;        # how often it went quiet
  listens @2 :Bool;
  until @3 :Int64 $Kappa.timestamp;
  told @4 :Int64 $Kappa.timestamp;  # event time when it was told so
  mood @5 :Text;
}
# Moods: "lazy" decides nothing; "wrong" throws; "stuck" says so, and stays; "both" by both clocks.
struct ReportReading $Kappa.command("sensor") {
  at @0 :Int64 $Kappa.timestamp;
  mood @1 :Text;
}
struct RemoveSensor $Kappa.command("sensor") {}
struct ReadingReported $Kappa.event("sensor") {
  at @0 :Int64 $Kappa.eventTime;
  mood @1 :Text;
}
struct WentQuiet $Kappa.event("sensor") {
  told @0 :Int64 $Kappa.timestamp;
}
struct SensorStuck $Kappa.event("sensor") {}
struct SensorRemoved $Kappa.event("sensor") $Kappa.tombstone {}
