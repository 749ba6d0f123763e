# SPDX-License-Identifier: GPL-2.0-or-later
"""Whom a site believes: successors of its policy and of the vendor's keys, by cloud, by a rooted relay and at the local port.
The tests build upon each other: each leaves the site one epoch further."""

import re
import shutil

import pytest
import relayobjects as objects
from attacker import Attacker, Forged
from lab.process import wait_until
from lab.site import DOMAIN, SITE
from scene import AT_RELAY, AT_ROGUE, DIRECT, ROOT, Scene, unix_time

EXPLAINED = dict(re.findall(r'X\(\w+, "([a-z-]+)", +"([^"]*)"\)',
                            (ROOT / "librelay/include/relay/reason.h").read_text().replace("\\\n", "")))


@pytest.fixture(scope="module")
def site():
    with Scene() as scene:
        scene.root_the_relay()
        scene.epoch = scene.vendor_epoch = 1
        scene.vendor_payload = objects.open_set((scene.folder / "vendor/vendor-keys.cbor").read_bytes())[0]
        scene.people = {name: scene.person(name) for name in ("anna", "bertil", "cecilia")}
        yield scene


# ---- making

def policy(site, signers, epoch=None, predecessor=None, people=None, **changes):
    """A successor of what is in force, or not quite; (signed set, payload)."""
    fields = {**site.policy_fields(), "epoch": epoch or site.epoch + 1, "approvers": people or list(site.people.values()),
              "predecessor": objects.sha256(predecessor or site.policy_payload), **changes}
    payload = objects.site_policy(**fields)
    return objects.sign_set(objects.SITE_POLICY_AAD, payload, signers), payload


def vendor_keys(site, signers, organisation=None, developer=None):
    keys = site.desk.keys
    vendor, _ = objects.ids(DOMAIN, "plant-care")
    payload = objects.vendor_keys(vendor, [organisation or keys["organisation"]], [developer or keys["developer"]],
                                  [keys["command"]], site.vendor_epoch + 1, objects.sha256(site.vendor_payload))
    return objects.sign_set(objects.VENDOR_KEYS_AAD, payload, signers), payload


# ---- putting it before everybody

def refused(site, thing, made, reason, place=None, alerted=True):
    """Relay, devices and local port are shown it, say this reason, and believe whom they believed. alerted: the relay has not
    said the same a minute ago."""
    word = {"policy": "policy", "vendor-keys": "vendor", "revocation": "revocations"}[thing]
    epoch = {"policy": site.epoch, "vendor-keys": site.vendor_epoch}.get(thing)
    topic = f"sites/{SITE}/{word}" + (f"/{place or epoch + 1}" if epoch else "")
    since, rogue_since = site.desk.mark(), site.rogue_desk.mark()
    before = site.relayctl_json("status")["PolicyDigest"]
    with site.alerted(*[reason] * alerted):
        site.desk.publish(topic, made)
    site.rogue_desk.publish(topic, made)
    site.refusal(DIRECT, thing, reason, since)
    site.refusal(AT_ROGUE, thing, reason, rogue_since)
    code, said = site.local("accept", thing, site.file("stick.object", made))
    assert code == 1 and EXPLAINED[reason] in said, said
    assert site.relayctl_json("status")["PolicyDigest"] == before


def accepted(site, thing, made, payload):
    """The control: the right people signed it, and it is in force everywhere, by each way."""
    logs = {name: site.processes[name].output().count(f"accepted: {thing}") for name in (AT_RELAY, AT_ROGUE, DIRECT)}
    word, epoch = ("policy", site.epoch + 1) if thing == "policy" else ("vendor", site.vendor_epoch + 1)
    for desk in (site.desk, site.rogue_desk):
        desk.publish(f"sites/{SITE}/{word}/{epoch}", made)
    for name, before in logs.items():
        wait_until(f"{name} to accept it", lambda: site.processes[name].output().count(f"accepted: {thing}") > before)
    code, said = site.local("accept", thing, site.file("stick.object", made))
    assert code == 0, said
    if thing == "policy":
        site.epoch, site.policy_payload = epoch, payload
        wait_until("the relay to follow", lambda: site.relayctl_json("status")["PolicyEpoch"] == epoch)
    else:
        site.vendor_epoch, site.vendor_payload = epoch, payload


# ---- the attacks

def test_tuf_two_policies(site):
    """One person alone, a skipped epoch, and then the worst: k people signed two successors of the same epoch."""
    thief = Attacker(site, "cloud", "gateway", "anna")
    refused(site, "policy", policy(site, [thief.key("anna"), Forged(site.people["bertil"])])[0], "under-signed")
    mine = [objects.Key(f"the attacker's {number}") for number in range(3)]
    refused(site, "policy", policy(site, mine + [thief.key("anna")], people=mine)[0], "under-signed", alerted=False)
    honest = [site.people["anna"], site.people["bertil"]]
    one, payload = policy(site, honest, patience=10)
    skipped = policy(site, honest, epoch=3, predecessor=b"one that nobody saw")[0]
    refused(site, "policy", skipped, "policy-gap", place=2)
    accepted(site, "policy", one, payload)

    site.epoch -= 1  # its place is that of the one in force
    before, site.policy_payload = site.policy_payload, objects.open_set(site.policy.read_bytes())[0]
    other = policy(site, honest, patience=20)[0]
    refused(site, "policy", other, "policy-fork")
    site.epoch, site.policy_payload = site.epoch + 1, before
    refused(site, "policy", site.policy.read_bytes(), "old-policy", alerted=False)  # the relay knows it and keeps it
    first = objects.site_policy(**{**site.policy_fields(), "approvers": mine})
    code, said = site.local("claim", site.file("stick.object", objects.sign_set(objects.SITE_POLICY_AAD, first, mine)))
    assert code == 1 and "unclaim it first" in said, said
    again = policy(site, honest, predecessor=b"another one")[0]
    refused(site, "policy", again, "policy-fork")


