#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""An interface that somebody else uses too: another agent, XDP programs, tc filters, a clsact qdisc.
What is not ours is never replaced and never removed."""
import contextlib
import os
import signal

import lab
from lab import wait_for
from packets import dull, netis

FOREIGN = """
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>
SEC("xdp") int foreign_pass(struct xdp_md *ctx) { return XDP_PASS; }
SEC("tc") int foreign_ok(struct __sk_buff *skb) { return TC_ACT_OK; }
SEC("tc") int foreign_drop(struct __sk_buff *skb) { return TC_ACT_SHOT; }
char _license[] SEC("license") = "GPL";
"""


class Others(lab.LabCase):
    """Programs and filters of somebody else's on the same interface."""

    def setUp(self):
        super().setUp()
        source, self.object = self.lab.path("foreign.c"), self.lab.path("foreign.o")
        source.write_text(FOREIGN)
        lab.run("clang", "-O2", "-g", "-target", "bpf", f"-I/usr/include/{os.uname().machine}-linux-gnu",
                "-c", source, "-o", self.object)

    def attach_fails(self, *argv):
        done = self.lab.nids("attach", *argv)
        self.assertEqual((done.returncode, done.stdout), (1, ""), done.stderr)
        return done.stderr

    def tc(self, *argv):
        return lab.run("tc", "-n", self.lab.near.name, *argv)

    def test_attach_twice(self):
        watch = self.lab.attach("v0")
        message = self.attach_fails("v0")
        self.assert_message(message, "v0", f"process {watch.pid}", "nids-xdp detach v0")
        self.assertTrue(self.lab.stats()["agent"])
        self.lab.far.send_frames("v1", [netis()])
        self.lab.wait_alerts(1)
        self.assertEqual(watch.stop(), 0)

    def test_two_at_once(self):
        """Of several that start together one gets the interface, the others say who has it."""
        commands = [self.lab.start(*self.lab.command("attach", "v0")) for _ in range(4)]
        wait_for("three to give up", lambda: sum(one.poll() is not None for one in commands) == 3)
        self.assertEqual(sorted(str(one.poll()) for one in commands), ["1", "1", "1", "None"])
        winner, = (one for one in commands if one.poll() is None)
        wait_for("an agent", lambda: self.lab.status() and
                 self.lab.status()[0]["agent_pid"] == winner.pid and lab.children_of(winner.pid))
        winner.send_signal(signal.SIGINT)
        self.assertEqual(winner.wait(10), 0)

    def check_foreign_xdp(self, kind, *argv):
        self.lab.near.ip("link", "set", "dev", "v0", kind, "obj", self.object, "program",
                         "foreign_pass")
        before = self.lab.near.links()
        message = self.attach_fails("v0", *argv)
        self.assert_message(message, "v0", "foreign_pass", "hint")
        self.assertEqual(self.lab.near.links(), before, "the foreign program stays")
        self.assertEqual(self.lab.nids("detach", "v0").returncode, 0)
        self.assertEqual(self.lab.near.links(), before)
        self.lab.near.ip("link", "set", "dev", "v0", kind, "off")

    def test_a_foreign_xdp_program_is_never_replaced(self):
        for kind in ("xdpdrv", "xdpgeneric"):
            for mode in ("auto", "native", "skb"):
                with self.subTest(kind=kind, mode=mode):
                    self.check_foreign_xdp(kind, "--mode", mode)

    def test_a_foreign_xdp_program_under_nsenter(self):
        self.lab.via = "nsenter"
        self.check_foreign_xdp("xdpdrv")

    def test_foreign_filters_stay_and_run(self):
        self.tc("qdisc", "add", "dev", "v0", "clsact")
        self.tc("filter", "add", "dev", "v0", "egress", "prio", "65000", "protocol", "0x88b5", "bpf",
                "da", "obj", self.object, "program", "foreign_drop")
        self.tc("filter", "add", "dev", "v0", "ingress", "prio", "7", "bpf", "da", "obj", self.object,
                "program", "foreign_ok")
        egress, ingress = (self.tc("filter", "show", "dev", "v0", way).stdout
                           for way in ("egress", "ingress"))
        self.assertIn("foreign_drop", egress)
        watch = self.lab.attach("v0")
        # Sent and dropped behind us: counted, since our filter comes first, and gone.
        dropped = netis()[:12] + b"\x88\xb5" + bytes(46)
        seen_by_far = lab.Tcpdump(self.lab, self.lab.far, "v1", "in")
        with contextlib.suppress(OSError):  # the drop comes back to the sender
            self.lab.near.send_frames("v0", [dropped])
        self.lab.near.send_frames("v0", [dull()])
        self.lab.wait_counted(egress=2)
        wait_for("the other frame", lambda: seen_by_far.frames())
        seen_by_far.stop()
        self.assertEqual([frame.data for frame in seen_by_far.frames()], [dull()])
        self.assertEqual(watch.stop(), 0)
        self.assertEqual(self.tc("filter", "show", "dev", "v0", "egress").stdout, egress)
        self.assertEqual(self.tc("filter", "show", "dev", "v0", "ingress").stdout, ingress)
        self.tc("qdisc", "del", "dev", "v0", "clsact")

    def test_an_empty_clsact_of_somebody_elses_stays(self):
        self.tc("qdisc", "add", "dev", "v0", "clsact")
        self.assertEqual(self.lab.attach("v0").stop(), 0)
        self.assertIn("clsact", self.tc("qdisc", "show", "dev", "v0").stdout)
        self.tc("qdisc", "del", "dev", "v0", "clsact")

    def test_our_clsact_stays_while_somebody_elses_filter_is_on_it(self):
        watch = self.lab.attach("v0")
        self.tc("filter", "add", "dev", "v0", "egress", "prio", "7", "bpf", "da", "obj", self.object,
                "program", "foreign_ok")
        self.assertEqual(watch.stop(), 0)
        self.assertIn("foreign_ok", self.tc("filter", "show", "dev", "v0", "egress").stdout)
        self.tc("qdisc", "del", "dev", "v0", "clsact")

    def test_a_foreign_filter_in_our_place_is_not_replaced(self):
        """Our handle and priority (0x6e78) taken by somebody else."""
        self.tc("qdisc", "add", "dev", "v0", "clsact")
        self.tc("filter", "add", "dev", "v0", "egress", "protocol", "all", "handle", "0x6e78", "prio",
                str(0x6E78), "bpf", "da", "obj", self.object, "program", "foreign_ok")
        before = self.tc("filter", "show", "dev", "v0", "egress").stdout
        message = self.attach_fails("v0")
        self.assert_message(message, "egress")
        self.assertEqual(self.tc("filter", "show", "dev", "v0", "egress").stdout, before)
        self.assertEqual(self.lab.nids("detach", "v0").returncode, 0)
        self.assertEqual(self.tc("filter", "show", "dev", "v0", "egress").stdout, before)
        self.tc("qdisc", "del", "dev", "v0", "clsact")

    def test_directories_of_iproute2_in_our_bpffs_do_not_keep_it_mounted(self):
        """tc and ip take the first bpffs that they find for theirs, where /sys/fs/bpf is none."""
        self.lab.via = "nsenter"
        watch = self.lab.attach("v0")
        self.tc("filter", "add", "dev", "v0", "ingress", "prio", "7", "bpf", "da", "obj", self.object,
                "program", "foreign_ok")
        self.tc("filter", "del", "dev", "v0", "ingress", "prio", "7")
        self.assertEqual(watch.stop(), 0, watch.err)

    def test_somebody_removes_our_xdp_program(self):
        watch = self.lab.attach("v0")
        self.lab.near.ip("link", "set", "dev", "v0", "xdp", "off")
        self.assertEqual(watch.wait(), 1)
        self.assertRegex(watch.err, r"somebody removed the XDP program")
        self.assertIn("seen", watch.out)

    def test_somebody_removes_our_egress_filter(self):
        watch = self.lab.attach("v0")
        self.tc("qdisc", "del", "dev", "v0", "clsact")
        wait_for("the agent to notice", lambda: "egress filter from v0" in watch.err)
        self.lab.wait_degraded("egress")
        self.lab.far.send_frames("v1", [netis()])
        self.lab.wait_counted(ingress=1)
        self.assertEqual(watch.stop(), 4, "not all was seen")


if __name__ == "__main__":
    lab.main(["clang", "tcpdump"])
