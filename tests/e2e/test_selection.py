#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What of the traffic is analysed and kept: --filter, --count and --store, live and over a capture
file. Whatever they leave out is counted, and tshark says what was kept."""
import json
import pathlib
import re
import time

import lab
import peers
from lab import FAR_IP, NEAR_IP, tshark_fields
from packets import IPV4, QTAG, UDP, ethernet, ipv4, netis, udp
from sinks import CONFIG, SinkCase
from test_replay_kernel import pcap

OTHER_IP = "10.77.0.99"
TALK = [("c", b"login"), ("s", b"password"), ("c", bytes(3000))]


def netis_from(source, source_port=40000, tags=()):
    return ethernet(IPV4, ipv4(UDP, udp(source_port, 53413), source=source), tags)


class Selection(SinkCase):
    def kept(self, *fields, folder=None):
        """What tshark reads in the store."""
        return [one for segment in self.lab.segments(folder) for one in tshark_fields(segment, *fields)]

    def check_sums(self, stats, came_up):
        """All that came up was kept, or left out and counted."""
        self.assert_balanced(stats)
        self.check_packets_add_up(stats, came_up)
        self.assertEqual(stats["ring"]["lost"], 0)


class Filter(Selection):
    def test_of_two_connections_the_one_that_matches_is_analysed_and_both_are_counted(self):
        watch = self.attach("--filter", "tcp port 22")
        for port in (22, 23):
            peers.tcp_talk(self.lab.far, self.lab.near, NEAR_IP, port, TALK)
        sums = self.settled()
        ssh, telnet = sums["classes"]["ssh"], sums["classes"]["telnet"]
        self.assertEqual((ssh["flows"], telnet["flows"]), (1, 1))
        self.check_sums(sums, ssh["packets"] + telnet["packets"])
        self.assertEqual(sums["retained"]["packets"], ssh["packets"])
        self.assertEqual(sums["retained"]["not_analysed"], telnet["packets"])
        self.assertEqual(sums["retained"]["not_analysed_bytes"], telnet["bytes"])
        self.assertEqual(watch.stop(), 0, watch.err)

        self.assertEqual([one["alert"]["metadata"]["class"] for one in self.lab.alerts()], [["ssh"]])
        ports = self.kept("tcp.dstport", "tcp.srcport")
        self.assertEqual(len(ports), ssh["packets"])
        self.assertTrue(all("22" in one.values() for one in ports), ports)
        flows = {one["dest_port"]: one["flow"] for one in self.lab.eve() if one["event_type"] == "flow"}
        self.assertEqual(sorted(flows), [22, 23])
        self.assertEqual(flows[23]["pkts_toserver"] + flows[23]["pkts_toclient"], telnet["packets"])
        self.assertEqual(flows[23]["bytes_toserver"] + flows[23]["bytes_toclient"], telnet["bytes"])
        self.assertRegex(watch.out, rf"left +{telnet['packets']} packets, {telnet['bytes']} bytes")

    def test_a_host_is_left_out(self):
        watch = self.attach("--filter", f"not host {OTHER_IP}")
        self.lab.far.send_frames("v1", [netis_from(ip, 40000 + i) for i in range(5)
                                        for ip in (FAR_IP, OTHER_IP)])
        stats = self.lab.wait_counted(ingress=10)
        stats = self.settled()
        self.check_sums(stats, 10)
        self.assertEqual((stats["retained"]["packets"], stats["retained"]["not_analysed"]), (5, 5))
        self.assertEqual(watch.stop(), 0, watch.err)
        self.assertEqual({one["src_ip"] for one in self.lab.alerts()}, {FAR_IP})
        self.assertEqual(self.kept("ip.src"), [{"ip.src": FAR_IP}] * 5)

    def check_vlan(self, *mode):
        watch = self.attach("--filter", "vlan 5 and udp port 53413", *mode)
        self.lab.far.send_frames("v1", [
            netis_from(FAR_IP), netis_from(FAR_IP, 40001, [(QTAG, 5)]),
            netis_from(FAR_IP, 40002, [(QTAG, 6)]), netis_from(FAR_IP, 40003, [(QTAG, 5), (QTAG, 6)])])
        self.lab.wait_counted(ingress=4)
        stats = self.settled()
        self.check_sums(stats, 4)
        self.assertEqual(stats["retained"]["not_analysed"], 3)
        self.assertEqual(watch.stop(), 0, watch.err)
        self.assertEqual([(one["src_port"], one["vlan"]) for one in self.lab.alerts()], [(40001, [5])])
        self.assertEqual(self.kept("udp.srcport", "vlan.id"), [{"udp.srcport": "40001", "vlan.id": "5"}])

    def test_vlan_by_xdp(self):
        self.check_vlan()

    def test_vlan_by_tc_to_which_tags_come_apart(self):
        self.check_vlan("--mode", "tc")

    def test_a_snapped_packet_is_judged_by_what_is_there_and_by_its_length(self):
        watch = self.attach("--snap", "64", "--filter", "udp port 53413 and greater 1000")
        self.lab.far.send_frames("v1", [netis(40000, bytes(1000)), netis(40001, bytes(100))])
        self.lab.wait_counted(ingress=2)
        stats = self.settled()
        self.check_sums(stats, 2)
        self.assertEqual((stats["retained"]["packets"], stats["retained"]["bytes"]), (1, 64))
        self.assertEqual(watch.stop(), 0, watch.err)
        self.assertEqual(self.kept("udp.srcport"), [{"udp.srcport": "40000"}])

    def test_what_is_no_filter_is_told_before_anything_is_attached(self):
        for text, *parts in (("tcp port 22 or", "syntax error", "column 11", '"tcp port 22"'),
                             ("host example.org", '"example.org" is a name'),
                             ("port 99999", "port"), ("vlan 5000", "4095"), ("ip and ip6", "rejects all")):
            done = self.lab.nids("attach", "v0", "--filter", text)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assert_message(done.stderr, text, *parts, "nids-xdp attach --help")
            self.assertEqual(self.lab.leftovers(), [])
        self.assertFalse(self.lab.eve_path.exists())


class Count(Selection):
    def summary(self, watch):
        """Packets seen, kept, not kept by policy and left out."""
        kept, policy = map(int, re.search(r"^kept +(\d+) packets?, .*; (\d+) not kept by policy",
                                          watch.out, re.M).groups())
        left = re.search(r"^left +(\d+) packet", watch.out, re.M)
        return watch.seen()[0], kept, policy, int(left[1]) if left else 0

    def check_ended(self, watch, count):
        seen, kept, policy, left = self.summary(watch)
        self.assertEqual(len(self.lab.alerts()), count)
        self.assertEqual(kept, count)
        self.assertEqual(len(self.kept("frame.number")), count)
        self.assertEqual((policy, left), (seen - count, seen - count), watch.out)
        self.assertIn("ledger balanced", watch.out)
        self.assertRegex(watch.out, r"lost +nothing")
        flows = [one for one in self.lab.eve() if one["event_type"] == "flow"]
        self.assertEqual(len(flows), seen, "records of flows are whole")

    def test_it_ends_by_itself_after_exactly_so_many(self):
        watch = self.attach("--count", "3")
        self.assertIn("ends after 3 suspicious packets; ^C ends sooner", watch.err)
        for i in range(2):
            self.lab.far.send_frames("v1", [netis(40000 + i)])
        self.lab.wait_alerts(2)
        time.sleep(0.5)
        self.assertIsNone(watch.process.poll(), "two are not three")
        start = time.monotonic()
        self.lab.far.send_frames("v1", [netis(40002)])
        self.assertEqual(watch.wait(), 0, watch.err)
        self.assertLess(time.monotonic() - start, 3)
        self.check_ended(watch, 3)

    def test_of_a_burst_none_behind_the_last_is_alerted_or_kept(self):
        watch = self.attach("--count", "7")
        self.lab.far.send_frames("v1", [netis(10000 + i, bytes(400)) for i in range(300)])
        self.assertEqual(watch.wait(), 0, watch.err)
        self.assertGreater(watch.seen()[0], 7)
        self.check_ended(watch, 7)

    def test_a_suppressed_alert_counts_and_a_filter_goes_before_it(self):
        self.config.write_text('[alert]\nsuppress = "60s"\n')
        watch = self.attach("--count", "2", "--filter", f"not host {OTHER_IP}")
        self.lab.far.send_frames("v1", [netis_from(OTHER_IP, 40000 + i) for i in range(5)])
        self.lab.wait_counted(ingress=5)
        self.assertIsNone(watch.process.poll())
        self.lab.far.send_frames("v1", [netis_from(FAR_IP, 40010), netis_from(FAR_IP, 40011)])
        self.assertEqual(watch.wait(), 0, watch.err)
        self.assertEqual(len(self.lab.alerts()), 1)
        self.assertEqual(self.summary(watch), (7, 2, 5, 5))

    def test_a_daemon_ends_too(self):
        done = self.lab.nids("attach", "v0", "--config", self.config, "--count", "1", "--daemon")
        self.assertEqual(done.returncode, 0, done.stderr)
        pid = int(re.search(r"process (\d+)", done.stderr)[1])
        self.lab.far.send_frames("v1", [netis()])
        lab.wait_for("its end", lambda: not lab.is_running(pid))
        self.assertEqual(len(self.lab.alerts()), 1)

    def test_what_is_no_count_is_told(self):
        for option, text in (("--count", "0"), ("--count", "ten"), ("--count", "9223372036854775808"),
                             ("--store", "-1"), ("--store", "0x1")):
            done = self.lab.nids("attach", "v0", f"{option}={text}")
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assert_message(done.stderr, option, text, "nids-xdp attach --help")


class StoreLimit(Selection):
    def test_so_many_packets_are_kept_and_the_others_counted(self):
        watch = self.attach("--store", "5")
        self.lab.far.send_frames("v1", [netis(10000 + i) for i in range(40)])
        self.lab.wait_counted(ingress=40)
        stats = self.settled()
        self.check_sums(stats, 40)
        self.assertEqual(stats["retained"]["packets"], 5)
        self.assertEqual(stats["retained"]["not_kept_by_policy"], 35)
        self.assertEqual(stats["retained"]["not_analysed"], 0)
        self.assertEqual(stats["alerts"]["total"], 40, "alerting goes on")
        self.assertEqual(watch.stop(), 0, watch.err)
        self.assertEqual([one["udp.srcport"] for one in self.kept("udp.srcport")],
                         [str(10000 + i) for i in range(5)])
        told = lab.run("capinfos", "-c", "-M", *self.lab.segments()).stdout
        self.assertRegex(told, r"Number of packets: *5\b")
        evidence = ["capture_file" in one for one in self.lab.alerts()]
        self.assertEqual(evidence, [True] * 5 + [False] * 35)

    def test_none_at_all(self):
        watch = self.attach("--store", "0")
        self.assertIn("packets are not kept", watch.err)
        stats = self.send(10)
        self.check_packets_add_up(stats, 10)
        self.assertEqual(stats["retained"]["not_kept_by_policy"], 10)
        self.assertEqual(watch.stop(), 0, watch.err)
        self.assertFalse(self.lab.pcap_dir.exists())


class Replay(Selection):
    FRAMES = [netis_from(FAR_IP), netis_from(OTHER_IP), netis_from(FAR_IP, 40001),
              netis_from(FAR_IP, 40002, [(QTAG, 5)]), netis_from(FAR_IP, 40003)]

    def replay(self, data, *options, code=0):
        capture = self.lab.path("capture.pcap")
        capture.write_bytes(data)
        told = []
        for more in ((), ("--kernel",)):
            self.eve = self.lab.path(f"eve{len(more)}.json")
            self.folder = pathlib.Path(self.lab.path(f"kept{len(more)}"))
            done = self.lab.nids("replay", capture, "--json", "--config", self.config, "--eve", self.eve,
                                 "--retain", self.folder, *options, *more, via="nsenter")
            self.assertEqual(done.returncode, code, done.stderr)
            told.append((done.stderr, {**json.loads(done.stdout), "wall_s": 0} if code == 0 else {}))
        self.assertEqual(*told, "by the twin and by the kernel")
        return told[0][1] if code == 0 else told[0][0]

    def test_filter(self):
        told = self.replay(pcap(self.FRAMES), "--filter", f"udp and not host {OTHER_IP}")
        self.check_sums(told["stats"], 5)
        self.assertEqual((told["packets"], told["alerts"], told["flows"]), (5, 3, 5))
        self.assertEqual(told["stats"]["retained"]["not_analysed"], 2)
        self.assertEqual([one["udp.srcport"] for one in self.kept("udp.srcport", folder=self.folder)],
                         ["40000", "40001", "40003"])

    def test_filter_of_raw_ip(self):
        frames = [frame[14:] for frame in self.FRAMES[:3]]
        told = self.replay(pcap(frames, 101), "--filter", f"host {OTHER_IP}")
        self.assertEqual((told["packets"], told["alerts"]), (3, 1))
        self.assertEqual(self.kept("ip.src", folder=self.folder), [{"ip.src": OTHER_IP}])
        said = self.replay(pcap(frames, 101), "--filter", "vlan 5", code=2)
        self.assert_message(said, 'cannot filter by "vlan 5"', "nids-xdp replay --help")

    def test_what_is_no_filter(self):
        said = self.replay(pcap(self.FRAMES), "--filter", "tcp or or", code=2)
        self.assert_message(said, 'cannot filter by "tcp or or"', "syntax error", 'column 3, "tcp"')
        said = self.replay(pcap(self.FRAMES), "--filter", "host example.org", code=2)
        self.assert_message(said, "is a name")

    def test_count(self):
        told = self.replay(pcap(self.FRAMES), "--count", "2")
        self.assertEqual((told["packets"], told["alerts"], told["flows"]), (2, 2, 2))
        self.check_sums(told["stats"], 2)
        told = self.replay(pcap(self.FRAMES), "--count", "2", "--filter", "port 40001 or vlan")
        self.assertEqual((told["packets"], told["alerts"], told["flows"]), (4, 2, 4))

    def test_store(self):
        told = self.replay(pcap(self.FRAMES), "--store", "2")
        self.assertEqual((told["packets"], told["alerts"]), (5, 5))
        self.check_sums(told["stats"], 5)
        self.assertEqual(len(self.kept("frame.number", folder=self.folder)), 2)


if __name__ == "__main__":
    lab.main(["tshark", "capinfos"])
