# SPDX-License-Identifier: Apache-2.0
"""What the tests of failing places for alerts and packets share."""
import os

import lab
from lab import wait_for
from packets import netis

CONFIG = '[alert]\nsuppress = "0s"\n'
COUNT = 300


class SinkCase(lab.LabCase):
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

    def disk(self, name):
        """Makes a file system. Between freeze() and thaw() every process that writes there waits."""
        image, folder = self.lab.path(f"{name}.img"), self.lab.path(name)
        folder.mkdir()
        with open(image, "wb") as file:
            file.truncate(64 << 20)
        lab.run("mkfs.ext4", "-q", image)
        lab.run("mount", "-o", "loop", image, folder)
        self.addCleanup(lab.run, "umount", folder, check=False)
        self.addCleanup(self.thaw, folder, check=False)
        return folder

    def freeze(self, folder):
        lab.run("fsfreeze", "-f", folder)

    def thaw(self, folder, **options):
        lab.run("fsfreeze", "-u", folder, **options)

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
                         retained["lost_by_overload"] + retained["lost_by_error"] + retained["held"],
                         count, retained)

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
            return last if last == before and last["retained"]["waiting"] == 0 else None
        return wait_for("counters at rest", is_settled, every=1.2)
