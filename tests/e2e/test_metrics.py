#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Metrics: `stats --format prometheus`, and the listener of a running agent, with clients that are
slow, many or hostile."""
import re
import socket
import stat
import threading

import exposition
import lab
from lab import wait_for
from packets import netis

PORT = 9177
REQUEST = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"
DOCS = lab.ROOT / "docs/metrics.md"


def rest_of(client):
    """All bytes until the connection ends or breaks."""
    parts = []
    try:
        while part := client.recv(65536):
            parts.append(part)
    except (ConnectionResetError, BrokenPipeError):
        pass
    return b"".join(parts).decode()


class MetricsCase(lab.LabCase):
    def attach_with(self, listen, *options):
        config = self.lab.path("metrics.toml")
        config.write_text(f'[alert]\nsuppress = "0s"\n[metrics]\nlisten = "{listen}"\n')
        return self.lab.attach("v0", "--config", config, *options)

    @property
    def socket_path(self):
        return self.lab.run_dir / "nids-xdp/metrics.sock"

    def connect(self, listen):
        family, address = ((socket.AF_UNIX, str(self.socket_path)) if listen == "unix" else
                           (socket.AF_INET6, ("::1", PORT)) if listen.startswith("[") else
                           (socket.AF_INET, ("127.0.0.1", PORT)))
        client = self.lab.near.socket(family, socket.SOCK_STREAM)
        client.settimeout(20)
        self.addCleanup(client.close)
        client.connect(address)
        return client

    def ask(self, listen, request=REQUEST):
        with self.connect(listen) as client:
            client.sendall(request)
            return rest_of(client)

    def scrape(self, listen):
        head, _, body = self.ask(listen).partition("\r\n\r\n")
        self.assertEqual(head.splitlines()[0], "HTTP/1.1 200 OK")
        self.assertIn("Content-Type: text/plain; version=0.0.4; charset=utf-8", head)
        self.assertIn(f"Content-Length: {len(body.encode())}", head)
        return exposition.check(body)

    def check_against_stats(self, samples):
        stats = self.lab.stats()

        def value(name, **labels):
            return exposition.sample(samples, f"nids_xdp_{name}", interface="v0", **labels)
        for direction in ("ingress", "egress"):
            for unit in ("packets", "bytes"):
                self.assertEqual(value(f"seen_{unit}_total", direction=direction),
                                 stats[direction][unit])
        for result, count in stats["parse"].items():
            self.assertEqual(value("parse_result_packets_total", result=result), count)
        for name, one in stats["classes"].items():
            self.assertEqual(value("class_flows_total", **{"class": name}), one["flows"])
        for severity, count in stats["alerts"]["by_severity"].items():
            self.assertEqual(value("alerts_total", severity=severity), count)
        self.assertEqual(value("ring_consumed_records_total"), stats["ring"]["consumed"])
        self.assertEqual(value("flow_table_slots"), stats["flow_table"]["slots"])
        self.assertEqual(value("ledger_balanced"), 1)
        self.assertEqual(value("agent_running"), 1)

    def send(self, count, first=20000):
        self.lab.far.send_frames("v1", [netis(first + i) for i in range(count)])


class Stats(MetricsCase):
    LINKS = 2

    def test_all_interfaces_in_one_output(self):
        watch = self.lab.attach("v0", "v2")
        self.send(5)
        self.lab.wait_counted(ingress=5)
        done = self.lab.nids("stats", "--format", "prometheus")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        samples = exposition.check(done.stdout)
        self.check_against_stats(samples)
        interfaces = {dict(labels)["interface"] for _, labels in samples}
        self.assertEqual(interfaces, {"v0", "v2"})
        self.assertNotRegex(done.stdout, r"\d+\.\d+\.\d+\.\d+|fd7\d::")
        one = exposition.check(self.lab.nids("stats", "v2", "--format", "prometheus").stdout)
        self.assertEqual({dict(labels)["interface"] for _, labels in one}, {"v2"})
        self.assertEqual(watch.stop(), 0, watch.err)

    def test_format_json_is_json_and_one_format_is_enough(self):
        watch = self.lab.attach("v0")
        self.assertEqual(self.lab.nids("stats", "--format", "json").stdout,
                         self.lab.nids("stats", "--json").stdout)
        self.assertTrue(self.lab.nids("stats", "--format", "text").stdout.startswith("v0 (native)"))
        for wrong in (("--json", "--format", "text"), ("--format", "xml"),
                      ("--format", "prometheus", "--watch", "1")):
            done = self.lab.nids("stats", *wrong)
            self.assertEqual((done.returncode, done.stdout), (2, ""), wrong)
            self.assertIn("--", done.stderr)
        self.assertEqual(watch.stop(), 0, watch.err)

    def test_an_interface_that_was_detached_has_no_metrics(self):
        watch = self.attach_with("unix", "v2")
        self.assertEqual({dict(labels).get("interface") for _, labels in self.scrape("unix")},
                         {"v0", "v2", None})
        self.assertEqual(self.lab.nids("detach", "v2").returncode, 0)
        wait_for("metrics of v0 only", lambda: {
            dict(labels).get("interface") for _, labels in self.scrape("unix")} == {"v0", None})
        self.assertEqual(watch.stop(), 0, watch.err)

    def test_nothing_attached_is_no_metric(self):
        done = self.lab.nids("stats", "--format", "prometheus")
        self.assertEqual((done.returncode, done.stdout), (0, ""))


class Listener(MetricsCase):
    def check_listener(self, listen):
        watch = self.attach_with(listen)
        self.send(20)
        self.lab.wait_counted(ingress=20)
        wait_for("a text made since", lambda: exposition.sample(
            self.scrape(listen), "nids_xdp_ring_consumed_records_total", interface="v0") >= 20)
        self.check_against_stats(self.scrape(listen))
        for request, status in ((b"GET / HTTP/1.1\r\n\r\n", "404 Not Found"),
                                (b"POST /metrics HTTP/1.1\r\n\r\n", "405 Method Not Allowed"),
                                (b"nonsense\r\n\r\n", "400 Bad Request")):
            self.assertTrue(self.ask(listen, request).startswith(f"HTTP/1.1 {status}\r\n"))
        self.assertEqual(self.lab.status()[0]["degraded"], [])
        self.assertTrue(self.lab.status()[0]["agent_confined"]["system_calls"])
        self.assertEqual(watch.stop(), 0, watch.err)
        with self.assertRaises(OSError):
            self.connect(listen)

    def test_unix_socket(self):
        self.check_listener("unix")

    def test_ipv4(self):
        self.check_listener(f"127.0.0.1:{PORT}")

    def test_ipv6(self):
        self.check_listener(f"[::1]:{PORT}")

    def test_off_by_default(self):
        watch = self.lab.attach("v0")
        self.assertFalse(self.socket_path.exists())
        self.assertEqual(self.lab.near.run("ss", "-Hltn").stdout, "")
        self.assertEqual(watch.stop(), 0)

    def test_addresses_that_others_reach_are_refused(self):
        config = self.lab.path("wrong.toml")
        for listen in ("0.0.0.0:9177", "10.77.0.1:9177", "[::]:9177", "[fd77::1]:9177", ":9177",
                       "localhost:9177", "127.0.0.1", "127.0.0.1:0", "/tmp/x"):
            config.write_text(f'[metrics]\nlisten = "{listen}"\n')
            done = self.lab.nids("attach", "v0", "--config", config)
            self.assertEqual(done.returncode, 1, listen)
            self.assertIn(f'2:10: metrics.listen: cannot listen at "{listen}": expected "unix"',
                          done.stderr)

    def test_the_socket_has_the_rights_of_the_control_socket(self):
        watch = self.attach_with("unix")
        control, = self.socket_path.parent.glob("agent-*.sock")
        for path in (control, self.socket_path):
            about = path.stat()
            self.assertTrue(stat.S_ISSOCK(about.st_mode))
            self.assertEqual((about.st_mode & 0o007, about.st_uid), (0, 0))
        self.assertEqual(control.stat().st_gid, self.socket_path.stat().st_gid)
        self.assertEqual(watch.stop(), 0)

    def test_a_place_that_is_taken_is_an_error_and_leaves_nothing(self):
        taken = self.lab.near.socket(socket.AF_INET, socket.SOCK_STREAM)
        taken.bind(("127.0.0.1", PORT))
        taken.listen()
        self.addCleanup(taken.close)
        config = self.lab.path("metrics.toml")
        config.write_text(f'[metrics]\nlisten = "127.0.0.1:{PORT}"\n')
        done = self.lab.nids("attach", "v0", "--config", config)
        self.assertEqual(done.returncode, 1)
        self.assert_message(done.stderr.splitlines()[-2] + "\n",
                            f"cannot serve metrics at 127.0.0.1:{PORT}: Address already in use")

    def test_another_agent_serves_at_the_same_place(self):
        watch = self.attach_with(f"127.0.0.1:{PORT}")
        self.scrape(f"127.0.0.1:{PORT}")
        self.kill_agent(watch)
        self.scrape(f"127.0.0.1:{PORT}")
        watch.stop()
        again = self.attach_with(f"127.0.0.1:{PORT}")
        self.scrape(f"127.0.0.1:{PORT}")
        self.assertEqual(again.stop(), 0, again.err)

    def test_hostile_clients_harm_nothing(self):
        listen = f"127.0.0.1:{PORT}"
        watch = self.attach_with(listen)
        agent, = watch.agents
        # Slow clients: one sends half a request, one never reads its answer.
        slow = [self.connect(listen) for _ in range(4)]
        for client in slow[:2]:
            client.sendall(REQUEST[:20])
        for client in slow[2:]:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            client.sendall(REQUEST)
        # A megabyte without the end of the headers.
        with self.connect(listen) as large:
            try:
                large.sendall(b"GET /metrics HTTP/1.1\r\nX: " + b"x" * (1 << 20))
            except OSError:
                pass
            self.assertIn(rest_of(large)[:12], ("", "HTTP/1.1 431"))
        # Fifty clients at once, while packets come.
        answers = [None] * 50

        def ask(i):
            try:
                answers[i] = self.ask(listen)
            except OSError as error:
                answers[i] = repr(error)
        threads = [threading.Thread(target=ask, args=(i,)) for i in range(len(answers))]
        for thread in threads:
            thread.start()
        self.send(300)
        for thread in threads:
            thread.join(60)
        for client in slow:
            client.close()
        self.assertGreater(sum(one.startswith("HTTP/1.1 200 OK") for one in answers), 25, answers)
        stats = self.lab.wait_counted(ingress=300)
        self.assert_balanced(stats)
        self.assertEqual(stats["alerts"]["total"], 300)
        self.assertEqual(stats["ring"]["lost"], 0)
        self.assertEqual(self.lab.status()[0]["degraded"], [])
        self.scrape(listen)
        self.assertEqual(lab.children_of(watch.pid), [agent], "the same agent")
        self.assertEqual(watch.stop(), 0, watch.err)


class Documentation(MetricsCase):
    def commands(self):
        """The commands in docs/metrics.md: the lines of its blocks of sh."""
        blocks = re.findall(r"```sh\n(.*?)```", DOCS.read_text(), re.S)
        return [line for block in blocks for line in block.splitlines() if line]

    def test_what_is_told_to_type_works(self):
        watch = self.attach_with("unix")
        commands = self.commands()
        self.assertEqual(len(commands), 3, commands)
        folder = self.lab.path("text")
        folder.mkdir()
        for command in commands:
            if "127.0.0.1" in command:
                self.assertEqual(watch.stop(), 0, watch.err)
                watch = self.attach_with(f"127.0.0.1:{PORT}")
            here = command.replace("sudo ", "").replace("/run/", f"{self.lab.run_dir}/") \
                .replace("nids-xdp stats", f"{lab.binary()} stats") \
                .replace("/var/lib/prometheus/node-exporter", str(folder))
            done = self.lab.near.run("sh", "-c", here, env=self.lab.environment, check=False)
            self.assertEqual((done.returncode, done.stderr), (0, ""), command)
            text = done.stdout or (folder / "nids-xdp.prom").read_text()
            exposition.check(text)
            self.assertIn("nids_xdp_seen_packets_total", text)
        self.assertEqual(watch.stop(), 0, watch.err)

    def test_each_metric_is_in_the_table(self):
        """The table has name, kind and meaning of each metric as served, and no other metric."""
        watch = self.attach_with("unix")
        body = self.ask("unix").partition("\r\n\r\n")[2]
        served = {}
        for line in body.splitlines():
            if line.startswith("# HELP "):
                name, meaning = line[7:].split(" ", 1)
                served[name] = [meaning]
            elif line.startswith("# TYPE "):
                name, kind = line[7:].split(" ")
                served[name].append(kind)
        told = {name: [meaning, kind] for name, kind, meaning in re.findall(
            r"^\| `(nids_xdp_\w+)` \| (?:`[^|]*`)? ?\| (\w+) \| (.*) \|$", DOCS.read_text(), re.M)}
        for name in served:
            self.assertEqual(told.get(name), served[name], name)
        # Served only if the value is known.
        self.assertLessEqual(set(told) - set(served),
                             {"nids_xdp_store_oldest_packet_timestamp_seconds",
                              "nids_xdp_flow_table_sweep_seconds"})
        self.assertEqual(watch.stop(), 0, watch.err)


if __name__ == "__main__":
    lab.main(["curl", "ss"])
