# SPDX-License-Identifier: GPL-2.0-or-later
"""Successors of the site policy and revocations at the hub: by D-Bus and by the cloud, in any order, refused by name,
kept for devices that were away, and durable before anybody is told so."""

import json
import os

import pytest
import relayobjects as objects
from lab.process import wait_until
from lab.site import SITE, World
from lab.trust import Chain, Manager, digest, key_id, locally, restart, revocation, watch
from lab.updates import Desk, alerts, last_alert

from conftest import BUILD


@pytest.fixture
def site():
    """The hub with its cloud and front end, no device; app.all sees what local subscribers see."""
    with World(BUILD, devices=2, proves=True, keep="RELAYD_KEEP" in os.environ) as world:
        world.make_vendor()
        world.make_factory()
        world.make_cloud()
        world.make_people()
        world.make_relay()
        world.add_application("app.all", ["#"], [])
        world.start_all()
        world.desk = Desk(world)
        world.chain = Chain(world, world.desk)
        world.manager = Manager(world)
        watch(world)
        yield world
        world.application.close()
        world.manager.close()
        world.desk.close()


def at_cloud(world, rest):
    """what stands retained at the cloud, as a client that comes now sees it"""
    found = {m.topic: bytes(m.payload) for m in world.desk.listen() if m.topic == f"sites/{SITE}/{rest}"}
    return found.get(f"sites/{SITE}/{rest}")


def publish(world, rest, payload):
    world.desk.publish(f"sites/{SITE}/{rest}", payload)


def offered(world, *devices):
    """An update that the hub knows."""
    update = world.desk.make()
    world.desk.serve(update)
    world.desk.offer(update.envelope, *devices)
    wait_until("the offer at the hub", lambda: known(world, update))
    return update


def known(world, update):
    return any(entry["Digest"] == update.manifest.hex() for entry in world.relayctl_json("updates", "list"))


def approve(world, update, *people, **options):
    for person in people:
        world.manager.call("Approve", world.desk.approval(person, update, **options))


def shown(world, update, device="device-1"):
    return locally(world, f"devices/{device}/updates/offer") == update.envelope


def no_cecilia(world, new):
    """the policy's approvers with a new one in place of cecilia"""
    approvers = world.chain.policy[4]
    return {4: [key for key in approvers if key != world.desk.keys["cecilia"].cose] + [new.cose]}


def test_a_successor_by_the_bus_changes_who_approves(site):
    dora = objects.Key("dora")
    assert site.manager.call("OpenGate", 0) is None
    update = offered(site)
    approve(site, update, "anna", "cecilia")
    wait_until("the offer to device-1", lambda: shown(site, update), 40)
    second = site.chain.add(no_cecilia(site, dora), extra=[dora])
    site.manager.call("ImportSitePolicy", second)
    assert site.manager.get("PolicyEpoch") == 2 and site.manager.get("PolicyDigest").hex() == digest(second)
    wait_until("the offer to be taken back", lambda: locally(site, "devices/device-1/updates/offer") == b"")
    assert site.manager.update(update, "State") == "pending"
    assert list(site.manager.update(update, "Approvals")) == [key_id(site.desk.keys["anna"])]
    # whoever was away finds every epoch, here and at the cloud
    for epoch, signed in enumerate(site.chain.sets, 1):
        assert bytes(site.manager.call("GetSitePolicyAt", epoch)) == signed
        wait_until(f"policy/{epoch} here", lambda: locally(site, f"policy/{epoch}") == signed)
        wait_until(f"policy/{epoch} at the cloud", lambda: at_cloud(site, f"policy/{epoch}") == signed)
    # the approval of whom they removed does not stand there any more, and does not come back
    place = f"approvals/{update.manifest.hex()}/{key_id(site.desk.keys['cecilia'])}"
    wait_until("the approval to be taken back", lambda: at_cloud(site, place) == b"")
    assert site.manager.refusal("Approve", site.desk.approval("cecilia", update)) == "NotAnApprover"
    told = alerts(site, "approvers-changed")
    assert len(told) == 1 and all(key_id(key) in told[0]["detail"] for key in (dora, site.desk.keys["cecilia"]))
    # the new one's counts
    site.manager.call("Approve", objects.approval(dora, SITE, update.manifest))
    wait_until("the offer to device-1", lambda: shown(site, update))


