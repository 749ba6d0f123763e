# SPDX-License-Identifier: GPL-2.0-or-later
"""What strangers and broken clients send: the standard's reason code, that session closed, nothing else disturbed."""

import struct
import subprocess

import pytest
from lab.mqtt import Paho, Raw, connect_packet, frame, text, variable
from lab.process import wait_until


def connected(relay, identity="app.all", client_id=None, **options):
    raw = Raw(relay.port, relay.credentials(identity))
    raw.send(connect_packet(identity if client_id is None else client_id, **options))
    return raw, raw.packet()


def reason_of_connack(packet):
    assert packet and packet[0] == 2, f"no CONNACK: {packet}"
    return packet[2][1]


def own_certificate(folder, name, subject, issuer=None):
    """A certificate made by openssl: self-signed, or by issuer = (certificate, key)."""
    key, certificate = folder / f"{name}.key", folder / f"{name}.crt"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True, capture_output=True)
    if issuer is None:
        command = ["openssl", "req", "-x509", "-new", "-key", key, "-subj", subject, "-days", "10", "-out", certificate]
        subprocess.run(command, check=True, capture_output=True)
    else:
        request = subprocess.run(["openssl", "req", "-new", "-key", key, "-subj", subject], check=True, capture_output=True)
        subprocess.run(["openssl", "x509", "-req", "-CA", issuer[0], "-CAkey", issuer[1], "-CAcreateserial", "-days", "10",
                        "-out", certificate], input=request.stdout, check=True, capture_output=True)
    return certificate, key


def refused(relay, certificate, key, client_id):
    raw = Raw(relay.port, (certificate, key, relay.credentials("app.all")[2]))
    raw.send(connect_packet(client_id))
    reason = reason_of_connack(raw.packet())
    assert raw.packet() is None, "the connection must be closed"
    return reason


def test_foreign_certificate(relay, tmp_path):
    """A registered device's name, a key nobody knows."""
    assert refused(relay, *own_certificate(tmp_path, "foreign", "/O=acme/CN=device-1"), "device-1") == 0x87


def test_unknown_device_waits_to_be_admitted(relay, tmp_path):
    factory = relay.folder / "factory" / "ca"
    pair = own_certificate(tmp_path, "new", "/O=acme/CN=device-77", (factory / "ca.crt", factory / "ca.key"))
    assert refused(relay, *pair, "device-77") == 0x87
    waiting = wait_until("the pending device", lambda: [
        d for d in relay.relayctl_json("devices", "list") if d["Identity"] == "device-77"])
    assert waiting[0]["Registration"] == "pending"
    relay.relayctl("devices", "admit", "device-77")
    raw = Raw(relay.port, (*pair, relay.credentials("app.all")[2]))
    raw.send(connect_packet("device-77"))
    assert reason_of_connack(raw.packet()) == 0
    raw.close()


def test_revoked_device(relay):
    raw, connack = connected(relay, "device-3")
    assert reason_of_connack(connack) == 0
    relay.relayctl("devices", "revoke", "device-3", "--why", "stolen")
    last = raw.packet()
    assert last is None or (last[0] == 14 and last[2][0] in (0x87, 0x98)), f"the open session must end: {last}"
    certificate, key, _ = relay.credentials("device-3")
    assert refused(relay, certificate, key, "device-3") == 0x87


@pytest.mark.parametrize("subject", ["/O=acme/CN=device-1/CN=device-2", "/O=acme/CN=Device-1", "/O=acme", "/O=acme/CN=a b"])
def test_names_that_are_none(relay, tmp_path, subject):
    factory = relay.folder / "factory" / "ca"
    pair = own_certificate(tmp_path, "odd", subject, (factory / "ca.crt", factory / "ca.key"))
    assert refused(relay, *pair, "device-1") == 0x87


