# SPDX-License-Identifier: GPL-2.0-or-later
"""Tickets: a site that wants its gate asked before each install. device-2 is at a rooted relay, which forwards its questions
or answers them itself, with the gate's key or without it."""

import contextlib

import pytest
import relayobjects as objects
from attacker import Attacker
from lab.site import SITE
from scene import AT_ROGUE, Scene, unix_time

OTHER_DIGEST = bytes(range(32))


@pytest.fixture(scope="module")
def gated():
    with Scene(ticket=True, devices_on=()) as site:
        site.root_the_relay()
        yield site


@pytest.fixture
def gate(gated):
    gated.rogue_gate.behave()
    yield gated.rogue_gate
    gated.rogue_gate.behave()


def asked_digest(request):
    return objects.decode(request).get(2)


def offered(site, update, people=("anna", "bertil"), **options):
    site.rogue_desk.serve(update)
    for person in people:
        site.rogue_desk.approve(person, update, **options)
    site.rogue_desk.offer(update.envelope, AT_ROGUE)


@contextlib.contextmanager
def ticket_refused(site, reason):
    since = site.rogue_desk.mark()
    yield
    site.refusal(AT_ROGUE, "ticket", reason, since)


def only_about(gate, update, make):
    """Time is answered honestly, questions about this update by make(device, request)."""
    def answer(device, request):
        return make(device, request) if asked_digest(request) == update.manifest else [gate.ticket(device, request)]
    gate.behave(answer)


def installs(site, update):
    """The control: an honest gate answers."""
    since = max(site.rogue_desk.mark() - 200, 0)
    site.rogue_gate.behave()
    site.rogue_desk.wait_running(update, AT_ROGUE)
    site.rogue_desk.wait_status(AT_ROGUE, since, "confirmed", update=update)


def test_tuf_replayed_ticket(gated, gate):
    """The open answer to one question, again for the next one: for another update, and for the same one before the start."""
    first = gated.make_update()
    offered(gated, first)
    installs(gated, first)
    recorded = [ticket for _, request, ticket in gate.made if asked_digest(request) == first.manifest]
    assert len(recorded) >= 2, "it asks when it begins to fetch, and before it starts the image"

    update = gated.make_update()
    with gated.nobody_moves(), ticket_refused(gated, "wrong-nonce"):
        only_about(gate, update, lambda device, request: recorded)
        offered(gated, update)

    used = []

    def once(device, request):
        if not used:
            used.append(gate.ticket(device, request))
        return used
    with gated.nobody_moves(), ticket_refused(gated, "wrong-nonce"):
        only_about(gate, update, once)
        gated.rogue_desk.wait_status(AT_ROGUE, 0, "fetching", update=update)
    installs(gated, update)


def test_tuf_ticket_of_others(gated, gate):
    """An open answer for another device, another update, another site, another question; of a key that is no gate's."""
    update = gated.make_update()
    thief = Attacker(gated, "anna")

    def about(digest):
        return lambda device, request: [gate.ticket(device, objects.gate_request(objects.decode(request)[1], digest))]
    wrong = {
        "wrong-device": lambda device, request: [gate.ticket("device-1", request)],
        "wrong-site": lambda device, request: [gate.ticket(device, request, site="s2")],
        "wrong-digest": about(OTHER_DIGEST),
        "wrong-nonce": lambda device, request: [gate.ticket(device, objects.gate_request(bytes(16), asked_digest(request)))],
        "bad-signature": lambda device, request: [gate.ticket(device, request, key=thief.key("gate"))],
        "malformed": lambda device, request: [objects.encode(["open"])],
    }
    with gated.nobody_moves():
        for reason, make in wrong.items():
            with ticket_refused(gated, reason):
                only_about(gate, update, make)
                offered(gated, update)  # the same again: it asks at once
    installs(gated, update)


def test_firmware_gate_tickets(gated, gate):
    """The gate's key alone opens the gate as often as it likes: for what nobody approved there is nothing to open."""
    thief = Attacker(gated, "gate")
    update = gated.make_update()
    gate.behave(lambda device, request: [gate.ticket(device, request, key=thief.keys["gate"])])
    with gated.nobody_moves(), gated.refused(AT_ROGUE, "not-approved", update):
        offered(gated, update, people=("anna",))
    gated.rogue_desk.approve("bertil", update)
    installs(gated, update)


def test_firmware_no_gate(gated, gate):
    """Nobody answers: no install, neither by the relay nor by hand at the local port."""
    update = gated.make_update()
    with gated.nobody_moves(), gated.refused(AT_ROGUE, "no-gate-answer", update, state="waiting"):
        only_about(gate, update, lambda device, request: [])
        offered(gated, update)
    gated.carried_refused(update, [objects.approval(gated.person(who), SITE, update.manifest) for who in ("anna", "bertil")],
                          "ticket-required")
    with gated.nobody_moves(), gated.refused(AT_ROGUE, "gate-closed", update, state="waiting"):
        only_about(gate, update, lambda device, request: [gate.ticket(device, request, reason="gate-closed")])
    installs(gated, update)


def test_tuf_clock(gated, gate):
    """The clock turned back behind what k people signed: not believed. Turned forward, by the gate's own key: what may still
    run runs late or never, and after the next start nothing of it is left."""
    update = gated.make_update()
    with gated.nobody_moves(), ticket_refused(gated, "clock-turned-back"):
        only_about(gate, update, lambda device, request: [gate.ticket(device, request, time=objects.ISSUED - 1)])
        offered(gated, update, not_after=unix_time(3600))
    since = gated.rogue_desk.mark()
    gate.behave(lambda device, request: [gate.ticket(device, request, time=unix_time(10 * 365 * 86400))])
    with gated.switched_anew(AT_ROGUE):
        gated.rogue_desk.wait_status(AT_ROGUE, since, "refused", "outside-window", update)
        gated.answers(AT_ROGUE, gated.command(gated.site_command, AT_ROGUE, "pump.on"), "refused", "expired-command")
    gate.behave()
    with gated.switched_anew(AT_ROGUE):
        gated.does(gated.site_command, AT_ROGUE, "pump.off")
        installs(gated, update)


def test_tuf_freeze(gated, gate):
    """The relay keeps a revocation, then a new site policy, to itself: the gate's fresh answer names what the device does not
    have, and it installs nothing until it got it."""
    update = gated.make_update()
    with gated.nobody_moves(), gated.refused(AT_ROGUE, "policy-differs", update):
        only_about(gate, update, lambda device, request: [gate.ticket(device, request, policy=b"another one")])
        offered(gated, update)
    with gated.nobody_moves(), gated.refused(AT_ROGUE, "revoked-epoch", update):
        only_about(gate, update, lambda device, request: [gate.ticket(device, request, epoch=2)])
    gated.approval_epoch = 2
    gate.behave()
    people = [gated.person(name) for name in ("anna", "bertil")]
    image = gated.running(AT_ROGUE)[1]
    gated.rogue_desk.publish(f"sites/{SITE}/revocations", objects.revocation(people, SITE, 2, unix_time()))
    gated.processes[AT_ROGUE].wait_for("accepted: revocation")
    with gated.refused(AT_ROGUE, "revoked-epoch", update), gated.switched_anew(AT_ROGUE):
        pass  # now it knows by itself that these approvals count no more
    assert gated.running(AT_ROGUE)[1] == image
    for person in ("anna", "bertil"):
        gated.rogue_desk.approve(person, update, epoch=2)
    installs(gated, update)
