# SPDX-License-Identifier: GPL-2.0-or-later
"""The audit log of a real relay, exported and verified: by relayctl, and by the script of docs/audit.md, also when tampered with."""

import hashlib
import io
import re
import subprocess
import sys

import cbor2
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from lab.airgap import AirGapped

from conftest import BUILD, ROOT

AAD = b"relayd/checkpoint/1"


@pytest.fixture(scope="module")
def site():
    world = AirGapped(BUILD, devices=2).make()
    with world:
        yield world.start_all()


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    """Out of the document, as a reader would take it."""
    text = re.search(r"```python verify\n(.*?)```", (ROOT / "docs" / "audit.md").read_text(), re.DOTALL).group(1)
    assert len(text.splitlines()) <= 40
    file = tmp_path_factory.mktemp("script") / "verify.py"
    file.write_text(text)
    return file


def gate_key(world):
    return world.folder / "gateway" / "etc" / "relayd" / "keys" / "gate.key.pub"


def act(world, times=3):
    for _ in range(times):
        world.relayctl("gate", "open")
        world.relayctl("gate", "close")


@pytest.fixture(scope="module")
def exported(site, tmp_path_factory):
    """Ends with a checkpoint, six records, and another checkpoint; before, the relay may have made one by itself."""
    folder = tmp_path_factory.mktemp("export")
    act(site)
    site.relayctl("audit", "export", folder / "first")
    act(site)
    shown = site.relayctl_json("audit", "export", folder / "second")
    assert shown["checkpoints"] >= 2
    data = (folder / "second").read_bytes()
    assert [part[0] for part in items(data)[-8:]] == [2, 1, 1, 1, 1, 1, 1, 2]
    return data


def items(data):
    file, found = io.BytesIO(data), []
    while file.tell() < len(data):
        found.append(cbor2.load(file))
    return found


def joined(parts):
    return b"".join(cbor2.dumps(part) for part in parts)


def run_script(script, file, key):
    return subprocess.run([sys.executable, script, file, key], capture_output=True, text=True, timeout=60)


def verify(site, file, trust, *options, check=False):
    return site.relayctl("audit", "verify", file, "--gate-key", gate_key(site), "--trust", trust, *options, check=check)


def test_an_export_holds_with_the_public_key_only(site, exported, script, tmp_path):
    file = tmp_path / "log"
    file.write_bytes(exported)
    done = verify(site, file, tmp_path / "trust", check=True)
    assert "is intact" in done.stdout and "signed checkpoints, the last one over" in done.stdout
    again = run_script(script, file, gate_key(site))
    assert again.returncode == 0 and "intact; last checkpoint" in again.stdout, again.stderr
    # no bus, no relay: nothing is asked of either
    away = site.run("relayctl", "--bus", "unix:path=/nonexistent", "audit", "verify", file, "--gate-key", gate_key(site),
                    "--trust", tmp_path / "auditor")
    assert "is intact" in away.stdout


def record_at(parts, number):
    """Negative: from the end, as in Python."""
    count = sum(part[0] == 1 for part in parts[1:])
    number = number if number > 0 else count + 1 + number
    return next(at for at, part in enumerate(parts[1:], 1) if part[0] == 1 and cbor2.loads(part[1])[1] == number)


def changed(parts, number):
    at = record_at(parts, number)
    record = cbor2.loads(parts[at][1])
    record[4] = "uid:4242"
    parts[at] = [1, cbor2.dumps(record)]


def remove(parts, number):
    del parts[record_at(parts, number)]


def swap(parts, number):
    at = record_at(parts, number)
    parts[at], parts[at + 1] = parts[at + 1], parts[at]


def drop_checkpoint(parts, which):
    del parts[[at for at, part in enumerate(parts) if part[0] == 2][which]]


def flip_signature(parts, _):
    at = next(at for at, part in enumerate(parts) if part[0] == 2)
    parts[at] = [2, parts[at][1][:-1] + bytes([parts[at][1][-1] ^ 1])]


def other_site(parts, _):
    parts[0] = [*parts[0][:2], "s2", parts[0][3]]


TAMPERED = [
    (changed, -4, -4, "changed or replaced"), (changed, -2, -2, "changed or replaced"), (changed, -1, -1, "not the one that was"),
    (remove, -3, -3, "missing"), (remove, 1, 1, "first record"), (swap, -5, -5, "out of order"),
    (drop_checkpoint, -2, None, "checkpoint before it is missing"),
    (flip_signature, None, None, "no gate key"), (other_site, None, None, "none of this log"),
]


