# SPDX-License-Identifier: Apache-2.0
"""The score of a session: compares the flow records of the sensors with the truth. A flow is positive if the truth
has a class for it, and flagged if a flow record has one."""
import collections
import dataclasses
import json
import math

import episodes
from flow_key import key_of


@dataclasses.dataclass
class Counts:
    tp: int = 0
    fp: int = 0
    fn: int = 0
    tn: int = 0

    def add(self, is_positive, is_flagged, weight):
        name = ("t" if is_positive == is_flagged else "f") + ("p" if is_flagged else "n")
        setattr(self, name, getattr(self, name) + weight)

    @staticmethod
    def share(part, all_of_it):
        return part / all_of_it if all_of_it else None

    def figures(self):
        """None: there is nothing to divide by. Matthews' coefficient is not flattered by true negatives, as
        accuracy is."""
        root = math.sqrt((self.tp + self.fp) * (self.tp + self.fn) * (self.tn + self.fp) * (self.tn + self.fn))
        return {"tp": self.tp, "fp": self.fp, "fn": self.fn, "tn": self.tn,
                "precision": self.share(self.tp, self.tp + self.fp),
                "recall": self.share(self.tp, self.tp + self.fn),
                "accuracy": self.share(self.tp + self.tn, self.tp + self.fp + self.fn + self.tn),
                "mcc": self.share(self.tp * self.tn - self.fp * self.fn, root)}


def flagged_in(eve):
    """By the key of a flow, the classes of its records and their packets."""
    found = collections.defaultdict(lambda: [set(), 0])
    with open(eve, encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            if record.get("event_type") != "flow":
                continue
            transport = record["proto"].lower().replace("ipv6-", "")
            one = found[key_of(transport, (record["src_ip"], record.get("src_port", 0)),
                               (record["dest_ip"], record.get("dest_port", 0)))]
            variables = record.get("metadata", {}).get("flowvars", [])
            one[0].update(value["value"] for value in variables if value["key"] == "class")
            one[1] += record["flow"]["pkts_toserver"] + record["flow"]["pkts_toclient"]
    return found


class Score:
    def __init__(self):
        self.flows, self.packets = Counts(), Counts()
        self.by_class = collections.defaultdict(lambda: (Counts(), Counts()))

    def add(self, rows, flagged, attacks=()):
        """Of one sensor. `rows`: the truth. Flows of attacks are not judged by their protocol."""
        seen = set()
        for row in rows:
            key = key_of(row["transport"], row["a"], row["b"])
            seen.add(key)
            ends = {row["a"][0], row["b"][0]}
            if any(episodes.is_of(one, ends, row["first"], row["last"]) for one in attacks):
                continue
            self.judge(row["class"], flagged[key][0] if key in flagged else set(), row["packets"])
        for key, (classes, packets) in flagged.items():
            if key not in seen:
                self.judge(None, classes, packets)

    def judge(self, truth, classes, packets):
        # A wrong class is no hit.
        is_hit = truth in classes if truth else bool(classes)
        for counts, weight in ((self.flows, 1), (self.packets, packets)):
            counts.add(truth is not None, is_hit, weight)
        for name in {truth, *classes} - {None}:
            for counts, weight in zip(self.by_class[name], (1, packets)):
                counts.add(truth == name, name in classes, weight)

    def result(self):
        return {"flows": self.flows.figures(), "packets": self.packets.figures(),
                "by_class": {name: {"flows": flows.figures(), "packets": packets.figures()}
                             for name, (flows, packets) in sorted(self.by_class.items())}}
