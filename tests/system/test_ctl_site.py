# SPDX-License-Identifier: GPL-2.0-or-later
"""A site's people at work with the real relay: over ssh, on the gateway, with files; approvers and vendor keys that change."""

import json
import os
import shutil

import pytest

from conftest import BUILD
from lab import agent as ssh
from lab.process import wait_until
from lab.remote import SSHD, Gateway, RealGateway
from lab.site import World


@pytest.fixture(scope="module")
def built():
    """A relay whose site demands tickets and grants commands; two devices that are not started. Tests take their own updates."""
    world = World(BUILD, devices=2, ticket=True, commands=True)
    try:
        world.make()
        world.start_all()
        world.gateway = Gateway(world.folder / "ssh", world.bus)
        yield world
    finally:
        world.close()


numbers = iter(range(2, 1000))


@pytest.fixture
def site(built):
    """The same with an update of its own, site.version."""
    number = next(numbers)
    built.version = f"1.{number}.0"
    image = built.folder / f"image-{number}"
    image.write_bytes(built.version.encode() * 500)
    built.publish(*built.make_image(built.version, number, image, urgency="security", description="closes a hole"))
    wait_until("the update to show as pending", lambda: update(built))
    return built


def update(world):
    return next((u for u in world.relayctl_json("updates") if u["Version"] == world.version), None)


def key(world, person):
    return world.folder / "people" / person / "approver.key"


def trusted(world):
    return ("--policy", world.policy, "--vendor-keys", world.folder / "vendor" / "vendor-keys.cbor")


def far(world, *arguments, person="anna", check=True, **env):
    """relayctl -H gateway on a person's own machine."""
    home = world.folder / "people" / person
    return world.run("relayctl", "-H", "gateway", *arguments, check=check,
                     env={**world.gateway.env, "HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config"), **env})


def near(world, *arguments, check=True):
    """relayctl on the gateway: nothing says where the relay is."""
    return world.run("relayctl", *arguments, check=check, env={"DBUS_SYSTEM_BUS_ADDRESS": world.bus,
                                                              "HOME": str(world.folder / "gateway" / "home")})


def approvals(world):
    return len(update(world)["Approvals"])


def who_approved(world):
    return [row["actor"] for row in world.relayctl_json("audit", "log") if row["action"] == "update-approved"]


# ---- where approvals are made

def test_over_ssh(site):
    done = far(site, "updates", "approve", site.version, "--key", key(site, "anna"), *trusted(site), "--yes")
    assert "Approved: 1 of 2." in done.stdout and "Both vendor signatures were verified on this machine" in done.stdout
    assert "gateway itself" not in done.stderr and approvals(site) == 1
    assert "gateway" in site.gateway.calls()[-1] and "systemd-stdio-bridge" in site.gateway.calls()[-1]
    assert who_approved(site)[-1] == f"uid:{os.geteuid()}"
    assert json.loads(far(site, "updates", "--json").stdout)[-1]["Version"] == site.version


@pytest.mark.skipif(not SSHD, reason="no sshd on this machine")
def test_over_a_real_ssh_connection(site, tmp_path):
    gateway = RealGateway(tmp_path / "ssh", site.bus)
    try:
        if not gateway.lets_us_in():
            pytest.skip("the sshd of this machine does not let us in")
        done = far(site, "updates", "approve", site.version, "--key", key(site, "anna"), *trusted(site), "--yes", **gateway.env)
        assert "Approved: 1 of 2." in done.stdout and "gateway itself" not in done.stderr
        assert gateway.sessions() >= 2 and approvals(site) == 1
    finally:
        gateway.close()


def test_over_ssh_with_an_agent_that_is_not_forwarded(site):
    agent = ssh.RealAgent()
    try:
        ssh.openssh_copy(key(site, "bertil"), site.folder / f"bertil-{site.version}.ssh", "bertil")
        agent.add(site.folder / f"bertil-{site.version}.ssh")
        far(site, "updates", "approve", site.version, "--agent", *trusted(site), "--yes", person="bertil", **agent.env)
        assert approvals(site) == 1
        assert not any("-A" in call.split() for call in site.gateway.calls())
    finally:
        agent.close()


