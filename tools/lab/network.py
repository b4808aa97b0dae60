# SPDX-License-Identifier: Apache-2.0
"""The network of a laboratory: hosts on a switch, and a router to hosts outside. All addresses are for
documentation (RFC 5737, RFC 3849)."""
import dataclasses
import subprocess

MAX_HOSTS = 200  # of each of the two networks
ROUTER = 254


@dataclasses.dataclass(frozen=True)
class Host:
    name: str    # of its network namespace, and of its port of the switch
    number: int  # of its addresses


@dataclasses.dataclass(frozen=True)
class Network:
    name: str  # of its bridge
    number: int
    ipv4_prefix: str
    hosts: tuple

    def ipv4(self, number):
        return f"{self.ipv4_prefix}.{number}"

    def ipv6(self, number):
        return f"2001:db8:0:{self.number}::{number}"

    def mac(self, number):
        return f"02:00:00:{self.number:02x}:00:{number:02x}"


class Plan:
    """Who is where. `nodes` hosts h1, h2, ... and `outside` hosts o1, o2, ..."""

    def __init__(self, nodes, outside):
        self.lan = Network("lan", 1, "192.0.2", tuple(Host(f"h{n}", n) for n in range(1, nodes + 1)))
        self.wan = Network("wan", 2, "198.51.100", tuple(Host(f"o{n}", n) for n in range(1, outside + 1)))

    def description(self):
        return f"{len(self.lan.hosts)} hosts, {len(self.wan.hosts)} outside"

    def names(self):
        return [host.name for network in (self.lan, self.wan) for host in network.hosts] + ["router"]


def batch(lines, namespace=None):
    """Runs these lines by `ip -batch`, in the network namespace of that name."""
    subprocess.run(["ip", *(["-n", namespace] if namespace else []), "-batch", "-"], check=True,
                   input="".join(f"{line}\n" for line in lines), text=True, capture_output=True)


def sysctl(namespace, **values):
    """`values`: keys with two underscores for each dot."""
    words = [f"{key.replace('__', '.')}={value}" for key, value in values.items()]
    subprocess.run(["ip", "netns", "exec", namespace, "sysctl", "-q", "-w", *words], check=True,
                   text=True, capture_output=True)


def port(network, host, interface):
    """The lines that connect a host to the bridge."""
    outer = f"{network.name}-{host.name}" if host.name == "router" else host.name
    return [f"link add {outer} type veth peer name {interface} address {network.mac(host.number)} "
            f"netns {host.name}",
            f"link set {outer} master {network.name} up"]


def addresses(network, number, interface):
    return [f"addr add {network.ipv4(number)}/24 dev {interface}",
            f"addr add {network.ipv6(number)}/64 dev {interface} nodad",
            f"link set {interface} up"]


def build(plan):
    """Makes all namespaces and links in the mount and network namespace of the caller, which becomes the
    switch."""
    router = Host("router", ROUTER)
    batch([f"netns add {name}" for name in plan.names()])
    for name in plan.names():
        # Link-local addresses are unique here, and their check would take a second.
        sysctl(name, net__ipv6__conf__default__accept_dad=0)
    lines = ["link set lo up"]
    for network in (plan.lan, plan.wan):
        lines += [f"link add {network.name} type bridge", f"link set {network.name} addrgenmode none up"]
    for network, interface in ((plan.lan, "lan"), (plan.wan, "wan")):
        lines += port(network, router, interface)
        for host in network.hosts:
            lines += port(network, host, "eth0")
    batch(lines)
    sysctl("router", net__ipv4__ip_forward=1, net__ipv6__conf__all__forwarding=1)
    batch(["link set lo up", *addresses(plan.lan, ROUTER, "lan"), *addresses(plan.wan, ROUTER, "wan")],
          "router")
    for network in (plan.lan, plan.wan):
        for host in network.hosts:
            batch(["link set lo up", *addresses(network, host.number, "eth0"),
                   f"route add default via {network.ipv4(ROUTER)}",
                   f"route add default via {network.ipv6(ROUTER)}"], host.name)
