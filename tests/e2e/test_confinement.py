#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What an agent can do that runs an attacker's code: nothing to the terminal, to files outside the
packet directory, to sockets, memory and other processes."""
import errno
import os
import pathlib
import pty
import re
import select
import signal
import subprocess
import termios
import tty

import lab
from lab import wait_for
from packets import netis

ALLOWED = {"allowed-time", "allowed-memory"}
THREAT_MODEL = lab.ROOT / "docs/threat-model.md"


def hostile_binary():
    beside = pathlib.Path(lab.binary()).parent / "tests/hostile_agent"
    return os.environ.get("NIDS_HOSTILE_BIN", str(beside))


class TerminalSession:
    """A command in a session of its own that has a terminal, as a shell in a window has."""

    def __init__(self, case, argv, **options):
        self.fd, child_end = pty.openpty()
        tty.setraw(child_end, termios.TCSANOW)  # nothing is echoed
        self.child_end = child_end
        self.text = b""

        def own_terminal():
            os.setsid()
            import fcntl
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        self.process = case.lab.start(*argv, stdin=child_end, stdout=child_end, stderr=child_end,
                                      preexec_fn=own_terminal, **options)
        case.addCleanup(os.close, self.fd)
        case.addCleanup(os.close, child_end)

    def read(self):
        while select.select([self.fd], [], [], 0)[0]:
            self.text += os.read(self.fd, 65536)
        return self.text.decode(errors="replace")

    def typed(self):
        """What somebody who reads from the terminal would get."""
        return os.read(self.child_end, 1000) if select.select([self.child_end], [], [], 0)[0] else b""


class Confinement(lab.LabCase):
    def agent_of(self, session):
        return wait_for("an agent", lambda: lab.children_of(session.process.pid))[0]

    def test_hostile_code_in_the_agent(self):
        untouched = self.lab.path("untouched")
        untouched.write_text("as it was")
        untouched.chmod(0o666)
        self.lab.folder.chmod(0o777)
        session = TerminalSession(self, [*self.lab.near.command(hostile_binary(), via="nsenter"),
                                         "v0", untouched])
        wait_for("its start", lambda: "^C ends" in session.read() or session.process.poll())
        self.lab.note_programs()
        told = dict(re.findall(r"hostile (\S+) (\S+)", session.read()))
        done = {name for name, how in told.items() if how == "done"}
        self.assertEqual(done, ALLOWED, told)
        refused = {how for how in told.values()} - {"done"}
        self.assertLessEqual(refused, {"EPERM", "EACCES", "ENXIO", "ENOENT", "ENOTTY", "EROFS"}, told)
        self.assertGreater(len(told), 30)
        self.assertEqual(session.typed(), b"")
        self.assertEqual(untouched.read_text(), "as it was")
        self.assertFalse(self.lab.path("untouched.new").exists())
        # It still does its work.
        self.lab.far.send_frames("v1", [netis()])
        self.lab.wait_alerts(1)
        wait_for("its packet", lambda: self.lab.segments())
        session.process.send_signal(signal.SIGINT)
        self.assertEqual(session.process.wait(15), 0, session.read())

    def test_the_threat_model_lists_the_system_calls_that_remain(self):
        remaining = lab.run(hostile_binary()).stdout.split()
        paragraph = next(one for one in THREAT_MODEL.read_text().split("\n\n")
                         if one.startswith("`accept`, "))
        self.assertEqual(re.findall(r"`(\w+)`", paragraph), remaining)

    def test_the_agent_has_no_terminal_no_environment_and_no_foreign_file(self):
        secret = self.lab.path("secret")
        secret.write_text("root's")
        fd = os.open(secret, os.O_RDONLY)
        self.addCleanup(os.close, fd)
        session = TerminalSession(self, self.lab.command("attach", "v0", via="nsenter"),
                                  pass_fds=[fd], env=self.lab.environment | {"SECRET": "x"})
        wait_for("its start", lambda: "^C ends" in session.read())
        self.lab.note_programs()
        agent = self.agent_of(session)
        proc = pathlib.Path(f"/proc/{agent}")
        fields = (proc / "stat").read_text().rsplit(")", 1)[1].split()
        self.assertEqual(int(fields[3]), agent, "a session of its own")
        self.assertEqual(int(fields[4]), 0, "no terminal")
        self.assertEqual((proc / "environ").read_bytes().strip(b"\0"), b"")
        targets = [os.readlink(one) for one in (proc / "fd").iterdir()]
        self.assertFalse([one for one in targets if "/pts/" in one or "secret" in one], targets)
        self.assertRegex((proc / "status").read_text(), r"Seccomp:\t2\n")
        one, = self.lab.status()
        self.assertEqual(one["agent_confined"], {"system_calls": True, "files": True})
        session.process.send_signal(signal.SIGINT)
        self.assertEqual(session.process.wait(15), 0, session.read())

    def test_eve_on_a_terminal_goes_through_the_parent(self):
        session = TerminalSession(self, self.lab.command("attach", "v0", "--eve", "-",
                                                         via="nsenter"))
        wait_for("its start", lambda: "^C ends" in session.read())
        self.lab.note_programs()
        self.lab.far.send_frames("v1", [netis()])
        wait_for("an alert", lambda: '"event_type":"alert"' in session.read())
        targets = [os.readlink(one) for one in
                   pathlib.Path(f"/proc/{self.agent_of(session)}/fd").iterdir()]
        self.assertFalse([one for one in targets if "/pts/" in one], targets)
        session.process.send_signal(signal.SIGINT)
        self.assertEqual(session.process.wait(15), 0, session.read())


class Commands(lab.LabCase):
    """Those that read files which an attacker may have written give up the same."""

    def seccomp_of(self, process):
        return re.search(r"Seccomp:\t(\d)", pathlib.Path(f"/proc/{process.pid}/status").read_text())[1]

    def test_replay_and_summary(self):
        for command in (["replay", "-"], ["pcap", "summary", "-"]):
            with self.subTest(command):
                process = self.lab.start(lab.binary(), *command, stdin=subprocess.PIPE)
                process.stdin.write(bytes.fromhex("d4c3b2a1020004000000000000000000ffff000001000000"))
                process.stdin.flush()
                wait_for("its filter", lambda: self.seccomp_of(process) == "2")
                process.stdin.close()
                self.assertEqual(process.wait(10), 0)

    def test_alerts(self):
        watch = self.lab.attach("v0")
        self.lab.far.send_frames("v1", [netis()])
        self.lab.wait_written()
        follow = self.lab.start(lab.binary(), "alerts", "follow")
        wait_for("its filter", lambda: self.seccomp_of(follow) == "2")
        follow.kill()
        self.assertEqual(watch.stop(), 0, watch.err)


if __name__ == "__main__":
    lab.main()
