# SPDX-License-Identifier: GPL-2.0-or-later
"""Successors, revocations, tickets, commands, checkpoints and update files: librelay against relayobjects.py."""
import pytest

import relayobjects as ro
from test_objects import Tool

LATER = ro.ISSUED + 60


@pytest.fixture(scope="module")
def tool():
    tool = Tool()
    yield tool
    tool.process.stdin.close()
    assert tool.process.wait() == 0


@pytest.fixture(scope="module")
def sample():
    return ro.Sample()


def refused_by_python(check, *arguments):
    """the reason, or 'ok'"""
    try:
        check(*arguments)
    except ro.Refused as error:
        return f"refused {str(error).split(':')[0]}"
    return "ok"


# ---- site policy

def keys(*names):
    return [ro.Key(name) for name in names]


FIRST = [
    ("everything", {}),
    ("nothing that may be absent", dict(grants=None, vendor_commands=None, rules=None, time_zone=None, gates=[],
                                        ticket=False)),
    ("largest epochs", dict(approval_epoch=(1 << 64) - 1, issued=(1 << 64) - 1)),
    ("gate with a backup pin", dict(gates=[ro.gate(ro.Key("g"), "::1", 1, bytes(32), bytes(32), [1, bytes(16)])])),
    ("every command", dict(vendor_commands=["*"])),
    ("rule for the site, at once, at any time", dict(rules=[ro.rule(["a", "b", "c", "d"], [0], 0)])),
    ("four of each", dict(
        gates=[ro.gate(key) for key in keys("g1", "g2", "g3", "g4")], rules=[ro.rule(["security"], [0], 1)] * 4,
        grants=[ro.grant(key, ["a", "b", "c", "d", "e"]) for key in keys("c1", "c2", "c3", "c4")])),
    ("64 devices in three lists", dict(
        rules=[ro.rule(["a"], [2, [f"d{n}" for n in range(count)]], 1) for count in (32, 30)])),
]


@pytest.mark.parametrize("name, changes", FIRST, ids=[row[0] for row in FIRST])
def test_site_policies(tool, sample, name, changes):
    payload = sample.make_policy(**{"endpoints": [sample.endpoints[1]], **changes})
    data = ro.sign_set(ro.SITE_POLICY_AAD, payload, sample.approvers[1:])
    answer, fields = tool.ask("policy-read", data)
    assert answer == "ok" and bytes.fromhex(fields["again"]) == payload
    assert ro.accept_site_policy(data) == ro.decode(payload)


