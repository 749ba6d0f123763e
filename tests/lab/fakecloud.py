# SPDX-License-Identifier: GPL-2.0-or-later
"""A cloud that behaves badly on purpose: a TLS server in Python whose script decides what happens at each point."""

import socket
import ssl
import threading
import time


class FakeCloud:
    """behaviour: a name below; the rest of the exchange is as a correct broker would do it."""

    BEHAVIOURS = ("refuse-tcp", "close-at-tcp", "stall-tls", "garbage-tls", "close-after-tls", "stall-connack", "refuse-connack",
                  "garbage-connack", "close-after-connack", "endless-packet", "stall-suback", "stall-puback", "wrong-puback",
                  "close-at-publish")

    def __init__(self, certificates, behaviour, port):
        self.behaviour = behaviour
        self.connections = 0
        self.published = 0
        self.ended = threading.Event()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_3
        self.context.load_cert_chain(certificates / "cloud.crt", certificates / "cloud.key")
        self.listener = None
        if behaviour != "refuse-tcp":
            self.listener = socket.create_server(("127.0.0.1", port))
            self.listener.settimeout(0.2)
            self.thread = threading.Thread(target=self.serve, daemon=True)
            self.thread.start()

    def serve(self):
        while not self.ended.is_set():
            try:
                plain, _ = self.listener.accept()
            except (TimeoutError, socket.timeout):
                continue
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.handle, args=(plain,), daemon=True).start()

    def stall(self, connection):
        connection.settimeout(0.2)
        end = time.monotonic() + 60
        while not self.ended.is_set() and time.monotonic() < end:
            try:
                if not connection.recv(4096):
                    return
            except (TimeoutError, socket.timeout, ssl.SSLError):
                continue
            except OSError:
                return

    def handle(self, plain):
        try:
            self.talk(plain)
        except (OSError, EOFError, ssl.SSLError):
            pass
        finally:
            plain.close()

    def talk(self, plain):
        do = self.behaviour
        if do == "close-at-tcp":
            return
        if do == "stall-tls":
            self.stall(plain)
            return
        if do == "garbage-tls":
            plain.sendall(b"\x00" * 64)
            return
        with self.context.wrap_socket(plain, server_side=True) as tls:
            if do == "close-after-tls":
                return
            self.read_packet(tls)
            if do == "stall-connack":
                self.stall(tls)
            elif do == "refuse-connack":
                tls.sendall(b"\x20\x03\x00\x87\x00")
            elif do == "garbage-connack":
                tls.sendall(b"\xff" * 32)
            elif do == "endless-packet":
                tls.sendall(b"\x20\x03\x00\x00\x00" + b"\x30\xff\xff\xff\x7f")
                while not self.ended.is_set():
                    tls.sendall(bytes(65536))
            else:
                tls.sendall(b"\x20\x03\x00\x00\x00")
                if do != "close-after-connack":
                    self.serve_session(tls)

    def serve_session(self, tls):
        while not self.ended.is_set():
            first, body = self.read_packet(tls)
            kind = first >> 4
            if kind == 8 and self.behaviour != "stall-suback":
                count = self.count_filters(body)
                tls.sendall(bytes([0x90, 3 + count]) + body[:2] + b"\x00" + b"\x01" * count)
            elif kind == 3 and first & 6:
                self.published += 1
                size = int.from_bytes(body[:2], "big")
                packet_id = body[2 + size:4 + size]
                if self.behaviour == "close-at-publish":
                    return
                if self.behaviour == "wrong-puback":
                    packet_id = bytes([packet_id[0] ^ 0x55, packet_id[1]])
                if self.behaviour != "stall-puback":
                    tls.sendall(b"\x40\x02" + packet_id)
            elif kind == 12:
                tls.sendall(b"\xd0\x00")

    @staticmethod
    def count_filters(body):
        at, count = 3 + body[2], 0  # property lengths below 128
        while at < len(body):
            at += 2 + int.from_bytes(body[at:at + 2], "big") + 1
            count += 1
        return count

    @staticmethod
    def read_packet(tls):
        def exactly(size):
            data = b""
            while len(data) < size:
                part = tls.recv(size - len(data))
                if not part:
                    raise EOFError
                data += part
            return data
        first = exactly(1)[0]
        size, shift = 0, 0
        while True:
            byte = exactly(1)[0]
            size |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return first, exactly(size)

    def close(self):
        self.ended.set()
        if self.listener:
            self.thread.join()  # while it waits in accept(), the port stays taken whatever is closed
            self.listener.close()
