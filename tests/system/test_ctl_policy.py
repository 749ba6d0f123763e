# SPDX-License-Identifier: GPL-2.0-or-later
"""Successors of site policies and vendor key sets: proposed, shown in words, signed by old and new, and walked by approvers."""

import hashlib
import json
import subprocess

import cbor2
import pytest

from lab.ctl import (FWTOOL, RELAYCTL, FakeRelay, make_home, on_terminal, public, raw, run, spki, trust, verify_sign1)

PUMP = "424ae5813cb056ed831de1d93c67b3c5"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = make_home(tmp_path_factory.mktemp("home"))
    for name in ("david", "pump", "gate2"):
        run(RELAYCTL, "keys", "create", folder / f"{name}.key")
    return folder


@pytest.fixture(scope="module")
def shared(tmp_path_factory, home):
    relay = FakeRelay(tmp_path_factory.mktemp("relay"), home)
    yield relay
    relay.close()


@pytest.fixture
def relay(shared):
    shared.reset()
    return shared


def cose(path):
    return {1: 1, -1: 6, -2: raw(public(path))}


def key_id(path):
    return hashlib.sha256(spki(public(path))).hexdigest()[:16]


def payload_of(path):
    return cbor2.loads(path.read_bytes())[0]


def body_of(path):
    return cbor2.loads(payload_of(path))


def propose(home, out, *arguments, after="policy.cbor", code=0, env=None):
    return run(RELAYCTL, "approvers", "propose", "--after", home / after if after else "current", "-o", out, *arguments,
               code=code, env=env)


def sign(home, path, name, *arguments, code=0, after="policy.cbor", env=None):
    if after:
        arguments = ("--after", home / after, *arguments)
    return run(RELAYCTL, "approvers", "sign", path, "--key", home / f"{name}.key", "--yes", *arguments, code=code, env=env)


def successor(home, out, *arguments, signers=("anna", "bertil"), after="policy.cbor"):
    propose(home, out, *arguments, after=after)
    for name in signers:
        sign(home, out, name, after=after)
    return out


# ---- proposing

def test_a_successor_names_the_vendor_keys_that_come_first(home, relay, tmp_path):
    propose(home, tmp_path / "plain")
    assert 17 not in body_of(tmp_path / "plain")
    done = propose(home, tmp_path / "file", "--vendor-keys", home / "vendor.cbor")
    assert body_of(tmp_path / "file")[17] == 1 and "vendor key set needed" in done.stdout
    relay.ctl("approvers", "propose", "--after", "current", "-o", tmp_path / "relay", "--patience", "20m")
    assert body_of(tmp_path / "relay")[17] == 1


def test_a_successor_changes_only_what_is_said(home, tmp_path):
    done = propose(home, tmp_path / "next", "--patience", "10m")
    before, after = body_of(home / "policy.cbor"), body_of(tmp_path / "next")
    assert after.pop(2) == 2 and after.pop(3) == hashlib.sha256(payload_of(home / "policy.cbor")).digest()
    assert after.pop(10) == 600 and after.pop(12) >= before.pop(12)
    del before[2], before[10]
    assert after == before
    said = done.stdout.split("It changes, against epoch 1:\n")[1].split("\n\n")[0].splitlines()
    assert said == ["  - patience in seconds: 600, until now 0"]


