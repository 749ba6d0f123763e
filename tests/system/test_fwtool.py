# SPDX-License-Identifier: GPL-2.0-or-later
"""fwtool against other people's libraries: cbor2, cryptography, openssl, mosquitto."""

import hashlib
import json
import os
import pathlib
import subprocess
import uuid

import cbor2
import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import NameOID

import relaydice as dice
from lab.cloud import Cloud

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
FWTOOL = pathlib.Path(os.environ.get("RELAYD_BUILD", ROOT / "build")) / "tools" / "fwtool"
DOMAIN, CLASS = "acme.example", "plant-care"


def fwtool(*arguments, code=0, text=""):
    done = subprocess.run([str(FWTOOL), *map(str, arguments)], capture_output=True, text=True, input=text, timeout=60)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def load_public(path):
    return serialization.load_pem_public_key(path.read_bytes())


def raw(public):
    return public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def spki(public):
    return public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def verify_sign1(encoded, public, payload, aad):
    """A COSE_Sign1 with detached payload, by the book (RFC 9052 section 4.4)."""
    sign1 = cbor2.loads(encoded) if isinstance(encoded, bytes) else encoded
    assert sign1.tag == 18
    protected, unprotected, nil, signature = sign1.value
    assert unprotected == {} and nil is None
    header = cbor2.loads(protected)
    assert header == {1: -8, 4: hashlib.sha256(spki(public)).digest()[:8]}
    public.verify(signature, cbor2.dumps(["Signature1", protected, aad, payload]))


@pytest.fixture(scope="module")
def vendor(tmp_path_factory):
    """Keys of three roles, a signed vendor key set, an image, a manifest with both signatures."""
    folder = tmp_path_factory.mktemp("vendor")
    for role in ("organisation", "developer", "command"):
        fwtool("keys", "create", folder / f"{role}.key")
    fwtool("vendor-keys", "create", "--domain", DOMAIN, "--organisation", folder / "organisation.key.pub", "--developer",
           folder / "developer.key.pub", "--command", folder / "command.key.pub", "-o", folder / "keys.cbor")
    for role in ("organisation", "developer"):
        fwtool("vendor-keys", "sign", folder / "keys.cbor", "--key", folder / f"{role}.key", "--yes")
    (folder / "image").write_bytes(os.urandom(600_000))  # 147 blocks: two list pieces
    build(folder, folder / "manifest")
    for role in ("organisation", "developer"):
        fwtool("manifest", "sign", folder / "manifest", "--role", role, "--key", folder / f"{role}.key", "--yes")
    return folder


def build(folder, output, image="image", code=0):
    return fwtool("manifest", "build", "--image", folder / image, "--domain", DOMAIN, "--class", CLASS, "--version",
                  "1.1.0", "--sequence", "2", "--urgency", "security", "--description", "closes a hole", "-o", output,
                  code=code)


# ---- keys

def test_key_files_are_what_openssl_reads(tmp_path):
    shown = json.loads(fwtool("keys", "create", tmp_path / "k", "--json").stdout)
    private = serialization.load_pem_private_key((tmp_path / "k").read_bytes(), None)
    public = load_public(tmp_path / "k.pub")
    assert isinstance(private, Ed25519PrivateKey) and raw(private.public_key()) == raw(public)
    assert shown["fingerprint"] == hashlib.sha256(spki(public)).hexdigest()
    assert shown["key_id"] == shown["fingerprint"][:16]
    assert (tmp_path / "k").stat().st_mode & 0o777 == 0o600
    subprocess.run(["openssl", "pkey", "-in", tmp_path / "k", "-noout", "-check"], check=True, capture_output=True)


