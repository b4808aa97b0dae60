# SPDX-License-Identifier: Apache-2.0
"""Both ends of the conversations that the tests watch, inside the lab's namespaces.

Each function returns once the conversation is over and has checked that both ends got through,
so that a failed test tells of the watcher and not of the peers.
"""
import os
import pathlib
import socket
import struct
import subprocess
import threading

from lab import run, wait_for
from packets import icmp_echo

TELNET = [("s", bytes([255, 253, 24, 255, 251, 1, 255, 251, 3])),  # DO TTYPE, WILL ECHO, WILL SGA
          ("c", bytes([255, 251, 24, 255, 253, 1, 255, 253, 3])),
          ("s", bytes([255, 250, 24, 1, 255, 240])),  # SB TTYPE SEND
          ("c", bytes([255, 250, 24, 0]) + b"XTERM" + bytes([255, 240])),
          ("s", b"\r\nlab login: "), ("c", b"guest\r\n"), ("s", b"guest\r\nPassword: "),
          ("c", b"guest\r\n"), ("s", b"\r\nLogin incorrect\r\n")]

# RFC 6143 section 7.1: both versions, security type None chosen, its result.
RFB = [("s", b"RFB 003.008\n"), ("c", b"RFB 003.008\n"), ("s", b"\x01\x01"), ("c", b"\x01"),
       ("s", bytes(4)), ("c", b"\x01")]

