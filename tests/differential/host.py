# SPDX-License-Identifier: Apache-2.0
"""The watched host: its addresses, tunnel devices, services and counters, and nids-xdp on its link."""
import contextlib
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))
import lab  # noqa: E402
import shapes  # noqa: E402

MODES = {"native": ["--mode", "native"], "skb": ["--mode", "skb"], "tc": ["--mode", "tc"],
         "no-egress": ["--mode", "native", "--no-egress"]}
ATTACH_WAITS = 6  # of lab.wait_for()'s 10 s each
CONFIGURATION = """
[flow]
max_tracked_flows = 1048576
tcp_new = "2s"
tcp_closed = "2s"
udp = "2s"
icmp = "2s"
other = "2s"
[ring]
size = "64MiB"
[alert]
suppress = "0s"
[eve]
flows = false
rotate_size = 0
"""
TUNNEL_MAC = ":".join(f"{one:02x}" for one in shapes.TUNNEL_MAC)
# The tunnel devices of the host, by type. Devices of one type differ in the packets that they accept.
DEVICES = {
    "vxlan": [["t0", "type", "vxlan", "id", shapes.NETWORK, "local", lab.NEAR_IP, "dstport",
               shapes.VXLAN_PORT, "dev", "v0", "nolearning"],
              ["t1", "type", "vxlan", "id", shapes.NETWORK_INSIDE, "local", lab.NEAR_IP, "dstport",
               shapes.VXLAN_PORT, "nolearning"],
              ["t2", "type", "vxlan", "id", shapes.NETWORK, "local", lab.NEAR_IP, "dstport",
               shapes.VXLAN_OTHER_PORT, "nolearning"],
              ["t3", "type", "vxlan", "id", shapes.NETWORK, "local", lab.NEAR_IP6, "dstport",
               shapes.VXLAN_PORT, "dev", "v0", "nolearning"]],
    "geneve": [["t4", "type", "geneve", "id", shapes.NETWORK, "remote", lab.FAR_IP]],
    "gre": [["t5", "type", "gre", "local", lab.NEAR_IP, "remote", lab.FAR_IP],
            ["t6", "type", "gre", "local", lab.NEAR_IP, "remote", lab.FAR_IP, "key", shapes.NETWORK]],
    "ipip": [["t7", "type", "ipip", "local", lab.NEAR_IP, "remote", lab.FAR_IP]],
    "sit": [["t8", "type", "sit", "local", lab.NEAR_IP, "remote", lab.FAR_IP]],
    "ip6tnl": [["t9", "type", "ip6tnl", "mode", "any", "local", lab.NEAR_IP6, "remote", lab.FAR_IP6]],
}
SNMP = {"snmp": ("Ip:InReceives", "Ip:InDelivers", "Ip:InHdrErrors", "Ip:InAddrErrors", "Ip:ReasmOKs",
                 "Ip:ReasmFails", "Tcp:InSegs", "Tcp:InErrs", "Udp:InDatagrams", "Udp:NoPorts",
                 "Udp:InErrors", "Udp:RcvbufErrors"),
        "snmp6": ("Ip6InReceives", "Ip6InDelivers", "Ip6InHdrErrors", "Ip6InUnknownProtos",
                  "Ip6ReasmOKs", "Ip6ReasmFails", "Udp6InDatagrams", "Udp6InErrors",
                  "Udp6RcvbufErrors")}


