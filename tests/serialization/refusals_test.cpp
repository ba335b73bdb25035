// What capnpc-kappa refuses, and in which words.

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>
#include <boost/test/unit_test.hpp>

namespace {

namespace fs = std::filesystem;

struct answer {
  bool accepted = false;
  std::string text;
};

/// Runs the schema compiler with our plug-in on one file.
answer compile(const std::string& schema) {
  static int number = 0;
  const auto folder =
      fs::temp_directory_path() / fmt::format("kappa_refusals_{}_{}", getpid(), ++number);
  fs::create_directories(folder / "out");
  std::ofstream{folder / "test.capnp"}
      << "@0xc2b7d6a5e4f31299;\nusing Kappa = import \"/kappa/kappa.capnp\";\n"
      << schema;
  const auto command = fmt::format(
      "cd '{}' && KAPPA_SCHEMA_DIR='{}' '{}' compile -I '{}' -o'{}':out test.capnp 2>&1",
      folder.string(), folder.string(), KAPPA_CAPNP, KAPPA_CAPNP_INCLUDE, KAPPA_CAPNP_PLUGIN);
  answer out;
  FILE* pipe = popen(command.c_str(), "r");
  BOOST_REQUIRE(pipe);
  std::array<char, 512> buffer{};
  while (fgets(buffer.data(), buffer.size(), pipe) != nullptr) out.text += buffer.data();
  out.accepted = pclose(pipe) == 0;
  out.text = out.text.substr(0, out.text.find('\n'));
  BOOST_TEST(out.accepted == fs::exists(folder / "out" / "test.kappa.hpp"));
  fs::remove_all(folder);
  return out;
}

std::string refusal(const std::string& schema) {
  const auto a = compile(schema);
  return a.accepted ? "accepted" : a.text;
}

}  // namespace

BOOST_AUTO_TEST_CASE(what_has_no_cpp_is_refused_with_its_line) {
  BOOST_TEST(refusal("struct A { x @0 :Int32; }\n") == "accepted");
  BOOST_TEST(
      refusal("struct A {\n  x @0 :Int32;\n  service @1 :S;\n}\ninterface S {}\n") ==
      "test.capnp:7: S: interfaces are not supported: a record is data, Kappa makes no calls");
  BOOST_TEST(
      refusal("struct A {\n  # any @0 :Nothing\n  x @0 :Int32;\n  any @1 :AnyPointer;\n}\n") ==
      "test.capnp:6: A.any: AnyPointer (and type parameters) are not supported: name the type, or "
      "use Data for "
      "foreign bytes");
  BOOST_TEST(refusal("struct Box(T) {\n  x @0 :T;\n}\n") ==
             "test.capnp:3: Box: generic types are not supported; declare one type for each use");
  BOOST_TEST(refusal("struct Other { x @0 :Int32; }\nstruct A {\n  x @0 :List(Void);\n}\n") ==
             "test.capnp:5: A.x: List(Void) is not supported; use an integer");
  BOOST_TEST(refusal("struct A {\n  b @0 :B;\n}\nstruct B {\n  a @0 :A;\n}\n")
                 .ends_with("which no C++ value can; use a List, as in List(A)"));
  BOOST_TEST(
      refusal("struct A { const x :Int32 = 5; }\n") ==
      "test.capnp:3: A.x: constants inside of a struct are not supported; move it to the file");
  BOOST_TEST(refusal("const x :List(Int32) = [5];\n") ==
             "test.capnp:3: x: constants may be numbers, booleans and texts");
}

BOOST_AUTO_TEST_CASE(annotations_are_held_to_their_meaning) {
  BOOST_TEST(refusal("struct A {\n  at @0 :Int32 $Kappa.eventTime;\n}\n") ==
             "test.capnp:4: A.at: only an Int64 can be a time");
  BOOST_TEST(
      refusal(
          "struct A {\n  a @0 :Int64 $Kappa.eventTime;\n  b @1 :Int64 $Kappa.eventTime;\n}\n") ==
      "test.capnp:3: A: only one field may be $Kappa.eventTime");
  BOOST_TEST(refusal("struct A {\n  a @0 :Text $Kappa.key;\n  b @1 :Text $Kappa.key;\n}\n") ==
             "test.capnp:3: A: only one field may be $Kappa.key; put the parts into a struct and "
             "make that the key");
  BOOST_TEST(refusal("struct A {\n  a @0 :Int64 $Kappa.personal;\n}\n") ==
             "test.capnp:4: A.a: only Text and Data can be personal: write the value as text, or "
             "mark the fields of a group or struct one by one (of a list, make it a list of "
             "structs)");
  BOOST_TEST(refusal("struct A {\n  a @0 :Text $Kappa.personal $Kappa.key;\n}\n") ==
             "test.capnp:4: A.a: a key or a subject cannot be personal: it is stored as it is, and "
             "tells whose the personal fields are. Use an id that says nothing of the person");
  BOOST_TEST(refusal("struct A {\n  a @0 :Text = \"x\" $Kappa.personal;\n}\n") ==
             "test.capnp:4: A.a: a personal field has no default: leave it empty");
  BOOST_TEST(refusal("struct A {\n  a @0 :Int32 $Kappa.subject;\n}\n") ==
             "test.capnp:4: A.a: $Kappa.subject must be a Text of the struct itself, not of a "
             "group or union");
  BOOST_TEST(
      refusal("struct A {\n  a @0 :Text $Kappa.subject;\n  b @1 :Text $Kappa.subject;\n}\n") ==
      "test.capnp:3: A: only one field may be $Kappa.subject; put the others into a struct "
      "of their own, with its subject");
  BOOST_TEST(refusal("struct A {\n  a @0 :Float64 $Kappa.key;\n}\n") ==
             "test.capnp:4: A.a: a key must be Text, Data, an integer, an enum or a struct");
  BOOST_TEST(refusal("struct A {\n  a @0 :UInt64 $Kappa.key;\n}\n") ==
             "test.capnp:4: A.a: a key may not be a UInt64: keys are ordered as Int64; use that");
  BOOST_TEST(
      refusal("struct A {\n  union {\n    a @0 :Text $Kappa.key;\n    b @1 :Void;\n  }\n}\n") ==
      "test.capnp:5: A.a: $Kappa.key must be a field of the struct itself, not of a group or "
      "union, where it "
      "could be absent");
  BOOST_TEST(
      refusal("$Kappa.namespace(\"a-b\");\nstruct A {}\n") ==
      "test.capnp: $Kappa.namespace(\"a-b\") is no C++ namespace; write it like \"acme::billing\"");
  BOOST_TEST(refusal("struct A $Kappa.name(\"class\") {}\n") ==
             "test.capnp:3: A: $Kappa.name(\"class\") is no C++ name");
}

