# SPDX-License-Identifier: GPL-2.0-or-later
"""Vendor key sets and site policies of docs/trust.md in Python, with their chains of successors."""
import re

from relaycose import Key, Refused, decode, demand, distinct, encode, open_set, sha256, signers

VENDOR_KEYS_AAD = b"relayd/vendor-keys/1"
SITE_POLICY_AAD = b"relayd/site-policy/1"
ISSUED = 1763800000


# ---- vendor key set

def vendor_keys(vendor, organisation, developer, command=(), epoch=1, predecessor=None):
    item = {0: 1, 1: vendor, 2: epoch, 3: [key.cose for key in organisation], 4: [key.cose for key in developer],
            5: [key.cose for key in command], 6: predecessor}
    return encode({label: value for label, value in item.items() if value is not None})


def read_vendor_keys(data):
    """(key set, payload, signatures); nothing is verified"""
    payload, signatures = open_set(data)
    keys = decode(payload)
    demand(set(keys) - {6} == {0, 1, 2, 3, 4, 5} and keys[0] == 1 and len(keys[1]) == 16, "vendor-keys-invalid")
    demand(keys[2] >= 1 and (6 in keys) == (keys[2] > 1), "vendor-keys-invalid")
    demand(all(1 <= len(keys[role]) <= 4 for role in (3, 4)) and len(keys[5]) <= 4, "vendor-keys-invalid")
    demand(distinct(keys[3] + keys[4] + keys[5]), "vendor-keys-invalid")
    return keys, payload, signatures


def accept_vendor_keys(data):
    keys, payload, signatures = read_vendor_keys(data)
    demand(keys[2] == 1, "vendor-keys-invalid")
    demand(signers(signatures, VENDOR_KEYS_AAD, payload, keys[3]), "organisation-signature")
    demand(signers(signatures, VENDOR_KEYS_AAD, payload, keys[4]), "developer-signature")
    return keys


def forks(item, payload, current_payload, predecessor, names):
    """What a chain demands; names: of the reasons for an old and a skipped one. True: a fork, if it is signed."""
    current, (old, gap) = decode(current_payload), names
    if item[2] == current[2] and payload != current_payload:
        return True
    demand(item[2] > current[2], old)
    demand(item[2] == current[2] + 1, gap)
    return item[predecessor] != sha256(current_payload)


def accept_next_vendor_keys(data, current_payload, policy):
    keys, payload, signatures = read_vendor_keys(data)
    current = decode(current_payload)
    demand(keys[1] == current[1], "wrong-vendor")
    fork = forks(keys, payload, current_payload, 6, ("old-vendor-keys", "vendor-keys-gap"))
    demand(distinct(keys[3] + keys[4] + keys[5] + site_keys(policy)), "vendor-keys-invalid")
    demand(signers(signatures, VENDOR_KEYS_AAD, payload, current[3]), "organisation-signature")
    demand(signers(signatures, VENDOR_KEYS_AAD, payload, current[4]), "developer-signature")
    demand(keys[2] == 1 or len(signers(signatures, VENDOR_KEYS_AAD, payload, policy[4])) >= policy[5], "under-signed")
    demand(not fork, "vendor-keys-fork")
    return keys


# ---- site policy

def endpoint(kind, host, port, pin, backup=None, devices=None):
    item = {0: kind, 1: host, 2: port, 3: pin, 4: backup, 5: devices}
    return {label: value for label, value in item.items() if value is not None}


def gate(key, host=None, port=None, pin=None, backup=None, scope=None):
    item = {0: key.cose, 1: host, 2: port, 3: pin, 4: backup, 5: scope}
    return {label: value for label, value in item.items() if value is not None}


def grant(key, names, scope=None):
    return {0: key.cose, 1: list(names), **({} if scope is None else {2: scope})}


def rule(urgencies, scope, wait, windows=None):
    return {0: list(urgencies), 1: scope, 2: wait, **({} if windows is None else {3: windows})}