def test_passphrase_protects_the_key(tmp_path):
    (tmp_path / "words").write_text("correct horse\n")
    (tmp_path / "wrong").write_text("battery staple\n")
    fwtool("keys", "create", tmp_path / "k", "--passphrase-file", tmp_path / "words")
    with pytest.raises(TypeError):
        serialization.load_pem_private_key((tmp_path / "k").read_bytes(), None)
    serialization.load_pem_private_key((tmp_path / "k").read_bytes(), b"correct horse")
    (tmp_path / "image").write_bytes(b"x" * 5000)
    build(tmp_path, tmp_path / "m")
    sign = ("manifest", "sign", tmp_path / "m", "--role", "developer", "--key", tmp_path / "k", "--yes")
    assert "--passphrase-file" in fwtool(*sign, code=1).stderr
    assert "does not fit" in fwtool(*sign, "--passphrase-file", tmp_path / "wrong", code=1).stderr
    fwtool(*sign, "--passphrase-file", tmp_path / "words")


def test_keys_are_never_overwritten(tmp_path):
    fwtool("keys", "create", tmp_path / "k")
    before = (tmp_path / "k").read_bytes()
    assert "exists" in fwtool("keys", "create", tmp_path / "k", code=1).stderr
    (tmp_path / "k").unlink()
    assert "k.pub exists" in fwtool("keys", "create", tmp_path / "k", code=1).stderr
    assert before and not (tmp_path / "k").exists()


def test_foreign_keys_are_named(tmp_path):
    subprocess.run(["openssl", "genpkey", "-algorithm", "RSA", "-out", tmp_path / "rsa"], check=True, capture_output=True)
    assert "no Ed25519 private key" in fwtool("vendor-keys", "sign", make_set(tmp_path), "--key", tmp_path / "rsa", "--yes",
                                              code=1).stderr
    assert "no public key" in fwtool("keys", "show", tmp_path / "rsa", code=1).stderr
    assert "No such file" in fwtool("keys", "show", tmp_path / "none", code=1).stderr


# ---- vendor key sets

def make_set(folder, name="set"):
    for role in ("o", "d"):
        fwtool("keys", "create", folder / role)
    fwtool("vendor-keys", "create", "--domain", DOMAIN, "--organisation", folder / "o.pub", "--developer", folder / "d.pub",
           "-o", folder / name)
    return folder / name


def test_vendor_key_set_by_the_book(vendor):
    payload, signatures = cbor2.loads((vendor / "keys.cbor").read_bytes())
    body = cbor2.loads(payload)
    assert cbor2.dumps(body, canonical=True) == payload
    assert body[0] == 1 and body[2] == 1
    assert body[1] == uuid.uuid5(uuid.NAMESPACE_DNS, DOMAIN).bytes
    keys = {role: load_public(vendor / f"{role}.key.pub") for role in ("organisation", "developer", "command")}
    for label, role in ((3, "organisation"), (4, "developer"), (5, "command")):
        assert body[label] == [{1: 1, -1: 6, -2: raw(keys[role])}]
    for encoded, role in zip(signatures, ("organisation", "developer")):
        verify_sign1(encoded, keys[role], payload, b"relayd/vendor-keys/1")
    with pytest.raises(InvalidSignature):
        verify_sign1(signatures[0], keys["organisation"], payload, b"relayd/site-policy/1")


def test_vendor_key_set_refuses_wrong_signers(vendor, tmp_path):
    path = make_set(tmp_path)
    sign = ("vendor-keys", "sign", path, "--yes", "--key")
    assert "would not count" in fwtool(*sign, vendor / "command.key", code=1).stderr
    fwtool(*sign, tmp_path / "o")
    signed = path.read_bytes()
    assert "already signed" in fwtool(*sign, tmp_path / "o", code=1).stderr
    assert path.read_bytes() == signed
    assert "nobody to ask" in fwtool("vendor-keys", "sign", path, "--key", tmp_path / "d", code=2).stderr


def test_one_key_in_two_roles_is_refused(tmp_path):
    fwtool("keys", "create", tmp_path / "o")
    done = fwtool("vendor-keys", "create", "--domain", DOMAIN, "--organisation", tmp_path / "o.pub", "--developer",
                  tmp_path / "o.pub", "-o", tmp_path / "set", code=1)
    assert "every role needs keys of its own" in done.stderr and not (tmp_path / "set").exists()


