#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""One interface has one agent, though agents with different root directories share no lock. Where an
interface cannot be claimed, attach says so and works."""
import errno
import os
import signal
import sys
import time

import lab
from lab import is_running, wait_for
from packets import netis

ROUNDS = 12
START_AT = """
import os, sys, time
while time.monotonic() < float(sys.argv[1]):
    pass
os.execv(sys.argv[2], sys.argv[2:])
"""
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all",
          "--bounding-set=-all"]


class Claim(lab.LabCase):
    def setUp(self):
        super().setUp()
        self.roots = [self.lab.folder / "one", self.lab.folder / "two"]
        for root in self.roots:
            root.mkdir()

    def start_behind(self, root, program, argument, *options):
        """Runs attach through this Python program, which gets the argument."""
        number = next(lab.numbers)
        out, err = self.lab.path(f"claim-{number}.out"), self.lab.path(f"claim-{number}.err")
        command = self.lab.near.command(sys.executable, "-c", program, argument, lab.binary(),
                                        "attach", "v0", *options)
        with open(out, "wb") as stdout, open(err, "wb") as stderr:
            process = self.lab.start(*command, stdout=stdout, stderr=stderr,
                                     env=self.lab.environment | {"NIDS_XDP_ROOT": str(root)})
        watch = lab.Watch(self.lab, process, out, err)
        self.lab.watches.append(watch)
        return watch

    def start(self, root, at, *options):
        """Starts an agent at this time of the monotonic clock."""
        return self.start_behind(root, START_AT, at, *options)

    def start_two(self, *options):
        """The one that watches in the end; the other has ended with an error."""
        at = time.monotonic() + 0.4
        return self.winner_of([self.start(root, at, *each)
                               for root, each in zip(self.roots, options)])

    def winner_of(self, both):
        wait_for("both to start or to end",
                 lambda: all(one.has_started() or one.process.poll() is not None for one in both),
                 seconds=30)
        winners = [one for one in both if one.process.poll() is None]
        self.assertEqual(len(winners), 1, "\n".join(one.err for one in both))
        winner, = winners
        loser, = (one for one in both if one is not winner)
        self.assertEqual(loser.process.returncode, 1)
        self.assert_message(loser.err, "v0", f"process {winner.pid}", "nids-xdp detach v0")
        winner.agents = lab.children_of(winner.pid)
        self.assertEqual(self.lab.status()[0]["agent_pid"], winner.pid)
        return winner

    def assert_nothing_left(self):
        self.assertEqual(self.lab.leftovers_soon(), [])
        for root in self.roots:
            self.assertFalse((root / "run/nids-xdp").exists(), root)

    def test_two_that_attach_at_the_same_moment(self):
        for _ in range(ROUNDS):
            winner = self.start_two((), ())
            self.assertEqual(winner.stop(), 0, winner.err)
            self.assert_nothing_left()

    def test_two_in_different_modes_at_the_same_moment(self):
        """The kernel would take both: an XDP program and a tc filter do not meet."""
        for _ in range(ROUNDS):
            winner = self.start_two(("--no-egress",), ("--no-egress", "--mode", "tc"))
            self.assertEqual(winner.stop(), 0, winner.err)
            self.assert_nothing_left()

    def assert_each_record_is_read_once(self, packets):
        self.lab.far.send_frames("v1", [netis()])
        ring = self.lab.wait_counted(ingress=packets)["ring"]
        self.assertEqual((ring["offered"], ring["lost"]), (ring["consumed"], 0))

    def first(self):
        watch = self.start(self.roots[0], 0)
        self.lab.wait_until_attached(watch)
        return watch

    def test_two_that_take_over_at_the_same_moment(self):
        watch = self.first()
        for packets in range(1, ROUNDS + 1):
            watch.kill_parent()
            wait_for("the reader's end", lambda: not any(map(is_running, watch.agents)))
            watch = self.start_two((), ())
            self.assertIn("taking over", watch.err)
            self.assert_each_record_is_read_once(packets)
        self.assertEqual(watch.stop(), 0, watch.err)

    def test_two_that_wait_for_the_same_reader_to_end(self):
        watch = self.first()
        reader, = watch.agents
        os.kill(reader, signal.SIGSTOP)
        watch.kill_parent()
        both = [self.start(root, 0) for root in self.roots]
        wait_for("both to wait", lambda: all((root / "run/nids-xdp/lock").exists()
                                             for root in self.roots))
        time.sleep(0.5)
        os.kill(reader, signal.SIGKILL)
        watch = self.winner_of(both)
        self.assert_each_record_is_read_once(1)
        self.assertEqual(watch.stop(), 0, watch.err)

    def test_the_next_agent_follows_at_once_after_the_end_or_death_of_one(self):
        for how in (signal.SIGINT, signal.SIGKILL):
            first = self.start(self.roots[0], 0)
            wait_for("the first", first.has_started)
            first.process.send_signal(how)
            second = self.start(self.roots[1], 0)
            wait_for("the second", lambda: second.has_started() or second.process.poll() is not None)
            self.assertIsNone(second.process.poll(), second.err)
            first.process.wait(10)
            second.agents = lab.children_of(second.pid)
            self.assertEqual(second.stop(), 0, second.err)

    def test_who_has_no_rights_cannot_take_the_claim_first(self):
        ifindex = next(one["ifindex"] for one in self.lab.near.links() if one["ifname"] == "v0")
        done = self.lab.near.run(*NOBODY, sys.executable, "-c", CLAIM, ifindex, check=False)
        self.assertEqual(done.stdout, f"{1}\n", done.stderr)  # EPERM
        watch = self.lab.attach("v0")
        done = self.lab.near.run(sys.executable, "-c", CLAIM, ifindex, check=False)
        self.assertEqual(done.stdout, f"{1}\n", "the name of the table is no longer the claim")
        self.assertEqual(watch.stop(), 0)
        done = self.lab.near.run(sys.executable, "-c", CLAIM, ifindex, check=False)
        self.assertEqual(done.stdout, f"{0}\n", done.stderr)

    def start_unclaimed(self, error):
        """Starts an agent that can't open the netlink socket of nftables: socket() fails with this error."""
        watch = self.start_behind(self.lab.root, REFUSE, error)
        self.lab.wait_until_attached(watch)
        return watch

    def test_where_the_kernel_knows_no_claims_attach_warns_and_works(self):
        for number, error in enumerate((errno.EPROTONOSUPPORT, errno.EPERM)):
            with self.subTest(errno.errorcode[error]):
                watch = self.start_unclaimed(error)
                self.assertEqual(watch.err.count("cannot claim v0"), 1, watch.err)
                self.assertIn(os.strerror(error), watch.err)
                self.assertIn("an agent with another NIDS_XDP_ROOT could watch it too", watch.err)
                self.lab.far.send_frames("v1", [netis(40000 + number)])
                self.lab.wait_alerts(number + 1)
                self.assertEqual(self.lab.status()[0]["degraded"], [])
                self.assertEqual(watch.stop(), 0, watch.err)
                self.assert_nothing_left()

    def test_without_claims_the_next_agent_is_refused_by_the_one_that_is_attached(self):
        watch = self.start_unclaimed(errno.EPROTONOSUPPORT)
        for root in (self.lab.root, self.roots[0]):
            other = self.start_behind(root, REFUSE, errno.EPROTONOSUPPORT)
            self.assertEqual(other.wait(), 1, other.err)
            self.assertIn(f"process {watch.pid}", other.err)
            self.assertIn("nids-xdp detach v0", other.err)
        self.assertEqual(self.lab.status()[0]["agent_pid"], watch.pid)
        self.assert_each_record_is_read_once(1)
        self.assertEqual(watch.stop(), 0, watch.err)


