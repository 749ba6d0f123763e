# SPDX-License-Identifier: GPL-2.0-or-later
"""relayctl --agent: keys that stay in ssh-agent, the real one and hostile ones; OpenSSH's key files."""

import hashlib
import shutil
import subprocess
import time

import cbor2
import pytest
from cryptography.hazmat.primitives import serialization

from lab import agent as ssh
from lab.ctl import (FWTOOL, RELAYCTL, FakeRelay, digest_of, make_home, public, raw, run, run_setup, spki, trust, verify_sign1)

pytestmark = pytest.mark.skipif(not shutil.which("ssh-agent"), reason="openssh-client is not installed")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = make_home(tmp_path_factory.mktemp("home"))
    for name in ("anna", "bertil", "mallory"):
        ssh.openssh_copy(folder / f"{name}.key", folder / f"{name}.ssh", f"{name} approves")
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


@pytest.fixture
def agent():
    agent = ssh.RealAgent()
    yield agent
    agent.close()


def approve(relay, home, env, *arguments, code=0):
    return run(RELAYCTL, "--bus", relay.bus, "updates", "approve", "1.1.0", *arguments, *trust(home), "--yes", code=code,
               env={**relay.env, **env})


def check_sent(relay, home, name):
    (_, sent), = relay.calls()
    body = verify_sign1(cbor2.loads(bytes.fromhex(sent)), public(home / f"{name}.key.pub"), b"relayd/approval/1")
    assert body[2] == bytes.fromhex(digest_of(home / "manifest"))
    relay.reset()


# ---- the real agent

def test_the_agents_only_approver_key_is_taken(relay, home, agent):
    agent.add(home / "mallory.ssh")
    ssh.openssh_key(home / "rsa", "rsa")
    agent.add(home / "rsa")
    assert "none of the agent's 1 Ed25519 keys" in approve(relay, home, agent.env, "--agent", code=1).stderr
    agent.add(home / "anna.ssh")
    approve(relay, home, agent.env, "--agent")
    check_sent(relay, home, "anna")


def test_a_key_of_the_agent_by_name(relay, home, agent):
    for name in ("anna", "bertil"):
        agent.add(home / f"{name}.ssh")
    assert "2 keys of the agent fit" in approve(relay, home, agent.env, "--agent", code=1).stderr
    shown = subprocess.run(["ssh-keygen", "-l", "-f", home / "bertil.ssh.pub"], capture_output=True, text=True, check=True)
    key_id = hashlib.sha256(spki(public(home / "bertil.key.pub"))).hexdigest()
    listed = subprocess.run(["ssh-add", "-l"], capture_output=True, text=True, check=True,
                            env={"PATH": "/usr/bin:/bin", **agent.env}).stdout
    comment = next(line.split(" ", 2)[2].rsplit(" ", 1)[0] for line in listed.splitlines() if shown.stdout.split()[1] in line)
    for name in (shown.stdout.split()[1], key_id[:16], key_id, key_id[:8].upper(), comment):
        approve(relay, home, agent.env, f"--agent={name}")
        check_sent(relay, home, "bertil")
    for name in ("nobody", key_id[:7], "SHA256:", ""):
        assert "is called" in approve(relay, home, agent.env, f"--agent={name}", code=1).stderr
    agent.add(home / "mallory.ssh")
    mallory = hashlib.sha256(spki(public(home / "mallory.key.pub"))).hexdigest()
    assert "not-an-approver" in approve(relay, home, agent.env, f"--agent={mallory}", code=3).stderr
    assert relay.calls() == []


def test_the_agent_asks_its_person(relay, home, agent, tmp_path):
    answer = tmp_path / "askpass"
    for code, sent in ((0, 1), (1, 0)):
        # what ssh-agent runs to ask; its exit code is the answer
        answer.write_text(f"#!/bin/sh\nexit {code}\n")
        answer.chmod(0o755)
        asking = AskingAgent(answer)
        try:
            asking.add(home / "anna.ssh", "-c")
            done = approve(relay, home, asking.env, "--agent", code=code)
            assert len(relay.calls()) == sent
            assert code == 0 or "the agent refuses" in done.stderr
        finally:
            asking.close()
        relay.reset()