@pytest.mark.parametrize("content", [b"", b"\x00", b"\x82\x41\x00\x80\x00", b"\x82\x41\x00", os.urandom(300)])
def test_broken_sets_are_refused(tmp_path, content):
    (tmp_path / "set").write_bytes(content)
    fwtool("vendor-keys", "show", tmp_path / "set", code=3)


# ---- manifests

def test_manifest_by_the_book(vendor):
    envelope = cbor2.loads((vendor / "manifest").read_bytes())
    assert envelope.tag == 107 and set(envelope.value) == {2, 3}
    authentication = cbor2.loads(envelope.value[2])
    digest = cbor2.loads(authentication[0])
    # SUIT digests the bstr-wrapped manifest, head included
    assert digest == [-16, hashlib.sha256(cbor2.dumps(envelope.value[3])).digest()]
    assert len(authentication) == 3
    for encoded, role in zip(authentication[1:], ("organisation", "developer")):
        verify_sign1(encoded, load_public(vendor / f"{role}.key.pub"), authentication[0], b"")
    manifest = cbor2.loads(envelope.value[3])
    image = (vendor / "image").read_bytes()
    common = cbor2.loads(manifest[3])
    shared = cbor2.loads(common[4])
    parameters = shared[1]
    vendor_id = uuid.uuid5(uuid.NAMESPACE_DNS, DOMAIN)
    blocks = b"".join(hashlib.sha256(image[at:at + 4096]).digest() for at in range(0, len(image), 4096))
    assert manifest[1] == 1 and manifest[2] == 2
    assert parameters[1] == vendor_id.bytes
    assert parameters[2] == uuid.uuid5(vendor_id, CLASS).bytes
    assert cbor2.loads(parameters[3]) == [-16, hashlib.sha256(image).digest()]
    assert parameters[14] == len(image)
    assert parameters[-256] == hashlib.sha256(blocks).digest()


def test_manifest_show_says_what_openssl_says(vendor):
    shown = json.loads(fwtool("manifest", "show", vendor / "manifest", "--json").stdout)
    assert shown["version"] == "1.1.0" and shown["urgency"] == "security" and shown["sequence"] == 2
    assert shown["image_digest"] == hashlib.sha256((vendor / "image").read_bytes()).hexdigest()
    assert len(shown["signatures"]) == 2
    assert "Both signatures are valid" in fwtool("manifest", "show", vendor / "manifest", "--vendor-keys",
                                                 vendor / "keys.cbor").stdout


def test_one_signature_is_not_enough(vendor, tmp_path):
    build(vendor, tmp_path / "m")
    show = ("manifest", "show", tmp_path / "m", "--vendor-keys", vendor / "keys.cbor")
    assert "organisation-signature" in fwtool(*show, code=3).stderr
    sign = ("manifest", "sign", tmp_path / "m", "--yes", "--key")
    fwtool(*sign, vendor / "organisation.key", "--role", "organisation")
    assert "developer-signature" in fwtool(*show, code=3).stderr
    assert "another person" in fwtool(*sign, vendor / "organisation.key", "--role", "developer", code=1).stderr
    assert "no developer key" in fwtool(*sign, vendor / "command.key", "--role", "developer", "--vendor-keys",
                                        vendor / "keys.cbor", code=1).stderr
    fwtool(*sign, vendor / "developer.key", "--role", "developer", "--vendor-keys", vendor / "keys.cbor")
    fwtool(*show)


def test_a_changed_manifest_is_refused(vendor, tmp_path):
    whole = (vendor / "manifest").read_bytes()
    for at in range(0, len(whole), 7):
        changed = bytearray(whole)
        changed[at] ^= 0x01
        (tmp_path / "m").write_bytes(changed)
        done = subprocess.run([FWTOOL, "manifest", "show", tmp_path / "m", "--vendor-keys", vendor / "keys.cbor"],
                              capture_output=True, text=True)
        assert done.returncode == 3 and "refused: " in done.stderr, f"byte {at}"
    (tmp_path / "m").write_bytes(whole[:-1])
    assert "malformed" in fwtool("manifest", "show", tmp_path / "m", code=3).stderr


