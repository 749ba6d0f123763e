# SPDX-License-Identifier: GPL-2.0-or-later
"""The outbox in a device's flash file, read as firmware/app/outbox.c writes it down: which events there were, and which wait."""

import struct
import zlib
from collections import namedtuple

from .flash import SECTOR, Flash

Record = namedtuple("Record", "boot seq waiting name payload")
SECTOR_HEADER, RECORD_HEADER = 24, 24


def sectors(data):
    """(serial, dropped, content) of each sector in use, oldest first"""
    found = []
    for at in range(0, len(data), SECTOR):
        magic, serial, _oldest, dropped, crc = struct.unpack_from(">4sIIQI", data, at)
        if magic == b"outb" and crc == zlib.crc32(data[at:at + SECTOR_HEADER - 4]):
            found.append((serial, dropped, data[at + SECTOR_HEADER:at + SECTOR]))
    return sorted(found)


def records(path):
    """Every record that is still there, acknowledged or not, and how many events were dropped so far."""
    found, dropped = [], 0
    for _serial, dropped, content in sectors(Flash(path).read("outbox")):
        at = 0
        while at + RECORD_HEADER <= len(content):
            size, name, _class, crc, boot, seq, mark = struct.unpack_from(">HBBIIQI", content, at)
            body = content[at + RECORD_HEADER:at + RECORD_HEADER + size]
            if crc != zlib.crc32(content[at:at + 4] + content[at + 8:at + 20] + body) or len(body) != size or size == 0:
                break
            found.append(Record(boot, seq, mark == 0xFFFFFFFF, body[:name].decode(), body[name:]))
            at += RECORD_HEADER + (size + 3 & ~3)
    return found, dropped
