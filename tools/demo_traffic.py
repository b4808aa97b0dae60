#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Both ends of the demo's traffic, a few packets of each protocol that is flagged and of two that
are not, and the alerts they raised as a table. Talks to the address it is given and nobody else."""

import json
import socket
import sys
import threading
import time

# port, name, first words of the client, answer of the server
TCP = [
    (22, "ssh", b"SSH-2.0-OpenSSH_9.2\r\n", b"SSH-2.0-OpenSSH_9.2\r\n"),
    (23, "telnet", b"\xff\xfb\x18\xff\xfb\x1f", b"\xff\xfd\x18login: "),
    (443, "https", bytes.fromhex("16030100050100000100"), bytes.fromhex("15030300020228")),
    (5900, "rfb", b"RFB 003.008\n", b"RFB 003.008\n"),
    (445, "microsoft-ds", b"\x00\x00\x00\x04\xfeSMB", b"\x00\x00\x00\x04\xfeSMB"),
    (8080, "http, not flagged", b"GET / HTTP/1.0\r\n\r\n", b"HTTP/1.0 200 OK\r\n\r\nhello\n"),
]
SIP = (
    b"OPTIONS sip:demo@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.2\r\n"
    b"Call-ID: 1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
)
UDP = [
    (5060, "sip", SIP, b"SIP/2.0 200 OK\r\n\r\n"),
    (53413, "netis", b"AAAA\x00netcore\x00", b"netis"),
    (5353, "something else, not flagged", b"hello", b"hello"),
]
DEADLINE_S = 5


def serve_tcp(listener, answer):
    while True:
        connection, _ = listener.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(answer)


def serve_udp(server, answer):
    while True:
        _, client = server.recvfrom(4096)
        server.sendto(answer, client)


def serve(address):
    for port, _, _, answer in TCP:
        listener = socket.create_server((address, port))
        threading.Thread(target=serve_tcp, args=(listener, answer), daemon=True).start()
    for port, _, _, answer in UDP:
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        server.bind((address, port))
        threading.Thread(target=serve_udp, args=(server, answer), daemon=True).start()
    print("listening", flush=True)
    time.sleep(60)  # the demo ends it long before


def send(address):
    for port, name, words, _ in TCP:
        with socket.create_connection((address, port), timeout=DEADLINE_S) as connection:
            connection.sendall(words)
            connection.recv(4096)
        print(f"  sent tcp/{port:<6}{name}")
    for port, name, words, _ in UDP:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(DEADLINE_S)
            client.sendto(words, (address, port))
            client.recv(4096)
        print(f"  sent udp/{port:<6}{name}")
    time.sleep(0.3)  # an alert is written within a few milliseconds


def show(path):
    with open(path, encoding="utf-8") as file:
        for line in file:
            event = json.loads(line)
            if event["event_type"] != "alert":
                continue  # the agent writes flow records into the same file
            alert = event["alert"]
            print(
                f'  {event["timestamp"][11:23]} severity {alert["severity"]} '
                f'{alert["signature"]:<32} {event["src_ip"]}:{event["src_port"]} -> '
                f'{event["dest_ip"]}:{event["dest_port"]}'
            )


if __name__ == "__main__":
    {"serve": serve, "send": send, "show": show}[sys.argv[1]](sys.argv[2])
