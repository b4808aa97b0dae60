# SPDX-License-Identifier: Apache-2.0
"""What the hosts of a scenario serve, each by a real server and a real client of Debian."""
import dataclasses
import pathlib
import subprocess
from collections.abc import Callable

# What the listener of a backdoor on UDP 53413 is sent, and answers.
PROBE, ANSWER = "AA", "Login:"


def command(*parts):
    return lambda folder, port, log: [str(part).format(folder=folder, port=port) for part in parts]


def nothing(_):
    pass


@dataclasses.dataclass(frozen=True)
class Kind:
    port: int             # the usual one
    truth: str | None     # the protocol class of its connections; None: ordinary traffic
    programs: dict        # program: the package that has it
    server: Callable      # (folder, port, log) -> argv; the log is for servers that get no single connection
    client: str           # for sh, with {address}, {url_host}, {port} and {folder}
    prepare: Callable = nothing  # (folder), once for all hosts
    # The server gets each connection as its standard input and output, from a process that logs it.
    is_per_connection: bool = False
    transport: str = "tcp"


def run(*argv):
    subprocess.run([str(part) for part in argv], check=True, capture_output=True)


def prepare_ssh(folder):
    for name in ("server", "client"):
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name)
    pathlib.Path("/run/sshd").mkdir(exist_ok=True)
    (folder / "sshd_config").write_text(
        f"HostKey {folder}/server\nAuthorizedKeysFile {folder}/client.pub\nStrictModes no\nUsePAM no\n"
        # No shell: its start-up files on this machine may do anything.
        "PermitRootLogin yes\nPidFile none\nSubsystem sftp internal-sftp\nForceCommand internal-sftp\n")
    (folder / "document").write_bytes(b"x" * 20_000)


def prepare_web(folder):
    (folder / "www").mkdir(exist_ok=True)
    (folder / "www/index.html").write_bytes(b"x" * 20_000)


def prepare_tls(folder):
    prepare_web(folder)
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "7",
        "-keyout", folder / "key.pem", "-out", folder / "cert.pem", "-subj", "/CN=lab")


def prepare_ftp(folder):
    prepare_web(folder)
    pathlib.Path("/run/vsftpd/empty").mkdir(parents=True, exist_ok=True)
    (folder / "vsftpd.conf").write_text(
        f"listen=NO\nlisten_ipv6=NO\nanonymous_enable=YES\nlocal_enable=NO\nanon_root={folder}/www\n"
        "xferlog_enable=NO\nsecure_chroot_dir=/run/vsftpd/empty\n")


def nginx(is_tls):
    def argv(folder, port, log):
        mode = " ssl" if is_tls else ""
        keys = f"ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;" if is_tls else ""
        config = pathlib.Path(f"{log}.conf")
        ends = ("\"client\": [\"$remote_addr\", $remote_port], \"server\": [\"$server_addr\", $server_port]")
        # A class of connections, where TLS is one; the log has a line for each request.
        log = f"access_log {log} truth" if is_tls else "access_log off"
        config.write_text(f"daemon off; user root; pid /dev/null; error_log /dev/null; events {{}} http {{ "
                          f"log_format truth escape=json '{{\"time\": $msec, \"class\": \"tls\", "
                          f"\"transport\": \"tcp\", {ends}}}'; {log}; server {{ listen {port}{mode}; "
                          f"listen [::]:{port}{mode}; {keys} root {folder}/www; }} }}\n")
        return ["nginx", "-c", str(config)]
    return argv


KINDS = {
    "ssh": Kind(22, "ssh", {"sshd": "openssh-server", "sftp": "openssh-client"},
                command("/usr/sbin/sshd", "-i", "-f", "{folder}/sshd_config"),
                "echo get {folder}/document /dev/null | sftp -P {port} -i {folder}/client -b - -o LogLevel=error "
                "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null root@{url_host}",
                prepare_ssh, is_per_connection=True),
    "telnet": Kind(23, "telnet", {"telnetd": "inetutils-telnetd", "inetutils-telnet": "inetutils-telnet"},
                   command("telnetd", "-h", "-E", "/bin/echo Login incorrect"),
                   "(sleep 0.5; echo guest; sleep 0.5) | inetutils-telnet {address} {port}", is_per_connection=True),
    "netis": Kind(53413, "netis", {"bash": "bash"}, command(ANSWER),
                  "bash -c 'exec 3<>/dev/udp/{address}/{port}; printf " + PROBE + " >&3; "
                  "timeout 10 head -c " + str(len(ANSWER)) + " <&3'", transport="udp"),
    # Without a data connection.
    "ftp": Kind(21, "ftp", {"vsftpd": "vsftpd", "curl": "curl"}, command("vsftpd", "{folder}/vsftpd.conf"),
                "curl -sS -m 15 -I -o /dev/null ftp://{url_host}:{port}/index.html", prepare_ftp,
                is_per_connection=True),
    "http": Kind(80, None, {"nginx": "nginx-light", "curl": "curl"}, nginx(False),
                 "curl -sS -m 15 -o /dev/null http://{url_host}:{port}/", prepare_web),
    "https": Kind(443, "tls", {"nginx": "nginx-light", "curl": "curl", "openssl": "openssl"}, nginx(True),
                  "curl -sSk -m 15 -o /dev/null https://{url_host}:{port}/", prepare_tls),
}
