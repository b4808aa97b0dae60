#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The laboratory of the end-to-end tests: two network namespaces, a veth pair, and nids-xdp.

    near (v0, watched)  ----veth----  far (v1, the peer)

A Lab owns what it makes: names hold the pid, files lie under one temporary directory, which is
NIDS_XDP_ROOT too, and close() takes all of it away again. Nothing leaves the namespaces.
"""
import atexit
import contextlib
import ctypes
import itertools
import json
import os
import pathlib
import platform
import pty
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SKIPPED = 77
NEAR_IP, FAR_IP = "10.77.0.1", "10.77.0.2"
NEAR_IP6, FAR_IP6 = "fd77::1", "fd77::2"
NEAR_MAC, FAR_MAC = "02:77:00:00:00:01", "02:77:00:00:00:02"
COMMAND_S = 20  # a command that takes longer hangs
CLONE_NEWNET = 0x40000000
ETH_P_ALL = 3

os.environ["PATH"] += ":/usr/sbin:/sbin"
libc = ctypes.CDLL(None, use_errno=True)
numbers = itertools.count(1)


def binary():
    return os.environ.get("NIDS_XDP_BIN", str(ROOT / "build/release/nids-xdp"))


def run(*argv, check=True, **options):
    options.setdefault("capture_output", True)
    options.setdefault("text", True)
    options.setdefault("timeout", COMMAND_S)
    if "input" not in options:
        options.setdefault("stdin", subprocess.DEVNULL)
    done = subprocess.run([str(part) for part in argv], **options)
    if check and done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, argv))}: exit code {done.returncode}\n{done.stderr}")
    return done


def wait_for(what, condition, seconds=30.0, every=0.02):
    """The condition's value once it is true; fails after the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{seconds:g} s have passed without: {what}; last: {value!r}")
        time.sleep(every)


def is_running(pid):
    """Neither gone nor a zombie."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat[stat.rindex(")") + 2] != "Z"


def children_of(pid):
    found = []
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError):
            text = stat.read_text()
            state, parent = text[text.rindex(")") + 2:].split()[:2]
            if int(parent) == pid and state != "Z":
                found.append(int(stat.parent.name))
    return found


def program_exists(program_id):
    """Whether the kernel still holds this BPF program."""
    number = {"x86_64": 321, "aarch64": 280}[platform.machine()]
    attribute = struct.pack("=III", program_id, 0, 0)
    fd = libc.syscall(number, 13, attribute, len(attribute))  # BPF_PROG_GET_FD_BY_ID
    if fd >= 0:
        os.close(fd)
        return True
    return False


class Namespace:
    """A network namespace; sockets and processes are made in it."""

    def __init__(self, name):
        self.name = name
        run("ip", "netns", "add", name)
        self.fd = os.open(f"/run/netns/{name}", os.O_RDONLY | os.O_CLOEXEC)

    def delete(self):
        os.close(self.fd)
        run("ip", "netns", "del", self.name, check=False)

    @contextlib.contextmanager
    def entered(self):
        """The calling thread is in the namespace; sockets made meanwhile stay there."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            if libc.setns(self.fd, CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
            yield
        finally:
            libc.setns(home, CLONE_NEWNET)
            os.close(home)

    def socket(self, family, kind, protocol=0):
        with self.entered():
            made = socket.socket(family, kind, protocol)
        made.settimeout(10)
        return made

    def command(self, *argv, via="exec"):
        prefix = {"exec": ["ip", "netns", "exec", self.name],
                  "nsenter": ["nsenter", f"--net=/run/netns/{self.name}"]}[via]
        return prefix + [str(part) for part in argv]

    def run(self, *argv, via="exec", **options):
        return run(*self.command(*argv, via=via), **options)

    def ip(self, *argv, **options):
        return run("ip", "-n", self.name, *argv, **options)

    def links(self):
        # Not strict: ip writes control characters in names as they are.
        return json.loads(self.ip("-j", "-d", "link", "show").stdout, strict=False)

    def sysctl(self, **values):
        for key, value in values.items():
            self.run("sysctl", "-q", "-w", f"{key.replace('__', '.')}={value}")

    def send_frames(self, ifname, frames):
        """Whole Ethernet frames, as they are."""
        with self.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
            with self.entered():
                raw.bind((ifname, 0))
            for frame in frames:
                raw.send(frame)


