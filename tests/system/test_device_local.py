# SPDX-License-Identifier: GPL-2.0-or-later
"""The local port of a device: claiming, successors by file, lost keys. Needs no relay and no cloud, that is the point."""

import hashlib
import pathlib
import ssl
import subprocess

import pytest
import relaydice as dice
from cryptography.hazmat.primitives import serialization
from relaycose import to_cose, verify1
from relayobjects import (SITE_POLICY_AAD, VENDOR_KEYS_AAD, Key, Sample, approval, close_manifest, decode, encode, envelope,
                          manifest_parts, open_set, sign_set, site_policy)

from conftest import BUILD
from lab.process import Process

PORT = pathlib.Path(BUILD) / "firmware" / "ports" / "posix"
END = "-----END CERTIFICATE-----"
REVOCATION_AAD = b"relayd/revocation/1"


def grouped(digest):
    text = digest.hex()
    return " ".join(text[at:at + 4] for at in range(0, 64, 4))


class Box:
    """A device fresh from the factory, and what its site's people have."""

    def __init__(self, folder):
        self.folder, self.sample = folder, Sample()
        self.flash = folder / "flash"
        sample = self.sample # a site that demands no tickets: nobody could have one at a local port
        sample.policy_payload = site_policy("site-1", sample.approvers, 2, [sample.gate], sample.endpoints, ticket=False)
        sample.policy_set = sign_set(SITE_POLICY_AAD, sample.policy_payload, sample.approvers[:2])
        self.factory, self.secret = Key("factory").private, hashlib.sha256(b"device 1").digest()
        for name, content in (("secret", self.secret), ("certificate", self.certificate()), ("vendor", self.sample.vendor_set),
                              ("manifest", self.sample.envelope), ("image", self.sample.image),
                              ("policy", self.sample.policy_set)):
            (folder / name).write_bytes(content)
        done = subprocess.run([PORT / "device-provision", "--flash", self.flash, "--identity", "device-1", "--secret",
                               folder / "secret", "--certificate", folder / "certificate", "--vendor-keys", folder / "vendor",
                               "--manifest", folder / "manifest", "--image", folder / "image"],
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr

    def certificate(self, rotation=0, name="device-1"):
        """What the factory says of the device's identity key."""
        public = dice.key_of(dice.rotated(self.secret, rotation)).public_key()
        return dice.to_pem(dice.device_certificate(dice.subject("acme", name), public, dice.subject("acme", "factory"), self.factory))

    def file(self, name, content):
        (self.folder / name).write_bytes(content)
        return self.folder / name

    def local(self, *words, stdin=""):
        return subprocess.run([PORT / "device-local", "--flash", self.flash, *words], input=stdin, text=True,
                              capture_output=True, timeout=60)

    def show(self):
        done = self.local("show")
        assert done.returncode == 0, done.stderr
        return done.stdout

    def claim(self):
        done = self.local("claim", self.folder / "policy", "--digest", self.digest().hex())
        assert done.returncode == 0, done.stderr

    def digest(self):
        return hashlib.sha256(self.sample.policy_payload).digest()

    def next_policy(self, people=None, signers=None, **changes):
        """A successor of the policy that Sample has; people: its approvers."""
        sample = self.sample
        options = {"ticket": False, "epoch": 2, "predecessor": self.digest(), **changes}
        payload = site_policy("site-1", people or sample.approvers, 2, [sample.gate], sample.endpoints, **options)
        return sign_set(SITE_POLICY_AAD, payload, signers or sample.approvers[:2])


@pytest.fixture
def box(tmp_path):
    return Box(tmp_path)


def test_unclaimed_device_waits(box):
    device = Process("device-1", [PORT / "device-boot", "--flash", box.flash], box.folder / "log")
    device.wait_for("unclaimed: no site owns this device")
    assert "this device runs; stop it first" in box.local("show").stderr
    assert device.stop() == 0
    assert "unclaimed" in box.show()


def test_a_person_compares_the_digest(box):
    policy = box.folder / "policy"
    for refused in (box.local("claim", policy, stdin="no\n"), box.local("claim", policy),
                    box.local("claim", policy, "--digest", "00" * 32), box.local("claim", policy, "--digest", "12")):
        assert refused.returncode == 1
        assert "nothing was changed" in refused.stderr
        assert grouped(box.digest()) in refused.stdout
        assert "unclaimed" in box.show()
    done = box.local("claim", policy, stdin="yes\n")
    assert done.returncode == 0, done.stderr
    assert "device-1 belongs to site-1 now" in done.stdout
    shown = box.show()
    assert grouped(box.digest()) in shown and "epoch 1, 2 of 3 approvers" in shown


def test_only_a_first_policy_claims(box):
    under_signed = sign_set(SITE_POLICY_AAD, box.sample.policy_payload, box.sample.approvers[:1])
    vendors = site_policy("site-1", [box.sample.organisation, *box.sample.approvers[:2]], 2, [box.sample.gate],
                          box.sample.endpoints, ticket=False)
    vendors_set = sign_set(SITE_POLICY_AAD, vendors, box.sample.approvers[:2])
    for content, why in ((under_signed, "does not verify"), (box.next_policy(), "not valid"), (b"rubbish", "format"),
                         (vendors_set, "not valid")):
        done = box.local("claim", box.file("other", content), stdin="yes\n")
        assert done.returncode == 1 and why in done.stderr, done.stderr
        assert "unclaimed" in box.show()
    box.claim()
    done = box.local("claim", box.folder / "policy", stdin="yes\n")
    assert done.returncode == 1 and "unclaim it first" in done.stderr


def test_successors_by_file(box):
    sample, newcomer = box.sample, Key("approver 4")
    box.claim()
    people = [*sample.approvers[1:], newcomer]
    fork = box.next_policy(people, signers=[*sample.approvers, newcomer], predecessor=bytes(32))
    gap = box.next_policy(people, signers=[*sample.approvers, newcomer], epoch=3)
    lone = box.next_policy(people, signers=[sample.approvers[2], newcomer])
    good = box.next_policy(people, signers=[*sample.approvers, newcomer], approval_epoch=3)
    for content, why in ((fork, "another site policy"), (gap, "are missing"), (lone, "fewer than k")):
        before = box.show()
        done = box.local("accept", "policy", box.file("next", content))
        assert done.returncode == 1 and why in done.stderr, done.stderr
        assert box.show() == before
    assert box.local("accept", "policy", box.file("next", good)).returncode == 0
    shown = box.show()
    assert "site policy     epoch 2" in shown and "approval epoch  3" in shown
    assert "in force" in box.local("accept", "policy", box.folder / "next").stderr

    keys = decode(open_set(sample.vendor_set)[0])
    keys |= {2: 2, 5: [], 6: hashlib.sha256(open_set(sample.vendor_set)[0]).digest()}
    signers = [sample.organisation, sample.developer, sample.approvers[1], newcomer]
    alone = sign_set(VENDOR_KEYS_AAD, encode(keys), signers[:2])
    assert "fewer than k" in box.local("accept", "vendor-keys", box.file("keys", alone)).stderr
    together = sign_set(VENDOR_KEYS_AAD, encode(keys), signers)
    assert box.local("accept", "vendor-keys", box.file("keys", together)).returncode == 0
    assert "vendor keys     epoch 2" in box.show()

    revocation = encode({0: 1, 1: "site-1", 2: 4, 3: 1900000000})
    former = sign_set(REVOCATION_AAD, revocation, sample.approvers[:2])
    assert "fewer than k" in box.local("accept", "revocation", box.file("revoke", former)).stderr
    current = sign_set(REVOCATION_AAD, revocation, people[:2])
    assert box.local("accept", "revocation", box.file("revoke", current)).returncode == 0
    shown = box.show()
    assert "approval epoch  4" in shown and "not before      1900000000" in shown
    assert "not above" in box.local("accept", "revocation", box.folder / "revoke").stderr


class Update:
    """The next image, and the files of somebody who carries it to the device."""

    def __init__(self, box, sequence=8, keys=None, people=None, urgency="routine", **approval_options):
        sample = box.sample
        image = b"the next image" * 400
        parts = manifest_parts(sequence, sample.vendor, sample.class_id, image, "1.2.0", urgency)
        manifest = close_manifest(parts)
        digest = hashlib.sha256(encode(manifest)).digest()
        people = sample.approvers[:2] if people is None else people
        self.files = [box.file("next.manifest", envelope(manifest, keys or [sample.organisation, sample.developer])),
                      box.file("next.image", image)]
        self.files += [box.file(f"approval-{number}", approval(key, "site-1", digest, **approval_options))
                       for number, key in enumerate(people)]


def test_update_by_the_local_port(box):
    """The same checks hold by relay, by cloud and by USB."""
    sample, stranger = box.sample, Key("stranger")
    box.claim()
    refused = [
        ({"people": []}, "not-approved"),
        ({"people": sample.approvers[:1]}, "not-approved"),
        ({"people": [sample.approvers[0], sample.approvers[0]]}, "not-approved"),
        ({"people": [sample.approvers[0], stranger]}, "not-approved"),
        ({"keys": [sample.organisation]}, "developer-signature"),
        ({"keys": [stranger, sample.developer]}, "organisation-signature"),
        ({"sequence": 7}, "old-sequence"),
        ({"epoch": 0}, "revoked-epoch"),
        ({"not_after": 1 << 40}, "no-trusted-time"),
        ({"scope": (2, ["device-2"])}, "out-of-scope"),
    ]
    for options, reason in refused:
        done = box.local("install", *Update(box, **options).files)
        assert done.returncode == 1 and f"{reason}:" in done.stderr, (options, done.stderr)
    update = Update(box)
    other = box.file("other.image", b"another image" * 400)
    assert "image-digest:" in box.local("install", update.files[0], other, *update.files[2:]).stderr
    done = box.local("install", *update.files)
    assert done.returncode == 0, done.stderr
    # it is verified again at the start, and tried: it is no program, so it ends at once and the device goes back
    device = Process("device-1", [PORT / "device-boot", "--flash", box.flash], box.folder / "log")
    device.wait_for("slot B, sequence 8, on trial")
    device.wait_for("slot A, sequence 7")
    device.stop()


def test_local_port_is_no_way_around_the_gate(box):
    """A policy that demands a ticket: nobody can have one here. Nor does a rule approve what nobody asked a gate about."""
    box.claim()
    rule = {"rules": [{0: ["routine"], 1: [0], 2: 0}]}
    assert box.local("accept", "policy", box.file("next", box.next_policy(**rule))).returncode == 0
    assert "not-approved:" in box.local("install", *Update(box, people=[]).files).stderr
    demanding = site_policy("site-1", box.sample.approvers, 2, [box.sample.gate], box.sample.endpoints, epoch=3, **rule,
                            predecessor=hashlib.sha256(open_set((box.folder / "next").read_bytes())[0]).digest())
    demanding = sign_set(SITE_POLICY_AAD, demanding, box.sample.approvers[:2])
    assert box.local("accept", "policy", box.file("next", demanding)).returncode == 0
    assert "ticket-required:" in box.local("install", *Update(box).files).stderr


def test_revoked_between_carrying_and_the_start(box):
    box.claim()
    assert box.local("install", *Update(box).files).returncode == 0
    revocation = sign_set(REVOCATION_AAD, encode({0: 1, 1: "site-1", 2: 4, 3: 1900000000}), box.sample.approvers[:2])
    assert box.local("accept", "revocation", box.file("revoke", revocation)).returncode == 0
    device = Process("device-1", [PORT / "device-boot", "--flash", box.flash], box.folder / "log")
    device.wait_for("slot B: revoked-epoch")
    device.wait_for("slot A, sequence 7")
    device.stop()


def test_lost_keys_ceremony(box):
    """docs/firmware.md: nobody has k keys any more. Somebody goes to the device; nothing else helps."""
    box.claim()
    people = [Key(f"new approver {number}") for number in range(3)]
    successor = box.next_policy(people, signers=people)
    assert box.local("accept", "policy", box.file("next", successor)).returncode == 1
    payload = site_policy("site-1", people, 2, [Key("new gate")], box.sample.endpoints[:1], ticket=False, approval_epoch=8)
    fresh = box.file("fresh", sign_set(SITE_POLICY_AAD, payload, people[:2]))
    assert "unclaim it first" in box.local("claim", fresh, stdin="yes\n").stderr

    assert "another device" in box.local("unclaim", "device-2").stderr
    assert b"cloud.acme.example" in box.flash.read_bytes()
    assert box.local("unclaim", "device-1").returncode == 0
    assert b"cloud.acme.example" not in box.flash.read_bytes()
    shown = box.show()
    assert "unclaimed" in shown and "sequence floor  7" in shown and "vendor keys     epoch 1" in shown

    assert box.local("claim", fresh, "--digest", hashlib.sha256(payload).hexdigest()).returncode == 0
    shown = box.show()
    assert "approval epoch  8" in shown and "sequence floor  7" in shown
    assert grouped(hashlib.sha256(payload).digest()) in shown


# ---- identity

def fingerprint(secret, rotation=0):
    public = dice.key_of(dice.rotated(secret, rotation)).public_key()
    return grouped(hashlib.sha256(public.public_bytes(serialization.Encoding.DER,
                                                      serialization.PublicFormat.SubjectPublicKeyInfo)).digest())


def test_identity_key_is_shown_and_rotated(box):
    """At the next start, not before; both files are there for who must know the next key first."""
    assert f"identity key    {fingerprint(box.secret)}" in box.show()
    public, statement = box.folder / "next.pub", box.folder / "rotation"
    done = box.local("rotate", "--public", public, "--statement", statement)
    assert done.returncode == 0 and fingerprint(box.secret, 1) in done.stdout
    assert fingerprint(box.secret) in box.show() and f"from next start {fingerprint(box.secret, 1)}" in box.show()
    old, new = (dice.key_of(dice.rotated(box.secret, number)).public_key() for number in range(2))
    assert to_cose(serialization.load_pem_public_key(public.read_bytes())) == to_cose(new)
    assert decode(verify1(statement.read_bytes(), to_cose(old), dice.ROTATION_AAD)) == {
        0: 1, 1: "device-1", 2: 1, 3: to_cose(old), 4: to_cose(new)}
    box.claim()
    process = Process("device", [PORT / "device-boot", "--flash", box.flash], box.folder / "log")
    process.wait_for("boot: start 1")
    process.stop()
    shown = box.show()
    assert f"identity key    {fingerprint(box.secret, 1)}" in shown and "rotated         1 times" in shown
    assert "from next start" not in shown


@pytest.mark.parametrize("rotate, options, complaint", [
    (False, {}, None),
    (False, {"rotation": 1}, "none of this device's identity keys"),
    (True, {"rotation": 1}, None),
    (True, {"rotation": 2}, "none of this device's identity keys"),
    (False, {"name": "device-2"}, "another device's"),
])
def test_certificates_by_file(box, rotate, options, complaint):
    if rotate:
        assert box.local("rotate").returncode == 0
    done = box.local("certificate", box.file("new", box.certificate(**options)))
    assert done.returncode == (1 if complaint else 0)
    assert (complaint or "from its next start on") in done.stdout + done.stderr


def test_certificate_with_one_above_it(box):
    both = box.certificate() + box.certificate(name="a-factory-between")
    assert box.local("certificate", box.file("new", both)).returncode == 0
    der = [ssl.PEM_cert_to_DER_cert(part.strip() + "\n" + END) for part in both.decode().split(END)[:-1]]
    assert der[0] + der[1] in box.flash.read_bytes()


def test_files_that_are_no_certificates(box):
    before = box.flash.read_bytes()
    for content in (b"", b"factory\n", box.certificate()[:200], 3 * box.certificate()):
        assert box.local("certificate", box.file("new", content)).returncode == 1
    assert box.flash.read_bytes() == before


def test_a_secret_that_never_left_the_device(box):
    """Made inside the flash file; the factory gets the public key, and the certificate comes afterwards."""
    flash, public = box.folder / "other", box.folder / "other.pub"
    done = subprocess.run([PORT / "device-provision", "--flash", flash, "--identity", "device-1", "--new-secret", "--public",
                           public, "--vendor-keys", box.folder / "vendor", "--manifest", box.folder / "manifest", "--image",
                           box.folder / "image"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    box.flash = flash
    assert "no certificate yet" in box.show()
    assert box.local("certificate", box.folder / "certificate").returncode == 1  # of another secret
    key = serialization.load_pem_public_key(public.read_bytes())
    certificate = dice.device_certificate(dice.subject("acme", "device-1"), key, dice.subject("acme", "factory"), box.factory)
    assert box.local("certificate", box.file("new", dice.to_pem(certificate))).returncode == 0
    assert "no certificate yet" not in box.show()


@pytest.mark.parametrize("words", [["certificate"], ["rotate", "x"], ["rotate", "--public"], [], ["show", "more"], ["claim"], ["accept", "policy"], ["accept", "image", "x"],
                                   ["unclaim"], ["install", "manifest"], ["erase"]])
def test_wrong_use(box, words):
    before = box.flash.read_bytes()
    done = box.local(*words)
    assert done.returncode == 2 and "usage: device-local" in done.stderr
    assert box.flash.read_bytes() == before
