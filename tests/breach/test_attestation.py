# SPDX-License-Identifier: GPL-2.0-or-later
"""A front end in the attacker's hands, before devices that prove themselves to the hub (DICE-1): it knows each one's
certificates, which every handshake shows, and has nobody's key. It can drop what they say, and nothing else."""

import contextlib
import itertools

import pytest
import relaycose as cose
import relaydice as dice
from lab.dice import CONTINUE, METHOD, Device, register
from lab.frontend import ADMIT, PACKET, REFUSE, FrontEnd
from lab.mqtt import connect_packet, frame
from lab.packets import AUTH, CONNACK, Packet, encode_properties
from lab.process import wait_until
from lab.updates import alerts, last_alert
from scene import Scene
from sessions import GOOD, NOT_AUTHORISED


@pytest.fixture(scope="module")
def site():
    """No device of its own is at work: those here are made by hand."""
    with Scene(devices_on=()) as scene:
        yield scene


numbers = itertools.count(1)


@pytest.fixture
def devices(site):
    """The victims, and another one of the same make. The same alert of one device is not told again for a while."""
    made = [Device(site, f"dice-{next(numbers)}") for _ in range(3)]
    register(site, *made)
    return made


class Hostile(FrontEnd):
    """Names certificates, and says what it likes in the sessions it got so."""

    def __init__(self, site):
        super().__init__(site)
        self.number = 0
        self.socket.settimeout(30)

    def session(self, chain):
        """The hub believes that somebody showed these certificates."""
        self.number += 1
        self.open(self.number, *chain)
        assert self.receive(ADMIT, REFUSE)[:2] == (ADMIT, self.number)
        return self.number

    def packet(self):
        _, _, raw = self.receive(PACKET)
        at = 2 if raw[1] < 0x80 else 3
        return Packet(raw[0] >> 4, raw[0] & 15, raw[at:], 5)

    def plain(self, device):
        number = self.session(device.chain())
        self.send(PACKET, number, connect_packet(device.identity))
        return self.packet().reason

    def challenge(self, device, chain=None):
        """Of the hub, for a session that this front end says is the device's."""
        number = self.session(chain or device.chain())
        self.send(PACKET, number, connect_packet(device.identity, properties=encode_properties({"auth_method": METHOD})[1:]))
        asked = self.packet()
        assert (asked.type, asked.reason) == (AUTH, CONTINUE)
        return number, asked.properties["auth_data"]

    def answer(self, number, statement):
        self.send(PACKET, number, frame(0xF0, bytes([CONTINUE]) + encode_properties({"auth_method": METHOD, "auth_data": statement})))
        said = self.packet()
        assert said.type == CONNACK
        return said.reason


@pytest.fixture
def front(site):
    hostile = Hostile(site)
    yield hostile
    hostile.close()


@contextlib.contextmanager
def refused(site, device, reason):
    """The relay alerts so meanwhile, of this device; the device itself has its session all the while, and keeps it."""
    own = device.proven(clean=False, session_expiry=600)
    assert own.connack.reason == GOOD
    since = last_alert(site)
    yield
    wait_until(f"the alert {reason}", lambda: [a for a in alerts(site, reason, since) if a["device"] == device.identity])
    own.nothing()
    own.drop()


def test_identity_invented(site, devices, front):
    """Certificates without a key: neither a plain CONNECT nor a proof can be had with them."""
    victim, *_ = devices
    with refused(site, victim, "not-attested"):
        assert front.plain(victim) == NOT_AUTHORISED
    with refused(site, victim, "bad-signature"):
        number, challenge = front.challenge(victim)
        assert front.answer(number, victim.statement(challenge, key=cose.Key("the front end's").private)) == NOT_AUTHORISED
    with refused(site, victim, "malformed"):
        number, challenge = front.challenge(victim)
        assert front.answer(number, challenge) == NOT_AUTHORISED
    assert shown(site, victim)["Trust"] in ("claimed", "unknown-image")
    number, challenge = front.challenge(victim)  # the control: what the device itself says to this challenge
    assert front.answer(number, victim.statement(challenge)) == GOOD


def test_identity_replayed(site, devices, front):
    """What the device said to an earlier challenge."""
    victim, other_victim, _ = devices
    number, challenge = front.challenge(victim)
    heard = victim.statement(challenge)
    assert front.answer(number, heard) == GOOD
    with refused(site, victim, "wrong-nonce"):
        number, challenge = front.challenge(victim)
        assert front.answer(number, heard) == NOT_AUTHORISED
    with refused(site, other_victim, "wrong-nonce"):  # two at one time: each answer counts in its own session only
        number, first = front.challenge(other_victim)
        other, _ = front.challenge(other_victim)
        assert front.answer(other, other_victim.statement(first)) == NOT_AUTHORISED
    number, challenge = front.challenge(victim)
    assert front.answer(number, victim.statement(challenge)) == GOOD


def test_identity_of_another_relay(site, devices, front):
    """What the device said to another relay, whose gateway is the attacker's: that relay's key stands in it. The same nonce does
    not help, nor does this relay's challenge, which a device compares with whom it dialled."""
    victim, *_ = devices
    with refused(site, victim, "wrong-nonce"):
        number, challenge = front.challenge(victim)
        elsewhere = cose.encode({0: 1, 1: cose.decode(challenge)[1], 2: cose.sha256(b"the other relay's key")})
        assert front.answer(number, victim.statement(elsewhere)) == NOT_AUTHORISED
    number, challenge = front.challenge(victim)
    assert front.answer(number, victim.statement(challenge)) == GOOD


def test_identity_of_another_device(site, devices, front):
    """All keys of one device: it says what it likes, in another one's session, and for another one."""
    victim, other_victim, opened = devices
    with refused(site, victim, "wrong-device"):
        number, challenge = front.challenge(victim)
        assert front.answer(number, opened.statement(challenge)) == NOT_AUTHORISED
    with refused(site, victim, "bad-signature"):
        number, challenge = front.challenge(victim)
        assert front.answer(number, opened.statement(challenge, device=victim.identity)) == NOT_AUTHORISED
    with refused(site, other_victim, "bad-signature"):
        number, challenge = front.challenge(other_victim)  # its own certificate, which others can show, and another's key
        forged = opened.statement(challenge, device=other_victim.identity, certificate=other_victim.certificate)
        assert front.answer(number, forged) == NOT_AUTHORISED
    front.open(99, *[opened.chain()[0], victim.chain()[1]])
    assert front.receive(ADMIT, REFUSE)[:2] == (REFUSE, 99)
    with refused(site, victim, "foreign-certificate"):
        number, challenge = front.challenge(victim, [dice.to_der(victim.device_certificate)])
        assert front.answer(number, victim.statement(challenge)) == NOT_AUTHORISED
    number, challenge = front.challenge(opened)
    assert front.answer(number, opened.statement(challenge)) == GOOD


def test_identity_dropped(site, devices, front):
    """It swallows the device's answers: no session, and the relay says so after ten seconds."""
    victim, *_ = devices
    with refused(site, victim, "not-attested"):
        front.challenge(victim)
        said = front.packet()
        assert (said.type, said.reason) == (CONNACK, NOT_AUTHORISED)
    number, challenge = front.challenge(victim)
    assert front.answer(number, victim.statement(challenge)) == GOOD


def shown(site, device):
    return next(row for row in site.relayctl_json("devices", "list") if row["Identity"] == device.identity)
