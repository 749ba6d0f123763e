# SPDX-License-Identifier: GPL-2.0-or-later
"""Firmware: whatever was stolen, no image runs that the site's people did not approve."""

import relayobjects as objects
from attacker import Attacker
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from lab.frontend import ADMIT, PACKET, REFUSE, FrontEnd, chain, normal_connect
from lab.mqtt import frame, text
from lab.process import wait_until
from lab.site import SITE
from lab.trust import Manager
from lab.updates import FileKey
from scene import AT_RELAY, AT_ROGUE, DIRECT, ON_DESK
from sessions import GOOD, NO_SUBSCRIBER, NOT_AUTHORISED, answer_to


def listed(site, update):
    found = [u for u in site.relayctl_json("updates", "list") if u["Digest"] == update.manifest.hex()]
    return found[0] if found else {"State": "unknown"}


def shown_as(site, update, state):
    wait_until(f"the update to be {state}", lambda: listed(site, update)["State"] == state)


# ---- nothing broken into

def test_firmware_nothing(site):
    """The vendor's own update, by nobody's fault not approved yet: it waits for the second of two people."""
    update = site.make_update()
    with site.nobody_moves(), site.refused(DIRECT, "not-approved", update):
        site.desk.serve(update)
        site.desk.offer(update.envelope, AT_RELAY, DIRECT)
        shown_as(site, update, "pending")
    with site.nobody_moves():
        site.desk.approve("anna", update)
        wait_until("anna's approval at the relay", lambda: len(listed(site, update).get("Approvals", [])) == 1)
    assert site.never_saw(AT_RELAY, update)
    site.install(update, AT_RELAY, DIRECT)


# ---- the cloud, and more and more of the vendor

def attack_by_cloud(site, thief, update, alert, reason):
    """He offers it to everybody who listens to the cloud: the relay alerts and shows nothing, the direct device refuses."""
    with site.nobody_moves(), site.alerted(alert), site.refused(DIRECT, reason, update):
        thief.cloud.offer(update)
    assert site.never_saw(AT_RELAY, update)


def test_firmware_cloud(site):
    """Root on the broker: images under the attacker's own signatures, and his own bytes under an approved manifest."""
    thief = Attacker(site, "cloud")
    update = thief.update()
    attack_by_cloud(site, thief, update, "organisation-signature", "organisation-signature")
    site.carried_refused(update, [], "organisation-signature")
    site.install(update, AT_RELAY, DIRECT)  # the same manifest, signed by the vendor after all


def test_firmware_cloud_image(site):
    """An approved manifest, and the cloud serves other bytes: the relay keeps no such block, and shows no device the update."""
    update = site.make_update()
    with site.nobody_moves(), site.alerted("block-digest"):
        site.desk.serve(update, b7=bytes(objects.BLOCK))
        for person in ("anna", "bertil"):
            site.desk.approve(person, update)
        site.desk.offer(update.envelope, AT_RELAY, DIRECT)
    assert site.never_saw(AT_RELAY, update)
    site.install(site.make_update(), AT_RELAY, DIRECT)


def test_firmware_organisation(site):
    """The release manager's key alone: neither his second signature nor one of the attacker's makes a developer's."""
    thief = Attacker(site, "cloud", "organisation")
    for signers in (("organisation", "developer"), ("organisation", "organisation")):
        update = thief.update(image=bytes(20 * objects.BLOCK), signers=signers)
        attack_by_cloud(site, thief, update, "developer-signature", "developer-signature")
    update = thief.update()
    attack_by_cloud(site, thief, update, "developer-signature", "developer-signature")
    site.carried_refused(update, [thief.approval(who, update) for who in ("anna", "bertil")], "developer-signature")
    site.install(update, AT_RELAY, DIRECT)


def test_firmware_stick(site):
    """The same on a stick, brought to the gateway: relayctl refuses it, and so does the relay, whoever talks to it."""
    thief, manager = Attacker(site, "organisation"), Manager(site)
    update = thief.update()

    def imported(envelope):
        file = site.file("stick.relayd-update", objects.update_file(envelope, "Waters less.\n", update.image))
        return site.relayctl("updates", "import", file, "--device", AT_RELAY, check=False)
    done = imported(update.envelope)
    assert done.returncode == 3 and "developer-signature" in done.stderr, done
    blocks = objects.block_list(update.image)
    assert manager.refusal("ImportUpdate", update.envelope, blocks, "", [AT_RELAY]) == "DeveloperSignature"
    other = objects.block_list(update.image[:-1])
    assert manager.refusal("ImportUpdate", site.signed(update), other, "", [AT_RELAY]) == "BlockListDigest"
    assert listed(site, update)["State"] == "unknown"
    done = imported(site.signed(update))
    assert done.returncode == 0, done
    shown_as(site, update, "pending")
    assert site.never_saw(AT_RELAY, update)
    since = site.desk.mark()
    for person in ("anna", "bertil"):
        manager.call("Approve", site.desk.approval(person, update))
    site.desk.wait_status(AT_RELAY, since, "confirmed", update=update, patience=40)
    manager.close()


