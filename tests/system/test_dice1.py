# SPDX-License-Identifier: GPL-2.0-or-later
"""DICE-1 from devices of Python's through the real front end to the real hub, and what of MQTT 5 section 4.12 it must not be."""

import itertools
import pathlib
import re

import pytest

from lab.dice import AGAIN, BAD_METHOD, CONTINUE, METHOD, NOT_AUTHORISED, SUCCESS, Device, register
from lab.frontend import ADMIT, REFUSE, FrontEnd
from lab.mqtt import connect_packet, frame, text
from lab.packets import AUTH, CONNACK, DISCONNECT, PUBLISH, Client, encode_properties
from lab.process import wait_until
from lab.updates import alerts, last_alert
from relaycose import Key, decode, encode

PROTOCOL_ERROR, MALFORMED, TOO_LARGE, BUSY, RATE, TAKEN_OVER = 0x82, 0x81, 0x95, 0x89, 0x96, 0x8E
GOOD = (SUCCESS, 0x10)  # of a PUBACK: nobody has to be subscribed
METHOD_NAMED = {"auth_method": METHOD}
TOP = pathlib.Path(__file__).resolve().parents[2]
numbers = itertools.count(1)


@pytest.fixture
def device(relay):
    made = Device(relay, f"dice-{next(numbers)}")
    register(relay, made)
    return made


def topic(device, rest):
    return f"sites/s1/devices/{device.identity}/{rest}"


def said(relay, reason, since):
    return wait_until(f"the alert {reason}", lambda: alerts(relay, reason, since))


def auth(reason, *properties):
    body = b"".join(encode_properties(p) for p in properties) if len(properties) < 2 else None
    if body is None:  # what an honest encoder would not write
        body = b"".join(encode_properties(p)[1:] for p in properties)
        body = bytes([len(body)]) + body
    return frame(0xF0, bytes([reason]) + body)


# ---- the document

def test_bytes_of_the_document():
    trust, protocol = (re.findall(r"^```hex ([a-z0-9-]+)\n(.*?)^```$", (TOP / "docs" / name).read_text(), re.MULTILINE | re.DOTALL)
                       for name in ("trust.md", "protocol.md"))
    objects = {name: bytes.fromhex("".join(text.split())) for name, text in trust}
    shown = {name: bytes.fromhex("".join(text.split())) for name, text in protocol}
    statement = auth(CONTINUE, {**METHOD_NAMED, "auth_data": objects["statement"]})
    assert shown["dice-connect"] == connect_packet("device-1", properties=encode_properties(METHOD_NAMED)[1:])
    assert shown["dice-challenge"] == auth(CONTINUE, {**METHOD_NAMED, "auth_data": objects["challenge"]})
    assert statement.startswith(shown["dice-statement"]) and len(objects["statement"]) == 950
    assert shown["dice-again"] == auth(AGAIN, METHOD_NAMED) and shown["dice-again-good"] == auth(SUCCESS, METHOD_NAMED)


# ---- the straight path

def test_proven(relay, device):
    client = device.proven()
    assert client.connack.reason == SUCCESS
    assert client.connack.properties["auth_method"] == METHOD.encode()
    assert "auth_data" not in client.connack.properties
    assert client.published(topic(device, "events/soil"), "41", qos=1) in GOOD
    client.drop()


def test_each_challenge_is_new_and_names_the_relay(relay, device):
    seen = set()
    for _ in range(3):
        client = device.connection()
        asked = decode(client.begin())
        assert set(asked) == {0, 1, 2} and asked[0] == 1
        assert asked[2].hex() == relay.pin(relay.credentials("device-1")[2])
        seen.add(asked[1])
        client.drop()
    assert len(seen) == 3


def test_again_in_an_open_session(relay, device):
    client = device.proven()
    answer = client.prove_again()
    assert (answer.type, answer.reason, answer.properties) == (AUTH, SUCCESS, {"auth_method": METHOD.encode()})
    assert client.published(topic(device, "events/soil"), "41", qos=1) in GOOD
    client.auth(AGAIN)  # at most once in ten seconds
    client.closed(RATE)
    client = device.proven()
    client.auth(AGAIN)
    asked = client.expect(AUTH)
    assert client.published(topic(device, "events/soil"), "42", qos=1) in GOOD  # what was proven first still counts
    client.auth(CONTINUE, device.statement(asked.properties["auth_data"], key=Key("somebody's").private))
    client.closed(NOT_AUTHORISED)


