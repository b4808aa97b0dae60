# SPDX-License-Identifier: Apache-2.0
"""The packets: one function for each header shape, and the schedule that chooses among them.

A packet depends on the seed and its number only, so these two numbers repeat it. Each packet has a
different client address, so each is a separate flow, and an alert with its address is about it. A shape
takes a Draft, which has drawn client and service, and returns frames. It writes into `facts` what the
conditions in classes.py read.
"""
import dataclasses
import random
import socket
import struct

import options
import wire
from wire import IPV4, IPV6, TCP, UDP

SERVICES = {TCP: (22, 23, 443, 5900), UDP: (53413, 5060, 161, 69)}
NOTABLE_PORTS = (0, 20, 22, 23, 53, 69, 80, 123, 161, 443, 445, 1023, 4789, 5060, 5900, 6081, 53413)
NEAR_MAC, FAR_MAC = bytes.fromhex("027700000001"), bytes.fromhex("027700000002")
TUNNEL_MAC = bytes.fromhex("027800000001")  # of every tunnel device that carries Ethernet
NEAR = {4: socket.inet_aton("10.77.0.1"), 6: socket.inet_pton(socket.AF_INET6, "fd77::1")}
FAR = {4: socket.inet_aton("10.77.0.2"), 6: socket.inet_pton(socket.AF_INET6, "fd77::2")}
MARK = b"nids"  # a payload begins with it and the packet's number
VXLAN_PORT, VXLAN_OTHER_PORT, GENEVE_PORT = 4789, 14789, 6081
NETWORK, NETWORK_INSIDE = 42, 43  # the outer VXLAN device's and the one inside it


def client(number, family):
    """An address that no other packet of the run has. An odd factor permutes the addresses of a prefix."""
    if family == 4:
        return struct.pack("!I", 0x0A800000 | number * 0x2C9277 & 0x7FFFFF)
    return bytes.fromhex("20010db800000000") + struct.pack(
        "!Q", (number + 1) * 0x9E3779B97F4A7C15 & (1 << 64) - 1)


def text(address):
    return socket.inet_ntop(socket.AF_INET if len(address) == 4 else socket.AF_INET6, address)


def packed(address):
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


@dataclasses.dataclass(slots=True)
class Packet:
    number: int
    shape: str
    source: str
    protocol: int
    port: int
    sequence: int
    frames: list
    facts: dict

    def holds(self, some):
        return any(some in frame for frame in self.frames)


class Draft:
    """Client and service of a packet, and its usual headers."""

    def __init__(self, number, rng, family=None, protocol=None):
        self.number, self.rng = number, rng
        self.family = family or (4 if rng.random() < 0.5 else 6)
        self.protocol = protocol or (TCP if rng.random() < 0.5 else UDP)
        self.port = rng.choice(SERVICES[self.protocol])
        self.source, self.target = client(number, self.family), NEAR[self.family]
        self.source_port = rng.randrange(1024, 65536)
        self.sequence = number * 0x9E3779B1 + 12345 & 0xFFFFFFFF
        self.facts = {}

    @property
    def ports(self):
        return self.source_port, self.port

    def payload(self, most=24):
        return MARK + struct.pack("!Q", self.number) + bytes(self.rng.randrange(most))

    def segment(self, **fields):
        return wire.tcp(self.source, self.target, self.ports, self.sequence, **fields)

    def datagram(self, **fields):
        return wire.udp(self.source, self.target, self.ports, self.payload(), **fields)

    def transport(self, pad_to=0):
        """The first packet of a flow: a SYN or a datagram. `pad_to` makes it long enough to be fragmented."""
        if self.protocol == TCP:
            data = bytes(max(pad_to - 20, 0)) or bytes(self.rng.choice((0, 0, 7)))
            return self.segment(data=data)
        return wire.udp(self.source, self.target, self.ports, self.payload() + bytes(pad_to))

    def internet(self, body, **fields):
        if self.family == 4:
            return wire.ipv4(self.source, self.target, self.protocol, body, **fields)
        return wire.ipv6(self.source, self.target, self.protocol, body, **fields)

    @property
    def kind(self):
        return IPV4 if self.family == 4 else IPV6

    def frame(self, datagram, target=NEAR_MAC, kind=None):
        return wire.ethernet(target, FAR_MAC, kind or self.kind, datagram)

    def plain(self, **fields):
        return self.frame(self.internet(self.transport(), **fields))


