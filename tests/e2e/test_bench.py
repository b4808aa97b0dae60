#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The benchmarks of the agent work: with small numbers they measure something and print it. Checks no speed."""
import pathlib
import re
import sys
import unittest

import lab

FOLDER = lab.ROOT / "tests/bench"


class Benchmarks(unittest.TestCase):
    def run_it(self, *argv):
        done = lab.run(*argv, check=False, timeout=180)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def numbers(self, text, pattern):
        match = re.search(pattern, text, re.M)
        self.assertIsNotNone(match, text)
        return [float(one) for one in match.groups()]

    def test_what_a_record_costs(self):
        bench = pathlib.Path(lab.binary()).parent / "tests/bench/nids-agent-bench"
        text = self.run_it(bench, "--runs", "1", "--rounds", "1")
        for outputs in ("EVE", "EVE, packets stored"):
            figures = self.numbers(text, rf"^{outputs} +(\d+) +(\d+) +([\d.]+) +([\d.]+)$")
            self.assertTrue(all(one > 0 for one in figures), text)

    def test_how_long_a_worker_is_away(self):
        text = self.run_it(sys.executable, FOLDER / "stall_bench.py", "--flows", "5000", "--seconds", "3")
        for rounds in ("rounds with records pending", "rounds while the flows were made"):
            count, = self.numbers(text, rf"^{rounds}: (\d+)$")
            self.assertGreater(count, 0, text)
        cpu, wall = self.numbers(text, r"^ +worst us +([\d.]+) +([\d.]+)$")
        self.assertGreater(cpu, 0)
        self.assertGreaterEqual(wall, cpu * 0.9, text)
        flows, answers, answered = self.numbers(
            text, r"^flows tracked: (\d+); answers: (\d+), of (\d+) flows at least")
        self.assertGreaterEqual(flows, 4950)
        self.assertGreater(answers, 0)
        self.assertGreaterEqual(answered, 4950)
        taken, = self.numbers(text, r"^records taken: (\d+)")
        self.assertGreater(taken, 10_000)
        self.assertIn("disk: frozen", text)
        self.assertRegex(text, r"goal, own CPU time .*: (met|missed)")


if __name__ == "__main__":
    lab.main(["mkfs.ext4", "mount", "fsfreeze"])
