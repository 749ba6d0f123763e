# SPDX-License-Identifier: GPL-2.0-or-later
"""Devices on the direct way and a gate in Python: fresh tickets, commands, the chain of policies, revocations."""

import json
import time

import pytest
import relayobjects as objects
from lab.pygate import DirectWorld
from lab.process import wait_until
from lab.site import SITE
from lab.updates import Desk

from conftest import BUILD

OPTIONS = ("--keep-alive", "5", "--period-ms", "500", "--retry-ms", "500", "--settle-ms", "500", "--gate-ms", "600")
UPDATES, TRICKS, COMMANDS, CHAIN, REVOKED = (f"device-{n}" for n in range(1, 6))


@pytest.fixture(scope="module")
def site():
    world = DirectWorld(BUILD, devices=5, proves=True)
    try:
        world.make()
        world.start_gate()
        world.desk = Desk(world)
        yield world
        world.desk.close()
        world.gate.close()
    finally:
        world.close()


@pytest.fixture(autouse=True)
def gate_is_open(site):
    site.gate.word = "open"


def offer(site, device, **options):
    update = site.desk.serve(site.desk.make(**options))
    site.desk.offer(update.envelope, device)
    for person in ("anna", "bertil"):
        site.desk.approve(person, update)
    return update


def said(site, device, rest, since=0):
    """What a device published there, decoded."""
    topic = f"sites/{SITE}/devices/{device}/{rest}"
    return [json.loads(m.payload) for m in site.desk.listen()[since:] if m.topic == topic]


def wait_said(site, device, rest, since, condition):
    def look():
        return next((word for word in said(site, device, rest, since) if condition(word)), None)
    return wait_until(f"{device} to say it at {rest}", look)


def started(site, device):
    process = site.start_device(device, *OPTIONS)
    process.wait_for("session with the cloud")
    site.gate.wait_asked(device)
    return process


def test_no_install_without_the_gates_yes(site):
    """Approved by everybody: no answer, no install; closed, no install; open, twice, each time to a new question."""
    desk, gate = site.desk, site.gate
    since = desk.mark()
    gate.word = None
    site.start_device(UPDATES, *OPTIONS)
    update = offer(site, UPDATES)
    desk.wait_status(UPDATES, since, "waiting", "no-gate-answer", update)
    for reason in ("gate-closed", "outside-window", "not-approved", "unknown-update"):
        gate.word = reason
        desk.offer(update.envelope, UPDATES)  # shown again, as a relay does when its gate changed: asked at once
        desk.wait_status(UPDATES, since, "waiting", reason, update)
    assert not [s for s in desk.statuses(UPDATES, since) if s["state"] in ("fetching", "trying")]
    gate.word = "open"
    desk.offer(update.envelope, UPDATES)
    desk.wait_running(update, UPDATES)
    nonces = [objects.decode(question)[1] for _, question in gate.asked]
    assert len(set(nonces)) == len(nonces)
    opened = [a for d, a in gate.answers if d == UPDATES and objects.decode(objects.decode(a).value[2])[7] == 1]
    assert len(opened) >= 2, "one before the fetch, one before staging"


def changed(**changes):
    return lambda gate, device, question: gate.ticket(device, question, **changes)


def stranger(gate, device, question):
    return gate.ticket(device, question, key=objects.Key("a stranger"))


def for_another_device(gate, _device, question):
    return gate.ticket("device-9", question)


SILENCE = ("waiting", "no-gate-answer")
# name -> (what answers instead of the gate, the reason at updates/refused if any, state and reason at updates/status)
TRICKS_TABLE = {
    "another site": (changed(site="s2"), "wrong-site", SILENCE),
    "another device": (for_another_device, "wrong-device", SILENCE),
    "another manifest": (changed(_4=bytes(32)), "wrong-digest", SILENCE),
    "another nonce": (changed(_3=bytes(16)), "wrong-nonce", SILENCE),
    "no gate's key": (stranger, "bad-signature", SILENCE),
    "garbage": (lambda gate, device, question: b"\xd2\x84garbage", "malformed", SILENCE),
    "another policy": (changed(_5=bytes(32)), None, ("refused", "policy-differs")),
    "a clock turned back": (changed(time=objects.ISSUED - 1), "clock-turned-back", ("waiting", "clock-turned-back")),
}


