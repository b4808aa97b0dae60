# SPDX-License-Identifier: Apache-2.0
"""What the flows of a capture are, by tshark and docs/parse.md: an oracle that owes nothing to the
program's code. tshark dissects, without putting anything together; the model says which flow a
packet belongs to.
"""
import base64
import hashlib
import ipaddress
import struct
import subprocess
from collections import defaultdict

FIELDS = """frame.len frame.cap_len frame.time_epoch frame.protocols communityid vlan.id ieee8021ad.id
    ip.src ip.dst ip.proto ip.len ip.hdr_len ip.frag_offset ip.flags.mf ip.id
    ipv6.src ipv6.dst ipv6.nxt ipv6.plen ipv6.hopopts.nxt ipv6.hopopts.len_oct ipv6.routing.nxt
    ipv6.routing.len_oct ipv6.dstopts.nxt ipv6.dstopts.len_oct ipv6.fraghdr.nxt ipv6.fraghdr.offset
    ipv6.fraghdr.more ipv6.fraghdr.ident ah.next_header ah.length mip6.proto mip6.hlen
    tcp.srcport tcp.dstport tcp.hdr_len udp.srcport udp.dstport udp.length sctp.srcport
    sctp.dstport icmp.type icmp.code icmp.ident icmpv6.type icmpv6.code icmpv6.echo.identifier
    gre.flags_and_version gre.proto vxlan.flag_i""".split()
OPTIONS = ["-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE",
           "-o", "tcp.desegment_tcp_streams:FALSE", "-o", "tcp.analyze_sequence_numbers:FALSE",
           "-d", "udp.port==8472,vxlan", "-o", "ip.tso_support:TRUE", "--enable-protocol", "communityid"]
# Tunnels that are not looked into; tshark's community id is that of the innermost.
for protocol in ("geneve", "teredo", "ayiya", "gtp", "erspan"):
    OPTIONS += ["--disable-protocol", protocol]

LINK_BYTES = {"eth": 14, "vlan": 4, "ieee8021ad": 4, "sll": 16, "null": 4, "ppp": 2, "raw": 0,
              "ethertype": 0, "frame": 0}
ICMP, TCP, UDP, GRE, AH, ICMPV6, SCTP = 1, 6, 17, 47, 51, 58, 132
HEADER_BYTES = {ICMP: 8, 2: 8, TCP: 20, UDP: 8, ICMPV6: 8, SCTP: 12}
WITH_PORTS = {TCP: "tcp", UDP: "udp", SCTP: "sctp"}
EXTENSIONS = {0: "hopopts", 43: "routing", 60: "dstopts"}
ERRORS = {ICMP: {3, 4, 5, 11, 12}, ICMPV6: {1, 2, 3, 4}}
ECHO = {ICMP: {0, 8}, ICMPV6: {128, 129}}
ANSWERS = {ICMP: {8: 0, 13: 14, 15: 16, 17: 18, 10: 9},
           ICMPV6: {128: 129, 130: 131, 133: 134, 135: 136, 139: 140, 144: 145}}
for pairs in ANSWERS.values():
    pairs.update({answer: request for request, answer in list(pairs.items())})
PROTOCOLS = {"ICMP": 1, "IGMP": 2, "IP-in-IP": 4, "TCP": 6, "UDP": 17, "DCCP": 33, "IPv6": 41,
             "RSVP": 46, "GRE": 47, "ESP": 50, "AH": 51, "IPv6-ICMP": 58, "IPv6-NoNxt": 59,
             "PIM": 103, "SCTP": 132, "UDPLite": 136}
FRAGMENT_SECONDS = 30
QUOTED = 1 << 15  # lengths of a packet that an error quotes are not looked at


class NoFlow(Exception):
    """Why the packet belongs to no flow."""


