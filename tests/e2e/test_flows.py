#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Flows as EVE tells them: Zeek's 13 states of crafted connections, and of real ones over veth, whose
packets, bytes and order are tcpdump's; nothing is told twice where the agent was killed."""
import collections
import json
import os
import pathlib
import select
import signal
import socket
import struct
import tempfile
import time
import unittest

import lab
import peers
from lab import FAR_IP, FAR_IP6, NEAR_IP, NEAR_IP6, Tcpdump, is_running, wait_for
from packets import ICMP, IPV4, IPV6, TCP, UDP, ethernet, icmp_echo, ipv4, ipv6, tcp, udp

CPUS = (sorted(os.sched_getaffinity(0)) * 2)[:2]
FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10
FLAGS = {"S": SYN, "H": SYN | ACK, "A": ACK, "D": ACK, "F": FIN | ACK, "R": RST}
UNUSED_IP = "10.77.0.77"  # nobody has it, and everybody knows where it is
ICMPV6, ICMP_UNREACHABLE = 58, 3

# What a connection sends, capital letters from its client; its state by Zeek.
CRAFTED = {"S": "S0", "ShA": "S1", "ShADadFf": "SF", "Sr": "REJ", "ShADadF": "S2", "ShADadf": "S3",
           "ShADadR": "RSTO", "ShADadr": "RSTR", "SR": "RSTOS0", "hr": "RSTRH", "SF": "SH",
           "hf": "SHR", "Dd": "OTH", "ShADadFfR": "SF", "ShADadFRf": "SF", "ShADadfFr": "SF"}


class Counts:
    """Of one flow: to the server, to the client."""

    def __init__(self):
        self.packets, self.bytes, self.history = [0, 0], [0, 0], ""

    def add(self, by_client, size, letters):
        self.packets[not by_client] += 1
        self.bytes[not by_client] += size
        for letter in letters:
            letter = letter if by_client else letter.lower()
            if letter not in self.history:
                self.history += letter

    def __repr__(self):
        return f"<{self.packets} {self.bytes} {self.history}>"


def letters_of(segment, payload_len):
    """Zeek's, of one TCP segment."""
    flags = segment[13] & (FIN | SYN | RST | ACK)
    if flags == ACK:
        return "D" if payload_len else "A"
    return (("H" if flags & ACK else "S") if flags & SYN else "") + ("D" if payload_len else "") + \
        ("F" if flags & FIN else "") + ("R" if flags & RST else "")


def ends_of(packet):
    """Protocol, source, destination, and the letters; of an ICMP error those of what it quotes."""
    if packet[0] >> 4 == 4:
        protocol, at, family = packet[9], (packet[0] & 15) * 4, socket.AF_INET
        addresses, total = (packet[12:16], packet[16:20]), struct.unpack("!H", packet[2:4])[0]
    else:
        protocol, at, family = packet[6], 40, socket.AF_INET6
        addresses, total = (packet[8:24], packet[24:40]), 40 + struct.unpack("!H", packet[4:6])[0]
    body = packet[at:]
    if protocol == ICMP and body[0] == ICMP_UNREACHABLE:
        proto, source, target, _ = ends_of(body[8:])
        return proto, target, source, ""
    ports, letters = struct.unpack("!HH", body[:4]), ""
    if protocol in (ICMP, ICMPV6):
        ports = struct.unpack("!H", body[4:6]) * 2
        letters = "D" if total - at > 8 else ""
    elif protocol == UDP:
        letters = "D" if total - at > 8 else ""
    else:
        letters = letters_of(body, total - at - (body[12] >> 4) * 4)
    ends = [(socket.inet_ntop(family, address), port) for address, port in zip(addresses, ports)]
    return protocol, *ends, letters


def flows_in(frames):
    """Counts by (protocol, client, server): the client is who was seen first."""
    flows = collections.OrderedDict()
    for frame in frames:
        protocol, source, target, letters = ends_of(frame.data[14:])
        by_client = (protocol, target, source) not in flows
        key = (protocol, source, target) if by_client else (protocol, target, source)
        flows.setdefault(key, Counts()).add(by_client, frame.wire_len, letters)
    return flows


