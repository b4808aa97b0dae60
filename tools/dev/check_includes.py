#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Who may include whom: the rules of CONTRIBUTING.md, checked on every #include of ours."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)

# A stage may include itself and those before it. Siblings do not include each other.
BPF_STAGES = ["parse", "classify", "flow", "ring"]
USER_STAGES = [
    "kernel", "firstpass", "source", "decode", "flow", "stream", "protocol", "rules", "analyse",
    "alert", "log", "retain", "export", "report", "http", "config", "agent", "cli",
]
SIBLINGS = {"log", "retain", "export"}
# Beside the order: source makes decode's records, and names files as decode says.
EXTRA = {("source", "decode")}
CONFIG_READERS = {"config", "agent", "cli"}
KERNEL_READERS = {"kernel", "source", "report", "agent", "cli"}


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
        return "only source, report, agent and cli include user/kernel"
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
        if (ROOT / "bpf" / name).exists() and stage != "firstpass":
            return "only firstpass includes bpf's headers"
        return user_rule(stage, first)
    return None


def main():
    problems = []
    for top in ("include", "bpf", "user", "tests"):
        for path in sorted((ROOT / top).rglob("*")):
            if path.suffix not in (".h", ".hpp", ".c", ".cpp"):
                continue
            for quote, name in INCLUDE.findall(path.read_text(encoding="utf-8")):
                if reason := why_not(path, quote, name):
                    problems.append(f"{path.relative_to(ROOT)} includes {name}: {reason}")
    print("\n".join(problems) or "ok: includes")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
