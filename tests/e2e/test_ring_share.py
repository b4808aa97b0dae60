#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The last quarter of a ring. First packets beyond one a second from a sender are withheld from it,
but later packets of their flows get through, and raise the alert."""
import lab
from lab import FAR_IP, NEAR_IP
from packets import IPV4, TCP, UDP, ethernet, ipv4, netis, tcp, udp

RING = 256 * 1024
PORTS = range(20001, 20021)  # client ports, one connection each
SYN, ACK, PUSH = 0x02, 0x10, 0x08
BACK = {"source": NEAR_IP, "target": FAR_IP}


def segment(port, flags, payload=b"", is_answer=False):
    ends = (22, port) if is_answer else (port, 22)
    return ethernet(IPV4, ipv4(TCP, tcp(*ends, flags, payload), **(BACK if is_answer else {})))


class RingShare(lab.LabCase):
    def setUp(self):
        super().setUp()
        config = self.lab.path("config.toml")
        config.write_text('[ring]\nsize = "256KiB"\n[alert]\nsuppress = "0s"\n')
        self.watch = self.lab.attach("v0", "--config", config)
        self.hold_agent()

    def hold_agent(self):
        """Stops the agent, and fills the ring up to its last quarter with packets of flows that go on."""
        self.watch.hold()
        for flow in range(20):
            self.lab.far.send_frames("v1", [netis(40000 + flow, bytes(1400))] * 5)
            ring = self.lab.stats()["ring"]
            if ring["pending_bytes"] >= RING * 3 // 4:
                break
        self.assertGreaterEqual(ring["pending_bytes"], RING * 3 // 4)
        self.assertEqual(ring["lost"], 0)

    def send(self, frames, answers=()):
        self.lab.far.send_frames("v1", frames)
        self.lab.near.send_frames("v0", answers)

    def let_go(self):
        """Ends the agent and returns the alerts of PORTS. Only withheld first packets may be lost."""
        ring = self.lab.stats()["ring"]
        self.assertGreater(ring["first_packets_withheld"], 0)
        self.assertEqual(ring["lost"], ring["first_packets_withheld"])
        self.watch.release()
        self.assert_balanced(self.lab.stats())
        self.assertEqual(self.watch.stop(), 4, "something was lost")
        return [one for one in self.lab.alerts() if one["src_port"] in PORTS]

    def check_alerts(self, server_port):
        alerts = self.let_go()
        self.assertEqual(sorted(one["src_port"] for one in alerts), list(PORTS))
        for one in alerts:
            self.assertEqual((one["src_ip"], one["dest_ip"], one["dest_port"]),
                             (FAR_IP, NEAR_IP, server_port))

    def test_of_an_answered_handshake_the_answer_raises_the_alert(self):
        self.send([segment(port, SYN) for port in PORTS],
                  [segment(port, SYN | ACK, is_answer=True) for port in PORTS])
        self.check_alerts(22)

    def test_where_no_answer_is_seen_the_next_segment_raises_it(self):
        self.send([segment(port, SYN) for port in PORTS])
        self.send([segment(port, ACK | PUSH, b"SSH-2.0-x\r\n") for port in PORTS])
        self.check_alerts(22)

    def test_of_datagrams_the_second_raises_it(self):
        for _ in range(2):
            self.send([ethernet(IPV4, ipv4(UDP, udp(port, 69))) for port in PORTS])
        self.check_alerts(69)


if __name__ == "__main__":
    lab.main([])
