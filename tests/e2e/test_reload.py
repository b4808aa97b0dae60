#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`nids-xdp reload` and SIGHUP: what changes at once, what needs a restart, what is refused. Flows
keep their class, also if another agent starts or another class gets the index."""
import json
import os
import shutil
import signal
import threading
import time

import lab
from lab import wait_for
from packets import IPV4, UDP, dull, ethernet, ipv4, udp


def datagram(port, source=40000, client=lab.FAR_IP):
    return ethernet(IPV4, ipv4(UDP, udp(source, port), source=client))


class ReloadCase(lab.LabCase):
    def setUp(self):
        super().setUp()
        self.config = self.lab.path("nids.toml")

    def write(self, *classes, more=""):
        """Each of `classes` is a name, a port and more lines of the table."""
        tables = [f'[classes.{name}]\nports = ["udp/{port}"]\n' + "".join(f"{line}\n" for line in rest)
                  for name, port, *rest in classes]
        self.config.write_text(more + "\n" + "\n".join(tables))

    def attach(self, *arguments, **options):
        return self.lab.attach("v0", "--config", str(self.config), *arguments, **options)

    def reload(self, *arguments, code=0):
        done = self.lab.nids("reload", *arguments)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stderr if code else done.stdout

    def send(self, *frames):
        self.lab.far.send_frames("v1", list(frames))

    def classes(self):
        """The classes that have counted packets."""
        return {name: one["packets"] for name, one in self.lab.stats()["classes"].items()
                if one["packets"]}

    def wait_classes(self, **expected):
        wait_for(f"classes {expected}", lambda: self.classes() == expected)

    def class_of_flows(self):
        """Returns the class of each flow by source and destination port."""
        done = self.lab.nids("flows", "--json")
        flows = [json.loads(line) for line in done.stdout.splitlines()] if done.stdout[:1] == "{" \
            else json.loads(done.stdout)
        return {(one["src_port"], one["dest_port"]): one.get("class") for one in flows
                if "src_port" in one}


class Changes(ReloadCase):
    def test_it_prints_the_changes_and_they_take_effect(self):
        self.write(("mine", 9001))
        watch = self.attach()
        self.send(datagram(9001), datagram(9002))
        self.wait_classes(mine=1)
        self.assertEqual(self.reload(), "nothing changed\n")

        self.write(("mine", "9001-9002", "severity = 1"), ("other", 9003, 'interest = "count"'))
        self.assertEqual(self.reload("v0"),
                         "class mine: ports udp/9001 -> udp/9001-9002; severity 2 -> 1\n"
                         "class other: added: udp/9003, severity 2, count\n")
        self.send(datagram(9002, 40001, "10.77.0.50"), datagram(9003, 40001))
        self.wait_classes(mine=2, other=1)
        alerts = self.lab.wait_alerts(2)
        self.assertEqual([one["alert"]["severity"] for one in alerts], [2, 1])

        self.write(("other", 9003, 'interest = "count"'))
        self.assertEqual(self.reload(), "class mine: removed\n")
        self.send(datagram(9002, 40002))
        self.wait_classes(mine=2, other=1)
        self.assertEqual(watch.stop(), 0, watch.err)

    def test_a_broken_file_changes_nothing(self):
        self.write(("mine", 9001))
        watch = self.attach()
        self.config.write_text('[classes.mine]\nports = ["udp/9002"]\nseverity = 7\n')
        for _ in range(100):
            told = self.reload(code=1)
            self.assertIn(f"{self.config}:3:12: classes.mine.severity", told)
            self.assertIn("nothing was changed", told)
        self.config.unlink()
        self.assertIn(str(self.config), self.reload(code=1))
        self.send(datagram(9001), datagram(9002))
        self.wait_classes(mine=1)
        self.assertEqual(watch.stop(), 0, watch.err)

    def test_a_default_file_that_is_gone_changes_nothing(self):
        self.config = self.lab.root / "etc/nids-xdp/nids-xdp.toml"
        self.config.parent.mkdir(parents=True)
        self.write(("mine", 9001))
        watch = self.lab.attach("v0")
        self.config.unlink()
        self.assert_message(self.reload(code=1), str(self.config), "nothing was changed")
        self.write(("mine", 9002))
        self.assertEqual(self.reload(), "class mine: ports udp/9001 -> udp/9002\n")
        self.assertIn("reload: class mine: ports udp/9001 -> udp/9002", watch.err)
        self.assertEqual(watch.stop(), 0, watch.err)

    def test_what_needs_a_restart_is_named_and_the_classes_are_reloaded(self):
        self.write(("mine", 9001))
        watch = self.attach()
        self.write(("mine", 9002), more='[flow]\nslots_per_cpu = 1024\n[ring]\nsize = "1MiB"\n')
        wanted = "needs a restart: flow.slots_per_cpu, ring.size\n"
        self.assertEqual(self.reload(), "class mine: ports udp/9001 -> udp/9002\n" + wanted)
        for _ in range(99):
            self.assertEqual(self.reload(), wanted)
        self.send(datagram(9001), datagram(9002))
        self.wait_classes(mine=1)
        self.assertEqual(watch.stop(), 0, watch.err)

    def test_an_interest_without_its_code_changes_nothing(self):
        self.write(("mine", 9001))
        watch = self.attach()
        self.write(("mine", 9002), ("late", 9003, 'interest = "bypass"'))
        told = self.reload(code=1)
        self.assert_message(told, "class late", "v0", "attach again",
                            "nothing was changed")
        self.send(datagram(9002), datagram(9001))
        self.wait_classes(mine=1)
        self.assertEqual(watch.stop(), 0, watch.err)

    def test_options_of_attach_still_apply(self):
        self.write(("mine", 9001), ("other", 9002))
        watch = self.attach("--class", "mine")
        self.write(("mine", 9003), ("other", 9002))
        self.assertEqual(self.reload(), "class mine: ports udp/9001 -> udp/9003\n")
        self.send(datagram(9002), datagram(9003))
        self.lab.wait_alerts(1)
        self.write(("other", 9002))
        self.assertIn('no class is called "mine"', self.reload(code=1))
        self.assertEqual(watch.stop(), 0, watch.err)
        self.assertEqual(len(self.lab.alerts()), 1)

    def test_sighup(self):
        self.write(("mine", 9001))
        watch = self.attach()
        self.write(("mine", 9002))
        os.kill(watch.pid, signal.SIGHUP)
        wait_for("the reload", lambda: "class mine: ports udp/9001 -> udp/9002" in watch.err)
        self.config.write_text("nonsense = 1\n")
        os.kill(watch.pid, signal.SIGHUP)
        wait_for("the refusal", lambda: "nothing was changed" in watch.err)
        self.send(datagram(9001), datagram(9002))
        self.wait_classes(mine=1)
        self.assertEqual(watch.stop(), 0, watch.err)


class Refusals(ReloadCase):
    def test_no_agent_to_reload(self):
        self.assert_message(self.reload(code=1), "no agent runs")
        self.write(("mine", 9001))
        watch = self.attach("--keep-attached")
        self.assertEqual(watch.stop(), 0, watch.err)
        self.assert_message(self.reload("v0", code=1), "no agent watches v0")
        self.lab.nids("detach", "v0", check=True)

    def test_not_root(self):
        program = self.lab.path("nids-xdp")
        shutil.copy(lab.binary(), program)
        program.chmod(0o755)
        self.write(("mine", 9001))
        watch = self.attach()
        done = self.lab.near.run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                                 "--inh-caps=-all", program, "reload", check=False,
                                 env=self.lab.environment)
        self.assertEqual((done.returncode, done.stdout), (1, ""), done.stderr)
        self.assert_message(done.stderr, "root", "sudo")
        door, = self.lab.root.rglob("reload-*.sock")
        self.assertEqual(door.stat().st_mode & 0o777, 0o600)
        self.assertEqual(watch.stop(), 0, watch.err)
        self.assertFalse(door.exists())


class Names(ReloadCase):
    def test_a_flow_keeps_the_name_of_its_class(self):
        self.write(("old", 9001))
        watch = self.attach()
        self.send(datagram(9001))
        self.wait_classes(old=1)
        self.write(("new", 9001))
        self.assertEqual(self.reload(), "class new: added: udp/9001, severity 2, inspect\n"
                                        "class old: removed\n")
        self.send(datagram(9001), datagram(9001, 40001))
        self.wait_classes(old=2, new=1)
        wait_for("both flows", lambda: self.class_of_flows() ==
                 {(40000, 9001): "old", (40001, 9001): "new"})
        self.assertEqual(watch.stop(), 0, watch.err)
        records = {one["src_port"]: one["metadata"]["flowvars"] for one in self.lab.eve()
                   if one["event_type"] == "flow"}
        for port, name in ((40000, "old"), (40001, "new")):
            self.assertIn({"key": "class", "value": name}, records[port])
        self.assertEqual([one["alert"]["signature"] for one in self.lab.alerts()],
                         ["flagged protocol old", "flagged protocol new"])

    def test_a_hundred_renamings_under_load_do_not_use_up_the_indexes(self):
        """Each class has a flow, which keeps its name when another class gets its index."""
        self.write(("c0", 9001))
        watch = self.attach("--retain", "off")
        goes_on = threading.Event()
        goes_on.set()

        def load():
            while goes_on.is_set():
                self.lab.far.send_frames("v1", [dull(50000 + i) for i in range(200)])
        thread = threading.Thread(target=load)
        thread.start()
        try:
            for number in range(1, 101):
                self.send(datagram(9001, 30000 + number - 1))
                self.write((f"c{number}", 9001))
                self.assertIn(f"class c{number - 1}: removed", self.reload())
        finally:
            goes_on.clear()
            thread.join()
        self.send(datagram(9001, 30100))
        wait_for("the last class", lambda: self.classes().get("c100") == 1)
        for name, packets in self.classes().items():
            self.assertEqual(packets, 1, f"{name}: a class counts only its own packets")
        wanted = {(30000 + number, 9001): f"c{number}" for number in range(101)}
        got = {}

        def are_named():
            got.update({key: name for key, name in self.class_of_flows().items() if key[1] == 9001})
            return got == wanted
        try:
            wait_for("all flows with their names", are_named)
        except AssertionError:
            self.assertEqual(got, wanted)
        self.assert_balanced(self.lab.stats())
        self.assertEqual(watch.stop(), 0, watch.err)
        self.assertEqual(len(self.lab.alerts()), 101)


class Deaths(ReloadCase):
    def test_the_next_agent_has_the_new_classes(self):
        self.write(("mine", 9001))
        watch = self.attach()
        self.write(("mine", 9001), ("more", 9002))
        self.reload()
        self.kill_agent(watch)
        self.send(datagram(9002))
        alert, = self.lab.wait_alerts(1)
        self.assertEqual(alert["alert"]["signature"], "flagged protocol more")
        self.write(("more", 9003))
        self.assertIn("class mine: removed", self.reload())
        self.send(datagram(9003, 40001))
        self.wait_classes(more=2)
        self.assertEqual(watch.stop(), 4, watch.err)

    def test_a_reload_while_no_agent_runs_reaches_the_next_agent(self):
        self.write(("mine", 9001))
        watch = self.attach()
        was, = watch.agents
        os.kill(was, signal.SIGKILL)
        wait_for("its end", lambda: not lab.is_running(was))
        time.sleep(0.3)  # the parent starts another after a second
        self.write(("mine", 9001), ("more", 9002))
        self.assertIn("class more: added", self.reload())
        self.wait_for_another_agent(watch, was, 0)
        self.send(datagram(9002))
        self.lab.wait_alerts(1)
        self.assertEqual(watch.stop(), 4, watch.err)

    def test_an_agent_that_does_not_take_the_classes_is_replaced(self):
        self.write(("mine", 9001))
        watch = self.attach()
        was, = watch.agents
        os.kill(was, signal.SIGSTOP)
        self.write(("mine", 9002))
        self.assertEqual(self.reload(), "class mine: ports udp/9001 -> udp/9002\n"
                         "the agent did not take the classes; the next one starts with them\n")
        self.assertIn("does not take the new classes", watch.err)
        self.wait_for_another_agent(watch, was, 0)
        self.send(datagram(9002))
        self.lab.wait_alerts(1)
        self.assertEqual(watch.stop(), 4, watch.err)

    def test_the_next_parent_takes_over_indexes_in_another_order(self):
        self.write(("a", 9001), ("b", 9002), ("c", 9003))
        watch = self.attach()
        self.send(datagram(9001), datagram(9002), datagram(9003))
        self.wait_classes(a=1, b=1, c=1)
        self.write(("c", 9003), ("b", 9002))
        self.reload()
        watch.kill_parent()
        self.write(("d", 9004), ("c", 9003), ("b", 9005))
        watch = self.attach()
        self.assertIn("their counters go on", watch.err)
        # The packets in the slots before the first scan belong to the agent before (docs/adr/0010).
        for port in (9008, 9009):
            self.send(datagram(port))
            wait_for("a scan", lambda: (40000, port) in self.class_of_flows())
        self.send(datagram(9001), datagram(9002), datagram(9003), datagram(9004), datagram(9005))
        self.wait_classes(a=2, b=3, c=2, d=1)
        wait_for("the flows", lambda: {key[1]: name for key, name in self.class_of_flows().items()}
                 == {9001: "a", 9002: "b", 9003: "c", 9004: "d", 9005: "b", 9008: None, 9009: None})
        self.write(("a", 9004))
        self.assertIn("class a: added", self.reload())
        self.send(datagram(9004, 40001))
        self.wait_classes(a=3, b=3, c=2, d=1)
        self.assertEqual(watch.stop(), 0, watch.err)


if __name__ == "__main__":
    lab.main(["setpriv"])
