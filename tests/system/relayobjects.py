# SPDX-License-Identifier: GPL-2.0-or-later
"""The signed objects of docs/trust.md in Python, independent of librelay: encode, sign, decode, verify.

Decoding goes through cbor2 and then demands that encoding again gives the same bytes, because cbor2 by itself accepts
longer-than-needed integers, repeated keys and trailing bytes, and sorts map keys length-first.
"""
import hashlib
import uuid

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils

VENDOR_KEYS_AAD = b"relayd/vendor-keys/1"
SITE_POLICY_AAD = b"relayd/site-policy/1"
APPROVAL_AAD = b"relayd/approval/1"
BLOCK = 4096
ISSUED = 1763800000


class Refused(Exception):
    """The object breaks a rule; the text says which."""


def demand(condition, text):
    if not condition:
        raise Refused(text)


# ---- deterministic CBOR (RFC 8949 section 4.2.1)

def head(major, value):
    if value < 24:
        return bytes([major << 5 | value])
    for info, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if value < 1 << (8 * size):
            return bytes([major << 5 | info]) + value.to_bytes(size, "big")
    raise ValueError(value)


def encode(item):
    if item is None or isinstance(item, bool):
        return {False: b"\xf4", True: b"\xf5", None: b"\xf6"}[item]
    if isinstance(item, int):
        return head(0, item) if item >= 0 else head(1, -1 - item)
    if isinstance(item, (bytes, bytearray)):
        return head(2, len(item)) + bytes(item)
    if isinstance(item, str):
        text = item.encode()
        return head(3, len(text)) + text
    if isinstance(item, (list, tuple)):
        return head(4, len(item)) + b"".join(encode(part) for part in item)
    if isinstance(item, cbor2.CBORTag):
        return head(6, item.tag) + encode(item.value)
    if hasattr(item, "items"):
        pairs = sorted((encode(key), encode(value)) for key, value in item.items())
        return head(5, len(pairs)) + b"".join(key + value for key, value in pairs)
    raise TypeError(type(item))


def decode(data):
    try:
        item = cbor2.loads(data)
        again = encode(item)
    except Exception as error:
        raise Refused(f"no CBOR of ours: {error}") from error
    demand(again == data, "not deterministically encoded")
    return item


# ---- keys

