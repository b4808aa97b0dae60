# SPDX-License-Identifier: Apache-2.0
"""Classes of packets that a host accepts and nids-xdp need not flag.

Each has an id, a condition on the facts of a packet (shapes.py) or of a call (calls.py), and the
reason. docs/threat-model.md lists the same ids, and each run first compares the two. A miss that belongs
to no class is a failure.
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
           f"a tunnel in a tunnel: nids-xdp looks into {LEVELS_MOST} level"),
    Listed("tunnel-in-fragments", lambda facts: facts.get("outer_in_fragments", False),
           "a wrapped packet in fragments: datagrams are not reassembled, and the lengths inside "
           "reach beyond the first fragment"),
    Listed("vxlan-port", lambda facts: facts.get("vxlan_port", VXLAN_PORTS[0]) not in VXLAN_PORTS,
           "VXLAN on another port: nothing in the packet says that it is VXLAN"),
    Listed("other-wrapping", lambda facts: facts.get("wrapping") in ("geneve", "mpls", "pppoe"),
           "Geneve, MPLS and PPPoE: nids-xdp counts them and does not look into them"),
    Listed("headers-in-fragments", lambda facts: facts.get("headers_in_fragments", False),
           "IPv6 whose first fragment ends before the transport header: a finding without ports"),
    Listed("forged-service-datagram", lambda facts: facts.get("is_service_named_client", False),
           "a UDP exchange after a forged datagram from the service's port to a client's system port "
           "without a class: the service looks like the client"),
    Listed("one-class-both-ways", lambda facts: facts.get("is_of_one_class_both_ways", False),
           "a UDP exchange between two ports of one class after a forged datagram from the server: it "
           "is flagged with client and server the wrong way round"),
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
    """The differences between the document and this table; empty if they agree."""
    ours, theirs = {one.id for one in LISTED}, document_ids(DOCUMENT.read_text())
    if theirs is None:
        return [f"{DOCUMENT} has no heading '{HEADING}'"]
    return [f"{one} is not in {DOCUMENT.name}" for one in sorted(ours - theirs)] + \
        [f"{one} is in {DOCUMENT.name} and not in {pathlib.Path(__file__).name}"
         for one in sorted(theirs - ours)]