@pytest.mark.parametrize("change, message", [
    ({"--sequence": "0"}, "--sequence '0'"), ({"--sequence": "1x"}, "--sequence '1x'"),
    ({"--version": ""}, "at most"), ({"--description": "x" * 201}, "at most"), ({"--image": None}, "--image FILE is missing"),
    ({"--class": None}, "--class NAME is missing")])
def test_manifest_values_are_checked(tmp_path, change, message):
    (tmp_path / "image").write_bytes(b"x")
    values = {"--image": tmp_path / "image", "--domain": DOMAIN, "--class": CLASS, "--version": "1", "--sequence": "1",
              "-o": tmp_path / "m", **change}
    done = fwtool("manifest", "build", *[part for pair in values.items() if pair[1] is not None for part in pair], code=2)
    assert message in done.stderr and not (tmp_path / "m").exists()


def test_an_empty_image_is_no_update(tmp_path):
    (tmp_path / "image").write_bytes(b"")
    assert "is empty" in build(tmp_path, tmp_path / "m", code=1).stderr


# ---- certificates

def test_certificates_hold_under_openssl(tmp_path):
    fwtool("ca", "create", "--name", "acme factory", "-o", tmp_path / "ca")
    fwtool("ca", "issue", "--ca", tmp_path / "ca", "--identity", "device-1", "--organisation", "acme", "-o", tmp_path / "d")
    server = json.loads(fwtool("ca", "issue", "--ca", tmp_path / "ca", "--identity", "cloud.acme", "--server", "--dns",
                               "127.0.0.1", "-o", tmp_path / "s", "--json").stdout)
    for name, purpose in (("d", "sslclient"), ("s", "sslserver")):
        subprocess.run(["openssl", "verify", "-purpose", purpose, "-CAfile", tmp_path / "ca" / "ca.crt",
                        tmp_path / f"{name}.crt"], check=True, capture_output=True)
    wrong = subprocess.run(["openssl", "verify", "-purpose", "sslserver", "-CAfile", tmp_path / "ca" / "ca.crt",
                            tmp_path / "d.crt"], capture_output=True)
    assert wrong.returncode != 0
    device = x509.load_pem_x509_certificate((tmp_path / "d.crt").read_bytes())
    assert [a.value for a in device.subject.get_attributes_for_oid(NameOID.COMMON_NAME)] == ["device-1"]
    assert [a.value for a in device.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)] == ["acme"]
    cloud = x509.load_pem_x509_certificate((tmp_path / "s.crt").read_bytes())
    assert server["pin"] == hashlib.sha256(spki(cloud.public_key())).hexdigest()
    alternative = cloud.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(a) for a in alternative.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]


def test_certificate_for_somebody_elses_key(tmp_path):
    fwtool("ca", "create", "--name", "acme", "-o", tmp_path / "ca")
    fwtool("keys", "create", tmp_path / "k")
    fwtool("ca", "issue", "--ca", tmp_path / "ca", "--identity", "relay.s1", "--public", tmp_path / "k.pub", "-o", tmp_path / "r")
    made = x509.load_pem_x509_certificate((tmp_path / "r.crt").read_bytes())
    assert raw(made.public_key()) == raw(load_public(tmp_path / "k.pub")) and not (tmp_path / "r.key").exists()


@pytest.mark.parametrize("identity", ["Device-1", "a_b", "", "x" * 41, "..", "a..b", "device 1"])
def test_identities_are_checked(tmp_path, identity):
    fwtool("ca", "create", "--name", "acme", "-o", tmp_path / "ca")
    done = fwtool("ca", "issue", "--ca", tmp_path / "ca", "--identity", identity, "-o", tmp_path / "d", code=2)
    assert "--identity" in done.stderr and not (tmp_path / "d.crt").exists()