def test_client_id_of_another_device(relay):
    raw, connack = connected(relay, "device-1", client_id="device-2")
    assert reason_of_connack(connack) == 0x85
    assert raw.packet() is None


def publish(topic, packet_id=1, qos=1, payload=b"x", flags=0):
    body = text(topic) + (struct.pack(">H", packet_id) if qos else b"") + b"\x00" + payload
    return frame(0x30 | flags | qos << 1, body)


def subscribe(topic, options=1, packet_id=1):
    return frame(0x82, struct.pack(">H", packet_id) + b"\x00" + text(topic) + bytes([options]))


def test_topic_of_another_device(relay):
    raw, _ = connected(relay, "device-1")
    raw.send(publish("sites/s1/devices/device-2/events/soil"))
    kind, _, body = raw.packet()
    assert kind == 4 and body[2] == 0x87
    raw.send(subscribe("sites/s1/devices/device-2/#") + subscribe("#", packet_id=2) + subscribe("images/+/+", packet_id=3))
    for _ in range(3):
        kind, _, body = raw.packet()
        assert kind == 9 and body[3] == 0x87
    raw.send(publish("sites/s1/devices/device-1/events/soil", packet_id=4))
    kind, _, body = raw.packet()
    assert kind == 4 and (len(body) == 2 or body[2] in (0, 0x10)), "its own topic goes on working"
    raw.close()


