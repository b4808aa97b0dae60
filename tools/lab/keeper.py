# SPDX-License-Identifier: Apache-2.0
"""The life of a laboratory. One process, its keeper, is the init of a PID namespace, and has mount, network
and IPC namespaces of its own. Everything of the laboratory is in these namespaces. So the kernel removes
everything when the keeper ends, also by SIGKILL. Only one file is left then, and the next command removes it.

The file is FOLDER/NAME. Its lock is held exactly as long as the keeper lives."""
import argparse
import ctypes
import dataclasses
import fcntl
import io
import json
import os
import pathlib
import re
import select
import shutil
import signal
import subprocess
import sys
import tarfile
import time

import network

HERE = pathlib.Path(__file__).resolve().parent
FOLDER = pathlib.Path("/run/nids-xdp-lab")
SESSION_S = 120  # what starting and ending all programs of a session may take, and 2 s more for each sensor
END_S = 30  # the longest that the kernel may take to end all processes

CLONE_NEWNS, CLONE_NEWIPC, CLONE_NEWPID, CLONE_NEWNET = 0x00020000, 0x08000000, 0x20000000, 0x40000000


class LabError(Exception):
    """What could not be done, and why."""

    def __init__(self, what, hint=None):
        super().__init__(what + (f"\n  hint: {hint}" if hint else ""))


@dataclasses.dataclass(frozen=True)
class Lab:
    name: str
    pid: int  # of the keeper
    nodes: int
    outside: int


def checked_name(text):
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,15}", text):
        raise argparse.ArgumentTypeError("it must have 1 to 16 of a-z, 0-9 and -")
    return text


def try_lock(name):
    """Returns the open file with its lock, or None if the laboratory is up."""
    FOLDER.mkdir(mode=0o755, exist_ok=True)
    path = FOLDER / name
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(fd), os.stat(path)):
                return fd
        except BlockingIOError:
            os.close(fd)
            return None
        except FileNotFoundError:
            pass  # `down` removed the file between the two calls
        os.close(fd)


def remove(name, fd):
    """Removes the file of a laboratory that has ended. `fd` has its lock."""
    os.unlink(FOLDER / name)
    os.close(fd)
    try:
        FOLDER.rmdir()
    except OSError:
        pass  # there are others


def read(name):
    """The laboratory of this name, or None if it is not up."""
    try:
        with open(FOLDER / name, encoding="ascii") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        text = (FOLDER / name).read_text("ascii")
        return Lab(name, **json.loads(text)) if text else None
    except FileNotFoundError:
        pass
    return None


def running(name):
    lab = read(name)
    if lab is None:
        raise LabError(f"find the laboratory {name}: it is not up", f"sudo nids-xdp lab up --name {name}")
    return lab


def labs():
    if not FOLDER.is_dir():
        return []
    found = (read(path.name) for path in sorted(FOLDER.iterdir()))
    return [lab for lab in found if lab is not None]


def unshare(flags):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(flags) != 0:
        error = ctypes.get_errno()
        raise LabError(f"make namespaces: {os.strerror(error)}")


def keep(plan, ready):
    """The keeper: makes the network, writes to `ready`, and then only waits for the ends of processes."""
    signals = {signal.SIGTERM, signal.SIGCHLD}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        for command in (["mount", "--make-rprivate", "/"], ["mount", "-t", "proc", "proc", "/proc"],
                        ["mount", "-t", "tmpfs", "-o", "mode=755", "lab", "/run"],
                        ["mount", "-t", "tmpfs", "-o", "mode=1777", "lab", "/tmp"]):
            subprocess.run(command, check=True, text=True, capture_output=True)
        network.build(plan)
    except subprocess.CalledProcessError as error:
        os.write(ready, f"{' '.join(error.cmd)}: {error.stderr.strip()}".encode())
        return 1
    except OSError as error:
        os.write(ready, str(error).encode())
        return 1
    os.write(ready, b"ready")  # fails if the command was ended meanwhile
    os.close(ready)
    while True:
        if signal.sigwait(signals) == signal.SIGTERM:
            return 0
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass


