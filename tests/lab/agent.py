# SPDX-License-Identifier: GPL-2.0-or-later
"""ssh-agents: the real one, and ones that answer whatever a test wants."""

import os
import pathlib
import socket
import struct
import subprocess
import tempfile
import threading

IDENTITIES, SIGN, IDENTITIES_ANSWER, SIGN_ANSWER, FAILURE = 11, 13, 12, 14, 5


def string(data):
    data = data.encode() if isinstance(data, str) else data
    return struct.pack(">I", len(data)) + data


def packet(kind, body=b""):
    return string(bytes([kind]) + body)


def blob(raw_key, kind="ssh-ed25519"):
    return string(kind) + string(raw_key)


def identities(*keys):
    """keys: (blob, comment)"""
    return packet(IDENTITIES_ANSWER, struct.pack(">I", len(keys)) + b"".join(string(key) + string(text) for key, text in keys))


def signature(sig, kind="ssh-ed25519"):
    return packet(SIGN_ANSWER, string(string(kind) + string(sig)))


class RealAgent:
    """ssh-agent in the foreground, below a folder with a short name (sockets' paths are short)."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="agent-", dir="/tmp")
        self.socket = pathlib.Path(self.folder.name) / "socket"
        self.env = {"SSH_AUTH_SOCK": str(self.socket)}
        self.process = subprocess.Popen(["ssh-agent", "-D", "-a", str(self.socket)], stdout=subprocess.PIPE, text=True)
        assert "SSH_AUTH_SOCK" in self.process.stdout.readline()

    def add(self, key, *options, **environment):
        subprocess.run(["ssh-add", *options, str(key)], check=True, capture_output=True, stdin=subprocess.DEVNULL,
                       env={**os.environ, **self.env, **environment})

    def close(self):
        self.process.terminate()
        self.process.wait(10)
        self.process.stdout.close()
        self.folder.cleanup()


class FakeAgent:
    """answer(kind, body) gives the bytes to send; None closes the connection without a word. once: closes after one."""

    def __init__(self, answer, once=False):
        self.answer, self.once = answer, once
        self.folder = tempfile.TemporaryDirectory(prefix="agent-", dir="/tmp")
        self.socket = pathlib.Path(self.folder.name) / "socket"
        self.env = {"SSH_AUTH_SOCK": str(self.socket)}
        self.signed = []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.socket))
        self.listener.listen(4)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            with client, client.makefile("rb") as stream:
                try:
                    while self.talk(client, stream) and not self.once:
                        pass
                except OSError:  # it hung up on us
                    pass

    def talk(self, client, stream):
        head = stream.read(4)
        if len(head) < 4:
            return False
        message = stream.read(struct.unpack(">I", head)[0])
        if message[0] == SIGN:
            self.signed.append(message)
        answer = self.answer(message[0], message[1:])
        if answer:
            client.sendall(answer)
        return answer is not None

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.folder.cleanup()


def data_to_sign(body):
    """What a sign request is about: (blob, data, flags)."""
    parts = []
    for _ in range(2):
        size, = struct.unpack(">I", body[:4])
        parts.append(body[4:4 + size])
        body = body[4 + size:]
    return parts[0], parts[1], struct.unpack(">I", body)[0]


def openssh_key(path, kind="ed25519", comment="a key"):
    """path and path.pub as ssh-keygen makes them, without passphrase"""
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", comment, "-f", str(path)], check=True,
                   stdin=subprocess.DEVNULL, capture_output=True)


def openssh_copy(pkcs8, path, comment):
    """A PKCS#8 key of ours in OpenSSH's form, as ssh-add reads it."""
    from cryptography.hazmat.primitives import serialization
    key = serialization.load_pem_private_key(pathlib.Path(pkcs8).read_bytes(), None)
    pathlib.Path(path).touch(0o600)
    pathlib.Path(path).write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH,
                                                     serialization.NoEncryption()))
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    pathlib.Path(f"{path}.pub").write_bytes(public + b" " + comment.encode() + b"\n")