# ordinary headers

def tcp_any(d):
    """Random flags, options, reserved bits, data and window. A host answers the SYNs among them."""
    rng = d.rng
    flags = rng.randrange(256) if rng.random() < 0.5 else wire.SYN | rng.randrange(256) & 0xE8
    return [d.frame(d.internet(d.segment(
        flags=flags, options=options.tcp(rng), data=bytes(rng.choice((0, 0, 1, 40, 500))),
        acknowledged=rng.choice((0, rng.randrange(1 << 32))), reserved=rng.choice((0, 0, 1, 15)),
        window=rng.randrange(65536), urgent=rng.choice((0, 9)))))]


def header_fields(d):
    """Fields that change neither the place of a header nor its length."""
    rng = d.rng
    if d.family == 4:
        return [d.plain(tos=rng.randrange(256), ttl=rng.choice((0, 1, 255)), ident=rng.randrange(65536),
                        fragment=rng.choice((0, 0x4000, 0x8000, 0xC000)))]
    return [d.plain(traffic_class=rng.randrange(256), label=rng.randrange(1 << 20),
                    hops=rng.choice((0, 1, 255)))]


def padding(d):
    return [d.plain() + d.rng.randbytes(d.rng.randrange(1, 100))]


def tags(d):
    rng = d.rng
    count = rng.randrange(1, 9) if rng.random() < 0.97 else rng.randrange(9, 13)
    d.facts["tags"] = count
    kind, body = wire.tag(d.kind, d.internet(d.transport()),
                          [rng.choice((wire.QTAG, wire.STAG)) for _ in range(count)],
                          [rng.randrange(16) for _ in range(count)])
    return [d.frame(body, kind=kind)]


def snap(d):
    """802.3 with LLC and SNAP around IP, which Linux does not unwrap."""
    body = b"\xaa\xaa\x03\0\0\0" + d.kind.to_bytes(2, "big") + d.internet(d.transport())
    return [d.frame(body, kind=len(body))]


def source_ports(d):
    """The caller's port is a service's port, a system port, 0 or the port that it calls."""
    d.source_port = d.rng.choice((*NOTABLE_PORTS, d.port, d.port, d.rng.randrange(1024)))
    return [d.plain()]


def land(d):
    """Like a packet from the host to itself: the same ports, and a similar or the same address."""
    alike = [d.source, d.source, d.target]
    if d.family == 6:
        alike += [d.target[:8] + d.source[8:], d.source[:4] + d.source[12:] + d.target[8:]]
    d.source = d.rng.choice(alike)
    d.source_port = d.port
    return [d.plain()]


def to_many(d):
    """Addresses of more than one host, in either header."""
    rng = d.rng
    mac = rng.choice((wire.BROADCAST_MAC, bytes.fromhex("01005e000001"), bytes.fromhex("333300000001"),
                      bytes.fromhex("027700000099")))
    if rng.random() < 0.5:
        several = {4: ("255.255.255.255", "10.77.0.255", "10.77.0.0", "224.0.0.1"),
                   6: ("ff02::1", "ff01::1")}[d.family]
        family = socket.AF_INET if d.family == 4 else socket.AF_INET6
        d.target = socket.inet_pton(family, rng.choice(several))
    return [d.frame(d.internet(d.transport()), target=mac)]


# lengths and checksums

def udp_length(d):
    """The UDP length is shorter or longer than IP says. A host accepts a shorter one and cuts the data."""
    real = 8 + len(payload := d.payload())
    length = max(0, real + d.rng.randrange(-real, 9))
    body = wire.udp(d.source, d.target, d.ports, payload, length, min(length, real))
    return [d.frame(d.internet(body))]


def udp6_length_0(d):
    """RFC 2675 section 4. Linux uses the IP length instead, in a packet of any size."""
    return [d.frame(d.internet(d.datagram(length=0)))]


def ipv6_length_0(d):
    """A jumbogram without the option. Linux uses the frame's length if hop-by-hop options follow."""
    first, before = options.extensions(d.rng, d.rng.choice((1, 1, 2, 3)), d.protocol, starts_with_hop=True)
    return [d.frame(wire.ipv6(d.source, d.target, first, before + d.transport(), length=0))]


def ipv4_length_0(d):
    return [d.plain(total=0)]