# ---- factory lists

def test_factory_list_by_the_book(tmp_path):
    fwtool("ca", "create", "--name", "acme", "-o", tmp_path / "ca")
    for name in ("device-1", "device-2"):
        fwtool("ca", "issue", "--ca", tmp_path / "ca", "--identity", name, "-o", tmp_path / name)
        fwtool("factory", "add", "--list", tmp_path / "list", "--domain", DOMAIN, "--class", CLASS, "--identity", name,
               "--certificate", tmp_path / f"{name}.crt")
    encoded = (tmp_path / "list").read_bytes()
    listed = cbor2.loads(encoded)
    vendor_id = uuid.uuid5(uuid.NAMESPACE_DNS, DOMAIN)
    assert cbor2.dumps(listed) == encoded
    assert listed[0] == 1 and listed[1] == vendor_id.bytes
    assert [d[0] for d in listed[2]] == ["device-1", "device-2"]
    for device in listed[2]:
        assert device[1][-2] == raw(load_public(tmp_path / f"{device[0]}.key.pub"))
        assert device[2] == uuid.uuid5(vendor_id, CLASS).bytes
    assert [d["identity"] for d in json.loads(fwtool("factory", "list", tmp_path / "list", "--json").stdout)] == [
        "device-1", "device-2"]
    assert "device-2" in fwtool("factory", "show", tmp_path / "list", "device-2").stdout
    assert "no device 'device-9'" in fwtool("factory", "show", tmp_path / "list", "device-9", code=1).stderr
    add = ("factory", "add", "--list", tmp_path / "list", "--class", CLASS, "--certificate", tmp_path / "device-1.crt")
    assert "in the list already" in fwtool(*add, "--domain", DOMAIN, "--identity", "device-1", code=1).stderr
    assert "has this key already" in fwtool(*add, "--domain", DOMAIN, "--identity", "device-3", code=1).stderr
    assert "another vendor" in fwtool(*add, "--domain", "other.example", "--identity", "device-3", code=1).stderr
    assert (tmp_path / "list").read_bytes() == encoded


def test_factory_list_says_who_cannot_check(tmp_path):
    for name, options in (("device-1", ()), ("device-2", ("--relay-checks",))):
        fwtool("keys", "create", tmp_path / f"{name}.key")
        fwtool("factory", "add", "--list", tmp_path / "list", "--domain", DOMAIN, "--class", CLASS, "--identity", name,
               "--certificate", tmp_path / f"{name}.key.pub", *options)
    shown = json.loads(fwtool("factory", "list", tmp_path / "list", "--json").stdout)
    assert [(device["identity"], device["checks"]) for device in shown] == [("device-1", "device"), ("device-2", "relay")]
    devices = cbor2.loads((tmp_path / "list").read_bytes())[2]
    assert 3 not in devices[0] and devices[1][3] is False


def test_broken_factory_lists_are_refused(tmp_path):
    (tmp_path / "list").write_bytes(b"\xa3\x00\x01")
    assert "no factory list" in fwtool("factory", "list", tmp_path / "list", code=1).stderr


# ---- devices with DICE

def make_device(folder, name, *more, code=0):
    return fwtool("device", "create", "--ca", folder / "ca", "--list", folder / "list", "--identity", name, "--domain",
                  DOMAIN, "--class", CLASS, "-o", folder / name, *more, code=code)


@pytest.fixture(scope="module")
def factory(tmp_path_factory):
    folder = tmp_path_factory.mktemp("factory")
    fwtool("ca", "create", "--name", "factory.acme", "-o", folder / "ca")
    make_device(folder, "device-1", "--isolated", "--organisation", "Acme")
    make_device(folder, "device-2")
    return folder


