# SPDX-License-Identifier: Apache-2.0
"""A scenario: who serves what, and who talks to whom. A TOML file that docs/lab.md describes. Every mistake
in a file is found before anything starts, and is reported with its line."""
import dataclasses
import fnmatch
import os
import pathlib
import random
import re
import tomllib

import attacks
import network
import services

HERE = pathlib.Path(__file__).resolve().parent
MAX_TEXT = 1 << 20
MAX_TITLE = 40
MAX_SECONDS = 3600
MAX_CONVERSATIONS = 100_000

TOP = {"title": str, "nodes": int, "outside": int, "seconds": int, "sensors": list, "service": list, "client": list,
       "attack": list}
SERVICE = {"kind": str, "on": list, "port": int}
ATTACK = {"kind": str, "from": str, "to": str, "at": float}
CLIENT = {"kind": str, "from": list, "to": list, "port": int, "every": float}


class ScenarioError(Exception):
    pass


@dataclasses.dataclass(frozen=True)
class Serving:
    kind: str
    host: str
    port: int


@dataclasses.dataclass(frozen=True)
class Conversation:
    at: float  # seconds from the start
    host: str  # of the client
    server: Serving


@dataclasses.dataclass(frozen=True)
class Attack:
    kind: str
    host: str    # of the attacker
    target: str
    at: float    # seconds from the start


@dataclasses.dataclass
class Scenario:
    title: str
    seconds: int
    plan: network.Plan
    sensors: list         # hosts with an agent; on the router it watches `wan`
    servings: list
    conversations: list   # by time
    attacks: list         # likewise

    def programs(self):
        """Those that it needs: program and package."""
        found = {"tcpdump": "tcpdump", "ss": "iproute2"}
        for one in self.servings:
            found |= services.KINDS[one.kind].programs
        for one in self.attacks:
            found |= attacks.KINDS[one.kind].programs
        return found

    def as_json(self, seed):
        """For session.py."""
        addresses = {host.name: (one.ipv4(host.number), one.ipv6(host.number))
                     for one in (self.plan.lan, self.plan.wan) for host in one.hosts}
        return {"title": self.title, "nodes": len(self.plan.lan.hosts), "seconds": self.seconds, "seed": seed,
                "sensors": self.sensors, "addresses": addresses,
                "servings": [dataclasses.asdict(one) for one in self.servings],
                "conversations": [dataclasses.asdict(one) for one in self.conversations],
                "attacks": [dataclasses.asdict(one) for one in self.attacks]}


class Reader:
    """Checks one file. `text` gives the line of a mistake."""

    def __init__(self, path, text):
        self.path, self.lines = path, text.splitlines()

    def fail(self, line, why):
        raise ScenarioError(f"{self.path}:{line}: {why}")

    def line_of(self, table, index, key=None):
        """Of the table with this index among those of its name, or of its key."""
        at, seen = 0, -1
        for number, line in enumerate(self.lines, 1):
            header = re.match(r"\s*\[\[?\s*([\w.-]+)\s*\]\]?", line)
            if header:
                if seen == index and at:
                    break
                seen += header[1] == table
                at = number if header[1] == table and seen == index else 0
            if (at or table is None) and key and re.match(rf"\s*{key}\s*=", line):
                return number
            if table is None and header:
                break
        return at or 1

    def check(self, values, known, table=None, index=0, optional=()):
        for key, value in values.items():
            where = self.line_of(table, index, key)
            if key not in known:
                self.fail(where, f"unknown key \"{key}\"; there are {', '.join(known)}")
            wanted = (int, float) if known[key] is float else known[key]
            if not isinstance(value, wanted) or isinstance(value, bool):
                self.fail(where, f"{key} must be of type {known[key].__name__}")
        for key in known:
            if key not in values and key not in optional:
                self.fail(self.line_of(table, index), f"there is no {key}")

    def number(self, values, key, default, low, high, table=None, index=0):
        value = values.get(key, default)
        if not low <= value <= high:
            self.fail(self.line_of(table, index, key), f"{key} must be from {low} to {high}")
        return value

    def hosts(self, patterns, names, table, index, key):
        found = []
        for pattern in patterns:
            matching = fnmatch.filter(names, pattern) if isinstance(pattern, str) else []
            if not matching:
                self.fail(self.line_of(table, index, key), f"no host is called {pattern!r}; there are "
                          f"{names[0]} to {names[-1]}")
            found += [name for name in matching if name not in found]
        return found


def find(name):
    """A file, or the name of a scenario that comes with the program."""
    own = HERE / "scenarios" / f"{name}.toml"
    return own if "/" not in name and not os.path.exists(name) and own.exists() else name


