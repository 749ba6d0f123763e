# SPDX-License-Identifier: GPL-2.0-or-later
"""The start of a Cortex-M33 in QEMU after somebody had its flash, or its memory, in his hands."""

import hashlib
import itertools
import json
import socket

import pytest
import relaydice as dice
import relayobjects as objects
from lab.board import Boards
from lab.flash import SECTOR, Flash
from lab.process import wait_until
from lab.site import CLASS, DOMAIN
from lab.updates import Desk

from conftest import BUILD

PATIENCE = 180
SECURE_RAM, SECURE_RAM_SIZE = 0x28000000, 0x40000  # by QEMU's own address; firmware/ports/mps2-an505/map.h
FLASH_SIZE = 447 * SECTOR
numbers = itertools.count(1)


@pytest.fixture(scope="module")
def world():
    world = Boards(BUILD, devices=24)
    try:
        world.make().start_all()
        yield world
    finally:
        world.close()


@pytest.fixture
def name(world):
    """A device of its own for each test; it is stopped afterwards."""
    name = f"device-{next(numbers)}"
    yield name
    process = world.processes.get(name)
    if process:
        print(process.output()[-4000:])
        process.kill()


def flash_of(world, name):
    return Flash(world.folder / "devices" / name / "flash")


def start(world, name, until, **straps):
    """What it prints up to then; it is stopped."""
    process = world.start_board(name, **straps)
    process.wait_for(until, PATIENCE)
    process.kill()
    return process.output()


RECOVERY = "starting the recovery image"


@pytest.mark.parametrize("area, offset, reason", [
    ("image A", 4711, "image-digest"),
    ("manifest A", SECTOR + 40, "malformed"),
])
def test_changed_slot_is_not_started(world, name, area, offset, reason):
    """One bit of the only image, or of its manifest: the recovery image runs instead, and without the product's version."""
    flash_of(world, name).flip(area, offset)
    said = start(world, name, "session with the relay")
    assert f"slot A: {reason}" in said
    assert RECOVERY in said
    assert "starting slot" not in said


def test_nothing_left_to_start(world, name):
    """Slot and recovery image are damaged: nothing unverified runs, and the console says what is wrong."""
    for area in ("image A", "recovery image"):
        flash_of(world, name).flip(area, 100)
    said = start(world, name, "waiting for people")
    assert "slot A: image-digest" in said
    assert "recovery: image-digest" in said
    assert "starting" not in said


@pytest.mark.parametrize("areas", [("trust",), ("trust spare",), ("trust", "trust spare")])
def test_changed_trust_is_not_believed(world, name, areas):
    """A bit of the site policy: its second copy counts; of both: no image runs under a policy that nobody signed."""
    flash = flash_of(world, name)
    for area in areas:
        flash.flip(area, SECTOR + len(flash.bundle(area)[0]) + 30)
    said = start(world, name, "starting|waiting for people")
    assert ("starting slot A" in said) == (len(areas) == 1)


@pytest.mark.parametrize("copies", [1, 2])
def test_damaged_record_of_the_journal(world, name, copies):
    """Each record is there twice. Without both the one before counts, whole: the boot counter comes again, and the relay
    sees that."""
    start(world, name, "starting slot A")
    flash = flash_of(world, name)
    for _, at, _, _ in flash.records()[-copies:]:
        flash.flip("journal", at + 30)
    start(world, name, "starting slot A")
    assert int.from_bytes(flash.records()[-1][3][:4], "big") == {1: 2, 2: 1}[copies]


def test_erased_journal(world, name):
    flash_of(world, name).write("journal", b"\xff" * 2 * SECTOR)
    assert "starting" not in start(world, name, "not that of a provisioned device")


def test_damaged_secret(world, name):
    """No identity, so no session; what the plant needs goes on."""
    flash_of(world, name).flip("secret", SECTOR + 3)
    process = world.start_board(name)
    process.wait_for("no key to connect with", PATIENCE)
    process.wait_for("starting slot A", PATIENCE)
    wait_until("the application to be alive", lambda: f"{name} " in process.output(), PATIENCE)
    assert "session with" not in process.output()


def test_staged_is_forgotten_without_power(world, name):
    """How long the power was away nobody knows, so neither whether its ticket still counts."""
    flash = flash_of(world, name)
    flash.put_slot("B", *flash.bundle("manifest A")[:1], approvals=[], image=flash.read("image A"))
    flash.stage()
    said = start(world, name, "starting slot")
    assert "starting slot A\n" in said


def stopped(world, name, *command):
    """device-local, for somebody who stands before it"""
    path = world.folder / "devices" / name / "flash"
    with path.open("r+b") as flash:
        flash.truncate(FLASH_SIZE)
    return world.run("device-local", "--flash", path, *command)


def install(world, name, image):
    """Somebody brings an update to the device, which stands still meanwhile."""
    desk, home = Desk(world), world.folder / "devices" / name
    try:
        update = desk.make(version="1.1.0", image=image)
        files = {"manifest": update.envelope, "image": image, **{who: desk.approval(who, update) for who in ("anna", "bertil")}}
    finally:
        desk.close()
    for file, content in files.items():
        (home / file).write_bytes(content)
    stopped(world, name, "install", *(home / file for file in files))
    return update


