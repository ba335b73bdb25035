@0xc1f7e9a2b3d48065;

using Kappa = import "/kappa/kappa.capnp";
$Kappa.namespace("stock");

struct ArticleState {
  pieces @0 :Int32;
}
struct Receive $Kappa.command("article") {
  pieces @0 :Int32;
}
struct Ship $Kappa.command("article") {
  pieces @0 :Int32;
}
struct Received $Kappa.event("article") {
  pieces @0 :Int32;
}
struct Shipped $Kappa.event("article") {
  pieces @0 :Int32;
}
struct OutOfStock {
  missing @0 :Int32;
}
