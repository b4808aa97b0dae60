#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""tools/compare finds each kind of planted difference, and accepts the ones that are listed. The second
"build" is a script that runs the real nids-xdp and then alters what it wrote."""
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tests/e2e"))
from packets import dull, netis  # noqa: E402

NIDS_XDP = os.environ.get("NIDS_XDP_BIN", str(ROOT / "build/release/nids-xdp"))
ETHERNET = 1


# Runs the real program, then the alteration that the capture's name selects.
SCRIPT = """\
#!/usr/bin/python3
import pathlib, re, subprocess, sys
sys.path.insert(0, {here!r})
import pcapng
done = subprocess.run([{binary!r}, *sys.argv[1:]], capture_output=True)
code, out, err = done.returncode, done.stdout, done.stderr

def option(name):
    return pathlib.Path(sys.argv[sys.argv.index(name) + 1])

def change(data, old, new):
    if old not in data:
        sys.exit(f"{{old}} is not in the output")
    return data.replace(old, new, 1)

def change_file(path, old, new):
    path.write_bytes(change(path.read_bytes(), old, new))

def change_lines(function):
    lines = option("--eve").read_bytes().splitlines(True)
    option("--eve").write_bytes(b"".join(function(lines)))

def segment():
    return next(option("--retain").glob("*.pcapng"))

def drop_packet():
    data, at = segment().read_bytes(), 0
    for kind, body in pcapng.blocks(data):
        end = at + len(body) + 12
        if kind == pcapng.ENHANCED_PACKET:
            last = at, end
        at = end
    segment().write_bytes(data[:last[0]] + data[last[1]:])

if sys.argv[1] == "alerts":
    store = option("--retain")
    if (store / "planted").exists():
        out = change(out, b'"severity": 1', b'"severity": 2')