def test_device_with_secret_key_and_certificate(factory):
    secret = (factory / "device-1.secret").read_bytes()
    assert len(secret) == 32 and (factory / "device-1.secret").stat().st_mode & 0o777 == 0o600
    assert secret != (factory / "device-2.secret").read_bytes()
    identity = dice.key_of(secret).public_key()
    certificate = x509.load_pem_x509_certificate((factory / "device-1.crt").read_bytes())
    assert raw(certificate.public_key()) == raw(identity) == raw(load_public(factory / "device-1.pub"))
    extensions = {e.oid._name: e for e in certificate.extensions}
    assert extensions["basicConstraints"].value.ca and extensions["basicConstraints"].value.path_length == 0
    assert extensions["keyUsage"].value.key_cert_sign and not extensions["keyUsage"].value.digital_signature
    assert extensions["nameConstraints"].critical
    assert extensions["nameConstraints"].value.permitted_subtrees == [x509.DirectoryName(certificate.subject)]
    assert [(a.oid, a.value) for a in certificate.subject] == [(NameOID.ORGANIZATION_NAME, "Acme"),
                                                               (NameOID.COMMON_NAME, "device-1")]
    listed = cbor2.loads((factory / "list").read_bytes())
    assert [(row[0], row[1][-2], row[4]) for row in listed[2]] == [
        (f"device-{n}", raw(dice.key_of((factory / f"device-{n}.secret").read_bytes()).public_key()), 3 - n)
        for n in (1, 2)]
    # the boot stage's leaf under it, by somebody else's code, and openssl's word
    leaf = dice.leaf(secret, dice.Measurement(bytes(32), bytes(32), bytes(16), 1, bytes(32)), certificate)
    (factory / "leaf").write_bytes(dice.to_pem(leaf))
    subprocess.run(["openssl", "verify", "-x509_strict", "-purpose", "sslclient", "-CAfile", factory / "ca/ca.crt",
                    "-untrusted", factory / "device-1.crt", factory / "leaf"], check=True, capture_output=True)


def test_secret_has_to_be_destroyed_and_the_tool_says_so(factory):
    done = make_device(factory, "device-5", "--json")
    shown = json.loads(done.stdout)
    assert shown["secret"] == str(factory / "device-5.secret") and shown["attestation"] == "claimed"
    assert "destroy this copy" in done.stderr and (factory / "device-5.secret").read_bytes().hex() not in done.stdout


def test_device_create_leaves_nothing_half_done(factory, tmp_path):
    before = (factory / "list").read_bytes()
    assert "in the list already" in make_device(factory, "device-1", "-o", factory / "again", code=1).stderr
    assert "never overwritten" in make_device(factory, "device-3", "-o", factory / "device-1", code=1).stderr
    assert "--identity 'relay.s1'" in make_device(factory, "relay.s1", code=2).stderr
    assert "--days" in make_device(factory, "device-3", "--days", "0", code=2).stderr
    assert "ca.key" in make_device(factory, "device-3", "--ca", tmp_path, code=1).stderr
    assert not list(factory.glob("again*")) and not list(factory.glob("device-3*"))
    assert (factory / "list").read_bytes() == before


def test_device_certificate_for_a_new_identity_key(factory, tmp_path):
    """after a rotation: the device shows its new public key, the factory certifies it"""
    new = dice.key_of(dice.rotated((factory / "device-1.secret").read_bytes(), 1)).public_key()
    (tmp_path / "new.pub").write_bytes(new.public_bytes(serialization.Encoding.PEM,
                                                        serialization.PublicFormat.SubjectPublicKeyInfo))
    issue = ("ca", "issue", "--ca", factory / "ca", "--device", "--identity", "device-1", "-o", tmp_path / "new")
    assert "--public" in fwtool(*issue, code=2).stderr
    assert "no server" in fwtool(*issue, "--public", tmp_path / "new.pub", "--server", code=2).stderr
    fwtool(*issue, "--public", tmp_path / "new.pub")
    certificate = x509.load_pem_x509_certificate((tmp_path / "new.crt").read_bytes())
    assert raw(certificate.public_key()) == raw(new) and not (tmp_path / "new.key").exists()
    assert "a device is named by" in fwtool("ca", "issue", "--ca", factory / "ca", "--device", "--identity", "relay.s1",
                                            "--public", tmp_path / "new.pub", "-o", tmp_path / "x", code=2).stderr


