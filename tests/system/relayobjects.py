# SPDX-License-Identifier: GPL-2.0-or-later
"""The signed objects of docs/trust.md in Python, independent of librelay: encode, sign, decode, verify.

Manifests, approvals and factory lists are here, with one site for tests and for the document's examples; the rest comes
from relaycose, relaypolicy and relaygate, so that this one is all a test has to import.
"""
import hashlib
import uuid

import cbor2

from relaycose import *  # noqa: F401, F403
from relaycose import decode, demand, encode, key_id, sha256, sign1, sign_set, signer_of, signers, verify1, Key, Refused
from relaygate import *  # noqa: F401, F403
from relaygate import checkpoint, command, gate_request, revocation, ticket, update_file_head
from relaypolicy import *  # noqa: F401, F403
from relaypolicy import ISSUED, SITE_POLICY_AAD, VENDOR_KEYS_AAD, endpoint, gate, grant, rule, site_policy, vendor_keys

APPROVAL_AAD = b"relayd/approval/1"
BLOCK = 4096


# ---- manifest

def block_list(image):
    return b"".join(hashlib.sha256(image[at:at + BLOCK]).digest() for at in range(0, len(image), BLOCK))


def suit_digest(data):
    return encode([-16, hashlib.sha256(data).digest()])


def ids(domain, class_name):
    vendor = uuid.uuid5(uuid.NAMESPACE_DNS, domain)
    return vendor.bytes, uuid.uuid5(vendor, class_name).bytes


def manifest_parts(sequence, vendor, class_id, image, version, urgency, description=""):
    """The manifest as a dictionary, wrapped parts still open, so that tests can bend it."""
    component = (b"app",)
    text = {-256: urgency, component: {6: version}}
    if description:
        text[2] = description
    return {
        1: 1,
        2: sequence,
        3: {2: [component],
            4: [20, {1: vendor, 2: class_id, 3: suit_digest(image), 14: len(image),
                     -256: hashlib.sha256(block_list(image)).digest()},
                1, 15, 2, 15]},
        7: [3, 15],
        20: [20, {21: "images/" + hashlib.sha256(image).hexdigest()}, 21, 2, 3, 15],
        23: {"en": text},
    }


def close_manifest(parts):
    parts = dict(parts)
    if isinstance(parts.get(3), dict) and isinstance(parts[3].get(4), list):
        parts[3] = {**parts[3], 4: encode(parts[3][4])}
    return encode({label: encode(part) if label in (3, 7, 20, 23) else part for label, part in parts.items()})


def envelope(manifest, keys, extra=None):
    digest = suit_digest(encode(manifest))
    wrapper = [digest] + [sign1(key, b"", digest, detached=True) for key in keys]
    return encode(cbor2.CBORTag(107, {2: encode(wrapper), 3: manifest, **(extra or {})}))


def open_envelope(data):
    """(manifest digest, manifest dictionary, SUIT_Digest, signatures)"""
    item = decode(data)
    demand(isinstance(item, cbor2.CBORTag) and item.tag == 107 and set(item.value) == {2, 3}, "envelope")
    wrapper, manifest = decode(item.value[2]), item.value[3]
    demand(wrapper[0] == suit_digest(encode(manifest)), "digest")
    return decode(wrapper[0])[1], decode(manifest), wrapper[0], wrapper[1:]


def verify_manifest(data, keys):
    """Fields of a manifest signed by both roles of an accepted vendor key set."""
    digest, manifest, signed, signatures = open_envelope(data)
    demand(signers(signatures, b"", signed, keys[3]), "organisation signature")
    demand(signers(signatures, b"", signed, keys[4]), "developer signature")
    common = decode(manifest[3])
    shared = decode(common[4])
    parameters = shared[1]
    image = decode(parameters[3])[1]
    texts = decode(manifest[23])["en"]
    fields = {
        "digest": digest, "sequence": manifest[2], "vendor": parameters[1], "class": parameters[2], "image": image,
        "size": parameters[14], "list": parameters[-256], "urgency": texts[-256],
        "version": texts[(b"app",)][6], "description": texts.get(2, ""),
    }
    demand(parameters[1] == keys[1], "vendor")
    # the profile is one template: written from the fields, it must come out the same
    template = {
        1: 1, 2: fields["sequence"], 3: common, 7: encode([3, 15]),
        20: encode([20, {21: "images/" + image.hex()}, 21, 2, 3, 15]), 23: manifest[23],
    }
    demand(common[2] == [[b"app"]] and shared[0] == 20 and shared[2:] == [1, 15, 2, 15], "common")
    demand({**template, 3: encode(common)} == dict(manifest), "profile")
    return fields


# ---- approval

def approval_payload(site, digest, scope=(0,), epoch=1, not_before=None, not_after=None):
    item = {0: 1, 1: site, 2: digest, 3: list(scope), 6: epoch}
    if not_before is not None:
        item[4] = not_before
    if not_after is not None:
        item[5] = not_after
    return encode(item)


def approval(key, *arguments, **options):
    return sign1(key, APPROVAL_AAD, approval_payload(*arguments, **options))


def verify_approval(data, policy):
    """(place of the approver, approval dictionary)"""
    for place, key in enumerate(policy[4]):
        if key_id(key) != signer_of(data):
            continue
        item = decode(verify1(data, key, APPROVAL_AAD))
        demand(item[1] == policy[1], "site")
        return place, item
    raise Refused("no approver")


