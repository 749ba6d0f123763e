# SPDX-License-Identifier: GPL-2.0-or-later
"""Both sides of an update as Python speaks them: what a vendor (or whoever stole his keys) publishes, what devices say."""

import hashlib
import json
import pathlib
import sys

from cryptography.hazmat.primitives import serialization

from .cloud import Cloud
from .mqtt import Paho
from .process import LabError, wait_until
from .site import CLASS, DOMAIN, PEOPLE, SITE

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "system"))
import relayobjects as objects  # noqa: E402


class FileKey(objects.Key):
    """A key pair from a file of relayctl or fwtool."""

    def __init__(self, path):
        self.p256 = False
        self.private = serialization.load_pem_private_key(pathlib.Path(path).read_bytes(), None)
        self.public = self.private.public_key()


class Update:
    def __init__(self, envelope, image):
        self.envelope, self.image = envelope, image
        self.digest = hashlib.sha256(image).hexdigest()  # of the image
        try:
            self.manifest = objects.open_envelope(envelope)[0]
        except Exception:  # noqa: BLE001  not even an envelope
            self.manifest = hashlib.sha256(envelope).digest()

    def blocks(self):
        return [self.image[at:at + objects.BLOCK] for at in range(0, len(self.image), objects.BLOCK)]

    def pieces(self):
        """topic -> payload of everything a broker serves of the image"""
        found = {f"images/{self.digest}/{number}": block for number, block in enumerate(self.blocks())}
        found[f"images/{self.digest}/l0"] = objects.block_list(self.image)
        return found


def noise(seed, size=10 * objects.BLOCK):
    return hashlib.shake_128(str(seed).encode()).digest(size)


