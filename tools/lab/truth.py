# SPDX-License-Identifier: Apache-2.0
"""The truth of a session: the flows in a capture file, and the class of each by the logs of the servers."""
import json
import socket

import dpkt

from flow_key import key_of

PROTOCOLS = {6: "tcp", 17: "udp", 1: "icmp", 58: "icmp"}


def ends_of(frame):
    """(transport, source, destination) of an Ethernet frame, or None if it is of no flow."""
    packet = dpkt.ethernet.Ethernet(frame).data
    if isinstance(packet, dpkt.ip.IP):
        family, number, payload = socket.AF_INET, packet.p, packet.data
    elif isinstance(packet, dpkt.ip6.IP6):
        family, number, payload = socket.AF_INET6, packet.p, packet.data
    else:
        return None
    ports = (payload.sport, payload.dport) if isinstance(payload, (dpkt.tcp.TCP, dpkt.udp.UDP)) else (0, 0)
    source, destination = (socket.inet_ntop(family, address) for address in (packet.src, packet.dst))
    return PROTOCOLS.get(number, str(number)), (source, ports[0]), (destination, ports[1])


def classes_in(logs):
    """By the key of a flow, its class."""
    found = {}
    for path in logs:
        for line in path.read_text("ascii").splitlines():
            one = json.loads(line)
            found[key_of(one["transport"], one["client"], one["server"])] = one["class"]
    return found


def flows_in(capture, classes):
    """The flows of a capture file, as rows: transport, a and b (the two ends), class (None: ordinary traffic),
    packets, first and last (seconds since 1970)."""
    rows = {}
    with open(capture, "rb") as file:
        for time, frame in dpkt.pcap.Reader(file):
            ends = ends_of(frame)
            if ends is None:
                continue
            key = key_of(*ends)
            row = rows.setdefault(key, {"transport": key[0], "a": key[1], "b": key[2], "class": classes.get(key),
                                        "packets": 0, "first": time})
            row["packets"] += 1
            row["last"] = time
    return list(rows.values())