def variables(record):
    return {one["key"]: one["value"] for one in record["metadata"]["flowvars"]}


def port_of(record, side):
    return record.get(f"{side}_port", 0)


class Told:
    """The flow records of a file: each flow's, added up."""

    def __init__(self, lines):
        self.records = [one for one in lines if one["event_type"] == "flow"]
        self.by_server_port = collections.defaultdict(list)
        for one in self.records:
            self.by_server_port[port_of(one, "dest")].append(one)

    def ends(self, record, echo_id):
        protocol = {"TCP": TCP, "UDP": UDP, "ICMP": ICMP, "IPv6-ICMP": ICMPV6}[record["proto"]]
        ports = [port_of(record, side) for side in ("src", "dest")]
        if protocol in (ICMP, ICMPV6):
            ports = [echo_id, echo_id]
        return protocol, (record["src_ip"], ports[0]), (record["dest_ip"], ports[1])

    def sums(self, echo_id=0x6E78):
        sums = {}
        for one in self.records:
            counts = sums.setdefault(self.ends(one, echo_id), Counts())
            for i, side in enumerate(("server", "client")):
                counts.packets[i] += one["flow"][f"pkts_to{side}"]
                counts.bytes[i] += one["flow"][f"bytes_to{side}"]
            counts.history = variables(one)["history"]
        return sums


def expanded(told):
    return {key: (one.packets, one.bytes) for key, one in told.items()}


class Replayed(unittest.TestCase):
    def replay(self, frames, *options):
        with tempfile.TemporaryDirectory(prefix="nids-flows-") as folder:
            capture = pathlib.Path(folder) / "crafted.pcap"
            data = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1)
            for i, frame in enumerate(frames):
                data += struct.pack("<IIII", 1_700_000_000, i * 1000, len(frame), len(frame)) + frame
            capture.write_bytes(data)
            eve = pathlib.Path(folder) / "eve.json"
            done = lab.run(lab.binary(), "replay", capture, "--eve", eve, "--retain", "off", *options,
                           env=os.environ | {"NIDS_XDP_ROOT": folder}, check=False)
            self.assertIn(done.returncode, (0, 3), done.stderr)
            return Told(map(json.loads, eve.read_text().splitlines()))

    def connection(self, letters, port):
        for letter in letters:
            by_client, upper = letter.isupper(), letter.upper()
            ends = (port, 80) if by_client else (80, port)
            payload = b"twelve bytes" if upper == "D" else b""
            way = {} if by_client else {"source": NEAR_IP, "target": FAR_IP}
            yield ethernet(IPV4, ipv4(TCP, tcp(*ends, FLAGS[upper], payload), **way))

    def check_states(self, *options):
        frames, wanted = [], {}
        for number, (letters, state) in enumerate(CRAFTED.items()):
            own = list(self.connection(letters, 40000 + number))
            frames += own
            wanted[40000 + number] = (letters, state, own)
        told = self.replay(frames, *options)
        self.assertEqual(len(told.records), len(CRAFTED))
        for record in told.records:
            letters, state, own = wanted.pop(record["src_port"])
            with self.subTest(letters):
                self.assertEqual(variables(record)["conn_state"], state)
                self.assertEqual(variables(record)["history"],
                                 ("^" if letters[0].islower() else "") + letters)
                self.assertEqual((record["src_ip"], record["dest_port"]), (FAR_IP, 80))
                sizes = [[len(frame) for frame, letter in zip(own, letters)
                          if letter.isupper() == by_client] for by_client in (True, False)]
                flow = record["flow"]
                self.assertEqual([flow["pkts_toserver"], flow["pkts_toclient"]], list(map(len, sizes)))
                self.assertEqual([flow["bytes_toserver"], flow["bytes_toclient"]],
                                 list(map(sum, sizes)))
        self.assertEqual(wanted, {})

    def test_each_of_zeeks_states_by_the_twin(self):
        self.check_states()

    def test_each_of_zeeks_states_by_the_kernel(self):
        self.check_states("--kernel")

    def test_datagrams_and_echoes(self):
        back = {"source": NEAR_IP, "target": FAR_IP}
        reply = bytearray(icmp_echo(7, 1))
        reply[0] = 0
        told = self.replay([ethernet(IPV4, ipv4(UDP, udp(40000, 9000))),
                            ethernet(IPV4, ipv4(UDP, udp(40001, 9001))),
                            ethernet(IPV4, ipv4(UDP, udp(9001, 40001), **back)),
                            ethernet(IPV4, ipv4(ICMP, icmp_echo(7, 1))),
                            ethernet(IPV4, ipv4(ICMP, bytes(reply), **back)),
                            ethernet(IPV6, ipv6(UDP, udp(40000, 9002)))])
        states = {(port_of(one, "src"), port_of(one, "dest")): variables(one)["conn_state"]
                  for one in told.records if one["proto"] == "UDP"}
        self.assertEqual(states[40000, 9000], "S0")
        self.assertEqual(states[40001, 9001], "SF")
        self.assertEqual(states[40000, 9002], "S0")
        echo, = (one for one in told.records if one["proto"] == "ICMP")
        self.assertEqual((echo["icmp_type"], echo["response_icmp_type"]), (8, 0))
        self.assertEqual((echo["flow"]["pkts_toserver"], echo["flow"]["pkts_toclient"]), (1, 1))