def test_everything_that_a_policy_can_say(home, tmp_path):
    gate_pin, cloud_pin = "12" * 32, "34" * 32
    done = propose(
        home, tmp_path / "next", "--add-approver", home / "david.key.pub", "--remove-approver", key_id(home / "cecilia.key.pub"),
        "--gate", f"{home}/gate2.key.pub address=10.0.0.9:9883 pin={gate_pin} for=device-2,device-3", "--no-ticket",
        "--endpoint", f"relay 10.0.0.2 certificate={home}/gw/etc/relayd/relay.crt backup={'56' * 32} place=1",
        "--endpoint", f"cloud 127.0.0.1:18883 pin={cloud_pin}", "--remove-endpoint", "127.0.0.1:8883",
        "--approval-epoch", "4", "--grant", f"{home}/pump.key.pub=pump.on,pump.off@class:pump", "--vendor-commands",
        "diagnostics.*,log.level", "--rule", "urgency=security,urgent class=plant-care after=7d window='Sun 02:00-04:00' "
        "window='Mon-Fri 22:00-05:00'", "--rule", f"urgency=routine class={PUMP}", "--time-zone", "Europe/Helsinki",
        "--domain", "acme.example", "--threshold", "3")
    body = body_of(tmp_path / "next")
    assert body[4] == [cose(home / f"{name}.key.pub") for name in ("anna", "bertil", "david")] and body[5] == 3
    assert body[6] == [{0: cose(home / "gw/etc/relayd/keys/gate.key.pub")},
                       {0: cose(home / "gate2.key.pub"), 1: "10.0.0.9", 2: 9883, 3: bytes.fromhex(gate_pin),
                        5: [2, ["device-2", "device-3"]]}]
    relay_pin = hashlib.sha256(spki(public(home / "gw/etc/relayd/keys/relay.key.pub"))).digest()
    assert body[7] == [{0: 0, 1: "10.0.0.2", 2: 8883, 3: relay_pin, 4: bytes.fromhex("56" * 32)},
                       {0: 1, 1: "127.0.0.1", 2: 18883, 3: bytes.fromhex(cloud_pin)}]
    assert body[9] is False and body[11] == 4 and body[16] == "Europe/Helsinki"
    pump = body[13][0][2][1]
    assert body[13] == [{0: cose(home / "pump.key.pub"), 1: ["pump.on", "pump.off"], 2: [1, pump]}] and pump.hex() != PUMP
    assert body[14] == ["diagnostics.*", "log.level"]
    nights = [[day * 1440 + 1320, 420] for day in range(5)]
    assert body[15] == [{0: ["security", "urgent"], 1: [1, bytes.fromhex(PUMP)], 2: 7 * 86400, 3: [[6 * 1440 + 120, 120], *nights]},
                        {0: ["routine"], 1: [1, bytes.fromhex(PUMP)], 2: 0}]
    words = done.stdout
    for line in (f"approver {key_id(home / 'david.key.pub')}: comes", f"approver {key_id(home / 'cecilia.key.pub')}: goes",
                 "approvals needed (k): 3, until now 2", "ticket needed: no, until now yes", "approval epoch: 4, until now 0",
                 "time zone of windows: Europe/Helsinki, until now -", "vendor's command keys may run diagnostics.*: comes",
                 f"command key {key_id(home / 'pump.key.pub')} may run pump.on, pump.off on class:{pump.hex()}: comes",
                 "10.0.0.9 port 9883", "approved by nobody, 604800 seconds after it was offered, Sun 02:00-04:00, Mon 22:00-05:00",
                 "endpoint 1: relay 10.0.0.2 port 8883"):
        assert line in words, line
    for warning in ("all 3 approvers", "without anybody saying yes", "no ticket is needed"):
        assert warning in done.stderr
    shown = json.loads(run(RELAYCTL, "approvers", "show", tmp_path / "next", "--after", home / "policy.cbor", "--json").stdout)
    assert shown["rules"][0]["windows"][0] == "Sun 02:00-04:00" and len(shown["changes"]) > 10
    assert shown["digest"] == hashlib.sha256(payload_of(tmp_path / "next")).hexdigest()
    # and each of it goes again
    sign_all = ("anna", "bertil", "cecilia", "david")
    for name in sign_all:
        sign(home, tmp_path / "next", name)
    propose(tmp_path, tmp_path / "third", "--remove-gate", home / "gate2.key.pub", "--ticket", "--remove-grant",
            home / "pump.key.pub", "--vendor-commands", "", "--remove-rules", "--threshold", "2", after="next")
    body = body_of(tmp_path / "third")
    assert len(body[6]) == 1 and body[9] is True and body[5] == 2 and not {13, 14, 15} & set(body) and body[16]


def test_warnings(home, tmp_path):
    for arguments, warning in (
            (["--no-ticket"], "no ticket is needed"), (["--no-ticket"], "the policy names a gate"),
            (["--vendor-commands", "*"], "every command"), (["--threshold", "3"], "all 3 approvers"),
            (["--approver", home / "anna.key.pub", "--threshold", "1"], "one approver alone")):
        assert warning in propose(home, tmp_path / "next", *arguments).stderr
        (tmp_path / "next").unlink()
    assert propose(home, tmp_path / "next").stderr == ""