BENT = [
    ("ticket without a gate", dict(gates=[], rules=None)),
    ("rule without a gate", dict(gates=[], ticket=False)),
    ("no grant in the list", dict(grants=[])),
    ("no rule in the list", dict(rules=[])),
    ("no command for the vendor", dict(vendor_commands=[])),
    ("empty time zone", dict(time_zone="")),
    ("time zone with dots", dict(time_zone="../../etc/passwd")),
    ("long time zone", dict(time_zone="Z" * 49)),
    ("five gates", dict(gates=keys("g1", "g2", "g3", "g4", "g5"))),
    ("one gate twice", dict(gates=keys("g1", "g1"))),
    ("grant to the gate", dict(grants=[ro.grant(ro.Key("gate"), ["a"])])),
    ("grant to an approver", dict(grants=[ro.grant(ro.Key("approver 3"), ["a"])])),
    ("one grant twice", dict(grants=[ro.grant(ro.Key("c"), ["a"])] * 2)),
    ("grant of nothing", dict(grants=[ro.grant(ro.Key("c"), [])])),
    ("grant of a capital", dict(grants=[ro.grant(ro.Key("c"), ["Pump"])])),
    ("asterisk inside", dict(grants=[ro.grant(ro.Key("c"), ["a*b"])])),
    ("long name", dict(grants=[ro.grant(ro.Key("c"), ["n" * 41])])),
    ("long beginning", dict(grants=[ro.grant(ro.Key("c"), ["n" * 40 + "*"])])),
    ("25 names", dict(grants=[ro.grant(ro.Key("c"), ["n"] * 24)])),
    ("grant that says the site", dict(grants=[ro.grant(ro.Key("c"), ["n"], [0])])),
    ("gate that says the site", dict(gates=[ro.gate(ro.Key("g"), scope=[0])])),
    ("gate of nobody", dict(gates=[ro.gate(ro.Key("g"), scope=[2, []])])),
    ("gate of no kind", dict(gates=[ro.gate(ro.Key("g"), scope=[3])])),
    ("gate without a port", dict(gates=[ro.gate(ro.Key("g"), host="h", pin=bytes(32))])),
    ("gate with a backup pin alone", dict(gates=[ro.gate(ro.Key("g"), backup=bytes(32))])),
    ("gate of port 0", dict(gates=[ro.gate(ro.Key("g"), "h", 0, bytes(32))])),
    ("gate with a label more", dict(gates=[{0: ro.Key("g").cose, 6: 0}])),
    ("rule of no urgency", dict(rules=[ro.rule([], [0], 1)])),
    ("rule of five", dict(rules=[ro.rule(["a"] * 5, [0], 1)])),
    ("urgency with a space", dict(rules=[ro.rule(["a b"], [0], 1)])),
    ("long urgency", dict(rules=[ro.rule(["u" * 25], [0], 1)])),
    ("rule with a short class", dict(rules=[ro.rule(["a"], [1, bytes(15)], 1)])),
    ("rule without a wait", dict(rules=[{0: ["a"], 1: [0]}])),
    ("five rules", dict(rules=[ro.rule(["a"], [0], 1)] * 5)),
    ("no window in the list", dict(rules=[ro.rule(["a"], [0], 1, [])])),
    ("nine windows", dict(rules=[ro.rule(["a"], [0], 1, [[0, 1]] * 9)])),
    ("window behind the week", dict(rules=[ro.rule(["a"], [0], 1, [[10080, 1]])])),
    ("window of nothing", dict(rules=[ro.rule(["a"], [0], 1, [[0, 0]])])),
    ("window above a week", dict(rules=[ro.rule(["a"], [0], 1, [[0, 10081]])])),
    ("65 devices", dict(rules=[ro.rule(["a"], [2, ["d"] * 61], 1)])),
    ("negative approval epoch", dict(approval_epoch=-1)),
    ("no issued", dict(issued=None)),
    ("no approval epoch", dict(approval_epoch=None)),
    ("vendor epoch in a first policy", dict(vendor_epoch=1)),
    ("vendor epoch of 0", dict(vendor_epoch=0, epoch=2, predecessor=bytes(32))),
]


@pytest.mark.parametrize("name, changes", BENT, ids=[row[0] for row in BENT])
def test_site_policies_refused(tool, sample, name, changes):
    payload = sample.make_policy(**changes)
    data = ro.sign_set(ro.SITE_POLICY_AAD, payload, sample.approvers)
    assert tool.ask("policy-read", data)[0] in ("refused policy-invalid", "refused malformed")
    with pytest.raises((ro.Refused, KeyError, TypeError)):
        ro.accept_site_policy(data)


# ---- chains

def next_policy(sample, signed_by, **changes):
    values = dict(epoch=2, issued=LATER, predecessor=ro.sha256(sample.policy_payload), patience=1)
    payload = sample.make_policy(**{**values, **changes})
    return ro.sign_set(ro.SITE_POLICY_AAD, payload, keys(*signed_by))


