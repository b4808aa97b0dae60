#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Who reads what the agent writes, or stores it, may stop: a terminal, a disk, a client. The agent
goes on reading its ring, loses no record, and ends when it is told to. The other way round, an agent
that stops or dies is started again."""
import json
import os
import pty
import signal
import socket
import time

import lab
from lab import is_running, wait_for
from packets import dull, netis
from sinks import SinkCase

COUNT = 6000


class OutputCase(SinkCase):
    def send_alerts(self, count=COUNT, first=0):
        """Each an alert of its own; slowly enough for an agent that is not held up."""
        for start in range(first, first + count, 500):
            self.lab.far.send_frames("v1", [netis(1024 + i) for i in range(start, start + 500)])
            time.sleep(0.1)

    def assert_nothing_lost(self, stats):
        self.assertEqual(stats["ring"]["lost"], 0, stats["ring"])
        self.assertEqual(stats["alerts"]["eve_lost"], 0)
        self.assert_balanced(stats)


class Terminals(OutputCase):
    def attach_to_terminal(self, *options):
        terminal = lab.Terminal(self.lab, self.lab.command("attach", "v0", "--config", self.config,
                                                           *options))
        self.addCleanup(terminal.close)
        wait_for("an agent", lambda: any(
            one["agent"] and lab.children_of(one["agent_pid"]) for one in self.lab.status()))
        self.lab.note_programs()
        return terminal

    def check_nobody_reads(self, terminal):
        self.send_alerts()
        stats = self.lab.wait_counted(ingress=COUNT)
        self.assert_nothing_lost(stats)
        self.assertEqual(stats["alerts"]["total"], COUNT)
        self.assertEqual(len(self.lab.wait_alerts(COUNT)), COUNT)
        wait_for("lost lines to be counted",
                 lambda: self.lab.stats()["alerts"]["lines_lost"] > 0)
        start = time.monotonic()
        terminal.process.send_signal(signal.SIGTERM)
        self.assertIn(terminal.process.wait(15), (0, 4))
        self.assertLess(time.monotonic() - start, 10)

    def test_a_terminal_that_nobody_reads(self):
        self.check_nobody_reads(self.attach_to_terminal())

    def test_a_terminal_that_was_stopped(self):
        terminal = self.attach_to_terminal()
        os.write(terminal.fd, b"\x13")  # ^S
        self.check_nobody_reads(terminal)

    def test_a_reader_that_goes_on_is_told_what_it_missed(self):
        terminal = self.attach_to_terminal()
        self.send_alerts()
        self.lab.wait_counted(ingress=COUNT)
        wait_for("the rest of the lines", lambda: b"netis" in terminal.read())
        self.send_alerts(500, COUNT)
        wait_for("what was left out", lambda: b"lines are left out" in terminal.read())
        lost = wait_for("a counter", lambda: self.lab.stats()["alerts"]["lines_lost"])
        shown = terminal.read().count(b"[9000:")
        terminal.process.send_signal(signal.SIGTERM)
        terminal.process.wait(15)
        self.assertGreaterEqual(shown + lost, COUNT)


class Disks(OutputCase):
    def test_a_disk_of_alerts_that_does_not_answer(self):
        folder = self.disk("disk")
        path = folder / "eve.json"
        watch = self.attach("--eve", path, "--retain", "off")
        self.freeze(folder)
        self.send_alerts()
        stats = self.lab.wait_counted(ingress=COUNT)
        self.assert_nothing_lost(stats)
        self.assertEqual(stats["alerts"]["total"], COUNT)
        self.assertIn("agent", json.dumps(self.lab.status()))
        self.thaw(folder)
        self.assertEqual(len(self.lab.wait_alerts(COUNT, path)), COUNT)
        self.assertEqual(watch.stop(), 0, watch.err)

    def test_it_ends_while_the_disk_does_not_answer(self):
        folder = self.disk("disk")
        watch = self.attach("--eve", folder / "eve.json", "--retain", "off")
        self.freeze(folder)
        self.send_alerts(500)
        self.lab.wait_counted(ingress=500)
        watch.process.send_signal(signal.SIGTERM)
        wait_for("the programs' end", lambda: self.lab.status() == [], seconds=15)
        self.assertEqual(watch.process.wait(30), 4)
        self.thaw(folder)
        wait_for("the agent's end", lambda: not any(map(is_running, watch.agents)))


class Agents(OutputCase):
    def test_a_stopped_agent_is_killed_and_started_again(self):
        watch = self.attach()
        was, = watch.agents
        os.kill(was, signal.SIGSTOP)
        self.lab.far.send_frames("v1", [netis()])
        self.lab.wait_degraded("not answered")
        begun = time.monotonic()
        done = self.lab.nids("flows", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(len(json.loads(done.stdout)), 1, "out of the tables")
        self.assertIn("does not answer", done.stderr)
        self.assertLess(time.monotonic() - begun, 8)
        self.wait_for_another_agent(watch, was, 0, seconds=25)
        self.lab.wait_alerts(1)
        self.assertEqual(watch.stop(), 4, watch.err)

    def test_restarts_come_ever_later(self):
        watch = self.attach()
        times = []
        for _ in range(3):
            begun = time.monotonic()
            self.kill_agent(watch)
            times.append(time.monotonic() - begun)
        self.assertGreater(times[2], times[0] + 1.5, times)
        self.lab.far.send_frames("v1", [netis()])
        self.lab.wait_alerts(1)
        self.assertIn("started again 3 times", self.lab.nids("status").stdout)
        self.assertEqual(watch.stop(), 4, watch.err)

    def test_an_agent_that_is_not_there_can_be_ended(self):
        watch = self.attach()
        for _ in range(2):
            self.kill_agent(watch)
        os.kill(watch.agents[0], signal.SIGKILL)  # the next starts in 4 seconds
        wait_for("its end", lambda: not is_running(watch.agents[0]))
        self.assertEqual(watch.stop(), 4, watch.err)

    def test_kill_and_stop_under_load(self):
        """Of both, in turn: nothing that was counted is missing after it."""
        watch = self.attach()
        sent = 0
        for turn in range(6):
            self.lab.far.send_frames("v1", [netis(2000 + sent + i) for i in range(200)])
            sent += 200
            if turn % 3 == 0:
                self.kill_agent(watch)
            else:
                victim = watch.pid if turn % 3 == 1 else watch.agents[0]
                os.kill(victim, signal.SIGSTOP)
                self.lab.far.send_frames("v1", [dull()] * 100)
                sent += 100
                os.kill(victim, signal.SIGCONT)
        stats = self.lab.wait_counted(ingress=sent)
        self.assert_nothing_lost(stats)
        self.assertEqual(watch.stop(), 4, watch.err)


class Collectors(OutputCase):
    ADDRESS = "10.99.0.2"

    def test_a_collector_whose_network_comes_up_later(self):
        """The agent may connect no socket: it is given another one."""
        self.lab.far.ip("address", "add", f"{self.ADDRESS}/32", "dev", "v1")
        collector = self.lab.far.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(collector.close)
        collector.bind((self.ADDRESS, 4739))
        collector.settimeout(15)
        self.config.write_text(f'[ipfix]\ncollector = "{self.ADDRESS}:4739"\n')
        watch = self.attach("--interim", "1s")
        self.lab.far.send_frames("v1", [netis()])
        self.lab.wait_degraded("collector")
        self.lab.near.ip("route", "add", self.ADDRESS, "via", lab.FAR_IP, "dev", "v0")
        message = collector.recv(65536)
        self.assertEqual(message[:2], b"\x00\x0a", "IPFIX")
        wait_for("a collector that answers", lambda: not any(
            "collector" in why for why in self.lab.status()[0]["degraded"]))
        self.assertIn(watch.stop(), (0, 4), watch.err)


class Clients(OutputCase):
    def test_clients_that_say_and_read_nothing(self):
        watch = self.attach()
        path, = map(str, self.lab.root.rglob("agent-*.sock"))
        clients = []
        for _ in range(20):
            client = socket.socket(socket.AF_UNIX)
            client.settimeout(5)
            client.connect(path)
            clients.append(client)
        self.send_alerts(1000)
        self.assert_nothing_lost(self.lab.wait_counted(ingress=1000))
        for client in clients:
            client.close()
        self.assertEqual(watch.stop(), 0, watch.err)


if __name__ == "__main__":
    lab.main(["fsfreeze", "mkfs.ext4", "mount"])
