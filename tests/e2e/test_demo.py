#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The demo succeeds, shows an alert for each flagged protocol of its traffic and no other alert, and
leaves nothing on the machine."""
import os
import re
import subprocess
import unittest

import lab

# The server ports that tools/demo_traffic.py calls, and the class that flags each.
FLAGGED = {22: "ssh", 23: "telnet", 443: "tls", 445: "microsoft-ds", 5060: "sip", 5900: "rfb",
           53413: "netis"}
DEMO_S = 60  # it takes 2 s on an idle machine


class Demo(unittest.TestCase):
    def test_it_shows_every_flagged_protocol_and_succeeds(self):
        demo = subprocess.Popen([lab.ROOT / "tools/demo"], stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                env=os.environ | {"NIDS_XDP_BIN": lab.binary()})
        self.addCleanup(demo.terminate)
        out, err = demo.communicate(timeout=DEMO_S)
        self.assertEqual(demo.returncode, 0, f"{err}\n{out}")
        self.assertNotIn("Traceback", err)
        self.assertRegex(out.splitlines()[-1], r"^Nothing of this is left on the machine\. .*run")

        _, _, rest = out.partition("+ eve.json")
        table, _, packets = rest.partition("+ nids-xdp pcap export")
        alerts = re.findall(r"^  \S+ severity [1-4] flagged protocol (\S+) +192\.0\.2\.2:\d+ -> "
                            r"192\.0\.2\.1:(\d+)$", table, re.M)
        self.assertEqual(sorted((int(port), name) for name, port in alerts),
                         sorted(FLAGGED.items()))
        self.assertRegex(packets, r"192\.0\.2\.2\D+\d+ .*192\.0\.2\.1\D+23\b")
        namespaces = lab.run("ip", "netns", "list").stdout
        self.assertNotIn(f"nids-demo-{demo.pid}-", namespaces)


if __name__ == "__main__":
    lab.main()
