#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Places for packets that fail, run full or are overrun: counting and alerting go on, what is lost is
counted and told, and the exit code says that something was."""
import json
import os
import signal
import sqlite3

import lab
from lab import wait_for
from packets import netis
from sinks import CONFIG, COUNT, SinkCase


class PacketDirectory(SinkCase):
    def test_packet_directory_on_a_disk_that_runs_full(self):
        self.config.write_text(CONFIG + "[retain]\nmin_free_percent = 0\n")
        folder = self.mount("small", "size=1m,mode=755")
        watch = self.attach("--retain", folder)
        self.send(900)
        stats = self.settled()
        self.check_packets_add_up(stats, 900)
        self.assertGreater(stats["retained"]["lost_by_error"], 0)
        self.lab.wait_degraded("can't be kept")
        self.assertEqual(watch.stop(), 4, watch.err)
        self.assertRegex(watch.out, r"lost +.*disk")
        self.assertRegex(watch.err, r"cannot write packets that are to be kept: No space left")
        self.assertEqual(len(self.lab.alerts()), 900)
        self.check_whole_pcapng(stats, folder)

    def test_packet_directory_on_a_disk_with_room_again(self):
        self.config.write_text(CONFIG + "[retain]\nmin_free_percent = 0\n")
        folder = self.mount("small", "size=1m,mode=755")
        filler = folder / "filler"
        watch = self.attach("--retain", folder)
        filler.write_bytes(bytes(800 * 1024))
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
        folder = self.mount("medium", "size=64m,mode=755")
        watch = self.attach("--retain", folder)
        (folder / "filler").write_bytes(bytes(52 << 20))
        self.send(900)
        stats = self.settled()
        self.check_packets_add_up(stats, 900)
        self.assertGreater(stats["retained"]["lost_by_error"], 0, "a disk that fills is no policy")
        disk = os.statvfs(folder)
        self.assertGreaterEqual(disk.f_bavail, disk.f_blocks * 0.1)
        self.assertEqual(watch.err.count("retain.min_free_percent"), 1, "why, and once")
        self.assertGreater(stats["retained"]["packets"], 0)
        self.assertEqual(watch.stop(), 4, watch.err)
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

    def test_an_index_that_somebody_holds_is_written_once_he_lets_go(self):
        watch = self.attach()
        self.send(10)
        self.lab.wait_written()
        holder = sqlite3.connect(self.lab.pcap_dir / "index.sqlite", isolation_level=None)
        self.addCleanup(holder.close)
        holder.execute("BEGIN IMMEDIATE")
        self.lab.far.send_frames("v1", [netis(20000 + i) for i in range(10)])
        self.lab.wait_degraded("without an index")  # it waits for 5 s before it says so
        self.assertIn("cannot write the index of kept packets: database is locked", watch.err)
        holder.execute("ROLLBACK")

        def known():
            return json.loads(self.lab.nids("alerts", "--json").stdout)
        wait_for("the index to be written", lambda: len(known()) == 20)
        self.assertTrue(all(alert["place"] for alert in known()))
        wait_for("status to say no more of it", lambda: self.lab.status()[0]["degraded"] == [])
        self.assertEqual(self.lab.stats()["alerts"]["not_indexed"], 0)
        self.assertEqual(watch.stop(), 0, watch.err)
        self.assertEqual(watch.err.count("cannot write the index"), 1, watch.err)

    def test_budget(self):
        # All packets fit into the ring, however long the machine keeps the agent from it.
        self.config.write_text(CONFIG + '[ring]\nsize = "16MiB"\n'
                               '[retain]\nbudget = "2MiB"\nsegment = "1MiB"\n')
        watch = self.attach()
        self.send(3000)
        stats = self.settled()
        self.check_packets_add_up(stats, 3000)
        self.assertGreater(stats["retained"]["deleted_by_policy"], 0)
        self.assertEqual(watch.stop(), 0, watch.err)
        size = sum(segment.stat().st_size for segment in self.lab.segments())
        self.assertLessEqual(size, 2 << 20)
        self.assertGreater(size, 1 << 20)
        kept = sum(len(lab.tshark_pcap(segment)) for segment in self.lab.segments())
        self.assertEqual(kept, stats["retained"]["packets"] - stats["retained"]["deleted_by_policy"])

    def check_refused_directory(self, folder):
        watch = self.attach("--retain", folder)
        self.assertIn(str(folder), watch.err)
        self.assertIn("counting and alerting go on", watch.err)
        stats = self.send(10)
        self.check_packets_add_up(stats, 10)
        self.assertEqual(stats["retained"]["lost_by_error"], 10)
        self.lab.wait_degraded("can't be kept")
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
        for name in (link, f"{link}/", f"{link}/.", f"{link}/.//"):
            done = self.lab.nids("attach", "v0", "--retain", name, "--for", "100ms")
            self.assertEqual(done.returncode, 0, done.stderr)  # nothing came, so nothing was lost
            self.assertIn(f"{link}: it is a symbolic link", done.stderr)
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


class Overload(SinkCase):
    def test_a_ring_that_nobody_empties_is_lost_by_overload_and_told(self):
        self.config.write_text(CONFIG + '[ring]\nsize = "256KiB"\n')
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
        netis_sum, ring = stats["classes"]["netis"], stats["ring"]
        self.assertEqual((netis_sum["flows"], netis_sum["packets"]), (COUNT, COUNT))
        self.assertEqual(netis_sum["bytes"], stats["ingress"]["bytes"])
        self.assertEqual(netis_sum["lost"], ring["lost"])
        self.assertEqual(netis_sum["lost_bytes"] * COUNT, netis_sum["bytes"] * ring["lost"])
        self.assertEqual(ring["lost_by_reason"]["inspect"]["packets"], ring["lost"])
        self.assertEqual(stats["retained"]["lost_by_overload"], stats["ring"]["lost"])
        self.assertEqual(watch.stop(), 4, watch.err)
        self.assertRegex(watch.out, r"lost +.*ring")


if __name__ == "__main__":
    lab.main(["tshark", "mount"])