# ---- factory list

def factory_list(vendor, devices, relay_checks=(), attestation=None, images=()):
    """devices: (identity, key, class id) each; relay_checks: names of those that cannot check updates themselves;
    attestation: {name: 1 (claimed) or 2 (attested)}; images: digests"""
    levels = attestation or {}
    rows = [{0: name, 1: key.cose, 2: class_id, **({3: False} if name in relay_checks else {}),
             **({4: levels[name]} if name in levels else {})} for name, key, class_id in devices]
    return encode({0: 1, 1: vendor, 2: rows, **({3: list(images)} if images else {})})


# ---- one site, for tests and for the document's examples

class Sample:
    def __init__(self):
        self.vendor, self.class_id = ids("acme.example", "plant-care")
        self.organisation, self.developer, self.command = Key("organisation"), Key("developer"), Key("command")
        self.approvers = [Key(f"approver {n}") for n in (1, 2, 3)]
        self.gate, self.second_gate, self.site_command = Key("gate"), Key("gate 2"), Key("site command")
        self.vendor_payload = vendor_keys(self.vendor, [self.organisation], [self.developer], [self.command])
        self.vendor_set = sign_set(VENDOR_KEYS_AAD, self.vendor_payload, [self.organisation, self.developer])
        pins = [sha256(name.encode()) for name in ("relay pin", "backup pin", "cloud pin", "gate pin")]
        self.endpoints = [endpoint(0, "relay.site-1.example", 8883, pins[0], pins[1], ["device-1", "device-2"]),
                          endpoint(1, "cloud.acme.example", 8883, pins[2])]
        self.policy_payload = self.make_policy()
        self.policy_set = sign_set(SITE_POLICY_AAD, self.policy_payload, self.approvers[:2])
        self.policy = decode(self.policy_payload)
        self.image = bytes(range(256)) * 20
        self.parts = manifest_parts(7, self.vendor, self.class_id, self.image, "1.1.0", "security",
                                    "Waters less at night.")
        self.manifest = close_manifest(self.parts)
        self.envelope = envelope(self.manifest, [self.organisation, self.developer])
        self.digest = sha256(encode(self.manifest))
        self.approvals = [approval(key, "site-1", self.digest) for key in self.approvers[:2]]
        self.factory = factory_list(self.vendor, [(f"device-{n}", Key(f"device {n}"), self.class_id)
                                                  for n in (1, 2)])
        self.make_successors()
        self.make_answers()

    def make_policy(self, **changes):
        pin = sha256(b"gate pin")
        values = dict(
            approvers=self.approvers, k=2, endpoints=self.endpoints, patience=300, time_zone="Europe/Helsinki",
            gates=[gate(self.gate), gate(self.second_gate, "192.0.2.7", 8884, pin, scope=[2, ["device-3"]])],
            grants=[grant(self.site_command, ["pump.*"], [2, ["device-1"]])], vendor_commands=["diagnostics.*"],
            rules=[rule(["security"], [1, self.class_id], 3 * 86400, [[6 * 1440 + 120, 120]])])
        return site_policy("site-1", **{**values, **changes})

    def make_successors(self):
        """approver 1 leaves, approver 4 comes; the developer gets a new key"""
        self.next_approvers = [Key(f"approver {n}") for n in (2, 3, 4)]
        self.next_policy_payload = self.make_policy(approvers=self.next_approvers, epoch=2, approval_epoch=2,
                                                    issued=ISSUED + 86400, predecessor=sha256(self.policy_payload),
                                                    vendor_epoch=2)
        self.next_policy_set = sign_set(SITE_POLICY_AAD, self.next_policy_payload, self.next_approvers[:2])
        self.next_vendor_payload = vendor_keys(self.vendor, [self.organisation], [Key("developer 2")], [self.command],
                                               2, sha256(self.vendor_payload))
        self.next_vendor_set = sign_set(VENDOR_KEYS_AAD, self.next_vendor_payload,
                                        [self.organisation, self.developer, *self.approvers[:2]])
        self.revocation = revocation(self.approvers[1:], "site-1", 2, ISSUED + 3600)

    def make_answers(self):
        self.nonce, policy_digest = sha256(b"nonce")[:16], sha256(self.policy_payload)
        self.request, self.time_request = gate_request(self.nonce, self.digest), gate_request(self.nonce)
        self.ticket = ticket(self.gate, "site-1", "device-1", self.request, policy_digest, time=ISSUED + 60)
        self.refusal = ticket(self.gate, "site-1", "device-1", self.request, policy_digest, reason="gate-closed",
                              time=ISSUED + 60)
        self.time_answer = ticket(self.gate, "site-1", "device-1", self.time_request, policy_digest, time=ISSUED + 60)
        self.order = command(self.site_command, "site-1", "device-1", 7, ISSUED + 600, "pump.on", encode({"s": 90}))
        self.first_checkpoint = checkpoint(self.gate, "site-1", "relay.s1", 1000, sha256(b"record 1000"))
        self.checkpoint = checkpoint(self.gate, "site-1", "relay.s1", 1234, sha256(b"record 1234"), ISSUED + 60,
                                     sha256(self.first_checkpoint))
        self.update_head = update_file_head(self.envelope, "Waters less at night.\n", len(self.image))