class Ip:
    """An IP header and what stands behind it up to the transport's; places are bytes."""
    later_fragment = first_fragment = False
    ports = (0, 0)

    def __init__(self, frame, version, place, end):
        self.version, self.first_proto = version, None
        try:
            if version == 4:
                self.read_ipv4(frame, place, end)
            else:
                self.read_ipv6(frame, place, end)
        except LookupError as missing:
            raise NoFlow(f"tshark reads no {missing}") from None

    def read_ipv4(self, frame, place, end):
        header, total = int(frame.take("ip.hdr_len")), int(frame.take("ip.len"))
        proto = frame.fields["ip.proto"][:1]
        if total == 0 and proto == [str(TCP)]:  # captured before segmentation
            total = end - place
        if header < 20 or total < header or place + total > end:
            raise NoFlow("bad IPv4 length")
        self.place, self.end = place + header, place + total
        if self.place > frame.captured:
            raise NoFlow("IPv4 header not captured")
        self.src, self.dst = (ipaddress.ip_address(frame.take(f"ip.{end}")) for end in ("src", "dst"))
        self.proto = self.first_proto = int(frame.take("ip.proto"))
        offset, more = int(frame.take("ip.frag_offset")), frame.take("ip.flags.mf") in ("1", "True")
        self.fragment(int(frame.take("ip.id"), 0), offset, more)
        if self.proto == AH and not self.later_fragment:
            self.extension(frame)

    def read_ipv6(self, frame, place, end):
        payload = int(frame.take("ipv6.plen"))
        self.place = place + 40
        following = frame.fields["ipv6.nxt"][:1]
        if payload == 0 and (end - self.place > 65535 or following in (["0"], [str(TCP)])):
            payload = end - self.place
        self.end = self.place + payload
        if self.end > end:
            raise NoFlow("bad IPv6 length")
        self.src, self.dst = (ipaddress.ip_address(frame.take(f"ipv6.{end}")) for end in ("src", "dst"))
        self.proto = int(frame.take("ipv6.nxt"))
        for _ in range(192):
            if self.later_fragment or not self.extension(frame):
                return
        raise NoFlow("more than 192 extension headers")

    def fragment(self, ident, offset, more):
        self.fragment_id, self.first_proto = ident, self.proto
        self.later_fragment, self.first_fragment = offset != 0, offset == 0 and more

    def extension(self, frame):
        kind, length = self.proto, 8
        if kind in EXTENSIONS:
            name = "ipv6." + EXTENSIONS[kind]
            self.proto, length = int(frame.take(name + ".nxt")), int(frame.take(name + ".len_oct"))
        elif kind == AH:
            self.proto, length = int(frame.take("ah.next_header")), 4 * int(frame.take("ah.length")) + 8
        elif kind == 135:
            self.proto, length = int(frame.take("mip6.proto")), 8 * int(frame.take("mip6.hlen")) + 8
        elif kind == 44:
            self.proto = int(frame.take("ipv6.fraghdr.nxt"))
            offset = int(frame.take("ipv6.fraghdr.offset"))
            more = frame.take("ipv6.fraghdr.more") in ("1", "True")
            self.fragment(int(frame.take("ipv6.fraghdr.ident"), 0), offset, more)
        else:
            return False
        self.place += length
        if self.place > self.end:
            raise NoFlow("bad extension length")
        return True

    def read_ports(self, frame):
        """What is in place of ports; of an ICMP message its type and code, of an echo the id."""
        if self.proto in WITH_PORTS:
            name = WITH_PORTS[self.proto]
            self.ports = int(frame.take(name + ".srcport")), int(frame.take(name + ".dstport"))
        elif self.proto in ERRORS:
            name = "icmp" if self.proto == ICMP else "icmpv6"
            self.type, code = int(frame.take(name + ".type")), int(frame.take(name + ".code"))
            if self.type in ECHO[self.proto]:
                ident = frame.take("icmp.ident" if self.proto == ICMP else "icmpv6.echo.identifier")
                self.ports = (("echo", int(ident, 0)),) * 2
            else:
                self.ports = types_and_codes(self.proto, self.type, code)

    def read_transport(self, frame):
        rest, fixed = self.end - self.place, HEADER_BYTES.get(self.proto, 0)
        is_tiny = self.first_fragment and self.proto in (TCP, SCTP) and 4 <= rest < fixed
        if is_tiny:  # it still has the ports
            fixed = 4
        if rest < fixed:
            raise NoFlow("transport header longer than IP grants")
        if self.proto != 2 and self.place + fixed > frame.captured:
            raise NoFlow("transport header not captured")
        try:
            self.read_ports(frame)
            length = 0
            if self.proto == TCP and not is_tiny:
                length, least = int(frame.take("tcp.hdr_len")), 20
            elif self.proto == UDP:
                length, least = int(frame.take("udp.length")), 8
                if length == 0 and self.version == 6:
                    length = rest
            if length and (length < least or length > rest and not self.first_fragment):
                raise NoFlow("bad transport length")
        except LookupError as missing:
            raise NoFlow(f"tshark reads no {missing}") from None
        self.place += fixed
        self.end = min(self.end, self.place + length - 8) if self.proto == UDP else self.end

    def key(self, vlans):
        """The flow, and which of its ends sent."""
        return flow_key(vlans, self.proto, (str(self.src), self.ports[0]), (str(self.dst), self.ports[1]))


