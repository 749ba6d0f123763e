# SPDX-License-Identifier: GPL-2.0-or-later
"""Real devices and the real gate: tickets by relay, by cloud and from a gate of its own; commands; policies and revocations."""

import os
import time

import dbus
import pytest
import relaypolicy
from lab.gate import GateWorld, StandAloneGate, key_id, signals
from lab.process import free_port, wait_until
from lab.site import SITE
from lab.updates import Desk, objects

from conftest import BUILD

AT_RELAY, DIRECT = "device-1", "device-2"
OPTIONS = ("--retry-ms", "1000", "--dwell-ms", "1000", "--settle-ms", "300")
PATIENCE = 240  # a gate answers one verdict in ten seconds, and an update takes two


def start(world):
    world.start_all()
    world.desk = Desk(world)
    for name in world.devices:
        world.start_device(name, *OPTIONS)
    wait_until("all states at the cloud", lambda: set(world.desk.images()) == set(world.devices))


@pytest.fixture(scope="module")
def site():
    with GateWorld(BUILD, devices=2, direct_only=(DIRECT,), proves=True, keep="RELAYD_KEEP" in os.environ) as world:
        world.make()
        start(world)
        yield world
        world.desk.close()


def offered(world):
    update = world.desk.serve(world.desk.make())
    world.desk.offer(update.envelope)
    wait_until("the offer at the relay", lambda: [u for u in world.relayctl_json("updates", "list")
                                                  if u["Digest"] == update.manifest.hex()])
    return update


def test_ticket_by_relay_and_by_cloud(site):
    """Approved, and the gate closed: nothing moves. Opened: both install, each with two questions of its own."""
    desk = site.desk
    since = desk.mark()
    update = offered(site)
    for person in ("anna", "bertil"):
        site.approve(update.manifest.hex(), person)
    desk.wait_status(DIRECT, since, "waiting", "gate-closed", update, PATIENCE)
    assert not [s for name in site.devices for s in desk.statuses(name, since) if s["state"] in ("fetching", "trying")]
    site.relayctl("gate", "open")
    desk.wait_running(update, patience=PATIENCE)
    hub = site.hub()
    for name in site.devices:
        opened = [a for a in hub.actions("ticket-open") if a[0] == f"device:{name}" and a[1] == update.manifest.hex()]
        assert len(opened) >= 2, hub.actions("ticket-open")
        desk.wait_status(name, since, "confirmed", update=update)


def test_commands_by_the_hub(site):
    hub = site.hub()
    monitor = hub.monitor("CommandResult")
    counter = hub.send(site.command(AT_RELAY, 1))
    assert counter == 1
    key = key_id(site.site_command)

    def results():
        return [tuple(r[:5]) for r in signals(monitor)]
    wait_until("its result", lambda: (AT_RELAY, key, 1, "done", "none") in results())
    hub.send(site.command(AT_RELAY, 2, name="pump.off"))
    wait_until("its result", lambda: (AT_RELAY, key, 2, "done", "none") in results())
    # kept for a device that is away, and executed once when it is back
    site.processes[AT_RELAY].stop()
    hub.send(site.command(AT_RELAY, 3, name="pump.off"))
    site.start_device(AT_RELAY, *OPTIONS)
    wait_until("its result", lambda: (AT_RELAY, key, 3, "done", "none") in results(), PATIENCE)
    assert {r[3] for r in results() if r[2] == 3} == {"done"}


def sign_policy(world, payload):
    keys = [world.desk.keys[name] for name in ("anna", "bertil")]
    return objects.sign_set(relaypolicy.SITE_POLICY_AAD, payload, keys)


def test_policy_and_revocation_reach_the_devices(site):
    """The hub takes them; the devices hear of them by relay and by cloud, and go on without a restart."""
    policy = {**site.policy_item, 2: 2, 3: objects.sha256(site.policy_payload), 10: 123}
    payload = objects.encode(policy)
    path = site.folder / "second.cbor"
    path.write_bytes(sign_policy(site, payload))
    sessions = {name: site.processes[name].output().count("session with") for name in site.devices}
    site.relayctl("approvers", "import", path)
    for name in site.devices:
        site.processes[name].wait_for("accepted: policy")
        assert site.processes[name].output().count("session with") == sessions[name], name
    site.policy.write_bytes(path.read_bytes())
    revocation = objects.revocation([site.desk.keys[name] for name in ("anna", "bertil")], SITE, 2, int(time.time()) - 60)
    site.hub().manager.Revoke(dbus.ByteArray(revocation))
    for name in site.devices:
        site.processes[name].wait_for("accepted: revocation")
    # and the next update goes through under both
    update = offered(site)
    for person in ("anna", "bertil"):
        site.desk.approve(person, update, epoch=2)
    site.desk.wait_running(update, patience=PATIENCE)


# ---- a gate on a machine of its own

def test_gate_of_its_own_is_asked_beside_the_session():
    """relayd --gate-only answers on the device's second link; the session with the relay goes on all the while."""
    world = GateWorld(BUILD, devices=1, keep="RELAYD_KEEP" in os.environ)

    def bend(policy):
        gate = world.gate = StandAloneGate(world, listen=True)
        gate.make_listener(free_port())
        pin = bytes.fromhex(world.pin(gate.conf.parent / "relay.crt"))
        policy[6] = [relaypolicy.gate(gate.public(), "127.0.0.1", gate.port, pin)]
    world.bend = bend
    try:
        world.make()
        world.gate.start()
        world.gate.import_all()
        start(world)
        world.relayctl("gate", "open")  # of the relay, which does not matter here
        update = offered(world)
        for person in ("anna", "bertil"):
            world.approve(update.manifest.hex(), person)
        # the answer of a gate that has no uplink, and heard of no such update
        world.desk.wait_status(AT_RELAY, 0, "waiting", "unknown-update", update, PATIENCE)
        assert world.processes[AT_RELAY].output().count("session with") == 1
        world.desk.close()
    finally:
        world.close()
