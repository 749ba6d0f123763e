# SPDX-License-Identifier: GPL-2.0-or-later
"""Devices as processes, with a cloud and without a relay: power cuts, broken images, damaged flash, a false cloud."""

import hashlib
import json
import re
import shutil
import subprocess

import pytest
import relayobjects
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from lab.cloud import event_keys
from lab.flash import Flash
from lab.process import wait_until
from lab.site import SITE, World

from conftest import BUILD

OPTIONS = ("--keep-alive", "2", "--period-ms", "200", "--retry-ms", "500")
CUT = 86 # exit status of a device whose power was cut


class Approver:
    """An approver's key, as relayobjects signs with."""

    p256 = False

    def __init__(self, path):
        self.private = load_pem_private_key(path.read_bytes(), None)
        self.cose = relayobjects.to_cose(self.private.public_key())

    def sign(self, message):
        return self.private.sign(message)


@pytest.fixture(scope="module")
def factory():
    """Everything but a running relay; each test provisions devices of its own."""
    world = World(BUILD, devices=4, proves=True)
    try:
        world.make()
        world.cloud.start()
        yield world
    finally:
        world.close()


def offer(world, version, sequence, program, people=("anna", "bertil"), devices=None):
    """An update at the cloud, approved by these people there; gives the manifest digest."""
    manifest, image = world.make_image(version, sequence, world.program(program), name=f"{version}-{sequence}")
    world.publish(manifest, image, devices)
    digest = json.loads(world.fwtool("--json", "manifest", "show", manifest).stdout)["digest"]
    for person in people:
        key = Approver(world.folder / "people" / person / "approver.key")
        topic = f"sites/{SITE}/approvals/{digest}/{relayobjects.key_id(key.cose).hex()}"
        world.cloud.publish("vendor.acme", topic, relayobjects.approval(key, SITE, bytes.fromhex(digest)), retain=True)
    return digest


def statuses(world, device, watcher):
    return [(status["state"], status["reason"]) for status in
            (json.loads(message["payload"]) for message in watcher.messages(f"devices/{device}/updates/status"))]


def flash_of(world, device):
    return world.folder / "devices" / device / "flash"


def test_broken_image_goes_back_three_times(factory):
    watcher = factory.cloud.watch(f"sites/{SITE}/devices/device-1/#", name="broken")
    device = factory.start_device("device-1", *OPTIONS, "--confirm-ms", "1500")
    device.wait_for("session with the cloud")
    offer(factory, "1.2.0", 5, "plant-care-broken", devices=["device-1"])
    wait_until("three tries", lambda: ("refused", "tries-exhausted") in statuses(factory, "device-1", watcher), 60)
    assert ("refused", "not-confirmed") in statuses(factory, "device-1", watcher)
    assert device.output().count("slot B, sequence 5, on trial") == 3
    assert device.output().rfind("slot A, sequence 1") > device.output().rfind("slot B")
    # the next manifest has tries of its own
    offer(factory, "1.1.0", 6, "plant-care-1.1.0", devices=["device-1"])
    device.wait_for("update: confirmed", 60)
    device.stop()


