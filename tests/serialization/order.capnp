# The present version of old/order_v1.capnp, changed in every way that Cap'n Proto allows.
@0xc2b7d6a5e4f31211;

using Kappa = import "/kappa/kappa.capnp";
$Kappa.namespace("v2");

struct Purchase @0xe1d2c3b4a5960701 {     # renamed; the id stays
  placed @0 :Int64 $Kappa.eventTime;
  buyer @1 :Text $Kappa.key;              # renamed
  quantity @2 :Int32 = 1;
  tags @3 :List(Tag);                     # a list of texts has become one of structs
  lines @4 :List(Item);                   # of a struct that was renamed, and that grew
  remark :union {                         # a field has moved into a new union
    comment @5 :Text;
    code @8 :UInt16;
  }
  state :group {                          # and into a group
    paid @6 :Bool;
    sent @9 :Bool;
  }
  colour @7 :Colour;
  country @10 :Text = "US";
  discount @11 :Float64;

  struct Tag {
    name @0 :Text;
    weight @1 :Int32;
  }
  struct Item {
    item @0 :Text;
    cents @1 :Int64;
    gift @2 :Bool;
    options @3 :List(Text);
  }
  enum Colour {
    black @0;
    white @1;
    green @2;
  }
}