class Frame:
    def __init__(self, data, wire_len):
        self.data, self.wire_len = data, wire_len

    def __eq__(self, other):
        return (self.data, self.wire_len) == (other.data, other.wire_len)

    def __repr__(self):
        return f"<{self.wire_len} bytes {self.data[:64].hex()}>"


def read_pcap(path):
    """The whole frames of a classic pcap file; a file that is still written may end anywhere."""
    data = pathlib.Path(path).read_bytes()
    frames, at = [], 24
    if len(data) < at:
        return frames
    order = "<" if data[0] in (0xD4, 0x4D) else ">"
    while at + 16 <= len(data):
        captured, wire_len = struct.unpack_from(order + "II", data, at + 8)
        if at + 16 + captured > len(data):
            break
        frames.append(Frame(data[at + 16:at + 16 + captured], wire_len))
        at += 16 + captured
    return frames


def tshark_pcap(path, display_filter=""):
    """What tshark reads of a file, as frames."""
    with tempfile.TemporaryDirectory(prefix="nids-tshark-") as folder:
        out = pathlib.Path(folder) / "out.pcap"
        run("tshark", "-r", path, "-w", out, "-F", "pcap",
            *(["-Y", display_filter] if display_filter else []))
        return read_pcap(out)


def tshark_fields(path, *fields):
    """A dict a packet; a field that occurs several times is joined by commas."""
    options = [part for field in fields for part in ("-e", field)]
    told = run("tshark", "--enable-protocol", "communityid", "-r", path, "-T", "fields",
               "-E", "separator=/t", *options)
    return [dict(zip(fields, line.split("\t"))) for line in told.stdout.splitlines()]


class Tcpdump:
    """tcpdump on one interface, one direction, to a file."""

    def __init__(self, lab, namespace, ifname, direction):
        name = f"tcpdump-{ifname}-{direction}-{next(numbers)}"
        self.path = lab.path(name + ".pcap")
        self.log = lab.path(name + ".log")
        with open(self.log, "wb") as log:
            self.process = lab.start(
                *namespace.command("tcpdump", "-i", ifname, "-Q", direction, "-w", self.path,
                                   "-U", "--immediate-mode", "-B", "32768", "-s", "262144", "-n",
                                   "-Z", "root"), stderr=log)
        wait_for(f"tcpdump on {ifname} listening", lambda: "listening on" in self.log.read_text())

    def frames(self):
        return read_pcap(self.path)

    def sums(self):
        frames = self.frames()
        return {"packets": len(frames), "bytes": sum(frame.wire_len for frame in frames)}

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(10)
        log = self.log.read_text()
        if "\n0 packets dropped by kernel" not in log:
            raise AssertionError(f"tcpdump lost packets, so it is no judge:\n{log}")


class Watch:
    """One `nids-xdp attach` in the foreground."""

    def __init__(self, lab, process, out, err):
        self.lab, self.process, self.out_path, self.err_path = lab, process, out, err
        self.agents = []

    @property
    def pid(self):
        return self.process.pid

    @property
    def out(self):
        return self.out_path.read_text(errors="replace")

    @property
    def err(self):
        return self.err_path.read_text(errors="replace")

    def has_started(self):
        """Its agent takes records, which it says if anybody can hear it."""
        try:
            is_mute = os.readlink(f"/proc/{self.pid}/fd/2") == "/dev/null"
        except OSError:
            return False
        return is_mute or re.search(r"\^C ends|^nids-xdp: ends", self.err, re.M) is not None

    def wait(self, seconds=30):
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"attach did not end in {seconds} s\n{self.err}") from None
        wait_for("the agent's end", lambda: not any(map(is_running, self.agents)))
        return code

    def stop(self, how=signal.SIGINT):
        self.process.send_signal(how)
        return self.wait()

    def hold(self):
        """Stops the agent, and its parent, which would kill an agent that is silent."""
        for pid in (self.pid, *self.agents):
            os.kill(pid, signal.SIGSTOP)

    def release(self):
        """Continues the agent, and its parent once the rings are empty."""
        for pid in self.agents:
            os.kill(pid, signal.SIGCONT)
        wait_for("empty rings", lambda: self.lab.stats()["ring"]["pending"] == 0, seconds=60)
        self.process.send_signal(signal.SIGCONT)

    def kill_parent(self):
        self.process.kill()
        self.process.wait(5)

    def seen(self):
        """Packets and bytes by the summary."""
        match = re.search(r"^seen\s+(\d+) packets?, (\d+) bytes?", self.out, re.M)
        return tuple(map(int, match.groups())) if match else None