def test_nothing_happens_before_it_is_proven(relay, device):
    """Clean start, will and take-over: not by who cannot finish his CONNECT."""
    watcher = relay_watcher(relay, topic(device, "state/relay"))
    owner = device.proven(clean=False, session_expiry=60, will=(topic(device, "state/relay"), b"owner's", 1, False, {}))
    owner.subscribe(topic(device, "updates/offer"))
    thief = device.connection()
    challenge = thief.begin(clean=True, will=(topic(device, "state/relay"), b"thief's", 1, False, {}))
    assert owner.published(topic(device, "events/soil"), "1", qos=1) in GOOD
    thief.auth(CONTINUE, device.statement(challenge, key=Key("the thief's").private))
    assert thief.expect(CONNACK).reason == NOT_AUTHORISED
    assert thief.packet() is None
    assert owner.published(topic(device, "events/soil"), "2", qos=1) in GOOD
    watcher.nothing()
    # and who can takes all of it
    heir = device.proven(clean=False, session_expiry=60)
    assert heir.connack.reason == SUCCESS and heir.connack.present
    owner.closed(TAKEN_OVER)
    assert watcher.expect(PUBLISH).payload == b"owner's"
    heir.drop()
    watcher.drop()


def relay_watcher(relay, *topics):
    watcher = Client(relay, "app.all", client_id="app.all.dice")
    watcher.subscribe(*topics, qos=0)
    return watcher


def test_plain_connect_of_who_has_to_prove_itself(relay, device):
    since = last_alert(relay)
    for _ in range(3):
        client = device.plain()
        assert client.connack.reason == NOT_AUTHORISED and client.packet() is None
    assert [alert["device"] for alert in said(relay, "not-attested", since)] == [device.identity]  # once for all three
    assert device.proven().connack.reason == SUCCESS
    # the list said nothing, and it proved itself once: from then on it has to
    other = Device(relay, f"dice-{next(numbers)}", level=0)
    register(relay, other)
    assert other.plain().connack.reason == SUCCESS
    assert other.proven().connack.reason == SUCCESS
    assert other.plain().connack.reason == NOT_AUTHORISED


def test_silence_is_not_waited_for(relay, device):
    since = last_alert(relay)
    client = device.connection()
    client.begin()
    assert client.expect(CONNACK, timeout=30).reason == NOT_AUTHORISED
    assert client.packet() is None
    assert said(relay, "not-attested", since)


def test_one_device_may_begin_four_times_at_once(relay, device):
    begun = [device.connection() for _ in range(4)]
    for client in begun:
        client.begin()
    client = device.connection()
    client.connect(device.identity, auth_method=METHOD)
    assert client.expect(CONNACK).reason == BUSY
    for client in begun:
        client.drop()
    wait_until("room for one more", lambda: begins(device))
    assert device.proven().connack.reason == SUCCESS


def begins(device):
    client = device.connection()
    client.connect(device.identity, auth_method=METHOD)
    answer = client.packet()
    client.drop()
    return answer.type == AUTH


# ---- what may not come before CONNACK: the answer is a CONNACK that says so

def statement_with(**changes):
    return lambda device, challenge: device.statement(challenge, **changes)


REFUSED_STATEMENTS = {
    "nothing": (lambda device, challenge: b"", "malformed"),
    "cut": (lambda device, challenge: device.statement(challenge)[:-1], "malformed"),
    "with a tail": (lambda device, challenge: device.statement(challenge) + b"\0", "malformed"),
    "too long": (lambda device, challenge: bytes(3073), "malformed"),
    "the challenge itself": (lambda device, challenge: challenge, "malformed"),
    "another nonce": (statement_with(nonce=bytes(32)), "wrong-nonce"),
    "another relay": (statement_with(relay=bytes(32)), "wrong-nonce"),
    "another device": (statement_with(device="device-1"), "wrong-device"),
    "another key": (statement_with(key=Key("mine").private), "bad-signature"),
    "no certificate": (statement_with(certificate=b""), "malformed"),
    "the TLS leaf for the certificate": (lambda device, challenge: device.statement(challenge, certificate=device.chain()[0]), None),
}


@pytest.mark.parametrize("name", REFUSED_STATEMENTS)
def test_statements_that_are_refused(relay, device, name):
    make, reason = REFUSED_STATEMENTS[name]
    since = last_alert(relay)
    client = device.connection()
    assert client.prove(lambda challenge: make(device, challenge)) == NOT_AUTHORISED
    assert client.packet() is None
    if reason:
        assert [alert["device"] for alert in said(relay, reason, since)] == [device.identity]
    assert device.proven().connack.reason == SUCCESS


