# SPDX-License-Identifier: Apache-2.0
"""A server that logs who talks to it, a JSON object a line: {"time", "class", "transport", "client", "server"}.
For TCP it gives each connection to a program, as inetd does. For UDP it answers itself."""
import json
import socket
import subprocess
import sys
import time

MAX_CONNECTIONS = 100  # at a time; more are refused


def plain(address):
    """[address, port]; IPv4 addresses as such."""
    return [address[0].removeprefix("::ffff:"), address[1]]


def log(file, truth, transport, client, server):
    print(json.dumps({"time": time.time(), "class": truth, "transport": transport, "client": plain(client),
                      "server": plain(server)}), file=file, flush=True)


def serve_tcp(port, file, truth, argv):
    running = []
    with socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=64) as listener:
        while True:
            connection, client = listener.accept()
            running = [one for one in running if one.poll() is None]
            with connection:
                log(file, truth, "tcp", client, connection.getsockname())
                if len(running) < MAX_CONNECTIONS:
                    running.append(subprocess.Popen(argv, stdin=connection, stdout=connection,
                                                    stderr=subprocess.DEVNULL))


def serve_udp(port, file, truth, answer):
    # An IPv4 socket and an IPv6 socket each answer from the address that was asked.
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as bound:
        bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        bound.bind(("::", port))
        while True:
            _, ancillary, _, client = bound.recvmsg(65535, 256)
            server = next((socket.inet_ntop(socket.AF_INET6, data[:16]) for level, kind, data in ancillary
                           if (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO)), "::")
            log(file, truth, "udp", client, (server, port))
            bound.sendto(answer.encode(), client)


def main():
    transport, port, path, truth, *rest = sys.argv[1:]
    with open(path, "a", encoding="ascii") as file:
        if transport == "tcp":
            serve_tcp(int(port), file, truth, rest)
        else:
            serve_udp(int(port), file, truth, rest[0])


if __name__ == "__main__":
    main()
