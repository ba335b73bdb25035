@0xbc90639aa883611e;

using Kappa = import "/kappa/kappa.capnp";

struct Reading {
  at @0 :Int64 $Kappa.eventTime;
  station @1 :Text $Kappa.key;
  celsius @2 :Int32;
}

struct HourFields {
  readings @0 :Int32;
  highest @1 :Int32;
}