HTTP = [("c", b"GET / HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n"),
        ("s", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")]


def sip_options(client, server):
    head = (f"Via: SIP/2.0/UDP {client}:5070;branch=z9hG4bK776\r\nFrom: <sip:a@{client}>;tag=1\r\n"
            f"Call-ID: lab@{client}\r\nCSeq: 1 OPTIONS\r\n")
    request = (f"OPTIONS sip:b@{server} SIP/2.0\r\n{head}To: <sip:b@{server}>\r\n"
               "Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n")
    reply = f"SIP/2.0 200 OK\r\n{head}To: <sip:b@{server}>;tag=2\r\nContent-Length: 0\r\n\r\n"
    return request.encode(), reply.encode()


def smb2(command, body, is_reply=False):
    """An SMB2 message (MS-SMB2 2.2.1.2) behind its direct TCP transport header."""
    header = struct.pack("<4sHHIHHIIQIIQ16s", b"\xfeSMB", 64, 1, 0, command, 31, int(is_reply), 0, 0,
                         0xFEFF, 0, 0, bytes(16))
    message = header + body
    return struct.pack("!I", len(message)) + message


def smb_negotiation():
    """NEGOTIATE (MS-SMB2 2.2.3) of dialects 2.0.2 and 2.1, and its answer (2.2.4)."""
    request = struct.pack("<HHHHI16sQHH", 36, 2, 1, 0, 0, bytes(range(16)), 0, 0x0202, 0x0210)
    reply = struct.pack("<HHHH16sIIIIQQHHI", 65, 1, 0x0210, 0, bytes(range(16)), 0, 65536, 65536,
                        65536, 0, 0, 128, 0, 0)
    return [("c", smb2(0, request)), ("s", smb2(0, reply, True))]


def dns(query_id=7):
    question = b"\x03lab\x07invalid\x00" + struct.pack("!HH", 1, 1)
    return (struct.pack("!HHHHHH", query_id, 0x0100, 1, 0, 0, 0) + question,
            struct.pack("!HHHHHH", query_id, 0x8183, 1, 0, 0, 0) + question)


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def receive(connection, size):
    data = b""
    while len(data) < size:
        part = connection.recv(min(65536, size - len(data)))
        if not part:
            raise AssertionError(f"the connection ended after {len(data)} of {size} bytes")
        data += part
    return data


def play_part(connection, script, role):
    """Says this role's lines and hears the other's."""
    for who, line in script:
        if who == role:
            connection.sendall(line)
        elif receive(connection, len(line)) != line:
            raise AssertionError("the peer said something else")


def play(connection, script, role):
    """The same, and then closes in turn."""
    play_part(connection, script, role)
    if role == "c":
        connection.shutdown(socket.SHUT_WR)
    if connection.recv(1) != b"":
        raise AssertionError("the peer said more than it should")
    connection.close()


class Thread(threading.Thread):
    """Passes on what went wrong in it, and stays on one CPU where one is given."""

    def __init__(self, body, cpu=None):
        super().__init__(daemon=True)
        self.body, self.cpu, self.error = body, cpu, None
        self.start()

    def run(self):
        try:
            if self.cpu is not None:
                os.sched_setaffinity(0, {self.cpu})  # of this thread
            self.body()
        except BaseException as error:
            self.error = error

    def finish(self, seconds=30):
        self.join(seconds)
        if self.error:
            raise self.error
        if self.is_alive():
            raise AssertionError(f"a peer did not end in {seconds} s")


def tcp_talk(client, server, address, port, script, cpus=(None, None), play_client=play,
             play_server=play):
    """`cpus`: of the client and of the server."""
    listener = server.socket(family_of(address), socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, port))
    listener.listen()

    def serve():
        connection, _ = listener.accept()
        connection.settimeout(10)
        play_server(connection, script, "s")

    def ask():
        connection = client.socket(family_of(address), socket.SOCK_STREAM)
        connection.connect((address, port))
        play_client(connection, script, "c")

    with listener:
        threads = [Thread(serve, cpus[1]), Thread(ask, cpus[0])]
        for thread in threads:
            thread.finish()


def udp_talk(client, server, address, port, request, reply, source_port, cpus=(None, None)):
    """One datagram, and its answer unless `reply` is None."""
    with server.socket(family_of(address), socket.SOCK_DGRAM) as answerer, \
            client.socket(family_of(address), socket.SOCK_DGRAM) as asker:
        answerer.bind((address, port))
        asker.bind(("", source_port))

        def ask():
            asker.sendto(request, (address, port))

        def answer():
            data, sender = answerer.recvfrom(65536)
            if data != request:
                raise AssertionError("another datagram arrived")
            if reply is not None:
                answerer.sendto(reply, sender)

        Thread(ask, cpus[0]).finish()
        Thread(answer, cpus[1]).finish()
        if reply is not None and asker.recv(65536) != reply:
            raise AssertionError("another answer arrived")


def ping(client, address, count=3):
    """ICMP echo; the kernel at the other end answers."""
    with client.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as raw:
        for sequence in range(count):
            raw.sendto(icmp_echo(0x6E78, sequence), (address, 0))
            while True:  # the socket hears all ICMP
                packet = raw.recv(65536)
                if packet[20] == 0 and packet[24:28] == struct.pack("!HH", 0x6E78, sequence):
                    break


class SshServer:
    """OpenSSH with keys and a configuration of its own, in the server's namespace."""

    def __init__(self, lab, server, address):
        self.lab, self.address = lab, address
        self.folder = lab.path(f"ssh-{server.name}-{address.replace(':', '_')}")
        self.folder.mkdir(mode=0o700)
        for key in ("host", "user"):
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.folder / key)
        config = self.folder / "sshd_config"
        config.write_text(f"ListenAddress {address}\nPort 22\nHostKey {self.folder}/host\n"
                          f"AuthorizedKeysFile {self.folder}/user.pub\nStrictModes no\nUsePAM no\n"
                          "PermitRootLogin yes\nPasswordAuthentication no\nPidFile none\n"
                          "UseDNS no\n")
        log = self.folder / "sshd.log"
        # sshd wants /run/sshd: `ip netns exec` gives it mounts of its own to have one on.
        with open(log, "wb") as err:
            lab.start(*server.command("sh", "-c", "mount -t tmpfs none /run && "
                                      f"mkdir -m 755 /run/sshd && exec $(command -v sshd) -D -e "
                                      f"-f {config}"), stderr=err)
        wait_for("sshd listening", lambda: "Server listening" in log.read_text())

    def talk_from(self, client):
        log = self.folder / "ssh.log"
        with open(log, "wb") as err:
            done = subprocess.run(
                client.command("ssh", "-F", "none", "-i", self.folder / "user", "-o", "BatchMode=yes",
                               "-o", "StrictHostKeyChecking=no", "-o",
                               f"UserKnownHostsFile={self.folder}/known", f"root@{self.address}",
                               "echo through the lab"),
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=err, timeout=20)
        if b"through the lab" not in done.stdout:
            raise AssertionError("ssh: " + log.read_text() + (self.folder / "sshd.log").read_text())


def make_certificate(lab):
    key, certificate = lab.path("tls.key"), lab.path("tls.pem")
    if not certificate.exists():
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=lab")
    return key, certificate


def tls_talk(lab, client, server, address, port=443):
    """openssl s_server and s_client: a handshake, a line each way, and both close."""
    key, certificate = make_certificate(lab)
    host = f"[{address}]" if ":" in address else address
    log = lab.path(f"s_server-{server.name}-{port}.log")
    with open(log, "wb") as out:
        process = lab.start(*server.command("openssl", "s_server", "-accept", f"{host}:{port}",
                                            "-key", key, "-cert", certificate, "-naccept", "1",
                                            "-rev"), stdout=out, stderr=out)
    wait_for("s_server listening", lambda: "ACCEPT" in log.read_text())
    asker = subprocess.Popen(
        client.command("openssl", "s_client", "-connect", f"{host}:{port}", "-quiet"),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    lab.processes.append(asker)
    asker.stdin.write(b"hello\n")
    asker.stdin.flush()
    answer = asker.stdout.readline()
    asker.stdin.close()
    if answer != b"olleh\n":
        raise AssertionError(f"s_client heard {answer!r}\n{log.read_text()}")
    asker.terminate()
    asker.wait(5)
    process.wait(5)
