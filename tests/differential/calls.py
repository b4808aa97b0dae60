# SPDX-License-Identifier: Apache-2.0
"""TCP connections and UDP exchanges between real sockets, each after forged packets of the same
addresses and ports.

The forged packets have the addresses of the client or of the server as the source, and may be in a
tunnel. Then a client's socket calls the service. The call counts as flagged if an alert has the class of
the service and the right client and server. An alert of another class or direction does not count.
"""
import collections
import contextlib
import dataclasses
import errno
import random
import selectors
import socket
import struct
import time

import classes
import flagged
import forged
import host
import shapes
from wire import TCP, UDP

SERVICES = {TCP: {22: "ssh", 23: "telnet", 5432: "postgres", 5900: "rfb"},
            UDP: {53413: "netis", 5060: "sip", 161: "snmp"}}
CLIENT_PORTS = (None, None, 443, 22, 23, 80, 5900, 5060, 1023)  # None: an ephemeral port
SYSTEM_PORT_LAST = 1023
IP_FREEBIND, IPV6_FREEBIND = 15, 78
AT_ONCE = 64
CALL_S = 1.5  # the time limit of a call
# Time for answers to forged packets, and for the agent to act on them: the calls come before and after it.
SETTLE_S = (0.002, 0.1)
PREFIX = {4: "10.192.0.0/10", 6: "2001:db8:1::/48"}


@dataclasses.dataclass
class Call:
    number: int
    protocol: int
    family: int
    client: bytes
    port: int  # the client's
    service: int
    forged: list  # pairs of a name and a frame
    facts: dict
    is_complete: bool = False
    alerts: list = dataclasses.field(default_factory=list)

    @property
    def ends(self):
        return shapes.text(self.client), self.port, shapes.text(shapes.NEAR[self.family]), self.service

    def describe(self):
        source, port, target, service = self.ends
        return f"number {self.number}: {source} port {port} called {target} port {service}"


@dataclasses.dataclass
class Tally:
    tried: int = 0
    completed: int = 0
    flagged: int = 0
    renamed: int = 0
    seconds: float = 0.0
    listed: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    signs: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    unexplained: list = dataclasses.field(default_factory=list)
    void: list = dataclasses.field(default_factory=list)


def draw(number, seed, protocol):
    """Depends on its arguments only, so that number and seed repeat a call."""
    rng = random.Random(seed << 40 | protocol << 32 | number)
    family = rng.choice((4, 4, 6))
    client = struct.pack("!I", 0x0AC00001 + number) if family == 4 else \
        bytes.fromhex("20010db8000100000000") + (number + 1).to_bytes(6, "big")
    port = rng.choice(CLIENT_PORTS) or rng.randrange(32768, 61000)
    call = Call(number, protocol, family, client, port, rng.choice(list(SERVICES[protocol])), [], {})
    call.forged = forged.packets(rng, call)
    is_forged = protocol == UDP and any(name.startswith("from server") for name, _ in call.forged)
    class_of_client = SERVICES[UDP].get(call.port)
    call.facts["is_service_named_client"] = \
        is_forged and call.port <= SYSTEM_PORT_LAST and class_of_client is None
    call.facts["is_of_one_class_both_ways"] = \
        is_forged and class_of_client == SERVICES[UDP][call.service]
    return call


