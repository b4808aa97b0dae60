#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The score of the laboratory: planted misses, false alarms and wrong classes change it as they should."""
import json
import pathlib
import sys
import tempfile
import unittest
import xml.etree.ElementTree

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools/lab"))
import picture  # noqa: E402
import results  # noqa: E402
import score  # noqa: E402

SERVER, CLIENT = ("192.0.2.1", 22), "192.0.2.2"


def row(port, name, packets=10):
    return {"transport": "tcp", "a": [CLIENT, port], "b": list(SERVER), "class": name, "packets": packets,
            "first": 1.0, "last": 2.0}


def record(port, name, packets=10):
    values = [{"key": "conn_state", "value": "SF"}]
    if name:
        values.append({"key": "class", "value": name})
    return {"event_type": "flow", "proto": "TCP", "src_ip": CLIENT, "src_port": port, "dest_ip": SERVER[0],
            "dest_port": SERVER[1], "flow": {"pkts_toserver": packets - 4, "pkts_toclient": 4},
            "metadata": {"flowvars": values}}


def alert(at, signature_id, source="198.51.100.1", target="192.0.2.1"):
    return {"event_type": "alert", "timestamp": f"1970-01-01T00:{at // 60:02}:{at % 60:02}.000000+0000",
            "src_ip": source, "dest_ip": target, "alert": {"signature_id": signature_id}}


def episode(kind, start, end, source="198.51.100.1", target="192.0.2.1"):
    return {"kind": kind, "source": source, "target": target, "start": start, "end": end, "exit_code": 0}


