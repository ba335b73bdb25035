# Types that another schema imports.
@0xc2b7d6a5e4f31202;

using Kappa = import "/kappa/kappa.capnp";
$Kappa.namespace("common");

struct Point {
  x @0 :Int32;
  y @1 :Int32;
  label @2 :Text;
}

enum Level {
  low @0;
  high @1;
}