class Host:
    """A lab whose near side accepts the packets of shapes.py, and a nids-xdp that writes alerts."""

    def __init__(self, mode, cookies):
        """`cookies`: net.ipv4.tcp_syncookies. With 2 the host answers each SYN and remembers none, so a
        million SYNs do not fill the queues of the listeners."""
        self.lab = lab.Lab()
        try:
            self._prepare(cookies)
            self.devices = {kind for kind in DEVICES if self._has_devices(kind)}
            self.lab.wait_until_quiet()
            self.watch = self._attach(mode)
        except BaseException:
            self.lab.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.lab.close()

    @property
    def near(self):
        return self.lab.near

    @property
    def far(self):
        return self.lab.far

    def _prepare(self, cookies):
        near = self.near
        # Answers to any source go to the peer, whose hardware address is known.
        near.ip("route", "add", "default", "via", lab.FAR_IP)
        near.ip("-6", "route", "add", "default", "via", lab.FAR_IP6)
        values = {"net.ipv4.tcp_syncookies": cookies, "net.ipv4.tcp_max_syn_backlog": 65536,
                  "net.core.somaxconn": 65535, "net.ipv4.ipfrag_high_thresh": 256 << 20,
                  "net.ipv4.ipfrag_low_thresh": 192 << 20, "net.ipv4.ipfrag_max_dist": 0,
                  "net.ipv6.ip6frag_high_thresh": 256 << 20, "net.ipv6.ip6frag_low_thresh": 192 << 20,
                  "net.ipv4.ipfrag_time": 3, "net.ipv6.ip6frag_time": 3,
                  "net.ipv4.conf.all.accept_source_route": 1, "net.ipv4.conf.v0.accept_source_route": 1,
                  "net.ipv6.conf.all.seg6_enabled": 1, "net.ipv6.conf.default.seg6_enabled": 1,
                  "net.ipv6.conf.v0.seg6_enabled": 1}
        for key, value in values.items():
            # A host without this setting accepts fewer packets, which the counts of delivered packets show.
            near.run("sysctl", "-q", "-w", f"{key}={value}", check=False)

    def _has_devices(self, kind):
        made = [self.near.ip("link", "add", *arguments, check=False).returncode == 0
                for arguments in DEVICES[kind]]
        for arguments, is_made in zip(DEVICES[kind], made):
            if not is_made:
                continue
            name = arguments[0]
            if kind in ("vxlan", "geneve"):
                self.near.ip("link", "set", name, "address", TUNNEL_MAC)
            self.near.ip("link", "set", name, "arp", "off", check=False)
            self.near.ip("link", "set", name, "up")
        return all(made)

    def _attach(self, mode):
        configuration = self.lab.path("differential.toml")
        configuration.write_text(CONFIGURATION)
        self.eve_path = self.lab.path("alerts.json")
        watch = self.lab.attach("v0", *MODES[mode], "--config", configuration, "--eve", self.eve_path,
                                wait=False)
        # On a busy machine the kernel's check of the programs takes a while.
        for patience in reversed(range(ATTACH_WAITS)):
            try:
                self.lab.wait_until_attached(watch)
                break
            except AssertionError:
                if watch.process.poll() is not None or not patience:
                    raise
        return watch

    def counters(self):
        """The SNMP counters of the namespace."""
        found = {}
        with self.near.entered():
            lines = [line.split() for line in pathlib.Path("/proc/thread-self/net/snmp").read_text().splitlines()]
            for names, values in zip(lines[::2], lines[1::2]):
                found |= {names[0] + name: int(value) for name, value in zip(names[1:], values[1:])}
            for line in pathlib.Path("/proc/thread-self/net/snmp6").read_text().splitlines():
                name, value = line.split()
                found[name] = int(value)
        return {name: found.get(name, 0) for names in SNMP.values() for name in names}

    def settled_stats(self):
        """The statistics of nids-xdp once no record is on its way to the agent."""
        last = None
        with contextlib.suppress(AssertionError):
            def settled():
                nonlocal last
                before, last = last, self.lab.stats()
                return last == before and last["ring"]["pending"] == 0
            lab.wait_for("statistics at rest", settled, seconds=30, every=0.3)
        return last


def reasons_void(stats):
    """The reasons why the run is void; empty if it is valid."""
    found = []
    if not stats["agent"]:
        found.append("the agent has ended")
    for key in ("lost", "pending", "invalid", "copy_failed"):
        if stats["ring"][key]:
            found.append(f"ring {key} is {stats['ring'][key]}")
    if not stats["ledger"]["balanced"]:
        found.append(f"the ledger does not balance: {stats['ledger']}")
    for key in ("eve_lost", "suppressed"):
        if stats["alerts"][key]:
            found.append(f"alerts {key} is {stats['alerts'][key]}")
    return found