A1, A2, A3, A4 = (f"approver {n}" for n in (1, 2, 3, 4))
NEW = keys(A2, A3, A4)
NEXT = [
    ("ok", (A1, A2), {}),
    ("ok", (A2, A3), dict(approvers=NEW)),
    ("ok", (A1, A2, A4), dict(approvers=NEW)),
    ("ok", (A1, A2), dict(approval_epoch=5)),
    ("ok", (A1, A2), dict(vendor_epoch=(1 << 64) - 1)),
    ("refused under-signed", (A1, A1), {}),
    ("refused under-signed", (A1, "gate"), {}),
    ("refused under-signed", (A3, A4), dict(approvers=NEW)),
    ("refused bad-signature", (A1, A2), dict(approvers=NEW)),
    ("refused policy-gap", (A1, A2), dict(epoch=3)),
    ("refused policy-fork", (A1, A2), dict(predecessor=bytes(32))),
    ("refused policy-fork", (A1, A2), dict(epoch=1, predecessor=None)),
    ("refused under-signed", (A1, "gate"), dict(predecessor=bytes(32))),
    ("refused under-signed", (A1,), dict(epoch=1, predecessor=None)),
    ("refused bad-signature", (A1, A2), dict(epoch=1, predecessor=None, approvers=NEW)),
    ("refused policy-invalid", (A1, A2), dict(approval_epoch=0)),
    ("refused policy-invalid", (A1, A2), dict(issued=ro.ISSUED - 1)),
]


@pytest.mark.parametrize("answer, signed_by, changes", NEXT)
def test_successor_of_a_policy(tool, sample, answer, signed_by, changes):
    data = next_policy(sample, signed_by, **changes)
    assert tool.ask("policy-next", data, sample.policy_set)[0] == answer
    assert refused_by_python(ro.accept_next_site_policy, data, sample.policy_payload) == answer


def test_old_policies(tool, sample):
    def both(data, set_in_force, payload):
        answer = tool.ask("policy-next", data, set_in_force)[0]
        assert refused_by_python(ro.accept_next_site_policy, data, payload) == answer
        return answer

    assert both(sample.policy_set, sample.policy_set, sample.policy_payload) == "refused old-policy"
    assert both(sample.policy_set, sample.next_policy_set, sample.next_policy_payload) == "refused old-policy"
    assert both(sample.next_policy_set, sample.policy_set, sample.policy_payload) == "ok"
    other = ro.sign_set(ro.SITE_POLICY_AAD, ro.encode({**sample.policy, 1: "site-2"}), sample.approvers)
    assert both(other, sample.policy_set, sample.policy_payload) == "refused wrong-site"


NEXT_VENDOR = [
    ("ok", ("organisation", "developer", A1, A2), {}),
    ("ok", ("organisation", "developer", A1, A2), dict(organisation=keys("organisation 2"), command=[])),
    ("refused organisation-signature", ("organisation 2", "developer", A1, A2), dict(
        organisation=keys("organisation 2"))),
    ("refused developer-signature", ("organisation", "developer 2", A1, A2), {}),
    ("refused under-signed", ("organisation", "developer", A1, A1), {}),
    ("refused under-signed", ("organisation", "developer"), {}),
    ("refused vendor-keys-gap", ("organisation", "developer", A1, A2), dict(epoch=3)),
    ("refused vendor-keys-fork", ("organisation", "developer", A1, A2), dict(predecessor=bytes(32))),
    ("refused vendor-keys-fork", ("organisation", "developer", A1, A2), dict(epoch=1, predecessor=None)),
    ("refused organisation-signature", ("gate", "developer", A1, A2), dict(predecessor=bytes(32))),
    ("refused under-signed", ("organisation", "developer", A1), dict(predecessor=bytes(32))),
    ("refused developer-signature", ("organisation", A1, A2), dict(epoch=1, predecessor=None)),
    ("refused vendor-keys-fork", ("organisation", "developer"), dict(epoch=1, predecessor=None)),
    ("refused vendor-keys-invalid", ("organisation", "developer", A1, A2), dict(command=keys("site command"))),
    ("refused wrong-vendor", ("organisation", "developer", A1, A2), dict(vendor=bytes(16))),
]


