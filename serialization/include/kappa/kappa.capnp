# What Kappa reads from a schema beside its shape. Import it as
#
#   using Kappa = import "/kappa/kappa.capnp";
#
# kappa_add_schema() sets the import path.
@0xb6d8e2f1a4c97a10;

annotation namespace @0xb6d8e2f1a4c97a11 (file) :Text;
# The C++ namespace of the generated types ("flights", "acme::billing"). Absent: the global one.

annotation name @0xb6d8e2f1a4c97a12 (struct, enum, field, enumerant, group, union) :Text;
# The C++ name, where snake_case of the schema's name does not do. JSON keeps the schema's name.

annotation eventTime @0xb6d8e2f1a4c97a13 (field) :Void;
# An Int64: milliseconds since 1970-01-01T00:00Z. The C++ field is a kappa::timestamp, and events
# take their time from it. At most one in a struct.

annotation timestamp @0xb6d8e2f1a4c97a14 (field) :Void;
# An Int64 of milliseconds that is a kappa::timestamp in C++ and not the event's time.

annotation key @0xb6d8e2f1a4c97a15 (field) :Void;
# The record's key unless something else is said. At most one in a struct.

annotation personal @0xb6d8e2f1a4c97a18 (field) :Void;
# A Text or Data of a person: a kappa::personal in C++, stored encrypted with the person's key, and
# unreadable once that is deleted.

annotation subject @0xb6d8e2f1a4c97a19 (field) :Void;
# A Text: whose the personal fields of the struct are, and of the structs in it. Absent: the
# aggregate's key. At most one in a struct.

annotation command @0xb6d8e2f1a4c97a16 (struct) :Text;
annotation event @0xb6d8e2f1a4c97a17 (struct) :Text;
# A command or an event of an aggregate. The text is the name of its protocol: all that say "account"
# make up the C++ type account_protocol, which lists them. They belong into one file.

annotation formerEvent @0xb6d8e2f1a4c97a1a (struct) :Text;
# An event of an earlier version of the protocol that is not written any more and still in the log.
# The aggregate's `upcast` makes events of today of it. The struct keeps its id: where its name
# changes, the id is written behind it.

annotation tombstone @0xb6d8e2f1a4c97a1b (struct) :Void;
# An event after which the aggregate is gone. It may be followed by others, which begin a new life.
# One that becomes a former event keeps the mark; whether an aggregate is gone after it says what its
# `upcast` gives.
