# SPDX-License-Identifier: GPL-2.0-or-later
"""Updates under attack, by the cloud, by the direct way, by a stolen gateway: no device moves, the reason is the right one
at the relay and at the device, and a good update still goes through afterwards."""

import contextlib
import os

import pytest
import relayobjects as objects
from lab.process import LabError, wait_until
from lab.site import World
from lab.updates import Desk, Impostor, alerts, last_alert

from conftest import BUILD

DIRECT = "device-3"
AT_RELAY = ("device-1", "device-2")
OPTIONS = ("--retry-ms", "1000", "--dwell-ms", "1000", "--settle-ms", "300")


@pytest.fixture(scope="module")
def site():
    """Two devices at the relay, one that knows only the cloud; all run 1.0.0, the gate is open."""
    with World(BUILD, devices=3, direct_only=(DIRECT,), proves=True, keep="RELAYD_KEEP" in os.environ) as world:
        world.make()
        world.start_all()
        world.relayctl("gate", "open")
        desk = Desk(world)
        for name in world.devices:
            world.start_device(name, *OPTIONS)
        for name in AT_RELAY:
            world.wait_device(name, "connects", lambda device: device["Online"])
        wait_until("all states at the cloud", lambda: set(desk.images()) == set(world.devices))
        world.desk = desk
        yield world
        desk.close()


@contextlib.contextmanager
def nobody_moves(world):
    """No device starts anew or runs another image meanwhile."""
    before = world.desk.images()
    yield
    assert world.desk.images() == before


def said_of(desk, device, update):
    return [status for status in desk.statuses(device) if status["manifest"] == update.manifest.hex()]


def install(world, update=None, patience=40):
    """A good update goes all the way to all devices."""
    desk = world.desk
    update = update or desk.make()
    desk.serve(update)
    desk.offer(update.envelope)
    for person in ("anna", "bertil"):
        desk.approve(person, update)
    desk.wait_running(update, patience=patience)
    since = desk.mark() - 400
    for name in world.devices:
        desk.wait_status(name, max(since, 0), "confirmed", update=update)
    return update


def test_a_good_update_installs(site):
    install(site)


# ---- offers

def other_component(parts):
    parts[3] = {**parts[3], 2: [[b"other"]]}


def other_digest_algorithm(parts):
    parts[3][4][1][3] = objects.encode([-43, bytes(48)])


def wrong_uri(parts):
    parts[20][1] = {21: "https://cloud.example/firmware.bin"}


# name -> (how it is made, reason at the relay, reason at a device)
BAD_OFFERS = {
    "organisation only": (lambda d: d.make(("organisation",)), "developer-signature", "developer-signature"),
    "developer only": (lambda d: d.make(("developer",)), "organisation-signature", "organisation-signature"),
    "not signed": (lambda d: d.make(()), "organisation-signature", "organisation-signature"),
    "one key in both roles": (lambda d: d.make(("organisation", "organisation")), "developer-signature", "developer-signature"),
    "the developer twice": (lambda d: d.make(("developer", "developer")), "organisation-signature", "organisation-signature"),
    "a stranger as developer": (lambda d: d.make(("organisation", "stranger")), "developer-signature", "developer-signature"),
    "the command key as developer": (lambda d: d.make(("organisation", "command")), "developer-signature",
                                     "developer-signature"),
    "approvers as vendor": (lambda d: d.make(("anna", "bertil")), "organisation-signature", "organisation-signature"),
    "of another class": (lambda d: d.make(class_name="heater"), "wrong-class", "wrong-class"),
    "of another vendor": (lambda d: d.make(domain="other.example"), "wrong-vendor", "wrong-vendor"),
    "another component": (lambda d: d.make(bend=other_component), "unsupported-manifest", "unsupported-manifest"),
    "another digest algorithm": (lambda d: d.make(bend=other_digest_algorithm), None, None),
    "fetched from elsewhere": (lambda d: d.make(bend=wrong_uri), "unsupported-manifest", "unsupported-manifest"),
    "garbage": (lambda d: d.make().envelope[::-1], "malformed", "malformed"),
    "cut": (lambda d: d.make().envelope[:-9], "malformed", "malformed"),
    "bytes behind it": (lambda d: d.make().envelope + b"\0", "malformed", "malformed"),
    "one bit of the manifest": (lambda d: flipped(d.make().envelope), None, None),
}


def flipped(envelope):
    return envelope[:-40] + bytes([envelope[-40] ^ 1]) + envelope[-39:]


def withdraw(desk, *devices):
    """Takes a refused offer back, so that the same refusal of another one is news."""
    since, waiting = desk.mark(), [d for d in devices or (DIRECT,) if (desk.statuses(d) or [{"state": "idle"}])[-1]["state"] == "refused"]
    desk.offer(b"", *devices)
    for device in waiting:
        desk.wait_status(device, since, "idle")


