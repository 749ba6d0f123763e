# SPDX-License-Identifier: GPL-2.0-or-later
"""The attacks that The Update Framework lists: everything here was signed by the right people at some time, for something."""

import relayobjects as objects
from attacker import Attacker
from lab.process import wait_until
from lab.site import SITE
from lab.updates import alerts, last_alert
from scene import AT_RELAY, AT_ROGUE, DIRECT, ON_DESK


def approved(site, update):
    for person in ("anna", "bertil"):
        site.desk.approve(person, update)


def test_tuf_rollback(site):
    """Yesterday's update, signed and approved, offered again after today's: by cloud, by relay and by hand."""
    thief = Attacker(site, "cloud", "gateway", ON_DESK)
    way = thief.relay
    old = site.make_update()
    today = site.make_update()
    site.install(today, AT_RELAY, AT_ROGUE, DIRECT)
    with site.nobody_moves(), site.refused(DIRECT, "old-sequence", old), site.refused(AT_ROGUE, "old-sequence", old):
        approved(site, old)
        thief.cloud.offer(old)
        for person in ("anna", "bertil"):
            site.rogue_desk.approve(person, old)
        way.offer(old)
    approvals = {update: [objects.approval(site.person(who), SITE, update.manifest) for who in ("anna", "bertil")]
                 for update in (today, old)}
    with site.hijacked(today, today.envelope, approvals[today]) as (device, _):
        device.wait_for("confirmed")
    site.carried_refused(old, approvals[old], "old-sequence")
    with site.hijacked(old, old.envelope, approvals[old]) as (device, slot):
        device.wait_for(f"slot {slot}: old-sequence")


def test_tuf_mix_and_match(site):
    """Parts of two approved updates put together: manifest of one, list and blocks of the other; approvals of one for the
    other; two halves of two envelopes."""
    one, other = site.make_update(), site.make_update()
    with site.nobody_moves():
        since = last_alert(site)
        mixed = other.pieces()
        changed = {topic.rsplit("/", 1)[1]: payload for topic, payload in mixed.items()}
        site.desk.serve(one, **{name if name == "l0" else f"b{name}": payload for name, payload in changed.items()})
        approved(site, one)
        site.desk.offer(one.envelope, AT_RELAY)
        wait_until("the alert block-list-digest", lambda: alerts(site, "block-list-digest", since))
    assert site.never_saw(AT_RELAY, one)
    with site.nobody_moves(), site.refused(DIRECT, "not-approved", other):
        site.desk.serve(other)
        for who in ("anna", "bertil"):
            site.desk.approve(who, other, payload=site.desk.approval(who, one))
        site.desk.offer(other.envelope, DIRECT)
    parts = objects.decode(other.envelope).value
    halves = objects.encode(objects.cbor2.CBORTag(107, {2: objects.decode(one.envelope).value[2], 3: parts[3]}))
    with site.nobody_moves(), site.refused(DIRECT, "malformed"):
        site.desk.offer(halves, DIRECT)
    site.install(other, AT_RELAY, DIRECT)


def test_tuf_wrong_target(site):
    """Signed and approved for others: another class, another vendor, another site, another device."""
    desk = site.desk
    for update, reason in ((desk.make(class_name="heater"), "wrong-class"), (desk.make(domain="other.example"), "wrong-vendor")):
        with site.nobody_moves(), site.alerted(reason), site.refused(DIRECT, reason, update):
            approved(site, update)
            desk.serve(update)
            desk.offer(update.envelope, AT_RELAY, DIRECT)
    for options, reason, alert in (({"site": "s2"}, "not-approved", "wrong-site"),
                                   ({"scope": (2, [ON_DESK])}, "out-of-scope", None),
                                   ({"scope": (1, bytes(16))}, "out-of-scope", None)):
        update = site.make_update()
        since = last_alert(site)
        with site.nobody_moves(), site.refused(DIRECT, reason, update):
            desk.serve(update)
            for who in ("anna", "bertil"):
                desk.approve(who, update, **options)
            desk.offer(update.envelope, AT_RELAY, DIRECT)
            if alert:
                wait_until(f"the alert {alert}", lambda: alerts(site, alert, since))
        assert site.never_saw(AT_RELAY, update)
    site.install(site.make_update(), AT_RELAY, DIRECT)


def test_tuf_endless_data(site):
    """Offers, lists, blocks and approvals without end: each is bounded, and the way stays usable."""
    desk, update = site.desk, site.make_update()
    with site.nobody_moves(), site.alerted("topic"):
        desk.serve(update, b3=bytes(30000), l0=bytes(1 << 20))
        approved(site, update)
        desk.offer(update.envelope, AT_RELAY, DIRECT)
        desk.offer(bytes(30 * 1024), AT_RELAY, DIRECT)
        desk.offer(bytes(300 * 1024), AT_RELAY, DIRECT)
        for size in (4000, 300 * 1024):
            desk.approve("bertil", update, payload=bytes(size))
            desk.publish(f"sites/{SITE}/policy/2", bytes(size * 3))
    assert site.never_saw(AT_RELAY, update)
    size = 64 << 20
    giant = desk.make(bend=lambda parts: parts[3][4][1].update({14: size}))
    with site.nobody_moves(), site.refused(DIRECT, "too-large", giant):
        approved(site, giant)
        desk.offer(giant.envelope, DIRECT)
    site.install(site.make_update(), AT_RELAY, DIRECT)


def test_tuf_one_key_twice(site):
    """k of n counts people: one key under two names, in two wordings, twice in one policy."""
    thief = Attacker(site, "cloud", "organisation", "developer", "anna")
    update = thief.update()
    places = [objects.key_id(site.desk.keys[name].cose) for name in ("anna", "bertil", "cecilia")] + [bytes(8), b"\xff" * 8]
    with site.nobody_moves(), site.refused(DIRECT, "not-approved", update):
        thief.cloud.offer(update)
        for number, place in enumerate(places):
            thief.cloud.approve(update, thief.approval("anna", update, not_before=number + 1), place)
    assert site.never_saw(AT_RELAY, update)
    fields = {**site.policy_fields(), "approvers": [thief.keys["anna"], thief.keys["anna"]], "k": 2}
    twice = objects.sign_set(objects.SITE_POLICY_AAD, objects.site_policy(**fields), [thief.keys["anna"]] * 2)
    path = site.folder / "twice.cbor"
    path.write_bytes(twice)
    done = site.relayctl("setup", "--import-policy", path, check=False)
    assert done.returncode == 3 and ("policy-invalid" in done.stderr or "malformed" in done.stderr), done
    site.install(update, AT_RELAY, DIRECT)  # what she really said still counts, and is one of two


