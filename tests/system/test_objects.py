# SPDX-License-Identifier: GPL-2.0-or-later
"""librelay against the independent Python of relayobjects.py, in both directions."""
import hashlib
import os
import pathlib
import subprocess

import cbor2
import pytest

import relayobjects as ro

BUILD = pathlib.Path(os.environ.get("RELAYD_BUILD", pathlib.Path(__file__).parents[2] / "build"))


class Tool:
    def __init__(self):
        self.process = subprocess.Popen([BUILD / "tests/unit/librelay/objtool"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def ask(self, verb, *arguments):
        """'ok' and its fields, or the refusal in words"""
        words = [verb] + [(word.hex() or "-") if isinstance(word, bytes) else str(word) for word in arguments]
        self.process.stdin.write(" ".join(words) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().split()
        fields = dict(word.split("=", 1) for word in answer[1:] if "=" in word)
        return " ".join(word for word in answer if "=" not in word), fields

    def make(self, verb, *arguments):
        answer, fields = self.ask(verb, *arguments)
        assert answer == "ok"
        return bytes.fromhex(fields["bytes"])


@pytest.fixture(scope="module")
def tool():
    tool = Tool()
    yield tool
    tool.process.stdin.close()
    assert tool.process.wait() == 0


@pytest.fixture(scope="module")
def sample():
    return ro.Sample()


@pytest.mark.parametrize("p256", [False, True])
def test_key(tool, p256):
    key = ro.Key("some key", p256)
    answer, fields = tool.ask("key", ro.encode(key.cose))
    assert answer == "ok"
    assert bytes.fromhex(fields["spki"]) == ro.spki(key.cose)
    assert bytes.fromhex(fields["id"]) == ro.key_id(key.cose)


@pytest.mark.parametrize("p256", [False, True])
@pytest.mark.parametrize("detached", [False, True])
@pytest.mark.parametrize("payload", [b"", b"x", bytes(300)])
def test_python_signs_c_verifies(tool, p256, detached, payload):
    key, other = ro.Key("signer", p256), ro.Key("other", p256)
    data = ro.sign1(key, b"aad/1", payload, detached)
    assert tool.ask("cose", data, b"aad/1", ro.encode(key.cose), payload)[0] == "ok"
    assert tool.ask("cose", data, b"aad/2", ro.encode(key.cose), payload)[0].startswith("error -5")
    assert tool.ask("cose", data, b"aad/1", ro.encode(other.cose), payload)[0].startswith("error -5")
    wrong_type = ro.Key("signer", not p256)
    assert tool.ask("cose", data, b"aad/1", ro.encode(wrong_type.cose), payload)[0].startswith("error -7")


@pytest.mark.parametrize("detached", [False, True])
def test_c_signs_python_verifies(tool, detached):
    key = ro.Key("signer")
    data = tool.make("sign", key.seed, b"aad/1", b"payload", "detached" if detached else "attached")
    assert data == ro.sign1(key, b"aad/1", b"payload", detached)  # Ed25519 has one signature per message
    assert ro.verify1(data, key.cose, b"aad/1", b"payload" if detached else None) == b"payload"
    with pytest.raises(ro.Refused):
        ro.verify1(data, key.cose, b"aad/2", b"payload" if detached else None)


def test_unknown_protected_header_and_crit(tool):
    key = ro.Key("signer")
    fine = ro.sign1(key, b"", b"p", protected=ro.encode({1: -8, 3: 60, 4: b"anything"}))
    crit = ro.sign1(key, b"", b"p", protected=ro.encode({1: -8, 2: [3], 3: 60}))
    assert tool.ask("cose", fine, b"", ro.encode(key.cose), b"")[0] == "ok"
    assert tool.ask("cose", crit, b"", ro.encode(key.cose), b"")[0].startswith("error -7")


def test_vendor_keys(tool, sample):
    answer, fields = tool.ask("vendor", sample.vendor_set)
    assert answer == "ok"
    payload = ro.open_set(sample.vendor_set)[0]
    assert bytes.fromhex(fields["again"]) == payload
    assert bytes.fromhex(fields["digest"]) == hashlib.sha256(payload).digest()
    made = tool.make("sign-set", ro.VENDOR_KEYS_AAD, payload, sample.organisation.seed, sample.developer.seed)
    assert made == sample.vendor_set
    assert ro.accept_vendor_keys(made)[1] == sample.vendor


VENDOR_REFUSALS = [
    ("organisation-signature", dict(), ["developer", "approver 1"]),
    ("developer-signature", dict(), ["organisation", "organisation"]),
    ("vendor-keys-invalid", dict(epoch=2), ["organisation", "developer"]),
    ("vendor-keys-invalid", dict(developer=["organisation"]), ["organisation", "organisation"]),
    ("vendor-keys-invalid", dict(command=["developer"]), ["organisation", "developer"]),
    ("vendor-keys-invalid", dict(developer=["developer", "developer"]), ["organisation", "developer"]),
    ("vendor-keys-invalid", dict(developer=[]), ["organisation", "developer"]),
]


@pytest.mark.parametrize("reason, changes, signed_by", VENDOR_REFUSALS)
def test_vendor_keys_refused(tool, sample, reason, changes, signed_by):
    roles = {"organisation": ["organisation"], "developer": ["developer"], "command": ["command"], **changes}
    epoch = roles.pop("epoch", 1)
    payload = ro.vendor_keys(sample.vendor, epoch=epoch, **{role: [ro.Key(name) for name in names]
                                                          for role, names in roles.items()})
    data = ro.sign_set(ro.VENDOR_KEYS_AAD, payload, [ro.Key(name) for name in signed_by])
    assert tool.ask("vendor", data)[0] == f"refused {reason}"
    with pytest.raises(ro.Refused):
        ro.accept_vendor_keys(data)


def test_site_policy(tool, sample):
    answer, fields = tool.ask("policy", sample.policy_set)
    assert answer == "ok"
    assert bytes.fromhex(fields["again"]) == sample.policy_payload
    assert bytes.fromhex(fields["digest"]) == hashlib.sha256(sample.policy_payload).digest()
    made = tool.make("sign-set", ro.SITE_POLICY_AAD, sample.policy_payload, *[key.seed for key in sample.approvers])
    assert ro.accept_site_policy(made)[5] == 2


POLICY_REFUSALS = [
    ("policy-invalid", dict(k=1)),
    ("policy-invalid", dict(k=4)),
    ("policy-invalid", dict(k=0)),
    ("policy-invalid", dict(approvers=["approver 1", "approver 2", "approver 1"])),
    ("policy-invalid", dict(gates=["approver 3"])),
    ("policy-invalid", dict(mode=1)),
    ("policy-invalid", dict(epoch=2, predecessor=bytes(32))),
    ("bad-signature", dict(signed_by=["approver 1", "approver 1"])),
    ("bad-signature", dict(signed_by=["approver 1", "gate"])),
    ("bad-signature", dict(aad=ro.VENDOR_KEYS_AAD)),
]


@pytest.mark.parametrize("reason, changes", POLICY_REFUSALS)
def test_site_policy_refused(tool, sample, reason, changes):
    values = {"approvers": ["approver 1", "approver 2", "approver 3"], "k": 2, "gates": ["gate"], **changes}
    signed_by = [ro.Key(name) for name in values.pop("signed_by", ["approver 1", "approver 2"])]
    aad = values.pop("aad", ro.SITE_POLICY_AAD)
    values = {name: [ro.Key(key) for key in value] if isinstance(value, list) else value
              for name, value in values.items()}
    data = ro.sign_set(aad, ro.site_policy("site-1", endpoints=sample.endpoints, **values), signed_by)
    assert tool.ask("policy", data)[0] == f"refused {reason}"
    with pytest.raises(ro.Refused):
        ro.accept_site_policy(data)


def test_manifest_made_by_python(tool, sample):
    answer, fields = tool.ask("manifest", sample.envelope, sample.vendor_set)
    assert answer == "ok"
    ours = ro.verify_manifest(sample.envelope, ro.accept_vendor_keys(sample.vendor_set))
    assert int(fields["sequence"]) == ours["sequence"] == 7
    assert int(fields["size"]) == ours["size"] == len(sample.image)
    for name in ("digest", "vendor", "class", "image", "list"):
        assert bytes.fromhex(fields[name]) == ours[name]
    assert fields["version"] == "1.1.0" and fields["urgency"] == "security"
    assert bytes.fromhex(fields["description"]).decode() == "Waters less at night."


@pytest.mark.parametrize("description", ["", "Waters less at night.", "Gießt nachts weniger. 夜間の水やり"])
def test_manifest_made_by_c(tool, sample, description):
    made = tool.make("make-manifest", 7, sample.vendor, sample.class_id, hashlib.sha256(sample.image).digest(),
                     len(sample.image), hashlib.sha256(ro.block_list(sample.image)).digest(), "1.1.0", "security",
                     description.encode())
    parts = ro.manifest_parts(7, sample.vendor, sample.class_id, sample.image, "1.1.0", "security", description)
    assert made == ro.envelope(ro.close_manifest(parts), [])
    once = tool.make("add-signature", made, sample.organisation.seed)
    assert tool.ask("add-signature", once, sample.organisation.seed)[0].startswith("error -8")
    assert tool.ask("manifest", once, sample.vendor_set)[0] == "refused developer-signature"
    twice = tool.make("add-signature", once, sample.developer.seed)
    assert ro.verify_manifest(twice, ro.accept_vendor_keys(sample.vendor_set))["description"] == description
    assert tool.ask("manifest", twice, sample.vendor_set)[0] == "ok"


def test_manifest_signed_by_es256(tool, sample):
    organisation = ro.Key("organisation", p256=True)
    vendor_set = ro.sign_set(ro.VENDOR_KEYS_AAD, ro.vendor_keys(sample.vendor, [organisation], [sample.developer]),
                             [organisation, sample.developer])
    data = ro.envelope(sample.manifest, [organisation, sample.developer])
    assert tool.ask("manifest", data, vendor_set)[0] == "ok"


def bend(change):
    sample = ro.Sample()
    change(sample.parts)
    return sample.parts


def set_at(*path, value):
    def change(parts):
        for step in path[:-1]:
            parts = parts[step]
        parts[path[-1]] = value
    return change


def drop(*path):
    def change(parts):
        for step in path[:-1]:
            parts = parts[step]
        del parts[path[-1]]
    return change


UNSUPPORTED, MALFORMED, TOO_LARGE = "unsupported-manifest", "malformed", "too-large"
DEVIATIONS = [
    ("version 2", UNSUPPORTED, set_at(1, value=2)),
    ("no validate", UNSUPPORTED, drop(7)),
    ("no text", UNSUPPORTED, drop(23)),
    ("invoke", UNSUPPORTED, set_at(9, value=ro.encode([23, 2]))),
    ("load", UNSUPPORTED, set_at(8, value=ro.encode([22, 2]))),
    ("reference uri", UNSUPPORTED, set_at(4, value="http://example/")),
    ("two components", UNSUPPORTED, set_at(3, 2, value=[(b"app",), (b"boot",)])),
    ("other component", UNSUPPORTED, set_at(3, 2, value=[(b"boot",)])),
    ("component of two parts", UNSUPPORTED, set_at(3, 2, value=[(b"app", b"0")])),
    ("dependencies in common", UNSUPPORTED, set_at(3, 1, value={1: {}})),
    ("copy instead of fetch", UNSUPPORTED, set_at(20, 2, value=22)),
    ("write in validate", UNSUPPORTED, set_at(7, value=[18, 2])),
    ("run-sequence in install", UNSUPPORTED, set_at(20, value=[32, b"\x80"])),
    ("set-component-index", UNSUPPORTED, set_at(3, 4, 0, value=12)),
    ("other uri", UNSUPPORTED, set_at(20, 1, 21, value="images/" + "0" * 64)),
    ("http uri", UNSUPPORTED, set_at(20, 1, 21, value="http://192.0.2.1/image")),
    ("no image match", UNSUPPORTED, set_at(20, 4, value=24)),
    ("no class condition", UNSUPPORTED, set_at(3, 4, 4, value=1)),
    ("reporting policy 16", UNSUPPORTED, set_at(7, value=[3, 16])),
    ("SHA-512", UNSUPPORTED, set_at(3, 4, 1, 3, value=ro.encode([-44, bytes(64)]))),
    ("short digest", MALFORMED, set_at(3, 4, 1, 3, value=ro.encode([-16, bytes(31)]))),
    ("no block list", UNSUPPORTED, drop(3, 4, 1, -256)),
    ("more parameters", UNSUPPORTED, set_at(3, 4, 1, 24, value=b"")),
    ("short vendor", MALFORMED, set_at(3, 4, 1, 1, value=bytes(15))),
    ("empty image", TOO_LARGE, set_at(3, 4, 1, 14, value=0)),
    ("huge image", TOO_LARGE, set_at(3, 4, 1, 14, value=64 * 1024 * 1024 + 1)),
    ("image size of 64 bits", TOO_LARGE, set_at(3, 4, 1, 14, value=(1 << 32) + 5)),
    ("negative sequence", MALFORMED, set_at(2, value=-1)),
    ("severed text", MALFORMED, set_at(23, value=[-16, bytes(32)])),
    ("other language", UNSUPPORTED, set_at(23, value={"de": {-256: "security", (b"app",): {6: "1"}}})),
    ("two languages", UNSUPPORTED, set_at(23, "fr", value={-256: "security", (b"app",): {6: "1"}})),
    ("no urgency", UNSUPPORTED, drop(23, "en", -256)),
    ("empty version", UNSUPPORTED, set_at(23, "en", (b"app",), 6, value="")),
    ("quote in version", UNSUPPORTED, set_at(23, "en", (b"app",), 6, value='1.0","online":true')),
    ("long version", UNSUPPORTED, set_at(23, "en", (b"app",), 6, value="1" * 201)),
    ("vendor name text", UNSUPPORTED, set_at(23, "en", (b"app",), 1, value="Acme")),
    ("terminal sequence", UNSUPPORTED, set_at(23, "en", 2, value="fine\x1b[2J")),
    ("C1 control", UNSUPPORTED, set_at(23, "en", 2, value="fine\x9b2J")),
    ("direction override", UNSUPPORTED, set_at(23, "en", 2, value="fine\u202egpj.exe")),
    ("empty description", UNSUPPORTED, set_at(23, "en", 2, value="")),
]


@pytest.mark.parametrize("name, reason, change", DEVIATIONS, ids=[row[0] for row in DEVIATIONS])
def test_manifest_deviations(tool, sample, name, reason, change):
    parts = bend(change)
    if name == "severed text":
        manifest = ro.encode({**ro.decode(sample.manifest), 23: [-16, bytes(32)]})
    else:
        manifest = ro.close_manifest(parts)
    data = ro.envelope(manifest, [sample.organisation, sample.developer])
    assert tool.ask("manifest", data, sample.vendor_set)[0] == f"refused {reason}"


def test_envelope_deviations(tool, sample):
    both = [sample.organisation, sample.developer]
    item = cbor2.loads(sample.envelope)
    wrapper = ro.decode(item.value[2])

    def refused(changed, tag=107):
        return tool.ask("manifest", ro.encode(cbor2.CBORTag(tag, changed)), sample.vendor_set)[0]

    other = ro.close_manifest({**sample.parts, 2: 8})
    assert refused({2: item.value[2], 3: other}) == "refused malformed"  # somebody else's digest and signatures
    assert refused({2: item.value[2], 3: sample.manifest + b"\0"}) == "refused malformed"
    assert refused({3: sample.manifest}) == "refused unsupported-manifest"
    assert refused({2: ro.encode([]), 3: sample.manifest}) == "refused unsupported-manifest"
    assert refused({2: ro.encode(wrapper[:1]), 3: sample.manifest}) == "refused organisation-signature"
    assert refused({2: ro.encode(wrapper[:1] + [b"x"] * 5), 3: sample.manifest}) == "refused unsupported-manifest"
    assert refused({2: ro.encode(wrapper[:1] + [b"x"] * 2 + wrapper[1:]), 3: sample.manifest}) == "ok"
    assert refused(item.value, tag=108) == "refused malformed"
    integrated = ro.envelope(sample.manifest, both, {"#image": b"payload"})
    assert tool.ask("manifest", integrated, sample.vendor_set)[0] == "refused unsupported-manifest"
    assert tool.ask("manifest", sample.envelope + bytes(1), sample.vendor_set)[0] == "refused malformed"
    assert tool.ask("manifest", sample.envelope + bytes(4096), sample.vendor_set)[0] == "refused too-large"


def test_manifest_roles(tool, sample):
    def answer(keys):
        return tool.ask("manifest", ro.envelope(sample.manifest, keys), sample.vendor_set)[0]

    assert answer([sample.developer, sample.organisation]) == "ok"
    assert answer([sample.organisation, sample.organisation]) == "refused developer-signature"
    assert answer([sample.developer, sample.developer]) == "refused organisation-signature"
    assert answer([sample.command, sample.approvers[0]]) == "refused organisation-signature"
    other = ro.close_manifest(ro.manifest_parts(7, bytes(16), sample.class_id, sample.image, "1", "routine"))
    wrong = ro.envelope(other, [sample.organisation, sample.developer])
    assert tool.ask("manifest", wrong, sample.vendor_set)[0] == "refused wrong-vendor"


def test_every_prefix_is_refused(tool, sample):
    for at in range(len(sample.envelope)):
        assert tool.ask("manifest", sample.envelope[:at], sample.vendor_set)[0] == "refused malformed"


SCOPES = [(0,), (1, bytes(16)), (2, ["device-1", "device-2"])]


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("window", [{}, {"not_before": 5}, {"not_after": 1 << 40}, {"not_before": 5, "not_after": 5}])
def test_approval(tool, sample, scope, window):
    payload = ro.approval_payload("site-1", sample.digest, scope, 3, **window)
    made = ro.sign1(sample.approvers[1], ro.APPROVAL_AAD, payload)
    answer, fields = tool.ask("approval", made, sample.policy_set)
    assert answer == "ok" and fields["approver"] == "1" and bytes.fromhex(fields["again"]) == payload
    assert tool.make("approve", payload, sample.approvers[1].seed) == made
    assert ro.verify_approval(made, sample.policy) == (1, ro.decode(payload))


def test_approval_refused(tool, sample):
    def answer(data):
        return tool.ask("approval", data, sample.policy_set)[0]

    key = sample.approvers[0]
    assert answer(ro.approval(key, "site-2", sample.digest)) == "refused wrong-site"
    assert answer(ro.approval(sample.gate, "site-1", sample.digest)) == "refused not-an-approver"
    payload = ro.approval_payload("site-1", sample.digest)
    assert answer(ro.sign1(key, ro.SITE_POLICY_AAD, payload)) == "refused bad-signature"
    forged = ro.sign1(sample.gate, ro.APPROVAL_AAD, payload, protected=ro.encode({1: -8, 4: ro.key_id(key.cose)}))
    assert answer(forged) == "refused bad-signature"
    assert answer(ro.sign1(key, ro.APPROVAL_AAD, payload, detached=True)) == "refused malformed"
    for bad in ({3: [3]}, {3: []}, {3: [0, 0]}, {3: [1, bytes(15)]}, {3: [2, []]}, {3: [2, ["Device"]]}, {7: 0},
                {0: 2}, {1: "Site"}, {2: bytes(31)}, {4: 6, 5: 5}, {6: -1}, {3: [2, ["d"] * 33]}):
        assert answer(ro.sign1(key, ro.APPROVAL_AAD, ro.encode({**ro.decode(payload), **bad}))) == "refused malformed"


def test_factory_list(tool, sample):
    answer, fields = tool.ask("factory", sample.factory)
    assert answer == "ok" and bytes.fromhex(fields["again"]) == sample.factory
    for at in range(len(sample.factory)):
        assert tool.ask("factory", sample.factory[:at])[0].startswith("error")
    assert tool.ask("factory", ro.factory_list(sample.vendor, []))[0].startswith("error -3")
    devices = [(name, ro.Key(name), sample.class_id) for name in ("device-1", "device-2")]
    unchecked = ro.factory_list(sample.vendor, devices, relay_checks=["device-2"])
    answer, fields = tool.ask("factory", unchecked)
    assert answer == "ok" and bytes.fromhex(fields["again"]) == unchecked
    # "true" is said by leaving it out: one encoding for one list
    assert tool.ask("factory", unchecked.replace(b"\x03\xf4", b"\x03\xf5"))[0].startswith("error")
    foreign = ro.factory_list(sample.vendor, [("relay.s1", ro.Key("d"), sample.class_id)])
    assert tool.ask("factory", foreign)[0].startswith("error -3")


def test_ids(tool):
    answer, fields = tool.ask("ids", "acme.example", "plant-care")
    assert answer == "ok"
    assert (bytes.fromhex(fields["vendor"]), bytes.fromhex(fields["class"])) == ro.ids("acme.example", "plant-care")


NOT_OURS = ["1800", "190000", "5801" + "00" + "00", "a2010001", "a201000100", "a202000100", "9f01ff", "5f4101ff", "f7",
            "f90000", "fb3ff199999999999a", "f820", "1c", "ff", "61ff", "62c080", "8181818181818181818181818100", "00" "00"]


@pytest.mark.parametrize("item", NOT_OURS)
def test_cbor_that_both_refuse(tool, item):
    data = bytes.fromhex(item)
    assert tool.ask("cbor", data)[0].startswith("error")
    if not item.startswith("8181"):  # depth is our own limit
        with pytest.raises(ro.Refused):
            ro.decode(data)


def test_example_of_the_suit_specification(tool, sample):
    """Appendix B.1 of the SUIT manifest specification: same digest, its published signature verifies, and the profile
    refuses it, because it invokes."""
    unhex = bytes.fromhex
    image = ro.encode([-16, unhex("00112233445566778899aabbccddeeff0123456789abcdeffedcba9876543210")])
    manifest = ro.close_manifest({
        1: 1, 2: 0,
        3: {2: [[b"\0"]], 4: [20, {1: unhex("fa6b4a53d5ad5fdfbe9de663e4d41ffe"),
                                   2: unhex("1492af1425695e48bf429b2d51f2ab45"), 3: image, 14: 34768}, 1, 15, 2, 15]},
        7: [3, 15], 9: ro.encode([23, 2])})
    digest = ro.suit_digest(ro.encode(manifest))
    assert digest[4:].hex() == "6658ea560262696dd1f13b782239a064da7c6c5cbaf52fded428a6fc83c7e5af"
    key = {1: 2, -1: 1, -2: unhex("8496811aae0baaabd26157189eecda26beaa8bf11b6f3fe6e2b5659c85dbc0ad"),
           -3: unhex("3b1f2a4b6c098131c0a36dacd1d78bd381dcdfb09c052db33991db7338b4a896")}
    signature = unhex("01d9cbf51b1ccadf839ec867da85735118ba4c1b513f5df60583e8dd7f8ce427"
                      "4cd2e2a0f70f8832bfea63983172e77a951e9a36e74cada19321b903a097e4e7")
    signed = ro.encode(cbor2.CBORTag(18, [ro.encode({1: -7}), {}, None, signature]))
    assert tool.ask("cose", signed, b"", ro.encode(key), digest)[0] == "ok"
    assert ro.verify1(signed, key, b"", digest) == digest
    whole = ro.encode(cbor2.CBORTag(107, {2: ro.encode([digest, signed]), 3: manifest}))
    assert tool.ask("manifest", whole, sample.vendor_set)[0] == "refused unsupported-manifest"


FOREIGN_FIELDS = [
    ("endpoint of kind 2", {0: 2}), ("port 0", {2: 0}), ("port 65536", {2: 65536}), ("short pin", {3: bytes(31)}),
    ("no pin", {3: None}), ("empty host", {1: ""}), ("host of 254", {1: "h" * 254}), ("host with a slash", {1: "a/b"}),
    ("host with an escape", {1: "a\x1b"}), ("no device", {5: []}), ("65 devices", {5: ["d"] * 65}),
    ("foreign device", {5: ["relay.s1"]}), ("unknown label", {6: 0}), ("text port", {2: "8883"}),
]


@pytest.mark.parametrize("name, changes", FOREIGN_FIELDS, ids=[row[0] for row in FOREIGN_FIELDS])
def test_endpoints_refused(tool, sample, name, changes):
    bent = {**sample.endpoints[1], **changes}
    bent = {label: value for label, value in bent.items() if value is not None}
    payload = ro.encode({**sample.policy, 7: [bent]})
    data = ro.sign_set(ro.SITE_POLICY_AAD, payload, sample.approvers)
    assert tool.ask("policy", data)[0] in ("refused policy-invalid", "refused malformed")


@pytest.mark.parametrize("changes", [{0: 2}, {1: "Site"}, {1: ""}, {4: []}, {5: 17}, {6: [{1: 1, -1: 6, -2: bytes(31)}]},
                                     {7: []}, {8: 2}, {9: 1}, {10: 1 << 32}, {11: -1}, {12: -1}, {17: 0}, {-1: 0}])
def test_policy_fields_refused(tool, sample, changes):
    data = ro.sign_set(ro.SITE_POLICY_AAD, ro.encode({**sample.policy, **changes}), sample.approvers)
    assert tool.ask("policy", data)[0] in ("refused policy-invalid", "refused malformed")


@pytest.mark.parametrize("label", [0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12])
def test_policy_fields_missing(tool, sample, label):
    payload = ro.encode({key: value for key, value in sample.policy.items() if key != label})
    data = ro.sign_set(ro.SITE_POLICY_AAD, payload, sample.approvers)
    assert tool.ask("policy", data)[0] == "refused malformed"
