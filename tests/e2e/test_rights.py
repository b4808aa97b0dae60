#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Who reads and repairs kept packets: the agent's user, also where root asks. What stands in their
directory may have been prepared by an agent that was taken over."""
import json
import os
import pathlib
import signal
import subprocess

import lab
from lab import wait_for
from packets import netis
from sinks import SinkCase


class Rights(SinkCase):
    def kept(self, *options, count=5):
        watch = self.attach(*options)
        self.send(count, size=100)
        self.assertEqual(watch.stop(), 0, watch.err)

    def ask(self, *argv, code=0):
        done = self.lab.nids(*argv)
        self.assertEqual(done.returncode, code, done.stderr)
        return done

    def alerts(self, *options):
        return json.loads(self.ask("alerts", "--json", *options).stdout)

    def test_root_becomes_the_owner_of_the_directory(self):
        self.kept()
        owner = self.lab.pcap_dir.stat().st_uid
        self.assertNotEqual(owner, 0)
        follow = self.lab.start(*self.lab.command("alerts", "follow"), stdout=subprocess.DEVNULL)

        def status():
            lines = pathlib.Path(f"/proc/{follow.pid}/status").read_text("ascii").splitlines()
            return dict(line.split(":\t", 1) for line in lines)

        def takes_sigint():
            return (int(status()["SigCgt"], 16) | int(status()["SigBlk"], 16)) & 1 << signal.SIGINT - 1
        wait_for("another user", lambda: status()["Uid"].split() == [str(owner)] * 4)
        self.assertEqual(int(status()["CapPrm"], 16), 0)
        self.assertEqual(status()["NoNewPrivs"], "1")
        self.assertEqual(status()["Groups"].strip(), "")
        wait_for("a handler of SIGINT", takes_sigint)
        follow.send_signal(signal.SIGINT)
        self.assertEqual(follow.wait(5), 0)

    def test_an_export_goes_where_only_root_may_write(self):
        self.kept()
        folder = self.lab.path("of-root")
        folder.mkdir(mode=0o700)
        path = folder / "out.pcapng"
        for _ in range(2):  # the second replaces the first
            self.ask("pcap", "export", "--filter", "udp", "-o", path)
            self.assertEqual(len(lab.tshark_pcap(path)), 5)
            self.assertEqual((path.stat().st_uid, path.stat().st_mode & 0o777), (0, 0o600))
        self.ask("pcap", "export", "--alert", "4711", "-o", folder / "none", code=1)
        self.assertEqual(os.listdir(folder), ["out.pcapng"])

    def test_directories_above_that_only_root_may_enter(self):
        closed = self.lab.path("closed")
        closed.mkdir(mode=0o700)
        folder = closed / "packets"
        self.kept("--retain", folder)
        self.assertEqual(len(self.alerts("--retain", folder)), 5)
        for file in folder.glob("index.sqlite*"):
            file.unlink()
        self.assertIn("5 packets", self.ask("pcap", "reindex", "--retain", folder).stderr)
        watch = self.attach("--retain", folder)
        self.lab.far.send_frames("v1", [netis(41000)])
        wait_for("an alert more", lambda: len(self.alerts("--retain", folder)) == 6)
        self.assertEqual(watch.stop(), 0, watch.err)
        self.assertNotIn("index", watch.err)

    def test_what_was_prepared_for_root_gains_nothing(self):
        """A segment that is another name of a file of root's, and the index likewise."""
        self.kept()
        segment, = self.lab.segments()
        secret, torn = self.lab.path("secret"), segment.read_bytes()[:-7]
        secret.write_bytes(torn)
        secret.chmod(0o600)
        index = self.lab.pcap_dir / "index.sqlite"
        database = self.lab.path("database")
        database.write_bytes(index.read_bytes())
        database.chmod(0o600)
        for file in self.lab.pcap_dir.glob("index.sqlite*"):
            file.unlink()
        os.link(database, index)
        os.link(secret, self.lab.pcap_dir / segment.name.replace("-000001", "-000002"))
        watch = self.attach()
        self.assertEqual(watch.stop(), 0, watch.err)
        self.assertIn("-000002", watch.err)
        self.assertIn("made anew", watch.err)
        self.ask("pcap", "reindex", code=4)
        exported = self.lab.path("all.pcapng")
        done = self.ask("pcap", "export", "--filter", "udp", "-o", exported, code=4)
        self.assertIn("Permission denied", done.stderr)
        self.assertEqual(len(lab.tshark_pcap(exported)), 5)
        for file in (secret, database):
            self.assertEqual((file.stat().st_uid, file.stat().st_mode & 0o777), (0, 0o600))
        self.assertEqual(secret.read_bytes(), torn)

    def test_the_owners_group_may_ask(self):
        self.kept()
        group = self.lab.pcap_dir.stat().st_gid

        def count():
            done = lab.run("setpriv", "--reuid=12345", f"--regid={group}", "--clear-groups",
                           lab.binary(), "alerts", "--json", check=False, env=self.lab.environment)
            self.assertEqual(done.returncode, 0, done.stderr)
            return len(json.loads(done.stdout))
        self.assertEqual(count(), 5, "after the agent's end")
        watch = self.attach()
        self.lab.far.send_frames("v1", [netis(41000)])
        wait_for("an alert more", lambda: count() == 6)
        self.assertEqual(watch.stop(), 0, watch.err)


if __name__ == "__main__":
    lab.main(["tshark", "setpriv"])
