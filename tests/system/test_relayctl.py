# SPDX-License-Identifier: GPL-2.0-or-later
"""relayctl against a relay that is only a D-Bus interface, and may lie; signed objects checked with cbor2 and cryptography."""

import hashlib
import re
import shlex
import subprocess
import time

import cbor2
import pytest

from lab.cloud import Cloud
from lab.ctl import (FWTOOL, RELAYCTL, ROOT, FakeRelay, audit_chain, device, digest_of, make_home, make_manifest, on_terminal,
                     public, run, run_setup, spki, trust, update_of, verify_sign1)
from lab.process import Process


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return make_home(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def shared(tmp_path_factory, home):
    relay = FakeRelay(tmp_path_factory.mktemp("relay"), home)
    yield relay
    relay.close()


@pytest.fixture
def relay(shared):
    shared.reset()
    return shared


# ---- showing

def test_lists_are_what_the_bus_says(relay):
    devices = relay.json("devices")
    assert [d["Identity"] for d in devices] == ["device-1", "device-2", "device-10"]
    assert {key: value for key, value in devices[1].items() if key != "Path"} == device("device-2", Online=False)
    assert relay.json("devices", "show", "device-10")["Boot"] == 3
    table = relay.ctl("devices").stdout.splitlines()
    assert table[0].split()[:3] == ["DEVICE", "REGISTRATION", "PRESENCE"]
    assert table[2].split()[:3] == ["device-2", "registered", "offline"]
    status = relay.json("status")
    assert status["OutboxEvents"] == 5 and status["PolicyDigest"] == "ee" * 32
    assert "80.0 KiB" in relay.ctl("status").stdout
    assert "Uplink: up" in relay.ctl("uplink").stdout
    relay.show(devices=[])
    assert "devices import" in relay.ctl("devices").stdout


def test_updates_by_version_or_digest(relay, home):
    digest = digest_of(home / "manifest")
    assert [u["Digest"] for u in relay.json("updates")] == [digest]
    for name in ("1.1.0", digest, digest[:4], digest[:9].upper()):
        assert relay.json("updates", "show", name)["Digest"] == digest
    for name in (digest[:3], "1.1", "zzzz", digest + "0"):
        assert "unknown-update" in relay.ctl("updates", "show", name, code=3).stderr
    relay.show(updates=[update_of(home / "manifest"), update_of(home / "manifest", Digest="ff" * 32)])
    assert "fits 2 updates" in relay.ctl("updates", "show", "1.1.0", code=2).stderr
    shown = relay.ctl("updates", "show", digest).stdout
    assert "0 of 2" in shown and re.search(r"device-2 +approval", shown)
    for name in ("anna", "bertil", "cecilia"):
        assert hashlib.sha256(spki(public(home / f"{name}.key.pub"))).hexdigest()[:16] in shown


def test_alerts_and_following_them(relay):
    assert relay.json("alerts") == [{"number": 1, "time": 1763800000, "device": "device-1", "reason": "developer-signature",
                                     "detail": "an offer without it"}]
    assert relay.json("alerts", "--from", "2") == []
    follower = Process("follow", [RELAYCTL, "--bus", relay.bus, "alerts", "--follow"], relay.folder / "follow.log")
    follower.wait_for("an offer without it")
    relay.show(alerts=[*relay.state["alerts"], [9, 1763800000, "device-2", "pending-device", "was admitted"]])
    relay.ctl("devices", "admit", "device-2")
    follower.wait_for("was admitted")
    follower.kill()


def test_what_comes_from_outside_cannot_write_on_the_terminal(relay, home):
    relay.show(updates=[update_of(home / "manifest", Description="a\x1b[2Jb\u202ec\x07d\u0085e")])
    shown = relay.ctl("updates").stdout
    assert "a?[2Jb?c?d?e" in shown and "\x1b" not in shown
    relay.show(devices=[device("device-1", FirmwareVersion="1\n2")])
    assert len(relay.ctl("devices").stdout.splitlines()) == 2


def test_tables_fit_the_terminal(relay):
    environment = {"NO_COLOR": ""}
    environment.pop("COLUMNS", None)
    for columns, mark in ((78, "…"), (50, "WHAT CHANGES: ")):  # a table that is cut; a record a row
        code, shown = on_terminal("--bus", relay.bus, "updates", columns=columns,
                                  env={**environment, "COLUMNS": str(columns)})
        assert code == 0 and "\x1b[" in shown and mark in shown
        for line in re.sub(r"\x1b\[[0-9;]*m", "", shown).splitlines():
            assert len(line) <= columns
    assert "\x1b[" not in on_terminal("--bus", relay.bus, "updates", env={"NO_COLOR": "1"})[1]


# ---- acting

def test_actions_reach_the_relay(relay, home, tmp_path):
    run(FWTOOL, "factory", "add", "--list", tmp_path / "list", "--domain", "acme.example", "--class", "plant-care",
        "--identity", "device-1", "--certificate", home / "anna.key.pub")
    assert relay.json("devices", "import", tmp_path / "list") == {"added": 2, "known": 1}
    relay.ctl("devices", "revoke", "device-1", "--why", "stolen")
    relay.ctl("updates", "deny", "1.1.0", "--why", "no")
    relay.ctl("approvers", "import", home / "policy.cbor")
    relay.ctl("setup", "--import-policy", home / "policy.cbor", "--import-vendor", home / "vendor.cbor")
    assert relay.calls() == [
        ["ImportDevices", (tmp_path / "list").read_bytes().hex()], ["RevokeDevice", "device-1", "stolen"],
        ["DenyUpdate", digest_of(home / "manifest"), "no"], ["ImportSitePolicy", (home / "policy.cbor").read_bytes().hex()],
        ["ImportSitePolicy", (home / "policy.cbor").read_bytes().hex()],
        ["ImportVendorKeys", (home / "vendor.cbor").read_bytes().hex()]]


def test_who_is_who_and_what_runs(relay, home, tmp_path):
    (tmp_path / "rotation").write_bytes(b"\x01\x02")
    assert relay.json("devices", "release", "device-1") == {"device": "device-1", "done": "released"}
    assert relay.json("devices", "rotate", tmp_path / "rotation") == {"device": "device-1", "done": "rotated"}
    assert relay.json("images", "add", home / "manifest") == {"image": "ab" * 32, "added": True}
    assert relay.json("images", "remove", "ababab") == {"image": "ab" * 32, "done": "removed"}
    assert relay.calls() == [["ReleaseDevice", "device-1"], ["RotateDevice", "0102"],
                             ["AddImage", (home / "manifest").read_bytes().hex()], ["ForgetImage", "ab" * 32]]
    assert [(image["Source"], image["Version"]) for image in relay.json("images")] == [("approved", "1.0.0"), ("factory", "")]
    assert "unknown-device" in relay.ctl("devices", "release", "device-77", code=3).stderr
    for digits, why in (("ab", "no known image"), ("ffff", "no known image"), ("abab", "")):
        assert why in relay.ctl("images", "remove", digits, code=3 if why else 0).stderr
    relay.show(images=[])
    assert "images add MANIFEST" in relay.ctl("images").stdout


def test_trust_in_plain_words(relay):
    relay.show(devices=[device("device-1"), device("device-2", Trust="unknown-image", Quarantine="unknown-image"),
                        device("device-3", Trust="front-end", Attestation="none", ProvedImage="", ProvedTime=0),
                        device("device-4", Trust="recovery", Quarantine="recovery"),
                        device("device-5", Quarantine="cloned-device")])
    for name, words in (("device-1", ["its boot stage is isolated"]), ("device-2", ["nobody approved", "images add MANIFEST"]),
                        ("device-3", ["its own word"]), ("device-4", ["no image left", "approve one"]),
                        ("device-5", ["devices release"])):
        shown = " ".join(relay.ctl("devices", "show", name).stdout.split())
        assert [word for word in words if word not in shown] == [], shown
        assert ("What to do: nothing" in shown) == (name in ("device-1", "device-3", "device-4"))


def test_what_cannot_be_valid_is_not_sent(relay, home, tmp_path):
    (tmp_path / "broken").write_bytes(b"\x00\x01\x02")
    relay.ctl("devices", "import", tmp_path / "broken", code=1)
    relay.ctl("images", "add", tmp_path / "broken", code=1)
    relay.ctl("approvers", "import", tmp_path / "broken", code=3)
    relay.ctl("vendor-keys", "import", home / "policy.cbor", code=3)
    unsigned = home / "gw/etc/relayd/site-policy.cbor"
    assert "refused: " in relay.ctl("approvers", "import", unsigned, code=3).stderr
    assert relay.calls() == []


def test_gate(relay):
    before = int(time.time())
    relay.ctl("gate", "open", "--for", "10m")
    relay.ctl("gate", "open")
    relay.ctl("gate", "close")
    (_, until), forever, close = relay.calls()
    assert before + 600 <= until <= int(time.time()) + 600
    assert forever == ["OpenGate", 0] and close == ["CloseGate"]
    assert relay.json("gate") == [{"scope": "site", "state": "closed", "until": 0, "windows": []}]
    for duration in ("", "0", "-1", "10x", "1.5h", "99999999999d", "m"):
        assert "--for" in relay.ctl("gate", "open", "--for", duration, code=2).stderr


def test_refusals_carry_their_reason(relay):
    done = relay.ctl("devices", "admit", "device-7", code=3)
    assert "refused: unknown-device: there is no device 'device-7'" in done.stderr
    assert "unknown-device" in relay.ctl("devices", "show", "device-7", code=3).stderr


def test_no_relay_no_bus(relay, tmp_path):
    assert "cannot reach the bus" in run(RELAYCTL, "--bus", f"unix:path={tmp_path}/none", "status", code=4).stderr
    daemon = Process("dbus", ["dbus-daemon", "--session", f"--address=unix:path={tmp_path}/bus", "--nofork", "--nopidfile",
                              "--print-address"], tmp_path / "log")
    daemon.wait_for("unix:path=")
    assert "relayd does not answer" in run(RELAYCTL, "--bus", f"unix:path={tmp_path}/bus", "status", code=4).stderr
    daemon.kill()


# ---- approving

def test_an_approval_by_the_book(relay, home):
    done = relay.ctl("updates", "approve", "1.1.0", "--key", home / "anna.key", *trust(home), "--yes")
    assert digest_of(home / "manifest") in done.stdout and "closes a hole" in done.stdout
    assert "Approved: 1 of 2" in done.stdout and "relayctl gate open --for 10m" in done.stdout
    (_, sent), = relay.calls()
    body = verify_sign1(cbor2.loads(bytes.fromhex(sent)), public(home / "anna.key.pub"), b"relayd/approval/1")
    assert body == {0: 1, 1: "s1", 2: bytes.fromhex(digest_of(home / "manifest")), 3: [0], 6: 0}


def test_scope_and_life_of_an_approval(relay, home):
    relay.ctl("updates", "approve", "1.1.0", "--key", home / "anna.key", *trust(home), "--yes", "--device", "device-1",
              "--not-after", "2h")
    body = verify_sign1(cbor2.loads(bytes.fromhex(relay.calls()[0][1])), public(home / "anna.key.pub"), b"relayd/approval/1")
    assert body[3] == [2, ["device-1"]] and abs(body[5] - time.time() - 7200) < 60


def refused(relay, home, reason, *arguments, key="anna", code=3):
    done = relay.ctl("updates", "approve", "1.1.0", "--key", home / f"{key}.key", *(arguments or trust(home)), "--yes",
                     code=code)
    assert reason in done.stderr and relay.calls() == []
    return done


def test_only_approvers_approve(relay, home):
    refused(relay, home, "not-an-approver", key="mallory")


def test_a_relay_with_another_vendor_is_noticed(relay, home):
    relay.show(vendor=(home / "mallory.cbor").read_bytes().hex())
    refused(relay, home, "vendor-keys-fork")


def test_a_relay_with_another_policy_is_noticed(relay, home, tmp_path):
    for name in ("anna", "bertil", "cecilia"):
        (tmp_path / f"{name}.key.pub").write_bytes((home / f"{name}.key.pub").read_bytes())
    (tmp_path / "mallory.key.pub").write_bytes((home / "mallory.key.pub").read_bytes())
    run_setup(tmp_path, people=("mallory",))
    policy = tmp_path / "gw/etc/relayd/site-policy.cbor"
    run(RELAYCTL, "approvers", "sign", policy, "--key", home / "mallory.key", "--yes")
    relay.show(policy=policy.read_bytes().hex())
    refused(relay, home, "policy-fork")
    refused(relay, home, "policy-fork", "--policy-digest", "00" * 32, "--vendor-keys", home / "vendor.cbor")


def test_missing_vendor_signatures_are_noticed(relay, home, tmp_path):
    (tmp_path / "image").write_bytes((home / "image").read_bytes())
    for name in ("organisation", "developer", "mallory"):
        (tmp_path / f"{name}.key").write_bytes((home / f"{name}.key").read_bytes())
    make_manifest(tmp_path, "one", "organisation")
    relay.show(updates=[update_of(tmp_path / "one")])
    # this update's object is unknown to the fake, which knows the signed one: the digest is the same
    refused(relay, home, "developer-signature")
    make_manifest(tmp_path, "other", "mallory", "developer")
    relay.show(updates=[update_of(tmp_path / "other")])
    refused(relay, home, "organisation-signature")


def test_another_manifest_behind_the_digest_is_noticed(relay, home, tmp_path):
    (tmp_path / "image").write_bytes(b"other")
    for name in ("organisation", "developer"):
        (tmp_path / f"{name}.key").write_bytes((home / f"{name}.key").read_bytes())
    make_manifest(tmp_path, "other", "organisation", "developer")
    relay.show(updates=[update_of(home / "manifest", envelope=(tmp_path / "other").read_bytes().hex())])
    refused(relay, home, "unknown-update")
    relay.show(updates=[update_of(home / "manifest", envelope="d86b00")])
    refused(relay, home, "malformed")


def test_trust_at_first_use(relay, home):
    approve = ("--bus", relay.bus, "updates", "approve", "1.1.0", "--key", home / "anna.key")
    assert "never compared" in run(RELAYCTL, *approve, "--yes", code=2, env=relay.env).stderr
    code, shown = on_terminal(*approve, typed="n\n", env=relay.env)
    assert code == 1 and "not confirmed" in shown and relay.calls() == []
    policy = hashlib.sha256(cbor2.loads((home / "policy.cbor").read_bytes())[0]).hexdigest()
    code, shown = on_terminal(*approve, typed="y\ny\nn\n", env=relay.env)
    assert code == 1 and relay.calls() == []
    assert [policy[i:i + 4] for i in range(0, 64, 4)] == re.search(r"Its digest:\s+((?:[0-9a-f]{4}\s+){16})", shown)[1].split()
    remembered = relay.folder / "config/relayd/trust/s1"
    assert (remembered / "site-policy.cbor").read_bytes() == (home / "policy.cbor").read_bytes()
    assert remembered.stat().st_mode & 0o777 == 0o700
    code, shown = on_terminal(*approve, typed="y\n", env=relay.env)
    assert code == 0 and "does not know" not in shown and len(relay.calls()) == 1
    run(RELAYCTL, *approve, "--yes", env=relay.env)
    relay.reset()
    relay.show(vendor=(home / "mallory.cbor").read_bytes().hex())
    assert "vendor-keys-fork" in run(RELAYCTL, *approve, "--yes", code=3, env=relay.env).stderr
    assert relay.calls() == []


def test_nothing_is_signed_without_a_yes(relay, home):
    approve = ("updates", "approve", "1.1.0", "--key", home / "anna.key", *trust(home))
    assert "nobody to ask" in relay.ctl(*approve, code=2).stderr
    assert on_terminal("--bus", relay.bus, *approve, typed="\n", env=relay.env)[0] == 1
    assert relay.calls() == []


def test_approving_without_network(relay, home, tmp_path):
    request, approval = tmp_path / "request", tmp_path / "approval"
    relay.ctl("updates", "export-request", "1.1.0", request)
    assert set(cbor2.loads(request.read_bytes())) == {0, 1, 2, 3}
    sign = ("sign", request, "--key", home / "anna.key", "-o", approval, *trust(home))
    assert "nobody to ask" in run(RELAYCTL, *sign, code=2).stderr
    assert digest_of(home / "manifest") in run(RELAYCTL, *sign, "--yes").stdout
    assert relay.calls() == []
    relay.ctl("updates", "import-approval", approval)
    body = verify_sign1(cbor2.loads(bytes.fromhex(relay.calls()[0][1])), public(home / "anna.key.pub"), b"relayd/approval/1")
    assert body[2] == bytes.fromhex(digest_of(home / "manifest"))
    assert "exists" in run(RELAYCTL, *sign, "--yes", code=1).stderr


def test_hostile_requests_are_noticed(home, relay, tmp_path):
    request = tmp_path / "request"
    relay.ctl("updates", "export-request", "1.1.0", request)
    parts = cbor2.loads(request.read_bytes())
    sign = ("sign", request, "--key", home / "anna.key", "-o", tmp_path / "approval", *trust(home), "--yes")
    for change, reason, code in (({3: (home / "mallory.cbor").read_bytes()}, "vendor-keys-fork", 3),
                                 ({1: b"\xd8\x6b\x00"}, "malformed", 3), ({2: b""}, "no site policy", 1),
                                 ({4: b""}, "no approval request", 1), ({0: 2}, "no approval request", 1),
                                 ({4: []}, "no approval request", 1), ({5: [b""] * 17}, "no approval request", 1),
                                 ({6: b""}, "no approval request", 1), ({7: b""}, "no approval request", 1)):
        request.write_bytes(cbor2.dumps({**parts, **change}))
        assert reason in run(RELAYCTL, *sign, code=code).stderr
    request.write_bytes(cbor2.dumps(parts) + b"\x00")
    assert "no approval request" in run(RELAYCTL, *sign, code=1).stderr
    assert not (tmp_path / "approval").exists()
    (tmp_path / "approval").write_bytes(b"\x00")
    assert "malformed" in relay.ctl("updates", "import-approval", tmp_path / "approval", code=3).stderr
    assert relay.calls() == []


def test_publishing_at_the_cloud_without_a_relay(relay, home, tmp_path):
    certificates = tmp_path / "c"
    run(FWTOOL, "ca", "create", "--name", "cloud", "-o", certificates)
    for identity in ("vendor.acme", "ops.acme"):
        run(FWTOOL, "ca", "issue", "--ca", certificates, "--identity", identity, "-o", certificates / identity)
    run(FWTOOL, "ca", "issue", "--ca", certificates, "--identity", "cloud.acme", "--server", "--dns", "127.0.0.1", "-o",
        certificates / "cloud")
    relay.ctl("updates", "export-request", "1.1.0", tmp_path / "request")
    run(RELAYCTL, "sign", tmp_path / "request", "--key", home / "anna.key", "-o", tmp_path / "approval", *trust(home), "--yes")
    make_successors(home, tmp_path)
    cloud = Cloud(tmp_path / "broker", certificates).start()
    try:
        def publish(name, identity, *arguments, code=0):
            return run(RELAYCTL, "publish", name, "--host", "127.0.0.1", "--port", cloud.port, "--ca", certificates / "ca.crt",
                       "--certificate", certificates / f"{identity}.crt", "--key", certificates / f"{identity}.key",
                       "--trust", tmp_path / "trust", *arguments, code=code)

        key_id = hashlib.sha256(spki(public(home / "anna.key.pub"))).hexdigest()[:16]
        by_policy = ("--policy", home / "policy.cbor")
        for name, topic, more in (
                (tmp_path / "approval", f"sites/s1/approvals/{digest_of(home / 'manifest')}/{key_id}", by_policy),
                (home / "policy.cbor", "sites/s1/policy/1", ()), (tmp_path / "policy", "sites/s1/policy/2", ()),
                (tmp_path / "vendor", "sites/s1/vendor/2", ("--site", "s1", *by_policy)),
                (tmp_path / "revocation", "sites/s1/revocations", by_policy)):
            assert f"published as {topic}" in publish(name, "vendor.acme", *more).stdout
            kept = subprocess.run(cloud.client("mosquitto_sub", "ops.acme", "-t", topic, "-C", "1", "-W", "5", "-N"),
                                  capture_output=True).stdout
            assert kept == name.read_bytes()
        assert "refuses" in publish(tmp_path / "approval", "ops.acme", *by_policy, code=3).stderr
        # what too few signed would take the place of what is good
        assert "bad-signature" in publish(home / "gw/etc/relayd/site-policy.cbor", "vendor.acme", code=3).stderr
        good = (tmp_path / "approval").read_bytes()
        (tmp_path / "spoilt").write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
        assert "bad-signature" in publish(tmp_path / "spoilt", "vendor.acme", *by_policy, code=3).stderr
        assert "--policy FILE" in publish(tmp_path / "approval", "vendor.acme", code=2).stderr
        assert "--site NAME is missing" in publish(tmp_path / "vendor", "vendor.acme", code=2).stderr
        assert "--policy FILE" in publish(tmp_path / "revocation", "vendor.acme", code=2).stderr
        assert "wrong-site" in publish(tmp_path / "vendor", "vendor.acme", "--site", "s2", *by_policy, code=3).stderr
        for name, keep, more in (("revocation", 1, by_policy), ("vendor", 3, ("--site", "s1", *by_policy))):
            payload, signatures = cbor2.loads((tmp_path / name).read_bytes())
            (tmp_path / "half").write_bytes(cbor2.dumps([payload, signatures[:keep]]))
            assert "under-signed" in publish(tmp_path / "half", "vendor.acme", *more, code=3).stderr
        (tmp_path / "half").write_bytes(b"nothing")
        assert "malformed" in publish(tmp_path / "half", "vendor.acme", code=3).stderr
        remembered = tmp_path / "trust/s1"
        remembered.mkdir(parents=True)
        (remembered / "site-policy.cbor").write_bytes((home / "policy.cbor").read_bytes())
        publish(tmp_path / "revocation", "vendor.acme")
        run(RELAYCTL, "approvers", "propose", "--after", home / "policy.cbor", "--add-approver", home / "mallory.key.pub",
            "--remove-approver", home / "cecilia.key.pub", "-o", tmp_path / "taken")
        for name in ("anna", "mallory"):  # enough of the new ones, and too few of those before
            run(RELAYCTL, "approvers", "sign", tmp_path / "taken", "--key", home / f"{name}.key", "--after", home / "policy.cbor",
                "--yes")
        assert "under-signed" in publish(tmp_path / "taken", "vendor.acme", code=3).stderr
    finally:
        cloud.stop()


def make_successors(home, folder):
    """A policy, a vendor key set and a revocation, each signed by anna and bertil."""
    run(RELAYCTL, "approvers", "propose", "--after", home / "policy.cbor", "--patience", "10m", "-o", folder / "policy")
    run(FWTOOL, "keys", "create", folder / "developer2")
    run(FWTOOL, "vendor-keys", "create", "--after", home / "vendor.cbor", "--developer", folder / "developer2.pub", "-o",
        folder / "vendor")
    for role in ("organisation", "developer"):
        run(FWTOOL, "vendor-keys", "sign", folder / "vendor", "--after", home / "vendor.cbor", "--key", home / f"{role}.key", "--yes")
    for name, output in (("anna", "-o"), ("bertil", None)):
        key = ("--key", home / f"{name}.key", "--yes")
        run(RELAYCTL, "approvers", "sign", folder / "policy", "--after", home / "policy.cbor", *key)
        run(RELAYCTL, "vendor-keys", "sign", folder / "vendor", "--after", home / "vendor.cbor", "--policy", home / "policy.cbor", *key)
        where = ["-o", folder / "revocation", "--epoch", "1"] if output else [folder / "revocation"]
        run(RELAYCTL, "updates", "revoke", *where, "--policy", home / "policy.cbor", *key)


# ---- audit

def test_audit_log_and_its_chain(relay, tmp_path):
    assert [row["number"] for row in relay.json("audit", "log", "--from", "449")] == [449, 450]
    assert len(relay.json("audit")) == 450
    verify = ("audit", "verify", "--trust", tmp_path)
    assert relay.json(*verify)["records"] == 450
    relay.show(audit=audit_chain(460))
    assert relay.json(*verify) == {"intact": True, "records": 460, "seen_before": 450, "checkpoints": 0, "signed": 0,
                                   "gate_keys": "relay",
                                   "head": hashlib.sha256(bytes.fromhex(audit_chain(460)[-1][1])).hexdigest()}
    relay.show(audit=audit_chain(459))
    assert "broken" in relay.ctl(*verify, code=1).stderr
    for damage in (lambda chain: chain.pop(100), lambda chain: chain.pop(0),
                   lambda chain: chain.__setitem__(7, [8, chain[7][1].replace("6761", "6762", 1)])):
        chain = audit_chain(460)
        damage(chain)
        relay.show(audit=chain)
        assert "broken at record" in relay.ctl(*verify, code=1).stderr


def test_approvers_list(relay, home):
    assert [a["signed"] for a in relay.json("approvers")] == [True, True, False]
    assert "2 of 3 are needed" in relay.ctl("approvers").stdout
    relay.show(policy="")
    assert "approvers import" in relay.ctl("approvers", code=1).stderr


# ---- the command line

def test_manual_names_every_command():
    manual = (ROOT / "docs" / "man" / "relayctl.1.rst").read_text()
    overview = run(RELAYCTL, "--help").stdout
    for noun in run(RELAYCTL, "__complete", "").stdout.split():
        for verb in run(RELAYCTL, "__complete", noun, "").stdout.split() or [""]:
            words = [noun] + ([verb] if verb else [])
            assert " ".join(words) in manual and " ".join(words) in overview
            for option in run(RELAYCTL, "__complete", *words, "--").stdout.split():
                assert option in manual, f"{' '.join(words)} {option}"


def told_commands():
    """Every relayctl command line in the code blocks of docs/ and README.md: (file, words)."""
    for path in sorted([*ROOT.glob("docs/*.md"), ROOT / "README.md"]):
        for block in re.findall(r"^ *```\n(.*?)^ *```", path.read_text(), re.MULTILINE | re.DOTALL):
            for line in block.replace("\\\n", " ").splitlines():
                if line.strip().startswith("relayctl "):
                    yield path.name, shlex.split(line, comments=True)[1:]


@pytest.mark.parametrize("page, words", [pytest.param(*told, id=f"{told[0]}-{number}")
                                         for number, told in enumerate(told_commands())])
def test_documents_name_commands_that_exist(page, words):
    words = words[2:] if words[0] == "-H" else words
    nouns = run(RELAYCTL, "__complete", "").stdout.split()
    assert words[0] in nouns, f"{page}: {words}"
    verbs = run(RELAYCTL, "__complete", words[0], "").stdout.split()
    command = words[:2] if verbs and len(words) > 1 and words[1] in verbs else words[:1]
    options = run(RELAYCTL, "__complete", *command, "--").stdout.split()
    unknown = [word for word in words if word.startswith("--") and word.split("=")[0] not in options]
    assert unknown == [] and (not verbs or len(words) == 1 or words[1] in verbs), f"{page}: {words}"


def test_manual_names_what_is_audited():
    actions = re.findall(r'X\(\w+, "([a-z-]+)"\)', (ROOT / "relayd/audit/audit.h").read_text())
    manual = (ROOT / "docs/man/relayctl.1.rst").read_text()
    assert len(actions) > 10 and [action for action in actions if f"*{action}*" not in manual] == []


def test_bash_completes(tmp_path):
    script = tmp_path / "complete.bash"
    script.write_text(f"""
PATH={RELAYCTL.parent}:$PATH
. {RELAYCTL.parent}/relayctl.bash
COMP_WORDS=(relayctl updates app); COMP_CWORD=2; _relayctl; echo "${{COMPREPLY[@]}}"
COMP_WORDS=(relayctl gate open --f); COMP_CWORD=3; _relayctl; echo "${{COMPREPLY[@]}}"
COMP_WORDS=(relayctl --bus unix:path=x -H gateway dev); COMP_CWORD=5; _relayctl; echo "${{COMPREPLY[@]}}"
COMP_WORDS=(relayctl gate window re); COMP_CWORD=3; _relayctl; echo "${{COMPREPLY[@]}}"
COMP_WORDS=(relayctl country local ''); COMP_CWORD=3; _relayctl; echo "${{COMPREPLY[@]}}"
""")
    shown = subprocess.run(["bash", script], capture_output=True, text=True, check=True).stdout
    assert shown.split() == ["approve", "--for", "devices", "device", "remove", "exempt", "judge"]
