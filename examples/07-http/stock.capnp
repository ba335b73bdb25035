@0xb1c9d0a7e2f85d43;
using Kappa = import "/kappa/kappa.capnp";

# How many there are of an article.
struct ArticleState {
  pieces @0 :Int64;
}

struct Receive $Kappa.command("article") {
  pieces @0 :UInt32;
}
struct Ship $Kappa.command("article") {
  pieces @0 :UInt32;
  to @1 :Text;
}

struct Received $Kappa.event("article") {
  pieces @0 :UInt32;
}
struct Shipped $Kappa.event("article") {
  pieces @0 :UInt32;
  to @1 :Text;
}

# Why nothing is shipped.
struct OutOfStock {
  missing @0 :Int64;
}
# What is told of what was.
struct Left {
  pieces @0 :Int64;
}