def envelope_of(made):
    return made if isinstance(made, bytes) else made.envelope


@pytest.mark.parametrize("name", BAD_OFFERS)
def test_bad_offer_of_the_cloud(site, name):
    make, at_relay, at_device = BAD_OFFERS[name]
    desk = site.desk
    withdraw(desk)
    since, alert = desk.mark(), last_alert(site)
    with nobody_moves(site):
        desk.offer(envelope_of(make(desk)))
        if at_relay:
            wait_until(f"the alert {at_relay}", lambda: alerts(site, at_relay, alert))
        else:
            wait_until("an alert", lambda: last_alert(site) > alert)
        desk.wait_status(DIRECT, since, "refused", at_device)
        for device in AT_RELAY:  # refused before they could see it
            assert not [s for s in desk.statuses(device, since) if s["state"] == "refused"]
    assert site.relayctl_json("updates", "list")[0]["State"] in ("approved", "superseded")


def test_far_too_large_an_offer(site):
    """More than any manifest may have is told at the relay; beyond the packet size it announced, the broker keeps it. The
    same at a device."""
    alert = last_alert(site)
    with nobody_moves(site):
        site.desk.offer(bytes(300 * 1024))
        site.desk.offer(bytes(30 * 1024))
        wait_until("the alert", lambda: [a for a in alerts(site, "topic", alert) if "updates/offer" in str(a)])
    install(site)


def test_empty_image_signed_by_both_vendor_keys(site):
    """Cloud, organisation and developer keys stolen: pending at the relay, refused at the device, till people say no."""
    desk = site.desk
    since = desk.mark()
    with nobody_moves(site):
        empty = desk.serve(desk.make(image=bytes(116 * 1024)))
        desk.offer(empty.envelope)
        wait_until("it to be pending", lambda: [u for u in site.relayctl_json("updates", "list")
                                               if u["Digest"] == empty.manifest.hex() and u["State"] == "pending"])
        desk.wait_status(DIRECT, since, "refused", "not-approved", empty)
        site.relayctl("updates", "deny", empty.manifest.hex(), "--why", "nobody knows it")
        for device in AT_RELAY:
            assert not [s for s in desk.statuses(device, since) if s["state"] == "refused"]
    install(site)


@pytest.mark.parametrize("sequence", ["lower", "equal"])
def test_old_sequence(site, sequence):
    """Signed and approved, but a step back: devices refuse it on either way."""
    desk = site.desk
    desk.sequence += 2
    current = install(site, desk.make(sequence=desk.sequence))
    since = desk.mark()
    with nobody_moves(site):
        old = desk.serve(desk.make(sequence=desk.sequence - (sequence == "lower"), image=desk.program + b"old" * desk.sequence))
        desk.offer(old.envelope)
        for person in ("anna", "bertil"):
            desk.approve(person, old)
        desk.wait_status(DIRECT, since, "refused", "old-sequence", old)
        if sequence == "equal":
            for device in AT_RELAY:
                desk.wait_status(device, since, "refused", "old-sequence", old)
    assert desk.images()[DIRECT][1] == current.digest
    install(site)


# ---- approvals

def twice(desk, update):
    """One person, two different approvals, at two topics."""
    desk.approve("anna", update)
    desk.approve("anna", update, place="11" * 8, not_before=1)
    desk.approve("anna", update, place=objects.key_id(desk.keys["bertil"].cose).hex(), not_before=2)


def as_bertil(payload_of):
    def publish(desk, update):
        desk.approve("anna", update)
        desk.approve("bertil", update, payload=payload_of(desk, update))
    return publish


def second(signer, **options):
    return as_bertil(lambda desk, update: desk.approval(signer, update, **options))


def broken(desk, update):
    good = desk.approval("bertil", update)
    return good[:-1] + bytes([good[-1] ^ 1])


# name -> (what is published, reason of the relay's alert or None, reason at the device)
BAD_APPROVALS = {
    "none": (lambda desk, update: None, None, "not-approved"),
    "one person": (lambda desk, update: desk.approve("anna", update), None, "not-approved"),
    "one person twice": (twice, None, "not-approved"),
    "a stranger": (second("stranger"), "not-an-approver", "not-approved"),
    "the vendor's keys": (second("organisation"), "not-an-approver", "not-approved"),
    "of another site": (second("bertil", site="s2"), "wrong-site", "not-approved"),
    "of another manifest": (as_bertil(lambda desk, update: desk.approval("bertil", desk.make())), None, "not-approved"),
    "for another device": (second("bertil", scope=(2, ["device-77"])), None, None),
    "for another class": (second("bertil", scope=(1, bytes(16))), None, None),
    "over": (second("bertil", not_after=1600000000), None, None),
    "a broken signature": (as_bertil(broken), "bad-signature", "not-approved"),
    "garbage": (as_bertil(lambda desk, update: bytes(range(256))), "malformed", "not-approved"),
    "too large": (as_bertil(lambda desk, update: bytes(4000)), "topic", "not-approved"),
    "far too large": (as_bertil(lambda desk, update: bytes(300 * 1024)), None, "not-approved"),
}