class Terminal:
    """A process on a pseudo-terminal: what it writes there is collected."""

    def __init__(self, lab, argv):
        self.parts = []
        self.fd, child_end = pty.openpty()
        self.err_path = lab.path(f"terminal-{next(numbers)}.err")
        with open(self.err_path, "wb") as err:
            self.process = lab.start(*argv, stdout=child_end, stderr=err)
        os.close(child_end)

    def read(self):
        """All that was written so far, as bytes."""
        while select.select([self.fd], [], [], 0)[0]:
            try:
                part = os.read(self.fd, 65536)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            self.parts.append(part)
        return b"".join(self.parts)

    def close(self):
        os.close(self.fd)


class Lab:
    def __init__(self, offloads=False, links=1):
        self.number = f"{os.getpid()}-{next(numbers)}"
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"nids-lab-{self.number}-"))
        self.folder.chmod(0o755)
        self.root = self.folder / "root"
        self.root.mkdir()
        self.environment = os.environ | {"NIDS_XDP_ROOT": str(self.root)}
        self.via = "exec"
        self.processes, self.watches, self.programs, self.namespaces = [], [], set(), []
        self.is_closed = False
        atexit.register(self.close)
        try:
            self.near = self.namespace("near")
            self.far = self.namespace("far")
            for i in range(links):
                self.connect(f"v{2 * i}", f"v{2 * i + 1}", i, offloads)
            self.wait_until_quiet()
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def namespace(self, role):
        made = Namespace(f"nids-{self.number}-{role}")
        self.namespaces.append(made)
        # The kernel's own traffic would come at any time: none of it.
        made.sysctl(net__ipv6__conf__default__accept_dad=0,
                    net__ipv6__conf__default__router_solicitations=0,
                    net__ipv6__conf__default__addr_gen_mode=1)
        made.ip("link", "set", "lo", "up")
        return made

    def connect(self, near, far, network, offloads):
        """A veth pair; what the kernel would ask its neighbour it knows already."""
        run("ip", "link", "add", near, "address", mac(NEAR_MAC, network), "netns", self.near.name,
            "type", "veth", "peer", "name", far, "address", mac(FAR_MAC, network), "netns",
            self.far.name)
        for here, ifname, own in ((self.near, near, 1), (self.far, far, 2)):
            if not offloads:
                # Leaves tags in the frame, as on a wire. Otherwise attach warns.
                here.run("ethtool", "-K", ifname, "tso", "off", "gso", "off", "gro", "off",
                         "txvlan", "off", "tx-vlan-stag-hw-insert", "off")
                # TCP has made super-packets whatever gso says since 4.17; not of one segment.
                here.ip("link", "set", ifname, "gso_max_segs", 1)
            # Attaching XDP to a veth makes the kernel report its multicast groups again. Without
            # ARP it joins no solicited-node group, so there is none to report.
            here.ip("link", "set", ifname, "arp", "off")
            here.ip("address", "add", f"10.{77 + network}.0.{own}/24", "dev", ifname)
            here.ip("-6", "address", "add", f"fd{77 + network}::{own}/64", "dev", ifname, "nodad")
            here.ip("link", "set", ifname, "up")
        self.introduce(near, far, network)

    def introduce(self, near, far, network=0):
        for here, ifname, peer, peer_mac in ((self.near, near, 2, FAR_MAC),
                                             (self.far, far, 1, NEAR_MAC)):
            for address in (f"10.{77 + network}.0.{peer}", f"fd{77 + network}::{peer}"):
                here.ip("neighbor", "replace", address, "lladdr", mac(peer_mac, network), "dev",
                        ifname, "nud", "permanent")

    def wait_until_quiet(self):
        """No packet on any interface for a third of a second."""
        def counts():
            return [run("ip", "-n", one.name, "-s", "-j", "link").stdout for one in self.namespaces]
        last, since = counts(), time.monotonic()

        def is_quiet():
            nonlocal last, since
            if (now := counts()) != last:
                last, since = now, time.monotonic()
            return time.monotonic() - since > 0.3
        wait_for("quiet links", is_quiet)

    def path(self, name):
        return self.folder / name

    @property
    def run_dir(self):
        return self.root / "run"

    @property
    def eve_path(self):
        return self.root / "var/log/nids-xdp/eve.json"

    @property
    def pcap_dir(self):
        return self.root / "var/lib/nids-xdp/pcap"

    # processes

    def start(self, *argv, **options):
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("stdout", subprocess.DEVNULL)
        options.setdefault("stderr", subprocess.DEVNULL)
        options.setdefault("env", self.environment)
        process = subprocess.Popen([str(part) for part in argv], **options)
        self.processes.append(process)
        return process

    def command(self, *argv, via=None, namespace=None):
        return (namespace or self.near).command(binary(), *argv, via=via or self.via)

    def nids(self, *argv, via=None, namespace=None, env=None, **options):
        """One nids-xdp command in the near namespace, to its end."""
        options.setdefault("check", False)
        return run(*self.command(*argv, via=via, namespace=namespace),
                   env=self.environment | (env or {}), **options)

    def attach(self, *argv, via=None, wait=True, outside=False, env=None):
        """`nids-xdp attach …` in the foreground, ready once this returns."""
        number = next(numbers)
        out, err = self.path(f"attach-{number}.out"), self.path(f"attach-{number}.err")
        command = ([binary(), "attach", *argv] if outside
                   else self.command("attach", *argv, via=via))
        with open(out, "wb") as stdout, open(err, "wb") as stderr:
            process = self.start(*command, stdout=stdout, stderr=stderr,
                                 env=self.environment | (env or {}))
        watch = Watch(self, process, out, err)
        self.watches.append(watch)
        if wait:
            self.wait_until_attached(watch)
        return watch

    def wait_until_attached(self, watch):
        def is_ready():
            if watch.process.poll() is not None:
                raise AssertionError(f"attach ended: exit code {watch.process.returncode}\n{watch.err}")
            watch.agents = children_of(watch.pid)
            return watch.agents and watch.has_started() and \
                any(one["agent_pid"] == watch.pid for one in self.status())
        wait_for("an attached agent", is_ready)
        self.note_programs()

    def note_programs(self):
        """Remembers what is attached, to see later that it is gone."""
        for link in self.near.links():
            if "xdp" in link:
                self.programs.add(link["xdp"]["prog"]["id"])
            for way in ("ingress", "egress"):
                filters = run("tc", "-n", self.near.name, "-j", "filter", "show", "dev",
                              link["ifname"], way, check=False).stdout
                self.programs.update(map(int, re.findall(r'"prog":\{"id":(\d+),"name":"nids_',
                                                         filters)))

    def map_value(self, ifname, name):
        """The bytes of the first value of a map of the interface's XDP program."""
        program = next(link["xdp"]["prog"]["id"] for link in self.near.links()
                       if link["ifname"] == ifname)
        for one in json.loads(run("bpftool", "-j", "prog", "show", "id", program).stdout)["map_ids"]:
            if json.loads(run("bpftool", "-j", "map", "show", "id", one).stdout)["name"] == name:
                dump = json.loads(run("bpftool", "-j", "map", "dump", "id", one).stdout)
                return bytes(int(byte, 16) for byte in dump[0]["value"])
        raise AssertionError(f"the program of {ifname} has no map {name}")

    # what nids-xdp says

    def stats(self, ifname="v0", **options):
        done = self.nids("stats", ifname, "--json", **options)
        if done.returncode not in (0, 4):
            raise AssertionError(f"stats: exit code {done.returncode}\n{done.stderr}")
        stats = json.loads(done.stdout)[0]
        # A time, other in each reading: callers wait until two readings are equal.
        stats["flow_table"].pop("sweep_ns", None)
        return stats

    def status(self, **options):
        done = self.nids("status", "--json", **options)
        if done.returncode != 0:
            raise AssertionError(f"status: exit code {done.returncode}\n{done.stderr}")
        return json.loads(done.stdout)

    def wait_counted(self, ifname="v0", **expected):
        """Stats once the directions named hold the packets expected, the agent has read all, and
        has worked it off: two readings are equal."""
        last = None

        def counted():
            nonlocal last
            before, last = last, self.stats(ifname)
            is_so = all(last[key]["packets"] == value for key, value in expected.items())
            is_read = last["ring"]["pending"] == 0 or not last["agent"]
            return last if is_so and is_read and last == before else None
        try:
            return wait_for(f"{expected} on {ifname}", counted)
        except AssertionError as error:
            now = self.stats(ifname)
            raise AssertionError(f"{error}; ingress {now['ingress']}, egress {now['egress']}, "
                                 f"ring {now['ring']}") from None

    def eve(self, path=None):
        file = pathlib.Path(path or self.eve_path)
        whole = file.read_text().rpartition("\n")[0] if file.exists() else ""
        return [json.loads(line) for line in whole.splitlines()]

    def alerts(self, path=None):
        return [one for one in self.eve(path) if one["event_type"] == "alert"]

    def wait_degraded(self, text):
        """The agent says how it is once a second."""
        wait_for(f"status to say {text!r}",
                 lambda: any(text in why for why in self.status()[0]["degraded"]))

    def wait_alerts(self, count, path=None):
        wait_for(f"{count} alerts", lambda: len(self.alerts(path)) >= count)
        return self.alerts(path)

    def wait_written(self, ifname="v0"):
        """Until nothing is left in the agent that dies with it."""
        wait_for("packets on the disk", lambda: self.stats(ifname)["retained"]["waiting"] == 0)

    def segments(self, folder=None):
        return sorted(pathlib.Path(folder or self.pcap_dir).glob("*.pcapng"))

    # the end

    def leftovers(self):
        """What nids-xdp should have taken away and has not."""
        found = []
        for namespace in (self.near, self.far):
            for link in namespace.links():
                if "xdp" in link:
                    found.append(f"XDP program {link['xdp']} on {link['ifname']}")
            qdiscs = run("tc", "-n", namespace.name, "-j", "qdisc", "show").stdout
            found += [f"qdisc {one['kind']} on {one.get('dev')}"
                      for one in json.loads(qdiscs or "[]") if one["kind"] == "clsact"]
        found += [f"mount {mount}" for mount in self.mounts(self.root)]
        if self.run_dir.exists():
            found += [f"file {path}" for path in self.run_dir.rglob("*")]
        for watch in self.watches:
            found += [f"process {pid}" for pid in (watch.pid, *watch.agents) if is_running(pid)]
        found += [f"BPF program {one}" for one in self.programs if program_exists(one)]
        if os.path.isdir("/sys/fs/bpf/xdp"):
            found += [f"pin {name}" for name in os.listdir("/sys/fs/bpf/xdp")
                      if name.rsplit("-", 1)[-1] in map(str, self.programs)]
        return found

    def leftovers_soon(self, seconds=15):
        """What is left after the kernel's grace period, in which it frees programs."""
        deadline = time.monotonic() + seconds
        while (left := self.leftovers()) and time.monotonic() < deadline:
            time.sleep(0.05)
        return left

    def mounts(self, folder):
        with open("/proc/self/mountinfo") as table:
            points = [line.split()[4] for line in table]
        return [point for point in points if point.startswith(f"{folder}/")]

    def close(self):
        if self.is_closed:
            return
        self.is_closed = True
        atexit.unregister(self.close)
        ending = {signal.SIGINT, signal.SIGTERM}
        before = signal.pthread_sigmask(signal.SIG_BLOCK, ending)  # half closed, it would stay so
        try:
            self.close_all()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def close_all(self):
        agents = [pid for watch in self.watches for pid in watch.agents + children_of(watch.pid)]
        for process in reversed(self.processes):
            if process.poll() is None:
                process.terminate()
        for process in self.processes:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for pid in agents:
            if is_running(pid) and b"nids-xdp" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, signal.SIGKILL)
        for namespace in self.namespaces:
            for i in range(4):
                namespace.ip("link", "del", f"v{i}", check=False)
            namespace.delete()
        for mount in reversed(self.mounts(self.folder)):
            run("umount", mount, check=False)
        if not self.mounts(self.folder):
            shutil.rmtree(self.folder, ignore_errors=True)


