# SPDX-License-Identifier: GPL-2.0-or-later
"""What people of the site decide by relayctl: approvals with scope and window, revocations, the gate, commands to devices."""

import calendar
import hashlib
import json
import time

import cbor2
import pytest

from lab.ctl import (RELAYCTL, FakeRelay, digest_of, make_home, on_terminal, public, run, spki, trust, update_of, verify_sign1)

HELSINKI = "EET-2EEST,M3.5.0/3,M10.5.0/4"  # by itself, so that no time zone database is needed
PUMP = "424ae5813cb056ed831de1d93c67b3c5"  # class plant-care of acme.example


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = make_home(tmp_path_factory.mktemp("home"))
    for name in ("pump", "other"):
        run(RELAYCTL, "keys", "create", folder / f"{name}.key")
    run(RELAYCTL, "approvers", "propose", "--after", folder / "policy.cbor", "-o", folder / "grants.cbor", "--approval-epoch", "3",
        "--grant", f"{folder}/pump.key.pub=pump.on,pump.off@device-1,device-2")
    for name in ("anna", "bertil"):
        run(RELAYCTL, "approvers", "sign", folder / "grants.cbor", "--after", folder / "policy.cbor", "--key",
            folder / f"{name}.key", "--yes")
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


def key_id(path):
    return hashlib.sha256(spki(public(path))).hexdigest()[:16]


# ---- approvals

def approve(relay, home, *arguments, code=0, env=None):
    return run(RELAYCTL, "--bus", relay.bus, "updates", "approve", "1.1.0", "--key", home / "anna.key", *trust(home), "--yes",
               *arguments, code=code, env={**relay.env, "TZ": HELSINKI, **(env or {})})


def sent(relay, home):
    (_, approval), = relay.calls()
    relay.reset()
    return verify_sign1(cbor2.loads(bytes.fromhex(approval)), public(home / "anna.key.pub"), b"relayd/approval/1")


def helsinki(*date):
    return calendar.timegm((*date, 0, 0)[:9]) - 2 * 3600  # in winter


@pytest.mark.parametrize("arguments, field, expected, words", [
    ([], 3, [0], "for the whole site s1, from now on, until it is revoked (approval epoch 0)"),
    (["--class"], 3, [1, bytes.fromhex(PUMP)], f"every device of class {PUMP} of site s1"),
    (["--device", "device-2", "--device", "device-9"], 3, [2, ["device-2", "device-9"]], "only device-2, device-9 of site s1"),
    (["--not-before", "2030-12-24 18:00"], 4, helsinki(2030, 12, 24, 18, 0, 0), "from 2030-12-24 18:00"),
    (["--not-before", "2030-12-24"], 4, helsinki(2030, 12, 24, 0, 0, 0), "from 2030-12-24 00:00"),
    (["--not-after", "2030-12-24"], 5, helsinki(2030, 12, 24, 23, 59, 59), "until 2030-12-24 23:59"),
    (["--not-after", "2030-12-24T07:30:05"], 5, helsinki(2030, 12, 24, 7, 30, 5), "until 2030-12-24 07:30"),
])
def test_scope_and_window_are_said_in_words(relay, home, arguments, field, expected, words):
    done = approve(relay, home, *arguments)
    digest = digest_of(home / "manifest")
    assert words in done.stdout and " ".join(digest[i:i + 4] for i in range(0, 32, 4)) in done.stdout
    assert sent(relay, home)[field] == expected


def test_a_window_from_now_on(relay, home):
    approve(relay, home, "--not-before", "2h", "--not-after", "7d")
    body = sent(relay, home)
    assert abs(body[4] - time.time() - 7200) < 120 and abs(body[5] - time.time() - 7 * 86400) < 120


@pytest.mark.parametrize("arguments", [
    ["--not-after", "yesterday"], ["--not-after", "2020-01-01"], ["--not-after", "2030-02-30"], ["--not-before", "12:00"],
    ["--not-before", "2030-12-24 25:00"], ["--not-before", "2030-12-24 18:00 "], ["--not-before", "2030-13-01"],
    ["--not-before", " 2030-12-24"], ["--not-before", "2030-03-31 03:30"], ["--not-before", "2d", "--not-after", "1d"],
    ["--class", "--device", "device-1"], ["--device", "Device"]])
