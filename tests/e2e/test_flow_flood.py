#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Flows end while more records come than the agent can read, and the end of many flows does not stall it."""
import json
import statistics

import lab
from flood import flood
from lab import FAR_IP, NEAR_IP, wait_for
from packets import IPV4, TCP, dull, ethernet, ipv4, netis, tcp

SYN, ACK = 0x02, 0x10
PORT = 9001
TIMEOUT = b'"reason":"timeout"'
A_ROUND = 4096  # records that the agent reads before it looks at flows


class FlowFlood(lab.LabCase):
    def attach(self, text):
        config = self.lab.path("config.toml")
        config.write_text(text + "[eve]\nrotate_size = 0\n")
        return self.lab.attach("v0", "--config", config, "--retain", "off")

    def follow_eve(self, part):
        """Returns a condition: the EVE file has this part of a line. Parsing all lines would take too long."""
        eve = open(self.lab.eve_path, "rb")
        self.addCleanup(eve.close)
        return lambda: part in eve.read()

    def lines(self):
        return self.lab.eve_path.read_bytes().splitlines()

    def test_flows_end_while_a_ring_is_never_empty(self):
        watch = self.attach('[flow]\nslots_per_cpu = 64\ntcp_established = "10s"\n')
        for here, ifname, flags, back in ((self.lab.far, "v1", SYN, False),
                                          (self.lab.near, "v0", SYN | ACK, True),
                                          (self.lab.far, "v1", ACK, False)):
            ends = (PORT, 40000) if back else (40000, PORT)
            way = {"source": NEAR_IP, "target": FAR_IP} if back else {}
            here.send_frames(ifname, [ethernet(IPV4, ipv4(TCP, tcp(*ends, flags), **way))])
        part = b'"dest_port":%d,' % PORT
        is_over, pending = self.follow_eve(part), []

        def look():
            pending.append(self.lab.stats()["ring"]["pending"])
            return is_over()
        with flood(self.lab.far, "v1", dull(), sources=1 << 24):
            wait_for("more records than the agent reads in a round",
                     lambda: self.lab.stats()["ring"]["pending"] > A_ROUND)
            self.assertFalse(is_over())
            wait_for("the record of a flow that is over", look, seconds=60)
        # Not the least: while the sender has no CPU the agent catches up for a moment.
        self.assertGreater(statistics.median(pending), A_ROUND)
        record, = (json.loads(line) for line in self.lines() if part in line)
        self.assertEqual(record["flow"]["reason"], "timeout")
        self.assertEqual((record["flow"]["pkts_toserver"], record["flow"]["pkts_toclient"]), (2, 1))
        self.assertEqual(self.lab.status()[0]["agent_restarts"], 0)
        self.assertEqual(watch.stop(), 4, "records were lost")

    def test_while_a_flood_of_flows_ends_records_are_read(self):
        """All flows of the flood are over in the same scan. An alert that is sent once the first of
        them is reported comes before the last."""
        watch = self.attach('[flow]\nslots_per_cpu = 64\nudp = "5s"\n[ring]\nsize = "64MiB"\n')
        watch.hold()
        with flood(self.lab.far, "v1", dull(), sources=1 << 20):
            wait_for("more flows than the agent may have",
                     lambda: self.lab.stats()["ingress"]["packets"] > 300_000, seconds=60)
        watch.release()
        wait_for("the first of them to be over", self.follow_eve(TIMEOUT), seconds=60)
        self.lab.far.send_frames("v1", [netis()])
        wait_for("the end of all of them",
                 lambda: self.lab.stats()["agent_table"]["flows"] == 0, seconds=120)
        lines = self.lines()
        alert = next(i for i, line in enumerate(lines) if b'"event_type":"alert"' in line)
        self.assertTrue(any(TIMEOUT in line and b'"dest_port":9999,' in line
                            for line in lines[alert:]))
        self.assertEqual(self.lab.status()[0]["agent_restarts"], 0)
        self.assertIn(watch.stop(), (0, 4), watch.err)


if __name__ == "__main__":
    lab.main([])