def test_tuf_approver_removed(site):
    """Anna's key was stolen, and the others took her out: what she approves counts no more, and she has no say in policies."""
    thief = Attacker(site, "cloud", "gateway", "organisation", "developer", "anna")
    dora = objects.Key("dora's")
    people = {**{name: key for name, key in site.people.items() if name != "anna"}, "dora": dora}
    accepted(site, "policy", *policy(site, [site.people["bertil"], site.people["cecilia"], dora], people=list(people.values())))
    site.people = people
    for desk in (site.desk, site.rogue_desk):
        desk.keys["dora"] = dora

    update = thief.update()
    with site.nobody_moves(), site.alerted("not-an-approver"), site.refused(DIRECT, "not-approved", update), \
            site.refused(AT_ROGUE, "not-approved", update):
        for way, desk in ((thief.cloud, site.desk), (thief.relay, site.rogue_desk)):
            way.offer(update)
            thief.approve(way, update, "anna")
            desk.approve("bertil", update)
    refused(site, "policy", policy(site, [thief.keys["anna"], site.people["bertil"]], mode=0, patience=30)[0], "under-signed")
    site.carried_refused(update, [thief.approval("anna", update), objects.approval(site.people["bertil"], SITE, update.manifest)],
                         "not-approved")
    site.install(update, AT_RELAY, AT_ROGUE, DIRECT, people=("bertil", "dora"))


def test_firmware_vendor_keys(site):
    """All keys of the vendor's, and a key set of the attacker's own: without the site's people it is nobody's."""
    thief = Attacker(site, "cloud", "gateway", "organisation", "developer")
    vendor, two = [thief.keys["organisation"], thief.keys["developer"]], [site.people["bertil"], site.people["cecilia"]]
    tries = ((vendor, "under-signed"), ([*vendor, two[0], Forged(two[1])], "under-signed"),
             ([vendor[0], *two], "developer-signature"), ([vendor[1], *two], "organisation-signature"))
    for number, (signers, reason) in enumerate(tries):
        made = vendor_keys(site, signers, developer=objects.Key(f"the attacker's developer {number}"))[0]
        refused(site, "vendor-keys", made, reason, alerted=number != 1)

    new = objects.Key("the vendor's next developer")
    accepted(site, "vendor-keys", *vendor_keys(site, [*vendor, *two], developer=new))
    update = thief.update()
    with site.nobody_moves(), site.alerted("developer-signature"), site.refused(DIRECT, "developer-signature", update):
        thief.cloud.offer(update)
    for desk in (site.desk, site.rogue_desk):
        desk.keys["developer"] = new
    site.install(update, AT_RELAY, AT_ROGUE, DIRECT, people=("bertil", "dora"))


def test_tuf_revocation(site):
    """A revocation that too few signed, one for another site, one that takes back what was revoked."""
    two = [site.people["bertil"], site.people["cecilia"]]
    refused(site, "revocation", objects.revocation([two[0], Forged(two[1])], SITE, 2, unix_time()), "under-signed")
    refused(site, "revocation", objects.revocation(two, "s2", 2, unix_time()), "wrong-site")
    update = site.make_update()
    site.desk.serve(update)
    for person in ("bertil", "dora"):
        site.desk.approve(person, update)
    with site.nobody_moves(), site.refused(DIRECT, "revoked-epoch", update):
        site.desk.publish(f"sites/{SITE}/revocations", objects.revocation(two, SITE, 2, unix_time()))
        site.processes[DIRECT].wait_for("accepted: revocation")
        site.processes[AT_RELAY].wait_for("accepted: revocation")
        site.desk.offer(update.envelope, AT_RELAY, DIRECT)
    assert site.never_saw(AT_RELAY, update)
    site.desk.publish(f"sites/{SITE}/revocations", objects.revocation(two, SITE, 1, unix_time()))
    for person in ("bertil", "dora"):
        site.desk.approve(person, update, epoch=2)
    for device in (AT_RELAY, DIRECT):
        site.desk.wait_running(update, device)


def test_tuf_old_disk(site):
    """The gateway's disk of yesterday, put in again: the relay follows what it finds at the cloud, and is no way back."""
    disk, yesterday = site.folder / "gateway/var/lib/relayd/store", site.folder / "yesterday"
    stopped(site)
    shutil.copytree(disk, yesterday)
    site.start_relay()
    two = [site.people["bertil"], site.people["cecilia"]]
    accepted(site, "policy", *policy(site, two, patience=40, approval_epoch=2))
    stopped(site)
    shutil.rmtree(disk)
    shutil.move(yesterday, disk)
    site.start_relay()
    wait_until("the relay to follow", lambda: site.relayctl_json("status")["PolicyEpoch"] == site.epoch)


def stopped(site):
    for name in ("front", "hub"):
        site.processes[name].stop()
