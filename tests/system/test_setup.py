# SPDX-License-Identifier: GPL-2.0-or-later
"""relayctl setup and approvers: what they make, checked with cbor2, cryptography and openssl."""

import hashlib
import json
import subprocess

import cbor2
import pytest

from lab.ctl import RELAYCTL, SETUP, make_home, on_terminal, public, raw, run, run_setup, spki, verify_sign1


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return make_home(tmp_path_factory.mktemp("home"))


def test_setup_makes_what_the_hub_needs(home):
    etc = home / "gw/etc/relayd"
    conf = (etc / "relayd.conf").read_text()
    assert "site = s1" in conf and f"key = {etc}/keys/relay.key" in conf and "host = 127.0.0.1" in conf
    for name in ("relay", "gate", "uplink"):
        assert (etc / f"keys/{name}.key").stat().st_mode & 0o777 == 0o600
    assert (etc / "keys").stat().st_mode & 0o777 == 0o700
    certificate = subprocess.run(["openssl", "x509", "-in", etc / "relay.crt", "-noout", "-text"], check=True,
                                 capture_output=True, text=True).stdout
    assert "CN = relay.s1" in certificate and "IP Address:127.0.0.1" in certificate
    payload, signatures = cbor2.loads((etc / "site-policy.cbor").read_bytes())
    body = cbor2.loads(payload)
    assert signatures == [] and cbor2.dumps(body, canonical=True) == payload
    assert body[1] == "s1" and body[2] == 1 and body[5] == 2 and body[9] is True
    assert [key[-2] for key in body[4]] == [raw(public(home / f"{n}.key.pub")) for n in ("anna", "bertil", "cecilia")]
    assert body[6] == [{0: {1: 1, -1: 6, -2: raw(public(etc / "keys/gate.key.pub"))}}]
    pin = hashlib.sha256(spki(public(etc / "keys/relay.key.pub"))).digest()
    assert body[7] == [{0: 0, 1: "127.0.0.1", 2: 8883, 3: pin, 5: ["device-1", "device-2"]},
                       {0: 1, 1: "127.0.0.1", 2: 18883, 3: bytes.fromhex("ab" * 32)}]


def test_people_compare_one_digest_everywhere(home, tmp_path):
    """What setup prints is what signers see, what the importer confirms, and the SHA-256 of what travels."""
    for name in ("anna", "bertil", "cecilia"):
        (tmp_path / f"{name}.key.pub").write_bytes((home / f"{name}.key.pub").read_bytes())
    shown = run_setup(tmp_path).stdout
    policy = tmp_path / "gw/etc/relayd/site-policy.cbor"
    digest = hashlib.sha256(cbor2.loads(policy.read_bytes())[0]).hexdigest()
    lines = [" ".join(half[i:i + 4] for i in range(0, 32, 4)) for half in (digest[:32], digest[32:])]
    assert f"    {lines[0]}\n    {lines[1]}\n" in shown and "The gate is closed" in shown
    code, shown = on_terminal("approvers", "sign", policy, "--key", home / "anna.key", typed="y\n", columns=200)
    assert code == 0 and f"    {lines[0]}\n    {lines[1]}\n" in shown
    conf = (tmp_path / "gw/etc/relayd/relayd.conf").read_text()
    assert f"[gate]\nkey = {tmp_path}/gw/etc/relayd/keys/gate.key\n" in conf


def test_setup_asks_on_a_terminal(home, tmp_path):
    answers = ["s7", "[::1]:9883", home / "anna.key.pub", home / "bertil.key.pub", home / "cecilia.key.pub", "", "", "", ""]
    code, shown = on_terminal("setup", "--root", tmp_path / "gw", typed="".join(f"{answer}\n" for answer in answers))
    assert code == 0, shown
    body = cbor2.loads(cbor2.loads((tmp_path / "gw/etc/relayd/site-policy.cbor").read_bytes())[0])
    assert body[1] == "s7" and body[5] == 2 and len(body[4]) == 3 and body[7][0][1] == "::1" and body[7][0][2] == 9883
    assert "mode = none" in (tmp_path / "gw/etc/relayd/relayd.conf").read_text()
    assert "ListenStream=[::1]:9883" in (
        tmp_path / "gw/etc/systemd/system/relay-mqttd.socket.d/listen.conf").read_text()
    assert "--ports 9883" in (tmp_path / "gw/etc/systemd/system/relay-guardd.service.d/listen.conf").read_text()
    code, shown = on_terminal("setup", "--root", tmp_path / "other", typed="\n\n\n\n\n\n")
    assert code == 2 and "--site NAME is missing" in shown and not (tmp_path / "other").exists()