def test_power_cut_at_every_kind_of_operation(factory):
    """The power goes after ever more operations, far into an update; each time the device starts and goes on."""
    watcher = factory.cloud.watch(f"sites/{SITE}/devices/device-2/events/#", name="cuts")
    offer(factory, "1.1.0", 7, "plant-care-1.1.0", devices=["device-2"])
    seen, tries = set(), 0
    for cut in list(range(1, 40, 3)) + list(range(40, 140, 10)):
        run = subprocess.Popen([factory.program("device-boot"), "--flash", flash_of(factory, "device-2"), *OPTIONS,
                                "--period-ms", "20", "--cut-after", str(cut)], stderr=subprocess.PIPE, text=True)
        try:
            output = run.communicate(timeout=60)[1]
        except subprocess.TimeoutExpired:
            run.kill()
            raise
        assert run.returncode == CUT, output
        assert "stuck" not in output
        seen.update(word for word in ("slot A", "fetching", "on trial") if word in output)
        tries += output.count("on trial")
        if tries == 2: # a try that ends by a power cut is a try; the third one must succeed
            break
    assert {"slot A", "fetching", "on trial"} <= seen
    device = factory.start_device("device-2", *OPTIONS)
    device.wait_for("session with the cloud", 60)
    wait_until("version 1.1.0 to be confirmed",
               lambda: "update: confirmed" in device.output() or "slot B, sequence 7\n" in device.output(), 60)
    device.stop()
    keys = event_keys(watcher.messages())
    boots = {boot for _, boot, _ in keys}
    assert len(boots) > 10
    last = max(boots)
    numbers = sorted({seq for _, boot, seq in keys if boot == last})
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_damaged_device_waits_for_people_and_says_so(factory):
    """Slot A and the recovery image: nothing is executed, and nothing of it is anywhere but in the log."""
    path = flash_of(factory, "device-3")
    kept = path.with_suffix(".kept")
    shutil.copy(path, kept)
    flash = Flash(path)
    flash.flip("image A", 5000)
    flash.flip("recovery image", 5000)
    device = factory.start_device("device-3", *OPTIONS)
    device.wait_for("slot A: image-digest")
    device.wait_for("recovery image: image-digest")
    device.wait_for("stuck: no image may be executed")
    assert device.alive()
    assert "session" not in device.output()
    assert device.stop() == 0
    shutil.move(kept, path)
    device = factory.start_device("device-3", *OPTIONS)
    device.wait_for("session with the cloud")
    device.stop()


def test_device_without_its_secret_runs_on_alone(factory):
    """A damaged secret: no key, no connection, said once; the application goes on."""
    path = flash_of(factory, "device-3")
    kept = path.with_suffix(".kept")
    shutil.copy(path, kept)
    Flash(path).flip("secret", 4096 + 3)
    device = factory.start_device("device-3", *OPTIONS)
    device.wait_for("no key to connect with")
    device.wait_for("slot A, sequence 1")
    wait_until("the application to keep what it measured", lambda: Flash(path).read("outbox").strip(b"\xff"))
    assert "session" not in device.output() and device.output().count("boot: start") == 1
    assert device.stop() == 0
    shutil.move(kept, path)


def test_cloud_without_the_pinned_key_gets_nothing(factory):
    """Somebody with a certificate of the right authority and name, but another key, sits where the cloud was."""
    certificates = factory.cloud.certificates
    factory.cloud.stop()
    kept = [(certificates / name, certificates / f"{name}.kept") for name in ("cloud.crt", "cloud.key", "cloud.key.pub")]
    for path, aside in kept:
        shutil.move(path, aside)
    factory.fwtool("ca", "issue", "--ca", certificates, "--identity", "cloud.acme", "--server", "--dns", "127.0.0.1",
                   "-o", certificates / "cloud")
    factory.cloud.start()
    watcher = factory.cloud.watch("sites/#", name="false")
    device = factory.start_device("device-4", *OPTIONS)
    device.wait_for("cloud: refused, or not the pinned key")
    assert not watcher.messages()
    factory.cloud.stop()
    for path, aside in kept:
        shutil.move(aside, path)
    factory.cloud.start()
    device.wait_for("session with the cloud", 60)
    device.stop()