BOOST_AUTO_TEST_CASE(names_that_meet_in_cpp_are_refused_with_the_mend) {
  BOOST_TEST(refusal("struct A {\n  fooBar @0 :Int32;\n  fooBAR @1 :Int32;\n}\n") ==
             "test.capnp:5: A.fooBAR: its C++ name foo_bar is taken in the struct; rename it with "
             "$Kappa.name(\"…\")");
  BOOST_TEST(refusal("struct A {\n  which @0 :Int32;\n  union {\n    a @1 :Void;\n    b @2 "
                     ":Void;\n  }\n}\n") ==
             "test.capnp:4: A.which: its C++ name which is taken in the struct (by the union); "
             "rename it with "
             "$Kappa.name(\"…\")");
  BOOST_TEST(refusal("struct A { struct B {} }\nstruct AB {}\n") == "accepted");
  BOOST_TEST(refusal("struct Ab { struct C {} }\nstruct AbC {}\n") ==
             "test.capnp:4: AbC: its C++ name ::ab_c is that of Ab.C too; rename one with "
             "$Kappa.name(\"…\")");
  BOOST_TEST(refusal("struct Ab { struct C {} }\nstruct AbC $Kappa.name(\"other\") {}\n") ==
             "accepted");
}

BOOST_AUTO_TEST_CASE(a_tombstone_is_an_event) {
  const std::string rest =
      "struct Open $Kappa.command(\"account\") {}\nstruct Opened $Kappa.event(\"account\") {}\n";
  BOOST_TEST(refusal(rest + "struct Closed $Kappa.event(\"account\") $Kappa.tombstone {}\n") ==
             "accepted");
  BOOST_TEST(
      refusal(rest + "struct Closed $Kappa.formerEvent(\"account\") $Kappa.tombstone {}\n") ==
      "accepted");
  BOOST_TEST(refusal(rest + "struct Closed $Kappa.tombstone {}\n") ==
             "test.capnp:5: Closed: only an event can be a $Kappa.tombstone: mark it with "
             "$Kappa.event(\"…\") too");
  BOOST_TEST(refusal(rest + "struct Close $Kappa.command(\"account\") $Kappa.tombstone {}\n") ==
             "test.capnp:5: Close: only an event can be a $Kappa.tombstone: mark it with "
             "$Kappa.event(\"…\") too");
}

BOOST_AUTO_TEST_CASE(a_protocol_has_commands_and_events_and_no_struct_is_both) {
  const std::string command = "struct Open $Kappa.command(\"account\") {}\n";
  const std::string event = "struct Opened $Kappa.event(\"account\") {}\n";
  BOOST_TEST(refusal(command + event) == "accepted");
  BOOST_TEST(refusal(command) ==
             "test.capnp:3: Open: the protocol \"account\" has no event; mark a struct with "
             "$Kappa.event(\"account\")");
  BOOST_TEST(refusal(event) ==
             "test.capnp:3: Opened: the protocol \"account\" has no command; mark a struct with "
             "$Kappa.command(\"account\")");
  BOOST_TEST(
      refusal(event + "struct Open $Kappa.command(\"account\") $Kappa.event(\"account\") {}\n") ==
      "test.capnp:4: Open: it is a command, an event or a former event: one of them");
  const std::string former = "struct Old $Kappa.formerEvent(\"account\") {}\n";
  BOOST_TEST(refusal(command + event + former) == "accepted");
  BOOST_TEST(refusal(former) ==
             "test.capnp:3: Old: the protocol \"account\" has no event; mark a struct with "
             "$Kappa.event(\"account\")");
  BOOST_TEST(refusal("struct Old $Kappa.formerEvent(\"a\") $Kappa.event(\"a\") {}\n") ==
             "test.capnp:3: Old: it is a command, an event or a former event: one of them");
  BOOST_TEST(refusal("struct Old $Kappa.formerEvent(\"my account\") {}\n") ==
             "test.capnp:3: Old: $Kappa.formerEvent(\"my account\") is no name of a protocol; "
             "write it like \"account\"");
  BOOST_TEST(
      refusal("struct Open $Kappa.command(\"my account\") {}\n") ==
      "test.capnp:3: Open: $Kappa.command(\"my account\") is no name of a protocol; write it "
      "like \"account\"");
  BOOST_TEST(refusal(command + event + "struct AccountProtocol {}\n")
                 .find("its C++ name ::account_protocol is that of") != std::string::npos);
}
