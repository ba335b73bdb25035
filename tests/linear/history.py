"""Whether what clients were told can have been: histories of accounts, each of one key, against a model.

Commands, and queries that are to be linearizable, must fit into one order in which each has its place between question and
answer; a command that was not answered may have happened any time later, or never. A plain query may be answered by a state of
any earlier time, but by one that was, and not by one older than it asked for. The search is that of Wing and Gong (Testing and
Verifying Concurrent Objects, 1993) with Lowe's memory of states that led nowhere (Testing for linearizability, 2017).

Usage: history.py FILE…   (each as clients.cpp writes it). Exit code 0: it can have been.
"""

import sys

NEVER = float("inf")
KINDS = ("open", "deposit", "withdraw", "read", "exact")


class Operation:
    def __init__(self, name, begin, kind, key, amount, expected):
        self.name = name
        self.begin = begin
        self.key = key
        self.kind = kind
        self.amount = amount
        self.expected = expected
        self.end = NEVER
        self.result = None  # nothing: nobody was told
        self.again = []

    def __str__(self):
        told = "not answered" if self.result is None else f"answered '{' '.join(map(str, self.result))}' at {self.end}"
        expected = "" if self.expected is None else f" expected {self.expected}"
        return f"{self.name} {self.kind} {self.amount}{expected} asked at {self.begin}, {told}"


def read(lines, operations):
    """A file of one process into operations by name. The last line may have been cut off by a kill."""
    for line in lines:
        words = line.split()
        if not line.endswith("\n") or not words or words[0] == "life":
            continue
        sign, name, when = words[0], words[1], int(words[2])
        if sign == "i":
            expected = None if words[6] == "-" else int(words[6])
            operations[name] = Operation(name, when, words[3], words[4], int(words[5]), expected)
        elif sign == "r":
            result = tuple(int(w) if w.isdigit() else w for w in words[3:])
            if result == ("failed",):
                del operations[name]  # a query without an answer
            else:
                operations[name].end = when
                operations[name].result = result
        else:
            operations[name].again.append(tuple(int(w) if w.isdigit() else w for w in words[3:]))


def step(state, op):
    """What the model answers, and its state after that. A state: version and balance."""
    version, balance = state
    if op.kind in ("read", "exact"):
        return ("value", version, balance), state
    if op.expected is not None and op.expected != version:
        return ("conflict", version), state
    if op.kind == "open":
        return ("ok", max(version, 1)), (max(version, 1), balance)
    change = op.amount if op.kind == "deposit" else -op.amount
    if version == 0 or balance + change < 0:
        return ("rejected",), state
    return ("ok", version + 1), (version + 1, balance + change)


def first_missing(done):
    """Of a set of numbers, as bits."""
    return (~done & (done + 1)).bit_length() - 1


class Search:
    def __init__(self, operations):
        self.ops = sorted((op for op in operations if op.kind != "read"), key=lambda op: op.begin)
        self.reads = sorted((op for op in operations if op.kind == "read" and op.result), key=lambda op: op.end)
        self.showing = {}  # reads by what they show, as bits
        for i, op in enumerate(self.reads):
            self.showing[op.result[1:]] = self.showing.get(op.result[1:], 0) | 1 << i
        self.known = sum(op.result is not None for op in self.ops) + len(self.reads)

    def possible(self, done, seen):
        """What may come next, by number: what was asked before anything that is left was answered."""
        first_end = min((op.end for op in self.reads[first_missing(seen):first_missing(seen) + 1]), default=NEVER)
        found = []
        for i in range(first_missing(done), len(self.ops)):
            if self.ops[i].begin >= first_end:
                break
            if not done >> i & 1:
                found.append(i)
                first_end = min(first_end, self.ops[i].end)
        return [i for i in found if self.ops[i].begin < first_end]

    def unexplained(self):
        """Nothing: there is an order. Else the furthest that one came: how many, the state, what does not follow on it."""
        furthest = (-1, None, None)
        tried = set()
        stack = [(0, 0, (0, 0))]  # commands and linearizable queries that are in the order, as bits; plain ones; the state
        while stack:
            done, seen, state = stack.pop()
            seen |= self.showing.get(state, 0)
            # What fits and changes nothing is best put here: it is in nobody's way.
            while True:
                steps = [(i, *step(state, self.ops[i])) for i in self.possible(done, seen)]
                still = [i for i, said, after in steps if after == state and self.ops[i].result == said]
                if not still:
                    break
                for i in still:
                    done |= 1 << i
            if (done, seen, state) in tried:
                continue
            tried.add((done, seen, state))
            count = seen.bit_count() + sum(op.result is not None for i, op in enumerate(self.ops) if done >> i & 1)
            if count == self.known:
                return None
            if count > furthest[0]:
                waiting = [self.ops[i] for i, _, _ in steps if self.ops[i].result is not None]
                furthest = (count, state, waiting + self.reads[first_missing(seen):first_missing(seen) + 1])
            changes = [(self.ops[i].result is not None, i, after) for i, said, after in steps
                       if after != state and self.ops[i].result in (None, said)]
            for _, i, after in sorted(changes):  # the last one is tried first: what somebody was told of
                stack.append((done | 1 << i, seen, after))
        return furthest


def problems_of(operations):
    found = []
    for op in operations:
        if any(again != op.result for again in op.again):
            found.append(f"{op}: asked again, answered {op.again}")
        if op.kind == "read" and op.expected is not None and op.result is not None and op.result[1] < op.expected:
            found.append(f"{op}: older than it asked for")
    keys = {}
    for op in operations:
        keys.setdefault(op.key, []).append(op)
    for key in sorted(keys):
        why = Search(keys[key]).unexplained()
        if why:
            _, state, waiting = why
            found.append(f"{key}: after version {state[0]} with a balance of {state[1]} none of these can have been: "
                         + "; ".join(str(op) for op in waiting))
    return found


def judge(files):
    """What there is, by kind, and what is wrong."""
    operations = {}
    for file in files:
        with open(file, encoding="ascii") as lines:
            read(lines, operations)
    every = list(operations.values())
    counts = {kind: sum(op.kind == kind and op.result is not None for op in every) for kind in KINDS}
    counts["of the reads with a version asked for"] = sum(op.kind == "read" and op.expected is not None for op in every)
    counts["not answered"] = sum(op.result is None for op in every)
    counts["asked again"] = sum(len(op.again) for op in every)
    counts["keys"] = len({op.key for op in every})
    return counts, problems_of(every)


if __name__ == "__main__":
    said, wrong = judge(sys.argv[1:])
    print(", ".join(f"{number} {name}" for name, number in said.items()))
    for line in wrong:
        print("WRONG: " + line)
    sys.exit(1 if wrong else 0)