@pytest.mark.parametrize("answer, signed_by, changes", NEXT_VENDOR)
def test_successor_of_vendor_keys(tool, sample, answer, signed_by, changes):
    values = dict(vendor=sample.vendor, organisation=keys("organisation"), developer=keys("developer 2"),
                  command=keys("command"), epoch=2, predecessor=ro.sha256(sample.vendor_payload))
    payload = ro.vendor_keys(**{**values, **changes})
    data = ro.sign_set(ro.VENDOR_KEYS_AAD, payload, keys(*signed_by))
    said, fields = tool.ask("vendor-next", data, sample.vendor_set, sample.policy_set)
    assert said == answer
    assert refused_by_python(ro.accept_next_vendor_keys, data, sample.vendor_payload, sample.policy) == answer
    assert answer != "ok" or bytes.fromhex(fields["again"]) == payload


def test_which_chain_goes_first(tool, sample):
    """The successor of the policy waits for the vendor key set that approver 1 signed before he left."""
    vendor, following = ro.accept_vendor_keys(sample.vendor_set), ro.read_vendor_keys(sample.next_vendor_set)[0]
    policy = ro.decode(sample.next_policy_payload)
    for keys_set, held, answer in ((sample.vendor_set, vendor, "refused vendor-keys-gap"),
                                   (sample.next_vendor_set, following, "ok")):
        assert tool.ask("policy-fits", sample.next_policy_set, keys_set)[0] == answer
        assert refused_by_python(ro.fits, policy, held) == answer
    late = tool.ask("vendor-next", sample.next_vendor_set, sample.vendor_set, sample.next_policy_set)[0]
    assert late == "refused under-signed"  # so it would have been lost the other way round
    shared = ro.vendor_keys(sample.vendor, keys("organisation"), keys("developer"), keys("gate"))
    shared = ro.sign_set(ro.VENDOR_KEYS_AAD, shared, keys("organisation", "developer"))
    assert tool.ask("policy-fits", sample.policy_set, shared)[0] == "refused policy-invalid"
    assert refused_by_python(ro.fits, sample.policy, ro.accept_vendor_keys(shared)) == "refused policy-invalid"


def test_old_vendor_keys(tool, sample):
    for held, payload in ((sample.vendor_set, sample.vendor_payload),
                          (sample.next_vendor_set, sample.next_vendor_payload)):
        answer = tool.ask("vendor-next", sample.vendor_set, held, sample.policy_set)[0]
        assert answer == "refused old-vendor-keys"
        assert refused_by_python(ro.accept_next_vendor_keys, sample.vendor_set, payload, sample.policy) == answer


# ---- revocation

REVOCATIONS = [
    ("ok", (A1, A2), dict(epoch=2), 1),
    ("ok", (A3, A2), dict(epoch=9), 8),
    ("refused old-epoch", (A1, A2), dict(epoch=2), 2),
    ("refused old-epoch", (A1, A2), dict(epoch=2), 3),
    ("refused wrong-site", (A1, A2), dict(site="site-2", epoch=2), 1),
    ("refused under-signed", (A1, A1), dict(epoch=2), 1),
    ("refused under-signed", (A1, "gate", "organisation"), dict(epoch=2), 1),
]


@pytest.mark.parametrize("answer, signed_by, values, floor", REVOCATIONS)
def test_revocation(tool, sample, answer, signed_by, values, floor):
    payload = ro.revocation_payload(**{"site": "site-1", **values})
    data = ro.sign_set(ro.REVOCATION_AAD, payload, keys(*signed_by))
    said, fields = tool.ask("revocation", data, sample.policy_set, floor)
    assert said == answer
    assert refused_by_python(ro.accept_revocation, data, sample.policy, floor) == answer
    assert answer != "ok" or bytes.fromhex(fields["again"]) == payload


