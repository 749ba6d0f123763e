# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes MaxMind databases (format 2.0): enough of it for tests and the benchmark, and able to write broken ones."""

import ipaddress
import struct

MARKER = b"\xab\xcd\xefMaxMind.com"


def encode(value):
    """The data section's encoding of maps, lists, strings and numbers."""
    if isinstance(value, dict):
        return head(7, len(value)) + b"".join(encode(key) + encode(item) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return head(11, len(value)) + b"".join(map(encode, value))
    if isinstance(value, str):
        return head(2, len(value.encode())) + value.encode()
    if isinstance(value, bool):
        return head(14, int(value))
    if isinstance(value, Number):
        raw = value.value.to_bytes((value.value.bit_length() + 7) // 8, "big")
        return head(value.kind, len(raw)) + raw
    raise TypeError(value)


class Number:
    """An unsigned number of a type: 5 (16 bits), 6 (32 bits), 9 (64 bits)."""

    def __init__(self, kind, value):
        self.kind, self.value = kind, value

    def __repr__(self):
        return f"Number({self.kind}, {self.value})"


def head(kind, size):
    first, extra = (kind, b"") if kind < 8 else (0, bytes([kind - 7]))
    if size < 29:
        return bytes([first << 5 | size]) + extra
    if size < 285:
        return bytes([first << 5 | 29]) + extra + bytes([size - 29])
    return bytes([first << 5 | 30]) + extra + struct.pack(">H", size - 285)


class Tree:
    """Nodes are pairs; an entry is None, a node's number, or ("data", offset)."""

    def __init__(self, ip_version=6):
        self.version = ip_version
        self.nodes = [[None, None]]
        self.data = bytearray()
        self.offsets = {}

    def put(self, record):
        """The offset of the record in the data section; equal records are written once."""
        key = repr(record)
        if key not in self.offsets:
            self.offsets[key] = len(self.data)
            self.data += encode(record)
        return ("data", self.offsets[key])

    def add(self, network, record):
        network = ipaddress.ip_network(network)
        number, bits = int(network.network_address), network.prefixlen
        if network.version == 4 and self.version == 6:
            bits += 96
        self.add_bits(number, 128 if self.version == 6 else 32, bits, self.put(record))

    def add_bits(self, number, width, bits, entry):
        node = 0
        for at in range(bits - 1):
            side = number >> (width - 1 - at) & 1
            if self.nodes[node][side] is None:
                self.nodes.append([None, None])
                self.nodes[node][side] = len(self.nodes) - 1
            node = self.nodes[node][side]
        self.nodes[node][number >> (width - bits) & 1] = entry

    def write(self, path, database_type="Test-Country", node_count=None, build_epoch=1782362039, record_size=32):
        count = len(self.nodes)

        def value(entry):
            if entry is None:
                return count
            return entry if isinstance(entry, int) else count + 16 + entry[1]
        pack = {32: lambda left, right: struct.pack(">II", left, right),
                24: lambda left, right: left.to_bytes(3, "big") + right.to_bytes(3, "big")}[record_size]
        tree = b"".join(pack(value(left), value(right)) for left, right in self.nodes)
        metadata = encode({"binary_format_major_version": Number(5, 2), "binary_format_minor_version": Number(5, 0),
                           "build_epoch": Number(9, build_epoch), "database_type": database_type,
                           "description": {"en": "made for a test"}, "ip_version": Number(5, self.version),
                           "languages": ["en"], "node_count": Number(6, count if node_count is None else node_count),
                           "record_size": Number(5, record_size)})
        with open(path, "wb") as out:
            out.write(tree + bytes(16) + bytes(self.data) + MARKER + metadata)


def country_record(code, city=None):
    """The layout of a country database, or of a city database if a city is named."""
    record = {"continent": {"code": "XX", "names": {"en": "Somewhere"}},
              "country": {"geoname_id": Number(6, 1000 + ord(code[0])), "iso_code": code, "names": {"en": "Country " + code}}}
    if city:
        record = {"city": {"geoname_id": Number(6, 7), "names": {"en": city}}} | record
        record["location"] = {"time_zone": "Europe/Helsinki"}
    return record
