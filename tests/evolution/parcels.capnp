@0x9d1c6f0be2a84375;
using Kappa = import "/kappa/kappa.capnp";
$Kappa.namespace("parcels");

# Every way in which a former event can become events of today.

struct ParcelState {
  grams @0 :Int64;
  labels @1 :List(Text);
  dueAt @2 :Int64 $Kappa.timestamp;
}

struct Pack $Kappa.command("parcel") {}

struct Weighed $Kappa.event("parcel") {
  grams @0 :Int64;
}
struct Labelled $Kappa.event("parcel") {
  label @0 :Text;
}
struct Promised $Kappa.event("parcel") {
  at @0 :Int64 $Kappa.timestamp;
}
# Whoever has it now, it is no parcel of ours.
struct Delivered $Kappa.event("parcel") $Kappa.tombstone {}

# Two at once.
struct Packed $Kappa.formerEvent("parcel") {
  grams @0 :Int64;
  label @1 :Text;
}
# As many as it has.
struct LabelledOften $Kappa.formerEvent("parcel") {
  labels @0 :List(Text);
}
# Nothing is left of it.
struct Photographed $Kappa.formerEvent("parcel") {}
# One, or none.
struct Corrected $Kappa.formerEvent("parcel") {
  grams @0 :Int64;
}
# One or the other.
struct Noted $Kappa.formerEvent("parcel") {
  text @0 :Text;
}
# Older than Packed.
struct Wrapped $Kappa.formerEvent("parcel") {
  kilograms @0 :Int64;
}
# Nothing comes of it but the end.
struct Lost $Kappa.formerEvent("parcel") {}
# It begins again.
struct Returned $Kappa.formerEvent("parcel") {
  grams @0 :Int64;
}
# It moves the deadline twice.
struct PromisedTwice $Kappa.formerEvent("parcel") {
  first @0 :Int64 $Kappa.timestamp;
  second @1 :Int64 $Kappa.timestamp;
}
