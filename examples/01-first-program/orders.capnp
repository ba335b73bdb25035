@0xe8754a5c39683490;

using Kappa = import "/kappa/kappa.capnp";

struct Order {
  placed @0 :Int64 $Kappa.eventTime;
  customer @1 :Text $Kappa.key;
  cents @2 :Int64;
}

# What is known of a customer.
struct SpendingFields {
  orders @0 :Int64;
  cents @1 :Int64;
}
