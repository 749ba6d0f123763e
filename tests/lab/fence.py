# SPDX-License-Identifier: GPL-2.0-or-later
"""A site behind a fence: devices, gateway and cloud in network namespaces of their own, and captures of what passes on each wire.

    devices (10.77.0.10) --lan-- gateway (10.77.0.1 | 203.0.113.1) --wan-- cloud (203.0.113.10)

The gateway forwards, and everybody's default route leads to the cloud: nothing but their own will keeps devices away from it.
"""

import collections
import ctypes
import socket
import struct
import threading

from .netns import Namespace
from .site import SITE, PEOPLE, THRESHOLD, World

DEVICES, GATEWAY_LAN, GATEWAY_WAN, CLOUD = "10.77.0.10", "10.77.0.1", "203.0.113.1", "203.0.113.10"
ETH_P_ALL, SOL_PACKET, PACKET_STATISTICS, PACKET_OUTGOING = 3, 263, 6, 4

Packet = collections.namedtuple("Packet", "source destination protocol port syn")


class Capture:
    """Every frame on an interface, both ways, from now on. Fails if the kernel had to leave one out."""

    def __init__(self, namespace, interface):
        with namespace.entered():
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self.socket.setsockopt(socket.SOL_SOCKET, 33, 16 << 20)  # SO_RCVBUFFORCE
        self.socket.bind((interface, ETH_P_ALL))
        self.socket.settimeout(0.2)
        self.packets, self.others, self.ended = [], collections.Counter(), False
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        while not self.ended:
            try:
                self.take(self.socket.recv(65536))
            except TimeoutError:
                continue
            except OSError:
                return

    def take(self, frame):
        kind = struct.unpack_from("!H", frame, 12)[0]
        if kind != 0x0800:
            self.others[kind] += 1
            return
        header = (frame[14] & 15) * 4
        protocol, source, destination = frame[23], socket.inet_ntoa(frame[26:30]), socket.inet_ntoa(frame[30:34])
        port, syn = 0, False
        if protocol in (6, 17):
            port = struct.unpack_from("!H", frame, 14 + header + 2)[0]
        if protocol == 6:
            syn = frame[14 + header + 13] & 0x12 == 0x02
        self.packets.append(Packet(source, destination, protocol, port, syn))

    def between(self, source, destination):
        return [packet for packet in list(self.packets) if packet.source == source and packet.destination == destination]

    def syns(self, source, destination):
        return sum(packet.syn for packet in self.between(source, destination))

    def complete(self):
        """Did the kernel hand out every frame?"""
        statistics = self.socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, ctypes.sizeof(ctypes.c_uint32) * 2)
        return struct.unpack("II", statistics)[1] == 0

    def close(self):
        self.ended = True
        self.thread.join()
        self.socket.close()


def wire(one, name, address, other, other_name, other_address):
    one.run("ip", "link", "add", name, "type", "veth", "peer", "name", other_name, "netns", str(other.holder.pid))
    for namespace, interface, own in ((one, name, address), (other, other_name, other_address)):
        namespace.run("ip", "address", "add", f"{own}/24", "dev", interface)
        namespace.run("ip", "link", "set", interface, "up")


class Fence(World):
    """relay_only: the site policy's mode. uplink: does the relay speak to the cloud?"""

    def __init__(self, build, relay_only, uplink=True, **options):
        super().__init__(build, **options)
        self.relay_only, self.uplink = relay_only, uplink
        self.port, self.cloud_address = 8883, CLOUD
        self.lan, self.gateway, self.outside = (Namespace(name) for name in ("devices", "gateway", "cloud"))
        for namespace in (self.lan, self.gateway, self.outside):
            namespace.run("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")
        wire(self.lan, "lan0", DEVICES, self.gateway, "lan0", GATEWAY_LAN)
        wire(self.gateway, "wan0", GATEWAY_WAN, self.outside, "wan0", CLOUD)
        self.gateway.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
        self.lan.run("ip", "route", "add", "default", "via", GATEWAY_LAN)
        self.gateway.run("ip", "route", "add", "default", "via", CLOUD)
        self.outside.run("ip", "route", "add", "default", "via", GATEWAY_WAN)
        self.at_devices, self.at_cloud = Capture(self.lan, "lan0"), Capture(self.outside, "wan0")

    def placed(self, name, command):
        if name in ("hub", "front"):
            return self.gateway.command(*command)
        return self.lan.command(*command) if name.startswith("device-") else command

    def listen_options(self):
        return ["--listen", f"{GATEWAY_LAN}:{self.port}"]

    def make_relay(self):
        certificates, gateway = self.cloud.certificates, self.folder / "gateway"
        approvers = [part for person in PEOPLE
                     for part in ("--approver", self.folder / "people" / person / "approver.key.pub")]
        cloud = ["--cloud", f"{CLOUD}:{self.cloud.port}", "--cloud-pin", self.pin(certificates / "cloud.crt"), "--uplink-ca",
                 certificates / "ca.crt", "--uplink-certificate", certificates / f"relay.{SITE}.crt", "--uplink-key",
                 certificates / f"relay.{SITE}.key"] if self.uplink else []
        self.relayctl("setup", "--root", gateway, "--site", SITE, *approvers, "--threshold", THRESHOLD, "--listen",
                      f"{GATEWAY_LAN}:{self.port}", *cloud, *(["--relay-only"] if self.relay_only else []), "--device-ca",
                      self.folder / "factory" / "ca" / "ca.crt", "--bus-address", self.bus, "--yes")
        self.policy = gateway / "etc" / "relayd" / "site-policy.cbor"
        for person in PEOPLE[:THRESHOLD]:
            self.relayctl("approvers", "sign", self.policy, "--key", self.folder / "people" / person / "approver.key", "--yes",
                          person=person)

    def make_cloud(self, persistence=False):
        super().make_cloud(persistence)
        self.cloud.command = self.outside.command

    def close(self):
        super().close()
        for capture in (self.at_devices, self.at_cloud):
            capture.close()
        for namespace in (self.lan, self.gateway, self.outside):
            namespace.close()