def mac(base, network):
    return base[:-5] + f"{network:02x}" + base[-3:]


class LabCase(unittest.TestCase):
    """A test with a lab of its own, after which nothing may be left."""

    LINKS = 1

    def setUp(self):
        self.lab = Lab(links=self.LINKS)
        self.addCleanup(self.lab.close)

    def tearDown(self):
        result = self._outcome.result
        if any(test is self for test, _ in result.failures + result.errors):
            return  # a test that broke off is not expected to have tidied up
        self.assertEqual(self.lab.leftovers_soon(), [], "left behind")

    def assert_balanced(self, stats):
        ledger = stats["ledger"]
        self.assertTrue(ledger["balanced"], ledger)
        for unit in ("", "_bytes"):
            parts = sum(ledger[key + unit] for key in ("live", "exported", "unaccounted", "no_flow"))
            self.assertEqual(ledger["seen" + unit], parts, ledger)
        seen = stats["ingress"]["packets"] + stats["egress"]["packets"]
        self.assertEqual(sum(stats["parse"].values()), seen, stats["parse"])
        self.assertEqual(stats["verdict"], {"pass": seen, "drop": 0})
        self.assertEqual(ledger["seen"], seen)
        ring = stats["ring"]
        self.assertEqual(ring["offered"], ring["consumed"] + ring["lost"] + ring["pending"], ring)

    def kill_agent(self, watch):
        """Returns when its parent has started another."""
        was, = watch.agents
        before = self.lab.status()[0]["agent_restarts"]
        os.kill(was, signal.SIGKILL)
        self.wait_for_another_agent(watch, was, before)

    def wait_for_another_agent(self, watch, was, restarts, seconds=20):
        def another():
            one = self.lab.status()[0]
            watch.agents = [pid for pid in children_of(watch.pid) if pid != was]
            return one["agent_restarts"] > restarts and watch.agents and \
                not any("answered" in why for why in one["degraded"])
        wait_for("another agent", another, seconds=seconds)

    def assert_message(self, text, *wanted):
        """One message that names what it is about, and no control characters."""
        self.assertTrue(text.startswith("nids-xdp: "), text)
        for part in wanted:
            self.assertIn(part, text)
        self.assertNotRegex(text, r"[\x00-\x09\x0b-\x1f\x7f]")


