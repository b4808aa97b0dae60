#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Who may include whom: the rules of CONTRIBUTING.md, checked on every #include of ours."""

import fnmatch
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)

# A stage may include itself and those before it. Siblings do not include each other.
BPF_STAGES = ["parse", "classify", "flow", "ring"]
USER_STAGES = [
    "net", "kernel", "firstpass", "source", "decode", "flow", "stream", "protocol", "rules", "alert",
    "analyse", "log", "retain", "export", "output", "worker", "report", "http", "config", "agent",
    "cli",
]
SIBLINGS = {"log", "retain", "export"}
# Beside the order: source makes decode's records, and names files as decode says.
EXTRA = {("source", "decode")}
CONFIG_READERS = {"config", "agent", "cli"}
# The native twin serves replays and the commands that read captures. Only these files of user/ may reach
# its headers, directly or through another header, because the live agent works without the twin.
TWIN_READERS = ("firstpass/*", "source/by_*.cpp", "source/record_source.hpp", "source/twin_*",
                "agent/replay.cpp", "cli/pcap.cpp")
FIRSTPASS_READERS = {"source", "cli"}
KERNEL_READERS = {"kernel", "source", "worker", "report", "agent", "cli"}


def stage_of(path):
    parts = path.relative_to(ROOT).parts
    return parts[0], parts[1] if len(parts) > 2 else ""


def user_rule(stage, target):
    """Why user/STAGE may not include user/TARGET, or nothing."""
    if target not in USER_STAGES or target == stage or (stage, target) in EXTRA:
        return None
    if target == "config" and stage not in CONFIG_READERS:
        return "only agent and cli read the configuration"
    if target == "kernel" and stage not in KERNEL_READERS:
        return "only source, worker, report, agent and cli include user/kernel"
    if target == "firstpass" and stage not in FIRSTPASS_READERS:
        return "only source and cli include user/firstpass"
    if stage in SIBLINGS and target in SIBLINGS:
        return "log, retain and export are siblings"
    if USER_STAGES.index(target) > USER_STAGES.index(stage):
        return "it comes later in the packet's way"
    return None


def why_not(path, quote, name):
    top, stage = stage_of(path)
    first = name.split("/")[0]
    if quote == "<" and first in ("bpf", "xdp"):
        allowed = top == "bpf" or (top, stage) == ("user", "kernel") or top == "tests"
        return None if allowed else "only user/kernel talks to libbpf and libxdp"
    if quote == "<" or top == "tests":
        return None
    if top == "bpf":
        if name.endswith(".hpp"):
            return "bpf/ is C"
        if stage in BPF_STAGES and first in BPF_STAGES:
            if BPF_STAGES.index(first) > BPF_STAGES.index(stage):
                return "it comes later in the packet's way"
    if top == "include" and not (name.startswith("nids/") or "/" not in name):
        return "contracts include contracts only"
    if top == "user":
        if name.endswith(".skel.h") and stage != "kernel":
            return "only user/kernel knows the skeleton"
        if (ROOT / "bpf" / name).exists():
            allowed = stage in ("net", "firstpass")
            return None if allowed else "only net and firstpass include bpf's headers"
        return user_rule(stage, first)
    return None


def ways_to_twin(included):
    """Each include by which a file of user/ reaches the native twin and may not."""
    reaching, more = set(), {name for name in included if name.startswith("firstpass/")}
    while more:
        reaching |= more
        more = {name for name, headers in included.items() if reaching & headers} - reaching
    allowed = {name for name in reaching
               if any(fnmatch.fnmatch(name, pattern) for pattern in TWIN_READERS)}
    return [(name, header) for name in sorted(reaching - allowed)
            for header in sorted(included[name] & allowed)]


def main():
    problems = []
    included = {}  # headers by file of user/
    for top in ("include", "bpf", "user", "tests"):
        for path in sorted((ROOT / top).rglob("*")):
            if path.suffix not in (".h", ".hpp", ".c", ".cpp"):
                continue
            includes = INCLUDE.findall(path.read_text(encoding="utf-8"))
            if top == "user":
                name = str(path.relative_to(ROOT / top))
                included[name] = {header for quote, header in includes if quote == '"'}
            for quote, name in includes:
                if reason := why_not(path, quote, name):
                    problems.append(f"{path.relative_to(ROOT)} includes {name}: {reason}")
    for name, header in ways_to_twin(included):
        problems.append(f"user/{name} reaches the native twin through {header}")
    print("\n".join(problems) or "ok: includes")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
