# SPDX-License-Identifier: Apache-2.0
"""Packets with the forged source address of a client or of the server, sent before a real call."""
import oracle
import shapes
import wire
from wire import ACK, SYN, TCP, UDP

Sender = oracle.Sender
FORGED_MOST = 6
FLAG_NAMES = "FSRPAU"


def flag_text(flags):
    return "".join(letter for bit, letter in enumerate(FLAG_NAMES) if flags >> bit & 1) or "no flag"


class Forger:
    def __init__(self, rng, call):
        self.rng, self.call = rng, call
        self.client, self.server = call.client, shapes.NEAR[call.family]

    def addressed(self, is_from_client):
        one, other = (self.client, self.call.port), (self.server, self.call.service)
        (source, source_port), (target, port) = (one, other) if is_from_client else (other, one)
        return source, target, (source_port, port)

    def frame(self, is_from_client, what, body):
        """Draws whether the checksum is wrong and whether the packet is in a tunnel."""
        source, target, _ = self.addressed(is_from_client)
        name = f"from {'client' if is_from_client else 'server'}: {what}"
        if self.rng.random() < 0.3:
            place = 16 if self.call.protocol == TCP else 6
            body = body[:place] + self.rng.randbytes(2) + body[place + 2:]
            name += ", wrong checksum"
        if self.call.family == 4:
            packet = wire.ipv4(source, target, self.call.protocol, body)
        else:
            packet = wire.ipv6(source, target, self.call.protocol, body)
        wrapping = self.rng.choice((None, None, None, None, "gre", "ip", "vxlan"))
        if wrapping:
            name += f", in {wrapping}"
            packet = self.wrapped(wrapping, packet)
        return name, shapes.outer_frame(packet)

    def wrapped(self, wrapping, packet):
        kind = wire.IPV4 if self.call.family == 4 else wire.IPV6
        outer = shapes.FAR[4], shapes.NEAR[4]
        if wrapping == "gre":
            return wire.ipv4(*outer, wire.GRE, wire.gre(kind, packet))
        if wrapping == "ip":
            return wire.ipv4(*outer, wire.IPIP if self.call.family == 4 else wire.SIT, packet)
        inside = wire.vxlan(shapes.NETWORK, wire.ethernet(shapes.TUNNEL_MAC, shapes.FAR_MAC, kind, packet))
        return wire.ipv4(*outer, UDP, wire.udp(*outer, (40000, shapes.VXLAN_PORT), inside))

    def segment(self, is_from_client, flags, sequence, acknowledged, data=b""):
        source, target, ports = self.addressed(is_from_client)
        body = wire.tcp(source, target, ports, sequence, flags=flags, acknowledged=acknowledged, data=data)
        return self.frame(is_from_client, flag_text(flags), body)

    def any_segment(self):
        rng = self.rng
        return [self.segment(rng.random() < 0.5, rng.randrange(64), rng.randrange(1 << 32),
                             rng.choice((0, rng.randrange(1 << 32))), bytes(rng.choice((0, 0, 5))))]

    def handshake(self):
        """The first 1 to 3 packets of a handshake that either side opens."""
        opener = self.rng.random() < 0.3  # whether the client opens; more often it is the server
        mine, theirs = self.rng.randrange(1 << 32), self.rng.randrange(1 << 32)
        after = mine + 1 & 0xFFFFFFFF
        steps = [(opener, SYN, mine, 0), (not opener, SYN | ACK, theirs, after),
                 (opener, ACK, after, theirs + 1 & 0xFFFFFFFF)]
        return [self.segment(*step) for step in steps[:self.rng.randrange(1, 4)]]

    def datagram(self):
        is_from_client = self.rng.random() < 0.5
        source, target, ports = self.addressed(is_from_client)
        return [self.frame(is_from_client, "datagram", wire.udp(source, target, ports, b"forged"))]


def packets(rng, call):
    """0 to 6 packets, as pairs of a name and a frame."""
    forger, found = Forger(rng, call), []
    wanted = rng.randrange(FORGED_MOST + 1)
    while len(found) < wanted:
        if call.protocol == UDP:
            found += forger.datagram()
        else:
            found += forger.handshake() if rng.random() < 0.3 else forger.any_segment()
    return found[:wanted]
