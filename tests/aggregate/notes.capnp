@0x9a4e1f6c27d3b805;
using Kappa = import "/kappa/kappa.capnp";
$Kappa.namespace("notes");

# A page with texts of any length.
struct PageState {
  bytes @0 :UInt64;
}

struct Note $Kappa.command("page") {
  text @0 :Text;
  at @1 :Int64 $Kappa.timestamp;
  lines @2 :List(Line);
  struct Line {
    number @0 :UInt16;
  }
}

struct Noted $Kappa.event("page") {
  text @0 :Text;
}

# A sheet with one text, which is rubbed out and written anew.
struct SheetState {
  text @0 :Text;
}
# What is there must be what the writer believes to be there.
struct Rewrite $Kappa.command("sheet") {
  was @0 :Text;
  text @1 :Text;
}
struct Rewritten $Kappa.event("sheet") {
  text @0 :Text;
}