def test_on_the_gateway_it_is_said_each_time_and_recorded(site):
    for person in ("anna", "bertil"):
        done = near(site, "updates", "approve", site.version, "--key", key(site, person), *trusted(site), "--yes")
        assert "this is the gateway itself; one who broke into it could show you something else" in done.stderr
        assert who_approved(site)[-1] == f"uid:{os.geteuid()}, signed on the gateway"
    assert update(site)["State"] == "approved"


def test_a_gateway_that_is_not_there(site):
    broken = site.folder / "broken"
    broken.mkdir()
    (broken / "ssh").write_text("#!/bin/sh\necho 'ssh: connect to host gateway port 22: Connection refused' >&2\nexit 255\n")
    (broken / "ssh").chmod(0o755)
    done = far(site, "status", check=False, PATH=f"{broken}:{os.environ['PATH']}")
    assert done.returncode == 4 and "Connection refused" in done.stderr


def test_offline_by_files_with_several_approvers(site):
    folder = site.folder / "stick"
    folder.mkdir()
    site.relayctl("updates", "export-request", site.version, folder / "request")
    for count, person in enumerate(("cecilia", "anna"), 1):
        approval = folder / f"{person}.approval"
        done = site.run("relayctl", "sign", folder / "request", "--key", key(site, person), "-o", approval, *trusted(site), "--yes")
        assert "You sign: yes to exactly this manifest" in done.stdout
        again = site.relayctl("updates", "import-approval", approval)
        assert f"Approved: {count} of 2." in again.stdout
    done = site.relayctl("updates", "import-approval", folder / "anna.approval", check=False)
    assert done.returncode == 3 and "already-approved" in done.stderr and approvals(site) == 2
    mine = json.loads(site.relayctl("updates", "show", site.version, "--json").stdout)
    assert mine["State"] == "approved"


# ---- deciding again

def test_an_approval_is_widened(site):
    sign = ("updates", "approve", site.version, "--key", key(site, "anna"), *trusted(site), "--yes")
    assert "only device-1 of site s1" in far(site, *sign, "--device", "device-1").stdout
    done = far(site, *sign)
    assert "You approved this update before" in done.stdout and "for the whole site" in done.stdout and approvals(site) == 1
    assert "already-approved" in far(site, *sign, check=False).stderr


def test_the_vendor_reads_why_it_was_denied(site):
    site.relayctl("updates", "deny", site.version, "--why", "the pumps run")
    shown = update(site)
    assert shown["State"] == "denied" and shown["DeniedBecause"] == "the pumps run"
    assert "the pumps run" in site.relayctl("updates", "show", site.version).stdout
    done = far(site, "updates", "approve", site.version, "--key", key(site, "anna"), *trusted(site), "--yes", check=False)
    assert done.returncode == 3 and "refused: denied" in done.stderr


def test_a_revocation_ends_approvals(site):
    for person in ("anna", "bertil"):
        far(site, "updates", "approve", site.version, "--key", key(site, person), *trusted(site), "--yes", person=person)
    assert update(site)["State"] == "approved"
    path, more = site.folder / "revocation", ("--policy", site.policy, "--yes")
    done = far(site, "updates", "revoke", "-o", path, "--key", key(site, "anna"), *more)
    assert site.version in done.stdout
    far(site, "updates", "revoke", path, "--key", key(site, "cecilia"), "--send", *more, person="cecilia")
    wait_until("the update to wait again", lambda: update(site)["State"] == "pending" and approvals(site) == 0)
    epoch = site.relayctl_json("status")["ApprovalEpoch"]
    assert "old-epoch" in far(site, "updates", "revoke", path, "--send", *more, check=False).stderr
    done = far(site, "updates", "approve", site.version, "--key", key(site, "bertil"), *trusted(site), "--yes", person="bertil")
    assert f"(approval epoch {epoch})" in done.stdout and approvals(site) == 1


