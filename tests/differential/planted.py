# SPDX-License-Identifier: Apache-2.0
"""Tests the test: builds nids-xdp with a known bug and checks that a small run finds it.

The first lines of each planted/*.patch name the bug and the shape of packet that shows it. A copy of the
sources in a temporary directory is built. All patches share one build directory.
"""
import collections
import os
import pathlib
import re
import shutil
import tempfile

import host
import lab
import trial

PATCHES = pathlib.Path(__file__).resolve().parent / "planted"
COPIED = ("CMakeLists.txt", "CMakePresets.json", "bpf", "include", "user")
PACKETS = 6000
BUILD_S = 1800


class Build:
    def __init__(self, folder):
        self.sources, self.binaries = pathlib.Path(folder) / "sources", pathlib.Path(folder) / "build"
        self.sources.mkdir()
        for name in COPIED:
            here = lab.ROOT / name
            (shutil.copytree if here.is_dir() else shutil.copy2)(here, self.sources / name)
        lab.run("cmake", "-S", self.sources, "-B", self.binaries, "-G", "Ninja", "-DNIDS_TESTS=OFF",
                "-DCMAKE_BUILD_TYPE=Release", "-DCMAKE_CXX_FLAGS_RELEASE=-O0", timeout=BUILD_S)

    def program(self):
        lab.run("cmake", "--build", self.binaries, "--target", "nids-xdp", "--parallel", "2",
                timeout=BUILD_S)
        return next(path for path in self.binaries.rglob("nids-xdp") if path.is_file())

    def patch(self, path, *options):
        lab.run("patch", "-p1", "-d", self.sources, "-i", path, "--no-backup-if-mismatch", *options)


def unexplained_by_shape(program, seed):
    os.environ["NIDS_XDP_BIN"] = str(program)
    with host.Host("no-egress", cookies=2) as watched:
        one = trial.Trial(watched, seed)
        try:
            result = one.run(range(PACKETS))
        finally:
            one.close()
    if result.void:
        raise RuntimeError("the run is void: " + "; ".join(result.void))
    return collections.Counter(miss.packet.shape for miss in result.unexplained if miss.packet)


def run(seed):
    """Returns 0 if each bug was found. The unpatched sources are run first, so that their own misses do
    not count."""
    missing = 0
    with tempfile.TemporaryDirectory(prefix="nids-planted-") as folder:
        print("building a copy of the sources; some minutes", flush=True)
        build = Build(folder)
        before = unexplained_by_shape(build.program(), seed)
        print(f"without a planted bug: {before.total()} unexplained", flush=True)
        for path in sorted(PATCHES.glob("*.patch")):
            text = path.read_text()
            shape = re.search(r"^Shape: (.*)$", text, re.M)[1]
            build.patch(path)
            try:
                found = unexplained_by_shape(build.program(), seed)
            finally:
                build.patch(path, "--reverse")
            is_found = found[shape] > before[shape]
            missing += not is_found
            print(f"{path.stem}: {'found' if is_found else 'NOT FOUND'}: {text.splitlines()[0]} '{shape}': "
                  f"{found[shape]} unexplained, {before[shape]} without it", flush=True)
    return 1 if missing else 0
