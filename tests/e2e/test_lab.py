#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The laboratory of these tests leaves nothing behind when a test is ended by a signal."""
import os
import pathlib
import re
import signal
import subprocess
import sys
import unittest

import lab

# A test with a process that ignores SIGTERM, so that closing the laboratory takes 5 s.
STUBBORN = """
import subprocess, time, lab
class One(lab.LabCase):
    def test_one(self):
        ignores = subprocess.Popen(["sh", "-c", "trap '' TERM; echo; exec sleep 60"], stdout=subprocess.PIPE)
        ignores.stdout.read(1)
        self.lab.processes.append(ignores)
        print("lab", self.lab.number, self.lab.folder, flush=True)
        time.sleep(BODY_S)
    def test_two(self):
        print("goes on", flush=True)
lab.main()
"""


class Signals(unittest.TestCase):
    def end(self, body_s, wait_s):
        """SIGTERM after so many seconds of a test whose body takes `body_s`."""
        test = subprocess.Popen([sys.executable, "-c", f"BODY_S = {body_s}{STUBBORN}"], text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                cwd=pathlib.Path(__file__).parent)
        self.addCleanup(test.kill)
        number, folder = re.match(r"lab (\S+) (\S+)", test.stdout.readline()).groups()
        self.assertTrue(os.path.exists(folder))
        self.assertTrue(os.path.exists(f"/run/netns/nids-{number}-near"))
        with self.assertRaises(subprocess.TimeoutExpired):
            test.wait(wait_s)
        test.send_signal(signal.SIGTERM)
        rest, _ = test.communicate(timeout=60)
        self.assertNotIn("goes on", rest)
        self.assertNotEqual(test.returncode, 0)
        for left in (folder, f"/run/netns/nids-{number}-near", f"/run/netns/nids-{number}-far"):
            self.assertFalse(os.path.exists(left), left)

    def test_in_the_body(self):
        self.end(30, 0.5)

    def test_while_it_closes(self):
        self.end(0, 2)


if __name__ == "__main__":
    lab.main()