def test_setup_never_overwrites(home):
    before = {path: path.read_bytes() for path in (home / "gw/etc").rglob("*") if path.is_file()}
    assert "set up already" in run_setup(home, code=1).stderr
    assert before == {path: path.read_bytes() for path in (home / "gw/etc").rglob("*") if path.is_file()}


@pytest.mark.parametrize("arguments, message", [
    (["--site", "S 1"], "--site 'S 1'"), (["--listen", "0.0.0.0:8883"], "--address"), (["--listen", "a:b"], "--listen 'a:b'"),
    (["--threshold", "1"], "2 to 3 are allowed"), (["--threshold", "4"], "2 to 3 are allowed"),
    (["--cloud", "127.0.0.1:1"], "--cloud-pin HEX is missing"),
    (["--cloud", "127.0.0.1:1", "--cloud-pin", "abc"], "--cloud-pin 'abc'"),
    (["--endpoint-devices", "device-1,Device"], "'Device' is no device"), (["--patience", "soon"], "--patience 'soon'"),
    (["--uplink-key", "k"], "belong together")])
def test_setup_says_what_is_wrong(home, tmp_path, arguments, message):
    people = [part for name in ("anna", "bertil", "cecilia") for part in ("--approver", home / f"{name}.key.pub")]
    done = run(RELAYCTL, "setup", "--root", tmp_path / "gw", *SETUP, *people, *arguments, code=2)
    assert message in done.stderr
    assert not (tmp_path / "gw/etc/relayd/relayd.conf").exists()


def test_setup_warns_of_one_and_of_all(home, tmp_path):
    for name in ("anna", "bertil"):
        (tmp_path / f"{name}.key.pub").write_bytes((home / f"{name}.key.pub").read_bytes())
    assert "one approver alone" in run_setup(tmp_path, people=("anna",)).stderr
    (tmp_path / "two").mkdir()
    for name in ("anna", "bertil"):
        (tmp_path / "two" / f"{name}.key.pub").write_bytes((home / f"{name}.key.pub").read_bytes())
    assert "all 2 approvers" in run_setup(tmp_path / "two", people=("anna", "bertil")).stderr
    assert "one key was given twice" in run_setup(tmp_path / "two", people=("anna", "anna"), code=2).stderr


def test_site_policy_signatures_by_the_book(home):
    payload, signatures = cbor2.loads((home / "policy.cbor").read_bytes())
    assert len(signatures) == 2
    for sign1, name in zip(signatures, ("anna", "bertil")):
        verify_sign1(cbor2.loads(sign1) if isinstance(sign1, bytes) else sign1, public(home / f"{name}.key.pub"),
                     b"relayd/site-policy/1", payload)
    shown = json.loads(run(RELAYCTL, "approvers", "show", home / "policy.cbor", "--json").stdout)
    assert shown["digest"] == hashlib.sha256(payload).hexdigest() and len(shown["signed_by"]) == 2


def test_signing_a_policy_twice_or_as_a_stranger(home, tmp_path):
    policy = tmp_path / "policy"
    policy.write_bytes((home / "policy.cbor").read_bytes())
    assert "already signed" in run(RELAYCTL, "approvers", "sign", policy, "--key", home / "anna.key", "--yes", code=1).stderr
    assert "would not count" in run(RELAYCTL, "approvers", "sign", policy, "--key", home / "mallory.key", "--yes", code=1).stderr
    assert policy.read_bytes() == (home / "policy.cbor").read_bytes()
    assert "complete" in run(RELAYCTL, "approvers", "sign", policy, "--key", home / "cecilia.key", "--yes").stdout


def test_proposing_a_successor(home, tmp_path):
    propose = ("approvers", "propose", "--site", "s1", "--approver", home / "anna.key.pub", "--approver",
               home / "bertil.key.pub", "--approver", home / "mallory.key.pub", "--address", "10.0.0.1:8883",
               "--relay-certificate", home / "gw/etc/relayd/relay.crt", "-o", tmp_path / "next")
    run(RELAYCTL, *propose, "--after", home / "policy.cbor")
    body = cbor2.loads(cbor2.loads((tmp_path / "next").read_bytes())[0])
    assert body[2] == 2 and body[3] == hashlib.sha256(cbor2.loads((home / "policy.cbor").read_bytes())[0]).digest()
    assert "exists" in run(RELAYCTL, *propose, "--no-ticket", code=1).stderr
