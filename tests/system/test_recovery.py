# SPDX-License-Identifier: GPL-2.0-or-later
"""Both slots of a device are damaged: it comes back by itself, through the real relay, or by the cloud if there is none."""

import os

import pytest
from lab.flash import Flash
from lab.process import wait_until
from lab.site import World
from lab.updates import Desk

from conftest import BUILD

OPTIONS = ("--retry-ms", "1000", "--dwell-ms", "1000", "--settle-ms", "300", "--backoff-ms", "1000")
AT_RELAY, DIRECT = "device-1", "device-2"


@pytest.fixture(scope="module")
def site():
    """A device at the relay and one that knows only the cloud; both run an image that this site approved."""
    with World(BUILD, devices=2, direct_only=(DIRECT,), proves=True, keep="RELAYD_KEEP" in os.environ) as world:
        world.make()
        world.start_all()
        world.relayctl("gate", "open")
        world.desk = Desk(world)
        for name in world.devices:
            world.start_device(name, *OPTIONS)
        world.wait_device(AT_RELAY, "connects", lambda device: device["Online"])
        wait_until("all states at the cloud", lambda: set(world.desk.images()) == set(world.devices))
        world.installed = install(world)
        yield world
        world.desk.close()


def install(world):
    desk = world.desk
    update = desk.make()
    desk.serve(update)
    desk.offer(update.envelope)
    for person in ("anna", "bertil"):
        desk.approve(person, update)
    desk.wait_running(update)
    for name in world.devices:
        desk.wait_status(name, 0, "confirmed", update=update)
    return update


def flash_of(site, name):
    return Flash(site.folder / "devices" / name / "flash")


def damage(site, name, *areas):
    """Somebody, or age, changes a byte in each of these while the device is switched off."""
    flash = flash_of(site, name)
    for area in areas:
        flash.flip(area, 4096 + 11)


def trust_of(site, name):
    return next(device["Trust"] for device in site.relayctl_json("devices", "list") if device["Identity"] == name)


@pytest.mark.parametrize("areas", [("image A", "image B"), ("manifest A", "manifest B", "image A")])
def test_comes_back_through_the_relay(site, areas):
    """Repaired with what was approved before: no new approval, no try, and no way for a product meanwhile."""
    site.processes[AT_RELAY].stop()
    floor = flash_of(site, AT_RELAY).records()[-1][3]
    damage(site, AT_RELAY, *areas)
    device = site.start_device(AT_RELAY, *OPTIONS)
    device.wait_for("recovery: no slot may run")
    site.wait_device(AT_RELAY, "is in recovery", lambda device: device["Trust"] == "recovery")
    device.wait_for("boot: start [0-9]+, slot [AB], sequence 2")
    site.wait_device(AT_RELAY, "is itself again", lambda device: device["Online"] and device["Trust"] == "claimed")
    assert site.desk.images()[AT_RELAY][1] == site.installed.digest
    assert "on trial" not in device.output()
    record = flash_of(site, AT_RELAY).records()[-1][3]
    assert record[10:18] == floor[10:18]  # the sequence floor


def test_comes_back_by_the_cloud(site):
    site.processes[DIRECT].stop()
    damage(site, DIRECT, "image A", "image B")
    device = site.start_device(DIRECT, *OPTIONS)
    device.wait_for("recovery: no slot may run")
    device.wait_for("boot: start [0-9]+, slot [AB], sequence 2")
    device.wait_for("session with the cloud")


def test_a_damaged_spare_slot_costs_nothing(site):
    device = site.processes[AT_RELAY]
    device.stop()
    damage(site, AT_RELAY, f"image {flash_of(site, AT_RELAY).spare_slot()}")
    device = site.start_device(AT_RELAY, *OPTIONS)
    site.wait_device(AT_RELAY, "is itself again", lambda device: device["Online"] and device["Trust"] == "claimed")
    assert "recovery" not in device.output()


def test_recovery_takes_a_newer_approved_image(site):
    """What was confirmed cannot be had any more, and something newer was approved while the device was away."""
    site.processes[AT_RELAY].stop()
    damage(site, AT_RELAY, "image A", "image B", "manifest A")
    update = site.desk.make()
    site.desk.serve(update)
    site.desk.offer(update.envelope)
    for person in ("anna", "bertil"):
        site.desk.approve(person, update)
    device = site.start_device(AT_RELAY, *OPTIONS)
    device.wait_for("recovery: no slot may run")
    device.wait_for("boot: start [0-9]+, slot [AB], sequence 3")
    site.desk.wait_running(update, AT_RELAY)
    site.wait_device(AT_RELAY, "is itself again", lambda device: device["Online"] and device["Trust"] == "claimed")