def wrong_checksum(d):
    body = bytearray(d.transport())
    if d.family == 4 and d.rng.random() < 0.5:
        whole = bytearray(d.internet(bytes(body)))
        whole[10 + d.rng.randrange(2)] ^= 1 << d.rng.randrange(8)
        return [d.frame(bytes(whole))]
    body[(16 if d.protocol == TCP else 6) + d.rng.randrange(2)] ^= 1 << d.rng.randrange(8)
    return [d.frame(d.internet(bytes(body)))]


def no_checksum(d):
    body = d.datagram()
    return [d.frame(d.internet(body[:6] + b"\0\0" + body[8:]))]


# options and extension headers

def ipv4_options(d):
    return [d.plain(options=options.ipv4(d.rng, d.target))]


def ipv4_bad_options(d):
    return [d.plain(options=options.ipv4_bad(d.rng))]


def extensions(d, count=None, **how):
    rng = d.rng
    count = count or (rng.randrange(1, 26) if rng.random() < 0.97 else rng.randrange(26, 33))
    d.facts["extensions"] = count
    first, before = options.extensions(rng, count, d.protocol, **how)
    return [d.frame(wire.ipv6(d.source, d.target, first, before + d.transport()))]


def few_extensions(d):
    return extensions(d, d.rng.randrange(1, 5))


def atomic_fragment(d):
    """RFC 6946: a fragment header on a packet that is not fragmented."""
    body = wire.fragment_header(d.protocol, 0, 0, d.rng.randrange(1 << 32)) + d.transport()
    return [d.frame(wire.ipv6(d.source, d.target, wire.FRAGMENT, body))]


# fragments

def cuts(rng, length, first=None):
    """Offsets to cut at, multiples of 8. The first one is `first`, if given."""
    places = range(8, length, 8)
    wanted = set(rng.sample(places, min(len(places), rng.choice((1, 1, 2, 3)))))
    if first:
        wanted = {first} | {one for one in wanted if one > first}
    return sorted(wanted)


def pieces(d, first=None):
    body = d.transport(pad_to=d.rng.randrange(48, 200))
    at = cuts(d.rng, len(body), first)
    if d.family == 4:
        return wire.fragments4(d.source, d.target, d.protocol, body, at, d.number & 0xFFFF)
    return wire.fragments6(d.source, d.target, d.protocol, body, at, d.number)


def fragments(d):
    return [d.frame(one) for one in pieces(d, first=24)]


def fragments_reversed(d):
    return [d.frame(one) for one in reversed(pieces(d, first=24))]


def fragments_shuffled(d):
    parts = [d.frame(one) for one in pieces(d, first=24)]
    d.rng.shuffle(parts)
    return parts


def tiny_fragments(d):
    """The first fragment holds 8 bytes of TCP or UDP, with the ports."""
    parts = [d.frame(one) for one in pieces(d, first=8)]
    if d.rng.random() < 0.5:
        d.rng.shuffle(parts)
    return parts


def fragments_overlapping(d):
    """A host accepts a fragment that comes twice, and drops the datagram if fragments overlap."""
    parts = pieces(d, first=24)
    if d.rng.random() < 0.6:
        parts.insert(d.rng.randrange(len(parts)), d.rng.choice(parts[:-1]))
    elif d.family == 4:
        body = d.transport(pad_to=64)
        parts.insert(1, wire.ipv4(d.source, d.target, d.protocol, body[16:40], b"",
                                  d.number & 0xFFFF, 2 | wire.MORE_FRAGMENTS))
    return [d.frame(one) for one in parts]


def fragments_extended(d):
    """Extension headers on both sides of the fragment header, or options before a cut."""
    rng, body = d.rng, d.transport(pad_to=64)
    if d.family == 4:
        parts = wire.fragments4(d.source, d.target, d.protocol, body, cuts(rng, len(body), 24),
                                d.number & 0xFFFF, options.ipv4(rng, d.target))
        return [d.frame(one) for one in parts]
    inside, after = options.extensions(rng, rng.choice((1, 2)), d.protocol, may_fragment=False)
    body = after + body
    at = cuts(rng, len(body), len(after) + 24)
    first, before = options.extensions(rng, 1, wire.FRAGMENT, may_fragment=False)
    parts = wire.fragments6(d.source, d.target, inside, body, at, d.number, before, first)
    return [d.frame(one) for one in parts]


# tunnels: the inner packet is the one that a service gets

