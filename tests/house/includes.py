#!/usr/bin/env python3
"""Includes go one way between the layers, and every vendor library stays in its home.

- framework ← serialization ← actors ← examples, tools, bench, tests: a file includes headers of its own layer and of
  those before it. Another layer's private headers (src/) are out of reach, and public headers (include/) include public
  ones only.
- So do they between the folders of the framework (see FOLDERS).
- No public header includes a vendor's header or names what is in one; two headers may (see PUBLIC_HOMES).
- A vendor's header is included in the vendor's one home only. Tests and benchmarks may include anything.
"""

import posixpath
import re

import tree

LAYERS = ["framework", "serialization", "actors"]
OUTER = ["examples", "tools", "bench", "tests"]
FREE = ["tests", "bench"]

# Inside the framework: a folder knows those before it.
FOLDERS = ["core", "keys", "lmdb", "log", "kafka", "state", "source", "aggregate", "stream", "task", "copy", "testing"]
# Public headers that stand with what their readers look for, and count as of another folder.
COUNTS_AS = {
    "framework/include/kappa/source/csv_source.hpp": "stream",  # an app's way to a file
    "framework/include/kappa/testing/round_trip.hpp": "core",  # of codecs; what an app holds is checked at its start
}

# vendor: (pattern of its headers, the folder or folders that are its home)
VENDORS = {
    "LMDB": (r"lmdb\.h$", ["framework/src/lmdb"]),
    "xxHash": (r"xxhash\.h$|xxh3\.h$", ["framework/src/core"]),
    "Zstandard": (r"zstd\w*\.h$", ["framework/src/sources"]),
    "librdkafka": (r"librdkafka/", ["framework/src/kafka"]),
    "OpenSSL": (r"openssl/", ["framework/src/keys"]),
    "libpq": (r"libpq-fe\.h$", ["framework/src/keys"]),
    "Cap'n Proto": (r"(capnp|kj)/|.*\.capnp\.h$", ["serialization/src", "serialization/plugin"]),
    "CAF": (r"caf/", ["actors/src"]),
    "spdlog": (r"spdlog/", ["actors/src"]),
    "cpp-httplib": (r"httplib\.h$", ["actors/src"]),
    "prometheus-cpp": (r"prometheus/", ["actors/src"]),
    "CLI11": (r"CLI/", ["actors/src", "tools"]),
}
# In a layer with several vendors each of these has one folder of its own, whichever it is.
ONE_FOLDER = ["spdlog", "cpp-httplib", "prometheus-cpp"]
PUBLIC_HOMES = {
    "Cap'n Proto": "serialization/include/kappa/serialization/zero_copy.hpp",
    "CAF": "actors/include/kappa/caf.hpp",
}
# Names that give a vendor away without an include (a forward declaration, a macro).
NAMES = {
    "LMDB": r"\b(?:MDB_\w+|mdb_\w+)\b",
    "xxHash": r"\bXXH\d*_\w+",
    "Zstandard": r"\bZSTD_\w+",
    "librdkafka": r"\brd_kafka_\w+",
    "OpenSSL": r"\b(?:EVP|OPENSSL|RAND)_\w+",
    "libpq": r"\bPG(?:conn|result)\b|\bPQ[a-z]\w+",
    "Cap'n Proto": r"\b(?:capnp|kj)::",
    "CAF": r"\bcaf::|\bCAF_[A-Z]\w+",
    "spdlog": r"\bspdlog::",
    "cpp-httplib": r"\bhttplib::",
    "prometheus-cpp": r"\bprometheus::",
    "CLI11": r"\bCLI::",
}
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)


def code_of(text):
    """The text without comments and string literals; lines stay where they were."""
    pattern = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', re.DOTALL)
    return pattern.sub(lambda m: m[0] if m[0][0] == '"' else re.sub(r"[^\n]", " ", m[0]), text)


def is_public(name):
    return any(name.startswith(f"{layer}/include/") for layer in LAYERS)