def test_new_image_that_does_not_confirm(world, name):
    """It is tried once, the watchdog ends that, and the image before it runs."""
    install(world, name, world.image("broken").read_bytes())
    process = world.start_board(name, confirm_ms=3000, watchdog_ms=20000)
    process.wait_for("starting slot B, on trial", PATIENCE)
    process.wait_for("the new image did not confirm in time", PATIENCE)
    process.wait_for("starting slot A\n", PATIENCE)


def test_new_image_that_confirms(world, name):
    """Carried here, tried, confirmed: the floor keeps the older image from ever running again."""
    update = install(world, name, world.image("1.1.0").read_bytes())
    process = world.start_board(name)
    process.wait_for("starting slot B, on trial", PATIENCE)
    flash = flash_of(world, name)
    wait_until("its confirmation", lambda: flash.confirmed_slot() == "B", PATIENCE)
    process.kill()
    assert update.manifest in flash.records()[-1][3]
    flash.flip("image B", 5)
    said = start(world, name, RECOVERY)
    assert "slot B: image-digest" in said
    assert "slot A: old-sequence" in said


# ---- memory


def memory(world, name, tmp_path):
    """Starts it, and gives its secure RAM once the application runs."""
    control, dump = tmp_path / "qmp", tmp_path / "ram"
    process = world.start(name, [*world.board_command(name), "-qmp", f"unix:{control},server=on,wait=off"])
    process.wait_for("session with the relay", PATIENCE)
    with socket.socket(socket.AF_UNIX) as qmp:
        qmp.connect(str(control))
        lines = qmp.makefile("rw")
        save = {"val": SECURE_RAM, "size": SECURE_RAM_SIZE, "filename": str(dump)}
        for command in ({"execute": "qmp_capabilities"}, {"execute": "pmemsave", "arguments": save}):
            lines.write(json.dumps(command) + "\n")
            lines.flush()
            while "return" not in (answer := json.loads(lines.readline())):
                assert "error" not in answer
    return dump.read_bytes()


def measurement(flash, image):
    """What the boot stage must have measured, with what its journal says of confirmed manifest and vendor keys."""
    manifest, vendor = (flash.records()[-1][3][at:at + 32] for at in (66, 98))
    return dice.Measurement(hashlib.sha256(image).digest(), manifest, objects.ids(DOMAIN, CLASS)[1], 1, vendor)


def test_only_the_application_key_is_in_memory(world, name, tmp_path):
    """Device secret, identity key and CDI are wiped before the application starts: not even in dead stack."""
    flash = flash_of(world, name)
    secret, = flash.bundle("secret")
    ram = memory(world, name, tmp_path)
    cdi = measurement(flash, world.image("1.0.0").read_bytes()).cdi(secret)
    assert dice.key_seed(cdi) in ram  # what signs; and so the dump is the right memory
    for what, value in {"device secret": secret, "identity key": dice.key_seed(secret), "CDI": cdi,
                        "expanded identity key": hashlib.sha512(dice.key_seed(secret)).digest()[:32]}.items():
        for piece in (value[:16], value[16:]):
            assert piece not in ram, what


# ---- what the relay sees


def wait_trust(world, name, word):
    world.wait_device(name, f"shown as {word}", lambda shown: shown["Trust"] == word, patience=PATIENCE)


def test_measured_start_is_attested(world, name):
    world.start_board(name)
    wait_trust(world, name, "attested")


def test_image_changed_by_hand_shows(world, name):
    """Somebody with a flash programmer changes a byte and everything that names the image, up to the boot stage's
    journal. It runs, and the relay sees that it is nothing that anybody approved."""
    flash = flash_of(world, name)
    image = bytearray(world.image("1.0.0").read_bytes())
    image[image.index(b"at most: heap")] ^= 0x20
    desk = Desk(world)
    forged = desk.make(sequence=1, image=bytes(image), signers=("stranger", "stranger"))
    desk.close()
    flash.put_slot("A", forged.envelope, [], forged.image)
    record = bytearray(flash.records()[-1][3])
    record[66:98] = forged.manifest
    flash.put_record(bytes(record))
    process = world.start_board(name)
    process.wait_for("session with the relay", PATIENCE)
    assert "starting slot A\n" in process.output()
    wait_trust(world, name, "unknown-image")


def test_rotated_identity_key(world, name):
    """Somebody at the device asks for a new identity key: the next start has it, and the relay follows."""
    before = world.relayctl_json("devices", "show", name)["Fingerprint"]
    stopped(world, name, "rotate")
    world.start_board(name)
    world.wait_device(name, "shown with its new key",
                      lambda shown: shown["Trust"] == "attested" and shown["Fingerprint"] != before, patience=PATIENCE)


# ---- power


@pytest.mark.parametrize("operation", range(1, 6))
def test_power_cut_at_a_flash_operation(world, name, operation):
    """The first two of a start are the secure side's journal, the next ones are the application's: it starts again."""
    said = start(world, name, "power cut", cut_after=operation)
    assert ("boot: power cut" in said) == (operation <= 2)
    process = world.start_board(name)
    process.wait_for("starting slot A", PATIENCE)
    process.wait_for("session with the relay", PATIENCE)