def test_the_gate_of_a_class_and_a_device(site):
    site.relayctl("gate", "window", "add", "Sun 02:00-04:00", "--class", "plant-care")
    site.relayctl("gate", "open", "--for", "10m", "--device", "device-1")
    shown = {row["scope"].split(":")[0]: row for row in site.relayctl_json("gate")}
    assert shown["class"]["windows"] == ["Sun 02:00-04:00"] and shown["device"]["state"] == "open"
    done = site.relayctl("gate", "window", "add", "daily 03:00-04:00", "--class", "plant-care")
    assert "Sun 02:00-04:00" in done.stdout and "Wed 03:00-04:00" in done.stdout
    site.relayctl("gate", "reset", "--class", "plant-care")
    site.relayctl("gate", "reset", "--device", "device-1")
    assert all(row["scope"] == "site" for row in site.relayctl_json("gate"))


# ---- commands

def call(world, *arguments, key=None, **options):
    return far(world, "device", "call", *arguments, "--key", key or world.command_key, **options)


def test_commands_to_a_device(built):
    built.start_device("device-1")
    built.wait_device("device-1", "connects", lambda device: device["Online"])
    shown = json.loads(call(built, "device-1", "plan.show", "--json").stdout)
    assert shown["result"] == "done" and "pump_most" in shown["value"]
    again = json.loads(call(built, "device-1", "pump.off", "--json").stdout)
    assert again["result"] == "done" and again["counter"] > shown["counter"]
    vendor = built.folder / "vendor" / "command.key"
    assert "1.0.0" in call(built, "device-1", "diagnostics.version", key=vendor).stdout
    for command, signer, reason in (("pump.on", vendor, "out-of-scope"), ("diagnostics.version", None, "out-of-scope"),
                                    ("pump.explode", None, "unknown-command")):
        done = call(built, "device-1", command, key=signer, check=False)
        assert done.returncode == 3 and f"refused: {reason}" in done.stderr, done.stderr
    done = call(built, "device-1", "pump.on", key=key(built, "anna"), check=False)
    assert done.returncode == 3 and "bad-signature" in done.stderr


def test_a_device_that_is_not_there(built):
    done = call(built, "device-2", "pump.off", "--no-wait")
    assert "sent" in done.stdout
    done = call(built, "device-2", "pump.off", "--expires", "1s", check=False)
    assert done.returncode == 3 and "expired-command" in done.stderr
    assert "unknown-device" in call(built, "device-9", "pump.off", check=False).stderr


# ---- policies and vendor keys that change: last, for it changes who decides

def compared(world, person):
    """His machine remembers what he compared when the site was new."""
    folder = world.folder / "people" / person / ".config/relayd/trust/s1"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "site-policy.cbor").write_bytes(world.policy.read_bytes())
    (folder / "vendor-keys.cbor").write_bytes((world.folder / "vendor" / "vendor-keys.cbor").read_bytes())
    return folder


