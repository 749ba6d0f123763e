# SPDX-License-Identifier: GPL-2.0-or-later
"""A device's flash file in the hands of somebody with a flash programmer: reads and writes what the formats say."""

import pathlib
import re
import struct
import zlib

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SECTOR = 4096
PARTS = 17  # firmware/port/bundle.h
STAGED = 1  # firmware/boot/boot.h


def layout():
    """area -> (first sector, sectors), as firmware/boot/layout.h states them."""
    text = (ROOT / "firmware" / "boot" / "layout.h").read_text()
    rows = re.findall(r"^ \* +(\d+) +(\d+)  ([a-zA-Z]+(?: [a-zA-Z]+)?) ", text, re.MULTILINE)
    return {name: (int(first), int(count)) for first, count, name in rows}


class Flash:
    def __init__(self, path):
        self.path, self.areas = pathlib.Path(path), layout()

    def read(self, area, offset=0, size=None):
        first, count = self.areas[area]
        with self.path.open("rb") as file:
            file.seek(first * SECTOR + offset)
            return file.read(count * SECTOR - offset if size is None else size)

    def write(self, area, data, offset=0):
        first, count = self.areas[area]
        assert offset + len(data) <= count * SECTOR
        with self.path.open("r+b") as file:
            file.seek(first * SECTOR + offset)
            file.write(data)

    def flip(self, area, offset):
        self.write(area, bytes([self.read(area, offset, 1)[0] ^ 1]), offset)

    def put_bundle(self, area, magic, parts):
        sizes = [len(part) for part in parts] + [0] * (PARTS - len(parts))
        header = magic + struct.pack(">I17I", len(parts), *sizes)
        body = b"".join(parts)
        header += struct.pack(">I", zlib.crc32(header + body))
        first, count = self.areas[area]
        self.write(area, (header.ljust(SECTOR, b"\xff") + body).ljust(count * SECTOR, b"\xff"))

    def bundle(self, area):
        data = self.read(area)
        count, *sizes = struct.unpack_from(">I17I", data, 4)
        at, parts = SECTOR, []
        for size in sizes[:count]:
            parts.append(data[at:at + size])
            at += size
        return parts

    def put_slot(self, slot, envelope, approvals, image):
        """What the application writes before it asks the boot stage to try it."""
        self.write(f"image {slot}", image.ljust(self.areas[f"image {slot}"][1] * SECTOR, b"\xff"))
        self.put_bundle(f"manifest {slot}", b"slot", [envelope, *approvals])

    def records(self, area="journal", magic=b"boot"):
        """(serial, offset, stride, record) of each valid record of a journal, oldest first; the boot stage's by default"""
        data, found = self.read(area), []
        sizes = {struct.unpack_from(">I", data, at + 8)[0] for at in (0, SECTOR) if data[at:at + 4] == magic}
        for size in sizes & set(range(1, SECTOR)):
            stride = (16 + size + 15) & ~15
            for sector in (0, SECTOR):
                for at in range(sector, sector + SECTOR - stride + 1, stride):
                    start, serial, length, crc = struct.unpack_from(">4sIII", data, at)
                    record = data[at + 16:at + 16 + size]
                    if start == magic and length == size and crc == zlib.crc32(data[at:at + 12] + record):
                        found.append((serial, at, stride, record))
        return sorted(found)

    def put_record(self, record):
        """Appends it as the newest one; the sector's next place, or the whole other sector anew."""
        serial, at, stride, _ = self.records()[-1]
        header = struct.pack(">4sII", b"boot", serial + 1, len(record))
        entry = (header + struct.pack(">I", zlib.crc32(header + record)) + record).ljust(stride, b"\xff")
        place = at + stride
        if place // SECTOR != at // SECTOR or place % SECTOR + stride > SECTOR:
            place = (1 - at // SECTOR) * SECTOR
            self.write("journal", b"\xff" * SECTOR, place)
        self.write("journal", entry, place)

    def confirmed_slot(self):
        return "AB"[self.records()[-1][3][4]]

    def spare_slot(self):
        return "BA"[self.records()[-1][3][4]]

    def stage(self):
        """Marks the spare slot for trial, as if the boot stage had been asked and had looked away."""
        record = bytearray(self.records()[-1][3])
        record[5] = STAGED
        self.put_record(bytes(record))
