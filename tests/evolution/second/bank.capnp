# The bank's accounts, second version: opening one was one event and is two, a withdrawal is a debit
# now, a deposit is called credit (and keeps its id), and there are memos.
@0xb83f0c6d21e7a495;
using Kappa = import "/kappa/kappa.capnp";
$Kappa.namespace("bank_second");

struct AccountState {
  open @0 :Bool;
  balanceCents @1 :Int64;
  lastMemo @2 :Text;
}

struct OpenAccount $Kappa.command("account") {
  depositCents @0 :Int64;
}
struct Withdraw $Kappa.command("account") {
  amountCents @0 :Int64;
  transfer @1 :Text;
  memo @2 :Text;
}
struct Credit @0xf1ec9d4b00964f13 $Kappa.command("account") {
  amountCents @0 :Int64;
  transfer @1 :Text;
}

struct Opened $Kappa.event("account") {}
struct Credited @0xa51d06d07ffd527f $Kappa.event("account") {
  amountCents @0 :Int64;
  transfer @1 :Text;
}
struct Debited $Kappa.event("account") {
  cents @0 :Int64;
  transfer @1 :Text;
  memo @2 :Text;
}

struct AccountOpened $Kappa.formerEvent("account") {
  depositCents @0 :Int64;
}
struct Withdrawn $Kappa.formerEvent("account") {
  amountCents @0 :Int64;
  transfer @1 :Text;
  memo @2 :Text;
}
