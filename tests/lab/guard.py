# SPDX-License-Identifier: GPL-2.0-or-later
"""relay-guardd with a hub of the test's own: the hub's end of the channel, policies as records, a small database."""

import os
import select
import socket
import struct
import subprocess
import time

import cbor2

from lab.netns import PLACES
from lab.process import PATIENCE, LabError, Process

HUB_USER = 12345  # whose traffic is judged as the uplink's; not the servers' of the test
HEADER = struct.Struct(">BBHIII")
HELLO, PACKET = 1, 5
READY, POLICY, CONFIRM, UPLINK, RELOAD, COUNT, APPLIED, ROLLED_BACK, RESTORED, REFUSED, COUNTERS, LINK = range(1, 13)
OFF, ALLOW, DENY = range(3)
INBOUND, UPLINK_DIRECTION, ADMIN = range(3)


def rule(mode=OFF, countries=(), unknown=False):
    bits = bytearray(85)
    for code in countries:
        n = (ord(code[0]) - 65) * 26 + ord(code[1]) - 65
        bits[n // 8] |= 1 << n % 8
    return [mode, unknown, bytes(bits).rstrip(b"\0")]


def policy(inbound=None, uplink=None, admin=None, exempt=(), ports=(), lockdown=False, lockdown_ports=(), judge_local=False):
    """The record of policy/country.h. exempt: (address bytes, prefix), ports: (port, rule); both in order."""
    return cbor2.dumps({0: 1, 1: [inbound or rule(), uplink or rule(), admin or rule()], 2: [list(e) for e in exempt],
                        3: [list(p) for p in ports], 4: lockdown, 5: list(lockdown_ports), 6: judge_local})


def number(text):
    family = socket.AF_INET6 if ":" in text else socket.AF_INET
    return int.from_bytes(socket.inet_pton(family, text), "big")


def make_database(build, folder, places=None):
    """The database of lab/netns.py's places, compiled as ever."""
    places = places or {country: networks for country, networks in PLACES.items() if country not in (None, "LAN")}
    ranges4 = sorted((number(ipv4 + "0"), number(ipv4 + "255"), country) for country, (ipv4, _) in places.items())
    (folder / "geoip").write_text("".join(f"{first},{last},{country}\n" for first, last, country in ranges4))
    ranges6 = sorted((number(ipv6), ipv6, ipv6 + "ffff:ffff:ffff:ffff", country) for country, (_, ipv6) in places.items())
    (folder / "geoip6").write_text("".join(f"{first},{last},{country}\n" for _, first, last, country in ranges6))
    subprocess.run([build / "relayd/country/relay-country", "compile", "--output", folder / "country.db",
                    "--tor4", folder / "geoip", "--tor6", folder / "geoip6"], check=True, capture_output=True)
    return folder / "country.db"


class Hub:
    """The hub's end of <runtime>/guard.channel."""

    def __init__(self, path):
        self.path = path
        path.unlink(missing_ok=True)
        self.server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.server.bind(str(path))
        self.server.listen(1)
        self.peer, self.messages, self.token = None, [], 0

    def accept(self):
        self.server.settimeout(PATIENCE)
        self.peer, _ = self.server.accept()
        self.messages = []
        self.peer.sendall(HEADER.pack(1, HELLO, 0, 0, 12, 0) + struct.pack(">III", 1, os.getpid(), 128 * 1024))
        return self.wait(READY)

    def send(self, *message):
        payload = cbor2.dumps(list(message))
        self.peer.sendall(HEADER.pack(1, PACKET, 0, 1, len(payload), 0) + payload)

    def read(self, wait):
        if not select.select([self.peer], [], [], wait)[0]:
            return
        data = self.peer.recv(256 * 1024)
        if not data:
            raise LabError("the guard closed the channel")
        while data:
            _, kind, _, _, size, _ = HEADER.unpack(data[:16])
            if kind == PACKET:
                self.messages.append(cbor2.loads(data[16:16 + size]))
            data = data[16 + size:]

    def wait(self, kind, matching=lambda message: True):
        """The next message of this kind; others of it that do not match are dropped, other kinds stay."""
        end = time.monotonic() + PATIENCE
        while True:
            for message in [m for m in self.messages if m[0] == kind]:
                self.messages.remove(message)
                if matching(message):
                    return message[1:]
            if time.monotonic() > end:
                raise LabError(f"no message {kind} came; there are {self.messages}")
            self.read(0.2)

    def apply(self, record, confirm=0, expect=0):
        self.token += 1
        self.send(POLICY, self.token, record, confirm)
        answer = self.wait(APPLIED, lambda m: m[1] == self.token)
        assert answer[1] == expect, answer
        return dict(zip(("token", "result", "sentence", "microseconds", "intervals4", "intervals6", "bytes"), answer))

    def drop(self):
        self.peer.close()

    def close(self):
        if self.peer:
            self.peer.close()
        self.server.close()


class Guard:
    """relay-guardd in a gateway's namespace, with its hub."""

    def __init__(self, build, net, folder, *options, database=None, user=HUB_USER):
        self.build, self.net, self.folder, self.options, self.user = build, net, folder, options, user
        self.database = database or make_database(build, folder)
        self.hub = Hub(folder / "guard.channel")
        self.process = None

    def start(self, namespace=None):
        command = [self.build / "relayd/guard/relay-guardd", "--channel", self.hub.path, "--database", self.database,
                   "--hub-user", self.user, *self.options]
        self.process = Process("guard", (namespace or self.net.gateway).command(*command), self.folder / "guard.log")
        return self.hub.accept()

    def kill(self):
        self.process.popen.kill()
        self.process.popen.wait()

    def close(self):
        if self.process and self.process.popen.poll() is None:
            self.kill()
        self.hub.close()
