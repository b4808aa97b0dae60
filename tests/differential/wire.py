# SPDX-License-Identifier: Apache-2.0
"""Builds headers as bytes for the shapes. Draws no random numbers.

e2e/packets.py builds frames from readable arguments. Here a million frames are built, so each function
takes packed addresses and builds one header.
"""
import struct

TCP, UDP = 6, 17
IPV4, IPV6, QTAG, STAG = 0x0800, 0x86DD, 0x8100, 0x88A8
HOP_BY_HOP, ROUTING, FRAGMENT, DESTINATION = 0, 43, 44, 60
IPIP, SIT, GRE = 4, 41, 47
SYN, ACK = 0x02, 0x10
MORE_FRAGMENTS = 0x2000
BROADCAST_MAC = b"\xff" * 6


def checksum(data):
    """RFC 1071. The sum of 16-bit words with the carries added is the whole number modulo 65535, which
    Python computes in one step."""
    if len(data) & 1:
        data += b"\0"
    return 0xFFFF - int.from_bytes(data, "big") % 0xFFFF


def transport_checksum(source, target, protocol, body):
    pseudo = struct.pack("!II", len(body), protocol)
    return checksum(source + target + pseudo + body)


def ethernet(target, source, kind, body):
    return target + source + kind.to_bytes(2, "big") + body


def tag(kind, body, types, priorities):
    """Puts tags of VLAN id 0 before `body`; returns the type of the outermost and the bytes."""
    for outer, priority in zip(types, priorities):
        body = struct.pack("!HH", priority << 12, kind) + body
        kind = outer
    return kind, body


def tcp(source, target, ports, sequence, flags=SYN, acknowledged=0, options=b"", data=b"", reserved=0,
        window=8192, urgent=0):
    """The checksum is right; `options` is a multiple of 4 bytes."""
    words = 5 + len(options) // 4
    body = struct.pack("!HHIIHHHH", *ports, sequence, acknowledged,
                       words << 12 | reserved << 8 | flags, window, 0, urgent) + options + data
    right = transport_checksum(source, target, TCP, body)
    return body[:16] + right.to_bytes(2, "big") + body[18:]


def udp(source, target, ports, data, length=None, checked_bytes=None):
    """`length` is the length field. The checksum covers `checked_bytes`, or all bytes, because a host
    computes it over the length in the header."""
    real = 8 + len(data)
    body = struct.pack("!HHHH", *ports, real if length is None else length, 0) + data
    covered = body if checked_bytes is None else body[:checked_bytes]
    right = transport_checksum(source, target, UDP, covered)
    return body[:6] + (right or 0xFFFF).to_bytes(2, "big") + body[8:]


def ipv4(source, target, protocol, body, options=b"", ident=0, fragment=0, total=None, tos=0, ttl=64):
    total = 20 + len(options) + len(body) if total is None else total
    head = struct.pack("!BBHHHBBH4s4s", 0x45 + len(options) // 4, tos, total, ident, fragment, ttl,
                       protocol, 0, source, target) + options
    return head[:10] + checksum(head).to_bytes(2, "big") + head[12:] + body


def ipv6(source, target, next_header, body, length=None, traffic_class=0, label=0, hops=64):
    length = len(body) if length is None else length
    return struct.pack("!IHBB16s16s", 6 << 28 | traffic_class << 20 | label, length, next_header,
                       hops, source, target) + body


def fragments4(source, target, protocol, body, cuts, ident, options=b""):
    """The body cut at these offsets, multiples of 8. Options go with the first fragment only."""
    edges = [0, *cuts, len(body)]
    return [ipv4(source, target, protocol, body[here:there], options if here == 0 else b"", ident,
                 here // 8 | (MORE_FRAGMENTS if there < len(body) else 0))
            for here, there in zip(edges, edges[1:])]


def fragment_header(next_header, offset, has_more, ident):
    return struct.pack("!BBHI", next_header, 0, offset | has_more, ident)


def fragments6(source, target, next_header, body, cuts, ident, before=b"", first=FRAGMENT):
    """`before`: extension headers before the fragment header. `first`: the type of the first of them."""
    edges = [0, *cuts, len(body)]
    return [ipv6(source, target, first, before + fragment_header(
                next_header, here, there < len(body), ident) + body[here:there])
            for here, there in zip(edges, edges[1:])]


def vxlan(network, frame):
    return struct.pack("!II", 0x08000000, network << 8) + frame


def geneve(network, frame):
    return struct.pack("!BBHI", 0, 0, 0x6558, network << 8) + frame


def gre(kind, body, key=None):
    if key is None:
        return struct.pack("!HH", 0, kind) + body
    return struct.pack("!HHI", 0x2000, kind, key) + body


def segment_routing(next_header, last):
    """A segment routing header with one segment, which is reached. A Linux host with segment routing
    unwraps the packet after it without a tunnel device (RFC 8986 section 4)."""
    return struct.pack("!BBBBBBH", next_header, 2, 4, 0, 0, 0, 0) + last


def repaired(frame):
    """Corrects the checksums of a mutated frame, as far as its headers can be followed. Otherwise the
    host would drop nearly every mutated packet for its checksum."""
    frame = bytearray(frame)
    at, kind = 14, int.from_bytes(frame[12:14], "big")
    while kind in (QTAG, STAG) and at + 4 <= len(frame):
        kind = int.from_bytes(frame[at + 2:at + 4], "big")
        at += 4
    if kind == IPV4 and at + 20 <= len(frame):
        _repair_ipv4(frame, at)
    elif kind == IPV6 and at + 40 <= len(frame):
        _repair_ipv6(frame, at)
    return bytes(frame)


def _repair_ipv4(frame, at):
    head = (frame[at] & 15) * 4
    if head < 20 or at + head > len(frame):
        return
    frame[at + 10:at + 12] = b"\0\0"
    frame[at + 10:at + 12] = checksum(bytes(frame[at:at + head])).to_bytes(2, "big")
    total = int.from_bytes(frame[at + 2:at + 4], "big")
    if not int.from_bytes(frame[at + 6:at + 8], "big") & 0x3FFF:
        _repair_transport(frame, frame[at + 9], at + head, min(at + total, len(frame)),
                          frame[at + 12:at + 16], frame[at + 16:at + 20])


def _repair_ipv6(frame, at):
    length, following = int.from_bytes(frame[at + 4:at + 6], "big"), frame[at + 6]
    end = min(at + 40 + length, len(frame)) if length else len(frame)
    place = at + 40
    while following in (HOP_BY_HOP, ROUTING, DESTINATION, FRAGMENT) and place + 8 <= end:
        units = 0 if following == FRAGMENT else frame[place + 1]
        following, place = frame[place], place + 8 + 8 * units
    _repair_transport(frame, following, place, end, frame[at + 8:at + 24], frame[at + 24:at + 40])


def _repair_transport(frame, protocol, at, end, source, target):
    place = {TCP: at + 16, UDP: at + 6}.get(protocol)
    if place is None or end - at < 8 or place + 2 > end:
        return
    if protocol == UDP:
        length = int.from_bytes(frame[at + 4:at + 6], "big")
        end = min(end, at + length) if length else end
        if place + 2 > end:
            return
    frame[place:place + 2] = b"\0\0"
    right = transport_checksum(bytes(source), bytes(target), protocol, bytes(frame[at:end]))
    frame[place:place + 2] = (right or 0xFFFF).to_bytes(2, "big")