def test_what_is_no_approval(relay, home, arguments):
    approve(relay, home, *arguments, code=2)
    assert relay.calls() == []


def test_the_words_come_before_the_question(relay, home):
    code, shown = on_terminal("--bus", relay.bus, "updates", "approve", "1.1.0", "--key", home / "anna.key", *trust(home),
                              "--device", "device-1", typed="n\n", env=relay.env)
    assert code == 1 and relay.calls() == []
    assert "Approve this manifest digest" in shown.split("You sign: yes to exactly this manifest, for only device-1")[1]


def test_an_approver_who_approved_before_is_told(relay, home):
    relay.show(updates=[update_of(home / "manifest", Approvals=[key_id(home / "anna.key.pub")])])
    assert "You approved this update before" in approve(relay, home).stdout
    relay.show(updates=[update_of(home / "manifest", Approvals=[key_id(home / "bertil.key.pub")])])
    assert "before" not in approve(relay, home).stdout


def test_updates_tell_age_rule_and_refusal(relay, home):
    now = int(time.time())
    rule = "security for the site, 7 d after the offer: not yet"
    relay.show(updates=[update_of(home / "manifest", Received=now - 3 * 86400 - 60, Rule=rule)])
    assert "3 d" in relay.ctl("updates").stdout and "security" in relay.ctl("updates").stdout
    shown = relay.ctl("updates", "show", "1.1.0").stdout
    assert rule in shown and "3 d" in shown
    relay.show(updates=[update_of(home / "manifest", Received=now - 600, State="denied", DeniedBecause="pumps\x1b[2J run")])
    shown = relay.ctl("updates", "show", "1.1.0").stdout
    assert "pumps?[2J run" in shown and "10 min" not in shown
    assert relay.json("updates")[0]["DeniedBecause"] == "pumps\x1b[2J run"


# ---- revocations

def revoke(relay, *arguments, code=0):
    return relay.ctl("updates", "revoke", *arguments, code=code)


def test_a_revocation_goes_from_approver_to_approver(relay, home, tmp_path):
    relay.show(updates=[update_of(home / "manifest", Approvals=[key_id(home / "anna.key.pub")], State="approved")])
    path, more = tmp_path / "revocation", ("--policy", home / "policy.cbor", "--yes")
    done = revoke(relay, "-o", path, "--key", home / "anna.key", *more)
    assert key_id(home / "anna.key.pub") in done.stdout and "1.1.0" in done.stdout and "1 of 2 signatures. Hand" in done.stdout
    assert "under-signed" in revoke(relay, path, "--send", *more, code=3).stderr
    assert "already signed" in revoke(relay, path, "--key", home / "anna.key", *more, code=1).stderr
    assert "not-an-approver" in revoke(relay, path, "--key", home / "mallory.key", *more, code=3).stderr
    assert relay.calls() == []
    assert json.loads(revoke(relay, "-o", tmp_path / "other", "--key", home / "anna.key", *more, "--json").stdout)["needed"] == 2
    shown = json.loads(revoke(relay, path, "--json", *more).stdout)
    assert shown["signed_by"] == [key_id(home / "anna.key.pub")] and shown["epoch"] == 1
    done = revoke(relay, path, "--key", home / "bertil.key", "--send", *more)
    assert "no longer count" in done.stdout
    assert relay.calls() == [["Revoke", path.read_bytes().hex()]]
    payload, signatures = cbor2.loads(path.read_bytes())
    body = cbor2.loads(payload)
    assert body[0] == 1 and body[1] == "s1" and body[2] == 1 and abs(body[3] - time.time()) < 120
    for signature, name in zip(signatures, ("anna", "bertil")):
        verify_sign1(signature, public(home / f"{name}.key.pub"), b"relayd/revocation/1", payload)


