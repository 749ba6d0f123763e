# SPDX-License-Identifier: GPL-2.0-or-later
"""An update carried to the device itself: the image comes from the stick, everything else is as by relay or cloud: signatures,
approvals, the gate's ticket, each block's digest, the application's consent, the boot stage."""

import json
import shutil

import cbor2
import pytest
from lab.airgap import AirGapped
from lab.process import wait_until

from conftest import BUILD

OPTIONS = ("--retry-ms", "1000", "--dwell-ms", "1000", "--settle-ms", "300", "--gate-ms", "500")


class Site(AirGapped):
    """One device with a slot for sticks; the update, and approvals by file."""

    def start_all(self):
        super().start_all()
        self.stick = self.folder / "stick"
        self.stick.mkdir()
        manifest, image = self.make_image("1.1.0", 2, self.program("plant-care-1.1.0"))
        self.file = self.folder / "plant-care.relayd-update"
        self.fwtool("bundle", self.file, "--manifest", manifest, "--image", image)
        self.digest = json.loads(self.fwtool("manifest", "show", manifest, "--json").stdout)["digest"]
        self.start_device("device-1", *OPTIONS, "--stick", self.stick)
        self.wait_device("device-1", "connects", lambda device: device["Online"])
        return self

    def request(self):
        """From a second relay's import, or this one's: here made by hand, as the approver's tool reads it."""
        file = self.folder / "request"
        file.write_bytes(cbor2.dumps({0: 1, 1: cbor2.loads(self.file.read_bytes())[2], 2: self.policy.read_bytes(),
                                      3: (self.folder / "vendor" / "vendor-keys.cbor").read_bytes()}))
        return file

    def approval(self, person):
        file = self.folder / f"{person}.approval"
        if not file.exists():
            self.run("relayctl", "sign", self.request(), "--key", self.folder / "people" / person / "approver.key", "-o", file,
                     "--policy", self.policy, "--vendor-keys", self.folder / "vendor" / "vendor-keys.cbor", "--yes")
        return file

    def wrong(self):
        """The same manifest with another image."""
        kind, version, envelope, notes, image = cbor2.loads(self.file.read_bytes())
        bad = bytearray(image)
        bad[5000] ^= 1
        wrong = self.folder / "wrong.relayd-update"
        wrong.write_bytes(cbor2.dumps([kind, version, envelope, notes, bytes(bad)]))
        return wrong

    def put(self, *files):
        """In one step each, as a stick that appears."""
        for file in files:
            shutil.copy(file, self.stick / f".{file.name}")
            (self.stick / f".{file.name}").rename(self.stick / file.name)

    def refused(self, reason):
        wait_until(f"the device says {reason}", lambda: self.device()["UpdateReason"] == reason, 120)
        assert self.device()["FirmwareVersion"] == "1.0.0"

    def device(self):
        return self.relayctl_json("devices", "list")[0]

    def installs(self):
        # the gate answers a device once in ten seconds
        wait_until("1.1.0 is confirmed", lambda: self.device()["UpdateState"] == "confirmed", 240)
        assert self.device()["FirmwareVersion"] == "1.1.0"
        assert self.relayctl_json("status")["ImageBytesServed"] == 0  # all of it came from the stick


def started(*ticket):
    world = Site(BUILD, devices=1)
    world.ticket = ticket
    try:
        world.make()
        world.make_devices()
        return world.start_all()
    except BaseException:
        world.close()
        raise


@pytest.fixture
def site():
    world = started("--no-ticket")
    yield world
    world.close()


def test_approvals_decide_by_stick_too(site):
    site.put(site.file)
    site.refused("not-approved")
    site.put(site.approval("anna"))
    wait_until("it stays so", lambda: site.device()["UpdateReason"] == "not-approved")
    site.put(site.approval("bertil"))
    site.installs()


def test_a_stick_with_another_image_is_refused_and_a_good_one_installs(site):
    site.put(site.approval("anna"), site.approval("bertil"), site.wrong())
    site.refused("block-list-digest")
    (site.stick / "wrong.relayd-update").unlink()
    site.put(site.file)
    site.installs()


def test_a_bad_stick_keeps_nobody_from_the_relays_image(site):
    site.put(site.approval("anna"), site.approval("bertil"), site.wrong())
    site.refused("block-list-digest")
    site.relayctl("updates", "import", site.file)
    for person in ("anna", "bertil"):
        site.relayctl("updates", "import-approval", site.approval(person))
    site.relayctl("gate", "open")
    wait_until("1.1.0 is confirmed", lambda: site.device()["UpdateState"] == "confirmed", 240)
    assert site.device()["FirmwareVersion"] == "1.1.0"
    assert site.relayctl_json("status")["ImageBytesServed"] > 0


def test_a_stick_brings_nothing_the_vendor_did_not_sign(site):
    manifest, image = site.make_image("1.1.0", 3, site.program("plant-care-1.1.0"), sign=("organisation",), name="half")
    half = site.folder / "half.relayd-update"
    site.fwtool("bundle", half, "--manifest", manifest, "--image", image)
    site.put(half)
    site.refused("developer-signature")


def test_a_site_with_tickets_needs_one_by_stick_too():
    """The relay's gate knows nothing of the update, then it is closed, then it opens; the relay holds no image the whole time."""
    world = started("--ticket")
    try:
        world.put(world.file, world.approval("anna"), world.approval("bertil"))
        world.refused("unknown-update")
        world.relayctl("updates", "import", world.file)
        for person in ("anna", "bertil"):
            world.relayctl("updates", "import-approval", world.approval(person))
        world.refused("gate-closed")
        world.relayctl("gate", "open")
        world.installs()
    finally:
        world.close()
