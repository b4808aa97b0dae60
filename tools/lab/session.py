# SPDX-License-Identifier: Apache-2.0
"""Runs a scenario inside a laboratory: sensors, servers, clients. Reads the scenario as JSON from standard
input, writes a tar file of the results to standard output, and its progress to standard error.

The truth has two sources, neither of them ours: tcpdump on the interface of each sensor has the packets of each
flow, and the logs of the servers have the class of a flow."""
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import tarfile
import threading
import time

import attacks
import services
import truth
from scenario import Attack, Conversation, Serving

HERE = pathlib.Path(__file__).resolve().parent
FOLDER = pathlib.Path("/tmp/session")
START_S, END_S, CLIENT_S, ATTACK_S = 60, 60, 20, 30

# Small tables: one agent for each host of the laboratory.
CONFIG = """workers = 1
[flow]
slots_per_cpu = 4096
ipv6_slots_per_cpu = 4096
[ring]
size = "1MiB"
[retain]
budget = "64MiB"
"""


def say(text):
    print(text, file=sys.stderr, flush=True)


class Failed(Exception):
    pass


def on(host, *argv):
    return ["ip", "netns", "exec", host, *map(str, argv)]


def wait_for(what, is_so, process=None, log=None):
    end = time.monotonic() + START_S
    while not is_so():
        if process is not None and process.poll() is not None or time.monotonic() > end:
            text = log.read_text(errors="replace").strip()[-500:] if log else ""
            raise Failed(f"{what} did not start{': ' + text if text else ''}")
        time.sleep(0.05)


