# SPDX-License-Identifier: GPL-2.0-or-later
"""An MQTT client that says and sees everything: packets are made by hand and read apart, nothing happens by itself."""

import struct
import time

from .mqtt import Raw, frame, text, variable

CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP, \
    DISCONNECT, AUTH = range(1, 16)

# name -> (identifier, kind): MQTT 5 section 2.2.2.2
PROPERTIES = {
    "payload_format": (0x01, 1), "message_expiry": (0x02, 4), "content_type": (0x03, "s"), "response_topic": (0x08, "s"),
    "correlation": (0x09, "s"), "subscription_id": (0x0B, "v"), "session_expiry": (0x11, 4), "assigned_id": (0x12, "s"),
    "server_keep_alive": (0x13, 2), "auth_method": (0x15, "s"), "auth_data": (0x16, "s"), "request_problem": (0x17, 1),
    "will_delay": (0x18, 4), "request_response": (0x19, 1), "response_information": (0x1A, "s"), "reference": (0x1C, "s"),
    "reason_string": (0x1F, "s"), "receive_maximum": (0x21, 2), "alias_maximum": (0x22, 2), "alias": (0x23, 2),
    "maximum_qos": (0x24, 1), "retain_available": (0x25, 1), "user": (0x26, "p"), "packet_maximum": (0x27, 4),
    "wildcards": (0x28, 1), "subscription_ids": (0x29, 1), "shared": (0x2A, 1),
}
BY_IDENTIFIER = {identifier: (name, kind) for name, (identifier, kind) in PROPERTIES.items()}


def encode_properties(properties):
    body = b""
    for name, values in properties.items():
        identifier, kind = PROPERTIES[name]
        for value in values if isinstance(values, list) else [values]:
            body += bytes([identifier])
            if kind == "s":
                body += text(value)
            elif kind == "v":
                body += variable(value)
            elif kind == "p":
                body += text(value[0]) + text(value[1])
            else:
                body += value.to_bytes(kind, "big")
    return variable(len(body)) + body


class Cursor:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, size):
        part = self.data[self.at:self.at + size]
        assert len(part) == size, "the relay sent a packet that is cut"
        self.at += size
        return part

    def number(self, size):
        return int.from_bytes(self.take(size), "big")

    def text(self):
        return self.take(self.number(2))

    def variable(self):
        value = shift = 0
        while True:
            byte = self.number(1)
            value |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return value

    def properties(self):
        end, found = self.variable(), {}
        end += self.at
        while self.at < end:
            name, kind = BY_IDENTIFIER[self.number(1)]
            if kind == "s":
                value = self.text()
            elif kind == "v":
                value = self.variable()
            elif kind == "p":
                value = (self.text().decode(), self.text().decode())
            else:
                value = self.number(kind)
            if name in ("user", "subscription_id"):
                found.setdefault(name, []).append(value)
            else:
                assert name not in found, f"{name} twice"
                found[name] = value
        assert self.at == end
        return found

    def rest(self):
        return self.take(len(self.data) - self.at)


class Packet:
    """type, flags and what its type has: topic, packet_id, qos, dup, retain, payload, reason, reasons, properties, present"""

    def __init__(self, kind, flags, body, version):
        self.type, self.flags, self.properties, self.reason = kind, flags, {}, 0
        c, five = Cursor(body), version == 5
        if kind == PUBLISH:
            self.dup, self.qos, self.retain = bool(flags & 8), flags >> 1 & 3, bool(flags & 1)
            self.topic = c.text().decode()
            self.packet_id = c.number(2) if self.qos else 0
            self.properties = c.properties() if five else {}
            self.payload = c.rest()
        elif kind == CONNACK:
            self.present, self.reason = c.number(1), c.number(1)
            self.properties = c.properties() if five else {}
        elif kind in (PUBACK, PUBREC, PUBREL, PUBCOMP):
            self.packet_id = c.number(2)
            if len(body) > 2:
                self.reason = c.number(1)
            if len(body) > 3:
                self.properties = c.properties()
        elif kind in (SUBACK, UNSUBACK):
            self.packet_id = c.number(2)
            self.properties = c.properties() if five else {}
            self.reasons = list(c.rest())
        elif kind in (DISCONNECT, AUTH):
            self.reason = c.number(1) if body else 0
            if len(body) > 1:
                self.properties = c.properties()
        assert c.at == len(body), f"{len(body) - c.at} bytes behind packet of type {kind}"

    def __repr__(self):
        return str(vars(self))