def test_rotation_of_approvers_and_vendor_keys(site):
    remembered = {person: compared(site, person) for person in ("anna", "bertil", "cecilia")}
    david = site.folder / "people" / "david"
    david.mkdir()
    site.relayctl("keys", "create", david / "approver.key")
    next_policy = site.folder / "next-policy"
    change = ("--add-approver", david / "approver.key.pub", "--remove-approver",
              site.folder / "people" / "cecilia" / "approver.key.pub")
    far(site, "approvers", "propose", "--after", "current", *change, "-o", next_policy)
    if site.relayctl_json("status")["ApprovalEpoch"] > 0:  # what cecilia helped to revoke stays revoked when she is gone
        forgets = site.folder / "forgets"
        site.run("relayctl", "approvers", "propose", "--after", site.policy, *change, "-o", forgets)
        for person in ("anna", "bertil"):
            site.run("relayctl", "approvers", "sign", forgets, "--after", site.policy, "--key", key(site, person), "--yes")
        assert "revoked-epoch" in far(site, "approvers", "import", forgets, check=False).stderr
    for person in ("anna", "bertil"):
        site.run("relayctl", "approvers", "sign", next_policy, "--key", key(site, person), "--yes",
                 env={"XDG_CONFIG_HOME": str(remembered[person].parent.parent.parent)})
        early = far(site, "approvers", "import", next_policy, check=False) if person == "anna" else None
        assert early is None or (early.returncode == 3 and "under-signed" in early.stderr)
    done = far(site, "approvers", "import", next_policy, person="anna")
    assert "epoch 2" in done.stdout
    assert (remembered["anna"] / "site-policy.cbor").read_bytes() == next_policy.read_bytes()
    # bertil's machine has not seen it: it walks, and tells
    sign = ("updates", "approve", site.version, "--yes", "--key")
    done = far(site, *sign, key(site, "bertil"), person="bertil")
    assert "epoch 1 became 2" in done.stderr and ": comes" in done.stderr
    done = far(site, *sign, key(site, "cecilia"), person="cecilia", check=False)
    assert done.returncode == 3 and "not-an-approver" in done.stderr
    assert "old-policy" in far(site, "approvers", "import", next_policy, check=False).stderr

    # the vendor's developer key, signed by old vendor keys and by two approvers of the new policy
    vendor = site.folder / "vendor"
    site.fwtool("keys", "create", vendor / "developer2.key")
    vendor2 = vendor / "vendor-keys-2.cbor"
    site.fwtool("vendor-keys", "create", "--after", vendor / "vendor-keys.cbor", "--developer", vendor / "developer2.key.pub",
                "-o", vendor2)
    for role in ("organisation", "developer"):
        site.fwtool("vendor-keys", "sign", vendor2, "--after", vendor / "vendor-keys.cbor", "--key", vendor / f"{role}.key", "--yes")
    far(site, "vendor-keys", "sign", vendor2, "--key", key(site, "anna"), "--yes")
    assert far(site, "vendor-keys", "import", vendor2, check=False).returncode == 3
    far(site, "vendor-keys", "sign", vendor2, "--key", david / "approver.key", "--yes", person="anna")
    assert "epoch 2" in far(site, "vendor-keys", "import", vendor2).stdout
    assert json.loads(far(site, "vendor-keys", "show", "--json").stdout)["epoch"] == 2
    # what only the old developer key signed is no update any more
    wait_until("the update to go", lambda: update(site) is None or update(site)["State"] != "pending")


def test_a_device_follows_and_installs_what_the_new_people_approve(built):
    """After the rotation above: vendor keys 2, david in the place of cecilia. The device walked both chains by itself."""
    if built.relayctl_json("status")["PolicyEpoch"] != 2:
        pytest.skip("follows the test of the rotation")
    vendor, keys = built.folder / "vendor", built.folder / "vendor" / "second"
    keys.mkdir()
    for name, source in (("organisation", "organisation"), ("developer", "developer2")):
        shutil.copy(vendor / f"{source}.key", keys / f"{name}.key")
    built.version = "1.1.0"
    built.publish(*built.make_image(built.version, 5000, built.program("plant-care-1.1.0"), keys=keys, name="rotated"))
    wait_until("the update to show as pending", lambda: update(built))
    if "device-1" not in built.processes:
        built.start_device("device-1")
    built.relayctl("gate", "open", "--for", "1h")
    david = built.folder / "people" / "david" / "approver.key"
    for person, file in (("anna", key(built, "anna")), ("bertil", david)):
        far(built, "updates", "approve", built.version, "--key", file, "--yes", person=person)
    built.wait_device("device-1", "to confirm 1.1.0", lambda device: device["FirmwareVersion"] == "1.1.0" and device["Online"]
                      and device["UpdateState"] == "confirmed", patience=120)
