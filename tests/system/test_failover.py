# SPDX-License-Identifier: GPL-2.0-or-later
"""Real devices, relay and broker in network namespaces under kills and cuts by chance, and what a relay tells its devices.
The large version is make campaign."""

import json
import os

import pytest
from lab import netns
from lab.faults import Faults, make_world
from lab.packets import Client
from lab.process import wait_until

from conftest import BUILD

DEVICES, FAULTS, PAUSE_S, PERIOD_MS, SEED = 10, 20, 0.5, 500, 7


@pytest.mark.skipif(not netns.possible(), reason="network namespaces need root, or a user namespace around everything")
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