def site_policy(site, approvers, k, gates, endpoints, mode=0, ticket=True, patience=0, epoch=1, predecessor=None,
                approval_epoch=1, issued=ISSUED, grants=None, vendor_commands=None, rules=None, time_zone=None,
                vendor_epoch=None):
    """gates: keys, or what gate() made"""
    item = {0: 1, 1: site, 2: epoch, 3: predecessor, 4: [key.cose for key in approvers], 5: k,
            6: [gate(key) if isinstance(key, Key) else key for key in gates], 7: endpoints, 8: mode, 9: ticket,
            10: patience, 11: approval_epoch, 12: issued, 13: grants, 14: vendor_commands, 15: rules, 16: time_zone,
            17: vendor_epoch}
    return encode({label: value for label, value in item.items() if value is not None})


def site_keys(policy):
    return policy[4] + [entry[0] for entry in policy[6]] + [entry[0] for entry in policy.get(13, [])]


DEVICE = re.compile(r"[a-z0-9-]{1,40}")
COMMAND_NAME = re.compile(r"[a-z0-9.-]{1,40}")
GRANTED_NAME = re.compile(r"[a-z0-9.-]{1,40}|[a-z0-9.-]{0,39}\*")
HOST = re.compile(r"[A-Za-z0-9.:-]{1,253}")
URGENCY = re.compile(r"[A-Za-z0-9.+_~-]{1,24}")
TIME_ZONE = re.compile(r"[A-Za-z0-9/_+-]{1,48}")


def is_scope(scope, narrow=False):
    if scope == [0]:
        return not narrow
    if len(scope) != 2 or scope[0] not in (1, 2):
        return False
    if scope[0] == 1:
        return isinstance(scope[1], bytes) and len(scope[1]) == 16
    return len(scope[1]) >= 1 and all(DEVICE.fullmatch(name) for name in scope[1])


def is_address(item):
    pins = (item[3], item.get(4, bytes(32)))
    return HOST.fullmatch(item[1]) and 1 <= item[2] <= 65535 and all(len(pin) == 32 for pin in pins)


def check_places(policy):
    for entry in policy[6]:
        demand(set(entry) <= {0, 1, 2, 3, 4, 5} and 0 in entry and is_scope(entry.get(5, [1, bytes(16)]), True), "gate")
        demand(not set(entry) & {1, 2, 3, 4} or ({1, 2, 3} <= set(entry) and is_address(entry)), "gate's address")
    for entry in policy[7]:
        demand({0, 1, 2, 3} <= set(entry) <= {0, 1, 2, 3, 4, 5}, "endpoint")
        demand(entry[0] in (0, 1) and is_address(entry), "endpoint")
        demand(policy[8] == 0 or entry[0] == 0, "relay-only with a cloud endpoint")
        demand(5 not in entry or is_scope([2, entry[5]]), "endpoint's devices")


def check_grants_and_rules(policy):
    for entry in policy.get(13, []):
        demand({0, 1} <= set(entry) <= {0, 1, 2} and is_scope(entry.get(2, [1, bytes(16)]), True), "grant")
    names = [entry[1] for entry in policy.get(13, [])] + ([policy[14]] if 14 in policy else [])
    demand(all(names) and sum(map(len, names)) <= 24, "command names")
    demand(all(GRANTED_NAME.fullmatch(name) for part in names for name in part), "command name")
    for entry in policy.get(15, []):
        demand({0, 1, 2} <= set(entry) <= {0, 1, 2, 3} and is_scope(entry[1]) and entry[2] >= 0, "rule")
        demand(1 <= len(entry[0]) <= 4 and all(URGENCY.fullmatch(word) for word in entry[0]), "urgency")
        windows = entry.get(3, [[0, 1]])
        demand(1 <= len(windows) <= 8, "windows")
        demand(all(0 <= first < 10080 and 1 <= minutes <= 10080 for first, minutes in windows), "window")


