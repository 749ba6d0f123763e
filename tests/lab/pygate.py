# SPDX-License-Identifier: GPL-2.0-or-later
"""A gate in Python, and a site without a relay: its devices know the cloud only, and ask this gate through it."""

import shutil
import threading
import time

from .cloud import Cloud
from .mqtt import Paho
from .process import wait_until
from .site import PEOPLE, SITE, THRESHOLD, World
from .updates import FileKey, objects


class Gate:
    """Answers questions at a broker. word: "open", the name of a reason (closed), None (silence), or a function of
    (device, question bytes) that gives the bytes to answer with, or None."""

    def __init__(self, broker, key, policy_digest, identity="relay." + SITE):
        certificates = broker.certificates
        files = (certificates / f"{identity}.crt", certificates / f"{identity}.key", certificates / "ca.crt")
        self.key, self.policy_digest, self.epoch, self.word = key, policy_digest, 1, "open"
        self.asked, self.answers, self.lock = [], [], threading.Lock()
        self.session = Paho(broker.port, files, f"{identity}.gate")
        self.session.client.on_message = self.on_message
        self.session.subscribe(f"sites/{SITE}/devices/+/gate/request", qos=1)

    def ticket(self, device, question, key=None, site=SITE, **changes):
        asked = objects.decode(question)
        reason = self.word if isinstance(self.word, str) and self.word != "open" and 2 in asked else "none"
        options = {"epoch": self.epoch, "reason": reason, "time": int(time.time()), **changes}
        return objects.ticket(key or self.key, site, device, question, self.policy_digest, **options)

    def on_message(self, _client, _user, message):
        device = message.topic.split("/")[3]
        with self.lock:
            self.asked.append((device, message.payload))
        if callable(self.word):
            answer = self.word(device, message.payload)
        else:
            answer = self.ticket(device, message.payload) if self.word else None
        if answer is not None:
            with self.lock:
                self.answers.append((device, answer))
            self.send(device, answer)

    def send(self, device, answer):
        self.session.client.publish(f"sites/{SITE}/devices/{device}/gate/ticket", answer, qos=1)

    def questions(self, device, update=None):
        """Those about this update, or (None) about the time."""
        digest = update.manifest if update else None
        with self.lock:
            return [q for name, q in self.asked if name == device and objects.decode(q).get(2) == digest]

    def wait_asked(self, device, update=None, count=1):
        return wait_until(f"question {count} of {device}", lambda: len(self.questions(device, update)) >= count)

    def close(self):
        self.session.close()


class DirectWorld(World):
    """People sign the policy; gate and site commands have keys of their own. own_gate: the gate has an address of its own."""

    def __init__(self, *arguments, own_gate=False, **options):
        super().__init__(*arguments, **options)
        self.own_gate = own_gate
        self.gate_key, self.site_key = objects.Key("gate of " + SITE), objects.Key("commands of " + SITE)

    def make_relay(self):
        self.approvers = [FileKey(self.folder / "people" / name / "approver.key") for name in PEOPLE]
        self.gate_broker = self.make_gate_broker() if self.own_gate else self.cloud
        address = (self.cloud_address, self.gate_broker.port, bytes.fromhex(self.pin(self.gate_broker.certificates / "cloud.crt")))
        self.cloud_endpoint = objects.endpoint(1, self.cloud_address, self.cloud.port,
                                               bytes.fromhex(self.pin(self.cloud.certificates / "cloud.crt")))
        self.gate_entry = objects.gate(self.gate_key, *(address if self.own_gate else ()))
        self.payload = self.policy_payload()
        self.policy = self.folder / "gateway" / "site-policy.cbor"
        self.policy.write_bytes(self.sign_policy(self.payload))

    def make_gate_broker(self):
        """Another server than the cloud, so with another key."""
        certificates = self.folder / "gate" / "certificates"
        shutil.copytree(self.cloud.certificates, certificates)
        for end in ("crt", "key", "key.pub"):
            (certificates / f"cloud.{end}").unlink()
        self.fwtool("ca", "issue", "--ca", self.cloud.certificates, "--identity", "gate.acme", "--server", "--dns",
                    self.cloud_address, "-o", certificates / "cloud")
        return Cloud(self.folder / "gate" / "broker", certificates, SITE, address=self.cloud_address)

    def policy_payload(self, **changes):
        options = {"ticket": True, "grants": [objects.grant(self.site_key, ["pump.*", "plan.show"])],
                   "vendor_commands": ["diagnostics.*"], **changes}
        return objects.site_policy(SITE, self.approvers, THRESHOLD, [self.gate_entry], [self.cloud_endpoint], **options)

    def sign_policy(self, payload, people=THRESHOLD):
        return objects.sign_set(objects.SITE_POLICY_AAD, payload, self.approvers[:people])

    def start_gate(self):
        self.cloud.start()
        if self.own_gate:
            self.gate_broker.start()
        self.gate = Gate(self.gate_broker, self.gate_key, objects.sha256(self.payload))
        return self.gate

    def close(self):
        if self.own_gate and self.gate_broker.process:
            self.gate_broker.kill()
        super().close()
