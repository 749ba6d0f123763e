# SPDX-License-Identifier: GPL-2.0-or-later
"""A man in the middle of a TCP connection: forwards, changes, keeps or answers himself."""

import contextlib
import socket
import ssl
import threading


class Wire:
    """Listens where somebody looks for his peer. mode may be changed at any time and counts for new bytes:
        pass    forwards
        flip    changes one bit of every piece that goes to the one who connected
        answer  ends TLS himself, with credentials (certificate, key) of his own
    heard: every byte that was sent by the ones who connected, by connection.
    """

    def __init__(self, port, target, credentials=None):
        self.target, self.mode = target, "pass"
        self.heard, self.flipped, self.fooled = [], 0, []
        self.context = None
        if credentials:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*credentials)
        self.open = set()
        self.lock, self.ended = threading.Lock(), threading.Event()
        self.listener = socket.create_server(("127.0.0.1", port))
        self.listener.settimeout(0.1)
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def accept(self):
        while not self.ended.is_set():
            try:
                client, _ = self.listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            with self.lock:
                self.open.add(client)
            threading.Thread(target=self.answer if self.mode == "answer" else self.forward, args=(client,), daemon=True).start()

    def answer(self, client):
        with contextlib.suppress(OSError):
            client.settimeout(10)
            with self.context.wrap_socket(client, server_side=True) as tls:
                self.fooled.append(tls.recv(4096))

    def forward(self, client):
        try:
            server = socket.create_connection(("127.0.0.1", self.target), timeout=10)
            server.settimeout(None)
        except OSError:
            client.close()
            return
        with self.lock:
            self.open.add(server)
        heard = bytearray()
        self.heard.append(heard)
        threading.Thread(target=self.pump, args=(server, client, None), daemon=True).start()
        self.pump(client, server, heard)

    def pump(self, source, sink, heard):
        with contextlib.suppress(OSError):
            while piece := source.recv(65536):
                if heard is not None:
                    heard += piece
                elif self.mode == "flip":
                    piece = piece[:-1] + bytes([piece[-1] ^ 1])
                    self.flipped += 1
                sink.sendall(piece)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def cut(self):
        """All connections break."""
        with self.lock:
            ends, self.open = self.open, set()
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def become(self, mode):
        self.mode = mode
        self.cut()

    def close(self):
        self.ended.set()
        self.thread.join()
        self.listener.close()
        self.cut()
