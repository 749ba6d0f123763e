# SPDX-License-Identifier: GPL-2.0-or-later
"""What sits at the hub's sockets in place of relay-mqttd: says what it likes on the channel, asks for any signature."""

import os
import socket
import ssl
import struct

from .mqtt import connect_packet

HELLO, OPEN, ADMIT, REFUSE, PACKET, CLOSE, CREDIT, STOP = range(1, 9)

END = "-----END CERTIFICATE-----"


class FrontEnd:
    """Speaks the channel, or what it likes."""

    def __init__(self, world, hello=True):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(10)
        self.socket.connect(str(world.runtime() / "mqtt.channel"))
        if hello:
            self.send(HELLO, 0, struct.pack(">III", 1, os.getpid(), 128 * 1024))

    @staticmethod
    def message(kind, session, payload=b"", version=1, flags=0, size=None):
        return struct.pack(">BBHIII", version, kind, flags, session, len(payload) if size is None else size, 0) + payload

    def send(self, *arguments, **options):
        self.raw(self.message(*arguments, **options))

    def raw(self, datagram):
        self.socket.send(datagram)

    def open(self, session, *certificates):
        body = bytes([9]) + b"[::1]:123" + struct.pack(">H", 8883) + bytes([len(certificates)])
        for der in certificates:
            body += struct.pack(">H", len(der)) + der
        self.send(OPEN, session, body)

    def receive(self, *kinds):
        """(type, session, payload) of the next message of one of these kinds; None when the hub closed the channel."""
        while True:
            try:
                datagram = self.socket.recv(256 * 1024)
            except ConnectionResetError:
                return None
            if not datagram:
                return None
            while datagram:
                _, kind, _, session, size, _ = struct.unpack(">BBHIII", datagram[:16])
                payload, datagram = datagram[16:16 + size], datagram[16 + size:]
                if not kinds or kind in kinds:
                    return kind, session, payload

    def dropped(self):
        while True:
            try:
                if not self.socket.recv(256 * 1024):
                    return True
            except ConnectionResetError:
                return True
            except TimeoutError:
                return False

    def close(self):
        self.socket.close()


def chain(relay, identity):
    """DER, leaf first: what a front end names to the hub."""
    pem = relay.credentials(identity)[0].read_text()
    return [ssl.PEM_cert_to_DER_cert(part.strip() + "\n" + END) for part in pem.split(END)[:-1]]


def der(relay, identity):
    return chain(relay, identity)[0]


def normal_connect(identity):
    return connect_packet(identity)


class SignSocket:
    def __init__(self, world):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(10)
        self.socket.connect(str(world.runtime() / "mqtt.sign"))

    def ask(self, hash_bytes, version=1, size=None):
        self.socket.send(struct.pack(">BBI", version, len(hash_bytes) if size is None else size, 7) + hash_bytes)
        try:
            return self.socket.recv(1000)
        except ConnectionResetError:
            return b""
