#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Compares the EVE flow records of every ordinary capture with what tshark says of its packets.

flow_model.py says by tshark and docs/parse.md which flow a packet belongs to, and both must agree
to the packet and byte, per flow and direction; what the model gives to no flow is the ledger's
no_flow. Community ids are compared with tshark's of each flow's first packet, and with those that
the specification gives. Each line holds to docs/eve-flow.schema.json. A share of the captures goes
through the program in the kernel too, which must write the same bytes.

NIDS_CORPUS_FLOWS_EVERY: every so-manieth capture, 6 where it is not set, 1 for all.
NIDS_CORPUS_KERNEL_EVERY: of these every so-manieth through the kernel, 8 where it is not set.
"""
import argparse
import ipaddress
import json
import os
import pathlib
import subprocess
import sys
import tempfile
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor

import jsonschema

import replay_all
from flow_model import ERRORS, PROTOCOLS, flow_key, model_of, reference_id, types_and_codes
from replay_all import JOBS, ROOT, SKIPPED, TIMEOUT_S, binary, can_load, data_dir


def record_of(line):
    """Key, counts by end, community id."""
    proto = PROTOCOLS.get(line["proto"]) or int(line["proto"])
    ports = line.get("src_port", 0), line.get("dest_port", 0)
    if proto in ERRORS:
        ports = types_and_codes(proto, line["icmp_type"], line["icmp_code"])
    ends = [(str(ipaddress.ip_address(line[end])), port) for end, port in zip(("src_ip", "dest_ip"), ports)]
    key, client = flow_key(tuple(line.get("vlan", ())), proto, *ends)
    flow = line["flow"]
    counts = [[flow[unit + to] for unit in ("pkts_", "bytes_")] for to in ("toserver", "toclient")]
    if client:
        counts.reverse()
    if key[2] == key[3]:
        counts = [[a + b for a, b in zip(*counts)], [0, 0]]
    return key, counts, line["community_id"]


class Comparison:
    def __init__(self, path, validator, by_kernel):
        self.path, self.problems, self.flows, self.packets, self.skipped = path, [], 0, 0, ""
        self.by_kernel, self.why, self.ids_by_tshark = by_kernel, {}, 0
        with tempfile.TemporaryDirectory(prefix="nids-flows-") as folder:
            self.eve = pathlib.Path(folder) / "eve.json"
            told = self.replay()
            if told is None:
                return
            lines = self.eve.read_bytes() if self.eve.exists() else b""
            if by_kernel and self.replay("--kernel") and self.eve.read_bytes() != lines:
                self.problems.append("the kernel writes another EVE")
        self.compare(told, [json.loads(line) for line in lines.splitlines()], validator)

    def replay(self, *options):
        self.eve.unlink(missing_ok=True)
        done = subprocess.run([binary(), "replay", str(self.path), "--json", "--eve", str(self.eve), *options],
                              capture_output=True, stdin=subprocess.DEVNULL, timeout=TIMEOUT_S)
        self.code = done.returncode
        if self.code not in (0, 4):
            self.problems.append(f"exit code {done.returncode}: {done.stderr.decode(errors='replace').strip()}")
            return None
        return json.loads(done.stdout)

    def compare(self, told, lines, validator):
        model, ledger = model_of(self.path), told["stats"]["ledger"]
        self.packets = model.frames
        if model.frames != told["packets"]:
            text = f"tshark reads {model.frames} packets, replay {told['packets']}"
            if self.code == 4:  # a file that can't be read to its end, which is said
                self.skipped = text
            else:
                self.problems.append(text)
            return
        flows, ids = defaultdict(lambda: [[0, 0], [0, 0]]), defaultdict(set)
        for line in lines:
            if line["event_type"] != "flow":
                continue
            for error in validator.iter_errors(line):
                self.problems.append(f"not by the schema: {error.message}: {json.dumps(line)}")
            key, counts, community_id = record_of(line)
            ids[key].add(community_id)
            for total, part in zip(flows[key], counts):
                total[:] = [a + b for a, b in zip(total, part)]
        self.flows, self.why = len(model.flows), model.why
        for key in model.flows.keys() | flows.keys():
            ours, right = flows.get(key), model.flows.get(key)
            if ours != right:
                self.problems.append(f"flow {key}: told {ours}, right is {right}")
                continue
            by_tshark, packet = model.community_ids[key]
            self.ids_by_tshark += by_tshark is not None
            right = {reference_id(key)} | ({by_tshark} - {None})
            if ids[key] != right:
                self.problems.append(f"community id of {key}: told {ids[key]}, right is {right}, packet {packet}")
        counted = [sum(counts[side][unit] for counts in flows.values() for side in (0, 1)) for unit in (0, 1)]
        for unit, name in enumerate(("", "_bytes")):
            if ledger["seen" + name] != counted[unit] + ledger["no_flow" + name] + ledger["unaccounted" + name]:
                self.problems.append(f"seen{name} {ledger['seen' + name]} is not {counted[unit]} of flows and "
                                     f"{ledger['no_flow' + name]} of none")
            if ledger["no_flow" + name] != model.no_flow[unit]:
                self.problems.append(f"no_flow{name} {ledger['no_flow' + name]}, right is {model.no_flow[unit]}: "
                                     f"{dict(model.why)}; replay: {told['stats']['parse']}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="only files whose path holds this text")
    parser.add_argument("-v", "--verbose", action="store_true", help="packets of no flow, by reason")
    arguments = parser.parse_args()
    folders = [data_dir() / name for name in ("protocols", "benign")]
    if not all(folder.is_dir() for folder in folders):
        print(f"skipped: corpus.flows_all, {data_dir()} has no protocols and benign; NIDS_XDP_DATA names "
              "another folder")
        return SKIPPED
    if not os.access(binary(), os.X_OK):
        print(f"there is no program {binary()}; NIDS_XDP_BIN names another one")
        return 1
    if not can_load():
        print("the program can't be loaded into the kernel, so only the twin is compared: run as root")
        if os.environ.get("NIDS_REQUIRE_BPF") == "1":
            return 1
    schema = json.loads((ROOT / "docs/eve-flow.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    paths = sorted(path for folder in folders for path in folder.rglob("*") if path.is_file() and
                   arguments.only in str(path) and replay_all.expectation(path) == "capture")
    every = 1 if arguments.only else int(os.environ.get("NIDS_CORPUS_FLOWS_EVERY", "6"))
    kernel_every = int(os.environ.get("NIDS_CORPUS_KERNEL_EVERY", "8")) if can_load() else 0
    paths = paths[::every]
    flows = packets = kernel = failed = ids = 0
    why = defaultdict(int)
    with ThreadPoolExecutor(JOBS) as pool:
        for one in pool.map(lambda item: Comparison(item[1], validator, bool(kernel_every) and
                                                    item[0] % kernel_every == 0), enumerate(paths)):
            name = one.path.relative_to(data_dir())
            flows, packets, kernel = flows + one.flows, packets + one.packets, kernel + one.by_kernel
            failed, ids = failed + bool(one.problems), ids + one.ids_by_tshark
            for reason, count in one.why.items():
                why[reason] += count
            if one.skipped:
                print(f"not compared {name}: {one.skipped}", flush=True)
            for problem in one.problems:
                print(f"FAILED {name}: {problem}", flush=True)
    if arguments.verbose:
        print("\n".join(f"{count:8} {reason}" for reason, count in sorted(why.items())))
    print(f"{len(paths)} captures, {flows} flows, {ids} community ids by tshark, {packets} packets, "
          f"{sum(why.values())} of no flow; {kernel} captures through the kernel too; {failed} captures differ")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
