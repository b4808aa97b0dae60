# SPDX-License-Identifier: Apache-2.0
"""Ethernet frames in words, each field as it should be unless a test lies in it."""
import socket
import struct

from lab import FAR_IP, FAR_IP6, NEAR_IP, NEAR_IP6

# To a station that is not there: the kernel behind the tap leaves such a frame alone.
NOBODY = bytes.fromhex("02990000 0099")
SENDER = bytes.fromhex("02770000 0002")
TCP, UDP, ICMP = 6, 17, 1
IPV4, IPV6, ARP, LLDP, QTAG, STAG = 0x0800, 0x86DD, 0x0806, 0x88CC, 0x8100, 0x88A8


def ethernet(kind, body, tags=()):
    """`tags`: pairs of type and VLAN id, outermost first."""
    types = [tag for tag, _ in tags] + [kind]
    middle = b"".join(struct.pack("!HH", vlan, after) for (_, vlan), after in zip(tags, types[1:]))
    return NOBODY + SENDER + struct.pack("!H", types[0]) + middle + body


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ipv4(protocol, body, source=FAR_IP, target=NEAR_IP, options=b"", fragment=0, version=4, ihl=None,
         total=None):
    """`fragment`: the flags and the offset, as they stand in the header."""
    words = 5 + len(options) // 4 if ihl is None else ihl
    total = 20 + len(options) + len(body) if total is None else total
    head = struct.pack("!BBHHHBBH4s4s", version << 4 | words, 0, total, 7, fragment, 64, protocol, 0,
                       socket.inet_aton(source), socket.inet_aton(target)) + options
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + body


def ipv6(next_header, body, source=FAR_IP6, target=NEAR_IP6, length=None, version=6):
    length = len(body) if length is None else length
    return struct.pack("!IHBB16s16s", version << 28, length, next_header, 64,
                       socket.inet_pton(socket.AF_INET6, source),
                       socket.inet_pton(socket.AF_INET6, target)) + body


def udp(source, target, payload=b"hello", length=None):
    return struct.pack("!HHHH", source, target, 8 + len(payload) if length is None else length,
                       0) + payload


def tcp(source, target, flags=0x02, payload=b"", offset=5, options=b""):
    return struct.pack("!HHIIBBHHH", source, target, 1000, 0, (offset + len(options) // 4) << 4,
                       flags, 8192, 0, 0) + options + payload


def icmp_echo(identifier, sequence, payload=b"0123456789abcdef"):
    body = struct.pack("!BBHHH", 8, 0, 0, identifier, sequence) + payload
    return body[:2] + struct.pack("!H", checksum(body)) + body[4:]


def arp():
    return struct.pack("!HHBBH6s4s6s4s", 1, IPV4, 6, 4, 1, SENDER, socket.inet_aton(FAR_IP),
                       bytes(6), socket.inet_aton("10.77.0.99"))


def netis(source_port=40000, payload=b"netis"):
    """A datagram to the router back door."""
    return ethernet(IPV4, ipv4(UDP, udp(source_port, 53413, payload)))


def dull(source_port=40000, payload=b"dull"):
    """A datagram of no class."""
    return ethernet(IPV4, ipv4(UDP, udp(source_port, 9999, payload)))
