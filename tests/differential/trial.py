# SPDX-License-Identifier: Apache-2.0
"""One run: sends packets, and compares what the host accepted with what nids-xdp flagged."""
import collections
import contextlib
import dataclasses
import time

import classes
import flagged
import host
import oracle
import shapes
import wire

BATCH, CHUNK = 200, 20_000  # packets between two reads of the sockets, and of the alerts
UNKNOWN = "(not identified)"  # the shape of a mutated packet that lost all its marks
MARKER_S = 20  # time for the packet at a chunk's end to arrive and to be flagged


@dataclasses.dataclass
class Shape:
    generated: int = 0
    delivered: int = 0
    flagged: int = 0
    listed: int = 0
    unexplained: int = 0


@dataclasses.dataclass
class Miss:
    """A packet that a service accepted and no alert names. `packet` is None if it could not be
    identified."""
    packet: object
    source: str
    port: int
    listed: str  # the id in classes.py, or None


@dataclasses.dataclass
class Result:
    packets: int = 0
    delivered: int = 0
    shapes: dict = dataclasses.field(default_factory=dict)
    misses: list = dataclasses.field(default_factory=list)
    listed: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    void: list = dataclasses.field(default_factory=list)
    counters: dict = dataclasses.field(default_factory=dict)
    stats: dict = None
    frames: int = 0
    refused: int = 0
    skipped: list = dataclasses.field(default_factory=list)
    seconds: float = 0.0

    @property
    def unexplained(self):
        return [miss for miss in self.misses if miss.listed is None]


class Chunk:
    """Some thousands of packets, found by number, address or sequence number, and those delivered."""

    def __init__(self):
        self.by_source, self.by_sequence, self.packets = {}, {}, {}
        self.delivered = {}  # from the caller's address and the service's port to the packet, or None

    def add(self, packet):
        self.packets[packet.number] = packet
        self.by_source[packet.source] = packet
        self.by_sequence[packet.sequence] = packet

    def deliver(self, found):
        for source, port, sign, protocol in found:
            packet = self._sender_of(source, protocol, sign)
            # The answer to a source-routed SYN goes to the last hop, not to the source of the packet.
            if packet and protocol == wire.TCP and packet.holds(shapes.packed(packet.source)):
                source = packet.source
            self.delivered.setdefault((source, port), packet)

    def _sender_of(self, source, protocol, sign):
        """Finds a packet by its address. Finds a mutated one by the number that it carried. That may be
        mutated too, so the frames must contain the address, but for a SYN with a source route."""
        if packet := self.by_source.get(source):
            return packet
        by_sign = self.by_sequence if protocol == wire.TCP else self.packets
        raw, packet = shapes.packed(source), by_sign.get(sign)
        if packet and ("mutated" not in packet.facts and protocol == wire.TCP or packet.holds(raw)):
            return packet
        return next((one for one in self.packets.values()
                     if "mutated" in one.facts and one.holds(raw)), packet)


class Trial:
    """Packets of one seed to one host in one mode."""

    def __init__(self, watched, seed):
        self.watched = watched
        self.generator = shapes.Generator(seed, watched.devices)
        self.result = Result(skipped=[(one.name, one.needs) for one in self.generator.skipped],
                             shapes={one.name: Shape() for one in self.generator.possible})
        with contextlib.ExitStack() as stack:
            self.services = stack.enter_context(contextlib.closing(oracle.Services(watched.near)))
            self.answers = stack.enter_context(contextlib.closing(oracle.Answers(watched.far, "v1")))
            self.sender = stack.enter_context(contextlib.closing(oracle.Sender(watched.far, "v1")))
            self.alerts = stack.enter_context(contextlib.closing(flagged.Alerts(watched.eve_path)))
            self.stack = stack.pop_all()
        self.marks = 0
        self.open = []  # chunks whose alerts may still be on their way

    def close(self):
        self.stack.close()

    def run(self, numbers):
        before, began = self.watched.counters(), time.monotonic()
        for at in range(0, len(numbers), CHUNK):
            self._chunk(numbers[at:at + CHUNK])
            if self.result.void:
                break
        self._end(before)
        self.result.seconds = time.monotonic() - began
        return self.result

    def _chunk(self, numbers):
        chunk = Chunk()
        self.open.append((chunk, set()))
        for at in range(0, len(numbers), BATCH):
            for number in numbers[at:at + BATCH]:
                packet = self.generator.packet(number)
                chunk.add(packet)
                self.sender.send(packet.frames)
            self._drain(chunk)
        self.result.packets += len(numbers)
        self._wait_for_marker()
        if len(self.open) > 1:
            self._judge(*self.open.pop(0))

    def _drain(self, chunk):
        chunk.deliver(self.services.drain())
        chunk.deliver(self.answers.drain())

    def _read_alerts(self):
        pairs = flagged.named(self.alerts.read())
        for _, names in self.open:
            names |= pairs

    def _wait_for_marker(self):
        """Sends an ordinary packet and waits until it was delivered and flagged. Then host and agent have
        processed all packets before it."""
        self.marks += 1
        source = bytes([10, 64, self.marks >> 8 & 255, self.marks & 255])
        caller = shapes.text(source), 53413
        body = wire.udp(source, shapes.NEAR[4], (40000, caller[1]), b"marker")
        self.sender.send([wire.ethernet(shapes.NEAR_MAC, shapes.FAR_MAC, wire.IPV4,
                                        wire.ipv4(source, shapes.NEAR[4], wire.UDP, body))])
        (chunk, names), deadline = self.open[-1], time.monotonic() + MARKER_S
        while not (caller in chunk.delivered and caller in names):
            self._drain(chunk)
            self._read_alerts()
            if time.monotonic() > deadline:
                where = "flagged" if caller in chunk.delivered else "delivered"
                self.result.void.append(f"the ordinary datagram at a chunk's end was not {where}")
                break
            time.sleep(0.005)
        chunk.delivered.pop(caller, None)

    def _judge(self, chunk, names):
        result = self.result
        for packet in chunk.packets.values():
            result.shapes[packet.shape].generated += 1
        for (source, port), packet in chunk.delivered.items():
            shape = result.shapes.setdefault(packet.shape if packet else UNKNOWN, Shape())
            shape.delivered += 1
            result.delivered += 1
            if (source, port) in names:
                shape.flagged += 1
                continue
            listed = classes.class_of(packet.facts) if packet else None
            result.listed[listed] += listed is not None
            shape.listed += listed is not None
            shape.unexplained += listed is None
            result.misses.append(Miss(packet, source, port, listed))

    def _end(self, before):
        result = self.result
        result.stats = self.watched.settled_stats()
        self._read_alerts()
        while self.open:
            self._judge(*self.open.pop(0))
        after = self.watched.counters()
        result.counters = {name: after[name] - before[name] for name in before}
        result.frames, result.refused = self.sender.sent, self.sender.refused
        result.void += host.reasons_void(result.stats)
        if dropped := self.answers.dropped():
            result.void.append(f"{dropped} answers were lost before they were read")
        for name in ("Udp:RcvbufErrors", "Udp6RcvbufErrors"):
            if result.counters[name]:
                result.void.append(f"{name} is {result.counters[name]}: datagrams were lost")
        # nids-xdp may see more frames. The peer's kernel sends RSTs, and in the modes skb and tc a packet
        # that segment routing unwraps passes the hooks again.
        if (seen := result.stats["ingress"]["packets"]) < result.frames:
            result.void.append(f"{result.frames} frames were sent and nids-xdp saw {seen}")
