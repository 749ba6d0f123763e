# SPDX-License-Identifier: GPL-2.0-or-later
"""The real firmware as Linux processes: an image that nobody approved is quarantined and updated out of it; a flash file that
was copied gives itself away; restarts, kills, power cuts, fail-over and rotations do not look like that."""

import itertools
import shutil

import pytest
from lab.process import wait_until
from lab.site import World
from lab.updates import Desk, alerts, last_alert
from conftest import BUILD

OPTIONS = ("--retry-ms", "500", "--dwell-ms", "500", "--settle-ms", "300")
PATIENCE = 120
numbers = itertools.count(1)


class Site(World):
    def make(self):
        super().make()
        self.start_all()
        self.desk = Desk(self)
        return self

    def set_rule(self, rule):
        folder = self.config().with_name("relayd.conf.d")
        folder.mkdir(exist_ok=True)
        (folder / "test.conf").write_text(f"[devices]\nclones = {rule}\n")
        self.restart_relay()

    def restart_relay(self):
        for name in ("front", "hub"):
            self.processes[name].kill()
        self.start_relay()

    def show(self, name):
        return next(row for row in self.relayctl_json("devices", "list") if row["Identity"] == name)

    def boot_of(self, name, above=0):
        """Waits until the relay has a session of a later boot, and gives that."""
        return self.wait_device(name, f"is here in a boot above {above}",
                                lambda device: device["Online"] and device["Boot"] > above, patience=PATIENCE)["Boot"]

    def cloned(self, since):
        return [(alert["device"], alert["detail"]) for alert in alerts(self, "cloned-device", since)]

    def close(self):
        if hasattr(self, "desk"):
            self.desk.close()
        super().close()


@pytest.fixture(scope="module")
def site():
    with Site(BUILD, devices=4, proves=True) as world:
        yield world.make()


@pytest.fixture
def name(site):
    """A device of this test's own, at work and proven."""
    name = site.devices[next(numbers) % len(site.devices)]
    site.relayctl("devices", "release", name, "--yes")
    site.start_device(name, *OPTIONS)
    site.boot_of(name)
    yield name
    site.processes[name].stop()


def event_from(site, name, since):
    topic = f"sites/s1/devices/{name}/events/"
    return [m for m in site.desk.listen()[since:] if m.topic.startswith(topic)]


def is_direct(site, name):
    """By the device's last word of it."""
    said = [m.payload for m in site.desk.listen() if m.topic == f"sites/s1/devices/{name}/state/direct"]
    return said and b'"online":true' in said[-1]


# ---- what is no clone

def test_restarts_kills_and_power_cuts(site, name):
    site.set_rule("refuse")
    since, boot = last_alert(site), site.boot_of(name)
    for turn in range(8):
        (site.processes[name].stop if turn % 2 else site.processes[name].kill)()
        for _ in range(turn):  # the power comes and goes
            site.start_device(name, *OPTIONS)
            site.processes[name].kill()
        site.start_device(name, *OPTIONS)
        boot = site.boot_of(name, boot)
        if turn == 4:
            site.restart_relay()
    mark = site.desk.mark()
    wait_until("an event", lambda: event_from(site, name, mark), PATIENCE)
    assert site.cloned(since) == [] and site.show(name)["Quarantine"] == ""


def test_fail_over_and_back(site, name):
    """Without its relay the device goes to the cloud, probes, and comes back, in one boot and in others."""
    site.set_rule("refuse")
    since, boot = last_alert(site), site.boot_of(name)
    for restarts in (False, True, True):
        site.processes["front"].kill()
        if restarts:
            site.processes[name].kill()
            site.start_device(name, *OPTIONS)
        wait_until("its direct way", lambda: is_direct(site, name), PATIENCE)
        site.start_front_end()
        boot = site.boot_of(name, boot if restarts else boot - 1)
    mark = site.desk.mark()
    wait_until("an event", lambda: event_from(site, name, mark), PATIENCE)
    assert site.cloned(since) == [] and site.show(name)["Quarantine"] == ""