@pytest.mark.parametrize("changes", [{0: 2}, {1: "Site"}, {2: -1}, {3: -1}, {4: 0}, {3: None}])
def test_revocation_form(tool, sample, changes):
    item = {**ro.decode(ro.revocation_payload("site-1", 2)), **changes}
    payload = ro.encode({label: value for label, value in item.items() if value is not None})
    data = ro.sign_set(ro.REVOCATION_AAD, payload, sample.approvers)
    assert tool.ask("revocation", data, sample.policy_set, 1)[0] == "refused malformed"


# ---- what a policy says of one device

@pytest.mark.parametrize("device", ["device-1", "device-3", "device-9"])
@pytest.mark.parametrize("class_id", [b"", "ours"])
def test_gates_and_rules_of_a_device(tool, sample, device, class_id):
    class_id = sample.class_id if class_id == "ours" else class_id
    fields = tool.ask("gate", sample.policy_set, device, class_id)[1]
    assert bytes.fromhex(fields["id"]) == ro.key_id(ro.gates_of(sample.policy, device, class_id)[0])
    assert fields["host"] == ("192.0.2.7" if device == "device-3" else "")
    for urgency in ("security", "routine"):
        place = tool.ask("rule", sample.policy_set, urgency, device, class_id)[1]["place"]
        expected = ro.rule_of(sample.policy, urgency, device, class_id)
        assert int(place) == (-1 if expected is None else expected)


# ---- tickets

@pytest.mark.parametrize("digest", [None, bytes(32)])
def test_gate_request(tool, digest):
    request = ro.gate_request(bytes(range(16)), digest)
    assert tool.make("gate-request", request) == request
    assert ro.read_gate_request(request)[1] == bytes(range(16))


@pytest.mark.parametrize("item", [{0: 1}, {0: 2, 1: bytes(16)}, {0: 1, 1: bytes(15)}, {0: 1, 1: bytes(16), 3: 0},
                                  {0: 1, 1: bytes(16), 2: bytes(31)}, [0], 0])
def test_gate_request_form(tool, item):
    assert tool.ask("gate-request", ro.encode(item))[0].startswith("error")


def asked(tool, sample, data, request, device="device-1", epoch=1, floor=ro.ISSUED):
    answer, fields = tool.ask("ticket", data, sample.policy_set, device, sample.class_id, request, epoch, floor)
    by_python = refused_by_python(ro.verify_ticket, data, sample.policy_payload, device, sample.class_id, request,
                                  epoch, floor)
    assert by_python == answer
    return answer, fields


def test_tickets(tool, sample):
    answer, fields = asked(tool, sample, sample.ticket, sample.request)
    assert (answer, fields["open"], fields["time"]) == ("ok", "1", str(LATER))
    answer, fields = asked(tool, sample, sample.refusal, sample.request)
    assert (answer, fields["open"], fields["reason"]) == ("ok", "0", "gate-closed")
    answer, fields = asked(tool, sample, sample.time_answer, sample.time_request)
    assert (answer, fields["open"], fields["time"]) == ("ok", "0", str(LATER))
    policy_digest = ro.sha256(sample.policy_payload)
    for options in ({}, {"time": None}, {"reason": "rule-waits"}, {"epoch": 0}):
        payload = ro.ticket_payload("site-1", "device-1", sample.request, policy_digest, **options)
        data = tool.make("sign-ticket", payload, sample.gate.seed)
        assert data == ro.sign1(sample.gate, ro.TICKET_AAD, payload)
        assert asked(tool, sample, data, sample.request)[0] == "ok"


TICKETS = [
    ("wrong-site", {"_1": "site-2"}), ("wrong-device", {"_2": "device-2"}), ("wrong-nonce", {"_3": bytes(16)}),
    ("wrong-digest", {"_4": bytes(32)}), ("wrong-digest", {"_4": None, "_7": 0}), ("policy-differs", {"_5": bytes(32)}),
    ("revoked-epoch", {"_6": 2}), ("clock-turned-back", {"_9": ro.ISSUED - 1}),
    ("malformed", {"_7": 0}), ("malformed", {"_8": "gate-closed"}), ("malformed", {"_4": None}),
    ("malformed", {"_5": None}), ("malformed", {"_10": 0}),
]