@pytest.mark.parametrize("arguments, message", [
    (["--add-approver", "anna.key.pub"], "an approver's already"), (["--remove-approver", "0123456789abcdef"], "fits 0 keys"),
    (["--remove-approver", "david.key.pub"], "no such key"), (["--threshold", "1"], "2 to 3 are allowed"),
    (["--add-approver", "david.key.pub"], "3 to 4 are allowed, and until now 2"), (["--site", "s2"], "of site s1"),
    (["--grant", "pump.key.pub"], "KEYFILE=COMMAND"), (["--grant", "pump.key.pub=Pump"], "no command's name"),
    (["--grant", "pump.key.pub=*.on"], "no command's name"), (["--grant", "pump.key.pub="], "KEYFILE=COMMAND"),
    (["--grant", "pump.key.pub=a@class:pump"], "a name needs its vendor"), (["--grant", "pump.key.pub=a@D_1"], "no device's name"),
    (["--rule", "urgency=security"], None), (["--rule", "after=7d"], "urgency=WORD"), (["--rule", "urgency=a after=soon"], "a duration"),
    (["--rule", "urgency=a window='Sun 2-4'"], "a window such as"), (["--rule", "urgency=a window='Sun 02:00-04:00"], "is needed"),
    (["--rule", "urgency=a,b,c,d,e"], "1 to 4 urgencies"), (["--rule", "urgency=a nonsense=b"], "is needed"),
    (["--rule", "urgency=a window='daily 01:00-02:00' window='Mon-Tue 03:00-04:00'"], "at most 8 windows"),
    (["--gate", "gate2.key.pub address=10.0.0.9"], "is needed"), (["--gate", "gate2.key.pub pin=12"], "64 hexadecimal"),
    (["--gate", f"gate2.key.pub pin={'12' * 32}"], "is needed"), (["--gate", "address=a:1"], "is needed"),
    (["--endpoint", "relay"], "is needed"), (["--endpoint", "door 1.2.3.4 pin=" + "12" * 32], "is needed"),
    (["--endpoint", "relay 1.2.3.4"], "is needed"), (["--remove-endpoint", "1.2.3.4:5"], "no such endpoint"),
    (["--time-zone", "../etc/passwd"], "--time-zone"), (["--approval-epoch", "-1"], "never falls"),
    (["--ticket", "--no-ticket"], "exclude each other"), (["--patience", "0"], "--patience"),
    (["--remove-gate", "gw/etc/relayd/keys/gate.key.pub"], "tickets need a gate")])
def test_what_makes_no_policy(home, tmp_path, arguments, message):
    done = subprocess.run([RELAYCTL, "approvers", "propose", "--after", home / "policy.cbor", "-o", tmp_path / "next", *arguments],
                          cwd=home, capture_output=True, text=True, timeout=60)
    if message is None:
        assert done.returncode == 0, done.stderr
        return
    assert done.returncode == 2 and message in done.stderr, done.stderr
    assert not (tmp_path / "next").exists()


def test_a_first_policy_knows_no_changes(home, tmp_path):
    done = run(RELAYCTL, "approvers", "propose", "--site", "s1", "--approver", home / "anna.key.pub", "--add-approver",
               home / "bertil.key.pub", "-o", tmp_path / "p", code=2)
    assert "--after" in done.stderr


# ---- signing

