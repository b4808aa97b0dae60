# SPDX-License-Identifier: Apache-2.0
"""Prints what a run found, and checks that it sent and delivered enough packets."""
import collections

import classes
import trial

SHOWN = 10  # unexplained misses of each shape that are printed in full
SHARE_WANTED = 0.2  # of all packets must be delivered
OF_EACH_SHAPE = 1000  # in a million packets


def shortfalls(result):
    """The shapes, and the run, that had too few packets for its size."""
    found = []
    if result.delivered < SHARE_WANTED * result.packets:
        found.append(f"{result.delivered:,} of {result.packets:,} packets were delivered: too few")
    wanted = result.packets * OF_EACH_SHAPE // 1_000_000
    found += [f"the shape '{name}' occurred {one.generated:,} times, and should {wanted:,} times"
              for name, one in result.shapes.items()
              if one.generated < wanted and name != trial.UNKNOWN]
    return found


def print_packets(result, mode, seed):
    print(f"\n== {mode}: {result.packets:,} packets in {result.seconds:.0f} s, seed {seed}")
    for name, device in result.skipped:
        print(f"skipped: '{name}': this kernel has no device of type {device}")
    print(f"{'shape':32}{'generated':>10}{'delivered':>10}{'flagged':>9}{'listed':>8}{'unexplained':>13}")
    for name, one in sorted(result.shapes.items()):
        print(f"{name:32}{one.generated:10,}{one.delivered:10,}{one.flagged:9,}{one.listed:8,}"
              f"{one.unexplained:13,}")
    share = 100 * result.delivered / max(result.packets, 1)
    print(f"delivered: {share:.1f} % of all; {result.frames:,} frames sent, {result.refused:,} that the "
          "link refused")
    print("the host counted:", ", ".join(f"{name} {value:,}" for name, value in result.counters.items()))
    for listed in classes.LISTED:
        if result.listed[listed.id]:
            print(f"unflagged, listed: {listed.id}: {result.listed[listed.id]:,} ({listed.why})")
    print_misses(result, mode, seed)


def print_packet(packet, result):
    """A packet that was selected by --only."""
    one = result.shapes[packet.shape]
    print(f"packet {packet.number}, '{packet.shape}', from {packet.source}, {packet.facts}: "
          f"{'delivered' if result.delivered else 'not delivered'}, "
          f"{'flagged' if one.flagged else 'not flagged where delivered'}")
    for frame in packet.frames:
        print(f"  {frame.hex()}")


def print_misses(result, mode, seed):
    shown = {}
    for miss in result.unexplained:
        shape = miss.packet.shape if miss.packet else trial.UNKNOWN
        shown[shape] = shown.get(shape, 0) + 1
        if shown[shape] > SHOWN:
            continue
        print(f"UNEXPLAINED: '{shape}' from {miss.source} to port {miss.port}")
        if miss.packet:
            facts = ", ".join(f"{key} {value}" for key, value in miss.packet.facts.items())
            print(f"  repeat: tools/differential --mode {mode} --seed {seed} --only {miss.packet.number}"
                  + (f"  ({facts})" if facts else ""))
            for frame in miss.packet.frames:
                print(f"  {frame.hex()}")
    models = collections.Counter(miss.packet.facts["mutated"] for miss in result.unexplained
                                 if miss.packet and "mutated" in miss.packet.facts)
    if models:
        print("UNEXPLAINED: mutated, by what they were before:",
              ", ".join(f"{model} {count:,}" for model, count in models.most_common()))
    for shape, count in shown.items():
        if count > SHOWN:
            print(f"UNEXPLAINED: '{shape}': {count - SHOWN:,} more of it")


def print_calls(kind, tally, mode, seed):
    """`tally`: a calls.Tally, of connections or exchanges."""
    print(f"\n== {mode}: {tally.tried:,} {kind} after forged packets in {tally.seconds:.0f} s, seed {seed}")
    print(f"{tally.completed:,} were completed, {tally.tried - tally.completed:,} not; {tally.flagged:,} "
          f"flagged, {tally.renamed:,} named as something else only")
    for listed, count in tally.listed.items():
        print(f"unflagged, listed: {listed}: {count:,}")
    for signs, count in tally.signs.most_common(12):
        print(f"unexplained {kind} with {signs}: {count:,}")
    for call in tally.unexplained[:SHOWN]:
        print(f"UNEXPLAINED: {call.describe()}")
        print(f"  repeat: tools/differential 0 --{kind} {call.number + 1} --mode {mode} --seed {seed}; "
              f"it is number {call.number}")
        for name, frame in call.forged:
            print(f"  forged, {name}: {frame.hex()}")
        for alert in call.alerts:
            print(f"  alert: {alert}")
    if len(tally.unexplained) > SHOWN:
        print(f"UNEXPLAINED: {len(tally.unexplained) - SHOWN:,} more {kind}")