class Desk:
    """Publishes at a broker as the vendor, listens there as the operator."""

    def __init__(self, world, broker=None):
        self.world, self.broker = world, broker or world.cloud
        self.sequence = 1
        vendor, people = world.folder / "vendor", world.folder / "people"
        self.keys = {role: FileKey(vendor / f"{role}.key") for role in ("organisation", "developer", "command")}
        self.keys.update({name: FileKey(people / name / "approver.key") for name in PEOPLE})
        self.keys["stranger"] = objects.Key("a stranger")
        self.program = world.program("plant-care-1.1.0").read_bytes()
        self.vendor = self.client("vendor.acme")
        self.operator = self.client("ops.acme")
        self.operator.subscribe("#", qos=1)
        self.seen = []

    def client(self, identity, name="desk"):
        certificates = self.broker.certificates
        files = (certificates / f"{identity}.crt", certificates / f"{identity}.key", certificates / "ca.crt")
        return Paho(self.broker.port, files, f"{identity}.{name}")

    def close(self):
        self.vendor.close()
        self.operator.close()

    # ---- making

    def make(self, signers=("organisation", "developer"), sequence=None, image=None, version=None, domain=DOMAIN,
             class_name=CLASS, bend=None):
        """An update with the next sequence number. bend: changes the parts of the manifest before they are signed."""
        if sequence is None:
            self.sequence += 1
            sequence = self.sequence
        if image is None:
            image = self.program + noise(sequence)  # the loader does not mind; no block of it was ever fetched before
        vendor, class_id = objects.ids(domain, class_name)
        parts = objects.manifest_parts(sequence, vendor, class_id, image, version or f"1.1.{sequence}", "security", "")
        if bend:
            bend(parts)
        return Update(objects.envelope(objects.close_manifest(parts), [self.keys[name] for name in signers]), image)

    def approval(self, who, update, site=SITE, **options):
        return objects.approval(self.keys[who], site, update.manifest, **options)

    # ---- publishing

    def publish(self, topic, payload):
        self.vendor.client.publish(topic, payload, qos=1, retain=True).wait_for_publish(20)

    def own(self, number):
        """The place of a block (0 to 7) that no other update has: a device may have those of the program already."""
        return len(self.program) // objects.BLOCK + 1 + number

    def serve(self, update, **changed):
        """Puts the image there; changed: b5=..., o5=..., l0=...: another payload for block 5, its own block 5, or the list,
        None: not there."""
        for topic, payload in update.pieces().items():
            name = topic.rsplit("/", 1)[1]
            if not name.startswith("l"):
                payload = changed.get(f"o{int(name) - self.own(0)}", payload)
            payload = changed.get(name if name.startswith("l") else f"b{name}", payload)
            if payload is not None:
                self.publish(topic, payload)
        return update

    def offer(self, envelope, *devices):
        for name in devices or self.world.devices:
            self.publish(f"sites/{SITE}/devices/{name}/updates/offer", envelope)

    def approve(self, who, update, payload=None, place=None, **options):
        """Publishes an approval as an approver's own tool does it; place: the key id in the topic."""
        place = place or objects.key_id(self.keys[who].cose).hex()
        payload = self.approval(who, update, **options) if payload is None else payload
        self.publish(f"sites/{SITE}/approvals/{update.manifest.hex()}/{place}", payload)

    # ---- what is said

    def listen(self):
        while not self.operator.messages.empty():
            self.seen.append(self.operator.messages.get())
        return self.seen

    def mark(self):
        return len(self.listen())

    def statuses(self, device, since=0):
        topic = f"sites/{SITE}/devices/{device}/updates/status"
        return [json.loads(m.payload) for m in self.listen()[since:] if m.topic == topic]

    def wait_status(self, device, since, state, reason=None, update=None, patience=60):
        """Waits till the device says this of an update; gives the status."""
        def look():
            for status in self.statuses(device, since):
                if status["state"] == state and (reason is None or status["reason"] == reason) and (
                        update is None or status["manifest"] == update.manifest.hex()):
                    return status
            return None
        try:
            return wait_until(f"{device} to say {state} {reason or ''}", look, patience)
        except LabError as error:
            raise LabError(f"{error}; it said {self.statuses(device, since)}") from None

    def running(self):
        """device -> (boot, session, image) by the newest word of each"""
        found = {}
        for m in self.listen():
            parts = m.topic.split("/")
            if len(parts) == 6 and parts[4] == "state" and m.payload:
                state = json.loads(m.payload)
                key = (state["boot"], state["session"], state["image"])
                found[parts[3]] = max(found.get(parts[3], key), key)
        return found

    def said_images(self, since=0):
        """(device, image) of each word about a state since then"""
        found = []
        for m in self.listen()[since:]:
            parts = m.topic.split("/")
            if len(parts) == 6 and parts[4] == "state" and m.payload:
                found.append((parts[3], json.loads(m.payload)["image"]))
        return found

    def images(self):
        """device -> (boot, image)"""
        return {name: (boot, image) for name, (boot, _, image) in self.running().items()}

    def wait_running(self, update, *devices, patience=120):
        for name in devices or self.world.devices:
            try:
                wait_until(f"{name} to run the update", lambda: self.images().get(name, (0, ""))[1] == update.digest, patience)
            except LabError as error:
                raise LabError(f"{error}; it said {self.statuses(name)[-6:]}") from None


def alerts(world, reason, since=0):
    return [a for a in world.relayctl_json("alerts") if a.get("reason", a.get("Reason")) == reason and
            a.get("number", a.get("Number")) > since]


def last_alert(world):
    return max([a.get("number", a.get("Number")) for a in world.relayctl_json("alerts")], default=0)


class Impostor(Cloud):
    """A broker with the relay's own TLS key where the relay was (or at another port): what root on the gateway can be."""

    def __init__(self, world, port=None):
        folder = world.folder / "impostor"
        folder.mkdir(exist_ok=True)
        files, gateway = folder / "certificates", world.folder / "gateway" / "etc" / "relayd"
        files.mkdir(exist_ok=True)
        for name in ("vendor.acme", "ops.acme"):
            for kind in ("crt", "key"):
                (files / f"{name}.{kind}").write_bytes((world.cloud.certificates / f"{name}.{kind}").read_bytes())
        (files / "cloud.crt").write_bytes((gateway / "relay.crt").read_bytes())
        (files / "cloud.key").write_bytes((gateway / "keys" / "relay.key").read_bytes())
        (files / "ca.crt").write_text((world.cloud.certificates / "ca.crt").read_text() + (gateway / "relay.crt").read_text())
        super().__init__(folder / "broker", files, SITE, port=port or world.port)
