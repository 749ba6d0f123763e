# SPDX-License-Identifier: GPL-2.0-or-later
"""relayctl and fwtool as programs, on a terminal or not; a site's people and a relay that is only a D-Bus interface."""

import copy
import fcntl
import hashlib
import json
import os
import pathlib
import pty
import struct
import subprocess
import termios

import cbor2
from cryptography.hazmat.primitives import serialization

from .process import Process

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("RELAYD_BUILD", ROOT / "build"))
RELAYCTL, FWTOOL = BUILD / "relayd" / "ctl" / "relayctl", BUILD / "tools" / "fwtool"


def run(program, *arguments, code=0, env=None):
    done = subprocess.run([str(program), *map(str, arguments)], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          timeout=60, env={**os.environ, **(env or {})})
    assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done


def on_terminal(*arguments, typed="", columns=80, env=None):
    """Runs relayctl on a terminal of its own; gives its exit code and all that was shown."""
    child, terminal = pty.fork()
    if child == 0:
        os.execve(RELAYCTL, [str(RELAYCTL), *map(str, arguments)], {**os.environ, "TERM": "xterm", **(env or {})})
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    os.write(terminal, typed.encode())
    shown = b""
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:
            break
        if not part:
            break
        shown += part
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), shown.decode().replace("\r\n", "\n")


def public(path):
    return serialization.load_pem_public_key(pathlib.Path(path).read_bytes())


def spki(key):
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def raw(key):
    return key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def verify_sign1(sign1, key, aad, payload=None):
    assert sign1.tag == 18
    protected, unprotected, carried, signature = sign1.value
    assert cbor2.loads(protected) == {1: -8, 4: hashlib.sha256(spki(key)).digest()[:8]} and unprotected == {}
    assert (carried is None) == (payload is not None)
    payload = carried if payload is None else payload
    key.verify(signature, cbor2.dumps(["Signature1", protected, aad, payload]))
    return cbor2.loads(payload)


# ---- a site, its vendor, and a relay on a bus

SETUP = ["--site", "s1", "--listen", "127.0.0.1:8883", "--yes"]


def run_setup(folder, *more, people=("anna", "bertil", "cecilia"), code=0):
    approvers = [part for name in people for part in ("--approver", folder / f"{name}.key.pub")]
    return run(RELAYCTL, "setup", "--root", folder / "gw", *SETUP, *approvers, *more, code=code)


def make_home(folder):
    """Approvers anna, bertil, cecilia (2 of 3), mallory who is none, vendor keys, a signed manifest."""
    for name in ("anna", "bertil", "cecilia", "mallory"):
        run(RELAYCTL, "keys", "create", folder / f"{name}.key")
    for name in ("organisation", "developer"):
        run(FWTOOL, "keys", "create", folder / f"{name}.key")
    make_vendor(folder, "vendor.cbor", "organisation", "developer")
    make_vendor(folder, "mallory.cbor", "mallory", "developer")
    run_setup(folder, "--threshold", "2", "--cloud", "127.0.0.1:18883", "--cloud-pin", "ab" * 32, "--endpoint-devices",
          "device-1,device-2")
    folder.joinpath("policy.cbor").write_bytes((folder / "gw/etc/relayd/site-policy.cbor").read_bytes())
    for name in ("anna", "bertil"):
        run(RELAYCTL, "approvers", "sign", folder / "policy.cbor", "--key", folder / f"{name}.key", "--yes")
    (folder / "image").write_bytes(b"firmware" * 1000)
    make_manifest(folder, "manifest", "organisation", "developer")
    return folder


def make_vendor(folder, name, organisation, developer):
    run(FWTOOL, "vendor-keys", "create", "--domain", "acme.example", "--organisation", folder / f"{organisation}.key.pub",
        "--developer", folder / f"{developer}.key.pub", "-o", folder / name)
    for signer in (organisation, developer):
        run(FWTOOL, "vendor-keys", "sign", folder / name, "--key", folder / f"{signer}.key", "--yes")


def make_manifest(folder, name, *signers, version="1.1.0", description="closes a hole"):
    run(FWTOOL, "manifest", "build", "--image", folder / "image", "--domain", "acme.example", "--class", "plant-care",
        "--version", version, "--sequence", "2", "--urgency", "security", "--description", description, "-o", folder / name)
    for signer in signers:
        role = "developer" if signer == "developer" else "organisation"
        run(FWTOOL, "manifest", "sign", folder / name, "--key", folder / f"{signer}.key", "--role", role, "--yes")
    return digest_of(folder / name)


