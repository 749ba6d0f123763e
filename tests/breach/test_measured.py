# SPDX-License-Identifier: GPL-2.0-or-later
"""What runs on a device is what its boot stage measured: neither the application nor a flash programmer changes that."""

import contextlib
import os
import socket

import pytest
import relaycose as cose
import relaydice as dice
from attacker import Attacker
from lab.process import wait_until
from lab.site import SITE
from lab.updates import alerts, last_alert, noise
from scene import AT_RELAY, ON_DESK, Scene
from sessions import GOOD, NOT_AUTHORISED
from test_attestation import Hostile

REFUSED = b"\1"  # the boot stage's answer to what it does not do


@pytest.fixture(scope="module")
def site():
    """device-1 and device-4 have to prove themselves; none is at work before a test begins."""
    with Scene(devices_on=(), proves=(AT_RELAY, ON_DESK)) as scene:
        yield scene


@pytest.fixture
def front(site):
    hostile = Hostile(site)
    yield hostile
    hostile.close()


class Liar:
    """The device's application, in an attacker's hands. What Hostile needs of a device, it has of the boot stage."""

    def __init__(self, site, name):
        self.site, self.identity = site, name
        self.path = site.folder / "liar"
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(str(self.path))
        self.listener.listen(1)
        self.listener.settimeout(60)

    def __enter__(self):
        self.process = self.site.start_device(self.identity, "--liar", self.path)
        self.boot, _ = self.listener.accept()
        self.boot.settimeout(60)
        return self

    def __exit__(self, *_):
        self.boot.close()
        self.process.kill()
        self.listener.close()

    def ask(self, request):
        self.boot.send(request)
        return self.boot.recv(65536)

    def done(self, request):
        answer = self.ask(request)
        assert answer[:1] == b"\0", request[:1]
        return answer[1:]

    def chain(self):
        identity = self.done(b"I")
        certificates, found = identity[1 + identity[0] + 16 + 32 + 1:], []
        while certificates:
            size = 4 + int.from_bytes(certificates[2:4], "big")
            found.append(certificates[:size])
            certificates = certificates[size:]
        return found

    def statement(self, challenge):
        """As an honest application asks for it."""
        asked = cose.decode(challenge)
        return self.done(b"D" + asked[1] + asked[2])

    def sign(self, message):
        return self.ask(b"G" + message)


def handshake_content(digest):
    """What a client signs in TLS 1.3 (RFC 8446 section 4.4.3)."""
    return b" " * 64 + b"TLS 1.3, client CertificateVerify\0" + digest


def fields_of(statement):
    """(protected header, payload) of a statement"""
    item = cose.decode(statement)
    return item.value[0], cose.decode(item.value[2])


def with_signature(protected, payload, signature):
    return cose.encode(cose.cbor2.CBORTag(18, [protected, {}, payload, signature]))


def provision(site, name, update):
    """This image in the device's flash, which it confirmed long ago; all made anew, with its own secret."""
    (site.folder / "devices" / name / "flash").unlink()
    site.make_device(name, site.file(f"{name}.manifest", update.envelope), site.file(f"{name}.image", update.image))


def lying_image(site):
    return (site.build / "tests" / "breach" / "liar").read_bytes() + noise(os.urandom(8), 4096)


def proved(site, front, liar):
    """The relay believes an honest answer, and shows this image."""
    number, challenge = front.challenge(liar)
    statement = liar.statement(challenge)
    assert front.answer(number, statement) == GOOD
    return statement, wait_until("what it proved", lambda: device_row(site, liar.identity)["ProvedImage"])


def device_row(site, name):
    return next(row for row in site.relayctl_json("devices", "list") if row["Identity"] == name)