def read(path, seed, nodes=None):
    """`nodes`: instead of the number in the file. It may only be larger. Each host of a client then talks less
    often, so that the number of conversations stays about the same."""
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(MAX_TEXT + 1)
        if len(text) > MAX_TEXT:
            raise ScenarioError(f"{path}: it is longer than {MAX_TEXT} characters")
        values = tomllib.loads(text)
    except OSError as error:
        raise ScenarioError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ScenarioError(f"{path}: it is not UTF-8 text") from None
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(f"{path}: {error}") from None
    reader = Reader(path, text)
    reader.check(values, TOP, optional=("sensors", "client", "outside", "attack"))
    if len(values["title"]) > MAX_TITLE or not values["title"].isprintable():
        reader.fail(reader.line_of(None, 0, "title"), f"title must be at most {MAX_TITLE} characters of text")
    least = reader.number(values, "nodes", 0, 1, network.MAX_HOSTS)
    if nodes is not None and nodes < least:
        raise ScenarioError(f"{path}: it needs at least {least} hosts")
    plan = network.Plan(nodes or least, reader.number(values, "outside", 1, 1, network.MAX_HOSTS))
    hosts = [name for name in plan.names() if name != "router"]
    seconds = reader.number(values, "seconds", 0, 1, MAX_SECONDS)
    servings = []
    for index, one in enumerate(values["service"]):
        servings += read_service(reader, one, index, hosts, servings)
    conversations = []
    for index, one in enumerate(values.get("client", [])):
        conversations += read_client(reader, one, index, hosts, servings, seconds, seed, least)
    steps = [read_attack(reader, one, index, hosts, seconds) for index, one in enumerate(values.get("attack", []))]
    sensors = reader.hosts(values.get("sensors", ["*"]), [*hosts, "router"], None, 0, "sensors")
    return Scenario(values["title"], seconds, plan, sensors, servings,
                    sorted(conversations, key=lambda one: one.at), sorted(steps, key=lambda one: one.at))


def kind_of(reader, values, table, index, kinds=services.KINDS):
    kind = kinds.get(values["kind"])
    if kind is None:
        reader.fail(reader.line_of(table, index, "kind"),
                    f"unknown kind \"{values['kind']}\"; there are {', '.join(kinds)}")
    return kind


def read_attack(reader, values, index, hosts, seconds):
    if not isinstance(values, dict):
        reader.fail(reader.line_of("attack", index), "an attack is a table: [[attack]]")
    reader.check(values, ATTACK, "attack", index)
    kind_of(reader, values, "attack", index, attacks.KINDS)
    for key in ("from", "to"):
        if values[key] not in hosts:
            reader.fail(reader.line_of("attack", index, key), f"no host is called {values[key]!r}; there are "
                        f"{hosts[0]} to {hosts[-1]}")
    at = reader.number(values, "at", 0.0, 0, seconds, "attack", index)
    return Attack(values["kind"], values["from"], values["to"], at)


def read_service(reader, values, index, hosts, before):
    if not isinstance(values, dict):
        reader.fail(reader.line_of("service", index), "a service is a table: [[service]]")
    reader.check(values, SERVICE, "service", index, optional=("port",))
    kind = kind_of(reader, values, "service", index)
    port = reader.number(values, "port", kind.port, 1, 65535, "service", index)
    found = []
    for host in reader.hosts(values["on"], hosts, "service", index, "on"):
        for other in before:
            if (other.host, other.port, services.KINDS[other.kind].transport) == (host, port, kind.transport):
                reader.fail(reader.line_of("service", index), f"{host} has a service on port {port} already")
        found.append(Serving(values["kind"], host, port))
    return found


def read_client(reader, values, index, hosts, servings, seconds, seed, least):
    """The conversations of one table. Its random numbers depend on nothing but the seed and its index."""
    if not isinstance(values, dict):
        reader.fail(reader.line_of("client", index), "a client is a table: [[client]]")
    reader.check(values, CLIENT, "client", index, optional=("port",))
    kind = kind_of(reader, values, "client", index)
    port = reader.number(values, "port", kind.port, 1, 65535, "client", index)
    every = reader.number(values, "every", 1.0, 0.01, MAX_SECONDS, "client", index)
    sources = reader.hosts(values["from"], hosts, "client", index, "from")
    # Hosts above `least` share the conversations of the others.
    added = [host for host in sources if host[0] == "h" and int(host[1:]) > least]
    every *= len(sources) / max(1, len(sources) - len(added))
    targets = reader.hosts(values["to"], hosts, "client", index, "to")
    known = [one for one in servings
             if one.kind == values["kind"] and one.port == port and one.host in targets]
    for host in targets:
        if not any(one.host == host for one in known):
            reader.fail(reader.line_of("client", index, "to"),
                        f"{host} has no service {values['kind']} on port {port}")
    random_numbers = random.Random(f"{seed} {index}")
    found = []
    for host in sources:
        others = [one for one in known if one.host != host]
        at = random_numbers.expovariate(1 / every)
        while others and at < seconds:
            found.append(Conversation(at, host, random_numbers.choice(others)))
            if len(found) > MAX_CONVERSATIONS:
                reader.fail(reader.line_of("client", index), f"more than {MAX_CONVERSATIONS} conversations")
            at += random_numbers.expovariate(1 / every)
    return found