def test_firmware_developer(site):
    """Both vendor keys and the cloud: the empty image is well signed. Nobody approved it, and nobody can pretend to."""
    thief = Attacker(site, "cloud", "organisation", "developer")
    empty = thief.update(image=bytes(29 * objects.BLOCK))
    with site.nobody_moves(), site.refused(DIRECT, "not-approved", empty):
        thief.cloud.offer(empty)
        shown_as(site, empty, "pending")
    with site.nobody_moves(), site.alerted("bad-signature", "not-an-approver"):
        thief.approve(thief.cloud, empty, "anna", "bertil")
        stranger = objects.approval(thief.own, SITE, empty.manifest)
        thief.cloud.approve(empty, stranger, objects.key_id(thief.own.cose))
    assert site.never_saw(AT_RELAY, empty) and listed(site, empty)["State"] == "pending"
    site.relayctl("updates", "deny", empty.manifest.hex(), "--why", "nobody knows it")

    update = thief.update()  # made by the thief, but the people of the site looked at it and say yes
    with site.nobody_moves(), site.refused(DIRECT, "not-approved", update):
        thief.cloud.offer(update)
        thief.approve(thief.cloud, update, "anna", "bertil")
    site.carried_refused(update, [thief.approval(who, update) for who in ("anna", "bertil")], "not-approved")
    site.install(update, AT_RELAY, DIRECT)
    site.carried_installs(update)


# ---- the relay

def test_firmware_relay(site):
    """Root on the gateway, acting as the relay: what the vendor signed and nobody approved does not run."""
    thief = Attacker(site, "gateway")
    way, update = thief.relay, site.make_update()
    with site.nobody_moves(), site.refused(AT_ROGUE, "not-approved", update):
        way.offer(update)  # as the cloud had given it to the relay
        thief.approve(way, update, "anna", "bertil", "cecilia")
        way.approve(update, objects.approval(thief.key("gate"), SITE, update.manifest), objects.key_id(thief.key("gate").cose))
    mine = thief.update()
    with site.nobody_moves(), site.refused(AT_ROGUE, "organisation-signature", mine):
        way.offer(mine)
    site.install(update, AT_ROGUE)  # approved, it runs: that much the relay may decide


def test_firmware_relay_and_vendor(site):
    """Relay and both vendor keys: still nobody's approval."""
    thief = Attacker(site, "gateway", "organisation", "developer")
    update = thief.update()
    with site.nobody_moves(), site.refused(AT_ROGUE, "not-approved", update):
        thief.relay.offer(update)
        thief.approve(thief.relay, update, "anna", "bertil")
    site.install(update, AT_ROGUE)


def test_firmware_sd_card(site):
    """The gateway's disk, byte by byte: no approver's, vendor's or device's private key, in no form we know."""
    secrets = {path: path.read_bytes() for path in [*site.folder.glob("people/*/*.key"), *site.folder.glob("vendor/*.key"),
                                                    *site.folder.glob("factory/made/device-*.secret")]}
    assert len(secrets) == 3 + 3 + 4
    disk = {path: path.read_bytes() for path in (site.folder / "gateway").rglob("*") if path.is_file()}
    assert site.folder / "gateway/etc/relayd/keys/gate.key" in disk
    for path, pem in secrets.items():
        for form in forms_of_key(path):
            assert not [name for name, content in disk.items() if form in content], f"{path.name} lies on the gateway"
    gate = forms_of_key(site.folder / "gateway/etc/relayd/keys/gate.key")
    assert [name for name, content in disk.items() if any(form in content for form in gate)], "the search finds nothing"


def forms_of_key(path):
    """PEM body, raw seed, and the seed in hexadecimal; of a device the same of its secret."""
    if path.suffix == ".secret":
        return [path.read_bytes(), path.read_bytes().hex().encode()]
    der = FileKey(path).private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    seed = der[-32:]
    pem = b"".join(line for line in path.read_bytes().splitlines() if b"-----" not in line)
    return pem, seed, seed.hex().encode()


# ---- a front end, a key of the gateway

def test_firmware_front_end(site):
    """Sessions of the front end's own invention: it may say what devices and applications may say, and no more. (What it can
    tell its devices is what a rooted relay can: test_firmware_relay.)"""
    front, update = FrontEnd(site), Attacker(site, "organisation", "developer").update()
    hostile = {f"sites/{SITE}/devices/{AT_RELAY}/updates/offer": update.envelope,
               f"sites/{SITE}/devices/{ON_DESK}/updates/offer": update.envelope,
               f"sites/{SITE}/approvals/{update.manifest.hex()}/{bytes(8).hex()}": b"x",
               f"sites/{SITE}/policy/2": b"x", f"images/{update.digest}/0": update.blocks()[0]}
    with site.nobody_moves():
        for number, identity in enumerate((ON_DESK, "app.panel"), 1):
            front.open(number, *chain(site, identity))
            assert front.receive(ADMIT, REFUSE)[0] == ADMIT
            front.send(PACKET, number, normal_connect(identity))
            front.receive(PACKET)
            for topic, payload in hostile.items():
                assert said_to_publish(front, number, topic, payload) == NOT_AUTHORISED, topic
        own = f"sites/{SITE}/devices/{ON_DESK}/events/soil"
        assert said_to_publish(front, 1, own, b"x") in (GOOD, NO_SUBSCRIBER)
        assert listed(site, update)["State"] == "unknown"
    front.close()
    site.install(update, AT_RELAY)


