@0xa5d2c7e19f4b8603;
using Kappa = import "/kappa/kappa.capnp";

# What is known of an account.
struct AccountState {
  open @0 :Bool;
  balanceCents @1 :Int64;
}

# What may be asked of it.
struct OpenAccount $Kappa.command("account") {}
struct Deposit $Kappa.command("account") {
  amountCents @0 :Int64;
}
struct Withdraw $Kappa.command("account") {
  amountCents @0 :Int64;
}

# What has happened to it.
struct AccountOpened $Kappa.event("account") {}
struct Deposited $Kappa.event("account") {
  amountCents @0 :Int64;
}
struct Withdrawn $Kappa.event("account") {
  amountCents @0 :Int64;
}

# Why a withdrawal was rejected.
struct InsufficientFunds {
  missingCents @0 :Int64;
}

# What others are told of a large withdrawal.
struct LargeWithdrawal {
  amountCents @0 :Int64;
  leftCents @1 :Int64;
}
