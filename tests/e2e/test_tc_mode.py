#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The mode tc: incoming packets by a filter on clsact ingress in place of XDP. What it counts, who
else may be on the hook, and what becomes of it when its agent or its filter is removed."""
import contextlib
import json
import os
import signal
import socket
import struct
import time

import lab
import peers
from lab import FAR_IP, NEAR_IP, is_running, tshark_fields, wait_for
from packets import IPV4, QTAG, STAG, UDP, dull, ethernet, ipv4, netis, udp
from test_foreign import FOREIGN

OUR_PLACE = ["protocol", "all", "handle", "0x6e78", "prio", "1"]
BULK_BYTES = 32 << 20


class TcMode(lab.LabCase):
    def tc(self, *argv):
        return lab.run("tc", "-n", self.lab.near.name, *argv)

    def filters(self, way):
        return self.tc("filter", "show", "dev", "v0", way).stdout

    def link(self):
        return next(one for one in self.lab.near.links() if one["ifname"] == "v0")

    def attach(self, *argv):
        return self.lab.attach("v0", "--mode", "tc", *argv)

    def check_status(self):
        one, = self.lab.status()
        self.assertEqual((one["mode"], one["reason"], one["degraded"]), ("tc", "asked for", []))


class Counting(TcMode):
    def test_both_directions_are_counted_and_flagged(self):
        watch = self.attach()
        self.check_status()
        self.assertNotIn("xdp", self.link())
        self.assertIn("nids_ingress_tc", self.filters("ingress"))
        self.assertIn("nids_egress", self.filters("egress"))
        incoming, outgoing = [netis(), dull(), netis(40003)], [netis(40001), dull(40002)]
        self.lab.far.send_frames("v1", incoming)
        self.lab.near.send_frames("v0", outgoing)
        stats = self.lab.wait_counted(ingress=3, egress=2)
        self.assertEqual(stats["mode"], "tc")
        self.assertEqual(stats["ingress"]["bytes"], sum(map(len, incoming)))
        self.assertEqual(stats["egress"]["bytes"], sum(map(len, outgoing)))
        self.assertEqual(stats["classes"]["netis"]["flows"], 3)
        self.assert_balanced(stats)
        self.lab.wait_alerts(1)
        self.assertEqual(self.lab.nids("detach", "v0").returncode, 0)
        self.assertEqual(watch.wait(), 0, watch.err)
        self.assertEqual(watch.seen(), (5, sum(map(len, incoming + outgoing))))
        self.assertEqual(self.tc("qdisc", "show", "dev", "v0", "clsact").stdout, "")

    def test_without_egress(self):
        watch = self.attach("--no-egress")
        self.check_status()
        self.assertEqual(self.filters("egress"), "")
        self.lab.near.send_frames("v0", [netis()])
        self.lab.far.send_frames("v1", [netis(40001)])
        stats = self.lab.wait_counted(ingress=1)
        self.assertEqual(stats["egress"]["packets"], 0)
        self.assertEqual(watch.stop(), 0, watch.err)

    def test_tags_that_the_kernel_took_off_are_counted_and_kept(self):
        frames = [ethernet(IPV4, ipv4(UDP, udp(40000, 53413), source=source), tags)
                  for source, tags in (("10.77.0.11", [(QTAG, 10)]),
                                       ("10.77.0.12", [(STAG, 20), (QTAG, 10)]))]
        watch = self.attach()
        self.lab.far.send_frames("v1", frames)
        stats = self.lab.wait_counted(ingress=2)
        self.assertEqual(stats["ingress"]["bytes"], sum(map(len, frames)))
        self.assertEqual(stats["classes"]["netis"]["flows"], 2)
        alerts = self.lab.wait_alerts(2)
        self.assertEqual([one["vlan"] for one in alerts], [[10], [20, 10]])
        self.assertEqual(watch.stop(), 0, watch.err)
        segment, = self.lab.segments()
        self.assertEqual([frame.data for frame in lab.tshark_pcap(segment)], frames)

    def test_auto_recommends_it_where_native_costs_the_offloads(self):
        watch = self.lab.attach("v0")
        self.assertEqual(self.lab.status()[0]["mode"], "native")
        line, = (line for line in watch.err.splitlines() if "--mode tc" in line)
        self.assertRegex(line, r"v0 is a veth link.*native XDP.*offloads")
        self.assertEqual(watch.stop(), 0)
        watch = self.attach()
        self.assertNotIn("--mode tc", watch.err)
        self.assertEqual(watch.stop(), 0)


class Bulk(TcMode):
    """Super-packets, as TCP makes them where the link has its offloads."""

    def setUp(self):
        self.lab = lab.Lab(offloads=True)
        self.addCleanup(self.lab.close)

    def send_bulk(self, client, server, address, port):
        """What the client's kernel says that it sent and got, in segments, once all is quiet: the
        connection stays open."""
        listener = server.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.bind((address, port))
        listener.listen()
        connection = client.socket(socket.AF_INET, socket.SOCK_STREAM)
        connection.connect((address, port))
        accepted, _ = listener.accept()
        accepted.settimeout(10)
        for one in (listener, connection, accepted):
            self.addCleanup(one.close)
        sending = peers.Thread(lambda: connection.sendall(bytes(BULK_BYTES)))
        left = BULK_BYTES
        while left:
            left -= len(accepted.recv(min(left, 1 << 20)))
        sending.finish()

        def told():
            info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
            retransmitted, = struct.unpack_from("=I", info, 100)
            return *struct.unpack_from("=II", info, 136), retransmitted
        before, now = None, told()
        while before != now:
            time.sleep(0.3)  # longer than an acknowledgement is held back
            before, now = now, told()
        return now

    def super_packets(self, counter):
        """Of v0, which counts them as one packet each."""
        told = json.loads(self.lab.near.ip("-j", "-s", "link", "show", "dev", "v0").stdout)
        return told[0]["stats64"][counter]["packets"]

    def check_bulk(self, client, server, address, out, back, counter):
        for namespace in (client, server):  # a packet that comes late would get a longer answer
            namespace.sysctl(net__ipv4__tcp_sack=0)
        watch = self.attach()
        sent, got, retransmitted = self.send_bulk(client, server, address, 22)
        stats = self.lab.wait_counted(**{out: sent, back: got})
        self.assertLess(self.super_packets(counter), sent / 4, "there were super-packets")
        if not retransmitted:  # else options of other lengths were sent
            # Ethernet, IPv4 and TCP with its time stamps; 8 bytes more in a SYN.
            self.assertEqual(stats[out]["bytes"], BULK_BYTES + 66 * sent + 8)
            self.assertEqual(stats[back]["bytes"], 66 * got + 8)
        self.assertEqual(stats["parse"]["ok"], sent + got)
        self.assertEqual(set(stats["findings"].values()), {0}, "what is not filled in is no finding")
        self.assertEqual(stats["classes"]["ssh"]["flows"], 1)
        self.assert_balanced(stats)
        self.assertEqual(watch.stop(), 0, watch.err)
        alert, = self.lab.alerts()
        self.assertEqual(alert["alert"]["signature_id"] // 1000, 1, "a flagged protocol")
        sizes = [int(one["frame.len"]) for segment in self.lab.segments()
                 for one in tshark_fields(segment, "frame.len")]
        self.assertEqual(max(sizes), 1514, "kept as on the wire")

    def test_received_super_packets_count_as_the_packets_they_stand_for(self):
        self.check_bulk(self.lab.far, self.lab.near, NEAR_IP, "ingress", "egress", "rx")

    def test_sent_super_packets_do_too(self):
        self.check_bulk(self.lab.near, self.lab.far, FAR_IP, "egress", "ingress", "tx")


class Ends(TcMode):
    def counted(self, frame, packets):
        self.lab.far.send_frames("v1", [frame])
        return self.lab.wait_counted(ingress=packets)

    def kill_both(self, watch):
        self.lab.wait_written()
        for pid in (watch.pid, *watch.agents):
            os.kill(pid, signal.SIGKILL)
        watch.process.wait(5)
        wait_for("the agent's end", lambda: not any(map(is_running, watch.agents)))

    def test_killed_it_counts_on_and_is_taken_over(self):
        self.kill_both(self.attach())
        before = self.counted(netis(), 1)
        self.assertFalse(before["agent"])
        for mode in ("tc", "auto"):
            programs = set(self.lab.programs)
            watch = self.lab.attach("v0", "--mode", mode)
            self.assertIn("taking over", watch.err)
            self.assertEqual(self.lab.programs, programs)
            self.assertEqual(self.lab.stats()["attached_since"], before["attached_since"])
            self.check_status()
            self.kill_both(watch)
        watch = self.attach()
        stats = self.counted(netis(), 2)
        self.assertEqual((stats["mode"], stats["classes"]["netis"]["flows"]), ("tc", 1))
        self.assert_balanced(stats)
        self.assertEqual(watch.stop(), 0, watch.err)

    def test_killed_then_detached(self):
        self.kill_both(self.attach())
        self.assertEqual(self.lab.nids("detach", "v0").returncode, 0)
        self.assertEqual(self.lab.status(), [])

    def test_programs_in_another_mode_are_replaced(self):
        for before, after in (("tc", "native"), ("skb", "tc")):
            self.lab.attach("v0", "--mode", before).kill_parent()
            watch = self.lab.attach("v0", "--mode", after)
            self.assertRegex(watch.err, r"replacing the programs.*another mode")
            one, = self.lab.status()
            self.assertEqual(one["mode"], after)
            self.assertEqual("xdp" in self.link(), after == "native")
            self.assertEqual("nids_ingress_tc" in self.filters("ingress"), after == "tc")
            self.assertEqual(watch.stop(), 0, watch.err)

    def test_somebody_removes_our_ingress_filter(self):
        watch = self.attach()
        self.tc("filter", "del", "dev", "v0", "ingress", *OUR_PLACE, "bpf")
        self.assertEqual(watch.wait(), 1)
        self.assertRegex(watch.err, r"somebody removed the ingress filter from v0")
        self.assertIn("seen", watch.out)

    def test_somebody_removes_our_egress_filter(self):
        watch = self.attach()
        self.tc("filter", "del", "dev", "v0", "egress", *OUR_PLACE, "bpf")
        wait_for("the agent to notice", lambda: "egress filter from v0" in watch.err)
        self.counted(netis(), 1)
        self.assertEqual(watch.stop(), 4, "not all was seen")

    def test_somebody_removes_the_clsact(self):
        watch = self.attach()
        self.tc("qdisc", "del", "dev", "v0", "clsact")
        self.assertEqual(watch.wait(), 1)
        self.assertRegex(watch.err, r"somebody removed the ingress filter from v0")

    def test_filter_gone_while_nobody_looks(self):
        self.attach().kill_parent()
        self.tc("filter", "del", "dev", "v0", "ingress", *OUR_PLACE, "bpf")
        one, = self.lab.status()
        self.assertIn("the ingress filter is gone", one["degraded"])
        watch = self.attach()
        self.assertRegex(watch.err, r"replacing the programs.*removed")
        self.assertEqual(watch.stop(), 0, watch.err)

    def test_moved_to_another_namespace(self):
        """Filters do not go along, as XDP programs do."""
        watch = self.attach()
        self.lab.near.ip("link", "set", "v0", "netns", self.lab.far.name)
        self.assertEqual(watch.wait(), 1)
        self.assertRegex(watch.err, r"v0 .*moved")


class Others(TcMode):
    """Filters of somebody else's on the same hook."""

    def setUp(self):
        super().setUp()
        source, self.object = self.lab.path("foreign.c"), self.lab.path("foreign.o")
        source.write_text(FOREIGN)
        lab.run("clang", "-O2", "-g", "-target", "bpf", f"-I/usr/include/{os.uname().machine}-linux-gnu",
                "-c", source, "-o", self.object)

    def add_filter(self, way, *where, program="foreign_ok"):
        self.tc("filter", "add", "dev", "v0", way, *where, "bpf", "da", "obj", self.object, "program",
                program)

    def add_clsact(self):
        self.tc("qdisc", "add", "dev", "v0", "clsact")
        self.addCleanup(lab.run, "tc", "-n", self.lab.near.name, "qdisc", "del", "dev", "v0", "clsact",
                        check=False)

    def test_foreign_filters_and_their_clsact_stay_and_run(self):
        self.add_clsact()
        self.add_filter("ingress", "prio", "65000", "protocol", "0x88b5", program="foreign_drop")
        self.add_filter("egress", "prio", "65001")
        before = self.filters("ingress"), self.filters("egress")
        watch = self.attach()
        self.lab.far.send_frames("v1", [netis(), netis()[:12] + b"\x88\xb5" + bytes(46)])
        stats = self.lab.wait_counted(ingress=2)
        self.assert_balanced(stats)
        # One was dropped, by the filter behind ours.
        self.assertRegex(self.tc("-s", "qdisc", "show", "dev", "v0", "clsact").stdout, r"dropped 1\b")
        self.assertEqual(watch.stop(), 0, watch.err)
        self.assertEqual((self.filters("ingress"), self.filters("egress")), before)
        self.tc("qdisc", "del", "dev", "v0", "clsact")

    def check_seen_before(self, *where, program):
        """Whatever that filter decides, ours has seen the packet."""
        self.add_clsact()
        self.add_filter("ingress", *where, program=program)
        self.add_filter("egress", *where, program=program)
        watch = self.attach()
        self.check_status()
        self.assertNotIn("other filters", watch.err)
        self.lab.far.send_frames("v1", [netis()])
        with contextlib.suppress(OSError):  # a drop comes back to the sender
            self.lab.near.send_frames("v0", [netis(40001)])
        self.lab.wait_counted(ingress=1, egress=1)
        self.assertEqual(watch.stop(), 0, watch.err)
        self.tc("qdisc", "del", "dev", "v0", "clsact")

    def test_filters_that_decide_come_behind_ours(self):
        for program in ("foreign_ok", "foreign_drop"):
            with self.subTest(program):
                self.check_seen_before("prio", "5", program=program)

    def test_filters_of_the_first_priority_too(self):
        self.check_seen_before("prio", "1", "protocol", "all", "handle", "1", program="foreign_drop")

    def test_a_filter_that_cannot_be_passed_by_is_warned_about(self):
        self.add_clsact()
        self.add_filter("ingress", "prio", "1", "protocol", "ip")
        watch = self.attach()
        self.assertRegex(watch.err, r"v0 packets meet other filters first \(bpf of priority 1\)")
        self.assertRegex(" ".join(self.lab.status()[0]["degraded"]), "other filters first")
        self.assertEqual(watch.stop(), 0, watch.err)
        self.tc("qdisc", "del", "dev", "v0", "clsact")

    def test_an_empty_clsact_of_somebody_elses_stays(self):
        self.add_clsact()
        self.assertEqual(self.attach().stop(), 0)
        self.assertIn("clsact", self.tc("qdisc", "show", "dev", "v0").stdout)
        self.tc("qdisc", "del", "dev", "v0", "clsact")

    def test_our_clsact_stays_while_somebody_elses_filter_is_on_it(self):
        watch = self.attach()
        self.add_filter("ingress", "prio", "7")
        self.assertEqual(watch.stop(), 0)
        self.assertIn("foreign_ok", self.filters("ingress"))
        self.assertNotIn("nids_", self.filters("ingress") + self.filters("egress"))
        self.tc("qdisc", "del", "dev", "v0", "clsact")

    def test_a_foreign_filter_in_our_place_is_not_replaced_and_nothing_of_ours_stays(self):
        for way in ("ingress", "egress"):
            with self.subTest(way):
                self.add_clsact()
                self.add_filter(way, *OUR_PLACE)
                before = self.filters("ingress"), self.filters("egress")
                done = self.lab.nids("attach", "v0", "--mode", "tc")
                self.assertEqual((done.returncode, done.stdout), (1, ""))
                self.assert_message(done.stderr, f"the {way} filter", "hint")
                self.assertEqual((self.filters("ingress"), self.filters("egress")), before)
                self.assertEqual(self.lab.nids("detach", "v0").returncode, 0)
                self.assertEqual((self.filters("ingress"), self.filters("egress")), before)
                self.tc("qdisc", "del", "dev", "v0", "clsact")

    def test_the_older_ingress_qdisc_is_enough_without_egress(self):
        self.tc("qdisc", "add", "dev", "v0", "ingress")
        done = self.lab.nids("attach", "v0", "--mode", "tc")
        self.assertEqual(done.returncode, 1)
        self.assert_message(done.stderr, "the egress filter", "--no-egress")
        watch = self.attach("--no-egress")
        self.assertFalse(self.lab.status()[0]["egress"])
        self.lab.far.send_frames("v1", [netis()])
        self.assertEqual(self.lab.wait_counted(ingress=1)["egress"]["packets"], 0)
        self.assertEqual(watch.stop(), 0, watch.err)
        self.assertEqual(self.filters("ingress"), "")
        self.assertIn("ingress", self.tc("qdisc", "show", "dev", "v0").stdout)

    def test_a_foreign_xdp_program_does_not_keep_it_away(self):
        self.lab.near.ip("link", "set", "dev", "v0", "xdpgeneric", "obj", self.object, "program",
                         "foreign_pass")
        watch = self.attach()
        self.lab.far.send_frames("v1", [netis()])
        self.lab.wait_counted(ingress=1)
        self.assertEqual(watch.stop(), 0, watch.err)
        self.assertIn("xdp", self.link())
        self.lab.near.ip("link", "set", "dev", "v0", "xdpgeneric", "off")


if __name__ == "__main__":
    lab.main(["clang", "tshark"])
