#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Crafted frames from the peer, and out of the watched interface: each is counted under what it is
and passed on byte for byte, whatever it holds."""
import collections
import json
import struct

import lab
from lab import FAR_IP, NEAR_IP, Tcpdump, wait_for
from packets import (ARP, ICMP, IPV4, IPV6, LLDP, QTAG, STAG, TCP, UDP, arp, ethernet, icmp_echo,
                     ipv4, ipv6, tcp, udp)

DULL = udp(40000, 9999)
MORE, LATER = 0x2000, 0x00B9  # IPv4: more fragments; offset 1480


def extension(next_header, words=0, body=b""):
    """An IPv6 extension header of 8 bytes and `words` times 8 more."""
    return struct.pack("!BB", next_header, words) + body.ljust(6 + 8 * words, b"\x00")


def fragment(next_header, offset_and_flags):
    return struct.pack("!BBHI", next_header, 0, offset_and_flags, 7)


def extensions(count):
    """Destination options headers in a row, then UDP."""
    return b"".join(extension(60) for _ in range(count - 1)) + extension(UDP) + DULL


#  name: parse result, network, transport, whether it has a flow, frame
FRAMES = {
    "udp": ("ok", "ipv4", "udp", True, ethernet(IPV4, ipv4(UDP, DULL))),
    "one tag": ("ok", "ipv4", "udp", True, ethernet(IPV4, ipv4(UDP, DULL), [(QTAG, 10)])),
    "two tags": ("ok", "ipv4", "udp", True, ethernet(IPV4, ipv4(UDP, DULL), [(STAG, 20), (QTAG, 10)])),
    "three tags": ("ok", "ipv6", "udp", True,
                   ethernet(IPV6, ipv6(UDP, DULL), [(STAG, 30), (STAG, 20), (QTAG, 10)])),
    "four tags": ("too_many_tags", "other", None, False,
                  ethernet(IPV4, ipv4(UDP, DULL), [(QTAG, n) for n in (1, 2, 3, 4)])),
    "a tag and no more": ("truncated", "other", None, False, ethernet(QTAG, b"\x00\x0a")),
    "IPv4 options": ("ok", "ipv4", "udp", True,
                     ethernet(IPV4, ipv4(UDP, DULL, options=b"\x94\x04\x00\x00" + b"\x01" * 36))),
    "padding": ("ok", "ipv4", "udp", True, ethernet(IPV4, ipv4(UDP, udp(40000, 9999, b""))) + bytes(18)),
    "icmp": ("ok", "ipv4", "icmp", True, ethernet(IPV4, ipv4(ICMP, icmp_echo(1, 1)))),
    "igmp": ("ok", "ipv4", "igmp", True, ethernet(IPV4, ipv4(2, b"\x16\x00\x09\x04\xe0\x00\x00\xfb"))),
    "sctp": ("ok", "ipv4", "sctp", True, ethernet(IPV4, ipv4(132, struct.pack("!HHII", 1, 2, 3, 4)))),
    "ospf": ("ok", "ipv4", "other", True, ethernet(IPV4, ipv4(89, bytes(24)))),
    "IHL of 0": ("bad_header", "ipv4", None, False, ethernet(IPV4, ipv4(TCP, tcp(40000, 22), ihl=0))),
    "IHL of 4": ("bad_header", "ipv4", None, False, ethernet(IPV4, ipv4(TCP, tcp(40000, 22), ihl=4))),
    "IHL past the end": ("truncated", "ipv4", None, False,
                         ethernet(IPV4, ipv4(UDP, b"", ihl=15, total=60))),
    "IPv4 of version 5": ("bad_header", "ipv4", None, False, ethernet(IPV4, ipv4(UDP, DULL, version=5))),
    "IPv4 length below its header": ("bad_length", "ipv4", None, False,
                                     ethernet(IPV4, ipv4(UDP, DULL, total=19))),
    "IPv4 length past the frame": ("bad_length", "ipv4", None, False,
                                   ethernet(IPV4, ipv4(UDP, DULL, total=1500))),
    "half an IPv4 header": ("truncated", "ipv4", None, False, ethernet(IPV4, ipv4(UDP, DULL)[:10])),
    "nothing behind Ethernet": ("truncated", "ipv4", None, False, ethernet(IPV4, b"\x45")),
    "TCP offset of 0": ("bad_header", "ipv4", "tcp", False,
                        ethernet(IPV4, ipv4(TCP, tcp(40000, 22, offset=0)))),
    "TCP offset past the datagram": ("bad_length", "ipv4", "tcp", False,
                                     ethernet(IPV4, ipv4(TCP, tcp(40000, 22, offset=15)))),
    "half a TCP header": ("bad_length", "ipv4", "tcp", False,
                          ethernet(IPV4, ipv4(TCP, tcp(40000, 22)[:10]))),
    "UDP length of 7": ("bad_length", "ipv4", "udp", False,
                        ethernet(IPV4, ipv4(UDP, udp(40000, 53413, length=7)))),
    "UDP length past the datagram": ("bad_length", "ipv4", "udp", False,
                                     ethernet(IPV4, ipv4(UDP, udp(40000, 53413, length=500)))),
    "first fragment": ("ok", "ipv4", "udp", True,
                       ethernet(IPV4, ipv4(UDP, udp(40000, 9999, bytes(1472), 3000), fragment=MORE))),
    # Of the datagram before, and so of its flow.
    "later fragment": ("later_fragment", "ipv4", "fragment", True,
                       ethernet(IPV4, ipv4(UDP, udp(40000, 53413), fragment=LATER))),
    "IPv6": ("ok", "ipv6", "udp", True, ethernet(IPV6, ipv6(UDP, DULL))),
    "ICMPv6": ("ok", "ipv6", "icmpv6", True, ethernet(IPV6, ipv6(58, b"\x80" + bytes(15)))),
    "IPv6 extension headers": ("ok", "ipv6", "udp", True, ethernet(IPV6, ipv6(
        0, extension(60) + extension(43, 1) + extension(60, 2) + extension(UDP) + DULL))),
    "eight extension headers": ("ok", "ipv6", "udp", True, ethernet(IPV6, ipv6(60, extensions(8)))),
    "nine extension headers": ("ok", "ipv6", "udp", True, ethernet(IPV6, ipv6(60, extensions(9)))),
    "as many as a frame holds": ("ok", "ipv6", "udp", True,
                                 ethernet(IPV6, ipv6(60, extensions((1500 - 40 - len(DULL)) // 8)))),
    "priority tags": ("ok", "ipv4", "udp", True,
                      ethernet(IPV4, ipv4(UDP, DULL), [(QTAG, 0)] * 9)),
    "IPv6 first fragment": ("ok", "ipv6", "udp", True, ethernet(IPV6, ipv6(
        44, fragment(UDP, 1) + udp(40000, 9999, bytes(64), 3000)))),
    "IPv6 later fragment": ("later_fragment", "ipv6", "fragment", True, ethernet(IPV6, ipv6(
        44, fragment(UDP, 1480) + udp(40000, 53413)))),
    "IPv6 of version 4": ("bad_header", "ipv6", None, False, ethernet(IPV6, ipv6(UDP, DULL, version=4))),
    "IPv6 length past the frame": ("bad_length", "ipv6", None, False,
                                   ethernet(IPV6, ipv6(UDP, DULL, length=999))),
    "half an IPv6 header": ("truncated", "ipv6", None, False, ethernet(IPV6, ipv6(UDP, DULL)[:20])),
    "an extension header past the end": ("bad_length", "ipv6", None, False,
                                         ethernet(IPV6, ipv6(0, extension(UDP, 9)[:16]))),
    "no next header": ("ok", "ipv6", "other", True, ethernet(IPV6, ipv6(59, b""))),
    "arp": ("ok", "arp", None, False, ethernet(ARP, arp())),
    "half an ARP header": ("truncated", "arp", None, False, ethernet(ARP, arp()[:6])),
    "ARP addresses past the end": ("bad_length", "arp", None, False, ethernet(ARP, arp()[:20])),
    "lldp": ("not_ip", "other", None, False, ethernet(LLDP, bytes(46))),
    "llc": ("not_ip", "other", None, False, ethernet(38, b"\x42\x42\x03" + bytes(43))),
    "an EtherType of nobody": ("not_ip", "other", None, False, ethernet(0x88B5, bytes(46))),
}

# Linux itself drops these before any tap or filter sees them, with and without us.
DROPPED_BY_LINUX = {"a tag and no more"}

SSH_SYN = tcp(40000, 22)


class Frames(lab.LabCase):
    def check_each(self, here, way, *options):
        """Sends every frame, one at a time, and looks at what it changed."""
        watch = self.lab.attach("v0", *options)
        unseen = DROPPED_BY_LINUX if "tc" in options else set()
        frames = {name: row for name, row in FRAMES.items() if name not in unseen}
        dump = Tcpdump(self.lab, self.lab.far if way == "egress" else self.lab.near,
                       "v1" if way == "egress" else "v0", "in")
        before = self.lab.stats()
        for count, (name, (result, network, transport, has_flow, frame)) in enumerate(frames.items(), 1):
            with self.subTest(name):
                here.send_frames("v0" if way == "egress" else "v1", [frame])
                after = self.lab.wait_counted(**{way: count})
                changed = {group: {key: value - before[group][key]
                                   for key, value in after[group].items() if value != before[group][key]}
                           for group in ("parse", "network", "transport", way)}
                self.assertEqual(changed["parse"], {result: 1})
                self.assertEqual(changed["network"], {network: 1})
                self.assertEqual(changed["transport"], {transport: 1} if transport else {})
                self.assertEqual(changed[way], {"packets": 1, "bytes": len(frame)})
                self.assertEqual(after["ledger"]["no_flow"] - before["ledger"]["no_flow"],
                                 0 if has_flow else 1)
            before = after
        self.assert_balanced(after)
        self.assertEqual(watch.stop(), 0, watch.err)
        passed = [row[-1] for name, row in FRAMES.items() if name not in DROPPED_BY_LINUX]
        wait_for("the last frame", lambda: len(dump.frames()) == len(passed))
        dump.stop()
        self.assertEqual([frame.data for frame in dump.frames()], passed, "passed on as they were")
        findings = {alert["alert"]["category"] for alert in self.lab.alerts()}
        self.assertEqual(findings, {"Stateless finding"}, "none of them is a flagged connection")

    def test_ingress_native(self):
        self.check_each(self.lab.far, "ingress", "--mode", "native")

    def test_ingress_skb(self):
        self.check_each(self.lab.far, "ingress", "--mode", "skb")

    def test_ingress_tc(self):
        self.check_each(self.lab.far, "ingress", "--mode", "tc")

    def test_egress(self):
        self.check_each(self.lab.near, "egress")

    def test_flagged_behind_tags_options_and_extension_headers(self):
        """Nothing that stands before the ports hides them, and VLANs keep flows apart."""
        frames = {
            "tag": ethernet(IPV4, ipv4(TCP, SSH_SYN, source="10.77.0.11"), [(QTAG, 10)]),
            "tags": ethernet(IPV4, ipv4(TCP, SSH_SYN, source="10.77.0.12"),
                             [(STAG, 30), (STAG, 20), (QTAG, 10)]),
            "options": ethernet(IPV4, ipv4(TCP, SSH_SYN, source="10.77.0.13", options=b"\x01" * 40)),
            "TCP options": ethernet(IPV4, ipv4(TCP, tcp(40000, 22, options=b"\x01" * 40),
                                               source="10.77.0.14")),
            "extensions": ethernet(IPV6, ipv6(0, extension(60) + extension(TCP) + SSH_SYN,
                                              source="fd77::15")),
            "atomic fragment": ethernet(IPV6, ipv6(44, fragment(TCP, 0) + SSH_SYN, source="fd77::16")),
            "first fragment": ethernet(IPV4, ipv4(TCP, SSH_SYN + bytes(4), source="10.77.0.17",
                                                  fragment=MORE)),
        }
        watch = self.lab.attach("v0")
        self.lab.far.send_frames("v1", frames.values())
        stats = self.lab.wait_counted(ingress=len(frames))
        self.assertEqual(watch.stop(), 0, watch.err)
        alerts = {one["src_ip"]: one for one in self.lab.alerts()}
        self.assertEqual(sorted(alerts), sorted(["10.77.0.11", "10.77.0.12", "10.77.0.13", "10.77.0.14",
                                                 "fd77::15", "fd77::16", "10.77.0.17"]))
        self.assertEqual(alerts["10.77.0.11"]["vlan"], [10])
        self.assertEqual(alerts["10.77.0.12"]["vlan"][:2], [30, 20])
        self.assertNotIn("vlan", alerts["10.77.0.13"])
        self.assertEqual(stats["classes"]["ssh"]["flows"], len(frames))
        kept = [frame.data for frame in lab.tshark_pcap(self.lab.segments()[0])]
        self.assertEqual(kept, list(frames.values()))

    def test_the_opener_is_who_sent_syn_even_where_its_answer_is_all_that_is_seen(self):
        watch = self.lab.attach("v0")
        answer = tcp(22, 40000, flags=0x12)
        midstream = tcp(23, 61000, flags=0x18, payload=b"login: ")
        from_service_port = tcp(22, 8080, flags=0x02)
        self.lab.far.send_frames("v1", [ethernet(IPV4, ipv4(TCP, part, FAR_IP, NEAR_IP))
                                        for part in (answer, midstream, from_service_port)])
        self.lab.wait_counted(ingress=3)
        self.assertEqual(watch.stop(), 0)
        told = [(one["alert"]["metadata"]["class"], one["src_ip"], one["src_port"], one["dest_ip"],
                 one["dest_port"], one["direction"]) for one in self.lab.alerts()]
        self.assertEqual(told, [(["ssh"], NEAR_IP, 40000, FAR_IP, 22, "to_client"),
                                (["telnet"], NEAR_IP, 61000, FAR_IP, 23, "to_client")])

    def test_every_port_of_every_class_raises_that_class(self):
        """As `classes --json` tells them; the source ports mean nothing."""
        classes = lab.run(lab.binary(), "classes", "--json", env=self.lab.environment)
        expected = {}
        for one in json.loads(classes.stdout):
            for text in one["ports"]:
                proto, _, ports = text.partition("/")
                first, _, last = ports.partition("-")
                for port in range(int(first), int(last or first) + 1):
                    expected[proto, port] = one["name"]
        config = self.lab.path("no-suppression.toml")
        config.write_text('[alert]\nsuppress = "0s"\n[scan]\nenabled = false\n')
        watch = self.lab.attach("v0", "--config", config)
        frames = [ethernet(IPV4, ipv4({"tcp": TCP, "udp": UDP}[proto],
                                      {"tcp": tcp, "udp": udp}[proto](61234, port)))
                  for proto, port in expected]
        self.lab.far.send_frames("v1", frames)
        stats = self.lab.wait_counted(ingress=len(frames))
        self.assertEqual(watch.stop(), 0)
        told = {(one["proto"].lower(), one["dest_port"]): one["alert"]["metadata"]["class"][0]
                for one in self.lab.alerts()}
        self.assertEqual(told, expected)
        flows = collections.Counter(expected.values())
        self.assertEqual({name: sums["flows"] for name, sums in stats["classes"].items()}, flows)


if __name__ == "__main__":
    lab.main(["tcpdump", "tshark"])
