#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The account of the ring can fail, and its losses are seen while they are news."""
import ctypes
import os
import platform
import signal
import struct

import lab
from lab import wait_for
from packets import netis

BPF = {"x86_64": 321, "aarch64": 280}[platform.machine()]
MAP_LOOKUP, MAP_UPDATE, OBJ_GET = 1, 2, 7
CONSUMED_RECORDS = 32  # bytes before it in nids_agent


def bpf(command, attribute):
    result = lab.libc.syscall(BPF, command, attribute, len(attribute))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


class AgentCounters:
    """The map nids_agent, by its pin; an agent that was taken over could write it too."""

    def __init__(self, path):
        self.path = ctypes.create_string_buffer(str(path).encode())
        self.fd = bpf(OBJ_GET, struct.pack("=QII", ctypes.addressof(self.path), 0, 0))

    def close(self):
        os.close(self.fd)

    def add(self, offset, number):
        key, value = ctypes.create_string_buffer(4), ctypes.create_string_buffer(4096)
        attribute = struct.pack("=IIQQQ", self.fd, 0, ctypes.addressof(key),
                                ctypes.addressof(value), 0)
        bpf(MAP_LOOKUP, attribute)
        before, = struct.unpack_from("=Q", value, offset)
        struct.pack_into("=Q", value, offset, before + number)
        bpf(MAP_UPDATE, attribute)


class Accounting(lab.LabCase):
    def setUp(self):
        super().setUp()
        self.lab.via = "nsenter"  # so that the pins can be seen
        self.config = self.lab.path("config.toml")
        self.config.write_text('[ring]\nsize = "256KiB"\n')
        self.watch = self.lab.attach("v0", "--config", self.config)

    def degraded(self):
        return " | ".join(self.lab.status()[0]["degraded"])

    def hold_agent(self):
        os.kill(self.watch.agents[0], signal.SIGSTOP)

    def let_go(self):
        os.kill(self.watch.agents[0], signal.SIGCONT)

    def test_a_record_that_was_neither_taken_nor_lost_is_missed(self):
        self.hold_agent()
        self.lab.far.send_frames("v1", [netis(40000 + i) for i in range(3)])
        wait_for("three records", lambda: self.lab.stats()["ring"]["offered"] == 3)
        stats = self.lab.stats()
        self.assertEqual(stats["ring"]["pending"], 3)
        self.assert_balanced(stats)
        pin, = self.lab.run_dir.glob("nids-xdp/bpf/*/nids_agent")
        counters = AgentCounters(pin)
        self.addCleanup(counters.close)
        counters.add(CONSUMED_RECORDS, 1)  # the agent says that it took one
        done = self.lab.nids("stats", "v0", "--json")
        self.assertEqual(done.returncode, 4)
        self.assertIn('"balanced": false', done.stdout)
        self.assertIn("DOES NOT BALANCE", self.lab.nids("stats", "v0").stdout)
        self.assertIn("does not balance", self.degraded())
        self.let_go()
        self.assertEqual(self.watch.stop(), 4, "the summary says so too")
        self.assertIn("ledger DOES NOT BALANCE", self.watch.out)

    def test_a_loss_degrades_for_a_minute(self):
        self.assertEqual(self.lab.status()[0]["degraded"], [])
        self.hold_agent()
        self.lab.far.send_frames("v1", [netis(10000 + i, bytes(1400)) for i in range(400)])
        wait_for("losses", lambda: self.lab.stats()["ring"]["lost"] > 0)
        self.assertIn("the ring was full", self.degraded(), "though the agent stands still")
        self.let_go()
        stats = self.lab.wait_counted(ingress=400)
        self.assert_balanced(stats)
        self.assertIn("the ring was full", self.degraded())
        self.assertEqual(self.watch.stop(), 4)


if __name__ == "__main__":
    lab.main([])
