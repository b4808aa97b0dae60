#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Text that means harm: configurations with mistakes, and escape sequences in payloads and names on
their way to the terminal, the messages and the records."""
import json
import os
import re
import signal
import struct
import subprocess

import lab
from lab import Terminal, wait_for
from packets import IPV4, TCP, ethernet, ipv4, netis, tcp

ESC = "\x1b]0;owned\x07\x1b[2J"
HOSTILE = ESC + "\x9b31m\x7f\u202e\r\x00"
SGR = re.compile(rb"\x1b\[[0-9;]*m")


def pcap(frames):
    """A capture file of these frames."""
    out = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    for i, frame in enumerate(frames):
        out += struct.pack("<IIII", 1_700_000_000 + i, 0, len(frame), len(frame)) + frame
    return out


class Configuration(lab.LabCase):
    def write(self, text):
        path = self.lab.path("nids.toml")
        path.write_text(text)
        return path

    def check_problem(self, text, line, column, *wanted):
        """`attach` ends with 1 and `config check` with 3, at the same place."""
        path = self.write(text)
        place = f"{path}:{line}:{column}: "
        for argv, code, stream in ((["attach", "v0", "--config", path], 1, "stderr"),
                                   (["config", "check", path], 3, "stdout")):
            done = self.lab.nids(*argv)
            self.assertEqual(done.returncode, code, done.stderr)
            told = getattr(done, stream)
            self.assertIn(place, told)
            for part in wanted:
                self.assertIn(part, told)
            self.assertNotIn("\x1b", done.stdout + done.stderr)
        self.assertEqual(self.lab.status(), [])

    def test_misspelt_table(self):
        self.check_problem("[rinq]\n", 1, 2, "rinq", "ring")

    def test_misspelt_key(self):
        self.check_problem('[ring]\nsiez = "8MiB"\n', 2, 1, "siez", "size")

    def test_wrong_type(self):
        self.check_problem('[retain]\nenabled = "yes"\n', 2, 11, "true")

    def test_out_of_bounds(self):
        self.check_problem("[classes.ssh]\nseverity = 4\n", 2, 12, "1", "3")

    def test_bad_unit(self):
        self.check_problem('[ring]\nsize = "8 parsecs"\n', 2, 8, "8 parsecs")

    def test_bad_port(self):
        self.check_problem('[classes.ssh]\nports = ["tcp/99999"]\n', 2, 10, "99999")

    def test_syntax(self):
        self.check_problem("[ring\n", 1, 6)

    def test_escape_sequences_in_keys_and_values(self):
        path = self.write('"\\u001b[2Jkey" = 1\n[ring]\nsize = "\\u001b[2J"\n'
                          '[classes."x\\u001b[31m"]\nports = ["tcp/1"]\n')
        for argv in (["config", "check", path], ["attach", "v0", "--config", path]):
            done = self.lab.nids(*argv)
            self.assertIn(done.returncode, (1, 3))
            self.assertNotIn("\x1b", done.stdout + done.stderr)

    def test_no_such_file(self):
        done = self.lab.nids("attach", "v0", "--config", self.lab.path("none.toml"))
        self.assertEqual(done.returncode, 1)
        self.assert_message(done.stderr, "none.toml")

    def test_the_default_file_is_read_and_checked(self):
        path = self.lab.root / "etc/nids-xdp/nids-xdp.toml"
        path.parent.mkdir(parents=True)
        path.write_text("[ring]\nsiez = 1\n")
        done = self.lab.nids("attach", "v0")
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"{path}:2:1: ", done.stderr)

    def test_what_dump_prints_is_a_configuration_without_problems(self):
        path = self.write(self.lab.nids("config", "dump").stdout)
        self.assertEqual(self.lab.nids("config", "check", path).returncode, 0)
        self.assertEqual(self.lab.nids("config", "dump", path).stdout, path.read_text())


class EscapeSequences(lab.LabCase):
    def check_text(self, text):
        self.assertNotRegex(text, r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]")

    def test_payload_on_a_terminal(self):
        """With colour the only escape sequences are ours; without it there is none."""
        payload = HOSTILE.encode()
        for number, (environment, allowed) in enumerate((({}, SGR), ({"NO_COLOR": "1"}, None))):
            self.lab.environment |= environment
            terminal = Terminal(self.lab, self.lab.command("attach", "v0"))
            wait_for("an agent", lambda: any(one["agent"] for one in self.lab.status()))
            self.lab.far.send_frames("v1", [netis(40000 + number, payload), ethernet(IPV4, ipv4(
                TCP, tcp(40000 + number, 23, flags=0x18, payload=payload)))])
            self.lab.wait_counted(ingress=2)
            wait_for("two lines", lambda: terminal.read().count(b"9000:") == 2)
            terminal.process.send_signal(signal.SIGINT)
            self.assertEqual(terminal.process.wait(10), 0)
            shown = terminal.read()
            terminal.close()
            if allowed:
                self.assertIn(b"\x1b[", shown)
                shown = allowed.sub(b"", shown)
            self.assertNotRegex(shown, rb"[\x00-\x09\x0b\x0c\x0e-\x1f\x7f]")
            self.assertNotIn(b"owned", shown)
        raw = self.lab.eve_path.read_bytes()
        self.assertNotRegex(raw, rb"[\x00-\x09\x0b-\x1f\x7f]")
        self.assertEqual(len(self.lab.alerts()), 4)

    def hostile_file(self, frames):
        path = self.lab.path(ESC.replace("/", "") + "\udc9b\udcff.pcap")
        path.write_bytes(pcap(frames))
        return os.fsencode(path)

    def run_bytes(self, *argv):
        done = subprocess.run([*self.lab.near.command(lab.binary()), *argv],
                              capture_output=True, timeout=20, env=self.lab.environment,
                              stdin=subprocess.DEVNULL)
        for text in (done.stdout, done.stderr):
            self.assertNotRegex(text, rb"[\x00-\x09\x0b-\x1f\x7f]")
            text.decode("utf-8")
        return done

    def test_file_names(self):
        path = self.hostile_file([netis(payload=HOSTILE.encode())])
        done = self.run_bytes("pcap", "summary", path)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b"netis", done.stdout)
        done = self.run_bytes("replay", path, "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout)["packets"], 1)
        done = self.run_bytes("replay", path)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_names_in_messages(self):
        damaged = self.hostile_file([netis()])
        with open(damaged, "r+b") as file:
            file.truncate(50)
        for argv, code in ((["replay", damaged, "--json"], 4), (["pcap", "summary", damaged], 4),
                           (["replay", damaged + b"none"], 1), (["pcap", "summary", damaged + b"x"], 1),
                           (["config", "check", damaged], 3), (["config", "dump", damaged + b"x"], 1),
                           (["classes", "--config", damaged + b"x"], 1),
                           (["replay", damaged, "--eve", damaged + b"/x"], 1),
                           (["attach", ESC], 1), (["attach", "--netns", ESC], 1),
                           (["stats", ESC], 1), (["detach", ESC], 1),
                           (["attach", "v0", "--class", ESC], 2), (["attach", "v0", "--for", ESC], 2),
                           (["attach", "v0", "--snap", ESC], 2)):
            with self.subTest(argv=argv):
                done = self.run_bytes(*argv)
                self.assertEqual(done.returncode, code, done.stderr)

    def test_names_of_interfaces(self):
        """Linux takes an escape character in an interface's name."""
        name = "e\x1b[31m"
        self.lab.near.ip("link", "set", "v0", "down")
        done = self.lab.near.ip("link", "set", "v0", "name", name, check=False)
        if done.returncode != 0:
            self.skipTest("this kernel or ip takes no such name")
        self.lab.near.ip("link", "set", name, "up")
        watch = self.lab.attach(name)
        self.lab.far.send_frames("v1", [netis()])
        self.lab.wait_alerts(1)
        for argv in (["stats"], ["stats", "--json"], ["stats", name], ["status"], ["status", "--json"],
                     ["attach", name], ["attach", "eth77"]):
            with self.subTest(argv=argv):
                done = self.lab.nids(*argv)
                self.check_text(done.stdout + done.stderr)
        self.assertEqual(watch.stop(), 0)
        self.check_text(watch.out + watch.err)
        self.assertNotIn(b"\x1b", self.lab.eve_path.read_bytes())
        self.lab.near.ip("link", "del", name)

    def test_places_for_packets_and_alerts(self):
        folder = self.lab.path("pcap" + ESC.replace("/", ""))
        watch = self.lab.attach("v0", "--retain", folder, "--eve", str(folder) + "-eve")
        self.lab.far.send_frames("v1", [netis()])
        eve = self.lab.wait_alerts(1, str(folder) + "-eve")
        self.assertEqual(watch.stop(), 0, watch.err)
        self.check_text(watch.out + watch.err)
        self.check_text(eve[0]["capture_file"])


