# SPDX-License-Identifier: GPL-2.0-or-later
"""A device of ours with a session at the relay, and the gate on a machine of its own: its address stands in the policy."""

import json
import os

import pytest
from lab.gate import GateWorld, StandAloneGate
from lab.process import free_port, wait_until
from lab.updates import Desk, alerts

from conftest import BUILD
from test_gate_only import by_cloud

OPTIONS = ("--retry-ms", "1000", "--dwell-ms", "1000", "--settle-ms", "300")
DEVICE = "device-1"


class Site(GateWorld):
    def make_cloud(self, persistence=False):
        super().make_cloud(persistence)
        certificates = self.cloud.certificates
        self.fwtool("ca", "issue", "--ca", certificates, "--identity", "gate.s1", "-o", certificates / "gate.s1")

    def gate_elsewhere(self, policy):
        self.gate = StandAloneGate(self, listen=True)
        self.gate.make_listener(free_port())
        pin = bytes.fromhex(self.pin(self.gate.conf.parent / "relay.crt"))
        policy[6] = [{0: self.gate.public().cose, 1: "127.0.0.1", 2: self.gate.port, 3: pin}]


@pytest.fixture(scope="module")
def site():
    world = Site(BUILD, devices=1, keep="RELAYD_KEEP" in os.environ)
    try:
        world.bend = world.gate_elsewhere
        world.make()
        world.start_all()
        world.relayctl("gate", "open")  # the relay shows what is approved; it is not the gate of this site
        gate = world.gate
        gate.uplink = by_cloud(world)
        gate.start()
        gate.import_all()
        world.desk = Desk(world)
        world.start_device(DEVICE, *OPTIONS)
        world.wait_device(DEVICE, "connects", lambda device: device["Online"])
        yield world
        world.desk.close()
    finally:
        world.close()


def offered(site):
    update = site.desk.serve(site.desk.make())
    site.desk.offer(update.envelope, DEVICE)
    for person in ("anna", "bertil"):
        site.desk.approve(person, update)
    return update


def test_device_asks_the_gate_at_its_address(site):
    """Closed there: no install, though the relay's own gate is open. Open: two tickets, and the new image runs."""
    since = site.desk.mark()
    update = offered(site)
    site.desk.wait_status(DEVICE, since, "waiting", "gate-closed", update, patience=180)
    assert not [s for s in site.desk.statuses(DEVICE, since) if s["state"] in ("fetching", "trying")]
    assert site.hub().actions("ticket-open") == [] and site.hub().actions("ticket-closed") == []
    site.gate.relayctl("gate", "open")
    site.desk.wait_running(update, DEVICE, patience=240)
    opened = [record for record in site.gate.hub().actions("ticket-open") if record[:2] == (f"device:{DEVICE}", update.manifest.hex())]
    assert len(opened) >= 2, "before the fetch, and before staging"
    assert site.hub().actions("ticket-open") == []
    site.desk.wait_status(DEVICE, since, "confirmed", update=update)
    assert alerts(site, "topic") == []


def test_unreachable_gate_means_no_install(site):
    site.gate.processes["front"].stop()
    site.gate.processes["hub"].kill()
    since = site.desk.mark()
    update = offered(site)
    site.desk.wait_status(DEVICE, since, "waiting", "no-gate-answer", update, patience=180)
    assert not [s for s in site.desk.statuses(DEVICE, since) if s["state"] in ("fetching", "trying")]
    site.gate.start_hub()
    site.gate.start_process("front", site.gate.processes["front"].command, "listening on")
    wait_until("the gate to know the update", lambda: update.manifest.hex() in site.gate.relayctl("--json", "updates", "list").stdout)
    site.desk.wait_running(update, DEVICE, patience=240)


def test_relay_says_that_its_own_settings_do_not_count(site):
    assert site.relayctl_json("status")["GateAnswers"] is False
    assert "not the gate of its site policy" in site.relayctl("gate", "show").stdout
    assert json.loads(site.gate.relayctl("--json", "status").stdout)["GateAnswers"] is True
    assert "not the gate" not in site.gate.relayctl("gate", "show").stdout
