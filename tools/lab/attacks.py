# SPDX-License-Identifier: Apache-2.0
"""The attacks of a scenario, each by a real tool. `names` are the signatures that call the attack by its name; an
attack without such a signature can only be found, not named."""
import dataclasses

NMAP = "nmap -n -Pn -T4 --max-retries 1 "
HPING = "hping3 -q -n "


@dataclasses.dataclass(frozen=True)
class Kind:
    client: str           # for sh, with {address}, {network} and {broadcast}, all IPv4
    programs: dict        # program: the package that has it
    names: tuple = ()     # signature ids
    is_forged: bool = False  # its packets do not come from the attacker's address
    is_wide: bool = False    # it is against the whole network of its target


def nmap(options, names=(), **facts):
    return Kind(NMAP + options, {"nmap": "nmap"}, names, **facts)


def hping(options, names=(), **facts):
    return Kind(HPING + options, {"hping3": "hping3"}, names, **facts)


KINDS = {
    "syn-scan": nmap("-sS -p1-1000 {address}", (3001,)),
    "connect-scan": nmap("-sT -p1-1000 {address}", (3001,)),
    "fin-scan": nmap("-sF -p1-200 {address}"),
    "null-scan": nmap("-sN -p1-200 {address}", (2003,)),
    "xmas-scan": nmap("-sX -p1-200 {address}", (2002,)),
    "ack-scan": nmap("-sA -p1-200 {address}"),
    "udp-scan": nmap("-sU -p1-20 {address}"),
    "protocol-scan": nmap("-sO -p1-30 {address}"),
    "ping-sweep": Kind("nmap -n -sn -PE --send-ip {network}", {"nmap": "nmap"}, is_wide=True),
    "port-sweep": nmap("-sS -p445 {network}", is_wide=True),
    "syn-flood": hping("-S -p 80 -i u100 -c 20000 --rand-source {address}", is_forged=True),
    "icmp-flood": hping("-1 -i u100 -c 20000 {address}"),
    "land": hping("-S -p 80 -s 80 -k -a {address} -c 5 -i u100000 {address}", (2001,), is_forged=True),
    "smurf": hping("-1 -a {address} -c 5 -i u100000 {broadcast}", (2007,), is_forged=True),
}
