# SPDX-License-Identifier: Apache-2.0
"""Reads the packets of a pcapng segment that nids-xdp wrote. Skips the blocks that hold no packet:
the section header has the version of the program."""
import struct

INTERFACE, ENHANCED_PACKET = 1, 6
OPTION_END, OPTION_COMMENT, OPTION_TIME_RESOLUTION = 0, 1, 9


def blocks(data):
    """Type and body of each block. nids-xdp writes little-endian segments."""
    at = 0
    while at < len(data):
        kind, length = struct.unpack_from("<II", data, at)
        if length < 12 or length % 4 or at + length > len(data):
            raise ValueError(f"a block of {length} bytes at offset {at}")
        yield kind, data[at + 8:at + length - 4]
        at += length


def options(body, at):
    while at + 4 <= len(body):
        code, length = struct.unpack_from("<HH", body, at)
        if code == OPTION_END:
            return
        yield code, body[at + 4:at + 4 + length]
        at += 4 + (length + 3) // 4 * 4


def packets(data):
    interfaces = []
    for kind, body in blocks(data):
        if kind == INTERFACE:
            resolution = dict(options(body, 8)).get(OPTION_TIME_RESOLUTION, b"\6")[0]
            interfaces.append((struct.unpack_from("<H", body)[0], resolution))
        if kind != ENHANCED_PACKET:
            continue
        interface, high, low, captured, original = struct.unpack_from("<IIIII", body)
        link_type, resolution = interfaces[interface]
        yield {"link_type": link_type, "time": f"{high << 32 | low}e-{resolution}",
               "original_bytes": original, "data": body[20:20 + captured].hex(),
               "comments": [value.decode("utf-8", "replace") for code, value
                            in options(body, 20 + (captured + 3) // 4 * 4) if code == OPTION_COMMENT]}
