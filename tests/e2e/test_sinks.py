#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Places for alerts and packets that fail: counting and alerting go on, what is lost is counted and
told, and the exit code says that something was."""
import json
import os
import signal

import lab
from lab import wait_for
from packets import netis

CONFIG = '[alert]\nsuppress = "0s"\n'
COUNT = 300


class Sinks(lab.LabCase):
    def setUp(self):
        super().setUp()
        self.config = self.lab.path("nids.toml")
        self.config.write_text(CONFIG)

    def mount(self, name, options):
        folder = self.lab.path(name)
        folder.mkdir()
        lab.run("mount", "-t", "tmpfs", "-o", options, "none", folder)
        self.addCleanup(lab.run, "umount", folder, check=False)
        return folder

    def attach(self, *options):
        return self.lab.attach("v0", "--config", self.config, *options)

    def send(self, count=COUNT, size=1400):
        """Each a flow and an alert of its own."""
        self.lab.far.send_frames("v1", [netis(10000 + i, os.urandom(size)) for i in range(count)])
        stats = self.lab.wait_counted(ingress=count)
        self.assert_balanced(stats)
        self.assertEqual(stats["alerts"]["total"], count, "alerting goes on")
        return stats

    def check_packets_add_up(self, stats, count=COUNT):
        retained = stats["retained"]
        self.assertEqual(retained["packets"] + retained["not_kept_by_policy"] +
                         retained["lost_by_overload"] + retained["lost_by_error"], count, retained)

    def check_whole_pcapng(self, stats, folder):
        """What is there can be read to its end, and is as much as was said."""
        kept = sum(len(lab.tshark_pcap(segment)) for segment in self.lab.segments(folder))
        self.assertEqual(kept, stats["retained"]["packets"])

    def settled(self):
        """Stats once what was buffered is written or lost."""
        last = None

        def is_settled():
            nonlocal last
            before, last = last, self.lab.stats()
            return last if last == before else None
        return wait_for("counters at rest", is_settled, every=1.2)

    # packets

    def test_packet_directory_on_a_disk_that_runs_full(self):
        self.config.write_text(CONFIG + "[retain]\nmin_free_percent = 0\n")
        folder = self.mount("small", "size=256k,mode=755")
        watch = self.attach("--retain", folder)
        self.send()
        stats = self.settled()
        self.check_packets_add_up(stats)
        self.assertGreater(stats["retained"]["lost_by_error"], 0)
        self.assertIn("can't be kept", " ".join(self.lab.status()[0]["degraded"]))
        self.assertEqual(watch.stop(), 4, watch.err)
        self.assertRegex(watch.out, r"lost +.*disk")
        self.assertEqual(len(self.lab.alerts()), COUNT)
        self.check_whole_pcapng(stats, folder)

    def test_packet_directory_on_a_disk_with_room_again(self):
        self.config.write_text(CONFIG + "[retain]\nmin_free_percent = 0\n")
        folder = self.mount("small", "size=256k,mode=755")
        filler = folder / "filler"
        watch = self.attach("--retain", folder)
        filler.write_bytes(bytes(240 * 1024))
        self.send(100)
        lost = wait_for("a loss", lambda: self.lab.stats()["retained"]["lost_by_error"])
        filler.unlink()

        def is_kept():
            self.lab.far.send_frames("v1", [netis(9999)])
            return self.lab.stats()["retained"]["packets"] > 0
        wait_for("packets kept again", is_kept, every=0.3)
        stats = self.settled()
        self.assertGreaterEqual(stats["retained"]["lost_by_error"], lost)
        self.assertEqual(self.lab.status()[0]["degraded"], [])
        self.assertEqual(watch.stop(), 4, "what was lost stays lost")
        self.check_whole_pcapng(stats, folder)

    def test_ten_percent_of_the_disk_stay_free(self):
        folder = self.mount("medium", "size=1m,mode=755")
        watch = self.attach("--retain", folder)
        self.send(900)
        stats = self.settled()
        self.check_packets_add_up(stats, 900)
        self.assertGreater(stats["retained"]["not_kept_by_policy"], 0)
        self.assertEqual(stats["retained"]["lost_by_error"], 0)
        disk = os.statvfs(folder)
        self.assertGreaterEqual(disk.f_bavail, disk.f_blocks * 0.1)
        self.assertEqual(watch.stop(), 0, "policy is no loss")
        self.check_whole_pcapng(stats, folder)

    def test_full_disk(self):
        folder = self.mount("full", "size=64k,mode=755")
        packets = folder / "pcap"
        packets.mkdir()
        (folder / "filler").write_bytes(bytes(64 * 1024))
        watch = self.attach("--retain", packets)
        self.send()
        stats = self.settled()
        self.check_packets_add_up(stats)
        self.assertEqual(stats["retained"]["packets"], 0)
        self.assertEqual(watch.stop(), 4, watch.err)
        self.assertEqual(len(self.lab.alerts()), COUNT)

    def test_budget(self):
        self.config.write_text(CONFIG + '[retain]\nbudget = "256KiB"\nsegment = "64KiB"\n')
        watch = self.attach()
        self.send(900)
        stats = self.settled()
        self.check_packets_add_up(stats, 900)
        self.assertGreater(stats["retained"]["deleted_by_policy"], 0)
        self.assertEqual(watch.stop(), 0, watch.err)
        size = sum(segment.stat().st_size for segment in self.lab.segments())
        self.assertLessEqual(size, 256 * 1024)
        self.assertGreater(size, 128 * 1024)
        kept = sum(len(lab.tshark_pcap(segment)) for segment in self.lab.segments())
        self.assertEqual(kept, stats["retained"]["packets"] - stats["retained"]["deleted_by_policy"])

    def check_refused_directory(self, folder):
        watch = self.attach("--retain", folder)
        self.assertIn(str(folder), watch.err)
        self.assertIn("counting and alerting go on", watch.err)
        stats = self.send(10)
        self.check_packets_add_up(stats, 10)
        self.assertEqual(stats["retained"]["lost_by_error"], 10)
        self.assertIn("can't be kept", " ".join(self.lab.status()[0]["degraded"]))
        self.assertEqual(watch.stop(), 4, watch.err)
        self.assertEqual(len(self.lab.alerts()), 10)
        self.assertNotIn("capture_file", self.lab.alerts()[0])

    def test_packet_directory_on_a_read_only_file_system(self):
        self.check_refused_directory(self.mount("read-only", "size=64k,ro") / "pcap")

    def test_packet_directory_that_may_not_be_written(self):
        self.check_refused_directory(self.mount("read-only", "size=64k,ro"))

    def test_packet_directory_that_is_a_file(self):
        file = self.lab.path("file")
        file.write_text("precious")
        self.check_refused_directory(file)
        self.assertEqual(file.read_text(), "precious")

    def test_packet_directory_that_everybody_may_write(self):
        folder = self.lab.path("open")
        folder.mkdir()
        folder.chmod(0o777)
        self.check_refused_directory(folder)

    def test_packet_directory_of_another_user(self):
        folder = self.lab.path("foreign")
        folder.mkdir()
        os.chown(folder, 12345, 12345)
        self.check_refused_directory(folder)
        self.assertEqual(folder.stat().st_uid, 12345)

    def test_packet_directory_that_is_a_symbolic_link(self):
        target = self.lab.path("target")
        target.mkdir()
        link = self.lab.path("link")
        link.symlink_to(target)
        self.check_refused_directory(link)
        self.assertEqual(list(target.iterdir()), [])

    def test_packet_directory_with_other_files_is_left_alone(self):
        folder = self.lab.path("documents")
        folder.mkdir()
        (folder / "thesis.txt").write_text("precious")
        self.check_refused_directory(folder)
        self.assertEqual([file.name for file in folder.iterdir()], ["thesis.txt"])
        self.assertEqual(folder.stat().st_uid, 0)

    def test_files_are_not_for_everybody(self):
        watch = self.attach()
        self.send(1)
        self.assertEqual(watch.stop(), 0)
        for path in (self.lab.eve_path, self.lab.pcap_dir, *self.lab.segments()):
            self.assertEqual(path.stat().st_mode & 0o007, 0, path)

    # alerts

    def test_eve_on_a_full_device(self):
        watch = self.attach("--eve", "/dev/full")
        stats = self.send(10)
        self.assertEqual(stats["alerts"]["eve_lost"], 10)
        self.assertIn("EVE", " ".join(self.settled() and self.lab.status()[0]["degraded"]))
        self.assertEqual(watch.stop(), 4, watch.err)
        self.assertRegex(watch.out, r"lost +.*EVE lines: 10")
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

    def check_refused_eve(self, path):
        watch = self.attach("--eve", path)
        self.assertIn(str(path), watch.err)
        self.assertIn("counting and alerting go on", watch.err)
        stats = self.send(10)
        self.assertEqual(stats["alerts"]["eve_lost"], 10)
        self.assertEqual(stats["retained"]["packets"], 10)
        self.assertIn("EVE", " ".join(self.settled() and self.lab.status()[0]["degraded"]))
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
        self.check_refused_eve(link)
        self.assertEqual(target.read_text(), "precious")

    def test_eve_in_a_pipe_that_nobody_reads(self):
        """It fills up; the agent neither hangs nor leaves half a line."""
        pipe = self.lab.path("pipe")
        os.mkfifo(pipe)
        fd = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
        watch = self.attach("--eve", pipe)
        stats = self.send(COUNT, 10)
        self.assertGreater(stats["alerts"]["eve_lost"], 0)
        data = b""
        while True:
            try:
                data += os.read(fd, 65536)
            except BlockingIOError:
                break
        self.assertEqual(watch.stop(), 4, watch.err)
        os.close(fd)
        lines = data.split(b"\n")
        whole = [line for line in lines if line.startswith(b"{") and line.endswith(b"}")]
        self.assertGreaterEqual(len(whole), stats["alerts"]["eve_lines"])
        for line in whole:
            json.loads(line)

    def test_eve_follows_a_file_that_exists(self):
        self.lab.eve_path.parent.mkdir(parents=True)
        self.lab.eve_path.write_text('{"event_type": "stats"}\n')
        watch = self.attach()
        self.send(1)
        self.assertEqual(watch.stop(), 0)
        self.assertEqual([one["event_type"] for one in self.lab.eve()], ["stats", "alert"])

    # overload

    def test_a_ring_that_nobody_empties_is_lost_by_overload_and_told(self):
        self.config.write_text(CONFIG + '[ring]\nsize = "64KiB"\n')
        watch = self.attach()
        os.kill(watch.agents[0], signal.SIGSTOP)
        self.lab.far.send_frames("v1", [netis(10000 + i, bytes(1400)) for i in range(COUNT)])
        counted = wait_for("all seen", lambda: (stats := self.lab.stats())["ingress"]["packets"] == COUNT
                           and stats)
        self.assertGreater(counted["ring"]["pending"], 0)
        self.assertGreater(counted["ring"]["lost"], 0)
        os.kill(watch.agents[0], signal.SIGCONT)
        stats = self.lab.wait_counted(ingress=COUNT)
        self.assert_balanced(stats)
        self.check_packets_add_up(stats)
        self.assertEqual(stats["classes"]["netis"], {"flows": COUNT, "packets": COUNT,
                                                     "bytes": stats["ingress"]["bytes"]})
        self.assertEqual(stats["retained"]["lost_by_overload"], stats["ring"]["lost"])
        self.assertEqual(watch.stop(), 4, watch.err)
        self.assertRegex(watch.out, r"lost +.*ring")


if __name__ == "__main__":
    lab.main(["tshark", "mount"])