def test_attestation_levels_and_images_of_a_list(factory, tmp_path):
    add = ("factory", "add", "--list", tmp_path / "list", "--domain", DOMAIN, "--class", CLASS, "--certificate")
    for number, level in enumerate(("claimed", "attested")):
        fwtool(*add, factory / f"device-{number + 1}.pub", "--identity", f"device-{number + 1}", "--attestation", level)
    fwtool(*add, factory / "ca/ca.key.pub", "--identity", "old-1")
    assert "'sure'" in fwtool(*add, factory / "device-1.pub", "--identity", "x", "--attestation", "sure", code=2).stderr
    rows = json.loads(fwtool("factory", "list", tmp_path / "list", "--json").stdout)
    assert [row["attestation"] for row in rows] == ["claimed", "attested", "none"]
    assert [row.get(4) for row in cbor2.loads((tmp_path / "list").read_bytes())[2]] == [1, 2, None]
    digests = []
    for number in range(2):
        (tmp_path / "image").write_bytes(bytes([number]) * 5000)
        fwtool("factory", "add-image", tmp_path / "image", "--list", tmp_path / "list")
        digests.append(hashlib.sha256(bytes([number]) * 5000).digest())
    encoded = (tmp_path / "list").read_bytes()
    assert cbor2.loads(encoded)[3] == digests and cbor2.dumps(cbor2.loads(encoded)) == encoded
    shown = json.loads(fwtool("factory", "images", tmp_path / "list", "--json").stdout)
    assert shown == [{"image": digest.hex()} for digest in digests]
    again = ("factory", "add-image", tmp_path / "image", "--list")
    assert "in the list already" in fwtool(*again, tmp_path / "list", code=1).stderr
    assert "no such list" in fwtool(*again, tmp_path / "none", code=1).stderr
    fwtool(*add, factory / "ca/ca.key.pub", "--identity", "device-9", code=1)  # its key is there; images stay
    assert (tmp_path / "list").read_bytes() == encoded


# ---- publishing

@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cloud")
    fwtool("ca", "create", "--name", "cloud", "-o", folder / "c")
    for identity in ("vendor.acme", "ops.acme", "device-1"):
        fwtool("ca", "issue", "--ca", folder / "c", "--identity", identity, "-o", folder / "c" / identity)
    fwtool("ca", "issue", "--ca", folder / "c", "--identity", "cloud.acme", "--server", "--dns", "127.0.0.1", "-o",
           folder / "c" / "cloud")
    broker = Cloud(folder / "broker", folder / "c").start()
    yield broker
    broker.stop()


def at(cloud, identity="vendor.acme", trust=None):
    certificates = cloud.certificates
    return ["--host", "127.0.0.1", "--port", cloud.port, *(trust or ["--ca", certificates / "ca.crt"]), "--certificate",
            certificates / f"{identity}.crt", "--key", certificates / f"{identity}.key"]


def retained(cloud, topic, folder):
    """What mosquitto keeps for one topic; b"" if nothing."""
    done = subprocess.run(cloud.client("mosquitto_sub", "ops.acme", "-t", topic, "-C", "1", "-W", "1", "-N"),
                          capture_output=True)
    return done.stdout


