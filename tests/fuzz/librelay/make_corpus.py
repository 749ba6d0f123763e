#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes the corpora of librelay's fuzzers from the sample objects of tests/system/relayobjects.py."""
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "system"))
import relayobjects as ro  # noqa: E402

sample = ro.Sample()
es256 = ro.sign1(ro.Key("organisation", p256=True), b"fuzz", b"payload")
digest = sample.digest.hex()
CORPORA = {
    "approval": {
        "site": sample.approvals[0],
        "class": ro.approval(sample.approvers[1], "site-1", sample.digest, (1, sample.class_id), not_before=1),
        "devices": ro.approval_payload("site-1", sample.digest, (2, ["device-1", "device-2"]), 3, 5, 1 << 33),
    },
    "cbor": {
        "policy": sample.policy_payload,
        "mixed": ro.encode([0, 23, 24, 255, 256, 65536, 1 << 32, -1, -(1 << 63), b"x" * 24, "t\u00fc", True, None,
                            {1: {2: [3]}, -1: b"", "k": {b"b": []}}]),
        "deep": b"\x81" * 12 + b"\x00",
    },
    "cose": {"attached": sample.approvals[0], "es256": es256, "set": sample.vendor_set,
             "crit": ro.sign1(sample.gate, b"", b"", protected=ro.encode({1: -8, 2: [4], 4: b""}))},
    "factory": {"two": sample.factory, "es256": ro.factory_list(sample.vendor, [("d", ro.Key("d", True), bytes(16))])},
    "manifest": {"signed": sample.envelope, "unsigned": ro.envelope(sample.manifest, []),
                 "body": sample.manifest,
                 "plain": ro.envelope(ro.close_manifest(ro.manifest_parts(1, bytes(16), bytes(16), b"i", "1", "r")), [])},
    "sitepolicy": {"set": sample.policy_set, "payload": sample.policy_payload},
    "topic": {"device": b"sites/s1/devices/d-1/events/soil", "site": b"sites/s1/policy/3",
              "block": f"images/{digest}/12".encode(), "list": f"images/{digest}/l0".encode(),
              "filter": b"a/+/c/#a/b/c/d/"},
    "vendor": {"set": sample.vendor_set, "payload": ro.open_set(sample.vendor_set)[0]},
}

for name, files in CORPORA.items():
    folder = HERE / "corpus" / name
    folder.mkdir(parents=True, exist_ok=True)
    for file, data in files.items():
        (folder / file).write_bytes(data)
