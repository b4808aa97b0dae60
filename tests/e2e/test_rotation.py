#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The EVE file is renamed and opened again while lines go into it: by size, by a
signal, by logrotate.
Each line that was counted is in one file, whole, and once; what stands in the way loses none."""
import fcntl
import json
import os
import pty
import shutil
import signal
import termios
import threading
import time
import unittest

import lab
from lab import wait_for
from packets import netis
from sinks import CONFIG, SinkCase

DOCS = lab.ROOT / "docs"
STUCK = "can't be rotated or opened again"


class RotationCase(SinkCase):
    def setUp(self):
        super().setUp()
        self.folder = self.lab.path("log")
        self.folder.mkdir()
        self.eve = self.folder / "eve.json"

    def configure(self, rotate_size, keep=1000):
        self.config.write_text(f"{CONFIG}[retain]\nenabled = false\n"
                               f"[eve]\nrotate_size = {rotate_size}\nkeep = {keep}\n")

    def watch(self, *options, eve=None, **popen):
        """In a session of its own: it has no terminal, as a service."""
        number = next(lab.numbers)
        out, err = self.lab.path(f"rot-{number}.out"), self.lab.path(f"rot-{number}.err")
        argv = self.lab.command("attach", "v0", "--config", self.config, "--eve", eve or self.eve,
                                *options)
        popen.setdefault("start_new_session", True)
        with open(out, "wb") as stdout, open(err, "wb") as stderr:
            process = self.lab.start(*argv, stdout=stdout, stderr=stderr, **popen)
        watch = lab.Watch(self.lab, process, out, err)
        self.lab.watches.append(watch)
        self.lab.wait_until_attached(watch)
        return watch

    def watch_on_terminal(self):
        """It has a terminal of its own, which goes with the descriptor."""
        master, slave = pty.openpty()
        watch = self.watch(preexec_fn=lambda: fcntl.ioctl(slave, termios.TIOCSCTTY, 0),
                           stdin=slave, pass_fds=(slave,))
        os.close(slave)
        return watch, master

    def frames(self, first, count):
        """Each a flow, and an alert, of its own."""
        return [netis(10000 + first + i, os.urandom(20)) for i in range(count)]

    def send_some(self, first, count, seen=None):
        self.lab.far.send_frames("v1", self.frames(first, count))
        return self.lab.wait_counted(ingress=first + count if seen is None else seen)

    def files(self):
        return sorted(self.folder.glob("eve.json*"), key=lambda one: (len(one.name), one.name))

    def open_files(self, watch):
        return [len(os.listdir(f"/proc/{pid}/fd")) for pid in (watch.pid, *watch.agents)]

    def lines(self):
        """Of all files; each whole."""
        found = []
        for path in self.files():
            data = path.read_bytes()
            self.assertTrue(not data or data.endswith(b"\n"), path)
            found += [json.loads(line) for line in data.splitlines()]
        return found

    def check_each_once(self, watch, flows):
        """After the end: as many lines as were counted, none twice."""
        self.assertIn(watch.stop(), (0, 4), watch.err)
        lines = self.lines()
        alerts = [(one["src_ip"], one["src_port"]) for one in lines if one["event_type"] == "alert"]
        told = [one["flow_id"] for one in lines if one["event_type"] == "flow"]
        self.assertEqual(len(set(alerts)), len(alerts), "no alert twice")
        self.assertEqual(len(set(told)), len(told), "no flow twice")
        self.assertEqual((len(alerts), len(told)), (flows, flows))


class BySize(RotationCase):
    def test_under_load_every_line_is_in_one_file(self):
        self.configure(65536)
        watch = self.watch()
        count = 6000
        for first in range(0, count, 1000):
            self.lab.far.send_frames("v1", self.frames(first, 1000))
        stats = self.lab.wait_counted(ingress=count)
        self.assertEqual(stats["alerts"]["eve_lines"], len(self.lines()))
        self.assertEqual(stats["alerts"]["eve_lost"], 0)
        self.check_each_once(watch, count)
        self.assertEqual(self.files()[0].name, "eve.json")
        rotated = self.files()[1:]
        self.assertEqual([one.name for one in rotated],
                         [f"eve.json.{i + 1}" for i in range(len(rotated))])
        self.assertGreater(len(rotated), 20, "the flows of the end too")
        for path in rotated:
            self.assertGreaterEqual(path.stat().st_size, 65536)
            # On a busy machine the parent may be late, and lines do not wait for it.
            self.assertLess(path.stat().st_size, 16 * 65536)
        self.assertEqual(self.eve.stat().st_mode & 0o777, 0o640)
        newest_first = [json.loads(path.read_bytes().splitlines()[0])["timestamp"]
                        for path in self.files() if path.stat().st_size]
        self.assertEqual(newest_first, sorted(newest_first, reverse=True))

    def test_only_as_many_are_kept_as_wanted(self):
        self.configure(65536, keep=2)
        watch = self.watch()
        stats = self.send_some(0, 1500)
        self.assertGreater(stats["alerts"]["eve_files_removed"], 3)
        self.assertEqual([one.name for one in self.files()],
                         ["eve.json", "eve.json.1", "eve.json.2"])
        self.assertEqual(watch.stop(), 0, watch.err)
        self.lines()

    def test_none_is_kept(self):
        self.configure(65536, keep=0)
        watch = self.watch()
        stats = self.send_some(0, 500)
        self.assertGreater(stats["alerts"]["eve_files_removed"], 0)
        self.assertEqual(self.files(), [self.eve])
        self.assertEqual(watch.stop(), 0, watch.err)
        self.lines()

    def test_two_agents_share_a_file_and_lose_no_line(self):
        self.configure(65536)
        first = self.watch()
        link = self.lab.near
        link.ip("link", "add", "w0", "type", "veth", "peer", "name", "w1")
        for name in ("w0", "w1"):
            link.ip("link", "set", name, "up")
        number = next(lab.numbers)
        err = self.lab.path(f"second-{number}.err")
        with open(err, "wb") as stderr:
            process = self.lab.start(*self.lab.command("attach", "w0", "--config", self.config,
                                                       "--eve", self.eve), stderr=stderr,
                                     start_new_session=True)
        wait_for("both", lambda: [one["agent"] for one in self.lab.status()] == [True, True])
        self.lab.note_programs()
        for at in range(0, 3000, 300):
            self.lab.far.send_frames("v1", self.frames(at, 300))
            link.send_frames("w1", self.frames(20000 + at, 300))
        wait_for("both to have written all", lambda: all(
            self.lab.stats(name)["alerts"]["eve_lines"] >= 3000 for name in ("v0", "w0")))
        process.send_signal(signal.SIGINT)
        self.assertIn(process.wait(15), (0, 4), err.read_text())
        self.assertIn(first.stop(), (0, 4), first.err)
        alerts = [(one["src_ip"], one["src_port"]) for one in self.lines()
                  if one["event_type"] == "alert"]
        self.assertEqual((len(alerts), len(set(alerts))), (6000, 6000))


class BySignal(RotationCase):
    def test_rename_and_sighup_under_load(self):
        """As logrotate does it, and faster; the size has its part too."""
        self.configure(65536)
        watch = self.watch()
        count, done = 6000, threading.Event()
        renamed = 0
        open_before = self.open_files(watch)

        def send():
            for first in range(0, count, 100):
                self.lab.far.send_frames("v1", self.frames(first, 100))
                time.sleep(0.02)
            done.set()
        sender = threading.Thread(target=send)
        sender.start()
        while not done.is_set():
            try:
                os.rename(self.eve, self.folder / f"eve.json-by-hand-{renamed:03}")
            except FileNotFoundError:
                pass  # between a rename and the next file
            else:
                renamed += 1
            os.kill(watch.pid, signal.SIGHUP)
            time.sleep(0.01)
        sender.join()
        stats = self.lab.wait_counted(ingress=count)
        self.assertEqual(stats["alerts"]["eve_lines"], len(self.lines()))
        self.assertGreater(renamed, 20)
        self.assertEqual(self.open_files(watch), open_before)
        self.check_each_once(watch, count)

    def test_a_signal_without_a_rename_goes_on_in_the_same_file(self):
        self.configure(0)
        watch = self.watch()
        self.send_some(0, 10)
        inode = self.eve.stat().st_ino
        for number in (signal.SIGHUP, signal.SIGUSR1) * 10:
            os.kill(watch.pid, number)
            time.sleep(0.01)
        self.send_some(10, 10, seen=20)
        self.assertEqual(self.eve.stat().st_ino, inode)
        self.check_each_once(watch, 20)

    def test_nohup_and_daemon_open_it_anew(self):
        self.configure(0)
        err = self.lab.path("daemon.err")
        with open(err, "wb") as out:
            process = self.lab.start(*self.lab.command("attach", "v0", "--daemon", "--config",
                                                       self.config, "--eve", self.eve),
                                     stdout=out, stderr=out)
        self.assertEqual(process.wait(10), 0, err.read_text())
        pid = self.lab.status()[0]["agent_pid"]
        pids = [pid, *lab.children_of(pid)]
        self.addCleanup(lambda: [os.kill(one, signal.SIGKILL) for one in pids
                                 if lab.is_running(one)])
        self.lab.note_programs()
        self.eve.rename(self.folder / "eve.json-old")
        os.kill(pid, signal.SIGHUP)
        wait_for("a new file", self.eve.exists)
        self.assertEqual(self.lab.nids("detach", "v0").returncode, 0)
        wait_for("the daemon's end", lambda: not any(map(lab.is_running, pids)))

        self.eve.unlink()
        watch = self.watch(start_new_session=False,
                           preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        self.eve.rename(self.folder / "eve.json-older")
        os.kill(watch.pid, signal.SIGHUP)
        wait_for("a new file", self.eve.exists)
        self.assertEqual(watch.stop(), 0, watch.err)

    def test_a_terminal_that_goes_ends_it(self):
        self.configure(0)
        watch, terminal = self.watch_on_terminal()
        self.send_some(0, 10)
        os.close(terminal)
        self.assertEqual(watch.wait(), 0, watch.err)
        self.assertRegex(watch.err, r"(?m)^nids-xdp: ended by SIGHUP$")
        self.assertEqual(len(self.lab.alerts(self.eve)), 10)

    def test_a_pipe_is_never_opened_anew(self):
        self.configure(65536)
        pipe = self.lab.path("pipe")
        os.mkfifo(pipe)
        fd = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
        self.addCleanup(os.close, fd)
        watch = self.watch(eve=pipe)
        moved = self.lab.path("moved")
        os.rename(pipe, moved)
        os.kill(watch.pid, signal.SIGHUP)
        wait_for("a word on it", lambda: "no regular file" in watch.err)
        self.send_some(0, 5)
        self.assertFalse(pipe.exists())
        self.assertEqual(watch.stop(), 0, watch.err)
        self.assertEqual(len([line for line in os.read(fd, 1 << 16).splitlines()
                              if b'"alert"' in line]), 5)

    def test_standard_output_in_a_file_is_never_rotated(self):
        self.configure(65536)
        watch = self.watch(eve="-")
        self.send_some(0, 500)
        os.kill(watch.pid, signal.SIGHUP)
        wait_for("a word on it", lambda: "no regular file" in watch.err)
        self.assertEqual(watch.stop(), 0, watch.err)
        self.assertGreater(watch.out_path.stat().st_size, 2 * 65536)
        self.assertEqual(len(self.lab.alerts(watch.out_path)), 500)
        self.assertEqual(list(self.lab.folder.glob("*.out.*")), [])

    def test_a_file_that_could_not_be_opened_is_opened_by_sighup(self):
        self.configure(0)
        self.eve.mkdir()
        watch = self.watch()
        self.assertEqual(self.send_some(0, 5)["alerts"]["eve_lost"], 5)
        self.lab.wait_degraded("EVE")
        self.eve.rmdir()
        os.kill(watch.pid, signal.SIGHUP)
        wait_for("the file", self.eve.exists)
        wait_for("all well", lambda: not self.lab.status()[0]["degraded"])
        self.send_some(5, 5, seen=10)
        self.assertEqual(len(self.lab.alerts(self.eve)), 5)
        watch.stop()


class InTheWay(RotationCase):
    def check_stuck(self, watch, *why, heal):
        """Lines go on into the old file; told once, and in `status`; then all is well again."""
        stats = self.send_some(0, 400)
        self.lab.wait_degraded(STUCK)
        stats = self.send_some(400, 400, seen=800)
        self.assertEqual(stats["alerts"]["eve_lines"], 800)
        self.assertEqual(stats["alerts"]["eve_lost"], 0)
        for part in why:
            self.assertIn(part, watch.err)
        self.assertEqual(watch.err.count("what is open stays in use"), 1, watch.err)
        heal()
        os.kill(watch.pid, signal.SIGHUP)
        wait_for("all well", lambda: not self.lab.status()[0]["degraded"])
        self.check_each_once(watch, 800)

    def replace(self, make):
        """The file is moved, and something else takes its place."""
        self.eve.rename(self.folder / "eve.json-moved")
        make()

    def test_a_symbolic_link_in_its_place(self):
        self.configure(65536)
        watch = self.watch()
        target = self.lab.path("target")
        target.write_text("precious")
        self.replace(lambda: self.eve.symlink_to(target))
        self.check_stuck(watch, "it is a symbolic link", heal=self.eve.unlink)
        self.assertEqual(target.read_text(), "precious")

    def test_a_directory_in_its_place(self):
        self.configure(65536)
        watch = self.watch()
        self.replace(self.eve.mkdir)
        self.check_stuck(watch, "directory", heal=self.eve.rmdir)

    def test_a_directory_in_the_place_of_an_old_file(self):
        self.configure(65536, keep=1)
        (self.folder / "eve.json.1").mkdir()
        watch = self.watch()
        self.check_stuck(watch, "eve.json.1",
                         heal=(self.folder / "eve.json.1").rmdir)

    def test_a_folder_that_was_removed(self):
        self.configure(65536)
        watch = self.watch()
        gone = self.lab.path("gone")
        self.folder.rename(gone)

        def heal():
            gone.rename(self.folder)
        self.check_stuck(watch, "No such file", heal=heal)

    def test_a_folder_that_nobody_may_write_to(self):
        """Root may, but for one that is immutable; tmpfs knows that since Linux 6.6."""
        self.configure(65536)
        self.folder.rmdir()
        self.mount("log", "size=8m,mode=755")
        watch = self.watch()
        lab.run("chattr", "+i", self.folder, check=False)
        if "i" not in lab.run("lsattr", "-d", self.folder, check=False).stdout.split(" ")[0]:
            watch.stop()
            self.skipTest("this file system has no immutable directories")
        self.addCleanup(lab.run, "chattr", "-i", self.folder, check=False)
        self.check_stuck(watch, "Operation not permitted",
                         heal=lambda: lab.run("chattr", "-i", self.folder))

    def test_a_disk_that_runs_full(self):
        """Old files are not removed for new lines; what is lost is counted, the rest is whole."""
        self.configure(65536, keep=100)
        self.folder.rmdir()
        self.mount("log", "size=300k,mode=755")
        watch = self.watch()
        stats = self.send_some(0, 1000)
        self.assertGreater(stats["alerts"]["eve_lost"], 0)
        self.assertEqual(stats["alerts"]["eve_lines"] + stats["alerts"]["eve_lost"], 1000)
        self.assertEqual(stats["alerts"]["eve_lines"], len(self.lines()))
        self.assertEqual(watch.stop(), 4, watch.err)

    def test_a_disk_that_is_large_enough_for_what_is_kept(self):
        self.configure(65536, keep=1)
        self.folder.rmdir()
        self.mount("log", "size=1m,mode=755")
        watch = self.watch()
        stats = self.send_some(0, 4000)
        self.assertEqual(stats["alerts"]["eve_lost"], 0)
        self.assertEqual(watch.stop(), 0, watch.err)


@unittest.skipUnless(shutil.which("logrotate"), "there is no logrotate")
class Logrotate(RotationCase):
    def test_the_example_works(self):
        self.configure(0)
        self.check_example(self.watch())

    def test_the_example_works_for_an_agent_that_has_a_terminal(self):
        self.configure(0)
        watch, terminal = self.watch_on_terminal()
        self.addCleanup(os.close, terminal)
        self.check_example(watch)

    def check_example(self, watch):
        """The agent goes on in a new file."""
        text = (DOCS / "examples/logrotate.conf").read_text()
        for mine, place in (("/var/log/nids-xdp/eve.json", self.eve),
                            ("/run/nids-xdp", self.lab.root / "run/nids-xdp")):
            self.assertIn(mine, text)
            text = text.replace(mine, str(place))
        stale = self.lab.root / "run/nids-xdp/agent-999999999.sock"
        stale.touch()
        conf = self.lab.path("logrotate.conf")
        conf.write_text("su root root\n" + text)
        conf.chmod(0o644)
        self.send_some(0, 50)
        done = lab.run("logrotate", "--force", "--state", self.lab.path("state"), conf, check=False)
        stale.unlink()
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        wait_for("the new file", self.eve.exists)
        stats = self.send_some(50, 50, seen=100)
        self.assertEqual(stats["alerts"]["eve_lines"], 100)
        self.assertEqual(len(self.files()), 2, self.files())
        self.check_each_once(watch, 100)


if __name__ == "__main__":
    lab.main(["mount"])