@pytest.mark.parametrize("change, complaint", [
    (("--identity", "Device 1"), "an identity is"),
    (("--image", "/dev/null"), "the image does not match the manifest"),
    (("--secret", "/dev/null"), "a device secret is a file of 32 bytes"),
    (("--certificate", "/dev/null"), "no certificate in PEM"),
    (("--certificate", "another"), "it is not of this identity"),
    (("--secret", "another"), "it is not of this secret's identity key"),
    (("--recovery-manifest", "unsigned"), "no valid signature of an organisation key"),
    (("--site-policy", "/dev/null"), "the site policy is not valid"),
    (("--vendor-keys", "/dev/null"), "the vendor key set is not valid"),
    (("--manifest", "/dev/null"), "the object breaks its format"),
])
def test_provisioning_refuses(factory, tmp_path, change, complaint):
    manifest = factory.folder / "vendor" / "1.0.0.manifest"
    made = factory.folder / "factory" / "made"
    options = {"--flash": tmp_path / "flash", "--identity": "device-1", "--secret": made / "device-1.secret",
               "--certificate": made / "device-1.crt",
               "--vendor-keys": factory.folder / "vendor" / "vendor-keys.cbor", "--site-policy": factory.policy,
               "--manifest": manifest, "--image": factory.program("plant-care-1.0.0")}
    if change[0] == "--recovery-manifest":
        options[change[0]], _ = factory.make_image("0.9.0", 1, factory.program("recovery"), sign=(), name="unsigned")
        options["--recovery"] = factory.program("recovery")
    elif change[1] == "another":
        options[change[0]] = made / f"device-2.{'crt' if change[0] == '--certificate' else 'secret'}"
    else:
        options[change[0]] = change[1]
    done = factory.run("device-provision", *[part for pair in options.items() for part in pair], check=False)
    assert done.returncode == 1
    assert complaint in done.stderr
    assert not (tmp_path / "flash").exists()


def test_provisioning_overwrites_nothing(factory):
    done = factory.run("device-provision", "--flash", flash_of(factory, "device-1"), "--identity", "device-1", "--secret", "k",
                       "--certificate", "c", "--vendor-keys", "v", "--site-policy", "p", "--manifest", "m", "--image", "i",
                       check=False)
    assert done.returncode == 1
    assert "exists; remove it" in done.stderr


def test_successor_of_the_policy_holds_after_power_cuts_and_restarts(factory):
    """By the cloud, from a site whose relay is gone. The power goes while the device puts it into force, more than once."""
    people = [Approver(factory.folder / "people" / person / "approver.key") for person in ("anna", "bertil")]
    payload = relayobjects.open_set(factory.policy.read_bytes())[0]

    def successor(of, changes):
        policy = relayobjects.decode(of)
        policy |= {2: policy[2] + 1, 3: hashlib.sha256(of).digest(), **changes}
        return relayobjects.encode({label: policy[label] for label in sorted(policy)})

    def publish(number, content):
        signed = relayobjects.sign_set(relayobjects.SITE_POLICY_AAD, content, people)
        factory.cloud.publish("vendor.acme", f"sites/{SITE}/policy/{number}", signed, retain=True)

    def epoch():
        done = factory.run("device-local", "--flash", flash_of(factory, "device-1"), "show")
        return int(re.search(r"site policy +epoch (\d+)", done.stdout)[1])

    second = successor(payload, {10: 4321})
    third = successor(second, {11: 5})
    publish(2, second)
    publish(3, third)
    cut, cuts = 1, 0
    while epoch() < 3:
        before = epoch()
        run = subprocess.run([factory.program("device-boot"), "--flash", flash_of(factory, "device-1"), *OPTIONS,
                              "--cut-after", str(cut)], stderr=subprocess.PIPE, text=True, timeout=60)
        assert run.returncode == CUT and "stuck" not in run.stderr, run.stderr
        assert epoch() in range(before, 4)
        cut, cuts = cut + 3, cuts + 1
    assert cuts > 2
    publish(4, successor(third, {3: bytes(32)}))
    device = factory.start_device("device-1", *OPTIONS)
    device.wait_for("session with the cloud")
    device.wait_for("refused: policy-fork")
    device.stop()
    assert epoch() == 3
    for number in (2, 3, 4):
        factory.cloud.publish("vendor.acme", f"sites/{SITE}/policy/{number}", b"", retain=True)
