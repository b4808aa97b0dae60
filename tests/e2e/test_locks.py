#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Who may hold up whom, and what others may remove of a living agent's: nobody without privileges
the first, and nobody the second."""
import fcntl
import os
import shutil
import struct
import subprocess
import sys
import time

import lab
from lab import wait_for

NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"]
LOCK_DIRECTORY = """
import fcntl, os, sys, time
fcntl.flock(os.open(sys.argv[1], os.O_RDONLY), fcntl.LOCK_EX)
print("locked", flush=True)
time.sleep(60)
"""
F_OFD_SETLK = 37


class Locks(lab.LabCase):
    @property
    def directory(self):
        return self.lab.run_dir / "nids-xdp"

    def test_a_lock_of_somebody_without_privileges_holds_up_nobody(self):
        watch = self.lab.attach("v0")
        other = self.lab.start(*NOBODY, sys.executable, "-c", LOCK_DIRECTORY, self.directory,
                               stdout=subprocess.PIPE, text=True)
        self.assertEqual(other.stdout.readline(), "locked\n")
        start = time.monotonic()
        done = self.lab.nids("attach", "v0")
        self.assertEqual(done.returncode, 1)
        self.assert_message(done.stderr, f"process {watch.pid}")
        self.assertEqual(watch.stop(), 0, watch.err)
        self.assertLess(time.monotonic() - start, 5)
        other.kill()
        other.communicate()

    def test_the_lock_is_roots_alone_while_an_agent_runs(self):
        watch = self.lab.attach("v0")
        self.assertEqual((self.directory / "lock").stat().st_mode & 0o777, 0o600)
        self.assertEqual(watch.stop(), 0)
        self.assertFalse(self.directory.exists())

    def test_who_never_ends_is_waited_for_so_long_and_named(self):
        self.directory.mkdir(parents=True)
        file = self.directory / "lock"
        fd = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
        self.addCleanup(os.close, fd)
        os.write(fd, b"4711")
        fcntl.fcntl(fd, F_OFD_SETLK, struct.pack("hhqqi", fcntl.F_WRLCK, 0, 0, 1, 0))
        start = time.monotonic()
        done = self.lab.nids("attach", "v0")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assert_message(done.stderr, str(file), "process 4711", "hint")
        self.assertLess(time.monotonic() - start, 15)
        self.assertEqual(self.lab.status(), [])
        shutil.rmtree(self.directory)

    def as_nobody(self, *argv):
        program = self.lab.path("nids-xdp")
        shutil.copy(lab.binary(), program)
        program.chmod(0o755)
        return self.lab.near.run(*NOBODY, program, *argv, check=False, env=self.lab.environment)

    def test_a_second_attach_leaves_what_the_first_one_made(self):
        """Each has mounts of its own, as under ip netns exec: removing the first one's directory
        would unmount its bpffs."""
        watch = self.lab.attach("v0", via="exec")
        pins = f"/proc/{watch.pid}/root{self.directory}/bpf"
        before = os.listdir(pins)
        self.assertTrue(before)
        for via in ("exec", "nsenter"):
            self.assertEqual(self.lab.nids("attach", "v0", via=via).returncode, 1)
            self.assertEqual(self.lab.nids("detach", "v9", via=via).returncode, 1)
            self.assertEqual(os.listdir(pins), before, via)
        self.assertEqual(watch.stop(), 0)

    def test_who_cannot_see_says_so(self):
        self.assertEqual(self.as_nobody("status").returncode, 0, "nothing is attached, and is seen")
        watch = self.lab.attach("v0")
        watch.kill_parent()
        wait_for("the agent's end", lambda: not any(map(lab.is_running, watch.agents)))
        shutil.rmtree(self.directory)  # no pins to read by
        for argv in (["status"], ["stats"], ["stats", "v0"], ["stats", "--json"]):
            done = self.as_nobody(*argv)
            self.assertEqual((done.returncode, done.stdout), (1, ""), argv)
            self.assert_message(done.stderr, "Operation not permitted", "hint")
        self.assertEqual(self.lab.nids("detach", "v0").returncode, 0)


if __name__ == "__main__":
    lab.main(["setpriv"])