def check_site_policy(policy):
    """everything that needs no other object"""
    demand(set(policy) - {3, 13, 14, 15, 16, 17} == {0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12}, "form")
    demand(policy[0] == 1 and policy[2] >= 1 and (3 in policy) == (policy[2] > 1), "epoch")
    demand(DEVICE.fullmatch(policy[1]) and policy[8] in (0, 1) and isinstance(policy[9], bool), "form")
    demand(policy[11] >= 0 and policy[12] >= 0 and 0 <= policy[10] < 1 << 32, "form")
    n, k = len(policy[4]), policy[5]
    demand(n / 2 < k <= n <= 16, "k")
    for label, least, most in ((6, 0, 4), (7, 1, 6), (13, 1, 4), (15, 1, 4)):
        demand(label not in policy or least <= len(policy[label]) <= most, "too many or too few")
    demand(distinct(site_keys(policy)), "one key in two places")
    demand(policy[6] or not (policy[9] or 15 in policy), "no gate to ask")
    check_places(policy)
    check_grants_and_rules(policy)
    scopes = [entry.get(5, []) for entry in policy[6]] + [entry.get(2, []) for entry in policy.get(13, [])]
    scopes += [entry[1] for entry in policy.get(15, [])] + [[2, entry.get(5, [])] for entry in policy[7]]
    demand(sum(len(scope[1]) for scope in scopes if scope[:1] == [2]) <= 64, "devices")
    demand(16 not in policy or TIME_ZONE.fullmatch(policy[16]), "time zone")
    demand(17 not in policy or (policy[17] >= 1 and policy[2] > 1), "vendor epoch")


def read_site_policy(data):
    """(policy, payload, signatures); no signature is verified"""
    payload, signatures = open_set(data)
    policy = decode(payload)
    try:
        check_site_policy(policy)
    except Refused as error:
        raise Refused(f"policy-invalid: {error}") from error
    return policy, payload, signatures


def accept_site_policy(data):
    policy, payload, signatures = read_site_policy(data)
    demand(policy[2] == 1, "policy-invalid: no first one")
    demand(len(signers(signatures, SITE_POLICY_AAD, payload, policy[4])) >= policy[5], "bad-signature")
    return policy


def accept_next_site_policy(data, current_payload):
    policy, payload, signatures = read_site_policy(data)
    current = decode(current_payload)
    demand(policy[1] == current[1], "wrong-site")
    fork = forks(policy, payload, current_payload, 3, ("old-policy", "policy-gap"))
    demand(fork or policy[11] >= current[11] and policy[12] >= current[12], "policy-invalid: something falls")
    demand(len(signers(signatures, SITE_POLICY_AAD, payload, current[4])) >= current[5], "under-signed")
    demand(len(signers(signatures, SITE_POLICY_AAD, payload, policy[4])) >= policy[5], "bad-signature")
    demand(not fork, "policy-fork")
    return policy


def fits(policy, vendor):
    """Can it come into force beside this vendor key set?"""
    demand(distinct(vendor[3] + vendor[4] + vendor[5] + site_keys(policy)), "policy-invalid: a key of the vendor's")
    demand(policy.get(17, 0) <= vendor[2], "vendor-keys-gap")


def covers(scope, device, class_id):
    if not scope or scope[0] == 0:
        return True
    return scope[1] == class_id if scope[0] == 1 else device in scope[1]


def gates_of(policy, device, class_id):
    """the keys that answer for this device: those of the narrowest scope that covers it"""
    fitting = [entry for entry in policy[6] if covers(entry.get(5), device, class_id)]
    narrowest = max((entry.get(5, [0])[0] for entry in fitting), default=None)
    return [entry[0] for entry in fitting if entry.get(5, [0])[0] == narrowest]


def rule_of(policy, urgency, device, class_id):
    """the first rule's place, or None"""
    return next((place for place, entry in enumerate(policy.get(15, []))
                 if urgency in entry[0] and covers(entry[1], device, class_id)), None)