class Sensor:
    """An agent, and beside it tcpdump on the same interface."""

    def __init__(self, host):
        self.host, self.interface = host, "wan" if host == "router" else "eth0"
        self.folder = FOLDER / "sensors" / host
        self.folder.mkdir(parents=True)
        self.log, self.dump_log = self.folder / "attach.log", self.folder / "tcpdump.log"

    def start_capture(self):
        with open(self.dump_log, "wb") as log:
            self.dump = subprocess.Popen(
                on(self.host, "tcpdump", "-i", self.interface, "-s", "128", "-B", "16384", "-Z", "root", "-w",
                   self.folder / "packets.pcap"), stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def start_agent(self, config):
        root = self.folder / "root"
        root.mkdir()
        with open(self.log, "wb") as log:
            self.agent = subprocess.Popen(
                on(self.host, os.environ["NIDS_XDP_BIN"], "attach", self.interface, "--config", config),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=os.environ | {"NIDS_XDP_ROOT": str(root)})

    def wait_capture(self):
        wait_for(f"tcpdump on {self.host}", lambda: "listening on" in self.dump_log.read_text(), self.dump,
                 self.dump_log)

    def wait_agent(self):
        wait_for(f"the agent on {self.host}", lambda: "^C ends" in self.log.read_text(), self.agent, self.log)

    def memory_mb(self):
        """Of the agent's processes, the most that they ever had."""
        total = 0
        for path in pathlib.Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if f"NIDS_XDP_ROOT={self.folder / 'root'}".encode() in \
                        (path / "environ").read_bytes().split(b"\0") and \
                        (path / "comm").read_text().startswith("nids-xdp"):
                    status = (path / "status").read_text()
                    total += int(status.split("VmHWM:")[1].split()[0]) * 1024
        return total / 1e6

    def wait_end(self):
        """Returns the exit code of the agent, which has got a signal."""
        code = self.agent.wait(END_S)
        self.dump.send_signal(signal.SIGINT)
        self.dump.wait(END_S)
        if "\n0 packets dropped by kernel" not in self.dump_log.read_text():
            raise Failed(f"tcpdump on {self.host} lost packets, so there is no truth")
        return code


def start_service(serving):
    kind = services.KINDS[serving.kind]
    log = FOLDER / "logs" / f"{serving.host}-{serving.port}-{kind.transport}.log"
    argv = kind.server(FOLDER, serving.port, log)
    if kind.is_per_connection or kind.transport == "udp":
        argv = [sys.executable, "-EsB", HERE / "logging_server.py", kind.transport, serving.port, log,
                kind.truth, *argv]
    return subprocess.Popen(on(serving.host, *argv), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)


def is_listening(serving):
    family = {"tcp": "-t", "udp": "-u"}[services.KINDS[serving.kind].transport]
    output = subprocess.run(on(serving.host, "ss", "-Hln", family, f"sport = :{serving.port}"), check=True,
                          capture_output=True, text=True).stdout
    return bool(output.strip())


def attack(steps, addresses, begin, episodes):
    """Runs in a thread: each attack at its time, one after the other. Adds the truth to `episodes`."""
    for step in steps:
        time.sleep(max(0, begin + step.at - time.monotonic()))
        kind, address = attacks.KINDS[step.kind], addresses[step.target][0]
        prefix = address.rpartition(".")[0]
        shell = kind.client.format(address=address, network=f"{prefix}.0/24", broadcast=f"{prefix}.255")
        start, code = time.time(), None
        process = subprocess.Popen(on(step.host, "sh", "-c", "exec " + shell), stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            code = process.wait(ATTACK_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        episodes.append({"kind": step.kind, "source": addresses[step.host][0], "target": address, "start": start,
                         "end": time.time(), "exit_code": code})
        say(f"attack {step.kind} from {step.host} to {step.target}")


def talk(conversations, addresses, begin, seconds):
    """Starts each client at its time. Returns the number of clients that failed."""
    running, failed = [], 0

    def collect(is_last=False):
        nonlocal running, failed
        for client, end in running:
            if client.poll() is None and (is_last or time.monotonic() > end):
                client.kill()
            if client.poll() is not None or is_last:
                if client.wait() != 0:
                    failed += 1
                    say(f"failed with exit code {client.returncode}: {client.args[-1]} on {client.args[3]}")
        running = [one for one in running if one[0].returncode is None]
    for number, one in enumerate(conversations):
        while time.monotonic() < begin + one.at:
            time.sleep(min(0.05, max(0, begin + one.at - time.monotonic())))
            collect()
        address = addresses[one.server.host][number % 2]  # IPv4 and IPv6 in turn
        shell = services.KINDS[one.server.kind].client.format(
            address=address, url_host=f"[{address}]" if ":" in address else address, port=one.server.port,
            folder=FOLDER)
        running.append((subprocess.Popen(on(one.host, "sh", "-c", shell), stdin=subprocess.DEVNULL,
                                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL),
                        time.monotonic() + CLIENT_S))
        if number % 50 == 49:
            say(f"{number + 1} of {len(conversations)} conversations")
    end = begin + seconds + CLIENT_S
    while running and time.monotonic() < end:
        collect()
        time.sleep(0.05)
    collect(is_last=True)
    return failed


def run(values):
    servings = [Serving(**one) for one in values["servings"]]
    conversations = [Conversation(one["at"], one["host"], Serving(**one["server"]))
                     for one in values["conversations"]]
    (FOLDER / "logs").mkdir(parents=True)
    for kind in sorted({one.kind for one in servings}):
        services.KINDS[kind].prepare(FOLDER)
    config = FOLDER / "nids-xdp.toml"
    config.write_text(CONFIG)
    sensors = [Sensor(host) for host in values["sensors"]]
    for one in sensors:
        one.start_agent(config)
    for one in sensors:
        one.wait_agent()
        one.start_capture()
    say(f"{len(sensors)} sensors run, {len(servings)} services start")
    processes = [(one, start_service(one)) for one in servings]
    for one, process in processes:
        wait_for(f"the service {one.kind} on port {one.port} of {one.host}", lambda: is_listening(one), process)
    for one in sensors:
        one.wait_capture()
    say(f"{len(conversations)} conversations in {values['seconds']} s")
    begin, episodes = time.monotonic(), []
    attacker = threading.Thread(daemon=True, target=attack, args=(
        [Attack(**one) for one in values["attacks"]], values["addresses"], begin, episodes))
    attacker.start()
    failed = talk(conversations, values["addresses"], begin, values["seconds"])
    attacker.join(values["seconds"] + len(values["attacks"]) * ATTACK_S)
    # For the last packets; and some attacks are only known when no answer has come.
    time.sleep(3 if episodes else 1)
    memory = [one.memory_mb() for one in sensors]
    for one in sensors:
        one.agent.send_signal(signal.SIGINT)
    codes = {one.host: one.wait_end() for one in sensors}
    for _, process in processes:
        process.kill()
        process.wait()
    classes = truth.classes_in((FOLDER / "logs").glob("*.log"))
    for one in sensors:
        with open(one.folder / "truth.json", "w", encoding="ascii") as file:
            json.dump(truth.flows_in(one.folder / "packets.pcap", classes), file)
    facts = {"title": values["title"], "nodes": values["nodes"], "seconds": values["seconds"],
             "seed": values["seed"], "sensors": values["sensors"], "conversations": len(conversations),
             "conversations_failed": failed, "episodes": episodes, "agent_exit_codes": codes,
             "agent_memory_mb": {"sum": round(sum(memory), 1), "largest": round(max(memory, default=0), 1)}}
    (FOLDER / "session.json").write_text(json.dumps(facts, indent=2) + "\n")


def main():
    values = json.load(sys.stdin)
    try:
        run(values)
    except (Failed, subprocess.SubprocessError, OSError) as error:
        say(f"failed: {error}")
        sys.exit(1)
    except KeyboardInterrupt:  # whoever started the session ends the laboratory
        sys.exit(130)
    with tarfile.open(fileobj=sys.stdout.buffer, mode="w|") as tar:
        tar.add(FOLDER / "session.json", "session.json")
        for host in values["sensors"]:
            folder = FOLDER / "sensors" / host
            for path, name in ((folder / "truth.json", "truth.json"), (folder / "attach.log", "attach.log"),
                               (folder / "root/var/log/nids-xdp/eve.json", "eve.json")):
                tar.add(path, f"{host}/{name}")


if __name__ == "__main__":
    main()
