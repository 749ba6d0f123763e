# SPDX-License-Identifier: GPL-2.0-or-later
"""Who the devices are and what runs on them: known and unknown images, quarantine and its ends, clones by rule, rotations of
identity keys. Devices are Python's; the relay and the cloud's broker are real."""

import itertools
import json

import pytest
from lab.dice import NOT_AUTHORISED, SUCCESS, Device, register
from lab.process import wait_until
from lab.site import World
from lab.updates import Desk, alerts, last_alert, noise
from relaydice import DEBUG, RECOVERY
from conftest import BUILD

GOOD = (SUCCESS, 0x10)  # of a PUBACK: nobody has to be subscribed
KEEP_IT, ADMINISTRATIVE = 0x97, 0x98
numbers = itertools.count(1)


class Site(World):
    """A relay with its cloud, and no device of its own."""

    def restart_hub(self, *settings, kill=False):
        """settings: lines of a drop-in of relayd.conf."""
        if settings:
            folder = self.config().with_name("relayd.conf.d")
            folder.mkdir(exist_ok=True)
            (folder / "test.conf").write_text("\n".join(settings) + "\n")
        for name in ("front", "hub"):
            (self.processes[name].kill if kill else self.processes[name].stop)()
        self.start_relay()

    def show(self, device):
        return next(row for row in self.relayctl_json("devices", "list") if row["Identity"] == device.identity)


@pytest.fixture(scope="module")
def site():
    world = Site(BUILD, devices=1)
    try:
        world.make_vendor()
        world.make_factory()
        world.make_cloud()
        world.make_people()
        world.make_relay()
        world.start_all()
        yield world
    finally:
        world.close()


@pytest.fixture(scope="module")
def desk(site):
    made = Desk(site)
    yield made
    made.close()


@pytest.fixture
def device(site):
    """One whose image the factory list makes known."""
    made = Device(site, f"who-{next(numbers)}")
    register(site, made)
    return made


def topic(device, rest):
    return f"sites/s1/devices/{device.identity}/{rest}"


def state(device, session=1, online=True, boot=None):
    return json.dumps({"online": online, "version": "1", "image": device.image.hex(), "boot": boot or device.boot,
                       "session": session}, separators=(",", ":"))


def about(site, device, reason, since=0):
    return [alert for alert in alerts(site, reason, since) if alert["device"] == device.identity]


def told(site, device, reason, since):
    return wait_until(f"the alert {reason} about {device.identity}", lambda: about(site, device, reason, since))


def audited(site, device):
    return [row["action"] for row in site.relayctl_json("audit", "log") if row["object"] == device.identity]


def in_order(*devices):
    """That each has its session, so that what the relay heard before is judged."""
    for device in devices:
        assert device.published(topic(device.device, "updates/status"), "{}", qos=1) in GOOD


# ---- trust

@pytest.mark.parametrize("level, trust", [(0, "claimed"), (1, "claimed"), (2, "attested")])
def test_trust_is_what_the_relay_knows(site, level, trust):
    device = Device(site, f"who-{next(numbers)}", level=level)
    register(site, device)
    assert site.show(device)["Trust"] == "front-end" and site.show(device)["Attestation"] == ("none", "claimed", "attested")[level]
    client = device.proven()
    shown = site.show(device)
    assert (shown["Trust"], shown["Quarantine"], shown["ProvedImage"], shown["Boot"]) == (trust, "", device.image.hex(), 1)
    assert client.published(topic(device, "events/soil"), "1", qos=1) in GOOD
    client.drop()
    wait_until("the record", lambda: "device-proved" in audited(site, device))


def test_once_proven_always_proven(site):
    """Sticky and durable: no front end can have a device speak plainly that once did not."""
    device = Device(site, f"who-{next(numbers)}", level=0)
    register(site, device)
    client = device.plain()
    assert client.connack.reason == SUCCESS and site.show(device)["Trust"] == "front-end"
    client.drop()
    device.proven().drop()
    since = last_alert(site)
    assert device.plain().connack.reason == NOT_AUTHORISED
    told(site, device, "not-attested", since)
    site.restart_hub(kill=True)
    assert site.show(device)["Trust"] == "claimed"
    assert device.plain().connack.reason == NOT_AUTHORISED
    assert device.proven().connack.reason == SUCCESS