def test_old_and_new_approvers_sign(home, tmp_path):
    propose(home, tmp_path / "next", "--add-approver", home / "david.key.pub", "--remove-approver", home / "cecilia.key.pub")
    done = sign(home, tmp_path / "next", "david")
    assert "1 of 2 signatures, and 0 of 2 of the approvers in force until now. Hand" in done.stdout
    done = sign(home, tmp_path / "next", "cecilia")
    assert "1 of 2 signatures, and 1 of 2 of the approvers" in done.stdout and "Hand" in done.stdout
    assert f"approver {key_id(home / 'cecilia.key.pub')}: goes" in done.stdout
    assert "would not count" in sign(home, tmp_path / "next", "mallory", code=1).stderr
    assert "already signed" in sign(home, tmp_path / "next", "david", code=1).stderr
    done = sign(home, tmp_path / "next", "anna")
    assert "2 of 2 signatures, and 2 of 2 of the approvers in force until now; it is complete" in done.stdout
    payload, signatures = cbor2.loads((tmp_path / "next").read_bytes())
    for signature, name in zip(signatures, ("david", "cecilia", "anna")):
        verify_sign1(signature, public(home / f"{name}.key.pub"), b"relayd/site-policy/1", payload)
    shown = json.loads(run(RELAYCTL, "approvers", "show", tmp_path / "next", "--after", home / "policy.cbor", "--json").stdout)
    assert set(shown["signed_by"]) == {key_id(home / f"{name}.key.pub") for name in ("anna", "david")}
    assert set(shown["old_signed_by"]) == {key_id(home / f"{name}.key.pub") for name in ("anna", "cecilia")}


def test_nobody_signs_what_he_was_not_shown(home, tmp_path):
    propose(home, tmp_path / "next", "--add-approver", home / "david.key.pub", "--remove-approver", home / "cecilia.key.pub")
    before = (tmp_path / "next").read_bytes()
    code, shown = on_terminal("approvers", "sign", tmp_path / "next", "--key", home / "anna.key", "--after",
                              home / "policy.cbor", typed="n\n", columns=200)
    digest = hashlib.sha256(payload_of(tmp_path / "next")).hexdigest()
    assert code == 1 and " ".join(digest[i:i + 4] for i in range(0, 32, 4)) in shown and ": goes" in shown
    assert (tmp_path / "next").read_bytes() == before
    assert "nobody to ask" in run(RELAYCTL, "approvers", "sign", tmp_path / "next", "--key", home / "anna.key", "--after",
                                  home / "policy.cbor", code=2).stderr


def test_a_successor_of_something_else_is_not_signed(home, tmp_path):
    env = {"XDG_CONFIG_HOME": str(tmp_path / "nothing")}
    propose(home, tmp_path / "next", "--patience", "10m")
    assert "does not know" in sign(home, tmp_path / "next", "anna", after=None, env=env, code=1).stderr
    for name in ("anna", "bertil"):
        sign(home, tmp_path / "next", name)
    propose(tmp_path, tmp_path / "third", "--patience", "20m", after="next")
    assert "policy-gap" in sign(home, tmp_path / "third", "anna", code=3).stderr
    (tmp_path / "anna.key").write_bytes((home / "anna.key").read_bytes())
    assert "old-policy" in sign(tmp_path, tmp_path / "next", "anna", after="next", code=3).stderr
    other = successor(home, tmp_path / "other", "--patience", "30m")
    propose(tmp_path, tmp_path / "fork", "--patience", "1m", after="other")
    assert other and "policy-fork" in sign(tmp_path, tmp_path / "fork", "anna", after="next", code=3).stderr
    body = body_of(tmp_path / "third")
    (tmp_path / "lower").write_bytes(cbor2.dumps([cbor2.dumps({**body, 12: body[12] - 1000}), []]))
    assert "policy-invalid" in sign(tmp_path, tmp_path / "lower", "anna", after="next", code=3).stderr


def test_a_policy_that_nobody_signed_is_no_base(home, tmp_path):
    propose(home, tmp_path / "next")
    assert "bad-signature" in propose(tmp_path, tmp_path / "third", after="next", code=3).stderr


# ---- importing, and approvers who look again

def test_import_of_a_successor_is_judged_here_first(relay, home, tmp_path):
    propose(home, tmp_path / "next", "--patience", "10m")
    assert "nobody has signed" in relay.ctl("approvers", "import", tmp_path / "next", code=3).stderr
    sign(home, tmp_path / "next", "anna")
    assert "under-signed" in relay.ctl("approvers", "import", tmp_path / "next", code=3).stderr
    sign(home, tmp_path / "next", "cecilia")
    assert "epoch 2" in relay.ctl("approvers", "import", tmp_path / "next").stdout
    assert relay.calls() == [["ImportSitePolicy", (tmp_path / "next").read_bytes().hex()]]
    relay.show(policy=(tmp_path / "next").read_bytes().hex())
    assert "old-policy" in relay.ctl("approvers", "import", tmp_path / "next", code=3).stderr
    code, shown = on_terminal("--bus", relay.bus, "approvers", "import", home / "policy.cbor", typed="n\n", env=relay.env)
    assert code == 1 and "the approvers compared" in shown and len(relay.calls()) == 1


