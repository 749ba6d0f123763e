#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes the corpora of the country fuzzers."""
import pathlib
import struct
import sys

import cbor2

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))
from lab import mmdb  # noqa: E402

RULE = [1, False, bytes([0] * 17 + [1])]
OFF = [0, False, b""]
POLICY = {0: 1, 1: [RULE, OFF, [2, True, b"\x01"]], 2: [[bytes([192, 0, 2, 0]), 24], [bytes.fromhex("20010db8") + bytes(12), 32]],
          3: [[8884, RULE]], 4: True, 5: [22, 443], 6: False}


def change(offset, value):
    return struct.pack("<IB", offset, value)


CORPORA = {
    "country_words": {"off": b"off", "allow": b"allow FI SE EU", "deny": b"deny RU, BY unknown=refuse", "typo": b"allow FIN",
                      "network": b"192.0.2.0/24", "network6": b"2001:db8::/32", "endpoint": b"[2001:db8::1]:8883"},
    "country_tor_text": {"v4": b"\x00# Generated: Thu, 25 Jun 2026 04:33:59 GMT\n16777216,16777471,AU\n16777472,16777727,CN\n",
                         "v6": b"\x012001:200::,2001:200:ffff:ffff:ffff:ffff:ffff:ffff,JP\n",
                         "overlap": b"\x001,5,FI\n4,9,SE\n", "cut": b"\x001,5,FI\n4,9"},
    "country_database": {"none": b"", "header": change(32, 9) + change(48, 0), "index4": change(200, 9),
                         "tables": change(656000, 1) + change(700000, 255),
                         "file": b"RLYCNTRY" + struct.pack("<II", 1, 0) + bytes(112)},
    "country_policy": {"full": cbor2.dumps(POLICY, canonical=True),
                       "off": cbor2.dumps({0: 1, 1: [OFF] * 3, 2: [], 3: [], 4: False, 5: [], 6: False}, canonical=True)},
}


def databases():
    country = mmdb.Tree()
    country.add("1.0.0.0/24", mmdb.country_record("AU"))
    country.add("2001:200::/32", mmdb.country_record("JP", "Tokyo"))
    country.add("2.0.0.0/8", {"country_code": "FR"})
    ipv4 = mmdb.Tree(4)
    ipv4.add("1.0.0.0/24", mmdb.country_record("AU"))
    cycle = mmdb.Tree()
    cycle.add("1.0.0.0/24", mmdb.country_record("AU"))
    cycle.nodes[-1][0] = 5
    wrong_type = mmdb.Tree()
    wrong_type.add("1.0.0.0/24", {"country": {"iso_code": mmdb.Number(6, 7)}})
    return {"country": country, "ipv4": ipv4, "cycle": cycle, "type": wrong_type}


for name, files in CORPORA.items():
    folder = HERE / "corpus" / name
    folder.mkdir(parents=True, exist_ok=True)
    for file, data in files.items():
        (folder / file).write_bytes(data)
(HERE / "corpus" / "country_mmdb").mkdir(exist_ok=True)
for file, tree in databases().items():
    tree.write(HERE / "corpus" / "country_mmdb" / file, record_size=24 if file == "ipv4" else 32)