def test_the_next_revocation_and_approval_are_above_the_last(relay, home, tmp_path):
    for path, name in ((tmp_path / "first", "anna"), (tmp_path / "first", "bertil")):
        where = [path] if path.exists() else ["-o", path]
        revoke(relay, *where, "--key", home / f"{name}.key", "--policy", home / "policy.cbor", "--yes")
    relay.show(revocation=(tmp_path / "first").read_bytes().hex())
    revoke(relay, "-o", tmp_path / "second", "--key", home / "anna.key", "--policy", home / "policy.cbor", "--yes")
    assert cbor2.loads(cbor2.loads((tmp_path / "second").read_bytes())[0])[2] == 2
    assert "old-epoch" in revoke(relay, tmp_path / "first", "--key", home / "cecilia.key", "--policy", home / "policy.cbor",
                                 "--yes", code=3).stderr
    approve(relay, home)
    (_, approval), = relay.calls()
    assert cbor2.loads(cbor2.loads(bytes.fromhex(approval)).value[2])[6] == 1
    # one that the relay made up
    payload, signatures = cbor2.loads((tmp_path / "first").read_bytes())
    relay.reset()
    relay.show(revocation=cbor2.dumps([payload, signatures[:1]]).hex())
    done = approve(relay, home)
    assert "under-signed" in done.stderr and sent(relay, home)[6] == 0


def test_revoking_while_no_relay_answers(home, tmp_path):
    path = tmp_path / "revocation"
    policy = ("--policy", home / "grants.cbor", "--yes")
    assert "above 3" in run(RELAYCTL, "updates", "revoke", "-o", path, "--epoch", "3", "--key", home / "anna.key", *policy,
                            code=2).stderr
    run(RELAYCTL, "updates", "revoke", "-o", path, "--epoch", "9", "--key", home / "anna.key", *policy)
    done = run(RELAYCTL, "updates", "revoke", path, "--key", home / "cecilia.key", *policy)
    assert "it is complete" in done.stdout and "relayctl publish" in done.stdout
    assert cbor2.loads(cbor2.loads(path.read_bytes())[0])[2] == 9
    for content in (b"", b"\x80", cbor2.dumps([b"x", []]), (home / "policy.cbor").read_bytes()):
        path.write_bytes(content)
        assert "malformed" in run(RELAYCTL, "updates", "revoke", path, "--key", home / "anna.key", *policy, code=3).stderr
    assert "goes to --output" in run(RELAYCTL, "updates", "revoke", code=2).stderr


def test_a_revocation_of_another_site(relay, home, tmp_path):
    path = tmp_path / "revocation"
    path.write_bytes(cbor2.dumps([cbor2.dumps({0: 1, 1: "s2", 2: 7, 3: 1763800000}), []]))
    assert "wrong-site" in revoke(relay, path, "--key", home / "anna.key", "--policy", home / "policy.cbor", "--yes", code=3).stderr


# ---- the gate

def test_the_gate_by_site_class_and_device(relay):
    relay.show(gates=[["site", "closed", 0, []], [f"class:{PUMP}", "windows", 0, ["Sun 02:00-04:00"]],
                      ["device:device-1", "open", 1900000000, []]])
    shown = relay.ctl("gate").stdout
    assert "Sun 02:00-04:00" in shown and "device:device-1" in shown
    assert relay.json("gate")[1] == {"scope": f"class:{PUMP}", "state": "windows", "until": 0, "windows": ["Sun 02:00-04:00"]}
    before = int(time.time())
    relay.ctl("gate", "open", "--for", "10m", "--device", "device-3")
    relay.ctl("gate", "close", "--class", PUMP)
    relay.ctl("gate", "close", "--class", "plant-care")  # the relay's vendor key set says whose
    relay.ctl("gate", "open", "--class", "pump", "--domain", "other.example")
    relay.ctl("gate", "reset", "--device", "device-1")
    relay.ctl("gate", "window", "add", "Mon-Tue 22:00-05:00", "--class", "plant-care")
    relay.ctl("gate", "window", "remove", "Sun 02:00-04:00", "--class", "plant-care")
    relay.ctl("gate", "window", "add", "sun 02:00-04:00", "--class", "plant-care")
    relay.ctl("gate", "window", "add", "Sat 20:00-Mon 04:00")
    calls = relay.calls()
    assert calls[0][:3] == ["SetGate", "device:device-3", "open"] and 0 <= calls[0][3] - before - 600 < 120
    other = calls[3][1]
    assert other.startswith("class:") and other != f"class:{PUMP}"
    assert calls[1:3] == [["SetGate", f"class:{PUMP}", "closed", 0, []]] * 2
    assert calls[4:] == [
        ["ResetGate", "device:device-1"],
        ["SetGate", f"class:{PUMP}", "windows", 0, ["Sun 02:00-04:00", "Mon 22:00-05:00", "Tue 22:00-05:00"]],
        ["SetGate", f"class:{PUMP}", "closed", 0, []],
        ["SetGate", f"class:{PUMP}", "windows", 0, ["Sun 02:00-04:00"]],
        ["SetGate", "site", "windows", 0, ["Sat 20:00-Mon 04:00"]]]