BEFORE = {
    "PUBLISH": (frame(0x30, text("a") + b"\0"), PROTOCOL_ERROR),
    "SUBSCRIBE": (frame(0x82, b"\0\1\0" + text("a") + b"\0"), PROTOCOL_ERROR),
    "PINGREQ": (b"\xc0\x00", PROTOCOL_ERROR),
    "AUTH, again": (auth(AGAIN, METHOD_NAMED), PROTOCOL_ERROR),
    "AUTH, success": (auth(SUCCESS, METHOD_NAMED), PROTOCOL_ERROR),
    "AUTH without anything": (b"\xf0\x00", PROTOCOL_ERROR),
    "AUTH without a method": (auth(CONTINUE, {"auth_data": b"x"}), PROTOCOL_ERROR),
    "AUTH of another method": (auth(CONTINUE, {"auth_method": "DICE-2", "auth_data": b"x"}), BAD_METHOD),
    "AUTH, method twice": (auth(CONTINUE, METHOD_NAMED, METHOD_NAMED), PROTOCOL_ERROR),
    "AUTH, data twice": (auth(CONTINUE, METHOD_NAMED, {"auth_data": b"x"}, {"auth_data": b"y"}), PROTOCOL_ERROR),
    "AUTH of an unknown reason": (auth(0x55, METHOD_NAMED), PROTOCOL_ERROR),
    "AUTH with flags": (b"\xf1\x00", MALFORMED),
    "AUTH, cut inside": (frame(0xF0, b"\x18\x05\x15\x00\x09DI"), MALFORMED),
    "AUTH of 5,000 bytes": (frame(0xF0, b"\x18" + encode_properties({"auth_method": METHOD, "auth_data": bytes(5000)})),
                            TOO_LARGE),
}


@pytest.mark.parametrize("name", BEFORE)
def test_only_auth_may_come_before_connack(relay, device, name):
    sent, reason = BEFORE[name]
    client = device.connection()
    client.begin()
    client.raw.send(sent)
    answer = client.expect(CONNACK)
    assert answer.reason in ((reason, PROTOCOL_ERROR) if reason == MALFORMED else (reason,)), answer
    assert client.packet() is None


def test_disconnect_before_connack(relay, device):
    client = device.connection()
    client.begin()
    client.disconnect()
    assert client.packet() is None
    assert device.proven().connack.reason == SUCCESS


AFTER = {
    "an answer nobody asked for": (auth(CONTINUE, METHOD_NAMED), PROTOCOL_ERROR),
    "success": (auth(SUCCESS, METHOD_NAMED), PROTOCOL_ERROR),
    "another method": (auth(AGAIN, {"auth_method": "DICE-2"}), BAD_METHOD),
    "no method": (b"\xf0\x00", PROTOCOL_ERROR),
    "twice": (auth(AGAIN, METHOD_NAMED) * 2, PROTOCOL_ERROR),
}


@pytest.mark.parametrize("name", AFTER)
def test_auth_in_an_open_session(relay, device, name):
    sent, reason = AFTER[name]
    client = device.proven()
    client.raw.send(sent)
    answer = client.packet()
    while answer.type == AUTH:
        answer = client.packet()
    assert (answer.type, answer.reason) == (DISCONNECT, reason)


def test_auth_without_a_method_in_connect(relay):
    client = Device(relay, "dice-plain", level=0)
    register(relay, client)
    session = client.plain()
    assert session.connack.reason == SUCCESS and "auth_method" not in session.connack.properties
    session.auth(AGAIN)
    session.closed(PROTOCOL_ERROR)


@pytest.mark.parametrize("method", ["DICE-2", "dice-1", "DICE-1 ", "", "x" * 200])
def test_other_methods(relay, device, method):
    client = device.connection()
    client.connect(device.identity, auth_method=method)
    assert client.expect(CONNACK).reason == BAD_METHOD
    assert client.packet() is None


def test_data_in_connect_is_no_proof(relay, device):
    client = device.connection()
    client.connect(device.identity, auth_method=METHOD, auth_data=device.statement(encode({0: 1, 1: bytes(32), 2: bytes(32)})))
    assert client.expect(CONNACK).reason == NOT_AUTHORISED


def test_applications_are_their_certificate(relay):
    client = Client(relay, "app.all", connected=False)
    client.connect("app.all.dice", auth_method=METHOD)
    assert client.expect(CONNACK).reason == BAD_METHOD


# ---- certificates at OPEN

def test_leaf_and_device_certificate_belong_together(relay, device):
    """A leaf of one device's boot stage before another one's device certificate, or alone. (The key of the device certificate
    itself is the registered one: whoever shows that has no need to forge anything.)"""
    other = Device(relay, f"dice-{next(numbers)}")
    register(relay, other)
    front = FrontEnd(relay)
    mine, theirs = device.chain(), other.chain()
    rows = [(mine, ADMIT), (theirs, ADMIT), ([mine[0], theirs[1]], REFUSE), ([theirs[0], mine[1]], REFUSE),
            ([mine[0]], REFUSE), ([mine[0], mine[0]], REFUSE), ([mine[1]], ADMIT)]
    for number, (chain, expected) in enumerate(rows, 1):
        front.open(number, *chain)
        assert front.receive(ADMIT, REFUSE)[:2] == (expected, number), number
    front.close()