def outer_udp(d, port, body, family=4):
    outer = wire.udp(FAR[family], NEAR[family], (d.rng.choice((4789, 443, 22, 53413, 40000)), port), body)
    if family == 4:
        if d.rng.random() < 0.3:
            outer = outer[:6] + b"\0\0" + outer[8:]
        return wire.ipv4(FAR[4], NEAR[4], UDP, outer, ident=d.number & 0xFFFF)
    return wire.ipv6(FAR[6], NEAR[6], UDP, outer)


def inner_frame(d, kind=None, body=None):
    return wire.ethernet(TUNNEL_MAC, FAR_MAC, kind or d.kind, body or d.internet(d.transport()))


def outer_frame(datagram):
    return wire.ethernet(NEAR_MAC, FAR_MAC, IPV4 if datagram[0] >> 4 == 4 else IPV6, datagram)


def level(d, count, wrapping):
    d.facts["levels"], d.facts["wrapping"] = count, wrapping


def vxlan(d):
    level(d, 1, "vxlan")
    return [outer_frame(outer_udp(d, VXLAN_PORT, wire.vxlan(NETWORK, inner_frame(d))))]


def vxlan6(d):
    level(d, 1, "vxlan")
    return [outer_frame(outer_udp(d, VXLAN_PORT, wire.vxlan(NETWORK, inner_frame(d)), family=6))]


def vxlan_tags(d):
    level(d, 1, "vxlan")
    count = d.facts["tags"] = d.rng.randrange(1, 4)
    kind, body = wire.tag(d.kind, d.internet(d.transport()), [wire.QTAG] * count, [0] * count)
    return [outer_frame(outer_udp(d, VXLAN_PORT, wire.vxlan(NETWORK, inner_frame(d, kind, body))))]


def vxlan_inner_fragments(d):
    """The inner packet is fragmented, and each fragment is wrapped."""
    level(d, 1, "vxlan")
    parts = pieces(d, first=d.rng.choice((8, 24)))
    d.rng.shuffle(parts)
    return [outer_frame(outer_udp(d, VXLAN_PORT, wire.vxlan(NETWORK, inner_frame(d, body=one))))
            for one in parts]


def vxlan_outer_fragments(d):
    """The outer packet is fragmented."""
    level(d, 1, "vxlan")
    body = outer_udp(d, VXLAN_PORT, wire.vxlan(NETWORK, inner_frame(d)))[20:]
    at = cuts(d.rng, len(body))
    d.facts["outer_in_fragments"] = True
    return [outer_frame(one) for one in
            wire.fragments4(FAR[4], NEAR[4], UDP, body, at, d.number & 0xFFFF)]


def vxlan_twice(d):
    level(d, 2, "vxlan")
    inside = outer_udp(d, VXLAN_PORT, wire.vxlan(NETWORK_INSIDE, inner_frame(d)))
    return [outer_frame(outer_udp(d, VXLAN_PORT, wire.vxlan(NETWORK, inner_frame(d, IPV4, inside))))]


def vxlan_other_port(d):
    level(d, 1, "vxlan")
    d.facts["vxlan_port"] = VXLAN_OTHER_PORT
    return [outer_frame(outer_udp(d, VXLAN_OTHER_PORT, wire.vxlan(NETWORK, inner_frame(d))))]


def geneve(d):
    level(d, 1, "geneve")
    return [outer_frame(outer_udp(d, GENEVE_PORT, wire.geneve(NETWORK, inner_frame(d))))]


def gre(d):
    level(d, 1, "gre")
    return [outer_frame(wire.ipv4(FAR[4], NEAR[4], wire.GRE, wire.gre(d.kind, d.internet(d.transport()))))]


def gre_key(d):
    level(d, 1, "gre")
    body = wire.gre(d.kind, d.internet(d.transport()), key=NETWORK)
    return [outer_frame(wire.ipv4(FAR[4], NEAR[4], wire.GRE, body))]


def in_ipv4(d):
    level(d, 1, "ip")
    return [outer_frame(wire.ipv4(FAR[4], NEAR[4], wire.IPIP if d.family == 4 else wire.SIT,
                                  d.internet(d.transport())))]


def in_ipv6(d):
    level(d, 1, "ip")
    return [outer_frame(wire.ipv6(FAR[6], NEAR[6], wire.IPIP if d.family == 4 else wire.SIT,
                                  d.internet(d.transport())))]


