# SPDX-License-Identifier: GPL-2.0-or-later
"""The attacker: holds exactly what was stolen, and makes the rest up.

Asked for a key he does not have, he signs with one of his own under the key id of the real one. His ways in are those
the theft opens: the broker of the cloud, a broker with the relay's key, the channel of a front end, a device's flash.
"""

import datetime
import pathlib
import tempfile

import relayobjects as objects
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from lab.site import CLASS, DOMAIN, PEOPLE, SITE
from lab.updates import FileKey, Update, noise
from scene import unix_time

VENDOR = ("organisation", "developer", "command")


class NotStolen(Exception):
    """A test lets the attacker do what nothing he stole allows."""


class Forged(objects.Key):
    """The attacker's own key that says it is somebody else's: key ids are hints."""

    def __init__(self, real):
        super().__init__("the attacker's")
        self.real = real

    @property
    def cose(self):
        return self.real.cose


class Way:
    """Where messages to these devices can be put: a broker they believe."""

    def __init__(self, desk, *devices):
        self.desk, self.devices = desk, devices

    def put(self, topic, payload):
        self.desk.publish(topic, payload)

    def offer(self, update):
        self.desk.serve(update)
        self.desk.offer(update.envelope, *self.devices)

    def command(self, device, command):
        """Not retained: a command is for now."""
        self.desk.vendor.client.publish(f"sites/{SITE}/devices/{device}/commands", command, qos=1).wait_for_publish(20)

    def approve(self, update, approval, key_id):
        self.put(f"sites/{SITE}/approvals/{update.manifest.hex()}/{key_id.hex()}", approval)


class Attacker:
    def __init__(self, site, *stolen):
        self.site, self.stolen = site, stolen
        self.own = objects.Key("the attacker's")
        self.real = {name: site.desk.keys[name] for name in VENDOR + PEOPLE}
        self.real.update(gate=site.gateway_key("gate"), site_command=site.site_command)
        self.keys = {name: key for name, key in self.real.items() if name in stolen}
        if "gateway" in stolen:  # everything that lies on its disk
            self.keys.update({name: site.gateway_key(name) for name in ("gate", "relay", "uplink")}, panel_command=site.panel_command)
        if "cloud" in stolen:
            self.keys["cloud ca"] = FileKey(site.cloud.certificates / "ca.key")
        for name in set(stolen) & set(site.devices):
            self.keys[name] = FileKey(site.folder / "factory" / f"{name}.key")

    def key(self, role):
        """The stolen key, or his own that claims to be it."""
        return self.keys.get(role) or Forged(self.real[role])

    # ---- ways

    @property
    def cloud(self):
        self.needs("cloud")
        return Way(self.site.desk, "device-1", "device-3")

    @property
    def relay(self):
        self.needs("gateway")
        self.site.root_the_relay()
        return Way(self.site.rogue_desk, "device-2")

    def flash(self, device):
        self.needs(device)
        return self.site.flash(device)

    def needs(self, thing):
        if thing not in self.stolen:
            raise NotStolen(f"{thing}; stolen are {self.stolen}")

    # ---- what he makes

    def update(self, image=None, signers=("organisation", "developer"), sequence=None, class_name=CLASS, bend=None):
        """An image of his, in a manifest signed as well as he can. sequence: above all that was seen."""
        desk = self.site.desk
        if sequence is None:
            desk.sequence += 1
            sequence = desk.sequence
            if self.site.rogue_desk:
                self.site.rogue_desk.sequence = sequence
        if image is None:
            image = desk.program + noise(sequence)
        vendor, class_id = objects.ids(DOMAIN, class_name)
        parts = objects.manifest_parts(sequence, vendor, class_id, image, f"6.6.{sequence}", "security", "")
        if bend:
            bend(parts)
        return Update(objects.envelope(objects.close_manifest(parts), [self.key(role) for role in signers]), image)

    def approval(self, who, update, site=SITE, **options):
        return objects.approval(self.key(who), site, update.manifest, **options)

    def approve(self, way, update, *people, **options):
        """Puts approvals of these people where a device looks for them."""
        for who in people:
            way.approve(update, self.approval(who, update, **options), objects.key_id(self.real[who].cose))


    def command(self, role, device, name=None, site=SITE, expires=600):
        """role: whose command it says it is. Each has a name of its own, so that each alert is a new one."""
        counter = next(self.site.counters)
        return objects.command(self.key(role), site, device, counter, unix_time(expires), name or f"pump.on.{counter}")

    def certificate(self, name, key, issuer=None, issuer_key=None):
        """Files (certificate, key) of a certificate for this name: self-signed, or under an issuer's name and any key."""
        subject = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "acme"), x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.datetime.utcnow()
        made = x509.CertificateBuilder(
            subject_name=subject, issuer_name=issuer.subject if issuer else subject, public_key=key.public,
            serial_number=x509.random_serial_number(), not_valid_before=now - datetime.timedelta(days=1),
            not_valid_after=now + datetime.timedelta(days=9)).sign((issuer_key or key).private, None)
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.site.folder))
        files = folder / "certificate", folder / "key"
        files[0].write_bytes(made.public_bytes(Encoding.PEM))
        files[1].write_bytes(key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return files