# what a connected MQTT 5 client sends -> the reason code of the DISCONNECT that must come
BROKEN = {
    "second CONNECT": (connect_packet("app.all"), {0x82}),
    "CONNACK from a client": (frame(0x20, b"\x00\x00\x00"), {0x81, 0x82}),
    "PUBLISH with QoS 3": (frame(0x36, text("a") + b"\x00\x01\x00"), {0x81}),
    "PUBLISH DUP with QoS 0": (frame(0x38, text("a") + b"\x00"), {0x81, 0x82}),
    "PUBLISH to a wildcard": (publish("a/+"), {0x81, 0x82, 0x90}),
    "PUBLISH with packet id 0": (publish("a", packet_id=0), {0x81, 0x82}),
    "PUBLISH that is cut": (frame(0x32, b"\x00\x09abc"), {0x81}),
    "PUBLISH with bad UTF-8": (frame(0x30, text(b"\xff\xfe") + b"\x00"), {0x81, 0x90}),
    "PUBLISH with an unknown property": (frame(0x30, text("a") + b"\x02\x7f\x00"), {0x81, 0x82}),
    "PUBLISH with a property twice": (frame(0x30, text("a") + b"\x04\x01\x00\x01\x00"), {0x82}),
    "PUBLISH with an alias over the maximum": (frame(0x30, text("a") + b"\x03\x23\xff\xff"), {0x94}),
    "PUBLISH with an unknown alias": (frame(0x30, text("") + b"\x03\x23\x00\x01"), {0x82, 0x94}),
    "PUBACK for nothing with broken flags": (frame(0x41, b"\x00\x01"), {0x81}),
    "PUBREL with wrong flags": (frame(0x60, b"\x00\x01"), {0x81}),
    "SUBSCRIBE with wrong flags": (frame(0x80, b"\x00\x01\x00" + text("a") + b"\x00"), {0x81}),
    "SUBSCRIBE to nothing": (frame(0x82, b"\x00\x01\x00"), {0x81, 0x82}),
    "SUBSCRIBE with reserved bits": (subscribe("a", options=0xC0), {0x81, 0x82}),
    "SUBSCRIBE with QoS 3": (subscribe("a", options=3), {0x81, 0x82}),
    "UNSUBSCRIBE from nothing": (frame(0xA2, b"\x00\x01\x00"), {0x81, 0x82}),
    "PINGREQ with a body": (frame(0xC0, b"\x00"), {0x81}),
    "packet type 0": (frame(0x00, b""), {0x81, 0x82}),
    "PINGRESP from a client": (frame(0xD0, b""), {0x81, 0x82}),
    "DISCONNECT with wrong flags": (frame(0xE1, b""), {0x81}),
    "AUTH out of nowhere": (frame(0xF0, b"\x18\x00"), {0x82, 0x81, 0x8C}),
    "remaining length of five bytes": (b"\x30\xff\xff\xff\xff\x01", {0x81}),
    "a packet larger than announced": (b"\x30" + variable(200 * 1024 * 1024), {0x95}),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_packet(relay, name):
    packet, reasons = BROKEN[name]
    bystander, connack = connected(relay, "app.second", "app.second.bystander")
    assert reason_of_connack(connack) == 0
    raw, connack = connected(relay, "app.all", "app.all.broken")
    assert reason_of_connack(connack) == 0
    raw.send(packet)
    answer = raw.packet()
    assert answer and answer[0] == 14, f"no DISCONNECT but {answer}"
    assert answer[2][0] in reasons, f"reason 0x{answer[2][0]:02x}"
    assert raw.packet() is None, "the connection must be closed"
    bystander.send(b"\xc0\x00")
    assert bystander.packet() == (13, 0, b""), "somebody else's session was disturbed"
    bystander.close()


BROKEN_FIRST = {
    "not CONNECT": (b"\xc0\x00", None),
    "another protocol name": (frame(0x10, text("MQXX") + b"\x05\x02\x00\x3c\x00" + text("a")), 0x84),
    "level 6": (frame(0x10, text("MQTT") + b"\x06\x02\x00\x3c\x00" + text("a")), 0x84),
    "reserved connect flag": (frame(0x10, text("MQTT") + b"\x05\x03\x00\x3c\x00" + text("a")), 0x81),
    "receive maximum 0": (connect_packet("app.all", properties=b"\x21\x00\x00"), 0x82),
    "an unknown authentication method": (connect_packet("app.all", properties=b"\x15" + text("GS2-NONE")), 0x8C),
    "a cut CONNECT": (frame(0x10, text("MQTT") + b"\x05\x02\x00"), 0x81),
    "HTTP": (b"GET / HTTP/1.1\r\nHost: relay\r\n\r\n", None),
}


@pytest.mark.parametrize("name", BROKEN_FIRST)
def test_broken_first_packet(relay, name):
    packet, reason = BROKEN_FIRST[name]
    raw = Raw(relay.port, relay.credentials("app.all"))
    raw.send(packet)
    answer = raw.packet()
    if answer is not None:
        assert answer[0] == 2 and answer[2][1] == (reason or answer[2][1]) and answer[2][1] >= 0x80
        assert raw.packet() is None
    else:
        assert reason is None or reason in (0x81, 0x82, 0x84), f"expected CONNACK 0x{reason:02x}"


def test_old_version_gets_its_own_answer(relay):
    """3.1.1 has return codes of its own, and no reason codes (MQTT 3.1.1 section 3.2.2.3)."""
    raw, connack = connected(relay, "device-1", client_id="device-2", version=4)
    assert connack[2] == b"\x00\x02"
    assert raw.packet() is None


def test_31_is_told_that_it_is_too_old(relay):
    """A client of MQTT 3.1 can read only the two-byte CONNACK."""
    raw = Raw(relay.port, relay.credentials("app.all"))
    raw.send(frame(0x10, text("MQIsdp") + b"\x03\x02\x00\x3c" + text("a")))
    assert raw.packet() == (2, 0, b"\x00\x01")
    assert raw.packet() is None


def test_largest_payload_and_one_more(relay):
    client = Paho(relay.port, relay.credentials("app.all"), "app.all.large")
    client.subscribe("test/large", qos=1)
    client.publish("test/large", bytes(32 * 1024))
    assert len(client.next().payload) == 32 * 1024
    client.client.publish("test/large", bytes(2 * 1024 * 1024), qos=1)
    assert client.closed.get(timeout=20) != 0
    client.close()