def test_identity_lying_application(site, front):
    """An image that everybody approved turns out to be the attacker's. It says what it runs, or nothing: no request to its boot
    stage gives a statement or certificate with the measurement of the image before it."""
    before, now = (site.desk.make(image=lying_image(site)) for _ in range(2))
    provision(site, ON_DESK, before)
    with Liar(site, ON_DESK) as liar:
        heard, image = proved(site, front, liar)
        assert image == before.digest
        old_protected, old = fields_of(heard)
    code, said = site.carried(now, site.approvals(now))
    assert code == 0, said
    with Liar(site, ON_DESK) as liar:
        liar.done(b"C")
        _, image = proved(site, front, liar)
        assert image == now.digest
        number, challenge = front.challenge(liar)
        asked = cose.decode(challenge)
        # what it said when it was the other image
        assert front.answer(number, heard) == NOT_AUTHORISED
        # the old certificate in a statement of today: by the key of today
        number, challenge = front.challenge(liar)
        asked = cose.decode(challenge)
        lie = {**old, 1: asked[1], 2: asked[2]}
        payload = cose.encode(lie)
        message = cose.sig_structure(old_protected, dice.STATEMENT_AAD, payload)
        assert liar.sign(message) == REFUSED
        signature = liar.done(b"G" + handshake_content(cose.sha256(message)))
        assert front.answer(number, with_signature(old_protected, payload, signature)) == NOT_AUTHORISED
        # more in the request than nonce and relay key
        for more in (b"\0", bytes.fromhex(before.digest), old[5], cose.encode({5: old[5]})):
            assert liar.ask(b"D" + asked[1] + asked[2] + more) == REFUSED
        # what is signed as a handshake and is none
        for message in (b"", bytes(130), handshake_content(bytes(31)), handshake_content(bytes(65)), handshake_content(bytes(32))[1:],
                        b" " * 64 + b"TLS 1.3, server CertificateVerify\0" + bytes(32), old[5], payload):
            assert liar.sign(message) == REFUSED
        # requests that nobody ever wrote down
        known = {liar_request[0] for liar_request in (b"S", b"T", b"C", b"G", b"I", b"D", b"A", b"U", b"W")}
        for request in range(256):
            if request not in known:
                assert liar.ask(bytes([request]) + old[5]) == REFUSED
        _, image = proved(site, front, liar)  # and the control, once more
        assert image == now.digest


def test_identity_copied(site):
    """A device opened, all of its flash copied into another one: the two cannot both be in the boot that comes next. The one that
    comes second is told of. (What is done about it is the site's rule.)"""
    site.relayctl("images", "add", site.folder / "vendor" / "1.0.0.manifest")
    at_work(site, "claimed", "")
    copy = site.folder / "devices" / "copy" / "flash"
    copy.parent.mkdir()
    copy.write_bytes(site.flash(AT_RELAY).path.read_bytes())
    before = device_row(site, AT_RELAY)["Boot"]
    since = last_alert(site)
    while device_row(site, AT_RELAY)["Boot"] < before + 2:  # the control: it starts anew, and nothing is wrong
        at_work(site, "claimed", "")
    assert not alerts(site, "cloned-device", since)
    with site.switched_on("copy"):
        told = wait_until("the alert", lambda: alerts(site, "cloned-device", since))
    assert [alert["device"] for alert in told] == [AT_RELAY]


def test_identity_changed_by_hand(site):
    """A flash programmer changes what runs. One bit of the image: it does not start, and the relay shows that the device has none to
    run. All of the flash made anew, with the device's own secret, an image and vendor keys of the attacker's: that starts, and
    cannot but say so."""
    manifest = site.folder / "vendor" / "1.0.0.manifest"
    site.relayctl("images", "add", manifest)
    at_work(site, "claimed", "")
    flash = site.flash(AT_RELAY)
    kept, since = flash.path.read_bytes(), last_alert(site)

    flash.flip(f"image {flash.confirmed_slot()}", 5000)
    at_work(site, "recovery", "recovery")
    told = wait_until("the alert", lambda: alerts(site, "recovery", since))
    assert told[-1]["device"] == AT_RELAY

    evil = changed_image(site)
    provision(site, AT_RELAY, evil)
    row = at_work(site, "unknown-image", "unknown-image")
    assert row["ProvedImage"] == evil.digest
    told = wait_until("the alert", lambda: alerts(site, "unknown-image", since))
    assert told[-1]["device"] == AT_RELAY and evil.digest[:16] in told[-1]["detail"]
    before = site.desk.mark()
    with site.switched_on(AT_RELAY):
        wait_until("its state at the cloud", lambda: said(site, before, "state/relay"))
        assert not said(site, before, "events/")

    flash.path.write_bytes(kept)
    before = site.desk.mark()
    with site.switched_on(AT_RELAY):
        wait_until("its events at the cloud", lambda: said(site, before, "events/"))
    assert (row["Trust"], device_row(site, AT_RELAY)["Trust"]) == ("unknown-image", "claimed")


def said(site, since, rest):
    prefix = f"sites/{SITE}/devices/{AT_RELAY}/{rest}"
    return [m for m in site.desk.listen()[since:] if m.topic.startswith(prefix) and b'"online":false' not in m.payload]


def at_work(site, trust, quarantine):
    """The device at the relay: what it is shown as."""
    with site.switched_on(AT_RELAY):
        return wait_until(f"{AT_RELAY} to be {trust}", lambda: online_as(site, trust, quarantine))


def online_as(site, trust, quarantine):
    row = device_row(site, AT_RELAY)
    return row if row["Online"] and (row["Trust"], row["Quarantine"]) == (trust, quarantine) else None


def changed_image(site):
    """The attacker's own, that he signed with keys of his own under the vendor's name."""
    thief = Attacker(site, "organisation", "developer")
    return thief.update(image=site.image("1.0.0").read_bytes() + b"and a little more")
