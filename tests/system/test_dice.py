# SPDX-License-Identifier: GPL-2.0-or-later
"""DICE and DICE-1: librelay against relaydice.py (python3-cryptography, python3-cbor2) in both directions; openssl's view."""
import hashlib
import subprocess

import pytest
from cryptography import x509

import relaydice as dice
import relayobjects as ro
from test_objects import Tool

UDS = [bytes(32), bytes(range(32)), b"\xff" * 32, hashlib.sha256(b"some device").digest()]


@pytest.fixture(scope="module")
def tool():
    tool = Tool()
    yield tool
    tool.process.stdin.close()
    assert tool.process.wait() == 0


@pytest.fixture(scope="module")
def sample():
    return dice.DiceSample(ro.Sample())


def measured(sequence=7, mode=dice.NORMAL, fill=0):
    parts = [bytes([fill + n]) * size for n, size in ((1, 32), (2, 32), (3, 16), (4, 32))]
    image, manifest, class_id, vendor = parts
    return dice.Measurement(image, manifest, class_id, sequence, vendor, mode), (*parts, sequence, mode)


def words(measurement):
    class_id, sequence = ro.decode(measurement.configuration)[1], ro.decode(measurement.configuration)[2]
    return (measurement.code[:32], measurement.code[32:], class_id, measurement.authority, sequence, measurement.mode)


MEASURED = [measured(), measured(0, dice.NOT_CONFIGURED), measured(24, dice.DEBUG, 9), measured(70000, dice.RECOVERY, 60),
            measured((1 << 64) - 1, dice.NORMAL, 200)]


@pytest.mark.parametrize("uds", UDS)
@pytest.mark.parametrize("measurement, arguments", MEASURED)
def test_same_keys_and_certificates(tool, uds, measurement, arguments):
    answer, fields = tool.ask("dice-keys", uds, *arguments)
    identity, application = dice.key_of(uds), dice.key_of(measurement.cdi(uds))
    assert answer == "ok"
    assert fields["identity"] == dice.raw_public(identity).hex()
    assert fields["id"] == dice.identifier(dice.raw_public(identity)).hex()
    assert fields["key"] == dice.raw_public(application).hex()
    # the same bytes from two programs that share no code: deterministic, as the profile says
    assert tool.make("dice-certificate", uds, *arguments) == dice.to_der(dice.cdi_certificate(uds, measurement))
    device = dice.device_certificate(dice.subject("Acme & Söhne", "device-1"), identity.public_key(),
                                     dice.subject("Acme", "factory.acme"), ro.Key("factory").private)
    leaf = tool.make("dice-leaf", uds, *arguments, dice.to_der(device))
    assert leaf == dice.to_der(dice.leaf(uds, measurement, device))
    assert len(leaf) <= 1024


@pytest.mark.parametrize("measurement, arguments", MEASURED)
def test_certificates_read_by_each_other(tool, measurement, arguments):
    uds = UDS[3]
    identity = dice.raw_public(dice.key_of(uds))
    key, (image, manifest, configuration, vendor, mode) = dice.appraise_certificate(
        tool.make("dice-certificate", uds, *arguments), identity)
    assert (image, manifest, configuration[1], vendor, configuration[2], mode) == arguments
    answer, fields = tool.ask("dice-read", dice.to_der(dice.cdi_certificate(uds, measurement)),
                              ro.encode({1: 1, -1: 6, -2: identity}))
    assert answer == "ok" and fields["key"] == key.hex()
    assert (fields["image"], fields["manifest"], fields["class"], fields["vendor"]) == tuple(
        part.hex() for part in arguments[:4])
    assert (int(fields["sequence"]), int(fields["mode"])) == arguments[4:]


def test_rotated_secrets(tool):
    for number in (0, 1, 2, 10, 4294967295):
        assert tool.make("dice-rotated", UDS[1], number) == dice.rotated(UDS[1], number)


@pytest.mark.parametrize("with_device, with_rotation", [(False, False), (True, False), (False, True), (True, True)])
def test_statements_in_both_directions(tool, sample, with_device, with_rotation):
    device = dice.to_der(sample.device) if with_device else b""
    rotation = sample.rotation if with_rotation else b""
    identity = dice.Signer(sample.identity).cose
    made = tool.make("attest", sample.uds, *words(sample.measurement), sample.challenge, "device-1", 12, device, rotation)
    body, said = dice.appraise(made, sample.challenge, "device-1", identity[-2])
    assert body[4] == 12 and body.get(6, b"") == device and body.get(7, b"") == rotation
    assert said[0] == sample.measurement.code[:32] and said[4] == dice.NORMAL
    own = dice.statement(sample.application, sample.challenge, "device-1", 12, sample.certificate, device, rotation)
    assert own == made
    answer, fields = tool.ask("attest-check", own, sample.challenge, "device-1", ro.encode(identity))
    assert answer == "ok" and fields["boot"] == "12" and fields["image"] == said[0].hex()
    assert (fields["device-certificate"], fields["rotation"]) == (device.hex(), rotation.hex())
    assert len(own) <= 3072


