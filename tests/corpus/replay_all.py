#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Replays every file of the shared data through nids-xdp and judges what comes back.

A capture of a link type that is taken ends with 0, or 4 where it is damaged, and its figures add
up; anything else ends with 1, one message and no JSON. Nothing crashes, hangs or sets off a
sanitizer, and the same file gives the same bytes twice. As root, every eighth capture, or every
NIDS_CORPUS_KERNEL_EVERY-th, goes through the program in the kernel too, which must say the same.
NIDS_CORPUS_EVERY=N takes only every Nth file.
"""
import argparse
import gzip
import json
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

ROOT = pathlib.Path(__file__).resolve().parents[2]
SKIPPED = 77
TIMEOUT_S = 60
JOBS = 2
DETERMINISM_FILES = 50

# https://www.tcpdump.org/linktypes.html, and the values that DLT_RAW and DLT_LOOP have on some
# systems: what CLI.md says replay takes.
TAKEN_LINK_TYPES = {0, 1, 9, 12, 14, 50, 51, 101, 108, 113, 228, 229, 276}
PCAP_MAGICS = {
    b"\xa1\xb2\xc3\xd4": ">", b"\xd4\xc3\xb2\xa1": "<",
    b"\xa1\xb2\x3c\x4d": ">", b"\x4d\x3c\xb2\xa1": "<",
    b"\xa1\xb2\xcd\x34": ">", b"\x34\xcd\xb2\xa1": "<",
}
PCAPNG_MAGIC = b"\x0a\x0d\x0d\x0a"
SANITIZER = re.compile(r"AddressSanitizer|LeakSanitizer|ThreadSanitizer|MemorySanitizer|runtime error:")


def binary():
    return os.environ.get("NIDS_XDP_BIN", str(ROOT / "build/release/nids-xdp"))


def data_dir():
    return pathlib.Path(os.environ.get("NIDS_XDP_DATA", ROOT.parent / "shared/data"))


def head(path, size=65536):
    with open(path, "rb") as file:
        data = file.read(size)
    if data[:2] == b"\x1f\x8b":
        try:
            with gzip.open(path) as file:
                return file.read(size)
        except (OSError, EOFError):
            return b""
    if data[:4] == b"\x28\xb5\x2f\xfd" and shutil.which("zstd"):
        return subprocess.run(["zstd", "-dc", path], capture_output=True).stdout[:size]
    return data


def pcapng_link_types(data):
    """Those of the interface blocks at the start; None where the section header is none."""
    order = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}.get(data[8:12])
    if not order or len(data) < 28:
        return None
    length, _, major, minor = struct.unpack_from(order + "IIHH", data, 4)
    if (major, minor) not in ((1, 0), (1, 2)) or data[length - 4:length] != data[4:8]:
        return None
    at, types = 0, []
    while at + 12 <= len(data):
        kind, length = struct.unpack_from(order + "II", data, at)
        if length < 12 or length % 4:
            break
        if kind == 1 and at + 10 <= len(data):
            types.append(struct.unpack_from(order + "H", data, at + 8)[0])
        at += length
    return types


def expectation(path):
    """'capture', or why exit code 1 is right."""
    data = head(path)
    if data[:4] in PCAP_MAGICS:
        if len(data) < 24:
            return "no whole file header"
        order = PCAP_MAGICS[data[:4]]
        major, minor = struct.unpack_from(order + "HH", data, 4)
        if major != 2 or minor > 4:
            return f"version {major}.{minor} of the format"
        link = struct.unpack_from(order + "I", data, 20)[0] & 0x03FFFFFF
        return "capture" if link in TAKEN_LINK_TYPES else f"link type {link}"
    if data[:4] == PCAPNG_MAGIC:
        links = pcapng_link_types(data)
        if links is None:
            return "no section header of version 1.0"
        if not links:
            return "no interface block"
        if links[0] not in TAKEN_LINK_TYPES:
            return f"link type {links[0]}"
        return "capture"
    return "not a capture"


def without_wall_time(out):
    return re.sub(rb'\n *"wall_s": [^\n]*', b"", out)


class Replay:
    def __init__(self, path, *options):
        self.path = path
        start = time.monotonic()
        try:
            done = subprocess.run([binary(), "replay", str(path), "--json", *options], capture_output=True,
                                  stdin=subprocess.DEVNULL, timeout=TIMEOUT_S)
            self.code, self.out = done.returncode, done.stdout
            self.err = done.stderr.decode("utf-8", "replace")
        except subprocess.TimeoutExpired as late:
            self.code, self.out = None, late.stdout or b""
            self.err = (late.stderr or b"").decode("utf-8", "replace")
        self.seconds = time.monotonic() - start
        self.json = None

    def difference(self, other):
        """Nothing, where both say the same but for the time that it took, or the other says that it was
        not given all packets."""
        if without_wall_time(self.out) == without_wall_time(other.out) and (
                (self.code, self.err) == (other.code, other.err)):
            return None
        if other.code == 4 and b'"not_taken": 0,' not in other.out and "cannot run " in other.err:
            return None
        lines = zip(self.out.splitlines(), other.out.splitlines())
        told = [pair for pair in lines if pair[0] != pair[1] and b"wall_s" not in pair[0]][:5]
        return f"exit codes {self.code} and {other.code}, {told}, {self.err!r}, {other.err!r}"

    def problems(self):
        if self.code is None:
            return [f"did not end in {TIMEOUT_S} s"]
        found = []
        if SANITIZER.search(self.err):
            found.append("sanitizer: " + self.err[:2000])
        if any(ord(c) < 0x20 and c not in "\n" for c in self.err):
            found.append(f"control characters on stderr: {self.err!r}")
        if self.code in (0, 4):
            found += self.problems_of_figures()
        elif self.code == 1:
            found += self.problems_of_refusal()
        else:
            found.append(f"exit code {self.code}: {self.err[:500]}")
        return found

    def problems_of_refusal(self):
        found = []
        if self.out:
            found.append(f"exit code 1, and yet {len(self.out)} bytes on standard output")
        messages = [line for line in self.err.splitlines() if not line.startswith("  ")]
        if len(messages) != 1 or not messages[0].startswith("nids-xdp: "):
            found.append(f"exit code 1 wants one message, not {self.err!r}")
        if expectation(self.path) == "capture":
            found.append(f"a capture that was refused: {self.err.strip()}")
        return found

    def problems_of_figures(self):
        try:
            self.json = json.loads(self.out)
        except ValueError as error:
            return [f"exit code {self.code}, but no JSON: {error}"]
        found = []

        def check(holds, text):
            if not holds:
                found.append(text)

        if expectation(self.path) != "capture":
            found.append(f"taken, although {expectation(self.path)}")
        stats, packets, size = self.json["stats"], self.json["packets"], self.json["bytes"]
        ledger = stats["ledger"]
        check(sum(stats["parse"].values()) == packets,
              f"parse adds up to {sum(stats['parse'].values())}, not {packets}: {stats['parse']}")
        check(sum(stats["network"].values()) == packets,
              f"network adds up to {sum(stats['network'].values())}, not {packets}")
        check(ledger["balanced"] is True, f"the ledger does not balance: {ledger}")
        check(ledger["seen"] == packets, f"seen {ledger['seen']}, not {packets}")
        check(ledger["seen_bytes"] == size, f"seen {ledger['seen_bytes']} bytes, not {size}")
        for unit in ("", "_bytes"):
            parts = sum(ledger[part + unit] for part in ("live", "exported", "unaccounted", "no_flow"))
            check(parts == ledger["seen" + unit], f"seen{unit} is not the sum of its parts: {ledger}")
        check(stats["ingress"]["packets"] + stats["egress"]["packets"] == packets,
              "ingress and egress are not all packets")
        verdict = stats["verdict"]
        check(verdict["pass"] + verdict["drop"] == packets, f"verdicts {verdict}, packets {packets}")
        ring = stats["ring"]
        for unit in ("", "_bytes"):
            check(ring["offered" + unit] == ring["consumed" + unit] + ring["lost" + unit] +
                  ring["pending" + unit], f"the ring does not balance: {ring}")
        alerts = stats["alerts"]
        check(sum(alerts["by_severity"].values()) == alerts["total"] == self.json["alerts"],
              f"alerts do not add up: {alerts}, {self.json['alerts']}")
        for name, sums in stats["classes"].items():
            check(sums["flows"] <= sums["packets"] <= packets, f"class {name}: {sums}")
        if self.code == 4:
            check(self.err.strip() != "" or ring["lost"] or not ledger["balanced"],
                  "exit code 4, and nothing says why")
        if self.code == 0:
            check(self.err == "", f"exit code 0 with a message: {self.err!r}")
        return found


def bytes_of_frames(path):
    """A frame that claims to have been shorter than what was captured of it counts as captured."""
    told = subprocess.run(["tshark", "-r", path, "-T", "fields", "-e", "frame.len", "-e",
                           "frame.cap_len"], capture_output=True, text=True)
    return sum(max(map(int, line.split())) for line in told.stdout.splitlines())


def count_mismatch(replay):
    """What capinfos says of the file, where it can read all of it."""
    told = subprocess.run(["capinfos", "-T", "-m", "-r", "-M", "-c", "-d", str(replay.path)],
                          capture_output=True, text=True)
    is_cut = "cut short" in told.stderr or "cut short" in told.stdout
    fields = told.stdout.strip().splitlines()[-1:]
    try:
        packets, size = (int(text) for text in fields[0].split(",")[1:3])
    except (IndexError, ValueError):
        return None  # Wireshark can't read it
    if told.returncode != 0 and not is_cut:
        return None
    if packets != replay.json["packets"]:
        return f"capinfos counts {packets} packets, replay {replay.json['packets']}"
    if replay.json["bytes"] not in (size, bytes_of_frames(replay.path)):
        return f"capinfos counts {size} bytes, replay {replay.json['bytes']}"
    if is_cut and replay.code == 0:
        return "capinfos says that the file is cut short, replay says nothing"
    return None


def differs_between_runs(path):
    """Runs of the same file into the same place, which stands in the records: two, and one by the
    kernel."""
    outputs = []
    with tempfile.TemporaryDirectory(prefix="nids-replay-") as folder:
        os.chmod(folder, 0o755)
        for options in ([], [], ["--kernel"])[:3 if can_load() else 2]:
            place = pathlib.Path(folder) / "out"
            place.mkdir()
            done = subprocess.run([binary(), "replay", str(path), "--eve", str(place / "eve.json"),
                                   "--retain", str(place / "pcap"), *options], capture_output=True,
                                  stdin=subprocess.DEVNULL, timeout=TIMEOUT_S)
            # SQLite's shared memory holds numbers drawn at random.
            files = {str(file.relative_to(place)): file.read_bytes()
                     for file in sorted(place.rglob("*"))
                     if file.is_file() and file.suffix != ".sqlite-shm"}
            outputs.append((done.returncode, files))
            shutil.rmtree(place)
    (code, files), *others = outputs
    for other_code, other_files in others:
        if (code, files) != (other_code, other_files):
            names = [name for name in files.keys() | other_files.keys()
                     if files.get(name) != other_files.get(name)]
            return f"two runs differ: exit codes {code} and {other_code}, files {names}"
    return None if files.get("eve.json") else "no EVE was written"


def can_load():
    """CAP_NET_ADMIN, CAP_PERFMON and CAP_BPF."""
    status = pathlib.Path("/proc/self/status").read_text()
    held = int(re.search(r"CapEff:\s*(\w+)", status)[1], 16)
    return all(held >> bit & 1 for bit in (12, 38, 39))


def spread(items, count):
    return items[::max(1, len(items) // count)][:count]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check-counts", action="store_true", help="compare with capinfos (slow)")
    parser.add_argument("--only", default="", help="only files whose path holds this text")
    parser.add_argument("-v", "--verbose", action="store_true", help="a line a refused file")
    arguments = parser.parse_args()
    data = data_dir()
    if not data.is_dir():
        print(f"skipped: corpus.replay_all, there is no {data}; NIDS_XDP_DATA names another folder")
        return SKIPPED
    if not os.access(binary(), os.X_OK):
        print(f"there is no program {binary()}; NIDS_XDP_BIN names another one")
        return 1

    if not can_load():
        print("the program can't be loaded into the kernel, so captures are not compared with it: run as root")
        if os.environ.get("NIDS_REQUIRE_BPF") == "1":
            return 1

    paths = sorted(path for path in data.rglob("*") if path.is_file() and arguments.only in str(path))
    paths = paths[::int(os.environ.get("NIDS_CORPUS_EVERY", "1"))]
    failures, codes, taken, flagged, slowest, packets = [], {}, [], [], None, 0

    def fail(path, text):
        failures.append((path, text))
        print(f"FAILED {path.relative_to(data)}: {text}", flush=True)

    with ThreadPoolExecutor(JOBS) as pool:
        for replay in pool.map(Replay, paths):
            for problem in replay.problems():
                fail(replay.path, problem)
            codes[replay.code] = codes.get(replay.code, 0) + 1
            if slowest is None or replay.seconds > slowest.seconds:
                slowest = replay
            if arguments.verbose and replay.code in (1, 4):
                print(f"exit {replay.code} {replay.path.relative_to(data)}: {replay.err.strip()}")
            if not replay.json:
                continue
            taken.append(replay)
            packets += replay.json["packets"]
            if replay.json["alerts"]:
                flagged.append(replay.path)
            if arguments.check_counts:
                if mismatch := count_mismatch(replay):
                    fail(replay.path, mismatch)
        every = int(os.environ.get("NIDS_CORPUS_KERNEL_EVERY", "8"))  # loading takes 0.2 s each
        by_kernel = taken[::every] if can_load() else []
        for replay, other in zip(by_kernel, pool.map(
                lambda one: Replay(one.path, "--kernel"), by_kernel)):
            if difference := replay.difference(other):
                fail(replay.path, f"the kernel differs: {difference}")
        twice = spread(flagged, DETERMINISM_FILES)
        for path, problem in zip(twice, pool.map(differs_between_runs, twice)):
            if problem:
                fail(path, problem)

    print(f"{len(paths)} files, {packets} packets, exit codes "
          f"{dict(sorted(codes.items(), key=str))}, {len(by_kernel)} compared with the kernel, "
          f"{len(twice)} replayed twice"
          + (f", slowest {slowest.seconds:.1f} s: {slowest.path.relative_to(data)}" if slowest else ""))
    print(f"{len(failures)} problems in {len({path for path, _ in failures})} files")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