@pytest.mark.parametrize("name", BAD_APPROVALS)
def test_bad_approvals(site, name):
    publish, at_relay, at_device = BAD_APPROVALS[name]
    desk = site.desk
    since, alert = desk.mark(), last_alert(site)
    with nobody_moves(site):
        update = desk.serve(desk.make())
        publish(desk, update)
        desk.offer(update.envelope)
        desk.wait_status(DIRECT, since, "refused", at_device, update)
        if at_relay:
            wait_until(f"the alert {at_relay}", lambda: alerts(site, at_relay, alert))
        for device in AT_RELAY:
            assert not said_of(desk, device, update)
    # bertil's good one replaces whatever lay there; where he gave a narrower one, it takes another person
    for person in ("anna", "bertil", "cecilia"):
        desk.approve(person, update)
    desk.wait_running(update)


def test_one_person_cannot_approve_twice_by_the_bus(site):
    desk = site.desk
    since = desk.mark()
    with nobody_moves(site):
        update = desk.serve(desk.make())
        desk.offer(update.envelope)
        wait_until("it to be pending", lambda: [u for u in site.relayctl_json("updates", "list")
                                               if u["Digest"] == update.manifest.hex()])
        site.approve(update.manifest.hex(), "anna")
        with pytest.raises(LabError, match="ended with 3:(.|\n)*already-approved"):
            site.approve(update.manifest.hex(), "anna")
        desk.wait_status(DIRECT, since, "refused", "not-approved", update)
    site.approve(update.manifest.hex(), "cecilia")
    desk.wait_running(update)


# ---- images

def wrong_list(desk):
    return objects.block_list(desk.program + b"another")


# name -> (pieces the cloud serves instead, the relay's alert)
BAD_IMAGES = {
    "a wrong block": ({"o2": bytes(objects.BLOCK)}, "block-digest"),
    "a short block": ({"o2": bytes(100)}, "block-digest"),
    "a large block": ({"o2": bytes(30000)}, "topic"),
    "an endless block": ({"o2": bytes(1 << 20)}, None),
    "blocks that changed places": ("swap", "block-digest"),
    "the list of another image": ("list", "block-list-digest"),
    "a short list": ({"l0": bytes(32)}, "block-list-digest"),
    "an endless list": ({"l0": bytes(1 << 20)}, None),
    "a missing block": ({"o4": None}, None),
    "a missing list": ({"l0": None}, None),
}


@pytest.mark.parametrize("name", BAD_IMAGES)
def test_bad_image(site, name):
    """Approved by everybody, and the cloud serves something else: nothing of it runs, the next good update does."""
    changed, at_relay = BAD_IMAGES[name]
    desk = site.desk
    since, alert = desk.mark(), last_alert(site)
    with nobody_moves(site):
        update = desk.make()
        if changed == "swap":
            changed = {"o2": update.blocks()[desk.own(3)], "o3": update.blocks()[desk.own(2)]}
        elif changed == "list":
            changed = {"l0": wrong_list(desk)}
        desk.serve(update, **changed)
        desk.offer(update.envelope)
        for person in ("anna", "bertil"):
            desk.approve(person, update)
        if at_relay:
            wait_until(f"the alert {at_relay}", lambda: alerts(site, at_relay, alert))
        desk.wait_status(DIRECT, since, "fetching", update=update)
        if name == "a wrong block":  # said once nothing good comes any more
            desk.wait_status(DIRECT, since, "refused", at_relay, update)
        for device in AT_RELAY:
            assert not said_of(desk, device, update), "shown before it was complete"
    install(site)


def test_repaired_image_goes_on(site):
    """A block that was missing comes: the same update goes on at the first missing block."""
    desk = site.desk
    since = desk.mark()
    before = site.relayctl_json("status")["ImageBytesFetched"]
    update = desk.make()
    desk.serve(update, o5=None)
    desk.offer(update.envelope)
    for person in ("anna", "bertil"):
        desk.approve(person, update)
    wait_until("all other blocks at the relay", lambda: [
        u for u in site.relayctl_json("updates", "list")
        if u["Digest"] == update.manifest.hex() and u["BlocksCached"] == u["Blocks"] - 1])
    desk.wait_status(DIRECT, since, "fetching", update=update)
    desk.serve(update)
    desk.wait_running(update)
    fetched = site.relayctl_json("status")["ImageBytesFetched"] - before
    assert fetched < len(update.image) + 2 * objects.BLOCK, "blocks that were here were fetched again"