def test_what_both_refuse(tool, sample):
    identity = dice.Signer(sample.identity).cose
    thief = dice.key_of(b"t" * 32)
    other = dice.challenge(bytes(32), ro.decode(sample.challenge)[2])
    other_relay = dice.challenge(ro.decode(sample.challenge)[1], bytes(32))
    lying = dice.Measurement(bytes(32), bytes(32), bytes(16), 1, bytes(32))

    def make(key=sample.application, asked=sample.challenge, device="device-1", certificate=sample.certificate, **more):
        return dice.statement(key, asked, device, 12, certificate, **more)

    rows = [("wrong-nonce", make(asked=other)), ("wrong-nonce", make(asked=other_relay)),
            ("wrong-device", make(device="device-2")), ("bad-signature", make(key=thief)),
            ("bad-signature", make(aad=b"relayd/dice/2")),
            ("bad-signature", make(key=thief, certificate=dice.to_der(dice.cdi_certificate(b"t" * 32, lying)))),
            ("malformed", make(certificate=sample.leaf)), ("malformed", make(certificate=b"x")),
            ("malformed", sample.rotation), ("malformed", sample.statement[:-1])]
    for reason, data in rows:
        answer, _ = tool.ask("attest-check", data, sample.challenge, "device-1", ro.encode(identity))
        assert answer == f"refused {reason}"
        with pytest.raises((ro.Refused, ValueError, x509.ExtensionNotFound, KeyError)):
            dice.appraise(data, sample.challenge, "device-1", identity[-2])


def test_rotations_in_both_directions(tool, sample):
    old, new = dice.Signer(sample.identity), dice.Signer(sample.next_identity)
    made = tool.make("rotation", dice.key_seed(sample.uds), ro.encode(new.cose), "device-1", 1)
    assert made == sample.rotation and len(made) <= 384
    assert dice.accept_rotation(made, old.cose, "device-1") == (1, new.cose)
    answer, fields = tool.ask("rotation-check", sample.rotation, "device-1", ro.encode(old.cose))
    assert answer == "ok" and fields == {"number": "1", "new": new.cose[-2].hex()}
    assert tool.ask("rotation-check", sample.rotation, "device-2", ro.encode(old.cose))[0] == "refused wrong-device"
    assert tool.ask("rotation-check", sample.rotation, "device-1", ro.encode(new.cose))[0] == "refused bad-signature"
    forged = dice.rotation(sample.next_identity, sample.identity.public_key(), "device-1", 1)
    assert tool.ask("rotation-check", forged, "device-1", ro.encode(old.cose))[0] == "refused bad-signature"


def openssl(*arguments, code=0):
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, timeout=60)
    assert (done.returncode == 0) == (code == 0), done.stdout + done.stderr
    return done.stdout + done.stderr


def test_openssl_takes_the_chain(tool, sample, tmp_path):
    leaf = x509.load_der_x509_certificate(tool.make("dice-leaf", sample.uds, *words(sample.measurement),
                                                    dice.to_der(sample.device)))
    for name, certificate in (("leaf", leaf), ("device", sample.device), ("ca", sample.factory_certificate)):
        (tmp_path / name).write_bytes(dice.to_pem(certificate))
    verify = ("verify", "-x509_strict", "-purpose", "sslclient", "-CAfile", tmp_path / "ca", "-untrusted",
              tmp_path / "device")
    assert "OK" in openssl(*verify, tmp_path / "leaf")
    shown = openssl("x509", "-in", tmp_path / "leaf", "-noout", "-text", "-certopt", "ext_parse")
    assert "1.3.6.1.4.1.11129.2.1.24:" in shown and "critical" not in shown.split("11129.2.1.24:")[1].split("\n")[0]
    assert "cont [ 6 ]" in shown and "ENUMERATED" in shown
    # another name by the same key: what openssl itself says to a thief
    thief = dice.issued(sample.application.public_key(), dice.subject("Acme", "device-2"), sample.device.subject,
                        sample.device.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest,
                        dice.key_usage(sign_certificates=False), x509.BasicConstraints(ca=False, path_length=None),
                        sample.measurement, False).sign(sample.identity, None)
    (tmp_path / "thief").write_bytes(dice.to_pem(thief))
    assert "permitted subtree violation" in openssl(*verify, tmp_path / "thief", code=1)
    # the profile's certificate is no client's anywhere
    (tmp_path / "cdi").write_bytes(dice.to_pem(x509.load_der_x509_certificate(sample.certificate)))
    openssl(*verify, tmp_path / "cdi", code=1)
