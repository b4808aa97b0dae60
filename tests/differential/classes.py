# SPDX-License-Identifier: Apache-2.0
"""The packets that a host may accept and nids-xdp need not flag: listed before any run.

Each has an id, a question to the packet's facts (shapes.py) or to a connection's (calls.py), and
the reason. docs/threat-model.md has the same ids, and a run begins with a comparison of the two. A
miss of no class here is a failure, so a class is added with its reason or not at all.
"""
import dataclasses
import pathlib
import re

DOCUMENT = pathlib.Path(__file__).resolve().parents[2] / "docs/threat-model.md"
HEADING = "Packets that a host accepts and the sensor does not flag"
EXTENSIONS_MOST, TAGS_MOST, LEVELS_MOST = 192, 64, 1
VXLAN_PORTS = (4789, 8472)


@dataclasses.dataclass(frozen=True)
class Listed:
    id: str
    applies: object
    why: str


LISTED = (
    Listed("many-extensions", lambda facts: facts.get("extensions", 0) > EXTENSIONS_MOST,
           f"more than {EXTENSIONS_MOST} IPv6 extension headers: the verifier wants a bound"),
    Listed("many-tags", lambda facts: facts.get("tags", 0) > TAGS_MOST,
           f"more than {TAGS_MOST} VLAN tags: the verifier wants a bound"),
    Listed("deep-tunnel", lambda facts: facts.get("levels", 0) > LEVELS_MOST,
           f"a tunnel in a tunnel: {LEVELS_MOST} level is looked into"),
    Listed("tunnel-in-fragments", lambda facts: facts.get("outer_in_fragments", False),
           "a wrapped packet in fragments: datagrams are not put together, and lengths inside reach "
           "beyond the first fragment"),
    Listed("vxlan-port", lambda facts: facts.get("vxlan_port", VXLAN_PORTS[0]) not in VXLAN_PORTS,
           "VXLAN on a port of its own choice: nothing in the packet says that it is VXLAN"),
    Listed("other-wrapping", lambda facts: facts.get("wrapping") in ("geneve", "mpls", "pppoe"),
           "Geneve, MPLS and PPPoE are counted and not looked into"),
    Listed("forged-service-datagram", lambda facts: facts.get("is_service_named_client", False),
           "a datagram exchange after a forged datagram from the service's port to a client port of "
           "at most 1023 without a class: it looks like the service being a client"),
    Listed("one-class-both-ways", lambda facts: facts.get("is_of_one_class_both_ways", False),
           "a datagram exchange between two ports of one class after a forged datagram from the "
           "server: it is flagged, with client and server the wrong way round"),
)


def class_of(facts):
    """The id of the first class that the packet belongs to, or None."""
    return next((one.id for one in LISTED if one.applies(facts)), None)


def document_ids(text):
    """The ids that the document lists under the heading, in `code` at the start of a list item."""
    start = text.find(f"### {HEADING}\n")
    if start < 0:
        return None
    section = re.split(r"^#{2,3} ", text[start + 4:], maxsplit=1, flags=re.M)[0]
    return set(re.findall(r"^[-*] `([a-z0-9-]+)`", section, re.M))


def disagreement():
    """What the document and this table do not both list; empty where they agree."""
    ours, theirs = {one.id for one in LISTED}, document_ids(DOCUMENT.read_text())
    if theirs is None:
        return [f"{DOCUMENT} has no heading '{HEADING}'"]
    return [f"{one} is not in {DOCUMENT.name}" for one in sorted(ours - theirs)] + \
        [f"{one} is in {DOCUMENT.name} and not in {pathlib.Path(__file__).name}"
         for one in sorted(theirs - ours)]
