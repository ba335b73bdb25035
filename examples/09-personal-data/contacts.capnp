@0xe4a1b7d25c3f9806;
using Kappa = import "/kappa/kappa.capnp";

# [marked]
# Whose it is: the contact's own, by the aggregate's key.
struct ContactState {
  email @0 :Text $Kappa.personal;
  notes @1 :List(Note);
}

struct ChangeEmail $Kappa.command("contact") {
  email @0 :Text $Kappa.personal;
}
struct EmailChanged $Kappa.event("contact") {
  email @0 :Text $Kappa.personal;
  change @1 :Text $Kappa.personal;
}
# [/marked]

# [subject]
# Whose it is: this person's.
struct Note {
  person @0 :Text $Kappa.subject;
  text @1 :Text $Kappa.personal;
}
# [/subject]

struct AddNote $Kappa.command("contact") {
  note @0 :Note;
}
struct NoteAdded $Kappa.event("contact") {
  note @0 :Note;
}
