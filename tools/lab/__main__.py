# SPDX-License-Identifier: Apache-2.0
"""`nids-xdp lab`: a network of hosts in network namespaces, on one machine. docs/lab.md describes it."""
import argparse
import importlib.util
import json
import os
import pathlib
import shutil
import signal
import sys

import keeper
import picture
import results
import scenario
from keeper import LabError
from network import MAX_HOSTS, Plan

RESULTS = "/var/lib/nids-xdp/lab"


def number(text):
    value = int(text)
    if not 1 <= value <= MAX_HOSTS:
        raise argparse.ArgumentTypeError(f"it must be from 1 to {MAX_HOSTS}")
    return value


def up(options):
    plan = Plan(options.nodes, options.outside)
    keeper.up(options.name, plan)
    print(f"the laboratory {options.name} is up: {plan.description()}")
    print(f"a shell on the first host: sudo nids-xdp lab enter --name {options.name} {plan.lan.hosts[0].name}")


def down(options):
    if not keeper.down(options.name):
        print(f"there is no laboratory {options.name}")


def show(_):
    for one in keeper.labs():
        print(f"{one.name:<16} {Plan(one.nodes, one.outside).description()}; process {one.pid}")


def enter(options):
    keeper.enter(options.name, options.host, options.command)


def run(options):
    wanted = scenario.read(scenario.find(options.scenario), options.seed, options.nodes)
    for program, package in wanted.programs().items():
        if shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin") is None:
            raise LabError(f"run {options.scenario}: there is no {program}", f"apt install {package}")
    if importlib.util.find_spec("dpkt") is None:
        raise LabError(f"run {options.scenario}: Python has no module dpkt", "apt install python3-dpkt")
    output = pathlib.Path(options.output)
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LabError(f"write the results to {output}: {error.strerror}") from None
    keeper.up(options.name, wanted.plan)
    try:
        keeper.session(options.name, wanted.as_json(options.seed), output)
    finally:
        keeper.down(options.name)
    score(options)


def score(options):
    try:
        facts, result = results.read(options.output)
    except (OSError, ValueError, KeyError) as error:
        raise LabError(f"read the results in {options.output}: {error}", "nids-xdp lab run writes them") from None
    if options.svg:
        try:
            pathlib.Path(options.svg).write_text(picture.svg(result), encoding="utf-8")
        except OSError as error:
            raise LabError(f"write the picture {options.svg}: {error.strerror}") from None
    print(json.dumps(result, indent=2) if options.json else results.table(facts, result))


def parser():
    top = argparse.ArgumentParser(prog="nids-xdp lab", description="A network of hosts in network namespaces, "
                                  "on one machine. It needs root.")
    commands = top.add_subparsers(dest="what", required=True, metavar="COMMAND")

    def add(name, function, text):
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(function=function)
        if name not in ("list", "score"):
            sub.add_argument("--name", default="lab", type=keeper.checked_name,
                             help="of the laboratory (default: %(default)s)")
        if name in ("run", "score"):
            sub.add_argument("--output", metavar="DIR", default=RESULTS,
                             help="where the results are (default: %(default)s)")
            sub.add_argument("--json", action="store_true", help="the score for scripts")
            sub.add_argument("--svg", metavar="FILE", help="also write the score as a picture")
        return sub
    one = add("up", up, "make a laboratory")
    one.add_argument("--nodes", type=number, default=4, help="hosts of the network (default: %(default)s)")
    one.add_argument("--outside", type=number, default=2,
                     help="hosts on the other side of its router (default: %(default)s)")
    add("down", down, "end a laboratory and everything in it")
    add("list", show, "list the laboratories that are up")
    one = add("enter", enter, "run a command on a host of a laboratory")
    one.add_argument("host", metavar="HOST", help="h1, h2, ...; o1, o2, ... outside; router; switch")
    one.add_argument("command", metavar="COMMAND", nargs=argparse.REMAINDER, help="default: a shell")
    one = add("run", run, "run a scenario in a laboratory of its own, and print its score")
    one.add_argument("scenario", metavar="SCENARIO", help="a file, or a name: " + ", ".join(sorted(
        path.stem for path in (scenario.HERE / "scenarios").glob("*.toml"))))
    one.add_argument("--nodes", type=number, help="more hosts than the scenario has")
    one.add_argument("--seed", type=int, default=1, help="of the random times and peers (default: %(default)s)")
    add("score", score, "print the score of the last run again")
    return top


def main():
    options = parser().parse_args()
    if options.what != "score" and os.geteuid() != 0:
        raise LabError(f"{options.what}: this needs root", "run it with sudo")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that `run` ends its laboratory
    options.function(options)


if __name__ == "__main__":
    try:
        main()
    except LabError as error:
        print(f"nids-xdp: cannot {error}", file=sys.stderr)
        sys.exit(1)
    except scenario.ScenarioError as error:
        print(f"{error}\nnids-xdp: the scenario has problems; nothing was started", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