def remember(relay, home):
    """This machine has compared the policy and the vendor key set of epoch 1."""
    folder = relay.folder / "config/relayd/trust/s1"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "site-policy.cbor").write_bytes((home / "policy.cbor").read_bytes())
    (folder / "vendor-keys.cbor").write_bytes((home / "vendor.cbor").read_bytes())
    return folder


def approve(relay, home, *arguments, code=0, key="anna"):
    return relay.ctl("updates", "approve", "1.1.0", "--key", home / f"{key}.key", "--yes", *arguments, code=code)


def chain(home, folder):
    second = successor(home, folder / "second", "--add-approver", home / "david.key.pub", "--remove-approver",
                       home / "cecilia.key.pub")
    third = successor(folder, folder / "third", "--patience", "10m", signers=(), after="second")
    for name in ("anna", "david"):
        run(RELAYCTL, "approvers", "sign", third, "--key", home / f"{name}.key", "--after", second, "--yes")
    return second, third


def test_an_approver_walks_the_chain_and_remembers(relay, home, tmp_path):
    second, third = chain(home, tmp_path)
    folder = remember(relay, home)
    relay.show(policy=third.read_bytes().hex(), policies={"2": second.read_bytes().hex()})
    done = approve(relay, home)
    assert "epoch 1 became 3" in done.stderr and f"approver {key_id(home / 'david.key.pub')}: comes" in done.stderr
    assert (folder / "site-policy.cbor").read_bytes() == third.read_bytes()
    assert "became" not in approve(relay, home, key="david").stderr
    assert "not-an-approver" in approve(relay, home, key="cecilia", code=3).stderr
    # the relay goes back to what it had
    relay.show(policy=second.read_bytes().hex())
    assert "old-policy" in approve(relay, home, code=3).stderr
    assert (folder / "site-policy.cbor").read_bytes() == third.read_bytes()


def test_a_policy_that_does_not_descend_is_refused_loudly(relay, home, tmp_path):
    second, third = chain(home, tmp_path)
    folder = remember(relay, home)
    relay.show(policy=third.read_bytes().hex())  # without the one between
    done = approve(relay, home, code=3)
    assert "policy-gap" in done.stderr and "do not approve before you know why" in done.stderr
    fork = successor(home, tmp_path / "fork", "--patience", "1m")
    relay.show(policy=third.read_bytes().hex(), policies={"2": fork.read_bytes().hex()})
    assert "under-signed" in approve(relay, home, code=3).stderr  # anna alone of those whom the fork names
    run(RELAYCTL, "approvers", "sign", third, "--key", home / "bertil.key", "--after", second, "--yes")
    relay.show(policy=third.read_bytes().hex())
    assert "policy-fork" in approve(relay, home, code=3).stderr
    payload, signatures = cbor2.loads(second.read_bytes())
    relay.show(policy=third.read_bytes().hex(), policies={"2": cbor2.dumps([payload, signatures[:1]]).hex()})
    assert "under-signed" in approve(relay, home, code=3).stderr
    assert (folder / "site-policy.cbor").read_bytes() == (home / "policy.cbor").read_bytes() and relay.calls() == []


def test_a_trusted_file_may_be_older(relay, home, tmp_path):
    second, third = chain(home, tmp_path)
    relay.show(policy=third.read_bytes().hex(), policies={"2": second.read_bytes().hex()})
    approve(relay, home, *trust(home))
    approve(relay, home, "--policy", third, "--vendor-keys", home / "vendor.cbor")
    assert len(relay.calls()) == 2 and (home / "policy.cbor").read_bytes() != third.read_bytes()
    relay.show(policy=second.read_bytes().hex())
    assert "old-policy" in approve(relay, home, "--policy", third, "--vendor-keys", home / "vendor.cbor", code=3).stderr


def test_a_signer_without_network_uses_what_he_remembers(relay, home, tmp_path):
    remember(relay, home)
    propose(home, tmp_path / "next", "--patience", "10m")
    done = sign(home, tmp_path / "next", "anna", after=None, env=relay.env)
    assert "patience in seconds: 600, until now 0" in done.stdout