def flow_key(vlans, proto, source, destination):
    ends = sorted([source, destination], key=repr)
    return (vlans, proto, *ends), ends.index(source)


def types_and_codes(proto, kind, code):
    """Of who sent the message, and of who would answer it."""
    answer = ANSWERS[proto].get(kind)
    return (kind, code), (answer, code) if answer is not None else (-1, 0)


def reference_id(key):
    """Version 1, https://github.com/corelight/community-id-spec; of ICMP the code is left out."""
    _, proto, *ends = key
    ends = [(ipaddress.ip_address(address).packed, port) for address, port in ends]
    if proto in ERRORS:
        ends.sort(key=lambda end: end[1], reverse=True)  # who has no type of his own is last
        (one, (kind, code)), (other, (answer, _)) = ends
        ends = sorted([(one, kind), (other, answer)]) if answer >= 0 else [(one, kind), (other, code)]
    else:
        ends.sort()
    text = bytes(2) + ends[0][0] + ends[1][0] + bytes([proto, 0])
    if proto in WITH_PORTS or proto in ERRORS:
        text += struct.pack(">HH", ends[0][1], ends[1][1])
    return "1:" + base64.b64encode(hashlib.sha1(text).digest()).decode()


class Frame:
    def __init__(self, line):
        self.fields = {name: [value for value in text.split(",") if value]
                       for name, text in zip(FIELDS, line.rstrip("\n").split("\t"))}
        self.captured = int(self.take("frame.cap_len"))
        self.length = max(int(self.take("frame.len")), self.captured)
        self.seconds = int(float(self.take("frame.time_epoch")))
        self.protocols = "".join(self.fields["frame.protocols"][:1]).split(":")
        self.community_id = (self.fields["communityid"] or [None])[0]

    def take(self, name):
        """The next of its occurrences."""
        values = self.fields[name]
        if not values:
            raise LookupError(name)
        return values.pop(0)

    def network(self, place, end):
        """Link header and tags, then IP. Also says the VLAN ids."""
        vlans = []
        while self.protocols:
            name = self.protocols.pop(0)
            if name in ("ip", "ipv6"):
                return Ip(self, 4 if name == "ip" else 6, place, end), vlans
            if name not in LINK_BYTES:
                break
            place += LINK_BYTES[name]
            if name in ("vlan", "ieee8021ad"):
                vlan = int(self.take(name + ".id"))
                vlans += [vlan] if vlan != 0 else []
                if len(vlans) > 3:
                    raise NoFlow("more than 3 tags")
        raise NoFlow("not IP")