class Talk:
    """Real sockets; the client and the server each on a CPU of its own choice."""

    def __init__(self, laboratory, cpus):
        self.lab, self.cpus = laboratory, cpus
        self.kept = []  # connections that stay open

    def on(self, side, body):
        result = []
        peers.Thread(lambda: result.append(body()), self.cpus[side]).finish()
        return result[0]

    def connect(self, port, address=NEAR_IP):
        family = peers.family_of(address)
        with self.lab.near.socket(family, socket.SOCK_STREAM) as listener:
            listener.bind((address, port))
            listener.listen()
            client = self.lab.far.socket(family, socket.SOCK_STREAM)
            self.on(0, lambda: client.connect((address, port)))
            server = self.on(1, listener.accept)[0]
        server.settimeout(10)
        self.kept += [client, server]
        self.on(0, lambda: client.sendall(b"question"))
        self.on(1, lambda: server.recv(100))
        return client, server

    def answer(self, client, server):
        self.on(1, lambda: server.sendall(b"answer"))
        self.on(0, lambda: client.recv(100))

    def ordinary(self, port, address=NEAR_IP):
        client, server = self.connect(port, address)
        self.answer(client, server)
        self.on(0, client.close)
        self.on(1, lambda: server.recv(1))
        self.on(1, server.close)

    def refused(self, port):
        with self.lab.far.socket(socket.AF_INET, socket.SOCK_STREAM) as client:
            try:
                self.on(0, lambda: client.connect((NEAR_IP, port)))
            except ConnectionRefusedError:
                return
        raise AssertionError("somebody listens")

    def reset_by_client(self, port):
        self.reset(*self.connect(port), 0)

    def reset_by_server(self, port):
        client, server = self.connect(port)
        self.reset(server, client, 1)

    def reset(self, breaks, other, side):
        breaks.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.on(side, breaks.close)
        select.select([other], [], [], 5)
        other.close()

    def closed_by_client(self, port):
        client, server = self.connect(port)
        self.on(0, lambda: client.shutdown(socket.SHUT_WR))
        self.on(1, lambda: server.recv(1))

    def closed_by_server(self, port):
        client, server = self.connect(port)
        self.on(1, lambda: server.shutdown(socket.SHUT_WR))
        self.on(0, lambda: client.recv(1))

    def never_answered(self, port):
        with self.lab.far.socket(socket.AF_INET, socket.SOCK_STREAM) as client:
            client.setblocking(False)
            self.on(0, lambda: client.connect_ex((UNUSED_IP, port)))

    def udp_answered(self, port):
        peers.udp_talk(self.lab.far, self.lab.near, NEAR_IP, port, b"ask", b"answer", port,
                       cpus=self.cpus)

    def udp_unanswered(self, port):
        peers.udp_talk(self.lab.far, self.lab.near, NEAR_IP, port, b"ask", None, port, cpus=self.cpus)

    def udp_refused(self, port):
        """The ICMP error counts as an answer: it comes from there."""
        with self.lab.far.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.connect((NEAR_IP, port))
            self.on(0, lambda: client.send(b"ask"))
            try:
                client.recv(1)
            except ConnectionRefusedError:
                return
        raise AssertionError("somebody is there")

    def close(self):
        for one in self.kept:
            one.close()