def test_tickets_that_are_not_believed(site):
    """Each to the verdict's question only: the time is known, the device waits, and says what it refused."""
    desk, gate = site.desk, site.gate
    started(site, TRICKS)
    for name, (trick, reason, status) in TRICKS_TABLE.items():
        since = desk.mark()
        gate.word = lambda device, question, trick=trick: (
            trick(gate, device, question) if 2 in objects.decode(question) else gate.ticket(device, question))
        update = offer(site, TRICKS)
        desk.wait_status(TRICKS, since, *status, update)
        if reason:
            word = wait_said(site, TRICKS, "updates/refused", since, lambda word, reason=reason: word["reason"] == reason)
            assert word["object"] == "ticket" and len(word["detail"]) == 64, name
        assert not [s for s in desk.statuses(TRICKS, since) if s["state"] in ("fetching", "trying")], name
    gate.word = "open"
    desk.offer(update.envelope, TRICKS)
    desk.wait_running(update, TRICKS)


def test_recorded_tickets_open_nothing(site):
    """Everything the gate ever said, played again to the next question and to none."""
    desk, gate = site.desk, site.gate
    if TRICKS not in site.processes:
        started(site, TRICKS)
    since = desk.mark()
    recorded = [answer for device, answer in gate.answers if device == TRICKS]
    assert recorded
    gate.word = None
    update = offer(site, TRICKS)
    gate.wait_asked(TRICKS, update)
    for answer in recorded[-6:]:
        gate.send(TRICKS, answer)
    wait_said(site, TRICKS, "updates/refused", since, lambda word: word["reason"] == "wrong-nonce")
    desk.wait_status(TRICKS, since, "waiting", "no-gate-answer", update)
    assert not [s for s in desk.statuses(TRICKS, since) if s["state"] in ("fetching", "trying") and
                s["manifest"] == update.manifest.hex()]  # of the update before there may be a late word
    gate.word = "open"
    desk.offer(update.envelope, TRICKS)
    desk.wait_running(update, TRICKS)


# ---- commands

def send(site, key, counter, name, expiry=3600, device=COMMANDS, arguments=b""):
    signed = objects.command(key, SITE, device, counter, int(time.time()) + expiry, name, arguments)
    site.cloud.publish("vendor.acme", f"sites/{SITE}/devices/{COMMANDS}/commands", signed)
    return signed


def result(site, since, key, counter, outcome, reason):
    expected = (objects.key_id(key.cose).hex(), counter, outcome, reason)
    word = wait_said(site, COMMANDS, "commands/result", since,
                     lambda word: (word["key"], word["counter"], word["result"], word["reason"]) == expected)
    return word["value"]


def heard(site, since, signed):
    """Sends it until there is a result; gives the results."""
    def once_more():
        site.cloud.publish("vendor.acme", f"sites/{SITE}/devices/{COMMANDS}/commands", signed)
        return said(site, COMMANDS, "commands/result", since)
    return wait_until("a result", once_more, interval=0.5)


def test_commands(site):
    started(site, COMMANDS)
    since = site.desk.mark()
    # sent until it is heard: nobody keeps commands for a device here; the same one again is answered again
    heard(site, since, send(site, site.site_key, 1, "plan.show"))
    assert json.loads(result(site, since, site.site_key, 1, "done", "none"))["dry"] == 300
    send(site, site.site_key, 2, "pump.on")
    result(site, since, site.site_key, 2, "done", "none")
    send(site, site.site_key, 3, "pump.off")
    result(site, since, site.site_key, 3, "done", "none")
    # of a key that may not, for another device, expired, unknown, repeated
    vendor = site.desk.keys["command"]
    refused = {
        "out-of-scope": send(site, vendor, 1, "pump.on"),
        "bad-signature": send(site, site.desk.keys["anna"], 1, "pump.on"),
        "wrong-device": send(site, site.site_key, 9, "pump.on", device=UPDATES),
        "expired-command": send(site, site.site_key, 9, "pump.on", expiry=-10),
        "replayed-command": send(site, site.site_key, 3, "pump.on"),
    }
    for reason, signed in refused.items():
        word = wait_said(site, COMMANDS, "updates/refused", since, lambda word, reason=reason: word["reason"] == reason)
        assert word["object"] == "command" and word["detail"] == objects.sha256(signed).hex()
    send(site, vendor, 2, "diagnostics.version")
    assert result(site, since, vendor, 2, "done", "none") == "1.0.0"
    send(site, site.site_key, 10, "pump.sing")
    result(site, since, site.site_key, 10, "refused", "unknown-command")


def test_replayed_command_after_a_restart(site):
    since = site.desk.mark()
    if COMMANDS not in site.processes:
        started(site, COMMANDS)
    counter = 20
    signed = send(site, site.site_key, counter, "pump.off")
    heard(site, since, signed)
    result(site, since, site.site_key, counter, "done", "none")
    site.processes[COMMANDS].stop()
    asked = len(site.gate.questions(COMMANDS))
    site.start_device(COMMANDS, *OPTIONS)
    site.gate.wait_asked(COMMANDS, count=asked + 1)
    since = site.desk.mark()
    first = heard(site, since, signed)[0]
    assert (first["result"], first["reason"]) == ("refused", "replayed-command")


