# SPDX-License-Identifier: Apache-2.0
"""Reads the alerts that nids-xdp writes, as they come."""
import ctypes
import re

from host import lab

# Much faster than a JSON parser. It relies on the order of keys in eve.cpp; a line that does not match is
# an error.
ALERT = re.compile(rb'"event_type":"alert".*?"src_ip":"([^"]*)"(?:,"src_port":(\d+))?'
                   rb',"dest_ip":"([^"]*)"(?:,"dest_port":(\d+))?.*?"signature":"([^"]*)"')
PUNCH_HOLE, KEEP_SIZE = 2, 1


class Alerts:
    """The alerts of one EVE file, each once. A line is (source, port, destination, port, signature);
    a port that the alert does not name is None."""

    def __init__(self, path):
        self.file = open(path, "r+b", buffering=0)
        self.rest, self.offset = b"", 0

    def close(self):
        self.file.close()

    def read(self):
        """The alerts written since the last call."""
        found = []
        while block := self.file.read(1 << 22):
            lines = (self.rest + block).split(b"\n")
            self.rest = lines.pop()
            # A finding about a packet that could not be read names no address.
            found += [self._alert(line) for line in lines
                      if b'"event_type":"alert"' in line and b'"src_ip":"' in line]
            self._forget(len(block))
        return found

    def _alert(self, line):
        match = ALERT.search(line)
        if match is None:
            raise ValueError(f"an alert of an unknown form: {line[:300]!r}")
        source, source_port, target, target_port, signature = match.groups()
        return (source.decode(), source_port and int(source_port), target.decode(),
                target_port and int(target_port), signature.decode())

    def _forget(self, count):
        """Frees the disk blocks of lines that were read, because a million alerts take a gigabyte. If the
        file system can't, the file stays as it is."""
        lab.libc.fallocate(self.file.fileno(), PUNCH_HOLE | KEEP_SIZE, ctypes.c_long(self.offset),
                           ctypes.c_long(count))
        self.offset += count


def named(alerts):
    """The pairs of an address and the other side's port that the alerts name, for both directions."""
    pairs = set()
    for source, source_port, target, target_port, _ in alerts:
        pairs.add((source, target_port))
        pairs.add((target, source_port))
    return pairs
