#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`nids-xdp lab run` and `score`: suspicious protocols on their usual ports are all found, and a session that is
broken off leaves nothing behind."""
import json
import os
import pathlib
import signal
import subprocess
import tempfile

import lab
from test_lab_command import LabCommand, pid_namespace, processes_of

SHORT = """title = "short"
nodes = 2
seconds = SECONDS

[[service]]
kind = "ssh"
on = ["h1"]

[[client]]
kind = "ssh"
from = ["h2"]
to = ["h1"]
every = 0.5
"""


class Session(LabCommand):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def begin(self, seconds):
        """A session of the short scenario; returns when its conversations have begun."""
        path = self.folder / "short.toml"
        path.write_text(SHORT.replace("SECONDS", str(seconds)))
        process = subprocess.Popen([lab.binary(), "lab", "run", path, "--name", self.name, "--output",
                                    self.folder / "results"], text=True, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        for line in process.stderr:
            if "conversations in" in line:
                return process, self.keeper()
        raise AssertionError(f"it did not begin; exit code {process.wait()}")

    def test_suspicious_protocols_on_usual_ports(self):
        output = self.folder / "results"
        told = self.ask("run", "office", "--name", self.name, "--output", str(output), timeout=120)
        self.assertRegex(told, r"all flows +\d+ +0 +0 +\d+ +1\.000 +1\.000 +1\.000 +1\.000")
        self.assertEqual(told, self.ask("score", "--output", str(output)))
        picture = self.folder / "score.svg"
        result = json.loads(self.ask("score", "--json", "--output", str(output), "--svg", str(picture)))
        self.assertIn("recall 100.0%", picture.read_text())
        self.assertEqual((result["nodes"], result["scenario"]), (4, "office, usual ports"))
        for unit in ("flows", "packets"):
            self.assertEqual((result[unit]["precision"], result[unit]["recall"]), (1.0, 1.0))
            self.assertGreater(min(result[unit]["tp"], result[unit]["tn"]), 50)
        self.assertEqual(set(result["by_class"]), {"ssh", "telnet", "netis", "ftp", "tls"})
        facts = json.loads((output / "session.json").read_text())
        self.assertEqual(facts["conversations_failed"], 0)
        self.assertEqual(set(facts["agent_exit_codes"].values()), {0})
        self.assertNotIn(self.name, self.ask("list"))

    def test_attacks(self):
        """Those that have a signature of their own today."""
        output = self.folder / "results"
        self.ask("run", "attacks", "--name", self.name, "--output", str(output), timeout=300)
        episodes = json.loads(self.ask("score", "--json", "--output", str(output)))["episodes"]
        self.assertEqual(len(episodes["each"]), 14)
        # hping3 exits with 1 if no answer came; none would be a tool that took too long.
        self.assertLessEqual({one["exit_code"] for one in episodes["each"]}, {0, 1}, episodes["each"])
        named = {one["kind"] for one in episodes["each"] if one["is_named"]}
        self.assertLessEqual({"syn-scan", "connect-scan", "null-scan", "xmas-scan", "land", "smurf"}, named)
        self.assertEqual(episodes["false_alarms"], 0)

    def test_its_keeper_is_killed(self):
        process, keeper = self.begin(60)
        namespace = pid_namespace(keeper)
        os.kill(keeper, signal.SIGKILL)
        rest = process.stderr.read()
        self.assertEqual(process.wait(30), 1)
        self.assertIn("somebody ended the laboratory", rest)
        self.assert_nothing_is_left(namespace)

    def test_a_signal_ends_it(self):
        for how in (signal.SIGTERM, signal.SIGINT):
            process, keeper = self.begin(60)
            namespace = pid_namespace(keeper)
            process.send_signal(how)
            self.assertEqual(process.wait(30), 130)
            self.assert_nothing_is_left(namespace)

    def test_kill_of_the_command_leaves_a_laboratory_that_down_ends(self):
        process, keeper = self.begin(60)
        namespace = pid_namespace(keeper)
        process.kill()
        process.wait()
        self.ask("down", "--name", self.name)
        self.assert_nothing_is_left(namespace)

    def test_a_peer_that_dies(self):
        """Its clients fail; the session goes on, and what was not a connection is no miss."""
        process, keeper = self.begin(6)
        servers = [pid for pid in processes_of(pid_namespace(keeper))
                   if b"logging_server.py" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()]
        os.kill(servers[-1], signal.SIGKILL)
        self.assertEqual(process.wait(60), 0, process.stderr.read())
        facts = json.loads((self.folder / "results/session.json").read_text())
        self.assertGreater(facts["conversations_failed"], 0)

    def test_problems(self):
        path = self.folder / "wrong.toml"
        path.write_text(SHORT.replace("SECONDS", '"long"'))
        told = self.ask("run", str(path), "--name", self.name, code=1)
        self.assertIn(f"{path}:3: seconds must be of type int", told)
        self.assertIn("nothing was started", told)
        self.assertIn("at least 4 hosts", self.ask("run", "office", "--nodes", "3", code=1))
        self.assertIn("apt install tcpdump", self.ask("run", "office", code=1,
                                                      env=os.environ | {"PATH": "/nonexistent"}))
        self.assertIn("nids-xdp lab run", self.ask("score", "--output", "/nonexistent", code=1))
        self.ask("up", "--name", self.name)
        self.assertIn("it is up already", self.ask("run", "office", "--name", self.name, code=1))


if __name__ == "__main__":
    lab.main(tools=("tcpdump", "ssh", "nginx", "vsftpd", "telnetd"))
