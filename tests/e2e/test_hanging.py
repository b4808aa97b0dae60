#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""All outputs hang at once: the terminal, the disks of EVE and of the packets, the IPFIX collector, and clients
that ask for metrics and for flows. Two workers go on taking records. Each loss has a counter. The agent works
as before once the outputs answer again, and ends in time if they do not."""
import json
import os
import signal
import socket
import time

import exposition
import lab
from lab import is_running, wait_for
from packets import netis
from sinks import SinkCase

FLOWS = 14_000  # their EVE lines, alerts and flow records, are more than the queue of 16 MiB
COLLECTOR = ("10.78.0.2", 4739)
STATS_S, DETACH_S, ATTACH_S = 5, 12, 20
REQUEST = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"
FOLLOW = json.dumps({"command": "flows", "follow": True}).encode() + b"\n"


class Hanging(SinkCase):
    LINKS = 2  # the collector is behind the second

    def setUp(self):
        super().setUp()
        self.config.write_text('workers = 2\n[alert]\nsuppress = "0s"\n[retain]\nqueue = "1MiB"\n'
                               '[ring]\nsize = "16MiB"\n[metrics]\nlisten = "unix"\n'
                               f'[ipfix]\ncollector = "{COLLECTOR[0]}:{COLLECTOR[1]}"\n')
        self.collector = self.lab.far.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(self.collector.close)
        self.collector.bind(COLLECTOR)
        self.alert_disk, self.packet_disk = self.disk("alerts"), self.disk("packets")
        self.eve = self.alert_disk / "eve.json"
        self.sent = 0
        self.attach_to_terminal()

    def attach_to_terminal(self):
        self.terminal = lab.Terminal(self.lab, self.lab.command(
            "attach", "v0", "--config", self.config, "--interim", "1s", "--eve", self.eve,
            "--retain", self.packet_disk / "pcap"))
        self.addCleanup(self.terminal.close)
        self.agents = wait_for("an agent", lambda: self.terminal.process.poll() is None and any(
            one["agent"] and one["agent_pid"] == self.terminal.process.pid for one in self.lab.status())
            and lab.children_of(self.terminal.process.pid))
        self.lab.note_programs()

    def send(self, count, pause=0.0):
        """Sends packets. Each begins a flow and raises an alert. Checks that `stats` answers in between."""
        for first in range(0, count, 500):
            some = range(self.sent, self.sent + min(500, count - first))
            self.lab.far.send_frames("v1", [netis(1024 + i % 60_000, bytes(300)) for i in some])
            self.sent += len(some)
            begun = time.monotonic()
            self.lab.stats()
            self.assertLess(time.monotonic() - begun, STATS_S)
            time.sleep(pause)

    def connect(self, name):
        client = socket.socket(socket.AF_UNIX)
        self.addCleanup(client.close)
        client.settimeout(10)
        client.connect(str(self.lab.run_dir / "nids-xdp" / name))
        return client

    def hang_all(self):
        """Before the outputs hang, the store has no file yet, and all other outputs have worked."""
        self.freeze(self.packet_disk)
        self.send(1)
        self.lab.wait_alerts(1, self.eve)
        self.assertTrue(self.collector.recv(65536).startswith(b"\x00\x0a"))
        self.assertEqual(self.lab.segments(self.packet_disk / "pcap"), [])
        self.freeze(self.alert_disk)
        # The socket's buffer is full after some hundred messages, which leave at one byte a second.
        self.lab.near.run("tc", "qdisc", "add", "dev", "v2", "root", "tbf", "rate", "8bit", "burst",
                          "2000", "limit", "100mb")
        os.write(self.terminal.fd, b"\x13")  # ^S
        metrics = self.connect("metrics.sock")
        metrics.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        metrics.sendall(REQUEST)
        self.connect("metrics.sock")
        agent = f"agent-{self.terminal.process.pid}.sock"
        self.connect(agent).sendall(FOLLOW)
        self.connect(agent)
        read_end, write_end = os.pipe()  # nobody reads it
        self.addCleanup(os.close, read_end)
        self.lab.start(*self.lab.command("flows", "--follow", "-n"), stdout=write_end)
        os.close(write_end)

    def flood_while_all_hang(self):
        self.hang_all()
        self.send(FLOWS, pause=0.1)
        for why in ("EVE log", "IPFIX collector"):
            self.lab.wait_degraded(why)
        wait_for("lines that the terminal did not take", lambda: self.lab.stats()["alerts"]["lines_lost"])
        stats = self.lab.wait_counted(ingress=self.sent)
        self.assertEqual(stats["ring"]["lost"], 0, stats["ring"])
        self.assertEqual(stats["ring"]["consumed"], self.sent)
        self.assertEqual(stats["alerts"]["total"], self.sent)
        for group, key in (("alerts", "eve_lost"), ("retained", "lost_by_overload"),
                           ("flow_records", "ipfix_lost")):
            self.assertGreater(stats[group][key], 0, key)
        self.check_packets_add_up(stats, self.sent)
        self.assert_balanced(stats)

    def release_all(self):
        self.thaw(self.alert_disk)
        self.thaw(self.packet_disk)
        self.lab.near.run("tc", "qdisc", "del", "dev", "v2", "root")
        self.terminal.read()
        os.write(self.terminal.fd, b"\x11")  # ^Q

    def check_written(self, stats):
        """Each line and record was written or counted as lost, and each one counted as written exists."""
        alerts, records = stats["alerts"], stats["flow_records"]
        self.assertEqual(alerts["eve_lines"] + alerts["eve_lost"], alerts["total"] + records["told"])
        self.assertEqual(records["ipfix_sent"] + records["ipfix_lost"], records["told"])
        self.assertEqual(len(self.lab.eve(self.eve)), alerts["eve_lines"])
        indexed = json.loads(self.lab.nids("alerts", "--json", "--retain", self.packet_disk / "pcap").stdout)
        self.assertEqual(len(indexed) + alerts["not_indexed"], alerts["total"])

    def test_it_works_again_once_all_answer(self):
        self.flood_while_all_hang()
        self.release_all()
        self.settled()
        before, flows_before = self.lab.stats(), self.sent
        wait_for("an output that works", self.is_well, seconds=20, every=0.5)
        self.assertTrue(exposition.check(self.scrape()))
        listed = self.lab.nids("flows", "--json")
        self.assertEqual((listed.returncode, len(json.loads(listed.stdout))), (0, self.sent))
        self.send(200)
        self.lab.wait_counted(ingress=self.sent)
        stats = self.at_rest()
        for group, key in (("alerts", "eve_lost"), ("retained", "lost_by_overload"),
                           ("retained", "lost_by_error"), ("alerts", "not_indexed")):
            self.assertEqual(stats[group][key], before[group][key], f"{key} after the outputs answered")
        self.assertEqual(stats["retained"]["packets"], before["retained"]["packets"] + self.sent - flows_before)
        self.check_packets_add_up(stats, self.sent)
        self.check_whole_pcapng(stats, self.packet_disk / "pcap")
        self.check_written(stats)
        wait_for("the terminal to say what it missed", lambda: b"lines are left out" in self.terminal.read())
        self.terminal.process.send_signal(signal.SIGTERM)
        self.assertEqual(self.terminal.process.wait(ATTACH_S), 4)

    def is_well(self):
        """An output says that it works only once it has written again."""
        self.send(1)
        self.terminal.read()
        return self.lab.status()[0]["degraded"] == []

    def at_rest(self):
        """Stats once each flow record of the last second is sent."""
        return wait_for("all flow records to be sent", lambda: (stats := self.settled())["flow_records"]["told"]
                        == self.sent and stats)

    def scrape(self):
        client = self.connect("metrics.sock")
        client.sendall(REQUEST)
        parts = []
        while part := client.recv(65536):
            parts.append(part)
        return b"".join(parts).decode().partition("\r\n\r\n")[2]

    def test_detach_ends_while_all_hang(self):
        self.flood_while_all_hang()
        begun = time.monotonic()
        done = self.lab.nids("detach", "v0")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertLess(time.monotonic() - begun, DETACH_S)
        self.assertEqual(self.lab.status(), [])
        self.assertEqual(self.terminal.process.wait(ATTACH_S), 4)
        self.assertLess(time.monotonic() - begun, ATTACH_S)
        self.release_all()
        wait_for("the agent's end", lambda: not any(map(is_running, self.agents)))

        lines = len(self.lab.eve(self.eve))
        self.sent = 0
        self.attach_to_terminal()
        self.send(200)
        stats = self.lab.wait_counted(ingress=200)
        self.assertEqual(stats["retained"]["packets"], 200)
        self.assertEqual(self.lab.status()[0]["degraded"], [])
        self.terminal.process.send_signal(signal.SIGTERM)
        self.assertEqual(self.terminal.process.wait(ATTACH_S), 0)
        self.assertGreaterEqual(len(self.lab.eve(self.eve)), lines + 400)


if __name__ == "__main__":
    lab.main(["fsfreeze", "mkfs.ext4", "mount", "tc"])
