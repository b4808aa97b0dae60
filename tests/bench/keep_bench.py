#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Keeping packets whole, index and all, beside `tcpdump -w` of the same packets at the same time:
what each keeps, and its CPU time. In a network namespace of its own; `tools/bench keep` runs it."""
import argparse
import pathlib
import statistics
import struct
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import lab  # noqa: E402
import packets  # noqa: E402

NETIS = 53413
HEADERS = 14 + 20 + 8
# Rings and queue so large that what is measured is work, and not whose buffer overflows first.
CONFIG = """
[ring]
size = "64MiB"
[retain]
queue = "64MiB"
budget = "4GiB"
flow_depth = "1GiB"
min_free_percent = 0
[classes.netis]
interest = "capture"
"""


def write_load(path, flows, size):
    """Each flow in turn, 20 times: a file that is sent again and again."""
    with open(path, "wb") as out:
        out.write(struct.pack("=IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for _ in range(20):
            for flow in range(flows):
                frame = packets.ethernet(packets.IPV4, packets.ipv4(packets.UDP, packets.udp(
                    1024 + flow, NETIS, b"\x5a" * (size - HEADERS))))
                out.write(struct.pack("=IIII", 0, 0, len(frame), len(frame)) + frame)
    return 20 * flows


def warm(path, size):
    """So much of the page cache is used, and free again. A virtual machine may have to ask its host
    for memory, which costs many times what is measured."""
    with open(path, "wb") as out:
        for _ in range(size >> 20):
            out.write(bytes(1 << 20))
    path.unlink()


def cpu_s(pid):
    """Of all threads, to the nanosecond."""
    tasks = pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


def run_once(options, size):
    with lab.Lab() as one:
        load, config = one.path("load.pcap"), one.path("config.toml")
        in_file = write_load(load, options.flows, size)
        loops = max(1, options.rate * options.seconds // in_file)
        config.write_text(CONFIG)
        watch = one.attach("v0", "--config", config, "--eve", "off")
        agent, = lab.children_of(watch.pid)
        log = one.path("tcpdump.log")
        with open(log, "wb") as to:
            tcpdump = one.start(*one.near.command("tcpdump", "-i", "v0", "-Q", "in", "-B", "65536",
                                                  "-w", one.path("tcpdump.pcap"), "-Z", "root"),
                                stderr=to)
        lab.wait_for("tcpdump", lambda: "listening on" in log.read_text())
        warm(one.path("warm"), 5 * loops * in_file * size // 2)
        before = cpu_s(agent), cpu_s(tcpdump.pid)
        started = time.monotonic()
        one.far.run("tcpreplay", "-q", "-K", f"--pps={options.rate}", f"--loop={loops}", "-i", "v1",
                    load, timeout=10 * options.seconds + 60)
        sent_s = time.monotonic() - started
        one.wait_written()
        took = cpu_s(agent) - before[0], cpu_s(tcpdump.pid) - before[1]
        kept = one.stats()["retained"]["packets"]
        tcpdump.send_signal(lab.signal.SIGINT)
        tcpdump.wait(30)
        watch.stop()
        tcpdump_lost = int(log.read_text().split(" packets dropped by kernel")[0].split()[-1])
        sent = loops * in_file
        return {"sent": sent, "rate": sent / sent_s, "kept": kept, "cpu_us": took[0] / sent * 1e6,
                "tcpdump kept": sent - tcpdump_lost, "tcpdump cpu_us": took[1] / sent * 1e6}


def main():
    parser = argparse.ArgumentParser(prog="tools/bench keep", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 300, 600, 1000, 1514],
                        help="bytes of a frame (default: %(default)s)")
    parser.add_argument("--rate", type=int, default=60_000, help="packets a second (%(default)s)")
    parser.add_argument("--flows", type=int, default=300, help="%(default)s")
    parser.add_argument("--seconds", type=int, default=8, help="a run (%(default)s)")
    parser.add_argument("--runs", type=int, default=3, help="of each, of which the medians are shown "
                        "(%(default)s)")
    options = parser.parse_args()
    print(f"{'bytes':>6} {'packets/s':>10} {'kept':>8} {'us each':>8} {'tcpdump':>8} {'us each':>8} "
          f"{'CPU ratio':>10}")
    for size in options.sizes:
        runs = [run_once(options, size) for _ in range(options.runs)]
        median = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
        ratio = statistics.median(run["cpu_us"] / run["tcpdump cpu_us"] for run in runs)
        print(f"{size:>6} {median['rate']:>10.0f} {median['kept'] / median['sent']:>8.2%} "
              f"{median['cpu_us']:>8.2f} {median['tcpdump kept'] / median['sent']:>8.2%} "
              f"{median['tcpdump cpu_us']:>8.2f} {ratio:>10.2f}", flush=True)


if __name__ == "__main__":
    main()
