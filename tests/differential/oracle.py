# SPDX-License-Identifier: Apache-2.0
"""What the host accepted: the datagrams that its sockets received, and the SYNs that it answered.

This module does not parse the packets that were sent. A received datagram has its sender's address. A
SYN-ACK has the caller's address and acknowledges the caller's sequence number.
"""
import contextlib
import socket
import struct

import shapes
from wire import ACK, SYN, TCP, UDP

SO_RCVBUFFORCE = 33
SOL_PACKET, PACKET_STATISTICS, PACKET_QDISC_BYPASS, PACKET_IGNORE_OUTGOING = 263, 6, 20, 23
RECEIVE_BYTES = 128 << 20
FAMILIES = (socket.AF_INET, socket.AF_INET6)


def with_room(made):
    made.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BYTES)
    made.setblocking(False)
    return made


class Services:
    """Sockets on the port of every service in the watched host. The listeners never call accept()."""

    def __init__(self, namespace):
        self.datagrams, self.listeners = [], []
        for family in FAMILIES:
            for protocol, ports in shapes.SERVICES.items():
                for port in ports:
                    self._open(namespace, family, protocol, port)

    def _open(self, namespace, family, protocol, port):
        kind = socket.SOCK_STREAM if protocol == TCP else socket.SOCK_DGRAM
        made = with_room(namespace.socket(family, kind))
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", port))
        if protocol == TCP:
            made.listen(4096)
            self.listeners.append(made)
        else:
            self.datagrams.append((port, made))

    def close(self):
        for made in self.listeners + [made for _, made in self.datagrams]:
            made.close()

    def drain(self):
        """Tuples of sender, port, number in the payload or None, and protocol."""
        found = []
        for port, made in self.datagrams:
            with contextlib.suppress(BlockingIOError):
                while True:
                    data, sender = made.recvfrom(64)
                    at = data.find(shapes.MARK) + len(shapes.MARK)
                    number = struct.unpack_from("!Q", data, at)[0] \
                        if len(shapes.MARK) <= at <= len(data) - 8 else None
                    found.append((sender[0].partition("%")[0], port, number, UDP))
        return found


class Answers:
    """The SYN-ACKs that reach the peer, at the peer's end of the link."""

    def __init__(self, namespace, ifname):
        # The buffer is enlarged before the socket is bound, so that no other packet comes in.
        with namespace.entered():
            made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            with_room(made).setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
            made.bind((ifname, 3))
        self.socket = made

    def close(self):
        self.socket.close()

    def drain(self):
        """Like Services.drain(), but with the acknowledged sequence number as the number."""
        found, recv = [], self.socket.recv
        with contextlib.suppress(BlockingIOError):
            while True:
                frame = recv(160)
                if frame[12:14] == b"\x08\x00" and frame[23] == TCP:
                    at, caller = 14 + (frame[14] & 15) * 4, frame[30:34]
                elif frame[12:14] == b"\x86\xdd" and frame[20] == TCP:
                    at, caller = 54, frame[38:54]
                else:
                    continue
                if frame[at + 13] & 0x17 != SYN | ACK:
                    continue
                acknowledged = int.from_bytes(frame[at + 8:at + 12], "big")
                found.append((shapes.text(caller), int.from_bytes(frame[at:at + 2], "big"),
                              acknowledged - 1 & 0xFFFFFFFF, TCP))
        return found

    def dropped(self):
        return struct.unpack("II", self.socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))[1]


class Sender:
    """Sends frames at the peer's end of the link, past its queue."""

    def __init__(self, namespace, ifname):
        with namespace.entered():
            made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            made.setsockopt(SOL_PACKET, PACKET_QDISC_BYPASS, 1)
            made.bind((ifname, 0))
        made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8 << 20)
        self.socket, self.sent, self.refused = made, 0, 0

    def close(self):
        self.socket.close()

    def send(self, frames):
        for frame in frames:
            try:
                self.socket.send(frame)
                self.sent += 1
            except OSError:  # shorter than a link header, or longer than the MTU
                self.refused += 1