@pytest.mark.parametrize("tamper, number, at, why", TAMPERED, ids=[f"{row[0].__name__}-{row[1]}" for row in TAMPERED])
def test_tampering_is_found_and_named_by_both(site, exported, script, tmp_path, tamper, number, at, why):
    parts = items(exported)
    if at and at < 0:
        at += 1 + sum(part[0] == 1 for part in parts[1:])
    tamper(parts, number)
    file = tmp_path / "log"
    file.write_bytes(joined(parts))
    done = verify(site, file, tmp_path / "trust")
    assert done.returncode == 1 and why in done.stderr, done.stderr
    by_script = run_script(script, file, gate_key(site))
    assert by_script.returncode == 1 and "broken at record" in by_script.stderr
    if at:
        assert f"broken at record {at}:" in done.stderr and f"broken at record {at}:" in by_script.stderr


def test_a_log_written_anew_with_another_key_is_found(site, exported, script, tmp_path):
    """Everything fits, but the signatures are not the gate's; and with the gate's they would not be those that were seen."""
    key = Ed25519PrivateKey.generate()
    parts, head, before, count = items(exported), bytes(32), None, 0
    for at, part in enumerate(parts[1:], 1):
        if part[0] == 1:
            record = cbor2.loads(part[1])
            record[3], record[4], count = head, "uid:1", count + 1
            parts[at] = [1, cbor2.dumps(record)]
            head = hashlib.sha256(parts[at][1]).digest()
        else:
            protected, _, payload, _ = cbor2.loads(part[1]).value
            body = cbor2.loads(payload)
            body[4] = head
            if before:
                body[6] = before
            payload = cbor2.dumps(body)
            signature = key.sign(cbor2.dumps(["Signature1", protected, AAD, payload]))
            parts[at] = [2, cbor2.dumps(cbor2.CBORTag(18, [protected, {}, payload, signature]))]
            before = hashlib.sha256(parts[at][1]).digest()
    file, public = tmp_path / "log", tmp_path / "other.pub"
    file.write_bytes(joined(parts))
    public.write_bytes(key.public_key().public_bytes(serialization.Encoding.PEM,
                                                     serialization.PublicFormat.SubjectPublicKeyInfo))
    assert "no gate key" in verify(site, file, tmp_path / "trust").stderr
    assert run_script(script, file, gate_key(site)).returncode == 1
    # what was seen of the true log is remembered, whoever signed the new one
    true = tmp_path / "true"
    true.write_bytes(exported)
    verify(site, true, tmp_path / "seen", check=True)
    forged = site.relayctl("audit", "verify", file, "--gate-key", public, "--trust", tmp_path / "seen", check=False)
    assert forged.returncode == 1 and "broken at record" in forged.stderr


def test_a_log_that_does_not_extend_the_last_one_seen_is_refused(site, exported, tmp_path):
    file, shorter = tmp_path / "log", tmp_path / "shorter"
    file.write_bytes(exported)
    parts = items(exported)
    shorter.write_bytes(joined(parts[:-3]))
    assert "is intact" in verify(site, shorter, tmp_path / "fresh").stdout  # alone it cannot be seen
    verify(site, file, tmp_path / "trust", check=True)
    done = verify(site, shorter, tmp_path / "trust")
    assert done.returncode == 1 and "does not contain what an earlier verification saw" in done.stderr
    without = tmp_path / "without"
    without.write_bytes(joined([part for part in parts if part[0] != 2]))
    done = verify(site, without, tmp_path / "trust")
    assert done.returncode == 1 and "checkpoint before it is missing" in done.stderr
    # the same memory holds for the relay itself, which has more by now
    act(site, 1)
    live = site.relayctl_json("audit", "verify", "--gate-key", gate_key(site), "--trust", tmp_path / "trust")
    assert live["seen_before"] == len([part for part in parts if part[0] == 1]) < live["records"]


def test_damaged_exports_are_named(site, exported, script, tmp_path):
    file = tmp_path / "log"
    for data, message in ((b"", "no export"), (b"hello", "no export"), (exported[:-1], "is cut"), (exported + b"\x00", "damaged"),
                          (exported[:40], "is cut"), (cbor2.dumps(["relayd-audit", 2, "s1", "relay.s1"]), "no export")):
        file.write_bytes(data)
        done = verify(site, file, tmp_path / "trust")
        assert done.returncode == 1 and message in done.stderr, (data[:20], done.stderr)
        assert run_script(script, file, gate_key(site)).returncode != 0
    assert "give the gate's public key" in site.relayctl("audit", "verify", save(tmp_path, exported), "--trust",
                                                         tmp_path / "trust", check=False).stderr
    there = site.relayctl("audit", "export", file, check=False)
    assert there.returncode == 1 and "exists" in there.stderr


def save(folder, data):
    (folder / "saved").write_bytes(data)
    return folder / "saved"


def test_the_relays_own_log_is_verified_on_the_bus(site, tmp_path):
    shown = site.relayctl_json("audit", "verify", "--trust", tmp_path)
    assert shown["intact"] and shown["checkpoints"] >= 1 and shown["gate_keys"] == "relay"
    done = site.relayctl("audit", "verify", "--trust", tmp_path)
    assert "taken from the relay itself" in done.stderr