def test_successors_by_the_cloud_in_any_order(site):
    for patience in (10, 20, 30):
        site.chain.add({10: patience})
    for epoch in (4, 3, 2):
        publish(site, f"policy/{epoch}", site.chain.sets[epoch - 1])
    wait_until("epoch 4", lambda: site.manager.get("PolicyEpoch") == 4)
    assert site.manager.get("PolicyDigest").hex() == digest(site.chain.sets[3])
    restart(site)  # what is not on the disk yet, the cloud has still
    wait_until("epoch 4 again", lambda: site.manager.get("PolicyEpoch") == 4)
    # one that comes while the relay is away is found at the next connection
    fifth = site.chain.add({10: 40})
    site.processes["hub"].kill()
    publish(site, "policy/5", fifth)
    site.start_hub()
    site.manager.refresh()
    wait_until("epoch 5", lambda: site.manager.get("PolicyEpoch") == 5)


@pytest.mark.parametrize("way", ["bus", "cloud"])
def test_what_does_not_succeed_is_refused_and_told(site, way):
    """fork, lower, under-signed, skipped: each by its name, and the good successor still comes through"""
    first = site.chain.payload
    second = site.chain.add({10: 10})
    cases = [
        ("policy-fork", site.chain.make({10: 11}, after=first)),
        ("under-signed", site.chain.make({10: 12}, signers=("anna",))),
        ("under-signed", site.chain.make({10: 13}, signers=("anna", "stranger"))),
        ("policy-gap", site.chain.make({2: 9, 10: 14})),
        ("policy-fork", site.chain.make({3: bytes(32), 10: 15})),
    ]
    site.manager.call("ImportSitePolicy", second)
    # the same epoch again with another signer beside: no attack, and no policy to keep
    before = last_alert(site)
    assert site.manager.refusal("ImportSitePolicy", second) == "OldPolicy" and last_alert(site) == before
    for number, (reason, data) in enumerate(cases):
        before = last_alert(site)
        if way == "bus":
            name = "".join(part.capitalize() for part in reason.split("-"))
            assert site.manager.refusal("ImportSitePolicy", data) == name
            if reason == "policy-gap":
                continue  # whoever imports by hand is told by the answer
        else:
            publish(site, f"policy/{20 + number}", data)
        told = wait_until(f"the alert {reason}", lambda: alerts(site, reason, before))
        if reason == "policy-fork" and number == 0:
            assert digest(data) in told[0]["detail"] and digest(second) in told[0]["detail"]
    assert site.manager.get("PolicyEpoch") == 2 and bytes(site.manager.call("GetSitePolicy")) == second
    third = site.chain.add({10: 16})
    publish(site, "policy/3", third)
    wait_until("epoch 3", lambda: site.manager.get("PolicyEpoch") == 3)

    def audited(action):
        return [entry["action"] for entry in site.relayctl_json("audit")].count(action)

    wait_until("the records", lambda: audited("policy-refused") == len(cases) and audited("policy-accepted") == 3)


