#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""VLAN tags beside the frame, and a bridge that is watched together with its port: the warnings of
attach and the reports of status, compared with real packets."""
import json
import os
import re

import lab
from lab import wait_for
from packets import IPV4, QTAG, UDP, ethernet, ipv4, netis, udp

UNSEEN = "VLAN tags are not seen"
TWICE = "packets are seen twice"
# A filter that adds a tag beside the frame. The kernel moves it into the frame later, unless the device
# has transmit offload.
PUSH = r"""
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
SEC("ctag") int push_ctag(struct __sk_buff *skb) {
	bpf_skb_vlan_push(skb, bpf_htons(0x8100), 10);
	return TC_ACT_OK;
}
SEC("stag") int push_stag(struct __sk_buff *skb) {
	bpf_skb_vlan_push(skb, bpf_htons(0x88a8), 10);
	return TC_ACT_OK;
}
char _license[] SEC("license") = "GPL";
"""


class Links(lab.LabCase):
    def setUp(self):
        super().setUp()
        self.config = self.lab.path("no-suppression.toml")
        self.config.write_text('[alert]\nsuppress = "0s"\n')
        self.port = 40000

    def attach(self, *argv):
        return self.lab.attach(*argv, "--config", self.config)

    def degraded(self, ifname="v0"):
        return next(one["degraded"] for one in self.lab.status() if one["interface"] == ifname)

    def offload(self, here, ifname, *features):
        here.run("ethtool", "-K", ifname, *features)

    def alert_of_one_packet(self):
        self.port += 1
        self.lab.far.send_frames("v1", [netis(self.port)])
        return wait_for("its alert", lambda: [one for one in self.lab.alerts()
                                              if one["src_port"] == self.port])[0]


class Veth(Links):
    """The far end puts a tag beside each packet that it sends."""

    def setUp(self):
        super().setUp()
        self.tag("ctag")

    def tag(self, section):
        source, built = self.lab.path("push.c"), self.lab.path("push.o")
        source.write_text(PUSH)
        lab.run("clang", "-O2", "-g", "-target", "bpf",
                f"-I/usr/include/{os.uname().machine}-linux-gnu", "-c", source, "-o", built)
        self.tc("qdisc", "replace", "dev", "v1", "clsact")
        self.tc("filter", "replace", "dev", "v1", "egress", "prio", "1", "handle", "1", "bpf", "da",
                "obj", built, "sec", section)

    def tc(self, *argv):
        lab.run("tc", "-n", self.lab.far.name, *argv)

    def tearDown(self):
        self.tc("qdisc", "del", "dev", "v1", "clsact")
        super().tearDown()

    def remedy(self, text):
        """The command that a message names, without the text after it."""
        return re.search(r"(?:ip netns exec|nsenter) [^;\"\n]*", text)[0]

    def test_seen_where_the_sender_puts_tags_into_the_frame(self):
        """The receive offload of the watched end has no effect."""
        for mode in ("native", "skb"):
            for receive in ("on", "off"):
                self.offload(self.lab.near, "v0", "rxvlan", receive, "rx-vlan-stag-hw-parse", receive)
                with self.subTest(mode=mode, receive=receive):
                    watch = self.attach("v0", "--mode", mode)
                    self.assertEqual(self.degraded(), [])
                    self.assertEqual(self.alert_of_one_packet()["vlan"], [10])
                    self.assertEqual(watch.stop(), 0, watch.err)
                    self.assertNotIn("VLAN", watch.err)

    def test_unseen_where_the_sender_leaves_them_beside_it_until_the_command_was_run(self):
        for mode in ("native", "skb"):
            for receive in ("on", "off"):
                self.offload(self.lab.near, "v0", "rxvlan", receive, "rx-vlan-stag-hw-parse", receive)
                self.offload(self.lab.far, "v1", "txvlan", "on", "tx-vlan-stag-hw-insert", "on")
                with self.subTest(mode=mode, receive=receive):
                    watch = self.attach("v0", "--mode", mode)
                    self.assertNotIn("vlan", self.alert_of_one_packet())
                    self.assertEqual(watch.err.count(UNSEEN), 1, watch.err)
                    command = (f"ip netns exec {self.lab.far.name} ethtool -K v1 txvlan off "
                               "tx-vlan-stag-hw-insert off")
                    why, = self.degraded()
                    self.assertTrue(why.startswith(f"{UNSEEN}: v1, the other end"), why)
                    self.assertEqual((self.remedy(why), self.remedy(watch.err)), (command, command))
                    self.assertRegex(watch.err, "share flows and alerts\n  hint: ip netns.*; or attach "
                                                "with --mode tc\n")

                    lab.run("sh", "-c", command)
                    self.assertEqual(self.degraded(), [], "the command turned it off")
                    alert = self.alert_of_one_packet()
                    self.assertEqual(alert["vlan"], [10])
                    flows = json.loads(self.lab.nids("flows", "--json").stdout)
                    self.assertEqual([one.get("vlan") for one in flows
                                      if one["src_port"] == alert["src_port"]], [[10]])
                    self.assertEqual(watch.stop(), 0, "no packet was lost")

    def test_each_kind_of_tag_has_its_feature(self):
        self.offload(self.lab.far, "v1", "tx-vlan-stag-hw-insert", "on")
        watch = self.attach("v0", "--mode", "native")
        why, = self.degraded()
        self.assertRegex(why, r"^802\.1ad VLAN tags are not seen.*ethtool -K v1 tx-vlan-stag-hw-insert off$")
        self.assertEqual(self.alert_of_one_packet()["vlan"], [10], "802.1Q tags are not affected")
        self.tag("stag")
        self.assertNotIn("vlan", self.alert_of_one_packet())
        lab.run("sh", "-c", self.remedy(why))
        self.assertEqual(self.degraded(), [])
        self.assertEqual(self.alert_of_one_packet()["vlan"], [10])
        self.assertEqual(watch.stop(), 0, watch.err)

    def test_the_mode_tc_sees_them_in_any_case(self):
        self.offload(self.lab.far, "v1", "txvlan", "on", "tx-vlan-stag-hw-insert", "on")
        watch = self.attach("v0", "--mode", "tc")
        self.assertEqual(self.alert_of_one_packet()["vlan"], [10])
        self.assertEqual(self.degraded(), [])
        self.assertEqual(watch.stop(), 0, watch.err)
        self.assertNotIn("VLAN", watch.err)

    def test_attach_warns_about_programs_that_it_takes_over(self):
        self.attach("v0", "--mode", "skb").kill_parent()
        self.offload(self.lab.far, "v1", "txvlan", "on")
        watch = self.attach("v0", "--mode", "skb")
        self.assertIn("taking over", watch.err)
        self.assertEqual(watch.err.count(UNSEEN), 1, watch.err)
        self.assertEqual(watch.stop(), 0, watch.err)

    def test_the_other_end_in_the_same_namespace(self):
        self.lab.near.ip("link", "add", "w0", "type", "veth", "peer", "name", "w1")
        command = "ethtool -K w1 txvlan off tx-vlan-stag-hw-insert off"
        watch = self.lab.attach("w0", "--mode", "skb")
        self.assertEqual(len(self.degraded("w0")), 1)
        self.assertRegex(self.degraded("w0")[0], f"; {command}$")
        self.assertRegex(watch.err, f"hint: {command};")
        self.lab.near.run(*command.split())
        self.assertEqual(self.degraded("w0"), [])
        self.assertEqual(watch.stop(), 0, watch.err)
        # From another namespace the command has to enter this one.
        self.offload(self.lab.near, "w1", "txvlan", "on")
        watch = self.lab.attach("w0", "--mode", "skb", "--netns", self.lab.near.name, outside=True)
        self.assertRegex(watch.err, f"hint: ip netns exec {self.lab.near.name} ethtool -K w1 txvlan off;")
        self.assertEqual(watch.stop(), 0, watch.err)
        self.lab.near.ip("link", "del", "w0")

    def test_the_other_end_in_a_namespace_without_a_name(self):
        """As of a container. The namespace is found by a process in it, and the name is quoted."""
        sleeper = self.lab.start("unshare", "-n", "sleep", "1000")
        wait_for("a namespace of its own", lambda: os.readlink(f"/proc/{sleeper.pid}/ns/net") !=
                 os.readlink("/proc/self/ns/net"))
        self.lab.near.ip("link", "add", "w0", "type", "veth", "peer", "name", "$(id)", "netns",
                         str(sleeper.pid))
        watch = self.lab.attach("w0", "--mode", "skb")
        why, = self.degraded("w0")
        command = f"nsenter -t {sleeper.pid} -n ethtool -K '$(id)' txvlan off tx-vlan-stag-hw-insert off"
        self.assertTrue(why.endswith("; " + command), why)
        self.assertIn(f"hint: {command};", watch.err)
        lab.run("sh", "-c", command)
        self.assertEqual(self.degraded("w0"), [])
        self.assertEqual(watch.stop(), 0, watch.err)
        self.lab.near.ip("link", "del", "w0")

    def test_the_other_end_that_is_not_found(self):
        """Its namespace has neither a name nor a process: tags might not be seen."""
        hidden = self.lab.namespace("hidden")
        self.lab.near.ip("link", "add", "w0", "type", "veth", "peer", "name", "w1", "netns", hidden.name)
        lab.run("umount", "-l", f"/run/netns/{hidden.name}")  # the lab's own descriptor holds it
        self.addCleanup(os.unlink, f"/run/netns/{hidden.name}")
        for mode, expected in (("skb", 1), ("tc", 0)):
            watch = self.lab.attach("w0", "--mode", mode)
            degraded = self.degraded("w0")
            self.assertEqual(len(degraded), expected)
            self.assertEqual(watch.err.count("VLAN tags might not be seen"), expected, watch.err)
            if degraded:
                self.assertRegex(degraded[0], "^VLAN tags might not be seen: the other end of this veth was "
                                              "not found; at the other end: ethtool -K NAME txvlan off ")
            self.assertEqual(watch.stop(), 0, watch.err)
        watch = self.lab.attach("w0", "--mode", "skb", "--netns", self.lab.near.name, outside=True)
        self.assertIn("hint: at the other end: ethtool -K NAME ", watch.err, "not in the namespace of w0")
        self.assertEqual(watch.stop(), 0, watch.err)
        self.lab.near.ip("link", "del", "w0")


class BridgeAndPort(Links):
    def setUp(self):
        super().setUp()
        self.lab.near.ip("link", "add", "br0", "type", "bridge", "mcast_snooping", "0")
        self.lab.near.ip("link", "set", "br0", "arp", "off", "promisc", "on", "up")
        self.lab.near.ip("link", "set", "v0", "master", "br0")
        self.lab.wait_until_quiet()

    def tearDown(self):
        self.lab.near.ip("link", "del", "br0")
        super().tearDown()

    def test_a_bridge_in_skb_mode_shows_no_tags_and_no_offload_is_to_blame(self):
        frames = [ethernet(IPV4, ipv4(UDP, udp(port, 53413)), [(QTAG, 10)]) for port in (41000, 41001)]
        for mode, vlan, frame in (("skb", None, frames[0]), ("tc", [10], frames[1])):
            watch = self.attach("br0", "--mode", mode)
            self.assertEqual(self.degraded("br0"),
                             [] if vlan else [f"{UNSEEN}: in skb mode a bridge shows packets without them; "
                                              "attach with --mode tc"])
            self.assertEqual(watch.err.count(UNSEEN), 0 if vlan else 1, watch.err)
            count = len(self.lab.alerts())
            self.lab.far.send_frames("v1", [frame])
            self.assertEqual(self.lab.wait_alerts(count + 1)[count].get("vlan"), vlan)
            self.assertEqual(watch.stop(), 0, watch.err)

    def check_both(self, *watches):
        """Status reports each of the two, and both count the packet."""
        self.assertEqual(self.degraded("v0"), [f"{TWICE}: its master br0 is watched too; detach from one "
                                               "of them"])
        self.assertEqual(self.degraded("br0"), [f"{TWICE}: its port v0 is watched too; detach from one of "
                                                "them"])
        told = [watch.err.count("v0 is a port of br0, and both are watched") for watch in watches]
        self.lab.far.send_frames("v1", [netis(42000)])
        self.lab.wait_counted("v0", ingress=1)
        self.lab.wait_counted("br0", ingress=1)
        return told

    def test_watched_with_its_port_by_one_agent(self):
        watch = self.lab.attach("v0", "br0", "--mode", "tc")
        self.assertEqual(self.check_both(watch), [1])
        self.assertEqual(self.lab.nids("detach", "v0").returncode, 0)
        self.assertEqual(self.degraded("br0"), [], "one of them is left")
        self.assertEqual(watch.stop(), 0, "no packet was lost")

    def test_watched_with_its_port_by_two_agents(self):
        """The second agent warns, in either order, and one packet raises two alerts."""
        for names in (("v0", "br0"), ("br0", "v0")):
            eve = [self.lab.path(f"{names[0]}-{name}.json") for name in names]
            watches = [self.lab.attach(name, "--mode", "tc", "--eve", path, "--retain", "off")
                       for name, path in zip(names, eve)]
            self.assertEqual(self.check_both(*watches), [0, 1])
            for path in eve:
                self.assertEqual(len(self.lab.wait_alerts(1, path)), 1)
            for watch in watches:
                self.assertEqual(watch.stop(), 0, watch.err)

    def test_a_port_or_the_bridge_alone_is_all_right(self):
        for name in ("v0", "br0"):
            watch = self.lab.attach(name, "--mode", "tc")
            self.assertEqual(self.degraded(name), [])
            self.assertEqual(watch.stop(), 0, watch.err)
            self.assertNotIn("port", watch.err)


if __name__ == "__main__":
    lab.main(["clang", "unshare"])