def routed_by_segments(d, inside):
    protocol = wire.IPIP if inside[0] >> 4 == 4 else wire.SIT
    return wire.ipv6(FAR[6], NEAR[6], wire.ROUTING,
                     wire.segment_routing(protocol, NEAR[6]) + inside)


def segments(d):
    level(d, 1, "ip")
    return [outer_frame(routed_by_segments(d, d.internet(d.transport())))]


def segments_fragments(d):
    level(d, 1, "ip")
    return [outer_frame(routed_by_segments(d, one)) for one in pieces(d, first=d.rng.choice((8, 24)))]


def segments_twice(d):
    level(d, 2, "ip")
    return [outer_frame(routed_by_segments(d, routed_by_segments(d, d.internet(d.transport()))))]


def segments_vxlan(d):
    level(d, 2, "vxlan")
    inside = outer_udp(d, VXLAN_PORT, wire.vxlan(NETWORK, inner_frame(d)))
    return [outer_frame(routed_by_segments(d, inside))]


def combined(d):
    """Several of the above in one packet, because their combination may fail where each alone does not."""
    rng, fields = d.rng, {}
    body, first = d.transport(), d.protocol
    if d.protocol == UDP and d.family == 6 and rng.random() < 0.3:
        body = d.datagram(length=0)
    if d.family == 4:
        if rng.random() < 0.6:
            fields["options"] = options.ipv4(rng, d.target)
        packet = wire.ipv4(d.source, d.target, first, body, **fields)
    else:
        if count := rng.randrange(9):
            first, before = options.extensions(rng, count, first)
            d.facts["extensions"] = count
            if first == wire.HOP_BY_HOP and rng.random() < 0.5:
                fields["length"] = 0
            body = before + body
        packet = wire.ipv6(d.source, d.target, first, body, **fields)
    kind, wrapping = d.kind, rng.choice((None, "segments", "vxlan"))
    if wrapping == "segments":
        level(d, 1, "ip")
        packet, kind = routed_by_segments(d, packet), IPV6
    elif wrapping == "vxlan":
        level(d, 1, "vxlan")
        packet = outer_udp(d, VXLAN_PORT, wire.vxlan(NETWORK, inner_frame(d, body=packet)))
        kind = IPV4
    if count := rng.randrange(4):
        d.facts["tags"] = count
        kind, packet = wire.tag(kind, packet, rng.choices((wire.QTAG, wire.STAG), k=count), [0] * count)
    return [d.frame(packet + bytes(rng.choice((0, 0, 9))), kind=kind)]


@dataclasses.dataclass(frozen=True)
class Shape:
    name: str
    make: object
    weight: int
    family: int = 0
    protocol: int = 0
    needs: str = ""  # a device type that the watched host must have
    is_mutated: bool = False