def test_a_request_file_carries_the_chain(relay, home, tmp_path):
    second, third = chain(home, tmp_path)
    relay.show(policy=third.read_bytes().hex(), policies={"1": (home / "policy.cbor").read_bytes().hex(),
                                                          "2": second.read_bytes().hex()})
    relay.ctl("updates", "export-request", "1.1.0", tmp_path / "request")
    parts = cbor2.loads((tmp_path / "request").read_bytes())
    assert parts[4] == [(home / "policy.cbor").read_bytes(), second.read_bytes()] and 5 not in parts and 6 not in parts
    offline = ("sign", tmp_path / "request", "--yes", *trust(home), "-o", tmp_path / "approval")
    assert "epoch 1 became 3" in run(RELAYCTL, *offline, "--key", home / "david.key").stderr
    (tmp_path / "approval").unlink()
    for change in ({4: [second.read_bytes()]}, {4: [second.read_bytes(), b"x"]}):
        (tmp_path / "request").write_bytes(cbor2.dumps({**parts, **change}))
        run(RELAYCTL, *offline, "--key", home / "david.key")
        (tmp_path / "approval").unlink()
    for change in ({4: [third.read_bytes()]}, {4: [b"x"]}):
        (tmp_path / "request").write_bytes(cbor2.dumps({**parts, **change}))
        assert "policy-gap" in run(RELAYCTL, *offline, "--key", home / "david.key", code=3).stderr
        assert not (tmp_path / "approval").exists()


# ---- vendor key sets

@pytest.fixture
def vendor2(home, tmp_path):
    """The vendor changes his developer key; his old keys have signed."""
    run(FWTOOL, "keys", "create", tmp_path / "developer2.key")
    return vendor_successor(home, tmp_path / "vendor2", "--developer", tmp_path / "developer2.key.pub")


def vendor_successor(home, out, *arguments, signers=("organisation", "developer")):
    run(FWTOOL, "vendor-keys", "create", "--after", home / "vendor.cbor", "-o", out, *arguments)
    for name in signers:
        run(FWTOOL, "vendor-keys", "sign", out, "--after", home / "vendor.cbor", "--key", home / f"{name}.key", "--yes")
    return out


def sign_vendor(home, path, name, *arguments, code=0):
    return run(RELAYCTL, "vendor-keys", "sign", path, "--key", home / f"{name}.key", "--yes", "--policy", home / "policy.cbor",
               "--after", home / "vendor.cbor", *arguments, code=code)


def test_a_vendor_key_set_needs_vendor_and_site(relay, home, vendor2, tmp_path):
    body = body_of(vendor2)
    assert body[2] == 2 and body[6] == hashlib.sha256(payload_of(home / "vendor.cbor")).digest()
    assert body[3] == [cose(home / "organisation.key.pub")] and body[4] == [cose(tmp_path / "developer2.key.pub")]
    done = sign_vendor(home, vendor2, "anna")
    assert f"developer key {key_id(tmp_path / 'developer2.key.pub')} comes" in done.stdout
    assert f"developer key {key_id(home / 'developer.key.pub')} goes" in done.stdout and "1 of 2 approvers. Hand" in done.stdout
    assert "under-signed" in relay.ctl("vendor-keys", "import", vendor2, code=3).stderr
    assert "it is complete" in sign_vendor(home, vendor2, "cecilia").stdout
    relay.ctl("vendor-keys", "import", vendor2)
    assert relay.calls() == [["ImportVendorKeys", vendor2.read_bytes().hex()]]
    payload, signatures = cbor2.loads(vendor2.read_bytes())
    for signature, name in zip(signatures, ("organisation", "developer", "anna", "cecilia")):
        verify_sign1(signature, public(home / f"{name}.key.pub"), b"relayd/vendor-keys/1", payload)
    shown = json.loads(run(RELAYCTL, "vendor-keys", "show", vendor2, "--json").stdout)
    assert shown["epoch"] == 2 and shown["digest"] == hashlib.sha256(payload).hexdigest()


