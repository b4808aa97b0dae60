#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Several workers: no packet is lost or counted twice, and a flood in one ring does not delay the workers of
the others."""
import json

import lab
from flood import flood
from lab import wait_for
from packets import ethernet, ipv4, netis, udp, IPV4, UDP

SENDERS, PACKETS = 200, 5
CLASS_PORT = 53413


def from_sender(number, packet):
    """A flagged packet. Its bytes differ from those of all others."""
    return ethernet(IPV4, ipv4(UDP, udp(20000 + number, CLASS_PORT, packet.to_bytes(4, "big")),
                               source=f"10.9.{number // 250}.{number % 250 + 1}"))


class Workers(lab.LabCase):
    def attach(self, workers, text="", *options):
        config = self.lab.path("config.toml")
        config.write_text(f"workers = {workers}\n" + text)
        return self.lab.attach("v0", "--config", config, *options)

    def check(self, workers):
        watch = self.attach(workers)
        frames = [from_sender(sender, packet) for packet in range(PACKETS) for sender in range(SENDERS)]
        self.lab.far.send_frames("v1", frames)
        stats = wait_for("all records", lambda: self.all_taken(len(frames)))
        self.assert_balanced(stats)
        kept = stats["retained"]
        self.assertEqual(kept["packets"] + kept["not_kept_by_policy"], len(frames))
        self.assertEqual(watch.stop(), 0, watch.err)

        stored = [lab.tshark_pcap(segment) for segment in self.lab.segments()]
        self.assertEqual(sum(map(len, stored)), kept["packets"])
        # A worker fills files of its own, so no sender is in two of them.
        senders = [{frame.data[26:30] for frame in frames} for frames in stored]
        self.assertEqual(sum(map(len, senders)), SENDERS)
        self.assertEqual(len(stored), workers)

        alerts = self.lab.alerts()
        self.assertEqual(len(alerts), SENDERS)
        self.assertEqual({alert["src_ip"] for alert in alerts},
                         {f"10.9.{n // 250}.{n % 250 + 1}" for n in range(SENDERS)})
        flows = [one for one in self.lab.eve() if one["event_type"] == "flow" and one["proto"] == "UDP"]
        self.assertEqual(len(flows), SENDERS)
        self.assertEqual({one["flow"]["pkts_toserver"] for one in flows}, {PACKETS})
        indexed = json.loads(self.lab.nids("alerts", "--json").stdout)
        self.assertEqual(len(indexed), SENDERS)
        self.assertTrue(all(one["place"] for one in indexed), "an alert without its packet")

    def all_taken(self, packets):
        stats = self.lab.stats()
        return stats if stats["ring"]["consumed"] >= packets and not stats["ring"]["pending"] else None

    def test_one(self):
        self.check(1)

    def test_two(self):
        self.check(2)

    def test_four(self):
        self.check(4)

    def test_no_record_is_lost_if_agents_are_killed(self):
        """The next agent takes over what the rings still hold."""
        sent = 0
        for workers in (2, 4, 1, 2):
            watch = self.attach(workers)
            frames = [from_sender(sender, sent) for sender in range(SENDERS)]
            self.lab.far.send_frames("v1", frames)
            sent += len(frames)
            watch.kill_parent()
            watch.wait()
        watch = self.attach(2)
        stats = wait_for("all records", lambda: self.all_taken(sent))
        self.assert_balanced(stats)
        self.assertEqual(stats["ring"]["consumed"], sent)
        self.assertEqual(watch.stop(), 0, watch.err)

    def test_a_flood_in_one_ring_does_not_delay_the_others(self):
        # With `capture` the first pass sends all packets of the flow, not only its first 64 KiB.
        watch = self.attach(4, '[ring]\nsize = "256KiB"\n[retain]\nenabled = false\n'
                            '[classes.netis]\ninterest = "capture"\n')
        senders = range(64)
        with flood(self.lab.far, "v1", netis(40000), sources=1):
            wait_for("records that are lost", lambda: self.lab.stats()["ring"]["lost"] > 0, seconds=60)
            self.lab.far.send_frames("v1", [from_sender(sender, 0) for sender in senders])
            wait_for("alerts of the other rings", lambda: len(self.of(senders)) >= len(senders) / 2)
        self.assertEqual(watch.stop(), 4, "records were lost")

    def of(self, senders):
        wanted = {f"10.9.{n // 250}.{n % 250 + 1}" for n in senders}
        return {alert["src_ip"] for alert in self.lab.alerts()} & wanted


if __name__ == "__main__":
    lab.main()
