#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Compares two builds of nids-xdp over a folder of captures.

Each build replays each capture. Compared are exit codes, messages, `replay --json`, EVE lines, stored
packets (bytes, times, comments) and `alerts --json`. Prints, for each capture and kind, the first
difference that is not expected, and last the counts.
"""
import argparse
import collections
import fnmatch
import os
import pathlib
import sys
from concurrent.futures import ThreadPoolExecutor

import builds
import difference
import expected
import observation

ROOT = builds.ROOT
EQUAL, DIFFERENT, UNUSABLE = 0, 1, 2


def arguments():
    parser = argparse.ArgumentParser(
        prog="tools/compare", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="exit codes: 0 equal, 1 different, 2 it cannot run")
    parser.add_argument("base", metavar="BASE", help="a nids-xdp binary, or a git commit to build")
    parser.add_argument("new", metavar="NEW", nargs="?", default=str(ROOT / "build/release/nids-xdp"),
                        help="the same; default: build/release/nids-xdp")
    parser.add_argument("--captures", metavar="DIR", required=True, type=pathlib.Path)
    parser.add_argument("--expected", metavar="FILE", default=ROOT / "tests/compare/expected.toml",
                        help="the expected differences; default: tests/compare/expected.toml")
    parser.add_argument("--jobs", metavar="N", type=int, default=os.cpu_count())
    parser.add_argument("--only", metavar="GLOB", default="*",
                        help="only captures whose path in DIR matches")
    parsed = parser.parse_args()
    if parsed.jobs < 1:
        parser.error("--jobs must be 1 or more")
    return parsed


def captures_of(options):
    folder = options.captures
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    return [name for name in names if fnmatch.fnmatchcase(name, options.only)]


def compared(options, binaries, names):
    """The differences of each capture, in the order of names."""
    def of(name):
        return difference.compare(
            name, *observation.observe_both(binaries, (options.captures / name).resolve()))

    with ThreadPoolExecutor(options.jobs) as pool:
        yield from zip(names, pool.map(of, names))


def report(name, differences):
    by_kind = collections.defaultdict(list)
    for one in differences:
        by_kind[one.kind].append(one)
    for first, *others in by_kind.values():
        print(f"{name}: {first}" + (f" (and {len(others)} more)" if others else ""), flush=True)


def main():
    options = arguments()
    try:
        accepted = expected.Expected(options.expected)
        names = captures_of(options)
        if not names:
            raise expected.Unusable(f"no file in {options.captures} matches '{options.only}'")
        binaries, folder = builds.both([options.base, options.new], options.jobs)
    except (builds.Unusable, expected.Unusable) as error:
        print(f"tools/compare: {error}", file=sys.stderr)
        return UNUSABLE
    kinds, changed, expected_count = collections.Counter(), 0, 0
    with folder:
        for name, differences in compared(options, binaries, names):
            unexpected = [one for one in differences if not accepted.accepts(one)]
            expected_count += len(differences) - len(unexpected)
            kinds.update(one.kind for one in unexpected)
            changed += bool(unexpected)
            report(name, unexpected)
    # With --only, an entry may be about a capture that was left out.
    unused = accepted.unused() if options.only == "*" else []
    for entry in unused:
        print(f"{options.expected}: this entry matches no difference: {entry}")
    by_kind = ", ".join(f"{kind} {kinds[kind]}" for kind in observation.KINDS if kinds[kind])
    print(f"{len(names)} captures, {changed} differ: {kinds.total()} differences"
          + (f" ({by_kind})" if by_kind else "")
          + f", {expected_count} expected differences, {len(unused)} unused entries")
    return DIFFERENT if kinds or unused else EQUAL


if __name__ == "__main__":
    sys.exit(main())
