# What must not be done: fields of the bank's accounts have other types.
@0xb83f0c6d21e7a495;
using Kappa = import "/kappa/kappa.capnp";
$Kappa.namespace("bank_misfit");

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
  amountCents @0 :Float64;
  transfer @1 :Text;
}

struct AccountOpened $Kappa.event("account") {
  depositCents @0 :Int64;
}
struct Withdrawn $Kappa.event("account") {
  amountCents @0 :Int32;
  transfer @1 :Text;
}
struct Deposited $Kappa.event("account") {
  amountCents @0 :Int64;
  transfer @1 :Text;
}