class Caller:
    """Makes several calls at once from one thread. Both ends are non-blocking sockets."""

    def __init__(self, watched, protocol):
        self.watched, self.protocol = watched, protocol
        self.selector, self.calls = selectors.DefaultSelector(), {}
        self.servers = []
        for family in (4, 6):
            watched.far.ip(*(["-6"] if family == 6 else []), "route", "add", "local", PREFIX[family],
                           "dev", "lo")
        for service in SERVICES[protocol]:
            for family in (socket.AF_INET, socket.AF_INET6):
                self._serve(family, service)

    def close(self):
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()
        self.selector.close()

    def _socket(self, namespace, family):
        kind = socket.SOCK_STREAM if self.protocol == TCP else socket.SOCK_DGRAM
        made = namespace.socket(family, kind)
        made.setblocking(False)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        return made

    def _serve(self, family, service):
        made = self._socket(self.watched.near, family)
        made.bind((shapes.text(shapes.NEAR[4 if family == socket.AF_INET else 6]), service))
        if self.protocol == TCP:
            made.listen(4096)
        self.selector.register(made, selectors.EVENT_READ,
                               self._accept if self.protocol == TCP else self._answer)

    def make(self, calls):
        """Makes the calls. On return each is complete or was given up."""
        for call in calls:
            self._start(call)
        deadline = time.monotonic() + CALL_S
        while self.calls and time.monotonic() < deadline:
            for key, _ in self.selector.select(0.05):
                # The call may have been given up, or a forged packet may have reset it.
                with contextlib.suppress(OSError):
                    key.data(key.fileobj)
        for key in list(self.selector.get_map().values()):
            if key.data in (self._connected, self._serve_one):
                self._drop(key.fileobj)
        self.calls.clear()

    def _start(self, call):
        family = socket.AF_INET if call.family == 4 else socket.AF_INET6
        made = self._socket(self.watched.far, family)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # The prefixes are routed to the loopback interface. For IPv6 that is not enough.
        made.setsockopt(socket.IPPROTO_IPV6 if call.family == 6 else socket.IPPROTO_IP,
                        IPV6_FREEBIND if call.family == 6 else IP_FREEBIND, 1)
        source, port, target, service = call.ends
        try:
            made.bind((source, port))
            made.connect((target, service))
        except OSError as error:
            if error.errno != errno.EINPROGRESS:
                made.close()
                return
        self.calls[source, port] = call
        if self.protocol == UDP:
            made.send(b"question")
        self.selector.register(made, selectors.EVENT_READ if self.protocol == UDP else
                               selectors.EVENT_WRITE, self._connected)

    def _drop(self, end):
        with contextlib.suppress(KeyError):
            self.selector.unregister(end)
        end.close()

    def _connected(self, end):
        """The client sends once it is connected, and is done once it is answered."""
        key = end.getsockname()[:2]
        call = self.calls.get(key)
        try:
            if self.protocol == TCP and self.selector.get_key(end).events == selectors.EVENT_WRITE:
                end.send(b"question")
                self.selector.modify(end, selectors.EVENT_READ, self._connected)
                return
            if end.recv(64) == b"answer" and call:
                call.is_complete = True
        except BlockingIOError:
            return
        except OSError:
            pass
        self.calls.pop(key, None)
        self._drop(end)

    def _accept(self, listener):
        with contextlib.suppress(BlockingIOError):
            while True:
                end, _ = listener.accept()
                end.setblocking(False)
                self.selector.register(end, selectors.EVENT_READ, self._serve_one)

    def _serve_one(self, end):
        try:
            if end.recv(64) == b"question":
                end.send(b"answer")
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self._drop(end)

    def _answer(self, end):
        with contextlib.suppress(BlockingIOError):
            while True:
                data, sender = end.recvfrom(64)
                if data == b"question":
                    end.sendto(b"answer", sender)


def is_flagged(call):
    source, port, target, service = call.ends
    signature = f"flagged protocol {SERVICES[call.protocol][service]}"
    return (source, port, target, service, signature) in call.alerts


def judge(calls, tally):
    for call in calls:
        tally.tried += 1
        if not call.is_complete:
            continue
        tally.completed += 1
        if is_flagged(call):
            tally.flagged += 1
            continue
        tally.renamed += bool(call.alerts)
        if listed := classes.class_of(call.facts):
            tally.listed[listed] += 1
            continue
        tally.unexplained.append(call)
        tally.signs[f"client port {call.port if call.port < 32768 else 'ephemeral'}, first "
                    f"{call.forged[0][0].partition(',')[0] if call.forged else 'nothing'}"] += 1


def assign(alerts, by_client):
    """Gives each call the alerts that name its client."""
    for alert in alerts:
        call = by_client.get(alert[0:2]) or by_client.get(alert[2:4])
        if call:
            call.alerts.append(alert)


def run(kind, count, mode, seed):
    protocol = TCP if kind == "connections" else UDP
    tally, by_client, began = Tally(), {}, time.monotonic()
    with host.Host(mode, cookies=1) as watched, contextlib.closing(Caller(watched, protocol)) as caller, \
            contextlib.closing(forged.Sender(watched.far, "v1")) as sender, \
            contextlib.closing(flagged.Alerts(watched.eve_path)) as alerts:
        for first in range(0, count, AT_ONCE):
            numbers = range(first, min(first + AT_ONCE, count))
            group = [draw(number, seed, protocol) for number in numbers]
            sender.send(frame for call in group for _, frame in call.forged)
            time.sleep(SETTLE_S[first // AT_ONCE % len(SETTLE_S)])
            caller.make(group)
            by_client |= {call.ends[:2]: call for call in group}
            assign(alerts.read(), by_client)
        stats = watched.settled_stats()
        assign(alerts.read(), by_client)
        tally.void = host.reasons_void(stats)
    judge(by_client.values(), tally)
    if tally.completed < count * 0.8:
        tally.void.append(f"{tally.completed} of {count} {kind} were completed: too few")
    tally.seconds = time.monotonic() - began
    return tally
