#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Compares nids-xdp with the kernel's own network stack.

Sends random and mutated packets to a host in a network namespace, whose link nids-xdp watches. Reports
each miss: a packet that a service of the host accepted and nids-xdp did not flag. Exits with 1 if a miss
belongs to no class that docs/threat-model.md lists, or if anything was lost, which makes the run void.
"""
import argparse
import contextlib
import os
import signal
import sys

import classes
import host
import lab
import report
import trial


def arguments():
    parser = argparse.ArgumentParser(prog="tools/differential", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packets", nargs="?", type=int, default=1_000_000, metavar="PACKETS",
                        help="number of packets in each mode (default 1000000; 0: none)")
    parser.add_argument("--connections", type=int, default=0, metavar="N",
                        help="TCP connections after forged packets, in each mode")
    parser.add_argument("--exchanges", type=int, default=0, metavar="N",
                        help="UDP exchanges after forged packets, in each mode")
    parser.add_argument("--mode", choices=[*host.MODES, "all"], default="native",
                        help="how nids-xdp is attached (default native)")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="seed of the random packets (default 1)")
    parser.add_argument("--only", type=int, metavar="N", help="send only packet N of this seed")
    parser.add_argument("--planted", action="store_true",
                        help="build nids-xdp with each bug of tests/differential/planted and fail if the "
                             "test does not find it; takes minutes, so CI does not do it")
    return parser.parse_args()


def on_one_cpu():
    """Keeps the sender on one CPU, so that packets stay in order. The agent was started before, so it
    may use all CPUs."""
    with contextlib.suppress(OSError):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def run_packets(mode, asked):
    cpus = os.sched_getaffinity(0)
    with host.Host(mode, cookies=2) as watched, contextlib.closing(trial.Trial(watched, asked.seed)) as one:
        on_one_cpu()
        try:
            numbers = range(asked.packets) if asked.only is None else [asked.only]
            result = one.run(numbers)
        finally:
            os.sched_setaffinity(0, cpus)
    report.print_packets(result, mode, asked.seed)
    if asked.only is not None:
        report.print_packet(one.generator.packet(asked.only), result)
    else:
        result.void += report.shortfalls(result)
    return result


class Totals:
    def __init__(self):
        self.packets = self.delivered = self.listed = self.unexplained = 0
        self.is_void = False

    def add(self, mode, void, listed, unexplained):
        self.listed += listed
        self.unexplained += unexplained
        for why in void:
            print(f"VOID: {mode}: {why}")
            self.is_void = True


def run_mode(mode, asked, totals):
    if asked.packets or asked.only is not None:
        result = run_packets(mode, asked)
        totals.packets += result.packets
        totals.delivered += result.delivered
        totals.add(mode, result.void, result.listed.total(), len(result.unexplained))
    for kind in ("connections", "exchanges"):
        if count := getattr(asked, kind):
            import calls
            tally = calls.run(kind, count, mode, asked.seed)
            report.print_calls(kind, tally, mode, asked.seed)
            totals.add(mode, tally.void, tally.listed.total(), len(tally.unexplained))
    sys.stdout.flush()


def main():
    asked = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
    if differences := classes.disagreement():
        sys.exit("\n".join(differences))
    if reason := lab.reason_to_skip([]):
        is_required = os.environ.get("NIDS_REQUIRE_BPF") == "1"
        print(f"{'failed' if is_required else 'skipped'}: differential: {reason}")
        sys.exit(1 if is_required else lab.SKIPPED)
    if asked.planted:
        import planted
        sys.exit(planted.run(asked.seed))
    totals = Totals()
    for mode in host.MODES if asked.mode == "all" else [asked.mode]:
        run_mode(mode, asked, totals)
    print(f"{totals.packets:,} packets, {totals.delivered:,} delivered, {totals.listed:,} unflagged in "
          f"listed classes, {totals.unexplained:,} unexplained")
    sys.exit(1 if totals.unexplained or totals.is_void else 0)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
