#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`nids-xdp flows`: what it lists is what EVE tells later; filters, classes, changes as they come; who may
ask, and what becomes of bad questions, slow clients and too many of them."""
import json
import re
import signal
import socket
import time

import lab
from lab import FAR_IP, NEAR_IP, is_running, wait_for
from packets import IPV4, TCP, UDP, ethernet, ipv4, tcp, udp

SYN, RST_ACK = 0x02, 0x14
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


def syn(source_port, port, flags=SYN):
    return ethernet(IPV4, ipv4(TCP, tcp(source_port, port, flags)))


def question(**keys):
    return json.dumps({"command": "flows"} | keys).encode() + b"\n"


class FlowsCommand(lab.LabCase):
    def setUp(self):
        super().setUp()
        self.watch = self.lab.attach("v0", "--retain", "off")
        frames = [syn(40001, 22)] * 3 + [syn(40002, 8080)] + \
                 [ethernet(IPV4, ipv4(UDP, udp(40003, 53, bytes(900))))]
        self.lab.far.send_frames("v1", frames)
        self.lab.wait_counted(ingress=len(frames))
        wait_for("three flows, and their packets", lambda: len(self.flows()) == 3 and sum(
            one["flow"]["pkts_toserver"] for one in self.flows()) == len(frames))

    def tearDown(self):
        if self.watch.process.poll() is None:
            self.watch.stop()
        super().tearDown()

    def flows(self, *argv, **options):
        done = self.lab.nids("flows", "--json", *argv, **options)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def ports(self, *argv):
        return [one["dest_port"] for one in self.flows(*argv)]

    def ask(self):
        """A socket to the agent, connected."""
        path = self.lab.run_dir / "nids-xdp" / f"agent-{self.watch.pid}.sock"
        client = socket.socket(socket.AF_UNIX)
        self.addCleanup(client.close)
        client.settimeout(10)
        client.connect(str(path))
        return client

    def test_it_lists_what_eve_tells_later(self):
        listed = {one["flow_id"]: one for one in self.flows()}
        self.assertEqual(self.watch.stop(), 0)
        told = {one["flow_id"]: one for one in self.lab.eve() if one["event_type"] == "flow"}
        self.assertEqual(set(listed), set(told))
        for flow_id, one in listed.items():
            for key in ("src_ip", "src_port", "dest_ip", "dest_port", "proto", "community_id"):
                self.assertEqual(one[key], told[flow_id][key])
            for key in ("pkts_toserver", "bytes_toserver", "start", "end", "alerted", "state"):
                self.assertEqual(one["flow"][key], told[flow_id]["flow"][key], key)
            self.assertEqual(one["in_iface"], "v0")
        alert = self.lab.alerts()[0]
        self.assertEqual(listed[alert["flow_id"]]["community_id"], alert["community_id"])

    def test_order_and_choice(self):
        self.assertEqual(self.ports("--by", "packets", "--top", "1"), [22])
        self.assertEqual(self.ports()[0], 53, "most bytes first")
        self.assertEqual(self.ports("--class", "ssh"), [22])
        self.assertEqual(self.ports("--filter", "udp or port 8080"), [53, 8080])
        self.assertEqual(self.ports("--filter", f"src host {FAR_IP} and not tcp"), [53])
        self.assertEqual(self.ports("--filter", "host 192.0.2.1"), [])

    def test_a_table_for_people(self):
        done = self.lab.nids("flows", "--filter", "port 22")
        self.assertRegex(done.stdout, rf"tcp +{re.escape(FAR_IP)}:40001 +{re.escape(NEAR_IP)}:ssh +SYN_SENT")
        self.assertIn("1 of 1 flow", done.stdout)
        self.assertIn(f"{NEAR_IP}:22 ", self.lab.nids("flows", "-n").stdout)

    def test_what_flows_cant_tell_is_refused(self):
        for argv in (["--filter", "tcp[13] = 2"], ["--filter", "host localhost"], ["--filter", "((("],
                     ["--class", "sssh"], ["--by", "colour"], ["--top", "0"]):
            done = self.lab.nids("flows", *argv)
            self.assertEqual((done.returncode, done.stdout), (2, ""), argv)
            self.assertTrue(done.stderr, argv)

    def test_changes_as_they_come(self):
        process = self.lab.start(*self.lab.command("flows", "--follow", "-n"),
                                 stdout=open(self.lab.path("follow"), "wb"))
        text = lambda: self.lab.path("follow").read_text()
        wait_for("the listing", lambda: "3 of 3 flows" in text())
        time.sleep(0.2)
        self.lab.far.send_frames("v1", [syn(40004, 9090)])
        wait_for("its start", lambda: re.search(r"^\+ .*:9090 SYN_SENT", text(), re.M))
        self.lab.far.send_frames("v1", [syn(40004, 9090, RST_ACK)])
        wait_for("its change", lambda: re.search(r"^~ .*:9090 CLOSED", text(), re.M))
        wait_for("its end", lambda: re.search(r"^- .*:9090 CLOSED.*RSTOS0", text(), re.M), seconds=15)
        self.assertEqual(self.watch.stop(), 0)
        self.assertEqual(process.wait(timeout=10), 0, "it ends with the agent")

    def test_who_may_ask(self):
        path = self.lab.run_dir / "nids-xdp" / f"agent-{self.watch.pid}.sock"
        self.assertIn(path.stat().st_mode & 0o777, (0o600, 0o660))
        refused = self.lab.near.run(*NOBODY, lab.binary(), "flows", env=self.lab.environment, check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertEqual(refused.stdout, "")

    def test_without_an_agent_root_reads_the_tables(self):
        before = {one["community_id"]: one["flow"]["pkts_toserver"] for one in self.flows()}
        self.watch.kill_parent()
        wait_for("the agent's end", lambda: not any(map(is_running, self.watch.agents)))
        after = {one["community_id"]: one["flow"]["pkts_toserver"] for one in self.flows()}
        self.assertEqual(before, after)
        done = self.lab.nids("flows", "--follow")
        self.assertEqual(done.returncode, 1)
        self.assertIn("no agent runs", done.stderr)
        self.assertEqual(self.lab.nids("detach", "v0").returncode, 0)

    def test_bad_questions(self):
        for bad in (b"\n", b"{}\n", b"[" * 16000 + b"\n", b"\xff\xfe\n", question(top=-1), question(by=7),
                    question(filter="1,6 0 0"), question(filter="1,0 0 0 0"), question(classes=[1])):
            client = self.ask()
            client.sendall(bad)
            answer = b""
            while piece := client.recv(65536):
                answer += piece
            self.assertIn("error", json.loads(answer), bad[:60])
        client = self.ask()
        try:
            client.sendall(b"x" * (1 << 20))  # no end of line, and too long
            while client.recv(65536):
                pass
        except OSError:
            pass
        self.assertEqual(len(self.flows()), 3, "it still answers")

    def test_slow_clients_and_too_many(self):
        silent = [self.ask() for _ in range(12)]
        wait_for("those that say nothing to be sent away",
                 lambda: self.lab.nids("flows").returncode == 0, seconds=10)
        for client in silent:
            client.settimeout(5)
            self.assertEqual(client.recv(1), b"")
        self.lab.far.send_frames("v1", [syn(40005, 9091)])
        wait_for("a flow more", lambda: len(self.flows()) == 4)
        self.assertEqual(self.watch.stop(signal.SIGTERM), 0)


class NothingAttached(lab.LabCase):
    def test_it_says_so(self):
        done = self.lab.nids("flows")
        self.assertEqual(done.returncode, 1)
        self.assert_message(done.stderr, "attached to no interface")


if __name__ == "__main__":
    lab.main(["setpriv"])