def test_a_list_of_the_factory_says_who_has_to(site, device):
    since = last_alert(site)
    assert device.plain().connack.reason == NOT_AUTHORISED
    told(site, device, "not-attested", since)
    assert device.proven().connack.reason == SUCCESS


# ---- quarantine

WAY_OF_UPDATES = ["updates/status", "updates/refused", "gate/request", "state/relay"]


def quarantined(site, device, reason="unknown-image"):
    """A session of a device that runs something unknown."""
    since = last_alert(site)
    client = device.proven()
    assert client.connack.reason == SUCCESS
    told(site, device, reason, since)
    assert site.show(device)["Quarantine"] == reason
    return client


def test_unknown_image_leaves_the_way_of_updates(site, device):
    device.start("changed by hand")
    client = quarantined(site, device)
    assert site.show(device)["Trust"] == "unknown-image"
    for name in ("events/soil", "events1/soil"):  # kept by the device, nothing is lost
        assert client.published(topic(device, name), "1", qos=1) == KEEP_IT
    for name in ("commands/result", "state/direct"):
        assert client.published(topic(device, name), "{}", qos=1) == NOT_AUTHORISED
    for name in WAY_OF_UPDATES:
        assert client.published(topic(device, name), "{}", qos=1) in GOOD
    allowed = [topic(device, "updates/offer"), topic(device, "gate/ticket"), "sites/s1/relay/state", "sites/s1/policy/+",
               "sites/s1/vendor/+", "sites/s1/revocations", f"sites/s1/approvals/{'ab' * 32}/+", f"images/{'ab' * 32}/0"]
    for name in allowed:
        assert client.subscribe(name) == [1], name
        if client.raw.tls:  # what is retained there comes before the next answer
            drain(client)
    for name in (topic(device, "commands"), topic(device, "#"), topic(device, "events/#"), "sites/s1/audit/checkpoint"):
        assert client.subscribe(name) == [NOT_AUTHORISED], name
    shown = " ".join(site.relayctl("devices", "show", device.identity).stdout.split())
    assert "nobody approved" in shown and "images add MANIFEST" in shown
    client.drop()


def drain(client):
    client.raw.send(b"\xc0\x00")
    while client.packet().type != 13:
        pass


def test_mode_decides_too(site, device):
    for mode, reason, trust in ((DEBUG, "unknown-image", "unknown-image"), (RECOVERY, "recovery", "recovery")):
        device.start(mode=mode)
        quarantined(site, device, reason).drop()
        assert site.show(device)["Trust"] == trust
    device.start()
    device.proven().drop()
    assert site.show(device)["Quarantine"] == ""


def test_a_known_manifest_ends_it(site, desk, device):
    update = desk.make()
    manifest = site.folder / "some.manifest"
    manifest.write_bytes(update.envelope)
    device.start(update.image)
    client = quarantined(site, device)
    assert site.relayctl_json("images", "add", manifest) == {"image": update.digest, "added": True}
    client.closed(ADMINISTRATIVE)  # at once: the next session is another one
    client = device.proven()
    assert site.show(device)["Quarantine"] == "" and site.show(device)["Trust"] == "claimed"
    assert client.published(topic(device, "events/soil"), "1", qos=1) in GOOD
    assert site.relayctl_json("images", "add", manifest)["added"] is False
    client.nothing()
    site.restart_hub()
    client = device.proven()
    assert client.published(topic(device, "events/soil"), "2", qos=1) in GOOD
    site.relayctl("images", "remove", update.digest[:12], "--yes")
    client.closed(ADMINISTRATIVE)
    assert device.proven().published(topic(device, "events/soil"), "3", qos=1) == KEEP_IT
    assert {"device-quarantined", "device-trusted"} <= set(audited(site, device))


def test_images_of_strangers_are_not_made_known(site, desk):
    for bad, reason in ((desk.make(signers=("organisation", "stranger")), "developer-signature"),
                        (desk.make(domain="other.example"), "wrong-vendor")):
        manifest = site.folder / "bad.manifest"
        manifest.write_bytes(bad.envelope)
        done = site.relayctl("images", "add", manifest, check=False)
        assert done.returncode == 3 and reason in done.stderr
    assert bad.digest not in [row["Image"] for row in site.relayctl_json("images")]