class PlantedCase(unittest.TestCase):
    """Eight flows: four of class ssh, four of none, all said right."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.episodes, self.alerts = [], [alert(1, 1001)]
        self.rows = [row(port, "ssh" if port <= 4 else None) for port in range(1, 9)]
        self.records = [record(port, "ssh" if port <= 4 else None) for port in range(1, 9)]

    def result(self):
        sensor = pathlib.Path(self.folder.name) / "h1"
        sensor.mkdir(exist_ok=True)
        (sensor / "truth.json").write_text(json.dumps(self.rows))
        (sensor / "eve.json").write_text("".join(json.dumps(one) + "\n" for one in [*self.alerts, *self.records]))
        facts = {"title": "planted", "nodes": 1, "seconds": 1, "seed": 1, "sensors": ["h1"], "conversations": 8,
                 "conversations_failed": 0, "episodes": self.episodes,
                 "agent_memory_mb": {"sum": 1.0, "largest": 1.0}}
        (sensor.parent / "session.json").write_text(json.dumps(facts))
        facts, result = results.read(self.folder.name)
        for line in results.table(facts, result).splitlines():
            self.assertLessEqual(len(line), 80, line)
        self.picture = xml.etree.ElementTree.fromstring(picture.svg(result))
        return result

    def assert_counts(self, figures, **wanted):
        self.assertEqual({name: figures[name] for name in ("tp", "fp", "fn", "tn")},
                         {"tp": 0, "fp": 0, "fn": 0, "tn": 0} | wanted)


class Flows(PlantedCase):
    def test_all_right(self):
        result = self.result()
        self.assert_counts(result["flows"], tp=4, tn=4)
        self.assert_counts(result["packets"], tp=40, tn=40)
        self.assert_counts(result["by_class"]["ssh"]["flows"], tp=4)
        for name in ("precision", "recall", "accuracy", "mcc"):
            self.assertEqual(result["flows"][name], 1.0)

    def test_the_picture(self):
        self.records[0] = record(1, None)
        self.result()
        words = [one.text for one in self.picture.iter("{http://www.w3.org/2000/svg}text")]
        for wanted in ("planted, 1 hosts", "ssh", "precision 100.0%", "recall 75.0%", "tuned 88.0%"):
            self.assertIn(wanted, words)

    def test_a_miss(self):
        self.records[0] = record(1, None)
        result = self.result()
        self.assert_counts(result["flows"], tp=3, fn=1, tn=4)
        self.assertEqual(result["flows"]["recall"], 0.75)
        self.assertEqual(result["by_class"]["ssh"]["flows"]["recall"], 0.75)

    def test_a_flow_without_a_record_is_a_miss_and_counts_its_packets(self):
        self.rows[0]["packets"] = 100
        del self.records[0]
        result = self.result()
        self.assert_counts(result["flows"], tp=3, fn=1, tn=4)
        self.assert_counts(result["packets"], tp=30, fn=100, tn=40)

    def test_a_false_alarm(self):
        self.records[7] = record(8, "ssh")
        result = self.result()
        self.assert_counts(result["flows"], tp=4, fp=1, tn=3)
        self.assertEqual(result["flows"]["precision"], 0.8)
        self.assertAlmostEqual(result["flows"]["mcc"], (4 * 3 - 0) / (5 * 4 * 4 * 3) ** 0.5)

    def test_a_record_of_a_flow_that_was_not_there_is_a_false_alarm(self):
        self.records.append(record(99, "ssh"))
        self.assert_counts(self.result()["flows"], tp=4, fp=1, tn=4)

    def test_another_class_is_a_miss_and_a_false_alarm_of_that_class(self):
        self.records[0] = record(1, "telnet")
        result = self.result()
        self.assert_counts(result["flows"], tp=3, fn=1, tn=4)
        self.assert_counts(result["by_class"]["ssh"]["flows"], tp=3, fn=1)
        self.assert_counts(result["by_class"]["telnet"]["flows"], fp=1)

    def test_swapped_truth(self):
        for one in self.rows:
            one["class"] = None if one["class"] else "ssh"
        result = self.result()
        self.assert_counts(result["flows"], fp=4, fn=4)
        self.assertEqual(result["flows"]["mcc"], -1.0)

    def test_no_positive_flow_has_no_recall(self):
        self.rows, self.records = self.rows[4:], self.records[4:]
        result = self.result()
        self.assertIsNone(result["flows"]["recall"])
        self.assertIsNone(result["flows"]["mcc"])
        self.assertEqual(result["flows"]["accuracy"], 1.0)

    def test_directions_and_parts_of_a_flow_are_one(self):
        other = record(1, "ssh", 6)
        for one, another in (("src_ip", "dest_ip"), ("src_port", "dest_port")):
            other[one], other[another] = other[another], other[one]
        self.records.append(other)
        self.assert_counts(self.result()["flows"], tp=4, tn=4)


class Episodes(PlantedCase):
    def assert_episodes(self, **wanted):
        result = self.result()["episodes"]
        self.assertEqual({name: result[name] for name in wanted}, wanted)
        return result

    def test_found_and_named(self):
        self.episodes = [episode("syn-scan", 100, 110)]
        self.alerts.append(alert(103, 3001))
        result = self.assert_episodes(found=1, missed=0, named=1, false_alarms=0)
        self.assertEqual(result["each"][0]["detected_after_s"], 3.0)

    def test_found_by_another_name(self):
        self.episodes = [episode("syn-scan", 100, 110)]
        self.alerts.append(alert(103, 2004))
        self.assert_episodes(found=1, missed=0, named=0, false_alarms=0)

    def test_missed(self):
        """An alert before it, one long after it, one of other hosts, and one of a flagged protocol."""
        self.episodes = [episode("syn-scan", 100, 110)]
        self.alerts += [alert(99, 3001), alert(116, 3001), alert(105, 3001, source="192.0.2.9"), alert(105, 1001)]
        self.assert_episodes(found=0, missed=1, named=0, false_alarms=3)

    def test_false_alarms_by_time_and_flows(self):
        self.alerts.append(alert(50, 3001))
        result = self.assert_episodes(found=0, missed=0, false_alarms=1, false_alarms_per_hour=3600.0)
        self.assertEqual(result["false_alarms_per_100000_flows"], 100_000 / 8)

    def test_a_forged_source_need_not_be_the_attackers(self):
        self.episodes = [episode("syn-flood", 100, 110)]
        self.alerts.append(alert(103, 3001, source="203.0.113.7"))
        self.assert_episodes(found=1, named=0, false_alarms=0)

    def test_a_sweep_is_against_a_network(self):
        self.episodes = [episode("port-sweep", 100, 110)]
        self.alerts += [alert(103, 3001, target="192.0.2.77"), alert(104, 3001, target="203.0.113.7")]
        self.assert_episodes(found=1, false_alarms=1)

    def test_flows_of_an_attack_are_not_judged_by_protocol(self):
        self.records[7] = record(8, "ssh")
        self.episodes = [episode("syn-scan", 0, 5, CLIENT, SERVER[0])]
        self.rows[0]["first"] = self.rows[0]["last"] = 100.0
        self.assert_counts(self.result()["flows"], tp=1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
