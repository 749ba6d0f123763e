# SPDX-License-Identifier: GPL-2.0-or-later
"""Updates that come in files: what is in them is checked on both sides, an interrupted import goes on, nothing else is kept."""

import hashlib
import json
import subprocess

import cbor2
import pytest
from lab.airgap import AirGapped
from lab.process import LabError

from conftest import BUILD

BLOCK = 4096
NOTES = "Version 1.1.0\n- waters less at night\n"


@pytest.fixture(scope="module")
def shared():
    world = AirGapped(BUILD, devices=3).make()
    with world:
        yield world.start_all()


def make(world, folder, version="1.1.0", sequence=2, size=70 * BLOCK + 123, notes=NOTES, **options):
    """(update file, manifest digest, image)"""
    image = folder / f"image-{version}"
    image.write_bytes(bytes((index * 7 + index // 251 + sequence) & 0xFF for index in range(size)))
    manifest, _ = world.make_image(version, sequence, image, name=f"{folder.name}-{version}", **options)
    (folder / "notes").write_text(notes)
    file = folder / f"{version}.relayd-update"
    world.fwtool("bundle", file, "--manifest", manifest, "--image", image, "--notes", folder / "notes")
    return file, json.loads(world.fwtool("manifest", "show", manifest, "--json").stdout)["digest"], image.read_bytes()


def update(world, digest):
    return next((u for u in world.relayctl_json("updates", "list") if u["Digest"] == digest), None)


def refused(world, reason, *arguments, **options):
    done = world.relayctl("updates", "import", *arguments, check=False, **options)
    assert done.returncode == 3 and f"refused: {reason}" in done.stderr, done.stderr


def test_the_file_is_what_the_document_says(shared, tmp_path):
    file, _, image = make(shared, tmp_path, "5.0.0", 50)
    kind, version, envelope, notes, carried = cbor2.loads(file.read_bytes())
    assert (kind, version, notes, carried) == ("relayd-update", 1, NOTES, image)
    assert cbor2.loads(envelope).tag == 107


def test_imported_updates_wait_for_approval_like_offered_ones(shared, tmp_path):
    file, digest, _ = make(shared, tmp_path)
    done = shared.relayctl("updates", "import", file)
    assert "It waits for its approvals" in done.stdout and "importing: 100 %" in done.stderr
    shown = update(shared, digest)
    assert (shown["State"], shown["BlocksCached"], shown["Blocks"]) == ("pending", 71, 71)
    assert [device for device, _ in shown["Devices"]] == shared.devices
    assert {waits for _, waits in shown["Devices"]} == {"approval"}
    assert shown["ReleaseNotes"] == NOTES
    text = shared.relayctl("updates", "show", digest[:12]).stdout
    assert "nobody signed them" in text and "    - waters less at night" in text
    assert shared.relayctl_json("updates", "import", file)["sent"] == 0  # all of it is there
    audit = [row for row in shared.relayctl_json("audit", "log") if row["object"] == digest]
    assert [(row["action"], row["actor"].split(":")[0]) for row in audit] == [("update-imported", "uid")]


def test_a_folder_is_listed_and_imported_whole(shared, tmp_path):
    stick = tmp_path / "stick"
    stick.mkdir()
    digests = [make(shared, stick, version, sequence)[1] for version, sequence in (("2.0.0", 20), ("2.1.0", 21))]
    (stick / "holiday.jpg").write_bytes(b"no update")
    assert [(row["version"], row["digest"]) for row in shared.relayctl_json("updates", "import", stick)] == [
        ("2.0.0", digests[0]), ("2.1.0", digests[1])]
    assert update(shared, digests[0]) is None
    assert "Nothing was imported" in shared.relayctl("updates", "import", stick).stdout
    (stick / "broken.relayd-update").write_bytes(b"\x85no")
    done = shared.relayctl("updates", "import", stick, "--all", check=False)
    assert done.returncode == 1 and "broken.relayd-update" in done.stderr
    assert all(update(shared, digest) for digest in digests)  # the broken one did not keep them out


def test_what_is_not_as_signed_is_refused_before_anything_is_sent(shared, tmp_path):
    file, digest, image = make(shared, tmp_path, "3.0.0", 30)
    whole = file.read_bytes()
    known = len(shared.relayctl_json("updates", "list"))

    def change(at, size=None):
        data = bytearray(whole[:size])
        data[at] ^= 1
        file.write_bytes(data)

    change(-1)
    refused(shared, "image-digest", file)
    change(-len(image))
    refused(shared, "image-digest", file)
    manifest_at = whole.index(b"sha") if b"sha" in whole else 400
    change(manifest_at)
    done = shared.relayctl("updates", "import", file, check=False)
    assert done.returncode == 3
    for size in (0, 1, 20, 500, len(whole) - 1):
        file.write_bytes(whole[:size])
        done = shared.relayctl("updates", "import", file, check=False)
        assert done.returncode == 1 and ("cut" in done.stderr or "no update file" in done.stderr), done.stderr
    file.write_bytes(whole + b"x")
    assert shared.relayctl("updates", "import", file, check=False).returncode == 1
    assert len(shared.relayctl_json("updates", "list")) == known and update(shared, digest) is None


@pytest.mark.parametrize("missing, reason", [("developer", "developer-signature"), ("organisation", "organisation-signature")])
def test_both_vendor_signatures_are_needed(shared, tmp_path, missing, reason):
    sign = [role for role in ("organisation", "developer") if role != missing]
    file, digest, _ = make(shared, tmp_path, "4.0.0", 40, sign=sign)
    refused(shared, reason, file)
    # and a client that checks nothing gets no further
    envelope, image = cbor2.loads(file.read_bytes())[2], cbor2.loads(file.read_bytes())[4]
    answer = call(shared, "ImportUpdate", "ayaysas", *array(envelope), *array(block_list(image)), "", "0")
    assert answer.returncode != 0 and f"of a{'n' if missing[0] == 'o' else ''} {missing} key" in answer.stderr
    assert update(shared, digest) is None


def block_list(image):
    return b"".join(hashlib.sha256(image[at:at + BLOCK]).digest() for at in range(0, len(image), BLOCK))


def array(data):
    return [str(len(data)), *map(str, data)]


def call(world, method, *arguments):
    return subprocess.run(["busctl", f"--address={world.bus}", "call", "org.relayd.Relay1", "/org/relayd/Relay1",
                           "org.relayd.Relay1.Manager", method, *arguments], capture_output=True, text=True, timeout=60)


def test_the_relay_checks_each_block_itself(shared, tmp_path):
    file, digest, image = make(shared, tmp_path, "6.0.0", 60, size=3 * BLOCK)
    envelope = cbor2.loads(file.read_bytes())[2]
    wrong = bytearray(block_list(image))
    wrong[0] ^= 1
    answer = call(shared, "ImportUpdate", "ayaysas", *array(envelope), *array(wrong), "", "0")
    assert "block list does not match" in answer.stderr and update(shared, digest) is None
    answer = call(shared, "ImportUpdate", "ayaysas", *array(envelope), *array(block_list(image)), "", "1", "device-2")
    assert answer.returncode == 0 and answer.stdout.split()[-2:] == ["0", "3"]
    bad = bytearray(image)
    bad[BLOCK] ^= 1
    assert "block 1 of the image" in call(shared, "ImportImage", "suay", digest, "0", *array(bad)).stderr
    shown = update(shared, digest)
    assert shown["BlocksCached"] == 1 and [device for device, _ in shown["Devices"]] == ["device-2"]
    assert shared.relayctl_json("updates", "import", file)["sent"] == 2
    assert [device for device, _ in update(shared, digest)["Devices"]] == shared.devices


def test_devices_are_named_or_found_by_class(shared, tmp_path):
    file, digest, _ = make(shared, tmp_path, "7.0.0", 70)
    refused(shared, "unknown-device", file, "--device", "device-9")
    assert update(shared, digest) is None
    shared.relayctl("updates", "import", file, "--device", "device-3")
    assert [device for device, _ in update(shared, digest)["Devices"]] == ["device-3"]


def test_an_interrupted_import_goes_on(tmp_path):
    """The hub is killed in the middle; what it had acknowledged is not sent again."""
    world = AirGapped(BUILD, devices=1).make()
    with world:
        world.start_all()
        file, digest, image = make(world, tmp_path, size=200 * BLOCK)
        envelope = cbor2.loads(file.read_bytes())[2]
        assert call(world, "ImportUpdate", "ayaysas", *array(envelope), *array(block_list(image)), "", "0").returncode == 0
        assert call(world, "ImportImage", "suay", digest, "0", *array(image[:8 * BLOCK])).stdout.split() == ["uu", "8", "200"]
        world.restart_hub(kill=True)
        assert update(world, digest)["BlocksCached"] == 8
        assert world.relayctl_json("updates", "import", file)["sent"] == 192
        assert update(world, digest)["BlocksCached"] == 200
        world.restart_hub()
        assert update(world, digest)["BlocksCached"] == 200 and update(world, digest)["State"] == "pending"


def test_bundle_refuses_what_no_site_would_take(shared, tmp_path):
    image = tmp_path / "image"
    image.write_bytes(b"x" * 5000)
    manifest, _ = shared.make_image("8.0.0", 80, image, name="bundle")
    other = tmp_path / "other"
    other.write_bytes(b"y" * 5000)
    other.with_name("beep").write_bytes(b"beep\a")
    out = tmp_path / "out.relayd-update"
    for arguments, message in ((("--image", other), "image-digest"), (("--image", image, "--notes", other.with_name("beep")), "text")):
        with pytest.raises(LabError, match=message):
            shared.fwtool("bundle", out, "--manifest", manifest, *arguments)
        assert not out.exists()
    with pytest.raises(LabError, match="ends with .relayd-update"):
        shared.fwtool("bundle", tmp_path / "out.zip", "--manifest", manifest, "--image", image)
    shared.fwtool("bundle", out, "--manifest", manifest, "--image", image, "--vendor-keys",
                  shared.folder / "vendor" / "vendor-keys.cbor")
    with pytest.raises(LabError, match="exists"):
        shared.fwtool("bundle", out, "--manifest", manifest, "--image", image)
