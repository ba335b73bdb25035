"""What --json of a benchmark program must say, whatever it measures."""

import json


def check(test, done, rows, work):
    """`rows`: by benchmark how many there are, and how many of them have an aim."""
    test.assertEqual(done.returncode, 0, done.stderr)
    all_of_it = json.loads(done.stdout)
    test.assertIn("processor", all_of_it["machine"])
    found = {}
    for row in all_of_it["rows"]:
        number, aims = found.get(row["benchmark"], (0, 0))
        found[row["benchmark"]] = (number + 1, aims + ("aim" in row))
        test.assertTrue(row["what"])
        test.assertTrue(row["unit"])
        for value in ("reached", "least", "most"):
            test.assertIsInstance(row[value], (int, float), row)
        test.assertLessEqual(row["least"], row["reached"])
        test.assertLessEqual(row["reached"], row["most"])
    test.assertEqual(found, rows)
    test.assertFalse(work.exists())
    return all_of_it["rows"]