def reason_to_skip(tools):
    if not os.access(binary(), os.X_OK):
        return f"there is no program {binary()}; NIDS_XDP_BIN names another one"
    if os.geteuid() != 0:
        return "these tests make network namespaces and load BPF programs: run them as root"
    capabilities = int(re.search(r"CapEff:\s*(\w+)",
                                 pathlib.Path("/proc/self/status").read_text())[1], 16)
    for bit, name in ((12, "CAP_NET_ADMIN"), (21, "CAP_SYS_ADMIN"), (38, "CAP_PERFMON"),
                      (39, "CAP_BPF")):
        if not capabilities >> bit & 1:
            return f"this process lacks {name}"
    absent = [tool for tool in ("ip", "tc", "ethtool", "nsenter", "sysctl", *tools)
              if not shutil.which(tool)]
    if absent:
        return "there is no " + ", ".join(absent)
    try:
        Lab().close()
    except (RuntimeError, OSError, AssertionError) as error:
        return f"no namespaces and veth pair can be made: {error}"
    return None


def main(tools=()):
    """Runs the tests of the module that was started; 77 where they can't run here."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # unittest goes on after sys.exit()
    if reason := reason_to_skip(tools):
        is_required = os.environ.get("NIDS_REQUIRE_BPF") == "1"
        print(f"{'failed' if is_required else 'skipped'}: e2e.{pathlib.Path(sys.argv[0]).stem}: {reason}")
        sys.exit(1 if is_required else SKIPPED)
    unittest.main(verbosity=2)