def said_to_publish(front, session, topic, payload):
    front.send(PACKET, session, frame(0x32, text(topic) + b"\x00\x07\x00" + payload))
    while True:
        kind, _, packet = front.receive(PACKET)
        if packet[0] >> 4 == 4:
            return packet[4] if len(packet) > 4 else GOOD


def test_firmware_gate(site):
    """The gate's key alone, at the cloud's door: what it signs is no approval and no manifest."""
    thief = Attacker(site, "cloud", "gate")
    gate, update = thief.key("gate"), site.make_update()
    with site.nobody_moves(), site.alerted("not-an-approver"), site.refused(DIRECT, "not-approved", update):
        thief.cloud.offer(update)
        thief.cloud.approve(update, objects.approval(gate, SITE, update.manifest), objects.key_id(gate.cose))
    assert site.never_saw(AT_RELAY, update)
    site.install(update, AT_RELAY, DIRECT)


# ---- one person of the site

def test_firmware_approver(site):
    """Anna's key: however often it signs, under whatever name, it is one of two."""
    thief = Attacker(site, "cloud", "organisation", "developer", "anna")
    update = thief.update()
    with site.nobody_moves(), site.refused(DIRECT, "not-approved", update):
        thief.cloud.offer(update)
        thief.approve(thief.cloud, update, "anna", "bertil", "cecilia")
        for number, options in enumerate(({"not_before": 1}, {"epoch": 2}, {"scope": (2, [DIRECT, AT_RELAY])})):
            thief.cloud.approve(update, thief.approval("anna", update, **options), bytes(7) + bytes([number]))
        shown_as(site, update, "pending")
    assert listed(site, update)["State"] == "pending" and site.never_saw(AT_RELAY, update)
    hers = [thief.approval("anna", update, not_before=number) for number in (None, 1, 2)]
    site.carried_refused(update, [*hers, thief.approval("bertil", update)], "not-approved")
    site.install(update, AT_RELAY, DIRECT)
    site.carried_installs(update)


# ---- one device

def test_firmware_device_opened(site):
    """A device's application and flash in his hands: even there the boot stage runs only what was approved; others get nothing
    from him. (Who replaces the boot stage itself has that device, and that device only.)"""
    thief = Attacker(site, "cloud", "organisation", "developer", ON_DESK)
    update = thief.update()
    with site.nobody_moves():
        forged = [thief.approval(who, update) for who in ("anna", "bertil")]
        with site.hijacked(update, update.envelope, forged) as (device, slot):
            device.wait_for(f"slot {slot}: not-approved\n.*slot {'BA'['AB'.index(slot)]}, sequence")
        for topic, payload in ((f"sites/{SITE}/devices/{DIRECT}/updates/offer", update.envelope),
                               (f"sites/{SITE}/approvals/{update.manifest.hex()}/{bytes(8).hex()}", forged[0]),
                               (f"images/{update.digest}/0", update.blocks()[0])):
            for port in (site.port, site.cloud.port):
                assert answer_to(site, ON_DESK, port, topic, payload) == NOT_AUTHORISED, topic
    good = [objects.approval(site.person(who), SITE, update.manifest) for who in ("anna", "bertil")]
    with site.hijacked(update, update.envelope, good) as (device, slot):
        device.wait_for(f"slot {slot}, sequence .*, on trial")
        device.wait_for("confirmed")


def test_firmware_changed_by_hand(site):
    """One bit of the running image, or another image that even the vendor signed, in the slot that runs: it does not start."""
    thief = Attacker(site, ON_DESK)
    flash = thief.flash(ON_DESK)
    slot = flash.confirmed_slot()
    kept = flash.path.read_bytes()
    flash.flip(f"image {slot}", 5000)
    with site.switched_on() as device:
        device.wait_for(f"slot {slot}: image-digest")
        device.wait_for("recovery: no slot may run")
        assert f"slot {slot}, sequence" not in device.output()
    flash.path.write_bytes(kept)
    other = site.make_update()
    flash.put_slot(slot, other.envelope, [], other.image)
    with site.switched_on() as device:
        device.wait_for(f"slot {slot}: not-confirmed")
        device.wait_for("recovery: no slot may run")
        assert f"slot {slot}, sequence" not in device.output()
    flash.path.write_bytes(kept)
    with site.switched_on() as device:
        device.wait_for("session with the cloud")
