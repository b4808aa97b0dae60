#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""One flow whose directions run on different CPUs is still one flow, opened by its client."""
import itertools
import os

import lab
import peers
from lab import FAR_IP, NEAR_IP

CPUS = sorted(os.sched_getaffinity(0))[:2]
PAIRS = [(a, b) for a, b in itertools.product(CPUS, CPUS)]


class Cpus(lab.LabCase):
    def setUp(self):
        if len(CPUS) < 2:
            self.skipTest("one CPU only")
        super().setUp()

    def watch(self, talk):
        """Runs talk(client, server, address, cpus, number) for each pair and both ways."""
        watch = self.lab.attach("v0")
        ways = ((self.lab.far, self.lab.near, NEAR_IP), (self.lab.near, self.lab.far, FAR_IP))
        for number, (way, cpus) in enumerate(itertools.product(ways, PAIRS)):
            talk(*way, cpus, number)
        self.stats = wait_settled(self.lab)
        self.assertEqual(watch.stop(), 0, watch.err)
        self.assertEqual(self.stats["ring"]["lost"], 0)
        self.assert_balanced(self.stats)
        return self.lab.alerts()

    # A suppressed alert is one that was raised: both together are the flagged flows.

    def raised(self):
        return self.stats["alerts"]["total"] + self.stats["alerts"]["suppressed"]

    def check_sources(self, alerts, port):
        self.assertEqual({(one["src_ip"], one["dest_ip"], one["dest_port"]) for one in alerts},
                         {(FAR_IP, NEAR_IP, port), (NEAR_IP, FAR_IP, port)})
        self.assertEqual(len(alerts), 2, "the others are of the same client, server and class")

    def test_tcp_is_one_alert_a_connection(self):
        script = [("s", b"SSH-2.0-lab\r\n"), ("c", b"SSH-2.0-peer\r\n")] * 5
        alerts = self.watch(lambda client, server, address, cpus, _: peers.tcp_talk(
            client, server, address, 22, script, cpus=cpus))
        self.check_sources(alerts, 22)
        self.assertEqual(self.raised(), 2 * len(PAIRS))

    def test_a_client_that_migrates_is_still_one_flow(self):
        """It connects on one CPU and talks on the other, where its packet comes first."""
        def talk(client, server, address, cpus, _):
            def play_client(connection, script, role):
                os.sched_setaffinity(0, {CPUS[1] if cpus[0] == CPUS[0] else CPUS[0]})
                peers.play(connection, script, role)
            peers.tcp_talk(client, server, address, 22, [("c", b"SSH-2.0-peer\r\n"),
                                                         ("s", b"SSH-2.0-lab\r\n")],
                           cpus=cpus, play_client=play_client)
        alerts = self.watch(talk)
        self.check_sources(alerts, 22)
        self.assertEqual(self.raised(), 2 * len(PAIRS), "an alert a flow")
        self.assertEqual(self.stats["classes"]["ssh"]["flows"], 2 * len(PAIRS))

    def test_netis_is_flagged_whatever_cpu_asks_and_answers(self):
        alerts = self.watch(lambda client, server, address, cpus, number: peers.udp_talk(
            client, server, address, 53413, b"netis", b"reply", 40000 + number, cpus=cpus))
        self.check_sources(alerts, 53413)
        self.assertEqual(self.raised(), 2 * len(PAIRS))
        self.assertEqual(self.stats["classes"]["netis"]["flows"], 2 * len(PAIRS))
        self.assertEqual(self.stats["classes"]["netis"]["packets"], 4 * len(PAIRS))
        self.assertEqual(self.stats["retained"]["packets"], 4 * len(PAIRS))

    def test_netis_between_two_ports_of_the_ephemeral_range_keeps_its_client(self):
        """The answer goes to a port that a client may have: only memory tells who asked."""
        def talk(client, server, address, cpus, number):
            peers.udp_talk(client, server, address, 53413, b"netis", b"reply", 33000 + number,
                           cpus=cpus)
            peers.udp_talk(client, server, address, 53413, b"again", b"reply", 33000 + number,
                           cpus=cpus[::-1])
        alerts = self.watch(talk)
        self.check_sources(alerts, 53413)
        self.assertEqual(self.raised(), 2 * len(PAIRS))

    def test_a_query_from_port_53413_is_not_netis_on_any_cpu(self):
        alerts = self.watch(lambda client, server, address, cpus, number: peers.udp_talk(
            client, server, address, 53, *peers.dns(number), source_port=53413, cpus=cpus))
        self.assertEqual(alerts, [])
        self.assertEqual(set(self.stats["classes"]["netis"].values()), {0})

    def test_between_53413_and_a_high_port_the_direction_is_unknown_once_both_have_sent(self):
        """It may be a query of a client with that port, or a call after a forged datagram."""
        alerts = self.watch(lambda client, server, address, cpus, number: peers.udp_talk(
            client, server, address, 5353 + number, b"query", b"reply", source_port=53413, cpus=cpus))
        self.assertTrue(alerts)
        for alert in alerts:
            self.assertEqual(alert["alert"]["metadata"]["direction"], ["unknown"])
        self.assertEqual(set(self.stats["classes"]["netis"].values()), {0})


def wait_settled(laboratory):
    """Stats that two readings agree on, once the agent has read all."""
    last = None

    def is_settled():
        nonlocal last
        before, last = last, laboratory.stats()
        return last if last == before and last["ring"]["pending"] == 0 else None
    return lab.wait_for("counters at rest", is_settled, every=0.15)


if __name__ == "__main__":
    lab.main()
