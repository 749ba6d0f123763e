# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets made by paho (not by us), taken from a socket pair, read and written again by our codec."""

import os
import pathlib
import socket
import subprocess

import paho.mqtt.client as paho
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TOOL = pathlib.Path(os.environ.get("RELAYD_BUILD", str(ROOT / "build"))) / "tests/unit/mqtt/mqtttool"


def decode(version, packet):
    """One packet through the tool: (type, fields); repeated fields become lists."""
    out = subprocess.run([TOOL], input=f"{version} {packet.hex()}\n", capture_output=True, text=True, check=True).stdout
    kind, *pairs = out.split()
    fields = {}
    for name, value in (pair.split("=", 1) for pair in pairs if "=" in pair):
        fields.setdefault(name, []).append(value)
    return kind, fields


def text(fields, name):
    return bytes.fromhex(fields[name][0]).decode()


class Line:
    """paho with a socket pair instead of a broker."""

    def __init__(self, version, **options):
        self.version = version
        clean = {"clean_session": options.pop("clean", True)} if version == 4 else {}
        self.client = paho.Client(client_id=options.pop("client_id", "device-1"), protocol=version, **clean)
        self.here, self.there = socket.socketpair()
        self.client._create_socket_connection = lambda: self.there
        self.here.settimeout(10)

    def connect(self, **options):
        self.client.connect("127.0.0.1", 1883, **options)
        return self.packet(0)

    def open(self):
        self.connect()
        self.here.sendall(bytes.fromhex("2003000000" if self.version == 5 else "20020000"))
        self.client.loop_read()

    def packet(self, version=None):
        """The next packet of paho, decoded; what our codec writes for it must be the same bytes."""
        self.client.loop_write()
        head = self.here.recv(2, socket.MSG_WAITALL)
        size, shift, last = head[1] & 0x7F, 7, head[1]
        while last & 0x80:
            more = self.here.recv(1)
            head, last = head + more, more[0]
            size, shift = size | (last & 0x7F) << shift, shift + 7
        packet = head + (self.here.recv(size, socket.MSG_WAITALL) if size else b"")
        kind, fields = decode(self.version if version is None else version, packet)
        assert fields.get("consumed") == [str(len(packet))], (kind, packet.hex())
        self.bytes = packet
        return kind, fields


@pytest.mark.parametrize("version", [4, 5])
def test_connect(version):
    line = Line(version)
    line.client.username_pw_set("user", "secret")
    line.client.will_set("state/relay", b"gone", qos=1, retain=True)
    kind, fields = line.connect(keepalive=77)
    assert kind == "CONNECT"
    assert fields["version"] == [str(version)] and fields["clean"] == ["1"] and fields["keep_alive"] == ["77"]
    assert text(fields, "client_id") == "device-1" and text(fields, "user_name") == "user"
    assert text(fields, "password") == "secret" and fields["will"] == ["1,1"]
    assert text(fields, "will_topic") == "state/relay" and text(fields, "will_payload") == "gone"
    assert fields["encoded"] == [line.bytes.hex()]


def test_connect_properties():
    line = Line(5)
    properties = Properties(PacketTypes.CONNECT)
    properties.SessionExpiryInterval = 3600
    properties.ReceiveMaximum = 20
    properties.UserProperty = [("a", "1"), ("ä", "2")]
    kind, fields = line.connect(clean_start=False, properties=properties)
    assert kind == "CONNECT" and fields["clean"] == ["0"] and fields["expiry"] == ["3600"]
    assert [bytes.fromhex(name).decode() for name in fields["user"]] == ["a", "ä"]


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize("size", [0, 1, 100, 127, 128, 5000, 20000])
def test_publish(version, size):
    line = Line(version)
    line.open()
    line.client.publish("sites/s1/devices/device-1/events/soil", b"x" * size, qos=1, retain=True)
    kind, fields = line.packet()
    assert kind == "PUBLISH" and fields["qos"] == ["1"] and fields["retain"] == ["1"] and fields["id"] == ["1"]
    assert text(fields, "topic") == "sites/s1/devices/device-1/events/soil"
    assert bytes.fromhex(fields["payload"][0]) == b"x" * size
    assert fields["encoded"] == [line.bytes.hex()]


def test_publish_properties():
    line = Line(5)
    line.open()
    properties = Properties(PacketTypes.PUBLISH)
    properties.MessageExpiryInterval = 60
    properties.UserProperty = [("seq", "7"), ("boot", "2")]
    line.client.publish("t", "x", qos=2, properties=properties)
    kind, fields = line.packet()
    assert kind == "PUBLISH" and fields["qos"] == ["2"] and fields["message_expiry"] == ["60"]
    assert list(zip(fields["user"], fields["user_value"])) == [
        (b"seq".hex(), b"7".hex()), (b"boot".hex(), b"2".hex())]
    assert fields["encoded"] == [line.bytes.hex()]


def test_subscribe_and_unsubscribe():
    line = Line(5)
    line.open()
    line.client.subscribe([("a/#", SubscribeOptions(qos=1, noLocal=True, retainHandling=2)),
                           ("+/b", SubscribeOptions(qos=2, retainAsPublished=True))])
    kind, fields = line.packet()
    assert kind == "SUBSCRIBE" and fields["options"] == ["1,1,0,2", "2,0,1,0"]
    assert [bytes.fromhex(name).decode() for name in fields["filter"]] == ["a/#", "+/b"]
    assert fields["encoded"] == [line.bytes.hex()]
    line.client.unsubscribe(["a/#", "+/b"])
    kind, fields = line.packet()
    assert kind == "UNSUBSCRIBE" and len(fields["filter"]) == 2
    assert fields["encoded"] == [line.bytes.hex()]


def test_subscribe_311():
    line = Line(4)
    line.open()
    line.client.subscribe([("a/#", 1), ("+/b", 0)])
    kind, fields = line.packet()
    assert kind == "SUBSCRIBE" and fields["options"] == ["1,0,0,0", "0,0,0,0"]
    assert fields["encoded"] == [line.bytes.hex()]


@pytest.mark.parametrize("version", [4, 5])
def test_acknowledgements(version):
    line = Line(version)
    line.open()
    properties = "00" if version == 5 else ""
    for first, answer in (("32", "PUBACK"), ("34", "PUBREC")):
        body = bytes.fromhex("000161" + "0009" + properties)
        line.here.sendall(bytes.fromhex(first) + bytes([len(body)]) + body)
        line.client.loop_read()
        kind, fields = line.packet()
        assert kind == answer and fields["id"] == ["9"] and fields["reason"] == ["0"]
    line.here.sendall(bytes.fromhex("62020009"))
    line.client.loop_read()
    assert line.packet()[0] == "PUBCOMP"


@pytest.mark.parametrize("version", [4, 5])
def test_disconnect(version):
    line = Line(version)
    line.open()
    line.client.disconnect()
    kind, fields = line.packet()
    assert kind == "DISCONNECT" and fields["reason"] == ["0"]


def test_the_tool_refuses():
    assert decode(5, bytes.fromhex("3600"))[0] == "error"
    assert decode(5, bytes.fromhex("30"))[0] == "more"
