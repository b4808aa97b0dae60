#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The MTU of both ends of a watched link goes from 1,500 to 9,000 and back under traffic: no change
is refused, no frame is lost, and every byte is counted."""
import json
import socket
import threading
import time

import lab
from lab import FAR_IP, NEAR_IP, wait_for

SMALL, LARGE = 1500, 9000
SO_RCVBUFFORCE = 33  # of <asm-generic/socket.h>
PAYLOAD = LARGE - 20 - 8  # of a datagram that fills one frame of the large MTU
ADDRESS = {"near": NEAR_IP, "far": FAR_IP}
LINK = {"near": "v0", "far": "v1"}


def other(end):
    return "far" if end == "near" else "near"


class Stream:
    """Datagrams from one end to the other, until it is stopped; each has a number."""

    def __init__(self, one_lab, sender):
        self.to = (ADDRESS[other(sender)], 9999)
        self.source = getattr(one_lab, sender).socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sink = getattr(one_lab, other(sender)).socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sink.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
        self.sink.bind(self.to)
        self.sent, self.is_over, self.got = 0, False, []
        self.threads = [threading.Thread(target=work) for work in (self.send, self.receive)]
        for thread in self.threads:
            thread.start()

    def send(self):
        while not self.is_over:
            self.source.sendto(self.sent.to_bytes(4, "big") * (PAYLOAD // 4), self.to)
            self.sent += 1
            time.sleep(0.0005)

    def receive(self):
        self.sink.settimeout(0.2)
        while True:
            try:
                datagram = self.sink.recv(65536)
            except socket.timeout:
                if self.is_over:
                    return
                continue
            number = datagram[:4]
            self.got.append(int.from_bytes(number, "big") if datagram == number * (PAYLOAD // 4)
                            else "another payload")

    def run_a_while(self, datagrams=300):
        goal = self.sent + datagrams
        wait_for("datagrams", lambda: self.sent >= goal)

    def stop(self):
        self.is_over = True
        for thread in self.threads:
            thread.join()
        self.source.close()
        self.sink.close()


class Mtu(lab.LabCase):
    def end(self, name):
        return getattr(self.lab, name)

    def set_mtu(self, end, mtu):
        self.end(end).ip("link", "set", LINK[end], "mtu", mtu)

    def sent_by(self, end):
        link = json.loads(self.end(end).ip("-s", "-j", "link", "show", LINK[end]).stdout)[0]
        return link["stats64"]["tx"]

    def may_be_split(self):
        """What the program was told of its frames."""
        return any(self.lab.map_value("v0", ".data.frames"))

    def check(self, sender, mode):
        """The receiver's MTU is the larger one all the time: what is longer no veth takes."""
        watch = self.lab.attach("v0", "--mode", mode)
        before = {end: self.sent_by(end) for end in LINK}
        stats = self.lab.stats()
        counted = {way: stats[way] for way in ("ingress", "egress")}
        stream = Stream(self.lab, sender)
        try:
            for _ in range(3):
                for end, mtu in ((other(sender), LARGE), (sender, LARGE), (sender, SMALL),
                                 (other(sender), SMALL)):
                    stream.run_a_while()
                    self.set_mtu(end, mtu)
                    if mode == "native" and end == "near":
                        wait_for("the program to be told",
                                 lambda large=mtu == LARGE: self.may_be_split() == large)
            stream.run_a_while()
        finally:
            stream.stop()
        self.assertEqual(stream.got, list(range(stream.sent)), "each datagram, whole and in order")
        after = {end: self.sent_by(end) for end in LINK}
        for end, way in (("far", "ingress"), ("near", "egress")):
            sent = {key: after[end][key] - before[end][key] for key in ("packets", "bytes", "dropped")}
            self.assertEqual(sent["dropped"], 0, end)
            now = self.lab.wait_counted(**{way: counted[way]["packets"] + sent["packets"]})
            # A veth whose peer runs native XDP counts what it sent without Ethernet headers.
            headers = 14 * sent["packets"] if (end, mode) == ("far", "native") else 0
            self.assertEqual(now[way]["bytes"] - counted[way]["bytes"], sent["bytes"] + headers, way)
        self.assert_balanced(self.lab.stats())
        self.assertEqual(watch.stop(), 0)

    def test_native_from_the_peer(self):
        self.check("far", "native")

    def test_native_to_the_peer(self):
        self.check("near", "native")

    def test_skb_from_the_peer(self):
        self.check("far", "skb")

    def test_large_before_attaching(self):
        for end in LINK:
            self.set_mtu(end, LARGE)
        watch = self.lab.attach("v0", "--mode", "native")
        wait_for("the program to be told", self.may_be_split)
        self.assertEqual(watch.stop(), 0)


if __name__ == "__main__":
    lab.main(["bpftool"])