def start_keeper(plan, lock, ready):
    """Runs in a process of its own. The keeper must know that its process id is in the file."""
    os.setsid()
    unshare(CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET)
    wait, go = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(go)
        if os.read(wait, 1):
            null = os.open("/dev/null", os.O_RDWR)
            for fd in (0, 1, 2):
                os.dup2(null, fd)
            os.chdir("/")
            return keep(plan, ready)
        return 1
    facts = {"pid": pid, "nodes": len(plan.lan.hosts), "outside": len(plan.wan.hosts)}
    os.ftruncate(lock, 0)
    os.pwrite(lock, json.dumps(facts).encode(), 0)
    os.write(go, b"1")
    return 0


def up(name, plan):
    for tool, package in (("ip", "iproute2"), ("sysctl", "procps"), ("mount", "mount"),
                          ("nsenter", "util-linux")):
        if shutil.which(tool) is None:
            raise LabError(f"make the laboratory {name}: there is no {tool}", f"apt install {package}")
    lock = try_lock(name)
    if lock is None and read(name) is None:
        time.sleep(0.1)  # another command only looked at the file, or another `up` has just begun
        lock = try_lock(name)
    if lock is None:
        raise LabError(f"make the laboratory {name}: it is up already",
                       f"nids-xdp lab down --name {name}, or another --name")
    answers, ready = os.pipe()
    starter = os.fork()
    if starter == 0:
        code = 1
        try:
            os.close(answers)
            code = start_keeper(plan, lock, ready)
        except LabError as error:
            os.write(ready, str(error).encode())
        finally:
            os._exit(code)
    os.close(ready)
    os.waitpid(starter, 0)
    with open(answers, "rb") as file:
        answer = file.read().decode()
    os.close(lock)  # the keeper still has it
    if answer == "ready":
        return
    down(name)
    raise LabError(f"make the laboratory {name}: {answer or 'its keeper was ended'}")


def down(name):
    """Ends the laboratory. Returns False if there is none."""
    if not (FOLDER / name).exists():
        return False
    end = time.monotonic() + END_S
    while (fd := try_lock(name)) is None:
        if time.monotonic() > end:
            raise LabError(f"end the laboratory {name}: it did not end in {END_S} s")
        if lab := read(name):
            try:
                keeper = os.pidfd_open(lab.pid)
            except ProcessLookupError:
                continue
            # If the lock is still held, this is the process of the keeper, and not a later one.
            if read(name) == lab:
                signal.pidfd_send_signal(keeper, signal.SIGKILL)
                # The kernel releases the lock first, then ends the other processes, then the keeper.
                select.select([keeper], [], [], END_S)
            os.close(keeper)
        time.sleep(0.02)
    remove(name, fd)
    return True


def entering(lab, *command):
    return ["nsenter", "--target", str(lab.pid), "--mount", "--pid", "--ipc", "--net", "--", *command]


def session(name, scenario, folder):
    """Runs a scenario, as JSON, and puts its results into the folder."""
    limit_s = scenario["seconds"] + SESSION_S + 2 * len(scenario["sensors"]) + 30 * len(scenario["attacks"])
    process = subprocess.Popen(entering(running(name), sys.executable, "-EsB", HERE / "session.py"),
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        output, _ = process.communicate(json.dumps(scenario).encode(), timeout=limit_s)
    except subprocess.TimeoutExpired:
        raise LabError(f"run the scenario: it did not end in {limit_s} s") from None
    finally:
        process.kill()
        process.wait()
    if process.returncode != 0:
        raise LabError("run the scenario: the lines above say why" if process.returncode == 1 else
                       "run the scenario: somebody ended the laboratory")
    with tarfile.open(fileobj=io.BytesIO(output)) as tar:
        for member in tar:
            (folder / member.name).parent.mkdir(exist_ok=True)
            (folder / member.name).write_bytes(tar.extractfile(member).read())


def enter(name, host, command):
    """Becomes a process in the laboratory. Does not return."""
    lab = running(name)
    known = [*network.Plan(lab.nodes, lab.outside).names(), "switch"]
    if host not in known:
        raise LabError(f"enter {host}: the laboratory {name} has no such host", "it has " + ", ".join(known))
    there = [] if host == "switch" else ["ip", "netns", "exec", host]
    sys.stdout.flush()
    os.execvp("nsenter", entering(lab, *there, *(command or [os.environ.get("SHELL", "/bin/sh")])))