def test_an_approval_makes_its_image_known(site, desk, device):
    """Not the offer, and not the first approver of two."""
    update = desk.serve(desk.make(image=noise("approved one")))
    device.start(update.image)
    client = quarantined(site, device)
    desk.offer(update.envelope, device.identity)
    wait_until("the offer", lambda: update.manifest.hex() in [u["Digest"] for u in site.relayctl_json("updates")])
    site.approve(update.manifest.hex(), "anna")
    assert update.digest not in [row["Image"] for row in site.relayctl_json("images")]
    assert client.published(topic(device, "events/soil"), "1", qos=1) == KEEP_IT
    site.approve(update.manifest.hex(), "bertil")
    client.closed(ADMINISTRATIVE)
    client = device.proven()
    assert client.published(topic(device, "events/soil"), "1", qos=1) in GOOD
    done = site.relayctl("images", "remove", update.digest, "--yes", check=False)
    assert done.returncode == 3 and "image-in-use" in done.stderr and "updates deny" in done.stderr
    # nobody takes an image away from devices that run it: also not who denies the update
    site.relayctl("updates", "deny", update.manifest.hex(), "--why", "no more", "--yes")
    assert client.published(topic(device, "events/soil"), "2", qos=1) in GOOD
    site.restart_hub(kill=True)
    assert device.proven().published(topic(device, "events/soil"), "3", qos=1) in GOOD


def test_what_waits_for_a_device_is_not_given_to_what_it_runs_now(site, device):
    """A durable session's subscriptions and messages, where an unknown image came meanwhile."""
    own = topic(device, "events/soil")
    client = device.proven(clean=False, session_expiry=600)
    assert client.subscribe(topic(device, "#"), topic(device, "updates/offer")) == [1, 1]
    client.publish(own, "1", qos=1)
    client.expect(3)  # its own event comes back, and is not acknowledged
    client.drop()
    device.start("changed by hand")
    client = device.proven(clean=False, session_expiry=600)
    assert client.connack.present
    client.nothing()
    assert client.published(topic(device, "updates/status"), "{}", qos=1) in GOOD  # and no copy of it for itself
    client.nothing()
    client.drop()


# ---- clones

RULES = {"alert": (SUCCESS, SUCCESS, ""), "quarantine": (SUCCESS, SUCCESS, "cloned-device"), "refuse": (NOT_AUTHORISED, SUCCESS, "")}


@pytest.mark.parametrize("rule", RULES)
def test_older_boot_by_rule(site, rule):
    """Two with one secret: the older one is what the rule says, durable across a crash of the relay; a person ends it."""
    site.restart_hub("[devices]", f"clones = {rule}")
    older, newer, quarantine = RULES[rule]
    device = Device(site, f"who-{next(numbers)}")
    register(site, device)
    device.start()
    device.proven().drop()  # boot 2
    device.start()
    right = device.proven()  # boot 3
    assert right.connack.reason == SUCCESS
    site.restart_hub(kill=True)  # what it was told is on the disk
    since = last_alert(site)
    device.boot = 2
    clone = device.proven()
    assert clone.connack.reason == older
    told(site, device, "cloned-device", since)
    assert site.show(device)["Quarantine"] == quarantine
    if quarantine:
        assert clone.published(topic(device, "events/soil"), "1", qos=1) == KEEP_IT
    device.boot = 3
    right = device.proven()
    assert right.connack.reason == newer
    assert right.published(topic(device, "events/soil"), "1", qos=1) in ((KEEP_IT,) if quarantine else GOOD)
    site.relayctl("devices", "release", device.identity, "--yes")
    right.closed(ADMINISTRATIVE)
    since = last_alert(site)
    right = device.proven()
    assert right.published(topic(device, "events/soil"), "2", qos=1) in GOOD
    assert site.show(device)["Quarantine"] == "" and about(site, device, "cloned-device", since) == []
    right.drop()
    assert {"device-cloned", "device-released"} <= set(audited(site, device))