else:
{plants}
sys.stdout.buffer.write(out)
sys.stderr.buffer.write(err)
sys.exit(code)
"""

# The capture, and for each kind: the alteration, the line that reports it, and the entry that accepts it.
PLANTED = {
    "first": {
        "eve": ("""change_file(option("--eve"), b'"severity":', b'"severity":7')""",
                "eve alert 1005 alert.severity: 1 -> 71",
                'kind = "eve"\nsignature_id = 1005\npath = "alert.severity"'),
        "packet": ('change_file(segment(), b"payload 1", b"payload X")', "packet data: 0299",
                   'kind = "packet"\npath = "data"'),
        "json": ("""out = change(out, b'"packets": 4', b'"packets": 5')""", "json packets: 4 -> 5",
                 'kind = "json"\npath = "packets"'),
        "exit": ("code = 4", "exit: 0 -> 4", 'kind = "exit"\ncapture = "f*.pcap"'),
        "message": ('err += b"planted\\n"', "message: nothing -> planted", 'kind = "message"'),
        "alert": ('(option("--retain") / "planted").touch()', "alert alert 1005 alert.severity: 1 -> 2",
                  'kind = "alert"\nsignature_id = 1005'),
    },
    "second": {
        "eve": ("change_lines(lambda lines: [line for line in lines if b':9999,' not in line])",
                'eve flow: {"timestamp": ', 'event_type = "flow"\npath = ""'),
        "packet": ("drop_packet()", 'packet: {"segment": ', 'kind = "packet"\npath = ""'),
        "json": ("""out = change(out, b'"packets": 4', b'"packets": 4, "fresh": 1')""",
                 "json fresh: nothing -> 1", 'path = "fres?"'),
    },
    "third": {
        "eve": ("change_lines(reversed)", "eve (lines): {", 'kind = "eve"\npath = "(lines)"'),
        "packet": ("""change_file(segment(), b'"class":"netis"', b'"class":"netiX"')""",
                   "packet 1005 comments.1.alert.class: netis -> netiX",
                   'signature_id = 1005\npath = "comments.*.class"'),
        "json": ("""out = re.sub(rb'( "packets": 4,)(\\s+)( "bytes": \\d+,)', rb'\\3\\2\\1', out)""",
                 'json (keys): ["file", "packets", "bytes", ', 'kind = "json"\npath = "(keys)"'),
    },
}


def capture(frames):
    records = [struct.pack("<IIII", 1_700_000_000 + i, 0, len(frame), len(frame)) + frame
               for i, frame in enumerate(frames)]
    return struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, ETHERNET) + b"".join(records)


class PlantedDifferences(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.folder.chmod(0o755)
        self.captures = self.folder / "captures"
        self.captures.mkdir()

    def add_captures(self, *names):
        for name in names:
            (self.captures / f"{name}.pcap").write_bytes(
                capture([netis(40000 + i, b"payload %d" % i) for i in range(3)] + [dull()]))

    def altering_build(self):
        plants = "".join(f"    if pathlib.Path(sys.argv[2]).stem == {name!r}:\n        {plant}\n"
                         for name, kinds in PLANTED.items() for plant, _, _ in kinds.values())
        path = self.folder / "altering"
        path.write_text(SCRIPT.format(here=str(HERE), binary=NIDS_XDP, plants=plants))
        path.chmod(0o755)
        return path

    def compare(self, *arguments, tool=ROOT / "tools/compare"):
        done = subprocess.run([tool, *arguments], capture_output=True, text=True,
                              env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"})
        return done.returncode, done.stdout, done.stderr

    def listed(self, *entries):
        path = self.folder / "expected.toml"
        path.write_text("".join("[[difference]]\n" + entry + "\n" for entry in entries))
        return path

    def test_each_planted_difference_is_found_and_can_be_expected(self):
        self.add_captures(*PLANTED)
        build = self.altering_build()
        code, out, err = self.compare(NIDS_XDP, build, "--captures", self.captures)
        self.assertEqual((code, err), (1, ""), out)
        *found, counts = out.splitlines()
        self.assertEqual(len(found), 12, out)
        for name, kinds in PLANTED.items():
            for _, text, _ in kinds.values():
                self.assertTrue(any(line.startswith(f"{name}.pcap: {text}") for line in found), (text, out))
        self.assertEqual(counts, "3 captures, 3 differ: 12 differences (exit 1, message 1, json 3, eve 3, "
                         "packet 3, alert 1), 0 expected differences, 0 unused entries")
        entries = [entry for kinds in PLANTED.values() for _, _, entry in kinds.values()]
        code, out, err = self.compare(
            NIDS_XDP, build, "--captures", self.captures, "--expected",
            self.listed(*(f'why = "planted"\n{entry}' for entry in entries)))
        self.assertEqual((code, out, err), (0, "3 captures, 0 differ: 0 differences, "
                                            "12 expected differences, 0 unused entries\n", ""))

    def test_entry_that_matches_nothing_is_reported(self):
        self.add_captures("equal")
        arguments = [NIDS_XDP, NIDS_XDP, "--captures", self.captures, "--expected",
                     self.listed('why = "old"\nkind = "exit"')]
        code, out, _ = self.compare(*arguments)
        self.assertEqual(code, 1, out)
        self.assertIn("this entry matches no difference: {'why': 'old', 'kind': 'exit'}", out)
        self.assertTrue(out.endswith(" 0 differences, 0 expected differences, 1 unused entries\n"), out)
        code, out, _ = self.compare(*arguments, "--only", "eq*")
        self.assertEqual((code, out[:24]), (0, "1 captures, 0 differ: 0 "))

    def test_what_cannot_run(self):
        self.add_captures("equal")
        self.assertEqual(self.compare()[0], 2)
        for arguments, reason in (
                (["/nowhere/nids-xdp", NIDS_XDP], "neither a program nor a git commit"),
                ([NIDS_XDP, NIDS_XDP, "--only", "x*"], "no file in"),
                ([NIDS_XDP, NIDS_XDP, "--jobs", "0"], "--jobs must be 1 or more"),
                ([NIDS_XDP, NIDS_XDP, "--expected", "/nowhere/list"], "No such file")):
            code, out, err = self.compare(*arguments, "--captures", self.captures)
            self.assertEqual((code, out), (2, ""), arguments)
            self.assertIn(reason, err)

    def test_list_that_cannot_be_used(self):
        self.add_captures("equal")
        for entry, reason in (('why = "all"', "accepts everything"), ('kind = "eve"', "has no reason"),
                              ('why = "x"\nkind = "evil"', "kind is one of"),
                              ('why = "x"\nsid = 1', "no field of an entry"), ("why", "Expected")):
            code, out, err = self.compare(NIDS_XDP, NIDS_XDP, "--captures", self.captures, "--expected",
                                          self.listed(entry))
            self.assertEqual((code, out), (2, ""), entry)
            self.assertIn(reason, err)

    def test_commit_is_built_and_compared_with_the_build_of_the_tree(self):
        """A repository with the tool and a project that builds quickly."""
        repository = self.folder / "repository"
        shutil.copytree(HERE, repository / "tests/compare", ignore=shutil.ignore_patterns("__pycache__"))
        (repository / "tools").mkdir()
        shutil.copy(ROOT / "tools/compare", repository / "tools")
        self.add_captures("first")
        self.altering_build().rename(repository / "program")
        (repository / "CMakeLists.txt").write_text(
            "cmake_minimum_required(VERSION 3.25)\nproject(tiny LANGUAGES NONE)\n"
            "option(NIDS_TESTS \"\" ON)\nif(NIDS_TESTS)\n  message(FATAL_ERROR tests)\nendif()\n"
            "add_custom_target(nids-xdp COMMAND ${CMAKE_COMMAND} -E copy ${CMAKE_SOURCE_DIR}/program "
            "${CMAKE_BINARY_DIR}/nids-xdp)\n")
        shutil.copy(ROOT / "CMakePresets.json", repository)
        (repository / ".gitignore").write_text("build/\n__pycache__/\n")

        def git(*command):
            return subprocess.run(["git", "-c", "user.name=n", "-c", "user.email=e", *command], check=True,
                                  cwd=repository, capture_output=True, text=True).stdout

        git("init", "--quiet", "--initial-branch", "main")
        git("add", "-A")
        git("commit", "--quiet", "-m", "tiny")
        (repository / "build/release").mkdir(parents=True)
        shutil.copy(NIDS_XDP, repository / "build/release/nids-xdp")
        code, out, err = self.compare("main", "--captures", self.captures,
                                      tool=repository / "tools/compare")
        self.assertEqual((code, err), (1, ""), out)
        self.assertIn("first.pcap: exit: 4 -> 0", out)
        self.assertEqual(len(git("worktree", "list").splitlines()), 1)


if __name__ == "__main__":
    unittest.main()