@pytest.mark.parametrize("way", ["bus", "cloud"])
def test_a_revocation_ends_yesterdays_approvals(site, way):
    site.manager.call("OpenGate", 0)
    update = offered(site)
    approve(site, update, "anna", "bertil")
    wait_until("the offer to device-1", lambda: shown(site, update), 40)
    epoch = 2  # approvals of the desk are of epoch 1
    revoked = revocation(site.desk, epoch)
    if way == "bus":
        assert site.manager.refusal("Revoke", revocation(site.desk, epoch, ("anna",))) == "UnderSigned"
        site.manager.call("Revoke", revoked)
    else:
        publish(site, "revocations", revoked)
    wait_until("the epoch", lambda: site.manager.get("ApprovalEpoch") == epoch)
    restart(site)
    if way == "bus":
        assert site.manager.get("ApprovalEpoch") == epoch  # what a caller was told is on the disk
    wait_until("the epoch again", lambda: site.manager.get("ApprovalEpoch") == epoch)
    assert bytes(site.manager.call("GetRevocation")) == revoked
    assert site.manager.update(update, "State") == "pending"
    assert site.manager.refusal("Approve", site.desk.approval("anna", update, epoch=epoch - 1)) == "RevokedEpoch"
    wait_until("the revocation at the cloud", lambda: at_cloud(site, "revocations") == revoked)
    # an approval of yesterday, played by the cloud
    before = last_alert(site)
    site.desk.approve("anna", update, epoch=epoch - 1, not_after=1 << 33)
    wait_until("the alert", lambda: alerts(site, "revoked-epoch", before))
    assert site.manager.refusal("Revoke", revoked) == "OldEpoch"
    approve(site, update, "anna", "bertil", epoch=epoch)
    assert site.manager.update(update, "State") == "approved"


def test_the_vendor_reads_why_it_was_denied(site):
    update = offered(site)
    answer = f"updates/{update.manifest.hex()}"

    def said():
        return json.loads(at_cloud(site, answer) or b"{}")

    wait_until("the answer", lambda: said().get("state") == "pending")
    assert said()["urgency"] == "security" and said()["needed"] == 2 and said()["since"] > 1700000000
    approve(site, update, "anna")
    wait_until("one approval", lambda: said()["approved"] == 1)
    site.manager.call("DenyUpdate", update.manifest.hex(), 'the "pump" freezes: not before spring')
    wait_until("the denial", lambda: said()["state"] == "denied")
    assert said()["reason"] == "denied" and said()["detail"] == 'the "pump" freezes: not before spring'
    assert site.manager.update(update, "DeniedBecause") == 'the "pump" freezes: not before spring'
    wait_until("the same here", lambda: json.loads(locally(site, answer) or b"{}") == said())


def test_what_was_answered_survives_kill_9(site):
    """Each answer is followed by SIGKILL at once; whoever was told finds it done."""
    dora = objects.Key("dora")
    other, update = offered(site), offered(site)

    def state(which=update):
        return str(site.manager.update(which, "State"))

    def approvals():
        return len(site.manager.update(update, "Approvals"))

    second = site.chain.add(no_cecilia(site, dora), extra=[dora])
    steps = [
        ("Approve", (site.desk.approval("anna", update),), lambda: approvals() == 1 and state() == "pending"),
        ("SetGate", ("device:device-1", "windows", 0, ["Sun 02:00-04:00"]), lambda: len(site.manager.call("GetGate")) == 1),
        ("ImportSitePolicy", (second,), lambda: site.manager.get("PolicyEpoch") == 2 and approvals() == 1),
        ("Approve", (objects.approval(dora, SITE, update.manifest),), lambda: state() == "approved"),
        ("DenyUpdate", (other.manifest.hex(), "no"), lambda: state(other) == "denied"),
        ("Revoke", (revocation(site.desk, 2),), lambda: site.manager.get("ApprovalEpoch") == 2 and state() == "pending"),
        ("ImportSitePolicy", (site.chain.add({10: 7}),), lambda: site.manager.get("PolicyEpoch") == 3),
        ("ResetGate", ("device:device-1",), lambda: len(site.manager.call("GetGate")) == 0),
        ("Approve", (site.desk.approval("bertil", update, epoch=2),), lambda: approvals() == 1),
    ]
    for method, arguments, done in steps:
        site.manager.call(method, *arguments)
        restart(site)
        assert done(), method
    assert [bytes(site.manager.call("GetSitePolicyAt", epoch)) for epoch in (1, 2, 3)] == site.chain.sets
    site.relayctl("audit", "verify")
