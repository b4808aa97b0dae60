#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Scenarios: every mistake is found with its line, and a seed makes a run repeatable."""
import pathlib
import sys
import tempfile
import unittest

LAB = pathlib.Path(__file__).resolve().parents[2] / "tools/lab"
sys.path.insert(0, str(LAB))
import scenario  # noqa: E402

GOOD = """title = "two"
nodes = 2
seconds = 60

[[service]]
kind = "ssh"
on = ["h1"]

[[client]]
kind = "ssh"
from = ["*"]
to = ["h1"]
every = 2
"""


class Scenarios(unittest.TestCase):
    def read(self, text, seed=1, nodes=None):
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
            file.write(text)
            file.flush()
            try:
                return scenario.read(file.name, seed, nodes)
            except scenario.ScenarioError as error:
                raise scenario.ScenarioError(str(error).replace(file.name, "FILE")) from None

    def assert_problem(self, wrong, right, *parts):
        """`right` is replaced by `wrong` where it stands for the last time."""
        head, found, tail = GOOD.rpartition(right)
        self.assertTrue(found, right)
        with self.assertRaises(scenario.ScenarioError) as caught:
            self.read(head + wrong + tail)
        for part in parts:
            self.assertIn(part, str(caught.exception))

    def test_a_seed_repeats_a_run(self):
        one, same, other = self.read(GOOD), self.read(GOOD), self.read(GOOD, seed=2)
        self.assertEqual(one.conversations, same.conversations)
        self.assertNotEqual(one.conversations, other.conversations)
        self.assertEqual(one.conversations, sorted(one.conversations, key=lambda talk: talk.at))
        self.assertEqual({talk.host for talk in one.conversations}, {"h2", "o1"})  # nobody talks to itself
        self.assertTrue(20 < len(one.conversations) < 100)

    def test_a_client_more_changes_nothing_else(self):
        more = self.read(GOOD + '[[client]]\nkind = "ssh"\nfrom = ["o1"]\nto = ["h1"]\nevery = 1\n')
        self.assertLess(set(self.read(GOOD).conversations), set(more.conversations))

    def test_more_hosts_share_the_conversations(self):
        few, many = self.read(GOOD), self.read(GOOD, nodes=20)
        self.assertEqual(len({talk.host for talk in many.conversations}), 20)
        self.assertTrue(0.5 < len(many.conversations) / len(few.conversations) < 2)
        with self.assertRaisesRegex(scenario.ScenarioError, "at least 2 hosts"):
            self.read(GOOD, nodes=1)

    def test_defaults(self):
        one = self.read(GOOD)
        self.assertEqual(one.sensors, ["h1", "h2", "o1", "router"])
        self.assertEqual(one.servings, [scenario.Serving("ssh", "h1", 22)])
        self.assertEqual(one.programs()["sshd"], "openssh-server")

    def test_problems_have_their_line(self):
        self.assert_problem("nodes = 0", "nodes = 2", "FILE:2: nodes must be from 1 to 200")
        self.assert_problem('nodes = "2"', "nodes = 2", "FILE:2: nodes must be of type int")
        self.assert_problem("", "nodes = 2\n", "there is no nodes")
        self.assert_problem("seconds = 60\ncolour = 1", "seconds = 60", 'FILE:4: unknown key "colour"')
        self.assert_problem('kind = "shh"', 'kind = "ssh"', 'FILE:10: unknown kind "shh"', "telnet")
        self.assert_problem('on = ["h3"]', 'on = ["h1"]', "FILE:7: no host is called 'h3'", "h1 to o1")
        self.assert_problem('to = ["h2"]', 'to = ["h1"]', "FILE:12: h2 has no service ssh on port 22")
        self.assert_problem("every = 0", "every = 2", "FILE:13: every must be from 0.01")
        self.assert_problem("every = 2\nport = 70000", "every = 2", "FILE:14: port must be from 1 to 65535")
        self.assert_problem("every = true", "every = 2", "FILE:13: every must be of type float")
        self.assert_problem('on = ["h1"]\n[[service]]\nkind = "telnet"\nport = 22\non = ["h1"]', 'on = ["h1"]',
                            "FILE:8: h1 has a service on port 22 already")
        self.assert_problem('title = "a\\u001bb"', 'title = "two"', "FILE:1: title must be")
        self.assert_problem('title = ', 'title = "two"', "FILE: ", "line 1")

    def test_attacks(self):
        attack = '[[attack]]\nkind = "syn-scan"\nfrom = "o1"\nto = "h2"\nat = 5\n'
        one = self.read(GOOD + attack)
        self.assertEqual(one.attacks, [scenario.Attack("syn-scan", "o1", "h2", 5)])
        self.assertEqual(one.programs()["nmap"], "nmap")
        for wrong, problem in (("syn-scam", 'FILE:15: unknown kind "syn-scam"'), ("h3", "FILE:17: no host is called"),
                               ("61", "FILE:18: at must be from 0 to 60")):
            right = {"syn-scam": "syn-scan", "h3": "h2", "61": "5"}[wrong]
            with self.assertRaisesRegex(scenario.ScenarioError, problem):
                self.read(GOOD + attack.replace(right, wrong))

    def test_too_many_conversations(self):
        text = GOOD.replace("seconds = 60", "seconds = 3600").replace("every = 2", "every = 0.01")
        with self.assertRaisesRegex(scenario.ScenarioError, "FILE:9: more than 100000 conversations"):
            self.read(text)

    def test_a_file_that_cannot_be_read(self):
        with self.assertRaisesRegex(scenario.ScenarioError, "/nonexistent: No such file"):
            scenario.read("/nonexistent", 1)

    def test_those_that_come_with_the_program(self):
        files = sorted((LAB / "scenarios").glob("*.toml"))
        self.assertTrue(files)
        for path in files:
            self.assertTrue(scenario.read(path, 1).conversations, path)


if __name__ == "__main__":
    unittest.main(verbosity=2)