# ---- the chain

def test_policies_follow_each_other_without_a_restart(site):
    device = started(site, CHAIN)
    desk, cloud = site.desk, site.cloud
    since = desk.mark()
    second = site.policy_payload(epoch=2, predecessor=objects.sha256(site.payload), patience=60)
    third = site.policy_payload(epoch=3, predecessor=objects.sha256(second), patience=70)
    fork = site.policy_payload(epoch=3, predecessor=objects.sha256(second), patience=71)
    cloud.publish("vendor.acme", f"sites/{SITE}/policy/3", site.sign_policy(third), retain=True)
    cloud.publish("vendor.acme", f"sites/{SITE}/policy/2", site.sign_policy(second), retain=True)
    wait_until("two policies", lambda: device.output().count("accepted: policy") == 2)
    assert device.output().count("session with the cloud") == 1
    assert not said(site, CHAIN, "updates/refused", since)
    # another one of the epoch in force, and one that too few signed
    cloud.publish("vendor.acme", f"sites/{SITE}/policy/3", site.sign_policy(fork), retain=True)
    word = wait_said(site, CHAIN, "updates/refused", since, lambda word: word["reason"] == "policy-fork")
    assert (word["object"], word["detail"]) == ("policy", objects.sha256(fork).hex())
    fourth = site.policy_payload(epoch=4, predecessor=objects.sha256(third), patience=80)
    cloud.publish("vendor.acme", f"sites/{SITE}/policy/4", site.sign_policy(fourth, people=1), retain=True)
    wait_said(site, CHAIN, "updates/refused", since, lambda word: word["reason"] == "under-signed")
    # a new start finds the third one in force, and the gate may answer under it again
    device.stop()
    site.gate.policy_digest = objects.sha256(third)
    try:
        device = started(site, CHAIN)
        update = offer(site, CHAIN)
        desk.wait_running(update, CHAIN)
    finally:
        site.gate.policy_digest = objects.sha256(site.payload)
        for epoch in (2, 3, 4):
            cloud.publish("vendor.acme", f"sites/{SITE}/policy/{epoch}", b"", retain=True)
        device.stop()


def test_gate_that_knows_of_a_revocation(site):
    """The ticket's epoch is above the device's: it fetches the revocation, and old approvals are over."""
    desk, gate, cloud = site.desk, site.gate, site.cloud
    gate.word = None
    started(site, REVOKED)
    since = desk.mark()
    update = offer(site, REVOKED)
    desk.wait_status(REVOKED, since, "waiting", "no-gate-answer", update)
    gate.epoch, gate.word = 2, "open"
    try:
        desk.wait_status(REVOKED, since, "refused", "revoked-epoch", update)
        assert not [s for s in desk.statuses(REVOKED, since) if s["state"] == "fetching"]
        signed = objects.revocation(site.approvers[:2], SITE, 2)
        cloud.publish("vendor.acme", f"sites/{SITE}/revocations", signed, retain=True)
        site.processes[REVOKED].wait_for("accepted: revocation")
        asked = len(gate.questions(REVOKED, update))
        desk.offer(update.envelope, REVOKED)
        wait_until("old approvals to be refused", lambda: desk.statuses(REVOKED, since)[-1]["reason"] == "revoked-epoch")
        assert len(gate.questions(REVOKED, update)) - asked <= 1
        for person in ("anna", "bertil"):
            desk.approve(person, update, epoch=2)
        desk.wait_running(update, REVOKED)
    finally:
        gate.epoch = 1
        cloud.publish("vendor.acme", f"sites/{SITE}/revocations", b"", retain=True)
        site.processes[REVOKED].stop()


# ---- a gate with an address of its own

def test_gate_on_a_machine_of_its_own():
    """The device asks there on a second connection, and keeps its session."""
    world = DirectWorld(BUILD, devices=1, own_gate=True)
    try:
        world.make()
        gate = world.start_gate()
        desk = world.desk = Desk(world)
        device = world.start_device(UPDATES, *OPTIONS)
        device.wait_for("session with the cloud")
        gate.wait_asked(UPDATES)
        update = offer(world, UPDATES)
        desk.wait_running(update, UPDATES)
        assert len(gate.questions(UPDATES, update)) >= 2
        assert not [m for m in desk.listen() if m.topic.endswith("gate/request")], "asked at the cloud"
        desk.wait_status(UPDATES, 0, "confirmed", update=update)
        # it dies: the session goes on, and nothing is installed
        sessions = device.output().count("session with the cloud")
        world.gate_broker.kill()
        since = desk.mark()
        update = offer(world, UPDATES)
        desk.wait_status(UPDATES, since, "waiting", "no-gate-answer", update)
        assert device.output().count("session with the cloud") == sessions
        desk.close()
        gate.close()
    finally:
        world.close()