class Model:
    """Flows of one capture: by key packets and bytes of either end."""

    def __init__(self):
        self.flows = defaultdict(lambda: [[0, 0], [0, 0]])
        self.community_ids, self.datagrams, self.told = {}, {}, {}
        self.no_flow, self.frames, self.why = [0, 0], 0, defaultdict(int)

    def add(self, line):
        frame = Frame(line)
        self.frames += 1
        try:
            layers = list(frame.protocols)
            key, sender, kind = self.flow_of(frame)
        except NoFlow as reason:
            self.no_flow[0] += 1
            self.no_flow[1] += frame.length
            self.why[str(reason)] += 1
            return
        if key not in self.told:
            vlans, proto, *ends = key
            vlans = tuple(vlan for vlan in vlans if vlan != 0)
            ends_told = list(ends)
            if kind in ECHO.get(proto, ()):  # a record has no identifier, only who asked
                ends_told[sender], ends_told[1 - sender] = (
                    (end[0], port) for end, port in zip((ends[sender], ends[1 - sender]),
                                                        types_and_codes(proto, kind, 0)))
            told, first = flow_key(vlans, proto, *ends_told)
            self.told[key] = told, first
            is_other = proto not in WITH_PORTS and proto not in ERRORS and {"gre", "vxlan"} & set(layers)
            self.community_ids.setdefault(told, (None if is_other else frame.community_id, self.frames))
        told, first = self.told[key]
        sender = 0 if told[2] == told[3] else sender ^ first
        self.flows[told][sender][0] += 1
        self.flows[told][sender][1] += frame.length

    def flow_of(self, frame):
        ip, vlans = frame.network(0, frame.length)
        vlans = tuple(vlans[:2])
        if not ip.later_fragment:
            ip.read_transport(frame)
            inner = self.inside(frame, ip)
            if inner:
                return self.related(frame, inner, vlans)
        datagram = vlans, ip.first_proto, ip.src, ip.dst, getattr(ip, "fragment_id", None)
        if ip.first_fragment:
            self.datagrams[datagram] = frame.seconds, ip.proto, ip.ports
        elif ip.later_fragment:
            then, ip.proto, ip.ports = self.datagrams.get(datagram, (-1e9, 0, 0))
            if not 0 <= frame.seconds - then <= FRAGMENT_SECONDS:
                raise NoFlow("later fragment")
            return *ip.key(vlans), None
        return self.related(frame, ip, vlans)

    def inside(self, frame, ip):
        """What a tunnel carries, if it can be read."""
        if ip.first_fragment:
            return None
        try:
            place = ip.place
            if ip.proto == GRE:
                flags, proto = (int(frame.take("gre." + name), 0) for name in ("flags_and_version", "proto"))
                if flags & 0x4007 or proto not in (0x0800, 0x86DD, 0x6558):
                    return None
                place += 4 + 4 * (bool(flags & 0x8000) + bool(flags & 0x2000) + bool(flags & 0x1000))
            elif ip.proto == UDP and ip.ports[1] in (4789, 8472):
                if frame.take("vxlan.flag_i") not in ("1", "True"):
                    return None
                place += 8
            elif ip.proto not in (4, 41):
                return None
            while frame.protocols and frame.protocols[0] in ("udp", "gre", "vxlan", "data"):
                frame.protocols.pop(0)
            inner, _ = frame.network(place, ip.end)
            if inner.later_fragment:
                return None
            inner.read_transport(frame)
            return inner
        except (NoFlow, LookupError):
            return None

    def related(self, frame, ip, vlans):
        """An ICMP error is of the flow that it quotes, as if the quoted packet were answered."""
        if ip.proto in ERRORS and ip.type in ERRORS[ip.proto]:
            try:
                while frame.protocols.pop(0) not in ("icmp", "icmpv6"):
                    pass
                quoted = Ip(frame, 4 if frame.protocols.pop(0) == "ip" else 6, -QUOTED, QUOTED)
                if not quoted.later_fragment:
                    quoted.read_ports(frame)
                quoted.src, quoted.dst = quoted.dst, quoted.src
                quoted.ports = quoted.ports[::-1]
                key, sender = quoted.key(vlans)
                if key in self.told and quoted.version == ip.version:
                    return key, sender, None
            except (LookupError, NoFlow, IndexError):
                pass
        return *ip.key(vlans), getattr(ip, "type", None)


def model_of(path):
    fields = [word for name in FIELDS for word in ("-e", name)]
    with subprocess.Popen(["tshark", "-n", "-r", str(path), *OPTIONS, "-T", "fields", *fields],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as tshark:
        model = Model()
        for line in tshark.stdout:
            model.add(line)
    return model
