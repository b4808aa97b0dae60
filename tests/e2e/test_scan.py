#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Port scans, found in flow counts alone: nmap is reported, a browser is not."""
import json
import socket
import time

import lab
from flood import flood
from lab import NEAR_IP, wait_for
from packets import dull

# With these settings no packet of a scan reaches user space: the classes of its ports are only counted.
CLASS = "netis"
CONFIG = """
[findings]
enabled = false
"""


class Scan(lab.LabCase):
    def setUp(self):
        super().setUp()
        self.config = self.lab.path("config.toml")
        self.config.write_text(CONFIG)

    def scans(self):
        return [alert for alert in self.lab.alerts() if alert["alert"]["signature_id"] == 3001]

    def test_nmap_is_reported_once_and_no_packet_of_it_goes_up(self):
        watch = self.lab.attach("v0", "--config", self.config, "--class", CLASS)
        self.lab.far.run("nmap", "-sS", "-Pn", "-n", "-p1-1000", "--max-retries", "1", NEAR_IP,
                         timeout=60)
        alert, = wait_for("a scan alert", self.scans)
        self.assertEqual((alert["src_ip"], alert["dest_ip"], alert["proto"]),
                         (lab.FAR_IP, NEAR_IP, "TCP"))
        self.assertNotIn("dest_port", alert)
        self.assertEqual(alert["in_iface"], "v0")
        self.assertEqual(self.lab.stats()["retained"]["packets"], 0)
        self.assertEqual(watch.stop(), 0, watch.err)
        self.assertEqual(len(self.scans()), 1)
        kept, = json.loads(self.lab.nids("alerts", "--json").stdout)
        self.assertEqual(kept["alert"]["signature_id"], 3001)
        self.assertIsNone(kept["place"])

    def test_ports_that_do_not_answer(self):
        self.lab.near.run("iptables", "-A", "INPUT", "-p", "tcp", "-j", "DROP")
        watch = self.lab.attach("v0")
        self.lab.far.run("nmap", "-sS", "-Pn", "-n", "-p1-200", "--max-retries", "0", NEAR_IP,
                         timeout=60)
        wait_for("a scan alert", self.scans)
        self.assertEqual(watch.stop(), 0, watch.err)

    def test_a_scan_in_a_flood_of_new_flows(self):
        self.config.write_text(CONFIG + "[eve]\nflows = false\n")
        watch = self.lab.attach("v0", "--config", self.config, "--retain", "off")
        with flood(self.lab.far, "v1", dull(), sources=1 << 24):
            # The flood must send from more sources in a tick than the table of a tick holds.
            wait_for("sources that find no room", lambda: self.lab.stats()["hosts"]["flows_lost"] > 0,
                     seconds=60)
            self.lab.far.run("nmap", "-sS", "-Pn", "-n", "-p1-1000", "--max-retries", "1", NEAR_IP,
                             timeout=120)
            wait_for("a scan alert", self.scans, seconds=30)
        self.assertEqual(len(self.scans()), 1)
        self.assertIn(watch.stop(), (0, 4), "records may be lost")

    def test_a_hundred_connections_of_a_browser_are_none(self):
        watch = self.lab.attach("v0")
        with self.lab.near.socket(socket.AF_INET, socket.SOCK_STREAM) as server:
            server.bind((NEAR_IP, 8080))
            server.listen(200)
            clients = [self.lab.far.socket(socket.AF_INET, socket.SOCK_STREAM) for _ in range(100)]
            for client in clients:
                client.connect((NEAR_IP, 8080))
                client.sendall(b"GET / HTTP/1.1\r\n\r\n")
            for client in clients:
                client.close()
        # Longer than the second after which a connection is unanswered, and than two scans of the tables.
        time.sleep(2.5)
        self.assertEqual(watch.stop(), 0, watch.err)
        self.assertEqual(self.scans(), [])


if __name__ == "__main__":
    lab.main(["nmap", "iptables"])
