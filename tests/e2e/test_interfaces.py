#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Interfaces that change under the watcher, and several at once."""
import signal
import time

import lab
from lab import is_running, wait_for
from packets import dull, netis


class OneInterface(lab.LabCase):
    def test_deleted_while_attached(self):
        watch = self.lab.attach("v0")
        self.lab.far.send_frames("v1", [netis(), dull()])
        self.lab.wait_counted(ingress=2)
        self.lab.near.ip("link", "del", "v0")
        self.assertEqual(watch.wait(), 1)
        self.assertRegex(watch.err, r"interface v0 was deleted")
        self.assertEqual(watch.seen()[0], 2, "the summary still tells what was seen")
        self.assertEqual(len(self.lab.alerts()), 1)
        self.assertEqual(self.lab.nids("detach", "--all").returncode, 0)

    def test_moved_to_another_namespace(self):
        watch = self.lab.attach("v0")
        self.lab.near.ip("link", "set", "v0", "netns", self.lab.far.name)
        self.assertEqual(watch.wait(), 1)
        self.assertRegex(watch.err, r"v0 .*moved")
        # The programs went along; there they can be removed.
        self.assertEqual(self.lab.nids("detach", "v0", namespace=self.lab.far).returncode, 0)

    def test_deleted_while_nobody_looks(self):
        watch = self.lab.attach("v0")
        watch.kill_parent()
        self.lab.near.ip("link", "del", "v0")
        self.assertEqual(self.lab.nids("detach", "--all").returncode, 0)
        self.assertEqual(self.lab.status(), [])

    def test_deleted_and_made_again(self):
        self.lab.attach("v0").kill_parent()
        self.lab.near.ip("link", "del", "v0")
        self.lab.connect("v0", "v1", 0, offloads=False)
        self.lab.wait_until_quiet()
        watch = self.lab.attach("v0")
        self.lab.far.send_frames("v1", [netis()])
        self.lab.wait_counted(ingress=1)
        self.assertEqual(watch.stop(), 0)

    def test_down_and_up(self):
        watch = self.lab.attach("v0")
        self.lab.far.send_frames("v1", [netis()])
        self.lab.wait_counted(ingress=1)
        self.lab.near.ip("link", "set", "v0", "down")
        self.lab.near.ip("link", "set", "v0", "up")
        self.lab.wait_until_quiet()
        self.assertIsNone(watch.process.poll(), watch.err)
        before = self.lab.stats()
        self.assertTrue(before["agent"])
        self.lab.far.send_frames("v1", [netis(40001)] * 5)
        self.lab.wait_counted(ingress=before["ingress"]["packets"] + 5)
        self.assertEqual(watch.stop(), 0, watch.err)

    def test_attached_while_down(self):
        self.lab.near.ip("link", "set", "v0", "down")
        watch = self.lab.attach("v0")
        self.assertNotIn("UP", self.flags("v0"), "attach does not change the link's state")
        self.lab.near.ip("link", "set", "v0", "up")
        self.lab.wait_until_quiet()
        before = self.lab.stats()["ingress"]["packets"]
        self.lab.far.send_frames("v1", [netis()])
        self.lab.wait_counted(ingress=before + 1)
        self.assertEqual(watch.stop(), 0, watch.err)

    def test_attach_and_detach_leave_the_link_up(self):
        watch = self.lab.attach("v0")
        self.assertIn("UP", self.flags("v0"))
        self.assertEqual(watch.stop(), 0)
        self.assertIn("UP", self.flags("v0"))

    def flags(self, name):
        link, = (one for one in self.lab.near.links() if one["ifname"] == name)
        return link["flags"]

    def test_renamed(self):
        watch = self.lab.attach("v0")
        self.lab.near.ip("link", "set", "v0", "down")
        self.lab.near.ip("link", "set", "v0", "name", "w0")
        self.lab.near.ip("link", "set", "w0", "up")
        wait_for("the new name", lambda: "is now called w0" in watch.err)
        self.lab.wait_until_quiet()
        self.assertEqual([one["interface"] for one in self.lab.status()], ["w0"])
        before = self.lab.stats("w0")["ingress"]["packets"]
        self.lab.far.send_frames("v1", [netis()])
        self.lab.wait_counted("w0", ingress=before + 1)
        self.lab.wait_alerts(1)
        self.assertEqual(self.lab.nids("detach", "w0").returncode, 0)
        self.assertEqual(watch.wait(), 0, watch.err)
        self.assertRegex(watch.out, r"(?m)^w0$", "the summary has the new name")
        self.lab.near.ip("link", "del", "w0")

    def test_mtu_changed(self):
        watch = self.lab.attach("v0")
        for here, ifname in ((self.lab.near, "v0"), (self.lab.far, "v1")):
            here.ip("link", "set", ifname, "mtu", "3000", check=False)
        mtu = min(one["mtu"] for one in self.lab.near.links() + self.lab.far.links()
                  if one["ifname"] in ("v0", "v1"))
        frame = netis(payload=bytes(mtu - 28))
        self.lab.far.send_frames("v1", [frame])
        stats = self.lab.wait_counted(ingress=1)
        self.assertEqual(stats["ingress"]["bytes"], len(frame))
        self.assertEqual(stats["retained"]["bytes"], len(frame))
        self.assertEqual(watch.stop(), 0, watch.err)

    def test_jumbo_frames_are_counted_and_kept_whole(self):
        for here, ifname in ((self.lab.near, "v0"), (self.lab.far, "v1")):
            here.ip("link", "set", ifname, "mtu", "9000")
        watch = self.lab.attach("v0")
        self.assertEqual(self.lab.stats()["mode"], "native", watch.err)
        frames = [netis(40000 + size, bytes(size)) for size in (2000, 4000, 8972)]
        self.lab.far.send_frames("v1", frames)
        self.lab.near.send_frames("v0", frames)
        stats = self.lab.wait_counted(ingress=3, egress=3)
        self.assertEqual(stats["ingress"]["bytes"], sum(map(len, frames)))
        self.assertEqual(stats["retained"]["bytes"], 2 * sum(map(len, frames)))
        self.assertEqual(watch.stop(), 0, watch.err)
        kept = [frame.data for segment in self.lab.segments() for frame in lab.tshark_pcap(segment)]
        self.assertEqual(sorted(kept), sorted(frames * 2))