class AskingAgent(ssh.RealAgent):
    def __init__(self, askpass):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SSH_ASKPASS", str(askpass))
            patch.setenv("DISPLAY", ":0")
            patch.setenv("SSH_ASKPASS_REQUIRE", "force")
            super().__init__()


def test_a_policy_and_a_vendor_key_set_are_signed_by_agents(home, agent, tmp_path):
    for name in ("anna", "bertil", "cecilia"):
        ssh.openssh_key(tmp_path / name, comment=name)
        shutil.copy(tmp_path / f"{name}.pub", tmp_path / f"{name}.key.pub")  # lines of OpenSSH where public keys are read
    run_setup(tmp_path)
    policy = tmp_path / "gw/etc/relayd/site-policy.cbor"
    agent.add(tmp_path / "anna")
    run(RELAYCTL, "approvers", "sign", policy, "--agent", "--yes", env=agent.env)
    payload, signatures = cbor2.loads(policy.read_bytes())
    line = (tmp_path / "anna.pub").read_bytes()
    key = serialization.load_ssh_public_key(line)
    verify_sign1(signatures[0], key, b"relayd/site-policy/1", payload)
    assert raw(key) in [approver[-2] for approver in cbor2.loads(payload)[4]]
    ssh.openssh_copy(home / "organisation.key", tmp_path / "organisation", "release")
    agent.add(tmp_path / "organisation")
    keys = tmp_path / "vendor"
    run(FWTOOL, "vendor-keys", "create", "--domain", "acme.example", "--organisation", tmp_path / "organisation.pub",
        "--developer", home / "developer.key.pub", "-o", keys)
    run(FWTOOL, "vendor-keys", "sign", keys, "--agent", "--yes", env=agent.env)
    payload, signatures = cbor2.loads(keys.read_bytes())
    verify_sign1(signatures[0], public(home / "organisation.key.pub"), b"relayd/vendor-keys/1", payload)


def test_revocations_and_commands_are_signed_by_agents(relay, home, agent, tmp_path):
    for name in ("anna", "cecilia"):
        if not (home / f"{name}.ssh").exists():
            ssh.openssh_copy(home / f"{name}.key", home / f"{name}.ssh", name)
    ssh.openssh_key(tmp_path / "pump", comment="pump")
    for key in (home / "anna.ssh", tmp_path / "pump"):
        agent.add(key)
    revocation = tmp_path / "revocation"
    run(RELAYCTL, "updates", "revoke", "-o", revocation, "--epoch", "1", "--policy", home / "policy.cbor", "--agent", "--yes",
        env=agent.env)
    payload, signatures = cbor2.loads(revocation.read_bytes())
    verify_sign1(signatures[0], public(home / "anna.key.pub"), b"relayd/revocation/1", payload)
    granting = tmp_path / "granting"
    run(RELAYCTL, "approvers", "propose", "--after", home / "policy.cbor", "-o", granting, "--grant",
        f"{tmp_path}/pump.pub=pump.on")
    agent.add(home / "cecilia.ssh")
    for name in ("anna", "cecilia"):
        fingerprint = hashlib.sha256(spki(public(home / f"{name}.key.pub"))).hexdigest()
        run(RELAYCTL, "approvers", "sign", granting, "--after", home / "policy.cbor", "--yes", f"--agent={fingerprint}",
            env=agent.env)
    relay.show(policy=granting.read_bytes().hex(), answer=[["done", "none", ""]])
    run(RELAYCTL, "--bus", relay.bus, "device", "call", "device-1", "pump.on", "--agent", env={**relay.env, **agent.env})
    (_, command), = relay.calls()
    key = serialization.load_ssh_public_key((tmp_path / "pump.pub").read_bytes())
    assert verify_sign1(cbor2.loads(bytes.fromhex(command)), key, b"relayd/command/1")[5] == "pump.on"


