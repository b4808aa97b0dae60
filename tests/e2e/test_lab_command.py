#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`nids-xdp lab`: its network, two laboratories side by side, and that nothing is left of one, however it
ends."""
import itertools
import os
import pathlib
import random
import signal
import subprocess
import time
import unittest

import lab
from lab import wait_for

FOLDER = pathlib.Path("/run/nids-xdp-lab")
numbers = itertools.count()


def pid_namespace(pid):
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")
    except OSError:
        return None


def processes_of(namespace):
    return [int(path.name) for path in pathlib.Path("/proc").glob("[0-9]*")
            if pid_namespace(path.name) == namespace and lab.is_running(int(path.name))]


class LabCommand(unittest.TestCase):
    def setUp(self):
        self.name = f"t{os.getpid()}-{next(numbers)}"
        self.addCleanup(self.ask, "down", "--name", self.name)

    def ask(self, *argv, code=0, timeout=60, **options):
        done = subprocess.run([lab.binary(), "lab", *argv], text=True, capture_output=True, timeout=timeout,
                              **options)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stderr if code else done.stdout

    def up(self, *options):
        self.ask("up", "--name", self.name, *options)
        return self.keeper()

    def keeper(self):
        line, = (line for line in self.ask("list").splitlines() if line.split()[0] == self.name)
        return int(line.split()[-1])

    def enter(self, host, *command, code=0):
        return self.ask("enter", "--name", self.name, host, *command, code=code)

    def start(self, host, *command):
        process = subprocess.Popen([lab.binary(), "lab", "enter", "--name", self.name, host, *command],
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def assert_nothing_is_left(self, namespace):
        self.assertEqual(processes_of(namespace), [])
        self.assertFalse((FOLDER / self.name).exists())
        self.assertNotIn(self.name, self.ask("list"))
        for kept in ("/run/netns", "/sys/class/net"):
            names = os.listdir(kept) if os.path.isdir(kept) else []
            self.assertFalse({"h1", "o1", "router", "lan", "wan"} & set(names), kept)


class Network(LabCommand):
    SERVE = ("import socket; s = socket.create_server(('::', 7), family=socket.AF_INET6, "
             "dualstack_ipv6=True); print('ready', flush=True)\n"
             "while True:\n c, a = s.accept(); c.sendall(a[0].encode()); c.close()")
    ASK = ("import socket, sys; c = socket.create_connection((sys.argv[1], 7), 5); "
           "print(c.makefile().read())")

    def source(self, host, to):
        """The address of `host` that a server at `to` sees."""
        return self.enter(host, "/usr/bin/python3", "-c", self.ASK, to).strip()

    def test_everybody_reaches_everybody(self):
        self.up("--nodes", "3", "--outside", "2")
        for host in ("h3", "o2"):
            server = self.start(host, "/usr/bin/python3", "-c", self.SERVE)
            self.assertEqual(server.stdout.readline(), "ready\n")
        for host, address in (("h1", "192.0.2.1"), ("o1", "198.51.100.1"), ("router", "192.0.2.254")):
            self.assertEqual(self.source(host, "192.0.2.3"), f"::ffff:{address}")
        for host, address in (("h2", "2001:db8:0:1::2"), ("o1", "2001:db8:0:2::1")):
            self.assertEqual(self.source(host, "2001:db8:0:2::2"), address)

    def test_two_side_by_side(self):
        self.up("--nodes", "1")
        self.enter("h1", "ip", "link", "add", "only-here", "type", "bridge")
        other = f"{self.name}-b"
        self.addCleanup(self.ask, "down", "--name", other)
        self.ask("up", "--name", other, "--nodes", "1")
        links = self.ask("enter", "--name", other, "h1", "ip", "-br", "link")
        self.assertNotIn("only-here", links)
        self.ask("down", "--name", other)
        self.assertIn("only-here", self.enter("h1", "ip", "-br", "link"))

    def test_the_exit_code_is_that_of_the_command(self):
        self.up("--nodes", "1")
        self.enter("h1", "sh", "-c", "exit 7", code=7)


class Ends(LabCommand):
    def test_down(self):
        namespace = pid_namespace(self.up("--nodes", "2"))
        self.start("h1", "sleep", "600")
        wait_for("the process", lambda: len(processes_of(namespace)) >= 2)
        self.ask("down", "--name", self.name)
        self.assert_nothing_is_left(namespace)
        self.assertIn("there is no laboratory", self.ask("down", "--name", self.name))

    def test_kill_of_the_keeper(self):
        keeper = self.up("--nodes", "2")
        namespace = pid_namespace(keeper)
        stubborn = self.start("h2", "sh", "-c", "trap '' TERM INT HUP; echo; sleep 600")
        stubborn.stdout.readline()
        os.kill(keeper, signal.SIGKILL)
        wait_for("the end of all processes", lambda: not processes_of(namespace))
        self.assertNotIn(self.name, self.ask("list"))
        self.up("--nodes", "1")
        self.ask("down", "--name", self.name)
        self.assert_nothing_is_left(namespace)

    def test_kill_of_up_at_any_moment(self):
        moments = random.Random(1)
        for _ in range(5):
            up = subprocess.Popen([lab.binary(), "lab", "up", "--name", self.name, "--nodes", "20"],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
            time.sleep(moments.uniform(0, 1))
            os.killpg(up.pid, signal.SIGKILL)
            up.wait()
            self.ask("down", "--name", self.name)
            self.assertFalse((FOLDER / self.name).exists())
        self.up("--nodes", "1")


class Refusals(LabCommand):
    def test_a_name_in_use(self):
        self.up("--nodes", "1")
        self.assertIn("it is up already", self.ask("up", "--name", self.name, code=1))

    def test_no_such_host_and_no_such_laboratory(self):
        self.assertIn("it is not up", self.enter("h1", "true", code=1))
        self.up("--nodes", "1")
        self.assertIn("it has h1, o1, o2, router, switch", self.enter("h2", "true", code=1))

    def test_usage(self):
        for wrong in (["up", "--nodes", "0"], ["up", "--nodes", "201"], ["up", "--name", "../etc"], [],
                      ["sideways"], ["run"]):
            self.assertIn("usage: nids-xdp lab", self.ask(*wrong, code=2))
        self.assertIn("--nodes", self.ask("up", "--help"))

    def test_not_root(self):
        done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", lab.binary(),
                               "lab", "up"], text=True, capture_output=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("this needs root", done.stderr)

    def test_a_missing_tool(self):
        text = self.ask("up", "--name", self.name, code=1, env=os.environ | {"PATH": "/nonexistent"})
        self.assertIn("apt install iproute2", text)


if __name__ == "__main__":
    lab.main()
