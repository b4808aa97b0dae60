#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A network tap: each of two interfaces gets one direction of the connections between two other hosts. If they
are a link, each connection is one flow; without the link it is two flows.

    client (c0) ----veth---- server (s0)          tc mirrors what each of them sends
       | egress                 | egress
       m0 ---veth--- near: to_server        m1 ---veth--- near: to_client
"""
import collections
import contextlib
import json
import socket
import time

import lab
import peers
from lab import Tcpdump, run, wait_for

CLIENT_IP, SERVER_IP = "10.80.0.1", "10.80.0.2"
TO_SERVER, TO_CLIENT = "to_server", "to_client"
HTTP_PORT, FLAGGED_PORT, SHORT = 8088, 23, 20
EVERY_PACKET = "1,6 0 0 4294967295,"  # a classic filter, because not every kernel has matchall
HANDSHAKE = {TO_SERVER: 2, TO_CLIENT: 1}  # packets
LINK = f'[links]\ntap = ["{TO_SERVER}", "{TO_CLIENT}"]\n'


class Links(lab.LabCase):
    LINKS = 0

    def setUp(self):
        super().setUp()
        self.client, self.server = self.lab.namespace("client"), self.lab.namespace("server")

    def make_tap(self, ports=(TO_SERVER, TO_CLIENT)):
        """`ports` are in the order of their indexes. The agent reads them in this order."""
        self.pair(self.client, "c0", self.server, "s0")
        for own, peer, here, ifname, other in (
                (CLIENT_IP, SERVER_IP, self.client, "c0", "02:80:00:00:00:02"),
                (SERVER_IP, CLIENT_IP, self.server, "s0", "02:80:00:00:00:01")):
            here.ip("address", "add", f"{own}/24", "dev", ifname)
            here.ip("neighbor", "replace", peer, "lladdr", other, "dev", ifname, "nud", "permanent")
        for port in ports:
            here, ifname, mirror = ((self.client, "c0", "m0") if port == TO_SERVER
                                    else (self.server, "s0", "m1"))
            self.pair(here, mirror, self.lab.near, port)
            run("tc", "-n", here.name, "qdisc", "add", "dev", ifname, "clsact")
            run("tc", "-n", here.name, "filter", "add", "dev", ifname, "egress", "bpf", "bytecode",
                EVERY_PACKET, "action", "mirred", "egress", "mirror", "dev", mirror)
        self.addCleanup(self.remove_mirrors)
        self.lab.wait_until_quiet()

    def tearDown(self):
        self.remove_mirrors()
        super().tearDown()

    def remove_mirrors(self):
        for here, ifname in ((self.client, "c0"), (self.server, "s0")):
            run("tc", "-n", here.name, "qdisc", "del", "dev", ifname, "clsact", check=False)

    def pair(self, here, ifname, there, other):
        address = {"c0": "02:80:00:00:00:01", "s0": "02:80:00:00:00:02"}
        ends = [(here, ifname), (there, other)]
        parts = [["name", name, *(["address", address[name]] if name in address else []), "netns",
                  namespace.name] for namespace, name in ends]
        run("ip", "link", "add", *parts[0], "type", "veth", "peer", *parts[1])
        for namespace, name in ends:
            namespace.run("ethtool", "-K", name, "tso", "off", "gso", "off", "gro", "off")
            namespace.ip("link", "set", name, "gso_max_segs", 1)
            namespace.ip("link", "set", name, "arp", "off")
            namespace.ip("link", "set", name, "up")

    def attach(self, text, *options, wait=True):
        config = self.lab.path("config.toml")
        config.write_text(text)
        return self.lab.attach(TO_SERVER, TO_CLIENT, "--no-egress", "--config", config, *options,
                               wait=wait)

    @contextlib.contextmanager
    def captured(self):
        """Yields the frames by port. The lists are complete after the block."""
        dumps = {port: Tcpdump(self.lab, self.lab.near, port, "in") for port in (TO_SERVER, TO_CLIENT)}
        frames = {}
        yield frames
        wait_for("the last frames", lambda: self.is_quiet(dumps))
        for port, dump in dumps.items():
            dump.stop()
            frames[port] = dump.frames()

    def is_quiet(self, dumps):
        before = [dump.sums() for dump in dumps.values()]
        time.sleep(0.3)
        return before == [dump.sums() for dump in dumps.values()]

    def wait_counted(self, frames):
        for port in (TO_SERVER, TO_CLIENT):
            stats = self.lab.wait_counted(port, ingress=len(frames[port]))
            self.assert_balanced(stats)
            self.assertEqual(stats["ingress"]["bytes"], sum(one.wire_len for one in frames[port]))

    def records(self):
        return [one for one in self.lab.eve() if one["event_type"] == "flow"]

    def alerts_of(self, signature):
        return [one for one in self.lab.alerts() if one["alert"]["signature_id"] == signature]

    def http(self, port=HTTP_PORT):
        peers.tcp_talk(self.client, self.server, SERVER_IP, port, peers.HTTP)

    def ssh(self):
        peers.SshServer(self.lab, self.server, SERVER_IP).talk_from(self.client)

    def assert_sums(self, records, frames):
        """Each record has the exact packets and bytes of both directions."""
        for record in records:
            pair = {record["src_port"], record["dest_port"]}
            for port, key in ((TO_SERVER, "toserver"), (TO_CLIENT, "toclient")):
                own = [one.wire_len for one in frames[port] if ports_of(one) == pair]
                self.assertEqual(record["flow"]["pkts_" + key], len(own), record)
                self.assertEqual(record["flow"]["bytes_" + key], sum(own), record)
                self.assertGreater(len(own), 0)

    def check_joined(self, workers, ports):
        self.make_tap(ports)
        watch = self.attach(f"workers = {workers}\n" + LINK)
        with self.captured() as frames:
            self.http()
            self.ssh()
            peers.udp_talk(self.client, self.server, SERVER_IP, 53, *peers.dns(), 40001)
            for _ in range(SHORT):  # complete when the first ring is read; every packet reaches the agent
                self.http(FLAGGED_PORT)
        self.wait_counted(frames)
        self.assertEqual(watch.stop(), 0, watch.err)

        records = self.records()
        by_port = {one["dest_port"]: one for one in records}
        self.assertEqual(sorted(by_port), [22, FLAGGED_PORT, 53, HTTP_PORT], records)
        self.assertEqual(len(records), 3 + SHORT)
        for record in records:
            self.assertEqual((record["src_ip"], record["dest_ip"]), (CLIENT_IP, SERVER_IP))
            self.assertEqual(record["in_iface"], "tap")
            self.assertEqual(conn_state(record), "SF")
        self.assertEqual(by_port[HTTP_PORT]["flow"]["state"], "closed")
        self.assert_sums(records, frames)
        self.assertEqual(len(self.lab.alerts()), 2, "ssh and, once, telnet")
        self.check_alert(by_port[22])

    def check_alert(self, flow):
        alert, = [one for one in self.lab.alerts() if one["dest_port"] == 22]
        self.assertEqual((alert["src_ip"], alert["dest_ip"], alert["dest_port"]),
                         (CLIENT_IP, SERVER_IP, 22))
        self.assertIn(alert["in_iface"], (TO_SERVER, TO_CLIENT), "the packet's own interface")
        self.assertEqual(alert["flow_id"], flow["flow_id"])
        self.assertNotIn("direction", alert["alert"].get("metadata", {}))
        self.assertTrue(flow["flow"]["alerted"])

    def test_one_flow(self):
        self.check_joined(1, (TO_SERVER, TO_CLIENT))

    def test_one_flow_if_the_answers_are_read_first(self):
        self.check_joined(1, (TO_CLIENT, TO_SERVER))

    def test_one_flow_with_two_workers(self):
        self.check_joined(2, (TO_CLIENT, TO_SERVER))

    def test_two_flows_without_the_link(self):
        self.make_tap()
        watch = self.attach("")
        with self.captured() as frames:
            self.http()
        self.wait_counted(frames)
        self.assertEqual(watch.stop(), 0, watch.err)
        records = self.records()
        self.assertEqual({one["in_iface"] for one in records}, {TO_SERVER, TO_CLIENT})
        self.assertEqual(len(records), 2)
        self.assertNotIn("SF", [conn_state(one) for one in records])

    def connect(self, ports):
        """Makes a connection to each port. The server answers. Ends all connections."""
        listeners = []
        for port in ports:
            listener = self.server.socket(socket.AF_INET, socket.SOCK_STREAM)
            self.addCleanup(listener.close)
            listener.bind((SERVER_IP, port))
            listener.listen()
            listeners.append(listener)
        for listener, port in zip(listeners, ports):
            with self.client.socket(socket.AF_INET, socket.SOCK_STREAM) as asker:
                asker.connect((SERVER_IP, port))
                answerer, _ = listener.accept()
                with answerer:
                    asker.sendall(b"question")
                    answerer.sendall(peers.receive(answerer, 8))
                    peers.receive(asker, 8)
                    asker.shutdown(socket.SHUT_WR)
                    self.assertEqual(answerer.recv(1), b"")

    def check_client_of_many_ports(self, text):
        watch = self.attach(text + "[scan]\nports = 20\n")
        ports = range(20000, 20030)
        for _ in range(3):  # at different moments of a scan of the tables
            self.connect(ports)
            ports = range(ports.stop, ports.stop + 30)
            time.sleep(0.4)
        time.sleep(3.5)  # longer than an answer may take, and than two scans
        self.assertEqual(watch.stop(), 0, watch.err)
        return self.alerts_of(3001)

    def test_a_client_of_many_ports_is_no_scanner(self):
        self.make_tap((TO_CLIENT, TO_SERVER))
        self.assertEqual(self.check_client_of_many_ports(LINK), [])
        flows = collections.Counter(conn_state(one) for one in self.records())
        self.assertEqual(flows, {"SF": 90})

    def test_without_the_link_the_same_client_is_a_scanner(self):
        self.make_tap()
        self.assertNotEqual(self.check_client_of_many_ports(""), [])

    def test_a_scan_is_one_alert(self):
        self.make_tap()
        watch = self.attach(LINK)
        self.client.run("nmap", "-sS", "-Pn", "-n", "-p1-300", "--max-retries", "1", SERVER_IP,
                        timeout=60)
        alert, = wait_for("a scan alert", lambda: self.alerts_of(3001))
        self.assertEqual((alert["src_ip"], alert["dest_ip"], alert["in_iface"]),
                         (CLIENT_IP, SERVER_IP, "tap"))
        time.sleep(3)
        self.assertEqual(watch.stop(), 0, watch.err)
        self.assertEqual(len(self.alerts_of(3001)), 1)
        states = collections.Counter(conn_state(one) for one in self.records())
        self.assertGreaterEqual(states["REJ"], 290, states)

    def test_a_scan_that_nobody_answers(self):
        """The agent reports the scan once it has read both interfaces."""
        self.make_tap((TO_CLIENT, TO_SERVER))
        self.server.run("iptables", "-A", "INPUT", "-p", "tcp", "-j", "DROP")
        watch = self.attach(LINK)
        self.client.run("nmap", "-sS", "-Pn", "-n", "-p1-200", "--max-retries", "0", SERVER_IP, timeout=60)
        alert, = wait_for("a scan alert", lambda: self.alerts_of(3001))
        self.assertEqual((alert["src_ip"], alert["in_iface"]), (CLIENT_IP, "tap"))
        self.assertEqual(watch.stop(), 0, watch.err)

    def test_a_command_reaches_the_slots_of_both_interfaces(self):
        """The kernel sends one packet to identify the flow. After the alert it sends every packet."""
        self.make_tap()
        watch = self.attach(LINK + '[retain]\nseverity_3 = "whole"\n[classes.bulk]\nports = ["tcp/7777"]\n'
                            'severity = 3\ninterest = "identify"\nidentify_packets = 1\n')
        answers = 50
        with self.connection(7777) as (asker, answerer):
            asker.sendall(b"question")
            peers.receive(answerer, 8)
            wait_for("the alert", self.lab.alerts)
            for _ in range(answers):
                answerer.sendall(bytes(1000))
                peers.receive(asker, 1000)
        self.assertEqual(watch.stop(), 0, watch.err)
        kept, = json.loads(self.lab.nids("alerts", "--json").stdout)
        self.assertIsNotNone(kept["place"])
        from_server = [one for one in self.stored() if one.data[34:36] == (7777).to_bytes(2, "big")]
        self.assertGreaterEqual(len(from_server), answers)

    def stored(self):
        return [frame for segment in self.lab.segments() for frame in lab.tshark_pcap(segment)]

    def test_flows_command_has_the_link(self):
        self.make_tap()
        watch = self.attach(LINK)
        self.http()

        def shown():
            return [one["in_iface"] for one in json.loads(self.lab.nids("flows", "--json").stdout)]
        self.assertEqual(wait_for("the flow", shown), ["tap"])
        self.assertEqual(watch.stop(), 0, watch.err)

    def test_rings_that_differ_are_replaced(self):
        """Programs of an earlier agent on one port of the tap; their flows could not join."""
        self.make_tap()
        config = self.lab.path("first.toml")
        config.write_text("workers = 2\n")
        first = self.lab.attach(TO_CLIENT, "--no-egress", "--keep-attached", "--config", config)
        first.stop()
        second = self.lab.attach(TO_SERVER, "--no-egress", "--keep-attached")
        second.stop()
        watch = self.attach(LINK)
        self.assertIn("the other interfaces of its link have another number of rings", watch.err)
        with self.captured() as frames:
            self.http()
        self.wait_counted(frames)
        self.assertEqual(watch.stop(), 0, watch.err)
        record, = [one for one in self.records() if one["dest_port"] == HTTP_PORT]
        self.assert_sums([record], frames)

    def test_the_next_agent_reports_nothing_twice(self):
        self.make_tap()
        with self.captured() as frames, self.connection(HTTP_PORT) as (asker, answerer):
            for options in (["--keep-attached"], []):
                watch = self.attach(LINK, *options)
                self.wait_until_read()
                for _ in range(10):
                    asker.sendall(b"question")
                    answerer.sendall(peers.receive(answerer, 8))
                    peers.receive(asker, 8)
                if options:
                    time.sleep(0.3)  # nothing is sent while no agent runs
                    self.assertEqual(watch.stop(), 0, watch.err)
        for port in (TO_SERVER, TO_CLIENT):  # the programs have not seen the handshake
            self.assert_balanced(self.lab.wait_counted(port, ingress=len(frames[port]) - HANDSHAKE[port]))
        self.assertEqual(watch.stop(), 0, watch.err)
        records = self.records()
        self.assertGreaterEqual(len([one for one in records if one["dest_port"] == HTTP_PORT]), 2)
        self.assertEqual({one["in_iface"] for one in records}, {"tap"})
        for port, key in ((TO_SERVER, "toserver"), (TO_CLIENT, "toclient")):
            counted = [one.wire_len for one in frames[port]][HANDSHAKE[port]:]
            self.assertEqual(sum(one["flow"]["pkts_" + key] for one in records), len(counted))
            self.assertEqual(sum(one["flow"]["bytes_" + key] for one in records), sum(counted))

    def wait_until_read(self):
        """The packets that the slots hold at the attach belong to the agent before. So waits for the first scan."""
        self.http(HTTP_PORT + 1)
        wait_for("a flow", lambda: json.loads(self.lab.nids("flows", "--json").stdout))
        time.sleep(1)

    @contextlib.contextmanager
    def connection(self, port):
        with self.server.socket(socket.AF_INET, socket.SOCK_STREAM) as listener, \
                self.client.socket(socket.AF_INET, socket.SOCK_STREAM) as asker:
            listener.bind((SERVER_IP, port))
            listener.listen()
            asker.connect((SERVER_IP, port))
            answerer, _ = listener.accept()
            with answerer:
                time.sleep(0.3)  # until the handshake is over
                yield asker, answerer

    def test_a_link_that_lost_an_interface_goes_on(self):
        self.make_tap((TO_CLIENT, TO_SERVER))
        watch = self.attach(LINK)
        self.lab.near.ip("link", "del", TO_CLIENT)
        wait_for("a warning", lambda: f"the link tap is not complete without {TO_CLIENT}" in watch.err)
        self.kill_agent(watch)
        self.http()
        watch.stop()
        record, = [one for one in self.records() if one["dest_port"] == HTTP_PORT]
        self.assertEqual(record["in_iface"], "tap")
        self.assertEqual(record["flow"]["pkts_toclient"], 0)
        self.assertGreater(record["flow"]["pkts_toserver"], 0)

    def test_half_a_link_is_refused(self):
        self.make_tap()
        config = self.lab.path("config.toml")
        config.write_text(LINK)
        watch = self.lab.attach(TO_SERVER, "--no-egress", "--config", config, wait=False)
        self.assertNotEqual(watch.wait(), 0)
        self.assert_message(watch.err.partition("\n")[0], "tap", TO_CLIENT, "not watched")

    def test_a_link_of_other_interfaces_is_left_out(self):
        self.make_tap()
        watch = self.attach('[links]\nelsewhere = ["eth8", "eth9"]\n')
        self.assertIn("the link elsewhere has none of the interfaces that are watched", watch.err)
        self.assertEqual(watch.stop(), 0, watch.err)


def conn_state(record):
    return next(one["value"] for one in record["metadata"]["flowvars"] if one["key"] == "conn_state")


def ports_of(frame):
    """Returns the ports of a TCP or UDP packet in IPv4 without options."""
    ports = frame.data[34:38]
    return {int.from_bytes(ports[:2], "big"), int.from_bytes(ports[2:], "big")}


if __name__ == "__main__":
    lab.main(("tcpdump", "nmap", "ssh", "tshark", "iptables"))
