#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What was kept is found again: `alerts`, `pcap list` and `pcap export` beside a running agent and
after it, into files, pipes and Wireshark's tools."""
import json
import os
import signal
import struct
import subprocess

import lab
from lab import wait_for
from packets import netis
from sinks import SinkCase

NETIS = 53413


class Ask(SinkCase):
    def kept(self, count=20, stop=True):
        """An agent that has kept so many packets, a flow and an alert each."""
        watch = self.attach()
        self.send(count, size=100)
        if stop:
            self.assertEqual(watch.stop(), 0, watch.err)
        return watch

    def alerts(self, *options):
        return json.loads(self.ask("alerts", "--json", *options).stdout)

    def ask(self, *argv, code=0, **options):
        done = self.lab.nids(*argv, **options)
        self.assertEqual(done.returncode, code, done.stderr)
        return done

    def export(self, *options, code=0, name="out.pcapng"):
        path = self.lab.path(name)
        return path, self.ask("pcap", "export", *options, "-o", path, code=code)

    def test_each_alert_leads_to_the_packet_that_was_sent(self):
        watch = self.attach()
        sent = {20000 + i: netis(20000 + i, os.urandom(100 + i)) for i in range(20)}
        self.lab.far.send_frames("v1", sent.values())
        self.lab.wait_counted(ingress=len(sent))
        self.assertEqual(watch.stop(), 0, watch.err)
        alerts = self.alerts()
        self.assertEqual({one["src_port"] for one in alerts}, set(sent))
        for alert in alerts:
            path, _ = self.export("--alert", alert["id"])
            frames = lab.tshark_pcap(path)
            self.assertEqual([frame.data for frame in frames], [sent[alert["src_port"]]])
            path, _ = self.export("--flow", alert["community_id"])
            self.assertEqual(lab.tshark_pcap(path), frames)
            self.assertEqual(lab.tshark_fields(path, "communityid")[0]["communityid"],
                             alert["community_id"])

    def test_wiresharks_tools_take_what_is_exported_and_keep_its_comments(self):
        self.kept()
        path, done = self.export("--filter", f"udp port {NETIS}")
        self.assertIn("20 packets, ", done.stderr)
        self.assertIn("Number of packets:   20", lab.run("capinfos", path).stdout)
        merged, edited = self.lab.path("merged.pcapng"), self.lab.path("edited.pcapng")
        lab.run("mergecap", "-w", merged, path, path)
        lab.run("editcap", path, edited)
        for file, count in ((path, 20), (merged, 40), (edited, 20)):
            comments = [one["frame.comment"] for one in lab.tshark_fields(file, "frame.comment")]
            self.assertEqual(len(comments), count)
            for comment in comments:
                self.assertIn("[9000:", comment)
        summary = self.ask("pcap", "summary", path).stdout.splitlines()
        self.assertEqual(len(summary), 20)
        self.assertRegex(summary[0], r"class netis .*# .*\[9000:\d+\] severity")

    def test_replay_of_an_export_raises_the_same_alert(self):
        self.kept(3)
        alert = self.alerts()[1]
        path, _ = self.export("--alert", alert["id"])
        again = self.ask("replay", "--eve", "-", path).stdout
        raised = [line for line in again.splitlines() if '"event_type":"alert"' in line]
        self.assertEqual(len(raised), 1, again)
        told = json.loads(raised[0])
        for key in ("src_ip", "src_port", "dest_ip", "dest_port", "community_id"):
            self.assertEqual(told[key], alert[key])
        self.assertEqual(told["alert"]["signature_id"], alert["alert"]["signature_id"])

    def test_pcap_has_the_same_packets_and_times(self):
        self.kept()
        new, _ = self.export("--filter", "udp")
        old, _ = self.export("--filter", "udp", "--format", "pcap", name="out.pcap")
        self.assertEqual(struct.unpack_from("<I", old.read_bytes())[0], 0xA1B23C4D)
        self.assertEqual(lab.tshark_fields(new, "frame.time_epoch", "udp.srcport"),
                         lab.tshark_fields(old, "frame.time_epoch", "udp.srcport"))
        self.assertEqual(lab.read_pcap(old), lab.tshark_pcap(new))

    def test_an_export_without_packets_is_a_capture_file(self):
        self.kept(1)
        for form in ("pcapng", "pcap"):
            path, done = self.export("--filter", "tcp", "--format", form, name=f"none.{form}")
            self.assertIn("0 packets, ", done.stderr)
            self.assertEqual(self.ask("pcap", "summary", path).stdout, "")
            self.assertEqual(json.loads(self.ask("replay", "--json", path).stdout)["packets"], 0)
            self.assertEqual(lab.tshark_pcap(path), [])

    def test_a_pipe_may_take_all_or_only_the_beginning(self):
        self.kept()
        command = self.lab.command("pcap", "export", "--filter", "udp", "-o", "-")
        shell = " ".join(command)
        read = lab.run("bash", "-c", f"{shell} | tshark -r - -T fields -e udp.srcport; "
                       'echo "${PIPESTATUS[0]}"', env=self.lab.environment)
        self.assertEqual(len(read.stdout.split()), 21)
        self.assertEqual(read.stdout.split()[-1], "0")
        self.kept_much()
        cut = lab.run("bash", "-c", f'{shell} | head -c 100 >/dev/null; echo "${{PIPESTATUS[0]}}"',
                      env=self.lab.environment)
        self.assertEqual(cut.stdout.strip(), "0")
        self.assertEqual(cut.stderr, "")
        cut = lab.run("bash", "-c", " ".join(self.lab.command("alerts")) +
                      ' | head -1 >/dev/null; echo "${PIPESTATUS[0]}"', env=self.lab.environment)
        self.assertEqual((cut.stdout.strip(), cut.stderr), ("0", ""))

    def kept_much(self):
        watch = self.attach()
        self.send(1000)
        self.assertEqual(watch.stop(), 0, watch.err)

    def test_a_terminal_gets_no_packets(self):
        self.kept(1)
        terminal = lab.Terminal(self.lab, self.lab.command("pcap", "export", "--filter", "udp",
                                                           "-o", "-"))
        self.assertEqual(terminal.process.wait(10), 2)
        self.assertEqual(terminal.read(), b"")
        self.assertIn("wireshark", terminal.err_path.read_text())
        terminal.close()

    def test_a_full_disk_leaves_nothing_behind(self):
        self.kept_much()
        folder = self.mount("small", "size=64k")
        done = self.ask("pcap", "export", "--filter", "udp", "-o", folder / "out.pcapng", code=1)
        self.assert_message(done.stderr, "No space left on device", str(folder / "out.pcapng"))
        self.assertEqual(list(folder.iterdir()), [])

    def test_what_is_gone_or_damaged_is_said(self):
        self.config.write_text(self.config.read_text() + '[retain]\nbudget = "8MiB"\nsegment = "1MiB"\n')
        self.kept_much()
        segments = self.lab.segments()
        self.assertGreater(len(segments), 1)
        segments[0].unlink()
        with open(segments[-1], "r+b") as file:
            file.seek(segments[-1].stat().st_size // 2)
            file.write(bytes(4096))  # of the ends of some blocks, wherever they are
        _, done = self.export("--filter", "udp", code=4)
        self.assertIn(segments[-1].name, done.stderr)
        _, done = self.export("--alert", self.alerts()[0]["id"], code=4)
        self.assertIn("deleted meanwhile", done.stderr)

    def test_what_an_agent_keeps_is_found_while_it_runs_and_followed(self):
        watch = self.attach()
        self.send(3, size=100)
        wait_for("three alerts in the index", lambda: len(self.alerts()) == 3)
        path = self.lab.path("followed")
        with open(path, "wb") as out:
            follow = self.lab.start(*self.lab.command("alerts", "follow", "--json"), stdout=out,
                                    stderr=subprocess.STDOUT)
        wait_for("an open index", lambda: any(
            "index.sqlite" in os.readlink(link) for link in self.descriptors(follow.pid)))
        # It begins with those that come after its first look, which is not to be seen from here.
        ports = iter(range(40000, 60000))

        def is_told():
            self.lab.far.send_frames("v1", [netis(next(ports))])
            return path.read_text().endswith("\n")
        wait_for("a line", is_told, every=0.5)
        told = [json.loads(line) for line in path.read_text().splitlines()]
        self.assertGreater(told[0]["id"], 3)
        self.assertGreaterEqual(told[0]["src_port"], 40000)
        # An index that was made anew is found by itself.
        self.assertEqual(watch.stop(), 0, watch.err)
        for file in self.lab.pcap_dir.glob("index.sqlite*"):
            file.unlink()
        self.ask("pcap", "reindex")
        watch = self.attach()
        size = path.stat().st_size
        self.lab.far.send_frames("v1", [netis(next(ports))])
        wait_for("a line more", lambda: path.stat().st_size > size)
        self.assertGreater(json.loads(path.read_text().splitlines()[-1])["id"], told[-1]["id"])
        follow.send_signal(signal.SIGINT)
        self.assertEqual(follow.wait(5), 0)
        self.assertEqual(watch.stop(), 0, watch.err)

    @staticmethod
    def descriptors(pid):
        folder = f"/proc/{pid}/fd"
        return [os.path.join(folder, name) for name in os.listdir(folder)
                if os.path.lexists(os.path.join(folder, name))]

    def test_a_replay_that_is_ended_has_kept_what_it_read(self):
        frames = [netis(10000 + i, bytes(1000)) for i in range(500)]
        capture = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1) + b"".join(
            struct.pack("<IIII", 1_700_000_000 + i, 0, len(frame), len(frame)) + frame
            for i, frame in enumerate(frames))
        folder = self.lab.path("replayed")
        with open(self.lab.path("replay.err"), "wb") as err:
            replay = self.lab.start(*self.lab.command("replay", "--retain", folder, "--json", "-"),
                                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=err)
        replay.stdin.write(capture)
        replay.stdin.flush()  # and no end of the file
        wait_for("kept packets", lambda: any(
            file.stat().st_size > 100_000 for file in folder.glob("*.pcapng")) if folder.exists()
            else False)
        replay.send_signal(signal.SIGINT)
        self.assertEqual(replay.wait(10), 4)
        told = json.loads(replay.stdout.read())
        replay.stdin.close()
        replay.stdout.close()
        kept = told["stats"]["retained"]["packets"]
        self.assertGreater(kept, 100)
        listed = json.loads(self.ask("alerts", "--json", "--retain", folder).stdout)
        self.assertEqual(len(listed), told["alerts"])
        self.assertEqual(sum(len(lab.tshark_pcap(file)) for file in folder.glob("*.pcapng")), kept)

    def test_times_choose_and_show_tells_the_export(self):
        self.kept(2)
        self.assertEqual(len(self.alerts("--since", "1h")), 2)
        self.assertEqual(self.alerts("--since", "2099-01-01"), [])
        self.assertIn("2 flows", self.ask("pcap", "list", "--since", "-1h").stdout)
        alert = self.alerts()[0]
        shown = self.ask("alerts", "show", alert["id"]).stdout
        command = shown.split("export", 1)[1].strip().splitlines()[0].split()
        self.assertEqual(command[:3], ["nids-xdp", "pcap", "export"])
        done = self.ask(*command[1:-1], self.lab.path("told.pcapng"))
        self.assertIn("1 packet, ", done.stderr)

    def test_a_lost_index_is_made_anew(self):
        self.kept(5)
        before = self.alerts()
        for file in self.lab.pcap_dir.glob("index.sqlite*"):
            file.unlink()
        self.assertIn("pcap reindex", self.ask("alerts", code=1).stderr)
        self.assertIn("5 packets and 5 alerts", self.ask("pcap", "reindex").stderr)
        self.assertEqual(self.alerts(), before)
        watch = self.kept(2, stop=False)  # the agent's user goes on with what root has made
        done = self.ask("pcap", "reindex", code=1)
        self.assertIn("agent", done.stderr)
        self.assertEqual(watch.stop(), 0, watch.err)
        self.assertEqual([one["id"] for one in self.alerts()], [1, 2, 3, 4, 5, 6, 7])

    def test_without_rights_the_hint_is_sudo(self):
        self.kept(1)
        self.lab.path(".").chmod(0o755)
        uid = 12345
        done = lab.run("setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups",
                       lab.binary(), "alerts", check=False, env=self.lab.environment)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("run it with sudo", done.stderr)


if __name__ == "__main__":
    lab.main(["tshark", "mount", "bash", "setpriv"])
