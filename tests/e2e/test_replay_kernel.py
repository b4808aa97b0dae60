#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`replay --kernel`: the program in the kernel says of a capture file what its native twin says, byte
for byte: JSON, EVE, kept packets, messages and exit code. Captures are made here, frame by frame."""
import contextlib
import json
import os
import pathlib
import random
import shutil
import socket
import struct
import subprocess
import tempfile
import unittest

import lab
from lab import FAR_IP, FAR_IP6, NEAR_IP, NEAR_IP6, wait_for
from packets import (ARP, ICMP, IPV4, IPV6, LLDP, QTAG, STAG, TCP, UDP, arp, dull, ethernet, icmp_echo,
                     ipv4, ipv6, netis, tcp, udp)

ETHERNET, NULL, PPP, PPP_SERIAL, RAW, LOOP = 1, 0, 9, 50, 101, 108
SLL, ONLY_IPV4, ONLY_IPV6, SLL2 = 113, 228, 229, 276
NS = 1_000_000_000
START = 1_700_000_000 * NS
MORE_FRAGMENTS = 0x2000
SYN, FIN_ACK, ACK, RST = 0x02, 0x11, 0x10, 0x04


def pcap(frames, link=ETHERNET, step=1_234_567):
    """`frames`: bytes, or (bytes, bytes on the wire), or (bytes, bytes on the wire, time in ns)."""
    data = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, link)
    for i, one in enumerate(frames):
        frame, wire, time = (*(one if isinstance(one, tuple) else (one,)), None, None)[:3]
        seconds, ns = divmod(START + i * step if time is None else time, NS)
        data += struct.pack("<IIII", seconds, ns, len(frame), len(frame) if wire is None else wire) + frame
    return data


def simple_packets(frames, snap_len, order):
    """A pcapng file of Simple Packet Blocks, which have no captured length."""
    def block(kind, body):
        total = struct.pack(f"{order}I", len(body) + 12)
        return struct.pack(f"{order}I", kind) + total + body + total
    data = block(0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1))
    data += block(1, struct.pack(f"{order}HHI", ETHERNET, 0, snap_len))
    for frame in frames:
        held = frame[:snap_len or None]
        data += block(3, struct.pack(f"{order}I", len(frame)) + held + bytes(-len(held) % 4))
    return data


def packets_v4():
    """The network header and what it carries."""
    back = {"source": NEAR_IP, "target": FAR_IP}
    yield ipv4(TCP, tcp(40000, 22, SYN))
    yield ipv4(TCP, tcp(22, 40000, SYN | ACK, options=b"\x02\x04\x05\xb4"), **back)
    yield ipv4(TCP, tcp(40000, 22, ACK, bytes(1000)))
    yield ipv4(TCP, tcp(40000, 22, FIN_ACK))
    yield ipv4(TCP, tcp(40000, 22, SYN))
    yield ipv4(TCP, tcp(443, 40001, SYN | ACK), **back)
    yield ipv4(TCP, tcp(40002, 23, SYN), options=b"\x94\x04\x00\x00")
    yield ipv4(UDP, udp(40003, 53413))
    yield ipv4(UDP, udp(53413, 53, b"dns"))
    yield ipv4(UDP, udp(40004, 69, bytes(400)), fragment=MORE_FRAGMENTS)
    yield ipv4(UDP, bytes(400), fragment=52)
    yield ipv4(ICMP, icmp_echo(7, 1))
    yield ipv4(132, struct.pack("!HHII", 5060, 5060, 1, 0))
    yield ipv4(2, bytes(8))
    yield ipv4(47, bytes(40))
    yield ipv4(TCP, tcp(40005, 22, SYN), ihl=3)
    yield ipv4(TCP, tcp(40005, 22, SYN, offset=4))
    yield ipv4(TCP, tcp(40005, 22, SYN), total=1500)
    yield ipv4(UDP, udp(40005, 69, length=4))


def packets_v6():
    fragment = struct.pack("!BBHI", UDP, 0, 1, 99)
    later = struct.pack("!BBHI", UDP, 0, 8 * 25 | 1, 99)
    yield ipv6(TCP, tcp(40000, 22, SYN))
    yield ipv6(TCP, tcp(22, 40000, RST | ACK), source=NEAR_IP6, target=FAR_IP6)
    yield ipv6(0, bytes([60, 0, 1, 4, 0, 0, 0, 0]) + bytes([UDP, 0, 1, 4, 0, 0, 0, 0]) + udp(40001, 53413))
    yield ipv6(44, fragment + udp(40002, 69, bytes(192)))
    yield ipv6(44, later + bytes(200))
    yield ipv6(58, struct.pack("!BBHHH", 128, 0, 0, 7, 1) + b"ping")
    yield ipv6(TCP, tcp(40003, 22, SYN), length=4000)
    yield ipv6(0, bytes([0, 0, 1, 4, 0, 0, 0, 0]) * 9 + udp(40001, 53413))
    yield ipv6(0, bytes([0, 0, 1, 4, 0, 0, 0, 0]) * 193 + udp(40001, 53413))


def frames():
    """On Ethernet."""
    yield from (ethernet(IPV4, one) for one in packets_v4())
    yield from (ethernet(IPV6, one) for one in packets_v6())
    for count in range(1, 5):
        tags = [(STAG if i == 0 else QTAG, 100 + i) for i in range(count)]
        yield ethernet(IPV4, ipv4(TCP, tcp(40000 + count, 22, SYN)), tags)
        yield ethernet(IPV6, ipv6(UDP, udp(40000 + count, 53413)), tags)
    yield ethernet(ARP, arp())
    yield ethernet(ARP, arp()[:4])
    yield ethernet(ARP, arp()[:20])
    yield ethernet(LLDP, bytes(46))
    yield ethernet(IPV4, ipv4(TCP, tcp(40020, 22, SYN)) + b"padding, not payload")


def mutations(originals, count, seed):
    """The same for the same seed."""
    dice = random.Random(seed)
    for _ in range(count):
        frame = bytearray(dice.choice(originals))
        for _ in range(dice.randint(1, 3)):
            if frame and dice.random() < 0.8:
                frame[dice.randrange(min(len(frame), 80))] = dice.choice((dice.randrange(256), 0, 0xFF))
            else:
                frame = frame[:dice.randint(0, len(frame))] + dice.randbytes(dice.randrange(20))
        yield bytes(frame), len(frame) + dice.choice((0, 0, 0, 1, 40, 2000))


def long_frame(i, size):
    """Of a flow of its own."""
    return ethernet(IPV4, ipv4(TCP, tcp(20000 + i, 22, ACK, bytes(size - 54))[:65515]) +
                    bytes(max(0, size - 14 - 65535)))


class Replayed:
    """What one replay left: exit code, JSON without its wall time, messages, and every file."""

    def __init__(self, folder, capture, *options, stdin=subprocess.DEVNULL):
        # Paths stand in the records, so each replay has the same ones.
        place = folder / "out"
        place.mkdir()
        done = lab.run(lab.binary(), "replay", *options, capture, "--json", "--eve", place / "eve.json",
                       "--retain", place / "pcap", check=False, stdin=stdin)
        self.code, self.err, self.out = done.returncode, done.stderr, done.stdout
        self.json = json.loads(done.stdout) if done.stdout else {}
        self.json.pop("wall_s", None)
        # SQLite's shared memory holds numbers drawn at random.
        self.files = {str(file.relative_to(place)): file.read_bytes()
                      for file in sorted(place.rglob("*"))
                      if file.is_file() and file.suffix != ".sqlite-shm"}
        shutil.rmtree(place)


class Case(unittest.TestCase):
    maxDiff = 20000

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"nids-replay-{os.getpid()}-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.folder.chmod(0o755)

    def file(self, data, name="capture.pcap"):
        path = self.folder / name
        path.write_bytes(data)
        return path

    def config(self, text):
        path = self.folder / "nids.toml"
        path.write_text(text)
        return ["--config", path]

    def assert_same(self, data, *options, code=0, alerts=True):
        """Replays both ways; returns the JSON."""
        path = self.file(data)
        twin = Replayed(self.folder, path, *options)
        kernel = Replayed(self.folder, path, *options, "--kernel")
        self.assertEqual(kernel.json, twin.json)
        self.assertEqual(kernel.err, twin.err)
        self.assertEqual((kernel.code, twin.code), (code, code), kernel.err)
        self.assertEqual(list(kernel.files), list(twin.files))
        for name, content in twin.files.items():
            self.assertEqual(kernel.files[name], content, name)
        self.assertEqual(kernel.json["not_taken"], 0)
        self.assertEqual(kernel.json["stats"]["ledger"]["seen"], kernel.json["packets"])
        self.assertEqual(kernel.json["stats"]["ring"]["lost"], 0)
        if alerts:
            self.assertGreater(kernel.json["alerts"], 0)
            self.assertTrue(kernel.files["eve.json"])
            self.assertTrue(any(name.endswith(".pcapng") for name in kernel.files))
        return kernel.json


class SameAsTheTwin(Case):
    def test_ethernet_of_every_kind(self):
        stats = self.assert_same(pcap(frames()))["stats"]
        empty = [name for name, count in stats["parse"].items() if count == 0]
        self.assertEqual(empty, ["unavailable", "mpls", "pppoe", "geneve"])
        self.assertGreater(stats["flow_table"]["exported"], 0, "a SYN after a FIN begins a flow")

    def test_every_link_type(self):
        for link, v4, v6 in ((RAW, b"", b""), (ONLY_IPV4, b"", None), (ONLY_IPV6, None, b""),
                             (NULL, struct.pack("<I", 2), struct.pack("<I", 10)),
                             (NULL, struct.pack(">I", 2), struct.pack(">I", 28)),
                             (LOOP, struct.pack(">I", 2), struct.pack(">I", 24)),
                             (SLL, bytes.fromhex("0000 0001 0006 020000000001 0000 0800"),
                              bytes.fromhex("0000 0001 0006 020000000001 0000 86dd")),
                             (SLL2, bytes.fromhex("0800 0000 00000002 0001 00 06 0200000000010000"),
                              bytes.fromhex("86dd 0000 00000002 0001 00 06 0200000000010000")),
                             (PPP, b"\x21", b"\x57"), (PPP, b"\x00\x21", b"\x00\x57"),
                             (PPP, b"\xff\x03\x00\x21", b"\xff\x03\x00\x57"),
                             (PPP_SERIAL, b"\xff\x03\x00\x21", b"\x8f\x00\x86\xdd")):
            taken = []
            if v4 is not None:
                taken += [v4 + one for one in packets_v4()]
            if v6 is not None:
                taken += [v6 + one for one in packets_v6()]
            link_bytes = len(v4 or v6 or b"")
            short = [taken[0][:length] for length in range(link_bytes + 25)]
            with self.subTest(link=link, header=v4):
                got = self.assert_same(pcap(taken + short, link))
                self.assertEqual(got["bytes"], sum(map(len, taken + short)), "no byte that was made up")

    def test_vlan_tags_behind_a_cooked_header(self):
        head = bytes.fromhex("0000 0001 0006 020000000001 0000 8100")
        tagged = [head + struct.pack("!HH", 7, IPV4) + one for one in packets_v4()]
        self.assert_same(pcap(tagged, SLL))

    def test_simple_packet_blocks(self):
        """The result equals that of the same packets in a pcap file, for each snap length."""
        made = list(frames())
        for order in "<>":
            for snap_len in (0, 61):
                with self.subTest(order=order, snap_len=snap_len):
                    data = simple_packets(made, snap_len, order)
                    got = self.assert_same(data)
                    wanted = self.assert_same(pcap([(frame[:snap_len or None], len(frame), 0)
                                                    for frame in made]))
                    self.assertEqual(got["stats"], wanted["stats"])
                    path = self.file(data)
                    summary = lab.run(lab.binary(), "pcap", "summary", path).stdout.splitlines()
                    self.assertEqual([int(line.split()[2]) for line in summary],
                                     [len(frame) for frame in made])
                    self.assertEqual([one.data for one in lab.tshark_pcap(path)],
                                     [frame[:snap_len or None] for frame in made])

    def test_frames_cut_at_every_length(self):
        """By the sender, and by the capture's snap length: truncated is not unavailable."""
        cut = [frame[:length] for frame in frames() for length in range(min(len(frame), 90))]
        truncated = self.assert_same(pcap(cut))["stats"]["parse"]
        snapped = [(frame[:length], len(frame)) for frame in frames()
                   for length in range(min(len(frame), 90))]
        unavailable = self.assert_same(pcap(snapped))["stats"]["parse"]
        self.assertEqual(truncated["unavailable"], 0)
        self.assertGreater(truncated["truncated"], 100)
        self.assertGreater(unavailable["unavailable"], 100)
        self.assertGreater(unavailable["ok"], truncated["ok"], "headers are whole, only payload is cut")

    def test_frames_changed_by_chance(self):
        originals = list(frames())
        self.assert_same(pcap(mutations(originals, 20000, 1)))
        self.assert_same(pcap(mutations([one[14:] for one in originals], 10000, 2), RAW))
        self.assert_same(pcap(mutations([bytes(14) + one[12:] for one in originals], 10000, 3), SLL))

    def test_long_frames(self):
        sizes = [100, 256, 257, 2048, 2049, 3072, 3073, 3440, 3520, 4096, 9000, 16384, 16385, 65535, 65536, 65600, 74000,
                 100_000, 262_144]
        made = [long_frame(i, size) for i, size in enumerate(sizes)]
        got = self.assert_same(pcap(made + [(one, 3_000_000_000) for one in made]))
        self.assertEqual(got["stats"]["parse"]["ok"], 2 * len(made))

    def test_snap_of_the_configuration(self):
        for snap in (64, 100, 256, 257, 3000, 65600):
            with self.subTest(snap=snap):
                self.assert_same(pcap(frames()), *self.config(f'[ring]\nsnap = "{snap}B"\n'))

    def test_time_that_jumps(self):
        times = [0, 1, 999_999_999, NS, 59 * NS, 119 * NS + 1, 500 * NS, 400 * NS, 2**32 * NS - 1, 7 * NS]
        made = [(one, len(one), at) for at in times for one in (*frames(), netis(), dull())]
        stats = self.assert_same(pcap(made))["stats"]
        self.assertGreater(stats["flow_table"]["exported"], 20, "what was silent for long begins anew")

    def test_time_in_the_records_is_the_packets(self):
        path = self.file(pcap([(netis(), len(netis()), 1_600_000_000 * NS + 123_456_789)]))
        got = Replayed(self.folder, path, "--kernel")
        alert, flow = (json.loads(line) for line in got.files["eve.json"].splitlines())
        self.assertEqual(alert["timestamp"], "2020-09-13T12:26:40.123456+0000")
        self.assertEqual(flow["flow"]["start"][:23], "2020-09-13T12:26:40.123")

    def test_a_table_that_is_full(self):
        dice = random.Random(4)
        made = []
        for _ in range(20000):
            source = socket.inet_ntoa(struct.pack("!I", 0x0A000000 + dice.randrange(2000)))
            port = dice.choice((22, 23, 443, 53413, 9999))
            made.append(ethernet(IPV4, ipv4(TCP, tcp(40000, port, dice.choice((SYN, ACK, FIN_ACK)),
                                                     bytes(dice.randrange(100))), source=source)))
        stats = self.assert_same(pcap(made), *self.config("[flow]\nslots_per_cpu = 1024\n"))["stats"]
        self.assertGreater(stats["flow_table"]["exported"], 1000)
        self.assertEqual(stats["ledger"]["unaccounted"], 0)

    def test_depth(self):
        bulk = [ethernet(IPV4, ipv4(TCP, tcp(40000, 22, ACK, bytes(1400)))) for _ in range(200)]
        stats = self.assert_same(pcap(bulk))["stats"]
        self.assertGreater(stats["retained"]["not_kept_by_policy"], 100)

    def test_a_file_that_ends_inside_a_packet(self):
        self.assert_same(pcap(frames())[:-5], code=4)

    def test_an_empty_capture(self):
        self.assert_same(pcap([]), alerts=False)

    def test_no_capture(self):
        for options in ([], ["--kernel"]):
            done = lab.run(lab.binary(), "replay", self.file(b"no capture"), *options, check=False)
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertTrue(done.stderr.startswith("nids-xdp: cannot read capture file "), done.stderr)