class CaptureFiles(lab.LabCase):
    """Files that are damaged or none, in the words of the contract."""

    def replay(self, data, *options):
        path = self.lab.path("file.pcap")
        path.write_bytes(data)
        return self.lab.nids("replay", path, "--json", *options, via="nsenter")

    def test_good_empty_truncated_and_others(self):
        good = pcap([netis()] * 3)
        for name, data, code in (
                ("good", good, 0), ("no packet", pcap([]), 0), ("ends inside a packet", good[:-5], 4),
                ("ends inside a record header", good[:-len(netis()) - 5], 4), ("empty", b"", 1),
                ("half a header", good[:10], 1), ("text", b"hello, world\n" * 10, 1),
                ("another link type", good[:20] + struct.pack("<I", 147) + good[24:], 1)):
            with self.subTest(name):
                done = self.replay(data)
                self.assertEqual(done.returncode, code, done.stderr)
                if code == 1:
                    self.assertEqual(done.stdout, "")
                    self.assert_message(done.stderr, "file.pcap")
                    continue
                told = json.loads(done.stdout)
                self.assertEqual(told["stats"]["ledger"]["seen"], told["packets"])
                self.assertEqual(bool(done.stderr), code == 4)

    def test_from_standard_input_and_from_a_file_alike(self):
        data = pcap([netis(), netis(40001)])
        path = self.lab.path("file.pcap")
        path.write_bytes(data)
        from_file = json.loads(lab.run(lab.binary(), "replay", path, "--json").stdout)
        done = subprocess.run([lab.binary(), "replay", "-", "--json"], input=data,
                                  capture_output=True, timeout=20)
        self.assertEqual(done.returncode, 0, done.stderr)
        from_pipe = json.loads(done.stdout)
        for one in (from_file, from_pipe):
            for key in ("file", "wall_s"):
                del one[key]
            del one["stats"]["interface"]
        self.assertEqual(from_pipe, from_file)


if __name__ == "__main__":
    lab.main()
