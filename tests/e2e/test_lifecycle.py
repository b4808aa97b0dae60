#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What begins and ends an attachment: options, rights, modes, signals, durations, other commands.
Nothing is left behind after any of it."""
import os
import re
import shutil
import signal
import subprocess
import time

import lab
from lab import Terminal, is_running, wait_for
from packets import dull, netis

class Lifecycle(lab.LabCase):
    def attach_fails(self, *argv, code=1, **options):
        done = self.lab.nids("attach", *argv, **options)
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertEqual(done.stdout, "")
        return done.stderr


class Ends(Lifecycle):
    def test_for_ends_by_itself(self):
        start = time.monotonic()
        watch = self.lab.attach("v0", "--for", "2s")
        self.lab.far.send_frames("v1", [netis(), dull()])
        self.assertEqual(watch.wait(), 0, watch.err)
        self.assertGreaterEqual(time.monotonic() - start, 2)
        self.assertNotIn("ended by", watch.err, "no signal came")
        self.assertEqual(watch.seen(), (2, len(netis()) + len(dull())))
        self.assertRegex(watch.out, r"netis +1 flow +1 packet ")

    def test_signals_end_it_and_the_summary_is_whole(self):
        for how in (signal.SIGINT, signal.SIGTERM):
            watch = self.lab.attach("v0")
            self.lab.far.send_frames("v1", [netis(40000 + how)] * 50 + [dull()] * 50)
            # No waiting: what is in the ring when the signal comes is read before the end.
            self.assertEqual(watch.stop(how), 0, watch.err)
            self.assertEqual(watch.seen()[0], 100)
            self.assertRegex(watch.err, rf"(?m)^nids-xdp: ended by {how.name}$")
            self.assertRegex(watch.out, r"kept +50 packets")
            self.assertRegex(watch.out, r"lost +nothing")
            self.assertEqual(self.lab.leftovers_soon(), [])
        self.assertEqual([one["src_port"] for one in self.lab.alerts()],
                         [40000 + signal.SIGINT, 40000 + signal.SIGTERM])

    def test_a_second_signal_ends_at_once(self):
        watch = self.lab.attach("v0")
        agent, = watch.agents
        os.kill(agent, signal.SIGSTOP)  # so that the orderly end has to wait
        watch.process.send_signal(signal.SIGINT)
        wait_for("programs removed", lambda: self.lab.status() == [])
        self.assertIsNone(watch.process.poll())
        start = time.monotonic()
        watch.process.send_signal(signal.SIGINT)
        self.assertNotEqual(watch.process.wait(2), 0)
        self.assertLess(time.monotonic() - start, 1)
        os.kill(agent, signal.SIGCONT)
        wait_for("the agent's end", lambda: not is_running(agent))

    def run_with_output_to(self, stdout):
        log = self.lab.path("output.log")
        with open(log, "w") as err:
            process = self.lab.start(*self.lab.command("attach", "v0", "--for", "1s"),
                                     stdout=stdout, stderr=err)
        return process.wait(10), log.read_text()

    def test_a_reader_of_the_summary_may_leave(self):
        read_end, write_end = os.pipe()
        os.close(read_end)
        code, told = self.run_with_output_to(write_end)
        os.close(write_end)
        self.assertEqual(code, 0, told)

    def test_a_summary_that_cannot_be_written_is_told(self):
        with open("/dev/full", "w") as full:
            code, told = self.run_with_output_to(full)
        self.assertEqual(code, 1, told)
        self.assertIn("standard output", told)

    def test_parent_and_agent_run_with_the_privileges_they_need(self):
        watch = self.lab.attach("v0")
        with open(f"/proc/{watch.agents[0]}/status") as file:
            status = dict(line.split(":\t", 1) for line in file.read().splitlines() if ":\t" in line)
        self.assertNotIn("0", status["Uid"].split())
        self.assertNotIn("0", status["Gid"].split())
        self.assertEqual(status["Groups"].strip(), "")
        for key in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            self.assertEqual(int(status[key], 16), 0, key)
        self.assertEqual(status["NoNewPrivs"].strip(), "1")
        self.assertEqual(watch.stop(), 0)

    def test_daemon(self):
        log = self.lab.path("daemon.log")
        with open(log, "w") as out:
            process = self.lab.start(*self.lab.command("attach", "v0", "--daemon"), stdout=out,
                                     stderr=out)
        self.assertEqual(process.wait(10), 0, log.read_text())
        one, = self.lab.status()
        pid = one["agent_pid"]
        self.assertTrue(one["agent"])
        self.assertIn(str(pid), log.read_text())
        pids = self.adopt_daemon(pid)
        self.lab.far.send_frames("v1", [netis()])
        self.lab.wait_counted(ingress=1)
        self.lab.wait_alerts(1)
        self.assertEqual(self.lab.nids("detach", "v0").returncode, 0)
        wait_for("the daemon's end", lambda: not any(map(is_running, pids)))

    def adopt_daemon(self, pid):
        pids = [pid, *lab.children_of(pid)]
        self.addCleanup(lambda: [os.kill(left, signal.SIGKILL) for left in pids if is_running(left)])
        self.lab.note_programs()
        return pids

    def test_a_daemon_lets_go_of_the_callers_streams(self):
        """Who reads them through a pipe would wait for ever."""
        process = self.lab.start(*self.lab.command("attach", "v0", "--daemon"),
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual(process.wait(10), 0)
        self.adopt_daemon(self.lab.status()[0]["agent_pid"])
        try:
            out, _ = process.communicate(timeout=3)
        except subprocess.TimeoutExpired:
            out = None
        self.assertEqual(self.lab.nids("detach", "v0").returncode, 0)
        process.communicate(timeout=5)
        self.assertIsNotNone(out, "the streams are still open")

    def test_a_daemon_that_cannot_attach_says_so(self):
        message = self.attach_fails("nope", "--daemon")
        self.assert_message(message, "nope")

    def test_detach_twice(self):
        watch = self.lab.attach("v0")
        self.assertEqual(self.lab.nids("detach", "v0").returncode, 0)
        self.assertEqual(watch.wait(), 0)
        again = self.lab.nids("detach", "v0")
        self.assertEqual((again.returncode, again.stdout), (0, ""))
        self.assertEqual(self.lab.nids("detach", "--all").returncode, 0)

    def test_stats_of_what_is_not_attached(self):
        done = self.lab.nids("stats", "v0", "--json")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assert_message(done.stderr, "v0", "not attached", "hint")
        self.assertEqual(self.lab.nids("stats", "--json").stdout.strip(), "[]")
        self.assertEqual(self.lab.nids("status", "--json").stdout.strip(), "[]")


class Usage(Lifecycle):
    def test_usage_errors_have_exit_code_2_and_change_nothing(self):
        for argv in (["--nope"], ["--mode", "loud"], ["--for", "soon"],
                     ["--for", "200000d"],
                     ["--snap", "7"], ["--count", "0"], ["--store", "some"], ["--filter", "tcp or"],
                     ["--snap", "64 parsecs"]):
            message = self.attach_fails("v0", *argv, code=2)
            self.assertTrue(message, argv)
        for argv in ([], ["nope"], ["detach"], ["doctor"], ["lab"],
                     ["stats", "v0", "--watch", "0"], ["stats", "v0", "--watch", "nan"]):
            done = self.lab.nids(*argv)
            self.assertEqual((done.returncode, done.stdout), (2, ""), argv)
            self.assertTrue(done.stderr, argv)

    def test_usage_errors_name_what_was_typed_and_whose_help_to_read(self):
        for argv, wanted in (
                (["statuz"], "unknown command statuz; did you mean status?\n  hint: nids-xdp --help"),
                ([], "a command is missing; there are attach, detach"),
                (["status", "--netns", "x"], "status: unexpected arguments: --netns x; for another "
                 "network namespace: ip netns exec NAME nids-xdp status\n"
                 "  hint: nids-xdp status --help"),
                (["attach", "v0", "--mode", "loud"], "\n  hint: nids-xdp attach --help"),
                (["attach", "v0", "--snap", "7"], "\n  hint: nids-xdp attach --help"),
                (["config", "chek"], "unknown command config chek; did you mean check?")):
            done = self.lab.nids(*argv)
            self.assertEqual(done.returncode, 2, argv)
            self.assert_message(done.stderr, wanted)

    def test_watch_in_a_pipe_tells_the_time_of_each_block(self):
        watch = self.lab.attach("v0")
        reader = self.lab.start(*self.lab.command("stats", "--watch", "0.1"), stdout=subprocess.PIPE)
        lines = [reader.stdout.readline().decode() for _ in range(60)]
        reader.kill()
        times = [i for i, line in enumerate(lines)
                 if re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+\+0000\n", line)]
        self.assertEqual(times[0], 0, lines)
        self.assertGreater(len(times), 1, lines)
        self.assertEqual(lines[times[1] - 1], "\n", "blocks stand apart")
        self.assertEqual(watch.stop(), 0)

    def test_help_on_every_level(self):
        for argv in ([], ["attach"], ["detach"], ["status"], ["stats"], ["classes"], ["replay"],
                     ["config"], ["config", "check"], ["config", "dump"], ["pcap"],
                     ["pcap", "summary"]):
            done = self.lab.nids(*argv, "--help")
            self.assertEqual((done.returncode, done.stderr), (0, ""), argv)
            self.assertTrue(done.stdout)
        done = self.lab.nids("--version")
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout, r"^nids-xdp \d+\.\d+")

    def test_no_such_interface(self):
        message = self.attach_fails("eth77")
        self.assert_message(message, "eth77", "v0")

    def test_one_interface_of_two_is_missing(self):
        message = self.attach_fails("v0", "eth77")
        self.assert_message(message, "eth77")
        self.assertEqual(self.lab.status(), [])

    def test_no_interface_and_no_default_route(self):
        message = self.attach_fails()
        self.assert_message(message, "default route")

    def test_no_interface_means_that_of_the_default_route(self):
        self.lab.near.ip("route", "add", "default", "via", lab.FAR_IP)
        watch = self.lab.attach()
        self.assertEqual([one["interface"] for one in self.lab.status()], ["v0"])
        self.assertEqual(watch.stop(), 0)

    def test_not_root(self):
        program = self.lab.path("nids-xdp")
        shutil.copy(lab.binary(), program)
        program.chmod(0o755)
        for command in (["attach", "v0"], ["detach", "v0"]):
            done = self.lab.near.run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                                     "--inh-caps=-all", program, *command, check=False,
                                     env=self.lab.environment)
            self.assertEqual((done.returncode, done.stdout), (1, ""), done.stderr)
            self.assert_message(done.stderr, "CAP_BPF", "CAP_NET_ADMIN", "sudo")

    def test_the_capability_that_is_missing_is_named(self):
        done = self.lab.near.run("setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin",
                                 lab.binary(), "attach", "v0", check=False, env=self.lab.environment)
        self.assertEqual(done.returncode, 1)
        self.assert_message(done.stderr, "CAP_NET_ADMIN")
        self.assertNotIn("CAP_BPF", done.stderr)

    def test_stats_without_privileges_says_what_it_wants(self):
        watch = self.lab.attach("v0")
        program = self.lab.path("nids-xdp")
        shutil.copy(lab.binary(), program)
        program.chmod(0o755)
        done = self.lab.near.run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                                 "--inh-caps=-all", program, "stats", "--json", check=False,
                                 env=self.lab.environment)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assert_message(done.stderr, "group nids-xdp")
        self.assertEqual(watch.stop(), 0)


class Modes(Lifecycle):
    def test_skb_mode(self):
        watch = self.lab.attach("v0", "--mode", "skb")
        self.lab.far.send_frames("v1", [netis(), dull()])
        stats = self.lab.wait_counted(ingress=2)
        self.assertEqual(stats["mode"], "skb")
        one, = self.lab.status()
        self.assertEqual((one["mode"], one["degraded"]), ("skb", []))
        self.assertIn("asked", one["reason"])
        self.lab.wait_alerts(1)
        self.assertEqual(watch.stop(), 0)

    def test_native_mode(self):
        watch = self.lab.attach("v0", "--mode", "native")
        self.assertEqual(self.lab.status()[0]["mode"], "native")
        self.assertEqual(watch.stop(), 0)

    def test_auto_falls_back_to_skb_with_a_warning(self):
        # A bridge has no native XDP.
        self.lab.near.ip("link", "add", "br0", "type", "bridge")
        self.lab.near.ip("link", "set", "br0", "up")
        try:
            message = self.attach_fails("br0", "--mode", "native")
            self.assert_message(message, "br0", "--mode")
            watch = self.lab.attach("br0")
            self.assertIn("skb", watch.err)
            self.assertIn("native", watch.err, "a loud warning, with the reason")
            one, = self.lab.status()
            self.assertEqual(one["mode"], "skb")
            self.assertIn("native", one["reason"])
            self.assertTrue(one["degraded"])
            self.assertEqual(watch.stop(), 0, watch.err)
        finally:
            self.lab.near.ip("link", "del", "br0")

    def test_no_egress(self):
        watch = self.lab.attach("v0", "--no-egress")
        self.assertEqual(lab.run("tc", "-n", self.lab.near.name, "qdisc", "show", "dev", "v0",
                                 "clsact").stdout, "")
        self.lab.near.send_frames("v0", [netis()])
        self.lab.far.send_frames("v1", [netis(40001)])
        stats = self.lab.wait_counted(ingress=1)
        self.assertEqual(stats["egress"]["packets"], 0)
        self.assertFalse(self.lab.status()[0]["egress"])
        self.assertEqual(watch.stop(), 0)

    def test_both_directions_are_counted_and_flagged(self):
        watch = self.lab.attach("v0")
        self.lab.near.send_frames("v0", [netis(), netis(40002)])
        self.lab.far.send_frames("v1", [netis(40001)])
        stats = self.lab.wait_counted(ingress=1, egress=2)
        self.assertEqual(stats["classes"]["netis"]["flows"], 3)
        self.assertEqual(watch.stop(), 0)

    def test_eve_on_standard_output_is_nothing_but_eve(self):
        watch = self.lab.attach("v0", "--eve", "-", "--retain", "off")
        self.lab.far.send_frames("v1", [netis()])
        self.lab.wait_counted(ingress=1)
        alerts = self.lab.wait_alerts(1, watch.out_path)
        self.assertNotIn("capture_file", alerts[0])
        self.assertEqual(watch.stop(), 0)
        kinds = [one["event_type"] for one in self.lab.eve(watch.out_path)]
        self.assertEqual(kinds, ["alert", "flow"], "JSON lines only")
        self.assertIn("seen", watch.err)
        self.assertFalse(self.lab.pcap_dir.exists())

    def test_alerts_are_lines_on_a_terminal(self):
        terminal = Terminal(self.lab, self.lab.command("attach", "v0"))
        self.addCleanup(terminal.close)
        wait_for("an agent", lambda: any(one["agent"] for one in self.lab.status()))
        self.lab.far.send_frames("v1", [netis()] * 3)
        wait_for("the line", lambda: b"netis" in terminal.read())
        terminal.process.send_signal(signal.SIGINT)
        self.assertEqual(terminal.process.wait(10), 0)
        text = terminal.read().decode()
        lines = [line for line in text.splitlines() if "9000:1005" in line]
        self.assertEqual(len(lines), 1, text)
        self.assertIn(f"{lab.FAR_IP}:40000 -> {lab.NEAR_IP}:53413", lines[0])


if __name__ == "__main__":
    lab.main(["setpriv"])
