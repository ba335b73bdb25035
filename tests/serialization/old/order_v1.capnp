# The version of order.capnp that wrote order_v1.hex. Kept as it was: old bytes must stay readable.
@0xc2b7d6a5e4f31210;

using Kappa = import "/kappa/kappa.capnp";
$Kappa.namespace("v1");

struct Order @0xe1d2c3b4a5960701 {
  placed @0 :Int64 $Kappa.eventTime;
  customer @1 :Text $Kappa.key;
  quantity @2 :Int32 = 1;
  tags @3 :List(Text);
  lines @4 :List(Line);
  comment @5 :Text;
  paid @6 :Bool;
  colour @7 :Colour;

  struct Line {
    item @0 :Text;
    cents @1 :Int64;
  }
  enum Colour {
    black @0;
    white @1;
  }
}
