#!/usr/bin/env python3
"""Each house check finds what it is for, and nothing in a tree that is in order."""

import pathlib
import tempfile
import textwrap
import unittest

import files
import formatting
import includes
import reliability
import scripts
import snippets
import tree

GOOD = {
    "framework/include/kappa/log/log.hpp": '#pragma once\n#include <vector>\n#include "kappa/core/error.hpp"\n',
    "framework/include/kappa/core/error.hpp": "#pragma once\n// caf::actor is named in a comment only\n",
    "framework/src/lmdb/env.hpp": "#pragma once\n#include <lmdb.h>\n",
    "framework/src/log/log.cpp": '#include "kappa/log/log.hpp"\n\n#include "lmdb/env.hpp"\n',
    "serialization/include/kappa/serialization/zero_copy.hpp": "#pragma once\n#include <capnp/message.h>\n",
    "serialization/src/codec.cpp": '#include <kj/array.h>\n\n#include "kappa/log/log.hpp"\n',
    "actors/include/kappa/caf.hpp": "#pragma once\n#include <caf/actor.hpp>\n",
    "actors/src/host/host.cpp": '#include <caf/all.hpp>\n\n#include "kappa/serialization/zero_copy.hpp"\n',
    "examples/one/main.cpp": "int main() {\n  // [body]\n  return 0;\n  // [/body]\n}\n",
    "tests/log/log_test.cpp":
        '#include "lmdb/env.hpp"\n\nBOOST_AUTO_TEST_SUITE(suite)\n\nBOOST_AUTO_TEST_CASE(case) {}\n',
    "README.md": "<!-- from: examples/one/main.cpp#body -->\n```cpp\nreturn 0;\n```\n[docs](docs/a.md)\n",
    "docs/reliability.md": "".join(f"## {section}\n\n| rule | tests |\n|---|---|\n| a | `log: suite/case` |\n\n"
                                   for section in reliability.SECTIONS),
    "docs/a.md": "```text\nanything\n```\n",
    "dev": "#!/usr/bin/env bash\necho \"$1\"\n",
    "tests/house/x.py": "print(1)\n",
}