# Runs a command without the netlink family of nftables, as on a kernel or in a sandbox without it.
REFUSE = """
import ctypes, os, platform, struct, sys

LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
SOCKET = {"x86_64": 41, "aarch64": 198}[platform.machine()]
ALLOW, ERRNO = 0x7FFF0000, 0x00050000
NUMBER, FAMILY, PROTOCOL = 0, 16, 32  # in seccomp_data, little-endian
program = [(LOAD, 0, 0, NUMBER), (JUMP_IF_EQUAL, 0, 5, SOCKET),
           (LOAD, 0, 0, FAMILY), (JUMP_IF_EQUAL, 0, 3, 16),
           (LOAD, 0, 0, PROTOCOL), (JUMP_IF_EQUAL, 0, 1, 12),
           (RETURN, 0, 0, ERRNO | int(sys.argv[1])), (RETURN, 0, 0, ALLOW)]
code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *one) for one in program))
head = ctypes.create_string_buffer(struct.pack("@HP", len(program), ctypes.addressof(code)))
libc = ctypes.CDLL(None, use_errno=True)
if libc.prctl(22, 2, head, 0, 0) != 0:  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER
    raise OSError(ctypes.get_errno(), "prctl")
os.execv(sys.argv[2], sys.argv[2:])
"""

# What claim_interface() does; prints the errno of the answer.
CLAIM = """
import socket, struct, sys

def message(kind, flags, family, payload=b"", resource=0):
    body = struct.pack("=BBH", family, 0, socket.htons(resource)) + payload
    return struct.pack("=IHHII", 16 + len(body), kind, flags, 1, 0) + body

def attribute(kind, data):
    return struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)

nfnetlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
nfnetlink.bind((0, 0))
table = attribute(1, b"nids-xdp-%d\\0" % int(sys.argv[1])) + attribute(2, struct.pack(">I", 2))
nfnetlink.send(message(16, 1, 0, resource=10) + message(10 << 8, 0x605, 5, table) +
               message(17, 1, 0, resource=10))
print(-struct.unpack_from("=i", nfnetlink.recv(8192), 16)[0])
"""


if __name__ == "__main__":
    lab.main(["setpriv"])
