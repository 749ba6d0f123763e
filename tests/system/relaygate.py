# SPDX-License-Identifier: GPL-2.0-or-later
"""Revocations, gate requests, tickets, commands, checkpoints and update files of docs/trust.md in Python."""
from relaycose import (Refused, decode, demand, encode, head, key_id, open_set, sha256, sign1, sign_set, signer_of,
                       signers, verify1)
from relaypolicy import COMMAND_NAME, ISSUED, covers, gates_of

REVOCATION_AAD = b"relayd/revocation/1"
TICKET_AAD = b"relayd/ticket/1"
COMMAND_AAD = b"relayd/command/1"
CHECKPOINT_AAD = b"relayd/checkpoint/1"


# ---- revocation

def revocation_payload(site, epoch, issued=ISSUED):
    return encode({0: 1, 1: site, 2: epoch, 3: issued})


def revocation(signed_by, *arguments, **options):
    return sign_set(REVOCATION_AAD, revocation_payload(*arguments, **options), signed_by)


def accept_revocation(data, policy, floor):
    payload, signatures = open_set(data)
    item = decode(payload)
    demand(set(item) == {0, 1, 2, 3} and item[0] == 1 and item[3] >= 0, "malformed")
    demand(item[1] == policy[1], "wrong-site")
    demand(item[2] > floor, "old-epoch")
    demand(len(signers(signatures, REVOCATION_AAD, payload, policy[4])) >= policy[5], "under-signed")
    return item


# ---- gate: requests and tickets

def gate_request(nonce, digest=None):
    return encode({0: 1, 1: nonce, **({} if digest is None else {2: digest})})


def read_gate_request(data):
    item = decode(data)
    demand({0, 1} <= set(item) <= {0, 1, 2} and item[0] == 1 and len(item[1]) == 16, "malformed")
    demand(len(item.get(2, bytes(32))) == 32, "malformed")
    return item


def ticket_payload(site, device, request, policy_digest, epoch=1, reason="none", time=ISSUED, **changes):
    """The answer to a request (its bytes): open if a manifest is asked about and there is no reason against it."""
    asked = decode(request)
    item = {0: 1, 1: site, 2: device, 3: asked[1], 4: asked.get(2), 5: policy_digest, 6: epoch,
            7: int(reason == "none" and 2 in asked), 8: reason, 9: time}
    item.update({int(label[1:]): value for label, value in changes.items()})
    return encode({label: value for label, value in item.items() if value is not None})


def ticket(key, *arguments, **options):
    return sign1(key, TICKET_AAD, ticket_payload(*arguments, **options))


def verify_ticket(data, policy_payload, device, class_id, request, epoch, time_floor):
    policy, asked = decode(policy_payload), decode(request)
    keys = [key for key in gates_of(policy, device, class_id) if key_id(key) == signer_of(data)]
    inside = decode((decode(data).value)[2])
    demand(set(inside) - {4, 9} == {0, 1, 2, 3, 5, 6, 7, 8} and inside[0] == 1 and inside[7] in (0, 1), "malformed")
    demand(inside[7] == 0 if 4 not in inside else (inside[7] == 1) == (inside[8] == "none"), "malformed")
    demand(inside[1] == policy[1], "wrong-site")
    demand(inside[2] == device, "wrong-device")
    demand(inside[3] == asked[1], "wrong-nonce")
    demand(inside.get(4) == asked.get(2), "wrong-digest")
    demand(keys, "bad-signature")
    try:
        verify1(data, keys[0], TICKET_AAD)
    except Refused as error:
        raise Refused("bad-signature") from error
    demand(inside[5] == sha256(policy_payload), "policy-differs")
    demand(inside[6] <= epoch, "revoked-epoch")
    demand(inside.get(9, time_floor) >= time_floor, "clock-turned-back")
    return inside


# ---- command

def command_payload(site, device, counter, expiry, name, arguments=b""):
    return encode({0: 1, 1: site, 2: device, 3: counter, 4: expiry, 5: name, 6: arguments})


def command(key, *arguments, **options):
    return sign1(key, COMMAND_AAD, command_payload(*arguments, **options))


def name_covers(names, name):
    return any(name == entry or (entry[-1:] == "*" and name.startswith(entry[:-1])) for entry in names)


def verify_command(data, policy, vendor, device, class_id=None):
    granted = [(entry[0], entry[1], entry.get(2)) for entry in policy.get(13, [])]
    granted += [(key, policy.get(14, []), None) for key in vendor[5]]
    for key, names, scope in granted:
        if key_id(key) != signer_of(data):
            continue
        item = decode(verify1(data, key, COMMAND_AAD))
        demand(set(item) == set(range(7)) and item[0] == 1 and item[3] >= 1 and len(item[6]) <= 512, "malformed")
        demand(COMMAND_NAME.fullmatch(item[5]), "malformed")
        demand(item[1] == policy[1], "wrong-site")
        demand(item[2] == device, "wrong-device")
        demand(name_covers(names, item[5]) and covers(scope, device, class_id), "out-of-scope")
        return item
    raise Refused("bad-signature")


# ---- audit checkpoint

def checkpoint_payload(site, relay, count, log_head, time=ISSUED, previous=None):
    item = {0: 1, 1: site, 2: relay, 3: count, 4: log_head, 5: time, 6: previous}
    return encode({label: value for label, value in item.items() if value is not None})


def checkpoint(key, *arguments, **options):
    return sign1(key, CHECKPOINT_AAD, checkpoint_payload(*arguments, **options))


def verify_checkpoint(data, gates):
    for key in gates:
        if key_id(key) == signer_of(data):
            item = decode(verify1(data, key, CHECKPOINT_AAD))
            demand(set(item) - {6} == {0, 1, 2, 3, 4, 5} and item[0] == 1, "malformed")
            return item
    raise Refused("bad-signature")


# ---- update file

def update_file_head(envelope_bytes, notes, image_size):
    start = b"".join(encode(item) for item in ("relayd-update", 1, envelope_bytes, notes))
    return head(4, 5) + start + head(2, image_size)


def update_file(envelope_bytes, notes, image):
    return update_file_head(envelope_bytes, notes, len(image)) + image


def open_update_file(data):
    """(envelope, notes, image)"""
    item = decode(data)
    demand(len(item) == 5 and item[:2] == ["relayd-update", 1], "no update file")
    demand(1 <= len(item[2]) <= 4096 and len(item[3].encode()) <= 16384 and item[4], "sizes")
    return tuple(item[2:])
