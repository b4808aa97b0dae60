#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""How much of a flagged connection is kept: what begins below the class's depth, in each direction;
the rest is counted as not kept by policy."""
import os

import lab
import peers
from lab import FAR_IP, NEAR_IP, Tcpdump, tshark_fields, tshark_pcap, wait_for

KIB = 1024
BULK = [("c", os.urandom(1024 * KIB)), ("s", os.urandom(1024 * KIB))]


def begins_below(frames, depth):
    """The packets whose first byte, counted from the first packet on, lies below the depth."""
    kept, before = [], 0
    for frame in frames:
        if before < depth:
            kept.append(frame)
        before += frame.wire_len
    return kept


class Depth(lab.LabCase):
    def watch_bulk(self, port, *options, client=None, cpus=(0, 0), depth=64 * KIB):
        client = client or self.lab.far
        server = self.lab.near if client is self.lab.far else self.lab.far
        dumps = {"ingress": Tcpdump(self.lab, self.lab.near, "v0", "in"),
                 "egress": Tcpdump(self.lab, self.lab.near, "v0", "out")}
        watch = self.lab.attach("v0", *options)
        self.lab.near.run("ethtool", "-K", "v0", "gro", "off")
        peers.tcp_talk(client, server, NEAR_IP if server is self.lab.near else FAR_IP, port, BULK,
                       cpus=cpus)

        def agree():
            stats = self.lab.stats()
            same = all(stats[way] == dump.sums() for way, dump in dumps.items())
            return same and stats["ring"]["pending"] == 0 and stats
        stats = wait_for("counters like tcpdump's", agree, every=0.1)
        code = watch.stop()
        for dump in dumps.values():
            dump.stop()
        self.assertEqual(code, 0, watch.err)
        self.assertEqual(stats["ring"]["lost"], 0)
        self.assert_balanced(stats)
        return stats, {way: dump.frames() for way, dump in dumps.items()}

    def kept(self):
        """The frames in the store, by direction."""
        frames = {"ingress": [], "egress": []}
        for segment in self.lab.segments():
            fields = tshark_fields(segment, "frame.packet_flags_direction")
            for frame, one in zip(tshark_pcap(segment), fields):
                way = {1: "ingress", 2: "egress"}[int(one["frame.packet_flags_direction"], 0)]
                frames[way].append(frame)
        return frames

    def check_exactly(self, stats, dumped, depth):
        kept = self.kept()
        for way in ("ingress", "egress"):
            self.assertEqual(kept[way], begins_below(dumped[way], depth), way)
            self.assertLess(len(kept[way]), len(dumped[way]))
        self.check_sums(stats, kept, dumped)

    def check_sums(self, stats, kept, dumped):
        kept_count = sum(map(len, kept.values()))
        all_count = sum(map(len, dumped.values()))
        self.assertEqual(stats["retained"]["packets"], kept_count)
        self.assertEqual(stats["retained"]["bytes"],
                         sum(len(frame.data) for frames in kept.values() for frame in frames))
        self.assertEqual(stats["retained"]["not_kept_by_policy"], all_count - kept_count)
        self.assertEqual(stats["retained"]["lost_by_overload"], 0)
        self.assertEqual(len(self.lab.alerts()), 1)

    def test_64_kib_of_each_direction_of_ssh_is_kept(self):
        stats, dumped = self.watch_bulk(22)
        self.check_exactly(stats, dumped, 64 * KIB)

    def test_64_kib_of_each_direction_is_kept_of_a_connection_from_inside(self):
        stats, dumped = self.watch_bulk(22, client=self.lab.near)
        self.check_exactly(stats, dumped, 64 * KIB)

    def test_16_kib_of_each_direction_of_tls_is_kept(self):
        stats, dumped = self.watch_bulk(443)
        self.check_exactly(stats, dumped, 16 * KIB)

    def test_configuration_sets_the_depth(self):
        config = self.lab.path("depth.toml")
        config.write_text('[classes.telnet]\ndepth = "4KiB"\n')
        stats, dumped = self.watch_bulk(23, "--config", config)
        self.check_exactly(stats, dumped, 4 * KIB)

    def test_a_direction_on_two_cpus_has_one_depth(self):
        if os.cpu_count() < 2:
            self.skipTest("one CPU only")
        stats, dumped = self.watch_bulk(22, cpus=(0, 1))
        kept = self.kept()
        for way, frames in kept.items():
            *before, last = (frame.wire_len for frame in frames)
            self.assertLess(sum(before), 64 * KIB, way)
            self.assertGreaterEqual(sum(before) + last, 64 * KIB, way)
            for frame in frames:
                self.assertIn(frame.data, [one.data for one in dumped[way]])
        self.check_sums(stats, kept, dumped)

    def test_super_packets_count_as_the_packets_they_stand_for(self):
        self.lab.near.ip("link", "set", "v0", "gso_max_segs", 64)
        stats, dumped = self.watch_bulk(22, client=self.lab.near)
        retained = stats["retained"]
        self.assertEqual(retained["packets"] + retained["not_kept_by_policy"],
                         sum(map(len, dumped.values())))

    def test_snap_cuts_packets_and_keeps_their_length(self):
        watch = self.lab.attach("v0", "--snap", "100")
        payload = os.urandom(900)
        peers.udp_talk(self.lab.far, self.lab.near, NEAR_IP, 53413, payload, None, source_port=40001)
        self.lab.wait_counted(ingress=1)
        self.assertEqual(watch.stop(), 0)
        frame, = self.kept()["ingress"]
        self.assertEqual((len(frame.data), frame.wire_len), (100, 942))
        self.assertEqual(frame.data[42:], payload[:58])


if __name__ == "__main__":
    lab.main(["tcpdump", "tshark"])
