# SPDX-License-Identifier: GPL-2.0-or-later
"""Too much of everything: connections, half handshakes, subscriptions, retained messages, topics, sessions, and clients
that read slowly or not at all. What is bounded is refused clearly; sessions already open go on."""

import os
import pathlib
import resource
import socket
import struct
import time

import pytest
from lab.mqtt import Raw, frame, text
from lab.packets import PUBACK, PUBLISH, SUBACK, Client

HALVES = 500


@pytest.fixture
def bystander(relay):
    """Publishes and receives all the time; slow() says how long one message took."""
    one = Client(relay, "app.second", client_id="app.second.floods")
    one.subscribe("test/bystander", qos=1)

    def slow():
        began = time.monotonic()
        one.publish("test/bystander", b"x", qos=1)
        kinds = set()
        while kinds != {PUBACK, PUBLISH}:
            packet = one.packet()
            kinds.add(packet.type)
            if packet.type == PUBLISH:
                one.answer(PUBACK, packet.packet_id)
        return time.monotonic() - began
    one.slow = slow
    yield one
    slow()
    one.drop()


def memory(relay, name):
    """Resident bytes of a process; 0 for one with AddressSanitizer, which keeps what was freed."""
    if "libasan" in pathlib.Path(f"/proc/{relay.processes[name].pid}/maps").read_text():
        return 0
    status = pathlib.Path(f"/proc/{relay.processes[name].pid}/status").read_text()
    return int(status[status.index("VmRSS:") + 6:].split()[0]) * 1024


def client_hello():
    """The first flight of a TLS 1.3 client, cut from a real one."""
    import ssl
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        context.wrap_bio(incoming, outgoing).do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


