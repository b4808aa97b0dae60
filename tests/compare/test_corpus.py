#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""nids-xdp has the same output for a capture each time: tools/compare with one build twice, over some of
the shared captures."""
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
CAPTURES = 16
SKIPPED = 77


def main():
    binary = os.environ.get("NIDS_XDP_BIN", str(ROOT / "build/release/nids-xdp"))
    data = pathlib.Path(os.environ.get("NIDS_XDP_DATA", ROOT.parent / "shared/data")).resolve()
    captures = sorted(path for path in data.rglob("*.pcap*") if path.is_file())
    if not captures:
        print(f"skipped: corpus.compare, there is no capture in {data}; NIDS_XDP_DATA names another folder")
        return SKIPPED
    with tempfile.TemporaryDirectory() as folder:
        for number, path in enumerate(captures[::max(1, len(captures) // CAPTURES)][:CAPTURES]):
            (pathlib.Path(folder) / f"{number}-{path.name}").symlink_to(path)
        return subprocess.run([ROOT / "tools/compare", binary, binary, "--captures", folder]).returncode


if __name__ == "__main__":
    sys.exit(main())