class house(unittest.TestCase):
    def findings(self, check, changes=None):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for name, text in {**GOOD, **(changes or {})}.items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text)
            (root / ".clang-format").write_text((tree.ROOT / ".clang-format").read_text())
            return check(root)

    def caught(self, check, name, text, said):
        found = self.findings(check, {name: text})
        self.assertTrue(any(said in f and name in f for f in found), f"{name}: {said!r} not in {found}")

    def test_a_tree_in_order_has_no_findings(self):
        for module in (includes, formatting, snippets, files, scripts, reliability):
            with self.subTest(module.__name__):
                self.assertEqual(self.findings(module.check), [])

    def test_includes_against_the_direction(self):
        for name, text in {
            "framework/src/log/a.cpp": '#include "kappa/caf.hpp"\n',
            "framework/include/kappa/a.hpp": "#include <kappa/serialization/zero_copy.hpp>\n",
            "serialization/src/a.cpp": '  #  include "kappa/caf.hpp"\n',
            "framework/src/log/b.cpp": '#include "../../../actors/include/kappa/caf.hpp"\n',
        }.items():
            self.caught(includes.check, name, text, "must not know")

    def test_includes_against_the_direction_inside_the_framework(self):
        self.caught(includes.check, "framework/src/core/a.cpp", '#include "kappa/log/log.hpp"\n', "core must not know log")
        self.caught(includes.check, "framework/src/lmdb/a.cpp", '#include "kappa/log/log.hpp"\n', "lmdb must not know log")
        self.caught(includes.check, "framework/include/kappa/new/a.hpp", '#include "kappa/log/log.hpp"\n', "no place in FOLDERS")
        early = {"framework/src/state/check.cpp": '#include "kappa/task/epoch.hpp"\n',
                 "framework/include/kappa/task/epoch.hpp": "#pragma once\n"}
        self.assertIn("state must not know task", self.findings(includes.check, early)[0])

    def test_the_outer_folders_are_known_to_no_layer(self):
        found = self.findings(includes.check, {"tests/support/x.hpp": "#pragma once\n",
                                               "actors/src/a.cpp": '#include "../../tests/support/x.hpp"\n'})
        self.assertIn("actors must not know tests", found[0])

    def test_private_headers_stay_private(self):
        self.caught(includes.check, "actors/src/a.cpp", '#include "lmdb/env.hpp"\n', "is private to framework")
        self.caught(includes.check, "examples/one/a.cpp", '#include "lmdb/env.hpp"\n', "is private to framework")
        self.caught(includes.check, "framework/include/kappa/a.hpp", '#include "lmdb/env.hpp"\n', "the private")

    def test_one_name_in_two_layers(self):
        found = self.findings(includes.check, {"actors/include/kappa/core/error.hpp": "#pragma once\n"})
        self.assertTrue(any("may be any of" in f for f in found), found)

    def test_vendors_in_public_headers(self):
        for header in ("lmdb.h", "capnp/message.h", "kj/array.h", "caf/all.hpp", "spdlog/spdlog.h", "httplib.h",
                       "prometheus/registry.h", "CLI/CLI.hpp", "xxhash.h", "zstd.h", "librdkafka/rdkafka.h",
                       "flights.capnp.h"):
            self.caught(includes.check, "framework/include/kappa/a.hpp", f"#include <{header}>\n", "a public header includes")
        self.caught(includes.check, "actors/include/kappa/other.hpp", "#include <caf/all.hpp>\n", "includes CAF")
        self.caught(includes.check, "actors/include/kappa/other.hpp", '#include "kappa/caf.hpp"\n', "hands a vendor on")

    def test_vendors_named_in_public_headers(self):
        for code in ("struct MDB_env;", "ZSTD_DCtx* c;", "caf::actor a;", "kj::Array<int> a;", "XXH3_state_t* s;",
                     "rd_kafka_t* k;", "spdlog::logger* l;", "httplib::Server* s;", "prometheus::Registry* r;", "CLI::App* a;"):
            self.caught(includes.check, "framework/include/kappa/a.hpp", f"#pragma once\n{code}\n", "a.hpp:2: a public header names")

    def test_vendors_outside_their_home(self):
        for name, header in {"framework/src/log/a.cpp": "lmdb.h", "framework/src/log/b.cpp": "zstd.h",
                             "framework/src/state/c.cpp": "xxhash.h", "actors/src/host/d.cpp": "capnp/message.h",
                             "serialization/src/e.cpp": "caf/all.hpp", "examples/one/f.cpp": "spdlog/spdlog.h",
                             "tools/g.cpp": "httplib.h"}.items():
            self.caught(includes.check, name, f"#include <{header}>\n", "belongs in")
        found = self.findings(includes.check, {"actors/src/a/a.cpp": "#include <httplib.h>\n",
                                               "actors/src/b/b.cpp": "#include <httplib.h>\n"})
        self.assertTrue(any("more than one home" in f for f in found), found)

    def test_formatting(self):
        self.caught(formatting.check, "framework/src/log/log.cpp", "int   a ;\n", "not formatted")

    def test_snippets(self):
        def caught(text, said, name="README.md"):
            self.caught(snippets.check, name, text, said)
        for language in ("cpp", "capnp", "cmake"):
            caught(f"```{language}\nx\n```\n", "block without")
        caught("```cpp\nx\n```\n", "block without", "docs/deep/b.md")
        caught("```text\nx\n```\n```cpp\nx\n```\n", "block without")  # not only the first block
        caught("  ~~~ cpp\n  x\n  ~~~\n", "block without")
        caught("<!-- from: examples/one/main.cpp#body -->\n```cpp\nreturn 1;\n```\n", "differs")
        caught("<!-- from: examples/one/main.cpp#other -->\n```cpp\nreturn 0;\n```\n", "not exactly one region")
        caught("<!-- from: examples/two.cpp#body -->\n```cpp\nreturn 0;\n```\n", "there is no")
        caught("<!-- from: docs/a.md -->\n```cpp\nreturn 0;\n```\n", "is not under")
        caught("<!-- from: examples/one/main.cpp#body -->\ntext\n```text\n```\n", "no code block follows")

    def test_snippets_of_files_that_nobody_compiles(self):
        def with_commands(root):
            (root / "commands.json").write_text("[]")
            return snippets.check(root, compile_commands=root / "commands.json")
        self.assertIn("is not compiled", self.findings(with_commands)[0])

    def test_snippets_are_refreshed(self):
        def refreshed(root):
            snippets.check(root, update=True)
            self.assertIn("```cpp\nreturn 0;\n```\nafter\n", (root / "README.md").read_text())
            return snippets.check(root)
        text = "<!-- from: examples/one/main.cpp#body -->\n```cpp\nold\nold\n```\nafter\n"
        self.assertEqual(self.findings(refreshed, {"README.md": text}), [])

    def test_files(self):
        for folder in ("work", "root", "tmp", "home", "farm"):
            self.caught(files.check, "docs/a.md", f"see /{folder}/x\n", "a path of one machine")
        for host in ("deb.debian", "repo.maven.apache", "registry.npmjs", "pypi", "crates", "proxy.golang"):
            self.caught(files.check, "docs/a.md", f"see {host}" + ".org\n", "the host of a mirror")
        self.caught(files.check, "framework/src/a.cpp", "// x\n" * 601, "more than 600")
        self.caught(files.check, "framework/src/a.cpp", "// TO" + "DO: later\n", "left open")
        self.caught(files.check, "tests/log/a_test.cpp", "std::this_thread::sleep" + "_for(1s);\n", "a test that sleeps")
        self.caught(files.check, "docs/a.md", "[there](b.md)\n", "links to b.md")
        self.caught(files.check, "data.csv", "x" * (4 << 20) + "x", "more than 4194304")

    def test_reliability(self):
        good = GOOD["docs/reliability.md"]
        for row in ("| a | |", "| a | later |", "| a |", "| a | `log` |", "| `log: suite/case` | none |"):
            text = good.replace("| a | `log: suite/case` |", row + "\n| b | `log: suite/case` |", 1)
            self.caught(reliability.check, "docs/reliability.md", text, ":5: a row without a test")
        text = good + "| part | what |\n|---|---|\n| a | |\n"  # not a table of rules
        self.assertEqual(self.findings(reliability.check, {"docs/reliability.md": text}), [])
        self.caught(reliability.check, "docs/reliability.md", good.replace("## Epochs", "## Others"), 'under "Epochs"')
        for test in ("log: suite/renamed", "log: other/case", "state: suite/case"):
            self.caught(reliability.check, "docs/reliability.md", good + f"See `{test}`.\n", "no such test")

    def test_scripts(self):
        self.caught(scripts.check, "dev", "#!/usr/bin/env bash\nrm $1/*\n", "SC2086")
        self.caught(scripts.check, "tests/house/x.py", "def f(:\n", "invalid syntax")


if __name__ == "__main__":
    unittest.main()