@pytest.mark.parametrize("first", ["nothing", "half a ClientHello", "a ClientHello", "garbage"])
def test_half_open_handshakes(relay, bystander, first):
    """Hundreds of connections that never get on: others connect and publish meanwhile, memory stays bounded."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    hello = client_hello()
    sent = {"nothing": b"", "half a ClientHello": hello[:100], "a ClientHello": hello, "garbage": os.urandom(200)}[first]
    before, held = memory(relay, "front"), []
    for _ in range(HALVES):
        one = socket.socket()
        one.setblocking(False)
        try:
            one.connect(("127.0.0.1", relay.port))
        except BlockingIOError:
            pass
        held.append(one)
    for one in held:
        try:
            one.send(sent)
        except OSError:
            pass
    for _ in range(20):
        assert bystander.slow() < 15
    newcomer = Client(relay, "app.all", client_id="app.all.newcomer")
    assert newcomer.connack.reason == 0
    newcomer.drop()
    assert memory(relay, "front") - before < HALVES * 128 * 1024
    for one in held:
        one.close()


def test_flood_of_connects(relay, bystander):
    """Whole sessions, one after the other, dropped at once."""
    for number in range(200):
        one = Client(relay, "app.all", client_id=f"app.all.flood{number % 7}")
        assert one.connack.reason == 0
        one.drop()
        if number % 20 == 0:
            assert bystander.slow() < 15


def test_one_byte_at_a_time(relay, bystander):
    """A slow client is no reason to wait for anybody; whole packets come out of it all the same."""
    slow = Client(relay, connected=False)
    packet = frame(0x10, text("MQTT") + b"\x05\x02\x00\x3c\x00" + text("app.all.slow"))
    for byte in packet:
        slow.raw.send(bytes([byte]))
        time.sleep(0.02)
    assert slow.packet().reason == 0
    for byte in frame(0x32, text("test/slow") + b"\x00\x05\x00payload"):
        slow.raw.send(bytes([byte]))
        time.sleep(0.02)
        bystander.slow()
    assert slow.expect(PUBACK).packet_id == 5
    slow.drop()


@pytest.mark.parametrize("qos", [0, 1])
def test_a_subscriber_that_never_reads(relay, bystander, qos):
    """100 MiB for somebody who takes nothing: bounded, dropped for him alone."""
    deaf = Client(relay, "app.all", client_id="app.all.deaf")
    deaf.subscribe("test/deaf", qos=qos)
    sender = Client(relay, "app.second", client_id="app.second.sender")
    before = memory(relay, "hub") + memory(relay, "front")
    for number in range(1600):
        sender.publish("test/deaf", bytes(60000), qos=1)
        if number % 100 == 99:
            for _ in range(100):
                assert sender.expect(PUBACK).reason < 0x80
            assert bystander.slow() < 15
    grown = memory(relay, "hub") + memory(relay, "front") - before
    assert grown < 48 << 20, f"{grown >> 20} MiB more"
    sender.drop()
    deaf.drop()


def test_many_subscriptions(relay, bystander):
    """Those over the limit get 0x97, the client goes on; unsubscribing makes room."""
    one = Client(relay, "app.all", client_id="app.all.many")
    codes = []
    for part in range(100):
        codes += one.subscribe(*[f"test/many/{part}/{number}" for number in range(100)], qos=0)
    assert set(codes) == {0, 0x97} and 500 <= codes.count(0) <= 5000
    assert codes.index(0x97) == codes.count(0), "refused before the limit"
    one.publish("test/many/0/0", b"x")
    assert one.message().payload == b"x"
    assert one.unsubscribe("test/many/0/1") == [0]
    assert one.subscribe("test/many/again", qos=0) == [0]
    one.drop()


def test_one_packet_with_ten_thousand_filters(relay, bystander):
    """Refused as a whole, and nobody else notices."""
    one = Client(relay, "app.all", client_id="app.all.packet")
    body = struct.pack(">H", 1) + b"\x00" + b"".join(text(f"t{number}") + b"\x00" for number in range(7000))
    one.raw.send(frame(0x82, body))
    answer = one.packet()
    assert answer.type == SUBACK and 0x97 in answer.reasons or answer.reason == 0x97
    one.drop()


def test_flood_of_retained_messages(relay, bystander):
    """An application fills what may be retained: refused with 0x97, what is there stays, and it can be cleared."""
    one = Client(relay, "app.all", client_id="app.all.retained")
    number = 0
    for size in (60000, 1000, 1):  # to the last byte
        reasons = []
        while number < 10000 and 0x97 not in reasons:
            for _ in range(50):
                one.publish(f"test/flood/{number}", bytes(size), qos=1, retain=True)
                number += 1
            reasons = [one.expect(PUBACK).reason for _ in range(50)]
            assert set(reasons) <= {0, 0x10, 0x97}
        assert 0x97 in reasons
    assert bystander.slow() < 15
    device = Client(relay, "device-2")
    state = b'{"online":true}' + bytes(2000)
    assert device.published("sites/s1/devices/device-2/state/relay", state, qos=1, retain=True) < 0x80, "no room for devices"
    device.published("sites/s1/devices/device-2/state/relay", b"", qos=1, retain=True)
    device.drop()
    two = Client(relay, "app.second", client_id="app.second.retained")
    two.subscribe("test/flood/0", qos=1)
    assert len(two.message().payload) == 60000
    two.drop()
    for begin in range(0, number, 50):
        for at in range(begin, min(begin + 50, number)):
            one.publish(f"test/flood/{at}", b"", qos=1, retain=True)
        for _ in range(begin, min(begin + 50, number)):
            assert one.expect(PUBACK).reason < 0x80
    assert one.published("test/flood/again", b"room", qos=1, retain=True) in (0, 0x10)
    assert one.published("test/flood/again", b"", qos=1, retain=True) in (0, 0x10)
    one.drop()


@pytest.mark.parametrize("topic", [
    pytest.param("a" * 60000, id="long"), pytest.param("a" * 65535, id="65,535 bytes"),
    pytest.param("/".join("a" * 20000), id="deep"), pytest.param("/" * 60000, id="only levels")])
def test_topics_beyond_measure(relay, bystander, topic):
    """Taken or refused with a reason code, in PUBLISH and in SUBSCRIBE; never a hang or a crash."""
    for action in ("publish", "subscribe", "retain"):
        one = Client(relay, "app.all", client_id="app.all.topics")
        if action == "subscribe":
            one.raw.send(frame(0x82, b"\x00\x01\x00" + text(topic) + b"\x00"))
        else:
            one.publish(topic, b"", qos=1, retain=action == "retain")
        answer = one.packet()
        assert answer, "closed without a word"
        reason = answer.reasons[0] if answer.type == SUBACK else answer.reason
        assert reason in (0, 0x10, 0x87, 0x8F, 0x90, 0x95, 0x97), hex(reason)
        one.drop()
    bystander.slow()


def test_sessions_that_stay(relay, bystander):
    """Sessions with an expiry are kept up to a limit for each identity; then CONNECT is refused with a reason."""
    refused = 0
    for number in range(150):
        one = Client(relay, "app.all", client_id=f"app.all.stay{number}", session_expiry=0xFFFFFFFF)
        refused += one.connack.reason >= 0x80
        if not refused:
            one.subscribe(f"test/stay/{number}")
        one.drop()
    assert 0 < refused < 150
    for number in range(150):
        Client(relay, "app.all", client_id=f"app.all.stay{number}", clean=True).drop()
    again = Client(relay, "app.all", client_id="app.all.stay-again", session_expiry=10)
    assert again.connack.reason == 0
    again.drop()


def test_two_with_one_identity(relay, bystander):
    """They take the session over from each other; nothing is lost for good and nobody else notices."""
    for _ in range(30):
        first = Client(relay, "device-1", session_expiry=60)
        second = Client(relay, "device-1", clean=False, session_expiry=60)
        assert second.connack.reason == 0
        first.closed(0x8E)
        second.drop()
        bystander.slow()


def test_payload_and_nothing_behind_it(relay, bystander):
    """A PUBLISH that is never finished holds nothing but its own connection."""
    held = []
    for number in range(60):
        one = Client(relay, "app.all", client_id=f"app.all.unfinished{number}")
        one.raw.send(frame(0x30, text("test/unfinished") + b"\x00" + bytes(60000))[:-1])
        held.append(one)
    assert bystander.slow() < 15
    for one in held:
        one.drop()


def test_raw_port_scan(relay, bystander):
    """What scanners send."""
    for probe in (b"GET / HTTP/1.0\r\n\r\n", b"SSH-2.0-x\r\n", b"\x16\x03\x01\x00\x00", b"\x16\x03\x01\xff\xff" + bytes(70000),
                  b"\x80\x2e\x01\x00\x02", b"\x15\x03\x03\x00\x02\x02\x28", b"\x00" * 3000):
        with socket.create_connection(("127.0.0.1", relay.port), timeout=20) as one:
            try:
                one.sendall(probe)
                one.shutdown(socket.SHUT_WR)
                while one.recv(4096):
                    pass
            except OSError:
                pass
    assert Raw(relay.port, relay.credentials("app.all")).tls.version() == "TLSv1.3"