class Client:
    """connected=False: only the TLS connection."""

    def __init__(self, world, identity="app.all", client_id=None, version=5, clean=True, keep_alive=60, will=None,
                 connected=True, flags=0, **properties):
        self.raw = Raw(world.port, world.credentials(identity))
        self.version, self.next_id = version, 0
        self.connack = None
        if connected:
            self.connect(identity if client_id is None else client_id, clean, keep_alive, will, flags, **properties)
            self.connack = self.packet()

    def connect(self, client_id, clean=True, keep_alive=60, will=None, flags=0, **properties):
        flags |= 2 if clean else 0
        body = text(client_id)
        if will:
            topic, payload, qos, retain, will_properties = will
            flags |= 4 | qos << 3 | (0x20 if retain else 0)
            body += (encode_properties(will_properties) if self.version == 5 else b"") + text(topic) + text(payload)
        head = text("MQTT") + bytes([self.version, flags]) + struct.pack(">H", keep_alive)
        if self.version == 5:
            head += encode_properties(properties)
        self.raw.send(frame(0x10, head + body))

    def fresh_id(self):
        self.next_id += 1
        return self.next_id

    def publish(self, topic, payload=b"", qos=0, retain=False, dup=False, packet_id=None, **properties):
        packet_id = packet_id or (self.fresh_id() if qos else 0)
        body = text(topic) + (struct.pack(">H", packet_id) if qos else b"")
        if self.version == 5:
            body += encode_properties(properties)
        self.raw.send(frame(0x30 | (8 if dup else 0) | qos << 1 | retain, body + (payload if isinstance(payload, bytes)
                                                                              else payload.encode())))
        return packet_id

    def published(self, *arguments, **options):
        """Publishes and waits for the end of the exchange; gives the reason of the first answer."""
        packet_id = self.publish(*arguments, **options)
        qos = options.get("qos", 0)
        if qos == 0:
            return 0
        answer = self.expect(PUBACK if qos == 1 else PUBREC)
        assert answer.packet_id == packet_id
        if qos == 2 and answer.reason < 0x80:
            self.answer(PUBREL, packet_id)
            assert self.expect(PUBCOMP).packet_id == packet_id
        return answer.reason

    def answer(self, kind, packet_id, reason=None):
        self.raw.send(frame(kind << 4 | (2 if kind == PUBREL else 0),
                            struct.pack(">H", packet_id) + (b"" if reason is None else bytes([reason]))))

    def subscribe(self, *filters, qos=1, no_local=False, as_published=False, handling=0, **properties):
        options = qos | (4 if no_local else 0) | (8 if as_published else 0) | handling << 4
        body = struct.pack(">H", self.fresh_id()) + (encode_properties(properties) if self.version == 5 else b"")
        for topic in filters:
            body += text(topic) + bytes([options])
        self.raw.send(frame(0x82, body))
        answer = self.expect(SUBACK)
        assert answer.packet_id == self.next_id
        return answer.reasons

    def unsubscribe(self, *filters):
        body = struct.pack(">H", self.fresh_id()) + (b"\0" if self.version == 5 else b"")
        for topic in filters:
            body += text(topic)
        self.raw.send(frame(0xA2, body))
        answer = self.expect(UNSUBACK)
        return answer.reasons

    def disconnect(self, reason=None, **properties):
        body = b"" if reason is None and not properties else bytes([reason or 0])
        if properties:
            body += encode_properties(properties)
        self.raw.send(frame(0xE0, body))

    def drop(self):
        """The connection breaks."""
        self.raw.close()

    def packet(self, timeout=20):
        """The next packet, or None when the relay closed the connection."""
        self.raw.tls.settimeout(timeout)
        read = self.raw.packet()
        return read and Packet(*read, self.version)

    def expect(self, kind, timeout=20):
        packet = self.packet(timeout)
        assert packet and packet.type == kind, f"expected type {kind}, got {packet}"
        return packet

    def message(self, acknowledge=True):
        """The next PUBLISH, acknowledged to its end."""
        packet = self.expect(PUBLISH)
        if acknowledge and packet.qos == 1:
            self.answer(PUBACK, packet.packet_id)
        if acknowledge and packet.qos == 2:
            self.answer(PUBREC, packet.packet_id)
            assert self.expect(PUBREL).packet_id == packet.packet_id
            self.answer(PUBCOMP, packet.packet_id)
        return packet

    def nothing(self):
        """Nothing came before the answer to this ping."""
        self.raw.send(b"\xc0\x00")
        self.expect(PINGRESP)

    def closed(self, *reasons):
        """The relay ends the connection, in MQTT 5 with one of these reasons."""
        last = self.packet()
        if self.version == 5 and reasons:
            assert last and last.type == DISCONNECT and last.reason in reasons, last
            last = self.packet()
        assert last is None, last


def settle(seconds):
    """For what the standard counts in seconds."""
    time.sleep(seconds)
