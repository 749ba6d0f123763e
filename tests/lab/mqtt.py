# SPDX-License-Identifier: GPL-2.0-or-later
"""Clients against relay-mqttd that are not ours: Python's ssl with hand-written packets, paho, mosquitto's programs."""

import contextlib
import queue
import socket
import ssl
import struct
import subprocess

import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from .process import LabError, Process


def tls_context(credentials, minimum=ssl.TLSVersion.TLSv1_3, maximum=ssl.TLSVersion.MAXIMUM_SUPPORTED):
    certificate, key, ca = credentials
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version, context.maximum_version = minimum, maximum
    context.load_verify_locations(ca)
    context.check_hostname = False
    if certificate:
        context.load_cert_chain(certificate, key)
    return context


class Raw:
    """A TLS connection that sends any bytes and reads MQTT packets."""

    def __init__(self, port, credentials, plain=None, **versions):
        plain = plain or socket.create_connection(("127.0.0.1", port), timeout=20)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.tls = tls_context(credentials, **versions).wrap_socket(plain)

    def send(self, data):
        self.tls.sendall(data)

    def read(self, size):
        data = b""
        while len(data) < size:
            part = self.tls.recv(size - len(data))
            if not part:
                raise EOFError
            data += part
        return data

    def packet(self):
        """(type, flags, body) of the next packet; None when the relay closed the connection."""
        try:
            first = self.read(1)[0]
            size, shift = 0, 0
            while True:
                byte = self.read(1)[0]
                size |= (byte & 0x7F) << shift
                shift += 7
                if not byte & 0x80:
                    break
            return first >> 4, first & 15, self.read(size)
        except (EOFError, ConnectionResetError, ssl.SSLError):
            return None

    def close(self):
        self.tls.close()


def text(value):
    data = value.encode() if isinstance(value, str) else value
    return struct.pack(">H", len(data)) + data


def variable(number):
    out = b""
    while True:
        byte, number = number & 0x7F, number >> 7
        out += bytes([byte | (0x80 if number else 0)])
        if not number:
            return out


def frame(first, body):
    return bytes([first]) + variable(len(body)) + body


def connect_packet(client_id, version=5, clean=True, keep_alive=60, properties=b""):
    body = text("MQTT") + bytes([version, 2 if clean else 0]) + struct.pack(">H", keep_alive)
    if version == 5:
        body += variable(len(properties)) + properties
    return frame(0x10, body + text(client_id))


class Paho:
    """paho-mqtt with waiting calls."""

    def __init__(self, port, credentials, client_id, version=5, clean=True, expiry=0, will=None):
        protocol = paho.MQTTv5 if version == 5 else paho.MQTTv311
        arguments = {} if version == 5 else {"clean_session": clean}
        self.client = paho.Client(client_id=client_id, protocol=protocol, **arguments)
        self.client.tls_set_context(tls_context(credentials))
        self.client.tls_insecure_set(True)
        self.client.on_connect = lambda _c, _u, flags, reason, *_: self.connected.put((flags, code(reason)))
        self.client.on_message = lambda _c, _u, message: self.messages.put(message)
        self.client.on_subscribe = lambda _c, _u, _m, reasons, *_: self.subscribed.put([code(r) for r in reasons])
        self.client.on_publish = lambda _c, _u, mid: self.published.put(mid)
        self.client.on_disconnect = lambda _c, _u, reason, *_: self.closed.put(code(reason))
        self.connected, self.messages, self.subscribed, self.published, self.closed = (queue.Queue() for _ in range(5))
        if will:
            self.client.will_set(*will)
        extra = {}
        if version == 5:
            properties = Properties(PacketTypes.CONNECT)
            properties.SessionExpiryInterval = expiry
            extra = {"clean_start": clean, "properties": properties}
        self.client.connect("127.0.0.1", port, keepalive=30, **extra)
        self.client.loop_start()
        self.flags, self.reason = self.connected.get(timeout=20)

    def subscribe(self, *arguments, **options):
        self.client.subscribe(*arguments, **options)
        return self.subscribed.get(timeout=20)

    def publish(self, topic, payload, qos=1, **options):
        self.client.publish(topic, payload, qos=qos, **options)
        return self.published.get(timeout=20)

    def next(self, timeout=20):
        return self.messages.get(timeout=timeout)

    def close(self):
        with contextlib.suppress(OSError):  # drop() may have closed the socket
            self.client.disconnect()
        self.client.loop_stop()

    def drop(self):
        """The connection breaks without a DISCONNECT."""
        self.client.loop_stop()
        self.client.socket().shutdown(socket.SHUT_RDWR)
        self.client.socket().close()


def code(reason):
    return reason.value if hasattr(reason, "value") else int(reason)


def mosquitto(program, world, identity, *arguments, version="5"):
    certificate, key, ca = world.credentials(identity)
    return ["stdbuf", "-oL", program, "-h", "127.0.0.1", "-p", str(world.port), "--cafile", str(ca), "--cert", str(certificate), "--key",
            str(key), "--insecure", "-V", version, "-i", identity, *map(str, arguments)]


def mosquitto_pub(world, identity, *arguments, version="5"):
    done = subprocess.run(mosquitto("mosquitto_pub", world, identity, *arguments, version=version), capture_output=True,
                          text=True, timeout=60)
    if done.returncode:
        raise LabError(f"mosquitto_pub {arguments}: {done.stderr}")
    return done


def mosquitto_sub(world, identity, *arguments, version="5"):
    return Process("mosquitto_sub", mosquitto("mosquitto_sub", world, identity, *arguments, version=version),
                   world.folder / f"sub-{identity}.log")