@pytest.mark.parametrize("reason, changes", TICKETS)
def test_every_field_of_a_ticket(tool, sample, reason, changes):
    data = ro.ticket(sample.gate, "site-1", "device-1", sample.request, ro.sha256(sample.policy_payload), **changes)
    assert asked(tool, sample, data, sample.request)[0] == f"refused {reason}"


def test_whose_ticket(tool, sample):
    digest = ro.sha256(sample.policy_payload)

    def answer(key, device):
        return asked(tool, sample, ro.ticket(key, "site-1", device, sample.request, digest), sample.request, device)[0]

    assert answer(sample.gate, "device-1") == "ok"
    assert answer(sample.second_gate, "device-3") == "ok"
    assert answer(sample.second_gate, "device-1") == "refused bad-signature"
    assert answer(sample.gate, "device-3") == "refused bad-signature"  # the site's gate, where the device has its own
    assert answer(sample.approvers[0], "device-1") == "refused bad-signature"
    replayed = ro.gate_request(bytes(16), sample.digest)
    assert asked(tool, sample, sample.ticket, replayed)[0] == "refused wrong-nonce"
    assert asked(tool, sample, sample.ticket, sample.time_request)[0] == "refused wrong-digest"
    payload = ro.ticket_payload("site-1", "device-1", sample.request, digest)
    other_kind = ro.sign1(sample.gate, ro.CHECKPOINT_AAD, payload)
    assert asked(tool, sample, other_kind, sample.request)[0] == "refused bad-signature"


# ---- commands

COMMANDS = [
    ("ok", "site command", ("device-1", 7, LATER, "pump.on", b"x"), "device-1"),
    ("ok", "command", ("device-2", 1, 0, "diagnostics.log"), "device-2"),
    ("refused out-of-scope", "command", ("device-1", 7, LATER, "pump.on"), "device-1"),
    ("refused out-of-scope", "site command", ("device-1", 7, LATER, "diagnostics.log"), "device-1"),
    ("refused out-of-scope", "site command", ("device-2", 7, LATER, "pump.on"), "device-2"),
    ("refused wrong-device", "site command", ("device-1", 7, LATER, "pump.on"), "device-2"),
    ("refused bad-signature", "gate", ("device-1", 7, LATER, "pump.on"), "device-1"),
    ("refused bad-signature", "organisation", ("device-1", 7, LATER, "diagnostics.log"), "device-1"),
    ("refused bad-signature", A1, ("device-1", 7, LATER, "pump.on"), "device-1"),
]


@pytest.mark.parametrize("answer, key, values, device", COMMANDS)
def test_commands(tool, sample, answer, key, values, device):
    payload = ro.command_payload("site-1", *values)
    data = ro.sign1(ro.Key(key), ro.COMMAND_AAD, payload)
    assert tool.make("sign-command", payload, ro.Key(key).seed) == data
    said, fields = tool.ask("command", data, sample.policy_set, sample.vendor_set, device, b"")
    assert said == answer
    vendor = ro.accept_vendor_keys(sample.vendor_set)
    assert refused_by_python(ro.verify_command, data, sample.policy, vendor, device) == answer
    if answer == "ok":
        assert (int(fields["counter"]), int(fields["expiry"]), fields["name"]) == values[1:4]
        assert bytes.fromhex(fields["key"]) == ro.key_id(ro.Key(key).cose)
        relay = tool.ask("command", data, sample.policy_set, sample.vendor_set, "-", b"")
        assert relay[0] == "ok"


