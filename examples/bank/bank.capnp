@0xb83f0c6d21e7a495;
using Kappa = import "/kappa/kappa.capnp";
$Kappa.namespace("bank");

# ── accounts ──

struct AccountState {
  open @0 :Bool;
  balanceCents @1 :Int64;
}

struct OpenAccount $Kappa.command("account") {
  depositCents @0 :Int64;
}
# `transfer`: what the money moves for; the account neither knows nor checks it.
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
struct Withdrawn $Kappa.event("account") {
  amountCents @0 :Int64;
  transfer @1 :Text;
}
struct Deposited $Kappa.event("account") {
  amountCents @0 :Int64;
  transfer @1 :Text;
}

# ── transfers: from one account to another ──

enum Stage {
  none @0;
  withdrawing @1;
  depositing @2;
  refunding @3;
  completed @4;
  failed @5;
}

struct TransferState {
  from @0 :Text;
  to @1 :Text;
  amountCents @2 :Int64;
  stage @3 :Stage;
  dueAt @4 :Int64 $Kappa.timestamp;
  overdue @5 :Bool;
}

struct StartTransfer $Kappa.command("transfer") {
  from @0 :Text;
  to @1 :Text;
  amountCents @2 :Int64;
}

struct TransferStarted $Kappa.event("transfer") {
  from @0 :Text;
  to @1 :Text;
  amountCents @2 :Int64;
  dueAt @3 :Int64 $Kappa.timestamp;
}
# The money has left the one account and is not in the other one yet.
struct MoneyTaken $Kappa.event("transfer") {}
struct DepositRefused $Kappa.event("transfer") {
  reason @0 :Text;
}
struct TransferCompleted $Kappa.event("transfer") {}
# Every cent is where it was.
struct TransferFailed $Kappa.event("transfer") {
  reason @0 :Text;
}
struct TransferOverdue $Kappa.event("transfer") {}

# ── statements: what an account's holder is shown ──

struct StatementLine {
  time @0 :Int64 $Kappa.timestamp;
  amountCents @1 :Int64;      # negative: it left the account
  transfer @2 :Text;
}
struct StatementFields {
  movements @0 :Int64;
  balanceCents @1 :Int64;
  last @2 :List(StatementLine);   # the newest behind
}
