#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes the corpora of librelay's fuzzers from the sample objects of tests/system/relayobjects.py."""
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "system"))
import relaydice as dice  # noqa: E402
import relayobjects as ro  # noqa: E402

sample = ro.Sample()
device = dice.DiceSample(sample)
es256 = ro.sign1(ro.Key("organisation", p256=True), b"fuzz", b"payload")
digest = sample.digest.hex()
PLAIN = sample.make_policy(gates=[], grants=None, vendor_commands=None, rules=None, time_zone=None, ticket=False)
CORPORA = {
    "approval": {
        "site": sample.approvals[0],
        "class": ro.approval(sample.approvers[1], "site-1", sample.digest, (1, sample.class_id), not_before=1),
        "devices": ro.approval_payload("site-1", sample.digest, (2, ["device-1", "device-2"]), 3, 5, 1 << 33),
    },
    "attest": {"statement": device.statement, "challenge": device.challenge, "rotation": device.rotation,
               "whole": dice.statement(device.application, device.challenge, "device-1", 1 << 31, device.certificate,
                                       dice.to_der(device.device), device.rotation),
               "payload": ro.verify1(device.rotation, dice.Signer(device.identity).cose, dice.ROTATION_AAD)},
    "dice_certificate": {"cdi": device.certificate, "leaf": device.leaf, "device": dice.to_der(device.device),
                         "recovery": dice.to_der(dice.cdi_certificate(device.uds, dice.Measurement(
                             bytes(32), bytes(32), bytes(16), 0, bytes(32), dice.RECOVERY)))},
    "cbor": {
        "policy": sample.policy_payload,
        "mixed": ro.encode([0, 23, 24, 255, 256, 65536, 1 << 32, -1, -(1 << 63), b"x" * 24, "t\u00fc", True, None,
                            {1: {2: [3]}, -1: b"", "k": {b"b": []}}]),
        "deep": b"\x81" * 12 + b"\x00",
    },
    "cose": {"attached": sample.approvals[0], "es256": es256, "set": sample.vendor_set,
             "crit": ro.sign1(sample.gate, b"", b"", protected=ro.encode({1: -8, 2: [4], 4: b""}))},
    "factory": {"two": sample.factory, "es256": ro.factory_list(sample.vendor, [("d", ro.Key("d", True), bytes(16))]),
                "images": ro.factory_list(sample.vendor, [(f"d-{n}", ro.Key(f"d {n}"), bytes(16)) for n in range(3)],
                                          ["d-0", "d-1"], {"d-1": 1, "d-2": 2}, [bytes(32), sample.digest])},
    "manifest": {"signed": sample.envelope, "unsigned": ro.envelope(sample.manifest, []),
                 "body": sample.manifest,
                 "plain": ro.envelope(ro.close_manifest(ro.manifest_parts(1, bytes(16), bytes(16), b"i", "1", "r")), [])},
    "sitepolicy": {"set": sample.policy_set, "payload": sample.policy_payload,
                   "next": sample.next_policy_set, "plain": PLAIN},
    "topic": {"device": b"sites/s1/devices/d-1/events/soil", "site": b"sites/s1/policy/3",
              "block": f"images/{digest}/12".encode(), "list": f"images/{digest}/l0".encode(),
              "filter": b"a/+/c/#a/b/c/d/"},
    "checkpoint": {"first": sample.first_checkpoint, "next": sample.checkpoint,
                   "payload": ro.verify1(sample.checkpoint, sample.gate.cose, ro.CHECKPOINT_AAD)},
    "command": {"signed": sample.order, "payload": ro.command_payload("s", "d", 1, 0, "a"),
                "long": ro.command_payload("s", "d", (1 << 64) - 1, 1 << 40, "n" * 40, bytes(512))},
    "gate_request": {"update": sample.request, "time": sample.time_request},
    "revocation": {"set": sample.revocation, "payload": ro.revocation_payload("site-1", 1 << 33, 0)},
    "ticket": {"open": sample.ticket, "closed": sample.refusal, "time": sample.time_answer,
               "no_clock": ro.ticket_payload("s", "d", sample.request, bytes(32), reason="rule-waits", time=None)},
    "update_file": {"small": ro.update_file(b"envelope", "notes\n", b"image"),
                    "whole": ro.update_file(sample.envelope, "", b"i" * 300)},
    "vendor": {"next": sample.next_vendor_set, "set": sample.vendor_set, "payload": ro.open_set(sample.vendor_set)[0]},
}

for name, files in CORPORA.items():
    folder = HERE / "corpus" / name
    folder.mkdir(parents=True, exist_ok=True)
    for file, data in files.items():
        (folder / file).write_bytes(data)
