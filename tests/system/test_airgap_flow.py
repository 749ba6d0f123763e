# SPDX-License-Identifier: GPL-2.0-or-later
"""A site without any cloud, from the vendor's stick to the running image: import, request, two signatures elsewhere, approvals
by file, the gate, a fresh ticket, the install; then telemetry and audit log leave on a stick."""

import json
import os

import pytest
from lab.airgap import AirGapped
from lab.process import wait_until

from conftest import BUILD

OPTIONS = ("--retry-ms", "1000", "--dwell-ms", "1000", "--settle-ms", "300", "--gate-ms", "500")
DEVICES = 2


@pytest.fixture(scope="module")
def site():
    world = AirGapped(BUILD, devices=DEVICES, keep="RELAYD_KEEP" in os.environ).make()
    with world:
        world.make_devices()
        world.start_all()
        for name in world.devices:
            world.start_device(name, *OPTIONS)
        for name in world.devices:
            world.wait_device(name, "connects", lambda device: device["Online"])
        yield world


def shown(world, digest):
    return next(update for update in world.relayctl_json("updates", "list") if update["Digest"] == digest)


def waits(world, digest):
    return dict(shown(world, digest)["Devices"])


def sign(world, person, request, approval):
    """On the person's own machine: no relay, no network, only the file and what he compared."""
    key = world.folder / "people" / person / "approver.key"
    return world.run("relayctl", "--bus", "unix:path=/nonexistent", "sign", request, "--key", key, "-o", approval, "--policy",
                     world.policy, "--vendor-keys", world.folder / "vendor" / "vendor-keys.cbor", "--yes",
                     env={"HOME": str(world.folder / "people" / person)}, check=False)


def test_from_the_vendors_stick_to_the_running_image(site, tmp_path):
    policy = json.loads(site.relayctl("--json", "approvers", "show", site.policy).stdout)
    assert policy["ticket_needed"] is True  # every install needs the gate's fresh word
    stick = tmp_path / "stick"
    stick.mkdir()
    manifest, image = site.make_image("1.1.0", 2, site.program("plant-care-1.1.0"), urgency="security")
    (tmp_path / "notes").write_text("Closes a hole.\n")
    site.fwtool("bundle", stick / "plant-care-1.1.0.relayd-update", "--manifest", manifest, "--image", image, "--notes",
                tmp_path / "notes")

    # the integrator, at the gateway
    [found] = site.relayctl_json("updates", "import", stick)
    site.relayctl("updates", "import", found["file"])
    digest = found["digest"]
    assert shown(site, digest)["ReleaseNotes"] == "Closes a hole.\n"
    assert set(waits(site, digest).values()) == {"approval"}
    site.relayctl("updates", "export-request", digest, stick / "request")

    # two approvers, elsewhere; one who is none of the site's
    for person in ("anna", "bertil"):
        done = sign(site, person, stick / "request", stick / f"{person}.approval")
        assert done.returncode == 0 and digest in done.stdout + done.stderr, done.stderr
    site.relayctl("keys", "create", site.folder / "people" / "mallory.key")
    done = site.run("relayctl", "sign", stick / "request", "--key", site.folder / "people" / "mallory.key", "-o",
                    stick / "mallory.approval", "--policy", site.policy, "--vendor-keys",
                    site.folder / "vendor" / "vendor-keys.cbor", "--yes", check=False)
    assert done.returncode == 3 and "not-an-approver" in done.stderr

    # back at the gateway: one is not enough, the same one twice is one
    site.relayctl("updates", "import-approval", stick / "anna.approval")
    assert site.relayctl("updates", "import-approval", stick / "anna.approval", check=False).returncode == 3
    assert shown(site, digest)["State"] == "pending"
    site.relayctl("updates", "import-approval", stick / "bertil.approval")
    assert shown(site, digest)["State"] == "approved"
    assert set(waits(site, digest).values()) == {"gate"}
    assert {device["FirmwareVersion"] for device in site.relayctl_json("devices")} == {"1.0.0"}

    # the gate opens: each device asks it, gets its ticket, installs
    site.relayctl("gate", "open")
    wait_until("both run it", lambda: set(waits(site, digest).values()) == {"installed"}, 240)
    assert {device["FirmwareVersion"] for device in site.relayctl_json("devices")} == {"1.1.0"}
    site.relayctl("gate", "close")

    # what the site leaves to others
    exported = site.relayctl_json("events", "export", stick / "events.jsonl", "--drop")
    assert exported["written"] == exported["dropped"] > 0
    events = [json.loads(line) for line in (stick / "events.jsonl").read_text().splitlines()]
    assert {event["device"] for event in events} == set(site.devices)
    keys = [(event["device"], event["boot"], event["seq"]) for event in events]
    assert len(keys) == len(set(keys))
    site.relayctl("audit", "export", stick / "site.audit")
    gate = site.folder / "gateway" / "etc" / "relayd" / "keys" / "gate.key.pub"
    assert "is intact" in site.run("relayctl", "audit", "verify", stick / "site.audit", "--gate-key", gate, "--trust",
                                   tmp_path / "auditor").stdout
    actions = [row["action"] for row in site.relayctl_json("audit", "log") if row["object"] == digest]
    assert actions[0] == "update-imported" and actions.count("update-approved") == 2
    assert actions.count("update-installed") == DEVICES