class FarIn(Case):
    def test_headers_far_into_a_frame_are_read(self):
        def chained(next_header, body):
            for _ in range(2):
                body = bytes([next_header, 255, 1, 4]) + bytes(2044) + body
                next_header = 60
            return ethernet(IPV6, ipv6(60, body))
        chain = chained(TCP, tcp(40000, 22, SYN))
        got = self.assert_same(pcap([netis(), chain, (chain[:3100], len(chain)), dull()]))
        self.assertEqual((got["not_taken"], got["packets"]), (0, 4))
        self.assertEqual((got["stats"]["parse"]["ok"], got["stats"]["parse"]["unavailable"]), (3, 1))


class Privileges(Case):
    def start(self, *prefix):
        """A replay that waits for its first byte."""
        process = subprocess.Popen([*prefix, lab.binary(), "replay", "--kernel", "--json", "-"],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def check_dropped_before_reading(self, process):
        status = pathlib.Path(f"/proc/{process.pid}/status")

        def fields():
            self.assertIsNone(process.poll(), process.poll() is not None and process.stderr.read())
            return dict(line.split(":\t", 1) for line in status.read_text().splitlines() if ":\t" in line)
        now = wait_for("no_new_privs", lambda: (got := fields())["NoNewPrivs"] == "1" and got)
        for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            self.assertEqual(int(now[name], 16), 0, name)
        self.assertNotIn("0", now["Uid"].split())
        kinds = []
        for fd in pathlib.Path(f"/proc/{process.pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                kinds.append(os.readlink(fd))
        self.assertIn("anon_inode:bpf-prog", kinds)
        out, err = process.communicate(pcap(frames()), timeout=20)
        self.assertEqual((process.returncode, err), (0, b""))
        self.assertEqual(json.loads(out)["packets"], len(list(frames())))
        self.assertGreater(json.loads(out)["alerts"], 0)

    def test_root_gives_them_up_before_it_reads(self):
        self.check_dropped_before_reading(self.start())

    def test_another_user_needs_three_capabilities_and_gives_them_up(self):
        given = "+bpf,+net_admin,+perfmon"
        self.check_dropped_before_reading(self.start(
            "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", f"--inh-caps={given}",
            f"--ambient-caps={given}"))

    def test_without_them_it_says_so(self):
        path = self.file(pcap(frames()))
        bare = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", lab.binary(), "replay", path)
        done = lab.run(*bare, "--kernel", "--json", check=False)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("this process lacks CAP_BPF CAP_NET_ADMIN CAP_PERFMON", done.stderr)
        self.assertIn("hint: ", done.stderr)
        self.assertEqual(lab.run(*bare, "--json").returncode, 0, "the twin needs none of them")


class BesideAnAgent(lab.LabCase):
    def test_the_attached_program_is_left_alone(self):
        watch = self.lab.attach("v0")
        path = self.lab.path("capture.pcap")
        path.write_bytes(pcap(frames()))
        done = self.lab.nids("replay", "--kernel", "--json", path)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout)["packets"], len(list(frames())))
        self.lab.far.send_frames("v1", [netis()])
        self.lab.wait_counted(ingress=1)
        self.assertEqual(watch.stop(), 0, watch.err)
        self.assertEqual(len(self.lab.alerts()), 1)


if __name__ == "__main__":
    lab.main(["setpriv", "tshark"])