def test_what_is_no_clone(site, desk):
    """Restarts, probes of the same boot, the same boot here and there, sessions that broke, crashes of the relay, and a great
    many power cuts: under the hardest rule nobody is refused, and nothing is told."""
    site.restart_hub("[devices]", "clones = refuse")
    device = Device(site, f"who-{next(numbers)}")
    register(site, device)
    since = last_alert(site)
    for turn in range(12):
        device.start()
        session = 0
        for _ in range(3):
            session += 1
            client = device.proven(will=(topic(device, "state/relay"), state(device, session, online=False), 1, True, {}))
            assert client.connack.reason == SUCCESS
            assert client.published(topic(device, "state/relay"), state(device, session), qos=1, retain=True) in GOOD
            if turn % 3 == 0:  # at the same time, on probation, over the cloud
                desk.vendor.publish(topic(device, "state/direct"), state(device, session))
            if turn % 2:
                client.disconnect()
            client.drop()
        if turn == 6:
            site.restart_hub(kill=True)
    client = device.proven()
    in_order(client)
    assert about(site, device, "cloned-device", since) == []
    client.drop()


def test_two_in_the_same_boot(site):
    """Copied while they were off, both start with the same counter; what they say of their sessions gives them away."""
    site.restart_hub("[devices]", "clones = quarantine")
    device = Device(site, f"who-{next(numbers)}")
    register(site, device)
    for session in (1, 2, 4):
        client = device.proven()
        assert client.published(topic(device, "state/relay"), state(device, session), qos=1) in GOOD
        client.drop()
    since = last_alert(site)
    clone = device.proven()
    clone.publish(topic(device, "state/relay"), state(device, 3), qos=1)
    told(site, device, "cloned-device", since)
    wait_until("quarantine", lambda: site.show(device)["Quarantine"] == "cloned-device")


def test_plain_devices_by_their_own_word(site):
    device = Device(site, f"who-{next(numbers)}", level=0)
    register(site, device)
    site.restart_hub("[devices]", "clones = quarantine")
    since = last_alert(site)
    for boot in (1, 2, 2, 7):
        client = device.plain()
        client.publish(topic(device, "state/relay"), state(device, boot=boot), qos=1)
        in_order_after(client)
        client.drop()
    assert about(site, device, "cloned-device", since) == []
    client = device.plain()
    client.publish(topic(device, "state/relay"), state(device, boot=6), qos=1)
    told(site, device, "cloned-device", since)
    wait_until("quarantine", lambda: site.show(device)["Quarantine"] == "cloned-device")
    client = device.plain()
    assert client.published(topic(device, "events/soil"), "1", qos=1) == KEEP_IT


def in_order_after(client):
    assert client.expect(4).reason in GOOD


def settled(site, desk, device):
    """That the cloud acknowledged something of this device's session: what comes from there now is news."""
    seen = desk.mark()
    client = device.proven()
    assert client.published(topic(device, "state/relay"), state(device, 1), qos=1, retain=True) in GOOD
    wait_until("the state at the cloud", lambda: any(m.topic == topic(device, "state/relay") for m in desk.listen()[seen:]))
    return client


def test_the_direct_way_alerts_only(site, desk):
    """A live word of an older boot, told by the cloud: an alert, whatever the rule. Retained ones are history, wills are late."""
    site.restart_hub("[devices]", "clones = refuse")
    wait_until("the uplink", lambda: site.relayctl_json("status")["UplinkState"] == "up")
    device = Device(site, f"who-{next(numbers)}")
    register(site, device)
    device.start()
    cloud = desk.vendor  # forwards what a device says there
    cloud.publish(topic(device, "state/direct"), state(device, boot=1), retain=True)
    device.start()  # boot 3
    client = settled(site, desk, device)
    since = last_alert(site)
    cloud.publish(topic(device, "state/direct"), state(device, online=False, boot=1))
    cloud.publish(topic(device, "state/direct"), state(device, boot=3))
    cloud.publish(topic(device, "state/direct"), "rubbish")
    site.restart_hub(kill=True)  # and gets the retained one again
    wait_until("the uplink", lambda: site.relayctl_json("status")["UplinkState"] == "up")
    client = settled(site, desk, device)
    assert about(site, device, "cloned-device", since) == []

    def tell():  # until the relay knows that this connection's news are news
        cloud.publish(topic(device, "state/direct"), state(device, boot=2))
        return about(site, device, "cloned-device", since)
    wait_until("the alert", tell, patience=60)
    assert client.published(topic(device, "events/soil"), "1", qos=1) in GOOD
    assert site.show(device)["Quarantine"] == ""
    assert device.proven().connack.reason == SUCCESS


