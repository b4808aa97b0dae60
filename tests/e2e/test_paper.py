#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The paper's protocols between real peers, both ways through a watched interface, among traffic
that nobody should flag: what is flagged, counted, kept and said, with tcpdump and tshark as judges.
"""
import json
import re

import lab
import peers
from lab import FAR_IP, FAR_IP6, NEAR_IP, NEAR_IP6, Tcpdump, tshark_fields, tshark_pcap, wait_for

#        class            id    severity
RULES = {"ssh": (1001, 2), "telnet": (1002, 1), "tls": (1003, 3), "sip": (1004, 2),
         "netis": (1005, 1), "rfb": (1006, 2), "microsoft-ds": (1007, 2)}
FLAGGED = ("tcp.port in {22, 23, 443, 445, 5900} or udp.port == 5060 or "
           "(udp.port == 53413 and not udp.port == 53)")
NETIS_PAYLOAD = b"AAAAAAAAnetcore\x00"


class PaperProtocols(lab.LabCase):
    def test_under_ip_netns_exec(self):
        self.check_all("exec")

    def test_under_nsenter(self):
        self.check_all("nsenter")

    def check_all(self, via):
        self.lab.via = via
        dumps = {"ingress": Tcpdump(self.lab, self.lab.near, "v0", "in"),
                 "egress": Tcpdump(self.lab, self.lab.near, "v0", "out")}
        watch = self.lab.attach("v0")
        # Kernels before 6.2 turn GRO on with native XDP; tcpdump would see merged packets.
        self.lab.near.run("ethtool", "-K", "v0", "gro", "off")
        expected = self.talk()
        stats = self.wait_until_counts_agree(dumps)
        code = watch.stop()
        for dump in dumps.values():
            dump.stop()

        self.assertEqual(code, 0, watch.err)
        self.check_counters(stats, dumps, watch)
        alerts = self.lab.alerts()
        self.check_alerts(alerts, expected)
        self.check_counted_classes(stats, expected)
        self.check_kept_packets(dumps, stats)
        self.check_evidence(alerts)
        self.check_exports(dumps)

    def talk(self):
        """Everything once with the server inside and once outside. Returns the flagged flows."""
        near, far = self.lab.near, self.lab.far
        expected = []
        for client, server, client_ip, server_ip, client_ip6, server_ip6 in (
                (far, near, FAR_IP, NEAR_IP, FAR_IP6, NEAR_IP6),
                (near, far, NEAR_IP, FAR_IP, NEAR_IP6, FAR_IP6)):
            def flagged(name, port, proto="TCP", ends=(client_ip, server_ip)):
                expected.append((name, proto, *ends, port))

            peers.SshServer(self.lab, server, server_ip).talk_from(client)
            flagged("ssh", 22)
            peers.SshServer(self.lab, server, server_ip6).talk_from(client)
            flagged("ssh", 22, ends=(client_ip6, server_ip6))
            peers.tcp_talk(client, server, server_ip, 23, peers.TELNET)
            flagged("telnet", 23)
            peers.tls_talk(self.lab, client, server, server_ip)
            flagged("tls", 443)
            peers.udp_talk(client, server, server_ip, 5060, *peers.sip_options(client_ip, server_ip),
                           source_port=5070)
            flagged("sip", 5060, "UDP")
            peers.udp_talk(client, server, server_ip, 53413, NETIS_PAYLOAD, b"login\x00",
                           source_port=40001)
            flagged("netis", 53413, "UDP")
            peers.tcp_talk(client, server, server_ip, 5900, peers.RFB)
            flagged("rfb", 5900)
            peers.tcp_talk(client, server, server_ip, 445, peers.smb_negotiation())
            flagged("microsoft-ds", 445)
            peers.tcp_talk(client, server, server_ip6, 445, peers.smb_negotiation())
            flagged("microsoft-ds", 445, ends=(client_ip6, server_ip6))

            peers.tcp_talk(client, server, server_ip, 8080, peers.HTTP)
            peers.tcp_talk(client, server, server_ip6, 8080, peers.HTTP)
            peers.udp_talk(client, server, server_ip, 53, *peers.dns(), source_port=53413)
            peers.udp_talk(client, server, server_ip6, 53, *peers.dns(), source_port=53413)
            peers.udp_talk(client, server, server_ip, 9999, b"dull", b"dull too", source_port=40002)
            peers.ping(client, server_ip)
        return expected

    def wait_until_counts_agree(self, dumps):
        """The judges' files and the counters arrive at their own pace; they must meet."""
        def agree():
            stats = self.lab.stats()
            if stats["ring"]["pending"] == 0 and all(
                    stats[way] == dump.sums() for way, dump in dumps.items()):
                return stats
            return None
        try:
            return wait_for("counters like tcpdump's", agree, seconds=5, every=0.1)
        except AssertionError:
            return self.lab.stats()  # check_counters says what differs

    def check_counters(self, stats, dumps, watch):
        for way, dump in dumps.items():
            self.assertEqual(stats[way], dump.sums(), f"{way} of nids-xdp, and of tcpdump")
            self.assertGreater(stats[way]["packets"], 100)
        self.assert_balanced(stats)
        self.assertEqual(stats["ring"]["lost"], 0)
        self.assertEqual(stats["ledger"]["unaccounted"], 0)
        self.assertEqual(stats["ledger"]["no_flow"], 0)
        total = {unit: sum(dump.sums()[unit] for dump in dumps.values()) for unit in ("packets", "bytes")}
        self.assertEqual(stats["parse"]["ok"], total["packets"])
        self.assertEqual(watch.seen(), (total["packets"], total["bytes"]), watch.out)
        for filter_, group, key in (("ip", "network", "ipv4"), ("ipv6", "network", "ipv6"),
                                    ("tcp", "transport", "tcp"), ("udp", "transport", "udp"),
                                    ("icmp", "transport", "icmp")):
            counted = sum(len(tshark_pcap(dump.path, filter_)) for dump in dumps.values())
            self.assertEqual(stats[group][key], counted, key)

    def check_alerts(self, alerts, expected):
        told = [(one["alert"]["metadata"]["class"][0], one["proto"], one["src_ip"], one["dest_ip"],
                 one["dest_port"]) for one in alerts]
        self.assertEqual(sorted(told), sorted(expected), "one alert a flagged flow, and no other")
        self.assertEqual(len({one["flow_id"] for one in alerts}), len(alerts))
        for one in alerts:
            alert = one["alert"]
            sid, severity = RULES[alert["metadata"]["class"][0]]
            self.assertEqual((alert["gid"], alert["signature_id"], alert["severity"]),
                             (9000, sid, severity))
            self.assertRegex(one["timestamp"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+0000$")
            self.assertEqual((one["in_iface"], one["direction"]), ("v0", "to_server"))
            for key in ("observed", "expected", "threshold"):
                self.assertTrue(alert["context"][key])

    def check_counted_classes(self, stats, expected):
        self.assertEqual(stats["alerts"]["total"], len(expected))
        self.assertEqual(stats["alerts"]["suppressed"], 0)
        for name, sums in stats["classes"].items():
            flows = sum(name == flow[0] for flow in expected)
            self.assertEqual(sums["flows"], flows, f"flows of {name}")
            self.assertEqual(sums["packets"] > 0, flows > 0, f"packets of {name}")

    def check_kept_packets(self, dumps, stats):
        segments = self.lab.segments()
        merged = self.lab.path("merged.pcapng")  # one of each severity, merged by time
        lab.run("mergecap", "-w", merged, *segments)
        kept = tshark_pcap(merged)
        fields = tshark_fields(merged, "frame.packet_flags_direction", "frame.interface_name")
        self.assertEqual(len(kept), len(fields))
        self.assertEqual({one["frame.interface_name"] for one in fields}, {"v0"})
        directions = [int(one["frame.packet_flags_direction"], 0) for one in fields]
        for way, number in (("ingress", 1), ("egress", 2)):
            ours = [frame for frame, direction in zip(kept, directions) if direction == number]
            self.assertEqual(ours, tshark_pcap(dumps[way].path, FLAGGED),
                             f"{way}: the flagged packets, whole and in order")
        self.assertEqual(stats["retained"]["packets"], len(kept))
        self.assertEqual(stats["retained"]["bytes"], sum(len(frame.data) for frame in kept))
        self.assertEqual(stats["retained"]["not_kept_by_policy"], 0)
        self.assertEqual(stats["retained"]["lost_by_overload"], 0)
        self.assertEqual(sum(sums["packets"] for sums in stats["classes"].values()), len(kept))

    def check_evidence(self, alerts):
        """tshark computes community_id, and finds each alert on the first packet of its flow."""
        packets, first = [], {}
        for segment in self.lab.segments():
            for packet in tshark_fields(segment, "frame.number", "frame.comment", "communityid"):
                packets.append(packet)
                first.setdefault(packet["communityid"], {**packet, "file": str(segment)})
        self.assertEqual(sorted(first), sorted(one["community_id"] for one in alerts))
        for one in alerts:
            packet = first[one["community_id"]]
            self.assertIn(f"9000:{one['alert']['signature_id']}", packet["frame.comment"])
            self.assertIn(one["community_id"], packet["frame.comment"])
            self.assertEqual(one["alert"]["context"]["capture_file"], packet["file"])
            self.assertEqual(one["alert"]["context"]["capture_packet"], int(packet["frame.number"]))
        commented = [packet for packet in packets if packet["frame.comment"]]
        self.assertEqual(len(commented), len(alerts), "comments on first packets only")

    def check_exports(self, dumps):
        """What is exported for an alert is what tcpdump has of its flow, byte for byte."""
        flows = {}  # by community_id: the frames of either direction
        for way, dump in dumps.items():
            ids = [one["communityid"] for one in tshark_fields(dump.path, "communityid")]
            for frame, community_id in zip(dump.frames(), ids, strict=True):
                flows.setdefault(community_id, {"ingress": [], "egress": []})[way].append(frame)
        address, = (link["address"] for link in self.lab.near.links() if link["ifname"] == "v0")
        near = bytes.fromhex(address.replace(":", ""))
        listed = json.loads(self.lab.nids("alerts", "--json").stdout)
        self.assertGreater(len(listed), 10)
        for alert in listed:
            path = self.lab.path("alert.pcap")
            done = self.lab.nids("pcap", "export", "--alert", str(alert["id"]), "--format", "pcap",
                                 "-o", path)
            self.assertEqual(done.returncode, 0, done.stderr)
            exported = {"ingress": [], "egress": []}
            for frame in lab.read_pcap(path):
                exported["egress" if frame.data[6:12] == near else "ingress"].append(frame)
            self.assertEqual(exported, flows[alert["community_id"]], alert["alert"]["signature"])


class Suppression(lab.LabCase):
    def test_the_same_client_server_and_class_within_a_minute_is_counted_only(self):
        watch = self.lab.attach("v0")
        for port in (40001, 40002, 40003):
            peers.udp_talk(self.lab.far, self.lab.near, NEAR_IP, 53413, b"again", None,
                           source_port=port)
        peers.udp_talk(self.lab.near, self.lab.far, FAR_IP, 53413, b"other way", None,
                       source_port=40001)
        peers.udp_talk(self.lab.far, self.lab.near, NEAR_IP, 5060, b"other class", None,
                       source_port=40001)
        stats = self.lab.wait_counted(ingress=4, egress=1)
        self.assertEqual(watch.stop(), 0)
        self.assertEqual(len(self.lab.alerts()), 3)
        self.assertEqual((stats["alerts"]["total"], stats["alerts"]["suppressed"]), (3, 2))
        self.assertEqual(stats["classes"]["netis"]["flows"], 4)
        self.assertEqual(stats["retained"]["packets"], 5, "suppressed alerts, kept packets")


class ClassOption(lab.LabCase):
    def test_only_the_classes_asked_for_are_flagged_and_all_is_counted(self):
        watch = self.lab.attach("v0", "--class", "netis,telnet")
        peers.udp_talk(self.lab.far, self.lab.near, NEAR_IP, 53413, b"x", None, source_port=40001)
        peers.udp_talk(self.lab.far, self.lab.near, NEAR_IP, 5060, b"x", None, source_port=40001)
        stats = self.lab.wait_counted(ingress=2, egress=0)
        self.assertEqual(watch.stop(), 0)
        self.assertEqual([one["alert"]["signature_id"] for one in self.lab.alerts()], [1005])
        self.assertEqual(stats["classes"]["sip"]["packets"], 1)

    def test_an_unknown_class_is_a_usage_error(self):
        done = self.lab.nids("attach", "v0", "--class", "netsi")
        self.assertEqual(done.returncode, 2)
        self.assert_message(done.stderr, "netsi", "netis")


if __name__ == "__main__":
    lab.main(["tcpdump", "tshark", "sshd", "ssh", "ssh-keygen", "openssl"])
