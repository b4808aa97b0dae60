#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Measures how long a worker is away from its rings, with a million flows, a client that asks for flows with
the costliest filter, and a disk that hangs: it freezes a file system that it makes for itself. Prints a
histogram. With --rss, measures the memory of a live agent instead: at its start, and with as many flows."""
import argparse
import contextlib
import os
import pathlib
import signal
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import lab  # noqa: E402
from flood import flood  # noqa: E402
from packets import dull, netis  # noqa: E402

START_MB, FLOWS_MB = 150, 400


@contextlib.contextmanager
def disk(megabytes):
    """A new file system, so that a freeze stops no other program."""
    with tempfile.TemporaryDirectory(prefix="nids-stall-") as folder:
        image, mounted = pathlib.Path(folder) / "image", pathlib.Path(folder) / "disk"
        mounted.mkdir()
        with open(image, "wb") as file:
            file.truncate(megabytes << 20)
        lab.run("mkfs.ext4", "-q", image)
        lab.run("mount", "-o", "loop", image, mounted)
        try:
            yield mounted
        finally:
            lab.run("fsfreeze", "-u", mounted, check=False)
            lab.run("umount", mounted, check=False)


def stalls(options):
    with disk(512) as mounted:
        bench = pathlib.Path(lab.binary()).parent / "tests/bench/nids-stall-bench"
        done = lab.run(bench, "--directory", mounted, "--flows", options.flows, "--slots", slots(options.flows),
                       "--seconds", options.seconds, "--interim", options.interim, check=False,
                       capture_output=False, timeout=options.seconds + 600)
    return done.returncode


def slots(flows):
    return max(1024, 1 << (flows - 1).bit_length())


def rss_mb(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) * 1024 / 1e6


def agent_rss(one, watch):
    return max(rss_mb(pid) for pid in watch.agents)


def memory(options):
    with lab.Lab() as one:
        watch = one.attach("v0")
        time.sleep(2)
        print(f"RSS at the start, by default: {agent_rss(one, watch):.0f} MB (goal: {START_MB} MB)", flush=True)
        watch.stop()
    with lab.Lab() as one:
        config = one.path("flows.toml")
        config.write_text(f"[flow]\nslots_per_cpu = {slots(options.flows)}\nipv6_slots_per_cpu = 8192\n"
                          f"max_tracked_flows = {slots(options.flows)}\nudp = \"600s\"\n")
        watch = one.attach("v0", "--config", config)
        sources = options.flows
        # Two threads, so that the flows are in the tables of two CPUs. Short, so that few flows are evicted.
        with flood(one.far, "v1", dull(), sources=sources, threads=2):
            lab.wait_for("the packets", lambda: one.stats()["ingress"]["packets"] >= sources, seconds=120)

        def are_there():  # the agent updates the number with each packet and each scan
            one.far.send_frames("v1", [netis()])
            return one.stats()["agent_table"]["flows"] >= options.flows * 0.9
        lab.wait_for("the flows", are_there, seconds=120, every=0.5)
        flows = one.stats()["agent_table"]["flows"]
        print(f"RSS with {flows:,} flows: {agent_rss(one, watch):.0f} MB (goal: {FLOWS_MB} MB)", flush=True)
        watch.stop(signal.SIGTERM)


def main():
    parser = argparse.ArgumentParser(prog="tools/bench stall", description=__doc__)
    parser.add_argument("--flows", type=int, default=1_000_000, help="(%(default)s)")
    parser.add_argument("--seconds", type=int, default=30, help="duration of the measurement (%(default)s)")
    parser.add_argument("--interim", type=int, default=0, help="flow.interim, in seconds (%(default)s: none)")
    parser.add_argument("--rss", action="store_true", help="measure only the memory of a live agent")
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("tools/bench stall: run it as root")
    if options.rss:
        memory(options)
    else:
        sys.exit(stalls(options))


if __name__ == "__main__":
    main()
