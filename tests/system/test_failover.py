# SPDX-License-Identifier: GPL-2.0-or-later
"""Real devices, relay and broker in network namespaces under kills and cuts by chance, and what a relay tells its devices.
The large version is make campaign."""

import json
import os

import pytest
from lab import netns
from lab.faults import OPTIONS, Account, Faults, make_world
from lab.outbox import records
from lab.packets import Client
from lab.process import wait_until

from conftest import BUILD

DEVICES, FAULTS, PAUSE_S, PERIOD_MS, SEED = 10, 20, 0.5, 500, 7


NAMESPACES = pytest.mark.skipif(not netns.possible(),
                                reason="network namespaces need root, or a user namespace around everything")


@NAMESPACES
def test_kills_and_cuts():
    """0 lost, one content for each key, in order on each way."""
    with make_world(BUILD, DEVICES, "RELAYD_KEEP" in os.environ) as world:
        faults = Faults(world, SEED)
        faults.start(PERIOD_MS)
        faults.fault("kill relay")
        faults.play(FAULTS - 1, PAUSE_S)
        faults.settle()
        assert faults.finish() == []
        assert sum(faults.done.values()) == FAULTS
        assert len(faults.account.arrived) >= FAULTS
        assert set(faults.account.ways) == {"direct", "relay"}


def test_relay_tells_how_many_it_serves(world):
    """Told anew when the number has doubled, so that devices know how far to spread their moves."""
    shown = world.cloud.watch("sites/s1/relay/state", name="crowd")
    clients = [Client(world, "app.all", client_id=f"app.all.crowd{number}") for number in range(70)]

    def crowd():
        return [json.loads(message["payload"])["devices"] for message in shown.messages()]
    wait_until("a number above 70", lambda: 128 in crowd())
    assert set(crowd()) <= {64, 128}
    for client in clients:
        client.drop()


def cut_uplink(world):
    """All devices are at the relay, which then finds out that it has no way to the cloud."""
    for name in world.devices:
        world.start_device(name, *OPTIONS, "--period-ms", 200)
    for name in world.devices:
        world.processes[name].wait_for("session with the relay")
    world.processes["hub"].wait_for("uplink is up")
    world.wire_rules("up", "drop")
    world.processes["hub"].wait_for("uplink is down")


@NAMESPACES
def test_uplink_down_and_the_policy_says_go():
    """After the patience the devices speak to the cloud themselves, and come back when the relay can."""
    with make_world(BUILD, 2, patience="2s") as world:
        cut_uplink(world)
        for name in world.devices:
            world.processes[name].wait_for("session with the cloud")
        world.wire_rules("up", None)
        for name in world.devices:
            wait_until(f"{name} back at the relay", lambda name=name:
                       world.processes[name].output().rindex("session with") == world.processes[name].output().rindex("session with the relay"))


@NAMESPACES
def test_uplink_down_and_the_policy_says_stay():
    """The relay stores, the devices stay; nothing is lost."""
    with make_world(BUILD, 2, patience="forever") as world:
        def last(name):
            return max((record.seq for record in records(world.flash(name))[0]), default=0)

        cut_uplink(world)
        begun = {name: last(name) for name in world.devices}
        wait_until("eight seconds of events", lambda: all(last(name) > begun[name] + 40 for name in world.devices))
        for name in world.devices:
            assert "session with the cloud" not in world.processes[name].output()
        wanted = {(name, seq) for name in world.devices for seq in range(1, begun[name] + 41)}
        world.wire_rules("up", None)
        wait_until("all of them at the cloud", lambda: wanted <= {(device, seq) for way, device, _, seq, _ in
                                                                  world.watch.read().arrivals if way == "relay"})


class Arrivals:
    """A cloud that got just these."""

    def __init__(self, *arrivals):
        self.watch, self.arrivals = self, list(arrivals)

    def read(self):
        return self


@pytest.mark.parametrize("arrivals, missing, problem", [
    ([("relay", 1), ("relay", 2), ("relay", 3)], 0, None),
    ([("relay", 1), ("direct", 2), ("relay", 2), ("direct", 3), ("relay", 2)], 0, None),
    ([("direct", 3), ("relay", 1), ("relay", 2)], 0, None),  # what the relay had kept comes later
    ([("relay", 1), ("relay", 3)], 1, None),
    ([("relay", 2), ("relay", 1), ("relay", 3)], 0, "came relay behind"),
    ([("relay", 1), ("relay", 2), ("relay", 3), ("direct", 2, "other")], 0, "two contents at the cloud"),
    ([("relay", 1), ("relay", 2), ("direct", 3, "other")], 0, "in flash and other at the cloud"),
])
def test_the_account_finds(arrivals, missing, problem):
    """What the runs above and the campaign would say of three events."""
    account = Account(Arrivals(*((way, "device-1", 1, seq, *(rest or [str(seq)])) for way, seq, *rest in arrivals)))
    account.last["device-1", 1] = 3
    account.contents = {("device-1", 1, seq): str(seq) for seq in (1, 2, 3)}
    account.read_cloud()
    account.compare()
    assert len(account.missing()) == missing
    assert len(account.problems) == (problem is not None)
    assert problem is None or problem in account.problems[0]
