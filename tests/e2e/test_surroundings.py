#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a process is started with: descriptors, limits, signals, capabilities. An agent works with
it, or says why not before anything is attached."""
import os
import signal
import sys
import time

import lab
from lab import wait_for
from packets import netis

# Runs a command with signals ignored, or with descriptors closed.
IGNORE = "import os, signal, sys; signal.signal(int(sys.argv[1]), signal.SIG_IGN); " \
         "os.execvp(sys.argv[2], sys.argv[2:])"
CLOSE = "import os, sys; [os.close(int(fd)) for fd in sys.argv[1].split(',')]; " \
        "os.execvp(sys.argv[2], sys.argv[2:])"


class Surroundings(lab.LabCase):
    def start(self, *prefix, argv=("attach", "v0")):
        """An attach in the near namespace behind another command."""
        number = next(lab.numbers)
        out, err = self.lab.path(f"started-{number}.out"), self.lab.path(f"started-{number}.err")
        with open(out, "wb") as stdout, open(err, "wb") as stderr:
            process = self.lab.start(*self.lab.near.command(*prefix, lab.binary(), *argv),
                                     stdout=stdout, stderr=stderr)
        watch = lab.Watch(self.lab, process, out, err)
        self.lab.watches.append(watch)
        return watch

    def attach_with(self, program, argument, **options):
        watch = self.start(sys.executable, "-c", program, argument, **options)
        self.lab.wait_until_attached(watch)
        return watch

    def test_few_open_files(self):
        """Whatever fails for want of descriptors, nothing stays behind; and where it is the agent
        that fails, nobody waits for it."""
        codes = set()
        for limit in range(8, 121, 4):
            start = time.monotonic()
            done = self.lab.near.run("prlimit", f"--nofile={limit}", lab.binary(), "attach", "v0",
                                     "--for", "200ms", check=False, env=self.lab.environment)
            codes.add(done.returncode)
            self.assertLess(time.monotonic() - start, 9, f"{limit} files: {done.stderr}")
            links = {link["ifname"]: link for link in self.lab.near.links()}
            self.assertNotIn("xdp", links["v0"], f"{limit} files: {done.stderr}")
            filters = lab.run("tc", "-n", self.lab.near.name, "filter", "show", "dev", "v0",
                              "egress", check=False).stdout
            self.assertNotIn("nids_", filters, f"{limit} files: {done.stderr}")
            if done.returncode == 1:
                self.assertRegex(done.stderr, r"nids-xdp: |\[error\]", limit)
        self.assertTrue({0, 1} <= codes, codes)

    def test_a_signal_ends_a_start(self):
        """The agent hangs before its first word."""
        source, shim = self.lab.path("hang.c"), self.lab.path("hang.so")
        source.write_text("#include <unistd.h>\npid_t getppid(void) { sleep(60); return 0; }\n")
        lab.run("clang", "-shared", "-fPIC", "-o", shim, source)
        watch = self.lab.attach("v0", wait=False, env={"LD_PRELOAD": str(shim)})
        watch.agents = wait_for("an agent", lambda: self.lab.status() and
                                lab.children_of(watch.pid))
        self.lab.note_programs()
        watch.process.send_signal(signal.SIGINT)
        wait_for("the programs' end", lambda: self.lab.status() == [], seconds=20)
        watch.process.send_signal(signal.SIGINT)  # impatient
        self.assertNotEqual(watch.process.wait(20), 0)
        os.kill(watch.agents[0], signal.SIGKILL)

    def test_what_could_not_be_removed_is_told(self):
        watch = self.lab.attach("v0")
        lab.run("prlimit", "--pid", watch.pid, "--nofile=3")  # from now on it opens nothing
        self.assertEqual(self.lab.nids("detach", "v0").returncode, 0)  # does it itself
        self.assertEqual(watch.wait(), 1, watch.err)
        self.assertRegex(watch.err, "cannot remove .*v0")

    def test_the_agents_end_is_seen_where_children_are_ignored(self):
        watch = self.attach_with(IGNORE, int(signal.SIGCHLD))
        self.kill_agent(watch)
        self.assertRegex(watch.err, r"agent ended by itself.*[Kk]ill")
        self.assertEqual(watch.stop(), 4)

    def test_an_orderly_end_where_children_are_ignored(self):
        self.assertEqual(self.attach_with(IGNORE, int(signal.SIGCHLD)).stop(), 0)

    def test_nohup_outlives_the_terminal(self):
        watch = self.attach_with(IGNORE, int(signal.SIGHUP))
        watch.process.send_signal(signal.SIGHUP)
        self.lab.far.send_frames("v1", [netis()])
        self.lab.wait_alerts(1)
        time.sleep(0.5)
        self.assertIsNone(watch.process.poll(), watch.err)
        self.assertEqual(watch.stop(), 0)

    def test_closed_standard_descriptors(self):
        """The first file that is opened would be standard output, and get the summary."""
        for closed in ("0", "1", "0,1", "0,1,2"):
            with self.subTest(closed):
                watch = self.attach_with(CLOSE, closed)
                for fd in closed.split(","):
                    self.assertEqual(os.readlink(f"/proc/{watch.pid}/fd/{fd}"), "/dev/null")
                self.lab.far.send_frames("v1", [netis(41000 + len(closed))])
                self.lab.wait_counted(ingress=1)
                self.assertEqual(watch.stop(), 0, watch.err)
        for line in self.lab.eve_path.read_text().splitlines():
            self.assertTrue(line.startswith("{"), line)

    def test_capabilities_that_the_agent_needs_are_asked_for_first(self):
        for name in ("setuid", "setgid", "setpcap"):
            done = self.lab.near.run("setpriv", f"--bounding-set=-{name}", f"--inh-caps=-{name}",
                                     lab.binary(), "attach", "v0", check=False,
                                     env=self.lab.environment)
            self.assertEqual(done.returncode, 1)
            self.assert_message(done.stderr, f"CAP_{name.upper()}")
            done = self.lab.near.run("setpriv", f"--bounding-set=-{name}", f"--inh-caps=-{name}",
                                     lab.binary(), "detach", "v0", check=False,
                                     env=self.lab.environment)
            self.assertEqual(done.returncode, 0, done.stderr)

    def test_a_pipe_that_nobody_reads_does_not_hold_up_the_agent(self):
        config = self.lab.path("all.toml")
        config.write_text('[alert]\nsuppress = "0s"\n')
        read_end, write_end = os.pipe()
        self.addCleanup(os.close, read_end)
        process = self.lab.start(*self.lab.command("attach", "v0", "--eve", "-", "--config", config,
                                                   "--retain", "off"), stdout=write_end)
        wait_for("an agent", lambda: any(one["agent"] and lab.children_of(one["agent_pid"])
                                         for one in self.lab.status()))
        self.lab.note_programs()
        self.lab.far.send_frames("v1", [netis(20000 + i) for i in range(400)])
        self.assertEqual(self.lab.wait_counted(ingress=400)["alerts"]["eve_lost"], 0,
                         "they wait in the queue")
        self.assertTrue(os.get_blocking(write_end), "what others share stays as it was")
        os.close(write_end)
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(10), 4, "at the end nobody has read them")

    def test_an_interface_name_with_a_lines_end_stays_on_its_line(self):
        done = self.lab.nids("attach", "v0\nnids-xdp: all is well")
        self.assertEqual(done.returncode, 1)
        first, *rest = done.stderr.splitlines()
        self.assertIn("all is well", first)
        self.assertNotIn("all is well", "".join(rest))


class Links(lab.LabCase):
    def test_no_ethernet_header(self):
        for name, kind in (("tun7", None), ("ipip7", "ipip")):
            if kind:
                made = self.lab.near.ip("link", "add", name, "type", kind, "local", lab.NEAR_IP,
                                        "remote", lab.FAR_IP, check=False)
            else:
                made = self.lab.near.ip("tuntap", "add", "dev", name, "mode", "tun", check=False)
            if made.returncode != 0:
                continue
            for mode in ("auto", "skb"):
                done = self.lab.nids("attach", name, "--mode", mode)
                self.assertEqual(done.returncode, 1)
                self.assert_message(done.stderr, name, "no Ethernet header", "hint")
            self.lab.near.ip("link", "del", name)

    def test_news_about_links_that_was_lost_is_made_up_for(self):
        watch = self.lab.attach("v0")
        self.lab.near.ip("link", "add", "d0", "type", "bridge")
        os.kill(watch.pid, signal.SIGSTOP)
        batch = self.lab.path("batch")
        batch.write_text("".join(f"link set d0 mtu {1400 + i % 2}\n" for i in range(6000)) +
                         "link del d0\nlink del v0\n")
        self.lab.near.ip("-batch", batch, timeout=60)
        os.kill(watch.pid, signal.SIGCONT)
        self.assertEqual(watch.wait(), 1)
        self.assertIn("interface v0 was deleted", watch.err)


if __name__ == "__main__":
    lab.main(["clang", "prlimit", "setpriv"])