class Key:
    """A key pair made from a fixed seed: Ed25519, or P-256 if so asked."""

    def __init__(self, seed, p256=False):
        self.seed = hashlib.sha256(seed.encode()).digest()
        self.p256 = p256
        if p256:
            self.private = ec.derive_private_key(int.from_bytes(self.seed, "big") >> 1, ec.SECP256R1())
        else:
            self.private = ed25519.Ed25519PrivateKey.from_private_bytes(self.seed)
        self.public = self.private.public_key()

    def sign(self, message):
        if not self.p256:
            return self.private.sign(message)
        r, s = utils.decode_dss_signature(self.private.sign(message, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    @property
    def cose(self):
        return to_cose(self.public)


def to_cose(public):
    if isinstance(public, ed25519.Ed25519PublicKey):
        raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return {1: 1, -1: 6, -2: raw}
    point = public.public_numbers()
    return {1: 2, -1: 1, -2: point.x.to_bytes(32, "big"), -3: point.y.to_bytes(32, "big")}


def from_cose(key):
    if key.get(1) == 1 and key.get(-1) == 6 and set(key) == {1, -1, -2}:
        return ed25519.Ed25519PublicKey.from_public_bytes(key[-2])
    demand(key.get(1) == 2 and key.get(-1) == 1 and set(key) == {1, -1, -2, -3}, "no key of ours")
    numbers = ec.EllipticCurvePublicNumbers(int.from_bytes(key[-2], "big"), int.from_bytes(key[-3], "big"),
                                            ec.SECP256R1())
    return numbers.public_key()


def spki(cose_key):
    return from_cose(cose_key).public_bytes(serialization.Encoding.DER,
                                            serialization.PublicFormat.SubjectPublicKeyInfo)


def key_id(cose_key):
    return hashlib.sha256(spki(cose_key)).digest()[:8]


def distinct(keys):
    encoded = [encode(key) for key in keys]
    return len(set(encoded)) == len(encoded)


# ---- COSE_Sign1 (RFC 9052) and signed sets

def sig_structure(protected, aad, payload):
    return encode(["Signature1", protected, aad, payload])


def sign1(key, aad, payload, detached=False, protected=None):
    if protected is None:
        protected = encode({1: -7 if key.p256 else -8, 4: key_id(key.cose)})
    signature = key.sign(sig_structure(protected, aad, payload))
    return encode(cbor2.CBORTag(18, [protected, {}, None if detached else payload, signature]))


def verify1(data, cose_key, aad, payload=None):
    """The payload, or Refused."""
    item = decode(data)
    if isinstance(item, cbor2.CBORTag):
        demand(item.tag == 18, "no COSE_Sign1")
        item = item.value
    protected, _, inside, signature = item
    header = decode(protected)
    demand(2 not in header, "crit")
    message = sig_structure(protected, aad, payload if inside is None else inside)
    public = from_cose(cose_key)
    demand(len(signature) == 64, "signature size")
    try:
        if isinstance(public, ed25519.Ed25519PublicKey):
            demand(header.get(1) == -8, "algorithm")
            public.verify(signature, message)
        else:
            demand(header.get(1) == -7, "algorithm")
            r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
            public.verify(utils.encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature as error:
        raise Refused("signature") from error
    return payload if inside is None else inside


def signer_of(data):
    item = decode(data)
    item = item.value if isinstance(item, cbor2.CBORTag) else item
    return decode(item[0]).get(4, b"")


def sign_set(aad, payload, keys):
    signatures = b"".join(sign1(key, aad, payload, detached=True) for key in keys)
    return head(4, 2) + encode(payload) + head(4, len(keys)) + signatures


def open_set(data):
    payload, signatures = decode(data)
    return payload, [encode(signature) for signature in signatures]


def signers(signatures, aad, payload, keys):
    """Which keys of the list signed; each whole key counts once."""
    found = []
    for key in keys:
        for signature in signatures:
            try:
                verify1(signature, key, aad, payload)
            except Refused:
                continue
            found.append(key)
            break
    return found


# ---- vendor key set

def vendor_keys(vendor, organisation, developer, command=(), epoch=1):
    return encode({0: 1, 1: vendor, 2: epoch, 3: [key.cose for key in organisation],
                   4: [key.cose for key in developer], 5: [key.cose for key in command]})


def accept_vendor_keys(data):
    payload, signatures = open_set(data)
    keys = decode(payload)
    demand(set(keys) == {0, 1, 2, 3, 4, 5} and keys[0] == 1 and keys[2] == 1 and len(keys[1]) == 16, "form")
    demand(distinct(keys[3] + keys[4] + keys[5]), "one key in two places")
    demand(signers(signatures, VENDOR_KEYS_AAD, payload, keys[3]), "organisation signature")
    demand(signers(signatures, VENDOR_KEYS_AAD, payload, keys[4]), "developer signature")
    return keys


# ---- site policy

def endpoint(kind, host, port, pin, backup=None, devices=None):
    item = {0: kind, 1: host, 2: port, 3: pin}
    if backup is not None:
        item[4] = backup
    if devices is not None:
        item[5] = devices
    return item


def gate(key, host=None, port=None, pin=None, backup=None, scope=None):
    item = {0: key.cose, 1: host, 2: port, 3: pin, 4: backup, 5: scope}
    return {label: value for label, value in item.items() if value is not None}


def site_policy(site, approvers, k, gates, endpoints, mode=0, ticket=True, patience=0, epoch=1, predecessor=None,
                approval_epoch=1, issued=ISSUED, **more):
    """gates: keys, or what gate() made. more: grants, vendor_commands, rules, time_zone."""
    item = {0: 1, 1: site, 2: epoch, 3: predecessor, 4: [key.cose for key in approvers], 5: k,
            6: [gate(key) if isinstance(key, Key) else key for key in gates], 7: endpoints, 8: mode, 9: ticket,
            10: patience, 11: approval_epoch, 12: issued, 13: more.pop("grants", None),
            14: more.pop("vendor_commands", None), 15: more.pop("rules", None), 16: more.pop("time_zone", None)}
    assert not more
    return encode({label: value for label, value in item.items() if value is not None})


def accept_site_policy(data):
    payload, signatures = open_set(data)
    policy = decode(payload)
    demand(set(policy) - {13, 14, 15, 16} == {0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12}, "form")
    demand(policy[0] == 1 and policy[2] == 1, "form")
    n, k = len(policy[4]), policy[5]
    demand(n / 2 < k <= n, "k")
    demand(distinct(policy[4] + [entry[0] for entry in policy[6]] + [entry[0] for entry in policy.get(13, [])]),
           "one key in two places")
    demand(policy[6] or not policy[9] and 15 not in policy, "no gate to ask")
    demand(policy[8] in (0, 1), "mode")
    demand(policy[8] == 0 or all(entry[0] == 0 for entry in policy[7]), "relay-only with a cloud endpoint")
    demand(len(signers(signatures, SITE_POLICY_AAD, payload, policy[4])) >= k, "fewer than k signatures")
    return policy


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

def factory_list(vendor, devices, relay_checks=()):
    """devices: (identity, key, class id) each; relay_checks: names of those that cannot check updates themselves"""
    return encode({0: 1, 1: vendor, 2: [{0: name, 1: key.cose, 2: class_id, **({3: False} if name in relay_checks else {})}
                                        for name, key, class_id in devices]})


# ---- one site, for tests and for the document's examples

class Sample:
    def __init__(self):
        self.vendor, self.class_id = ids("acme.example", "plant-care")
        self.organisation, self.developer, self.command = Key("organisation"), Key("developer"), Key("command")
        self.approvers = [Key(f"approver {n}") for n in (1, 2, 3)]
        self.gate = Key("gate")
        self.vendor_set = sign_set(VENDOR_KEYS_AAD, vendor_keys(self.vendor, [self.organisation], [self.developer],
                                                                [self.command]), [self.organisation, self.developer])
        pins = [hashlib.sha256(name.encode()).digest() for name in ("relay pin", "backup pin", "cloud pin")]
        self.endpoints = [endpoint(0, "relay.site-1.example", 8883, pins[0], pins[1], ["device-1", "device-2"]),
                          endpoint(1, "cloud.acme.example", 8883, pins[2])]
        self.policy_payload = site_policy("site-1", self.approvers, 2, [self.gate], self.endpoints, ticket=False,
                                          patience=300)
        self.policy_set = sign_set(SITE_POLICY_AAD, self.policy_payload, self.approvers[:2])
        self.policy = decode(self.policy_payload)
        self.image = bytes(range(256)) * 20
        self.parts = manifest_parts(7, self.vendor, self.class_id, self.image, "1.1.0", "security",
                                    "Waters less at night.")
        self.manifest = close_manifest(self.parts)
        self.envelope = envelope(self.manifest, [self.organisation, self.developer])
        self.digest = hashlib.sha256(encode(self.manifest)).digest()
        self.approvals = [approval(key, "site-1", self.digest) for key in self.approvers[:2]]
        self.factory = factory_list(self.vendor, [(f"device-{n}", Key(f"device {n}"), self.class_id)
                                                  for n in (1, 2)])