def resolve(name, included, headers):
    """The headers of the tree that this include may mean: beside the file first, then by the layers' include folders."""
    beside = posixpath.normpath(posixpath.join(posixpath.dirname(name), included))
    if beside in headers:
        return [beside]
    places = [f"{layer}/{kind}/{included}" for layer in LAYERS for kind in ("include", "src")]
    return [p for p in places if p in headers]


def folder_of(name):
    """Of a file of the framework: its place in FOLDERS; none: a header of all."""
    match = re.match(r"framework/(?:src|include/kappa)/(\w+)/", name)
    if not match:
        return None
    folder = COUNTS_AS.get(name, match[1])
    folder = {"sources": "source"}.get(folder, folder)
    return FOLDERS.index(folder) if folder in FOLDERS else -1


def check_folders(name, line, header, findings):
    mine, theirs = folder_of(name), folder_of(header)
    if mine == -1:
        findings.append(f"{name}:{line}: the folder has no place in FOLDERS")
    elif mine is not None and theirs is not None and theirs > mine:
        findings.append(f"{name}:{line}: {FOLDERS[mine]} must not know {FOLDERS[theirs]} ({header})")


def check_layers(name, line, included, headers, findings):
    layer = name.split("/")[0]
    rank = LAYERS.index(layer) if layer in LAYERS else len(LAYERS)
    found = resolve(name, included, headers)
    if len(found) > 1:
        findings.append(f"{name}:{line}: \"{included}\" may be any of {', '.join(found)}")
    for header in found:
        theirs = header.split("/")[0]
        if theirs == layer:
            if layer == "framework":
                check_folders(name, line, header, findings)
            if is_public(name) and not is_public(header):
                findings.append(f"{name}:{line}: a public header includes the private {header}")
            if is_public(name) and header in PUBLIC_HOMES.values():
                findings.append(f"{name}:{line}: a public header hands a vendor on ({header})")
        elif theirs in OUTER or LAYERS.index(theirs) > rank:
            findings.append(f"{name}:{line}: {layer} must not know {theirs} ({header})")
        elif not is_public(header) and layer not in FREE:
            findings.append(f"{name}:{line}: {header} is private to {theirs}")


def check_vendors(name, line, included, homes_used, findings):
    for vendor, (pattern, homes) in VENDORS.items():
        if not re.match(pattern, included):
            continue
        if is_public(name):
            if PUBLIC_HOMES.get(vendor) != name:
                findings.append(f"{name}:{line}: a public header includes {vendor} ({included})")
        elif name.split("/")[0] not in FREE and not (vendor == "CAF" and name.startswith("examples/")):
            if not any(name.startswith(home + "/") for home in homes):
                findings.append(f"{name}:{line}: {vendor} ({included}) belongs in {' and '.join(homes)} only")
            else:
                homes_used.setdefault(vendor, {}).setdefault(posixpath.dirname(name), f"{name}:{line}")


def check(root):
    findings = []
    homes_used = {}
    names = [n for n in tree.files(root, ".hpp", ".cpp", ".h") if n.split("/")[0] in LAYERS + OUTER]
    headers = {n for n in names if not n.endswith(".cpp")}
    for name in names:
        code = code_of((root / name).read_text(encoding="utf-8"))
        for match in INCLUDE.finditer(code):
            line = code.count("\n", 0, match.start()) + 1
            check_layers(name, line, match[2], headers, findings)
            check_vendors(name, line, match[2], homes_used, findings)
        if is_public(name):
            code = re.sub(r'"(?:\\.|[^"\\\n])*"', '""', code)
            for vendor, pattern in NAMES.items():
                match = re.search(pattern, code)
                if match and PUBLIC_HOMES.get(vendor) != name:
                    line = code.count("\n", 0, match.start()) + 1
                    findings.append(f"{name}:{line}: a public header names {vendor} ({match[0]})")
    for vendor in ONE_FOLDER:
        folders = homes_used.get(vendor, {})
        if len(folders) > 1:
            findings.append(f"{vendor} has more than one home: {', '.join(folders.values())}")
    return findings


if __name__ == "__main__":
    tree.main(__doc__, check)
