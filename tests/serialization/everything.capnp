# One of everything that a schema may hold, for the round-trip tests.
@0xc2b7d6a5e4f31201;

using Kappa = import "/kappa/kappa.capnp";
using Common = import "common.capnp";

$Kappa.namespace("everything");

const maxLegs :Int32 = 12;
# A constant of the schema.
const homeAirport :Text = "ORD";
const golden :Float64 = 1.618;

struct Numbers {
  # Every kind of number.
  flag @0 :Bool;
  i8 @1 :Int8;
  i16 @2 :Int16;
  i32 @3 :Int32;
  i64 @4 :Int64;
  u8 @5 :UInt8;
  u16 @6 :UInt16;
  u32 @7 :UInt32;
  u64 @8 :UInt64;
  f32 @9 :Float32;
  f64 @10 :Float64;
  other @11 :Bool;
}

struct Defaults {
  flag @0 :Bool = true;
  i8 @1 :Int8 = -8;
  i64 @2 :Int64 = -9223372036854775808;
  u64 @3 :UInt64 = 18446744073709551615;
  f32 @4 :Float32 = 0.1;
  f64 @5 :Float64 = -1e300;
  endless @6 :Float64 = inf;
  colour @7 :Colour = darkBlue;
  text @8 :Text = "with \"quotes\" and \\ and ü\nand a line";
  data @9 :Data = 0x"00 ff 0a";
  list @10 :List(Int16) = [1, -2, 3];
  texts @11 :List(Text) = ["a", "", "c"];
  point @12 :Common.Point = (x = 3, label = "here");
  shapes @13 :List(Shape) = [(circle = 2.5), (nothing = void), (box = (width = 1, height = 2))];
  opened @14 :Int64 = 1000 $Kappa.timestamp;
  options :group {
    depth @15 :UInt8 = 7;
    title @16 :Text = "untitled";
  }
}

enum Colour {
  red @0;
  green @1;
  # Not blue.
  darkBlue @2;
  default @3;
}

struct Shape {
  # A union without a name.
  id @0 :Int32;
  union {
    circle @1 :Float64;
    nothing @2 :Void;
    square @3 :Float64;
    label @4 :Text;
    blob @5 :Data;
    at @6 :Common.Point;
    box :group {
      width @7 :Int32;
      height @8 :Int32;
    }
    path @9 :List(Common.Point);
    from @10 :Numbers;
    to @11 :Numbers;
    colour @12 :Colour;
    sure @13 :Bool;
    wide @14 :UInt64 = 5;
    named @15 :Text = "unnamed";
    moment @16 :Int64 $Kappa.timestamp;
  }
}

struct Tree {
  # Recursive, by a list.
  value @0 :Int32;
  children @1 :List(Tree);
  union {
    leaf @2 :Void;
    more @3 :List(Tree);
  }
}

struct Empty {}

struct Address {
  street @0 :Text;
}

struct Person {
  # Names that get in each other's way.
  address @0 :Address;
  state @1 :State;
  class @2 :Text;
  person @3 :Int32;
  hTTPPort @4 :UInt16 $Kappa.name("port");
  enum State {
    new @0;
    old @1;
  }
  struct Place {
    name @0 :Text;
    kind @1 :Kind;
    enum Kind { home @0; work @1; }
  }
  place @5 :Place;
  place2 @6 :Place.Kind;
}

struct Everything {
  when @0 :Int64 $Kappa.eventTime;
  id @1 :Text $Kappa.key;
  numbers @2 :Numbers;
  bools @3 :List(Bool);
  i8s @4 :List(Int8);
  u16s @5 :List(UInt16);
  i32s @6 :List(Int32);
  i64s @7 :List(Int64);
  u64s @8 :List(UInt64);
  f32s @9 :List(Float32);
  f64s @10 :List(Float64);
  texts @11 :List(Text);
  blobs @12 :List(Data);
  colours @13 :List(Colour);
  points @14 :List(Common.Point);
  grid @15 :List(List(Int32));
  words @16 :List(List(Text));
  shapes @17 :List(Shape);
  empties @18 :List(Empty);
  defaults @19 :Defaults;
  tree @20 :Tree;
  person @21 :Person;
  blob @22 :Data;
  gap @23 :Void;
  place :group {
    name @24 :Text;
    where @25 :Common.Point;
    inner :group {
      depth @26 :Int16;
      kind :union {
        none @27 :Void;
        some @28 :Text;
        most @29 :Common.Point;
      }
    }
  }
  payload :union {
    a @30 :Int32;
    b @31 :Text;
    c :group {
      x @32 :Float64;
      y @33 :Text;
    }
  }
  level @34 :Common.Level;
  defaulted @35 :List(Defaults);
}
