# SPDX-License-Identifier: Apache-2.0
"""Attacks as episodes: which of them have alerts, and which alerts belong to no attack."""
import datetime
import json

import attacks

FLAGGED = range(1000, 2000)  # alerts of flagged protocols, which are judged by flow
LATE_S = 5                   # an alert may come so long after the end of its episode


def seconds(timestamp):
    return datetime.datetime.strptime(timestamp, "%Y-%m-%dT%H:%M:%S.%f%z").timestamp()


def alerts_in(eve):
    with open(eve, encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            if record.get("event_type") == "alert" and record["alert"]["signature_id"] not in FLAGGED:
                yield record


def in_network(address, target):
    return address.rpartition(".")[0] == target.rpartition(".")[0]


def is_of(one, ends, first, last):
    """Whether a flow or alert with these ends and times may belong to the episode."""
    if first > one["end"] + LATE_S or last < one["start"]:
        return False
    kind = attacks.KINDS[one["kind"]]
    if kind.is_wide:
        return one["source"] in ends and any(in_network(end, one["target"]) for end in ends)
    return one["target"] in ends and (kind.is_forged or one["source"] in ends)


def judge(episodes, alerts):
    """Returns (episodes with what was found of them, alerts that belong to none)."""
    rows = [one | {"alerts": 0, "is_named": False, "detected_after_s": None} for one in episodes]
    false_alarms = []
    for alert in alerts:
        time, ends = seconds(alert["timestamp"]), {alert.get("src_ip"), alert.get("dest_ip")} - {None}
        own = [row for row in rows if is_of(row, ends, time, time)]
        for row in own:
            row["alerts"] += 1
            row["is_named"] |= alert["alert"]["signature_id"] in attacks.KINDS[row["kind"]].names
            after = max(0.0, time - row["start"])
            row["detected_after_s"] = min(after, row["detected_after_s"] or after)
        if not own:
            false_alarms.append(alert)
    return rows, false_alarms