def test_no_agent_and_a_locked_one(relay, home, agent, tmp_path):
    assert "no ssh-agent runs here" in approve(relay, home, {"SSH_AUTH_SOCK": ""}, "--agent", code=1).stderr
    assert "No such file" in approve(relay, home, {"SSH_AUTH_SOCK": f"{tmp_path}/none"}, "--agent", code=1).stderr
    approve(relay, home, {"SSH_AUTH_SOCK": "/" + "x" * 200}, "--agent", code=1)
    both = approve(relay, home, agent.env, "--agent", "--key", home / "anna.key", code=2)
    assert "exclude each other" in both.stderr
    assert "--key FILE is missing" in approve(relay, home, agent.env, code=2).stderr
    assert relay.calls() == []


# ---- hostile agents

def anna(home):
    return ssh.blob(raw(public(home / "anna.key.pub")))


def hostile(home, sign=None, listed=None):
    """An agent that lists anna's key (or answers listed), and answers a sign request with sign."""
    return ssh.FakeAgent(lambda kind, body: (ssh.identities((anna(home), "anna")) if listed is None else listed)
                         if kind == ssh.IDENTITIES else sign(body))


def private(path):
    return serialization.load_pem_private_key(path.read_bytes(), None)


BAD_LISTS = {
    "empty": b"", "no-length": b"\0\0", "zero": b"\0\0\0\0", "huge": b"\xff\xff\xff\xff" + b"x" * 64,
    "cut": ssh.identities((b"k" * 51, "c"))[:-3], "more-said": ssh.packet(ssh.IDENTITIES_ANSWER, b"\0\0\0\2" + ssh.string(b"k")),
    "many-said": ssh.packet(ssh.IDENTITIES_ANSWER, b"\xff\xff\xff\xff"), "trailing": ssh.packet(ssh.IDENTITIES_ANSWER, b"\0" * 5),
    "wrong-kind": ssh.packet(99), "length-past-end": ssh.packet(ssh.IDENTITIES_ANSWER, b"\0\0\0\1\x7f\xff\xff\xff"),
}


@pytest.mark.parametrize("name", BAD_LISTS)
def test_a_list_that_breaks_the_protocol(relay, home, name):
    agent = ssh.FakeAgent(lambda kind, body: BAD_LISTS[name], once=True)
    try:
        done = approve(relay, home, agent.env, "--agent", code=1)
        assert "no ssh-agent" in done.stderr and relay.calls() == []
    finally:
        agent.close()


def test_an_agent_that_refuses_to_list(relay, home):
    agent = hostile(home, listed=ssh.packet(ssh.FAILURE))
    try:
        assert "refuses to list" in approve(relay, home, agent.env, "--agent", code=1).stderr
    finally:
        agent.close()


def test_keys_that_are_none_are_passed_over(relay, home):
    odd = [(b"", ""), (b"\0" * 51, "x"), (ssh.string("ssh-ed25519") + ssh.string(b"k" * 31), "short"),
           (ssh.blob(b"k" * 32, "ssh-rsa"), "rsa"), (anna(home) + b"\0", "trailing"), (anna(home), "a\x1b[2J\0b")]
    agent = hostile(home, lambda body: ssh.packet(ssh.FAILURE), listed=ssh.identities(*odd))
    try:
        done = approve(relay, home, agent.env, "--agent", code=1)
        assert "the agent refuses" in done.stderr and "\x1b" not in done.stderr
        assert ssh.data_to_sign(agent.signed[0][1:])[0] == anna(home)
    finally:
        agent.close()


