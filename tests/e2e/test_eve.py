#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Places for alerts that fail: counting, alerting and keeping go on, a lost line is counted and told,
no line is ever half there, and the exit code says that something was lost."""
import contextlib
import json
import os
import signal

import lab
from lab import wait_for
from sinks import CONFIG, COUNT, SinkCase


class Eve(SinkCase):
    def test_eve_on_a_full_device(self):
        watch = self.attach("--eve", "/dev/full")
        stats = self.send(10)
        self.assertEqual(stats["alerts"]["eve_lost"], 10)
        self.lab.wait_degraded("EVE")
        self.assertEqual(watch.stop(), 4, watch.err)
        self.assertRegex(watch.out, r"lost +.*EVE lines: 20")  # ten alerts, ten flows
        self.assertRegex(watch.out, r"kept +10 packets")

    def test_eve_on_a_disk_that_runs_full(self):
        folder = self.mount("small", "size=64k,mode=755")
        watch = self.attach("--eve", folder / "eve.json")
        stats = self.send()
        lines = self.lab.alerts(folder / "eve.json")
        self.assertGreater(len(lines), 0, "whole lines only")
        self.assertEqual(stats["alerts"]["eve_lines"], len(lines))
        self.assertEqual(stats["alerts"]["eve_lines"] + stats["alerts"]["eve_lost"], COUNT)
        self.assertEqual(watch.stop(), 4, watch.err)

    def test_eve_and_packets_on_a_disk_that_runs_full(self):
        self.config.write_text(CONFIG + "[retain]\nmin_free_percent = 0\n")
        folder = self.mount("small", "size=256k,mode=755")
        packets = folder / "pcap"
        packets.mkdir()
        watch = self.attach("--eve", folder / "eve.json", "--retain", packets)
        self.send()
        stats = self.settled()
        self.check_packets_add_up(stats)
        self.assertEqual(stats["alerts"]["eve_lines"], len(self.lab.alerts(folder / "eve.json")))
        self.assertEqual(stats["alerts"]["eve_lines"] + stats["alerts"]["eve_lost"], COUNT)
        self.assertEqual(watch.stop(), 4, watch.err)
        self.check_whole_pcapng(stats, packets)

    def check_refused_eve(self, path, *why):
        watch = self.attach("--eve", path)
        for part in why:
            self.assertIn(part, watch.err)
        self.assertIn(str(path), watch.err)
        self.assertIn("counting and alerting go on", watch.err)
        stats = self.send(10)
        self.assertEqual(stats["alerts"]["eve_lost"], 10)
        self.assertEqual(stats["retained"]["packets"], 10)
        self.lab.wait_degraded("EVE")
        self.assertEqual(watch.stop(), 4, watch.err)

    def test_eve_in_a_directory_that_is_not_there(self):
        self.check_refused_eve(self.lab.path("nowhere") / "eve.json")

    def test_eve_that_is_a_directory(self):
        folder = self.lab.path("folder")
        folder.mkdir()
        self.check_refused_eve(folder)

    def test_eve_that_is_a_symbolic_link(self):
        target = self.lab.path("target")
        target.write_text("precious")
        link = self.lab.path("link")
        link.symlink_to(target)
        self.check_refused_eve(link, "it is a symbolic link")
        self.assertEqual(target.read_text(), "precious")

    def test_eve_in_a_pipe_that_nobody_reads(self):
        """The lines wait, whole, for a reader."""
        pipe = self.lab.path("pipe")
        os.mkfifo(pipe)
        fd = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
        self.addCleanup(os.close, fd)
        watch = self.attach("--eve", pipe)
        self.assertEqual(self.send(COUNT, 10)["alerts"]["eve_lost"], 0)
        data = b""

        def alerts():
            nonlocal data
            with contextlib.suppress(BlockingIOError):
                data += os.read(fd, 65536)
            return [line for line in data.split(b"\n")[:-1] if b'"event_type":"alert"' in line]
        wait_for("the alerts", lambda: len(alerts()) == COUNT)
        for line in alerts():
            json.loads(line)
        watch.process.send_signal(signal.SIGINT)  # which writes the flows' lines
        wait_for("its end", lambda: alerts() and watch.process.poll() is not None)
        self.assertEqual(watch.wait(), 0, watch.err)

    def test_eve_follows_a_file_that_exists(self):
        self.lab.eve_path.parent.mkdir(parents=True)
        self.lab.eve_path.write_text('{"event_type": "stats"}\n')
        watch = self.attach()
        self.send(1)
        self.assertEqual(watch.stop(), 0)
        self.assertEqual([one["event_type"] for one in self.lab.eve()], ["stats", "alert", "flow"])


if __name__ == "__main__":
    lab.main(["tshark", "mount"])
