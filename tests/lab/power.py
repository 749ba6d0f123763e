# SPDX-License-Identifier: GPL-2.0-or-later
"""What a device may not do whatever its power does, read from its flash file by Python each time it stands still: the boot stage's
journal, counters, the confirmed image. The events' account is that of lab.faults."""

import hashlib
import re
import struct
from collections import namedtuple

from .flash import Flash
from .trust import objects

Record = namedtuple("Record", "boot slot trial tries tried trust_area claimed floor epoch_floor time_floor tried_manifest "
                              "confirmed_manifest vendor policy recovery identity_area rotate rotations")
LAYOUT = struct.Struct(">I6B3Q32s32s32s32s32s2BI")  # firmware/boot/record.c
STAGED, RUNNING = 1, 2
COUNTER = struct.Struct(">8sQ")                     # firmware/app/command.c
Image = namedtuple("Image", "sequence digest size")  # that a manifest names; digest in hex

START = "boot: starting "
# what a start after a power cut never says: recovery, waiting for people, damaged slots, faults
WRONG = re.compile(r"<[0-4]>boot: .*|.*starting the recovery image.*|.*waiting for people.*")
ALLOWED = re.compile(r"<2>boot: power cut on order|<4>boot: the new image did not confirm in time")


def boot_records(path):
    """(serial, Record) of the boot stage's journal, oldest first"""
    return [(serial, Record(*LAYOUT.unpack(record))) for serial, _, _, record in Flash(path).records()]


def counters(path):
    """key id -> highest counter of a command that was obeyed"""
    records = Flash(path).records("settings", b"comm")
    return {key: counter for key, counter in COUNTER.iter_unpack(records[-1][3]) if counter} if records else {}


def image_of(envelope):
    """(manifest digest, Image)"""
    digest, manifest, _, _ = objects.open_envelope(envelope)
    parameters = objects.decode(objects.decode(manifest[3])[4])[1]
    return digest, Image(manifest[2], objects.decode(parameters[3])[1].hex(), parameters[14])


def running(record):
    """The manifest whose image a start with this record runs."""
    return record.tried_manifest if record.trial == RUNNING else record.confirmed_manifest


class Ledger:
    """One device. approved: manifest digest -> Image of all that may run; policies: their digests, by epoch."""

    def __init__(self, name, path, approved, policies, problems, images=None):
        """images: what earlier starts ran, to go on with"""
        self.name, self.path, self.approved, self.policies, self.problems = name, path, approved, policies, problems
        self.confirmed = 0
        self.images, self.counters = {} if images is None else images, {}  # boot counter -> the image that must have run
        self.serial, self.last = boot_records(path)[-1]

    def problem(self, text):
        self.problems.append(f"{self.name}: {text}")

    def demand(self, condition, text):
        if not condition:
            self.problem(text)

    def read(self, console=""):
        """Takes in what happened since the last time. console: what the device printed meanwhile."""
        before = self.last
        records = boot_records(self.path)
        if not records or records[-1][0] < self.serial:
            self.problem(f"the journal ends at {records[-1][0] if records else None}, and was at {self.serial}")
            return
        new = [entry for entry in records if entry[0] > self.serial]
        for serial, record in new:
            # older ones may be gone by now: the journal is a ring
            if serial == self.serial + 1 or serial == records[0][0]:
                self.compare(self.last, record, serial - self.serial)
            else:
                self.problem(f"the journal goes from {self.serial} to {serial}")
            self.serial, self.last = serial, record
        starts = console.count(START)
        self.demand(self.last.boot - before.boot >= starts, f"{starts} starts, boot counter {before.boot} to {self.last.boot}")
        self.read_confirmed()
        self.read_counters()
        for line in WRONG.findall(console):
            self.demand(ALLOWED.match(line), line)

    def compare(self, before, after, steps):
        """Records that follow each other, or with some between them that nobody has seen."""
        self.demand(before.boot <= after.boot <= before.boot + steps, f"boot counter {before.boot} to {after.boot}")
        for what in ("floor", "epoch_floor", "time_floor", "rotations"):
            self.demand(getattr(after, what) >= getattr(before, what),
                        f"{what} falls from {getattr(before, what)} to {getattr(after, what)}")
        self.demand(self.epoch(after) >= self.epoch(before), "an older policy")
        if after.boot != before.boot and steps == 1:
            self.compare_start(after)
        if after.confirmed_manifest != before.confirmed_manifest:
            image = self.approved.get(after.confirmed_manifest)
            self.confirmed += 1
            self.demand(image and image.sequence == after.floor and (steps > 1 or after.confirmed_manifest == running(before)),
                        f"confirmed {after.confirmed_manifest.hex()} with floor {after.floor} after {before}")

    def epoch(self, record):
        """place of the policy in force; -1: nobody made that one"""
        return self.policies.index(record.policy) if record.policy in self.policies else -1

    def compare_start(self, record):
        image = self.approved.get(running(record))
        self.demand(image, f"starts {running(record).hex()}, which nobody approved")
        self.demand(not image or image.sequence >= record.floor, f"starts sequence {image and image.sequence} below {record.floor}")
        self.images[record.boot] = image.digest if image else None

    def read_confirmed(self):
        """The image that runs next, whatever comes, is whole."""
        flash, slot, image = Flash(self.path), "AB"[self.last.slot], self.approved.get(self.last.confirmed_manifest)
        try:
            digest = image_of(flash.bundle(f"manifest {slot}")[0])[0]
        except Exception as error:  # noqa: BLE001  whatever damage does to a decoder
            digest = error
        self.demand(digest == self.last.confirmed_manifest, f"slot {slot} has {digest}")
        if image:
            content = hashlib.sha256(flash.read(f"image {slot}", 0, image.size)).hexdigest()
            self.demand(content == image.digest, f"the confirmed image in slot {slot} is damaged")

    def read_counters(self):
        now = counters(self.path)
        for key, counter in self.counters.items():
            self.demand(now.get(key, 0) >= counter, f"counter of {key.hex()} falls from {counter} to {now.get(key)}")
        self.counters = now

    def told(self, boot, image):
        """The device said what it runs."""
        if boot in self.images:
            self.demand(self.images[boot] == image, f"start {boot} said {image}, the journal says {self.images[boot]}")
