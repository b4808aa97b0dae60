# SPDX-License-Identifier: Apache-2.0
"""The results of a session on the disk: a folder with session.json, and for each sensor a folder with truth.json,
eve.json and attach.log."""
import json
import pathlib

import episodes
import picture
import score


def read(folder):
    """(facts, score as the JSON of `score --json`)"""
    folder = pathlib.Path(folder)
    facts = json.loads((folder / "session.json").read_text("ascii"))
    total, alerts, flows = score.Score(), [], 0
    for sensor in facts["sensors"]:
        rows = json.loads((folder / sensor / "truth.json").read_text("ascii"))
        total.add(rows, score.flagged_in(folder / sensor / "eve.json"), facts["episodes"])
        alerts += episodes.alerts_in(folder / sensor / "eve.json")
        flows += len(rows)
    found, false_alarms = episodes.judge(facts["episodes"], alerts)
    detected = sum(row["alerts"] > 0 for row in found)
    return facts, {"nodes": facts["nodes"], "scenario": facts["title"], **total.result(),
                   "episodes": {"found": detected, "missed": len(found) - detected,
                                "named": sum(row["is_named"] for row in found), "false_alarms": len(false_alarms),
                                "false_alarms_per_hour": len(false_alarms) * 3600 / facts["seconds"],
                                "false_alarms_per_100000_flows": len(false_alarms) * 100_000 / max(1, flows),
                                "each": found}}


def cell(value):
    return "-" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)


def table(facts, result):
    """The score for people, at most 80 columns."""
    columns = ("tp", "fp", "fn", "tn", "precision", "recall", "accuracy", "mcc")
    lines = [f"{facts['title']}: {facts['nodes']} hosts, {len(facts['sensors'])} sensors, seed {facts['seed']}, "
             f"{facts['seconds']} s",
             f"{facts['conversations']} conversations, {facts['conversations_failed']} failed; memory of the agents: "
             f"{facts['agent_memory_mb']['sum']} MB, at most {facts['agent_memory_mb']['largest']} MB each", "",
             f"{'':<17}{'TP':>6}{'FP':>6}{'FN':>6}{'TN':>7} {'precision':>9} {'recall':>7} {'accuracy':>8} {'MCC':>6}"]
    rows = [("all flows", result["flows"]), ("all packets", result["packets"])]
    for name, one in result["by_class"].items():
        rows += [(f"{name} flows", one["flows"]), (f"{name} packets", one["packets"])]
    for name, figures in rows:
        values = [cell(figures[column]) for column in columns]
        lines.append(f"{name:<17}{values[0]:>6}{values[1]:>6}{values[2]:>6}{values[3]:>7} {values[4]:>9} {values[5]:>7} "
                     f"{values[6]:>8} {values[7]:>6}")
    lines += [f"{name:<18}recall {recall:.0%}, {tuned:.0%} after tuning" for name, recall, tuned in picture.PAPER]
    lines += episode_lines(result["episodes"])
    return "\n".join(lines)


def episode_lines(result):
    if not result["each"] and not result["false_alarms"]:
        return []
    lines = ["", f"{'attack':<14}{'source':<16}{'target':<16}{'found':>6}{'named':>6}{'alerts':>7}{'after':>8}"]
    for one in result["each"]:
        after = "-" if one["detected_after_s"] is None else f"{one['detected_after_s']:.1f} s"
        lines.append(f"{one['kind']:<14}{one['source']:<16}{one['target']:<16}"
                     f"{'yes' if one['alerts'] else 'no':>6}{'yes' if one['is_named'] else 'no':>6}"
                     f"{one['alerts']:>7}{after:>8}")
    lines.append(f"{result['found']} of {len(result['each'])} found, {result['named']} named; "
                 f"{result['false_alarms']} false alarms, {result['false_alarms_per_hour']:.1f} an hour, "
                 f"{result['false_alarms_per_100000_flows']:.1f} in 100,000 flows")
    return lines
