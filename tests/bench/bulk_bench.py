#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Bulk TCP over a veth pair with the first pass in native mode, beside a program that only passes:
interleaved pairs of runs, their ratio with a 95 % confidence interval, and each program's run time.
In network namespaces of its own; `tools/bench bulk` runs it."""
import argparse
import json
import math
import pathlib
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import lab  # noqa: E402

PASS = lab.ROOT / "build/release/tests/bench/reference.bpf.o"
# Student's t, two-sided 95 %, by degrees of freedom 4 to 30.
STUDENT = dict(zip(range(4, 31), (
    2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110,
    2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042)))


def bits_per_second(one, seconds):
    """Received by the watched end. Each end stays on a CPU, or the scheduler decides the rate."""
    told = one.far.run("iperf3", "-c", lab.NEAR_IP, "-t", seconds, "-A", "1,0", "-J", timeout=seconds + 20)
    return json.loads(told.stdout)["end"]["sum_received"]["bits_per_second"]


class Passing:
    """A program that only passes, natively on v0."""

    def __init__(self, one):
        self.one = one

    def __enter__(self):
        self.one.near.ip("link", "set", "v0", "xdpdrv", "object", PASS, "program", "bench_pass")

    def __exit__(self, *_):
        self.one.near.ip("link", "set", "v0", "xdpdrv", "off")


class FirstPass:
    """The whole product as it is by default."""

    def __init__(self, one):
        self.one = one

    def __enter__(self):
        self.watch = self.one.attach("v0")

    def __exit__(self, *_):
        self.watch.stop()


def ns_per_run(one, seconds):
    """Of the XDP program that is attached to v0 now, and how often it ran."""
    link, = (each for each in one.near.links() if each["ifname"] == "v0")
    number = link["xdp"]["prog"]["id"]
    rate = bits_per_second(one, seconds)
    told = json.loads(lab.run("bpftool", "-j", "prog", "show", "id", number).stdout)
    return told["run_time_ns"] / told["run_cnt"], told["run_cnt"], rate


def main():
    parser = argparse.ArgumentParser(prog="tools/bench bulk", description=__doc__)
    parser.add_argument("--pairs", type=int, default=15, choices=range(5, 32), metavar="N",
                        help="5 to 31 (%(default)s)")
    parser.add_argument("--seconds", type=int, default=3, help="of a run (%(default)s)")
    options = parser.parse_args()
    logs = []
    with lab.Lab(offloads=True) as one:
        one.start(*one.near.command("iperf3", "-s"), stdout=lab.subprocess.DEVNULL)
        time.sleep(0.5)
        subjects = (Passing(one), FirstPass(one))
        for pair in range(options.pairs):
            rates = {Passing: 0, FirstPass: 0}
            # There and back, so that a machine that becomes slower or faster favours neither.
            for subject in subjects + subjects[::-1]:
                with subject:
                    rates[type(subject)] += bits_per_second(one, options.seconds) / 2
            ours, passing = rates[FirstPass], rates[Passing]
            logs.append(math.log(ours / passing))
            print(f"pair {pair + 1:>2}: ours {ours / 1e9:6.2f} Gbit/s, XDP_PASS "
                  f"{passing / 1e9:6.2f} Gbit/s, ratio {ours / passing:.3f}", flush=True)
        mean = statistics.mean(logs)
        half = STUDENT[len(logs) - 1] * statistics.stdev(logs) / math.sqrt(len(logs))
        print(f"ratio {math.exp(mean):.3f}, 95 % interval {math.exp(mean - half):.3f} to "
              f"{math.exp(mean + half):.3f}")
        before = pathlib.Path("/proc/sys/kernel/bpf_stats_enabled")
        was = before.read_text()
        before.write_text("1")
        try:
            for subject in subjects:
                with subject:
                    ns, runs, rate = ns_per_run(one, options.seconds)
                print(f"{type(subject).__name__}: {ns:.0f} ns a run by bpf_stats, {runs} runs, "
                      f"{rate / 1e9:.2f} Gbit/s")
        finally:
            before.write_text(was)


if __name__ == "__main__":
    main()