def test_publish_and_unpublish(vendor, cloud, tmp_path):
    image = (vendor / "image").read_bytes()
    digest = hashlib.sha256(image).hexdigest()
    done = fwtool("publish", "--manifest", vendor / "manifest", "--image", vendor / "image", "--site", "s1", "--device",
                  "device-1", "--device", "device-2", *at(cloud))
    assert "100 %" in done.stderr and "(2 devices)" in done.stdout
    blocks = [image[start:start + 4096] for start in range(0, len(image), 4096)]
    listing = b"".join(hashlib.sha256(block).digest() for block in blocks)
    for index in (0, 1, 145, 146):
        assert retained(cloud, f"images/{digest}/{index}", tmp_path) == blocks[index]
    assert retained(cloud, f"images/{digest}/l0", tmp_path) == listing[:4096]
    assert retained(cloud, f"images/{digest}/l1", tmp_path) == listing[4096:]
    for device in ("device-1", "device-2"):
        assert retained(cloud, f"sites/s1/devices/{device}/updates/offer", tmp_path) == (vendor / "manifest").read_bytes()
    fwtool("unpublish", "--manifest", vendor / "manifest", "--site", "s1", "--device", "device-1", "--device", "device-2",
           *at(cloud))
    for topic in (f"images/{digest}/0", f"images/{digest}/146", f"images/{digest}/l1", "sites/s1/devices/device-1/updates/offer"):
        assert retained(cloud, topic, tmp_path) == b""


def test_publish_refuses_another_image(vendor, cloud, tmp_path):
    changed = bytearray((vendor / "image").read_bytes())
    changed[300_000] ^= 1
    (tmp_path / "image").write_bytes(changed)
    publish = ("publish", "--manifest", vendor / "manifest", "--site", "s1", "--device", "device-1", *at(cloud))
    assert "image-digest" in fwtool(*publish, "--image", tmp_path / "image", code=3).stderr
    (tmp_path / "short").write_bytes(changed[:-1])
    assert "image-digest" in fwtool(*publish, "--image", tmp_path / "short", code=3).stderr


def test_publish_tells_why_the_broker_does_not_answer(vendor, cloud, tmp_path):
    offer = ("publish", "--manifest", vendor / "manifest", "--site", "s1", "--device", "device-2", "--offers-only")
    wrong = at(cloud, trust=["--pin", "00" * 32])
    assert "fwtool: 127.0.0.1" in fwtool(*offer, *wrong, code=3).stderr
    gone = at(cloud)
    gone[3] = "1"
    assert "127.0.0.1:1" in fwtool(*offer, *gone, code=4).stderr
    assert "--ca FILE or --pin HEX" in fwtool(*offer, *at(cloud, trust=["--images-only"]), code=2).stderr
    assert "refuses" in fwtool(*offer, *at(cloud, "device-1"), code=3).stderr


# ---- the command line

def test_wrong_use_is_told(tmp_path):
    assert "unknown command 'fly'" in fwtool("fly", code=2).stderr
    assert "unknown option --fly" in fwtool("keys", "create", "--fly", code=2).stderr
    assert "needs a value" in fwtool("manifest", "build", "--image", code=2).stderr
    assert "needs a second word" in fwtool("keys", code=2).stderr
    assert "no command" in fwtool(code=2).stderr
    assert "takes no value" in fwtool("publish", "--images-only=yes", code=2).stderr
    assert "usage: fwtool keys create FILE" in fwtool("keys", "create", "a", "b", code=2).stderr


def test_help_and_completion_come_from_one_table():
    overview = fwtool("--help").stdout
    nouns = fwtool("__complete", "").stdout.split()
    assert {"keys", "manifest", "bundle", "publish", "unpublish", "ca", "device", "factory",
            "vendor-keys"} == set(nouns)
    for noun in nouns:
        for verb in fwtool("__complete", noun, "").stdout.split() or [""]:
            assert f"  {noun} {verb}".rstrip() in overview
            words = [noun] + ([verb] if verb else [])
            own = fwtool(*words, "--help").stdout
            for option in fwtool("__complete", *words, "--").stdout.split():
                assert option in own
    assert fwtool("--version").stdout.startswith("fwtool ")


def test_manual_names_every_command():
    manual = (ROOT / "docs" / "man" / "fwtool.1.rst").read_text()
    for noun in fwtool("__complete", "").stdout.split():
        for verb in fwtool("__complete", noun, "").stdout.split() or [""]:
            words = [noun] + ([verb] if verb else [])
            assert " ".join(words) in manual
            for option in fwtool("__complete", *words, "--").stdout.split():
                assert option in manual, f"{' '.join(words)} {option}"