@pytest.mark.parametrize("changes", [{0: 2}, {1: "Site"}, {2: "relay.s1"}, {3: 0}, {3: -1}, {4: -1}, {5: ""},
                                     {5: "Pump"}, {5: "pump.*"}, {6: "text"}, {6: bytes(513)}, {7: 0}])
def test_command_form(tool, sample, changes):
    item = {**ro.decode(ro.command_payload("site-1", "device-1", 1, LATER, "pump.on")), **changes}
    data = ro.sign1(sample.site_command, ro.COMMAND_AAD, ro.encode(item))
    answer = tool.ask("command", data, sample.policy_set, sample.vendor_set, "device-1", b"")[0]
    assert answer == "refused malformed"
    assert tool.ask("sign-command", ro.encode(item), sample.site_command.seed)[0].startswith("error")


# ---- checkpoints

def test_checkpoints(tool, sample):
    for data in (sample.first_checkpoint, sample.checkpoint):
        answer, fields = tool.ask("checkpoint", data, ro.encode(sample.gate.cose))
        item = ro.verify_checkpoint(data, [sample.second_gate.cose, sample.gate.cose])
        assert answer == "ok" and (fields["relay"], int(fields["count"]), int(fields["time"])) == (
            item[2], item[3], item[5])
        assert bytes.fromhex(fields["head"]) == item[4] and bytes.fromhex(fields["previous"]) == item.get(6, b"")
        payload = ro.verify1(data, sample.gate.cose, ro.CHECKPOINT_AAD)
        assert tool.make("sign-checkpoint", payload, sample.gate.seed) == data
        assert tool.ask("checkpoint", data, ro.encode(sample.second_gate.cose))[0] == "refused bad-signature"


@pytest.mark.parametrize("changes", [{0: 2}, {1: "s.1"}, {2: "device-1"}, {3: -1}, {4: bytes(31)}, {5: -1},
                                     {6: b""}, {7: 0}])
def test_checkpoint_form(tool, sample, changes):
    item = {**ro.decode(ro.checkpoint_payload("site-1", "relay.s1", 1, bytes(32))), **changes}
    data = ro.sign1(sample.gate, ro.CHECKPOINT_AAD, ro.encode(item))
    assert tool.ask("checkpoint", data, ro.encode(sample.gate.cose))[0] == "refused malformed"


# ---- update files

@pytest.mark.parametrize("notes", ["", "Waters less.\n\t- at night\n", "夜間の水やり"])
def test_update_file(tool, sample, notes):
    data = ro.update_file(sample.envelope, notes, sample.image)
    head = tool.make("update-file-head", sample.envelope, notes.encode(), len(sample.image))
    assert data == head + sample.image
    assert ro.open_update_file(data) == (sample.envelope, notes, sample.image)
    answer, fields = tool.ask("update-file", head, len(data))
    assert answer == "ok" and (int(fields["offset"]), int(fields["size"])) == (len(head), len(sample.image))
    assert bytes.fromhex(fields["envelope"]) == sample.envelope
    assert bytes.fromhex(fields["notes"]).decode() == notes
    assert tool.ask("update-file", head, len(data) - 1)[0].startswith("error -1")
    assert tool.ask("update-file", head, len(data) + 1)[0].startswith("error -2")


@pytest.mark.parametrize("item", [
    ["relayd-update", 1, b"e", "", b""], ["relayd-update", 1, b"", "", b"i"], ["relayd-update", 2, b"e", "", b"i"],
    ["relayd-updates", 1, b"e", "", b"i"], ["relayd-update", 1, b"e", "\x1b[2J", b"i"],
    ["relayd-update", 1, b"e", "", b"i", 0],
    ["relayd-update", 1, b"e", b"", b"i"], ["relayd-update", 1, b"e", "\u202e", b"i"]])
def test_update_file_form(tool, item):
    data = ro.encode(item)
    assert tool.ask("update-file", data, len(data))[0].startswith("error")