def test_a_silent_session_that_is_alive(site, desk):
    """The cloud tells of a newer start, and the session of the older one goes on without a word but its pings."""
    site.restart_hub("[devices]", "clones = alert")
    wait_until("the uplink", lambda: site.relayctl_json("status")["UplinkState"] == "up")
    device = Device(site, f"who-{next(numbers)}")
    register(site, device)
    since = last_alert(site)
    client = device.proven(keep_alive=2)
    desk.vendor.publish(topic(device, "state/direct"), state(device, boot=device.boot + 1))

    def ping():
        client.raw.send(b"\xc0\x00")
        return about(site, device, "cloned-device", since)
    wait_until("the alert", ping, interval=0.5)
    assert client.packet().type == 13  # PINGRESP: it was there all the time


# ---- rotation

def test_rotation_inside_a_proof(site, device):
    """The device brings it itself, with the device certificate of the key before, and later with one of its new key."""
    device.proven().drop()
    before = site.show(device)["Fingerprint"]
    old = Device.__new__(Device)
    old.__dict__.update(device.__dict__)  # somebody has the old identity key
    device.rotate().start()
    client = device.proven()
    assert client.connack.reason == SUCCESS
    shown = site.show(device)
    assert shown["Rotation"] == 1 and shown["Fingerprint"] != before and shown["Quarantine"] == ""
    client.drop()
    site.restart_hub(kill=True)
    device.proven().drop()  # shows the same rotation again, until there is a newer one
    since = last_alert(site)
    old.start()
    assert old.proven().connack.reason == NOT_AUTHORISED
    told(site, device, "bad-signature", since)
    device.rotate(certify=True).start()
    assert device.proven().connack.reason == SUCCESS
    assert site.show(device)["Rotation"] == 2
    wait_until("the records", lambda: audited(site, device).count("device-rotated") == 2)


def test_rotation_by_hand(site, device):
    other = Device(site, f"who-{next(numbers)}")
    register(site, other)
    file = site.folder / "rotation"

    def refused(reason):
        done = site.relayctl("devices", "rotate", file, check=False)
        assert done.returncode == 3 and reason in done.stderr, done
        return done.stderr

    first = Device.__new__(Device)
    first.__dict__.update(device.__dict__)
    device.rotate()
    one = device.rotation
    device.rotate()
    file.write_bytes(device.rotation)  # the second, before the first
    assert "give that one first" in refused("bad-signature")
    file.write_bytes(one[:-1] + bytes([one[-1] ^ 1]))
    refused("bad-signature")
    file.write_bytes(b"nothing of the kind")
    refused("malformed")
    for rotation, number in ((one, 1), (device.rotation, 2)):
        file.write_bytes(rotation)
        assert site.relayctl_json("devices", "rotate", file) == {"device": device.identity, "done": "rotated"}
        assert site.show(device)["Rotation"] == number
        refused("bad-signature")  # the same again: its key is not the registered one any more
    device.start()
    assert device.proven().connack.reason == SUCCESS
    other.identity = "nobody-1"
    other.rotate()
    file.write_bytes(other.rotation)
    assert "nobody-1" in refused("unknown-device")


def test_a_revoked_device_stays_out(site, device):
    client = device.proven()
    site.relayctl("devices", "revoke", device.identity, "--why", "stolen", "--yes")
    client.closed(ADMINISTRATIVE)
    with pytest.raises(Exception):  # noqa: B017  at the handshake, or behind it
        assert device.proven().connack.reason == SUCCESS
    assert site.relayctl("devices", "release", device.identity, "--yes", check=False).returncode == 3