def digest_of(manifest):
    return json.loads(run(FWTOOL, "manifest", "show", manifest, "--json").stdout)["digest"]


def update_of(manifest, **more):
    shown = json.loads(run(FWTOOL, "manifest", "show", manifest, "--json").stdout)
    return {"Digest": shown["digest"], "Version": shown["version"], "Urgency": shown["urgency"], "Sequence": 2,
            "Description": shown["description"], "ImageDigest": shown["image_digest"], "ImageSize": shown["image_size"],
            "State": "pending", "Received": 1763800000, "Approvals": [], "Needed": 2, "BlocksCached": 0, "Blocks": 2,
            "Devices": [["device-1", "approval"], ["device-2", "approval"]],
            "envelope": manifest.read_bytes().hex(), **more}


def device(identity, **more):
    return {"Identity": identity, "Registration": "registered", "Online": True, "Since": 1763800000,
            "Peer": "127.0.0.1:40112", "FirmwareVersion": "1.0.0", "ImageDigest": "ab" * 32, "Boot": 3,
            "Fingerprint": "cd" * 32, "Trust": "attested", "Quarantine": "", "Attestation": "attested", "ProvedImage": "ab" * 32,
            "ProvedSequence": 2, "ProvedTime": 1763800000, "Rotation": 0, "UpdateChecks": "device", "UpdateState": "idle", "UpdateProgress": 0, "UpdateReason": "none",
            **more}


def audit_chain(count):
    records, previous = [], bytes(32)
    for number in range(1, count + 1):
        encoded = cbor2.dumps({0: 1, 1: number, 2: 1763800000 + number, 3: previous, 4: "uid:0", 5: "gate-opened", 6: "gate",
                               7: ""})
        records.append([number, encoded.hex()])
        previous = hashlib.sha256(encoded).digest()
    return records


class FakeRelay:
    def __init__(self, folder, home):
        self.folder, self.bus = folder, f"unix:path={folder}/bus"
        self.file, self.calls_file = folder / "state.json", folder / "calls.jsonl"
        self.env = {"XDG_CONFIG_HOME": str(folder / "config"), "NO_COLOR": "1"}
        self.state = {
            "manager": {"Version": "0.1.0", "Site": "s1", "Identity": "relay.s1", "UplinkState": "up",
                        "UplinkSince": 1763800000, "UplinkError": "", "GateState": "closed", "GateUntil": 0, "PolicyEpoch": 1,
                        "PolicyDigest": "ee" * 32, "Threshold": 2, "Sessions": 2, "OutboxEvents": 5, "OutboxBytes": 81920},
            "devices": [device("device-10"), device("device-2", Online=False), device("device-1")],
            "updates": [update_of(home / "manifest")],
            "policy": (home / "policy.cbor").read_bytes().hex(), "vendor": (home / "vendor.cbor").read_bytes().hex(),
            "gates": [["site", "closed", 0, []]],
            "images": [["ab" * 32, "approved", "1.0.0", 2, 1763800000, "cd" * 32], ["abcd" * 16, "factory", "", 0, 1763800000, ""]],
            "alerts": [[1, 1763800000, "device-1", "developer-signature", "an offer without it"]],
            "audit": audit_chain(450)}
        self.original = copy.deepcopy(self.state)
        self.write()
        self.daemon = Process("dbus", ["dbus-daemon", "--session", f"--address={self.bus}", "--nofork", "--nopidfile",
                                       "--print-address"], folder / "dbus.log")
        self.daemon.wait_for("unix:path=")
        self.relay = Process("relay", ["/usr/bin/python3", ROOT / "tests/lab/fakerelay.py", self.bus, self.file,
                                       self.calls_file], folder / "relay.log")
        self.relay.wait_for("ready")

    def write(self):
        temporary = self.folder / "state.new"
        temporary.write_text(json.dumps(self.state))
        temporary.rename(self.file)

    def show(self, **changes):
        self.state.update(changes)
        self.write()

    def reset(self):
        self.state = copy.deepcopy(self.original)
        self.write()
        self.calls_file.write_text("")

    def calls(self):
        return [json.loads(line) for line in self.calls_file.read_text().splitlines()]

    def ctl(self, *arguments, code=0):
        return run(RELAYCTL, "--bus", self.bus, *arguments, code=code, env=self.env)

    def json(self, *arguments):
        return json.loads(self.ctl("--json", *arguments).stdout)

    def close(self):
        self.relay.kill()
        self.daemon.kill()


def trust(home):
    return ("--policy", home / "policy.cbor", "--vendor-keys", home / "vendor.cbor")