SIGNATURES = {
    "another-key": lambda home, data: ssh.signature(private(home / "mallory.key").sign(data)),
    "other-data": lambda home, data: ssh.signature(private(home / "anna.key").sign(data + b"\0")),
    "zeros": lambda home, data: ssh.signature(bytes(64)),
    "another-algorithm": lambda home, data: ssh.signature(private(home / "anna.key").sign(data), "ssh-rsa"),
    "short": lambda home, data: ssh.signature(bytes(63)),
    "long": lambda home, data: ssh.signature(private(home / "anna.key").sign(data) + b"\0"),
    "trailing": lambda home, data: ssh.packet(ssh.SIGN_ANSWER, ssh.string(ssh.string("ssh-ed25519") + ssh.string(
        private(home / "anna.key").sign(data)) + b"\0")),
    "list-instead": lambda home, data: ssh.identities((anna(home), "anna")),
    "huge": lambda home, data: b"\x00\x04\x00\x01\x0e",
    "nothing": lambda home, data: None,
}


@pytest.mark.parametrize("name", SIGNATURES)
def test_a_signature_is_verified_before_it_is_used(relay, home, name):
    agent = hostile(home, lambda body: SIGNATURES[name](home, ssh.data_to_sign(body)[1]))
    try:
        done = approve(relay, home, agent.env, "--agent", code=1)
        assert "cannot sign: " in done.stderr and relay.calls() == []
    finally:
        agent.close()


def test_the_agent_signs_the_cose_structure_itself(relay, home):
    agent = hostile(home, lambda body: ssh.signature(private(home / "anna.key").sign(ssh.data_to_sign(body)[1])))
    try:
        approve(relay, home, agent.env, "--agent")
    finally:
        agent.close()
    key, data, flags = ssh.data_to_sign(agent.signed[0][1:])
    context, protected, aad, payload = cbor2.loads(data)
    assert context == "Signature1" and aad == b"relayd/approval/1" and flags == 0 and key == anna(home)
    assert cbor2.loads(payload)[2] == bytes.fromhex(digest_of(home / "manifest"))
    check_sent(relay, home, "anna")


def test_signing_waits_for_a_person(relay, home):
    def slowly(body):
        time.sleep(1)
        return ssh.signature(private(home / "anna.key").sign(ssh.data_to_sign(body)[1]))
    agent = hostile(home, slowly)
    try:
        approve(relay, home, agent.env, "--agent")
        check_sent(relay, home, "anna")
    finally:
        agent.close()


# ---- OpenSSH's files

def test_private_keys_of_openssh_are_refused_with_the_way_out(relay, home):
    done = approve(relay, home, {}, "--key", home / "anna.ssh", code=1)
    assert "ssh-add -c" in done.stderr and "--agent" in done.stderr


def test_public_lines_of_openssh(home, tmp_path):
    shown = run(RELAYCTL, "keys", "show", home / "anna.ssh.pub", "--json").stdout
    assert hashlib.sha256(spki(public(home / "anna.key.pub"))).hexdigest() in shown
    line = (home / "anna.ssh.pub").read_bytes()
    kind, body, comment = line.split(b" ", 2)
    (tmp_path / "k").write_bytes(kind + b" " + body)
    run(RELAYCTL, "keys", "show", tmp_path / "k")
    ssh.openssh_key(tmp_path / "rsa", "rsa")
    ssh.openssh_key(tmp_path / "ecdsa", "ecdsa")
    bad = [(tmp_path / "rsa.pub").read_bytes(), (tmp_path / "ecdsa.pub").read_bytes(), kind, kind + b" ", kind + b" !" + body,
           kind + b" " + body[:-4], b"ssh-rsa " + body, kind + b" " + body + body, b" " + line, b"ssh-ed25519\t" + body,
           (home / "anna.ssh").read_bytes()]
    for content in bad:
        (tmp_path / "k").write_bytes(content)
        assert "no public key" in run(RELAYCTL, "keys", "show", tmp_path / "k", code=1).stderr, content