class TwoInterfaces(lab.LabCase):
    LINKS = 2

    def test_one_agent_for_two_and_one_of_them_detached(self):
        watch = self.lab.attach("v0", "v2")
        self.lab.far.send_frames("v1", [netis()])
        self.lab.far.send_frames("v3", [netis(), dull(), dull()])
        self.lab.wait_counted("v0", ingress=1)
        stats = self.lab.wait_counted("v2", ingress=3)
        self.assertEqual(stats["classes"]["netis"]["packets"], 1)
        self.assertEqual({one["agent_pid"] for one in self.lab.status()}, {watch.pid})
        self.assertEqual({alert["in_iface"] for alert in self.lab.wait_alerts(2)}, {"v0", "v2"},
                         "the same client, server and class, on two interfaces")
        self.assertEqual(self.lab.nids("detach", "v0").returncode, 0)
        self.assertTrue(is_running(watch.pid))
        self.assertEqual([one["interface"] for one in self.lab.status()], ["v2"])
        self.lab.far.send_frames("v3", [netis(40001)])
        self.lab.wait_counted("v2", ingress=4)
        self.assertEqual(watch.stop(), 0, watch.err)
        self.assertRegex(watch.out, r"(?m)^v0$")
        self.assertRegex(watch.out, r"(?m)^v2$")

    def test_each_interface_has_its_own_counters_and_its_alerts_name_it(self):
        config = self.lab.path("no-suppression.toml")
        config.write_text('[alert]\nsuppress = "0s"\n')
        watch = self.lab.attach("v0", "v2", "--config", config)
        self.lab.far.send_frames("v1", [netis(40001)])
        self.lab.far.send_frames("v3", [netis(40002)])
        alerts = self.lab.wait_alerts(2)
        self.assertEqual({(one["in_iface"], one["src_port"]) for one in alerts},
                         {("v0", 40001), ("v2", 40002)})
        for name in ("v0", "v2"):
            stats = self.lab.wait_counted(name, ingress=1)
            self.assertEqual(stats["alerts"]["total"], 1, name)
            self.assertEqual(stats["retained"]["packets"], 1, name)
        names = lab.tshark_fields(self.lab.segments()[0], "frame.interface_name") \
            if watch.stop() == 0 else []
        self.assertEqual(sorted(one["frame.interface_name"] for one in names), ["v0", "v2"])

    def test_two_agents(self):
        first, second = self.lab.attach("v0"), self.lab.attach("v2")
        self.assertEqual({one["interface"]: one["agent_pid"] for one in self.lab.status()},
                         {"v0": first.pid, "v2": second.pid})
        self.assertEqual(first.stop(signal.SIGTERM), 0, first.err)
        self.lab.far.send_frames("v3", [netis()])
        self.lab.wait_counted("v2", ingress=1)
        self.assertEqual(second.stop(), 0, second.err)

    def test_detach_all(self):
        first, second = self.lab.attach("v0"), self.lab.attach("v2")
        self.assertEqual(self.lab.nids("detach", "--all").returncode, 0)
        self.assertEqual((first.wait(), second.wait()), (0, 0))

    def test_one_of_two_deleted(self):
        watch = self.lab.attach("v0", "v2")
        self.lab.near.ip("link", "del", "v0")
        wait_for("the message", lambda: "interface v0 was deleted" in watch.err)
        self.assertIsNone(watch.process.poll())
        self.lab.far.send_frames("v3", [netis()])
        self.lab.wait_counted("v2", ingress=1)
        self.assertEqual(watch.stop(), 4, watch.err)  # less was watched than asked

    def test_the_agent_is_not_silent_after_its_first_interface_is_detached(self):
        watch = self.lab.attach("v0", "v2")
        self.assertEqual(self.lab.nids("detach", "v0").returncode, 0)
        time.sleep(11)  # the parent kills an agent without a heartbeat for 10 s
        self.assertEqual(watch.stop(), 0, watch.err)
        self.assertNotIn("does not answer", watch.err)

    def test_attached_to_one_that_has_an_agent_takes_neither(self):
        watch = self.lab.attach("v2")
        done = self.lab.nids("attach", "v0", "v2")
        self.assertEqual(done.returncode, 1)
        self.assert_message(done.stderr, "v2", str(watch.pid))
        self.assertEqual([one["interface"] for one in self.lab.status()], ["v2"])
        self.assertEqual(watch.stop(), 0)


if __name__ == "__main__":
    lab.main(["tshark"])
