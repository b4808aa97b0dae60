#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A new agent after an old one: never two on one ring, wherever the old one runs."""
import os
import signal

import lab
from lab import is_running, wait_for
from packets import netis


class OldReader(lab.LabCase):
    """The parent was killed, and the process that reads the rings is still there."""

    def test_a_reader_that_does_not_end_is_named_and_nothing_is_taken_over(self):
        watch = self.lab.attach("v0")
        reader, = watch.agents
        os.kill(reader, signal.SIGSTOP)
        watch.kill_parent()
        done = self.lab.nids("attach", "v0")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assert_message(done.stderr, "v0", f"process {reader}", f"kill -9 {reader}")
        self.assertFalse(self.lab.status()[0]["agent"])
        os.kill(reader, signal.SIGKILL)
        again = self.lab.attach("v0")
        self.assertIn("taking over", again.err)
        self.assertEqual(again.stop(), 0)

    def test_a_reader_that_ends_is_waited_for(self):
        watch = self.lab.attach("v0")
        reader, = watch.agents
        os.kill(reader, signal.SIGSTOP)
        watch.kill_parent()
        again = self.lab.attach("v0", wait=False)
        wait_for("the new one's turn", lambda: (self.lab.run_dir / "nids-xdp/lock").exists())
        os.kill(reader, signal.SIGCONT)
        self.lab.wait_until_attached(again)
        self.assertFalse(is_running(reader))
        self.lab.far.send_frames("v1", [netis()])
        self.lab.wait_alerts(1)
        self.assertEqual(again.stop(), 0)


class PidNamespaces(lab.LabCase):
    """As in containers that share the host's network."""

    UNSHARE = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]

    def attach_inside(self):
        inside = self.lab.start(*self.lab.near.command(*self.UNSHARE, lab.binary(), "attach", "v0"))
        one = wait_for("an attached agent", lambda: next(
            (one for one in self.lab.status() if one["agent"]), None))
        wait_for("a reader", lambda: lab.children_of(one["agent_pid"]))
        self.lab.note_programs()
        return inside, one["agent_pid"]

    def inside(self, *argv):
        return self.lab.near.run(*self.UNSHARE, lab.binary(), *argv, check=False,
                                 env=self.lab.environment)

    def test_seen_from_around_it(self):
        _, pid = self.attach_inside()
        self.assertTrue(is_running(pid), "its pid here, not the one that it knows itself by")
        self.assertEqual(self.lab.status()[0]["degraded"], [])
        done = self.lab.nids("attach", "v0")
        self.assertEqual(done.returncode, 1)
        self.assert_message(done.stderr, f"process {pid}", "nids-xdp detach v0")
        self.assertEqual(self.lab.nids("detach", "v0").returncode, 0)
        wait_for("its end", lambda: not is_running(pid))

    def test_seen_from_beside_it(self):
        _, pid = self.attach_inside()
        done = self.inside("attach", "v0")
        self.assertEqual(done.returncode, 1)
        self.assert_message(done.stderr, "PID namespace", "nids-xdp detach v0")
        told = self.inside("status")
        self.assertIn("another PID namespace", told.stdout)
        self.assertEqual(self.inside("detach", "v0").returncode, 0)
        wait_for("its end", lambda: not is_running(pid))

    def test_killed_it_is_gone_from_around_it(self):
        _, pid = self.attach_inside()
        os.kill(pid, signal.SIGKILL)
        wait_for("its end", lambda: not self.lab.status()[0]["agent"])
        again = self.lab.attach("v0")
        self.assertIn("taking over", again.err)
        self.assertEqual(again.stop(), 0)


class Rings(lab.LabCase):
    """Programs keep the number of their rings."""
    LINKS = 2

    def attach(self, workers, *arguments):
        config = self.lab.path("config.toml")
        config.write_text(f"workers = {workers}\n")
        return self.lab.attach("--config", config, *arguments)

    def send(self):
        self.lab.far.send_frames("v1", [netis(40000 + i) for i in range(20)])

    def rings(self, ifname):
        at = 56  # bytes before the number in struct nids_info
        return int.from_bytes(self.lab.map_value(ifname, "nids_info")[at:at + 4], "little")

    def test_another_number_is_taken_over_and_reported(self):
        watch = self.attach(2, "v0", "--keep-attached")
        self.send()
        self.lab.wait_counted(ingress=20)
        self.assertEqual(watch.stop(), 0)
        self.assertEqual(self.rings("v0"), 2)
        again = self.attach(4, "v0", "v2")
        self.assertIn("taking over 2 rings of v0 instead of the 4 configured as `workers`", again.err)
        self.assertEqual((self.rings("v0"), self.rings("v2")), (2, 2), "new programs have as many")
        self.send()
        stats = self.lab.wait_counted(ingress=40)
        self.assert_balanced(stats)
        self.assertEqual(stats["ring"]["lost"], 0)
        self.assertEqual(again.stop(), 0)

    def test_the_same_number_is_not_reported(self):
        self.assertEqual(self.attach(4, "v0", "--keep-attached").stop(), 0)
        again = self.attach(4, "v0")
        self.assertIn("taking over the programs", again.err)
        self.assertNotIn("workers", again.err)
        self.assertEqual(again.stop(), 0)

    def test_programs_that_are_replaced_get_the_new_number(self):
        self.assertEqual(self.attach(2, "v0", "--keep-attached").stop(), 0)
        again = self.attach(4, "v0", "--no-egress")
        self.assertIn("replacing the programs", again.err)
        self.assertEqual(self.rings("v0"), 4)
        self.assertEqual(again.stop(), 0)


class HashKeys(lab.LabCase):
    """The secret keys of the flow hash."""
    LINKS = 2

    def keys(self, ifname):
        return self.lab.map_value(ifname, "nids_keys")

    def leave(self, *interfaces):
        self.assertEqual(self.lab.attach(*interfaces, "--keep-attached").stop(), 0)

    def test_interfaces_of_an_agent_share_keys_and_each_start_draws_new_ones(self):
        seen = set()
        for _ in range(2):
            watch = self.lab.attach("v0", "v2")
            self.assertEqual(self.keys("v0"), self.keys("v2"))
            seen.add(self.keys("v0"))
            self.assertEqual(watch.stop(), 0)
        self.assertEqual(len(seen), 2)

    def test_new_programs_get_the_keys_of_programs_taken_over(self):
        self.leave("v2")
        old = self.keys("v2")
        watch = self.lab.attach("v0", "v2")
        self.assertIn("taking over", watch.err)
        self.assertEqual((self.keys("v0"), self.keys("v2")), (old, old))
        self.assertEqual(watch.stop(), 0)

    def test_programs_with_different_keys_are_taken_over_too(self):
        for one in ("v0", "v2"):
            self.leave(one)
        old = (self.keys("v0"), self.keys("v2"))
        self.assertNotEqual(*old)
        watch = self.lab.attach("v0", "v2")
        self.assertEqual(watch.err.count("their counters go on"), 2, watch.err)
        self.assertEqual((self.keys("v0"), self.keys("v2")), old)
        self.assertEqual(watch.stop(), 0)


if __name__ == "__main__":
    lab.main(["unshare", "bpftool"])