# ---- and what is one

@pytest.mark.parametrize("rule", ["alert", "quarantine", "refuse"])
def test_a_copied_flash_file(site, name, rule):
    """Copied while the device runs, and both at work. The copy's start makes its counter the higher one, so the right device is
    what stands out, as for a thief who took the copy: neither can hide."""
    site.set_rule(rule)
    boot, since = site.boot_of(name), last_alert(site)
    original = site.folder / "devices" / name / "flash"
    copy = original.with_name("copy")
    shutil.copy(original, copy)
    twin = site.start(f"{name}-twin", [site.program("device-boot"), "--flash", copy, *OPTIONS])
    try:
        told = wait_until("the alert", lambda: site.cloned(since), PATIENCE)
        assert {device for device, _ in told} == {name} and f"boot {boot}" in told[0][1]
        if rule == "quarantine":
            site.wait_device(name, "is in quarantine", lambda device: device["Quarantine"] == "cloned-device")
        else:
            assert site.show(name)["Quarantine"] == ""
    finally:
        twin.kill()
    # a person took the copy away: the right one is let in again, and goes on where it was
    site.relayctl("devices", "release", name, "--yes")
    mark = site.desk.mark()
    wait_until("an event", lambda: event_from(site, name, mark), PATIENCE)
    assert site.show(name)["Quarantine"] == ""


# ---- images and keys

def test_an_unknown_image_is_updated_away(site, name):
    """What the factory shipped is made unknown: quarantine, no event passes, none is lost. An approved update passes, and is its end."""
    image = site.show(name)["ProvedImage"]
    since, mark = last_alert(site), site.desk.mark()
    site.relayctl("images", "remove", image, "--yes")
    wait_until("the alert", lambda: [a for a in alerts(site, "unknown-image", since) if a["device"] == name], PATIENCE)
    site.wait_device(name, "is back in quarantine",
                     lambda device: device["Online"] and device["Quarantine"] == "unknown-image" and device["Trust"] == "unknown-image")
    update = site.desk.serve(site.desk.make())
    site.desk.offer(update.envelope, name)
    wait_until("the offer", lambda: update.manifest.hex() in [u["Digest"] for u in site.relayctl_json("updates")])
    quiet = site.desk.mark()
    for person in ("anna", "bertil"):
        site.approve(update.manifest.hex(), person)
    site.relayctl("gate", "open")
    device = site.wait_device(name, "runs the update", lambda device: device["ProvedImage"] == update.digest, patience=240)
    assert device["Trust"] == "claimed" and device["Quarantine"] == ""
    kept = wait_until("the events that were kept", lambda: event_from(site, name, quiet), PATIENCE)
    keys = [tuple(int(dict(m.properties.UserProperty)[key]) for key in ("boot", "seq")) for m in event_from(site, name, mark)]
    assert len(keys) == len(set(keys)) and kept
    site.desk.wait_status(name, mark, "confirmed", update=update, patience=PATIENCE)
    site.relayctl("images", "add", site.folder / "vendor" / "1.0.0.manifest")  # for the others, which have it still


def test_rotation(site, name):
    """Somebody at the device has it take its next identity key: the relay learns it by DICE-1, and forgets the one before."""
    before, boot = site.show(name), site.boot_of(name)
    site.processes[name].stop()
    site.run("device-local", "--flash", site.folder / "devices" / name / "flash", "rotate")
    site.start_device(name, *OPTIONS)
    site.boot_of(name, boot)
    after = site.show(name)
    assert after["Rotation"] == before["Rotation"] + 1 and after["Fingerprint"] != before["Fingerprint"]
    assert after["Quarantine"] == ""
    mark = site.desk.mark()
    wait_until("an event", lambda: event_from(site, name, mark), PATIENCE)