# ---- what changes in the middle

def in_the_middle(site):
    """An approved update whose last blocks are not there yet."""
    desk = site.desk
    since = desk.mark()
    update = desk.make()
    desk.serve(update, o7=None)
    desk.offer(update.envelope)
    for person in ("anna", "bertil"):
        desk.approve(person, update)
    wait_until("device-3 to have most of it", lambda: [s for s in desk.statuses(DIRECT, since)
                                                      if s["state"] == "fetching" and s["progress"] >= 80])
    return update


@pytest.mark.parametrize("replacement", ["unapproved", "organisation only", "garbage"])
def test_manifest_replaced_in_mid_fetch(site, replacement):
    """The offer in force goes on: a bad one never displaces a good one."""
    desk = site.desk
    update = in_the_middle(site)
    since = desk.mark()
    bad = {"unapproved": lambda: desk.make().envelope, "organisation only": lambda: desk.make(("organisation",)).envelope,
           "garbage": lambda: b"\xff" * 500}[replacement]()
    desk.offer(bad)
    desk.wait_status(DIRECT, since, "refused")
    desk.serve(update)
    desk.wait_running(update)


def test_offer_withdrawn_in_mid_fetch(site):
    """The vendor takes it back before it was handed to the boot stage: it does not start; offered again, it goes on."""
    desk = site.desk
    update = in_the_middle(site)
    since = desk.mark()
    with nobody_moves(site):
        desk.offer(b"", DIRECT)
        desk.wait_status(DIRECT, since, "idle")
        desk.serve(update)
    since = desk.mark()
    desk.offer(update.envelope)
    desk.wait_running(update)


def test_denied_in_mid_fetch(site):
    """People change their mind while the relay fetches: the image goes, the devices at the relay never see it."""
    desk = site.desk
    update = in_the_middle(site)
    with nobody_moves(site):
        desk.offer(b"", DIRECT)
        site.relayctl("updates", "deny", update.manifest.hex(), "--why", "not today")
        desk.serve(update)
        shown = [u for u in site.relayctl_json("updates", "list") if u["Digest"] == update.manifest.hex()][0]
        assert shown["State"] == "denied" and shown["BlocksCached"] == 0
    install(site)


# ---- signed objects of the site

@pytest.mark.parametrize("topic", ["policy/1", "policy/2", "policy/999999999999", "vendor/1", "vendor/2", "revocations"])
def test_garbage_for_the_sites_own_objects(site, topic):
    """Retained garbage where policies, vendor key sets and revocations lie, small, cut and large."""
    desk = site.desk
    status = site.relayctl_json("status")
    with nobody_moves(site):
        for payload in (b"\x00", b"\xa0", site.policy.read_bytes()[:-7], bytes(4000), bytes(300 * 1024)):
            desk.publish(f"sites/s1/{topic}", payload)
    now = site.relayctl_json("status")
    assert (now["PolicyEpoch"], now["PolicyDigest"]) == (status["PolicyEpoch"], status["PolicyDigest"])
    install(site)


# ---- the gateway itself in an attacker's hands

def test_stolen_gateway(site):
    """Root on the gateway: a broker with the relay's own key offers everything bad to the devices that trust it."""
    desk = site.desk
    site.processes["front"].kill()
    site.processes["hub"].kill()
    impostor = Impostor(site).start()
    root = Desk(site, impostor)
    root.sequence = desk.sequence + 10
    for device in AT_RELAY:
        wait_until(f"{device} at the impostor", lambda: device in root.images(), 40)
    before = root.images()
    for name, (make, _, reason) in BAD_OFFERS.items():
        withdraw(root, *AT_RELAY)
        since = root.mark()
        root.offer(envelope_of(make(root)), *AT_RELAY)
        for device in AT_RELAY:
            root.wait_status(device, since, "refused", reason), name
    since = root.mark()
    unapproved = root.serve(root.make(image=bytes(50000)))
    root.approve("stranger", unapproved)
    root.approve("anna", unapproved)
    root.offer(unapproved.envelope, *AT_RELAY)
    for device in AT_RELAY:
        root.wait_status(device, since, "refused", "not-approved", unapproved)
    assert {name: root.images()[name] for name in AT_RELAY} == {name: before[name] for name in AT_RELAY}
    desk.sequence = root.sequence
    root.close()
    impostor.kill()
    site.start_relay()
    for name in AT_RELAY:
        site.wait_device(name, "comes home", lambda device: device["Online"])
    install(site)
