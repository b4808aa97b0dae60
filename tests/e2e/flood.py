# SPDX-License-Identifier: Apache-2.0
"""Sends frames faster than sockets can: the kernel repeats one, with another sender each time."""
import contextlib
import ctypes
import os
import platform
import socket
import struct
import threading

import lab

BPF = {"x86_64": 321, "aarch64": 280}[platform.machine()]
MAP_CREATE, PROG_LOAD, PROG_TEST_RUN = 0, 5, 10
ARRAY, XDP, LIVE_FRAMES = 2, 6, 2
ROUND = 1 << 14  # frames that one call sends
SOURCE = 26  # offset of the IPv4 source address in the frame


def bpf(command, attribute):
    result = lab.libc.syscall(BPF, command, attribute, len(attribute))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def instruction(code, target=0, source=0, offset=0, number=0):
    return struct.pack("=BBhi", code, source << 4 | target, offset, number)


def program(counter, ifindex, sources):
    """XDP: writes 10.0.0.0 plus the next number below `sources` as the sender, and redirects."""
    return b"".join((
        instruction(0x61, 2, 1, 0),                 # r2 = data
        instruction(0x61, 3, 1, 4),                 # r3 = data_end
        instruction(0xBF, 4, 2),
        instruction(0x07, 4, number=SOURCE + 4),
        instruction(0x2D, 4, 3, 9),                 # too short: skip the write
        instruction(0x18, 5, 2, number=counter), instruction(0),  # r5 = the counter's address
        instruction(0xB7, 0, number=1),
        instruction(0xDB, 5, 0, number=0x01),       # r0 = fetch and add
        instruction(0x97, 0, number=sources),
        instruction(0x47, 0, number=10 << 24),
        instruction(0xDC, 0, number=32),            # to network order
        instruction(0x63, 2, 0, SOURCE),
        instruction(0xB7, 0),
        instruction(0xB7, 1, number=ifindex), instruction(0xB7, 2),
        instruction(0x85, number=23),               # bpf_redirect
        instruction(0x95)))


def load(counter, ifindex, sources):
    code = program(counter, ifindex, sources)
    text, licence = ctypes.create_string_buffer(code), ctypes.create_string_buffer(b"GPL")
    return bpf(PROG_LOAD, struct.pack("=IIQQIIQ", XDP, len(code) // 8, ctypes.addressof(text),
                                      ctypes.addressof(licence), 0, 0, 0) + bytes(32))


@contextlib.contextmanager
def flood(namespace, ifname, frame, sources=1, threads=1):
    """Sends this IPv4 frame until the block ends, from `sources` addresses. The interface at the other
    end of the veth pair must have a native XDP program."""
    with namespace.entered():
        ifindex = socket.if_nametoindex(ifname)
    counter = bpf(MAP_CREATE, struct.pack("=IIIII", ARRAY, 4, 8, 1, 0) + bytes(40))
    sender = load(counter, ifindex, sources)
    data = ctypes.create_string_buffer(frame, len(frame))
    attribute = struct.pack("=IIIIQQIIIIQQIII", sender, 0, len(frame), 0, ctypes.addressof(data), 0,
                            ROUND, 0, 0, 0, 0, 0, LIVE_FRAMES, 0, 64) + bytes(4)
    is_over, errors = threading.Event(), []

    def send():
        try:
            with namespace.entered():
                while not is_over.is_set():
                    with contextlib.suppress(InterruptedError):  # a signal ends a call early
                        bpf(PROG_TEST_RUN, attribute)
        except OSError as error:
            errors.append(error)
    senders = [threading.Thread(target=send, daemon=True) for _ in range(threads)]
    try:
        for one in senders:
            one.start()
        yield
    finally:
        is_over.set()
        for one in senders:
            one.join(20)
        os.close(sender)
        os.close(counter)
        if errors:
            raise errors[0]
