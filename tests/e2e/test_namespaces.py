#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Attach, read, adopt and detach, once with the mounts that `ip netns exec` gives each command and
once with those of the caller (nsenter): the attached program is the root of the state, not a pin."""
import os
import re
import signal

import lab
from lab import wait_for
from packets import dull, netis


class Namespaces:
    """The tests; `via` comes from the classes below."""

    def setUp(self):
        super().setUp()
        self.lab.via = self.via
        self.sent = 0

    def send(self, *frames):
        self.lab.far.send_frames("v1", frames)
        self.sent += len(frames)
        return self.lab.wait_counted(ingress=self.sent)

    def check_agentless(self, watch, stats):
        """The programs go on counting, stats reads them, and says that no agent runs."""
        self.assertFalse(stats["agent"])
        self.assertEqual(self.lab.status()[0]["agent"], False)
        self.assertIn("no agent", " ".join(self.lab.status()[0]["degraded"]))
        for via in ("exec", "nsenter"):
            self.assertEqual(self.lab.stats(via=via)["ingress"]["packets"], self.sent, via)
        self.assertEqual(self.send(dull(), dull())["ingress"]["packets"], self.sent)
        self.assertNotIn(watch.pid, map(int, filter(str.isdigit, os.listdir("/proc"))))

    def check_adoption(self, before):
        """A second attach takes over, and what was counted stays counted."""
        programs = set(self.lab.programs)
        watch = self.lab.attach("v0")
        self.assertEqual(self.lab.programs, programs, "the same programs")
        self.assertIn("taking over", watch.err)
        stats = self.lab.stats()
        self.assertEqual(stats["ingress"]["packets"], self.sent)
        self.assertEqual(stats["attached_since"], before["attached_since"])
        self.assertTrue(stats["agent"])
        alerts = len(self.lab.alerts())
        stats = self.send(netis(41000), dull())
        self.assertEqual(stats["ingress"]["packets"], self.sent)
        self.assert_balanced(stats)
        self.lab.wait_alerts(alerts + 1)
        return watch

    def detach(self):
        done = self.lab.nids("detach", "v0")
        self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)
        self.assertEqual(self.lab.status(), [])
        self.assertEqual(self.lab.leftovers_soon(), [])

    def test_attach_stats_status_detach(self):
        watch = self.lab.attach("v0")
        stats = self.send(netis(), dull(), dull())
        self.assertEqual((stats["interface"], stats["mode"], stats["agent"]), ("v0", "native", True))
        self.assertRegex(stats["attached_since"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+0000$")
        one, = self.lab.status()
        self.assertEqual((one["interface"], one["mode"], one["egress"], one["agent"], one["degraded"]),
                         ("v0", "native", True, True, []))
        self.assertEqual(one["agent_pid"], watch.pid)
        text = self.lab.nids("stats")
        self.assertEqual(text.returncode, 0)
        self.assertIn("v0", text.stdout)
        self.assertRegex(text.stdout, r"netis +1 flow +1 packet ")
        self.assertIn("v0", self.lab.nids("status").stdout)
        self.detach()
        self.assertEqual(watch.wait(), 0, watch.err)
        self.assertEqual(watch.seen()[0], 3)

    def test_stats_and_detach_the_other_way_in(self):
        watch = self.lab.attach("v0")
        self.send(netis())
        self.lab.via = {"exec": "nsenter", "nsenter": "exec"}[self.via]
        self.assertEqual(self.lab.stats()["classes"]["netis"]["packets"], 1)
        self.detach()
        self.assertEqual(watch.wait(), 0, watch.err)

    def test_parent_killed(self):
        watch = self.lab.attach("v0")
        before = self.send(netis())
        watch.kill_parent()
        wait_for("the agent to end with its parent", lambda: not any(map(lab.is_running, watch.agents)))
        self.check_agentless(watch, self.lab.stats())
        self.assertEqual(self.check_adoption(before).stop(), 0)

    def test_a_killed_agent_is_started_again_and_reads_what_the_first_left(self):
        watch = self.lab.attach("v0")
        self.send(netis())
        self.lab.wait_written()
        os.kill(watch.agents[0], signal.SIGSTOP)
        self.lab.far.send_frames("v1", [netis(41000), netis(42000)])
        self.sent += 2
        wait_for("both in the ring", lambda: self.lab.stats()["ring"]["pending"] == 2)
        self.kill_agent(watch)
        self.assertRegex(watch.err, r"agent ended by itself.*[Kk]ill.*starts again")
        self.lab.wait_alerts(2)  # the new one knows of no suppression
        stats = self.send(netis(43000))
        self.assert_balanced(stats)
        self.assertEqual(stats["alerts"]["total"], 2)
        self.assertEqual(stats["alerts"]["suppressed"], 2)
        self.assertEqual(self.lab.status()[0]["agent_restarts"], 1)
        self.assertEqual(watch.stop(), 4, "for a time nobody looked")
        self.assertRegex(watch.out, r"(?m)^lost +nothing$")

    def test_both_killed_then_detached(self):
        watch = self.lab.attach("v0")
        self.send(netis())
        for pid in (watch.pid, *watch.agents):
            os.kill(pid, signal.SIGKILL)
        watch.process.wait(5)
        self.check_agentless(watch, self.lab.stats())
        self.detach()

    def test_both_killed_then_adopted_then_killed_again(self):
        before = None
        for _ in range(2):
            watch = self.lab.attach("v0") if before is None else self.check_adoption(before)
            before = before or self.send(netis())
            for pid in (watch.pid, *watch.agents):
                os.kill(pid, signal.SIGKILL)
            watch.process.wait(5)
        self.check_agentless(watch, self.lab.stats())
        self.detach()

    def test_programs_of_another_kind_are_replaced_and_it_says_so(self):
        self.lab.attach("v0").kill_parent()
        old = set(self.lab.programs)
        watch = self.lab.attach("v0", "--no-egress")
        self.assertRegex(watch.err, r"replacing the programs.*directions")
        self.assertTrue(self.lab.programs - old)
        self.assertEqual(self.lab.stats()["ingress"]["packets"], 0)
        self.assertEqual(watch.stop(), 0)

    def test_keep_attached(self):
        watch = self.lab.attach("v0", "--keep-attached")
        before = self.send(netis())
        self.assertEqual(watch.stop(), 0)
        self.check_agentless(watch, self.lab.stats())
        again = self.check_adoption(before)
        self.assertEqual(again.stop(), 0)
        self.assertEqual(self.lab.status(), [])

    def test_keep_attached_then_detach(self):
        self.assertEqual(self.lab.attach("v0", "--keep-attached").stop(), 0)
        self.assertEqual(len(self.lab.status()), 1)
        self.detach()


class UnderIpNetnsExec(Namespaces, lab.LabCase):
    via = "exec"


class UnderNsenter(Namespaces, lab.LabCase):
    via = "nsenter"


class NetnsOption(lab.LabCase):
    def test_attach_enters_the_namespace_by_name(self):
        watch = self.lab.attach("v0", "--netns", self.lab.near.name, outside=True)
        self.lab.far.send_frames("v1", [netis()])
        self.lab.wait_counted(ingress=1)
        self.lab.wait_alerts(1)
        self.assertEqual(watch.stop(), 0, watch.err)

    def test_no_such_namespace(self):
        for name in ("nids-none", "../netns", "a/b", ".."):
            done = lab.run(lab.binary(), "attach", "v0", f"--netns={name}", check=False,
                           env=self.lab.environment)
            self.assertEqual(done.returncode, 1, name)
            self.assertIn("namespace", done.stderr, name)

    def test_another_namespace_does_not_show_what_is_attached_here(self):
        watch = self.lab.attach("v0")
        self.assertEqual(self.lab.status(namespace=self.lab.far), [])
        done = self.lab.nids("stats", "v0", namespace=self.lab.far)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(self.lab.nids("detach", "--all", namespace=self.lab.far).returncode, 0)
        self.assertTrue(self.lab.stats()["agent"])
        self.assertEqual(watch.stop(), 0)


if __name__ == "__main__":
    lab.main()
