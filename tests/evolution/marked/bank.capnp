# What must not be done: an event of the bank's accounts is a tombstone, and was none.
@0xb83f0c6d21e7a495;
using Kappa = import "/kappa/kappa.capnp";
$Kappa.namespace("bank_marked");

struct AccountState {
  open @0 :Bool;
  balanceCents @1 :Int64;
}

struct OpenAccount $Kappa.command("account") {
  depositCents @0 :Int64;
}
struct Withdraw $Kappa.command("account") {
  amountCents @0 :Int64;
  transfer @1 :Text;
}
struct Deposit $Kappa.command("account") {
  amountCents @0 :Int64;
  transfer @1 :Text;
}

struct AccountOpened $Kappa.event("account") {
  depositCents @0 :Int64;
}
struct Withdrawn $Kappa.event("account") $Kappa.tombstone {
  amountCents @0 :Int64;
  transfer @1 :Text;
}
struct Deposited $Kappa.event("account") {
  amountCents @0 :Int64;
  transfer @1 :Text;
}
