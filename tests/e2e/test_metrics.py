#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Metrics: `stats --format prometheus`."""

import exposition
import lab
from packets import netis


class MetricsCase(lab.LabCase):
    def check_against_stats(self, samples):
        stats = self.lab.stats()

        def value(name, **labels):
            return exposition.sample(samples, f"nids_xdp_{name}", interface="v0", **labels)
        for direction in ("ingress", "egress"):
            for unit in ("packets", "bytes"):
                self.assertEqual(value(f"seen_{unit}_total", direction=direction),
                                 stats[direction][unit])
        for result, count in stats["parse"].items():
            self.assertEqual(value("parse_result_packets_total", result=result), count)
        for name, one in stats["classes"].items():
            self.assertEqual(value("class_flows_total", **{"class": name}), one["flows"])
        for severity, count in stats["alerts"]["by_severity"].items():
            self.assertEqual(value("alerts_total", severity=severity), count)
        self.assertEqual(value("ring_consumed_records_total"), stats["ring"]["consumed"])
        self.assertEqual(value("flow_table_slots"), stats["flow_table"]["slots"])
        self.assertEqual(value("ledger_balanced"), 1)
        self.assertEqual(value("agent_running"), 1)

    def send(self, count, first=20000):
        self.lab.far.send_frames("v1", [netis(first + i) for i in range(count)])


class Stats(MetricsCase):
    LINKS = 2

    def test_all_interfaces_in_one_output(self):
        watch = self.lab.attach("v0", "v2")
        self.send(5)
        self.lab.wait_counted(ingress=5)
        done = self.lab.nids("stats", "--format", "prometheus")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        samples = exposition.check(done.stdout)
        self.check_against_stats(samples)
        interfaces = {dict(labels)["interface"] for _, labels in samples}
        self.assertEqual(interfaces, {"v0", "v2"})
        self.assertNotRegex(done.stdout, r"\d+\.\d+\.\d+\.\d+|fd7\d::")
        one = exposition.check(self.lab.nids("stats", "v2", "--format", "prometheus").stdout)
        self.assertEqual({dict(labels)["interface"] for _, labels in one}, {"v2"})
        self.assertEqual(watch.stop(), 0, watch.err)

    def test_format_json_is_json_and_one_format_is_enough(self):
        watch = self.lab.attach("v0")
        self.assertEqual(self.lab.nids("stats", "--format", "json").stdout,
                         self.lab.nids("stats", "--json").stdout)
        self.assertTrue(self.lab.nids("stats", "--format", "text").stdout.startswith("v0 (native)"))
        for wrong in (("--json", "--format", "text"), ("--format", "xml"),
                      ("--format", "prometheus", "--watch", "1")):
            done = self.lab.nids("stats", *wrong)
            self.assertEqual((done.returncode, done.stdout), (2, ""), wrong)
            self.assertIn("--", done.stderr)
        self.assertEqual(watch.stop(), 0, watch.err)

    def test_nothing_attached_is_no_metric(self):
        done = self.lab.nids("stats", "--format", "prometheus")
        self.assertEqual((done.returncode, done.stdout), (0, ""))


if __name__ == "__main__":
    lab.main()
