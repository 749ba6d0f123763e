# SPDX-License-Identifier: GPL-2.0-or-later
"""A gateway and the world outside of it, as two network namespaces with one wire between them and no way out.

Public addresses live only here. Every place is on link: the gateway has address .1 (or ::1), the outside .10 (or ::10)
of each network below.
"""

import contextlib
import ctypes
import json
import os
import socket
import subprocess

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000

# country (None: not in the database) -> the network's beginning, IPv4 and IPv6
PLACES = {
    "FI": ("192.0.2.", "2001:db8:1::"),
    "RU": ("198.51.100.", "2001:db8:2::"),
    "SE": ("203.0.113.", "2001:db8:3::"),
    None: ("198.18.0.", "2001:db8:9::"),
    "LAN": ("10.0.0.", "fd00:1::"),
}


class Namespace:
    def __init__(self, name):
        self.name = name
        self.holder = subprocess.Popen(["unshare", "--net", "sh", "-c", "echo ready; exec sleep infinity"],
                                       stdout=subprocess.PIPE, text=True)
        assert self.holder.stdout.readline() == "ready\n"
        self.run("ip", "link", "set", "lo", "up")

    def command(self, *command):
        """How to run a command in here."""
        return ["nsenter", f"--net=/proc/{self.holder.pid}/ns/net", *[str(part) for part in command]]

    def run(self, *command, check=True, text=None):
        done = subprocess.run(self.command(*command), capture_output=True, text=True, input=text, timeout=60)
        assert not check or done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout

    @contextlib.contextmanager
    def entered(self):
        """This thread is in here: what it opens belongs to the namespace."""
        with open("/proc/thread-self/ns/net") as home, open(f"/proc/{self.holder.pid}/ns/net") as here:
            assert LIBC.setns(here.fileno(), CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
            try:
                yield
            finally:
                assert LIBC.setns(home.fileno(), CLONE_NEWNET) == 0

    def socket(self, family, kind=socket.SOCK_STREAM):
        with self.entered():
            return socket.socket(family, kind)

    def close(self):
        self.holder.kill()
        self.holder.wait()
        self.holder.stdout.close()


class Net:
    def __init__(self):
        self.gateway, self.outside = Namespace("gateway"), Namespace("outside")
        self.gateway.run("ip", "link", "add", "wan0", "type", "veth", "peer", "name", "wan0", "netns", str(self.outside.holder.pid))
        for namespace, host in ((self.gateway, "1"), (self.outside, "10")):
            namespace.run("sysctl", "-qw", "net.ipv6.conf.wan0.accept_dad=0")
            for ipv4, ipv6 in PLACES.values():
                namespace.run("ip", "address", "add", f"{ipv4}{host}/24", "dev", "wan0")
                namespace.run("ip", "address", "add", f"{ipv6}{host}/64", "dev", "wan0", "nodad")
            namespace.run("ip", "link", "set", "wan0", "up")

    @staticmethod
    def address(place, version, host):
        return PLACES[place][0 if version == 4 else 1] + str(host)

    def listen(self, version, port, namespace=None):
        family = socket.AF_INET if version == 4 else socket.AF_INET6
        server = (namespace or self.gateway).socket(family)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if version == 6:
            server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        server.bind(("", port))
        server.listen(1000)
        return server

    def connect(self, place, version, port, timeout=0.7, host=10):
        """From outside to the gateway, as somebody of that place; a socket, or None if nobody answers."""
        family = socket.AF_INET if version == 4 else socket.AF_INET6
        client = self.outside.socket(family)
        client.settimeout(timeout)
        client.bind((self.address(place, version, host), 0))
        try:
            client.connect((self.address(place, version, 1), port))
        except OSError:
            client.close()
            return None
        client.settimeout(20)
        return client

    def reaches(self, place, version, port, **options):
        client = self.connect(place, version, port, **options)
        if client:
            client.close()
        return client is not None

    def nft(self, *command, text=None):
        return self.gateway.run("nft", *command, text=text)

    def ruleset(self):
        return json.loads(self.nft("-j", "list", "ruleset"))["nftables"]

    def table(self, kind, name=None, table="relayd"):
        """Objects of a kind (set, chain, rule, counter) in our table."""
        found = [entry[kind] for entry in self.ruleset() if kind in entry]
        return [o for o in found if o.get("table") == table and (name is None or o["name"] == name)]

    def counter(self, name):
        return self.table("counter", name)[0]["packets"]

    def close(self):
        self.gateway.close()
        self.outside.close()


def possible():
    """Namespaces need root (or a user namespace around everything: unshare -Urn)."""
    return subprocess.run(["unshare", "--net", "true"], capture_output=True).returncode == 0


def has_users():
    """Are there other users to become? Not in an ordinary user's own user namespace."""
    with open("/proc/self/uid_map") as users:
        return sum(int(line.split()[2]) for line in users) > 1
