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
        replay  says what the peer said in the longest connection so far
    heard, told: every byte that went to the peer and from it, by connection.
    """

    def __init__(self, port, target, credentials=None):
        self.target, self.mode = target, "pass"
        self.heard, self.told, self.flipped, self.fooled = [], [], 0, []
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
            handle = {"answer": self.answer, "replay": self.replay}.get(self.mode, self.forward)
            threading.Thread(target=handle, args=(client,), daemon=True).start()

    def replay(self, client):
        with contextlib.suppress(OSError):
            client.settimeout(10)
            client.recv(65536)
            client.sendall(bytes(max(self.told, key=len)))
            while client.recv(65536):
                pass

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
        heard, told = bytearray(), bytearray()
        self.heard.append(heard)
        self.told.append(told)
        threading.Thread(target=self.pump, args=(server, client, told, True), daemon=True).start()
        self.pump(client, server, heard)

    def pump(self, source, sink, record, to_client=False):
        with contextlib.suppress(OSError):
            while piece := source.recv(65536):
                record += piece
                if to_client and self.mode == "flip":
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
