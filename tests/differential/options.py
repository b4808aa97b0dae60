# SPDX-License-Identifier: Apache-2.0
"""Random options of TCP and IPv4, and extension headers of IPv6. A host accepts most of them, but not
all."""
import struct

import wire

TIMESTAMP_ONLY, TIMESTAMP_AND_ADDRESS = 0, 1
PAST_THE_END = 4  # a pointer, counted from 1, beyond the option's last byte: all hops are done


def padded(options, fill):
    return options + fill * (-len(options) % 4)


def tcp(rng):
    """At most 40 bytes. Some are random bytes instead of options."""
    if rng.random() < 0.4:
        return b""
    if rng.random() < 0.1:
        return rng.randbytes(4 * rng.randrange(1, 11))
    parts = [b"\x02\x04" + struct.pack("!H", rng.choice((536, 1460, 0, 65535))), b"\x04\x02",
             b"\x03\x03" + bytes([rng.randrange(16)]), b"\x01",
             b"\x08\x0a" + rng.randbytes(4) + bytes(4), b"\x22\x02", b"\xfd\x04\xf9\x89"]
    rng.shuffle(parts)
    return padded(b"".join(parts[:rng.randrange(1, 8)]), b"\x01")[:40]


def ipv4(rng, target):
    """1 to 3 options of RFC 791, 1108 and 2113, at most 40 bytes."""
    def record_route():
        places = rng.randrange(1, 4)
        return bytes([7, 3 + 4 * places, 4 + 4 * rng.randrange(places + 1)]) + bytes(4 * places)

    def timestamp():
        places = rng.randrange(1, 3)
        kind = rng.choice((TIMESTAMP_ONLY, TIMESTAMP_AND_ADDRESS))
        return bytes([68, 4 + places * (8 if kind else 4), 5, kind]) + \
            bytes(places * (8 if kind else 4))

    def source_route():
        """The packet has passed all hops, or the next hop is the host itself."""
        places = rng.randrange(1, 4)
        pointer = PAST_THE_END + 4 * places if rng.random() < 0.7 else 4
        return bytes([rng.choice((131, 137)), 3 + 4 * places, pointer]) + target * places
    kinds = (lambda: b"\x01", lambda: b"\x01\x01\x01", record_route, timestamp, source_route,
             lambda: b"\x94\x04\0\0", lambda: b"\x82\x0b" + bytes(9), lambda: b"\x88\x04\0\1",
             lambda: b"\x9e\x04\0\0", lambda: b"\0\xff\xff\xff")
    options = b""
    for make in rng.sample(kinds, rng.choice((1, 1, 2, 3))):
        one = make()
        if len(options) + len(one) <= 40:
            options += one
    return padded(options, rng.choice((b"\x01", b"\0")))[:40]


def ipv4_bad(rng):
    if rng.random() < 0.5:
        return rng.randbytes(4 * rng.randrange(1, 11))
    length = rng.choice((0, 1, 2, 3, 41, 255))
    return padded(bytes([rng.choice((7, 68, 131, 148, 130, 30)), length]) + rng.randbytes(6), b"\0")


def tlv_options(rng):
    """Hop-by-hop or destination options that a host skips (RFC 8200 section 4.2)."""
    if rng.random() < 0.7:
        return b"\x01\x04\0\0\0\0"
    units = rng.randrange(1, 3)
    return b"\x1e" + bytes([4 + 8 * (units - 1)]) + rng.randbytes(4 + 8 * (units - 1))


def routing(rng):
    """Types 0, 2 and 4 with no segments left, so that the receiver is the last host."""
    kind = rng.choice((0, 2, 4))
    if kind == 4:
        return bytes([2, 4, 0, 0, 0, 0, 0]) + rng.randbytes(16)
    if kind == 0 and rng.random() < 0.5:
        return bytes([0, 0, 0, 0, 0, 0, 0])
    return bytes([2, kind, 0, 0, 0, 0, 0]) + rng.randbytes(16)


def extensions(rng, count, final, starts_with_hop=False, may_fragment=True):
    """Returns the type of the first of `count` headers before `final`, and the bytes. A host accepts
    hop-by-hop options only at the start, at most one fragment header, and the others in any order."""
    kinds = []
    for i in range(count):
        if i == 0 and (starts_with_hop or rng.random() < 0.3):
            kinds.append(wire.HOP_BY_HOP)
        elif may_fragment and wire.FRAGMENT not in kinds and rng.random() < 0.05:
            kinds.append(wire.FRAGMENT)
        else:
            kinds.append(wire.ROUTING if rng.random() < 0.15 else wire.DESTINATION)
    data = b""
    for kind, following in zip(kinds, kinds[1:] + [final]):
        if kind == wire.FRAGMENT:
            data += wire.fragment_header(following, 0, 0, rng.randrange(1 << 32))
        elif kind == wire.ROUTING:
            data += bytes([following]) + routing(rng)
        else:
            inside = tlv_options(rng)
            data += bytes([following, (2 + len(inside)) // 8 - 1]) + inside
    return kinds[0], data
