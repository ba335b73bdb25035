@0xd4b7c3a1f0e29851;
using Kappa = import "/kappa/kappa.capnp";
$Kappa.namespace("bank::wire");

struct AccountState {
  open @0 :Bool;
  balanceCents @1 :Int64;
  lastMovement @2 :Int64 $Kappa.timestamp;
}

struct Open $Kappa.command("account") {}
struct Deposit $Kappa.command("account") {
  amountCents @0 :Int64;
}
struct Withdraw $Kappa.command("account") {
  amountCents @0 :Int64;
}
struct Close $Kappa.command("account") {}

struct Opened $Kappa.event("account") {}
struct Deposited $Kappa.event("account") {
  amountCents @0 :Int64;
}
struct Withdrawn $Kappa.event("account") {
  amountCents @0 :Int64;
}
struct FeeCharged $Kappa.event("account") {
  feeCents @0 :Int64;
}
struct Closed $Kappa.event("account") $Kappa.tombstone {}

# Why a withdrawal was rejected.
struct InsufficientFunds {
  missingCents @0 :Int64;
}

# What is told of a withdrawal.
struct WithdrawalReceipt {
  balanceCents @0 :Int64;
}