SHAPES = [
    Shape("ipv4 tcp", tcp_any, 8, 4, TCP), Shape("ipv6 tcp", tcp_any, 8, 6, TCP),
    Shape("ipv4 udp", lambda d: [d.plain()], 4, 4, UDP), Shape("ipv6 udp", lambda d: [d.plain()], 4, 6, UDP),
    Shape("header fields", header_fields, 3), Shape("padding", padding, 3),
    Shape("vlan tags id 0", tags, 6), Shape("snap", snap, 1), Shape("source ports", source_ports, 6),
    Shape("land-like", land, 2), Shape("broadcast, multicast", to_many, 4),
    Shape("udp length", udp_length, 3, 0, UDP), Shape("ipv6 udp length 0", udp6_length_0, 2, 6, UDP),
    Shape("ipv6 length 0, hop-by-hop", ipv6_length_0, 2, 6), Shape("ipv4 length 0", ipv4_length_0, 1, 4),
    Shape("wrong checksum", wrong_checksum, 2), Shape("udp checksum 0", no_checksum, 2, 4, UDP),
    Shape("ipv4 options", ipv4_options, 6, 4), Shape("ipv4 bad options", ipv4_bad_options, 3, 4),
    Shape("ipv6 extensions 1-4", few_extensions, 4, 6), Shape("ipv6 extensions 1-32", extensions, 6, 6),
    Shape("ipv6 atomic fragment", atomic_fragment, 2, 6),
    Shape("ipv4 fragments", fragments, 2, 4), Shape("ipv6 fragments", fragments, 2, 6),
    Shape("ipv4 fragments reversed", fragments_reversed, 2, 4),
    Shape("ipv6 fragments reversed", fragments_reversed, 2, 6),
    Shape("fragments shuffled", fragments_shuffled, 2),
    Shape("ipv4 tiny first fragment", tiny_fragments, 3, 4),
    Shape("ipv6 tiny first fragment", tiny_fragments, 1, 6),
    Shape("fragments twice, overlapping", fragments_overlapping, 2),
    Shape("fragments, options, extensions", fragments_extended, 2),
    Shape("vxlan", vxlan, 3, needs="vxlan"), Shape("vxlan over ipv6", vxlan6, 1, needs="vxlan"),
    Shape("vxlan, vlan tags inside", vxlan_tags, 1, needs="vxlan"),
    Shape("vxlan, fragments inside", vxlan_inner_fragments, 2, needs="vxlan"),
    Shape("vxlan in fragments", vxlan_outer_fragments, 2, needs="vxlan"),
    Shape("vxlan in vxlan", vxlan_twice, 1, needs="vxlan"),
    Shape("vxlan on another port", vxlan_other_port, 1, needs="vxlan"),
    Shape("geneve", geneve, 1, needs="geneve"), Shape("gre", gre, 2, needs="gre"),
    Shape("gre with key", gre_key, 2, needs="gre"), Shape("ipv4 in ipv4", in_ipv4, 2, 4, needs="ipip"),
    Shape("ipv6 in ipv4", in_ipv4, 2, 6, needs="sit"), Shape("ip in ipv6", in_ipv6, 2, needs="ip6tnl"),
    Shape("segment routing", segments, 2), Shape("segment routing, fragments", segments_fragments, 1),
    Shape("segment routing twice", segments_twice, 1),
    Shape("vxlan in segment routing", segments_vxlan, 1, needs="vxlan"),
    Shape("combined", combined, 8, needs="vxlan"),
    Shape("mutated", None, 30, is_mutated=True),
]


def mutated(frames, rng):
    """Changes 1 to 3 bits or bytes of the headers, or cuts or extends the frame. Then corrects the
    checksums of half of the frames."""
    frames = list(frames)
    at = rng.randrange(len(frames))
    frame = bytearray(frames[at])
    for _ in range(rng.randrange(1, 4)):
        place = min(int(rng.random() ** 2 * 90), len(frame) - 1)  # headers, the link's more often
        how = rng.random()
        if how < 0.5:
            frame[place] ^= 1 << rng.randrange(8)
        elif how < 0.8:
            frame[place] = rng.randrange(256)
        elif how < 0.9:
            frame += rng.randbytes(rng.randrange(1, 20))
        elif len(frame) > 20:
            del frame[len(frame) - rng.randrange(1, min(30, len(frame) - 16)):]
    # Rarely changes the link addresses, because most of these frames would not arrive.
    if rng.random() < 0.9:
        frame[:12] = frames[at][:12]
    frames[at] = wire.repaired(frame) if rng.random() < 0.5 else bytes(frame)
    return frames


class Generator:
    """The packets of one seed. `devices`: the types of tunnel device that the host has."""

    def __init__(self, seed, devices):
        self.seed, self.rng, self.devices = seed, random.Random(), devices
        self.possible = [shape for shape in SHAPES if self._is_possible(shape)]
        self.skipped = [shape for shape in SHAPES if not self._is_possible(shape)]
        # Not drawn: each shape comes as often as its weight says, also in a short run. All shapes are
        # in it, so a number says the same packet to every kernel that can take it.
        self.schedule = [shape for shape in SHAPES for _ in range(shape.weight)]
        random.Random(0).shuffle(self.schedule)
        self.models = [shape for shape in SHAPES if not shape.is_mutated]

    def _is_possible(self, shape):
        return not shape.needs or shape.needs in self.devices

    def _choose(self, shape, among):
        while not self._is_possible(shape):
            shape = self.rng.choice(among)
        return shape

    def packet(self, number):
        rng = self.rng
        rng.seed(self.seed << 40 | number)
        shape = self._choose(self.schedule[number % len(self.schedule)], self.schedule)
        model = self._choose(rng.choice(self.models), self.models) if shape.is_mutated else shape
        draft = Draft(number, rng, model.family, model.protocol)
        frames = model.make(draft)
        if shape.is_mutated:
            frames = mutated(frames, rng)
            draft.facts["mutated"] = model.name
        return Packet(number, shape.name, text(draft.source), draft.protocol, draft.port,
                      draft.sequence, frames, draft.facts)
