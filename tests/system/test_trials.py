# SPDX-License-Identifier: GPL-2.0-or-later
"""Trials of new images on real devices: one that never confirms, power cuts everywhere, SIGKILL at any time. Whatever
happens, a device runs the old or the new image, and a good update gets through in the end."""

import hashlib
import os
import random
import shutil
import signal

import pytest
from lab.process import wait_until
from lab.site import World
from lab.updates import Desk

from conftest import BUILD

CAMPAIGN = "RELAYD_CAMPAIGN" in os.environ
OPTIONS = ("--retry-ms", "500", "--dwell-ms", "500", "--confirm-ms", "4000")


@pytest.fixture(scope="module")
def site():
    """device-1 at the relay, device-2 and device-3 know only the cloud; nobody is started."""
    with World(BUILD, devices=3, direct_only=("device-2", "device-3"), proves=True, keep="RELAYD_KEEP" in os.environ) as world:
        world.make()
        world.start_all()
        world.relayctl("gate", "open")
        world.desk = Desk(world)
        for name in world.devices:
            shutil.copy(world.folder / "devices" / name / "flash", world.folder / "devices" / name / "first")
        world.old = world.program("plant-care-1.0.0").read_bytes()
        yield world
        world.desk.close()


def approved(desk, update, *devices):
    desk.serve(update)
    desk.offer(update.envelope, *devices)
    for person in ("anna", "bertil"):
        desk.approve(person, update)
    return update


def ran(desk, device, since):
    """Images it ever said it ran."""
    return {image for name, image in desk.said_images(since) if name == device}


def test_image_that_never_confirms(site):
    """It goes back by itself, says why, tries three times, then never again; the next good one installs."""
    desk, devices = site.desk, ("device-1", "device-2")
    for name in devices:
        site.start_device(name, *OPTIONS, "--confirm-ms", "1000")
    wait_until("both", lambda: set(devices) <= set(desk.images()))
    old = {name: desk.images()[name][1] for name in devices}
    since = desk.mark()
    broken = approved(desk, desk.make(image=site.program("plant-care-broken").read_bytes()), *devices)
    for name in devices:
        desk.wait_status(name, since, "refused", "tries-exhausted", broken, patience=30)
        said = [(s["state"], s["reason"]) for s in desk.statuses(name, since) if s["manifest"] == broken.manifest.hex()]
        assert said.count(("refused", "not-confirmed")) == 2 or said.count(("refused", "not-confirmed")) == 3, said
        assert site.processes[name].output().count("on trial") == 3
        wait_until(f"{name} back on the old one", lambda: desk.images()[name][1] == old[name])
        assert ran(desk, name, since) <= {old[name], broken.digest}
    again = desk.mark()
    desk.offer(broken.envelope, *devices)  # offered once more it is not tried once more
    good = approved(desk, desk.make(), *devices)
    desk.wait_running(good, *devices)
    for name in devices:
        desk.wait_status(name, again, "confirmed", update=good)
        assert site.processes[name].output().count("on trial") == 4
        site.processes[name].kill()


def fresh(site, device):
    """The device as it was provisioned; what it said in its former life is forgotten."""
    home = site.folder / "devices" / device
    shutil.copy(home / "first", home / "flash")
    site.desk.listen().clear()


@pytest.mark.parametrize("way, device", [("relay", "device-1"), ("direct", "device-2")])
def test_power_cuts(site, way, device):
    """Cut at flash operations spread over the whole update; each start runs the old or the new image."""
    desk = site.desk
    update = approved(desk, desk.make(), device)
    fresh(site, device)
    since = desk.mark()
    first = site.start_device(device, *OPTIONS, "--cut-after", "1000000", "--period-ms", "200")
    desk.wait_status(device, since, "confirmed", update=update)
    first.kill()
    points = range(1, 121, 2) if CAMPAIGN else (3, 9, 20, 55, 90, 97)
    cuts = 0
    for point in points:
        fresh(site, device)
        since = desk.mark()
        site.start_device(device, *OPTIONS, "--cut-after", point, "--period-ms", "200")
        process = site.processes[device]
        wait_until("the cut, or the end of the update",
                   lambda: not process.alive() or desk.images().get(device, (0, ""))[1] == update.digest and any(
                       s["state"] == "confirmed" and s["manifest"] == update.manifest.hex()
                       for s in desk.statuses(device, since)), 30)
        cuts += not process.alive()
        process.kill()
        again = site.start_device(device, *OPTIONS)
        desk.wait_status(device, since, "confirmed", update=update, patience=30)
        assert "stuck" not in process.output() + again.output(), f"cut after {point}"
        said = ran(desk, device, since)
        assert said <= {old_digest(site), update.digest}, f"cut after {point}: {said}"
        again.kill()
    assert cuts >= len(points) / 2, f"only {cuts} of {len(points)} cuts happened"


def old_digest(site):
    return hashlib.sha256(site.old).hexdigest()


def children(pid):
    try:
        return [int(child) for child in open(f"/proc/{pid}/task/{pid}/children").read().split()]
    except FileNotFoundError:
        return []


def kill_child(process):
    for child in children(process.pid):
        os.kill(child, signal.SIGKILL)


@pytest.mark.parametrize("device", ["device-1", "device-3"])
def test_sigkill_at_any_time(site, device):
    """Boot stage and application die at random during fetching, trying, confirming."""
    desk, chance = site.desk, random.Random(device)
    fresh(site, device)
    process = site.start_device(device, *OPTIONS)
    wait_until("it", lambda: device in desk.images())
    since, outputs, updates = desk.mark(), [process], []
    for round_number in range(40 if CAMPAIGN else 4):
        update = approved(desk, desk.make(), device)
        updates.append(update)
        for _ in range(2):  # a third in the trial would use up its tries
            wait = chance.uniform(0, 0.8)
            mark = desk.mark()
            try:
                desk.wait_status(device, mark, "confirmed", update=update, patience=wait)
            except Exception:  # noqa: BLE001  killed in the middle
                pass
            if chance.random() < 0.5:
                kill_child(process)
            else:
                process.kill()
                process = site.start_device(device, *OPTIONS)
                outputs.append(process)
        desk.wait_running(update, device)
    final = approved(desk, desk.make(), device)
    desk.wait_running(final, device)
    assert not any("stuck" in p.output() for p in outputs)
    assert ran(desk, device, since) <= {old_digest(site), final.digest, *(u.digest for u in updates)}
    process.kill()