# What happens, and its state by Zeek.
LIVE = {"ordinary": "SF", "refused": "REJ", "reset_by_client": "RSTO", "reset_by_server": "RSTR",
        "closed_by_client": "S2", "closed_by_server": "S3", "never_answered": "S0",
        "udp_answered": "SF", "udp_unanswered": "S0", "udp_refused": "S0"}


class Live(lab.LabCase):
    def setUp(self):
        super().setUp()
        self.lab.far.ip("neighbor", "replace", UNUSED_IP, "lladdr", "02:99:00:00:00:99", "dev", "v1",
                        "nud", "permanent")
        self.dump = Tcpdump(self.lab, self.lab.near, "v0", "inout")
        self.talks = []
        self.addCleanup(lambda: [talk.close() for talk in self.talks])

    def talk(self, cpus=(CPUS[0], CPUS[0])):
        self.talks.append(Talk(self.lab, cpus))
        return self.talks[-1]

    def settled(self):
        """Stats that are tcpdump's twice, longer than an acknowledgement is held back."""
        before = None

        def agree():
            nonlocal before
            stats, dumped = self.lab.stats(), self.dump.sums()
            last, before = before, dumped
            seen = {unit: stats["ingress"][unit] + stats["egress"][unit] for unit in dumped}
            return last == dumped == seen and stats["ring"]["pending"] == 0 and stats
        return wait_for("counters like tcpdump's", agree, every=0.3)

    def told_like_tcpdump(self):
        """After the end: every flow with its packets and bytes, as tcpdump has them."""
        self.dump.stop()
        flows = flows_in(self.dump.frames())
        told = Told(self.lab.eve())
        self.maxDiff = None
        self.assertEqual(expanded(told.sums()), expanded(flows))
        return told, flows

    def test_what_becomes_of_real_connections_whatever_cpus_see_them(self):
        watch = self.lab.attach("v0")
        wanted = {}
        for group, cpus in enumerate(((CPUS[0], CPUS[0]), CPUS, CPUS[::-1])):
            talk = self.talk(cpus)
            for number, (name, state) in enumerate(LIVE.items()):
                port = 9000 + 100 * group + number
                getattr(talk, name)(port)
                wanted[port] = name, state
        talk.ordinary(9900, NEAR_IP6)
        wanted[9900] = "ordinary", "SF"
        peers.ping(self.lab.far, NEAR_IP, 3)
        stats = self.settled()
        self.assert_balanced(stats)
        self.assertEqual((stats["ledger"]["unaccounted"], stats["ring"]["lost"]), (0, 0))
        self.assertEqual(set(stats["findings"].values()), {0})
        self.assertEqual(watch.stop(), 0, watch.err)

        told, flows = self.told_like_tcpdump()
        ping, = (one for one in told.records if one["proto"] == "ICMP")
        self.assertEqual((ping["icmp_type"], ping["response_icmp_type"]), (8, 0))
        for port, (name, state) in wanted.items():
            with self.subTest(name, port=port):
                record, = told.by_server_port[port]
                self.assertEqual(variables(record)["conn_state"], state)
                self.assertEqual(variables(record)["history"], flows[told.ends(record, 0)].history)
                self.assertEqual(record["src_ip"], FAR_IP6 if ":" in record["src_ip"] else FAR_IP)
                self.assertEqual(record["in_iface"], "v0")
        self.assertEqual(len(told.records), len(wanted) + 1)
        self.assertEqual(len({one["flow_id"] for one in told.records}), len(told.records))

    def test_a_connection_that_moves_to_another_cpu_is_one_flow(self):
        """Its first CPU is silent before the other begins, and mostly nobody has read it yet."""
        watch = self.lab.attach("v0")
        ports = range(9000, 9020)
        for port in ports:
            talk = self.talk(CPUS[1:] * 2)
            client, server = talk.connect(port)
            talk.answer(client, server)
            time.sleep(0.03)  # more than the CPUs' ticks may differ
            talk.cpus = CPUS[:1] * 2
            talk.on(0, lambda: client.sendall(b"question"))
            talk.on(1, lambda: server.recv(100))
            talk.answer(client, server)
        self.settled()
        self.assertEqual(watch.stop(), 0, watch.err)
        told, flows = self.told_like_tcpdump()
        self.assertEqual(sorted(one["dest_port"] for one in told.records), list(ports))
        for record in told.records:
            self.assertNotIn("continued", variables(record))
            self.assertEqual(variables(record)["conn_state"], "S1")
            self.assertEqual(variables(record)["history"], flows[told.ends(record, 0)].history)

    def test_a_flow_that_is_over_is_told_while_others_go_on(self):
        config = self.lab.path("nids.toml")
        config.write_text('[flow]\ntcp_closed = "1s"\ninterim = "4s"\n')
        watch = self.lab.attach("v0", "--config", config)
        talk = self.talk(CPUS)
        client, server = talk.connect(9001)
        talk.ordinary(9000)

        def records(port):
            return Told(self.lab.eve()).by_server_port[port]
        wait_for("the ordinary one's end", lambda: records(9000))
        self.assertEqual([one["flow"]["reason"] for one in records(9000)], ["timeout"])
        wait_for("the other one so far", lambda: records(9001))
        self.assertEqual([one["flow"]["reason"] for one in records(9001)], ["interim"])
        talk.answer(client, server)
        self.settled()
        self.assertEqual(watch.stop(), 0, watch.err)
        told, _ = self.told_like_tcpdump()
        first, *others = told.by_server_port[9001]
        self.assertNotIn("continued", variables(first))
        self.assertTrue(others)
        for one in others:
            self.assertEqual(variables(one)["continued"], "true")
            self.assertEqual(one["flow_id"], first["flow_id"])

    def test_killed_and_attached_again_it_tells_no_flow_twice_and_loses_none(self):
        config = self.lab.path("nids.toml")
        config.write_text('[flow]\ntcp_closed = "1s"\nudp = "1s"\n')
        watch = self.lab.attach("v0", "--config", config)
        talk = self.talk(CPUS)
        talk.ordinary(9000)
        talk.udp_answered(9001)
        client, server = talk.connect(9002)
        wait_for("records of what is over",
                 lambda: sorted(Told(self.lab.eve()).by_server_port) == [9000, 9001], 8)
        before = self.settled()
        for pid in (watch.pid, *watch.agents):
            os.kill(pid, signal.SIGKILL)
        watch.process.wait(5)
        wait_for("the agent's end", lambda: not any(map(is_running, watch.agents)))

        talk.answer(client, server)
        talk.refused(9003)
        watch = self.lab.attach("v0", "--config", config)
        self.assertIn("taking over", watch.err)
        talk.answer(client, server)
        talk.udp_unanswered(9004)
        after = self.settled()
        self.assertEqual(after["attached_since"], before["attached_since"])
        self.assert_balanced(after)
        self.assertEqual(watch.stop(), 0, watch.err)
        told, _ = self.told_like_tcpdump()
        self.assertEqual({port: len(records) for port, records in told.by_server_port.items()},
                         {9000: 1, 9001: 1, 9002: 1, 9003: 1, 9004: 1})
        self.assertEqual(variables(told.by_server_port[9002][0])["conn_state"], "S1")


if __name__ == "__main__":
    lab.main(["tcpdump"])