@pytest.mark.parametrize("arguments, code", [
    (["window", "add", "Sun 2-4"], 2), (["window", "add"], 2), (["window", "change", "Sun 02:00-04:00"], 2),
    (["window", "remove", "Sun 02:00-04:00"], 1), (["open", "--class", PUMP, "--device", "device-1"], 2),
    (["close", "--device", "Device"], 2), (["open", "--for", "soon"], 2)])
def test_what_the_gate_cannot_be(relay, arguments, code):
    relay.ctl("gate", *arguments, code=code)
    assert relay.calls() == []


def test_a_gate_that_nothing_opens(relay):
    relay.show(gates=[])
    assert "closed" in relay.ctl("gate").stdout


# ---- commands

def call(relay, home, *arguments, key="pump", code=0):
    return relay.ctl("device", "call", *arguments, "--key", home / f"{key}.key", code=code)


def granted(relay, home, **more):
    relay.show(policy=(home / "grants.cbor").read_bytes().hex(), **more)


def test_a_command_by_the_book(relay, home):
    granted(relay, home, counter=2 ** 40, answer=[["done", "none", b"on \x1b[2J".hex()]])
    done = call(relay, home, "device-1", "pump.on", "12", "--expires", "30s")
    assert "done" in done.stdout and "on ?[2J" in done.stdout
    (_, command), = relay.calls()
    body = verify_sign1(cbor2.loads(bytes.fromhex(command)), public(home / "pump.key.pub"), b"relayd/command/1")
    assert abs(body.pop(4) - time.time() - 30) < 30
    assert body == {0: 1, 1: "s1", 2: "device-1", 3: 2 ** 40 + 1, 5: "pump.on", 6: b"12"}


def test_counters_follow_the_clock_if_the_relay_has_seen_none(relay, home):
    granted(relay, home, answer=[["done", "none", ""]])
    shown = json.loads(relay.ctl("--json", "device", "call", "device-1", "pump.off", "--key", home / "pump.key").stdout)
    assert abs(shown["counter"] - time.time()) < 120 and shown["result"] == "done" and shown["value"] == ""


@pytest.mark.parametrize("answer, code, message", [
    (["refused", "expired-command", ""], 3, "refused: expired-command"), (["refused", "unknown-command", ""], 3, "unknown-command"),
    (["refused", "a-reason-to-come", ""], 3, "a-reason-to-come"), (["failed", "command-failed", ""], 1, "could not do pump.on")])
def test_what_a_device_answers(relay, home, answer, code, message):
    granted(relay, home, answer=[answer])
    assert message in call(relay, home, "device-1", "pump.on", code=code).stderr


def test_nobody_answers(relay, home):
    granted(relay, home, answer=None)
    assert "sent" in call(relay, home, "device-1", "pump.on", "--no-wait").stdout


@pytest.mark.parametrize("arguments, key, code", [
    (["device-1", "pump.on"], "other", 3), (["device-1", "pump.on"], "anna", 3), (["device-1", "Pump"], "pump", 2),
    (["Device", "pump.on"], "pump", 2), (["device-1", "pump.on", "x" * 513], "pump", 2),
    (["device-1", "pump.on", "--expires", "8d"], "pump", 2), (["device-1", "pump.*"], "pump", 2)])
def test_what_is_no_command(relay, home, arguments, key, code):
    granted(relay, home)
    call(relay, home, *arguments, key=key, code=code)
    assert relay.calls() == []


def test_a_relay_that_used_up_the_counter(relay, home):
    granted(relay, home, counter=2 ** 63 - 1)
    assert "used up" in call(relay, home, "device-1", "pump.on", code=1).stderr
