#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What is kept of a flow that raises an alert in its middle: what came before it first, then the packet
that raised it and what follows, up to what its severity says; of flows without an alert nothing."""
import os
import struct

import lab
import peers
from lab import NEAR_IP, Tcpdump, tshark_fields, tshark_pcap, wait_for
from packets import IPV4, TCP, UDP, ethernet, ipv4, tcp, udp

SYN_FIN = 0x03
SOURCE_ROUTE = bytes([0x83, 7, 4, 10, 0, 0, 9, 0])
BODY = os.urandom(3000)
REQUEST = b"GET / HTTP/1.1\r\nHost: lab\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n" + BODY


def ports_of(frame):
    at = 14 + (frame.data[14] & 15) * 4
    return set(struct.unpack_from("!HH", frame.data, at))


class BeforeAlert(lab.LabCase):
    def watch(self, text):
        config = self.lab.path("nids.toml")
        config.write_text(text)
        self.dumps = {"ingress": Tcpdump(self.lab, self.lab.near, "v0", "in"),
                      "egress": Tcpdump(self.lab, self.lab.near, "v0", "out")}
        watch = self.lab.attach("v0", "--config", config)
        self.lab.near.run("ethtool", "-K", "v0", "gro", "off")
        return watch

    def settled(self):
        def agree():
            stats = self.lab.stats()
            same = all(stats[way] == dump.sums() for way, dump in self.dumps.items())
            return same and stats["ring"]["pending"] == 0 and stats
        return wait_for("counters like tcpdump's", agree, every=0.1)

    def dumped(self, port):
        """What tcpdump has of the flow with that port, by direction."""
        for dump in self.dumps.values():
            dump.stop()
        return {way: [frame for frame in dump.frames() if port in ports_of(frame)]
                for way, dump in self.dumps.items()}

    def kept(self):
        """Frames, direction, time and comments of each kept packet, in the order of the file."""
        segment, = self.lab.segments()
        fields = tshark_fields(segment, "frame.packet_flags_direction", "frame.time_epoch",
                               "frame.comment")
        return [(frame, {1: "ingress", 2: "egress"}[int(one["frame.packet_flags_direction"], 0)],
                 float(one["frame.time_epoch"]), one["frame.comment"])
                for frame, one in zip(tshark_pcap(segment), fields)]

    def check_all_kept(self, port, before):
        """The flow's packets are those of tcpdump, and `before` of them come before the alert."""
        dumped, kept = self.dumped(port), self.kept()
        for way, frames in dumped.items():
            self.assertEqual([frame for frame, its, _, _ in kept if its == way], frames, way)
        times = [time for _, _, time, _ in kept]
        self.assertEqual(times, sorted(times))
        alerts = [at for at, one in enumerate(kept) if "9000:" in one[3]]
        self.assertEqual(alerts, [before])
        return kept

    def check_sums(self, stats, kept, held):
        retained = stats["retained"]
        self.assertEqual(retained["packets"], len(kept))
        self.assertEqual(retained["bytes"], sum(len(one[0].data) for one in kept))
        self.assertEqual(retained["held"], held)
        self.assertEqual(retained["not_kept_by_policy"], 0)
        self.assertEqual(retained["packets"] + retained["held"],
                         stats["ingress"]["packets"] + stats["egress"]["packets"])

    def test_http_session_with_a_finding_in_its_middle(self):
        watch = self.watch('[flow]\nunclassified = "inspect"\n')
        peers.tcp_talk(self.lab.far, self.lab.near, NEAR_IP, 8082, peers.HTTP)  # without an alert
        others = self.settled()["retained"]["held"]
        self.assertGreater(others, 6)
        before = 0

        def ask(connection, script, role):
            nonlocal before
            peers.play_part(connection, script[:2], role)
            own = connection.getsockname()[1]
            before = self.settled()["retained"]["held"] - others
            self.lab.far.send_frames("v1", [ethernet(IPV4, ipv4(TCP, tcp(own, 8081, SYN_FIN)))])
            self.lab.wait_alerts(1)
            peers.play(connection, script[2:], role)

        script = [("c", REQUEST), ("s", ANSWER), ("c", REQUEST), ("s", ANSWER)]
        peers.tcp_talk(self.lab.far, self.lab.near, NEAR_IP, 8081, script, play_client=ask)
        stats = self.settled()
        self.assertGreater(before, 6)
        self.assertEqual(watch.stop(), 0, watch.err)
        kept = self.check_all_kept(8081, before)
        self.check_sums(stats, kept, others)
        alert, = self.lab.alerts()
        self.assertEqual(alert["alert"]["signature_id"], 2004)
        self.assertRegex(watch.out, rf"kept +{len(kept)} packets, \d+ bytes; {others} not kept by policy")

    def test_datagrams_with_a_finding_in_their_middle(self):
        watch = self.watch('[flow]\nunclassified = "inspect"\n')
        for i in range(3):
            peers.udp_talk(self.lab.far, self.lab.near, NEAR_IP, 9999, b"ask %d" % i, b"reply",
                           source_port=40001)
        peers.udp_talk(self.lab.far, self.lab.near, NEAR_IP, 9998, b"other", None, source_port=40002)
        self.assertEqual(self.settled()["retained"]["held"], 7)
        self.lab.far.send_frames("v1", [ethernet(IPV4, ipv4(UDP, udp(40001, 9999, b"x" * 900),
                                                            options=SOURCE_ROUTE))])
        self.lab.wait_alerts(1)
        peers.udp_talk(self.lab.far, self.lab.near, NEAR_IP, 9999, BODY[:1200], BODY[:700],
                       source_port=40001)
        stats = self.settled()
        self.assertEqual(watch.stop(), 0, watch.err)
        self.check_sums(stats, self.check_all_kept(9999, 6), 1)

    def test_what_is_only_counted_is_kept_from_its_finding_on_up_to_the_depth(self):
        cpus = sorted(os.sched_getaffinity(0))
        self.addCleanup(os.sched_setaffinity, 0, cpus)
        os.sched_setaffinity(0, cpus[:1])
        watch = self.watch('[retain]\nseverity_2 = "4KiB"\n')
        for _ in range(2):
            peers.udp_talk(self.lab.far, self.lab.near, NEAR_IP, 9999, b"before", None, source_port=40001)
        self.lab.far.send_frames("v1", [ethernet(IPV4, ipv4(UDP, udp(40001, 9999),
                                                            options=SOURCE_ROUTE))])
        self.lab.wait_alerts(1)
        os.sched_setaffinity(0, cpus[-1:])  # which knows the flow by its cell alone
        for i in range(10):
            peers.udp_talk(self.lab.far, self.lab.near, NEAR_IP, 9999, bytes([i]) * 1000, b"reply",
                           source_port=40001)
            self.lab.wait_counted(ingress=4 + i)
        stats = self.settled()
        self.assertEqual(watch.stop(), 0, watch.err)
        dumped, kept = self.dumped(9999), self.kept()
        self.assertEqual([one[0] for one in kept if one[1] == "ingress"], dumped["ingress"][2:3 + 4],
                         "the finding's 50 bytes, and 4 datagrams that begin below 4,096")
        self.assertEqual([one[0] for one in kept if one[1] == "egress"], dumped["egress"],
                         "the other direction has sent less")
        self.assertEqual(len(kept) + stats["retained"]["not_kept_by_policy"], 1 + 10 + 10)
        self.assertEqual(stats["retained"]["held"], 0)

    def test_headers_of_a_class(self):
        watch = self.watch('[classes.netis]\ninterest = "headers"\n')
        peers.udp_talk(self.lab.far, self.lab.near, NEAR_IP, 53413, BODY[:1000], BODY[:20],
                       source_port=40001)
        self.settled()
        self.assertEqual(watch.stop(), 0, watch.err)
        dumped, kept = self.dumped(53413), self.kept()
        self.assertEqual(sorted((one[0].data, one[0].wire_len) for one in kept),
                         sorted((frame.data[:42], frame.wire_len)
                                for frames in dumped.values() for frame in frames))
        self.assertEqual([one[0].wire_len for one in kept], [1042, 62])
        self.assertEqual(len(self.lab.alerts()), 1)


if __name__ == "__main__":
    lab.main(["tcpdump", "tshark"])
