@0xb1f7a6c3d2e80954;
using Kappa = import "/kappa/kappa.capnp";
$Kappa.namespace("people::wire");

struct Address {
  city @0 :Text $Kappa.personal;
  country @1 :Text;
}

struct Contact {
  name @0 :Text $Kappa.personal;
  photo @1 :Data $Kappa.personal;
  addresses @2 :List(Address);
  union {
    nothing @3 :Void;
    phone @4 :Text $Kappa.personal;
    home @5 :Address;
  }
  work :group {
    title @6 :Text $Kappa.personal;
    floor @7 :Int32;
  }
}
# Whose it is says a field.
struct Note {
  about @0 :Text $Kappa.subject;
  text @1 :Text $Kappa.personal;
  contact @2 :Contact;
}

struct PersonState {
  name @0 :Text $Kappa.personal;
  notes @1 :List(Note);
  renames @2 :Int32;
}
struct Register $Kappa.command("person") { name @0 :Text $Kappa.personal; }
struct ChangeName $Kappa.command("person") { name @0 :Text $Kappa.personal; }
struct AddNote $Kappa.command("person") { note @0 :Note; }
struct Greet $Kappa.command("person") {}
struct Forbid $Kappa.command("person") { name @0 :Text $Kappa.personal; }
struct FailAtIt $Kappa.command("person") { name @0 :Text $Kappa.personal; }
struct TellOther $Kappa.command("person") { other @0 :Text; }
struct Hear $Kappa.command("person") { name @0 :Text $Kappa.personal; }

struct Registered $Kappa.event("person") { name @0 :Text $Kappa.personal; }
struct NameChanged $Kappa.event("person") { name @0 :Text $Kappa.personal; greeting @1 :Text $Kappa.personal; }
struct NoteAdded $Kappa.event("person") { note @0 :Note; }
struct Told $Kappa.event("person") { other @0 :Text; }
struct Heard $Kappa.event("person") { name @0 :Text $Kappa.personal; }

# What greet is answered with.
struct Greeting { name @0 :Text $Kappa.personal; }
# Why a name was forbidden.
struct ForbiddenName { name @0 :Text $Kappa.personal; }

# What streams make of it: of a person, and of whoever was heard of.
struct Card {
  name @0 :Text $Kappa.personal;
  greeting @1 :Text $Kappa.personal;
  note @2 :Note;
  country @3 :Text;
  changes @4 :Int32;
}
struct Notice {
  at @0 :Text;
  name @1 :Text $Kappa.personal;
}
