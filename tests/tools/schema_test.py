#!/usr/bin/env python3
"""`kappa schema check` on versions of a schema.

schema_test.py KAPPA
"""

import json
import os
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "../..")
FIRST = os.path.join(ROOT, "examples/bank/bank.capnp")
OTHER = {v: os.path.join(ROOT, f"tests/evolution/{v}/bank.capnp") for v in ("appended", "second", "misfit")}
HEAD = '@0xb2e6c1d40f3a9587;\nusing Kappa = import "/kappa/kappa.capnp";\n'
ORDER = HEAD + """
struct State { total @0 :Int64; }
struct Place $Kappa.command("order") { item @0 :Text; at @1 :Int64 $Kappa.eventTime; }
struct Placed $Kappa.event("order") { item @0 :Text; at @1 :Int64 $Kappa.eventTime; lines @2 :List(Line); }
struct Line { cents @0 :Int64 = 1; }
struct Row { airport @0 :Text $Kappa.key; other @1 :Text; }
"""
KAPPA = None


class SchemaCheck(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="kappa-schema-test-")
        self.addCleanup(self.folder.cleanup)

    def file(self, name, text):
        path = os.path.join(self.folder.name, name, "order.capnp")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path

    def kappa(self, *words, env=None):
        return subprocess.run([KAPPA, "schema", *words], capture_output=True, text=True, timeout=60, env=env,
                              check=False)

    def check(self, new, old=ORDER):
        """Exit code, and the changes as (breaking, one_way)."""
        done = self.kappa("check", self.file("old", old), self.file("new", new), "--json")
        self.assertEqual(done.stderr, "")
        answer = json.loads(done.stdout)
        self.assertEqual(answer["compatible"], not answer["breaking"])
        self.assertEqual(done.returncode, 0 if answer["compatible"] else 1)
        return [[f"{c['type'].split(':')[1]}: {c['why']}" for c in answer[k]] for k in ("breaking", "one_way")]

    def breaks(self, was, is_, *expected):
        """That change of ORDER is breaking, and is told in these words."""
        self.assertIn(was, ORDER)
        breaking, _ = self.check(ORDER.replace(was, is_))
        self.assertEqual(len(breaking), len(expected), breaking)
        for found, words in zip(breaking, expected):
            self.assertIn(words, found)

    def test_the_same_schema_is_compatible_both_ways(self):
        done = self.kappa("check", FIRST, FIRST)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(done.stdout,
                         "the new version reads all that the old one wrote, and the other way round\n")

    def test_the_versions_of_the_bank(self):
        # The other versions have no transfers, which stay in the first one's file.
        with open(FIRST, encoding="utf-8") as f:
            first = f.read()
        accounts = self.file("first", first[:first.index("# ── transfers")])
        done = self.kappa("check", accounts, OTHER["appended"])
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertEqual(done.stdout,
                         "the new version reads all that the old one wrote, and the other way round\n")
        done = self.kappa("check", OTHER["appended"], OTHER["second"])
        self.assertEqual(done.returncode, 0, done.stdout)
        one_way = [line for line in done.stdout.splitlines() if line.startswith("one-way: ")]
        self.assertEqual(len(one_way), 5, done.stdout)
        for name in ("AccountState", "AccountOpened", "Withdrawn", "Opened", "Debited"):
            self.assertIn(f"one-way: bank.capnp:{name}: ", done.stdout)
        done = self.kappa("check", accounts, OTHER["misfit"])
        self.assertEqual(done.returncode, 1)
        self.assertIn("breaking: bank.capnp:Withdrawn: field 'amountCents' (@0) of bank.capnp:Withdrawn was Int64 "
                      "and is Int32: a field's type may not change\n", done.stdout)
        self.assertIn("2 breaking changes\n", done.stdout)
        # And back again.
        done = self.kappa("check", OTHER["second"], accounts)
        self.assertEqual(done.returncode, 1)
        self.assertIn("Debited: an event was removed", done.stdout)
        self.assertIn("AccountState: field 'lastMemo' (@2)", done.stdout)

    def test_fields(self):
        self.breaks("struct Placed $Kappa.event(\"order\") { item @0 :Text;",
                    "struct Placed $Kappa.event(\"order\") { item @0 :Data;",
                    "Placed: field 'item' (@0) of order.capnp:Placed was Text and is Data")
        self.breaks(" lines @2 :List(Line);", "", "Placed: field 'lines' (@2) of order.capnp:Placed is gone")
        self.breaks("cents @0 :Int64 = 1", "cents @0 :Int64 = 2",
                    "Line: field 'cents' (@0) of order.capnp:Line has another default (2 was 1)",
                    "Placed: field 'cents' (@0) of order.capnp:Line has another default (2 was 1)")
        self.breaks("total @0 :Int64;", "", "State: field 'total' (@0)")
        self.assertEqual(self.check(ORDER.replace("total @0", "sum @0")), [[], []])

    def test_what_is_appended(self):
        breaking, one_way = self.check(ORDER.replace("total @0 :Int64;", "total @0 :Int64; last @1 :Text;"))
        self.assertEqual(breaking, [])
        self.assertEqual(len(one_way), 1)
        self.assertIn("State: the old version cannot read it: field 'last' (@1)", one_way[0])
        self.assertIn("was appended, and it would lose it", one_way[0])
        self.assertEqual(self.check(ORDER.replace("at @1 :Int64 $Kappa.eventTime; lines @2 :List(Line);",
                                                  "at @1 :Int64 $Kappa.eventTime; lines @2 :List(Line); x @3 :Bool;")),
                         [[], []])

    def test_enums(self):
        old = ORDER.replace("total @0 :Int64;", "total @0 :Int64; stage @1 :Stage;") + "enum Stage { a @0; b @1; c @2; }\n"
        self.assertEqual(self.check(old.replace("b @1;", "bee @1;").replace("c @2;", "c @2; d @3;"), old), [[], []])
        breaking, _ = self.check(old.replace("a @0; b @1", "b @0; a @1"), old)
        self.assertEqual(len(breaking), 2)
        self.assertIn("State: 'a' of the enum Stage was @0 and is @1: values may not be renumbered", breaking[0])
        breaking, _ = self.check(old.replace(" c @2;", ""), old)
        self.assertEqual(len(breaking), 1)
        self.assertIn("State: 'c' (@2) of the enum Stage is gone", breaking[0])

    def test_events_and_commands(self):
        more = ORDER + 'struct Paid $Kappa.event("order") {}\nstruct Pay $Kappa.command("order") {}\n'
        self.assertEqual(self.check(more), [[], [
            "Paid: a new event: once one is written, the old version refuses to start",
            "Pay: a new command: for the old version it is a dead letter"]])
        breaking, _ = self.check(ORDER, more)
        self.assertEqual(len(breaking), 2)
        self.assertIn('Paid: an event was removed, and is in the log for ever: keep the struct as a '
                      '$Kappa.formerEvent("order") with an upcast; if it was renamed, write its id', breaking[0])
        self.assertIn("Pay: a command was removed", breaking[1])
        breaking, one_way = self.check(more.replace('Paid $Kappa.event', 'Paid $Kappa.formerEvent'), more)
        self.assertEqual(breaking, [])
        self.assertIn("Paid: an event is a former one now", one_way[0])
        breaking, _ = self.check(more.replace('Paid $Kappa.event("order")', 'Paid'), more)
        self.assertIn("Paid: an event is neither a command nor an event now", breaking[0])
        breaking, _ = self.check(more.replace('Pay $Kappa.command("order")', 'Pay'), more)
        self.assertIn("Pay: a command is neither a command nor an event now", breaking[0])
        # A former event is not to be removed either.
        former = more.replace('Paid $Kappa.event', 'Paid $Kappa.formerEvent')
        breaking, _ = self.check(ORDER + 'struct Pay $Kappa.command("order") {}\n', former)
        self.assertIn("Paid: a former event was removed", breaking[0])

    def test_tombstones(self):
        plain = ORDER + 'struct Dropped $Kappa.event("order") {}\n'
        marked = plain.replace('Dropped $Kappa.event("order")', 'Dropped $Kappa.event("order") $Kappa.tombstone')
        self.assertEqual(self.check(marked, marked), [[], []])
        self.assertEqual(self.check(marked), [[], ["Dropped: a new event: once one is written, the old version refuses to start"]])
        breaking, _ = self.check(marked, plain)
        self.assertEqual(breaking, ["Dropped: order.capnp:Dropped was no $Kappa.tombstone and is one: a replay would "
                                    "delete what has had it"])
        breaking, _ = self.check(plain, marked)
        self.assertEqual(breaking, ["Dropped: order.capnp:Dropped was a $Kappa.tombstone and is none: a replay would "
                                    "keep what it has deleted (a former event keeps the mark)"])
        # A former event keeps it; what it becomes says its upcast.
        breaking, one_way = self.check(marked.replace("Dropped $Kappa.event", "Dropped $Kappa.formerEvent"), marked)
        self.assertEqual(breaking, [])
        self.assertIn("Dropped: an event is a former one now", one_way[0])

    def test_ids(self):
        breaking, _ = self.check(ORDER.replace("struct State", "struct Sum"))
        self.assertIn("State: it was removed", breaking[0])
        id_ = breaking[0].split("struct … ")[1]
        self.assertEqual(self.check(ORDER.replace("struct State", f"struct Sum {id_}")), [[], []])
        breaking, _ = self.check(ORDER.replace("@0xb2e6c1d40f3a9587", "@0xb2e6c1d40f3a9588"))
        self.assertEqual(len(breaking), 5)
        self.assertIn("State: its id was @0x", breaking[0])
        self.assertIn("keep the file's id", breaking[0])

    def test_keys_and_times(self):
        self.breaks("airport @0 :Text $Kappa.key; other @1 :Text;", "airport @0 :Text; other @1 :Text $Kappa.key;",
                    "Row: $Kappa.key was on field 'airport' and is on 'other': records would have other keys")
        self.breaks("airport @0 :Text $Kappa.key", "airport @0 :Text",
                    "Row: $Kappa.key was on field 'airport' and is nowhere")
        self.breaks("item @0 :Text; at @1 :Int64 $Kappa.eventTime; }", "item @0 :Text; at @1 :Int64; }",
                    "Place: $Kappa.eventTime was on field 'at' and is nowhere: records would have other times")
        self.assertEqual(self.check(ORDER.replace("airport @0", "place @0")), [[], []])

    def test_bad_input(self):
        good = self.file("good", ORDER)
        done = self.kappa("check", good)
        self.assertEqual(done.returncode, 2)
        self.assertIn("NEW", done.stderr)
        done = self.kappa()
        self.assertEqual(done.returncode, 2)
        done = self.kappa("check", good, good, "--jsn")
        self.assertEqual(done.returncode, 2)
        done = self.kappa("check", good, os.path.join(self.folder.name, "none.capnp"))
        self.assertEqual(done.returncode, 3)
        self.assertIn("none.capnp: not found: there is no such file", done.stderr)
        done = self.kappa("check", self.file("bad", HEAD + "struct A { x @0 :Nothing; }\n"), good)
        self.assertEqual(done.returncode, 3)
        self.assertIn("Nothing", done.stderr)
        done = self.kappa("check", good, self.file("refused", HEAD + "interface S {}\n"))
        self.assertEqual(done.returncode, 3)
        self.assertIn("interfaces are not supported", done.stderr)
        done = self.kappa("check", good, good, env={"PATH": self.folder.name})
        self.assertEqual(done.returncode, 3)
        self.assertIn("capnp: not found: Cap'n Proto's schema compiler cannot be started", done.stderr)
        self.assertIn("apt-get install capnproto", done.stderr)
        self.assertEqual([f for f in os.listdir(tempfile.gettempdir()) if f.startswith("kappa-schema-") and
                          not f.startswith("kappa-schema-test-")], [])

    def test_imports(self):
        common = os.path.join(self.folder.name, "imports", "shared")
        os.makedirs(common)
        with open(os.path.join(common, "money.capnp"), "w", encoding="utf-8") as f:
            f.write("@0xe4b7a90c51d2f386;\nstruct Money { cents @0 :Int64; }\n")
        with_import = ORDER.replace("total @0 :Int64;",
                                    'total @0 :import "/shared/money.capnp".Money;')
        path = self.file("importing", with_import)
        self.assertEqual(self.kappa("check", path, path).returncode, 3)
        done = self.kappa("check", path, path, "-I", os.path.join(self.folder.name, "imports"))
        self.assertEqual((done.returncode, done.stderr), (0, ""))


if __name__ == "__main__":
    KAPPA = os.path.abspath(sys.argv.pop(1))
    unittest.main()