def test_an_approver_signs_only_what_the_vendor_signed(home, tmp_path):
    half = vendor_successor(home, tmp_path / "half", "--command", home / "pump.key.pub", signers=("organisation",))
    assert "developer-signature" in sign_vendor(home, half, "anna", code=3).stderr
    none = vendor_successor(home, tmp_path / "none", "--command", home / "pump.key.pub", signers=("developer",))
    assert "organisation-signature" in sign_vendor(home, none, "anna", code=3).stderr
    shared = vendor_successor(home, tmp_path / "shared", "--command", home / "bertil.key.pub")
    assert "names a key of this site" in sign_vendor(home, shared, "anna", code=3).stderr
    assert "old-vendor-keys" in sign_vendor(home, home / "vendor.cbor", "anna", code=3).stderr
    good = vendor_successor(home, tmp_path / "good", "--command", home / "pump.key.pub")
    assert "would not count" in sign_vendor(home, good, "mallory", code=1).stderr
    other = cbor2.loads(payload_of(good))
    for change, reason in (({6: bytes(32)}, "vendor-keys-fork"), ({2: 3}, "vendor-keys-gap"), ({1: bytes(16)}, "wrong-vendor")):
        (tmp_path / "other").write_bytes(cbor2.dumps([cbor2.dumps({**other, **change}), []]))
        assert reason in sign_vendor(home, tmp_path / "other", "anna", code=3).stderr


def test_the_relays_vendor_key_set_is_the_base(relay, home, vendor2):
    remember(relay, home)
    done = relay.ctl("vendor-keys", "sign", vendor2, "--key", home / "anna.key", "--yes")
    assert "1 of 2 approvers" in done.stdout
    relay.show(vendor=(home / "mallory.cbor").read_bytes().hex())
    assert "vendor-keys-fork" in relay.ctl("vendor-keys", "sign", vendor2, "--key", home / "bertil.key", "--yes", code=3).stderr


def test_an_approver_walks_the_vendors_chain(relay, home, vendor2):
    folder = remember(relay, home)
    relay.show(vendor=vendor2.read_bytes().hex())
    assert "under-signed" in approve(relay, home, code=3).stderr
    for name in ("bertil", "cecilia"):
        sign_vendor(home, vendor2, name)
    relay.show(vendor=vendor2.read_bytes().hex())
    done = approve(relay, home, code=3)  # the manifest is not signed by the new developer
    assert "vendor key set has changed" in done.stderr and "developer-signature" in done.stderr
    assert (folder / "vendor-keys.cbor").read_bytes() == vendor2.read_bytes()
    relay.show(vendor=(home / "vendor.cbor").read_bytes().hex())
    assert "old-vendor-keys" in approve(relay, home, code=3).stderr


def test_a_vendor_key_set_is_judged_by_the_policy_of_its_time(relay, home, vendor2, tmp_path):
    """Cecilia signed the vendor's new keys and then left: what she signed then still counts, what she signs now does not."""
    for name in ("bertil", "cecilia"):
        sign_vendor(home, vendor2, name)
    gone = successor(home, tmp_path / "gone", "--add-approver", home / "david.key.pub", "--remove-approver",
                     home / "cecilia.key.pub", "--vendor-keys", vendor2)
    assert body_of(gone)[17] == 2
    folder = remember(relay, home)
    relay.show(policy=gone.read_bytes().hex(), vendor=vendor2.read_bytes().hex(),
               policies={"1": (home / "policy.cbor").read_bytes().hex()})
    approve(relay, home, code=3)  # the manifest is not signed by the new developer
    assert (folder / "vendor-keys.cbor").read_bytes() == vendor2.read_bytes()
    # another policy in the place of the one before is noticed
    remember(relay, home)
    relay.show(policies={"1": gone.read_bytes().hex()})
    assert "policy-gap" in approve(relay, home, code=3).stderr
    # a policy that does not name the new set: cecilia is no approver when it is judged
    remember(relay, home)
    late = successor(home, tmp_path / "late", "--add-approver", home / "david.key.pub", "--remove-approver",
                     home / "cecilia.key.pub", "--vendor-keys", home / "vendor.cbor")
    relay.show(policy=late.read_bytes().hex(), policies={"1": (home / "policy.cbor").read_bytes().hex()})
    assert "under-signed" in approve(relay, home, code=3).stderr
